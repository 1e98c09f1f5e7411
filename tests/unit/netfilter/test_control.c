/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel: each operation, each refusal, what an answer says. */
#include "lab.h"

#include <string.h>

static struct nswitch sw;
static struct lzr_control_message ask, answer;
static uint8_t request[sizeof(struct lzr_control_message) + LZR_RESULT_SIZE];

static int setup(void **state)
{
	(void)state;
	lab_switch(&sw);
	lab_up(&sw, BLUE, 7, 100);
	memset(&ask, 0, sizeof(ask));
	return 0;
}

static void handle(uint32_t op, uint32_t port, uint32_t extra, uint64_t now)
{
	ask.op = op;
	ask.port = port;
	ask.seq++;
	memcpy(request, &ask, sizeof(ask));
	assert_true(lab_handle(&sw, request, (uint32_t)sizeof(ask) + extra, now, &answer));
	assert_int_equal(answer.op, op);
	assert_int_equal(answer.seq, ask.seq);
	assert_int_equal(answer.port, port);
}

static void test_state(void **state)
{
	struct port_counters *c = &sw.ports[BLUE].counters;
	unsigned reason;

	(void)state;
	for (reason = 1; reason < NF_REASON_COUNT; reason++)
		c->dropped[reason] = 1;
	c->in = 11;
	c->out = 12;
	handle(LZR_CONTROL_STATE, BLUE, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_OK);
	assert_int_equal(answer.state, LZR_PORT_QUARANTINED);
	assert_int_equal(answer.vm, sw.config.ports[BLUE].vm);
	assert_int_equal(answer.instance, 7);
	assert_int_equal(answer.frames_in, 11);
	assert_int_equal(answer.frames_out, 12);
	assert_int_equal(answer.dropped_quarantine, 3);
	assert_int_equal(answer.dropped_rules, 6);
	assert_int_equal(answer.dropped_rate, 1);
	assert_int_equal(answer.dropped_label, 2);
	assert_int_equal(answer.dropped_spoof, 3);
	assert_int_equal(answer.dropped_quarantine + answer.dropped_label + answer.dropped_spoof +
				 answer.dropped_rules + answer.dropped_rate + answer.dropped_other,
			 NF_REASON_COUNT - 1);
	assert_memory_equal(answer.nonce, sw.ports[BLUE].nonce, sizeof(answer.nonce));
	handle(LZR_CONTROL_STATE, GREEN, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	assert_int_equal(answer.state, LZR_PORT_DOWN);
}

static void test_rule(void **state)
{
	(void)state;
	sw.config.header.rule_count = 3;
	sw.rule_hits[2] = 7;
	sw.no_rule_hits[NET_RESTRICTED] = 8;
	handle(LZR_CONTROL_RULE, 2, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_OK);
	assert_int_equal(answer.frames_in, 7);
	handle(LZR_CONTROL_RULE, 3 + NET_RESTRICTED, 0, 200);
	assert_int_equal(answer.frames_in, 8);
	handle(LZR_CONTROL_RULE, 3 + NETWORKS, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	handle(LZR_CONTROL_RULE, 0xffffffffu, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	assert_int_equal(answer.frames_in, 0);
}

static void test_nonce(void **state)
{
	uint8_t first[LZR_PORT_NONCE_SIZE];

	(void)state;
	handle(LZR_CONTROL_NONCE, BLUE, 0, SECOND);
	assert_int_equal(answer.status, LZR_CTL_OK);
	memcpy(first, answer.nonce, sizeof(first));
	assert_memory_equal(first, sw.ports[BLUE].nonce, sizeof(first));
	handle(LZR_CONTROL_NONCE, BLUE, 0, SECOND + 1);
	assert_int_equal(answer.status, LZR_CTL_RATE);
	assert_memory_equal(answer.nonce, first, sizeof(first));
	handle(LZR_CONTROL_NONCE, GREEN, 0, SECOND);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	lab_up(&sw, ATTESTOR, 1, 0);
	handle(LZR_CONTROL_NONCE, ATTESTOR, 0, SECOND);
	assert_int_equal(answer.status, LZR_CTL_KIND);
}

static void test_result(void **state)
{
	struct lzr_result lease = lab_lease(&sw.ports[BLUE], 10 * SECOND);
	static const uint8_t none[LZR_PORT_NONCE_SIZE];

	(void)state;
	lab_sign(&lease, request + sizeof(ask));
	handle(LZR_CONTROL_RESULT, BLUE, LZR_RESULT_SIZE - 1, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_RESULT, BLUE, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_RESULT, BLUE, LZR_RESULT_SIZE, 200);
	assert_int_equal(answer.status, LZR_CTL_OK);
	assert_int_equal(answer.state, LZR_PORT_ADMITTED);
	assert_int_equal(answer.lease_left_ns, 10 * SECOND - 100);
	assert_memory_equal(answer.nonce, none, sizeof(none));
	handle(LZR_CONTROL_RESULT, BLUE, LZR_RESULT_SIZE, 300);
	assert_int_equal(answer.status, LZR_CTL_WRONG_NONCE);
	assert_int_equal(answer.state, LZR_PORT_ADMITTED);
	handle(LZR_CONTROL_STATE, BLUE, 0, 100 + 10 * SECOND);
	assert_int_equal(answer.state, LZR_PORT_QUARANTINED);
	assert_int_equal(answer.lease_left_ns, 0);
}

static void test_nonsense(void **state)
{
	unsigned length;

	(void)state;
	for (length = 0; length < sizeof(ask); length++)
		assert_false(lab_handle(&sw, request, length, 200, &answer));
	handle(0, BLUE, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(5, BLUE, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_STATE, BLUE, 1, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_NONCE, BLUE, LZR_RESULT_SIZE, SECOND);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_STATE, PORTS, 0, 200);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	handle(LZR_CONTROL_RULE, 0, 1, 200);
	assert_int_equal(answer.status, LZR_CTL_MALFORMED);
	handle(LZR_CONTROL_RESULT, 0xffffffffu, LZR_RESULT_SIZE, 200);
	assert_int_equal(answer.status, LZR_CTL_NO_PORT);
	assert_int_equal(answer.instance, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_state, setup),
		cmocka_unit_test_setup(test_rule, setup),
		cmocka_unit_test_setup(test_nonce, setup),
		cmocka_unit_test_setup(test_result, setup),
		cmocka_unit_test_setup(test_nonsense, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
