/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the services of the server example: asks for its gateway's address and pings it, from its first moment on, and
 * says when the first answer came.
 */
#include "net.h"
#include "rt.h"

#define PAUSE_NS 1000000000ul

void rt_main(void)
{
	unsigned asked = 0, answered = 0;
	struct net_heard heard;
	uint8_t own;

	trap_init();
	own = net_open();
	rt_printf("SERVICE 10.0.3.%u ready\n", own);
	for (;;) {
		const uint64_t end = rt_clock() + PAUSE_NS;

		if (!net_knows(NET_GATEWAY) && ++asked != 0)
			net_ask(NET_GATEWAY);
		else
			net_ping(NET_GATEWAY);
		while (rt_clock() < end) {
			while ((heard = net_listen()).kind != NET_NOTHING)
				if (heard.kind == NET_PONG && heard.from == NET_GATEWAY && answered++ == 0)
					rt_printf("SERVICE 10.0.3.%u reached its gateway, asked %u times\n", own,
						  asked);
			rt_sleep(PAUSE_NS / 4);
		}
	}
}
