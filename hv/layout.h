/* SPDX-License-Identifier: Apache-2.0 */
/* Root mode's address space and segments, for C and assembly. */
#ifndef HV_LAYOUT_H
#define HV_LAYOUT_H

/*
 * 0xffff8000_00000000  direct map: physical address + DIRECT_BASE.  RAM write-back, mapped device registers uncached
 * 0xffffff00_00000000  CPU stacks, each below an unmapped guard page
 * 0xffffffff_80000000  the image (LZR_HV_BASE)
 */
#define DIRECT_SLOT 256
#define DIRECT_BASE 0xffff800000000000
#define DIRECT_LIMIT 0x400000000000     /* 64 TiB */
#define STACK_BASE 0xffffff0000000000
#define STACK_STRIDE 0x10000            /* address space of one stack; its lowest pages are the guard */
#define STACK_SIZE 0x4000

/* Root mode's stacks and image; hv.lds sees that the image is no longer. */
#define HOST_FIRST STACK_BASE
#define HOST_LENGTH 0xff81000000

#define DR7_OFF 0x400                   /* no breakpoint */

#define BOOT_STACK_SIZE 0x10000
#define BOOT_IMAGE_BASE 120             /* offset of image_base in struct lzr_boot_info */

/* Selectors of the per-CPU descriptor table. */
#define HOST_CS 0x08
#define HOST_DS 0x10
#define HOST_TSS 0x18

#endif
