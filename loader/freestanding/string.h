/* SPDX-License-Identifier: Apache-2.0 */
/* The string functions that the loader has (lib.c). */
#ifndef LOADER_STRING_H
#define LOADER_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
int memcmp(const void *a, const void *b, size_t length);

#endif
