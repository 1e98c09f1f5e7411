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

#define STORY_ANSWER_SECONDS 60

struct play_options {
	const char *policy, *switch_config, *reference, *esp, *keys, *dir, *verify;
	unsigned lease;                 /* seconds */
	bool shell;
};

extern struct play_options options;
extern struct story story;
extern struct store store;
extern struct rig *rig;

/* Looks on until `done` says so; false when the time is over, the machine ended or somebody wants to leave. */
bool play_until(bool (*done)(void), unsigned seconds);
/* Notes and says where the time is. */
void play_stage(const char *what);
/* Adds to the table of things that were tried on the whole; both texts are copied. */
void play_check(const char *what, bool good, const char *found);

/* verifier.c: makes the verifier's files in the run directory; `forward` receives QEMU's guestfwd argument. */
bool verifier_prepare(char *forward, size_t size);
/* Lets the verifier answer: until then its connections wait. */
bool verifier_go(void);

/* trials.c: results that must change nothing, a renewal; then a revocation. */
void trials_play(void);
void trials_revoke(void);

#endif
