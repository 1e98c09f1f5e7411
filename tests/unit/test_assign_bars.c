/* SPDX-License-Identifier: Apache-2.0 */
/* BARs, bus numbers and capabilities: what a device says of itself is believed only where nothing speaks against it. */
#include "assign_rig.h"

/* A BAR is the device's word.  Each of these was believed, or would have been. */
static void refuses_bars_that_nothing_leads_to(void **state)
{
	(void)state;
	use_card();
	sim_bar(card, 3, 0xb0000000, 0x4000, 0);                /* everybody's configuration space */
	expect_refusal(HV_CONFLICT, "nic0 (1:0.0): refused: a BAR lies outside the windows of the bridges above it");
	assert_true(sim_heard("nic0: BAR 3 at b0000000, 4000 bytes"));
	sim_bar(card, 3, 0xc0100000, 0x4000, 0);                /* right behind the window */
	expect_refusal(HV_CONFLICT, "outside the windows");
	sim_bar(card, 3, 0xc0000000, 0x200000, 0);              /* reaches out of it */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	sim_put(port, 0x20, 4, 0xc000c010);                     /* a window that is closed */
	expect_refusal(HV_CONFLICT, "outside the windows");
	sim_put(port, 0x20, 4, 0xc000c000);
	sim_bar(card, 3, 0xc0080000, 0x4000, 0);
	assert_int_equal(create(), HV_OK);

	assign_setup(NULL);                                     /* the prefetchable window, below and above 4 GiB */
	use_card();
	sim_put(port, 0x24, 4, 0xd000d000);
	sim_bar(card, 3, 0xd0080000, 0x4000, 8);
	assert_int_equal(create(), HV_OK);
	assign_setup(NULL);
	use_card();
	sim_put(port, 0x24, 4, 0xd001d001);
	sim_put(port, 0x28, 4, 0xe0);
	sim_put(port, 0x2c, 4, 0xe0);
	sim_bar(card, 3, 0xd0080000, 0x4000, 8);
	expect_refusal(HV_CONFLICT, "outside the windows");
}

static void refuses_bars_in_anothers_window(void **state)
{
	struct sim_function *other;

	(void)state;
	use_nvme();                                             /* on bus 0: no bridge forwards to it */
	other = sim_root_port(0, 8, 9, 9);
	sim_put(other, 0x24, 4, 0x40014001);
	sim_put(other, 0x28, 4, RIG_NVME_BAR >> 32);
	sim_put(other, 0x2c, 4, RIG_NVME_BAR >> 32);
	expect_refusal(HV_CONFLICT, "a BAR lies in the window of a bridge that does not lead to it");
	sim_put(other, 0x24, 4, 0x40114011);
	assert_int_equal(create(), HV_OK);
}

static void refuses_bars_that_overlap(void **state)
{
	struct sim_function *other;

	(void)state;
	use_nvme();
	sim_bar(nvme, 2, 0xc1010000, 0x4000, 0);
	other = sim_endpoint(0, 9, 0, 0x12345678, 0x088000);    /* nobody's */
	sim_bar(other, 1, 0xc1000000, 0x20000, 0);              /* starts below, holds it */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	assert_int_equal(sim_get(other, PCI_BAR0 + 4, 4), 0xc1000000);
	assert_int_equal(sim_get(other, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	sim_bar(other, 1, 0xc1012000, 0x1000, 0);               /* starts inside */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	sim_bar(other, 1, 0, 0, 0);
	sim_bar(other, 0, RIG_NVME_BAR & ~0xfffffffull, 0x80000000, PCI_BAR_64);
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	sim_bar(other, 0, 0, 0, 0);
	sim_put(other, PCI_BAR0 + 4, 4, 0);
	other->rom_mask = 0xfffe0000;
	sim_put(other, PCI_ROM, 4, 0xc1000000);                 /* an expansion ROM, off for now */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	assert_int_equal(sim_get(other, PCI_ROM, 4), 0xc1000000);
	sim_put(other, PCI_ROM, 4, 0xc1020000);
	assert_int_equal(create(), HV_OK);
	sim_bar(nvme, 4, 0xc1010000, 0x1000, 0);                /* two of its own */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	assert_int_equal(assigned_count, 0);
}

/* What cannot be asked for its size counts as the largest that its alignment allows. */
static void unknown_sizes_are_large(void **state)
{
	struct sim_function *bridge;

	(void)state;
	use_nvme();
	sim_bar(nvme, 2, 0xc1010000, 0x4000, 0);
	bridge = sim_endpoint(0, 0, 0, 0x29c08086, 0x060000);
	sim_put(bridge, PCI_BAR0, 4, 0xc1000000);
	bridge->bar_mask[0] = 0xfffff000;
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
	assert_int_equal(sim_get(bridge, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	sim_put(bridge, PCI_REVISION, 4, 0x08800000);           /* another class: asked, 4 KiB */
	assert_int_equal(create(), HV_OK);
	bridge->bar_mask[0] = 0xffff5000;                       /* nonsense */
	expect_refusal(HV_CONFLICT, "a BAR overlaps another");
}

static void refuses_bars_that_change(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_null(pci_range_refusal(nvme->at, 0, RIG_NVME_BAR, 0x4000, NULL, 0));
	assert_string_equal(pci_range_refusal(nvme->at, 0, RIG_NVME_BAR, 0x8000, NULL, 0),
			    "a BAR answers otherwise than before");
	assert_non_null(pci_range_refusal(nvme->at, 0, RIG_NVME_BAR + 0x4000, 0x4000, NULL, 0));
	assert_non_null(pci_range_refusal(nvme->at, 1, RIG_NVME_BAR + 0x4000, 0x4000, NULL, 0));
}

static bool claimed(uint64_t base, uint64_t length)
{
	for (unsigned i = 0; i < sim_claim_count; i++)
		if (sim_claims[i].base == base && sim_claims[i].length == length && sim_claims[i].owner == OWNER_HV)
			return true;
	return false;
}

static void takes_the_platforms_registers(void **state)
{
	static uint8_t madt[44 + 12 + 12 + 12 + 8] = {
		[44] = 1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe, [56] = 1, 12, 0, 0, 0x40, 0x00, 0xc0, 0xfe,
		[68] = 1, 12, 0, 0, 0x00, 0x10, 0xc0, 0xfe, [80] = 0, 8,
	};
	static uint8_t hpet[56] = { [44] = 0x00, 0x00, 0xd0, 0xfe };
	static uint8_t mcfg[44 + 16] = { [44] = 0, 0, 0, 0xb0, [54] = 16, 31 };
	static uint8_t ivrs[48 + 24 + 24] = {
		[48] = 0x10, 0, 24, 0, 2, 0, 0, 0, 0, 0, 0x90, 0xfd,
		[72] = 0x11, 0, 24, 0, 2, 0, 0, 0, 0, 0, 0x90, 0xfd,
	};

	(void)state;
	use_nvme();
	sim_acpi("APIC", madt, sizeof(madt));
	sim_acpi("HPET", hpet, sizeof(hpet));
	sim_acpi("IVRS", ivrs, sizeof(ivrs));
	sim_acpi("MCFG", mcfg, sizeof(mcfg));
	assert_int_equal(create(), HV_OK);
	assert_true(claimed(0xb1000000, 16 << 20));             /* buses 16 to 31 of what starts at b0000000 */
	assert_true(claimed(0xfec00000, PAGE_SIZE));
	assert_true(claimed(0xfec01000, PAGE_SIZE));
	assert_true(claimed(0xfed00000, PAGE_SIZE));
	assert_true(claimed(0xfd900000, 16 << 10));
	assert_int_equal(sim_claim_count, 5 + 3);               /* and the disk's */
	sim_not_owned = 0xfd901000;                             /* RAM there */
	expect_refusal(HV_CONFLICT, "refused: IVRS: remapping unit at fd900000");
	sim_not_owned = 0;
	mcfg[55] = 15;
	expect_refusal(HV_BAD_INPUT, "refused: MCFG: configuration space at b0000000: buses 16 to 15");
}

static void refuses_bars_that_the_firmware_knows(void **state)
{
	(void)state;
	use_nvme();
	sim_firmware = RIG_NVME_BAR + 0x1000;
	expect_refusal(HV_CONFLICT, "its registers are not free");
	sim_firmware = RIG_NVME_BAR + 0x2000;                   /* the hypervisor's own claim is no better */
	expect_refusal(HV_CONFLICT, "its MSI-X table is not free");
}

static void refuses_bus_numbers_that_do_not_lead_there(void **state)
{
	struct sim_function *other;

	(void)state;
	use_card();
	port->config[PCI_BRIDGE_SUBORDINATE] = 0;
	expect_refusal(HV_BAD_INPUT, "nic0: refused: the bridge at 0:3.0, buses 1 to 0: expected them to hold bus 1");
	port->config[PCI_BRIDGE_SUBORDINATE] = 5;
	other = sim_root_port(0, 7, 2, 4);                      /* beside it, for other buses */
	assert_int_equal(create(), HV_OK);
	other->config[PCI_BRIDGE_SECONDARY] = 1;
	expect_refusal(HV_BAD_INPUT, "no single bridge");
	card->at.bus = 3;
	port->config[PCI_BRIDGE_SECONDARY] = 3;
	machine.devices[0].bus = 3;
	expect_refusal(HV_BAD_INPUT, "the bridge at 0:7.0, buses 1 to 4: expected no other way to bus 3");
}

static void refuses_capabilities_that_overlap(void **state)
{
	(void)state;
	use_nvme();
	nvme->config[0x61] = 0x78;                              /* express follows power management, 8 bytes in */
	nvme->config[0x78] = PCI_CAP_MSI;
	nvme->config[0x79] = 0;
	expect_refusal(HV_BAD_INPUT, "two of its capabilities overlap");
	nvme->config[0x61] = 0x70;
	nvme->config[0x70] = PCI_CAP_MSI;
	nvme->config[0x71] = 0;
	assert_int_equal(create(), HV_OK);
	sim_put(nvme, 0x48, 4, 0x4000);                         /* pending bits behind the BAR's end, in no BAR */
	expect_refusal(HV_BAD_INPUT, "its MSI-X pending bits");
	sim_put(nvme, 0x48, 4, 0x3ffc);
	expect_refusal(HV_BAD_INPUT, "its MSI-X pending bits");
	sim_put(nvme, 0x48, 4, 0x3002);
	expect_refusal(HV_BAD_INPUT, "its MSI-X pending bits");
}

/* A device without function 0 is found all the same; one that says it has function 0 only is asked for no other. */
static void functions_without_the_first(void **state)
{
	struct sim_function *third, *single, *echo;

	(void)state;
	third = sim_endpoint(4, 0, 3, 0x10d38086, 0x020000);
	single = sim_endpoint(4, 1, 0, 0x10d38086, 0x020000);
	echo = sim_endpoint(4, 1, 7, 0x10d38086, 0x020000);
	assert_int_equal(pci_scan(), HV_OK);
	assert_false(third->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(single->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_true(echo->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_int_equal(pci_function_count(), 2);
}

/* A remapping unit's function, as AMD has it, goes on mastering the bus if the firmware's table names it. */
static void remapping_units_stay_on_the_bus(void **state)
{
	static uint8_t ivrs[48 + 32 + 24 + 24] = {
		[48] = 0x20, 0, 32, 0, 3, 0,    /* a memory block, not a unit */
		[80] = 0x10, 0, 24, 0, 2, 0, [104] = 0x40, 0, 24, 0, 4, 0,
	};
	struct sim_function *unit, *liar, *other, *memory;

	(void)state;
	other = sim_endpoint(0, 0, 0, 0x14e81022, 0x060000);
	other->config[PCI_HEADER] = PCI_HEADER_MULTIFUNCTION;
	unit = sim_endpoint(0, 0, 2, 0x14e91022, 0x080600);
	memory = sim_endpoint(0, 0, 3, 0x14e91022, 0x080600);
	other = sim_endpoint(0, 0, 4, 0x14e91022, 0x088000);    /* named, but no unit */
	liar = sim_endpoint(5, 0, 0, 0x12345678, 0x080600);
	assert_int_equal(pci_scan(), HV_OK);
	assert_false(unit->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	unit->config[PCI_COMMAND] |= PCI_COMMAND_MASTER;
	sim_acpi("IVRS", ivrs, sizeof(ivrs));
	assert_int_equal(pci_scan(), HV_OK);
	assert_true(unit->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(memory->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(other->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(liar->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	ivrs[82] = 0;                                           /* a length that leads nowhere: the walk ends */
	ivrs[50] = 3;
	assert_int_equal(pci_scan(), HV_OK);
	assert_false(unit->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, assign_setup, assign_teardown)
	const struct CMUnitTest tests[] = {
		TEST(refuses_bars_that_nothing_leads_to),
		TEST(refuses_bars_in_anothers_window),
		TEST(refuses_bars_that_overlap),
		TEST(unknown_sizes_are_large),
		TEST(refuses_bars_that_change),
		TEST(takes_the_platforms_registers),
		TEST(refuses_bars_that_the_firmware_knows),
		TEST(refuses_bus_numbers_that_do_not_lead_there),
		TEST(refuses_capabilities_that_overlap),
		TEST(functions_without_the_first),
		TEST(remapping_units_stay_on_the_bus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
