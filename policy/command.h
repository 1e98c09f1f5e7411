/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of lzr-policy: main.c reads the arguments and calls one of these, which returns the exit status. */
#ifndef POLICY_COMMAND_H
#define POLICY_COMMAND_H

#include "policy.h"

#define COMMAND_DIRS 8u
#define COMMAND_FILES 5u

#define EXIT_REFUSED 1          /* something is wrong with what was given, or the answer is no */
#define EXIT_USAGE 2            /* the command was not understood, or could not be carried out */

enum option {
	OPTION_KEYS, OPTION_OLD_KEYS, OPTION_OUT, OPTION_KEY, OPTION_MANIFEST_DIR, OPTION_DEVELOPMENT,
	OPTION_MACHINE_LIMITS, OPTION_POLICY, OPTION_PASSPHRASE_FILE,
	OPTION_COUNT,
};

struct arguments {
	const char *command;
	const char *files[COMMAND_FILES];
	unsigned file_count;
	const char *values[OPTION_COUNT];       /* of the last time that it was given; NULL: not */
	const char *dirs[COMMAND_DIRS];         /* --manifest-dir */
	unsigned dir_count;
};

int command_check(const struct arguments *a);
int command_switch(const struct arguments *a);
int command_build(const struct arguments *a);
int command_sign(const struct arguments *a);
int command_verify(const struct arguments *a);
int command_show(const struct arguments *a);
int command_diff(const struct arguments *a);
int command_graph(const struct arguments *a);
int command_explain(const struct arguments *a);
int command_image(const struct arguments *a);
int command_keygen(const struct arguments *a);

/* "lzr-policy: WHAT: DETAIL"; the detail may be NULL.  Returns `status`. */
int command_error(int status, const char *what, const char *detail);

/* A source and all that was read from it. */
struct source_policy {
	struct report report;
	struct node *root;
	struct policy policy;
};
/* Reads the model, says what is wrong on stderr; source_policy_end either way. */
bool source_policy_read(struct source_policy *source, const char *path, const struct arguments *a);
void source_policy_end(struct source_policy *source);

#endif
