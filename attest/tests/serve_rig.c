/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "serve_rig.h"
#include "../file.h"
#include "../revoke.h"
#include "../session.h"

struct rig *rig;

static void enrol(int n)
{
	struct fault f = { 0 };

	assert_true(store_begin(&rig->store, &f));
	assert_true(store_end(&rig->store, store_add_machine(&rig->store, &rig->peer[n].x->ak, 0, &rig->machine[n], &f),
			      &f));
}

int rig_setup(void **state)
{
	struct fault f = { 0 };

	(void)state;
	rig = calloc(1, sizeof(*rig));
	rig->lease_ns = 30000000000u;
	rig->peer[0] = (struct peer){ .x = fixture_new(1), .fd = -1 };
	rig->peer[1] = (struct peer){ .fd = -1 };
	snprintf(rig->directory, sizeof(rig->directory), "/tmp/lzr-serve-XXXXXX");
	if (!mkdtemp(rig->directory))
		return -1;
	snprintf(rig->state, sizeof(rig->state), "%s/state", rig->directory);
	snprintf(rig->reference, sizeof(rig->reference), "%s/reference", rig->directory);
	key_init(&rig->key);
	if (!key_generate(&rig->key, &f) || !store_init(rig->state, &f) || !store_open(&rig->store, rig->state, &f))
		return -1;
	enrol(0);
	return 0;
}

void rig_second(void)
{
	rig->peer[1].x = fixture_new(2);
	enrol(1);
}

struct peer rig_again(const struct peer *p)
{
	struct peer again = *p;

	again.fd = -1;
	again.verifier = 0;
	return again;
}

static void end_peer(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->verifier > 0) {
		kill(p->verifier, SIGKILL);
		waitpid(p->verifier, NULL, 0);
	}
	if (p->x)
		fixture_free(p->x);
}

int rig_teardown(void **state)
{
	char command[96];

	(void)state;
	store_close(&rig->store);
	end_peer(&rig->peer[0]);
	end_peer(&rig->peer[1]);
	snprintf(command, sizeof(command), "rm -r %s", rig->directory);
	assert_int_equal(system(command), 0);
	key_free(&rig->key);
	free(rig);
	return 0;
}

/* --- sessions ------------------------------------------------------------------------------------------------- */

static void be_verifier(struct peer *p, int fd)
{
	static struct store store;
	struct serve_options o = { .lease_ns = rig->lease_ns,
				   .patience_seconds = rig->patience_seconds,
				   .grace_seconds = 1,
				   .reference_path = rig->watch ? rig->reference : NULL,
				   .reference = &p->x->reference,
				   .key = &rig->key,
				   .store = &store };
	struct fault f = { 0 };

	if (store_open(&store, rig->state, &f))
		serve_session(&o, fd, fd, &f);
	if (f.code != FAULT_UNCHECKED)
		fprintf(stderr, "verifier: %s: expected %s, found %s\n", f.component, f.expected, f.found);
	store_close(&store);
	_exit((int)f.code);
}

void peer_dials(struct peer *p)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	if (rig->send_buffer)
		assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &rig->send_buffer, sizeof(int)), 0);
	p->verifier = fork();
	if (p->verifier == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (int i = 0; i < 2; i++)     /* a connection ends when its own process does */
			if (rig->peer[i].fd >= 0)
				close(rig->peer[i].fd);
		close(ends[0]);
		be_verifier(p, ends[1]);
	}
	close(ends[1]);
	p->fd = ends[0];
}

void peer_hangs_up(struct peer *p)
{
	close(p->fd);
	p->fd = -1;
}

void peer_ended_with(struct peer *p, enum fault_code code)
{
	int status;

	assert_int_equal(waitpid(p->verifier, &status, 0), p->verifier);
	p->verifier = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	if (p->fd >= 0)
		peer_hangs_up(p);
}

void peer_verifier_dies(struct peer *p)
{
	kill(p->verifier, SIGKILL);
	assert_int_equal(waitpid(p->verifier, NULL, 0), p->verifier);
	p->verifier = 0;
	peer_hangs_up(p);
}

void peer_says(struct peer *p, uint16_t type, struct bytes payload)
{
	uint8_t header[sizeof(struct session_header)];

	session_put_header(header, type, payload.length);
	assert_int_equal(send(p->fd, header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
	if (payload.length)
		assert_int_equal(send(p->fd, payload.data, payload.length, MSG_NOSIGNAL), payload.length);
}

uint16_t peer_hears(struct peer *p, uint8_t *payload, size_t size, size_t *length)
{
	struct session_header h;

	assert_int_equal(recv(p->fd, &h, sizeof(h), MSG_WAITALL), sizeof(h));
	assert_true(h.length <= size);
	if (h.length)
		assert_int_equal(recv(p->fd, payload, h.length, MSG_WAITALL), h.length);
	*length = h.length;
	return h.type;
}

bool peer_hears_nothing(struct peer *p, int ms)
{
	struct pollfd fd = { .fd = p->fd, .events = POLLIN };

	return poll(&fd, 1, ms) == 0;
}

void peer_takes_challenge(struct peer *p)
{
	const size_t max[] = { NONCE_MAX };
	uint8_t payload[256];
	struct fault f = { 0 };
	struct bytes nonce;
	size_t n;

	assert_int_equal(peer_hears(p, payload, sizeof(payload), &n), SESSION_CHALLENGE);
	assert_true(session_get_strings((struct bytes){ payload, n }, &nonce, max, 1, &f));
	assert_int_equal(nonce.length, sizeof(p->x->nonce));
	memcpy(p->x->nonce, nonce.data, nonce.length);
}

void peer_hello(struct peer *p)
{
	struct bytes name = { p->x->ak.name, p->x->ak.name_length };
	uint8_t payload[256];

	peer_says(p, SESSION_HELLO, (struct bytes){ payload, session_put_strings(payload, sizeof(payload), &name, 1) });
	peer_takes_challenge(p);
}

static void make_evidence(struct peer *p)
{
	p->x->clock++;
	fixture_rebuild(p->x);
	for (uint32_t vm = 0; vm < VM_SWITCH; vm++) {
		struct evidence_port *port = &p->x->claim[vm].port;

		if (p->port_nonce)
			memset(port->nonce, p->port_nonce + (int)vm, sizeof(port->nonce));
		if (p->port_state[vm])
			port->state = p->port_state[vm];
	}
	fixture_sign_claims(p->x);
	fixture_pack(p->x);
}

void peer_shows(struct peer *p)
{
	make_evidence(p);
	peer_says(p, SESSION_EVIDENCE, (struct bytes){ p->x->bundle, p->x->bundle_length });
}

void peer_proves(struct peer *p)
{
	peer_dials(p);
	peer_hello(p);
	peer_shows(p);
}

void peer_renews(struct peer *p)
{
	peer_says(p, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_takes_challenge(p);
	peer_shows(p);
}

void peer_renews_late(struct peer *p)
{
	const size_t head = sizeof(struct session_header);
	uint8_t *both;

	peer_says(p, SESSION_RENEW, (struct bytes){ NULL, 0 });
	peer_takes_challenge(p);
	make_evidence(p);
	both = malloc(2 * head + p->x->bundle_length);
	assert_non_null(both);
	session_put_header(both, SESSION_EVIDENCE, p->x->bundle_length);
	memcpy(both + head, p->x->bundle, p->x->bundle_length);
	session_put_header(both + head + p->x->bundle_length, SESSION_RENEW, 0);
	assert_int_equal(send(p->fd, both, 2 * head + p->x->bundle_length, MSG_NOSIGNAL),
			 2 * head + p->x->bundle_length);
	free(both);
}

struct lzr_result peer_gets_result(struct peer *p)
{
	const size_t max[] = { 4, LZR_RESULT_SIZE };
	struct fault f = { 0 };
	struct lzr_result r;
	struct bytes part[2];
	uint8_t payload[1024];
	size_t n;

	assert_int_equal(peer_hears(p, payload, sizeof(payload), &n), SESSION_RESULT);
	assert_true(session_get_strings((struct bytes){ payload, n }, part, max, 2, &f));
	assert_int_equal(part[1].length, LZR_RESULT_SIZE);
	memcpy(&r, part[1].data + LZR_RESULT_HEAD_SIZE, sizeof(r));
	return r;
}

void peer_answers(struct peer *p, const struct lzr_result *r, uint32_t status, uint32_t port_state)
{
	const uint64_t numbers[5] = { r->serial, r->vm, status, port_state, 0 };
	uint8_t payload[128];

	peer_says(p, SESSION_STATUS,
		  (struct bytes){ payload, session_put_numbers(payload, sizeof(payload), numbers, 5) });
}

void peer_takes_leases(struct peer *p)
{
	for (uint32_t vm = VM_RED; vm <= VM_BLUE; vm++) {
		const struct lzr_result r = peer_gets_result(p);

		assert_int_equal(r.type, LZR_RESULT_LEASE);
		assert_int_equal(r.vm, vm);
		peer_answers(p, &r, LZR_CTL_OK, LZR_PORT_ADMITTED);
	}
}

/* --- what operators see and do -------------------------------------------------------------------------------- */

struct wanted {
	const char *machine, *text;
	bool found;
};

static void look(void *context, int64_t at_ms, const char *machine, const char *text)
{
	struct wanted *w = context;

	(void)at_ms;
	w->found = w->found || ((!w->machine || strcmp(machine, w->machine) == 0) && strstr(text, w->text));
}

static bool has_event(int n, const char *text)
{
	struct wanted w = { .text = text };
	struct fault f = { 0 };
	char shown[13];
	int64_t last;

	if (n >= 0) {
		store_show_machine((struct bytes){ rig->peer[n].x->ak.name, rig->peer[n].x->ak.name_length }, shown);
		w.machine = shown;
	}
	assert_true(store_each_event(&rig->store, 0, look, &w, &last, &f));
	return w.found;
}

bool rig_has_event(const char *text)
{
	return has_event(-1, text);
}

void rig_waits_for_event(int n, const char *text)
{
	while (!has_event(n, text))     /* the group's alarm ends a wait for what never comes */
		usleep(20000);
}

struct store_vm rig_vm(int n, const char *name)
{
	struct fault f = { 0 };
	struct store_vm vm;

	assert_true(store_find_vm(&rig->store, rig->machine[n], name, &vm, &f));
	return vm;
}

void rig_revokes(int n, const char *name)
{
	struct fault f = { 0 };
	struct store_vm vm;

	assert_true(store_begin(&rig->store, &f));
	vm = rig_vm(n, name);
	assert_true(store_end(&rig->store, revoke_vm(&rig->store, &rig->key, &vm, STORE_END_OPERATOR, "test", &f), &f));
}

void rig_posts(int n, uint64_t serial)
{
	uint8_t result[LZR_RESULT_SIZE] = { 0 };
	struct lzr_result r = { .serial = serial, .vm = 9 };
	struct fault f = { 0 };
	int64_t id;

	memcpy(result + LZR_RESULT_HEAD_SIZE, &r, sizeof(r));
	assert_true(store_post(&rig->store, rig->machine[n], 77, result, &id, &f));
}

unsigned int rig_outbox(int n)
{
	sqlite3_stmt *q;
	unsigned int count;

	assert_int_equal(sqlite3_prepare_v2(rig->store.db,
					    "SELECT count(*) FROM outbox WHERE machine = ? AND answered_ms IS NULL", -1,
					    &q, NULL),
			 SQLITE_OK);
	sqlite3_bind_int64(q, 1, rig->machine[n]);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	count = (unsigned int)sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	return count;
}

static void put_set(FILE *out, const char *words, const struct reference_set *set)
{
	char hex[2 * SHA384_SIZE + 1];

	hex_encode(hex, set->value[0], SHA384_SIZE);
	fprintf(out, "%s %s\n", words, hex);
}

void rig_refers(const struct reference *r, const char *without)
{
	char *text = NULL, hex[2 * SHA384_SIZE + 1], words[16];
	struct fault f = { 0 };
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	fprintf(out, "lazaret-reference 1\n");
	for (unsigned int i = 0; i < REFERENCE_PCRS; i++) {
		snprintf(words, sizeof(words), "pcr %u", i);
		put_set(out, words, &r->pcr[i]);
	}
	put_set(out, "hypervisor", &r->hypervisor);
	put_set(out, "signer", &r->signer);
	put_set(out, "boot-list", &r->boot_list);
	put_set(out, "policy", &r->policy);
	for (size_t i = 0; i < r->image_count; i++) {
		if (without && strcmp(r->image[i].name, without) == 0)
			continue;
		hex_encode(hex, r->image[i].digest, SHA384_SIZE);
		fprintf(out, "image %s %s\n", r->image[i].name, hex);
	}
	assert_int_equal(fclose(out), 0);
	assert_true(file_write(rig->reference, (struct bytes){ (const uint8_t *)text, length }, &f));
	free(text);
}
