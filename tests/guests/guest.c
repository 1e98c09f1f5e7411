/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#define DEBUG_PORT 0xe9

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t mid;
	uint32_t high, reserved;
};

extern struct gate idt[256];
extern char trap_stubs[], irq_entry[];

void guest_setup(void);
void guest_trap(uint64_t vector, uint64_t rip);

void put(const char *text)
{
	while (*text)
		out8(DEBUG_PORT, (uint8_t)*text++);
}

void put_number(uint64_t value)
{
	char digits[21];
	unsigned at = sizeof(digits);

	digits[--at] = 0;
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(&digits[at]);
}

void tell(const char *text, uint64_t value)
{
	put(text);
	put(" ");
	put_number(value);
	put("\n");
}

void guest_trap(uint64_t vector, uint64_t rip)
{
	tell("unexpected exception", vector);
	tell("at", rip);
}

void set_gate(unsigned vector, uint64_t address)
{
	idt[vector] = (struct gate){
		.low = (uint16_t)address, .selector = 8, .type = 0x8e,
		.mid = (uint16_t)(address >> 16), .high = (uint32_t)(address >> 32),
	};
}

void guest_setup(void)
{
	for (unsigned i = 0; i < 32; i++)
		set_gate(i, (uint64_t)trap_stubs + 16 * i);
	set_gate(TG_VECTOR, (uint64_t)irq_entry);
}
