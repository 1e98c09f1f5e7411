/* SPDX-License-Identifier: MIT */
/*
 * What passes between the image builder, the loader and the hypervisor: the two lists on the EFI system partition, the
 * descriptor events in the TCG log, and the hand-off block.
 *
 * The loader reads \lazaret\boot.list and then exactly the files that it lists, in its order, from \lazaret\NAME; then
 * \lazaret\segment.list and its files in the same way.
 * All integers are little-endian, all structures are packed by construction (no implicit padding).
 */
#ifndef LAZARET_BOOT_H
#define LAZARET_BOOT_H

#include <stddef.h>
#include <stdint.h>

#define LZR_NAME_MAX 48         /* bytes of a file or VM name with its terminating zero; the rest is zero */
#define LZR_DIGEST_SIZE 48      /* SHA-384 */

/* Kinds of files.  Append only; the numbers are measured. */
enum lzr_file_kind {
	LZR_FILE_HYPERVISOR = 1,        /* section of the loader's PE, PCR 8 */
	LZR_FILE_SIGNER_KEY = 2,        /* SubjectPublicKeyInfo (DER, P-384) behind struct lzr_key_header, PCR 9 */
	LZR_FILE_BOOT_LIST = 3,         /* PCR 9 */
	LZR_FILE_POLICY = 4,            /* flattened device tree, PCR 9 */
	LZR_FILE_POLICY_SIGNATURE = 5,  /* 96 bytes r || s, big-endian; loaded, not measured */
	LZR_FILE_MANIFEST = 6,          /* flattened device tree, PCR 11, name = image name */
	LZR_FILE_SEGMENT = 7,           /* loaded, not measured: its digest is in the manifests */
};

/*
 * The lists: header, then `count` entries, nothing after them.  An entry has no length and no digest, so a file that
 * changes does not change its list.
 *
 * The boot list is measured.  In this order: key, policy, its signature, then the manifests; the signature's name is
 * the policy's with its suffix, if it has one, replaced by ".sig".  So the list's bytes follow from the names in the
 * descriptor events, and a verifier that knows the list's digest knows that no event is missing, too many or out of
 * place.
 *
 * The segment list is not measured: segments only.  It cannot do harm that a missing file could not do, for the
 * hypervisor takes a segment only by the name, the length and the digest that a measured manifest has for it, and
 * refuses one that no manifest names.
 */
#define LZR_HYPERVISOR_NAME "hypervisor"       /* in its event; it is no file of the volume */
#define LZR_BOOT_LIST_NAME "boot.list"
#define LZR_BOOT_LIST_MAGIC "LZRLIST"   /* 8 bytes with the zero */
#define LZR_SEGMENT_LIST_NAME "segment.list"
#define LZR_SEGMENT_LIST_MAGIC "LZRSEGS"
#define LZR_BOOT_LIST_VERSION 2u        /* of both */
#define LZR_BOOT_LIST_MAX 64u           /* entries of both lists together */
#define LZR_BOOT_FILE_MAX (256ull << 20)        /* bytes a single file may have */
#define LZR_KEY_FILE_MAX 4096u          /* bytes a signer key file may have */
#define LZR_SIGNATURE_SUFFIX ".sig"

struct lzr_boot_list_header {
	char magic[8];
	uint32_t version;
	uint32_t count;
};
_Static_assert(sizeof(struct lzr_boot_list_header) == 16, "boot list header");

struct lzr_boot_list_entry {
	uint32_t kind;          /* enum lzr_file_kind; not HYPERVISOR or BOOT_LIST */
	uint32_t reserved;      /* zero */
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_boot_list_entry) == 56, "boot list entry");

/*
 * Writes into `out` what the signature's file of a policy of this name is called, zero-padded; all zero if that does
 * not fit.
 */
static inline void lzr_signature_name(const char policy[LZR_NAME_MAX], char out[LZR_NAME_MAX])
{
	static const char suffix[] = LZR_SIGNATURE_SUFFIX;
	unsigned length = 0, stem = 0;

	for (; length < LZR_NAME_MAX && policy[length]; length++)
		if (policy[length] == '.')
			stem = length;
	if (stem == 0)
		stem = length;
	for (unsigned i = 0; i < LZR_NAME_MAX; i++) {
		if (stem + sizeof(suffix) > LZR_NAME_MAX)
			out[i] = 0;
		else if (i < stem)
			out[i] = policy[i];
		else
			out[i] = i - stem < sizeof(suffix) ? suffix[i - stem] : 0;
	}
}

/*
 * Signer key file: this header, then `der_length` bytes of DER.  A development key is marked here, inside the measured
 * file, so evidence shows it and a verifier refuses it unless told otherwise.
 */
#define LZR_KEY_MAGIC "LZRKEY1"
#define LZR_KEY_DEVELOPMENT 1u
struct lzr_key_header {
	char magic[8];
	uint32_t flags;
	uint32_t der_length;
};
_Static_assert(sizeof(struct lzr_key_header) == 16, "key header");

/*
 * Events.  Each measured file is two events in strict alternation in the file's PCR:
 *   1. EV_EVENT_TAG (6): event data = struct lzr_event_descriptor; digest = H(event data).
 *   2. EV_IPL (13): event data = the descriptor's name (LZR_NAME_MAX bytes); digest = H(the file's bytes).
 * Names are those of the boot list, LZR_BOOT_LIST_NAME and LZR_HYPERVISOR_NAME.
 * The cap is EV_SEPARATOR (4) with four zero bytes in PCR 8, 9 and 11; a refused boot extends EV_SEPARATOR with the
 * bytes 01 00 00 00 there instead and resets.  Order: PCR 8 hypervisor; PCR 9 key, boot list, policy; PCR 11 manifests
 * in boot-list order.
 */
#define LZR_EV_SEPARATOR 0x00000004u
#define LZR_EV_EVENT_TAG 0x00000006u
#define LZR_EV_IPL 0x0000000du
#define LZR_EVENT_TAG_ID 0x525a4c01u    /* "\x01LZR" */
#define LZR_EVENT_MAGIC "LZREVT1"

struct lzr_event_descriptor {
	uint32_t tag_id;        /* LZR_EVENT_TAG_ID (PC Client Platform Firmware Profile, TCG_PCClientTaggedEvent) */
	uint32_t tag_size;      /* bytes after this field: 72 */
	char magic[8];
	uint32_t kind;          /* enum lzr_file_kind */
	uint32_t reserved;      /* zero */
	uint64_t length;        /* of the file */
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_event_descriptor) == 80, "event descriptor");

/* Hand-off.  One block, page aligned, arrays at offsets from its start; the hypervisor copies it before it uses it. */
#define LZR_BOOT_MAGIC 0x31544f4f42525a4cull    /* "LZRBOOT1" */
#define LZR_BOOT_VERSION 2u

enum lzr_memory_kind {
	LZR_MEMORY_USABLE = 1,          /* free for the hypervisor (boot services memory included) */
	LZR_MEMORY_LOADER = 2,          /* hand-off, files, log, hypervisor image, initial tables and stack */
	LZR_MEMORY_ACPI = 3,            /* ACPI reclaim and NVS: read tables, never reuse */
	LZR_MEMORY_RESERVED = 4,        /* firmware's, run-time services' */
	LZR_MEMORY_MMIO = 5,
};

struct lzr_boot_memory {        /* sorted by base, not overlapping, whole 4 KiB pages */
	uint64_t base;          /* physical */
	uint64_t length;        /* bytes */
	uint32_t kind;
	uint32_t reserved;
};
_Static_assert(sizeof(struct lzr_boot_memory) == 24, "boot memory");

struct lzr_boot_file {          /* boot-list order, the boot list itself first */
	uint32_t kind;
	uint32_t reserved;
	uint64_t address;       /* physical, page aligned */
	uint64_t length;        /* bytes */
	char name[LZR_NAME_MAX];
};
_Static_assert(sizeof(struct lzr_boot_file) == 72, "boot file");

#define LZR_BOOT_MEASURED 1u    /* every measurement went into the TPM; without it the machine is "unmeasured" */
#define LZR_BOOT_LAB 2u         /* lab build of the loader: may start without TPM or ACPI */
#define LZR_BOOT_SECURE_BOOT 4u /* firmware reports Secure Boot on */
#define LZR_BOOT_ROLLBACK 8u    /* policy_floor and the signers were read from TPM NV */

struct lzr_boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t size;                  /* bytes of the whole block */
	uint32_t flags;
	uint32_t memory_count;
	uint32_t memory_offset;         /* struct lzr_boot_memory[] */
	uint32_t file_count;
	uint32_t file_offset;           /* struct lzr_boot_file[] */
	uint32_t entropy_length;        /* bytes used of entropy[]; 0: no TPM random */
	uint8_t entropy[64];            /* TPM2_GetRandom */
	uint64_t rsdp;                  /* physical address of the ACPI 2.0 RSDP, 0: none (lab) */
	uint64_t ap_page;               /* physical, one 4 KiB page below 1 MiB for AP start-up */
	uint64_t image_base;            /* physical address of the hypervisor image, 2 MiB aligned */
	uint64_t image_length;          /* bytes reserved for it */
	uint64_t log_address;           /* TCG crypto-agile event log incl. final events, 0: none */
	uint64_t log_length;
	uint64_t wall_clock;            /* seconds since 1970-01-01 UTC at hand-off (EFI GetTime), 0: unknown */
	uint64_t loader_tsc;            /* TSC when the loader was entered */
	uint64_t policy_floor;          /* lowest policy version accepted (TPM NV), with LZR_BOOT_ROLLBACK */
	uint8_t accepted_signer[LZR_DIGEST_SIZE];       /* SHA-384 of the key file, with LZR_BOOT_ROLLBACK */
	uint8_t next_signer[LZR_DIGEST_SIZE];           /* the same of the one that may follow; zero: none */
	uint64_t framebuffer;           /* physical, 0: none; 32 bits a pixel */
	uint32_t fb_width;
	uint32_t fb_height;
	uint32_t fb_stride;             /* pixels a line */
	uint32_t fb_format;             /* EFI_GRAPHICS_PIXEL_FORMAT */
};
_Static_assert(offsetof(struct lzr_boot_info, entropy) == 40, "hand-off layout");
_Static_assert(offsetof(struct lzr_boot_info, rsdp) == 104, "hand-off layout");
_Static_assert(offsetof(struct lzr_boot_info, accepted_signer) == 176, "hand-off layout");
_Static_assert(sizeof(struct lzr_boot_info) == 296, "hand-off layout");

/*
 * The hypervisor is a static ELF64 (EM_X86_64, ET_EXEC) linked at LZR_HV_BASE.  The loader copies its PT_LOAD segments
 * to image_base + (p_vaddr - LZR_HV_BASE), maps physical memory one to one (at least the first 512 GiB, 1 GiB or 2 MiB
 * pages, writable) and the image at LZR_HV_BASE, and jumps to e_entry with interrupts off, RDI = physical address of
 * struct lzr_boot_info, RSP = a 64 KiB stack (identity mapped), after ExitBootServices.
 */
#define LZR_HV_BASE 0xffffffff80000000ull

#endif
