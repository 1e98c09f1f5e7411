/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plat_fake.h"
#include "policy_agree_hv.h"

struct machine_config machine;
static struct image_config *images;

static void name_copy(char to[LZR_NAME_MAX], const char *from)
{
	if (strlen(from) >= LZR_NAME_MAX)
		abort();
	strcpy(to, from);
}

void agree_images(unsigned count)
{
	free(images);
	images = calloc(count, sizeof(*images));
	if (!images)
		abort();
	memset(&machine, 0, sizeof(machine));
	machine.images = images;
	machine.image_count = count;
}

void agree_image(unsigned image, const char *name)
{
	name_copy(images[image].name, name);
	images[image].memory = AGREE_MEMORY;
	images[image].vcpus = 1;
}

void agree_device(unsigned image, const char *name, unsigned pairs)
{
	struct image_config *i = &images[image];
	uint32_t at = 0;

	while (at < i->vdev_count && strcmp(i->vdevs[at].name, name))
		at++;
	if (at == LZR_VDEV_MAX)
		abort();
	if (at == i->vdev_count)
		name_copy(i->vdevs[i->vdev_count++].name, name);
	if (i->vdevs[at].queues < 2 * pairs)
		i->vdevs[at].queues = (uint16_t)(2 * pairs);
}

void agree_place(unsigned image, const char *name)
{
	struct image_config *i = &images[image];

	if (i->assign_count == LZR_VDEV_MAX)
		abort();
	name_copy(i->assigns[i->assign_count++].name, name);
}

enum agree agree_boot(void *dtb, uint64_t size, const char **why)
{
	fake_said[0] = 0;
	*why = fake_said;
	if (!policy_read("p.dtb", dtb, size))
		return AGREE_UNREADABLE;
	return flow_check() ? AGREE_ACCEPTED : AGREE_REFUSED;
}
