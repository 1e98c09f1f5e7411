/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU and what the CPU half of the hypervisor keeps per VM.  Private to exit.c, cpuid.c, msr.c, vlapic.c,
 * kvmclock.c, xstate.c, sched.c, vm.c, ioport.c, vuart.c, vpci.c, hypercall.c and the backends.
 *
 * Member letters as in vm.h: [I] immutable after create, [v] only the CPU that the vCPU is placed on, [a] atomic,
 * [d] under the VM's device lock.  A vCPU never leaves the CPU that the policy gave it.
 *
 * Lock order of the whole hypervisor: a VM's device lock, then another VM's device lock by rising VM number, then the
 * locks inside plat's files (console, audit).  Nothing is held across run().
 */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include "cpu.h"

/* Numbers of general registers, as instructions encode them. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct vcpu_regs {                      /* svm_entry.S knows the offsets */
	uint64_t gpr[16];               /* RSP is in the backend's structure */
	uint64_t rip;
	uint64_t rflags;
};
_Static_assert(offsetof(struct vcpu_regs, rip) == 128, "svm_entry.S");

#define RFLAGS_TF 0x100ull
#define RFLAGS_IF 0x200ull
#define RFLAGS_RF 0x10000ull

/* Why the owner should look before it enters again. */
#define ATTENTION_IRQ 1u                /* IRR, TPR or ISR changed */
#define ATTENTION_STOP 2u
#define ATTENTION_INIT 4u
#define ATTENTION_SIPI 8u
#define ATTENTION_TIMER 16u             /* the local APIC's timer was set */

struct vlapic {
	uint64_t irr[4];                /* [a] */
	uint64_t isr[4];                /* [v] */
	uint32_t id;                    /* [I] */
	uint32_t svr;                   /* [v] from here on */
	uint32_t esr, esr_pending;
	uint64_t icr;
	uint32_t lvt[6];                /* timer, thermal, performance, LINT0, LINT1, error */
	uint32_t initial_count, divide;
	uint64_t tsc_deadline;          /* as written; 0: not armed */
	uint64_t timer_start_ns;        /* one-shot and periodic: when the count was written */
	uint64_t timer_ns;              /* next expiry on the hypervisor's clock; 0: not armed */
	uint64_t base;                  /* IA32_APIC_BASE */
};

struct xstate {                         /* what the CPU keeps outside the backend's structure; xstate.c */
	void *area;                     /* [I] XSAVE image */
	uint64_t xcr0;
	uint64_t dr[4];
	uint64_t tsc_aux;
};

enum vcpu_state {
	VCPU_READY = 0,
	VCPU_HALTED,                    /* HLT; waits for an interrupt */
	VCPU_WAIT_SIPI,                 /* INIT received, or never started */
};

#define MSR_SHADOW_MAX 16u
#define APIC_LVTS 6u

struct vcpu {
	struct vcpu_regs regs;          /* [v] first member */
	void *arch;                     /* [I] the backend's */
	struct vm *vm;                  /* [I] */
	struct vm_private *private;     /* [I] of its VM */
	unsigned number;                /* [I] in its VM */
	unsigned cpu;                   /* [I] */
	uint32_t attention;             /* [a] ATTENTION_* */
	uint32_t sipi_vector;           /* [a] */
	bool shadow;                    /* [v] the guest is in an interrupt shadow */
	enum vcpu_state state;          /* [v] */
	uint64_t left_instance;         /* [v] the last instance that it left */
	struct vlapic apic;
	struct xstate xstate;           /* [v] */
	uint64_t shadow_msr[MSR_SHADOW_MAX];    /* [v] LZR_MSR_SHADOW values, by their order in the manifest */
	uint64_t clock_gpa;             /* [v] kvm-clock page as written */
	/* scheduler, [v] */
	uint64_t budget_ns, period_ns;  /* [I] */
	uint64_t period_start, used_ns;
	uint64_t last_ran;              /* hypervisor clock when it last left its CPU */
	bool woken;                     /* became ready since it last ran */
};

#define ONCE_MAX 32u
struct once {                           /* what was audited already in this instance */
	uint32_t count;                 /* [a] */
	uint32_t keys[ONCE_MAX];        /* [a] */
};

struct vuart {                          /* [d] */
	uint8_t ier, lcr, mcr, scratch, dll, dlm, fifo;
	bool thr_pending;               /* "transmitter empty" not yet read from IIR */
	int received;                   /* character waiting (only what loopback sent: there is no input), or -1 */
};

#define IO_SLOTS (0x10000u / LZR_VIRTIO_BAR_SIZE)
#define PCI_SLOTS 32u
#define CPUID_MAX 200u                  /* rows */
#define CPUID_GROUPS 3u                 /* leaves 0, 0x40000000 and 0x80000000 and those that follow */
#define CPUID_GROUP 64u
#define CPUID_SLOTS (CPUID_GROUPS * CPUID_GROUP + 1)    /* the last is everybody else's */

struct cpuid_row {                      /* resolved against the physical CPU at create */
	uint32_t leaf, subleaf;
	uint32_t computed;
	uint32_t reserved;
	uint32_t value[4];
};
_Static_assert(sizeof(struct cpuid_row) == 32, "cheap to index");

/*
 * A VM's phase and instance in one word, so that a CPU that looks sees both of the same moment.  vm_start goes from OFF
 * to RUN, vm_stop from RUN by CLAIMED, while it writes down why, to STOPPING; each vCPU's own CPU then leaves, and the
 * last one to leave reads why and ends the instance: OFF.
 * While a VM is OFF its vCPUs belong to whoever starts it, else each to the CPU that it is placed on.
 */
enum vm_phase { PHASE_OFF = 0, PHASE_RUN = 1, PHASE_STOPPING = 2, PHASE_CLAIMED = 3 };
#define RUN_WORD(instance, phase) ((instance) << 2 | (phase))
#define RUN_PHASE(word) ((enum vm_phase)((word) & 3))
#define RUN_INSTANCE(word) ((word) >> 2)

struct vm_private {
	uint64_t run_word;              /* [a] */
	struct vcpu *vcpus;             /* [I] array of image->vcpus */
	uint32_t to_leave;              /* [a] vCPUs that have not left this instance */
	uint32_t asleep;                /* [a] vCPUs that only INIT or SIPI can wake */
	uint64_t stop_detail;           /* [a] */
	uint32_t restart_wanted;        /* [a] by a control call */
	uint64_t start_ns;              /* hypervisor clock at this instance's start; from here on written while OFF */
	uint64_t load_next;             /* bytes of RAM zeroed, then of segments copied, while a start is under way */
	bool seeded;                    /* [a] LZR_CALL_SEED was answered in this instance */
	struct once msrs, ports, calls;
	struct vuart uart;              /* [d] */
	uint32_t pci_address;           /* [a] 0xCF8 */
	uint8_t io_owner[IO_SLOTS];     /* vdev index + 1 of each block of ports */
	uint8_t pci_owner[PCI_SLOTS];   /* vdev index + 1, or 0x80 | assign index */
	struct cpuid_row *cpuid;        /* [I] sorted by leaf; one more behind the last */
	uint8_t cpuid_first[CPUID_SLOTS];       /* [I] first row of a leaf */
	uint64_t cr4_bits, xcr0_bits;   /* [I] what its CPUID shows */
};

extern struct vm_private vm_privates[LZR_VM_MAX];
static inline struct vm_private *vm_private(const struct vm *vm) { return &vm_privates[vm->number]; }

/* exit.c: true when the vCPU may be entered again at once. */
bool exit_handle(struct vcpu *vcpu, const struct vcpu_exit *exit);
void vcpu_inject_gp(struct vcpu *vcpu);
void vcpu_advance(struct vcpu *vcpu, unsigned length);
/* Once for each key in an instance, and at most ONCE_MAX keys. */
bool once_first(struct once *once, uint32_t key);

/* cpuid.c */
HV_MUST_CHECK enum hv_err cpuid_create(struct vm *vm);
/* cr4.c: what CR4 and XCR0 may hold, from the rows that cpuid_create made. */
void cpuid_bits_create(struct vm *vm);
/* From the vCPU's EAX and ECX into its EAX, EBX, ECX and EDX. */
void cpuid_answer(struct vcpu *vcpu);

/* msr.c: false means #GP(0). */
bool msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
void msr_reset(struct vcpu *vcpu);
HV_MUST_CHECK enum hv_err msr_check(const struct image_config *image);
/* Whether the guest may touch the CPU's own register; only the registers that the backend switches. */
bool msr_passes(const struct image_config *image, uint32_t msr, bool write);

/* vlapic.c */
void vlapic_boot(void);
void vlapic_reset(struct vcpu *vcpu);
void vlapic_init(struct vcpu *vcpu);            /* INIT: all but the ID and the base */
bool vlapic_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool vlapic_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* The vector that outranks what is in service and the task priority, or -1. */
int vlapic_deliverable(const struct vcpu *vcpu);
/* The highest pending vector, if it outranks what is in service whatever the task priority is; or -1. */
int vlapic_waiting(const struct vcpu *vcpu);
void vlapic_accept(struct vcpu *vcpu, uint8_t vector);
/* Makes the timer's interrupt pending if its time has come. */
void vlapic_tick(struct vcpu *vcpu, uint64_t now_ns);

/* kvmclock.c */
bool kvmclock_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
bool kvmclock_read(const struct vcpu *vcpu, uint32_t msr, uint64_t *value);

/* xstate.c */
HV_MUST_CHECK enum hv_err xstate_probe(void);
HV_MUST_CHECK enum hv_err xstate_create(struct vcpu *vcpu);
void xstate_cpu_init(void);
void xstate_reset(struct vcpu *vcpu);
void xstate_load(const struct vcpu *vcpu);
void xstate_save(struct vcpu *vcpu);
bool xstate_set_xcr0(uint64_t value);
void xstate_set_tsc_aux(struct vcpu *vcpu, uint32_t value);
void xstate_flush_predictors(void);

/* ioport.c, vuart.c, vpci.c: `value` holds what is written, or receives what is read. */
enum io_result { IO_DONE, IO_UNCLAIMED };
void ioport_access(struct vcpu *vcpu, const struct vcpu_exit *exit);
void vuart_reset(struct vuart *uart);
/* The character that goes out, or -1: writing it may take long, so that is done without the device lock. */
int vuart_access(struct vuart *uart, unsigned reg, bool write, uint8_t *value);
void vpci_reset(struct vm *vm);
enum io_result vpci_access(struct vm *vm, unsigned port, unsigned size, bool write, uint32_t *value);

/* hypercall.c */
void hypercall(struct vcpu *vcpu);

/* vm.c */
/* A vCPU's CPU has let go of it after a stop; the last one ends the instance and may start the next. */
void vm_vcpu_left(struct vm *vm);
/* One bounded step of a start that is under way; true when the VM runs or could not be started. */
bool vm_start_step(struct vm *vm);
enum lzr_status vm_control(struct vm *vm, bool restart);
/* One more or fewer vCPU that only INIT or SIPI can wake; when all are, the VM stops. */
void vm_sleepers_add(struct vm *vm, int change);

/* sched.c */
HV_MUST_CHECK enum hv_err sched_add(struct vcpu *vcpu);
/* Tells the vCPU's CPU to look. */
void vcpu_attention(struct vcpu *vcpu, uint32_t bits);
/* This CPU starts the VM, piece by piece between other work. */
void sched_start_later(struct vm *vm);

#endif
