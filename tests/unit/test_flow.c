/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may flow where: each kind of edge allowed and refused, and a clean machine into which one hidden edge at a time
 * is put, which must be named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "plat_fake.h"

struct machine_config machine;

enum { RED, ARCHIVE, BLUE, VISITOR, SWITCH, ATTESTOR, GUARD, VM_COUNT };
enum { NIC, DISK, TPM, DEVICE_COUNT };
enum { SECRET, RESTRICTED, GUEST, NETWORK_COUNT };

static const struct lzr_label low = { 0, { 0 }, 0 }, restricted = { 1, { 0 }, 2 }, secret = { 2, { 0 }, 1 },
			      high = { 2, { 0 }, 3 }, middle = { 1, { 0 }, 0 };

static void add_vm(unsigned number, const char *name, struct lzr_label from, struct lzr_label to)
{
	struct vm_config *vm = &machine.vms[number];

	strcpy(vm->name, name);
	vm->label = vm->range_high = to;
	vm->range_low = from;
}

static void add_device(unsigned number, const char *name, unsigned vm, struct lzr_label label)
{
	strcpy(machine.devices[number].name, name);
	machine.devices[number].vm = (uint8_t)vm;
	machine.devices[number].label = label;
}

static void add_network(unsigned number, const char *name, uint32_t uplink, struct lzr_label label)
{
	strcpy(machine.networks[number].name, name);
	machine.networks[number].uplink = uplink;
	machine.networks[number].label = label;
}

static void add_link(unsigned a, unsigned b, uint32_t network, struct lzr_label label)
{
	machine.links[machine.link_count++] = (struct link_config){
		.end = { { .vm = (uint8_t)a }, { .vm = (uint8_t)b } }, .network = network, .label = label,
	};
}

static int set_up(void **state)
{
	fake_reset(state);
	memset(&machine, 0, sizeof(machine));
	machine.vm_count = VM_COUNT;
	add_vm(RED, "red", secret, secret);
	add_vm(ARCHIVE, "archive", secret, secret);
	add_vm(BLUE, "blue", restricted, restricted);
	add_vm(VISITOR, "visitor", low, low);
	add_vm(SWITCH, "switch", low, high);
	add_vm(ATTESTOR, "attestor", low, high);
	add_vm(GUARD, "guard", middle, high);
	machine.vms[VISITOR].flags = VM_MEASURE_ONLY;
	machine.vms[ATTESTOR].rights[RIGHT_ATTESTS] = machine.vms[ATTESTOR].rights[RIGHT_READS_AUDIT] = 127;
	machine.vms[ATTESTOR].rights[RIGHT_CONTROLS] = 1u << SWITCH;
	machine.vms[RED].rights[RIGHT_INTROSPECTS] = 1u << VISITOR | 1u << ARCHIVE;
	machine.vms[ARCHIVE].rights[RIGHT_CONTROLS] = 1u << RED;
	machine.vms[BLUE].rights[RIGHT_READS_AUDIT] = 1u << VISITOR;
	machine.device_count = DEVICE_COUNT;
	add_device(NIC, "nic0", SWITCH, restricted);
	add_device(DISK, "nvme0", RED, secret);
	add_device(TPM, "tpm", ATTESTOR, secret);
	machine.network_count = NETWORK_COUNT;
	add_network(SECRET, "secret", NETWORK_ISOLATED, secret);
	add_network(RESTRICTED, "restricted", NIC, restricted);
	add_network(GUEST, "guest", NETWORK_ISOLATED, low);
	add_link(RED, SWITCH, SECRET, secret);
	add_link(ARCHIVE, SWITCH, SECRET, secret);
	add_link(BLUE, SWITCH, RESTRICTED, restricted);
	add_link(VISITOR, SWITCH, GUEST, low);
	add_link(RED, ATTESTOR, LINK_CHANNEL, secret);
	add_link(BLUE, ATTESTOR, LINK_CHANNEL, restricted);
	add_link(RED, GUARD, LINK_CHANNEL, secret);
	add_link(BLUE, GUARD, LINK_CHANNEL, restricted);
	return 0;
}

static void refused(const char *text)
{
	assert_false(flow_check());
	assert_said("refused: policy: ");
	assert_said(text);
	set_up(NULL);
}

static void test_clean(void **state)
{
	(void)state;
	assert_true(flow_check());
	assert_string_equal(fake_said, "");
}

static void test_links(void **state)
{
	(void)state;
	add_link(RED, BLUE, LINK_CHANNEL, secret);
	refused("channel: would flow down from VM blue (level 1, categories 2) to link with red (level 2, categories "
		"1)");
	add_link(RED, BLUE, LINK_CHANNEL, restricted);
	refused("channel: would flow down from VM red (level 2, categories 1) to link with blue (level 1, categories "
		"2)");
	add_link(RED, VISITOR, LINK_CHANNEL, low);      /* up is an edge of it, down is the other */
	refused("from VM red (level 2, categories 1) to link with visitor (level 0, categories 0)");
	add_link(RED, SWITCH, LINK_CHANNEL, high);
	refused("from link with switch (level 2, categories 3) to VM red (level 2, categories 1)");
	add_link(VISITOR, GUARD, LINK_CHANNEL, low);
	refused("from VM guard (level 1, categories 0) to link with visitor (level 0, categories 0)");
	machine.links[0].network = GUEST;
	refused("port: would flow down from link with switch (level 2, categories 1) to network guest (level 0, "
		"categories 0)");
	machine.links[3].network = SECRET;
	refused("port: would flow down from network secret (level 2, categories 1) to link with switch (level 0, "
		"categories 0)");
	add_link(ATTESTOR, SWITCH, LINK_CHANNEL, restricted);
	assert_true(flow_check());
}

static void test_devices(void **state)
{
	(void)state;
	machine.devices[DISK].vm = BLUE;
	refused("assigned device: would flow down from device nvme0 (level 2, categories 1) to VM blue (level 1, "
		"categories 2)");
	machine.devices[DISK].label = low;
	refused("assigned device: would flow down from VM red (level 2, categories 1) to device nvme0 (level 0, "
		"categories 0)");
	machine.networks[SECRET].uplink = NIC;
	refused("uplink: would flow down from device nic0 (level 1, categories 2) to network secret (level 2, "
		"categories 1)");
	machine.networks[GUEST].uplink = NIC;
	refused("uplink: would flow down from device nic0 (level 1, categories 2) to network guest (level 0, "
		"categories 0)");
	machine.devices[NIC].vm = GUARD;
	assert_true(flow_check());
}

static void test_rights(void **state)
{
	(void)state;
	machine.vms[BLUE].rights[RIGHT_INTROSPECTS] = 1u << RED;
	refused("introspects: would flow down from VM red (level 2, categories 1) to VM blue (level 1, categories 2)");
	machine.vms[RED].rights[RIGHT_INTROSPECTS] = 1u << SWITCH;
	refused("introspects: would flow down from VM switch (level 2, categories 3) to VM red (level 2, categories "
		"1)");
	machine.vms[RED].rights[RIGHT_CONTROLS] = 1u << VISITOR;
	refused("controls: would flow down from VM red (level 2, categories 1) to VM visitor (level 0, categories 0)");
	machine.vms[RED].rights[RIGHT_CONTROLS] = 1u << SWITCH;         /* VISITOR would see its network go */
	refused("controls: would flow down from VM red (level 2, categories 1) to VM switch (level 0, categories 0)");
	machine.vms[VISITOR].rights[RIGHT_READS_AUDIT] = 1u << SWITCH;  /* what RED made it do is noted, too */
	refused("reads-audit: would flow down from VM switch (level 2, categories 3) to VM visitor (level 0, "
		"categories 0)");
	machine.vms[VISITOR].rights[RIGHT_CONTROLS] = 1u << RED;
	refused("controls: would flow down from VM red (level 2, categories 1) to VM visitor (level 0, categories 0)");
	machine.vms[BLUE].rights[RIGHT_READS_AUDIT] = 1u << ARCHIVE;
	refused("reads-audit: would flow down from VM archive (level 2, categories 1) to VM blue (level 1, categories "
		"2)");
	machine.vms[RED].rights[RIGHT_ATTESTS] = 1u << BLUE;
	refused("attests: would flow down from VM blue (level 1, categories 2) to VM red (level 2, categories 1)");
	for (unsigned right = 0; right < RIGHT_COUNT; right++) {
		machine.vms[BLUE].rights[right] = 1u << BLUE;   /* over itself */
		machine.vms[SWITCH].rights[right] = 1u << ATTESTOR;
	}
	assert_true(flow_check());
}

static void test_trusted(void **state)
{
	(void)state;
	machine.vms[GUARD].flags = VM_MEASURE_ONLY;
	refused("VM guard: trusted over a range of labels: expected a pinned measurement, found measure-only");
	machine.vms[63] = machine.vms[VISITOR];         /* the last that a mask holds */
	for (unsigned i = VM_COUNT; i < 63; i++)
		machine.vms[i] = machine.vms[VISITOR];
	machine.vm_count = 64;
	assert_true(flow_check());
	machine.vms[63].rights[RIGHT_ATTESTS] = 1ull << RED;
	refused("attests: would flow down from VM red ");
	machine.vm_count = 64;
	machine.vms[63].range_high = high;
	strcpy(machine.vms[63].name, "last");
	machine.vms[VISITOR].rights[RIGHT_INTROSPECTS] = 1ull << 63;
	refused("introspects: would flow down from VM last ");
}

/* --- one hidden edge at a time ------------------------------------------------------------------------------------ */

static uint64_t seed = 7;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % below;
}

/* Dominance as its definition says, one category at a time. */
static bool may_send(const struct lzr_label *from, const struct lzr_label *to)
{
	for (unsigned c = 0; c < 64; c++)
		if (from->categories >> c & 1 && !(to->categories >> c & 1))
			return false;
	return from->level <= to->level;
}

static bool within(const struct vm_config *vm, const struct lzr_label *label)
{
	return may_send(&vm->range_low, label) && may_send(label, &vm->range_high);
}

static bool hide_right(char *names)
{
	static const char *const words[] = { "introspects", "controls", "reads-audit", "attests" };
	unsigned right = draw(RIGHT_COUNT), holder = draw(VM_COUNT), object = draw(VM_COUNT);
	struct vm_config *a = &machine.vms[holder], *b = &machine.vms[object];

	a->rights[right] |= 1u << object;
	sprintf(names, "%s|VM %s |VM %s ", words[right], a->name, b->name);
	if (holder == object)
		return true;
	if (right == RIGHT_CONTROLS)            /* the lowest of the object's peers sees it stop */
		return may_send(&b->range_low, &a->range_high) && may_send(&a->range_low, &b->range_low);
	return may_send(&b->range_high, &a->range_high);
}

static bool hide_link(char *names)
{
	const struct lzr_label labels[] = { low, restricted, secret, high };
	unsigned a = draw(VM_COUNT), b = (a + 1 + draw(VM_COUNT - 1)) % VM_COUNT, network = draw(NETWORK_COUNT + 1);
	struct lzr_label label = labels[draw(4)];
	const struct vm_config *x = &machine.vms[a], *y = &machine.vms[b];
	const struct network_config *n = &machine.networks[network];
	bool good = within(x, &label) && within(y, &label);

	add_link(a, b, network == NETWORK_COUNT ? LINK_CHANNEL : network, label);
	if (network == NETWORK_COUNT)
		return sprintf(names, "channel|%s |%s ", x->name, y->name), good;
	if (good)
		sprintf(names, "port|link with |network %s ", n->name);
	else
		strcpy(names, "port|link with |");
	return good && may_send(&label, &n->label) && may_send(&n->label, &label);
}

static bool hide_device(char *names)
{
	unsigned device = draw(DEVICE_COUNT), vm = draw(VM_COUNT);

	machine.devices[device].vm = (uint8_t)vm;
	sprintf(names, "assigned device|device %s |VM %s ", machine.devices[device].name, machine.vms[vm].name);
	return within(&machine.vms[vm], &machine.devices[device].label);
}

static bool hide_uplink(char *names)
{
	unsigned device = draw(DEVICE_COUNT), network = draw(NETWORK_COUNT);
	const struct lzr_label *a = &machine.devices[device].label, *b = &machine.networks[network].label;

	machine.networks[network].uplink = device;
	sprintf(names, "uplink|device %s |network %s ", machine.devices[device].name, machine.networks[network].name);
	return may_send(a, b) && may_send(b, a);
}

static void test_hidden(void **state)
{
	static bool (*const hide[])(char *names) = { hide_right, hide_link, hide_device, hide_uplink };
	unsigned refusals = 0;

	for (unsigned round = 0; round < 20000; round++) {
		char names[200];

		set_up(state);
		bool good = hide[draw(ARRAY_LENGTH(hide))](names);

		if (flow_check() != good)
			fail_msg("round %u: %s: expected %s", round, names, good ? "allowed" : "refused");
		refusals += !good;
		for (char *name = strtok(names, "|"); !good && name; name = strtok(NULL, "|"))
			assert_said(name);
	}
	assert_in_range(refusals, 10000, 45000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_clean, set_up), cmocka_unit_test_setup(test_links, set_up),
		cmocka_unit_test_setup(test_devices, set_up), cmocka_unit_test_setup(test_rights, set_up),
		cmocka_unit_test_setup(test_trusted, set_up), cmocka_unit_test_setup(test_hidden, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
