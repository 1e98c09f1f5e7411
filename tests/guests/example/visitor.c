/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The untrusted VM of the quarantine example.  It knows everybody's address, tries all of them, mostly the inspector,
 * and says who answers.  It does so slowly until the inspector has looked at it, then far more often than it may.
 */
#include "net.h"
#include "rt.h"

#define INSPECTOR 33u
#define ATTESTOR 20u
#define SERVER 80u                      /* somewhere behind the uplink */
#define TICK_NS 8000000ul
#define POLITE_NS 400000000ul
#define LOOK_NS 2000000000ul            /* how long it stays polite when the inspector came */

static const uint16_t doors[2] = { 80, 8080 };
static bool open[2];

/* Three of four go to the inspector. */
static void send_one(unsigned turn)
{
	if (turn % 4 != 0)
		net_ping(INSPECTOR);
	else if (turn % 20 == 0)
		net_ask(NET_GATEWAY);
	else if (turn % 20 < 12)
		net_ping(turn % 20 == 4 ? NET_GATEWAY : ATTESTOR);
	else if (!open[turn % 20 == 16])
		net_knock(SERVER, doors[turn % 20 == 16], turn % 20 == 16);
}

/* The first time that it opens. */
static void note_door(uint8_t host, uint16_t port)
{
	for (unsigned i = 0; i < 2; i++)
		if (host == SERVER && port == doors[i] && !open[i]) {
			open[i] = true;
			rt_printf("VISITOR 10.0.3.%u opens port %u\n", host, port);
		}
}

void rt_main(void)
{
	static const uint8_t inspector[6] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, INSPECTOR };
	static const uint8_t attestor[6] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, ATTESTOR };
	static const uint8_t gateway[6] = { 0x52, 0x55, 0x0a, 0x00, 0x03, NET_GATEWAY };       /* QEMU's */
	static const uint8_t server[6] = { 0x52, 0x55, 0x0a, 0x00, 0x03, SERVER };
	static unsigned answers[256];
	uint64_t flood = UINT64_MAX, next = 0, now;
	struct net_heard heard;
	unsigned turn = 0;

	trap_init();
	rt_printf("VISITOR 10.0.3.%u ready\n", net_open());
	net_tell(INSPECTOR, inspector);
	net_tell(ATTESTOR, attestor);
	net_tell(NET_GATEWAY, gateway);
	net_tell(SERVER, server);
	for (;; rt_sleep(TICK_NS)) {
		now = rt_clock();
		if (now >= next) {
			send_one(turn++);
			next = now + (now >= flood ? TICK_NS : POLITE_NS);
		}
		while ((heard = net_listen()).kind != NET_NOTHING) {
			if (heard.kind == NET_PING && flood == UINT64_MAX)
				flood = now + LOOK_NS;
			if (heard.kind == NET_OPEN)
				note_door(heard.from, heard.port);
			if (heard.kind == NET_PONG && answers[heard.from]++ == 0)
				rt_printf("VISITOR 10.0.3.%u answers, frames sent: %u\n", heard.from, turn);
		}
	}
}
