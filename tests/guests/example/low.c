/* SPDX-License-Identifier: Apache-2.0 */
/* LOW of the cross-domain example: prints every line that it gets, and tries to talk back. */
#include <string.h>

#include <lazaret/link.h>

#include "pipe.h"
#include "rt.h"

#define SECOND 1000000000ull
#define TRIES 10u

static void print(const uint8_t *bytes, uint32_t length)
{
	rt_printf("LOW got %u: ", length);
	for (uint32_t i = 0; i < length; i++)
		rt_printf("%c", bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : bytes[i] == '\n' ? '|' : '?');
	rt_printf("\n");
}

void rt_main(void)
{
	static const char up[] = "STATUS 000900 A LINE OF THE RIGHT FORM, THE WRONG WAY\n";
	static uint8_t message[PIPE_MAX];
	uint64_t next;
	unsigned tried = 0;
	uint32_t length;

	trap_init();
	pipe_open(LZR_VIRTIO_PCI_CONSOLE);
	rt_printf("LOW ready\n");
	next = rt_clock() + 3 * SECOND;
	for (;;) {
		while ((length = pipe_receive(message)) != 0)
			print(message, length);
		if (tried < TRIES && rt_clock() >= next) {
			pipe_send(up, sizeof(up) - 1);
			next += SECOND;
			if (++tried == TRIES)
				rt_printf("LOW sent=%u\n", tried);
		}
		rt_sleep(50000000);
	}
}
