/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden's scenario of the firewall (tests/policies/firewall.dts): it admits all but the last port, lets them try,
 * and says what the counters are: of each port, of each rule, and of what no rule fitted.
 */
#include "warden.h"

#define ADMITTED 3u
#define RULES 3u
#define WATCH (12 * WARDEN_SECOND)
#define LEASE (300 * WARDEN_SECOND)

const uint32_t warden_ports = ADMITTED + 1;

void warden_scenario(void)
{
	uint32_t port, rule;

	control_wait(WATCH / 2);
	warden_report("quarantine");
	for (port = 0; port < ADMITTED; port++)
		warden_admit(port, LEASE);
	control_wait(WATCH);
	warden_report("admitted");
	for (rule = 0; rule <= RULES; rule++)
		rt_printf("WARDEN rule=%u hits=%lu\n", rule, warden_ask(LZR_CONTROL_RULE, rule, NULL).frames_in);
}
