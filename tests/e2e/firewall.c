/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network with rules on the emulated machine, in one boot (tests/policies/firewall.dts): four Linux guests that try
 * each other and their gateway by ARP, ICMP, UDP and TCP from their first moment on.  What passes is what the rules
 * and the inspection port say; the guests say what arrived, the capture what was on the wire, the switch what it
 * counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"
#include "warden.h"

#define DIR "build/run/firewall"
#define SECONDS 300u

static const char *const vms[] = { "red", "archive", "blue", "visitor" };

static int boot(void **state)
{
	static const struct rig_config config = { .dir = DIR, .esp = "build/tests/esp/firewall.img",
						  .seconds = SECONDS };
	static const struct machine_line lines[] = { { "WARDEN end", SECONDS }, { NULL, 0 } };

	(void)state;
	return machine_boot(&config, lines);
}

static unsigned long rule_hits(unsigned rule)
{
	char text[32];

	snprintf(text, sizeof(text), "WARDEN rule=%u ", rule);
	return machine_number(machine_said(text), "hits=");
}

/* What a VM says of a way that it tried; good until the next call. */
static const char *flow(const char *from, const char *to, const char *proto, const char *result)
{
	static char text[96];

	snprintf(text, sizeof(text), "LZR-FLOW from=%s to=%s proto=%s result=%s", from, to, proto, result);
	return text;
}

static void allowed(const char *from, const char *to, const char *proto)
{
	machine_said(flow(from, to, proto, "allowed"));
}

/* Tried, and never answered. */
static void denied(const char *from, const char *to, const char *proto)
{
	machine_said(flow(from, to, proto, "denied"));
	machine_silent(flow(from, to, proto, "allowed"));
}

static void not_arrived(const char *from, const char *at, const char *proto)
{
	char text[96];

	snprintf(text, sizeof(text), "LZR-ARRIVED at=%s from=%s proto=%s", at, from, proto);
	machine_silent(text);
}

static void quarantine_lets_nothing_through(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct counters c = warden_report("quarantine", vms[i]);

		assert_int_equal(c.state, QUARANTINED);
		assert_int_equal(c.in + c.out, 0);
		assert_true(c.quarantine > 0);
	}
}

/* red -> archive: TCP to one port and echo.  Their answers come back, and nothing else goes either way. */
static void rules_let_through_what_they_say(void **state)
{
	(void)state;
	allowed("red", "archive", "tcp");
	allowed("red", "archive", "icmp");
	denied("red", "archive", "udp");
	not_arrived("red", "archive", "udp");
	denied("archive", "red", "icmp");
	denied("archive", "red", "tcp");
	denied("archive", "red", "udp");
	not_arrived("archive", "red", "udp");
	allowed("blue", "gateway", "icmp");
	assert_int_equal(warden_report("admitted", "red").state, ADMITTED);
	assert_int_equal(warden_report("admitted", "archive").state, ADMITTED);
}

static void everything_else_is_denied(void **state)
{
	static const char *const protos[] = { "icmp", "udp", "tcp" };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		denied("blue", "red", protos[i]);
		denied("blue", "archive", protos[i]);
		denied("red", "blue", protos[i]);
		not_arrived("blue", "red", protos[i]);
		not_arrived("blue", "archive", protos[i]);
		not_arrived("red", "blue", protos[i]);
	}
}

/* Each port's drops and each rule's packets; the last number is what no rule fitted. */
static void denied_is_counted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(warden_report("admitted", vms[i]).rules > 0);
	assert_int_equal(warden_report("admitted", "visitor").rules, 0);
	for (unsigned rule = 0; rule <= 3; rule++)
		assert_true(rule_hits(rule) > 0);
}

/* visitor is never admitted: it meets blue, and blue it; nobody else, by nothing, not even ARP. */
static void inspection_is_all_that_quarantine_has(void **state)
{
	static const char *const protos[] = { "arp", "icmp", "udp", "tcp" };
	struct counters c = warden_report("admitted", "visitor");

	(void)state;
	assert_int_equal(c.state, QUARANTINED);
	assert_true(c.in > 0 && c.out > 0 && c.quarantine > 0);
	for (unsigned i = 0; i < 4; i++) {
		allowed("visitor", "blue", protos[i]);
		allowed("blue", "visitor", protos[i]);
		denied("visitor", "red", protos[i]);
		denied("visitor", "archive", protos[i]);
		denied("red", "visitor", protos[i]);
		not_arrived("visitor", "red", protos[i]);
		not_arrived("visitor", "archive", protos[i]);
		not_arrived("red", "visitor", protos[i]);
		not_arrived("archive", "visitor", protos[i]);
	}
	denied("visitor", "gateway", "icmp");
	denied("visitor", "gateway", "arp");
}

#define ANY 0u
#define ETHERTYPE_IPV4 0x0800u

/* Frames of this type, or of any, on the uplink whose source begins so. */
static unsigned on_the_wire(unsigned type, const uint8_t *mac, size_t length)
{
	struct machine_wire wire;
	const uint8_t *frame = wire.frame;
	unsigned n = 0;

	machine_wire_open(&wire, RIG_RESTRICTED);
	while (machine_wire_next(&wire))
		n += memcmp(frame + 6, mac, length) == 0 &&
		     (type == ANY || type == (unsigned)(frame[12] << 8 | frame[13]));
	return n;
}

/* IPv4 of blue alone was on the wire (rules are not for ARP), and of visitor nothing. */
static void only_blue_is_on_the_wire(void **state)
{
	static const uint8_t ours[] = { 0x02, 0x4c, 0x5a }, blue[] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, 0x0f };
	static const uint8_t visitor[] = { 0x02, 0x4c, 0x5a, 0x00, 0x02, 0x0f };
	unsigned of_blue = on_the_wire(ETHERTYPE_IPV4, blue, sizeof(blue));

	(void)state;
	assert_true(of_blue > 0);
	assert_int_equal(on_the_wire(ETHERTYPE_IPV4, ours, sizeof(ours)), of_blue);
	assert_int_equal(on_the_wire(ANY, visitor, sizeof(visitor)), 0);
	machine_silent("LZR-ERROR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quarantine_lets_nothing_through),
	    cmocka_unit_test(rules_let_through_what_they_say),
	    cmocka_unit_test(everything_else_is_denied),
	    cmocka_unit_test(denied_is_counted),
	    cmocka_unit_test(inspection_is_all_that_quarantine_has),
	    cmocka_unit_test(only_blue_is_on_the_wire),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
