/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest says that can only stop its VM: the hypervisor takes it, since it does no harm to anybody else. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "fdt_whole.h"

#define PAGE 4096u
#define PCI_PORTS 0xcf8u        /* to 0xcff: PCI configuration, always there */

struct start {
	const void *fdt;
	uint64_t memory;
	char *why;
	size_t size;
};

static bool stops(struct start *s, const char *what, uint64_t value, const char *expected)
{
	snprintf(s->why, s->size, "its manifest can only stop it: %s is 0x%llx, expected %s", what,
		 (unsigned long long)value, expected);
	return false;
}

/* Everything else in RAM is zero. */
static bool in_a_segment(const struct start *s, uint64_t page)
{
	int segments = fdt_subnode_offset(s->fdt, 0, "segments"), node;
	uint64_t gpa, length;

	if (segments < 0)
		return false;
	fdt_for_each_subnode(node, s->fdt, segments)
		if (manifest_number(s->fdt, node, "gpa", 8, &gpa) &&
		    manifest_number(s->fdt, node, "length", 8, &length) && gpa < page + PAGE && page < gpa + length)
			return true;
	return false;
}

/* The whole of a property, with nothing behind its end. */
static bool is_word(const char *value, int length, const char *word)
{
	return value && length == (int)strlen(word) + 1 && !memcmp(value, word, (size_t)length);
}

static bool check_state(struct start *s)
{
	int node = fdt_subnode_offset(s->fdt, 0, "state"), length;
	uint64_t rip = 0, cr3 = 0;

	if (node < 0)
		return true;
	const char *mode = fdt_getprop(s->fdt, node, "mode", &length);
	const bool long64 = is_word(mode, length, "long64");
	if (!long64 && !is_word(mode, length, "protected32")) {
		snprintf(s->why, s->size, "its manifest: state: mode: expected the one word long64 or protected32");
		return false;
	}
	manifest_number(s->fdt, node, "rip", 8, &rip);
	manifest_number(s->fdt, node, "cr3", 8, &cr3);
	if (!long64)
		return rip < s->memory || stops(s, "state: rip", rip, "an address in RAM");
	if ((uint64_t)((int64_t)(rip << 16) >> 16) != rip)
		return stops(s, "state: rip", rip, "a canonical address");
	return in_a_segment(s, cr3) || stops(s, "state: cr3", cr3, "a page of a segment, with page tables in it");
}

static bool check_ports(struct start *s)
{
	static const struct { const char *name; unsigned count; } known[] = {
		{ LZR_PORT_UART, 8 }, { LZR_PORT_POWER, 3 }, { LZR_PORT_DEBUG, 1 },
	};
	int node = fdt_subnode_offset(s->fdt, 0, "ports");
	uint64_t port;

	for (unsigned i = 0; node >= 0 && i < sizeof(known) / sizeof(known[0]); i++)
		if (manifest_number(s->fdt, node, known[i].name, 4, &port) && port < PCI_PORTS + 8 &&
		    port + known[i].count > PCI_PORTS) {
			char what[32];

			snprintf(what, sizeof(what), "ports: %s", known[i].name);
			return stops(s, what, port, "ports beside 0xcf8 to 0xcff, PCI configuration's");
		}
	return true;
}

/* The pages of a node: an assigned platform device's, or those of a virtual device's MSI-X table. */
static bool pages_of(const void *fdt, int node, uint64_t *base, uint64_t *length)
{
	const char *name = fdt_get_name(fdt, node, NULL);
	const void *msix;
	int size;

	if (!strncmp(name, "mmio@", 5))
		return manifest_number(fdt, node, "gpa", 8, base) && manifest_number(fdt, node, "length", 8, length);
	if (strncmp(name, "vdev@", 5) || !(msix = fdt_getprop(fdt, node, "msix", &size)) || size != 16)
		return false;
	*base = fdt64_ld((const fdt64_t *)((const char *)msix + 8));
	*length = PAGE;
	return true;
}

static bool check_pages(struct start *s)
{
	uint64_t base, length, other, other_length;
	int node, before;

	fdt_for_each_subnode(node, s->fdt, 0) {
		if (!pages_of(s->fdt, node, &base, &length))
			continue;
		fdt_for_each_subnode(before, s->fdt, 0) {
			if (before == node)
				break;
			if (pages_of(s->fdt, before, &other, &other_length) &&
			    (base - other < other_length || other - base < length))
				return stops(s, fdt_get_name(s->fdt, node, NULL), base,
					     "pages that no device before it has");
		}
	}
	return true;
}

bool facts_can_start(const void *fdt, uint64_t memory, char *why, size_t size)
{
	struct start s = { fdt, memory, why, size };

	return check_state(&s) && check_ports(&s) && check_pages(&s);
}
