/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's static mbedTLS and libfdt in a program without a C library: hypervisor and bare-metal guests. */
#ifndef LIB_ARCHIVES_H
#define LIB_ARCHIVES_H

/* Each program's own way to end. */
void archives_panic(const char *what) __attribute__((noreturn));

#endif
