/* SPDX-License-Identifier: Apache-2.0 */
/* Hash tables. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define TABLE_FIRST 16u

struct table_slot {
	const void *key;        /* NULL: empty */
	size_t size;
	unsigned hash, value;
};

/* FNV-1a.  A source that collides on purpose slows down its own author only. */
static unsigned hash_of(const void *key, size_t size)
{
	const uint8_t *byte = key;
	unsigned hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ byte[i]) * 16777619u;
	return hash;
}

/* The slot that holds the key, or the empty one where it belongs. */
static struct table_slot *slot_of(const struct table *table, const void *key, size_t size, unsigned hash)
{
	unsigned at = hash & (table->room - 1);

	while (table->slots[at].key && (table->slots[at].hash != hash || table->slots[at].size != size ||
					memcmp(table->slots[at].key, key, size)))
		at = (at + 1) & (table->room - 1);
	return &table->slots[at];
}

static void table_grow(struct table *table)
{
	struct table bigger = { .room = table->room ? 2 * table->room : TABLE_FIRST, .count = table->count };

	bigger.slots = memory_get(bigger.room * sizeof(*bigger.slots));
	for (unsigned i = 0; i < table->room; i++)
		if (table->slots[i].key)
			*slot_of(&bigger, table->slots[i].key, table->slots[i].size, table->slots[i].hash) =
				table->slots[i];
	free(table->slots);
	*table = bigger;
}

unsigned table_find(const struct table *table, const void *key, size_t size)
{
	if (!table->count)
		return NONE;
	const struct table_slot *slot = slot_of(table, key, size, hash_of(key, size));
	return slot->key ? slot->value : NONE;
}

unsigned table_add(struct table *table, const void *key, size_t size, unsigned value)
{
	unsigned hash = hash_of(key, size);

	if (4 * (table->count + 1) > 3 * table->room)
		table_grow(table);
	struct table_slot *slot = slot_of(table, key, size, hash);
	if (slot->key)
		return slot->value;
	*slot = (struct table_slot){ key, size, hash, value };
	table->count++;
	return NONE;
}

unsigned table_find_text(const struct table *table, const char *key)
{
	return table_find(table, key, strlen(key));
}

unsigned table_add_text(struct table *table, const char *key, unsigned value)
{
	return table_add(table, key, strlen(key), value);
}

void table_free(struct table *table)
{
	free(table->slots);
	*table = (struct table){ 0 };
}

void table_nearest(const struct table *table, struct nearest *nearest)
{
	for (unsigned i = 0; i < table->room; i++)
		if (table->slots[i].key)
			nearest_try(nearest, table->slots[i].key);
}
