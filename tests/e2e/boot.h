/* SPDX-License-Identifier: Apache-2.0 */
/* A boot volume with made-up files around the probe, for the boot tests. */
#ifndef TESTS_BOOT_H
#define TESTS_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rig.h"

/* BOOT_TEST is the test's name, from the Makefile: two of them run side by side. */
#define BOOT_SECONDS 200u        /* for a machine; a boot takes five when nothing else runs, with SMM twenty */
#define BOOT_DIR "build/run/" BOOT_TEST
#define BOOT_ESP BOOT_DIR "/esp.img"
#define BOOT_LIST BOOT_DIR "/list"

/* Writes BOOT_DIR with its files and BOOT_ESP with the given loader (NAME of build/NAME.efi). */
void boot_make_volume(const char *loader);
/* Replaces a file of the volume by these bytes. */
void boot_replace(const char *name, const void *data, size_t length);
/* One of the volume's lists, for patching. */
size_t boot_read_list(const char *name, uint8_t *out, size_t capacity);
/* A machine with this volume and a fresh TPM. */
struct rig *boot_start(const struct rig_config *changes);
/* The number behind "probe: NAME ". */
uint64_t boot_field(struct rig *rig, const char *name);

#endif
