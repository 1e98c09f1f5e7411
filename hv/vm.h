/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMs and vCPUs as the parts of the hypervisor see each other's.
 *
 * Legend of the member letters: [I] immutable after create, [v] only the CPU that runs the vCPU, [a] atomic,
 * [d] under the VM's device lock.
 */
#ifndef HV_VM_H
#define HV_VM_H

#include "config.h"
#include "platform.h"

struct vdev;
struct assigned;
struct vcpu;

struct vm {
	const struct vm_config *config;         /* [I] */
	const struct image_config *image;       /* [I] */
	unsigned number;                        /* [I] */
	hpa_t ram;                              /* [I] contiguous, 2 MiB aligned; gpa 0 is here */
	void *nested;                           /* [I] root of the nested tables, owned by the cpu backend */
	void *domain;                           /* [I] owned by the iommu backend, NULL without devices */
	struct vcpu *vcpus[LZR_VCPU_MAX];       /* [I] */
	struct vdev *vdevs[LZR_VDEV_MAX];       /* [I] same index as image->vdevs; NULL: not linked, not on the bus */
	struct assigned *assigned[LZR_VDEV_MAX];        /* [I] same index as image->assigns; NULL: empty place */
	struct spinlock lock;                   /* device lock: vdevs, configuration space, links */
	uint64_t instance;                      /* [a] how often it was started */
	uint32_t state;                         /* [a] enum lzr_vm_state */
	uint32_t reason;                        /* [a] enum lzr_stop_reason */
	uint64_t epoch;                         /* [a] rises behind each change of one of these */
};

extern struct vm vms[LZR_VM_MAX];

/* --- vm.c, vlapic.c, npt.c: what devices need --------------------------------------------------------------------- */

/* Bytes of guest RAM in root mode's map; NULL unless [address, address + length) lies in RAM.  Contents are hostile. */
void *guest_ptr(struct vm *vm, gpa_t address, uint64_t length);
/* Copies; false unless the whole range lies in RAM. */
HV_MUST_CHECK bool guest_write(struct vm *vm, gpa_t address, const void *in, uint64_t length);

#define MAP_READ 1u
#define MAP_WRITE 2u
#define MAP_EXECUTE 4u
#define MAP_UNCACHED 8u
/* Maps pages that mem_check_owner gives to this VM.  Before the VM's first start only. */
HV_MUST_CHECK enum hv_err vm_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags);
/*
 * Zeroed RAM of the VM in the place of device registers; *out is the hypervisor's view of it.  A guest maps registers
 * uncached, so both views are: one page with two memory types may lose writes.  Before the first start only.
 */
HV_MUST_CHECK enum hv_err vm_map_registers(struct vm *vm, gpa_t at, uint64_t length, void **out);

/* Delivers a message-signalled interrupt as the guest wrote it (address 0xFEExxxxx, data); anything else is dropped. */
void vm_msi(struct vm *vm, uint64_t address, uint32_t data);
/* Stops the VM (all vCPUs, devices, links); safe from any CPU, takes effect before the next VM entry. */
void vm_stop(struct vm *vm, enum lzr_stop_reason reason, uint64_t detail);

/* Makes a virtual interrupt pending and wakes the vCPU wherever it is; safe from any CPU. */
void vcpu_post_irq(struct vcpu *vcpu, uint8_t vector);

/* Creates every VM of `machine` (RAM, nested tables, vCPUs) without starting any; before the seal. */
HV_MUST_CHECK enum hv_err vms_create(void);
/* Loads pristine segments, counts a new instance and makes the vCPUs runnable; at boot and for each restart. */
HV_MUST_CHECK enum hv_err vm_start(struct vm *vm);
/* The scheduler of this CPU; each CPU ends its start-up here. */
void sched_run(void) __attribute__((noreturn));

/* --- virtio.c, link.c, vmsix.c: virtual devices and their links --------------------------------------------------- */

/* Creates the devices and links of the whole machine; before the seal. */
HV_MUST_CHECK enum hv_err links_create(void);
/* I/O BAR access; `value` holds what is written, or receives what is read.  Called without locks. */
void vdev_io(struct vdev *vdev, unsigned offset, unsigned size, bool write, uint32_t *value);
/* Configuration space of the function; offset within 256, size 1, 2 or 4, aligned. */
uint32_t vdev_config_read(struct vdev *vdev, unsigned offset, unsigned size);
void vdev_config_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value);
/* The VM stopped or is about to start: devices to reset state, peers told. */
void links_vm_stopped(struct vm *vm);
void links_vm_started(struct vm *vm);
/* Retries what is pending for a VM (chains left on rings, masked interrupts); at every VM exit that may have changed it
 * and at every tick; bounded work, cheap when there is none. */
void links_poll(struct vm *vm);
/* True when links_poll has chains to move: a VM whose vCPUs all sleep still needs it. */
bool links_pending(const struct vm *vm);

/* --- assign.c, vtd.c: assigned devices ---------------------------------------------------------------------------- */

/* First thing at boot: bus mastering off everywhere, every IOMMU on with everything blocked, interrupt remapping on. */
HV_MUST_CHECK enum hv_err dma_block_all(void);
/* Assigns what the policy names, maps BARs, resets; before the seal.  Says which device and why when it fails. */
HV_MUST_CHECK enum hv_err devices_create(void);
uint32_t assigned_config_read(struct assigned *device, unsigned offset, unsigned size);
void assigned_config_write(struct assigned *device, unsigned offset, unsigned size, uint32_t value);
void devices_vm_stopped(struct vm *vm);         /* bus mastering off, reset, interrupts released */
/* False while a reset that devices_vm_stopped began still settles: starting now would only wait for it. */
bool devices_vm_ready(const struct vm *vm);
HV_MUST_CHECK enum hv_err devices_vm_started(struct vm *vm);
void devices_irq(uint8_t vector);               /* host vector HOST_VECTOR_DEVICE_* arrived on this CPU */
void devices_poll(struct vm *vm);               /* masked-while-pending interrupts, as links_poll */
void dma_fault_irq(void);                       /* HOST_VECTOR_IOMMU */
/* Canonical bytes of the VM's DMA map and interrupt entries, for the digest; before the seal. */
uint32_t devices_describe(const struct vm *vm, uint8_t *out, uint32_t capacity);

#endif
