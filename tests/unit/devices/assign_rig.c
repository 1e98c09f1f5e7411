/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "assign_rig.h"

#define MCFG_BASE 0xb0000000ull

struct image_config image;
struct sim_function *nvme, *card, *port;
uint8_t tpm2[52];
static uint8_t mcfg[60];

/* --- an IOMMU that writes down what it is told ------------------------------------------------------------------ */

enum hv_err source_says, attach_says, detach_says, set_says;
static uint32_t irq_next;
struct dma_state dma_state;
static bool has_iommu;

struct iommu_domain the_domain;

static enum hv_err note(const char *word, enum hv_err err)
{
	sim_log(word);
	return err;
}

static enum hv_err f_attach(struct iommu_domain *d, uint16_t s)
{
	(void)d;
	(void)s;
	return note("attach", attach_says);
}

static enum hv_err f_detach(struct iommu_domain *d, uint16_t s)
{
	(void)d;
	(void)s;
	return note("detach", detach_says);
}

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

const struct iommu_ops f_ops = {
	.attach = f_attach, .detach = f_detach,
	.irq_set = f_irq_set, .irq_clear = f_irq_clear, .irq_message = f_message,
};
static const struct iommu_setup f_setup = {
	.name = "fake", .ops = &f_ops, .source_check = f_check, .source_prepare = f_prepare, .domain_create = f_domain,
	.domain_map = f_map, .irq_allocate = f_allocate,
};

const struct iommu_setup *iommu_setup(void) { return has_iommu ? &f_setup : NULL; }
void dma_poll(void) { }

/* --- the machine ------------------------------------------------------------------------------------------------ */

static void place(unsigned index, const char *name, uint32_t class_code)
{
	strcpy(image.assigns[index].name, name);
	image.assigns[index].slot = (uint8_t)(index + 4);
	image.assigns[index].class_code = class_code;
}

struct device_config *grant(const char *name, unsigned bus, unsigned device, uint32_t id, bool flr)
{
	struct device_config *config = &machine.devices[machine.device_count++];

	strcpy(config->name, name);
	while (strcmp(image.assigns[config->place].name, name))
		config->place++;
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
	sim_bar(nvme, 0, RIG_NVME_BAR, 0x4000, PCI_BAR_64);
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
	sim_put(port, 0x20, 4, 0xc000c000);                     /* forwards c0000000 to c00fffff */
	card = sim_endpoint(1, 0, 0, 0x10d38086, 0x020000);
	sim_bar(card, 0, RIG_CARD_BAR, 0x20000, 0);
	sim_bar(card, 1, RIG_CARD_BAR + 0x20000, 0x20000, 0);
	card->bar_mask[2] = 0xffffffe0;
	sim_put(card, PCI_BAR0 + 8, 4, 0xc001);
	sim_bar(card, 3, RIG_CARD_BAR + 0x40000, 0x4000, 0);
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

int assign_setup(void **state)
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

int assign_teardown(void **state)
{
	(void)state;
	sim_clear();
	return 0;
}

enum hv_err create(void)
{
	sim_claim_count = assigned_count = 0;
	assert_int_equal(pci_scan(), HV_OK);
	sim_events[0] = 0;
	return devices_create();
}

void use_nvme(void)
{
	add_nvme();
	grant("nvme0", 0, 5, 0x00101b36, true);
}

void use_card(void)
{
	add_card();
	grant("nic0", 1, 0, 0x10d38086, false);
}

void expect_refusal(enum hv_err err, const char *words)
{
	enum hv_err got = create();

	if (got != err || !sim_heard(words))
		fail_msg("expected %u, \"%s\"; found %u, \"%s\"", err, words, got, sim_said);
	for (unsigned i = 0; i < SIM_MAX; i++)
		assert_false(sim[i].present && (sim[i].config[PCI_COMMAND] & PCI_COMMAND_MASTER));
	assert_int_equal(assigned_count, 0);
}
