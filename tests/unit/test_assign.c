/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device assignment over simulated functions: what is refused and why, what the guest sees of configuration space and what
 * its writes can and cannot do, memory and interrupts, and the order of start and stop.
 */
#include <stdio.h>

#include "assign.h"
#include "sim.h"

#define NVME_BAR 0xe040000000ull
#define CARD_BAR 0xc0000000ull
#define MCFG_BASE 0xb0000000ull

static struct image_config image;
static struct sim_function *nvme, *card, *port;
static uint8_t mcfg[60], tpm2[52];

/* --- an IOMMU that writes down what it is told ---------------------------------------------------------------------- */

static enum hv_err source_says, attach_says, detach_says, set_says;
static uint32_t irq_next;
struct dma_state dma_state;
bool has_iommu;

struct iommu_domain { unsigned owner; };
static struct iommu_domain the_domain;

static enum hv_err note(const char *word, enum hv_err err)
{
	sim_log(word);
	return err;
}

static enum hv_err f_attach(struct iommu_domain *d, uint16_t s) { (void)d; (void)s; return note("attach", attach_says); }
static enum hv_err f_detach(struct iommu_domain *d, uint16_t s) { (void)d; (void)s; return note("detach", detach_says); }
static enum hv_err f_irq_clear(uint32_t entry) { (void)entry; return note("irq-", HV_OK); }
static enum hv_err f_check(uint16_t source) { (void)source; return source_says; }
static enum hv_err f_prepare(uint16_t source) { (void)source; return HV_OK; }

static enum hv_err f_irq_set(uint32_t entry, unsigned cpu, uint8_t vector)
{
	char word[32];

	snprintf(word, sizeof(word), "irq+%u:%u:%x", entry, cpu, vector);
	return note(set_says ? "irq!" : word, set_says);
}

static void f_message(uint32_t entry, uint64_t *address, uint32_t *data)
{
	*address = 0xfee00010 | entry << 5;
	*data = 0;
}

static enum hv_err f_domain(unsigned owner, uint64_t limit, struct iommu_domain **out)
{
	assert_int_equal(owner, OWNER_VM0);
	assert_int_equal(limit, image.memory);
	*out = &the_domain;
	return note("domain", HV_OK);
}

static enum hv_err f_map(struct iommu_domain *d, gpa_t at, hpa_t from, uint64_t length)
{
	(void)d;
	assert_int_equal(at.a, 0);
	assert_int_equal(from.a, 0x10000000);
	assert_int_equal(length, image.memory);
	return HV_OK;
}

static enum hv_err f_allocate(uint16_t source, unsigned count, uint32_t *first)
{
	(void)source;
	*first = irq_next;
	irq_next += count;
	return HV_OK;
}

static const struct iommu_ops f_ops = {
	.attach = f_attach, .detach = f_detach, .irq_set = f_irq_set, .irq_clear = f_irq_clear, .irq_message = f_message,
};
static const struct iommu_setup f_setup = {
	.name = "fake", .ops = &f_ops, .source_check = f_check, .source_prepare = f_prepare, .domain_create = f_domain,
	.domain_map = f_map, .irq_allocate = f_allocate,
};

const struct iommu_setup *iommu_setup(void) { return has_iommu ? &f_setup : NULL; }
void dma_poll(void) { }

/* --- the machine ------------------------------------------------------------------------------------------------------ */

static void place(unsigned index, const char *name, uint32_t class_code)
{
	strcpy(image.assigns[index].name, name);
	image.assigns[index].slot = (uint8_t)(index + 4);
	image.assigns[index].class_code = class_code;
}

static struct device_config *grant(const char *name, unsigned bus, unsigned device, uint32_t id, bool flr)
{
	struct device_config *config = &machine.devices[machine.device_count++];

	strcpy(config->name, name);
	config->bus = (uint8_t)bus;
	config->device = (uint8_t)device;
	config->vendor_id = (uint16_t)id;
	config->device_id = (uint16_t)(id >> 16);
	config->flr = flr;
	return config;
}

/* Shaped like QEMU's: PCIe capability with FLR, MSI-X table in a page of its own. */
static void add_nvme(void)
{
	nvme = sim_endpoint(0, 5, 0, 0x00101b36, 0x010802);
	sim_bar(nvme, 0, NVME_BAR, 0x4000, PCI_BAR_64);
	sim_capability(nvme, 0x40, PCI_CAP_MSIX);
	sim_put(nvme, 0x42, 2, 64);
	sim_put(nvme, 0x44, 4, 0x2000);
	sim_put(nvme, 0x48, 4, 0x3000);
	nvme->writable[0x43] = 0xc0;
	sim_capability(nvme, 0x80, PCI_CAP_EXPRESS);
	sim_put(nvme, 0x82, 2, 0x92);
	sim_put(nvme, 0x84, 4, PCI_EXPRESS_DEVCAP_FLR | 1);
	sim_put(nvme, 0x88, 2, 0x2810);
	nvme->writable[0x88] = nvme->writable[0x89] = 0x7f;
	sim_capability(nvme, 0x60, PCI_CAP_PM);
	sim_put(nvme, 0x64, 2, 0x0003);
	nvme->writable[0x64] = 3;
	image.assigns[0].class_code = 0x010802;
}

/* Shaped like QEMU's e1000e: no FLR, MSI and MSI-X, an I/O BAR, alone behind its port. */
static void add_card(void)
{
	port = sim_root_port(0, 3, 1, 1);
	card = sim_endpoint(1, 0, 0, 0x10d38086, 0x020000);
	sim_bar(card, 0, CARD_BAR, 0x20000, 0);
	sim_bar(card, 1, CARD_BAR + 0x20000, 0x20000, 0);
	card->bar_mask[2] = 0xffffffe0;
	sim_put(card, PCI_BAR0 + 8, 4, 0xc001);
	sim_bar(card, 3, CARD_BAR + 0x40000, 0x4000, 0);
	sim_capability(card, 0xc8, PCI_CAP_PM);
	sim_capability(card, 0xd0, PCI_CAP_MSI);
	sim_put(card, 0xd2, 2, PCI_MSI_64);
	card->writable[0xd2] = 0x71;
	memset(card->writable + 0xd4, 0xff, 10);
	sim_capability(card, 0xe0, PCI_CAP_EXPRESS);
	sim_put(card, 0xe2, 2, 0x01);
	sim_capability(card, 0xa0, PCI_CAP_MSIX);
	sim_put(card, 0xa2, 2, 4);
	sim_put(card, 0xa4, 4, 0x0003);
	sim_put(card, 0xa8, 4, 0x2003);
	card->writable[0xa3] = 0xc0;
}

static int setup(void **state)
{
	uint64_t base = MCFG_BASE;

	(void)state;
	sim_clear();
	memset(&image, 0, sizeof(image));
	memset(assigned_devices, 0, sizeof(assigned_devices));
	assigned_count = 0;
	source_says = attach_says = detach_says = set_says = HV_OK;
	irq_next = 100;
	has_iommu = true;
	dma_state = (struct dma_state){ &f_ops, true };
	image.memory = 64 << 20;
	image.vcpus = 2;
	image.assign_count = 3;
	place(0, "nvme0", 0x010802);
	place(1, "nic0", 0x020000);
	strcpy(image.assigns[2].name, "tpm");
	image.assigns[2].mmio = true;
	image.assigns[2].gpa = 0xfed40000;
	image.assigns[2].length = PAGE_SIZE;
	machine.vm_count = 1;
	strcpy(machine.vms[0].name, "red");
	machine.vms[0].image = &image;
	machine.vms[0].cpus[0] = 1;
	vms[0] = (struct vm){ .config = &machine.vms[0], .image = &image, .ram = hpa(0x10000000) };
	memcpy(mcfg + 44, &base, 8);
	mcfg[55] = 255;
	sim_acpi("MCFG", mcfg, sizeof(mcfg));
	tpm2[48] = 6;
	sim_acpi("TPM2", tpm2, sizeof(tpm2));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_clear();
	return 0;
}

static enum hv_err create(void)
{
	assert_int_equal(pci_scan(), HV_OK);
	sim_events[0] = 0;
	return devices_create();
}

static void use_nvme(void)
{
	add_nvme();
	grant("nvme0", 0, 5, 0x00101b36, true);
}

static void use_card(void)
{
	add_card();
	grant("nic0", 1, 0, 0x10d38086, false);
}

static void expect_refusal(enum hv_err err, const char *words)
{
	assert_int_equal(create(), err);
	if (!sim_heard(words))
		fail_msg("expected \"%s\", heard \"%s\"", words, sim_said);
	for (unsigned i = 0; i < SIM_MAX; i++)
		assert_false(sim[i].present && (sim[i].config[PCI_COMMAND] & PCI_COMMAND_MASTER));
	assert_int_equal(assigned_count, 0);
}

/* --- what is granted -------------------------------------------------------------------------------------------------- */

static void maps_bars_and_hides_the_table(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(sim_mapping_count, 3);
	assert_memory_equal(&sim_mappings[0],
			    (&(struct sim_mapping){ NVME_BAR, NVME_BAR, 0x2000, 0, MAP_READ | MAP_WRITE | MAP_UNCACHED }),
			    sizeof(struct sim_mapping));
	assert_int_equal(sim_mappings[1].at, NVME_BAR + 0x2000);
	assert_int_equal(sim_mappings[1].length, PAGE_SIZE);
	assert_int_not_equal(sim_mappings[1].from, NVME_BAR + 0x2000);
	assert_int_equal(sim_mappings[2].at, NVME_BAR + 0x3000);
	assert_int_equal(sim_mappings[2].from, NVME_BAR + 0x3000);
	assert_int_equal(sim_claims[1].base, NVME_BAR + 0x2000);
	assert_int_equal(sim_claims[1].owner, OWNER_HV);
	assert_int_equal(sim_claims[0].owner, OWNER_VM0);
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
	assert_int_equal(sim_get(nvme, PCI_BAR0, 4), (uint32_t)NVME_BAR | PCI_BAR_64);
	assert_int_equal(sim_get(nvme, PCI_BAR0 + 4, 4), NVME_BAR >> 32);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2), PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
	assert_int_equal(sim_get(nvme, 0x88, 2), 0x2810);
	assert_int_equal(sim_get(card, PCI_BAR0 + 12, 4), CARD_BAR + 0x40000);
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

	setup(NULL);
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

/* --- refusals --------------------------------------------------------------------------------------------------------- */

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
	machine.devices[0].device = 32;
	expect_refusal(HV_BAD_INPUT, "no such place");
	machine.devices[0].device = 5;
	strcpy(machine.devices[0].name, "disk");
	expect_refusal(HV_BAD_INPUT, "no place of that name");
	strcpy(machine.devices[0].name, "nvme0");
	machine.device_count = 2;
	machine.devices[1] = machine.devices[0];
	assert_int_equal(create(), HV_CONFLICT);                /* its place is taken */
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

	setup(NULL);
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
	sim_bar(nvme, 0, LZR_WINDOW64_END - 0x2000, 0x4000, PCI_BAR_64);
	expect_refusal(HV_BAD_INPUT, "no proper address");
	sim_bar(nvme, 0, 0, 0x4000, PCI_BAR_64);
	expect_refusal(HV_BAD_INPUT, "no proper address");
	sim_bar(nvme, 0, NVME_BAR, 0x4000, PCI_BAR_64);
	nvme->bar_mask[0] = 0xffff5000;                         /* answers sizing with nonsense */
	expect_refusal(HV_BAD_INPUT, "not a power of two");
	sim_bar(nvme, 0, NVME_BAR, 0x4000, PCI_BAR_64);
	sim_put(nvme, PCI_BAR0 + 20, 4, PCI_BAR_64);
	expect_refusal(HV_BAD_INPUT, "unknown type");
	sim_put(nvme, PCI_BAR0 + 20, 4, 0);
	sim_not_owned = NVME_BAR + 0x3000;
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

/* --- configuration space ---------------------------------------------------------------------------------------------- */

static void shows_the_allowed_registers(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	card->config[PCI_HEADER] = PCI_HEADER_MULTIFUNCTION;    /* says so, though it is alone */
	sim_capability(card, 0xf0, 0x09);                       /* vendor-specific: hidden */
	card->config[PCI_INTERRUPT_LINE + 1] = 1;
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(assigned_config_read(d, 0, 4), 0x10d38086);
	assert_int_equal(assigned_config_read(d, PCI_REVISION, 4), 0x02000003);
	assert_int_equal(assigned_config_read(d, PCI_SUBSYSTEM, 4), 0x11001af4);
	assert_int_equal(assigned_config_read(d, PCI_HEADER, 1), 0);
	assert_int_equal(assigned_config_read(d, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	assert_int_equal(assigned_config_read(d, PCI_STATUS, 2), PCI_STATUS_CAPABILITIES);
	assert_int_equal(assigned_config_read(d, PCI_BAR0 + 8, 4), 0);          /* I/O */
	assert_int_equal(assigned_config_read(d, PCI_ROM, 4), 0);
	assert_int_equal(assigned_config_read(d, PCI_INTERRUPT_LINE + 1, 1), 0);
	unsigned seen = 0;
	for (unsigned at = assigned_config_read(d, PCI_CAPABILITIES, 1); at; at = assigned_config_read(d, at + 1, 1)) {
		static const uint8_t ids[] = { [0xa0 / 8] = PCI_CAP_MSIX, [0xc8 / 8] = PCI_CAP_PM,
					       [0xd0 / 8] = PCI_CAP_MSI, [0xe0 / 8] = PCI_CAP_EXPRESS };
		assert_int_equal(assigned_config_read(d, at, 1), ids[at / 8]);
		assert_in_range(++seen, 1, 4);
	}
	assert_int_equal(seen, 4);
	assert_int_equal(assigned_config_read(d, 0xa2, 2), 4);
	assert_int_equal(assigned_config_read(d, 0xe2, 2), 0x91);               /* shown as integrated */
	assert_int_equal(assigned_config_read(d, 0xd2, 2), PCI_MSI_64);
	assert_int_equal(assigned_config_read(d, 2, 4), 0xffffffff);            /* unaligned */
	assert_int_equal(assigned_config_read(d, 256, 4), 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0, 3), 0xffffffff);
}

static void limits_the_table_and_hides_flr(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(assigned_config_read(vms[0].assigned[0], 0x42, 2), ASSIGN_VECTOR_MAX - 1);
	assert_int_equal(assigned_config_read(vms[0].assigned[0], 0x84, 4), 1);
}

static void bars_answer_sizing_and_do_not_move(void **state)
{
	struct assigned *d;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[0];
	assert_int_equal(assigned_config_read(d, 0x10, 4), (uint32_t)NVME_BAR | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), NVME_BAR >> 32);
	assigned_config_write(d, 0x10, 4, 0xffffffff);
	assigned_config_write(d, 0x14, 4, 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0x10, 4), 0xffffc000 | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0x12, 2), 0xffff);
	assert_int_equal(assigned_config_read(d, 0x11, 1), 0xc0);
	assigned_config_write(d, 0x10, 4, 0x12340000);
	assigned_config_write(d, 0x14, 4, 0x56);
	assigned_config_write(d, 0x12, 2, 0x7777);
	assert_int_equal(assigned_config_read(d, 0x10, 4), (uint32_t)NVME_BAR | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), NVME_BAR >> 32);
	assigned_config_write(d, 0x18, 4, 0xfffffff0);
	assert_int_equal(assigned_config_read(d, 0x18, 4), 0);
	assert_int_equal(sim_get(nvme, PCI_BAR0, 4), (uint32_t)NVME_BAR | PCI_BAR_64);
}

/* Whatever the guest writes, wherever, only bus mastering, MSI enable and MSI-X enable of the real function may change. */
static void writes_reach_nothing_else(void **state)
{
	static const uint32_t values[] = { 0, 0xffffffff, 0x55555555, 0xaaaaaaaa, 0x80008000, 0x00010001 };
	uint8_t before[256];
	struct assigned *d;

	(void)state;
	use_card();
	memset(card->writable + 0x40, 0xff, 0xc0);              /* the function itself would take anything */
	card->writable[PCI_COMMAND] = card->writable[PCI_COMMAND + 1] = 0xff;
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	memcpy(before, card->config, 256);
	for (unsigned size = 1; size <= 4; size *= 2) {
		for (unsigned offset = 0; offset < 256; offset += size) {
			for (unsigned v = 0; v < ARRAY_LENGTH(values); v++) {
				uint8_t now[256];

				assigned_config_write(d, offset, size, values[v]);
				memcpy(now, card->config, 256);
				now[PCI_COMMAND] &= (uint8_t)~PCI_COMMAND_MASTER;
				now[0xa3] &= 0x7f;
				now[0xd2] &= 0xfe;
				assert_memory_equal(now, before, 256);
				for (unsigned i = 0; i < 256; i++) {
					bool open = d->writable[i] || (i >= 0x10 && i < 0x28);

					assert_true(open || assigned_config_read(d, i, 1) == d->initial[i]);
				}
			}
		}
	}
}

static void masters_the_bus_only_while_its_vm_runs(void **state)
{
	struct assigned *d;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[0];
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assigned_config_write(d, 0x42, 2, PCI_MSIX_ENABLE);
	assert_false(nvme->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_int_equal(nvme->config[0x43] & 0x80, 0);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_false(nvme->config[PCI_COMMAND] & PCI_COMMAND_MASTER);           /* a new start: not asked yet */
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);           /* decode off: ours stays on */
	assigned_config_write(d, 0x42, 2, PCI_MSIX_ENABLE);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2),
			 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	assert_int_equal(nvme->config[0x43] & 0xc0, 0x80);
	devices_vm_stopped(&vms[0]);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
}

/* --- start, stop -------------------------------------------------------------------------------------------------------- */

static void starts_and_stops_in_order(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	sim_events[0] = 0;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_memory_equal(sim_events, "attach master+18 irq+100:1:", 27);     /* context entry, then the bridge */
	sim_events[0] = 0;
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_string_equal(sim_events, "master+100");
	sim_events[0] = 0;
	devices_vm_stopped(&vms[0]);
	assert_string_equal(sim_events, "master-100 irq- irq- irq- irq- irq- busreset detach master-18");
	sim_events[0] = 0;
	devices_vm_stopped(&vms[0]);                            /* again: nothing */
	assert_string_equal(sim_events, "");
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);   /* the reset begun at the stop is finished here */
	assert_int_equal(sim_get(card, PCI_BAR0, 4), CARD_BAR);
	assert_null(strstr(sim_events, "busreset"));
	devices_vm_stopped(&vms[0]);
}

static void waits_for_the_reset_to_settle(void **state)
{
	uint64_t stopped;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	stopped = sim_time;
	devices_vm_stopped(&vms[0]);
	assert_in_range(sim_time - stopped, 0, 20000000);       /* the stop itself waits for nothing long */
	assert_false(devices_vm_ready(&vms[0]));
	assert_true(devices_vm_ready(&vms[1]));
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_true(sim_time - stopped >= 100000000);
	assert_true(devices_vm_ready(&vms[0]));
	devices_vm_stopped(&vms[0]);
}

static void a_device_that_fails_stays_off(void **state)
{
	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	attach_says = HV_TIMEOUT;
	assert_int_equal(devices_vm_started(&vms[0]), HV_TIMEOUT);
	assert_false(port->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	attach_says = HV_OK;
	set_says = HV_TIMEOUT;
	sim_events[0] = 0;
	assert_int_equal(devices_vm_started(&vms[0]), HV_TIMEOUT);
	assert_string_equal(sim_events,
			    "attach master+18 irq! irq- irq- irq- irq- irq- busreset detach master-18");
	set_says = HV_OK;
	detach_says = HV_TIMEOUT;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	devices_vm_stopped(&vms[0]);
	assert_true(sim_heard("could not be detached"));
	card->resets = false;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	devices_vm_stopped(&vms[0]);
	assert_int_equal(devices_vm_started(&vms[0]), HV_UNSUPPORTED);          /* the last reset did not happen */
	assert_true(sim_heard("was not reset"));
}

/* --- interrupts --------------------------------------------------------------------------------------------------------- */

static void write_entry(struct assigned *d, unsigned index, uint32_t address, uint32_t data, uint32_t control)
{
	uint32_t entry[4] = { address, 0, data, control };

	memcpy(d->overlay + 16 * index, entry, sizeof(entry));
}

static void delivers_the_guests_message(void **state)
{
	const uint32_t *real;
	struct assigned *d;

	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	real = sim_mmio(CARD_BAR + 0x40000);
	assert_int_equal(real[4], 0xfee00010 | 101 << 5);       /* remappable, never what the guest wrote */
	assert_int_equal(real[7], 0);
	assert_int_equal(d->overlay[12], 1);                    /* masked after a reset */
	write_entry(d, 1, 0xfee01000, 0x31, 0);
	sim_cpu = d->irqs[1].cpu;
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 0);                     /* not enabled */
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.address, 0xfee01000);
	assert_int_equal(sim_msi.data, 0x31);
	sim_cpu = !sim_cpu;
	devices_irq(HOST_VECTOR_DEVICE_LAST);                   /* nobody's */
	devices_irq(0x20);
	assert_int_equal(sim_msi.count, 1);
	devices_vm_stopped(&vms[0]);
	sim_cpu = d->irqs[1].cpu;
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 1);
}

static void keeps_masked_interrupts(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);
	sim_cpu = d->irqs[2].cpu;
	write_entry(d, 2, 0xfee00000, 0x40, 1);
	devices_irq(d->irqs[2].vector);
	devices_irq(d->irqs[2].vector);
	devices_poll(&vms[0]);
	assert_int_equal(sim_msi.count, 0);
	write_entry(d, 2, 0xfee00000, 0x41, 0);
	devices_poll(&vms[0]);
	devices_poll(&vms[0]);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.data, 0x41);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
	devices_irq(d->irqs[2].vector);
	assert_int_equal(sim_msi.count, 1);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);     /* unmasking exits: delivered at once */
	assert_int_equal(sim_msi.count, 2);
	devices_vm_stopped(&vms[0]);
}

static void delivers_plain_msi(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_int_equal(sim_get(card, 0xd4, 4), 0xfee00010 | 100 << 5);
	assigned_config_write(d, 0xd4, 4, 0xfee02000);
	assigned_config_write(d, 0xdc, 2, 0x52);
	assigned_config_write(d, 0xd2, 2, PCI_MSI_ENABLE | 0x70);
	assert_int_equal(sim_get(card, 0xd2, 2), PCI_MSI_64 | PCI_MSI_ENABLE);  /* one message, ours */
	assert_int_equal(sim_get(card, 0xd4, 4), 0xfee00010 | 100 << 5);
	sim_cpu = d->irqs[0].cpu;
	devices_irq(d->irqs[0].vector);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.address, 0xfee02000);
	assert_int_equal(sim_msi.data, 0x52);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);     /* MSI-X takes precedence */
	assert_int_equal(sim_get(card, 0xd2, 2), PCI_MSI_64);
	devices_vm_stopped(&vms[0]);
}

static void spreads_interrupts_over_the_vcpus_cpus(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	for (unsigned i = 0; i < ASSIGN_VECTOR_MAX; i++)
		assert_int_equal(vms[0].assigned[0]->irqs[i].cpu, i % 2 ? 0 : 1);
}

/* --- the digest's bytes ---------------------------------------------------------------------------------------------------- */

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
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(maps_bars_and_hides_the_table), TEST(restores_bars_after_the_reset), TEST(grants_the_tpm_page_only),
		TEST(refuses_without_an_iommu), TEST(refuses_what_is_not_as_the_policy_says),
		TEST(refuses_what_the_iommu_cannot_confine), TEST(refuses_shared_groups), TEST(refuses_what_cannot_be_reset),
		TEST(resets_by_advanced_features), TEST(refuses_bars_that_do_not_fit), TEST(refuses_bars_that_share_a_page),
		TEST(refuses_tables_it_cannot_hide), TEST(refuses_odd_capabilities), TEST(shows_the_allowed_registers),
		TEST(limits_the_table_and_hides_flr), TEST(bars_answer_sizing_and_do_not_move),
		TEST(writes_reach_nothing_else), TEST(masters_the_bus_only_while_its_vm_runs), TEST(starts_and_stops_in_order),
		TEST(waits_for_the_reset_to_settle), TEST(a_device_that_fails_stays_off), TEST(delivers_the_guests_message),
		TEST(keeps_masked_interrupts), TEST(delivers_plain_msi), TEST(spreads_interrupts_over_the_vcpus_cpus),
		TEST(describes_canonically),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
