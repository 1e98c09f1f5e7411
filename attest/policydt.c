/* SPDX-License-Identifier: Apache-2.0 */
#include "policydt.h"

#include <stdio.h>
#include <string.h>

bool pdt_refuse(struct fault *f, const char *where, const char *expected)
{
	char component[80];

	snprintf(component, sizeof(component), "policy, %s", where);
	return fault_set(f, FAULT_POLICY, component, expected, "something else");
}

bool pdt_cells(const void *fdt, int node, const char *name, uint32_t *out, int count)
{
	int length;
	const fdt32_t *p = fdt_getprop(fdt, node, name, &length);

	if (!p || length != 4 * count)
		return false;
	for (int i = 0; i < count; i++)
		out[i] = fdt32_ld(&p[i]);
	return true;
}

bool pdt_label(const void *fdt, int node, struct lzr_label *label)
{
	uint32_t cells[3];

	if (!pdt_cells(fdt, node, "label", cells, 3) || cells[0] > UINT8_MAX)
		return false;
	*label = (struct lzr_label){ .level = (uint8_t)cells[0], .categories = (uint64_t)cells[1] << 32 | cells[2] };
	return true;
}

bool pdt_has(const void *fdt, int node, const char *name)
{
	return fdt_getprop(fdt, node, name, NULL) != NULL;
}

bool pdt_copy_name(char out[LZR_NAME_MAX], const char *from, size_t length)
{
	memset(out, 0, LZR_NAME_MAX);
	if (!from || length == 0 || length >= LZR_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (from[i] <= 0x20 || from[i] > 0x7e || from[i] == '"' || from[i] == '\\')
			return false;
	memcpy(out, from, length);
	return true;
}

bool pdt_string(const void *fdt, int node, const char *name, char out[LZR_NAME_MAX])
{
	int length;
	const char *s = fdt_getprop(fdt, node, name, &length);

	return s && length > 0 && strnlen(s, (size_t)length) + 1 == (size_t)length &&
	       pdt_copy_name(out, s, (size_t)length - 1);
}

bool pdt_vms(const void *fdt, int node, const char *name, uint64_t *vms)
{
	int length = 0;
	const fdt32_t *p = fdt_getprop(fdt, node, name, &length);

	*vms = 0;
	for (int i = 0; p && i < length / 4; i++) {
		if (fdt32_ld(&p[i]) >= LZR_VM_MAX)
			return false;
		*vms |= 1ull << fdt32_ld(&p[i]);
	}
	return !p || (length && length % 4 == 0);
}
