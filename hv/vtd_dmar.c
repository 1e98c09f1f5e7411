/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DMAR table (VT-d specification, "BIOS Considerations"): which remapping units there are and which sources each of
 * them covers.  Gone after the seal.
 *
 * Every length is checked against what is left of its container before it is used.  A structure of a type that is not
 * needed here is stepped over, its length checked all the same.
 */
#include "pci.h"
#include "vtd.h"

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint64_t get64(const uint8_t *p)
{
	uint64_t value = 0;

	for (int i = 7; i >= 0; i--)
		value = value << 8 | p[i];
	return value;
}

/* Follows a path of (device, function) pairs from a bus; every step but the last goes through a bridge. */
static enum hv_err resolve_path(uint8_t bus, const uint8_t *path, unsigned length, struct pci_address *out)
{
	if (length < 2 || length % 2 != 0)
		return HV_BAD_INPUT;
	for (unsigned i = 0; i < length; i += 2) {
		if (path[i] > 31 || path[i + 1] > 7)
			return HV_BAD_INPUT;
		*out = (struct pci_address){ bus, path[i], path[i + 1] };
		if (i + 2 < length)
			bus = (uint8_t)pci_get(*out, PCI_BRIDGE_SECONDARY, 1);
	}
	return HV_OK;
}

static enum hv_err add_scope(const uint8_t *scope, unsigned length, uint8_t owner, struct dmar_scope *list,
			     unsigned *count)
{
	struct pci_address at;
	struct dmar_scope *s;
	enum hv_err err;

	if (scope[0] != DMAR_SCOPE_ENDPOINT && scope[0] != DMAR_SCOPE_BRIDGE)
		return HV_OK;   /* I/O APIC, timer, ACPI device: nothing of theirs is ever assigned */
	err = resolve_path(scope[5], scope + DMAR_SCOPE_HEADER, length - DMAR_SCOPE_HEADER, &at);
	if (err)
		return err;
	if (*count == VTD_SCOPE_MAX)
		return HV_NO_MEMORY;
	s = &list[(*count)++];
	*s = (struct dmar_scope){ .unit = owner, .source = pci_source(at), .first_bus = 1, .last_bus = 0 };
	if (scope[0] == DMAR_SCOPE_BRIDGE && pci_get(at, PCI_VENDOR, 2) != 0xffff) {
		s->first_bus = (uint8_t)pci_get(at, PCI_BRIDGE_SECONDARY, 1);
		s->last_bus = (uint8_t)pci_get(at, PCI_BRIDGE_SUBORDINATE, 1);
		if (s->first_bus == 0)          /* not numbered: nothing is behind it */
			s->first_bus = 1, s->last_bus = 0;
	}
	return HV_OK;
}

static enum hv_err add_scopes(const uint8_t *from, unsigned length, uint8_t owner, struct dmar_scope *list,
			      unsigned *count)
{
	while (length > 0) {
		enum hv_err err;

		if (length < DMAR_SCOPE_HEADER || from[1] < DMAR_SCOPE_HEADER + 2 || from[1] > length)
			return HV_BAD_INPUT;
		err = add_scope(from, from[1], owner, list, count);
		if (err)
			return err;
		length -= from[1];
		from += from[1];
	}
	return HV_OK;
}

static enum hv_err add_unit(const uint8_t *drhd, unsigned length, struct dmar *out)
{
	unsigned n = out->unit_count;

	if (length < DMAR_DRHD_HEADER)
		return HV_BAD_INPUT;
	if (n == VTD_UNIT_MAX)
		return HV_NO_MEMORY;
	out->units[n].all = drhd[4] & DMAR_DRHD_ALL;
	out->units[n].segment = get16(drhd + 6);
	out->units[n].base = get64(drhd + 8);
	if (out->units[n].base == 0)
		return HV_UNSUPPORTED;
	if (out->units[n].base % PAGE_SIZE != 0)
		return HV_BAD_INPUT;
	for (unsigned i = 0; i < n; i++) {
		if (out->units[i].base == out->units[n].base)
			return HV_BAD_INPUT;
		if (out->units[n].all && out->units[i].all && out->units[i].segment == out->units[n].segment)
			return HV_BAD_INPUT;
	}
	out->unit_count++;
	if (out->units[n].segment != 0)
		return HV_OK;   /* turned on like the others, but nothing behind it can be assigned */
	return add_scopes(drhd + DMAR_DRHD_HEADER, length - DMAR_DRHD_HEADER, (uint8_t)n, out->scopes,
			  &out->scope_count);
}

static enum hv_err add_reserved(const uint8_t *rmrr, unsigned length, struct dmar *out)
{
	if (length < DMAR_RMRR_HEADER)
		return HV_BAD_INPUT;
	if (get16(rmrr + 6) != 0)
		return HV_OK;
	return add_scopes(rmrr + DMAR_RMRR_HEADER, length - DMAR_RMRR_HEADER, 0, out->reserved, &out->reserved_count);
}

static enum hv_err add_structure(const uint8_t *from, unsigned length, struct dmar *out)
{
	switch (get16(from)) {
	case DMAR_DRHD:
		return add_unit(from, length, out);
	case DMAR_RMRR:
		return add_reserved(from, length, out);
	default:
		return HV_OK;
	}
}

enum hv_err dmar_parse(const uint8_t *table, uint32_t length, struct dmar *out)
{
	uint32_t at = DMAR_HEADER;

	*out = (struct dmar){ 0 };
	if (length < DMAR_HEADER) {
		say("vtd: DMAR table of %u bytes, expected at least %u", length, DMAR_HEADER);
		return HV_BAD_INPUT;
	}
	out->width = table[DMAR_WIDTH] + 1u;
	out->irq_remap = table[DMAR_FLAGS] & DMAR_INTR_REMAP;
	while (at < length) {
		unsigned size = length - at >= 4 ? get16(table + at + 2) : 0;
		enum hv_err err = HV_BAD_INPUT;

		if (size >= 4 && size <= length - at)
			err = add_structure(table + at, size, out);
		if (err) {
			say("vtd: DMAR structure at byte %u (%u bytes, %u left): %s", at, size, length - at,
			    err == HV_NO_MEMORY ? "more units or scopes than this build can keep" :
			    err == HV_UNSUPPORTED ? "a unit at address 0: the firmware has it off" : "malformed");
			return err;
		}
		at += size;
	}
	if (out->unit_count == 0) {
		say("vtd: DMAR table names no remapping unit");
		return HV_BAD_INPUT;
	}
	return HV_OK;
}

static bool scope_covers(const struct dmar_scope *scope, uint16_t source)
{
	uint8_t bus = (uint8_t)(source >> 8);

	return scope->source == source || (scope->first_bus <= bus && bus <= scope->last_bus);
}

int dmar_unit(const struct dmar *dmar, uint16_t source)
{
	for (unsigned i = 0; i < dmar->scope_count; i++) {
		if (scope_covers(&dmar->scopes[i], source))
			return dmar->scopes[i].unit;
	}
	for (unsigned i = 0; i < dmar->unit_count; i++) {
		if (dmar->units[i].all && dmar->units[i].segment == 0)
			return (int)i;
	}
	return -1;
}

bool dmar_reserves(const struct dmar *dmar, uint16_t source)
{
	for (unsigned i = 0; i < dmar->reserved_count; i++) {
		if (scope_covers(&dmar->reserved[i], source))
			return true;
	}
	return false;
}
