/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target for the hypervisor's policy reader and flow check: `make fuzz FUZZ_S=60`.  Trees are made that dtc
 * would never write: half of the changes are to the bytes as they are, half to the structure or the strings alone, with
 * a header that fits again.  It starts from the unit tests' policy.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat_fake.h"
#include "policy_rig.h"
#include "tree.h"

#define HEADER 40u
#define RESERVATIONS 16u        /* the empty list */
#define INPUT_MAX (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

static void put(uint8_t *header, unsigned field, uint32_t value)
{
	fdt32_st(header + 4 * field, value);
}

/* The header that libfdt itself would write over these two blocks. */
static size_t assemble(uint8_t *out, const uint8_t *structure, size_t structure_size, const uint8_t *strings,
		       size_t strings_size)
{
	size_t strings_at = HEADER + RESERVATIONS + structure_size;
	static const unsigned fixed[][2] = {
		{ 0, FDT_MAGIC }, { 2, HEADER + RESERVATIONS }, { 4, HEADER }, { 5, 17 }, { 6, 16 }, { 7, 0 },
	};

	memset(out, 0, HEADER + RESERVATIONS);
	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		put(out, fixed[i][0], fixed[i][1]);
	put(out, 1, (uint32_t)(strings_at + strings_size));
	put(out, 3, (uint32_t)strings_at);
	put(out, 8, (uint32_t)strings_size);
	put(out, 9, (uint32_t)structure_size);
	memcpy(out + HEADER + RESERVATIONS, structure, structure_size);
	memcpy(out + strings_at, strings, strings_size);
	return strings_at + strings_size;
}

static size_t start(uint8_t *data, size_t max_size)
{
	policy_rig_build();
	uint32_t length = tree_end();

	if (length > max_size)
		return 0;
	memcpy(data, tree, length);
	return length;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	static uint8_t structure[INPUT_MAX], strings[INPUT_MAX];

	if (size < HEADER || max_size > INPUT_MAX)
		return start(data, max_size);
	size_t structure_at = fdt_off_dt_struct(data), structure_size = fdt_size_dt_struct(data);
	size_t strings_at = fdt_off_dt_strings(data), strings_size = fdt_size_dt_strings(data);
	size_t room = max_size - HEADER - RESERVATIONS;

	if (seed % 2 || structure_at > size || structure_size > size - structure_at || strings_at > size ||
	    strings_size > size - strings_at || structure_size + strings_size > room)
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(structure, data + structure_at, structure_size);
	memcpy(strings, data + strings_at, strings_size);
	if (seed % 16)
		structure_size = LLVMFuzzerMutate(structure, structure_size, room - strings_size) & ~(size_t)3;
	else
		strings_size = LLVMFuzzerMutate(strings, strings_size, room - structure_size);
	return assemble(data, structure, structure_size, strings, strings_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *exact = malloc(size ? size : 1);

	memcpy(exact, data, size);
	if (!fake_ram)
		fake_reset(NULL);
	policy_rig_images();
	fake_said[0] = 0;
	if (policy_read("p.dtb", exact, size)) {
		if (!policy_rig_holds())
			abort();
		(void)!flow_check();
	} else if (strncmp(fake_said, "refused: policy ", 16)) {
		abort();                /* nothing is refused in silence */
	}
	free(exact);
	return 0;
}
