/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes 20,000 timer interrupts and looks in each handler whether it interrupted code that allows interrupts.  Where it
 * did not, the same interrupt was delivered a second time, into its own handler.
 */
#include "guest.h"

#define INTERRUPTS 20000u
#define HANDLER_SPINS 400u
#define FLAG_IF 0x200u

static volatile uint32_t wrong, taken;

struct frame { uint64_t rip, cs, rflags, rsp, ss; };

__attribute__((interrupt)) static void on_timer(struct frame *frame)
{
	if (!(frame->rflags & FLAG_IF)) {
		wrong++;
		return;
	}
	taken++;
	for (volatile uint32_t spin = 0; spin < HANDLER_SPINS; spin++)
		;
	wrmsr(MSR_DEADLINE, rdtsc() + 20000);
	wrmsr(MSR_EOI, 0);
}

void guest_main(void)
{
	set_gate(TG_VECTOR, (uint64_t)on_timer);
	wrmsr(MSR_SVR, 0x1ff);
	wrmsr(MSR_LVT_TIMER, LVT_DEADLINE | TG_VECTOR);
	wrmsr(MSR_DEADLINE, rdtsc() + 20000);
	__asm__ volatile("sti" : : : "memory");
	while (taken < INTERRUPTS)
		__asm__ volatile("" : : : "memory");
	__asm__ volatile("cli" : : : "memory");
	tell("twice delivered twice", wrong);
	put("twice done\n");
}
