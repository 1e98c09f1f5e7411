/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One machine that a whole group of tests looks at, and what a test that fails shows of a machine.  cmocka cuts its
 * messages after a kilobyte and runs the group's tear-down also when the set-up failed: the log's end is printed
 * apart from them, and the machine is stopped once.
 */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "rig.h"

/* The group's machine; NULL while there is none. */
extern struct rig *machine;

struct machine_line {
	const char *text;
	unsigned seconds;               /* to wait for it, after the one before */
};

/*
 * Starts it and waits for these lines one after the other (the last one has no text; NULL: none).  For the group's
 * set-up: 0, or -1 after the end of the log was printed and the machine stopped.
 */
int machine_boot(const struct rig_config *config, const struct machine_line *lines);
/* The group's tear-down; may also be called before. */
int machine_end(void **state);

/* Where in the log the text is; the console may be 5 s behind. The test fails if it is not there. */
const char *machine_said(const char *text);
/* The same, but waits for it, and for the end of its line, as long as the machine runs. */
const char *machine_says(const char *text);
/* Waits for the next line with the text, behind the one that was found last; it goes to `line` (may be NULL). */
void machine_says_next(const char *text, char *line, size_t capacity);
/* The test fails if the text is in the log. */
void machine_silent(const char *text);
/* How often the text is in the log, up to `before` (a place in the log; NULL: its end). */
unsigned machine_count(const char *text, const char *before);
/* The decimal number behind `text` in a line of the log. */
unsigned long machine_number(const char *line, const char *text);

/* An uplink's capture, frame by frame; it may still grow. */
struct machine_wire {
	FILE *file;
	uint8_t frame[65536];           /* from its Ethernet header, which is whole */
};
void machine_wire_open(struct machine_wire *wire, unsigned uplink);
/* The next frame; false behind the last one, and the file is closed. */
bool machine_wire_next(struct machine_wire *wire);

/* The last lines of a machine's log, and where all of it is, to stderr. */
void machine_show(struct rig *rig);
/* fail_msg with that before it. */
#define machine_fail(rig, ...) \
	do { \
		machine_show(rig); \
		fail_msg(__VA_ARGS__); \
	} while (0)

#endif
