/* SPDX-License-Identifier: Apache-2.0 */
/* A small policy and the images that it needs, for tests of the hypervisor's reader. */
#ifndef POLICY_RIG_H
#define POLICY_RIG_H

#include "images.h"

extern struct image_config policy_rig_image[3];         /* linux, switch, and room */

void policy_rig_images(void);           /* an empty machine with the first two images */
void policy_rig_build(void);            /* and a good policy for it in `tree`, not packed */
void policy_rig_vm(const char *path, const char *image, unsigned memory, unsigned vcpus, unsigned level);
/* What an accepted policy promises to the code behind it. */
bool policy_rig_holds(void);

#endif
