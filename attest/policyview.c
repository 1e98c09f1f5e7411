/* SPDX-License-Identifier: Apache-2.0 */
#include "policyview.h"
#include "policydt.h"

#include <stdio.h>
#include <string.h>

static bool get_names(const void *fdt, int node, const char *property, char (*out)[LZR_NAME_MAX], size_t *count)
{
	int n = fdt_stringlist_count(fdt, node, property);

	*count = 0;
	if (n == -FDT_ERR_NOTFOUND)
		return true;
	if (n < 0 || n > (int)POLICYVIEW_NAMES_MAX)
		return false;
	for (int i = 0; i < n; i++) {
		int length = 0;
		const char *s = fdt_stringlist_get(fdt, node, property, i, &length);

		if (!pdt_copy_name(out[i], s, s ? (size_t)length : 0))
			return false;
	}
	*count = (size_t)n;
	return true;
}

static bool read_vm(const void *fdt, int node, struct policyview_vm *vm)
{
	int length;
	const char *name = fdt_get_name(fdt, node, NULL);
	const void *measurement = fdt_getprop(fdt, node, "measurement", &length);

	if (!name || !pdt_copy_name(vm->name, name, strcspn(name, "@")) ||
	    !pdt_string(fdt, node, "image", vm->image) || !pdt_label(fdt, node, &vm->label) ||
	    !pdt_vms(fdt, node, "introspects", &vm->introspects))
		return false;
	vm->attests = pdt_has(fdt, node, "attests");
	vm->service = pdt_has(fdt, node, "service");
	vm->port = POLICYVIEW_NONE;
	vm->has_measurement = measurement != NULL;
	if (!measurement)
		return pdt_has(fdt, node, "measure-only");
	if (length != (int)SHA384_SIZE)
		return false;
	memcpy(vm->measurement, measurement, SHA384_SIZE);
	return true;
}

static bool read_vms(const void *fdt, struct policyview *v, struct fault *f)
{
	int vms = fdt_path_offset(fdt, "/vms"), node;

	if (vms < 0)
		return pdt_refuse(f, "/vms", "a node");
	fdt_for_each_subnode(node, fdt, vms) {
		struct policyview_vm *vm = &v->vm[v->vm_count];
		const char *name = fdt_get_name(fdt, node, NULL);

		if (v->vm_count == LZR_VM_MAX || !read_vm(fdt, node, vm))
			return pdt_refuse(f, name ? name : "/vms",
					  "a VM with image, label, and measurement or measure-only");
		for (size_t i = 0; i < v->vm_count; i++)
			if (strcmp(v->vm[i].name, vm->name) == 0)
				return pdt_refuse(f, vm->name, "each VM once");
		if (vm->attests && v->attestor != POLICYVIEW_NONE)
			return pdt_refuse(f, vm->name, "one VM that attests");
		if (vm->attests)
			v->attestor = (uint32_t)v->vm_count;
		v->vm_count++;
	}
	return v->vm_count > 0 || pdt_refuse(f, "/vms", "a VM");
}

static bool read_devices(const void *fdt, struct policyview *v, struct fault *f)
{
	int devices = fdt_path_offset(fdt, "/devices"), node;
	uint32_t vm;

	if (devices < 0)
		return true;
	fdt_for_each_subnode(node, fdt, devices) {
		if (!pdt_cells(fdt, node, "vm", &vm, 1) || vm >= v->vm_count)
			return pdt_refuse(f, "/devices", "a device with the number of its VM");
		if (pdt_has(fdt, node, "bypasses-firewall"))
			v->vm[vm].bypasses_firewall = true;
		v->vm[vm].has_device = true;
	}
	return true;
}

static bool network_label(const void *fdt, uint32_t number, struct lzr_label *label)
{
	int networks = fdt_path_offset(fdt, "/networks"), node;

	if (networks < 0)
		return false;
	fdt_for_each_subnode(node, fdt, networks)
		if (number-- == 0)
			return pdt_label(fdt, node, label);
	return false;
}

/* The switch is the service VM that the networks' links end in. */
static bool read_links(const void *fdt, struct policyview *v, struct fault *f)
{
	int links = fdt_path_offset(fdt, "/links"), node;
	uint32_t a, b, network;

	if (links < 0)
		return true;
	fdt_for_each_subnode(node, fdt, links) {
		if (!pdt_cells(fdt, node, "a", &a, 1) || !pdt_cells(fdt, node, "b", &b, 1) || a >= v->vm_count ||
		    b >= v->vm_count)
			return pdt_refuse(f, "/links", "two VM numbers");
		if (!pdt_cells(fdt, node, "network", &network, 1))
			continue;
		if (!v->vm[b].service || (v->firewall != POLICYVIEW_NONE && v->firewall != b))
			return pdt_refuse(f, "/links", "networks that end in one service VM");
		if (v->vm[a].port != POLICYVIEW_NONE)
			return pdt_refuse(f, v->vm[a].name, "one port for a VM");
		v->firewall = b;
		v->vm[a].port = v->ports++;
		if (a == v->attestor && !network_label(fdt, network, &v->release))
			return pdt_refuse(f, "/links", "the number of a network");
	}
	return true;
}

bool policyview_read(struct bytes policy, struct policyview *v, struct fault *f)
{
	const void *fdt = policy.data, *next;
	uint32_t version[2];
	int length;
	char compatible[LZR_NAME_MAX];

	memset(v, 0, sizeof(*v));
	v->attestor = v->firewall = POLICYVIEW_NONE;
	if (policy.length > LZR_POLICY_MAX || (uintptr_t)fdt % 8 != 0 || fdt_whole(fdt, policy.length) != 0)
		return pdt_refuse(f, "bytes", "one whole flattened device tree");
	if (!pdt_string(fdt, 0, "compatible", compatible) || strcmp(compatible, LZR_POLICY_COMPATIBLE) != 0)
		return pdt_refuse(f, "compatible", LZR_POLICY_COMPATIBLE);
	if (!pdt_cells(fdt, 0, "version", version, 2))
		return pdt_refuse(f, "version", "two cells");
	v->version = (uint64_t)version[0] << 32 | version[1];
	v->allow_without_iommu = pdt_has(fdt, 0, "allow-without-iommu");
	next = fdt_getprop(fdt, 0, "next-signer", &length);
	if (next && length != (int)SHA384_SIZE)
		return pdt_refuse(f, "next-signer", "48 bytes");
	if (next)
		memcpy(v->next_signer, next, SHA384_SIZE);
	if (!get_names(fdt, 0, "levels", v->level, &v->level_count) ||
	    !get_names(fdt, 0, "categories", v->category, &v->category_count))
		return pdt_refuse(f, "levels or categories", "a list of names");
	return read_vms(fdt, v, f) && read_devices(fdt, v, f) && read_links(fdt, v, f);
}

void policyview_label(const struct policyview *v, const struct lzr_label *label, char *out, size_t size)
{
	int n = label->level < v->level_count ? snprintf(out, size, "%s", v->level[label->level])
					      : snprintf(out, size, "level %u", label->level);

	for (unsigned int i = 0; i < 64; i++) {
		if (!(label->categories >> i & 1) || n < 0 || (size_t)n >= size)
			continue;
		if (i < v->category_count)
			n += snprintf(out + n, size - (size_t)n, "+%s", v->category[i]);
		else
			n += snprintf(out + n, size - (size_t)n, "+%u", i);
	}
}
