/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "arch_x86.h"
#include "percpu.h"
#include "rig.h"
#include "svm.h"

/* Included, not linked: each test starts without run queues. */
#include "../../../hv/sched.c"

#define ALLOCATIONS 256

uint64_t rig_now, rig_audit_arg0, rig_readable, rig_cr4, rig_efer;
unsigned rig_kicks[LZR_CPU_MAX], rig_audits[32], rig_says, rig_idles, rig_cpu, rig_windows, rig_flushes;
unsigned rig_abouts[LZR_VM_MAX];
char rig_console[256];
uint8_t rig_tpr, rig_window;
bool rig_event, rig_seed_left, rig_feeding;
int rig_injected_irq, rig_injected_exception;
void (*rig_run)(struct vcpu *vcpu, struct vcpu_exit *exit);
void (*rig_idle)(uint64_t deadline);
struct image_config rig_image;
struct vcpu_exit rig_access;
struct machine_config machine;

static void *allocations[ALLOCATIONS];
static unsigned allocation_count;
static jmp_buf out;

/* --- platform ----------------------------------------------------------------------------------------------------- */

void *hpa_ptr(hpa_t address) { return (void *)(uintptr_t)address.a; }
hpa_t ptr_hpa(const void *pointer) { return hpa((uintptr_t)pointer); }

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	void *p = aligned_alloc(align, (length + align - 1) / align * align);

	assert_non_null(p);
	assert_true(allocation_count < ALLOCATIONS);
	memset(p, 0, length);
	return allocations[allocation_count++] = p;
}

enum hv_err mem_alloc(uint64_t length, uint64_t align, unsigned owner, hpa_t *result)
{
	assert_true(owner >= OWNER_VM0);
	*result = ptr_hpa(mem_alloc_hv(length, align));
	return HV_OK;
}

enum hv_err mem_reserve(uint64_t length, uint64_t align, unsigned owner, hpa_t *result)
{
	enum hv_err err = mem_alloc(length, align, owner, result);

	memset(hpa_ptr(*result), RIG_LEFT_BEHIND, length);      /* what somebody left there */
	return err;
}

enum hv_err mem_check_owner(hpa_t base, uint64_t length, unsigned owner)
{
	(void)base;
	(void)length;
	return owner >= OWNER_VM0 ? HV_OK : HV_NOT_OWNED;
}

unsigned cpu_count(void) { return 4; }
unsigned cpu_current(void) { return rig_cpu; }
bool cpu_is_used(unsigned cpu) { return cpu < cpu_count(); }
void paging_uncache(hpa_t base, uint64_t length) { (void)base; (void)length; }
void cpu_kick(unsigned cpu) { rig_kicks[cpu]++; }
uint64_t time_ns(void) { return rig_now; }
uint64_t time_to_tsc(uint64_t ns) { return 1000 + ns * 2; }
uint32_t time_tsc_khz(void) { return 2000000; }
void time_arm(uint64_t deadline) { (void)deadline; }
void spin_lock(struct spinlock *lock) { assert_int_equal(lock->owner++, 0); }
void spin_unlock(struct spinlock *lock) { lock->owner--; }
void host_interrupt_window(void) { rig_windows++; }
void trap_tell_strays(void) { }
__attribute__((weak)) uint64_t records_wall_clock(void) { return 1700000000; }

void cpu_idle(uint64_t deadline)
{
	rig_idles++;
	if (rig_idle)
		rig_idle(deadline);
	else
		rig_leave();
}

void say(const char *format, ...) { (void)format; rig_says++; }
void say_about(unsigned vm, const char *format, ...) { (void)format; rig_abouts[vm]++; }

bool console_feed(void) { return rig_feeding; }

void say_vm(unsigned vm, char c)
{
	size_t length = strlen(rig_console);

	(void)vm;
	assert_true(length + 1 < sizeof(rig_console));
	rig_console[length] = c;
}

void refuse(const char *format, ...)
{
	fail_msg("refused: %s", format);
	abort();
}

void panic(const char *format, ...)
{
	fail_msg("panic: %s", format);
	abort();
}

__attribute__((weak)) void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	(void)vm;
	(void)arg1;
	rig_audits[event]++;
	rig_audit_arg0 = arg0;
}

__attribute__((weak)) bool records_read(enum lzr_stream stream, uint64_t readable, uint64_t offset, uint64_t bytes[4])
{
	rig_readable = readable;
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = offset + i;
	return stream >= LZR_STREAM_PLATFORM && stream <= LZR_STREAM_KEY;
}

__attribute__((weak)) bool records_seed(uint64_t bytes[4])
{
	bytes[0] = bytes[1] = bytes[2] = bytes[3] = 0x5eed;
	return rig_seed_left;
}

/* --- devices and links -------------------------------------------------------------------------------------------- */

void links_poll(struct vm *vm) { (void)vm; }
bool links_pending(const struct vm *vm) { (void)vm; return false; }
void links_vm_started(struct vm *vm) { (void)vm; }
void links_vm_stopped(struct vm *vm) { (void)vm; }
void devices_poll(struct vm *vm) { (void)vm; }
enum hv_err devices_vm_started(struct vm *vm) { (void)vm; return HV_OK; }
void devices_vm_stopped(struct vm *vm) { (void)vm; }
bool devices_vm_ready(const struct vm *vm) { (void)vm; return true; }

void vdev_io(struct vdev *vdev, unsigned offset, unsigned size, bool write, uint32_t *value)
{
	(void)vdev;
	if (!write)
		*value = 0x1000000 | size << 16 | offset;
}

uint32_t vdev_config_read(struct vdev *vdev, unsigned offset, unsigned size)
{
	(void)vdev;
	return 0x2000000 | size << 16 | offset;
}

void vdev_config_write(struct vdev *vdev, unsigned offset, unsigned size, uint32_t value)
{
	*(uint32_t *)(void *)vdev = size << 24 | offset << 16 | value;
}

uint32_t assigned_config_read(struct assigned *device, unsigned offset, unsigned size)
{
	(void)device;
	return 0x3000000 | size << 16 | offset;
}

void assigned_config_write(struct assigned *device, unsigned offset, unsigned size, uint32_t value)
{
	*(uint32_t *)(void *)device = size << 24 | offset << 16 | value;
}

/* --- CPU ---------------------------------------------------------------------------------------------------------- */

struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	if (leaf == 0x80000008)
		return (struct cpuid_regs){ .eax = 0x3028 };
	return (struct cpuid_regs){ leaf + 1, subleaf, 0xcccccccc, 0xdddddddd };
}

enum hv_err xstate_probe(void) { return HV_OK; }
enum hv_err xstate_create(struct vcpu *vcpu) { (void)vcpu; return HV_OK; }
void xstate_cpu_init(void) { }
void xstate_reset(struct vcpu *vcpu) { (void)vcpu; }
void xstate_load(const struct vcpu *vcpu) { (void)vcpu; }
void xstate_save(struct vcpu *vcpu) { (void)vcpu; }
bool xstate_set_xcr0(uint64_t value) { return value & 1; }
void xstate_set_tsc_aux(struct vcpu *vcpu, uint32_t value) { vcpu->xstate.tsc_aux = value; }
void xstate_flush_predictors(void) { rig_flushes++; }

static enum hv_err fake_cpu_init(void) { return HV_OK; }

static void fake_reset(struct vcpu *vcpu, const struct vcpu_start *start)
{
	memset(&vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs.rip = start->rip;
	vcpu->regs.rflags = 2;
}

static void fake_load(struct vcpu *vcpu) { (void)vcpu; }

static void fake_run(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	*exit = (struct vcpu_exit){ .kind = EXIT_INTERRUPT };
	rig_event = false;
	if (rig_run)
		rig_run(vcpu, exit);
}

static void fake_irq(struct vcpu *vcpu, uint8_t vector)
{
	assert_true(vcpu->regs.rflags & RFLAGS_IF);
	assert_false(vcpu->shadow);
	assert_false(rig_event);
	rig_event = true;
	rig_injected_irq = vector;
}

static void fake_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
	(void)vcpu;
	(void)has_error;
	(void)error;
	rig_event = true;
	rig_injected_exception = vector;
}

static bool fake_event_pending(const struct vcpu *vcpu) { (void)vcpu; return rig_event; }
static void fake_window(struct vcpu *vcpu, uint8_t priority) { (void)vcpu; rig_window = priority; }
static uint8_t fake_get_tpr(const struct vcpu *vcpu) { (void)vcpu; return rig_tpr; }
static void fake_set_tpr(struct vcpu *vcpu, uint8_t tpr) { (void)vcpu; rig_tpr = tpr; }
static uint64_t fake_get_cr4(const struct vcpu *vcpu) { (void)vcpu; return rig_cr4; }
static unsigned fake_get_cpl(const struct vcpu *vcpu) { (void)vcpu; return 0; }
static uint64_t fake_get_efer(const struct vcpu *vcpu) { (void)vcpu; return rig_efer; }
static bool fake_set_efer(struct vcpu *vcpu, uint64_t value) { (void)vcpu; rig_efer = value; return value < 0x1000; }
static uint64_t fake_get_pat(const struct vcpu *vcpu) { (void)vcpu; return 0x0007040600070406; }
static void fake_set_pat(struct vcpu *vcpu, uint64_t value) { (void)vcpu; (void)value; }

static void fake_stepped(struct vcpu *vcpu)
{
	vcpu->regs.rflags &= ~RFLAGS_RF;
	if (vcpu->regs.rflags & RFLAGS_TF)
		fake_exception(vcpu, VECTOR_DB, false, 0);
}

static void fake_register(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	(void)vcpu;
	*exit = rig_access;
}

static const struct cpu_backend fake_backend = {
	.name = "fake", .cpu_init = fake_cpu_init, .vcpu_reset = fake_reset, .load = fake_load, .run = fake_run,
	.inject_irq = fake_irq, .inject_exception = fake_exception, .event_pending = fake_event_pending,
	.stepped = fake_stepped, .register_access = fake_register,
	.request_window = fake_window, .get_tpr = fake_get_tpr, .set_tpr = fake_set_tpr, .get_cr4 = fake_get_cr4,
	.get_cpl = fake_get_cpl, .get_efer = fake_get_efer, .set_efer = fake_set_efer, .get_pat = fake_get_pat,
	.set_pat = fake_set_pat,
};

static enum hv_err fake_ok(void) { return HV_OK; }
static enum hv_err fake_vm_create(struct vm *vm) { (void)vm; return HV_OK; }
static enum hv_err fake_vcpu_create(struct vcpu *vcpu) { (void)vcpu; return HV_OK; }

static enum hv_err fake_map(struct vm *vm, gpa_t at, hpa_t from, uint64_t length, unsigned flags)
{
	(void)vm;
	(void)at;
	(void)from;
	(void)length;
	(void)flags;
	return HV_OK;
}

const struct cpu_backend_boot svm_backend_boot = {
	.run_time = &fake_backend, .probe = fake_ok, .vm_create = fake_vm_create, .map = fake_map,
	.vcpu_create = fake_vcpu_create,
};

/* --- for the tests ------------------------------------------------------------------------------------------------ */

void rig_leave(void)
{
	longjmp(out, 1);
}

void rig_schedule(void)
{
	if (!setjmp(out))
		sched_run();
}

void rig_settle(void)
{
	for (unsigned cpu = 0; cpu < LZR_CPU_MAX; cpu++) {
		for (unsigned i = 0; queues[cpu] && i < queues[cpu]->count; i++)
			(void)is_running(queues[cpu], queues[cpu]->vcpus[i]);
		while (queues[cpu] && queues[cpu]->starting)
			start_some(queues[cpu]);
	}
}

void rig_create(unsigned count, unsigned vcpus, const uint8_t *placed)
{
	rig_image.memory = RIG_MEMORY;
	rig_image.vcpus = vcpus;
	machine.vm_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct vm_config *config = &machine.vms[i];

		strcpy(config->name, "vm");
		config->image = &rig_image;
		config->budget_us = 5000;
		config->period_us = 20000;
		for (unsigned v = 0; placed && v < vcpus; v++)
			config->cpus[v] = placed[v];
	}
	assert_int_equal(vms_create(), HV_OK);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(vm_start(&vms[i]), HV_OK);
	memset(rig_kicks, 0, sizeof(rig_kicks));
}

int rig_setup(void **state)
{
	(void)state;
	memset(queues, 0, sizeof(queues));
	memset(&machine, 0, sizeof(machine));
	memset(vms, 0, sizeof(vms));
	memset(vm_privates, 0, sizeof(vm_privates));
	memset(&rig_image, 0, sizeof(rig_image));
	memset(rig_audits, 0, sizeof(rig_audits));
	memset(rig_abouts, 0, sizeof(rig_abouts));
	memset(rig_console, 0, sizeof(rig_console));
	rig_now = 1000000;
	rig_idles = rig_says = rig_cpu = rig_windows = rig_flushes = 0;
	rig_event = false;
	rig_tpr = rig_window = 0;
	rig_injected_irq = rig_injected_exception = -1;
	rig_run = NULL;
	rig_idle = NULL;
	rig_feeding = false;
	rig_seed_left = true;
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	while (allocation_count)
		free(allocations[--allocation_count]);
	return 0;
}
