/* SPDX-License-Identifier: Apache-2.0 */
/* What the vtd_*.c files share.  Nobody else includes this. */
#ifndef HV_VTD_H
#define HV_VTD_H

#include "iommu.h"
#include "vtd_regs.h"

#define VTD_UNIT_MAX 8u
#define VTD_SCOPE_MAX 128u
#define VTD_IRTE_COUNT 256u             /* one page of interrupt entries, shared by all units */

/* One remapping unit.  [I] fixed before the seal, [q] under its lock, [s] fault records: under vtd_fault_lock. */
struct vtd_unit {
	volatile void *registers;       /* [I] */
	struct vtd_entry *root;         /* [I] table; entries change before the seal only */
	struct vtd_entry *contexts[256];/* [I] by bus; entries change with attach and detach */
	struct vtd_entry *queue;        /* [I] invalidation queue, one page */
	volatile uint32_t *status;      /* [I] the word that wait descriptors write */
	uint64_t cap, ecap;             /* [I] */
	struct spinlock lock;
	uint32_t tail;                  /* [q] index of the next free descriptor */
	uint32_t sequence;              /* [q] data of the last wait descriptor */
	uint32_t number;                /* [I] */
	bool dead;                      /* [q] an invalidation failed: nothing is attached here any more */
};

struct iommu_domain {
	unsigned owner;                 /* [I] */
	uint16_t id;                    /* [I] 0 is never used: caches may tag blocked sources with it */
	uint8_t levels;                 /* [I] of the second-level tables: 3 or 4 */
	bool large;                     /* [I] 2 MiB entries allowed */
	uint64_t limit;                 /* [I] */
	uint64_t *table;                /* [I] */
};

extern struct vtd_unit vtd_units[VTD_UNIT_MAX];
extern unsigned vtd_unit_count;
extern bool vtd_x2apic;                                 /* destinations of interrupt entries are x2APIC's */
extern struct vtd_entry *vtd_irtes;                     /* [VTD_IRTE_COUNT] */
extern const struct iommu_ops vtd_ops;

/* --- vtd_mmio.c: register access; faked on the host ------------------------------------------------------------- */

uint32_t vtd_read32(const struct vtd_unit *unit, unsigned offset);
uint64_t vtd_read64(const struct vtd_unit *unit, unsigned offset);
void vtd_write32(struct vtd_unit *unit, unsigned offset, uint32_t value);
void vtd_write64(struct vtd_unit *unit, unsigned offset, uint64_t value);

/* --- vtd.c ------------------------------------------------------------------------------------------------------ */

/* Makes memory visible to units that do not snoop the CPU's caches. */
void vtd_flush(const volatile void *from, size_t length);
/* Queues the descriptors (lower words) and waits until the unit has done them all. */
HV_MUST_CHECK enum hv_err vtd_invalidate(struct vtd_unit *unit, const uint64_t *descriptors, unsigned count);
/* The unit of a source that was added; NULL: none. */
struct vtd_unit *vtd_unit_of(uint16_t source);
/* Before the seal: from now on `source` may be attached in that unit. */
HV_MUST_CHECK enum hv_err vtd_source_add(uint16_t source, unsigned unit);

/* --- vtd_irq.c -------------------------------------------------------------------------------------------------- */

enum hv_err vtd_irq_set(uint32_t entry, unsigned cpu, uint8_t vector);
enum hv_err vtd_irq_clear(uint32_t entry);
void vtd_irq_message(uint32_t entry, uint64_t *address, uint32_t *data);

/* --- vtd_dmar.c, before the seal -------------------------------------------------------------------------------- */

struct dmar_scope {
	uint8_t unit;                   /* index of the unit or of the reserved region */
	uint16_t source;                /* the endpoint, or the bridge */
	uint8_t first_bus, last_bus;    /* behind the bridge; first > last: none */
};

struct dmar {
	unsigned width;                 /* host address width */
	bool irq_remap;
	unsigned unit_count, scope_count, reserved_count;
	struct {
		uint64_t base;
		uint16_t segment;
		bool all;               /* also what no other unit of its segment names */
	} units[VTD_UNIT_MAX];
	struct dmar_scope scopes[VTD_SCOPE_MAX];
	struct dmar_scope reserved[VTD_SCOPE_MAX];      /* sources of reserved memory regions */
};

/* Reads the firmware's table into *out; says what is wrong with it when it is refused. */
HV_MUST_CHECK enum hv_err dmar_parse(const uint8_t *table, uint32_t length, struct dmar *out);
/* Index of the unit that covers the source, or -1. */
int dmar_unit(const struct dmar *dmar, uint16_t source);
/* True when the firmware reserves memory for the source. */
bool dmar_reserves(const struct dmar *dmar, uint16_t source);

/* --- vtd_tables.c, before the seal ------------------------------------------------------------------------------ */

enum hv_err vtd_domain_create(unsigned owner, uint64_t limit, struct iommu_domain **out);
enum hv_err vtd_domain_map(struct iommu_domain *domain, gpa_t at, hpa_t from, uint64_t length);
/* The source's context table in its unit, made when it is missing. */
HV_MUST_CHECK enum hv_err vtd_context_prepare(struct vtd_unit *unit, uint16_t source);
enum hv_err vtd_irq_allocate(uint16_t source, unsigned count, uint32_t *first);

#endif
