/* SPDX-License-Identifier: Apache-2.0 */
#include "pool.h"

#include <stddef.h>

static struct buffer *stack[POOL_MAX];
static uint32_t top;

void pool_init(struct buffer *memory, uint32_t count)
{
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

uint32_t pool_count(void)
{
	return top;
}
