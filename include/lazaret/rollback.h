/* SPDX-License-Identifier: MIT */
/*
 * The TPM NV index that says which policies this machine still accepts: read by the loader, obeyed by the hypervisor,
 * raised by the attestor.  docs/boot.md tells how to define it.
 */
#ifndef LAZARET_ROLLBACK_H
#define LAZARET_ROLLBACK_H

#include <lazaret/boot.h>

#define ROLLBACK_NV_INDEX 0x01804c5au   /* in the owner's range, readable with its empty password */
#define ROLLBACK_NV_MAGIC "LZRNVR2"

struct rollback_nv {                    /* the whole content, little-endian */
	char magic[8];
	uint64_t floor;                 /* lowest policy version accepted */
	uint8_t signer[LZR_DIGEST_SIZE];        /* SHA-384 of the accepted signer's key file */
	uint8_t next_signer[LZR_DIGEST_SIZE];   /* of the one that may follow; zero: none */
};
_Static_assert(sizeof(struct rollback_nv) == 112, "rollback index layout");

#endif
