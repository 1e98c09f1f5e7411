/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash: a keyed hash for tables whose keys an outsider chooses.  Who does not know the key cannot aim at a chain.
 * J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012; 2 rounds a word and 4 at the end.
 */
#ifndef NETFILTER_SIPHASH_H
#define NETFILTER_SIPHASH_H

#include <stdint.h>

struct siphash_key {
	uint64_t word[2];       /* little-endian halves of the paper's 16 bytes */
};

struct siphash {
	uint64_t v[4];
};

static inline uint64_t siphash_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void siphash_round(struct siphash *s)
{
	s->v[0] += s->v[1];
	s->v[2] += s->v[3];
	s->v[1] = siphash_rotate(s->v[1], 13) ^ s->v[0];
	s->v[3] = siphash_rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] = siphash_rotate(s->v[0], 32);
	s->v[2] += s->v[1];
	s->v[0] += s->v[3];
	s->v[1] = siphash_rotate(s->v[1], 17) ^ s->v[2];
	s->v[3] = siphash_rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] = siphash_rotate(s->v[2], 32);
}

static inline struct siphash siphash_begin(const struct siphash_key *key)
{
	return (struct siphash){ { key->word[0] ^ 0x736f6d6570736575ull, key->word[1] ^ 0x646f72616e646f6dull,
				   key->word[0] ^ 0x6c7967656e657261ull, key->word[1] ^ 0x7465646279746573ull } };
}

/* Eight bytes of the message, read as a little-endian number. */
static inline void siphash_word(struct siphash *s, uint64_t word)
{
	s->v[3] ^= word;
	siphash_round(s);
	siphash_round(s);
	s->v[0] ^= word;
}

/* The last bytes, less than eight, and the message's length above them: `last` | length << 56. */
static inline uint64_t siphash_end(struct siphash *s, uint64_t last)
{
	siphash_word(s, last);
	s->v[2] ^= 0xff;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

#endif
