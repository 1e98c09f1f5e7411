/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls.  VMMCALL (AMD) or VMCALL (Intel) at any privilege level; the VM's policy, not its ring, decides.
 * RAX = call number; arguments RDI, RSI; on return RAX = status, results in RBX, RCX, RDX, RSI; RDI and the rest are
 * kept. The hypervisor never reads or writes the caller's memory for a hypercall.
 */
#ifndef LAZARET_HYPERCALL_H
#define LAZARET_HYPERCALL_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#define LZR_ABI_VERSION 2u

/* Call numbers: append only. */
enum lzr_call {
	LZR_CALL_VERSION = 0,   /* -> RBX = LZR_ABI_VERSION, RCX = own VM number, RDX = own instance; the null call */
	LZR_CALL_READ = 1,      /* RDI = enum lzr_stream, RSI = byte offset, multiple of 32
	                         * -> RBX, RCX, RDX, RSI = the 32 bytes there, zero past the end.  Right: attests, or
	                         * reads-audit for LZR_STREAM_AUDIT.  What is about a VM that the right does not name
	                         * reads as zeros, and so does the audit ring of the hypervisor itself unless the right
	                         * names every VM */
	LZR_CALL_SEED = 2,      /* -> 32 bytes of secret, fresh for each instance, once: the second call is LZR_DENIED.
	                         * Right: service VM */
	LZR_CALL_CLOCK = 3,     /* -> RBX = nanoseconds since hypervisor start; never goes back, the same on all CPUs */
	LZR_CALL_CONTROL = 4,   /* RDI = VM number, RSI = enum lzr_control.  Right: controls that VM */
	LZR_CALL_PEEK = 5,      /* RDI = VM number, RSI = address in that VM's RAM, multiple of 32
	                         * -> RBX, RCX, RDX, RSI = the 32 bytes there; LZR_INVALID outside its RAM, also for
	                         * device registers.  Right: introspects that VM.  It goes on meanwhile: what it writes
	                         * just now may be there in part, each aligned 8 bytes whole.  A stopped VM's memory is
	                         * as it was left, until its next start clears and loads it piece by piece */
	LZR_CALL_DEVICE = 6,    /* RDI = PCI slot -> RBX = level, RCX = categories that the policy gives to the assigned
	                         * function there; LZR_UNKNOWN: there is none in the own VM */
};

enum lzr_control {
	LZR_CONTROL_STOP = 1,
	LZR_CONTROL_RESTART = 2,        /* a new instance from pristine segments; counts against max-restarts */
};

enum lzr_status {
	LZR_OK = 0,
	LZR_UNKNOWN = 1,        /* no such call, stream, VM or operation */
	LZR_DENIED = 2,         /* the policy does not grant it */
	LZR_INVALID = 3,        /* argument out of range */
	LZR_BUSY = 4,           /* not now: already stopping, or no restarts left */
};

/* What LZR_CALL_READ can read.  A stream is a byte sequence made of the structures below. */
enum lzr_stream {
	LZR_STREAM_PLATFORM = 1,        /* one struct lzr_platform_record; the same for as long as the machine runs */
	LZR_STREAM_VMS = 2,             /* struct lzr_vm_record per VM, in VM number order */
	LZR_STREAM_AUDIT = 3,           /* struct lzr_audit_ring of the hypervisor, then one per VM */
	LZR_STREAM_LOG = 4,             /* TCG event log as handed over by the loader, log_length bytes */
	LZR_STREAM_POLICY = 5,          /* the policy as verified, policy_length bytes */
	LZR_STREAM_KEY = 6,             /* the signer key file, key_length bytes */
};

#define LZR_PLATFORM_MEASURED 1u
#define LZR_PLATFORM_LAB 2u
#define LZR_PLATFORM_SECURE_BOOT 4u
#define LZR_PLATFORM_IOMMU 8u           /* all DMA remapped or blocked */
#define LZR_PLATFORM_IRQ_REMAP 16u
#define LZR_PLATFORM_DEVELOPMENT_KEY 32u

struct lzr_platform_record {
	uint32_t version;               /* LZR_ABI_VERSION */
	uint32_t flags;                 /* LZR_PLATFORM_* */
	uint32_t vm_count;
	uint32_t reserved0;
	uint64_t policy_version;
	uint64_t log_length;
	uint64_t policy_length;
	uint64_t key_length;
	uint64_t wall_clock;            /* seconds since 1970 at hypervisor start, 0: unknown */
	uint64_t seal_ns;               /* hypervisor clock when the machine was sealed */
	uint8_t policy[LZR_DIGEST_SIZE];        /* SHA-384 of the policy */
	uint8_t flow[LZR_DIGEST_SIZE];          /* SHA-384 of the policy's networks, channels and rights */
	uint8_t reserved[32];
};
_Static_assert(sizeof(struct lzr_platform_record) == 192, "platform record layout");

enum lzr_vm_state {
	LZR_VM_STOPPED = 0,     /* not started, or ended as told */
	LZR_VM_RUNNING = 1,
	LZR_VM_DEAD = 2,        /* stopped by the hypervisor; `reason` says why */
};

enum lzr_stop_reason {
	LZR_STOP_NONE = 0,
	LZR_STOP_POWER_OFF = 1,         /* ACPI S5 */
	LZR_STOP_RESET = 2,             /* reset port */
	LZR_STOP_TRIPLE_FAULT = 3,
	LZR_STOP_BAD_ACCESS = 4,        /* memory outside the VM's map */
	LZR_STOP_STRING_IO = 5,
	LZR_STOP_UNKNOWN_EXIT = 6,
	LZR_STOP_CONTROL = 7,           /* by a VM with the control right */
	LZR_STOP_HALTED = 8,            /* every vCPU halted with interrupts off */
	LZR_STOP_BAD_STATE = 9,         /* the CPU refused its state */
};

#define LZR_VM_SERVICE 1u               /* a service VM (infrastructure) */
#define LZR_VM_FIREWALL_BYPASS 2u       /* has a network card that is no uplink, or a device that bypasses-firewall */
#define LZR_VM_HAS_DEVICE 4u            /* at least one assigned device */

struct lzr_vm_record {
	uint32_t vm;                    /* number: the policy's order, from 0 */
	uint32_t flags;                 /* LZR_VM_* */
	uint32_t state;                 /* enum lzr_vm_state */
	uint32_t reason;                /* enum lzr_stop_reason of the last stop */
	uint64_t instance;              /* number of the present or last start: this VM's first is 1 */
	uint32_t starts;                /* how often it was started */
	uint32_t restores;              /* how often from saved state; 0 until there is such a thing */
	struct lzr_label label;
	char name[LZR_NAME_MAX];
	uint8_t measurement[LZR_DIGEST_SIZE];
	uint8_t dma[LZR_DIGEST_SIZE];   /* SHA-384 of the DMA map and interrupt-remap entries; zero: no device */
	uint64_t epoch;                 /* rises with each change of this record: who reads the stream twice and finds
	                                 * no difference has seen all of it at one moment */
	uint8_t reserved[8];
};
_Static_assert(sizeof(struct lzr_vm_record) == 208, "vm record layout");
_Static_assert(offsetof(struct lzr_vm_record, dma) == 144, "vm record layout");

enum lzr_audit_event {
	LZR_AUDIT_SEALED = 1,
	LZR_AUDIT_VM_START = 2,         /* arg0 = instance */
	LZR_AUDIT_VM_STOP = 3,          /* arg0 = enum lzr_stop_reason, arg1 = detail (address, exit code) */
	LZR_AUDIT_MSR_DENIED = 4,       /* arg0 = MSR, arg1 = 0 read, 1 write; once per VM instance and MSR, bounded */
	LZR_AUDIT_PORT_UNCLAIMED = 5,   /* arg0 = port; once per VM instance and port, bounded */
	LZR_AUDIT_HYPERCALL_DENIED = 6, /* arg0 = call */
	LZR_AUDIT_DMA_FAULT = 7,        /* arg0 = source id, arg1 = address */
	LZR_AUDIT_LINK_DROP = 9,        /* arg0 = link, arg1 = its messages dropped so far; at each power of two */
	LZR_AUDIT_RING_FAULT = 10,      /* arg0 = PCI slot << 16 | queue, arg1 = enum lzr_ring_fault; needs reset */
};

/* What a driver did to a virtqueue so that its device stopped using it until the next reset. */
enum lzr_ring_fault {
	LZR_RING_GOOD = 0,
	LZR_RING_SIZE = 1,              /* queue size not a power of two up to the maximum */
	LZR_RING_ALIGNMENT = 2,
	LZR_RING_ADDRESS = 3,           /* a ring or a buffer not in the VM's RAM */
	LZR_RING_INDEX = 4,             /* available index too far ahead, or a descriptor beyond the table */
	LZR_RING_CHAIN = 5,             /* chain too long, or a loop */
	LZR_RING_FLAGS = 6,             /* indirect or unknown */
	LZR_RING_ORDER = 7,             /* readable behind writable */
	LZR_RING_LENGTH = 8,            /* empty, or too large */
	LZR_RING_DIRECTION = 9,         /* a receive chain with readable bytes */
	LZR_RING_DUPLICATE = 10,        /* a chain made available again before it was answered */
	LZR_RING_CHANGED = 11,          /* an unanswered chain's writable part shrank */
};

struct lzr_audit_head {
	uint64_t next;                  /* number of the next record: so many there have been */
	uint64_t lost;                  /* and so many more for which there was no room: a record stays for a minute */
	uint64_t reserved[6];
};
_Static_assert(sizeof(struct lzr_audit_head) == 64, "audit head layout");

struct lzr_audit_record {
	uint64_t sequence;              /* in its ring, from 0, without holes */
	uint64_t time_ns;               /* hypervisor clock */
	uint32_t vm;                    /* 0xffffffff: the hypervisor */
	uint32_t event;                 /* enum lzr_audit_event */
	uint64_t arg0;
	uint64_t arg1;
	uint64_t reserved[3];
};
_Static_assert(sizeof(struct lzr_audit_record) == 64, "audit record layout");

/* What the hypervisor noted of itself (ring 0) or of VM n (ring n + 1).  No ring tells of another. */
#define LZR_AUDIT_SLOTS 128u
struct lzr_audit_ring {
	struct lzr_audit_head head;
	struct lzr_audit_record records[LZR_AUDIT_SLOTS];       /* record n at n % LZR_AUDIT_SLOTS */
};

#endif
