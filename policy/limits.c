/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this version of the hypervisor and of the switch has room for, and what of the language they cannot do: a
 * policy that asks for it is refused here, since it would be accepted and not enforced otherwise.
 */
#include <stdlib.h>

#include "../netfilter/swconf.h"
#include "switchrules.h"

static void limit(struct report *report, struct place where, unsigned found, unsigned most, const char *what)
{
	if (found > most)
		complain(report, where, "%s: expected at most %u, which the hypervisor has room for, found %u",
			 what, most, found);
}

static struct place list_place(const struct policy *policy, const char *list)
{
	struct node *node = node_child(policy->root, list);

	return node ? node->where : policy->root->where;
}

static void check_counts(const struct policy *policy, struct report *report)
{
	unsigned uplinks = 0;

	for (unsigned i = 0; i < policy->network_count; i++)
		uplinks += policy->networks[i].uplink != NONE;
	limit(report, list_place(policy, "machine"), policy->machine_cpus, LZR_CPU_MAX, "machine: CPUs");
	limit(report, list_place(policy, "vms"), policy->vm_count, LZR_VM_MAX, "VMs");
	limit(report, list_place(policy, "devices"), policy->device_count, LZR_DEVICE_MAX, "devices");
	limit(report, list_place(policy, "networks"), policy->network_count,
	      LZR_NETWORK_MAX < LZR_SWITCH_NETWORK_MAX ? LZR_NETWORK_MAX : LZR_SWITCH_NETWORK_MAX, "networks");
	limit(report, list_place(policy, "networks"), uplinks, LZR_SWITCH_UPLINK_MAX, "networks with an uplink");
	limit(report, list_place(policy, "networks"), policy->port_count, LZR_SWITCH_PORT_MAX, "ports");
	limit(report, list_place(policy, "switch"), policy->endpoint_count, LZR_SWITCH_ENDPOINT_MAX, "endpoints");
	limit(report, list_place(policy, "channels"), policy->link_count, LZR_LINK_MAX, "links (ports and channels)");
}

/* Each start of a service VM takes a secret that was drawn before the first guest ran. */
static void check_starts(const struct policy *policy, struct report *report)
{
	uint64_t starts = 0;

	for (unsigned i = 0; i < policy->vm_count; i++) {
		const struct policy_vm *vm = &policy->vms[i];
		starts += vm->service ? vm->max_restarts + 1ull : 0;
		if (starts <= LZR_SERVICE_STARTS_MAX || !vm->service)
			continue;
		complain(report, where_of(vm->node, "max-restarts"),
			 "VM \"%s\": starts of service VMs: expected at most %u together (each max-restarts and one), "
			 "found %llu with this one",
			 vm->name, LZR_SERVICE_STARTS_MAX, (unsigned long long)starts);
		return;
	}
}

/* A function's interrupts go round the CPUs of its VM; how many it has, only the machine tells. */
static void check_vectors(const struct policy *policy, struct report *report)
{
	unsigned *vectors = memory_get(policy->machine_cpus * sizeof(*vectors));

	for (unsigned i = 0; i < policy->device_count; i++) {
		const struct policy_device *device = &policy->devices[i];
		const struct policy_vm *vm = device->mmio || device->vm == NONE ? NULL : &policy->vms[device->vm];
		for (unsigned j = 0; vm && vm->cpu_count && j < LZR_DEVICE_VECTORS; j++) {
			unsigned cpu = vm->cpus[j % vm->cpu_count];
			if (cpu < policy->machine_cpus && ++vectors[cpu] == LZR_CPU_VECTORS + 1)
				complain(report, where_of(device->node, "vm"),
					 "device \"%s\": expected at most %u interrupts of devices on CPU %u, found "
					 "more with its %u",
					 device->name, LZR_CPU_VECTORS, cpu, LZR_DEVICE_VECTORS);
		}
	}
	free(vectors);
}

/* What the boot volume lists: key, policy, signature, each manifest and each file that a manifest names. */
static void check_boot_list(const struct policy *policy, struct report *report)
{
	struct table files = { 0 };
	unsigned count = 3;

	for (unsigned i = 0; i < policy->facts_count; i++) {
		const struct facts *facts = policy->facts[i];
		count += facts != NULL;
		for (unsigned j = 0; facts && j < facts->file_count; j++)
			count += table_add_text(&files, facts->files[j], i) == NONE;
	}
	limit(report, list_place(policy, "vms"), count, LZR_BOOT_LIST_MAX,
	      "files to boot (manifests, segments, policy)");
	table_free(&files);
}

static void check_devices(const struct policy *policy, struct report *report)
{
	for (unsigned i = 0; i < policy->device_count; i++)
		limit(report, where_of(policy->devices[i].node, "location"), policy->devices[i].hop_count,
		      LZR_LOCATION_MAX, "location: steps");
}

/* Who inspects is not inspected: else two VMs that nobody has admitted would be each other's. */
static void check_inspection(const struct policy *policy, const struct policy_port *port, struct report *report)
{
	unsigned by = port->quarantine.inspection;

	if (!port->infrastructure && by != NONE && policy->ports[by].quarantine.inspection != NONE)
		complain(report, port->quarantine.inspection_where,
			 "inspection: expected a port that is not inspected itself, found \"%s\"",
			 policy->ports[by].name);
}

static void check_switch(const struct policy *policy, struct report *report)
{
	struct place networks = list_place(policy, "networks");
	struct switch_rules rules;

	if (!policy->fabric.node)
		return;
	for (unsigned i = 0; i < policy->port_count; i++)
		check_inspection(policy, &policy->ports[i], report);
	limit(report, policy->fabric.node->where, policy->key_count, LZR_SWITCH_VERIFIER_MAX, "verifier keys");
	switch_rules_make(&rules, policy);
	limit(report, networks, rules.rule_count, LZR_SWITCH_RULE_MAX, "rules");
	limit(report, networks, rules.set_count, LZR_SWITCH_SET_MAX, "different lists of ends in rules");
	limit(report, networks, rules.member_count, LZR_SWITCH_MEMBER_MAX, "ends in the rules' different lists");
	limit(report, networks, rules.service_count, LZR_SWITCH_SERVICE_MAX, "different lists of services in rules");
	limit(report, networks, rules.match_count, LZR_SWITCH_MATCH_MAX, "ranges in the rules' different services");
	switch_rules_free(&rules);
}

/*
 * The last net behind all checks: what the switch's own loader says of the configuration that would be written.  The
 * checks before it know places in the source; whatever it alone finds is a fault of theirs.
 */
static void check_loader(const struct policy *policy, struct report *report)
{
	size_t size = 0;
	uint32_t entry = 0;

	if (!policy->fabric.node || report->errors)
		return;
	struct swconf *config = memory_get(sizeof(*config));
	void *block = emit_switch(policy, &size);
	const char *wrong = block ? swconf_load(config, block, size, &entry) : "it has no room for it";
	if (wrong)
		complain(report, policy->fabric.node->where,
			 "the switch would refuse its configuration at boot: %s (entry %u)", wrong, entry);
	free(block);
	free(config);
}

void check_limits(const struct policy *policy, struct report *report)
{
	check_counts(policy, report);
	check_starts(policy, report);
	check_vectors(policy, report);
	check_boot_list(policy, report);
	check_devices(policy, report);
	check_switch(policy, report);
	check_loader(policy, report);
}
