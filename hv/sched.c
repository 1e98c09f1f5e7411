/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scheduler: each CPU runs the vCPUs that the policy placed on it, and nothing else.
 *
 * A vCPU has a budget of CPU time in each period.  Those with budget left come first, one that just woke before one
 * that has been running, then whoever waits longest; what is left over is shared by those without budget in turn.  A
 * vCPU that spins thus takes only what nobody else wants.  Work a decision is one pass over this CPU's vCPUs.
 *
 * All of a queue is touched by its own CPU only.  Others reach a vCPU through its attention word, its IRR and its VM's
 * run word, and then kick the CPU; interrupts are off in root mode, so a kick that comes between the look and the VM
 * entry or the halt ends either at once.
 */
#include "percpu.h"
#include "vcpu.h"

#define SLICE_NS 2000000ull
#define TICK_NS 5000000ull              /* alone on its CPU: devices are polled at least this often */
#define SHADOW_TICK_NS 50000ull
#define FEED_NS 1000000ull              /* console lines wait: a FIFO of 16 at 115200 baud lasts for 1.4 ms */
#define CPU_VCPUS_MAX (LZR_VM_MAX * LZR_VCPU_MAX)

struct cpu_queue {
	struct vcpu *vcpus[CPU_VCPUS_MAX];      /* [I] */
	unsigned count;                         /* [I] */
	struct vcpu *loaded;                    /* whose extended state is in the CPU */
	struct vcpu *current;                   /* whose slice is not over */
	uint64_t slice_end;
	uint64_t armed_ns;                      /* what the timer is set to; UINT64_MAX: nothing */
	uint64_t wake_ns;                       /* earliest deadline of a halted vCPU */
	uint64_t starting;                      /* bit n: VM n is being started here */
};

static HV_SEALED struct cpu_queue *queues[LZR_CPU_MAX];

HV_BOOT enum hv_err sched_add(struct vcpu *vcpu)
{
	struct cpu_queue **queue = &queues[vcpu->cpu];

	if (!*queue)
		*queue = mem_alloc_hv((sizeof(**queue) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1), PAGE_SIZE);
	if (!*queue)
		return HV_NO_MEMORY;
	CHECK((*queue)->count < CPU_VCPUS_MAX);
	(*queue)->vcpus[(*queue)->count++] = vcpu;
	return HV_OK;
}

void vcpu_attention(struct vcpu *vcpu, uint32_t bits)
{
	uint32_t before = __atomic_fetch_or(&vcpu->attention, bits, __ATOMIC_ACQ_REL);

	if (bits & ~before && vcpu->cpu != cpu_current())
		cpu_kick(vcpu->cpu);
}

void sched_start_later(struct vm *vm)
{
	queues[cpu_current()]->starting |= 1ull << vm->number;
}

/* --- events of one vCPU ------------------------------------------------------------------------------------------- */

static void start_at_sipi(struct vcpu *vcpu)
{
	uint64_t page = __atomic_load_n(&vcpu->sipi_vector, __ATOMIC_ACQUIRE);
	struct vcpu_start start = { .mode = START_REAL, .rip = page << 12 };

	cpu_backend->vcpu_reset(vcpu, &start);
	vcpu->state = VCPU_READY;
	vm_sleepers_add(vcpu->vm, -1);
}

/* INIT puts it to sleep until SIPI, wherever it was; the bits go last, so that a sleeper on its way up is seen. */
static void take_init_sipi(struct vcpu *vcpu, uint32_t attention)
{
	if (attention & ATTENTION_INIT) {
		bool counted = vcpu->state == VCPU_WAIT_SIPI ||
			       (vcpu->state == VCPU_HALTED && !(vcpu->regs.rflags & RFLAGS_IF));

		vlapic_init(vcpu);
		vcpu->state = VCPU_WAIT_SIPI;
		__atomic_fetch_and(&vcpu->attention, ~ATTENTION_INIT, __ATOMIC_ACQ_REL);
		if (!counted)
			vm_sleepers_add(vcpu->vm, 1);
	}
	if (attention & ATTENTION_SIPI) {
		if (vcpu->state == VCPU_WAIT_SIPI)
			start_at_sipi(vcpu);
		__atomic_fetch_and(&vcpu->attention, ~ATTENTION_SIPI, __ATOMIC_ACQ_REL);
	}
}

/*
 * Injects what can be injected now; asks for a window, or for a short tick, where it cannot.  The window is also what
 * tells of a MOV to CR8 that lets a vector pass: such a move does not exit.
 */
static void deliver(struct vcpu *vcpu)
{
	int vector;

	__atomic_fetch_and(&vcpu->attention, ~ATTENTION_IRQ, __ATOMIC_ACQ_REL);
	vector = vlapic_waiting(vcpu);
	if (vector >= 0 && vcpu->regs.rflags & RFLAGS_IF && !cpu_backend->event_pending(vcpu) &&
	    vlapic_deliverable(vcpu) >= 0) {
		if (vcpu->shadow) {
			/* Not even a window: an emulator that forgets the shadow would open it at once. */
			__atomic_fetch_or(&vcpu->attention, ATTENTION_IRQ, __ATOMIC_ACQ_REL);
			cpu_backend->request_window(vcpu, 0);
			return;
		}
		vlapic_accept(vcpu, (uint8_t)vector);
		cpu_backend->inject_irq(vcpu, (uint8_t)vector);
		vector = vlapic_waiting(vcpu);
	}
	cpu_backend->request_window(vcpu, vector < 0 ? 0 : (uint8_t)vector >> 4);
}

/* False when the vCPU must not be entered before its VM's run word was looked at. */
static bool attend(struct vcpu *vcpu)
{
	uint32_t attention = __atomic_load_n(&vcpu->attention, __ATOMIC_ACQUIRE);

	if (attention & ATTENTION_STOP) {
		__atomic_fetch_and(&vcpu->attention, ~ATTENTION_STOP, __ATOMIC_ACQ_REL);
		return false;
	}
	if (attention & (ATTENTION_INIT | ATTENTION_SIPI)) {
		take_init_sipi(vcpu, attention);
		if (vcpu->state != VCPU_READY)
			return false;
	}
	if (attention & ATTENTION_TIMER)
		__atomic_fetch_and(&vcpu->attention, ~ATTENTION_TIMER, __ATOMIC_ACQ_REL);
	if (attention & ATTENTION_IRQ)
		deliver(vcpu);
	return true;
}

/* --- whose turn it is --------------------------------------------------------------------------------------------- */

static void unload(struct cpu_queue *queue, struct vcpu *vcpu)
{
	if (queue->current == vcpu)
		queue->current = NULL;
	if (queue->loaded != vcpu)
		return;
	xstate_save(vcpu);
	xstate_flush_predictors();      /* who comes next cannot be compared with it any more */
	queue->loaded = NULL;
}

/* Whether its VM runs; lets go of it when the VM is being stopped. */
static bool is_running(struct cpu_queue *queue, struct vcpu *vcpu)
{
	uint64_t word = __atomic_load_n(&vm_private(vcpu->vm)->run_word, __ATOMIC_ACQUIRE);

	if (RUN_PHASE(word) == PHASE_RUN)
		return true;
	if (RUN_PHASE(word) == PHASE_STOPPING && vcpu->left_instance != RUN_INSTANCE(word)) {
		vcpu->left_instance = RUN_INSTANCE(word);
		unload(queue, vcpu);
		vm_vcpu_left(vcpu->vm);
	}
	return false;
}

static bool is_ready(struct cpu_queue *queue, struct vcpu *vcpu, uint64_t now)
{
	uint32_t attention;

	vlapic_tick(vcpu, now);
	if (vcpu->state == VCPU_HALTED && links_pending(vcpu->vm)) {
		links_poll(vcpu->vm);
		queue->wake_ns = now;
	}
	attention = __atomic_load_n(&vcpu->attention, __ATOMIC_ACQUIRE);
	if (vcpu->state != VCPU_READY && attention & (ATTENTION_INIT | ATTENTION_SIPI)) {
		take_init_sipi(vcpu, attention);
		vcpu->woken |= vcpu->state == VCPU_READY;
	}
	if (vcpu->state == VCPU_HALTED && vcpu->regs.rflags & RFLAGS_IF && attention & ATTENTION_IRQ) {
		if (vlapic_deliverable(vcpu) >= 0) {
			vcpu->state = VCPU_READY;
			vcpu->woken = true;
		} else {
			__atomic_fetch_and(&vcpu->attention, ~ATTENTION_IRQ, __ATOMIC_ACQ_REL);
			if (vlapic_deliverable(vcpu) >= 0)
				__atomic_fetch_or(&vcpu->attention, ATTENTION_IRQ, __ATOMIC_ACQ_REL);
		}
	}
	if (vcpu->state == VCPU_HALTED && vcpu->apic.timer_ns && vcpu->apic.timer_ns < queue->wake_ns)
		queue->wake_ns = vcpu->apic.timer_ns;
	return vcpu->state == VCPU_READY;
}

/* 0 is best.  A period that is over starts anew when it is looked at. */
static unsigned rank(const struct cpu_queue *queue, struct vcpu *vcpu, uint64_t now)
{
	if (now - vcpu->period_start >= vcpu->period_ns) {
		vcpu->period_start = now;
		vcpu->used_ns = 0;
	}
	if (vcpu->used_ns >= vcpu->budget_ns)
		return 3;
	if (vcpu->woken)
		return 0;
	return vcpu == queue->current && now < queue->slice_end ? 1 : 2;
}

static struct vcpu *choose(struct cpu_queue *queue, uint64_t now, bool *alone)
{
	struct vcpu *best = NULL;
	unsigned best_rank = 0, ready = 0;

	queue->wake_ns = UINT64_MAX;
	for (unsigned i = 0; i < queue->count; i++) {
		struct vcpu *vcpu = queue->vcpus[i];
		unsigned its_rank;

		if (!is_running(queue, vcpu) || !is_ready(queue, vcpu, now))
			continue;
		ready++;
		its_rank = rank(queue, vcpu, now);
		if (!best || its_rank < best_rank || (its_rank == best_rank && vcpu->last_ran < best->last_ran)) {
			best = vcpu;
			best_rank = its_rank;
		}
	}
	*alone = ready == 1;
	return best;
}

/* --- running ------------------------------------------------------------------------------------------------------ */

static void load(struct cpu_queue *queue, struct vcpu *vcpu)
{
	if (queue->loaded == vcpu)
		return;
	if (queue->loaded) {
		xstate_save(queue->loaded);
		if (queue->loaded->vm != vcpu->vm)
			xstate_flush_predictors();
	}
	xstate_load(vcpu);
	cpu_backend->load(vcpu);
	queue->loaded = vcpu;
}

static void arm(struct cpu_queue *queue, const struct vcpu *vcpu)
{
	uint64_t deadline = queue->slice_end;

	if (queue->wake_ns < deadline)
		deadline = queue->wake_ns;
	if (vcpu->apic.timer_ns && vcpu->apic.timer_ns < deadline)
		deadline = vcpu->apic.timer_ns;
	/* A shadow matters only while something waits for its end; the attention word stays set then. */
	if (vcpu->shadow && time_ns() + SHADOW_TICK_NS < deadline)
		deadline = time_ns() + SHADOW_TICK_NS;
	if (deadline >= queue->armed_ns)
		return;
	time_arm(deadline);
	queue->armed_ns = deadline;
}

/*
 * Until it sleeps, stops, or the host is interrupted.  A reflected exception counts as that: its delivery may raise it
 * again, for ever, without an instruction of the guest before which the CPU would take an interrupt.
 */
static void run(struct cpu_queue *queue, struct vcpu *vcpu)
{
	struct vcpu_exit exit;

	arm(queue, vcpu);
	do {
		if (__atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED)) {
			if (!attend(vcpu))
				return;
			arm(queue, vcpu);
		}
		cpu_backend->run(vcpu, &exit);
		if (exit.kind == EXIT_REFLECT)
			(void)exit_handle(vcpu, &exit);
		if (exit.kind == EXIT_INTERRUPT || exit.kind == EXIT_REFLECT) {
			host_interrupt_window();
			queue->armed_ns = UINT64_MAX;
			if (vcpu->shadow)
				vcpu_attention(vcpu, ATTENTION_IRQ);
			links_poll(vcpu->vm);
			devices_poll(vcpu->vm);
			return;
		}
	} while (exit_handle(vcpu, &exit));
}

static void turn(struct cpu_queue *queue, struct vcpu *vcpu, uint64_t now, bool alone)
{
	if (queue->current != vcpu || now >= queue->slice_end) {
		queue->current = vcpu;
		queue->slice_end = now + (alone ? TICK_NS : SLICE_NS);
	}
	vcpu->woken = false;
	load(queue, vcpu);
	run(queue, vcpu);
	vcpu->last_ran = time_ns();
	vcpu->used_ns += vcpu->last_ran - now;
}

static void start_some(struct cpu_queue *queue)
{
	struct vm *vm = &vms[__builtin_ctzll(queue->starting)];

	if (vm_start_step(vm))
		queue->starting &= queue->starting - 1;
}

void sched_run(void)
{
	struct cpu_queue *queue = queues[cpu_current()];
	struct vcpu *vcpu;
	bool alone;

	if (!queue)
		for (;;)
			cpu_idle(console_feed() ? time_ns() + FEED_NS : UINT64_MAX);
	xstate_cpu_init();
	if (cpu_backend->cpu_init())
		panic("CPU %u: %s could not be switched on", cpu_current(), cpu_backend->name);
	queue->armed_ns = UINT64_MAX;
	for (;;) {
		uint64_t now = time_ns();

		trap_tell_strays();

		vcpu = choose(queue, now, &alone);
		if (vcpu)
			turn(queue, vcpu, now, alone);
		if (console_feed() && now + FEED_NS < queue->wake_ns)
			queue->wake_ns = now + FEED_NS;
		if (queue->starting) {
			start_some(queue);
		} else if (!vcpu) {
			cpu_idle(queue->wake_ns);
			queue->armed_ns = UINT64_MAX;
		}
	}
}
