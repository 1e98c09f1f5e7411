/* SPDX-License-Identifier: Apache-2.0 */
/* Device assignment: what is granted, what is refused and why, and the bytes that describe it. */
#include "assign_rig.h"

/* --- what is granted -------------------------------------------------------------------------------------------- */

static void maps_bars_and_hides_the_table(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(sim_mapping_count, 3);
	assert_memory_equal(&sim_mappings[0],
			    (&(struct sim_mapping){ RIG_NVME_BAR, RIG_NVME_BAR, 0x2000, 0,
						    MAP_READ | MAP_WRITE | MAP_UNCACHED }),
			    sizeof(struct sim_mapping));
	assert_int_equal(sim_mappings[1].at, RIG_NVME_BAR + 0x2000);
	assert_int_equal(sim_mappings[1].length, PAGE_SIZE);
	assert_int_not_equal(sim_mappings[1].from, RIG_NVME_BAR + 0x2000);
	assert_int_equal(sim_mappings[2].at, RIG_NVME_BAR + 0x3000);
	assert_int_equal(sim_mappings[2].from, RIG_NVME_BAR + 0x3000);
	assert_int_equal(sim_claims[0].base, 0xb0000000);       /* configuration space, before any device */
	assert_int_equal(sim_claims[0].length, 256 << 20);
	assert_int_equal(sim_claims[0].owner, OWNER_HV);
	assert_int_equal(sim_claims[2].base, RIG_NVME_BAR + 0x2000);
	assert_int_equal(sim_claims[2].owner, OWNER_HV);
	assert_int_equal(sim_claims[1].owner, OWNER_VM0);
	assert_string_equal(sim_events, "domain flr");
	assert_ptr_equal(vms[0].domain, &the_domain);
	assert_non_null(vms[0].assigned[0]);
}

static void restores_bars_after_the_reset(void **state)
{
	(void)state;
	use_nvme();
	use_card();
	assert_int_equal(create(), HV_OK);
	assert_string_equal(sim_events, "domain flr busreset");
	assert_int_equal(sim_get(nvme, PCI_BAR0, 4), (uint32_t)RIG_NVME_BAR | PCI_BAR_64);
	assert_int_equal(sim_get(nvme, PCI_BAR0 + 4, 4), RIG_NVME_BAR >> 32);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
	assert_int_equal(sim_get(nvme, 0x88, 2), 0x2810);
	assert_int_equal(sim_get(card, PCI_BAR0 + 12, 4), RIG_CARD_BAR + 0x40000);
	assert_false(port->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(sim_get(port, PCI_BRIDGE_CONTROL, 2) & PCI_BRIDGE_RESET);
	assert_int_equal(sim_get(port, 0x106, 2), PCI_ACS_ISOLATION);
	for (unsigned i = 0; i < sim_mapping_count; i++)
		assert_int_not_equal(sim_mappings[i].at, 0xc000);       /* no I/O BAR */
}

static void grants_the_tpm_page_only(void **state)
{
	struct device_config *config = grant("tpm", 0, 0, 0, false);

	(void)state;
	config->mmio = true;
	config->base = 0xfed40000;
	config->length = PAGE_SIZE;
	assert_int_equal(create(), HV_OK);
	assert_int_equal(sim_mapping_count, 1);
	assert_int_equal(sim_mappings[0].at, 0xfed40000);
	assert_int_equal(assigned_config_read(vms[0].assigned[2], 0, 4), 0xffffffff);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);   /* nothing to do for it */
	devices_vm_stopped(&vms[0]);
	assert_string_equal(sim_events, "");

	assign_setup(NULL);
	config = grant("tpm", 0, 0, 0, false);
	config->mmio = true;
	config->base = 0xfed90000;                              /* the IOMMU's registers */
	config->length = PAGE_SIZE;
	expect_refusal(HV_UNSUPPORTED, "only the TPM");
	config->base = 0xfed40000;
	config->length = 5 * PAGE_SIZE;                         /* every locality */
	expect_refusal(HV_UNSUPPORTED, "only the TPM");
	config->length = PAGE_SIZE;
	tpm2[48] = 7;                                           /* command buffer interface */
	expect_refusal(HV_UNSUPPORTED, "no TPM");
	tpm2[48] = 6;
	sim_not_owned = 0xfed40000;                             /* host RAM there */
	expect_refusal(HV_CONFLICT, "its page cannot be given");
}

/* --- refusals --------------------------------------------------------------------------------------------------- */

static void refuses_without_an_iommu(void **state)
{
	(void)state;
	use_nvme();
	dma_state = (struct dma_state){ &f_ops, false };
	expect_refusal(HV_UNSUPPORTED, "no IOMMU with interrupt remapping");
	dma_state = (struct dma_state){ NULL, false };
	expect_refusal(HV_UNSUPPORTED, "no IOMMU with interrupt remapping");
	machine.allow_without_iommu = true;                     /* a lab: starts, without the device */
	assert_int_equal(create(), HV_OK);
	assert_null(vms[0].assigned[0]);
	assert_int_equal(sim_mapping_count, 0);
}

static void refuses_what_is_not_as_the_policy_says(void **state)
{
	(void)state;
	use_nvme();
	sim_put(nvme, PCI_DEVICE, 2, 0x11);
	expect_refusal(HV_BAD_INPUT, "another device");
	assert_true(sim_heard("expected device 1b36:10, found 1b36:11"));
	sim_put(nvme, PCI_DEVICE, 2, 0x10);
	sim_put(nvme, PCI_REVISION, 4, 0x01060102);
	expect_refusal(HV_BAD_INPUT, "another class");
	sim_put(nvme, PCI_REVISION, 4, 0x01080202);
	nvme->config[PCI_HEADER] = PCI_HEADER_BRIDGE;
	expect_refusal(HV_UNSUPPORTED, "it is a bridge");
	nvme->config[PCI_HEADER] = 0;
	nvme->present = false;
	expect_refusal(HV_BAD_INPUT, "there is no device");
	nvme->present = true;
}

static void locate(struct device_config *config, unsigned steps, const uint8_t location[])
{
	config->bus = config->device = config->function = 0;
	config->steps = (uint8_t)steps;
	memcpy(config->location, location, steps);
}

#define AT(device, function) ((device) << 3 | (function))

/* The card twice: behind its root port, and behind a root port, a switch's upstream port and a downstream port. */
static void finds_devices_by_location(void **state)
{
	struct sim_function *up, *down;

	(void)state;
	use_nvme();
	use_card();
	locate(&machine.devices[0], 1, (const uint8_t[]){ AT(5, 0) });
	locate(&machine.devices[1], 2, (const uint8_t[]){ AT(3, 0), AT(0, 0) });
	assert_int_equal(create(), HV_OK);
	assert_int_equal(assigned_devices[0].source, AT(5, 0));
	assert_int_equal(assigned_devices[1].source, 1 << 8);
	assert_int_equal(machine.devices[1].bus, 1);            /* for reports of faults */

	assign_setup(NULL);
	use_card();
	port->config[PCI_BRIDGE_SECONDARY] = 7;                 /* the firmware numbers otherwise the next time */
	port->config[PCI_BRIDGE_SUBORDINATE] = 9;
	up = sim_root_port(7, 0, 8, 9);
	sim_put(up, 0x56, 2, 0x52);
	down = sim_root_port(8, 17, 9, 9);
	sim_put(down, 0x56, 2, 0x62);
	sim_put(up, 0x20, 4, 0xc000c000);
	sim_put(down, 0x20, 4, 0xc000c000);
	card->at.bus = 9;
	locate(&machine.devices[0], 4, (const uint8_t[]){ AT(3, 0), AT(0, 0), AT(17, 0), AT(0, 0) });
	assert_int_equal(create(), HV_OK);
	assert_int_equal(assigned_devices[0].source, 9 << 8);
	assert_int_equal(assigned_devices[0].bridge_count, 3);
}

static void refuses_locations_that_lead_nowhere(void **state)
{
	struct device_config *config = &machine.devices[0];

	(void)state;
	use_card();
	locate(config, 1, (const uint8_t[]){ AT(9, 0) });
	expect_refusal(HV_BAD_INPUT, "nic0 (0:9.0): refused: there is no device");
	locate(config, 2, (const uint8_t[]){ AT(3, 0), AT(0, 1) });
	expect_refusal(HV_BAD_INPUT, "nic0 (1:0.1): refused: there is no device");
	locate(config, 2, (const uint8_t[]){ AT(9, 0), AT(0, 0) });
	expect_refusal(HV_BAD_INPUT, "nic0: refused: no bridge at 0:9.0, step 1 of its location, leads further");
	locate(config, 3, (const uint8_t[]){ AT(3, 0), AT(0, 0), AT(0, 0) });
	expect_refusal(HV_BAD_INPUT, "no bridge at 1:0.0, step 2 ");
	locate(config, 1, (const uint8_t[]){ AT(3, 0) });
	expect_refusal(HV_BAD_INPUT, "nic0: expected device 8086:10d3, found 1b36:c");
	locate(config, 2, (const uint8_t[]){ AT(3, 0), AT(0, 0) });
	config->device_id++;
	expect_refusal(HV_BAD_INPUT, "nic0: expected device 8086:10d4, found 8086:10d3");
	config->device_id--;
	port->config[PCI_BRIDGE_SECONDARY] = 0;                 /* a bridge that the firmware did not number */
	expect_refusal(HV_BAD_INPUT, "no bridge at 0:3.0, step 1 ");
	port->config[PCI_BRIDGE_SECONDARY] = 1;
	sim_root_port(1, 4, 1, 1);                              /* one that leads to itself, another that leads back */
	locate(config, 3, (const uint8_t[]){ AT(3, 0), AT(4, 0), AT(0, 0) });
	expect_refusal(HV_BAD_INPUT, "no bridge at 1:4.0, step 2 ");
	sim_root_port(1, 5, 0, 1);
	locate(config, 3, (const uint8_t[]){ AT(3, 0), AT(5, 0), AT(5, 0) });
	expect_refusal(HV_BAD_INPUT, "no bridge at 1:5.0, step 2 ");
}

static void expect_twice(bool first, bool second)
{
	const uint8_t location[] = { AT(5, 0) };

	assign_setup(NULL);
	use_nvme();
	grant("nic0", 0, 5, 0x00101b36, true);
	image.assigns[1].class_code = 0x010802;
	for (unsigned i = 0; i < 2; i++)
		if (i ? second : first)
			locate(&machine.devices[i], 1, location);
	assert_int_equal(create(), HV_CONFLICT);
	assert_true(sim_heard("nic0 and nvme0 are the same device"));
	assert_int_equal(assigned_count, 1);
}

static void gives_no_function_twice(void **state)
{
	(void)state;
	expect_twice(false, false);
	expect_twice(false, true);
	expect_twice(true, false);
	expect_twice(true, true);
}

static void refuses_what_the_iommu_cannot_confine(void **state)
{
	(void)state;
	use_nvme();
	source_says = HV_DENIED;
	expect_refusal(HV_DENIED, "no IOMMU covers it");
	source_says = HV_CONFLICT;
	expect_refusal(HV_CONFLICT, "RMRR");
}

static void refuses_shared_groups(void **state)
{
	struct sim_function *other;

	(void)state;
	use_nvme();
	nvme->config[PCI_HEADER] = PCI_HEADER_MULTIFUNCTION;
	sim_endpoint(0, 5, 3, 0x12345678, 0x010802);
	expect_refusal(HV_CONFLICT, "isolation group");

	assign_setup(NULL);
	use_nvme();
	nvme->at.function = 1;                                  /* there is no function 0 */
	machine.devices[0].function = 1;
	other = sim_endpoint(0, 5, 2, 0x12345678, 0x010802);    /* its neighbour, which may be another VM's */
	expect_refusal(HV_CONFLICT, "0:5.2 is in its isolation group");
	other->present = false;
	assert_int_equal(pci_scan(), HV_OK);
	nvme->at.device = 6;                                    /* answers only now */
	machine.devices[0].device = 6;
	nvme->config[PCI_COMMAND] = 0;
	assert_int_equal(devices_create(), HV_CONFLICT);
	assert_int_equal(devices_create(), HV_CONFLICT);
	assert_true(sim_heard("it was not there when the buses were looked at"));

	assign_setup(NULL);
	use_card();
	other = sim_endpoint(1, 1, 0, 0x12345678, 0x020000);    /* beside it, below the same port */
	expect_refusal(HV_CONFLICT, "1:1.0 is in its isolation group");
	other->present = false;
	sim_put(port, 0x100, 4, 0x0001);                        /* no ACS */
	expect_refusal(HV_UNSUPPORTED, "no ACS");
	sim_put(port, 0x100, 4, PCI_EXTENDED_ACS | 1u << 16);
	sim_put(port, 0x104, 2, 0x1b);                          /* no request redirect */
	expect_refusal(HV_UNSUPPORTED, "no ACS");
	sim_put(port, 0x104, 2, 0x1f);
	sim_put(port, 0x56, 2, 0x72);                           /* PCIe-to-PCI bridge */
	expect_refusal(HV_UNSUPPORTED, "not a PCI Express port");
	sim_put(port, 0x56, 2, 0x42);
	other = sim_root_port(0, 7, 1, 1);                      /* two bridges claim the bus */
	expect_refusal(HV_BAD_INPUT, "no single bridge");
	other->present = false;
	port->present = false;
	expect_refusal(HV_BAD_INPUT, "no single bridge");
}

static void refuses_what_cannot_be_reset(void **state)
{
	(void)state;
	use_nvme();
	sim_put(nvme, 0x84, 4, 1);
	expect_refusal(HV_UNSUPPORTED, "does not have");
	sim_put(nvme, 0x84, 4, PCI_EXPRESS_DEVCAP_FLR);
	machine.devices[0].flr = false;                         /* on the root bus: no port to reset it by */
	expect_refusal(HV_UNSUPPORTED, "a bus reset needs a port");
	machine.devices[0].flr = true;
	nvme->resets = false;
	expect_refusal(HV_UNSUPPORTED, "still there");
	nvme->resets = true;
	nvme->writable[PCI_INTERRUPT_LINE] = nvme->writable[PCI_CACHE_LINE] = 0;
	expect_refusal(HV_UNSUPPORTED, "keeps a value");
	nvme->writable[PCI_CACHE_LINE] = 0xff;
	nvme->ids_gone = true;
	expect_refusal(HV_TIMEOUT, "does not come back");
}

static void resets_by_advanced_features(void **state)
{
	(void)state;
	use_nvme();
	sim_put(nvme, 0x84, 4, 1);
	sim_capability(nvme, 0xf0, PCI_CAP_AF);
	nvme->config[0xf3] = 3;
	assert_int_equal(create(), HV_OK);
	assert_string_equal(sim_events, "domain aflr");
}

static void refuses_bars_that_do_not_fit(void **state)
{
	(void)state;
	use_nvme();
	sim_bar(nvme, 0, 0x4000000000, 0x4000, PCI_BAR_64);
	expect_refusal(HV_UNSUPPORTED, "outside the guest's windows");
	sim_bar(nvme, 0, LZR_WINDOW64_END - 0x2000, 0x4000, PCI_BAR_64);        /* moves when it is sized */
	expect_refusal(HV_CONFLICT, "a BAR answers otherwise than before");
	sim_bar(nvme, 0, 0, 0x4000, PCI_BAR_64);
	expect_refusal(HV_BAD_INPUT, "no proper address");
	sim_bar(nvme, 0, RIG_NVME_BAR, 0x4000, PCI_BAR_64);
	nvme->bar_mask[0] = 0xffff5000;                         /* answers sizing with nonsense */
	expect_refusal(HV_BAD_INPUT, "not a power of two");
	sim_bar(nvme, 0, RIG_NVME_BAR, 0x4000, PCI_BAR_64);
	sim_put(nvme, PCI_BAR0 + 20, 4, PCI_BAR_64);
	expect_refusal(HV_BAD_INPUT, "unknown type");
	sim_put(nvme, PCI_BAR0 + 20, 4, 0);
	sim_not_owned = RIG_NVME_BAR + 0x3000;
	expect_refusal(HV_CONFLICT, "not free");
}

static void refuses_bars_that_share_a_page(void **state)
{
	struct sim_function *other;

	(void)state;
	use_nvme();
	other = sim_endpoint(0, 9, 0, 0x12345678, 0x088000);
	sim_bar(nvme, 2, 0xc1000100, 0x100, 0);
	sim_bar(other, 1, 0xc1000800, 0x100, 0);
	expect_refusal(HV_CONFLICT, "shares its page");
	sim_bar(other, 1, 0xc1001800, 0x100, 0);
	assert_int_equal(create(), HV_OK);
	assert_int_equal(sim_mappings[sim_mapping_count - 1].at, 0xc1000000);
	assert_int_equal(sim_mappings[sim_mapping_count - 1].length, PAGE_SIZE);
}

static void refuses_tables_it_cannot_hide(void **state)
{
	(void)state;
	use_nvme();
	sim_put(nvme, 0x44, 4, 0x2800);
	expect_refusal(HV_CONFLICT, "shares a page");
	sim_put(nvme, 0x44, 4, 0x4000);
	expect_refusal(HV_BAD_INPUT, "beyond its BAR");
	sim_put(nvme, 0x44, 4, 0xfffffff8);
	expect_refusal(HV_BAD_INPUT, "beyond its BAR");
	sim_put(nvme, 0x44, 4, 0x2003);
	expect_refusal(HV_BAD_INPUT, "in no memory BAR");
	sim_put(nvme, 0x44, 4, 0x2007);
	expect_refusal(HV_BAD_INPUT, "in no memory BAR");
}

static void refuses_odd_capabilities(void **state)
{
	(void)state;
	use_nvme();
	nvme->config[PCI_CAPABILITIES] = 0x60;                  /* power management only */
	nvme->config[0x61] = 0;
	expect_refusal(HV_UNSUPPORTED, "neither MSI nor MSI-X");
	nvme->config[PCI_CAPABILITIES] = 0xfc;
	nvme->config[0xfc] = PCI_CAP_MSIX;
	nvme->config[0xfd] = 0;
	expect_refusal(HV_BAD_INPUT, "beyond configuration space");
	nvme->config[PCI_CAPABILITIES] = 0x40;                  /* a list in a circle, without what is looked for */
	nvme->config[0x40] = 0x55;
	nvme->config[0x41] = 0x40;
	expect_refusal(HV_UNSUPPORTED, "neither MSI nor MSI-X");
}

/* --- the digest's bytes ----------------------------------------------------------------------------------------- */

static void describes_canonically(void **state)
{
	static const uint8_t expected[] = {
		'L', 'Z', 'R', 'D', 'M', 'A', '1', 0, 1, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 3, 0, 0, 0,
		1, 0, 0, 0,
		1, 0, 0, 0, 0x28, 0, 0, 0, 0x36, 0x1b, 0x10, 0, 0x02, 0x08, 0x01, 0,
		1, 0, 0, 0, 0, 0, 0, 0x40, 0xe0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0,
		16, 0, 0, 0, 0x40, 0, 0, 0, 0xdf, 0, 0, 0,
	};
	uint8_t out[512];

	(void)state;
	assert_int_equal(devices_describe(&vms[0], out, sizeof(out)), 0);
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(devices_describe(&vms[0], out, sizeof(out)), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, assign_setup, assign_teardown)
	const struct CMUnitTest tests[] = {
		TEST(maps_bars_and_hides_the_table),
		TEST(restores_bars_after_the_reset),
		TEST(grants_the_tpm_page_only),
		TEST(refuses_without_an_iommu),
		TEST(refuses_what_is_not_as_the_policy_says),
		TEST(finds_devices_by_location),
		TEST(refuses_locations_that_lead_nowhere),
		TEST(gives_no_function_twice),
		TEST(refuses_what_the_iommu_cannot_confine),
		TEST(refuses_shared_groups),
		TEST(refuses_what_cannot_be_reset),
		TEST(resets_by_advanced_features),
		TEST(refuses_bars_that_do_not_fit),
		TEST(refuses_bars_that_share_a_page),
		TEST(refuses_tables_it_cannot_hide),
		TEST(refuses_odd_capabilities),
		TEST(describes_canonically),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
