/* SPDX-License-Identifier: Apache-2.0 */
/* The same for AFL++, as a library that it loads (AFL_CUSTOM_MUTATOR_LIBRARY) and uses beside its own mutators. */
#include <string.h>

#include "dtb_mutate.h"

static struct mutator {
	uint64_t seed;
	uint8_t bytes[DTB_MUTATE_MAX];
} mutator;

void *afl_custom_init(void *afl, unsigned int seed);
size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other, size_t other_size,
		       size_t max_size);
void afl_custom_deinit(void *data);

void *afl_custom_init(void *afl, unsigned int seed)
{
	(void)afl;
	mutator.seed = seed;
	return &mutator;
}

/* 0 leaves this one to AFL++. */
size_t afl_custom_fuzz(void *data, uint8_t *bytes, size_t size, uint8_t **out, uint8_t *other, size_t other_size,
		       size_t max_size)
{
	struct mutator *m = data;
	size_t room = max_size < sizeof(m->bytes) ? max_size : sizeof(m->bytes);

	(void)other;
	(void)other_size;
	*out = m->bytes;
	if (size > room)
		return 0;
	memcpy(m->bytes, bytes, size);
	return dtb_mutate(m->bytes, size, room, ++m->seed);
}

void afl_custom_deinit(void *data)
{
	(void)data;
}
