/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the story: what it was told, the machine, and what was seen so far; shared by the files of this program.
 */
#ifndef STORY_PLAY_H
#define STORY_PLAY_H

#include "model.h"
#include "rig.h"
#include "store.h"
#include "table.h"

struct play_options {
	struct story_files files;
	const char *esp, *dir, *verify;
	unsigned lease;                 /* seconds */
	bool shell;
};

extern struct play_options options;
extern struct story story;
extern struct store store;
extern struct rig *rig;

/*
 * Looks on until `done`, which says what is still waited for, is true; that is printed now and then.  False when
 * nothing new has been seen for long by the machine's own clock, the machine ended, or somebody wants to leave; what
 * was waited for is then in `waited` (may be NULL).
 */
bool play_until(bool (*done)(char wait[STORY_WAIT]), char waited[STORY_WAIT]);
/* Notes and says where the time is. */
void play_stage(const char *what);
/* Adds to the table of things that were tried on the whole; the text found is copied, the other must stay. */
void play_check(const char *what, bool good, const char *found);
/* The same for one that could not be tried, and why not. */
void play_untried(const char *what, const char *why);

/* verifier.c: makes the verifier's files in the run directory; `forward` receives QEMU's guestfwd argument. */
bool verifier_prepare(char *forward, size_t size);
/* Lets the verifier answer: until then its connections wait. */
bool verifier_go(void);

/* trials.c: results that must change nothing, a renewal; then a revocation. */
void trials_play(void);
void trials_revoke(void);
/* Takes the revocation back, and says so. */
void trials_undo(void);

#endif
