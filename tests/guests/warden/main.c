/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the warden's scenarios share: asking, admitting, saying what the counters are.
 *
 *   WARDEN report=WHEN vm=NAME port=N state=S in=N out=N quarantine=N label=N spoof=N rules=N rate=N other=N
 */
#include "warden.h"

struct lzr_control_message warden_ask(uint32_t op, uint32_t port, const uint8_t *result)
{
	struct lzr_control_message answer;

	while (!control_ask(op, port, result, &answer))
		control_wait(WARDEN_SECOND / 10);
	return answer;
}

void warden_report(const char *when)
{
	struct lzr_control_message a;
	uint32_t port;

	for (port = 0; port < warden_ports; port++) {
		a = warden_ask(LZR_CONTROL_STATE, port, NULL);
		rt_printf("WARDEN report=%s vm=%s port=%u state=%u in=%lu out=%lu quarantine=%lu label=%lu spoof=%lu "
			  "rules=%lu rate=%lu other=%lu\n",
			  when, sign_record(a.vm).name, port, a.state, a.frames_in, a.frames_out, a.dropped_quarantine,
			  a.dropped_label, a.dropped_spoof, a.dropped_rules, a.dropped_rate, a.dropped_other);
	}
}

void warden_wait_for_ports(void)
{
	uint32_t port;

	for (port = 0; port < warden_ports; port++) {
		while (warden_ask(LZR_CONTROL_STATE, port, NULL).status != LZR_CTL_OK)
			control_wait(WARDEN_SECOND / 4);
	}
}

struct lzr_control_message warden_fresh_nonce(uint32_t port)
{
	struct lzr_control_message a = warden_ask(LZR_CONTROL_NONCE, port, NULL);

	while (a.status == LZR_CTL_RATE) {
		control_wait(WARDEN_SECOND / 4);
		a = warden_ask(LZR_CONTROL_NONCE, port, NULL);
	}
	return a;
}

uint32_t warden_deliver(uint32_t port, const struct lzr_result *result)
{
	uint8_t message[LZR_RESULT_SIZE];

	sign_message(result, message);
	return warden_ask(LZR_CONTROL_RESULT, port, message).status;
}

void warden_admit(uint32_t port, uint64_t duration)
{
	struct lzr_control_message a = warden_fresh_nonce(port);
	struct lzr_result lease = sign_result(LZR_RESULT_LEASE, a.vm, a.nonce, duration);

	rt_printf("WARDEN admit port=%u status=%u\n", port, warden_deliver(port, &lease));
}

void rt_main(void)
{
	trap_init();
	sign_init();
	control_open();
	rt_printf("WARDEN ready\n");
	while (!control_is_up())
		control_wait(WARDEN_SECOND / 10);
	warden_wait_for_ports();
	warden_scenario();
	rt_printf("WARDEN end\n");
	rt_stop();
}
