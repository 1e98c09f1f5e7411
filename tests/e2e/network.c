/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network on the emulated machine, in one boot (tests/policies/network.dts): four Linux guests that try each other
 * and their gateways from their first moment on, a guard with what is above it, the switch, and the warden, which
 * opens, closes and restarts.  What arrived is asked where it would have arrived: the guests say which frames they see,
 * the captures which were on the wire, and the switch's counters must agree.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"
#include "warden.h"

#define DIR "build/run/network"
#define SECONDS 300u

static const char *const vms[] = { "red", "archive", "blue", "release", "visitor" };
#define PORTS (sizeof(vms) / sizeof(vms[0]))

static int boot(void **state)
{
	const struct rig_config config = { .dir = DIR, .esp = "build/tests/esp/network.img", .seconds = SECONDS };

	(void)state;
	return machine_boot(&config, NULL);
}

/* Frames in an uplink's capture whose six bytes at `offset` begin with these. */
static unsigned on_the_wire(unsigned uplink, unsigned offset, const uint8_t *address, size_t length)
{
	struct machine_wire wire;
	unsigned n = 0;

	machine_wire_open(&wire, uplink);
	while (machine_wire_next(&wire))
		n += memcmp(wire.frame + offset, address, length) == 0;
	return n;
}

/* Release has the addresses that all guests try as the attestor's. */
#define GUARD "attestor"

static const uint8_t ours[] = { 0x02, 0x4c, 0x5a }, blue_mac[] = { 0x02, 0x4c, 0x5a, 0x00, 0x03, 0x0f };

static unsigned blue_on_the_wire(void)
{
	return on_the_wire(RIG_RESTRICTED, 6, blue_mac, sizeof(blue_mac));
}

static void quarantine_lets_nothing_through(void **state)
{
	struct counters c;
	unsigned port;

	(void)state;
	for (port = 0; port < PORTS; port++) {
		c = warden_report("quarantine", vms[port]);
		assert_int_equal(c.state, QUARANTINED);
		assert_int_equal(c.in, 0);
		assert_int_equal(c.out, 0);
		assert_true(c.quarantine > 0);
	}
	assert_int_equal(on_the_wire(RIG_UNTRUSTED, 6, ours, sizeof(ours)), 0);
	assert_int_equal(machine_count("LZR-ARRIVED", machine_says("WARDEN report=quarantine vm=red")), 0);
	assert_int_equal(machine_count("result=allowed", machine_says("WARDEN report=quarantine vm=red")), 0);
}

static void wrong_results_are_refused(void **state)
{
	static const char *const reasons[] = {"vm",	  "instance", "measurement", "label",	  "policy",  "nonce",
					      "duration", "expired",  "other-port",  "signature", "nothing", "replay"};
	char text[64];
	unsigned i;

	(void)state;
	machine_says("WARDEN admit port=2");
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		snprintf(text, sizeof(text), "WARDEN refused=%s status=", reasons[i]);
		machine_says(text);
	}
	assert_int_equal(machine_count("WRONG", machine_says("WARDEN admit port=2")), 0);
}

static void equal_labels_exchange_frames(void **state)
{
	static const char *const protos[] = { "arp", "icmp", "udp", "tcp" };
	struct counters red = warden_report("admitted", "red"), archive = warden_report("admitted", "archive");
	char text[80];
	unsigned i;

	(void)state;
	for (i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "LZR-ARRIVED at=archive from=red proto=%s", protos[i]);
		machine_says(text);
		snprintf(text, sizeof(text), "LZR-ARRIVED at=red from=archive proto=%s", protos[i]);
		machine_says(text);
	}
	assert_int_equal(red.state, ADMITTED);
	assert_int_equal(archive.state, ADMITTED);
	assert_true(red.in > 0 && red.out > 0 && archive.in > 0 && archive.out > 0);
	machine_says("LZR-FLOW from=red to=archive proto=tcp result=allowed");
	machine_says("LZR-FLOW from=archive to=red proto=tcp result=allowed");
}

/* By the uplink of its network, blue's frames and nobody else's. */
static void admitted_guest_reaches_its_gateway(void **state)
{
	struct counters blue = warden_report("admitted", "blue");

	(void)state;
	assert_int_equal(blue.state, ADMITTED);
	assert_true(blue.in > 0 && blue.out > 0);
	machine_says("LZR-FLOW from=blue to=gateway proto=arp result=allowed");
	machine_says("LZR-FLOW from=blue to=gateway proto=icmp result=allowed");
	assert_true(blue_on_the_wire() > 0);
}

/* blue is admitted as well, and still reaches nobody of another label, nor they it: from the first line to the last. */
static void different_labels_never_do(void **state)
{
	struct counters blue = warden_report("admitted", "blue"), red = warden_report("admitted", "red");
	const char *stop = machine_says("WARDEN end");

	(void)state;
	assert_int_equal(blue.state, ADMITTED);
	assert_true(blue.label > 0 && red.label > 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=blue from=red", stop), 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=blue from=archive", stop), 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=visitor", stop), 0);
	assert_int_equal(machine_count("from=visitor", stop), machine_count("from=visitor to=", stop));
	assert_int_equal(machine_count("LZR-ARRIVED at=red from=blue", stop), 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=archive from=blue", stop), 0);
}

/* The guard's lease has the guard's label.  From then on blue gets its numbers; until then nobody got anything. */
static void guard_moves_numbers_down(void **state)
{
	const char *refusal = machine_says("WARDEN refused=network-label status=");
	struct counters release = warden_report("admitted", "release");

	(void)state;
	assert_int_equal(machine_count("WRONG", machine_says("WARDEN admit port=3")), 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=blue from=" GUARD, refusal), 0);
	assert_int_equal(machine_count("RELEASE blue has", refusal), 0);
	machine_says("WARDEN admit port=3 status=0");
	assert_int_equal(release.state, ADMITTED);
	assert_true(release.in > 0 && release.out > 0);
	machine_says("LZR-ARRIVED at=blue from=" GUARD " proto=icmp");
	assert_true(machine_number(machine_says("RELEASE blue has"), "has ") > 0);
}

/* Blue tries the guard as it tries everybody, and its frames get there.  Above the guard nobody ever hears anything. */
static void nothing_goes_up_through_the_guard(void **state)
{
	const char *stop = machine_says("WARDEN end");

	(void)state;
	machine_said("LZR-FLOW from=blue to=" GUARD " proto=arp result=allowed");
	machine_said("RELEASE from-low=8");
	machine_said("RELEASE refused=");
	machine_said("SOURCE sent=64");
	machine_silent("SOURCE heard");
	assert_int_equal(machine_count("LZR-ARRIVED at=red from=" GUARD, stop), 0);
	assert_int_equal(machine_count("LZR-ARRIVED at=archive from=" GUARD, stop), 0);
	assert_int_equal(machine_count("LZR-FLOW from=red to=" GUARD " proto=arp result=allowed", stop), 0);
}

/* What `lzr-policy explain` says of that way, with its exit status: 0 allowed, 1 denied, 3 only through a guard. */
static void explained(const char *query, int status, const char *text)
{
	char command[160], answer[4096];
	size_t length;
	FILE *out;

	snprintf(command, sizeof(command),
		 "build/bin/lzr-policy explain --keys keys %s tests/policies/network.dts", query);
	out = popen(command, "r");
	assert_non_null(out);
	length = fread(answer, 1, sizeof(answer) - 1, out);
	answer[length] = 0;
	assert_int_equal(pclose(out), status << 8);
	if (strstr(answer, text) == NULL)
		fail_msg("%s: expected \"%s\", found: %s", query, text, answer);
}

static void policy_says_the_same(void **state)
{
	(void)state;
	explained("release blue icmp", 0, "release to blue, icmp echo: allowed while release and blue are admitted");
	explained("release red icmp", 1, "denied, they are on different networks");
	explained("source blue", 3, "only as far as release lets it");
}

static void lease_runs_out_and_revocation_closes(void **state)
{
	struct counters c = warden_report("expired", "red");

	(void)state;
	assert_int_equal(c.state, QUARANTINED);
	c = warden_report("revoked", "archive");
	assert_int_equal(c.state, BLOCKED);
	assert_int_equal(warden_report("revoked", "red").state, ADMITTED);
}

/* Also on the wire: blue, which is not admitted again, is not seen there any more. */
static void restarted_switch_starts_closed(void **state)
{
	struct counters c;
	unsigned port, before;

	(void)state;
	machine_says("WARDEN restart switch status=0");
	before = blue_on_the_wire();
	for (port = 0; port < PORTS; port++) {
		c = warden_report("restarted", vms[port]);
		assert_int_equal(c.state, QUARANTINED);
		assert_int_equal(c.in, 0);
		assert_int_equal(c.out, 0);
		assert_true(c.quarantine > 0);
	}
	for (port = 0; port < 2; port++) {
		c = warden_report("readmitted", vms[port]);
		assert_int_equal(c.state, ADMITTED);
		assert_true(c.in > 0 && c.out > 0);
	}
	for (port = 2; port < PORTS; port++) {
		c = warden_report("readmitted", vms[port]);
		assert_int_equal(c.state, QUARANTINED);
		assert_int_equal(c.in + c.out, 0);
	}
	assert_int_equal(blue_on_the_wire(), before);
}

/* No frame of visitor, red or archive was ever on a wire; and only who was told to stop did. */
static void nothing_else_happened(void **state)
{
	(void)state;
	machine_says("WARDEN end");
	assert_int_equal(on_the_wire(RIG_UNTRUSTED, 6, ours, sizeof(ours)), 0);
	assert_int_equal(on_the_wire(RIG_RESTRICTED, 6, ours, sizeof(ours)), blue_on_the_wire());
	assert_int_equal(machine_count("stopped, reason", machine_says("WARDEN end")), 1);
	machine_silent("LZR-ERROR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quarantine_lets_nothing_through),
	    cmocka_unit_test(wrong_results_are_refused),
	    cmocka_unit_test(equal_labels_exchange_frames),
	    cmocka_unit_test(admitted_guest_reaches_its_gateway),
	    cmocka_unit_test(guard_moves_numbers_down),
	    cmocka_unit_test(lease_runs_out_and_revocation_closes),
	    cmocka_unit_test(restarted_switch_starts_closed),
	    cmocka_unit_test(different_labels_never_do),
	    cmocka_unit_test(nothing_goes_up_through_the_guard),
	    cmocka_unit_test(policy_says_the_same),
	    cmocka_unit_test(nothing_else_happened),
	};

	return cmocka_run_group_tests(tests, boot, machine_end);
}
