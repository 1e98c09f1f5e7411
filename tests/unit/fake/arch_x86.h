/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for hv/arch_x86.h in tests of the platform files: ports and registers are the test's. */
#ifndef HV_ARCH_X86_H
#define HV_ARCH_X86_H

#include <stdint.h>

#define MSR_FS_BASE 0xc0000100u
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)

uint8_t fake_in8(uint16_t port);
void fake_out8(uint16_t port, uint8_t value);
void fake_halt(void);

static inline uint8_t arch_in8(uint16_t port) { return fake_in8(port); }
static inline void arch_out8(uint16_t port, uint8_t value) { fake_out8(port, value); }
static inline void arch_pause(void) {}
static inline void arch_halt_forever(void) { fake_halt(); }
static inline uint64_t arch_rdtsc(void) { return 1; }
static inline void arch_wrmsr(uint32_t msr, uint64_t value) { (void)msr; (void)value; }
static inline uint64_t arch_read_cr0(void) { return 0; }
static inline uint64_t arch_read_cr4(void) { return 0; }
static inline void arch_write_cr0(uint64_t value) { (void)value; }
static inline void arch_write_cr4(uint64_t value) { (void)value; }

#endif
