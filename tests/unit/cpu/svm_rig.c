/* SPDX-License-Identifier: Apache-2.0 */
#include "svm_rig.h"

#define VMCB_AT 0x7654000u

struct vmcb vmcb, seen;
struct vcpu_regs seen_regs;
struct svm_vcpu svm;
struct vcpu vcpu;
struct vcpu_exit out;
unsigned entries, kicks, current;
uint64_t armed;
uint32_t attention;
void (*guest)(void);

unsigned cpu_current(void) { return current; }

void vcpu_attention(struct vcpu *to, uint32_t bits)
{
	assert_ptr_equal(to, &vcpu);
	attention |= bits;
}

void cpu_kick(unsigned cpu)
{
	assert_int_equal(cpu, current);
	kicks++;
}

void svm_enter(struct vcpu_regs *regs, uint64_t at, uint64_t host)
{
	assert_int_equal(at, VMCB_AT);
	assert_int_equal(host, HOST_AT(vcpu.cpu));
	assert_ptr_equal(regs, &vcpu.regs);
	seen = vmcb;
	seen_regs = *regs;
	vmcb.exit_int_info = 0;
	vmcb.interrupt_shadow = 0;      /* as the emulator leaves it: not what it was at the entry */
	if (guest)
		guest();
	entries++;
}

void svm_enter_armed(struct vcpu_regs *regs, uint64_t at, uint64_t host, uint64_t dr7)
{
	armed = dr7;
	svm_enter(regs, at, host);
}

void run(void)
{
	memset(&out, 0xa5, sizeof(out));
	svm_backend.run(&vcpu, &out);
}

int svm_rig_reset(void **state)
{
	const struct vcpu_start start = { .mode = START_LONG64, .rip = 0x1000000 };

	cpu_fake_reset(state);
	memset(&vmcb, 0, sizeof(vmcb));
	vcpu = (struct vcpu){ .arch = &svm, .cpu = 2 };
	svm = (struct svm_vcpu){ .vmcb = &vmcb, .vmcb_address = VMCB_AT };
	for (unsigned i = 0; i < LZR_CPU_MAX; i++)
		svm_cpus[i] = (struct svm_cpu){ .hsave = 0x200000 + i * 0x1000, .host = HOST_AT(i) };
	svm_on_emulator = false;
	guest = NULL;
	current = 2;
	entries = kicks = 0;
	svm_backend.vcpu_reset(&vcpu, &start);
	svm_backend.load(&vcpu);
	return 0;
}

