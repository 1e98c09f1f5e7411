/* SPDX-License-Identifier: Apache-2.0 */
/* Images in the making, for the tests of vmimage. */
#ifndef VMIMAGE_RIG_H
#define VMIMAGE_RIG_H

#include "vmimage.h"

#define RIG_MEMORY (64u << 20)

extern const struct blob rig_no_initrd;

/* An empty image with one vCPU and RIG_MEMORY; released with rig_image_end. */
struct image *rig_image(const char *name);
void rig_image_end(struct image *image);
void rig_add_vdev(struct image *image, const char *text);
const struct segment *rig_segment(const struct image *image, uint64_t gpa);
/* `good` must be false, and the reason that was given hold `text`. */
void rig_refused(bool good, const char *text);

#endif
