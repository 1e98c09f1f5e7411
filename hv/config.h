/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy and the manifests as plain structures: filled once, before the seal, by policy.c and manifest.c from bytes
 * in the hypervisor's own memory whose signature and digests were checked; read-only afterwards.
 */
#ifndef HV_CONFIG_H
#define HV_CONFIG_H

#include <lazaret/boot.h>
#include <lazaret/label.h>
#include <lazaret/link.h>
#include <lazaret/manifest.h>
#include <lazaret/policy.h>

#include "types.h"

struct segment_config {
	char file[LZR_NAME_MAX];
	uint64_t gpa;
	uint64_t length;
	uint8_t sha384[LZR_DIGEST_SIZE];
	hpa_t source;                   /* pristine bytes, page aligned; set once its digest was found right */
};

struct vdev_config {
	char name[LZR_NAME_MAX];
	uint8_t slot;
	uint8_t config[256];
	uint8_t writable[256];
	uint16_t io_base;
	uint16_t msix_cap;
	uint16_t msix_vectors;
	uint64_t msix_gpa;
	uint64_t features;
	uint16_t queues;
	uint16_t queue_size;
	uint8_t device_config[LZR_VIRTIO_DEVICE_MAX];
	uint8_t device_config_length;
	bool service;
	uint8_t prefix[32];
	uint8_t prefix_length;
};

struct assign_config {                  /* a place for a PCI function, or (mmio) for a platform device's pages */
	char name[LZR_NAME_MAX];
	bool mmio;
	uint8_t slot;
	uint32_t class_code;
	uint64_t gpa;
	uint64_t length;
};

struct image_config {                   /* one manifest */
	char name[LZR_NAME_MAX];
	uint8_t measurement[LZR_DIGEST_SIZE];
	uint64_t memory;
	uint32_t vcpus;
	bool long64;
	uint64_t rip, rsp, rsi, rbx, cr3;
	uint8_t host_bridge[256];
	uint16_t uart, power, debug;    /* 0: absent */
	uint32_t cpuid_count, msr_count, segment_count, vdev_count, assign_count;
	const struct lzr_manifest_cpuid *cpuid;         /* host byte order, sorted */
	const struct lzr_manifest_msr *msr;             /* host byte order, sorted */
	struct segment_config segments[LZR_SEGMENT_MAX];
	struct vdev_config vdevs[LZR_VDEV_MAX];
	struct assign_config assigns[LZR_VDEV_MAX];
};

#define VM_SERVICE 1u
#define VM_MEASURE_ONLY 2u
#define VM_FIREWALL_BYPASS 8u

enum vm_right { RIGHT_INTROSPECTS, RIGHT_CONTROLS, RIGHT_READS_AUDIT, RIGHT_ATTESTS, RIGHT_COUNT };
_Static_assert(LZR_VM_MAX <= 64, "a right is a 64-bit mask of VMs");

struct vm_config {
	char name[LZR_NAME_MAX];
	const struct image_config *image;
	struct lzr_label label;
	struct lzr_label range_low, range_high;         /* equal to label unless trusted multi-level */
	uint32_t flags;                                 /* VM_* */
	uint64_t rights[RIGHT_COUNT];                   /* bit n: over VM n */
	uint8_t cpus[LZR_VCPU_MAX];
	uint32_t budget_us, period_us;
	uint32_t max_restarts;
};

struct device_config {
	char name[LZR_NAME_MAX];                        /* the manifest's assign@ or mmio@ node in `vm` */
	bool mmio;
	uint8_t steps, location[LZR_LOCATION_MAX];      /* lazaret/policy.h; 0 steps: the policy gives what follows */
	uint8_t bus, device, function;                  /* else assign.c finds them */
	uint16_t vendor_id, device_id;
	uint64_t base, length;                          /* mmio */
	uint8_t vm;
	uint8_t place;                                  /* index in the image's assigns[] */
	bool flr;                                       /* else secondary-bus reset */
	bool bypasses_firewall;
	struct lzr_label label;
};

struct link_end_config {
	uint8_t vm;
	uint8_t vdev;                                   /* index in the image's vdevs[] */
	uint16_t pair;
};

#define NETWORK_ISOLATED 0xffffffffu
struct network_config {
	char name[LZR_NAME_MAX];
	struct lzr_label label;
	uint32_t uplink;                                /* device, or NETWORK_ISOLATED */
};

#define LINK_CHANNEL 0xffffffffu
struct link_config {
	struct link_end_config end[2];
	uint32_t network;                               /* or LINK_CHANNEL */
	struct lzr_label label;
};

struct machine_config {
	uint64_t policy_version;
	bool allow_without_iommu;
	uint32_t required;                              /* LZR_BOOT_* */
	uint8_t signer[LZR_DIGEST_SIZE];                /* SHA-384 of the key file that must sign it; zero: any */
	uint8_t policy_digest[LZR_DIGEST_SIZE];
	uint8_t flow_digest[LZR_DIGEST_SIZE];
	uint32_t image_count, vm_count, device_count, network_count, link_count;
	struct image_config *images;                    /* [LZR_VM_MAX] */
	struct vm_config vms[LZR_VM_MAX];
	struct device_config devices[LZR_DEVICE_MAX];
	struct network_config networks[LZR_NETWORK_MAX];
	struct link_config links[LZR_LINK_MAX];
};

extern struct machine_config machine;

#endif
