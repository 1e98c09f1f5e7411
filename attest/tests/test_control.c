/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: only the answer to the question asked counts, and silence ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../control.h"

struct world {
	struct control control;
	int far_end;
};

static void put(struct world *w, uint32_t op, uint32_t seq, uint32_t port, size_t length)
{
	uint8_t frame[14 + sizeof(struct lzr_msg) + 256] = { 0 };
	struct lzr_msg m = w->control.link.address;
	const struct lzr_control_message answer = { .op = op, .seq = seq, .port = port, .state = LZR_PORT_ADMITTED };

	m.type = LZR_MSG_DATA;
	m.length = (uint32_t)length;
	memcpy(frame + 14, &m, sizeof(m));
	memcpy(frame + 14 + sizeof(m), &answer, sizeof(answer));
	assert_true(send(w->far_end, frame, 14 + sizeof(m) + length, 0) > 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ends[2];

	if (!w || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0)
		return -1;
	w->control.link = (struct link){ .fd = ends[0], .up = true, .peer.flags = LZR_PEER_SERVICE };
	w->control.link.address = (struct lzr_msg){ .magic = LZR_MSG_MAGIC, .link = 5, .instance = 1, .generation = 1 };
	w->far_end = ends[1];
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	close(w->control.link.fd);
	close(w->far_end);
	free(w);
	return 0;
}

/* Answers that wait already are dropped; so the child answers after the question came. */
static void answer_later(struct world *w, bool right)
{
	if (fork() == 0) {
		const size_t whole = sizeof(struct lzr_control_message);
		uint8_t frame[1024];
		int tries = 0;

		while (recv(w->far_end, frame, sizeof(frame), 0) <= 0 && tries++ < 500)
			usleep(10000);
		put(w, LZR_CONTROL_STATE, 7, 3, whole);         /* another question's number */
		put(w, LZR_CONTROL_NONCE, 1, 3, whole);         /* another operation */
		put(w, LZR_CONTROL_STATE, 1, 2, whole);         /* another port */
		put(w, LZR_CONTROL_STATE, 1, 3, whole - 1);     /* too short */
		put(w, LZR_CONTROL_STATE, 1, 3, whole + 1);     /* too long */
		if (right)
			put(w, LZR_CONTROL_STATE, 1, 3, whole);
		_exit(0);
	}
}

static void right_answer_among_others(void **state)
{
	struct lzr_control_message answer;

	answer_later(*state, true);
	assert_true(control_ask(&((struct world *)*state)->control, LZR_CONTROL_STATE, 3, NULL, &answer));
	assert_int_equal(answer.state, LZR_PORT_ADMITTED);
}

static void no_answer(void **state)
{
	struct lzr_control_message answer;

	answer_later(*state, false);
	assert_false(control_ask(&((struct world *)*state)->control, LZR_CONTROL_STATE, 3, NULL, &answer));
}

/* What it says, and never stops saying, is no answer: the question ends in its time. */
static void babbling_switch(void **state)
{
	struct world *w = *state;
	struct lzr_control_message answer;
	pid_t pid = fork();

	for (unsigned int n = 0; pid == 0; n++) {
		put(w, LZR_CONTROL_STATE, 1000 + n, 3, sizeof(answer));
		usleep(20000);
	}
	assert_false(control_ask(&w->control, LZR_CONTROL_STATE, 3, NULL, &answer));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);       /* which still speaks */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void switch_is_down(void **state)
{
	struct world *w = *state;
	struct lzr_control_message answer;
	uint8_t frame[64];

	w->control.link.up = false;
	assert_false(control_ask(&w->control, LZR_CONTROL_STATE, 0, NULL, &answer));
	assert_true(recv(w->far_end, frame, sizeof(frame), 0) < 0);
}

static void no_service_is_there(void **state)
{
	struct world *w = *state;
	struct lzr_control_message answer;
	uint8_t frame[64];

	w->control.link.peer.flags = 0;
	assert_false(control_ask(&w->control, LZR_CONTROL_STATE, 0, NULL, &answer));
	assert_true(recv(w->far_end, frame, sizeof(frame), 0) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(right_answer_among_others, setup, teardown),
		cmocka_unit_test_setup_teardown(no_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(babbling_switch, setup, teardown),
		cmocka_unit_test_setup_teardown(switch_is_down, setup, teardown),
		cmocka_unit_test_setup_teardown(no_service_is_there, setup, teardown),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
