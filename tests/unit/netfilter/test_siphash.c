/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 against its authors' vectors: key 00 to 0f, message 00, 01, ... of each length from 0 on ("vectors.h" of
 * github.com/veorq/SipHash; that of 15 bytes is in the paper's appendix A).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "siphash.h"

static const struct siphash_key key = { { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull } };

static uint64_t hash_of(unsigned length)
{
	struct siphash s = siphash_begin(&key);
	uint64_t word = 0;

	for (unsigned i = 0; i < length; i++) {
		word |= (uint64_t)i << i % 8 * 8;
		if (i % 8 == 7) {
			siphash_word(&s, word);
			word = 0;
		}
	}
	return siphash_end(&s, word | (uint64_t)length << 56);
}

static void test_vectors(void **state)
{
	static const uint64_t vectors[] = {
		0x726fdb47dd0e0e31ull, 0x74f839c593dc67fdull, 0x0d6c8009d9a94f5aull, 0x85676696d7fb7e2dull,
		0xcf2794e0277187b7ull, 0x18765564cd99a68dull, 0xcbc9466e58fee3ceull, 0xab0200f58b01d137ull,
		0x93f5f5799a932462ull, 0x9e0082df0ba9e4b0ull, 0x7a5dbbc594ddb9f3ull, 0xf4b32f46226bada7ull,
		0x751e8fbc860ee5fbull, 0x14ea5627c0843d90ull, 0xf723ca908e7af2eeull, 0xa129ca6149be45e5ull,
		0x3f2acc7f57c29bdbull, 0x699ae9f52cbe4794ull, 0x4bc1b3f0968dd39cull, 0xbb6dc91da77961bdull,
		0xbed65cf21aa2ee98ull, 0xd0f2cbb02e3b67c7ull, 0x93536795e3a33e88ull, 0xa80c038ccd5ccec8ull,
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(hash_of(i) == vectors[i]);
	/* Rows from further on. */
	assert_true(hash_of(31) == 0x32d892fad841c342ull);
	assert_true(hash_of(32) == 0x7127512f72f27cceull);
	assert_true(hash_of(63) == 0x958a324ceb064572ull);
}

static void test_key_matters(void **state)
{
	struct siphash_key other = key;
	struct siphash s;

	(void)state;
	for (unsigned bit = 0; bit < 128; bit++) {
		other.word[bit / 64] ^= 1ull << bit % 64;
		s = siphash_begin(&other);
		assert_true(siphash_end(&s, 0) != hash_of(0));
		other.word[bit / 64] ^= 1ull << bit % 64;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors), cmocka_unit_test(test_key_matters) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
