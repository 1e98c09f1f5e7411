/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands about sessions and results. */
#include "command.h"
#include "file.h"
#include "question.h"
#include "report.h"
#include "result.h"
#include "serve.h"
#include "store.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_SECONDS_DEFAULT 30u
#define LEASE_SECONDS_MAX 86400u

static bool parse_number(const char *text, uint64_t max, uint64_t *out, const char *what, struct fault *f)
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
	struct store store;
	struct key key;
	struct fault f = { 0 };
	struct reference *reference = calloc(1, sizeof(*reference));
	uint64_t seconds = LEASE_SECONDS_DEFAULT;
	bool ok;

	if (!reference ||
	    !command_parse(argc, argv, "stdio! state! reference! key! ek-roots lease allow-development-key", &o)) {
		free(reference);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	key_init(&key);
	ok = (!o.lease_seconds || parse_number(o.lease_seconds, LEASE_SECONDS_MAX, &seconds, "--lease", &f)) &&
	     store_open(&store, o.state, &f) && reference_load(o.reference, reference, &f) &&
	     key_load(&key, o.key, &f) &&
	     (key.secret || fault_set(&f, FAULT_INPUT, o.key, "a private key", "a public one"));
	if (ok) {
		so = (struct serve_options){
			.roots = o.roots,
			.allow_development_key = o.allow_development_key,
			.lease_ns = seconds * 1000000000u,
			.reference = reference,
			.key = &key,
			.store = &store,
		};
		ok = serve_session(&so, STDIN_FILENO, STDOUT_FILENO, &f);
	}
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

static int check(const struct options *o, struct reference *reference, struct verify_report *report, struct fault *f)
{
	struct verify_request request = { .allow_development_key = o->allow_development_key };
	struct question question;
	struct fault unknown = { 0 };
	uint8_t nonce[NONCE_MAX];
	struct ak_record ak;
	struct bytes bundle;
	struct store store;

	if (!question_read(o, &question, &request, f) || !parse_nonce(o->nonce, nonce, &request.nonce.length, f) ||
	    !store_open(&store, o->state, f) || !reference_load(o->reference, reference, f) ||
	    !file_read(o->bundle, EVIDENCE_BUNDLE_MAX, &bundle, f))
		return command_fail(f);
	request.nonce.data = nonce;
	request.bundle = bundle;
	request.reference = reference;
	if (store_load_ak(&store, verify_ak_name(bundle), &ak, &unknown))
		request.ak = &ak;
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
	char path[STORE_PATH_MAX];
	struct fault f = { 0 };
	struct bytes text;
	struct options o;

	if (!command_parse(argc, argv, "state! json", &o))
		return 2;
	snprintf(path, sizeof(path), "%s/report.%s", o.state, o.json ? "json" : "txt");
	if (!file_read(path, 1 << 20, &text, &f))
		return command_fail(&f);
	fwrite(text.data, 1, text.length, stdout);
	file_free(&text);
	return 0;
}

static bool revoke_lease(const struct options *o, struct fault *f)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result lease, revocation;
	struct store store;
	uint64_t serial;
	struct key key;
	bool ok;

	if (!store_open(&store, o->state, f) || !store_set_revoked(&store, o->vm, !o->undo, f))
		return false;
	if (o->undo)
		return true;
	key_init(&key);
	ok = key_load(&key, o->key, f) && store_load_lease(&store, o->vm, &lease, f) &&
	     store_next_serial(&store, &serial, f);
	if (ok) {
		result_revocation(&lease, serial, &revocation);
		ok = result_sign(&key, &revocation, message, f) &&
		     store_post(&store, serial, LZR_PORT_OF_VM, message, f);
	}
	key_free(&key);
	if (ok)
		store_event(&store, "vm=%s revocation serial=%" PRIu64, o->vm, serial);
	return ok;
}

int command_revoke(int argc, char **argv)
{
	struct fault f = { 0 };
	struct options o;

	if (!command_parse(argc, argv, "state! key! vm! undo", &o))
		return 2;
	return revoke_lease(&o, &f) ? 0 : command_fail(&f);
}

int command_send(int argc, char **argv)
{
	uint64_t port = LZR_PORT_OF_VM, serial;
	struct fault f = { 0 };
	struct bytes content;
	struct store store;
	struct options o;

	if (!command_parse(argc, argv, "state! file! port", &o))
		return 2;
	if ((o.port && !parse_number(o.port, UINT32_MAX, &port, "--port", &f)) || !store_open(&store, o.state, &f) ||
	    !file_read(o.file, LZR_RESULT_SIZE, &content, &f))
		return command_fail(&f);
	if (content.length != LZR_RESULT_SIZE)
		fault_set_number(&f, FAULT_INPUT, o.file, LZR_RESULT_SIZE, content.length);
	else if (store_next_serial(&store, &serial, &f))
		store_post(&store, serial, (uint32_t)port, content.data, &f);
	file_free(&content);
	return f.code == FAULT_UNCHECKED ? 0 : command_fail(&f);
}
