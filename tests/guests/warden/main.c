/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden's scenario (tests/policies/network.dts): it watches the quarantine, tries results that must be refused,
 * opens the ports, lets a lease run out, revokes one, restarts the switch, and says what the counters are after each.
 *
 *   WARDEN report=WHEN port=N vm=NAME state=S in=N out=N quarantine=N label=N spoof=N other=N
 */
#include <string.h>

#include "warden.h"

#define PORTS 4u
#define SECOND 1000000000ull
#define WATCH (8 * SECOND)
#define LEASE (100 * SECOND)

static struct lzr_control_message ask(uint32_t op, uint32_t port, const uint8_t *result)
{
	struct lzr_control_message answer;

	while (!control_ask(op, port, result, &answer))
		control_wait(SECOND / 10);
	return answer;
}

static void report(const char *when)
{
	struct lzr_control_message a;
	uint32_t port;

	for (port = 0; port < PORTS; port++) {
		a = ask(LZR_CONTROL_STATE, port, NULL);
		rt_printf("WARDEN report=%s port=%u vm=%s state=%u in=%lu out=%lu quarantine=%lu label=%lu spoof=%lu "
			  "other=%lu\n",
			  when, port, sign_record(a.vm).name, a.state, a.frames_in, a.frames_out, a.dropped_quarantine,
			  a.dropped_label, a.dropped_spoof, a.dropped_other);
	}
}

static void wait_for_ports(void)
{
	uint32_t port;

	for (port = 0; port < PORTS; port++) {
		while (ask(LZR_CONTROL_STATE, port, NULL).status != LZR_CTL_OK)
			control_wait(SECOND / 4);
	}
}

/* A fresh nonce, however long that takes. */
static struct lzr_control_message fresh_nonce(uint32_t port)
{
	struct lzr_control_message a = ask(LZR_CONTROL_NONCE, port, NULL);

	while (a.status == LZR_CTL_RATE) {
		control_wait(SECOND / 4);
		a = ask(LZR_CONTROL_NONCE, port, NULL);
	}
	return a;
}

static uint32_t deliver(uint32_t port, const struct lzr_result *result)
{
	uint8_t message[LZR_RESULT_SIZE];

	sign_message(result, message);
	return ask(LZR_CONTROL_RESULT, port, message).status;
}

static void admit(uint32_t port, uint64_t duration)
{
	struct lzr_control_message a = fresh_nonce(port);
	struct lzr_result lease = sign_result(LZR_RESULT_LEASE, a.vm, a.nonce, duration);

	rt_printf("WARDEN admit port=%u status=%u\n", port, deliver(port, &lease));
}

static void expect(const char *what, uint32_t status, uint32_t expected)
{
	rt_printf("WARDEN refused=%s status=%u %s\n", what, status, status == expected ? "ok" : "WRONG");
}

static void try_refusals(uint32_t port)
{
	struct lzr_control_message a = fresh_nonce(port);
	struct lzr_result good = sign_result(LZR_RESULT_LEASE, a.vm, a.nonce, LEASE), r;
	uint8_t message[LZR_RESULT_SIZE];

	r = good, r.vm ^= 1;
	expect("vm", deliver(port, &r), LZR_CTL_WRONG_VM);
	r = good, r.instance++;
	expect("instance", deliver(port, &r), LZR_CTL_WRONG_INSTANCE);
	r = good, r.measurement[0] ^= 1;
	expect("measurement", deliver(port, &r), LZR_CTL_WRONG_MEASUREMENT);
	r = good, r.label.level ^= 1;
	expect("label", deliver(port, &r), LZR_CTL_WRONG_LABEL);
	r = good, r.policy[0] ^= 1;
	expect("policy", deliver(port, &r), LZR_CTL_WRONG_POLICY);
	r = good, r.port_nonce[0] ^= 1;
	expect("nonce", deliver(port, &r), LZR_CTL_WRONG_NONCE);
	r = good, r.duration_ns = 301 * SECOND;
	expect("duration", deliver(port, &r), LZR_CTL_DURATION);
	r = good, r.duration_ns = 1;
	expect("expired", deliver(port, &r), LZR_CTL_EXPIRED);
	expect("other-port", deliver(port ^ 1, &good), LZR_CTL_WRONG_VM);
	sign_message(&good, message);
	message[LZR_RESULT_SIZE - 1] ^= 1;
	expect("signature", ask(LZR_CONTROL_RESULT, port, message).status, LZR_CTL_SIGNATURE);
	/* None of them used up the nonce; this does, and again it is a replay. */
	expect("nothing", deliver(port, &good), LZR_CTL_OK);
	expect("replay", deliver(port, &good), LZR_CTL_WRONG_NONCE);
}

static void revoke(uint32_t port)
{
	struct lzr_control_message a = fresh_nonce(port);
	struct lzr_result r = sign_result(LZR_RESULT_REVOCATION, a.vm, a.nonce, 0);

	rt_printf("WARDEN revoke port=%u status=%u\n", port, deliver(port, &r));
}

static void restart_switch(void)
{
	struct rt_result r;
	uint32_t vm = 0;

	while (strcmp(sign_record(vm).name, "switch") != 0)
		vm++;
	r = rt_call(LZR_CALL_CONTROL, vm, LZR_CONTROL_RESTART);
	rt_printf("WARDEN restart switch status=%lu\n", r.status);
}

void rt_main(void)
{
	trap_init();
	sign_init();
	control_open();
	rt_printf("WARDEN ready\n");
	while (!control_is_up())
		control_wait(SECOND / 10);
	wait_for_ports();
	control_wait(WATCH);
	report("quarantine");
	try_refusals(0);
	admit(1, LEASE);
	admit(2, LEASE);
	control_wait(WATCH);
	report("admitted");
	admit(0, 3 * SECOND);
	control_wait(4 * SECOND);
	report("expired");
	admit(0, LEASE);
	revoke(1);
	report("revoked");
	admit(1, LEASE);
	restart_switch();
	control_wait(SECOND);
	wait_for_ports();
	control_wait(WATCH);
	report("restarted");
	admit(0, LEASE);
	admit(1, LEASE);
	control_wait(WATCH);
	report("readmitted");
	rt_printf("WARDEN end\n");
	rt_stop();
}
