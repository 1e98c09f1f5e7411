/* SPDX-License-Identifier: Apache-2.0 */
/* What secret.c keeps where, for eye.c, which reads it there. */
#ifndef TESTS_SECRET_H
#define TESTS_SECRET_H

#define SECRET_VM 9u                    /* in tests/policies/vcpu_guests.dts */
#define SECRET_MEMORY 0x400000ull
#define SECRET_AT 0x280000ull
#define SECRET_FIRST 0x7365637265740000ull
#define SECRET_CHANGED 0x6368616e67650000ull
#define SECRET_LAST 0x6c6173746c790000ull

#endif
