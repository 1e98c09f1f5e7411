/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmimage: turns a guest's inputs (kernel, initramfs, ELF file, options) into a manifest and the segments it names.
 *
 * A struct image is filled by one of the front ends (linux.c, elf.c), checked as a whole by image_check, and turned
 * into the bytes of the manifest by image_manifest.  Everything is a function of the inputs: no time, no path and no
 * machine shows in the output.  Functions return false after refuse() has recorded what was wrong with which file.
 */
#ifndef VMIMAGE_H
#define VMIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lazaret/boot.h>
#include <lazaret/link.h>
#include <lazaret/manifest.h>
#include <lazaret/name.h>

struct blob {
	uint8_t *data;          /* malloc'ed; blob_free gives it back */
	size_t size;
};

struct segment {
	char file[LZR_NAME_MAX];
	uint64_t gpa;
	struct blob blob;       /* owned */
	uint8_t sha384[LZR_DIGEST_SIZE];
};

enum vdev_type { VDEV_NET, VDEV_CONSOLE, VDEV_LINK };

struct vdev {
	char name[LZR_NAME_MAX];
	enum vdev_type type;
	unsigned slot;
	unsigned queues;
	unsigned queue_size;
	bool service;
	bool has_mac;
	uint8_t mac[6];
};

struct assign {                 /* a place for an assigned PCI function, or (mmio) for a platform device's pages */
	char name[LZR_NAME_MAX];
	bool mmio;
	unsigned slot;
	uint32_t class_code;
	uint64_t gpa;
	uint64_t length;
};

struct image {
	char name[LZR_NAME_MAX];
	char program[LZR_NAME_MAX];     /* what the segments of an ELF are called; empty: the image's name */
	uint64_t memory;
	unsigned vcpus;
	bool long64;
	uint64_t rip, rsp, rsi, rbx, cr3;
	bool tpm;
	bool avx;
	unsigned uart, power, debug;    /* base ports; 0: absent */
	unsigned segment_count, vdev_count, assign_count;
	struct segment segments[LZR_SEGMENT_MAX];
	struct vdev vdevs[LZR_VDEV_MAX];
	struct assign assigns[LZR_VDEV_MAX];
};

#define UART_PORT 0x3f8u
#define POWER_PORT 0x600u
#define DEBUG_PORT 0xe9u
#define TPM_GPA 0xfed40000ull           /* TIS locality 0, the only page a guest gets */
#define TPM_LENGTH 0x1000ull
#define PAGE 4096ull

/* --- util.c ------------------------------------------------------------------------------------------------------- */

/* Records the message and is false, so that `return refuse(...)` ends a function. */
#define refuse(...) (refuse_record(__VA_ARGS__), false)
void refuse_record(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *refuse_text(void);
bool blob_alloc(struct blob *blob, size_t size);        /* zeroed */
void blob_free(struct blob *blob);
bool file_read(const char *path, size_t limit, struct blob *out);
bool file_write(const char *dir, const char *name, const struct blob *blob);
bool sha384(const void *data, size_t size, uint8_t digest[LZR_DIGEST_SIZE]);
void hex(const uint8_t *bytes, size_t count, char *out);        /* writes 2 * count + 1 characters */
void put16(uint8_t *at, uint16_t value);                /* little-endian */
void put32(uint8_t *at, uint32_t value);
void put64(uint8_t *at, uint64_t value);
uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint64_t get64(const uint8_t *at);

/* --- image.c ------------------------------------------------------------------------------------------------------ */

/* Copies `size` bytes into a new segment whose file is named STEM-DIGEST.seg after its content. */
bool image_add_segment(struct image *image, const char *stem, uint64_t gpa, const void *data, size_t size);
bool image_check(const struct image *image);
bool image_manifest(const struct image *image, struct blob *out);
bool image_write(const struct image *image, const char *dir);
void image_free(struct image *image);

/* --- front ends --------------------------------------------------------------------------------------------------- */

bool linux_build(struct image *image, const struct blob *kernel, const struct blob *initrd, const char *cmdline);
bool elf_build(struct image *image, const struct blob *elf, const char *path);
bool pvh_build(struct image *image, const struct blob *elf, const char *path, const struct blob *initrd,
	       const char *cmdline);

/* Guest-physical layout of the Linux and PVH images. */
#define LOW_TABLES_GPA 0x1000ull        /* identity map: PML4, PDPT, 4 page directories */
#define BOOT_PARAMS_GPA 0x8000ull       /* zero page (or PVH start info), command line behind it */
#define CMDLINE_GPA 0x9000ull
#define CMDLINE_MAX 2048u
#define LOW_RAM_END 0x9fc00ull
#define ACPI_GPA 0xe0000ull
#define ACPI_MAX 0x8000u
#define RESET_GPA 0xff000ull            /* page that ends with the reset vector's code */
#define HIGH_RAM 0x100000ull

bool platform_add_acpi(struct image *image);
bool platform_add_reset(struct image *image);
bool platform_add_page_tables(struct image *image);
/* Puts the initramfs at the top of RAM, not below `floor`. */
bool platform_add_initrd(struct image *image, const struct blob *initrd, uint64_t floor, uint64_t *gpa);

/* --- acpi.c, pci.c, cpu.c ----------------------------------------------------------------------------------------- */

/* ACPI tables as they lie at ACPI_GPA, RSDP first. */
bool acpi_build(const struct image *image, struct blob *out);
void pci_host_bridge(uint8_t config[256]);
void pci_virtio(const struct vdev *vdev, uint8_t config[256], uint8_t writable[256]);
unsigned pci_msix_vectors(const struct vdev *vdev);
#define PCI_MSIX_CAP 0x84u
uint64_t virtio_features(const struct vdev *vdev);
unsigned virtio_device_config(const struct vdev *vdev, uint8_t out[LZR_VIRTIO_DEVICE_MAX]);
unsigned virtio_prefix(const struct vdev *vdev, uint8_t out[32]);

#define CPUID_ROWS_MAX 32u
#define MSR_ROWS_MAX 96u
unsigned cpu_cpuid_rows(const struct image *image, struct lzr_manifest_cpuid rows[CPUID_ROWS_MAX]);
unsigned cpu_msr_rows(struct lzr_manifest_msr rows[MSR_ROWS_MAX]);

/* --- show.c, options.c -------------------------------------------------------------------------------------------- */

/* Explains the manifest on stdout. */
bool manifest_show(const struct blob *manifest, const char *path);

struct options {
	const char *kind;               /* linux, pvh, elf */
	const char *kernel, *initrd, *cmdline, *elf, *out;
	unsigned extra_count;
	char *extra[LZR_SEGMENT_MAX];   /* file@gpa */
};
/* Parses the arguments behind the kind into `options` and the plain members of `image`. */
bool options_parse(int argc, char **argv, struct options *options, struct image *image);
bool options_vdev(const char *text, struct vdev *out);
bool options_assign(const char *text, struct assign *out);
bool parse_number(const char *text, uint64_t max, uint64_t *out);       /* decimal or 0x.., suffixes K M G */

#endif
