/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structure block is taken apart into its tokens, some of them are bent, moved, doubled, left out or nested too
 * deep, and then a header is written over the blocks that fits again; mostly, for the header is bent, too.
 */
#include "dtb_mutate.h"

#include <stdbool.h>
#include <string.h>

#include <libfdt.h>

#define HEADER 40u
#define RESERVATIONS 16u        /* the empty list */
#define TOKENS_MAX 4096u
#define HEADER_FIELDS 10u

struct block {
	uint8_t bytes[DTB_MUTATE_MAX];
	size_t size, room;
};

static struct block structure, strings;
static size_t tokens[TOKENS_MAX + 1];   /* where each begins; the last one is where the block ends */
static unsigned token_count;
static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 33) % below;
}

/* Numbers at which something ends or wraps, or near to `about`. */
static uint32_t draw_number(uint32_t about)
{
	static const uint32_t special[] = { 0, 1, 2, 3, 4, 9, 63, 64, 255, 256, 0x7fffffff, 0x80000000, 0xfffffffc,
					    0xffffffff };

	switch (draw(3)) {
	case 0:
		return special[draw(sizeof(special) / sizeof(special[0]))];
	case 1:
		return about + draw(17) - 8;
	default:
		return (draw(65536) << 16 | draw(65536)) >> draw(32);
	}
}

static uint32_t cell(const uint8_t *at)
{
	return fdt32_ld((const fdt32_t *)(const void *)at);
}

static void put_cell(uint8_t *at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* How long the token at `at` is, with what belongs to it; what is not understood is a cell. */
static size_t token_length(size_t at)
{
	const uint8_t *bytes = structure.bytes + at;
	size_t left = structure.size - at, length = 4;

	if (left < 12)
		return left < 4 ? left : 4;
	switch (cell(bytes)) {
	case FDT_BEGIN_NODE:
		while (length < left && bytes[length])
			length++;
		length++;
		break;
	case FDT_PROP:
		length = cell(bytes + 4) <= left ? 12 + (size_t)cell(bytes + 4) : 12;
		break;
	}
	length = (length + 3) & ~(size_t)3;
	return length < left ? length : left;
}

static void find_tokens(void)
{
	size_t at = 0;

	for (token_count = 0; token_count < TOKENS_MAX && at < structure.size; at += token_length(at))
		tokens[token_count++] = at;
	tokens[token_count] = at;
}

/* Of one kind, if some tries find one. */
static unsigned draw_token(uint32_t kind)
{
	unsigned token = draw(token_count);

	for (unsigned i = 0; i < 64 && tokens[token] + 4 <= structure.size; i++, token = draw(token_count))
		if (cell(structure.bytes + tokens[token]) == kind)
			break;
	return token;
}

/* `size` bytes at `at` give way to `count` others (NULL: zeros). */
static void replace(struct block *block, size_t at, size_t size, const void *bytes, size_t count)
{
	if (block->size - size + count > block->room)
		return;
	memmove(block->bytes + at + count, block->bytes + at + size, block->size - at - size);
	if (bytes)
		memcpy(block->bytes + at, bytes, count);
	else
		memset(block->bytes + at, 0, count);
	block->size += count - size;
}

static void bend_token(void)
{
	static const uint32_t kinds[] = { 0, FDT_BEGIN_NODE, FDT_END_NODE, FDT_PROP, FDT_NOP, 5, FDT_END, 0xd00dfeed };

	if (tokens[token_count - 1] + 4 <= structure.size)
		put_cell(structure.bytes + tokens[draw(token_count)], kinds[draw(8)]);
}

static void drop_tokens(void)
{
	unsigned first = draw(token_count), last = first + 1 + draw(draw(4) ? 1 : 8);

	last = last < token_count ? last : token_count;
	replace(&structure, tokens[first], tokens[last] - tokens[first], NULL, 0);
}

/* A run of tokens once more, somewhere. */
static void double_tokens(void)
{
	static uint8_t copy[DTB_MUTATE_MAX];
	unsigned first = draw(token_count), last = first + 1 + draw(draw(2) ? 2 : 20);

	last = last < token_count ? last : token_count;
	size_t length = tokens[last] - tokens[first];
	memcpy(copy, structure.bytes + tokens[first], length);
	replace(&structure, tokens[draw(token_count + 1)], 0, copy, length);
}

static void swap_tokens(void)
{
	static uint8_t copy[DTB_MUTATE_MAX];
	unsigned from = draw_token(FDT_PROP), to = draw(token_count);
	size_t length = tokens[from + 1] - tokens[from];

	memcpy(copy, structure.bytes + tokens[from], length);
	replace(&structure, tokens[to], tokens[to + 1] - tokens[to], copy, length);
}

/* The length that a property states: alone, or with as many bytes, and these padded or not. */
static void bend_length(void)
{
	size_t at = tokens[draw_token(FDT_PROP)];

	if (at + 12 > structure.size)
		return;
	uint32_t was = cell(structure.bytes + at + 4), now = draw_number(was);
	size_t end = at + 12 + was;
	put_cell(structure.bytes + at + 4, now);
	if (draw(2) || now > 4096 || was > structure.size || end > structure.size)
		return;
	size_t padded = draw(3) ? (now + 3u) & ~3u : now, had = (was + 3u) & ~3u;
	if (at + 12 + had > structure.size)
		return;
	if (padded > had)
		replace(&structure, at + 12 + had, 0, NULL, padded - had);
	else
		replace(&structure, at + 12 + padded, had - padded, NULL, 0);
}

static void bend_name_offset(void)
{
	size_t at = tokens[draw_token(FDT_PROP)];

	if (at + 12 <= structure.size)
		put_cell(structure.bytes + at + 8, draw(3) ? draw((uint32_t)strings.size + 1)
							   : draw_number((uint32_t)strings.size));
}

static void bend_value(void)
{
	unsigned token = draw_token(FDT_PROP);
	size_t at = tokens[token] + 12, length = tokens[token + 1] - tokens[token];

	if (length < 16)
		return;
	at += draw((uint32_t)(length - 12) / 4) * 4u;
	if (draw(2))
		put_cell(structure.bytes + at, draw_number(cell(structure.bytes + at)));
	else
		structure.bytes[at + draw(4)] ^= (uint8_t)(1u << draw(8));
}

static void bend_node_name(void)
{
	static const char letters[] = "@/a0.\xff_-";
	unsigned token = draw_token(FDT_BEGIN_NODE);
	size_t at = tokens[token] + 4, length = tokens[token + 1] - tokens[token] - 4;

	if (length == 0 || at >= structure.size)
		return;
	if (draw(8)) {
		structure.bytes[at + draw((uint32_t)length)] = (uint8_t)letters[draw(sizeof(letters))];
		return;
	}
	size_t more = 4u << draw(7);
	replace(&structure, at, 0, NULL, more);
	if (at + more <= structure.size)
		memset(structure.bytes + at, 'n', more);
}

/* Nodes in nodes in nodes; some close again. */
static void nest(void)
{
	static uint8_t nodes[8 * 600];
	unsigned depth = 1u << draw(10), close = draw(2) ? depth : draw(depth + 1);
	size_t size = 0;

	depth = depth < 400 ? depth : 400;
	for (unsigned i = 0; i < depth; i++, size += 8) {
		put_cell(nodes + size, FDT_BEGIN_NODE);
		memcpy(nodes + size + 4, "n\0\0", 4);
	}
	for (unsigned i = 0; i < close && size + 4 <= sizeof(nodes); i++, size += 4)
		put_cell(nodes + size, FDT_END_NODE);
	replace(&structure, tokens[draw(token_count + 1)], 0, nodes, size);
}

/* The end is missing, stands in the middle, or something follows it. */
static void bend_end(void)
{
	uint8_t end[4];

	put_cell(end, draw(3) ? FDT_END : FDT_END_NODE);
	if (draw(2))
		replace(&structure, structure.size - draw(draw(2) ? 5 : 64) % structure.size, 0, end, 4);
	else
		structure.size -= draw(draw(2) ? 9 : 64) % structure.size;
}

/* The structure ends in the middle of a property's head, whose length may lead back. */
static void cut_head(void)
{
	size_t at = tokens[draw_token(FDT_PROP)];

	if (at + 12 > structure.size)
		return;
	put_cell(structure.bytes + at + 4, -draw(32));
	structure.size = at + 4 + 4 * draw(3);
}

static void bend_strings(void)
{
	if (strings.size == 0)
		replace(&strings, 0, 0, "name", 5);
	else if (draw(3))
		strings.bytes[draw((uint32_t)strings.size)] = (uint8_t)(draw(2) ? 0 : 'a' + draw(26));
	else if (draw(2))
		strings.size -= draw((uint32_t)strings.size < 16 ? (uint32_t)strings.size : 16);
	else
		replace(&strings, draw((uint32_t)strings.size), 0, "vcpus", 1 + draw(6));
}

/* Blocks that overlap, lie outside or in the header, and sizes that are not theirs. */
static void bend_header(uint8_t *data, size_t size)
{
	uint8_t *field = data + 4 * draw(HEADER_FIELDS);

	put_cell(field, draw(2) ? cell(data + 4 * (1 + draw(HEADER_FIELDS - 1))) + draw(9) - 4
				: draw_number(draw(2) ? (uint32_t)size : cell(field)));
}

static bool take_block(struct block *block, const uint8_t *data, size_t size, uint32_t at, uint32_t length, size_t room)
{
	if (at > size || length > size - at || length > room)
		return false;
	memcpy(block->bytes, data + at, length);
	block->size = length;
	block->room = room;
	return true;
}

/* The header that libfdt itself would write over these two blocks. */
static size_t assemble(uint8_t *out)
{
	size_t strings_at = HEADER + RESERVATIONS + structure.size, end = strings_at + strings.size;
	const uint32_t header[HEADER_FIELDS] = {
		FDT_MAGIC, (uint32_t)end, HEADER + RESERVATIONS, (uint32_t)strings_at, HEADER, 17, 16, 0,
		(uint32_t)strings.size, (uint32_t)structure.size,
	};

	for (unsigned i = 0; i < HEADER_FIELDS; i++)
		put_cell(out + 4 * i, header[i]);
	memset(out + HEADER, 0, RESERVATIONS);
	memcpy(out + HEADER + RESERVATIONS, structure.bytes, structure.size);
	memcpy(out + strings_at, strings.bytes, strings.size);
	return end;
}

size_t dtb_mutate(uint8_t *data, size_t size, size_t room, uint64_t seed)
{
	static void (*const changes[])(void) = {
		bend_token, drop_tokens, double_tokens, swap_tokens, bend_length, bend_name_offset, bend_value,
		bend_value, bend_value, bend_node_name, nest, bend_end, cut_head, bend_strings,
	};
	size_t space = room < DTB_MUTATE_MAX ? room : DTB_MUTATE_MAX;

	state = seed * 0x9e3779b97f4a7c15ull | 1;
	if (size < HEADER || space < HEADER + RESERVATIONS)
		return 0;
	space -= HEADER + RESERVATIONS;
	if (!take_block(&structure, data, size, cell(data + 8), cell(data + 36), space) ||
	    !take_block(&strings, data, size, cell(data + 12), cell(data + 32), space) || structure.size == 0 ||
	    structure.size + strings.size > space)
		return 0;
	strings.room = strings.size + (space - structure.size - strings.size) / 2;
	structure.room = space - strings.room;
	for (unsigned i = 1 + draw(3); i && structure.size; i--) {
		find_tokens();
		changes[draw(sizeof(changes) / sizeof(changes[0]))]();
	}
	size = assemble(data);
	if (draw(8) == 0)
		bend_header(data, size);
	if (draw(64) == 0)
		size -= draw((uint32_t)(size < 64 ? size : 64));
	return size;
}
