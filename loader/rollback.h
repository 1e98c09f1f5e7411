/* SPDX-License-Identifier: Apache-2.0 */
/* The TPM NV index that says which policies this machine still accepts; docs/boot.md tells how to define it. */
#ifndef LOADER_ROLLBACK_H
#define LOADER_ROLLBACK_H

#include <lazaret/boot.h>

#define ROLLBACK_NV_INDEX 0x01804c5au   /* in the owner's range, readable with its empty password */
#define ROLLBACK_NV_MAGIC "LZRNVR1"

struct rollback_nv {                    /* the whole content, little-endian */
	char magic[8];
	uint64_t floor;                 /* lowest policy version accepted */
	uint8_t signer[LZR_DIGEST_SIZE];        /* SHA-384 of the accepted signer's key file */
};
_Static_assert(sizeof(struct rollback_nv) == 64, "rollback index layout");

#endif
