/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel Virtualization Technology for Directed I/O, Architecture Specification, revision 4.0: registers ("Register
 * Descriptions"), in-memory structures ("Translation Structure Formats"), invalidation descriptors ("Queued
 * Invalidation Interface"), interrupt entries ("Interrupt Remapping Table Entry for Remapped Interrupts"), DMAR
 * ("BIOS Considerations").
 */
#ifndef HV_VTD_REGS_H
#define HV_VTD_REGS_H

#include "types.h"

#define VTD_VER 0x00
#define VTD_CAP 0x08
#define  VTD_CAP_ND(c) ((unsigned)(c) & 7)
#define  VTD_CAP_RWBF (1ull << 4)
#define  VTD_CAP_PLMR (1ull << 5)
#define  VTD_CAP_PHMR (1ull << 6)
#define  VTD_CAP_SAGAW(c) ((unsigned)((c) >> 8) & 0x1f)
#define   VTD_SAGAW_39 (1u << 1)
#define   VTD_SAGAW_48 (1u << 2)
#define  VTD_CAP_MGAW(c) (((unsigned)((c) >> 16) & 0x3f) + 1)
#define  VTD_CAP_FRO(c) (((unsigned)((c) >> 24) & 0x3ff) * 16)
#define  VTD_CAP_SLLPS_2M (1ull << 34)
#define  VTD_CAP_NFR(c) (((unsigned)((c) >> 40) & 0xff) + 1)
#define VTD_ECAP 0x10
#define  VTD_ECAP_QI (1ull << 1)
#define  VTD_ECAP_IR (1ull << 3)
#define  VTD_ECAP_EIM (1ull << 4)
#define VTD_GCMD 0x18
#define  VTD_GCMD_TE (1u << 31)
#define  VTD_GCMD_SRTP (1u << 30)
#define  VTD_GCMD_QIE (1u << 26)
#define  VTD_GCMD_IRE (1u << 25)
#define  VTD_GCMD_SIRTP (1u << 24)
#define  VTD_GCMD_CFI (1u << 23)
#define  VTD_GCMD_ONE_SHOT 0x69000000u  /* SRTP, SFL, WBF, SIRTP: not to be repeated from the status */
#define VTD_GSTS 0x1c                   /* same bits */
#define VTD_RTADDR 0x20
#define VTD_FSTS 0x34
#define  VTD_FSTS_PFO (1u << 0)
#define  VTD_FSTS_PPF (1u << 1)
#define  VTD_FSTS_IQE (1u << 4)
#define  VTD_FSTS_ICE (1u << 5)
#define  VTD_FSTS_ITE (1u << 6)
#define  VTD_FSTS_QUEUE (VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE)
#define VTD_FECTL 0x38
#define  VTD_FECTL_IM (1u << 31)
#define VTD_FEDATA 0x3c
#define VTD_FEADDR 0x40
#define VTD_FEUADDR 0x44
#define VTD_PMEN 0x64
#define VTD_IQH 0x80
#define VTD_IQT 0x88
#define VTD_IQA 0x90
#define VTD_IRTA 0xb8

/* Fault recording registers: 16 bytes each at VTD_CAP_FRO. */
#define VTD_FAULT_SIZE 16u
#define VTD_FAULT_F (1ull << 63)        /* in the upper half; write 1 to clear */
#define VTD_FAULT_READ (1ull << 62)
#define VTD_FAULT_REASON(h) ((uint8_t)((h) >> 32))
#define VTD_FAULT_SOURCE(h) ((uint16_t)(h))
#define VTD_FAULT_IRQ_FIRST 0x20        /* reasons 0x20..0x26 are about interrupt requests */
#define VTD_FAULT_IRQ_LAST 0x26

/* Root and context tables: 256 entries of two words. */
struct vtd_entry { uint64_t low, high; };
_Static_assert(sizeof(struct vtd_entry) == 16, "root, context and interrupt entries are 16 bytes");
#define VTD_ROOT_PRESENT 1ull
#define VTD_CONTEXT_PRESENT 1ull
#define VTD_CONTEXT_AW_39 1ull          /* upper word */
#define VTD_CONTEXT_AW_48 2ull
#define VTD_CONTEXT_DID(id) ((uint64_t)(id) << 8)

/* Second-level page table entries. */
#define VTD_PTE_READ (1ull << 0)
#define VTD_PTE_WRITE (1ull << 1)
#define VTD_PTE_LARGE (1ull << 7)
#define VTD_PTE_ADDRESS 0x000ffffffffff000ull

/* Invalidation descriptors, lower word. */
#define VTD_INV_CONTEXT_GLOBAL (0x1ull | 1ull << 4)
#define VTD_INV_CONTEXT_DEVICE(did, sid) (0x1ull | 3ull << 4 | (uint64_t)(did) << 16 | (uint64_t)(sid) << 32)
#define VTD_INV_IOTLB_GLOBAL (0x2ull | 1ull << 4 | 3ull << 6)
#define VTD_INV_IOTLB_DOMAIN(did) (0x2ull | 2ull << 4 | 3ull << 6 | (uint64_t)(did) << 16)
#define VTD_INV_IRQ_GLOBAL 0x4ull
#define VTD_INV_IRQ_INDEX(i) (0x4ull | 1ull << 4 | (uint64_t)(i) << 32)
#define VTD_INV_WAIT(data) (0x5ull | 1ull << 5 | (uint64_t)(uint32_t)(data) << 32)      /* SW: write status */

/* Interrupt remapping table entry (remapped format, physical destination, fixed delivery, edge). */
#define VTD_IRTE_PRESENT (1ull << 0)
#define VTD_IRTE_VECTOR(v) ((uint64_t)(uint8_t)(v) << 16)
#define VTD_IRTE_DEST_XAPIC(id) ((uint64_t)(uint8_t)(id) << 40)
#define VTD_IRTE_DEST_X2APIC(id) ((uint64_t)(id) << 32)
#define VTD_IRTE_SOURCE(sid) ((uint64_t)(sid) | 1ull << 18)     /* SVT 01, SQ 00: all 16 bits of the source id */

/* Remappable-format message: handle in address bits 19:5 and 2, format bit 4, no subhandle. */
#define VTD_MSI_ADDRESS(handle) \
	(0xfee00010ull | ((uint64_t)(handle) & 0x7fff) << 5 | ((uint64_t)(handle) >> 15 & 1) << 2)

/* DMAR table. */
#define DMAR_HEADER 48u
#define DMAR_WIDTH 36u                  /* host address width minus one */
#define DMAR_FLAGS 37u
#define  DMAR_INTR_REMAP 1u
#define DMAR_DRHD 0u
#define DMAR_RMRR 1u
#define DMAR_DRHD_HEADER 16u
#define DMAR_RMRR_HEADER 24u
#define DMAR_DRHD_ALL 1u                /* flags: INCLUDE_PCI_ALL */
#define DMAR_SCOPE_HEADER 6u
#define DMAR_SCOPE_ENDPOINT 1u
#define DMAR_SCOPE_BRIDGE 2u

#endif
