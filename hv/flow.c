/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last look at the policy before it holds: every way by which the machine can carry something from one part to
 * another is taken from `machine`, which is what links, devices and hypercalls obey afterwards, and is allowed only if
 * the receiver's label dominates the sender's (lazaret/label.h).  The labels and trusted ranges are the compiler's
 * claim; that the policy's compiler found them right is not believed.
 *
 * What is trusted over a range sends its lowest label and receives up to its highest: it keeps apart what lies between,
 * and must therefore be a known image.  Devices that reach each other past the IOMMU need no look here: assign_group.c
 * gives a device away only if it is alone in its group.
 */
#include "images.h"

struct node {
	const char *kind, *name;
	const struct lzr_label *low, *high;
};

static struct node fixed(const char *kind, const char *name, const struct lzr_label *label)
{
	return (struct node){ kind, name, label, label };
}

static struct node vm_node(uint32_t number)
{
	const struct vm_config *vm = &machine.vms[number];

	return (struct node){ "VM", vm->name, &vm->range_low, &vm->range_high };
}

static struct node network_node(uint32_t number)
{
	return fixed("network", machine.networks[number].name, &machine.networks[number].label);
}

static struct node device_node(uint32_t number)
{
	return fixed("device", machine.devices[number].name, &machine.devices[number].label);
}

static bool edge(const char *why, const struct node *from, const struct node *to)
{
	if (lzr_label_dominates(to->high, from->low))
		return true;
	say("refused: policy: %s: would flow down from %s %s (level %u, categories %lx) to %s %s (level %u, categories "
	    "%lx)", why, from->kind, from->name, from->low->level, from->low->categories, to->kind, to->name,
	    to->high->level, to->high->categories);
	return false;
}

static bool both(const char *why, const struct node *a, const struct node *b)
{
	return edge(why, a, b) && edge(why, b, a);
}

/* At the link's own label; a single-level VM must be of just that one. */
static bool check_link(const struct link_config *link)
{
	const char *why = link->network == LINK_CHANNEL ? "channel" : "port";

	for (unsigned side = 0; side < 2; side++) {
		struct node end = vm_node(link->end[side].vm), peer = vm_node(link->end[side ^ 1].vm);
		struct node middle = fixed("link with", peer.name, &link->label);

		if (!both(why, &end, &middle))
			return false;
		if (link->network == LINK_CHANNEL)
			continue;
		struct node wire = network_node(link->network);

		if (!both(why, &middle, &wire))
			return false;
	}
	return true;
}

static bool check_right(enum vm_right right, uint32_t holder, uint32_t object)
{
	struct node to = vm_node(holder), from = vm_node(object);

	static const char *const names[] = { [RIGHT_INTROSPECTS] = "introspects", [RIGHT_CONTROLS] = "controls",
		[RIGHT_READS_AUDIT] = "reads-audit", [RIGHT_ATTESTS] = "attests" };

	/*
	 * None of this asks the object, however trusted: it is stopped, and all its peers see that; its memory, and
	 * what the hypervisor noted of it, is not only what it chooses to send.
	 */
	if (right == RIGHT_CONTROLS) {
		from.high = from.low;
		return both(names[right], &to, &from);
	}
	from.low = from.high;
	return edge(names[right], &from, &to);
}

static bool check_vm(uint32_t number)
{
	const struct vm_config *vm = &machine.vms[number];

	if (vm->flags & VM_MEASURE_ONLY && !lzr_label_equal(&vm->range_low, &vm->range_high)) {
		say("refused: policy: VM %s: trusted over a range of labels: expected a pinned measurement, found "
		    "measure-only", vm->name);
		return false;
	}
	for (unsigned right = 0; right < RIGHT_COUNT; right++)
		for (uint32_t object = 0; object < machine.vm_count; object++)
			if (vm->rights[right] >> object & 1 && object != number &&
			    !check_right((enum vm_right)right, number, object))
				return false;
	return true;
}

bool flow_check(void)
{
	bool good = true;

	for (uint32_t i = 0; good && i < machine.vm_count; i++)
		good = check_vm(i);
	for (uint32_t i = 0; good && i < machine.device_count; i++) {
		struct node device = device_node(i), vm = vm_node(machine.devices[i].vm);

		good = both("assigned device", &device, &vm);
	}
	for (uint32_t i = 0; good && i < machine.network_count; i++) {
		struct node network = network_node(i);

		if (machine.networks[i].uplink == NETWORK_ISOLATED)
			continue;
		struct node device = device_node(machine.networks[i].uplink);

		good = both("uplink", &device, &network);
	}
	for (uint32_t i = 0; good && i < machine.link_count; i++)
		good = check_link(&machine.links[i]);
	return good;
}
