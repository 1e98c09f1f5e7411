/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Windows Authenticode Portable Executable Signature Format", section "Calculating the PE Image Hash", and TCG PC
 * Client Platform Firmware Profile, sections on PCR 4 and PCR 7.
 */
#include "authenticode.h"

#include <stdlib.h>
#include <string.h>

#define SECTIONS_MAX 96u

struct section {
	uint32_t offset, size;
};

static uint32_t get32(struct bytes b, size_t at)
{
	return at + 4 <= b.length ? (uint32_t)(b.data[at] | b.data[at + 1] << 8 | b.data[at + 2] << 16) |
					    (uint32_t)b.data[at + 3] << 24
				  : 0;
}

static uint16_t get16(struct bytes b, size_t at)
{
	return at + 2 <= b.length ? (uint16_t)(b.data[at] | b.data[at + 1] << 8) : 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct section *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool refuse(struct fault *f, const char *name, const char *found)
{
	return fault_set(f, FAULT_FORMAT, name, "a PE32+ image", found);
}

/* Section table in file order, each inside the file. */
static bool read_sections(struct bytes pe, size_t table, size_t count, struct section *sections)
{
	for (size_t i = 0; i < count; i++) {
		sections[i].size = get32(pe, table + 40 * i + 16);
		sections[i].offset = get32(pe, table + 40 * i + 20);
		if (sections[i].size > pe.length || sections[i].offset > pe.length - sections[i].size)
			return false;
	}
	qsort(sections, count, sizeof(sections[0]), by_offset);
	return true;
}

bool authenticode_sha384(struct bytes pe, const char *name, uint8_t out[SHA384_SIZE], struct fault *f)
{
	struct section sections[SECTIONS_MAX];
	struct bytes parts[SECTIONS_MAX + 4];
	size_t header = get32(pe, 0x3c), optional = header + 24, count, headers, certificates, used = 0, end;

	if (pe.length < 0x40 || header > pe.length || pe.length - header < 24 + 152 || memcmp(pe.data, "MZ", 2) != 0 ||
	    memcmp(pe.data + header, "PE\0", 4) != 0 || get16(pe, optional) != 0x20b)
		return refuse(f, name, "other headers");
	count = get16(pe, header + 6);
	headers = get32(pe, optional + 60);
	certificates = get32(pe, optional + 148);
	if (count > SECTIONS_MAX || headers > pe.length || headers < optional + 152 || certificates > pe.length ||
	    !read_sections(pe, optional + get16(pe, header + 20), count, sections))
		return refuse(f, name, "headers or sections outside the file");
	parts[used++] = (struct bytes){ pe.data, optional + 64 };
	parts[used++] = (struct bytes){ pe.data + optional + 68, 144 - 68 };
	parts[used++] = (struct bytes){ pe.data + optional + 152, headers - optional - 152 };
	end = headers;
	for (size_t i = 0; i < count; i++) {
		if (!sections[i].size)
			continue;
		if (sections[i].offset < end)
			return refuse(f, name, "overlapping sections");
		parts[used++] = (struct bytes){ pe.data + sections[i].offset, sections[i].size };
		end = sections[i].offset + sections[i].size;
	}
	if (certificates > pe.length - end)
		return refuse(f, name, "certificates outside the file");
	parts[used++] = (struct bytes){ pe.data + end, pe.length - end - certificates };
	sha384_parts(out, parts, used);
	return true;
}

static void extend(uint8_t pcr[SHA384_SIZE], const void *data, size_t length)
{
	uint8_t digest[SHA384_SIZE];

	sha384(digest, data, length);
	sha384_parts(pcr, (struct bytes[]){ { pcr, SHA384_SIZE }, { digest, SHA384_SIZE } }, 2);
}

void expected_pcr4(const uint8_t application[SHA384_SIZE], uint8_t pcr[SHA384_SIZE])
{
	static const char action[] = "Calling EFI Application from Boot Option";
	static const uint8_t separator[4];

	memset(pcr, 0, SHA384_SIZE);
	extend(pcr, action, sizeof(action) - 1);
	extend(pcr, separator, sizeof(separator));
	sha384_parts(pcr, (struct bytes[]){ { pcr, SHA384_SIZE }, { application, SHA384_SIZE } }, 2);
}

/* UEFI_VARIABLE_DATA: GUID, length of the name in characters, length of the data, name, data. */
static void extend_variable(uint8_t pcr[SHA384_SIZE], const uint8_t guid[16], const char *name, const uint8_t *data,
			    size_t length)
{
	uint8_t event[16 + 16 + 64] = { 0 };
	size_t characters = strlen(name), used = 32;

	memcpy(event, guid, 16);
	event[16] = (uint8_t)characters;
	event[24] = (uint8_t)length;
	for (size_t i = 0; i < characters; i++, used += 2)
		event[used] = (uint8_t)name[i];
	if (length)
		memcpy(event + used, data, length);
	extend(pcr, event, used + length);
}

void expected_pcr7_setup_mode(uint8_t pcr[SHA384_SIZE])
{
	static const uint8_t global[16] = { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
					    0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c };
	static const uint8_t security[16] = { 0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
					      0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f };
	static const uint8_t off = 0, separator[4];

	memset(pcr, 0, SHA384_SIZE);
	extend_variable(pcr, global, "SecureBoot", &off, 1);
	extend_variable(pcr, global, "PK", NULL, 0);
	extend_variable(pcr, global, "KEK", NULL, 0);
	extend_variable(pcr, security, "db", NULL, 0);
	extend_variable(pcr, security, "dbx", NULL, 0);
	extend(pcr, separator, sizeof(separator));
}
