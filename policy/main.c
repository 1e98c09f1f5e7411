/* SPDX-License-Identifier: Apache-2.0 */
/* lzr-policy: the table of commands, their help, and the arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/output.h"
#include "command.h"

struct option_rule {
	const char *name;
	const char *value;      /* NULL: takes none */
	const char *help;
};

static const struct option_rule options[OPTION_COUNT] = {
	[OPTION_KEYS] = { "--keys", "DIR", "folder of the public keys that the source names (keys)" },
	[OPTION_OLD_KEYS] = { "--old-keys", "DIR", "the same for OLD, when key files may have been replaced" },
	[OPTION_OUT] = { "--out", "FILE", "what to write" },
	[OPTION_KEY] = { "--key", "FILE", "the signer's key" },
	[OPTION_MANIFEST_DIR] = { "--manifest-dir", "DIR", "folder of the images' manifests; may be given again" },
	[OPTION_DEVELOPMENT] = { "--development", NULL, "mark the key as one that nobody must rely on" },
	[OPTION_MACHINE_LIMITS] = { "--machine-limits", "off", "do not ask whether this hypervisor has room for it" },
	[OPTION_PASSPHRASE_FILE] = { "--passphrase-file", "FILE", "its first line opens an encrypted key" },
	[OPTION_POLICY] = { "--policy", "SOURCE", "the policy, instead of as the last argument" },
};

#define BIT(option) (1u << (option))

struct command {
	const char *name;
	const char *files;              /* the arguments that are not options */
	unsigned min_files, max_files;
	unsigned optional, required;    /* options, bits */
	const char *summary;
	const char *help;
	int (*run)(const struct arguments *a);
};

static const struct command commands[] = {
	{ "check", "SOURCE", 1, 1, BIT(OPTION_KEYS) | BIT(OPTION_MANIFEST_DIR) | BIT(OPTION_MACHINE_LIMITS), 0,
	  "say what is wrong with a policy, or what each part of it may hold",
	  "If nothing flows down, the certificate: a label or trusted range for every part.  Otherwise every\n"
	  "finding is a line FILE:LINE:COLUMN: error: what was expected, what was found.  All are told, not only\n"
	  "the first, and what flows down hop by hop.  Without --manifest-dir, what depends on the images is left\n"
	  "out.  A line with \"warning\" is legal and surely not meant; it changes no status, here or in \"build\".\n",
	  command_check },
	{ "switch", "SOURCE", 1, 1, BIT(OPTION_KEYS) | BIT(OPTION_MACHINE_LIMITS), BIT(OPTION_OUT),
	  "write the configuration of the switch",
	  "It becomes a segment of the switch's image, whose measurement the policy names: so it is made before\n"
	  "that image, and the image before \"build\".\n", command_switch },
	{ "build", "SOURCE", 1, 1, BIT(OPTION_KEYS) | BIT(OPTION_MACHINE_LIMITS),
	  BIT(OPTION_OUT) | BIT(OPTION_MANIFEST_DIR), "check a policy and compile it",
	  "The same source, keys and manifests give the same bytes.\n", command_build },
	{ "sign", "F.dtb", 1, 1, BIT(OPTION_PASSPHRASE_FILE), BIT(OPTION_KEY) | BIT(OPTION_OUT),
	  "sign a compiled policy",
	  "ECDSA on P-384 over the SHA-384 digest of the exact bytes; deterministic.  --key is the secret\n"
	  "PREFIX.pem that \"keygen\" made.  If it is encrypted, its passphrase is asked for on the terminal, unless\n"
	  "--passphrase-file, or LZR_PASSPHRASE_FILE in the environment, names a file.  Only what \"verify\" would\n"
	  "read is signed: a compiled policy, with the key that it names as its signer, if it names one.\n",
	  command_sign },
	{ "verify", "F.dtb F.sig", 2, 2, 0, BIT(OPTION_KEY), "check a signature; print digest, version and signer",
	  "--key is the signer's public PREFIX.lzrkey.  Status 1 and nothing on standard output when the signature\n"
	  "is not this key's over these bytes, these bytes are not a compiled policy, or it names another signer.\n",
	  command_verify },
	{ "show", "F.dtb", 1, 1, 0, 0, "list what a compiled policy says",
	  "Names stand for numbers, in the order of the file.  What is not known is listed as it is.  The\n"
	  "signature is not looked at.\n", command_show },
	{ "diff", "OLD NEW [OLD.switch NEW.switch]", 2, 4, BIT(OPTION_KEYS) | BIT(OPTION_OLD_KEYS), 0,
	  "explain what changed between two policies",
	  "Both are sources, or both compiled.  Rules, addresses, limits and quarantine are not in compiled policies\n"
	  "but in the switches' configurations, which are compared when they are given too.  A line\n"
	  "that begins with ! widens authority, or may; one with - narrows it; one with a blank does neither.\n"
	  "Status 0: no difference, 1: differences, 3: some of them widen, 2: could not compare.\n", command_diff },
	{ "graph", "SOURCE", 1, 1, BIT(OPTION_KEYS), BIT(OPTION_OUT), "draw what flows where in a policy",
	  "--out names an .svg or a .png, which graphviz' dot makes, or a .dot or .gv for its own language.  If\n"
	  "something flows down, the shortest path along which it does is red and told on standard error, with\n"
	  "status 1.\n", command_graph },
	{ "explain", "FROM TO [tcp|udp|icmp [PORT]] [SOURCE]", 2, 5, BIT(OPTION_KEYS) | BIT(OPTION_POLICY), 0,
	  "why something may, or may not, get from one to another",
	  "With a protocol: what the switch does with the first packet of such a connection, and which lines of\n"
	  "the source say so.  FROM and TO are VMs, ports, \"gateway\" or addresses.  Without: every way in which\n"
	  "data gets from one VM, network, device or channel to another.  Status 0: yes, 1: no, 2: no such thing,\n"
	  "3: only through a VM that is trusted over several labels, 4: only before one is admitted, for inspection.\n",
	  command_explain },
	{ "image", "SOURCE [VM]", 1, 2, BIT(OPTION_KEYS), 0, "list what a policy asks of a VM's image",
	  "As options of vmimage, one a line: name, memory, vCPUs, virtual devices and places.  What the policy\n"
	  "does not say, the class code of a device that is no uplink, is a \"?\", which vmimage refuses.  Service\n"
	  "ends are those of a Linux service; the switch's is a link.  Without a VM: each VM, its image, and\n"
	  "whether it is the switch, an attestor, a service or a guest.\n", command_image },
	{ "words", "SOURCE VM", 2, 2, BIT(OPTION_KEYS), 0, "the words that tell a guest of this tree who it is",
	  "For the kernel's command line: lzr.vm, and as far as the VM has them lzr.ip, lzr.gw, lzr.peers,\n"
	  "lzr.endpoint (docs/guests.md).  Of a VM with several ports the first counts.\n", command_image },
	{ "keygen", "", 0, 0, BIT(OPTION_DEVELOPMENT), BIT(OPTION_OUT), "make a signer's or verifier's key",
	  "--out is a prefix: PREFIX.pem is the secret, PREFIX.pub.pem the public key, PREFIX.lzrkey the public\n"
	  "key as the loader measures it.  No file is written over another: if one of them is there, none is made.\n",
	  command_keygen },
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

int command_error(int status, const char *what, const char *detail)
{
	print_tame(stderr, "lzr-policy: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return status;
}

static const struct command *find_command(const char *name)
{
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void print_synopsis(FILE *out, const struct command *command)
{
	fprintf(out, "usage: lzr-policy %s%s%s", command->name, *command->files ? " " : "", command->files);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		bool required = command->required & BIT(i);
		if (required || command->optional & BIT(i))
			fprintf(out, " %s%s%s%s%s", required ? "" : "[", options[i].name, options[i].value ? " " : "",
				options[i].value ? options[i].value : "", required ? "" : "]");
	}
	fputc('\n', out);
}

static void print_overview(FILE *out)
{
	fputs("usage: lzr-policy COMMAND ARGUMENTS\n\n", out);
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		fprintf(out, "  %-10s%s\n", commands[i].name, commands[i].summary);
	fputs("  help      what a command does and takes: lzr-policy help diff\n\n"
	      "The language is described in docs/policy.md; see also lzr-policy(1).\n", out);
}

static int print_help(const char *name)
{
	const struct command *command = name ? find_command(name) : NULL;

	if (name && !command)
		return command_error(EXIT_USAGE, name, "no such command; see lzr-policy help");
	if (!command) {
		print_overview(stdout);
		return 0;
	}
	print_synopsis(stdout, command);
	printf("\n%s: %s.\n%s", command->name, command->summary, command->help);
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if ((command->required | command->optional) & BIT(i))
			printf("%s  %-18s%-8s%s\n", (command->required | command->optional) & (BIT(i) - 1) ? "" : "\n",
			       options[i].name, options[i].value ? options[i].value : "", options[i].help);
	return 0;
}

static int wrong_usage(const struct command *command, const char *format, const char *detail)
{
	fprintf(stderr, "lzr-policy %s: ", command->name);
	fprintf(stderr, format, detail);
	fputc('\n', stderr);
	print_synopsis(stderr, command);
	return EXIT_USAGE;
}

/* One option and its value; how many arguments that was, 0 after saying what is wrong with it. */
static int take_option(const struct command *command, char **argv, struct arguments *a)
{
	unsigned i = 0;

	while (i < OPTION_COUNT && strcmp(options[i].name, argv[0]))
		i++;
	if (i == OPTION_COUNT || !((command->required | command->optional) & BIT(i))) {
		wrong_usage(command, "option %s is not one of this command", argv[0]);
		return 0;
	}
	if (!options[i].value) {
		a->values[i] = "";
		return 1;
	}
	if (!argv[1]) {
		wrong_usage(command, "option %s: expected a value behind it, found none", argv[0]);
		return 0;
	}
	if (i == OPTION_MACHINE_LIMITS && strcmp(argv[1], "off")) {
		wrong_usage(command, "option --machine-limits: expected \"off\", found \"%s\"", argv[1]);
		return 0;
	}
	if (i == OPTION_MANIFEST_DIR) {
		if (a->dir_count == COMMAND_DIRS) {
			wrong_usage(command, "option %s was given too often", argv[0]);
			return 0;
		}
		a->dirs[a->dir_count++] = argv[1];
	} else if (a->values[i]) {
		wrong_usage(command, "option %s was given twice", argv[0]);
		return 0;
	}
	a->values[i] = argv[1];
	return 2;
}

/* Options may stand before, between and behind the files; "--" ends them. */
static int run(const struct command *command, char **argv)
{
	struct arguments a = { .command = command->name };
	bool only_files = false;

	while (*argv) {
		if (!only_files && !strcmp(*argv, "--")) {
			only_files = true;
			argv++;
		} else if (!only_files && !strcmp(*argv, "--help")) {
			return print_help(command->name);
		} else if (!only_files && **argv == '-') {
			int used = take_option(command, argv, &a);
			if (!used)
				return EXIT_USAGE;
			argv += used;
		} else if (a.file_count == command->max_files) {
			return wrong_usage(command, "did not expect the argument \"%s\"", *argv);
		} else {
			a.files[a.file_count++] = *argv++;
		}
	}
	if (a.file_count < command->min_files)
		return wrong_usage(command, "expected %s, found less", command->files);
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		if (command->required & BIT(i) && !a.values[i])
			return wrong_usage(command, "expected option %s, found none", options[i].name);
	if (!a.values[OPTION_KEYS])
		a.values[OPTION_KEYS] = "keys";
	return command->run(&a);
}

static int run_arguments(int argc, char **argv)
{
	if (argc < 2) {
		print_overview(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return print_help(argv[1][0] == '-' ? NULL : argv[2]);
	const struct command *command = find_command(argv[1]);
	if (!command)
		return command_error(EXIT_USAGE, argv[1], "no such command; see lzr-policy help");
	return run(command, argv + 2);
}

int main(int argc, char **argv)
{
	output_must_be_written("lzr-policy");
	return run_arguments(argc, argv);
}
