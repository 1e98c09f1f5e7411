/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands about sessions and results. */
#include "appraisal.h"
#include "command.h"
#include "command_pick.h"
#include "file.h"
#include "keyfile.h"
#include "question.h"
#include "report.h"
#include "serve.h"
#include "store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_SECONDS_DEFAULT 30u
#define LEASE_SECONDS_MAX 86400u

bool command_number(const char *text, uint64_t max, uint64_t *out, const char *what, struct fault *f)
{
	char *end;

	*out = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || *out > max)
		return fault_set_text(f, FAULT_USAGE, what, "a decimal number within its range", "%s", text);
	return true;
}

int command_serve(int argc, char **argv)
{
	struct serve_options so = { 0 };
	struct options o;
	struct store store = { .lock_fd = -1 };
	struct key key;
	struct fault f = { 0 };
	struct reference *reference = calloc(1, sizeof(*reference));
	uint64_t seconds = LEASE_SECONDS_DEFAULT;
	bool ok;

	if (!reference ||
	    !command_parse(argc, argv, "stdio! state! reference! key! passphrase-file ek-roots lease "
			   "allow-development-key", &o)) {
		free(reference);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	key_init(&key);
	ok = (!o.lease_seconds || command_number(o.lease_seconds, LEASE_SECONDS_MAX, &seconds, "--lease", &f)) &&
	     store_open(&store, o.state, &f) && store_writable(&store, &f) &&
	     reference_load(o.reference, reference, &f) &&
	     keyfile_load(&key, o.key, o.passphrase_file, &f);
	if (ok) {
		so = (struct serve_options){
			.roots = o.roots,
			.allow_development_key = o.allow_development_key,
			.lease_ns = seconds * 1000000000u,
			.reference = reference,
			.reference_path = o.reference,
			.key = &key,
			.store = &store,
		};
		ok = serve_session(&so, STDIN_FILENO, STDOUT_FILENO, &f);
	}
	store_close(&store);
	key_free(&key);
	free(reference);
	return ok ? 0 : command_fail(&f);
}

/* The nonce as given: 32 to 64 bytes of hexadecimal. */
static bool parse_nonce(const char *text, uint8_t nonce[NONCE_MAX], size_t *length, struct fault *f)
{
	*length = strlen(text) / 2;
	if (*length < NONCE_MIN || *length > NONCE_MAX || !hex_decode(nonce, *length, text))
		return fault_set(f, FAULT_USAGE, "--nonce", "32 to 64 bytes in hexadecimal", text);
	return true;
}

/*
 * The enrolled key that the bundle names; `known` false: none.  Its clock is set back: the nonce says which bundle this
 * is, and one that was kept is older than the newest.
 */
static bool find_ak(const char *state, struct bytes bundle, struct ak_record *ak, bool *known, struct fault *f)
{
	struct store store = { .lock_fd = -1 };
	struct fault unknown = { 0 };

	*known = store_open(&store, state, &unknown) && store_load_ak(&store, verify_ak_name(bundle), ak, &unknown);
	store_close(&store);
	ak->clock_ms = 0;
	ak->reset_count = ak->restart_count = 0;
	if (*known || unknown.code == FAULT_AK_UNKNOWN)
		return true;
	*f = unknown;
	return false;
}

static int check(const struct options *o, struct reference *reference, struct verify_report *report, struct fault *f)
{
	struct verify_request request = { .allow_development_key = o->allow_development_key };
	struct question question;
	uint8_t nonce[NONCE_MAX];
	struct ak_record ak;
	struct bytes bundle;
	bool known;

	if (!question_read(o, &question, &request, f) || !parse_nonce(o->nonce, nonce, &request.nonce.length, f) ||
	    !reference_load(o->reference, reference, f) || !file_read(o->bundle, EVIDENCE_BUNDLE_MAX, &bundle, f))
		return command_fail(f);
	if (!find_ak(o->state, bundle, &ak, &known, f)) {
		file_free(&bundle);
		return command_fail(f);
	}
	request.nonce.data = nonce;
	request.bundle = bundle;
	request.reference = reference;
	request.ak = known ? &ak : NULL;
	verify_bundle(&request, report);
	(o->json ? report_print_json : report_print)(stdout, report, reference);
	question_print(o->json ? stderr : stdout, &question, report);
	file_free(&bundle);
	return question_is_proved(&question, report) ? 0 : 1;
}

int command_check(int argc, char **argv)
{
	struct verify_report *report = calloc(1, sizeof(*report));
	struct reference *reference = calloc(1, sizeof(*reference));
	struct fault f = { 0 };
	struct options o;
	int status = 2;

	if (report && reference &&
	    command_parse(argc, argv, "bundle! nonce! reference! state! release vm vm-key allow-development-key json",
			  &o))
		status = check(&o, reference, report, &f);
	free(reference);
	free(report);
	return status;
}

int command_result(int argc, char **argv)
{
	struct store store = { .lock_fd = -1 };
	struct store_machine machine = { .id = 0 };
	struct store_report r = { 0 };
	struct fault f = { 0 };
	struct options o;
	bool ok, good = false;

	if (!command_parse(argc, argv, "state! machine json", &o))
		return 2;
	ok = store_open(&store, o.state, &f) && (!o.machine || pick_machine(&store, o.machine, &machine, &f)) &&
	     store_load_report(&store, machine.id, &r, &f) &&
	     appraisal_print(stdout, &store, &r, o.json, &good, &f);
	store_free_report(&r);
	store_close(&store);
	return !ok ? command_fail(&f) : good ? 0 : 1;
}
