/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that touches the machine; host tests link a fake instead of io.c. */
#ifndef RT_IO_H
#define RT_IO_H

#include <stdint.h>

uint8_t io_in8(uint16_t port);
uint16_t io_in16(uint16_t port);
uint32_t io_in32(uint16_t port);
void io_out8(uint16_t port, uint8_t value);
void io_out16(uint16_t port, uint16_t value);
void io_out32(uint16_t port, uint32_t value);

/* Device registers at guest-physical addresses (mapped uncached). */
uint32_t mmio_read32(uint64_t address);
void mmio_write32(uint64_t address, uint32_t value);

uint64_t msr_read(uint32_t msr);
void msr_write(uint32_t msr, uint64_t value);

/* What a device reads at `pointer` by DMA, or a virtqueue's other end: memory is mapped one to one. */
uint64_t io_address(const void *pointer);
/* Memory written before is seen by devices before memory or registers accessed after, and the other way round. */
void io_barrier(void);
void io_pause(void);

#endif
