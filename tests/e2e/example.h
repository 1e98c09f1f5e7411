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
/* One more end on the card's wire (rig_peer); set before the boot. */
extern bool example_peer;
/* The rig's TPM is a stranger: nobody has approved it.  Set before the boot. */
extern bool example_stranger;
#define EXAMPLE_STATE "verifier.db"     /* in DIR */
/* lzr-verify COMMAND --state STATE and the other arguments, NULL at the end; its exit status. */
int example_status(char *const arguments[], unsigned seconds, char *output, size_t capacity);
/* The same; true when it exits with 0. */
bool example_verify(char *const arguments[], unsigned seconds, char *output, size_t capacity);
/* What the verifier recorded; "" if there is nothing yet.  Valid until the next call. */
const char *example_events(void);
/* Ends the verifier's session: the attestor dials again. */
void example_new_session(void);
/* What signs from the next session on: a PEM file.  NULL: whoever dials is hung up on. */
bool example_key(const char *key);
/* A line with the words in what the verifier records, within the machine's time; else the test fails. */
void example_waits_for_event(const char *text);
/* How many of the services `first` .. have a line of `format`, of one number, in `text`; not service number `but`. */
unsigned example_services(const char *text, const char *format, unsigned first, unsigned but);
#define EXAMPLE_SERVICES 32u    /* of the server */
/* Judges the kept bundle again with DIR/REFERENCE; good or not, and what lzr-verify printed. */
bool example_check(const char *reference, char *output, size_t capacity);
/*
 * Frames on the card's wire with the sender 02:4c:5a:00:03:FIRST to LAST.  `before` (may be NULL) gets how many of the
 * attestor's (..:14) came before the first of them.
 */
unsigned example_frames(unsigned first, unsigned last, unsigned *before);

#endif
