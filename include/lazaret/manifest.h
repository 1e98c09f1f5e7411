/* SPDX-License-Identifier: MIT */
/*
 * VM manifest, version 1: the flattened device tree that describes a VM image.  tools/vmimage writes it, the hypervisor
 * reads it, and its SHA-384 is the VM's measurement.  Nothing in it depends on the machine.
 *
 * Cells are big-endian, as everywhere in a device tree; <u64> is two cells.  Unknown properties and nodes are refused.
 *
 *  / {
 *      compatible = "lazaret,manifest-1";
 *      image = "red";                          name of the image: the manifest file's name in the boot list
 *      memory = <u64>;                         bytes of RAM, multiple of 2 MiB; RAM is [0, memory) without holes
 *      vcpus = <u32>;                          1..LZR_VCPU_MAX
 *      cpuid = [ struct lzr_manifest_cpuid ]   sorted by leaf, subleaf; a leaf that is not listed reads all zero
 *      msr = [ struct lzr_manifest_msr ]       sorted by msr; one that is not listed gives #GP(0)
 *      segments {                              loaded in node order, not overlapping, inside RAM
 *          segment@GPA { file = "name"; gpa = <u64>; length = <u64>; sha384 = [48 bytes]; };
 *      };                                      length: of the file, whole; the rest of RAM is zero
 *      state {                                 of vCPU 0; the others wait for INIT/SIPI.  RFLAGS = 2, interrupts off
 *          mode = "long64" | "protected32";    flat segments; protected32 = paging off (PVH)
 *          rip, rsp, rsi, rbx, cr3 = <u64>;    cr3 only in long64, the tables are in a segment
 *      };
 *      host-bridge { config = [256 bytes]; };  PCI 00:00.0, read-only
 *      ports { ... };                          see LZR_PORT_*; absent: that facility does not exist
 *      vdev@SLOT {                             a virtio device at PCI 00:SLOT.0; on the bus only if the policy links it
 *          name = "net0";                      what the policy calls it
 *          slot = <u32>;                       1..31
 *          config = [256 bytes];               configuration space at reset
 *          writable = [256 bytes];             which bits the guest may change
 *          io-base = <u32>;                    BAR 0's port, multiple of LZR_VIRTIO_BAR_SIZE; the BAR does not move
 *          msix = <cap vectors gpa-hi gpa-lo>; capability's offset, table size, BAR 1's page (outside RAM, below 4 GiB)
 *          features = <u64>;                   offered; VIRTIO_F_VERSION_1 set
 *          queues = <u32>;                     even; pair n = queues 2n, 2n+1
 *          queue-size = <u32>;                 maximum, power of two up to LZR_VIRTIO_QUEUE_MAX
 *          device-config = [0..32 bytes];
 *          service;                            present: a service end (lazaret/link.h)
 *          prefix = [0..32 bytes];             of a service end's elements
 *      };
 *      assign@SLOT {                           place for an assigned PCI function, filled only if the policy says so
 *          name = "nvme0"; slot = <u32>;
 *          class = <u32>;                      the 24-bit class code that must be found there
 *      };
 *      mmio@GPA { name = "tpm"; gpa = <u64>; length = <u64>; };  place for an assigned platform device's page(s)
 *  };
 */
#ifndef LAZARET_MANIFEST_H
#define LAZARET_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#define LZR_MANIFEST_COMPATIBLE "lazaret,manifest-1"
#define LZR_MANIFEST_MAX (256u << 10)   /* bytes */
#define LZR_VCPU_MAX 8u
#define LZR_SEGMENT_MAX 16u
#define LZR_VDEV_MAX 24u                /* vdev and assign nodes of a VM together */
#define LZR_MEMORY_GRANULE (2u << 20)

/*
 * One CPUID row (all fields big-endian in the tree).  Each output register is
 *     fixed | (host & mask) | computed
 * where host is what the physical CPU answers for leaf and subleaf, and the hypervisor computes the fields named by
 * `computed` (it clears them first).
 */
#define LZR_CPUID_ANY_SUBLEAF 0xffffffffu
enum lzr_cpuid_computed {
	LZR_CPUID_NONE = 0,
	LZR_CPUID_FEATURES = 1,         /* leaf 1: EBX[31:24] initial APIC id, EBX[23:16] vCPUs, ECX.OSXSAVE from CR4 */
	LZR_CPUID_TOPOLOGY = 2,         /* leaf 0xB: SMT level of 1, core level of all vCPUs, EDX = x2APIC id */
	LZR_CPUID_XSAVE = 3,            /* leaf 0xD: EBX = size for the current XCR0 */
	LZR_CPUID_ADDRESS = 4,          /* leaf 0x80000008: EAX[7:0] = physical width that the nested tables cover */
	LZR_CPUID_TSC = 5,              /* hypervisor timing leaf: EAX = TSC kHz */
};
struct lzr_manifest_cpuid {
	uint32_t leaf;
	uint32_t subleaf;               /* or LZR_CPUID_ANY_SUBLEAF */
	uint32_t computed;              /* enum lzr_cpuid_computed */
	uint32_t fixed[4];              /* EAX, EBX, ECX, EDX */
	uint32_t mask[4];
};
_Static_assert(sizeof(struct lzr_manifest_cpuid) == 44, "cpuid row layout");

enum lzr_msr_rule {
	LZR_MSR_FIXED = 1,              /* reads give `value`, writes are ignored */
	LZR_MSR_SHADOW = 2,             /* per-vCPU storage, starts as `value`; only bits in `mask` change, else #GP */
	LZR_MSR_PASS = 3,               /* the CPU's own, switched per vCPU; only those on a closed list */
	LZR_MSR_EMULATED = 4,           /* the hypervisor's handler; only those on its closed list */
};
struct lzr_manifest_msr {
	uint32_t msr;
	uint32_t rule;                  /* enum lzr_msr_rule */
	uint32_t value_hi, value_lo;
	uint32_t mask_hi, mask_lo;
};
_Static_assert(sizeof(struct lzr_manifest_msr) == 24, "msr row layout");

/* MSRs of the closed lists.  PASS: TSC read, FS/GS/kernel GS base, STAR.., SYSENTER.., TSC_AUX, PAT. */

/*
 * ports node, each <u32> base port:
 *   uart     8 ports, a 16550A without interrupt (console, output and input)
 *   power    3 ports: +0 ACPI sleep control (write 0x34: S5), +1 sleep status (reads 0), +2 reset (any write)
 *   debug    1 port, write a console character (for bare-metal guests and benchmarks, usually 0xE9)
 * PCI configuration (0xCF8..0xCFF) is always there.
 */
#define LZR_PORT_UART "uart"
#define LZR_PORT_POWER "power"
#define LZR_PORT_DEBUG "debug"

/* The guest-physical windows every Linux image's DSDT declares; an assigned BAR outside them refuses the assignment. */
#define LZR_WINDOW32_BASE 0x80000000ull
#define LZR_WINDOW32_END 0xfec00000ull
#define LZR_WINDOW64_BASE 0xc000000000ull
#define LZR_WINDOW64_END 0x10000000000ull
#define LZR_VDEV_MSIX_BASE 0xfe000000ull        /* vdev MSI-X pages: base + slot * 4 KiB */
#define LZR_VDEV_IO_BASE 0xc000u                /* vdev I/O BARs: base + slot * 128 */

#endif
