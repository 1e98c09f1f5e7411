/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HIGH of the cross-domain example: sends what may pass, then what may not in every way it knows, then a flood; and
 * says whether anything ever came back.
 */
#include <string.h>

#include <lazaret/link.h>

#include "pipe.h"
#include "rt.h"

#define SECOND 1000000000ul
#define TEXT(text) { text, sizeof(text) - 1 }
#define FLOOD 400u
#define BURST 100u

static const struct { const char *bytes; uint32_t length; } malformed[] = {
	TEXT("SECRET 000005 PLAIN WORDS\n"),            /* no such kind */
	TEXT("status 000005 LOWER KIND\n"),
	TEXT("STATUS 000005 Lower Case\n"),
	TEXT("STATUS 00005 FIVE DIGITS\n"),
	TEXT("STATUS 0000005 SEVEN DIGITS\n"),
	TEXT("STATUS -00005 SIGN\n"),
	TEXT("STATUS 000005  TWO SPACES\n"),
	TEXT("STATUS 000005 TWO  SPACES INSIDE\n"),
	TEXT("STATUS 000005 ENDS IN SPACE \n"),
	TEXT("STATUS 000005 \n"),
	TEXT("STATUS 000005\n"),
	TEXT("STATUS 000005 NO END"),
	TEXT("STATUS 000005 RETURN\r\n"),
	TEXT("STATUS 000005 TAB\tTAB\n"),
	TEXT("STATUS 000005 ZERO\0BYTE\n"),
	TEXT("STATUS 000005 EIGHT\xc3\x84 BIT\n"),
	TEXT("STATUS 000005 TWO\nSTATUS 000006 LINES\n"),
	TEXT("STATUS 000005 BEHIND THE END\nX"),
	TEXT("STATUS 000005 PERCENT %S\n"),
	TEXT("STATUS 000005 FORTY-NINE CHARACTERS OF TEXT ARE ONE TOO MANY SO\n"),
	TEXT("\n"),
	TEXT("\x7f""ELF"),
};
#define MALFORMED (sizeof(malformed) / sizeof(malformed[0]))

static unsigned heard;

/* Time passes; whatever comes back is counted. */
static void wait(uint64_t ns)
{
	static uint8_t message[PIPE_MAX];
	const uint64_t end = rt_clock() + ns;

	while (rt_clock() < end) {
		if (pipe_receive(message) != 0)
			heard++;
		rt_sleep(20000000);
	}
}

static void say(const char *line)
{
	if (!pipe_send(line, (uint32_t)strlen(line)))
		rt_printf("HIGH cannot send\n");
}

static void send_what_must_not_pass(void)
{
	static uint8_t big[PIPE_MAX];

	for (unsigned i = 0; i < MALFORMED; i++)
		pipe_send(malformed[i].bytes, malformed[i].length);
	memset(big, 'A', sizeof(big));
	memcpy(big, "STATUS 000005 ", 14);
	pipe_send(big, 65);
	pipe_send(big, 1500);
	pipe_send(big, PIPE_MAX);
	say("STATUS 000001 CONVOY 7 ON TIME\n");
	rt_printf("HIGH sent malformed=%u oversized=3 repeated=1\n", (unsigned)MALFORMED);
}

/* Good lines with rising serials, in bursts as fast as they are taken. */
static void flood(void)
{
	uint64_t start = rt_clock();
	unsigned sent = 0;

	for (uint32_t serial = 1000; serial < 1000 + FLOOD; serial++) {
		char line[] = "NOTICE 000000 FLOOD\n";

		for (uint32_t i = 0, rest = serial; i < 6; i++, rest /= 10)
			line[12 - i] = (char)('0' + rest % 10);
		sent += pipe_send(line, sizeof(line) - 1);
		if (serial % BURST == BURST - 1)
			wait(SECOND);
	}
	rt_printf("HIGH flood sent=%u seconds=%lu\n", sent, (rt_clock() - start) / SECOND);
}

void rt_main(void)
{
	trap_init();
	pipe_open(LZR_VIRTIO_PCI_CONSOLE);
	wait(4 * SECOND);
	say("STATUS 000001 CONVOY 7 ON TIME\n");
	say("NOTICE 000002 THIS ONE COMES TOO SOON\n");
	wait(2 * SECOND);
	send_what_must_not_pass();
	say("ALERT 000003 GATE 4 CLOSED, USE GATE 5\n");
	wait(2 * SECOND);
	flood();
	wait(2 * SECOND);
	say("STATUS 999999 END OF REPORTS\n");
	wait(2 * SECOND);
	say("STATUS 999999 END OF REPORTS\n");
	wait(SECOND);
	rt_printf("HIGH heard=%u\nHIGH end\n", heard);
	for (;;)
		cpu_idle();
}
