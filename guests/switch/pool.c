/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stddef.h>

static struct buffer *first, *stack[POOL_MAX];
static uint8_t sources[POOL_MAX];
static uint32_t top;

void pool_init(struct buffer *memory, uint32_t count)
{
	first = memory;
	for (top = 0; top < count && top < POOL_MAX; top++)
		stack[top] = &memory[top];
}

struct buffer *pool_get(void)
{
	return top == 0 ? NULL : stack[--top];
}

void pool_put(struct buffer *buffer)
{
	if (top < POOL_MAX)
		stack[top++] = buffer;
}

void pool_set_source(const struct buffer *buffer, unsigned source)
{
	sources[buffer - first] = (uint8_t)source;
}

unsigned pool_source(const struct buffer *buffer)
{
	return sources[buffer - first];
}

uint32_t pool_count(void)
{
	return top;
}
