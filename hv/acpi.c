/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables: firmware's words, copied once into our memory, each length and checksum checked on the copy.  ACPI
 * Specification 6.5, "Root System Description Pointer (RSDP)", "Extended System Description Table (XSDT)", "Multiple
 * APIC Description Table (MADT)".
 */
#include <string.h>

#include "acpi.h"
#include "plat.h"

#define COPY_MAX (64u << 10)
#define TABLE_MAX 8u
#define XSDT_MAX (36u + 8 * 256)

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct rsdp) == 36, "RSDP layout");

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
};
_Static_assert(sizeof(struct header) == 36, "table header layout");

#define MADT_ENTRIES 44u
#define MADT_LOCAL_APIC 0
#define MADT_LOCAL_X2APIC 9
#define MADT_ENABLED 1u

static const char wanted[][5] = { "APIC", "DMAR", "FACP", "HPET", "IVRS", "MCFG", "TPM2" };

static uint8_t copy[COPY_MAX];
static uint32_t copy_used;
static struct { uint32_t offset, length; } tables[TABLE_MAX];
static unsigned table_count;

static uint8_t sum(const uint8_t *bytes, uint64_t length)
{
	uint8_t total = 0;

	for (uint64_t i = 0; i < length; i++)
		total = (uint8_t)(total + bytes[i]);
	return total;
}

/* Firmware's bytes, if they lie where tables may lie (the only other memory that root mode maps is ours). */
static const uint8_t *firmware_bytes(const struct handoff *handoff, uint64_t at, uint64_t length)
{
	return handoff_covers(handoff, at, length, LZR_MEMORY_ACPI) ? hpa_ptr(hpa(at)) : NULL;
}

/* Copies a table; its header's length is read once, from the copy.  NULL: not there, too long, or wrong checksum. */
static const struct header *table_copy(const struct handoff *handoff, uint64_t at, uint8_t *to, uint32_t room)
{
	const uint8_t *from = firmware_bytes(handoff, at, sizeof(struct header));
	struct header head;

	if (!from || room < sizeof(head))
		return NULL;
	memcpy(&head, from, sizeof(head));
	from = firmware_bytes(handoff, at, head.length);
	if (!from || head.length < sizeof(head) || head.length > room)
		return NULL;
	memcpy(to, from, head.length);
	memcpy(to, &head, sizeof(head));
	return sum(to, head.length) == 0 ? (const struct header *)to : NULL;
}

static bool is_wanted(const char signature[4])
{
	for (unsigned i = 0; i < ARRAY_LENGTH(wanted); i++)
		if (!memcmp(wanted[i], signature, 4))
			return acpi_table(signature, NULL) == NULL;
	return false;
}

static bool read_root(const struct handoff *handoff, uint8_t xsdt[XSDT_MAX], uint32_t *length)
{
	const uint8_t *from = firmware_bytes(handoff, handoff->info.rsdp, sizeof(struct rsdp));
	struct rsdp rsdp;

	if (!from) {
		say("ACPI: RSDP at %lx is not in ACPI memory", handoff->info.rsdp);
		return false;
	}
	memcpy(&rsdp, from, sizeof(rsdp));
	if (memcmp(rsdp.signature, "RSD PTR ", 8) || rsdp.revision < 2 || sum((uint8_t *)&rsdp, 20) ||
	    rsdp.length < sizeof(rsdp) || sum((uint8_t *)&rsdp, sizeof(rsdp))) {
		say("ACPI: RSDP at %lx: wrong signature, revision or checksum", handoff->info.rsdp);
		return false;
	}
	const struct header *root = table_copy(handoff, rsdp.xsdt, xsdt, XSDT_MAX);

	if (!root || memcmp(root->signature, "XSDT", 4)) {
		say("ACPI: XSDT at %lx: not there, too long, or wrong checksum", rsdp.xsdt);
		return false;
	}
	*length = root->length;
	return true;
}

bool acpi_init(const struct handoff *handoff)
{
	static uint8_t xsdt[XSDT_MAX] __attribute__((aligned(8)));
	uint32_t length;

	table_count = copy_used = 0;
	if (!handoff->info.rsdp) {
		say("ACPI: none");
		return true;
	}
	if (!read_root(handoff, xsdt, &length))
		return false;
	for (uint32_t at = sizeof(struct header); at + 8 <= length && table_count < TABLE_MAX; at += 8) {
		uint64_t table;
		char signature[4];

		memcpy(&table, xsdt + at, sizeof(table));
		const uint8_t *from = firmware_bytes(handoff, table, sizeof(struct header));

		if (!from)
			continue;
		memcpy(signature, from, 4);
		if (!is_wanted(signature))
			continue;
		const struct header *head = table_copy(handoff, table, copy + copy_used, COPY_MAX - copy_used);

		if (!head || memcmp(head->signature, signature, 4)) {
			say("ACPI: table %c%c%c%c at %lx: too long, or wrong checksum", signature[0], signature[1],
				signature[2], signature[3], table);
			return false;
		}
		tables[table_count].offset = copy_used;
		tables[table_count++].length = head->length;
		copy_used += (head->length + 7) & ~7u;
		if (copy_used > COPY_MAX)
			copy_used = COPY_MAX;
	}
	return true;
}

const void *acpi_table(const char signature[4], uint32_t *length)
{
	for (unsigned i = 0; i < table_count; i++) {
		if (memcmp(copy + tables[i].offset, signature, 4))
			continue;
		if (length)
			*length = tables[i].length;
		return copy + tables[i].offset;
	}
	return NULL;
}

bool acpi_for_each_cpu(void (*found)(uint32_t apic_id, void *context), void *context)
{
	uint32_t length, flags;
	const uint8_t *madt = acpi_table("APIC", &length);

	if (!madt)
		return false;
	for (uint32_t at = MADT_ENTRIES; at + 2 <= length && madt[at + 1] >= 2 && madt[at + 1] <= length - at;
	     at += madt[at + 1]) {
		if (madt[at] == MADT_LOCAL_APIC && madt[at + 1] >= 8) {
			memcpy(&flags, madt + at + 4, sizeof(flags));
			if (flags & MADT_ENABLED)
				found(madt[at + 3], context);
		} else if (madt[at] == MADT_LOCAL_X2APIC && madt[at + 1] >= 16) {
			uint32_t id;

			memcpy(&id, madt + at + 4, sizeof(id));
			memcpy(&flags, madt + at + 8, sizeof(flags));
			if (flags & MADT_ENABLED)
				found(id, context);
		}
	}
	return true;
}
