/* SPDX-License-Identifier: Apache-2.0 */
/* lzr-verify: the remote verifier's command. */
#include "../lib/output.h"
#include "command.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
	"usage: lzr-verify COMMAND OPTIONS\n"
	"\n"
	"  init       --state FILE\n"
	"             makes a new state; every other command wants one that is there\n"
	"  approve    --state FILE --ek-cert FILE | --ek DIGEST | --pending N | --any-of FILE | --remove N\n"
	"             lets one TPM enrol, or with --any-of EVERY TPM whose EK certificate leads to one of the\n"
	"             certificates in FILE; --remove takes an approval back\n"
	"  approvals  --state FILE\n"
	"             the approvals, and the TPMs that asked and wait for one\n"
	"  serve      --stdio --state FILE --reference FILE --key FILE [--passphrase-file FILE]\n"
	"             [--ek-roots FILE] [--lease SECONDS] [--allow-development-key]\n"
	"             one attestor's session on standard input and output; with --ek-roots it enrols attestation\n"
	"             keys of approved TPMs whose EK certificate leads to one of these roots\n"
	"  check      --bundle FILE --nonce HEX --reference FILE --state FILE [--vm NAME]\n"
	"             [--release network|channel] [--vm-key FILE] [--allow-development-key] [--json]\n"
	"             appraises one evidence bundle against the nonce that was sent for it; the exit status speaks\n"
	"             of all VMs, with --vm of that one; --release channel (needs --vm): it came by that VM's own\n"
	"             channel; --vm-key (with it): the key that it must bind\n"
	"  result     --state FILE [--machine M] [--json]\n"
	"             the last appraisal\n"
	"  bundle     --state FILE [--machine M] --out FILE\n"
	"             the evidence of the last appraisal into a new file; prints the nonce that it answers\n"
	"  status     --state FILE [--machine M]\n"
	"             machines and VMs, leases and revocations\n"
	"  events     --state FILE\n"
	"             a line for each thing that happened: time, machine, what\n"
	"  revoke     --state FILE --key FILE --vm NAME [--passphrase-file FILE] [--machine M]\n"
	"             [--wait SECONDS]\n"
	"             ends the VM's lease, gives no other, and waits until the switch has said that it did\n"
	"  revoke     --state FILE --vm NAME [--machine M] --undo\n"
	"             allows leases again\n"
	"  forget     --state FILE --machine M\n"
	"             a machine and all that is known of it; its TPM may then enrol anew\n"
	"  send       --state FILE --file RESULT [--machine M] [--port N] [--wait SECONDS]\n"
	"             hands a signed result file to the machine's session as it is, and waits for the answer\n"
	"  reference  --loader PE --hypervisor ELF --boot-list FILE --signer FILE --policy FILE --manifest FILE..\n"
	"             [--pcr 'N VALUE'].. --out FILE\n"
	"             writes reference values computed from the build's outputs; --pcr adds or replaces firmware\n"
	"             registers, the others say unchecked; every input may be given several times, and any of its\n"
	"             values is accepted then, as for an update\n"
	"  log        --file LOG\n"
	"             replays a TCG event log in its SHA-384 bank\n"
	"\n"
	"An encrypted key's passphrase is the first line of --passphrase-file, else of the file that\n"
	"LZR_PASSPHRASE_FILE in the environment names, else asked for on the terminal.\n"
	"A machine is named by the first digits that status and events show.\n"
	"Exit status: 0 good, 1 refused, 2 wrong usage, an unreadable file or an answer that cannot be\n"
	"written; revoke and send also: 3 refused by the switch, 4 queued (no session, or no answer in time).\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "init", command_init },
	{ "approve", command_approve },
	{ "approvals", command_approvals },
	{ "status", command_status },
	{ "events", command_events },
	{ "bundle", command_bundle },
	{ "forget", command_forget },
	{ "serve", command_serve },
	{ "check", command_check },
	{ "result", command_result },
	{ "revoke", command_revoke },
	{ "send", command_send },
	{ "reference", command_reference },
	{ "log", command_log },
};

enum option_kind { TEXT, FLAG, MANY };

static const struct {
	const char *name;
	enum option_kind kind;
	size_t offset, count_offset;
} known[] = {
	{ "state", TEXT, offsetof(struct options, state), 0 },
	{ "reference", TEXT, offsetof(struct options, reference), 0 },
	{ "key", TEXT, offsetof(struct options, key), 0 },
	{ "passphrase-file", TEXT, offsetof(struct options, passphrase_file), 0 },
	{ "ek-roots", TEXT, offsetof(struct options, roots), 0 },
	{ "bundle", TEXT, offsetof(struct options, bundle), 0 },
	{ "nonce", TEXT, offsetof(struct options, nonce), 0 },
	{ "release", TEXT, offsetof(struct options, release), 0 },
	{ "vm", TEXT, offsetof(struct options, vm), 0 },
	{ "vm-key", TEXT, offsetof(struct options, vm_key), 0 },
	{ "out", TEXT, offsetof(struct options, out), 0 },
	{ "lease", TEXT, offsetof(struct options, lease_seconds), 0 },
	{ "port", TEXT, offsetof(struct options, port), 0 },
	{ "file", TEXT, offsetof(struct options, file), 0 },
	{ "machine", TEXT, offsetof(struct options, machine), 0 },
	{ "ek", TEXT, offsetof(struct options, ek), 0 },
	{ "ek-cert", TEXT, offsetof(struct options, ek_cert), 0 },
	{ "pending", TEXT, offsetof(struct options, pending), 0 },
	{ "any-of", TEXT, offsetof(struct options, any_of), 0 },
	{ "remove", TEXT, offsetof(struct options, remove), 0 },
	{ "wait", TEXT, offsetof(struct options, wait), 0 },
	{ "loader", MANY, offsetof(struct options, loader), offsetof(struct options, loaders) },
	{ "hypervisor", MANY, offsetof(struct options, hypervisor), offsetof(struct options, hypervisors) },
	{ "boot-list", MANY, offsetof(struct options, boot_list), offsetof(struct options, boot_lists) },
	{ "signer", MANY, offsetof(struct options, signer), offsetof(struct options, signers) },
	{ "policy", MANY, offsetof(struct options, policy), offsetof(struct options, policies) },
	{ "manifest", MANY, offsetof(struct options, manifest), offsetof(struct options, manifests) },
	{ "pcr", MANY, offsetof(struct options, pcr), offsetof(struct options, pcrs) },
	{ "json", FLAG, offsetof(struct options, json), 0 },
	{ "stdio", FLAG, offsetof(struct options, stdio), 0 },
	{ "allow-development-key", FLAG, offsetof(struct options, allow_development_key), 0 },
	{ "undo", FLAG, offsetof(struct options, undo), 0 },
};
#define KNOWN (sizeof(known) / sizeof(known[0]))

/* Is `name` in the list, and must it be given? */
static bool listed(const char *list, const char *name, bool *required)
{
	size_t n = strlen(name);

	for (const char *p = list; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		size_t length = strcspn(p, " ");

		*required = p[length - 1] == '!';
		if (length - (*required ? 1 : 0) == n && strncmp(p, name, n) == 0)
			return true;
	}
	return false;
}

static bool store_option(struct options *o, size_t i, const char *value)
{
	char *base = (char *)o;

	if (known[i].kind == FLAG) {
		*(bool *)(base + known[i].offset) = true;
	} else if (known[i].kind == TEXT) {
		*(const char **)(base + known[i].offset) = value;
	} else {
		size_t *count = (size_t *)(base + known[i].count_offset);

		if (*count == OPTION_REPEAT_MAX)
			return false;
		((const char **)(base + known[i].offset))[(*count)++] = value;
	}
	return true;
}

static bool given(const struct options *o, size_t i)
{
	const char *base = (const char *)o;

	if (known[i].kind == FLAG)
		return *(const bool *)(base + known[i].offset);
	if (known[i].kind == TEXT)
		return *(const char *const *)(base + known[i].offset) != NULL;
	return *(const size_t *)(base + known[i].count_offset) > 0;
}

bool command_parse(int argc, char **argv, const char *allowed, struct options *o)
{
	bool required;

	memset(o, 0, sizeof(*o));
	for (int a = 1; a < argc; a++) {
		size_t i = 0;

		while (i < KNOWN && (strncmp(argv[a], "--", 2) != 0 || strcmp(argv[a] + 2, known[i].name) != 0))
			i++;
		if (i == KNOWN || !listed(allowed, known[i].name, &required)) {
			fprintf(stderr, "lzr-verify %s: %s: no such option; lzr-verify %s --help tells\n",
				argv[0], argv[a], argv[0]);
			return false;
		}
		if ((known[i].kind != FLAG && a + 1 == argc) ||
		    !store_option(o, i, known[i].kind == FLAG ? NULL : argv[a + 1])) {
			fprintf(stderr, "lzr-verify %s: %s: a value is missing, or too many\n", argv[0], argv[a]);
			return false;
		}
		a += known[i].kind != FLAG;
	}
	for (size_t i = 0; i < KNOWN; i++)
		if (listed(allowed, known[i].name, &required) && required && !given(o, i)) {
			fprintf(stderr, "lzr-verify %s: --%s is missing\n", argv[0], known[i].name);
			return false;
		}
	return true;
}

int command_fail(const struct fault *f)
{
	char text[700];

	fault_print(f, text, sizeof(text));
	fprintf(stderr, "lzr-verify: %s\n", text);
	return f->code == FAULT_INPUT || f->code == FAULT_USAGE ? 2 : 1;
}

/* Of the usage what is a command's own: the lines that begin with its name, and those indented below them. */
static int print_command_help(const char *name)
{
	const size_t length = strlen(name);
	bool own = false;

	printf("usage: lzr-verify %s OPTIONS\n", name);
	for (const char *line = usage, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		if (strncmp(line, "   ", 3) != 0)
			own = strncmp(line, "  ", 2) == 0 && strncmp(line + 2, name, length) == 0 &&
			      line[2 + length] == ' ';
		if (own)
			printf("%.*s\n", (int)(end - line), line);
	}
	return 0;
}

int main(int argc, char **argv)
{
	output_must_be_written("lzr-verify");
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return argc == 3 && strcmp(argv[2], "--help") == 0 ? print_command_help(argv[1])
									   : commands[i].run(argc - 1, argv + 1);
	fputs(usage, argc > 1 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
	return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
