/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden's scenario of the network (tests/policies/network.dts): it watches the quarantine, tries results that must
 * be refused, opens the ports, the guard's among them, lets a lease run out, revokes one, restarts the switch, and says
 * what the counters are after each.
 */
#include <string.h>

#include "warden.h"

#define SECOND WARDEN_SECOND
#define WATCH (8 * SECOND)
#define LEASE (100 * SECOND)

enum { RED, ARCHIVE, BLUE, RELEASE, VISITOR, PORTS };

const uint32_t warden_ports = PORTS;

static void expect(const char *what, uint32_t status, uint32_t expected)
{
	rt_printf("WARDEN refused=%s status=%u %s\n", what, status, status == expected ? "ok" : "WRONG");
}

static void try_refusals(uint32_t port)
{
	struct lzr_control_message a = warden_fresh_nonce(port);
	struct lzr_result good = sign_result(LZR_RESULT_LEASE, a.vm, a.nonce, LEASE), r;
	uint8_t message[LZR_RESULT_SIZE];

	r = good, r.vm ^= 1;
	expect("vm", warden_deliver(port, &r), LZR_CTL_WRONG_VM);
	r = good, r.instance++;
	expect("instance", warden_deliver(port, &r), LZR_CTL_WRONG_INSTANCE);
	r = good, r.measurement[0] ^= 1;
	expect("measurement", warden_deliver(port, &r), LZR_CTL_WRONG_MEASUREMENT);
	r = good, r.label.level ^= 1;
	expect("label", warden_deliver(port, &r), LZR_CTL_WRONG_LABEL);
	r = good, r.policy[0] ^= 1;
	expect("policy", warden_deliver(port, &r), LZR_CTL_WRONG_POLICY);
	r = good, r.port_nonce[0] ^= 1;
	expect("nonce", warden_deliver(port, &r), LZR_CTL_WRONG_NONCE);
	r = good, r.duration_ns = 301 * SECOND;
	expect("duration", warden_deliver(port, &r), LZR_CTL_DURATION);
	r = good, r.duration_ns = 1;
	expect("expired", warden_deliver(port, &r), LZR_CTL_EXPIRED);
	expect("other-port", warden_deliver(port ^ 1, &good), LZR_CTL_WRONG_VM);
	sign_message(&good, message);
	message[LZR_RESULT_SIZE - 1] ^= 1;
	expect("signature", warden_ask(LZR_CONTROL_RESULT, port, message).status, LZR_CTL_SIGNATURE);
	/* None of them used up the nonce; this does, and again it is a replay. */
	expect("nothing", warden_deliver(port, &good), LZR_CTL_OK);
	expect("replay", warden_deliver(port, &good), LZR_CTL_WRONG_NONCE);
}

/* The guard's lease must have the guard's own label; the network's, which is its neighbour's, is another VM's. */
static void admit_guard(void)
{
	struct lzr_control_message neighbour = warden_ask(LZR_CONTROL_STATE, BLUE, NULL);
	struct lzr_control_message a = warden_fresh_nonce(RELEASE);
	struct lzr_result good = sign_result(LZR_RESULT_LEASE, a.vm, a.nonce, LEASE), r = good;

	r.label = sign_record(neighbour.vm).label;
	expect("network-label", warden_deliver(RELEASE, &r), LZR_CTL_WRONG_LABEL);
	rt_printf("WARDEN admit port=%u status=%u\n", RELEASE, warden_deliver(RELEASE, &good));
}

static void revoke(uint32_t port)
{
	struct lzr_control_message a = warden_fresh_nonce(port);
	struct lzr_result r = sign_result(LZR_RESULT_REVOCATION, a.vm, a.nonce, 0);

	rt_printf("WARDEN revoke port=%u status=%u\n", port, warden_deliver(port, &r));
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

void warden_scenario(void)
{
	control_wait(WATCH);
	warden_report("quarantine");
	try_refusals(RED);
	warden_admit(ARCHIVE, LEASE);
	warden_admit(BLUE, LEASE);
	admit_guard();
	control_wait(WATCH);
	warden_report("admitted");
	warden_admit(RED, 3 * SECOND);
	control_wait(4 * SECOND);
	warden_report("expired");
	warden_admit(RED, LEASE);
	revoke(ARCHIVE);
	warden_report("revoked");
	warden_admit(ARCHIVE, LEASE);
	restart_switch();
	control_wait(SECOND);
	warden_wait_for_ports();
	control_wait(WATCH);
	warden_report("restarted");
	warden_admit(RED, LEASE);
	warden_admit(ARCHIVE, LEASE);
	control_wait(WATCH);
	warden_report("readmitted");
}
