/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-verify's commands as an operator calls them: on states that are none or another's, about machines and VMs that
 * there are not, and with nowhere to write.  Nothing is made by mistake, and what is said helps.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <mbedtls/pk.h>

#include "serve_rig.h"
#include "../file.h"
#include "../reference.h"

#define WORDS_MAX 48u
#define DIGEST_1 "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001"

#undef main
int lzr_verify(int argc, char **argv);          /* its main() */

static char said[64 << 10];     /* both streams of the last command */
static uid_t as;                /* who runs it; 0: whoever we are */

static const char *path_of(const char *name)
{
	static char paths[64][128];
	static unsigned int turn;

	turn = (turn + 1) % 64;
	snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", rig->directory, name);
	return paths[turn];
}

static void put(const char *name, const char *text)
{
	struct fault f = { 0 };

	assert_true(file_write(path_of(name), (struct bytes){ (const uint8_t *)text, strlen(text) }, &f));
}

/* Runs it in a process of its own with standard output on `out`, NULL: where `said` is read from.  The exit status. */
static int run(char **argv, int argc, const char *out)
{
	char log[128];
	int status, n;
	pid_t child = fork();
	FILE *file;

	snprintf(log, sizeof(log), "%s/said", rig->directory);
	if (child == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666), other = out ? open(out, O_WRONLY) : fd;

		dup2(other, 1);
		dup2(fd, 2);
		store_close(&rig->store);
		if (as && setuid(as) != 0)
			_exit(99);
		exit(lzr_verify(argc, argv));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	file = fopen(log, "r");
	assert_non_null(file);
	n = (int)fread(said, 1, sizeof(said) - 1, file);
	said[n] = 0;
	fclose(file);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The words of a command, NULL at the end; its exit status. */
static int verify(const char *out, const char *first, va_list more)
{
	char *argv[WORDS_MAX] = { (char *)"lzr-verify", (char *)first };
	int argc = 2;

	while ((argv[argc] = va_arg(more, char *)))
		assert_true(++argc < (int)WORDS_MAX);
	return run(argv, argc, out);
}

static void expect(int status, const char *words, const char *first, ...)
{
	va_list more;
	int found;

	va_start(more, first);
	found = verify(NULL, first, more);
	va_end(more);
	if (found != status || !strstr(said, words))
		fail_msg("lzr-verify %s: expected status %d and \"%s\", found %d and: %s", first, status, words, found,
			 said);
}

static void unwritten(const char *first, ...)
{
	va_list more;
	int found;

	va_start(more, first);
	found = verify("/dev/full", first, more);
	va_end(more);
	if (found != 2 || !strstr(said, "lzr-verify: cannot write to standard output\n"))
		fail_msg("lzr-verify %s >/dev/full: found %d and: %s", first, found, said);
}

static int setup(void **state)
{
	mbedtls_pk_context pk;
	char pem[1024];

	as = 0;
	if (rig_setup(state) != 0)
		return -1;
	mbedtls_pk_init(&pk);
	assert_int_equal(mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(pk), random_mbedtls, NULL), 0);
	assert_int_equal(mbedtls_pk_write_key_pem(&pk, (unsigned char *)pem, sizeof(pem)), 0);
	mbedtls_pk_free(&pk);
	put("key.pem", pem);
	rig_refers(&rig->peer[0].x->reference, NULL);
	return 0;
}

/* Machine 0 has told of its VMs; its session is over. */
static void has_told(void)
{
	peer_proves(&rig->peer[0]);
	peer_takes_leases(&rig->peer[0]);
	peer_hangs_up(&rig->peer[0]);
	peer_ended_with(&rig->peer[0], FAULT_UNCHECKED);
}

/* Every command that looks into a state, on `path`. */
static void all_refuse(const char *path, const char *words)
{
	const char *key = path_of("key.pem"), *out = path_of("out");

	expect(2, words, "approve", "--state", path, "--ek", DIGEST_1, NULL);
	expect(2, words, "approvals", "--state", path, NULL);
	expect(2, words, "status", "--state", path, NULL);
	expect(2, words, "events", "--state", path, NULL);
	expect(2, words, "result", "--state", path, NULL);
	expect(2, words, "bundle", "--state", path, "--out", out, NULL);
	expect(2, words, "forget", "--state", path, "--machine", "0000", NULL);
	expect(2, words, "revoke", "--state", path, "--vm", "red", "--key", key, NULL);
	expect(2, words, "revoke", "--state", path, "--vm", "red", "--undo", NULL);
	expect(2, words, "send", "--state", path, "--file", key, NULL);
	expect(2, words, "serve", "--stdio", "--state", path, "--reference", rig->reference, "--key", key, NULL);
	assert_int_not_equal(access(out, F_OK), 0);
}

static void no_state_is_there(void **state)
{
	(void)state;
	all_refuse(path_of("nosuch"), "nosuch: expected a state (lzr-verify init --state FILE makes a new one), found "
				      "No such file or directory");
	assert_int_not_equal(access(path_of("nosuch"), F_OK), 0);
}

static void another_file_is_no_state(void **state)
{
	static const char text[] = "not a state at all\n";
	struct bytes after;
	struct fault f = { 0 };

	(void)state;
	put("text", text);
	all_refuse(path_of("text"), "expected a state (lzr-verify init --state FILE makes a new one), found ");
	expect(2, "it was not touched", "init", "--state", path_of("text"), NULL);
	assert_true(file_read(path_of("text"), 100, &after, &f));
	assert_int_equal(after.length, sizeof(text) - 1);
	assert_memory_equal(after.data, text, sizeof(text) - 1);
	file_free(&after);
	assert_int_equal(mkdir(path_of("folder"), 0700), 0);
	all_refuse(path_of("folder"), "found a folder");
	expect(2, "a folder", "init", "--state", path_of("folder"), NULL);
	assert_int_equal(rmdir(path_of("folder")), 0);
}

/* The key is readable, the state is not. */
static void another_users_state(void **state)
{
	(void)state;
	assert_int_equal(chmod(rig->directory, 0777), 0);
	assert_int_equal(chmod(path_of("key.pem"), 0644), 0);
	assert_int_equal(chmod(rig->reference, 0644), 0);
	put("said", "");
	assert_int_equal(chmod(path_of("said"), 0666), 0);
	if (geteuid() == 0)
		as = 65534;
	else
		assert_int_equal(chmod(rig->state, 0), 0);
	all_refuse(rig->state, "expected a state that can be read, found Permission denied: it belongs to user ");
	as = 0;
	assert_int_equal(chmod(rig->state, 0600), 0);
	expect(0, "machine ", "status", "--state", rig->state, NULL);
}

static void a_name_that_is_nearly_right(void **state)
{
	const char *key = path_of("key.pem");

	(void)state;
	has_told();
	expect(2, "--vm: expected a VM that evidence has named, found rad; did you mean red?", "revoke", "--state",
	       rig->state, "--key", key, "--vm", "rad", NULL);
	expect(2, "found bleu; did you mean blue?", "revoke", "--state", rig->state, "--vm", "bleu", "--undo", NULL);
	expect(2, "(lzr-verify status lists them), found something-else", "revoke", "--state", rig->state, "--key", key,
	       "--vm", "something-else", NULL);
	assert_int_equal(rig_outbox(0), 0);
	assert_false(rig_has_event("revocation"));
	expect(0, "vm=red good lease", "events", "--state", rig->state, NULL);
	assert_null(strstr(said, "vm=rad"));
	expect(2, "red: expected a revoked VM, found it is not revoked", "revoke", "--state", rig->state, "--vm", "red",
	       "--undo", NULL);
}

static void which_machine(void **state)
{
	const char *key = path_of("key.pem");
	struct store_machine *list;
	struct fault f = { 0 };
	size_t count;

	(void)state;
	has_told();
	rig_second();
	assert_true(store_list_machines(&rig->store, &list, &count, &f));
	assert_int_equal(count, 2);
	expect(2, "--machine: expected the machine's name: there is not just one, found ", "send", "--state",
	       rig->state, "--file", key, NULL);
	assert_non_null(strstr(said, list[0].shown));
	assert_non_null(strstr(said, list[1].shown));
	expect(2, "the first digits of a machine's name, found ffff; there are: ", "status", "--state", rig->state,
	       "--machine", "ffff", NULL);
	expect(2, "the first digits of a machine's name, found 00; there are: ", "forget", "--state", rig->state,
	       "--machine", "00", NULL);
	/* One that never told of a VM; the other did. */
	expect(2, "a VM that evidence has named", "revoke", "--state", rig->state, "--key", key, "--vm", "red",
	       "--machine", list[1].shown, NULL);
	expect(4, "has no session; it goes out when one has proved itself", "revoke", "--state", rig->state, "--key",
	       key, "--vm", "red", "--machine", list[0].shown, NULL);
	expect(2, "expected no revoked VM on a machine to forget", "forget", "--state", rig->state, "--machine",
	       list[0].shown, NULL);
	expect(0, "the revocation is taken back", "revoke", "--state", rig->state, "--vm", "red", "--undo", NULL);
	expect(0, "is forgotten", "forget", "--state", rig->state, "--machine", list[0].shown, NULL);
	expect(2, "found ", "status", "--state", rig->state, "--machine", list[0].shown, NULL);
	free(list);
}

static void approvals_that_say_what_is_wrong(void **state)
{
	const char *s = rig->state;

	(void)state;
	expect(2, "of --ek, --ek-cert, --pending, --any-of, --remove: expected 1, found 0", "approve", "--state", s,
	       NULL);
	expect(2, "expected 1, found 2", "approve", "--state", s, "--ek", DIGEST_1, "--pending", "1", NULL);
	expect(2, "--ek: expected 96 hexadecimal digits", "approve", "--state", s, "--ek", "12", NULL);
	expect(2, "--pending: expected the number of a TPM that waits (lzr-verify approvals), found 7", "approve",
	       "--state", s, "--pending", "7", NULL);
	expect(2, "--pending: expected a decimal number within its range, found one", "approve", "--state", s,
	       "--pending", "one", NULL);
	expect(2, "No such file or directory", "approve", "--state", s, "--ek-cert", path_of("nosuch"), NULL);
	expect(2, "expected certificates, PEM or DER, all readable", "approve", "--state", s, "--any-of",
	       path_of("key.pem"), NULL);
	expect(2, "", "approve", "--state", s, "--remove", "7", NULL);
	expect(0, "", "approvals", "--state", s, NULL);
	assert_null(strstr(said, "approval "));
}

static void approvals_are_kept(void **state)
{
	const char *s = rig->state;

	(void)state;
	expect(0, "approval 1: the TPM with endorsement key " DIGEST_1 " (by its digest)\n", "approve", "--state", s,
	       "--ek", DIGEST_1, NULL);
	expect(0, "approval 2: EVERY TPM whose EK certificate leads to CN=Held Root\n", "approve", "--state", s,
	       "--any-of", "attest/tests/vectors/ek-octet-string-root.pem", NULL);
	expect(0, "approval 1: one TPM, by its digest\n", "approvals", "--state", s, NULL);
	assert_non_null(strstr(said, "approval 2: EVERY TPM below CN=Held Root\n"));
	expect(0, "approval 1 is removed", "approve", "--state", s, "--remove", "1", NULL);
	expect(0, "approval 2", "approvals", "--state", s, NULL);
	assert_null(strstr(said, "approval 1:"));
}

static void states_are_made_and_looked_at(void **state)
{
	const char *fresh = path_of("fresh");
	struct fault f = { 0 };
	struct bytes text;

	(void)state;
	expect(0, "a new state, format ", "init", "--state", fresh, NULL);
	expect(2, "it was not touched", "init", "--state", fresh, NULL);
	expect(0, "no machine is enrolled\n", "status", "--state", fresh, NULL);
	expect(2, "", "bundle", "--state", fresh, "--out", path_of("out"), NULL);
	assert_int_not_equal(access(path_of("out"), F_OK), 0);
	has_told();
	expect(0, "machine ", "status", "--state", rig->state, NULL);
	assert_non_null(strstr(said, "    red "));
	put("out", "mine");
	expect(2, "expected a path where nothing is yet, found something is there", "bundle", "--state", rig->state,
	       "--out", path_of("out"), NULL);
	assert_true(file_read(path_of("out"), 100, &text, &f));
	assert_memory_equal(text.data, "mine", 4);
	file_free(&text);
	expect(0, "", "bundle", "--state", rig->state, "--out", path_of("bundle"), NULL);
}

/* Its last byte tells two apart. */
static void put_pe(const char *name, uint8_t last)
{
	uint8_t pe[FIXTURE_PE_SIZE];
	struct fault f = { 0 };

	fixture_pe(pe);
	pe[sizeof(pe) - 1] = last;
	assert_true(file_write(path_of(name), (struct bytes){ pe, sizeof(pe) }, &f));
}

static bool is_image(const struct reference *r, const char *name, const char *content)
{
	uint8_t digest[SHA384_SIZE];
	struct fault f = { 0 };

	sha384(digest, content, strlen(content));
	return reference_match_image(r, name, digest, &f);
}

/* An update: of two builds, one file is the same, the others are two values each, and either machine is good. */
static void reference_values_of_two_builds(void **state)
{
	static struct reference r;
	const char *out = path_of("values"), *list = path_of("list"), *signer = path_of("signer");
	const char *policy[] = { path_of("policy-1"), path_of("policy-2") };
	const char *pe[] = { path_of("pe-1"), path_of("pe-2") }, *hv[] = { path_of("hv-1"), path_of("hv-2") };
	char value[2][2 * SHA384_SIZE + 3];
	struct fault f = { 0 };

	(void)state;
	put_pe("pe-1", 1);
	put_pe("pe-2", 2);
	put("hv-1", "hypervisor 1");
	put("hv-2", "hypervisor 2");
	put("list", "list");
	put("signer", "signer");
	put("policy-1", "policy 1");
	put("policy-2", "policy 2");
	assert_int_equal(mkdir(path_of("new"), 0700), 0);
	put("red.manifest", "red 1");
	put("new/red.manifest", "red 2");
	put("blue.manifest", "blue");
	for (int i = 0; i < 2; i++)
		snprintf(value[i], sizeof(value[i]), "0 %096d", i + 1);
	expect(0, "", "reference", "--loader", pe[0], "--loader", pe[1], "--hypervisor", hv[0], "--hypervisor", hv[1],
	       "--boot-list", list, "--boot-list", list, "--signer", signer, "--policy", policy[0], "--policy",
	       policy[1], "--manifest", path_of("red.manifest"), "--manifest", path_of("new/red.manifest"),
	       "--manifest", path_of("blue.manifest"), "--pcr", value[0], "--pcr", value[1], "--out", out, NULL);
	assert_true(reference_load(out, &r, &f));
	assert_int_equal(r.pcr[0].count, 2);
	assert_true(!r.pcr[0].unchecked && r.pcr[1].unchecked && !r.pcr[4].unchecked);
	assert_int_equal(r.pcr[4].count, 2);
	assert_int_equal(r.pcr[7].count, 1);
	assert_int_equal(r.hypervisor.count, 2);
	assert_int_equal(r.boot_list.count, 1);         /* what both have in common is said once */
	assert_int_equal(r.signer.count, 1);
	assert_int_equal(r.policy.count, 2);
	assert_int_equal(r.image_count, 3);
	assert_true(is_image(&r, "red", "red 1") && is_image(&r, "red", "red 2") && is_image(&r, "blue", "blue"));
	assert_false(is_image(&r, "red", "blue") || is_image(&r, "blue", "red 1"));
	/* An option or a file that is missing, a PCR that is none: nothing is written. */
	unlink(out);
	expect(2, "--signer is missing", "reference", "--loader", pe[0], "--hypervisor", hv[0], "--boot-list", list,
	       "--policy", policy[0], "--manifest", path_of("blue.manifest"), "--out", out, NULL);
	expect(2, "--pcr: expected 'N VALUE' with N from 0 to 7, found 9 unchecked", "reference", "--loader", pe[0],
	       "--hypervisor", hv[0], "--boot-list", list, "--signer", signer, "--policy", policy[0], "--manifest",
	       path_of("blue.manifest"), "--pcr", "9 unchecked", "--out", out, NULL);
	expect(2, "nosuch: expected a readable file", "reference", "--loader", pe[0], "--hypervisor", hv[0],
	       "--hypervisor", path_of("nosuch"), "--boot-list", list, "--signer", signer, "--policy", policy[0],
	       "--manifest", path_of("blue.manifest"), "--out", out, NULL);
	assert_int_not_equal(access(out, F_OK), 0);
}

static void logs_that_are_none(void **state)
{
	(void)state;
	expect(2, "nosuch: expected a readable file, found No such file or directory", "log", "--file",
	       path_of("nosuch"), NULL);
	expect(2, "expected a file, found a folder", "log", "--file", rig->directory, NULL);
	expect(1, "expected a TCG crypto-agile log with a SHA-384 bank, found ", "log", "--file", path_of("key.pem"),
	       NULL);
}

/* Each command that prints, where nothing can be written. */
static void an_answer_that_is_not_written(void **state)
{
	const struct fixture *x = rig->peer[0].x;
	const char *key = path_of("key.pem"), *s = rig->state;
	struct store_report report = { 0 };
	char nonce[2 * NONCE_MAX + 1];
	struct fault f = { 0 };
	struct store_vm vm;

	(void)state;
	assert_true(file_write(path_of("log"), (struct bytes){ x->log, x->log_length }, &f));
	has_told();
	assert_true(store_load_report(&rig->store, 0, &report, &f));
	assert_true(file_write(path_of("bundle"), report.bundle, &f));
	hex_encode(nonce, report.nonce, report.nonce_length);
	store_free_report(&report);
	unwritten("--help", NULL);
	unwritten("init", "--state", path_of("fresh"), NULL);
	unwritten("status", "--state", s, NULL);
	unwritten("events", "--state", s, NULL);
	unwritten("result", "--state", s, NULL);
	unwritten("result", "--state", s, "--json", NULL);
	unwritten("bundle", "--state", s, "--out", path_of("again"), NULL);
	unwritten("approve", "--state", s, "--ek", DIGEST_1, NULL);
	unwritten("approvals", "--state", s, NULL);
	unwritten("approve", "--state", s, "--remove", "1", NULL);
	unwritten("check", "--state", s, "--bundle", path_of("bundle"), "--nonce", nonce, "--reference", rig->reference,
		  NULL);
	unwritten("check", "--state", s, "--bundle", path_of("bundle"), "--nonce", nonce, "--reference", rig->reference,
		  "--json", NULL);
	unwritten("log", "--file", path_of("log"), NULL);
	unwritten("revoke", "--state", s, "--vm", "red", "--key", key, NULL);
	/* It was done: what was not said is in the state. */
	vm = rig_vm(0, "red");
	assert_int_equal(vm.end, STORE_END_OPERATOR);
	unwritten("revoke", "--state", s, "--vm", "red", "--undo", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_state_is_there), TEST(another_file_is_no_state), TEST(another_users_state),
		TEST(a_name_that_is_nearly_right), TEST(which_machine), TEST(approvals_that_say_what_is_wrong),
		TEST(approvals_are_kept), TEST(states_are_made_and_looked_at), TEST(logs_that_are_none),
		TEST(reference_values_of_two_builds),
		TEST(an_answer_that_is_not_written),
	};

	signal(SIGPIPE, SIG_IGN);
	alarm(600);
	return cmocka_run_group_tests_name("attest-command", tests, NULL, NULL);
}
