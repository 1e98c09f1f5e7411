/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What needs a hash, computed before the seal: the flow digest, the digests of what the VMs' devices can reach, and a
 * seed for every start of a service VM that the policy allows.
 */
#include <string.h>

#include <lazaret/flow.h>

#include "derive.h"
#include "images.h"
#include "vm.h"

#define DESCRIPTION_MAX (256u << 10)

_Static_assert(VM_SERVICE == LZR_FLOW_SERVICE && VM_MEASURE_ONLY == LZR_FLOW_MEASURE_ONLY &&
	VM_FIREWALL_BYPASS == LZR_FLOW_BYPASS && LINK_CHANNEL == LZR_FLOW_CHANNEL, "flow record's numbers");
_Static_assert((int)RIGHT_INTROSPECTS == (int)LZR_FLOW_INTROSPECTS && (int)RIGHT_CONTROLS == (int)LZR_FLOW_CONTROLS &&
	(int)RIGHT_READS_AUDIT == (int)LZR_FLOW_READS_AUDIT && (int)RIGHT_ATTESTS == (int)LZR_FLOW_ATTESTS &&
	(int)RIGHT_COUNT == (int)LZR_FLOW_RIGHTS, "flow record's order of rights");

static void flow_digest(void)
{
	static struct { struct lzr_flow_vm vms[LZR_VM_MAX]; } v;
	static struct { struct lzr_flow_link links[LZR_LINK_MAX]; } l;
	static uint8_t bytes[sizeof(v) + sizeof(l)];
	uint64_t vm_bytes = machine.vm_count * sizeof(v.vms[0]), link_bytes = machine.link_count * sizeof(l.links[0]);

	for (uint32_t i = 0; i < machine.vm_count; i++) {
		const struct vm_config *vm = &machine.vms[i];

		v.vms[i] = (struct lzr_flow_vm){
			.label = vm->label, .low = vm->range_low, .high = vm->range_high, .flags = vm->flags,
		};
		memcpy(v.vms[i].name, vm->name, LZR_NAME_MAX);
		memcpy(v.vms[i].rights, vm->rights, sizeof(vm->rights));
	}
	for (uint32_t i = 0; i < machine.link_count; i++) {
		const struct link_config *link = &machine.links[i];

		l.links[i] = (struct lzr_flow_link){ .network = link->network, .label = link->label };
		for (unsigned side = 0; side < 2; side++) {
			const struct link_end_config *end = &link->end[side];

			l.links[i].end[side].vm = end->vm;
			l.links[i].end[side].pair = end->pair;
			memcpy(l.links[i].end[side].device, machine.vms[end->vm].image->vdevs[end->vdev].name,
			       LZR_NAME_MAX);
		}
	}
	memcpy(bytes, &v, vm_bytes);
	memcpy(bytes + vm_bytes, &l, link_bytes);
	crypto_sha384(bytes, vm_bytes + link_bytes, machine.flow_digest);
}

static bool has_device(uint32_t vm)
{
	for (uint32_t i = 0; i < machine.device_count; i++)
		if (machine.devices[i].vm == vm)
			return true;
	return false;
}

static void dma_digests(void)
{
	static uint8_t description[DESCRIPTION_MAX];

	for (uint32_t i = 0; i < machine.vm_count; i++) {
		uint8_t digest[LZR_DIGEST_SIZE];

		if (!has_device(i))
			continue;
		uint32_t length = devices_describe(&vms[i], description, sizeof(description));

		CHECK(length <= sizeof(description));
		crypto_sha384(description, length, digest);
		records_dma(i, digest);
	}
}

static bool make_seeds(const struct lzr_boot_info *info)
{
	struct { uint8_t entropy[64]; uint64_t tsc; uint32_t number; char purpose[12]; } input = { .purpose = "seed" };
	uint8_t digest[LZR_DIGEST_SIZE];
	uint64_t count = 0;

	for (uint32_t i = 0; i < machine.vm_count; i++)
		if (machine.vms[i].flags & VM_SERVICE)
			count += machine.vms[i].max_restarts + 1ul;
	if (count && info->entropy_length < 32) {
		if (info->flags & LZR_BOOT_MEASURED) {
			say("refused: hand-off: %u bytes of entropy, expected 32 or more: service VMs need seeds",
			    info->entropy_length);
			return false;
		}
		say("lab: no entropy: the seeds of service VMs can be guessed");
	}
	memcpy(input.entropy, info->entropy, info->entropy_length);
	input.tsc = info->loader_tsc;
	for (; count; count--) {
		input.number++;
		crypto_sha384(&input, sizeof(input), digest);
		records_add_seed(digest);
	}
	wipe(&input, sizeof(input));
	wipe(digest, sizeof(digest));
	return true;
}

bool derive_all(struct lzr_boot_info *info)
{
	flow_digest();
	dma_digests();
	bool made = make_seeds(info);

	wipe(info->entropy, sizeof(info->entropy));
	return made;
}
