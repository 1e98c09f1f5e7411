/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer's custom mutator for flattened trees: in three of four cases the tree's structure, else any bytes. */
#include "dtb_mutate.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	size_t changed = seed % 4 ? dtb_mutate(data, size, max_size, seed) : 0;

	return changed ? changed : LLVMFuzzerMutate(data, size, max_size);
}
