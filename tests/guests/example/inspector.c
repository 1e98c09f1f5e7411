/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inspection VM of the quarantine example: looks at the visitor, which here means that it pings it, and counts what
 * the visitor sends.  It also tries the gateway, which no rule allows it.
 */
#include "net.h"
#include "rt.h"

#define VISITOR 34u
#define SECOND 1000000000ul

void rt_main(void)
{
	static const uint8_t visitor[6] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, VISITOR };
	static const uint8_t gateway[6] = { 0x52, 0x55, 0x0a, 0x00, 0x03, NET_GATEWAY };       /* QEMU's */
	unsigned total = 0, told = 0, most = 0, pongs = 0;
	struct net_heard heard;

	trap_init();
	rt_printf("INSPECTOR 10.0.3.%u ready\n", net_open());
	net_tell(VISITOR, visitor);
	net_tell(NET_GATEWAY, gateway);
	for (;;) {
		const uint64_t end = rt_clock() + SECOND;
		unsigned now = 0;

		net_ping(VISITOR);
		net_ping(NET_GATEWAY);
		while (rt_clock() < end) {
			while ((heard = net_listen()).kind != NET_NOTHING) {
				now += heard.kind == NET_PING && heard.from == VISITOR;
				if (heard.kind == NET_PONG && heard.from == VISITOR && pongs++ == 0)
					rt_printf("INSPECTOR has looked at the visitor\n");
				if (heard.kind == NET_PONG && heard.from == NET_GATEWAY)
					rt_printf("INSPECTOR reached the gateway\n");
			}
			rt_sleep(SECOND / 50);
		}
		total += now;
		most = now > most ? now : most;
		if (total != told)
			rt_printf("INSPECTOR heard=%u most=%u\n", total, most);
		told = total;
	}
}
