/* SPDX-License-Identifier: Apache-2.0 */
/* A whole session of attestor and verifier, with a real (software) TPM and sockets between them. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <poll.h>

#include <cmocka.h>

#include "swtpm_world.h"
#include "../dial.h"
#include "../ekid.h"
#include "../ports.h"
#include "../revoke.h"
#include "../serve.h"

static int listen_loopback(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

static pid_t start_verifier(int listening, const struct dial *d, const char *state, const char *roots)
{
	pid_t pid = fork();

	if (pid == 0) {
		static struct store store;
		const struct serve_options o = { .roots = roots,
						 .lease_ns = 30000000000u,
						 .reference = &fake_machine->reference,
						 .key = &world->verifier,
						 .store = &store };
		struct fault f = { 0 };
		int fd;

		if (d->fd >= 0)
			close(d->fd);
		fd = accept(listening, NULL, NULL);

		_exit(store_open(&store, state, &f) && serve_session(&o, fd, fd, &f) ? 0 : 1);
	}
	return pid;
}

/* The attestor's loop with a clock of its own: a second passes in four steps. */
static void pump(struct dial *d, struct ports *p, uint64_t *now, int seconds, bool (*done)(void))
{
	for (int i = 0; i < 4 * seconds && !done(); i++) {
		*now += DIAL_SECOND_MS / 4;
		dial_tick(d, *now);
		ports_refresh(p);
		struct pollfd fd = { .fd = d->fd, .events = dial_events(d, *now) };

		if (fd.events && poll(&fd, 1, 100) == 1)
			dial_ready(d, &world->agent, *now);
	}
}

static bool admitted(void)
{
	return fake_port[VM_RED].state == LZR_PORT_ADMITTED && fake_port[VM_BLUE].state == LZR_PORT_ADMITTED;
}

static bool red_blocked(void) { return fake_port[VM_RED].state == LZR_PORT_BLOCKED; }
static bool never(void) { return false; }

static const struct dial *dialled;
static bool hung_up(void) { return dialled->since_ms && dialled->fd < 0; }

/* Dials that verifier until it has hung up; the session was refused. */
static void refused_session(struct dial *d, struct ports *p, uint64_t *now, int listening, const char *state,
			    const char *roots)
{
	const pid_t pid = start_verifier(listening, d, state, roots);
	int status;

	dialled = d;
	d->since_ms = 0;
	*now += 100000;
	pump(d, p, now, 100, hung_up);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(status, 0);
	assert_int_equal(fake_port[VM_RED].state, LZR_PORT_QUARANTINED);
}

/* A TPM of a trusted maker is not let in for that: it waits, once, until an operator has said so. */
static void wait_for_approval(struct dial *d, struct ports *p, uint64_t *now, int listening, struct store *store)
{
	struct store_machine *machines;
	struct store_pending *pending;
	uint8_t ek[SHA384_SIZE];
	char path[128], subject[EKID_SUBJECT_MAX];
	struct fault f = { 0 };
	size_t count;
	int64_t id;

	for (int i = 0; i < 2; i++)
		refused_session(d, p, now, listening, store->path, world->swtpm.roots);
	assert_true(store_list_machines(store, &machines, &count, &f));
	assert_int_equal(count, 0);
	free(machines);
	assert_true(store_list_pending(store, &pending, &count, &f));
	assert_int_equal(count, 1);
	assert_int_equal(pending[0].tries, 2);
	snprintf(path, sizeof(path), "%s/ek-secp384r1.crt", world->swtpm.directory);
	assert_true(ekid_of_file(path, ek, subject, &f));
	assert_memory_equal(pending[0].ek, ek, SHA384_SIZE);
	free(pending);
	assert_true(store_approve(store, STORE_APPROVE_EK, ek, subject, (struct bytes){ NULL, 0 }, &id, &f));
	assert_true(store_list_pending(store, &pending, &count, &f));
	assert_int_equal(count, 0);
	free(pending);
}

static void revoke_red(struct store *store)
{
	struct store_machine *machines;
	struct fault f = { 0 };
	struct store_vm vm;
	size_t count;

	assert_true(store_list_machines(store, &machines, &count, &f));
	assert_int_equal(count, 1);
	assert_memory_equal(machines[0].ak.name, world->agent.tpm.ak_name, machines[0].ak.name_length);
	assert_true(store_begin(store, &f));
	assert_true(store_find_vm(store, machines[0].id, "red", &vm, &f));
	assert_int_equal(vm.lease.vm, VM_RED);
	assert_true(store_end(store, revoke_vm(store, &world->verifier, &vm, STORE_END_OPERATOR, "test", &f), &f));
	free(machines);
}

/* From the first call to admission, with approval and enrolment on the way; then a revocation. */
static void whole_session(void **state)
{
	struct ports p = { .agent = &world->agent };
	char path[128], endpoint[32];
	struct fault f = { 0 };
	struct store store;
	struct dial d;
	uint64_t now = DIAL_SECOND_MS;
	uint16_t port;
	int listening = listen_loopback(&port), status;
	pid_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s/state", world->swtpm.directory);
	assert_true(store_init(path, &f) && store_open(&store, path, &f));
	snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
	assert_true(dial_init(&d, endpoint, &f));
	d.owner = &p;
	d.before_evidence = ports_draw_nonces;
	d.deliver = ports_deliver;
	fake_switch_start();

	/* A verifier that does not enrol refuses an AK that it does not know. */
	refused_session(&d, &p, &now, listening, path, NULL);
	wait_for_approval(&d, &p, &now, listening, &store);

	pid = start_verifier(listening, &d, path, world->swtpm.roots);
	now += 100000;
	pump(&d, &p, &now, 100, admitted);
	assert_true(admitted());
	d.renew_second = UINT64_MAX;    /* no other evidence comes in between */
	pump(&d, &p, &now, 6, never);
	assert_int_equal(fake_port[VM_VISITOR].state, LZR_PORT_QUARANTINED);
	assert_int_equal(fake_port[3].state, LZR_PORT_INFRASTRUCTURE);

	revoke_red(&store);
	pump(&d, &p, &now, 50, red_blocked);
	assert_true(red_blocked());
	assert_int_equal(fake_port[VM_BLUE].state, LZR_PORT_ADMITTED);
	dial_free(&d);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	store_close(&store);
	close(listening);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_session),
	};

	alarm(600);
	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
