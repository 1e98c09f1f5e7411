/* SPDX-License-Identifier: Apache-2.0 */
/* EFI system partitions as bare FAT32 images, written with mtools.  Each function prints its own error. */
#ifndef TOOLS_ESP_H
#define TOOLS_ESP_H

#include <stdbool.h>
#include <stdint.h>

/* A new, empty image with room for `bytes` of files and the folders \EFI\BOOT and \lazaret. */
bool esp_create(const char *image, uint64_t bytes);
/* Copies a host file into the image as `name` ("lazaret/policy"), replacing one that is there. */
bool esp_put(const char *image, const char *host_file, const char *name);
/* Removes a file from the image. */
bool esp_remove(const char *image, const char *name);

#endif
