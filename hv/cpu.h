/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam between the vendor-neutral CPU code (exit.c, sched.c, vm.c, ...) and a virtualisation backend.
 *
 * A backend is one const table.  cpu_probe() picks it once at boot; nothing above this header knows which one runs.
 * The core reads and writes a vCPU's general registers, RIP and RFLAGS in struct vcpu (vcpu.h); the backend moves them
 * to and from the hardware's structure in run().  Everything else goes through the functions here.
 */
#ifndef HV_CPU_H
#define HV_CPU_H

#include "vm.h"

enum exit_kind {
	EXIT_UNKNOWN = 0,       /* stops the VM; detail = the hardware's code */
	EXIT_INTERRUPT,         /* the host has an interrupt pending; nothing happened in the guest */
	EXIT_WINDOW,            /* the requested interrupt window is open */
	EXIT_CPUID,
	EXIT_MSR,               /* write, ECX = number */
	EXIT_HLT,
	EXIT_IO,                /* port, size, write, string */
	EXIT_HYPERCALL,
	EXIT_UNDEFINED,         /* an instruction that does not exist for guests: #UD */
	EXIT_PROTECTION,        /* an instruction that guests may not use: #GP(0) */
	EXIT_IGNORE,            /* an instruction without effect for guests (cache control) */
	EXIT_XSETBV,
	EXIT_REGISTER,          /* an access that register_access does */
	EXIT_REFLECT,           /* an exception intercepted for the host's safety goes back; detail = event */
	EXIT_MEMORY,            /* access outside the VM's map; detail = guest-physical address */
	EXIT_SHUTDOWN,          /* triple fault */
	EXIT_MACHINE_CHECK,
	EXIT_BAD_STATE,         /* the CPU refused the guest's state */
	EXIT_KINDS
};

struct vcpu_exit {
	enum exit_kind kind;
	uint8_t length;         /* of the instruction, where it is stepped over */
	uint8_t size;           /* I/O: 1, 2 or 4 */
	bool write;             /* I/O, MSR */
	bool string;            /* I/O */
	uint16_t port;
	uint64_t detail;
};

/* Start of a vCPU; all else has its architectural value after INIT. */
enum start_mode { START_REAL, START_PROTECTED32, START_LONG64 };
struct vcpu_start {
	enum start_mode mode;
	uint64_t rip, rsp, rsi, rbx, cr3;       /* START_REAL: rip = the SIPI vector's page, << 12 */
};

#define VECTOR_DB 1u
#define VECTOR_BP 3u
#define VECTOR_OF 4u
#define VECTOR_UD 6u
#define VECTOR_GP 13u
#define VECTOR_AC 17u
#define VECTOR_MC 18u

struct cpu_backend {
	const char *name;
	/* Turns virtualisation on for the CPU that calls it; its memory was reserved by probe. */
	enum hv_err (*cpu_init)(void);
	void (*vcpu_reset)(struct vcpu *vcpu, const struct vcpu_start *start);
	/* The CPU ran another vCPU, or none, before this one. */
	void (*load)(struct vcpu *vcpu);
	/* Enters the guest with what is in vcpu->regs and comes back with the exit. */
	void (*run)(struct vcpu *vcpu, struct vcpu_exit *exit);
	/* An event that the next run() delivers first; an interrupt only if the guest can take one. */
	void (*inject_irq)(struct vcpu *vcpu, uint8_t vector);
	void (*inject_exception)(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);
	bool (*event_pending)(const struct vcpu *vcpu);
	/* An instruction was stepped over while RFLAGS.TF or RF was set: what the CPU does then behind one. */
	void (*stepped)(struct vcpu *vcpu);
	/*
	 * Does what EXIT_REGISTER was for, and says in *exit how it ended: EXIT_IGNORE when it is done, an exception
	 * that the guest gets, EXIT_MACHINE_CHECK, or EXIT_INTERRUPT: not done yet, the guest comes to it again.
	 */
	void (*register_access)(struct vcpu *vcpu, struct vcpu_exit *exit);
	/* Asks for EXIT_WINDOW as soon as the guest can take an interrupt of this priority class; 0 takes it back. */
	void (*request_window)(struct vcpu *vcpu, uint8_t priority);
	/* The task priority register, which MOV CR8 changes without an exit. */
	uint8_t (*get_tpr)(const struct vcpu *vcpu);
	void (*set_tpr)(struct vcpu *vcpu, uint8_t tpr);
	uint64_t (*get_cr4)(const struct vcpu *vcpu);
	unsigned (*get_cpl)(const struct vcpu *vcpu);
	/* EFER and PAT as the guest sees them; set_efer is false if the value is not legal now. */
	uint64_t (*get_efer)(const struct vcpu *vcpu);
	bool (*set_efer)(struct vcpu *vcpu, uint64_t value);
	uint64_t (*get_pat)(const struct vcpu *vcpu);
	void (*set_pat)(struct vcpu *vcpu, uint64_t value);
};

/* What a backend does before the seal only, apart so that nothing that stays refers to it. */
struct cpu_backend_boot {
	const struct cpu_backend *run_time;
	/* HV_UNSUPPORTED if the machine lacks it; reserves what every CPU needs. */
	enum hv_err (*probe)(void);
	/* Root of the VM's nested tables, in vm->nested. */
	enum hv_err (*vm_create)(struct vm *vm);
	/* Pages whose owner was checked by the caller. */
	enum hv_err (*map)(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags);
	/* The vCPU's hardware structure, in vcpu->arch; lets the MSRs through that msr_passes() names. */
	enum hv_err (*vcpu_create)(struct vcpu *vcpu);
};

extern const struct cpu_backend *cpu_backend;

#endif
