/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives devices to VMs as the policy says: every check that can refuse comes before anything is mapped, every device is
 * reset, and none may master the bus before its VM starts.  Gone after the seal.
 */
#include "assign.h"

#define TPM_LOCALITY0 0xfed40000ull     /* TCG PC Client Platform TPM Profile, "TPM Register Space" */
#define TPM2_START_METHOD 48u           /* TCG ACPI Specification, "TPM2" table */
#define TPM2_START_FIFO 6u

static enum hv_err check_identity(const struct assigned *device)
{
	uint32_t id = pci_get(device->at, PCI_VENDOR, 4), class_code = pci_get(device->at, PCI_REVISION, 4) >> 8;
	const struct device_config *config = device->config;

	if ((id & 0xffff) == 0xffff)
		return assign_refuse(device, HV_BAD_INPUT, "there is no device");
	if ((id & 0xffff) != config->vendor_id || id >> 16 != config->device_id) {
		say("%s: expected device %x:%x, found %x:%x", config->name, config->vendor_id, config->device_id,
		    id & 0xffff, id >> 16);
		return assign_refuse(device, HV_BAD_INPUT, "it is another device");
	}
	if (class_code != device->place->class_code) {
		say("%s: expected class %x, found %x", config->name, device->place->class_code, class_code);
		return assign_refuse(device, HV_BAD_INPUT, "it is of another class");
	}
	if ((pci_get(device->at, PCI_HEADER, 1) & PCI_HEADER_TYPE) != PCI_HEADER_ENDPOINT)
		return assign_refuse(device, HV_UNSUPPORTED, "it is a bridge");
	return HV_OK;
}

static void find_capabilities(struct assigned *device)
{
	struct pci_address at = device->at;

	device->pm = (uint8_t)pci_capability(at, PCI_CAP_PM);
	device->msi = (uint8_t)pci_capability(at, PCI_CAP_MSI);
	device->msix = (uint8_t)pci_capability(at, PCI_CAP_MSIX);
	device->af = (uint8_t)pci_capability(at, PCI_CAP_AF);
	device->express = (uint8_t)pci_capability(at, PCI_CAP_EXPRESS);
	if (!device->express)
		return;
	device->express_long = (pci_get(at, device->express + PCI_EXPRESS_FLAGS, 2) & 15) >= 2;
	device->express_control = (uint16_t)pci_get(at, device->express + PCI_EXPRESS_DEVCTL, 2) &
				  (uint16_t)~PCI_EXPRESS_DEVCTL_FLR;
	if (device->express_long) {
		device->express_link = (uint16_t)pci_get(at, device->express + PCI_EXPRESS_LNKCTL, 2);
		device->express_control2 = (uint16_t)pci_get(at, device->express + PCI_EXPRESS_DEVCTL2, 2);
	}
}

/* Their bytes are shown to the guest at the same offsets: one byte cannot be two registers. */
static bool capabilities_overlap(const struct assigned *device)
{
	const struct { unsigned at, length; } all[] = {
		{ device->pm, 8 }, { device->msi, 10 }, { device->msix, 12 }, { device->af, 6 },
		{ device->express, device->express_long ? 0x3c : 0x14 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(all); i++)
		for (unsigned j = 0; j < i; j++)
			if (all[i].at && all[j].at && all[i].at < all[j].at + all[j].length &&
			    all[j].at < all[i].at + all[i].length)
				return true;
	return false;
}

/* A capability that would run past configuration space is not one. */
static enum hv_err check_capabilities(const struct assigned *device)
{
	if (device->pm > 256 - 8 || device->msi > 256 - 24 || device->msix > 256 - 12 || device->af > 256 - 6 ||
	    device->express > 256 - (device->express_long ? 0x3c : 0x14))
		return assign_refuse(device, HV_BAD_INPUT, "a capability reaches beyond configuration space");
	if (capabilities_overlap(device))
		return assign_refuse(device, HV_BAD_INPUT, "two of its capabilities overlap");
	if (!device->msi && !device->msix)
		return assign_refuse(device, HV_UNSUPPORTED, "it has neither MSI nor MSI-X");
	return HV_OK;
}

static enum hv_err choose_reset(struct assigned *device)
{
	if (!device->config->flr) {
		if (device->bridge_count == 0)
			return assign_refuse(device, HV_UNSUPPORTED,
					     "a bus reset needs a port of its own above the device");
		device->reset = ASSIGN_RESET_BUS;
		return HV_OK;
	}
	if (device->express &&
	    (pci_get(device->at, device->express + PCI_EXPRESS_DEVCAP, 4) & PCI_EXPRESS_DEVCAP_FLR)) {
		device->reset = ASSIGN_RESET_FLR;
		return HV_OK;
	}
	if (device->af && (pci_get(device->at, device->af + PCI_AF_CAP, 1) & PCI_AF_FLR)) {
		device->reset = ASSIGN_RESET_AF;
		return HV_OK;
	}
	return assign_refuse(device, HV_UNSUPPORTED,
			     "the policy asks for a function-level reset, which it does not have");
}

static enum hv_err check_source(const struct assigned *device)
{
	switch (iommu_setup()->source_check(device->source)) {
	case HV_OK:
		return HV_OK;
	case HV_CONFLICT:
		return assign_refuse(device, HV_CONFLICT, "the firmware keeps memory for it (RMRR)");
	default:
		return assign_refuse(device, HV_DENIED, "no IOMMU covers it");
	}
}

static enum hv_err check_function(struct assigned *device)
{
	enum hv_err err = check_identity(device);

	if (!err)
		err = check_source(device);
	if (!err)
		err = assign_group_check(device);
	if (err)
		return err;
	find_capabilities(device);
	err = check_capabilities(device);
	return err ? err : choose_reset(device);
}

static enum hv_err create_interrupts(struct assigned *device)
{
	const struct vm *vm = device->vm;
	enum hv_err err;

	if (device->vectors == 0)
		device->vectors = 1;    /* MSI */
	err = iommu_setup()->irq_allocate(device->source, device->vectors, &device->irq_first);
	for (unsigned i = 0; !err && i < device->vectors; i++)
		err = assign_vector(device, i, vm->config->cpus[i % vm->image->vcpus]);
	return err ? assign_refuse(device, err, "no interrupts left for it") : HV_OK;
}

static enum hv_err create_domain(struct vm *vm)
{
	struct iommu_domain *domain;
	enum hv_err err;

	if (vm->domain)
		return HV_OK;
	err = iommu_setup()->domain_create(OWNER_VM0 + vm->number, vm->image->memory, &domain);
	if (!err)
		err = iommu_setup()->domain_map(domain, gpa(0), vm->ram, vm->image->memory);
	if (err) {
		say("%s: no IOMMU domain for its memory (error %u)", vm->config->name, err);
		return err;
	}
	vm->domain = domain;
	return HV_OK;
}

static enum hv_err first_reset(struct assigned *device)
{
	enum hv_err err = reset_begin(device);

	if (!err)
		err = reset_finish(device);
	return err ? assign_refuse(device, err, "it cannot be reset") : HV_OK;
}

/* Down from bus 0, as the firmware numbered the buses; that no other bridge leads there assign_group_check() sees. */
static enum hv_err locate(struct device_config *config)
{
	for (unsigned i = 0; i < config->steps; i++) {
		struct pci_address bridge = { config->bus, config->device, config->function };
		uint8_t below = i ? (uint8_t)pci_get(bridge, PCI_BRIDGE_SECONDARY, 1) : 0;

		if (i && ((pci_get(bridge, PCI_HEADER, 1) & PCI_HEADER_TYPE) != PCI_HEADER_BRIDGE ||
			  below <= bridge.bus)) {
			say("%s: refused: no bridge at %x:%x.%x, step %u of its location, leads further", config->name,
			    bridge.bus, bridge.device, bridge.function, i);
			return HV_BAD_INPUT;
		}
		config->bus = below;
		config->device = config->location[i] >> 3;
		config->function = config->location[i] & 7;
	}
	return HV_OK;
}

static enum hv_err check_once(const struct assigned *device)
{
	for (unsigned i = 0; i < assigned_count; i++)
		if (assigned_devices[i].present && pci_same(assigned_devices[i].at, device->at)) {
			say("%s and %s are the same device", device->config->name, assigned_devices[i].config->name);
			return assign_refuse(device, HV_CONFLICT, "it is given twice");
		}
	return HV_OK;
}

static enum hv_err create_function(struct assigned *device)
{
	static const char *const methods[] = { "FLR", "AF FLR", "bus reset" };
	enum hv_err err;

	device->present = true;
	device->at = (struct pci_address){ device->config->bus, device->config->device, device->config->function };
	device->source = pci_source(device->at);
	err = check_once(device);
	if (!err)
		err = check_function(device);
	if (!err && device->pm)
		pci_change16(device->at, device->pm + PCI_PM_CONTROL, 3, 0);    /* D0 */
	if (!err)
		err = assign_bars_create(device);
	if (!err)
		err = create_interrupts(device);
	if (!err)
		err = create_domain(device->vm);
	if (!err) {
		err = iommu_setup()->source_prepare(device->source);
		if (err)
			return assign_refuse(device, err, "no place for it in the IOMMU's tables");
	}
	if (err)
		return err;
	assign_config_build(device);
	err = first_reset(device);
	if (!err)
		say("%s: %x:%x.%x is %s's, %u interrupts, %s", device->config->name, device->at.bus, device->at.device,
		    device->at.function, device->vm->config->name, device->vectors, methods[device->reset]);
	return err;
}

/* The one platform device that can be assigned: the TPM's first locality. */
static enum hv_err create_platform(struct assigned *device)
{
	const struct device_config *config = device->config;
	const struct assign_config *place = device->place;
	uint32_t length;
	const uint8_t *tpm2 = acpi_table("TPM2", &length);
	enum hv_err err;

	if (config->base != TPM_LOCALITY0 || config->length != PAGE_SIZE || place->length != PAGE_SIZE) {
		say("%s: refused: %lx bytes at %lx: only the TPM's locality 0 (1000 bytes at fed40000) can be assigned",
		    config->name, (unsigned long)config->length, (unsigned long)config->base);
		return HV_UNSUPPORTED;
	}
	if (!tpm2 || length < TPM2_START_METHOD + 4 || tpm2[TPM2_START_METHOD] != TPM2_START_FIFO) {
		say("%s: refused: the firmware describes no TPM with a FIFO interface", config->name);
		return HV_UNSUPPORTED;
	}
	err = mem_claim_mmio(hpa(config->base), config->length, OWNER_VM0 + device->vm->number);
	if (!err)
		err = vm_map(device->vm, gpa(place->gpa), hpa(config->base), config->length,
			     MAP_READ | MAP_WRITE | MAP_UNCACHED);
	if (err)
		say("%s: refused: its page cannot be given to %s (error %u)", config->name,
		    device->vm->config->name, err);
	else
		say("%s: page %lx is %s's", config->name, (unsigned long)config->base, device->vm->config->name);
	return err;
}

static enum hv_err create(struct device_config *config)
{
	struct assigned *device = &assigned_devices[assigned_count];
	enum hv_err err = locate(config);

	if (err)
		return err;

	CHECK(config->vm < machine.vm_count && assigned_count < LZR_DEVICE_MAX);
	device->config = config;
	device->vm = &vms[config->vm];
	device->place = &device->vm->image->assigns[config->place];
	err = config->mmio ? create_platform(device) : create_function(device);
	if (err)
		return err;
	device->vm->assigned[config->place] = device;
	assigned_count++;
	return HV_OK;
}

enum hv_err devices_create(void)
{
	bool confined = dma_state.ops && dma_state.irq_remapped;
	enum hv_err err = HV_OK;

	if (!confined && !machine.allow_without_iommu) {
		say("refused: no IOMMU with interrupt remapping; turn VT-d on in the firmware, or, in a lab, let the "
		    "policy say allow-without-iommu");
		return HV_UNSUPPORTED;
	}
	if (machine.device_count)
		err = registers_claim();
	if (!err && machine.device_count)
		err = pci_ranges_scan();
	for (unsigned i = 0; !err && i < machine.device_count; i++) {
		struct device_config *config = &machine.devices[i];

		if (confined || config->mmio)
			err = create(config);
		else
			say("%s: not assigned: no IOMMU with interrupt remapping (allow-without-iommu)", config->name);
	}
	return err;
}
