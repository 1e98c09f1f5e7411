/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for hv/arch_x86.h in the tests of PCI, VT-d and device assignment: ports lead to simulated buses. */
#ifndef TEST_ARCH_X86_H
#define TEST_ARCH_X86_H

#include <stdint.h>

uint8_t arch_in8(uint16_t port);
uint16_t arch_in16(uint16_t port);
uint32_t arch_in32(uint16_t port);
void arch_out8(uint16_t port, uint8_t value);
void arch_out16(uint16_t port, uint16_t value);
void arch_out32(uint16_t port, uint32_t value);
static inline void arch_clflush(const volatile void *address) { (void)address; }
static inline void arch_fence(void) { }
static inline void arch_pause(void) { }

#endif
