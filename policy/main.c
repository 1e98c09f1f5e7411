/* SPDX-License-Identifier: Apache-2.0 */
/* lzr-policy: command dispatch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define DIR_MAX_COUNT 8u

static const char help[] =
	"usage: lzr-policy check  SOURCE [--keys DIR] [--manifest-dir DIR]...   say what is wrong, or nothing\n"
	"       lzr-policy switch SOURCE --keys DIR --out F.switch              the switch's configuration\n"
	"       lzr-policy build  SOURCE --keys DIR --manifest-dir DIR... --out F.dtb\n"
	"       lzr-policy sign   F.dtb --key SIGNER.pem --out F.sig\n"
	"       lzr-policy verify F.dtb F.sig --key SIGNER.lzrkey\n"
	"       lzr-policy show   F.dtb\n"
	"       lzr-policy keygen [--development] --out PREFIX                  PREFIX.pem, .lzrkey, .pub.pem\n"
	"\n"
	"Messages have the form FILE:LINE:COLUMN: error: what was expected and what was found.  See lzr-policy(1), "
	"docs/policy.md.\n";

struct arguments {
	const char *files[2];
	unsigned file_count;
	const char *keys, *out, *key;
	const char *dirs[DIR_MAX_COUNT];
	unsigned dir_count;
	bool development;
};

static int say_error(const char *what, const char *detail)
{
	fprintf(stderr, "lzr-policy: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
	return 1;
}

static bool parse(int argc, char **argv, struct arguments *a)
{
	*a = (struct arguments){ .keys = "build/keys" };
	for (int i = 2; i < argc; i++) {
		const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (!strcmp(option, "--development")) {
			a->development = true;
			continue;
		}
		if (option[0] != '-') {
			if (a->file_count == 2)
				return false;
			a->files[a->file_count++] = option;
			continue;
		}
		if (!value)
			return false;
		if (!strcmp(option, "--keys"))
			a->keys = value;
		else if (!strcmp(option, "--out"))
			a->out = value;
		else if (!strcmp(option, "--key"))
			a->key = value;
		else if (!strcmp(option, "--manifest-dir") && a->dir_count < DIR_MAX_COUNT)
			a->dirs[a->dir_count++] = value;
		else
			return false;
		i++;
	}
	return true;
}

/* The switch's measurement must cover the very configuration that this policy means. */
static void check_switch_config(const struct policy *policy, struct report *report)
{
	const struct policy_switch *fabric = &policy->fabric;
	uint8_t expected[LZR_DIGEST_SIZE];
	size_t size;

	if (!fabric->node || report->errors || !policy->vms[fabric->vm].facts)
		return;
	const struct facts *facts = policy->vms[fabric->vm].facts;
	void *block = emit_switch(policy, &size);
	if (!block || !digest(block, size, expected) || !facts->has_switch_config ||
	    memcmp(expected, facts->switch_config, sizeof(expected)))
		complain(report, fabric->node->where,
			 "switch: expected the manifest of VM \"%s\" to hold this policy's switch configuration, found "
			 "%s; build its "
			 "image with what \"lzr-policy switch\" writes",
			 policy->vms[fabric->vm].name, facts->has_switch_config ? "another" : "none");
	free(block);
}

static void compile_policy(struct policy *policy, struct node *root, const struct arguments *a, bool with_switch,
			   struct report *report)
{
	model_read(policy, root, a->keys, report);
	if (report->errors)
		return;
	facts_read_all(policy, a->dirs, a->dir_count, report);
	check_policy(policy, report);
	check_limits(policy, report);
	if (with_switch)
		check_switch_config(policy, report);
}

static int from_source(const struct arguments *a, const char *command)
{
	struct report *report = calloc(1, sizeof(*report));
	struct policy *policy = calloc(1, sizeof(*policy));
	bool build = !strcmp(command, "build"), make_switch = !strcmp(command, "switch");
	int status = 1;

	if (!report || !policy || a->file_count != 1 || ((build || make_switch) && !a->out) ||
	    (build && !a->dir_count)) {
		free(report);
		free(policy);
		fputs(help, stderr);
		return 2;
	}
	struct node *root = source_read(a->files[0], report);
	if (root)
		compile_policy(policy, root, a, !make_switch, report);
	if (report->errors) {
		report_print(report, stderr);
	} else if (!build && !make_switch) {
		status = 0;
	} else if (make_switch && !policy->fabric.node) {
		say_error(a->files[0], "has no switch");
	} else {
		size_t size = 0;
		void *bytes = build ? emit_policy(policy, &size) : emit_switch(policy, &size);
		bool fits = bytes && (make_switch || size <= LZR_POLICY_MAX);
		if (!fits || !file_store(a->out, bytes, size, 0644))
			say_error(a->out, fits ? "cannot write" : "the policy does not fit");
		else
			status = 0;
		free(bytes);
	}
	policy_free(policy);
	source_free(root);
	report_free(report);
	free(policy);
	free(report);
	return status;
}

static int on_compiled(const struct arguments *a, const char *command)
{
	uint8_t signature[LZR_POLICY_SIGNATURE_SIZE];
	char why[512];
	size_t size, sig_size = 0;
	int status = 1;

	uint8_t *dtb = a->file_count ? file_load(a->files[0], LZR_POLICY_MAX, &size, why, sizeof(why)) : NULL;
	if (!dtb)
		return say_error(a->file_count ? why : "expected a compiled policy; see lzr-policy --help", NULL);
	if (!strcmp(command, "show")) {
		status = show_policy(dtb, size) ? 0 : say_error(a->files[0], "expected a compiled policy");
	} else if (!a->key) {
		say_error("expected --key", NULL);
	} else if (!strcmp(command, "sign")) {
		if (!key_sign(a->key, dtb, size, signature))
			say_error(key_error(), NULL);
		else if (!a->out || !file_store(a->out, signature, sizeof(signature), 0644))
			say_error(a->out ? a->out : "expected --out", a->out ? "cannot write" : NULL);
		else
			status = 0;
	} else {
		uint8_t *sig = a->file_count == 2
				       ? file_load(a->files[1], sizeof(signature), &sig_size, why, sizeof(why))
				       : NULL;
		if (!sig || sig_size != sizeof(signature))
			say_error("expected a signature of 96 bytes", a->file_count == 2 ? a->files[1] : NULL);
		else if (!key_verify(a->key, dtb, size, sig))
			say_error(key_error(), NULL);
		else
			status = 0;
		free(sig);
	}
	free(dtb);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments a;

	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (!parse(argc, argv, &a)) {
		fputs(help, stderr);
		return 2;
	}
	if (!strcmp(argv[1], "check") || !strcmp(argv[1], "build") || !strcmp(argv[1], "switch"))
		return from_source(&a, argv[1]);
	if (!strcmp(argv[1], "sign") || !strcmp(argv[1], "verify") || !strcmp(argv[1], "show"))
		return on_compiled(&a, argv[1]);
	if (!strcmp(argv[1], "keygen") && a.out)
		return key_generate(a.out, a.development) ? 0 : say_error(key_error(), NULL);
	fputs(help, stderr);
	return 2;
}
