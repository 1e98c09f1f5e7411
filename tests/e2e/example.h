/* SPDX-License-Identifier: Apache-2.0 */
/* An example's machine (policy/examples) with a verifier at 10.0.3.100, TCP 4433, behind its card. */
#ifndef TESTS_EXAMPLE_H
#define TESTS_EXAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "machine.h"

/*
 * Boots build/examples/NAME.img in DIR, build/run/example_NAME, with a verifier that believes DIR/reference: at first a
 * copy of build/examples/NAME.reference without the line of image `without` (NULL: whole).  For the group's set-up.
 */
int example_boot(const char *name, unsigned seconds, const char *without);
/* Its two halves, for another volume: an empty DIR, and a machine there whose verifier believes DIR/reference. */
bool example_prepare(const char *name);
int example_start(const char *esp, unsigned seconds);
/* More that QEMU answers for behind the card, as rig_config.guestfwd has it; set before the boot. */
extern const char *example_forward[2];
/* "DIR/FILE"; valid until the next call but one. */
const char *example_path(const char *file);
/* Writes the example's reference values to DIR/FILE without the line of image `without` (NULL: whole). */
bool example_reference(const char *file, const char *without);
#define EXAMPLE_STATE "verifier.db"     /* in DIR */
/* lzr-verify COMMAND --state STATE and the other arguments, NULL at the end; true when it exits with 0. */
bool example_verify(char *const arguments[], unsigned seconds, char *output, size_t capacity);
/* What the verifier recorded; "" if there is nothing yet.  Valid until the next call. */
const char *example_events(void);
/* Ends the verifier's session: the attestor dials again. */
void example_new_session(void);
/* Judges the kept bundle again with DIR/REFERENCE; good or not, and what lzr-verify printed. */
bool example_check(const char *reference, char *output, size_t capacity);
/*
 * Frames on the card's wire with the sender 02:4c:5a:00:03:FIRST to LAST.  `before` (may be NULL) gets how many of the
 * attestor's (..:14) came before the first of them.
 */
unsigned example_frames(unsigned first, unsigned last, unsigned *before);

#endif
