/* SPDX-License-Identifier: Apache-2.0 */
/* Root mode's page tables.  AMD64 Architecture Programmer's Manual, volume 2, "Long-Mode Page Translation". */
#ifndef HV_PAGING_H
#define HV_PAGING_H

#include "handoff.h"
#include "plat.h"

#define PTE_PRESENT (1ul << 0)
#define PTE_WRITE (1ul << 1)
#define PTE_PWT (1ul << 3)
#define PTE_PCD (1ul << 4)
#define PTE_LARGE (1ul << 7)
#define PTE_NX (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

#define PAGE_RO (PTE_PRESENT | PTE_NX)
#define PAGE_RW (PTE_PRESENT | PTE_WRITE | PTE_NX)
#define PAGE_RX (PTE_PRESENT)
#define PAGE_DEVICE (PAGE_RW | PTE_PCD | PTE_PWT)

/* Builds the tables from the hand-off and the image's layout and switches to them.  After mem_init. */
void paging_init(const struct handoff *handoff);
/* Maps; panics when the table pool is exhausted or something is mapped there already. */
void paging_map(uint64_t virtual, uint64_t physical, uint64_t length, uint64_t flags);
/* Takes the write permission from a part of the direct map. */
void paging_protect(hpa_t base, uint64_t length);
/* Makes a part of the direct map uncached, as device registers are, with nothing of it left in a cache. */
void paging_uncache(hpa_t base, uint64_t length);
/* The start-up page one to one, executable, until paging_prepare_seal. */
void paging_map_start_page(uint64_t page);
/* Everything of the seal but the last step, which seal_finish() takes with what this returns. */
struct seal_plan paging_prepare_seal(void);

#endif
