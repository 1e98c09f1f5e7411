/* SPDX-License-Identifier: Apache-2.0 */
/* The first look at a flattened device tree from anywhere: whether libfdt can be let loose on it. */
#ifndef LIB_FDT_WHOLE_H
#define LIB_FDT_WHOLE_H

#include <libfdt.h>

/* 0, or libfdt's number of what is wrong with a tree that takes all of the `size` bytes. */
static inline int fdt_whole(const void *fdt, size_t size)
{
	int wrong = size < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_header(fdt), next = 0;
	uint32_t tag = FDT_NOP;

	/* In trees of older versions libfdt takes the root node's name without asking whether there is one. */
	if (!wrong && fdt_version(fdt) != FDT_LAST_SUPPORTED_VERSION)
		wrong = -FDT_ERR_BADVERSION;
	if (!wrong && fdt_totalsize(fdt) != size)
		wrong = -FDT_ERR_TRUNCATED;
	if (!wrong && fdt_off_dt_struct(fdt) % sizeof(uint32_t))
		wrong = -FDT_ERR_ALIGNMENT;
	/* A property so long that libfdt's sum wraps takes libfdt backwards: it reads outside, or never ends. */
	while (!wrong && tag != FDT_END) {
		const fdt32_t *head = fdt_offset_ptr(fdt, next, 2 * sizeof(*head));     /* as much as libfdt takes */

		if (head && fdt32_to_cpu(head[0]) == FDT_PROP && fdt32_to_cpu(head[1]) > size)
			wrong = -FDT_ERR_BADSTRUCTURE;
		else
			tag = fdt_next_tag(fdt, next, &next);
	}
	return wrong ? wrong : fdt_check_full(fdt, size);
}

#endif
