/* SPDX-License-Identifier: Apache-2.0 */
/* The flow digest from a policy's own bytes: see lazaret/flow.h. */
#include "policyview.h"
#include "policydt.h"

#include <stdlib.h>
#include <string.h>

#include <lazaret/flow.h>

struct flows {
	size_t vm_count, link_count;
	struct lzr_flow_vm vm[LZR_VM_MAX];
	struct lzr_flow_link link[LZR_LINK_MAX];
};

static struct lzr_label label_of(const uint32_t cells[3])
{
	return (struct lzr_label){ .level = (uint8_t)cells[0], .categories = (uint64_t)cells[1] << 32 | cells[2] };
}

static bool read_range(const void *fdt, int node, struct lzr_flow_vm *vm)
{
	uint32_t range[6];

	vm->low = vm->high = vm->label;
	if (!pdt_has(fdt, node, "trusted-range"))
		return true;
	if (!pdt_cells(fdt, node, "trusted-range", range, 6) || range[0] > UINT8_MAX || range[3] > UINT8_MAX)
		return false;
	vm->low = label_of(range);
	vm->high = label_of(range + 3);
	return true;
}

static bool read_vm(const void *fdt, int node, struct lzr_flow_vm *vm)
{
	static const char *const rights[LZR_FLOW_RIGHTS] = {
		[LZR_FLOW_INTROSPECTS] = "introspects",
		[LZR_FLOW_CONTROLS] = "controls",
		[LZR_FLOW_READS_AUDIT] = "reads-audit",
		[LZR_FLOW_ATTESTS] = "attests",
	};
	const char *name = fdt_get_name(fdt, node, NULL);

	if (!name || !pdt_copy_name(vm->name, name, strcspn(name, "@")) || !pdt_label(fdt, node, &vm->label) ||
	    !read_range(fdt, node, vm))
		return false;
	for (unsigned int i = 0; i < LZR_FLOW_RIGHTS; i++)
		if (!pdt_vms(fdt, node, rights[i], &vm->rights[i]))
			return false;
	vm->flags = (pdt_has(fdt, node, "service") ? LZR_FLOW_SERVICE : 0) |
		    (pdt_has(fdt, node, "measure-only") ? LZR_FLOW_MEASURE_ONLY : 0);
	return true;
}

static bool read_link(const void *fdt, int node, struct lzr_flow_link *link)
{
	link->network = LZR_FLOW_CHANNEL;
	return pdt_cells(fdt, node, "a", &link->end[0].vm, 1) && pdt_cells(fdt, node, "b", &link->end[1].vm, 1) &&
	       pdt_cells(fdt, node, "a-pair", &link->end[0].pair, 1) &&
	       pdt_cells(fdt, node, "b-pair", &link->end[1].pair, 1) &&
	       pdt_string(fdt, node, "a-device", link->end[0].device) &&
	       pdt_string(fdt, node, "b-device", link->end[1].device) && pdt_label(fdt, node, &link->label) &&
	       (!pdt_has(fdt, node, "network") || pdt_cells(fdt, node, "network", &link->network, 1));
}

/* A device beside the firewall is a flag of its VM's. */
static bool read_devices(const void *fdt, struct flows *flows)
{
	int devices = fdt_path_offset(fdt, "/devices"), node;
	uint32_t vm;

	if (devices < 0)
		return true;
	fdt_for_each_subnode(node, fdt, devices) {
		if (!pdt_cells(fdt, node, "vm", &vm, 1) || vm >= flows->vm_count)
			return false;
		if (pdt_has(fdt, node, "bypasses-firewall"))
			flows->vm[vm].flags |= LZR_FLOW_BYPASS;
	}
	return true;
}

static bool read_all(const void *fdt, struct flows *flows, struct fault *f)
{
	int vms = fdt_path_offset(fdt, "/vms"), links = fdt_path_offset(fdt, "/links"), node;

	if (vms < 0)
		return pdt_refuse(f, "/vms", "a node");
	fdt_for_each_subnode(node, fdt, vms)
		if (flows->vm_count == LZR_VM_MAX || !read_vm(fdt, node, &flows->vm[flows->vm_count++]))
			return pdt_refuse(f, "/vms", "VMs with label, range and rights");
	if (links >= 0)
		fdt_for_each_subnode(node, fdt, links)
			if (flows->link_count == LZR_LINK_MAX ||
			    !read_link(fdt, node, &flows->link[flows->link_count++]))
				return pdt_refuse(f, "/links", "links with two ends and a label");
	return read_devices(fdt, flows) || pdt_refuse(f, "/devices", "a device with the number of its VM");
}

bool policyview_flow(struct bytes policy, uint8_t digest[SHA384_SIZE], struct fault *f)
{
	struct flows *flows;
	bool ok;

	if (policy.length > LZR_POLICY_MAX || (uintptr_t)policy.data % 8 != 0 ||
	    fdt_whole(policy.data, policy.length) != 0)
		return pdt_refuse(f, "bytes", "one whole flattened device tree");
	flows = calloc(1, sizeof(*flows));
	if (!flows)
		return fault_set(f, FAULT_INPUT, "policy", "memory", "none");
	ok = read_all(policy.data, flows, f);
	if (ok)
		sha384_parts(digest,
			     (struct bytes[]){ { (const uint8_t *)flows->vm, flows->vm_count * sizeof(flows->vm[0]) },
					       { (const uint8_t *)flows->link,
						 flows->link_count * sizeof(flows->link[0]) } },
			     2);
	free(flows);
	return ok;
}
