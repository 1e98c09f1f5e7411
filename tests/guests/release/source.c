/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HIGH above the guard of the network's test: a number every half second, words that must not pass once in a while, and
 * a loud line about anything that ever comes back.
 */
#include <lazaret/link.h>

#include "pipe.h"
#include "rt.h"

#define SECOND 1000000000ul
#define WORDS_EVERY 8u

void rt_main(void)
{
	static const char words[] = "ALL OF IT";
	static uint8_t message[PIPE_MAX];

	trap_init();
	pipe_open(LZR_VIRTIO_PCI_CONSOLE);
	for (uint16_t number = 1;; number++) {
		const uint8_t bytes[2] = { (uint8_t)(number >> 8), (uint8_t)number };
		const uint64_t end = rt_clock() + SECOND / 2;

		if (number % WORDS_EVERY == 0)
			pipe_send(words, sizeof(words));
		if (pipe_send(bytes, sizeof(bytes)) && (number & (number - 1)) == 0)
			rt_printf("SOURCE sent=%u\n", number);
		while (rt_clock() < end) {
			if (pipe_receive(message) != 0)
				rt_printf("SOURCE heard something\n");
			rt_sleep(SECOND / 50);
		}
	}
}
