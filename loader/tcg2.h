/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EFI_TCG2_PROTOCOL as the TCG EFI Protocol Specification, family 2.0, defines it (sections "EFI TCG2 Protocol" and
 * "Final Events Table").
 */
#ifndef LOADER_TCG2_H
#define LOADER_TCG2_H

#include "efi.h"

#define TCG2_PROTOCOL_GUID { 0x607f766c, 0x7455, 0x42be, { 0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f } }
#define TCG2_FINAL_EVENTS_GUID { 0x1e2ed096, 0x30e2, 0x4254, { 0xbd, 0x89, 0x86, 0x3b, 0xbe, 0xf8, 0x23, 0x25 } }

#define TCG2_LOG_CRYPTO_AGILE 2u
#define TCG2_BANK_SHA384 4u

struct tcg2_capability {        /* EFI_TCG2_BOOT_SERVICE_CAPABILITY, structure version 1.1 */
	uint8_t size, structure_major, structure_minor, protocol_major, protocol_minor;
	uint32_t hash_algorithms;
	uint32_t supported_logs;
	uint8_t tpm_present;
	uint16_t max_command, max_response;
	uint32_t manufacturer;
	uint32_t bank_count;
	uint32_t active_banks;
};
_Static_assert(offsetof(struct tcg2_capability, hash_algorithms) == 8, "capability layout");
_Static_assert(sizeof(struct tcg2_capability) == 36, "capability layout");

struct tcg2_event {             /* EFI_TCG2_EVENT; the event's own bytes follow */
	uint32_t size;
	uint32_t header_size;
	uint16_t header_version;
	uint32_t pcr;
	uint32_t type;
	uint8_t data[];
} __attribute__((packed));
#define TCG2_EVENT_HEADER_SIZE 14u
#define TCG2_EVENT_HEADER_VERSION 1u
_Static_assert(offsetof(struct tcg2_event, data) == 18, "event layout");

struct tcg2_final_events {      /* TCG_PCR_EVENT2 records follow */
	uint64_t version;
	uint64_t count;
	uint8_t events[];
};

struct tcg2_protocol {
	efi_status (EFIAPI *get_capability)(struct tcg2_protocol *, struct tcg2_capability *);
	efi_status (EFIAPI *get_event_log)(struct tcg2_protocol *, uint32_t format, uint64_t *location,
					   uint64_t *last_entry, uint8_t *truncated);
	efi_status (EFIAPI *hash_log_extend_event)(struct tcg2_protocol *, uint64_t flags, uint64_t data,
						   uint64_t length, struct tcg2_event *);
	efi_status (EFIAPI *submit_command)(struct tcg2_protocol *, uint32_t in_size, uint8_t *in, uint32_t out_size,
					    uint8_t *out);
};

#endif
