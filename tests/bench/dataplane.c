/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSC cycles a frame: the switch's decision on 64-byte UDP frames between admitted ports, beside the least that any
 * switch with flows has to do on the same machine in the same run (parse, hash, look up in a table of 16,384, count,
 * copy 64 bytes; the "limit" loop).  Absolute numbers move with the neighbours; the ratio is what counts.
 *
 *   BENCH dataplane case=NAME frame=N cycles=X ratio=R
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "crypto.h"
#include "switch.h"

#define RING 512u               /* buffers, hot in the cache */
#define BUFFER 2048u
#define BURST 32u
#define FRAMES (1u << 20)
#define REPEATS 7u
#define SLOTS 16384u
#define FLOWS 12288u

struct flow {                   /* one entry of the limit's table */
	uint64_t key[2];
	uint64_t packets, bytes;
};

static _Alignas(64) uint8_t ring[RING][BUFFER], out[RING][BUFFER];
static struct flow table[SLOTS];
static struct nswitch sw;
static uint64_t seed = 1;
static volatile uint64_t sink;

/* The bench has no nonces to draw. */
bool crypto_random(uint8_t *bytes, size_t length)
{
	memset(bytes, 1, length);
	return true;
}

static uint32_t roll(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33);
}

static void admit_all(void)
{
	uint32_t i;

	for (i = 0; i < sw.config.header.port_count; i++) {
		sw.ports[i].state = LZR_PORT_ADMITTED;
		sw.ports[i].lease_end = ~0ull;
	}
}

static void make_site(void)
{
	struct lzr_switch_header *h = &sw.config.header;
	unsigned i;

	memset(&sw.config, 0, sizeof(sw.config));
	h->port_count = LZR_SWITCH_PORT_MAX;
	h->network_count = LZR_SWITCH_NETWORK_MAX;
	for (i = 0; i < h->network_count; i++)
		sw.config.networks[i] = (struct lzr_switch_network){ .uplink = LZR_SWITCH_NONE,
								     .flags = LZR_NETWORK_ALLOW_ALL };
	for (i = 0; i < h->port_count; i++) {
		sw.config.ports[i].kind = LZR_PORT_GUEST;
		sw.config.ports[i].network = i / 2;
		sw.config.ports[i].inspection = LZR_SWITCH_NONE;
		memcpy(sw.config.ports[i].mac, (const uint8_t[]){ 2, 0x4c, 0x5a, 0, 1, (uint8_t)i }, 6);
		memcpy(sw.config.ports[i].ipv4, (const uint8_t[]){ 10, 0, (uint8_t)(i / 2), (uint8_t)(1 + i % 2) }, 4);
	}
	switch_init(&sw);
	admit_all();
}

/*
 * Every network gets rules, `per_network` of them: each denies one port of TCP, the last allows UDP if `allow`.
 * Nothing that the bench sends fits one of the others.
 */
static void make_rules(uint32_t per_network, bool allow)
{
	struct lzr_switch_header *h = &sw.config.header;
	uint32_t i, last;

	make_site();
	h->rule_count = per_network * h->network_count;
	h->service_count = h->match_count = per_network;
	for (i = 0; i < per_network; i++) {
		last = i + 1 == per_network && allow;
		sw.config.services[i] = (struct lzr_switch_service){ i, 1 };
		sw.config.matches[i] = (struct lzr_switch_match){ last ? 17 : 6, 0, last ? 0 : (uint16_t)(i + 1),
								  last ? 65535 : (uint16_t)(i + 1), 0 };
	}
	for (i = 0; i < h->rule_count; i++) {
		last = i % per_network + 1 == per_network && allow;
		sw.config.rules[i] = (struct lzr_switch_rule){ LZR_SWITCH_NONE, LZR_SWITCH_NONE, i % per_network,
							       last ? LZR_RULE_ALLOW : LZR_RULE_DENY, 0, { 0 } };
	}
	for (i = 0; i < h->network_count; i++) {
		sw.config.networks[i].flags = 0;
		sw.config.networks[i].rule_first = i * per_network;
		sw.config.networks[i].rule_count = per_network;
	}
	switch_init(&sw);
	admit_all();
}

/* A frame of `length` bytes from a random port to the other one of its network, a random flow of theirs. */
static void write_frame(uint8_t *frame, uint32_t length, unsigned from)
{
	static const uint8_t head[] = { 0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0 };
	const struct lzr_switch_port *a = &sw.config.ports[from], *b = &sw.config.ports[from ^ 1];
	uint32_t sum = 0, flow = roll() % (FLOWS / LZR_SWITCH_PORT_MAX), i;

	memcpy(frame, b->mac, 6);
	memcpy(frame + 6, a->mac, 6);
	memcpy(frame + 12, head, sizeof(head));
	frame[16] = (uint8_t)((length - 14) >> 8);
	frame[17] = (uint8_t)(length - 14);
	memcpy(frame + 26, a->ipv4, 4);
	memcpy(frame + 30, b->ipv4, 4);
	for (i = 14; i < 34; i += 2)
		sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
	frame[34] = (uint8_t)(flow >> 8);
	frame[35] = (uint8_t)flow;
	frame[36] = 0x13;
	frame[37] = 0x88;
	frame[38] = (uint8_t)((length - 34) >> 8);
	frame[39] = (uint8_t)(length - 34);
	frame[40] = frame[41] = 0;
}

static unsigned sources[RING];

static void fill_ring(uint32_t length)
{
	unsigned i;

	for (i = 0; i < RING; i++) {
		sources[i] = roll() % LZR_SWITCH_PORT_MAX;
		write_frame(ring[i], length, sources[i]);
	}
}

/* A new random flow each time a buffer is used again; both loops pay for it alike. */
static void next_flow(uint8_t *frame)
{
	uint32_t flow = roll() % (FLOWS / LZR_SWITCH_PORT_MAX);

	frame[34] = (uint8_t)(flow >> 8);
	frame[35] = (uint8_t)flow;
}

/* --- the limit ---------------------------------------------------------------------------------------------------- */

__attribute__((target("sse4.2"))) static uint32_t hash_key(const uint64_t key[2])
{
	return (uint32_t)(_mm_crc32_u64(_mm_crc32_u64(0, key[0]), key[1]) * 0x9e3779b1u) % SLOTS;
}

static bool limit_key(const uint8_t *frame, uint32_t length, uint64_t key[2])
{
	if (length < 42 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45 ||
	    (uint32_t)(frame[16] << 8 | frame[17]) > length - 14)
		return false;
	memcpy(key, frame + 26, 8);
	key[1] = 0;
	memcpy(key + 1, frame + 34, 4);
	key[1] |= (uint64_t)frame[23] << 32;
	return true;
}

static void limit_burst(unsigned first, uint32_t length)
{
	uint64_t keys[BURST][2];
	uint32_t slots[BURST], i;

	for (i = 0; i < BURST; i++)
		__builtin_prefetch(ring[first + i]);
	for (i = 0; i < BURST; i++) {
		next_flow(ring[first + i]);
		if (!limit_key(ring[first + i], length, keys[i]))
			abort();
		slots[i] = hash_key(keys[i]);
		__builtin_prefetch(&table[slots[i]]);
	}
	for (i = 0; i < BURST; i++) {
		struct flow *f = &table[slots[i]];

		while (f->key[0] != keys[i][0] || f->key[1] != keys[i][1]) {
			if (f->key[0] == 0) {
				memcpy(f->key, keys[i], sizeof(f->key));
				break;
			}
			f = f == &table[SLOTS - 1] ? table : f + 1;
		}
		f->packets++;
		f->bytes += length;
		memcpy(out[first + i], ring[first + i], length);
	}
}

/* --- the switch --------------------------------------------------------------------------------------------------- */

static void switch_one(unsigned i, uint32_t length, bool copy)
{
	struct switch_end from = { SWITCH_PORT, (uint8_t)sources[i] }, to;

	next_flow(ring[i]);
	if (switch_forward(&sw, from, ring[i], length, 1, &to) != NF_PASS || to.index != (sources[i] ^ 1))
		abort();
	switch_delivered(&sw, from, to);
	if (copy)
		memcpy(out[i], ring[i], length);
}

static void decide_burst(unsigned first, uint32_t length)
{
	unsigned i;

	for (i = 0; i < BURST; i++)
		switch_one(first + i, length, false);
}

static void copy_burst(unsigned first, uint32_t length)
{
	unsigned i;

	for (i = 0; i < BURST; i++)
		switch_one(first + i, length, true);
}

static void closed_burst(unsigned first, uint32_t length)
{
	struct switch_end from, to;
	unsigned i;

	for (i = first; i < first + BURST; i++) {
		from = (struct switch_end){ SWITCH_PORT, (uint8_t)sources[i] };
		next_flow(ring[i]);
		if (switch_forward(&sw, from, ring[i], length, ~0ull, &to) != NF_CLOSED)
			abort();
	}
}

static void denied_burst(unsigned first, uint32_t length)
{
	struct switch_end from, to;
	unsigned i;

	for (i = first; i < first + BURST; i++) {
		from = (struct switch_end){ SWITCH_PORT, (uint8_t)sources[i] };
		next_flow(ring[i]);
		if (switch_forward(&sw, from, ring[i], length, 1, &to) != NF_NO_RULE)
			abort();
	}
}

/* --- measuring ---------------------------------------------------------------------------------------------------- */

/* The best of several runs, as a quiet machine would show it. */
static double measure(void (*burst)(unsigned, uint32_t), uint32_t length)
{
	uint64_t best = ~0ull, start, took;
	unsigned repeat, i;

	fill_ring(length);
	for (repeat = 0; repeat < REPEATS; repeat++) {
		start = __rdtsc();
		for (i = 0; i < FRAMES; i += BURST)
			burst(i % RING, length);
		took = __rdtsc() - start;
		best = took < best ? took : best;
	}
	sink += out[1][1];
	return (double)best / FRAMES;
}

int main(void)
{
	static const uint32_t lengths[] = { 64, 1500 };
	unsigned i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		double limit, decide, copy, closed, known, few, many;

		make_site();
		limit = measure(limit_burst, lengths[i]);
		decide = measure(decide_burst, lengths[i]);
		copy = measure(copy_burst, lengths[i]);
		closed = measure(closed_burst, lengths[i]);
		make_rules(4, true);
		known = measure(decide_burst, lengths[i]);
		make_rules(1, false);
		few = measure(denied_burst, lengths[i]);
		make_rules(LZR_SWITCH_RULE_MAX / LZR_SWITCH_NETWORK_MAX, false);
		many = measure(denied_burst, lengths[i]);
		printf("BENCH dataplane case=limit frame=%u cycles=%.1f ratio=1.00\n", lengths[i], limit);
		printf("BENCH dataplane case=decision frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], decide,
		       decide / limit);
		printf("BENCH dataplane case=decision+copy frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], copy,
		       copy / limit);
		printf("BENCH dataplane case=closed-port frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], closed,
		       closed / limit);
		printf("BENCH dataplane case=connection frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], known,
		       known / limit);
		printf("BENCH dataplane case=denied-1-rule frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], few,
		       few / limit);
		printf("BENCH dataplane case=denied-32-rules frame=%u cycles=%.1f ratio=%.2f\n", lengths[i], many,
		       many / limit);
	}
	return 0;
}
