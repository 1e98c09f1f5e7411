/* SPDX-License-Identifier: Apache-2.0 */
/* lzr-verify's subcommands; each returns the exit status: 0 good, 1 refused, 2 wrong usage or an unreadable file. */
#ifndef ATTEST_COMMAND_H
#define ATTEST_COMMAND_H

#include "fault.h"

#define OPTION_REPEAT_MAX 64u

/* Every option any subcommand takes; a subcommand refuses one it does not know (command_parse). */
struct options {
	const char *state, *reference, *key, *passphrase_file, *roots, *bundle, *nonce, *release, *vm, *vm_key,
		*out, *lease_seconds, *port;
	const char *loader[OPTION_REPEAT_MAX], *hypervisor[OPTION_REPEAT_MAX], *boot_list[OPTION_REPEAT_MAX];
	const char *signer[OPTION_REPEAT_MAX], *policy[OPTION_REPEAT_MAX];
	const char *machine, *ek, *ek_cert, *pending, *any_of, *remove, *wait;
	const char *manifest[OPTION_REPEAT_MAX];
	const char *pcr[OPTION_REPEAT_MAX];
	const char *file;
	size_t loaders, hypervisors, boot_lists, signers, policies, manifests, pcrs;
	bool json, stdio, allow_development_key, undo;
};

/* `allowed`: the option names that this subcommand takes, separated by blanks; one that it must have ends in "!". */
bool command_parse(int argc, char **argv, const char *allowed, struct options *o);
int command_fail(const struct fault *f);
/* A decimal number up to `max`; `what` is the option's name. */
bool command_number(const char *text, uint64_t max, uint64_t *out, const char *what, struct fault *f);

int command_init(int argc, char **argv);
int command_approve(int argc, char **argv);
int command_approvals(int argc, char **argv);
int command_status(int argc, char **argv);
int command_events(int argc, char **argv);
int command_bundle(int argc, char **argv);
int command_forget(int argc, char **argv);
int command_check(int argc, char **argv);
int command_serve(int argc, char **argv);
int command_result(int argc, char **argv);
int command_revoke(int argc, char **argv);
int command_send(int argc, char **argv);
int command_reference(int argc, char **argv);
int command_log(int argc, char **argv);

#endif
