/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's parts.  One thread, one pass: each part either does its whole job or calls refuse(), which does not
 * return. Host tests link a fake refuse() and a fake firmware.
 */
#ifndef LOADER_H
#define LOADER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lazaret/rollback.h>

#include "efi.h"
#include "tcg2.h"

#define PAGE 4096ull
#define LARGE_PAGE (2ull << 20)
#define HUGE_PAGE (1ull << 30)

struct file {
	uint32_t kind;
	const char *name;       /* LZR_NAME_MAX bytes, zero-padded */
	void *data;
	uint64_t length;
};

/* --- lab_*.c, fault_*.c: which build this is, chosen by the file that is linked ----------------------------------- */
extern const bool loader_lab;
/* ExitBootServices and HashLogExtendEvent as the firmware has them; a fault build makes one of them fail. */
efi_status fault_exit_boot_services(efi_handle image, uint64_t key);
efi_status fault_hash_log_extend(struct tcg2_protocol *, const void *data, uint64_t length, struct tcg2_event *);

/* --- console.c ---------------------------------------------------------------------------------------------------- */
extern struct efi_system_table *efi;
extern efi_handle efi_image;
void console_init(void);
/* One line on screen (while boot services last) and COM1.  %s %u %x %llu %llx only; the prefix is added. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_vsay(const char *prefix, const char *format, va_list *args);
void console_boot_services_ended(void);

/* --- refuse.c ----------------------------------------------------------------------------------------------------- */
/* Says why, extends the error cap, resets the machine.  Works before and after boot services. */
void refuse(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- alloc.c ------------------------------------------------------------------------------------------------------ */
/* Zeroed pages of type LZR_MEMORY_LOADER, kept for the hypervisor; refuses when there are none. */
void *alloc_pages(uint64_t bytes, uint64_t align);
uint64_t alloc_page_low(void);          /* one page below 640 KiB */
uint64_t round_up(uint64_t value, uint64_t align);

/* --- bootlist.c --------------------------------------------------------------------------------------------------- */
struct boot_list {
	const char *name;       /* of the list, for messages */
	const struct lzr_boot_list_entry *entries;
	uint32_t count;
};
/* Refuses unless `data` is a valid boot list: entries 0, 1, 2 are key, policy and signature, the rest manifests. */
void bootlist_check(const void *data, uint64_t length, struct boot_list *out);
/* Refuses unless `data` is a valid segment list beside that boot list; it may be empty. */
void bootlist_check_segments(const void *data, uint64_t length, const struct boot_list *boot, struct boot_list *out);
/* Bytes that a file of this kind may have. */
uint64_t bootlist_length_max(uint32_t kind);

/* --- files.c ------------------------------------------------------------------------------------------------------ */
void files_open(void);                  /* finds \lazaret on the device that the loader came from */
/* Reads a whole file of 1 to `max` bytes. */
void files_read(const char *name, uint64_t max, struct file *out);

/* --- event.c: what goes into an event, no firmware ---------------------------------------------------------------- */
#define EVENT_MAX (sizeof(struct tcg2_event) + sizeof(struct lzr_event_descriptor))
void event_descriptor(const struct file *file, struct lzr_event_descriptor *out);
/* Fills `out` (EVENT_MAX bytes). */
void event_build(uint32_t pcr, uint32_t type, const void *data, uint32_t length, struct tcg2_event *out);

/* --- measure.c ---------------------------------------------------------------------------------------------------- */
bool measure_init(void);                /* false: no TPM, lab build */
struct tcg2_protocol *measure_tcg2(void);      /* NULL: unmeasured */
uint32_t measure_response_max(void);
void measure_file(uint32_t pcr, const struct file *file);
void measure_caps(void);                /* PCR 8, 9, 11 */
void measure_error_caps(void);          /* the same, best effort, for a refused boot */

/* --- tpm.c: commands through SubmitCommand ------------------------------------------------------------------------ */
uint32_t tpm_random(uint8_t *out, uint32_t length);     /* bytes obtained */
/* The rollback index; false when it is not defined.  Refuses when it is there and cannot be trusted. */
bool tpm_read_rollback(struct rollback_nv *nv);

/* --- tcglog.c ----------------------------------------------------------------------------------------------------- */
void tcglog_copy(struct tcg2_protocol *);       /* the log so far, and where the final events table stands */
void tcglog_finish(void);                       /* after boot services: appends what came since */
uint64_t tcglog_address(void);
uint64_t tcglog_length(void);

/* --- elf.c -------------------------------------------------------------------------------------------------------- */
struct elf_image {
	uint64_t entry;
	uint64_t span;          /* bytes from LZR_HV_BASE to the end of the last segment */
};
void elf_check(const uint8_t *elf, uint64_t length, struct elf_image *out);
void elf_load(const uint8_t *elf, uint8_t *base);

/* --- memmap.c ----------------------------------------------------------------------------------------------------- */
/* Firmware's map to ours: sorted, merged, checked; returns the count.  NULL-terminated reason in *error on failure. */
uint32_t memmap_convert(const uint8_t *map, uint64_t size, uint64_t descriptor_size, struct lzr_boot_memory *out,
			uint32_t capacity, const char **error);

/* --- paging.c ----------------------------------------------------------------------------------------------------- */
uint64_t paging_bytes(uint64_t top, bool huge);
/* Tables in `pool` (paging_bytes, zeroed): [0, top) one to one, the image at LZR_HV_BASE; returns the root. */
uint64_t paging_build(uint64_t *pool, uint64_t top, bool huge, uint64_t image_base, uint64_t image_length);

/* --- platform.c: what the firmware says about the machine --------------------------------------------------------- */
uint64_t platform_rsdp(void);           /* 0: none */
bool platform_secure_boot(void);
uint64_t platform_wall_clock(void);
void platform_framebuffer(struct lzr_boot_info *);
const void *platform_table(const struct efi_guid *);

/* --- exit.c ------------------------------------------------------------------------------------------------------- */
struct exit_map {
	uint8_t *buffer;
	uint64_t capacity, size, descriptor_size;
};
void exit_map_alloc(struct exit_map *);         /* room for the final map, with slack */
void exit_map_read(struct exit_map *, uint64_t *key);
void exit_boot_services(struct exit_map *);
bool exit_done(void);                   /* boot services have ended */

/* --- hv_elf.S, cpu.c ---------------------------------------------------------------------------------------------- */
extern const uint8_t hv_elf[], hv_elf_end[];
void jump(uint64_t cr3, uint64_t stack_top, uint64_t info, uint64_t entry) __attribute__((noreturn));
uint64_t cpu_rdtsc(void);
bool cpu_has_huge_pages(void);
bool cpu_has_5_level_paging(void);

#endif
