/* SPDX-License-Identifier: Apache-2.0 */
/* What the platform files share among themselves and with main.c; everybody else uses platform.h and percpu.h. */
#ifndef HV_PLAT_H
#define HV_PLAT_H

#include <stdarg.h>

#include <lazaret/boot.h>

#include "percpu.h"
#include "platform.h"

/* --- print.c --- */
/* Formats into out (always terminated), returns the length; %s %u %x %lu %lx %c %% only. */
size_t print_format(char *out, size_t capacity, const char *format, va_list args);

/* --- console.c --- */
void console_init(void);

#endif
