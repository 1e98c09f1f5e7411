/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls: a const table of what each call needs and does (lazaret/hypercall.h). */
#include "vcpu.h"

struct call {
	bool (*allowed)(const struct vm *vm, uint64_t first);
	enum lzr_status (*run)(struct vcpu *vcpu);
};

static bool anyone(const struct vm *vm, uint64_t first)
{
	(void)vm;
	(void)first;
	return true;
}

/* The VMs whose records of this kind may be read. */
static uint64_t readable(const struct vm *vm, uint64_t stream)
{
	const uint64_t *rights = vm->config->rights;

	return rights[RIGHT_ATTESTS] | (stream == LZR_STREAM_AUDIT ? rights[RIGHT_READS_AUDIT] : 0);
}

static bool may_read(const struct vm *vm, uint64_t stream)
{
	return readable(vm, stream);
}

static bool is_service(const struct vm *vm, uint64_t first)
{
	(void)first;
	return vm->config->flags & VM_SERVICE;
}

static bool controls_any(const struct vm *vm, uint64_t first)
{
	(void)first;
	return vm->config->rights[RIGHT_CONTROLS];
}

static bool introspects(const struct vm *vm, uint64_t first)
{
	guest_number_t number = guest_number(first);

	return guest_below(number, LZR_VM_MAX) &&
	       vm->config->rights[RIGHT_INTROSPECTS] >> guest_index(number, LZR_VM_MAX) & 1;
}

static enum lzr_status call_version(struct vcpu *vcpu)
{
	vcpu->regs.gpr[RBX] = LZR_ABI_VERSION;
	vcpu->regs.gpr[RCX] = vcpu->vm->number;
	vcpu->regs.gpr[RDX] = vcpu->vm->instance;
	return LZR_OK;
}

static void return_32_bytes(struct vcpu *vcpu, uint64_t bytes[4])
{
	vcpu->regs.gpr[RBX] = bytes[0];
	vcpu->regs.gpr[RCX] = bytes[1];
	vcpu->regs.gpr[RDX] = bytes[2];
	vcpu->regs.gpr[RSI] = bytes[3];
	for (unsigned i = 0; i < 4; i++)
		((volatile uint64_t *)bytes)[i] = 0;
}

static enum lzr_status call_read(struct vcpu *vcpu)
{
	uint64_t bytes[4], stream = vcpu->regs.gpr[RDI], offset = vcpu->regs.gpr[RSI];

	if (offset % sizeof(bytes))
		return LZR_INVALID;
	if (stream > UINT32_MAX ||
	    !records_read((enum lzr_stream)stream, readable(vcpu->vm, stream), offset, bytes))
		return LZR_UNKNOWN;
	return_32_bytes(vcpu, bytes);
	return LZR_OK;
}

static enum lzr_status call_seed(struct vcpu *vcpu)
{
	uint64_t bytes[4];

	if (__atomic_exchange_n(&vm_private(vcpu->vm)->seeded, true, __ATOMIC_ACQ_REL))
		return LZR_DENIED;
	if (!records_seed(bytes))
		return LZR_BUSY;
	return_32_bytes(vcpu, bytes);
	return LZR_OK;
}

static enum lzr_status call_clock(struct vcpu *vcpu)
{
	vcpu->regs.gpr[RBX] = time_ns();
	return LZR_OK;
}

static enum lzr_status call_control(struct vcpu *vcpu)
{
	guest_number_t first = guest_number(vcpu->regs.gpr[RDI]);
	uint64_t number = guest_index(first, machine.vm_count), operation = vcpu->regs.gpr[RSI];

	if (!guest_below(first, machine.vm_count))
		return LZR_UNKNOWN;
	if (!(vcpu->vm->config->rights[RIGHT_CONTROLS] >> number & 1))
		return LZR_DENIED;
	switch (operation) {
	case LZR_CONTROL_STOP: return vm_control(&vms[number], false);
	case LZR_CONTROL_RESTART: return vm_control(&vms[number], true);
	}
	return LZR_UNKNOWN;
}

/* Whether that VM runs, is stopped or is being started makes no difference: its RAM is there, cleared at boot. */
static enum lzr_status call_peek(struct vcpu *vcpu)
{
	uint64_t bytes[4], at = vcpu->regs.gpr[RSI];
	uint64_t number = guest_index(guest_number(vcpu->regs.gpr[RDI]), LZR_VM_MAX);
	const volatile uint64_t *ram = guest_ptr(&vms[number], gpa(at), sizeof(bytes));

	if (!ram || at % sizeof(bytes))
		return LZR_INVALID;
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = ram[i];
	return_32_bytes(vcpu, bytes);
	return LZR_OK;
}

static enum lzr_status call_device(struct vcpu *vcpu)
{
	for (uint32_t i = 0; i < machine.device_count; i++) {
		const struct device_config *d = &machine.devices[i];

		if (d->mmio || d->vm != vcpu->vm->number ||
		    vcpu->vm->image->assigns[d->place].slot != vcpu->regs.gpr[RDI])
			continue;
		vcpu->regs.gpr[RBX] = d->label.level;
		vcpu->regs.gpr[RCX] = d->label.categories;
		return LZR_OK;
	}
	return LZR_UNKNOWN;
}

static const struct call calls[] = {
	[LZR_CALL_VERSION] = { anyone, call_version },
	[LZR_CALL_READ] = { may_read, call_read },
	[LZR_CALL_SEED] = { is_service, call_seed },
	[LZR_CALL_CLOCK] = { anyone, call_clock },
	[LZR_CALL_CONTROL] = { controls_any, call_control },
	[LZR_CALL_PEEK] = { introspects, call_peek },
	[LZR_CALL_DEVICE] = { anyone, call_device },
};

void hypercall(struct vcpu *vcpu)
{
	uint64_t number = vcpu->regs.gpr[RAX];
	const struct call *call = &calls[guest_index(guest_number(number), ARRAY_LENGTH(calls))];
	enum lzr_status status = LZR_UNKNOWN;

	if (guest_below(guest_number(number), ARRAY_LENGTH(calls)))
		status = call->allowed(vcpu->vm, vcpu->regs.gpr[RDI]) ? call->run(vcpu) : LZR_DENIED;
	vcpu->regs.gpr[RAX] = status;
	if (status == LZR_DENIED && once_first(&vm_private(vcpu->vm)->calls, (uint32_t)number))
		audit(vcpu->vm->number, LZR_AUDIT_HYPERCALL_DENIED, number, 0);
}
