/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes as a script of what hostile drivers do; shared by the fuzzer and the unit test with a fixed seed. */
#ifndef LINK_SCRIPT_H
#define LINK_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

/* Builds the machine, plays the script, checks invariants and canaries, tears it down. */
void link_script_play(const uint8_t *bytes, size_t size);

#endif
