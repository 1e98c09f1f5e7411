/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMs: made before the seal, started from their pristine segments, stopped alone, started again if the policy says so.
 */
#include "vcpu.h"

#define LOAD_STEP (2ull << 20)          /* bytes a start clears or copies before the CPU's vCPUs get their turn */

HV_SEALED const struct cpu_backend *cpu_backend;
struct vm vms[LZR_VM_MAX];
struct vm_private vm_privates[LZR_VM_MAX];

/* --- guest memory ------------------------------------------------------------------------------------------------- */

void *guest_ptr(struct vm *vm, gpa_t address, uint64_t length)
{
	uint64_t memory = vm->image->memory;

	if (address.a > memory || length > memory - address.a)
		return NULL;
	return (uint8_t *)hpa_ptr(vm->ram) + guest_index(guest_number(address.a), memory + 1);
}

bool guest_write(struct vm *vm, gpa_t address, const void *in, uint64_t length)
{
	void *to = guest_ptr(vm, address, length);

	if (!to)
		return false;
	__builtin_memcpy(to, in, length);
	return true;
}

/* --- what its record shows ---------------------------------------------------------------------------------------- */

/* Behind each change: no two are under way for one VM, since each belongs to one phase. */
static void vm_changed(struct vm *vm)
{
	__atomic_fetch_add(&vm->epoch, 1, __ATOMIC_SEQ_CST);
}

static void set_state(struct vm *vm, enum lzr_vm_state state)
{
	__atomic_store_n(&vm->state, state, __ATOMIC_RELAXED);
	vm_changed(vm);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static void vcpu_reset(struct vcpu *vcpu)
{
	const struct image_config *image = vcpu->vm->image;
	struct vcpu_start start = { .mode = START_REAL };

	if (vcpu->number == 0)
		start = (struct vcpu_start){
			.mode = image->long64 ? START_LONG64 : START_PROTECTED32,
			.rip = image->rip, .rsp = image->rsp, .rsi = image->rsi, .rbx = image->rbx, .cr3 = image->cr3,
		};
	__atomic_store_n(&vcpu->attention, 0, __ATOMIC_RELAXED);
	cpu_backend->vcpu_reset(vcpu, &start);
	vlapic_reset(vcpu);
	msr_reset(vcpu);
	xstate_reset(vcpu);
	vcpu->clock_gpa = 0;
	vcpu->state = vcpu->number ? VCPU_WAIT_SIPI : VCPU_READY;
	vcpu->woken = false;
	vcpu->used_ns = 0;
}

/* All of RAM, then the segments over it, a piece at a time; true when done. */
static bool load_step(struct vm *vm)
{
	const struct image_config *image = vm->image;
	uint64_t at = vm_private(vm)->load_next, base = image->memory;
	uint8_t *ram = hpa_ptr(vm->ram);

	if (at < base) {
		__builtin_memset(ram + at, 0, LOAD_STEP);       /* memory is a multiple of the step */
		vm_private(vm)->load_next = at + LOAD_STEP;
		return false;
	}
	for (uint32_t i = 0; i < image->segment_count; base += image->segments[i++].length) {
		const struct segment_config *segment = &image->segments[i];
		uint64_t done = at - base, length = segment->length - done;

		if (done >= segment->length)
			continue;
		if (length > LOAD_STEP)
			length = LOAD_STEP;
		__builtin_memcpy(ram + segment->gpa + done, (const uint8_t *)hpa_ptr(segment->source) + done, length);
		vm_private(vm)->load_next = at + length;
		return false;
	}
	return true;
}

static enum hv_err launch(struct vm *vm)
{
	struct vm_private *private = vm_private(vm);
	uint64_t instance = __atomic_add_fetch(&vm->instance, 1, __ATOMIC_SEQ_CST);
	uint32_t vcpus = vm->image->vcpus;
	enum hv_err err;

	vm_changed(vm);
	private->start_ns = time_ns();
	private->seeded = false;
	private->restart_wanted = 0; /* a control call may have come too late for the instance it was about */
	private->msrs.count = private->ports.count = private->calls.count = 0;
	vuart_reset(&private->uart);
	vpci_reset(vm);
	for (uint32_t i = 0; i < vcpus; i++)
		vcpu_reset(vm->vcpus[i]);
	__atomic_store_n(&private->to_leave, vcpus, __ATOMIC_RELAXED);
	__atomic_store_n(&private->asleep, vcpus - 1, __ATOMIC_RELAXED);
	err = devices_vm_started(vm);
	if (err) {
		say("%s: its devices do not start (error %u): it stays off", vm->config->name, (unsigned)err);
		set_state(vm, LZR_VM_DEAD);
		return err;
	}
	links_vm_started(vm);
	set_state(vm, LZR_VM_RUNNING);
	audit(vm->number, LZR_AUDIT_VM_START, instance, 0);
	__atomic_store_n(&private->run_word, RUN_WORD(instance, PHASE_RUN), __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < vcpus; i++)
		if (vm->vcpus[i]->cpu != cpu_current())
			cpu_kick(vm->vcpus[i]->cpu);
	return HV_OK;
}

bool vm_start_step(struct vm *vm)
{
	if (!load_step(vm) || !devices_vm_ready(vm))
		return false;
	(void)!launch(vm);      /* a failure is said and recorded there */
	return true;
}

enum hv_err vm_start(struct vm *vm)
{
	vm_private(vm)->load_next = 0;
	while (!load_step(vm))
		;
	return launch(vm);
}

/* --- stopping ----------------------------------------------------------------------------------------------------- */

void vm_stop(struct vm *vm, enum lzr_stop_reason reason, uint64_t detail)
{
	struct vm_private *private = vm_private(vm);
	uint64_t word = __atomic_load_n(&private->run_word, __ATOMIC_ACQUIRE);

	if (RUN_PHASE(word) != PHASE_RUN ||
	    !__atomic_compare_exchange_n(&private->run_word, &word, RUN_WORD(RUN_INSTANCE(word), PHASE_CLAIMED), false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&private->stop_detail, detail, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->reason, reason, __ATOMIC_RELAXED);
	vm_changed(vm);
	__atomic_store_n(&private->run_word, RUN_WORD(RUN_INSTANCE(word), PHASE_STOPPING), __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < vm->image->vcpus; i++)
		vcpu_attention(vm->vcpus[i], ATTENTION_STOP);
}

static bool has_restarts_left(const struct vm *vm)
{
	return __atomic_load_n(&vm->instance, __ATOMIC_RELAXED) <= vm->config->max_restarts;
}

static bool is_ended_as_told(enum lzr_stop_reason reason)
{
	return reason == LZR_STOP_POWER_OFF || reason == LZR_STOP_CONTROL;
}

static void begin_restart(struct vm *vm)
{
	vm_private(vm)->load_next = 0;
	sched_start_later(vm);
}

/* The last vCPU is out: nothing of this instance runs any more. */
static void end_instance(struct vm *vm)
{
	struct vm_private *private = vm_private(vm);
	enum lzr_stop_reason reason = __atomic_load_n(&vm->reason, __ATOMIC_ACQUIRE);
	bool wanted = __atomic_exchange_n(&private->restart_wanted, 0, __ATOMIC_ACQ_REL);
	bool again = has_restarts_left(vm) && (wanted || !is_ended_as_told(reason));

	devices_vm_stopped(vm);
	links_vm_stopped(vm);
	set_state(vm, is_ended_as_told(reason) ? LZR_VM_STOPPED : LZR_VM_DEAD);
	audit(vm->number, LZR_AUDIT_VM_STOP, reason, private->stop_detail);
	say_about(vm->number, "%s: stopped, reason %u, detail %lx%s", vm->config->name, (unsigned)reason,
		  private->stop_detail, again ? ", starts again" : "");
	__atomic_store_n(&private->run_word, RUN_WORD(vm->instance, PHASE_OFF), __ATOMIC_RELEASE);
	if (again)
		begin_restart(vm);
}

void vm_vcpu_left(struct vm *vm)
{
	if (!__atomic_sub_fetch(&vm_private(vm)->to_leave, 1, __ATOMIC_ACQ_REL))
		end_instance(vm);
}

enum lzr_status vm_control(struct vm *vm, bool restart)
{
	struct vm_private *private = vm_private(vm);

	if (restart && !has_restarts_left(vm))
		return LZR_BUSY;
	if (RUN_PHASE(__atomic_load_n(&private->run_word, __ATOMIC_ACQUIRE)) != PHASE_RUN)
		return LZR_BUSY;
	if (restart)
		__atomic_store_n(&private->restart_wanted, 1, __ATOMIC_RELEASE);
	vm_stop(vm, LZR_STOP_CONTROL, 0);
	return LZR_OK;
}

/*
 * A sleeper clears its INIT and SIPI bits after it has left the count, so whoever sees all asleep, no such bit, and
 * still all asleep knows that nobody can wake any of them.
 */
void vm_sleepers_add(struct vm *vm, int change)
{
	uint32_t *asleep = &vm_private(vm)->asleep, pending = 0;

	if (__atomic_add_fetch(asleep, (uint32_t)change, __ATOMIC_SEQ_CST) != vm->image->vcpus)
		return;
	for (uint32_t i = 0; i < vm->image->vcpus; i++)
		pending |= __atomic_load_n(&vm->vcpus[i]->attention, __ATOMIC_SEQ_CST);
	if (!(pending & (ATTENTION_INIT | ATTENTION_SIPI)) &&
	    __atomic_load_n(asleep, __ATOMIC_SEQ_CST) == vm->image->vcpus)
		vm_stop(vm, LZR_STOP_HALTED, 0);
}
