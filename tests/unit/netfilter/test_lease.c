/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and results: what admits, what revokes, and that everything else changes nothing. */
#include "lab.h"

#include <string.h>

#include "crypto.h"
#include "lease.h"

static struct nswitch sw;
static struct port *blue;
static uint8_t message[LZR_RESULT_SIZE];

static int setup(void **state)
{
	(void)state;
	lab_switch(&sw);
	blue = &sw.ports[BLUE];
	lab_up(&sw, BLUE, 7, 100);
	return 0;
}

static enum lzr_control_status apply(const struct lzr_result *result, uint64_t now)
{
	lab_sign(result, message);
	return lab_apply(blue, message, sizeof(message), now);
}

/* The result is refused for this reason, nothing changes, and the right one still counts afterwards. */
static void refused(const struct lzr_result *result, uint64_t now, enum lzr_control_status status)
{
	struct port before = *blue;

	assert_int_equal(apply(result, now), status);
	assert_memory_equal(blue, &before, sizeof(before));
}

static void test_admits(void **state)
{
	struct lzr_result lease = lab_lease(blue, 10 * SECOND);

	(void)state;
	assert_int_equal(port_state(blue, 200), LZR_PORT_QUARANTINED);
	assert_int_equal(apply(&lease, 5 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 5 * SECOND), LZR_PORT_ADMITTED);
	/* Counted from the nonce's issue, not from now. */
	assert_int_equal(port_lease_left(blue, 5 * SECOND), 100 + 5 * SECOND);
	assert_int_equal(port_state(blue, 100 + 10 * SECOND - 1), LZR_PORT_ADMITTED);
	assert_int_equal(port_state(blue, 100 + 10 * SECOND), LZR_PORT_QUARANTINED);
	assert_int_equal(port_lease_left(blue, 100 + 10 * SECOND), 0);
	assert_false(blue->has_nonce);
}

static void test_replay(void **state)
{
	struct lzr_result lease = lab_lease(blue, 10 * SECOND);

	(void)state;
	assert_int_equal(apply(&lease, 200), LZR_CTL_OK);
	refused(&lease, 300, LZR_CTL_WRONG_NONCE);
	assert_int_equal(port_state(blue, 20 * SECOND), LZR_PORT_QUARANTINED);
	refused(&lease, 20 * SECOND, LZR_CTL_WRONG_NONCE);
	assert_int_equal(port_draw_nonce(blue, 0, 20 * SECOND), LZR_CTL_OK);
	refused(&lease, 20 * SECOND, LZR_CTL_WRONG_NONCE);
}

static void test_each_identity(void **state)
{
	struct lzr_result good = lab_lease(blue, 10 * SECOND), r;

	(void)state;
	r = good, r.vm++;
	refused(&r, 200, LZR_CTL_WRONG_VM);
	r = good, r.name[0] = 'B';
	refused(&r, 200, LZR_CTL_WRONG_VM);
	r = good, r.name[LZR_NAME_MAX - 1] = 1;
	refused(&r, 200, LZR_CTL_WRONG_VM);
	r = good, r.instance--;
	refused(&r, 200, LZR_CTL_WRONG_INSTANCE);
	r = good, r.measurement[47] ^= 1;
	refused(&r, 200, LZR_CTL_WRONG_MEASUREMENT);
	r = good, r.label.level++;
	refused(&r, 200, LZR_CTL_WRONG_LABEL);
	r = good, r.label.categories = 0;
	refused(&r, 200, LZR_CTL_WRONG_LABEL);
	r = good, r.label.reserved[0] = 1;
	refused(&r, 200, LZR_CTL_WRONG_LABEL);
	r = good, r.policy[0] ^= 0x80;
	refused(&r, 200, LZR_CTL_WRONG_POLICY);
	r = good, r.port_nonce[31] ^= 1;
	refused(&r, 200, LZR_CTL_WRONG_NONCE);
	assert_int_equal(apply(&good, 200), LZR_CTL_OK);
}

static void test_duration(void **state)
{
	struct lzr_result r = lab_lease(blue, 0);

	(void)state;
	refused(&r, 200, LZR_CTL_DURATION);
	r.duration_ns = LEASE_MAX + 1;
	refused(&r, 200, LZR_CTL_DURATION);
	r.duration_ns = UINT64_MAX;
	refused(&r, 200, LZR_CTL_DURATION);
	r.duration_ns = SECOND;
	refused(&r, 100 + SECOND, LZR_CTL_EXPIRED);
	refused(&r, 100 + 5 * SECOND, LZR_CTL_EXPIRED);
	assert_int_equal(apply(&r, 99 + SECOND), LZR_CTL_OK);
	assert_int_equal(port_lease_left(blue, 99 + SECOND), 1);
}

static void test_malformed(void **state)
{
	static const unsigned fixed[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 242, 243 };
	struct lzr_result good = lab_lease(blue, 10 * SECOND);
	uint8_t longer[LZR_RESULT_SIZE + 1];
	struct port before = *blue;
	unsigned i;

	(void)state;
	lab_sign(&good, message);
	for (i = 0; i < sizeof(message); i++)
		assert_int_equal(lab_apply(blue, message, i, 200), LZR_CTL_MALFORMED);
	memcpy(longer, message, sizeof(message));
	longer[sizeof(message)] = 0;
	assert_int_equal(lab_apply(blue, longer, sizeof(longer), 200), LZR_CTL_MALFORMED);
	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		message[fixed[i]] ^= 1;
		assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_MALFORMED);
		message[fixed[i]] ^= 1;
	}
	assert_memory_equal(blue, &before, sizeof(before));
	good.type = 3;
	refused(&good, 200, LZR_CTL_MALFORMED);
	good.type = 0;
	refused(&good, 200, LZR_CTL_MALFORMED);
}

/* Every byte of payload and signature is covered: one flipped bit in each. */
static void test_signature(void **state)
{
	struct lzr_result good = lab_lease(blue, 10 * SECOND);
	struct port before = *blue;
	enum lzr_control_status status;
	unsigned i;

	(void)state;
	lab_sign(&good, message);
	for (i = LZR_RESULT_HEAD_SIZE + 8; i < LZR_RESULT_SIZE; i += 5) {
		message[i] ^= 4;
		status = lab_apply(blue, message, sizeof(message), 200);
		assert_true(status == LZR_CTL_SIGNATURE || status == LZR_CTL_MALFORMED);
		message[i] ^= 4;
	}
	lab_sign_other(&good, message);
	assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_SIGNATURE);
	memset(message + LZR_RESULT_SIZE - 96, 0, 96);
	assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_SIGNATURE);
	assert_memory_equal(blue, &before, sizeof(before));
	lab_sign(&good, message);
	assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_OK);
}

/* A result for one port means nothing at another, also when that other one is a twin in all but VM and nonce. */
static void test_other_port(void **state)
{
	struct port *green = &sw.ports[GREEN], before;
	struct lzr_result lease = lab_lease(blue, 10 * SECOND);

	(void)state;
	lab_up(&sw, GREEN, 8, 100);
	before = *green;
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(green, message, sizeof(message), 200), LZR_CTL_WRONG_VM);
	lease = lab_lease(green, 10 * SECOND);
	memcpy(lease.port_nonce, blue->nonce, sizeof(lease.port_nonce));
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(green, message, sizeof(message), 200), LZR_CTL_WRONG_NONCE);
	assert_memory_equal(green, &before, sizeof(before));
}

static void test_new_instance(void **state)
{
	struct lzr_result old = lab_lease(blue, 10 * SECOND);

	(void)state;
	assert_int_equal(apply(&old, 200), LZR_CTL_OK);
	lab_up(&sw, BLUE, 9, 300);
	assert_int_equal(port_state(blue, 300), LZR_PORT_QUARANTINED);
	assert_false(blue->has_lease_nonce);
	refused(&old, 300, LZR_CTL_WRONG_INSTANCE);
	old.instance = 9;
	refused(&old, 300, LZR_CTL_WRONG_NONCE);
	/* The same instance that resets its device loses its lease as well. */
	old = lab_lease(blue, 10 * SECOND);
	assert_int_equal(apply(&old, 400), LZR_CTL_OK);
	port_down(blue);
	assert_int_equal(port_state(blue, 400), LZR_PORT_DOWN);
	assert_int_equal(apply(&old, 400), LZR_CTL_NO_PORT);
	lab_up(&sw, BLUE, 9, 500);
	refused(&old, 500, LZR_CTL_WRONG_NONCE);
}

static void test_renewal_replaces(void **state)
{
	struct lzr_result lease = lab_lease(blue, 50 * SECOND);

	(void)state;
	assert_int_equal(apply(&lease, 200), LZR_CTL_OK);
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, 10 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 10 * SECOND), LZR_PORT_ADMITTED);
	lease = lab_lease(blue, 5 * SECOND);
	assert_int_equal(apply(&lease, 11 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_lease_left(blue, 11 * SECOND), 4 * SECOND);
	assert_int_equal(port_state(blue, 15 * SECOND), LZR_PORT_QUARANTINED);
}

static struct lzr_result revocation(const uint8_t nonce[LZR_PORT_NONCE_SIZE])
{
	struct lzr_result r = lab_lease(blue, 0);

	r.type = LZR_RESULT_REVOCATION;
	memcpy(r.port_nonce, nonce, LZR_PORT_NONCE_SIZE);
	return r;
}

static void test_revocation_of_the_lease(void **state)
{
	struct lzr_result lease = lab_lease(blue, 50 * SECOND), stop = revocation(blue->nonce);

	(void)state;
	assert_int_equal(apply(&lease, 200), LZR_CTL_OK);
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND), LZR_CTL_OK);
	lease = lab_lease(blue, 50 * SECOND);
	assert_int_equal(apply(&stop, 2 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 2 * SECOND), LZR_PORT_BLOCKED);
	/* The outstanding nonce is void with it, and the revocation itself is spent. */
	refused(&lease, 2 * SECOND, LZR_CTL_WRONG_NONCE);
	refused(&stop, 2 * SECOND, LZR_CTL_WRONG_NONCE);
	/* A fresh nonce and a fresh lease open it again; the old revocation does not close that one. */
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, 3 * SECOND), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 3 * SECOND), LZR_PORT_BLOCKED);
	lease = lab_lease(blue, 50 * SECOND);
	assert_int_equal(apply(&lease, 3 * SECOND), LZR_CTL_OK);
	refused(&stop, 4 * SECOND, LZR_CTL_WRONG_NONCE);
}

static void test_revocation_of_the_outstanding(void **state)
{
	struct lzr_result stop = revocation(blue->nonce), lease = lab_lease(blue, 50 * SECOND), r;

	(void)state;
	r = stop, r.instance++;
	refused(&r, 200, LZR_CTL_WRONG_INSTANCE);
	r = stop, r.duration_ns = 1;
	refused(&r, 200, LZR_CTL_DURATION);
	r = stop, r.port_nonce[0] ^= 1;
	refused(&r, 200, LZR_CTL_WRONG_NONCE);
	assert_int_equal(apply(&stop, 200), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 200), LZR_PORT_BLOCKED);
	refused(&lease, 200, LZR_CTL_WRONG_NONCE);
	/* The VM's reset of its own device changes nothing, a new lease does. */
	port_down(blue);
	lab_up(&sw, BLUE, 7, 250);
	assert_int_equal(port_state(blue, 250), LZR_PORT_BLOCKED);
	lease = lab_lease(blue, 50 * SECOND);
	assert_int_equal(apply(&lease, 260), LZR_CTL_OK);
	port_down(blue);
	lab_up(&sw, BLUE, 7, 270);
	assert_int_equal(port_state(blue, 270), LZR_PORT_QUARANTINED);
	stop = revocation(blue->nonce);
	assert_int_equal(apply(&stop, 280), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 280), LZR_PORT_BLOCKED);
	/* A new instance starts in quarantine, not blocked. */
	lab_up(&sw, BLUE, 8, 300);
	assert_int_equal(port_state(blue, 300), LZR_PORT_QUARANTINED);
}

static void test_nonces(void **state)
{
	uint8_t first[LZR_PORT_NONCE_SIZE];

	(void)state;
	memcpy(first, blue->nonce, sizeof(first));
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND), LZR_CTL_OK);
	assert_memory_not_equal(blue->nonce, first, sizeof(first));
	assert_int_equal(blue->nonce_issued, SECOND);
	memcpy(first, blue->nonce, sizeof(first));
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND + NONCE_INTERVAL - 1), LZR_CTL_RATE);
	assert_memory_equal(blue->nonce, first, sizeof(first));
	assert_int_equal(blue->nonce_issued, SECOND);
	/* A new instance is no way round the limit. */
	lab_up(&sw, BLUE, 8, SECOND + 1);
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND + 2), LZR_CTL_RATE);
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND + NONCE_INTERVAL), LZR_CTL_OK);
	port_down(blue);
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, 9 * SECOND), LZR_CTL_NO_PORT);
}

/* A replaced nonce is void. */
static void test_replaced_nonce(void **state)
{
	struct lzr_result lease = lab_lease(blue, 10 * SECOND);

	(void)state;
	assert_int_equal(port_draw_nonce(blue, NONCE_INTERVAL, SECOND), LZR_CTL_OK);
	refused(&lease, SECOND, LZR_CTL_WRONG_NONCE);
}

/* Where no nonce is outstanding, none matches: also not the zeros that stand in its place. */
static void test_no_nonce(void **state)
{
	struct lzr_result lease = lab_lease(blue, 10 * SECOND), stop;

	(void)state;
	assert_int_equal(apply(&lease, 200), LZR_CTL_OK);
	memset(lease.port_nonce, 0, sizeof(lease.port_nonce));
	refused(&lease, 300, LZR_CTL_WRONG_NONCE);
	lab_up(&sw, BLUE, 7, 400);
	stop = lab_lease(blue, 0);
	stop.type = LZR_RESULT_REVOCATION;
	memset(stop.port_nonce, 0, sizeof(stop.port_nonce));
	refused(&stop, 500, LZR_CTL_WRONG_NONCE);
}

/* The generator: another seed, other nonces; the same seed, the same ones. */
static void test_seed(void **state)
{
	const struct lzr_switch_header *h = &sw.config.header;
	uint8_t seed[CRYPTO_SEED_SIZE] = { 9 }, a[32], b[32], c[32];
	struct lzr_switch_key bad;

	(void)state;
	assert_true(crypto_init(seed, h->verifiers, 1));
	assert_true(crypto_random(a, sizeof(a)));
	assert_true(crypto_random(b, sizeof(b)));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_true(crypto_init(seed, h->verifiers, 1));
	assert_true(crypto_random(b, sizeof(b)));
	assert_memory_equal(a, b, sizeof(a));
	seed[31] = 1;
	assert_true(crypto_init(seed, h->verifiers, 1));
	assert_true(crypto_random(c, sizeof(c)));
	assert_memory_not_equal(a, c, sizeof(a));
	memcpy(bad.x, h->verifiers[0].y, sizeof(bad.x));
	memcpy(bad.y, h->verifiers[0].x, sizeof(bad.y));
	assert_false(crypto_init(seed, &bad, 1));
	assert_false(crypto_random(c, sizeof(c)));
}

static void test_infrastructure_takes_no_lease(void **state)
{
	struct port *attestor = &sw.ports[ATTESTOR];
	struct lzr_result lease;

	(void)state;
	lab_up(&sw, ATTESTOR, 2, 100);
	assert_int_equal(port_state(attestor, 100), LZR_PORT_INFRASTRUCTURE);
	assert_false(attestor->has_nonce);
	lease = lab_lease(attestor, SECOND);
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(attestor, message, sizeof(message), 200), LZR_CTL_KIND);
	assert_int_equal(port_draw_nonce(attestor, 0, 200), LZR_CTL_KIND);
	assert_int_equal(port_state(attestor, 200), LZR_PORT_INFRASTRUCTURE);
}

static void test_wrong_peer(void **state)
{
	struct lzr_peer peer = lab_peer(&sw.config, BLUE, 9);

	(void)state;
	peer.vm++;
	assert_false(port_up(blue, &peer, 1, 200));
	assert_int_equal(port_state(blue, 200), LZR_PORT_DOWN);
	peer = lab_peer(&sw.config, BLUE, 9);
	peer.label.level = 2;
	assert_false(port_up(blue, &peer, 1, 200));
	peer = lab_peer(&sw.config, BLUE, 0);
	assert_false(port_up(blue, &peer, 1, 200));
	/* The attestor is let in without a lease: it must be on a link of the network's label, and a service VM. */
	peer = lab_peer(&sw.config, ATTESTOR, 2);
	assert_true(port_up(&sw.ports[ATTESTOR], &peer, 1, 200));
	peer.label.level = 2;
	assert_false(port_up(&sw.ports[ATTESTOR], &peer, 1, 200));
	peer = lab_peer(&sw.config, ATTESTOR, 2);
	peer.flags = 0;
	assert_false(port_up(&sw.ports[ATTESTOR], &peer, 1, 200));
	peer = lab_peer(&sw.config, ATTESTOR, 2);
	peer.vm = 0;
	assert_false(port_up(&sw.ports[ATTESTOR], &peer, 1, 200));
}

/* A guard, or another VM that is trusted over several labels: its port has the network's, its lease names its own. */
static void test_trusted_peer(void **state)
{
	struct lzr_peer peer = lab_peer(&sw.config, BLUE, 9);
	struct lzr_result lease;

	(void)state;
	peer.vm_label.level++;
	assert_true(port_up(blue, &peer, 1, 200));
	lease = lab_lease(blue, SECOND);
	lease.label = peer.label;
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_WRONG_LABEL);
	lease.label = peer.vm_label;
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(blue, message, sizeof(message), 200), LZR_CTL_OK);
	assert_int_equal(port_state(blue, 200), LZR_PORT_ADMITTED);
}

static uint64_t late_clock(void)
{
	return lab_now += 10 * SECOND;
}

/* The signature's check takes time: what ran out meanwhile has run out. */
static void test_time_of_the_check(void **state)
{
	struct lzr_result r;

	(void)state;
	lab_switch(&sw);
	lab_up(&sw, BLUE, 7, 100);
	r = lab_lease(&sw.ports[BLUE], 10 * SECOND);
	lab_sign(&r, message);
	lab_now = 100;
	lab_tick = 0;
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), late_clock), LZR_CTL_EXPIRED);
	assert_int_equal(sw.ports[BLUE].state, LZR_PORT_QUARANTINED);
	/* A renewal that comes too late opens nothing that its lease's end has shut. */
	lab_admit(&sw, BLUE, 7, 200);
	sw.ports[BLUE].lease_end_action = LZR_LEASE_END_BLOCK;
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, 300), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	lab_now = 200 + LEASE_MAX - 10 * SECOND - 1;
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), late_clock), LZR_CTL_OK);
	assert_int_equal(port_draw_nonce(&sw.ports[BLUE], 0, lab_now), LZR_CTL_OK);
	r = lab_lease(&sw.ports[BLUE], LEASE_MAX);
	lab_sign(&r, message);
	lab_now = 300 + LEASE_MAX - 1;
	assert_int_equal(lease_apply(&sw.ports[BLUE], message, sizeof(message), late_clock), LZR_CTL_SHUT);
	assert_int_equal(sw.ports[BLUE].state, LZR_PORT_BLOCKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_admits, setup),
		cmocka_unit_test_setup(test_time_of_the_check, setup),
		cmocka_unit_test_setup(test_trusted_peer, setup),
		cmocka_unit_test_setup(test_replay, setup),
		cmocka_unit_test_setup(test_each_identity, setup),
		cmocka_unit_test_setup(test_duration, setup),
		cmocka_unit_test_setup(test_malformed, setup),
		cmocka_unit_test_setup(test_signature, setup),
		cmocka_unit_test_setup(test_other_port, setup),
		cmocka_unit_test_setup(test_new_instance, setup),
		cmocka_unit_test_setup(test_renewal_replaces, setup),
		cmocka_unit_test_setup(test_revocation_of_the_lease, setup),
		cmocka_unit_test_setup(test_revocation_of_the_outstanding, setup),
		cmocka_unit_test_setup(test_nonces, setup),
		cmocka_unit_test_setup(test_replaced_nonce, setup),
		cmocka_unit_test_setup(test_no_nonce, setup),
		cmocka_unit_test_setup(test_seed, setup),
		cmocka_unit_test_setup(test_infrastructure_takes_no_lease, setup),
		cmocka_unit_test_setup(test_wrong_peer, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
