/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two Merkle trees over SHA-384 with leaf = H(0x00 || data) and node = H(0x01 || left || right):
 * the tree of nonces under a quote (an odd node moves up unchanged), and the append-only audit log (RFC 6962 shape).
 */
#ifndef ATTEST_MERKLE_H
#define ATTEST_MERKLE_H

#include "digest.h"

#define NONCE_MIN 32u
#define NONCE_MAX 64u
#define MERKLE_DEPTH_MAX 16u
#define MERKLE_LEAVES_MAX (1u << MERKLE_DEPTH_MAX)

struct merkle_path {
	uint32_t index;         /* of the leaf */
	uint32_t count;         /* leaves in the tree */
	uint32_t depth;         /* siblings that follow */
	uint8_t sibling[MERKLE_DEPTH_MAX][SHA384_SIZE];
};

void merkle_leaf(uint8_t out[SHA384_SIZE], struct bytes data);

/* Folds `count` leaves in place; the root ends in leaves[0].  `path`, if given, is filled for path->index. */
void merkle_fold(uint8_t (*leaves)[SHA384_SIZE], uint32_t count, struct merkle_path *path);

/* The root that `leaf` and `path` give; false if the path's shape is not the one that index and count force. */
bool merkle_path_root(const struct merkle_path *path, const uint8_t leaf[SHA384_SIZE], uint8_t root[SHA384_SIZE]);

/* Append-only log: only the peaks of complete subtrees are kept. */
struct merkle_log {
	uint64_t size;
	uint8_t peak[64][SHA384_SIZE];  /* peak[n] in use if bit n of size is set */
};

void merkle_log_append(struct merkle_log *log, struct bytes entry);
/* Root over all entries; H() of nothing for an empty log. */
void merkle_log_root(const struct merkle_log *log, uint8_t root[SHA384_SIZE]);

#endif
