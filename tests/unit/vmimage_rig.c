/* SPDX-License-Identifier: Apache-2.0 */
#include "vmimage_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct blob rig_no_initrd;

void rig_refused(bool good, const char *text)
{
	assert_false(good);
	if (!strstr(refuse_text(), text))
		fail_msg("expected \"%s\" in \"%s\"", text, refuse_text());
}

struct image *rig_image(const char *name)
{
	struct image *image = calloc(1, sizeof(*image));

	assert_non_null(image);
	strcpy(image->name, name);
	image->memory = RIG_MEMORY;
	image->vcpus = 1;
	return image;
}

void rig_image_end(struct image *image)
{
	image_free(image);
	free(image);
}

const struct segment *rig_segment(const struct image *image, uint64_t gpa)
{
	for (unsigned i = 0; i < image->segment_count; i++)
		if (image->segments[i].gpa == gpa)
			return &image->segments[i];
	fail_msg("no segment at 0x%llx", (unsigned long long)gpa);
	return NULL;
}

void rig_add_vdev(struct image *image, const char *text)
{
	assert_true(options_vdev(text, &image->vdevs[image->vdev_count++]));
}
