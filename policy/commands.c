/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "command.h"
#include "edges.h"
#include "explain.h"
#include "fabric.h"
#include "graph.h"

#define SWITCH_FILE_MAX (4u << 20)
#define NOT_COMPILED "expected a compiled policy, as \"lzr-policy build\" writes it"

bool source_policy_read(struct source_policy *source, const char *path, const struct arguments *a)
{
	*source = (struct source_policy){ 0 };
	source->root = source_read(path, &source->report);
	if (source->root)
		model_read(&source->policy, source->root, a->values[OPTION_KEYS], &source->report);
	if (!source->report.errors)
		return true;
	report_print(&source->report, stderr);
	return false;
}

void source_policy_end(struct source_policy *source)
{
	policy_free(&source->policy);
	source_free(source->root);
	report_free(&source->report);
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
			 "%s; build its image with what \"lzr-policy switch\" writes",
			 policy->vms[fabric->vm].name, facts->has_switch_config ? "another" : "none");
	free(block);
}

/* All checks; false after saying what is wrong.  No warnings without the switch: `make` would show them twice. */
static bool check_source(struct source_policy *source, const struct arguments *a, bool with_switch)
{
	struct report *report = &source->report;

	if (!source_policy_read(source, a->files[0], a))
		return false;
	facts_read_all(&source->policy, a->dirs, a->dir_count, report);
	check_policy(&source->policy, report);
	if (!a->values[OPTION_MACHINE_LIMITS])
		check_limits(&source->policy, report);
	if (with_switch)
		check_switch_config(&source->policy, report);
	if (with_switch && !report->errors)
		check_warnings(&source->policy, report);
	report_print(report, stderr);
	return !report->errors;
}

int command_check(const struct arguments *a)
{
	struct source_policy source;
	bool good = check_source(&source, a, true);

	if (good)
		print_certificate(&source.policy, stdout);
	source_policy_end(&source);
	return good ? 0 : EXIT_REFUSED;
}

static int store(const char *path, const void *bytes, size_t size)
{
	if (file_store(path, bytes, size, 0644))
		return 0;
	print_tame(stderr, "lzr-policy: %s: cannot write: %s\n", path, strerror(errno));
	return EXIT_USAGE;
}

int command_graph(const struct arguments *a)
{
	struct source_policy source;
	int status = EXIT_REFUSED;

	if (source_policy_read(&source, a->files[0], a)) {
		bool good = graph_write(&source.policy, a->files[0], a->values[OPTION_OUT]);
		check_flows(&source.policy, &source.report);
		report_print(&source.report, stderr);
		status = !good ? EXIT_USAGE : source.report.errors ? EXIT_REFUSED : 0;
	}
	source_policy_end(&source);
	return status;
}

int command_switch(const struct arguments *a)
{
	struct source_policy source;
	int status = EXIT_REFUSED;

	if (check_source(&source, a, false)) {
		size_t size = 0;
		void *bytes = source.policy.fabric.node ? emit_switch(&source.policy, &size) : NULL;
		if (bytes)
			status = store(a->values[OPTION_OUT], bytes, size);
		else
			command_error(0, a->files[0],
				      source.policy.fabric.node ? "the switch has no room for it" : "has no switch");
		free(bytes);
	}
	source_policy_end(&source);
	return status;
}

int command_build(const struct arguments *a)
{
	struct source_policy source;
	int status = EXIT_REFUSED;

	if (check_source(&source, a, true)) {
		size_t size = 0;
		void *bytes = emit_policy(&source.policy, &size);
		if (bytes && (size <= LZR_POLICY_MAX || a->values[OPTION_MACHINE_LIMITS]))
			status = store(a->values[OPTION_OUT], bytes, size);
		else
			command_error(0, a->files[0], "the compiled policy is larger than the hypervisor reads");
		free(bytes);
	}
	source_policy_end(&source);
	return status;
}

static uint8_t *load(const char *path, size_t limit, size_t *size)
{
	char why[512];
	uint8_t *bytes = file_load(path, limit, size, why, sizeof(why));

	if (!bytes)
		command_error(0, why, NULL);
	return bytes;
}

/* The digest of the key file that a compiled policy names; false when it names none. */
static bool named_signer(const struct outline *outline, uint8_t signer[LZR_DIGEST_SIZE])
{
	const struct outline_line *named = outline_line(&outline->subjects[0], "signer");

	for (unsigned i = 0; named && i < LZR_DIGEST_SIZE; i++) {
		const char byte[3] = { named->value[2 * i], named->value[2 * i + 1], 0 };
		signer[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return named != NULL;
}

/* What "verify" would refuse gets no signature. */
int command_sign(const struct arguments *a)
{
	uint8_t signature[LZR_POLICY_SIGNATURE_SIZE], signer[LZR_DIGEST_SIZE];
	struct outline outline = { 0 };
	size_t size;
	uint8_t *dtb = load(a->files[0], LZR_POLICY_MAX, &size);
	bool compiled = dtb && outline_dtb(&outline, dtb, size);
	bool good = compiled && key_sign(a->values[OPTION_KEY], a->values[OPTION_PASSPHRASE_FILE],
					 named_signer(&outline, signer) ? signer : NULL, dtb, size, signature);

	if (dtb && !compiled)
		command_error(0, a->files[0], NOT_COMPILED);
	else if (dtb && !good)
		command_error(0, key_error(), NULL);
	outline_free(&outline);
	free(dtb);
	return good ? store(a->values[OPTION_OUT], signature, sizeof(signature)) : EXIT_REFUSED;
}

static void print_hex(const char *what, const uint8_t *bytes, size_t size)
{
	char *text = text_hex(bytes, size);

	printf("%-12s%s\n", what, text);
	free(text);
}

/* Who signed, as the loader measures it: the digest of the key file, which also tells a development key. */
static bool read_signer(const char *path, uint8_t hash[LZR_DIGEST_SIZE], bool *development)
{
	struct lzr_key_header header;
	size_t size;
	uint8_t *file = load(path, 4096, &size);
	bool good = file && size >= sizeof(header) && digest(file, size, hash);

	if (good)
		memcpy(&header, file, sizeof(header));
	free(file);
	*development = good && header.flags & LZR_KEY_DEVELOPMENT;
	return good;
}

/* Of a policy whose signature is good; it may name another key file all the same. */
static bool print_verified(const uint8_t hash[LZR_DIGEST_SIZE], const struct outline_subject *root, const char *key)
{
	const struct outline_line *version = outline_line(root, "version"), *named = outline_line(root, "signer");
	uint8_t signer[LZR_DIGEST_SIZE];
	bool development;

	if (!read_signer(key, signer, &development))
		return false;
	char *text = text_hex(signer, sizeof(signer));
	bool good = !named || !strcmp(named->value, text);
	free(text);
	if (!good)
		return !command_error(1, key, "the signature is good, but the policy names another signer's key file");
	print_hex("digest", hash, LZR_DIGEST_SIZE);
	printf("%-12s%s\n", "version", version ? version->value : "none");
	print_hex("signer", signer, sizeof(signer));
	printf("%-12s%s%s\n", "key file", key, development ? " (development key)" : "");
	return true;
}

int command_verify(const struct arguments *a)
{
	const char *key = a->values[OPTION_KEY];
	uint8_t hash[LZR_DIGEST_SIZE];
	struct outline outline = { 0 };
	size_t size, sig_size = 0;
	int status = EXIT_REFUSED;
	uint8_t *dtb = load(a->files[0], LZR_POLICY_MAX, &size);
	uint8_t *sig = dtb ? load(a->files[1], LZR_POLICY_SIGNATURE_SIZE, &sig_size) : NULL;

	if (!sig) {
		free(dtb);
		return EXIT_REFUSED;
	}
	if (sig_size != LZR_POLICY_SIGNATURE_SIZE) {
		command_error(0, a->files[1], "expected a signature of 96 bytes");
	} else if (!key_verify(key, dtb, size, sig)) {
		command_error(0, key_error(), NULL);
	} else if (!outline_dtb(&outline, dtb, size)) {
		command_error(0, a->files[0],
			"the signature is good, but over something that is not a compiled policy");
	} else if (digest(dtb, size, hash)) {
		status = print_verified(hash, &outline.subjects[0], key) ? 0 : EXIT_REFUSED;
	}
	outline_free(&outline);
	free(sig);
	free(dtb);
	return status;
}

int command_show(const struct arguments *a)
{
	struct outline outline = { 0 };
	size_t size;
	uint8_t *dtb = load(a->files[0], LZR_POLICY_MAX, &size);

	if (!dtb)
		return EXIT_REFUSED;
	bool good = outline_dtb(&outline, dtb, size);
	if (good)
		show_outline(stdout, &outline);
	else
		command_error(0, a->files[0], NOT_COMPILED);
	outline_free(&outline);
	free(dtb);
	return good ? 0 : EXIT_REFUSED;
}

/* A compiled policy begins with the magic number of a flattened device tree; a source is text. */
static bool is_compiled(const uint8_t *bytes, size_t size)
{
	static const uint8_t magic[4] = { 0xd0, 0x0d, 0xfe, 0xed };

	return size >= sizeof(magic) && !memcmp(bytes, magic, sizeof(magic));
}

/* What one side of a comparison of compiled policies is made of. */
struct compiled {
	uint8_t *dtb, *block;           /* block: the switch's configuration, or NULL */
	size_t dtb_size, block_size;
	struct outline outline;
	struct policy policy;           /* what the configuration says */
};

static bool compiled_read(struct compiled *c, const struct arguments *a, unsigned side)
{
	if (!outline_dtb(&c->outline, c->dtb, c->dtb_size)) {
		command_error(0, a->files[side], NOT_COMPILED);
		return false;
	}
	if (a->file_count != 4)
		return true;
	c->block = load(a->files[2 + side], SWITCH_FILE_MAX, &c->block_size);
	if (!c->block)
		return false;
	const char *wrong = switch_read(&c->policy, c->block, c->block_size, c->dtb);
	if (wrong) {
		fprintf(stderr, "lzr-policy: %s: expected the switch configuration of %s: %s\n", a->files[2 + side],
			a->files[side], wrong);
		return false;
	}
	outline_fabric(&c->outline, &c->policy);
	return true;
}

static bool has_networks(const struct compiled *c)
{
	struct dtb_names names = { 0 };

	dtb_names_read(&names, c->dtb, "/networks");
	free(names.text);
	return names.count != 0;
}

static int diff_compiled(const struct arguments *a, struct compiled sides[2])
{
	struct diff diff = { .out = stdout };
	int status = EXIT_USAGE;

	if (compiled_read(&sides[0], a, 0) && compiled_read(&sides[1], a, 1)) {
		diff_outlines(&diff, &sides[0].outline, &sides[1].outline);
		if (sides[0].block)
			diff_flows(&diff, &sides[0].policy, &sides[1].policy);
		status = diff_end(&diff);
		if (!sides[0].block && (has_networks(&sides[0]) || has_networks(&sides[1])))
			printf("not compared: rules, addresses, limits and quarantine, which compiled policies do not "
			       "have; give both switches' configurations too, or compare the sources\n");
	}
	for (unsigned i = 0; i < 2; i++) {
		outline_free(&sides[i].outline);
		policy_free(&sides[i].policy);
		free(sides[i].block);
	}
	return status;
}

static int diff_sources(const struct arguments *a)
{
	struct outline outlines[2] = { 0 };
	struct source_policy sources[2];
	struct diff diff = { .out = stdout };
	int status = EXIT_USAGE;
	struct arguments old = *a;
	if (a->values[OPTION_OLD_KEYS])
		old.values[OPTION_KEYS] = a->values[OPTION_OLD_KEYS];
	bool first = source_policy_read(&sources[0], a->files[0], &old);

	if (source_policy_read(&sources[1], a->files[1], a) && first) {
		for (unsigned i = 0; i < 2; i++)
			outline_source(&outlines[i], &sources[i].policy);
		diff_outlines(&diff, &outlines[0], &outlines[1]);
		diff_flows(&diff, &sources[0].policy, &sources[1].policy);
		status = diff_end(&diff);
	}
	for (unsigned i = 0; i < 2; i++) {
		outline_free(&outlines[i]);
		source_policy_end(&sources[i]);
	}
	return status;
}

int command_diff(const struct arguments *a)
{
	struct compiled sides[2] = { 0 };
	int status = EXIT_USAGE;

	if (a->file_count == 3)
		return command_error(EXIT_USAGE, "diff",
				     "expected both switches' configurations behind the policies, found one");
	for (unsigned i = 0; i < 2; i++)
		sides[i].dtb = load(a->files[i], 4u << 20, &sides[i].dtb_size);
	if (sides[0].dtb && sides[1].dtb) {
		bool compiled = is_compiled(sides[0].dtb, sides[0].dtb_size);
		if (compiled != is_compiled(sides[1].dtb, sides[1].dtb_size))
			command_error(0, a->files[1],
				      "expected two sources or two compiled policies, found one of each");
		else if (!compiled && a->file_count == 4)
			command_error(0, a->files[2],
				      "expected no switch's configuration: sources have the rules themselves");
		else
			status = compiled ? diff_compiled(a, sides) : diff_sources(a);
	}
	free(sides[0].dtb);
	free(sides[1].dtb);
	return status;
}

/* "tcp 443", "icmp"; false after saying what is wrong with it. */
static bool packet_read(struct explain_packet *packet, const char *const *words, unsigned count)
{
	static const struct {
		const char *name;
		enum protocol protocol;
	} protocols[] = { { "tcp", PROTOCOL_TCP }, { "udp", PROTOCOL_UDP }, { "icmp", PROTOCOL_ICMP } };
	unsigned i = 0;
	char *end = "";

	while (i < 3 && strcmp(protocols[i].name, words[0]))
		i++;
	if (i == 3) {
		command_error(0, "explain: expected tcp, udp or icmp, found another protocol", words[0]);
		return false;
	}
	packet->protocol = protocols[i].protocol;
	if ((packet->protocol == PROTOCOL_ICMP) != (count == 1)) {
		command_error(0, words[0], count == 1 ? "expected a port, and then the policy, behind it"
							 : "expected no port behind it");
		return false;
	}
	unsigned long port = count == 2 ? strtoul(words[1], &end, 10) : 0;
	if (*end || (count == 2 && (port < 1 || port > 65535 || words[1][0] < '0' || words[1][0] > '9'))) {
		command_error(0, "explain: expected a port of 1 to 65535, found something else", words[1]);
		return false;
	}
	packet->port = (uint16_t)port;
	return true;
}

int command_explain(const struct arguments *a)
{
	struct explain_packet packet = { .from = a->files[0], .to = a->files[1] };
	const char *path = a->values[OPTION_POLICY];
	unsigned count = a->file_count - 2;
	struct source_policy source;
	int status = EXIT_USAGE;

	if (!path && count)
		path = a->files[2 + --count];
	if (!path || count > 2)
		return command_error(EXIT_USAGE, "explain",
				     path ? "expected FROM TO PROTOCOL PORT and one policy, found more"
					  : "expected a policy: --policy SOURCE, or as the last argument");
	if (count && !packet_read(&packet, a->files + 2, count))
		return EXIT_USAGE;
	if (source_policy_read(&source, path, a))
		status = count ? explain_packet(stdout, &source.policy, &packet)
			       : explain_ways(stdout, &source.policy, packet.from, packet.to);
	source_policy_end(&source);
	return status;
}

int command_keygen(const struct arguments *a)
{
	return key_file_generate(a->values[OPTION_OUT], a->values[OPTION_DEVELOPMENT] != NULL)
		       ? 0
		       : command_error(EXIT_USAGE, key_error(), NULL);
}
