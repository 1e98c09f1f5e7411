/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's state, a directory:
 *     aks/NAME        an enrolled attestation key (NAME: its TPM Name in hexadecimal)
 *     leases/VM       the last lease given to a VM (struct lzr_result)
 *     revoked/VM      present: that VM gets no lease
 *     outbox/N        messages for the attestor: port (4 bytes, little-endian), signed result
 *     report.txt, report.json   the last appraisal
 *     bundle, nonce   what was appraised: the evidence, and the nonce in hexadecimal that it answers
 *     events          one line for each thing that happened
 *     serial          the last serial number given; serial.lock is held while it is
 * Files are replaced whole, so that several processes may look on.
 */
#ifndef ATTEST_STORE_H
#define ATTEST_STORE_H

#include <lazaret/lease.h>

#include "fault.h"
#include "verify.h"

#define STORE_PATH_MAX 4096u
#define STORE_MESSAGE_NAME 32u
#define STORE_MESSAGE_SIZE (4u + LZR_RESULT_SIZE)

struct store {
	const char *directory;
};

/* Makes the directory and its parts where they are missing. */
bool store_open(struct store *s, const char *directory, struct fault *f);

/* FAULT_AK_UNKNOWN if there is no such record; any other fault for a broken one. */
bool store_load_ak(const struct store *s, struct bytes name, struct ak_record *out, struct fault *f);
bool store_save_ak(const struct store *s, const struct ak_record *ak, struct fault *f);

bool store_next_serial(const struct store *s, uint64_t *serial, struct fault *f);

bool store_load_lease(const struct store *s, const char *vm, struct lzr_result *out, struct fault *f);
bool store_save_lease(const struct store *s, const struct lzr_result *lease, struct fault *f);

bool store_is_revoked(const struct store *s, const char *vm);
bool store_set_revoked(const struct store *s, const char *vm, bool revoked, struct fault *f);

/* A message for the running session; the oldest one; and taking it away after it was sent. */
bool store_post(const struct store *s, uint64_t serial, uint32_t port, const uint8_t result[LZR_RESULT_SIZE],
		struct fault *f);
bool store_oldest(const struct store *s, char name[STORE_MESSAGE_NAME], uint8_t message[STORE_MESSAGE_SIZE]);
bool store_sent(const struct store *s, const char *name, struct fault *f);

/* Any other file of the directory. */
bool store_write(const struct store *s, const char *name, struct bytes content, struct fault *f);
void store_event(const struct store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
