/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture's policy, as the compiler would write it. */
#include "fixture.h"

#include <assert.h>
#include <stdio.h>

#include <libfdt.h>

static void fdt_label(void *fdt, uint8_t level)
{
	fdt32_t cells[3] = { cpu_to_fdt32(level), 0, 0 };

	assert(fdt_property(fdt, "label", cells, sizeof(cells)) == 0);
}

int fixture_reader = VM_COUNT;

static void fdt_vm(void *fdt, int vm, const uint8_t measurement[48])
{
	const fdt32_t everybody[VM_COUNT] = { cpu_to_fdt32(0), cpu_to_fdt32(1), cpu_to_fdt32(2), cpu_to_fdt32(3),
					      cpu_to_fdt32(4) };
	char node[32];

	snprintf(node, sizeof(node), "%s@%d", fixture_name[vm], vm);
	assert(fdt_begin_node(fdt, node) == 0);
	fdt_property_string(fdt, "image", fixture_name[vm]);
	if (vm == VM_VISITOR)
		fdt_property(fdt, "measure-only", NULL, 0);
	else
		fdt_property(fdt, "measurement", measurement, 48);
	fdt_label(fdt, fixture_level[vm]);
	if (vm >= VM_SWITCH)
		fdt_property(fdt, "service", NULL, 0);
	if (vm == VM_ATTESTOR)
		fdt_property(fdt, "attests", everybody, sizeof(everybody));
	if (vm == fixture_reader)
		fdt_property_u32(fdt, "introspects", VM_ATTESTOR);
	fdt_end_node(fdt);
}

static void fdt_link(void *fdt, int number, int a, int network)
{
	char node[32];

	snprintf(node, sizeof(node), "link@%d", number);
	fdt_begin_node(fdt, node);
	fdt_property_u32(fdt, "a", (uint32_t)a);
	fdt_property_string(fdt, "a-device", "net0");
	fdt_property_u32(fdt, "a-pair", 0);
	fdt_property_u32(fdt, "b", VM_SWITCH);
	fdt_property_string(fdt, "b-device", "ports");
	fdt_property_u32(fdt, "b-pair", (uint32_t)number);
	fdt_property_u32(fdt, "network", (uint32_t)network);
	fdt_label(fdt, (uint8_t)network);
	fdt_end_node(fdt);
}

static void fdt_device(void *fdt)
{
	fdt_begin_node(fdt, "devices");
	fdt_begin_node(fdt, "nvme@0");
	fdt_property_u32(fdt, "vm", VM_RED);
	fdt_end_node(fdt);
	fdt_end_node(fdt);
}

size_t fixture_write_policy(uint8_t *out, size_t size, const uint8_t (*manifest)[48])
{
	static const char levels[] = "UNTRUSTED\0RESTRICTED\0SECRET";

	assert(fdt_create(out, (int)size) == 0 && fdt_finish_reservemap(out) == 0 && fdt_begin_node(out, "") == 0);
	fdt_property_string(out, "compatible", LZR_POLICY_COMPATIBLE);
	fdt_property_u64(out, "version", 7);
	fdt_property(out, "levels", levels, sizeof(levels));
	fdt_begin_node(out, "vms");
	for (int vm = 0; vm < VM_COUNT; vm++)
		fdt_vm(out, vm, manifest[vm]);
	fdt_end_node(out);
	fdt_device(out);
	fdt_begin_node(out, "links");
	fdt_link(out, 0, VM_RED, 2);
	fdt_link(out, 1, VM_BLUE, 1);
	fdt_link(out, 2, VM_VISITOR, 0);
	fdt_link(out, 3, VM_ATTESTOR, 1);
	fdt_end_node(out);
	fdt_begin_node(out, "networks");
	for (uint8_t i = 0; i < 3; i++) {
		char node[16];

		snprintf(node, sizeof(node), "net@%u", i);
		fdt_begin_node(out, node);
		fdt_label(out, i);
		fdt_end_node(out);
	}
	fdt_end_node(out);
	fdt_end_node(out);
	assert(fdt_finish(out) == 0);
	return fdt_totalsize(out);
}
