/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <mbedtls/sha512.h>

#include "derive.h"
#include "images.h"
#include "plat_fake.h"
#include "policy_agree_hv.h"
#include "policyview.h"
#include "vm.h"

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

/* --- what hv/derive.c needs besides ------------------------------------------------------------------------------- */

struct vm vms[LZR_VM_MAX];

void records_add_seed(const uint8_t seed[32])
{
	(void)seed;
}

void records_dma(unsigned vm, const uint8_t digest[LZR_DIGEST_SIZE])
{
	(void)vm;
	(void)digest;
}

uint32_t devices_describe(const struct vm *vm, uint8_t *out, uint32_t capacity)
{
	(void)vm;
	(void)capacity;
	out[0] = 1;
	return 1;
}

void crypto_sha384(const void *data, uint64_t length, uint8_t out[LZR_DIGEST_SIZE])
{
	uint8_t digest[64];

	mbedtls_sha512_ret(data, length, digest, 1);
	memcpy(out, digest, LZR_DIGEST_SIZE);
}

bool agree_flow(const void *dtb, uint64_t size, uint8_t hypervisor[48], uint8_t verifier[48])
{
	struct lzr_boot_info info = { .flags = LZR_BOOT_LAB };
	struct fault f = { 0 };

	if (!derive_all(&info) || !policyview_flow((struct bytes){ dtb, size }, verifier, &f))
		return false;
	memcpy(hypervisor, machine.flow_digest, LZR_DIGEST_SIZE);
	return true;
}
