/* SPDX-License-Identifier: Apache-2.0 */
/* What the story makes of console lines, verifier events and captures, hostile ones among them, and how it judges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pcap.h"
#include "story_rig.h"
#include "table.h"
#include "watch.h"

static void test_flow_lines(void **state)
{
	(void)state;
	assert_int_equal(find_flow("red", "archive", 3)->first, STORY_UNSEEN);
	story_console(&s, "[red] LZR-FLOW from=red to=archive proto=tcp result=denied attempts=1");
	story_console(&s, "[red] LZR-FLOW from=red to=archive proto=tcp result=allowed attempts=7");
	assert_non_null(find_flow("red", "archive", 3));
	assert_int_equal(find_flow("red", "archive", 3)->first, STORY_DENIED);
	assert_int_equal(find_flow("red", "archive", 3)->last, STORY_ALLOWED);
	assert_int_equal(find_flow("red", "archive", 3)->attempts, 7);
	story_console(&s, "[archive] LZR-ARRIVED at=archive from=red proto=tcp frames=4");
	assert_int_equal(find_flow("red", "archive", 3)->arrived, 4);
}

static void test_a_vm_speaks_only_for_itself(void **state)
{
	(void)state;
	story_console(&s, "[visitor] LZR-FLOW from=red to=archive proto=tcp result=allowed attempts=1");
	assert_int_equal(find_flow("red", "archive", 3)->first, STORY_UNSEEN);
	assert_int_equal(find_flow("visitor", "archive", 3)->first, STORY_ALLOWED);
	story_console(&s, "[visitor] hv: sealed");
	assert_false(s.sealed);
	story_console(&s, "hv: sealed at 5 ms");
	assert_true(s.sealed);
}

static void test_lines_that_are_not_ours(void **state)
{
	static const char *const lines[] = {
		"",
		"[",
		"[]",
		"[red]",
		"[red] ",
		"[nobody] LZR-READY ",
		"[red] LZR-FLOW ",
		"[red] LZR-FLOW to=x proto=gre",
		"[red] LZR-FLOW to= proto=tcp result=allowed",
		"[red] LZR-FLOW from=red to=nobody proto=tcp result=allowed attempts=1",
		"[red] LZR-ARRIVED ",
		"]red[ LZR-READY",
	};

	const unsigned flows = s.flow_count;

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		story_console(&s, lines[i]);
	assert_int_equal(s.flow_count, flows);
	for (unsigned i = 0; i < flows; i++)
		assert_int_equal(s.flow[i].first, STORY_UNSEEN);
	assert_false(s.vm[vm_number("red")].ready);
}

static void test_more_flows_than_fit(void **state)
{
	char line[128];

	(void)state;
	for (unsigned i = 0; i < STORY_FLOWS_MAX + 10; i++) {
		snprintf(line, sizeof(line), "[red] LZR-ARRIVED at=red from=t%u proto=tcp frames=1", i);
		story_console(&s, line);
	}
	assert_int_equal(s.flow_count, STORY_FLOWS_MAX);
}

static void test_events(void **state)
{
	(void)state;
	story_event(&s, "1.000 vm=red good lease serial=4 port=0");
	assert_int_equal(s.vm[vm_number("red")].leases, 1);
	assert_int_equal(s.vm[vm_number("red")].serial, 4);
	story_event(&s, "1.000 switch serial=4 vm=2 status=ok port=admitted lease-ms=100");
	assert_string_equal(s.vm[vm_number("red")].state, "admitted");
	story_event(&s, "1.000 switch serial=5 vm=2 status=wrong-vm port=quarantined lease-ms=0");
	assert_string_equal(s.vm[vm_number("red")].state, "admitted");
	/* The awaited answer counts though others come with it. */
	s.awaited_serial = 6;
	story_event(&s, "1.000 switch serial=6 vm=2 status=signature port=admitted lease-ms=9");
	story_event(&s, "1.000 switch serial=7 vm=2 status=ok port=admitted lease-ms=9");
	assert_string_equal(s.awaited_status, "signature");
	story_event(&s, "1.000 vm=visitor refused reference-missing: image visitor");
	assert_string_equal(s.vm[vm_number("visitor")].verdict, "refused reference-missing: image visitor");
	story_event(&s, "1.000");
	story_event(&s, "1.000 vm=");
	story_event(&s, "1.000 switch vm=99 status=ok port=admitted");
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static void say(const char *from, const char *to, const char *proto, bool allowed)
{
	char line[160];

	snprintf(line, sizeof(line), "[%s] LZR-FLOW from=%s to=%s proto=%s result=%s attempts=4", from, from, to, proto,
		 allowed ? "allowed" : "denied");
	story_console(&s, line);
}

static void test_a_flow_is_judged(void **state)
{
	char wait[STORY_WAIT];

	(void)state;
	assert_false(story_flow_good(find_flow("red", "archive", 3)));       /* never tried */
	assert_false(story_all_tried(&s, wait));
	assert_non_null(strstr(wait, " to try "));
	say("red", "archive", "tcp", false);
	assert_false(story_flow_good(find_flow("red", "archive", 3)));       /* not yet */
	s.released = true;
	say("red", "archive", "tcp", true);
	assert_true(story_flow_good(find_flow("red", "archive", 3)));
	say("red", "archive", "tcp", false);
	assert_false(story_flow_good(find_flow("red", "archive", 3)));
	say("red", "blue", "tcp", true);
	assert_false(story_flow_good(find_flow("red", "blue", 3)));
	say("red", "blue", "tcp", false);
	assert_false(story_flow_good(find_flow("red", "blue", 3)));          /* it passed once */
	say("blue", "red", "tcp", false);
	assert_true(story_flow_good(find_flow("blue", "red", 3)));
	story_console(&s, "[red] LZR-ARRIVED at=red from=blue proto=tcp frames=1");
	assert_false(story_flow_good(find_flow("blue", "red", 3)));          /* nobody answered, but it came */
}

/* Through quarantine before the first lease, though the policy has no inspection there. */
static void test_too_early_is_not_good(void **state)
{
	(void)state;
	say("red", "archive", "tcp", true);
	s.released = true;
	say("red", "archive", "tcp", true);
	assert_false(story_flow_good(find_flow("red", "archive", 3)));
}

static void see_all(void)
{
	static const char *const admitted[] = { "red", "archive", "blue" };
	char line[200];

	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < s.flow_count; i++) {
			const struct story_flow *f = &s.flow[i];

			say(f->from, f->to, story_protos[f->proto], round ? f->expected.now : f->expected.first);
		}
		s.released = true;
	}
	for (unsigned i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "1.000 vm=%s good lease serial=%u port=%u", admitted[i], i + 1, i);
		story_event(&s, line);
		snprintf(line, sizeof(line), "1.000 switch serial=%u vm=%u status=ok port=admitted lease-ms=100", i + 1,
			 vm_number(admitted[i]));
		story_event(&s, line);
	}
	story_event(&s, "1.000 vm=switch good no-lease");
	story_event(&s, "1.000 vm=attestor good no-lease");
	story_event(&s, "1.000 vm=visitor refused reference-missing: image visitor");
	for (unsigned n = 0; n < s.view.vm_count; n++) {
		snprintf(line, sizeof(line), "[%s] LZR-ASK vm=%s result=ok echoed=yes bytes=3", s.vm[n].policy->name,
			 s.vm[n].policy->name);
		if (story_is_guest(&s, &s.vm[n]))
			story_console(&s, line);
	}
}

static unsigned bad_lines(char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");
	unsigned bad = table_vms(out, &s) + table_flows(out, &s);

	fclose(out);
	return bad;
}

static unsigned count_text(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* All that is counted as bad is marked, and the other way round. */
static void test_every_bad_line_is_marked(void **state)
{
	static char text[65536];
	char wait[STORY_WAIT];

	(void)state;
	see_all();
	assert_true(story_complete(&s, wait));
	assert_string_equal(wait, "");
	assert_int_equal(bad_lines(text, sizeof(text)), 0);
	assert_int_equal(count_text(text, "UNEXPECTED"), 0);
	assert_int_equal(count_text(text, "not tried"), 0);

	story_event(&s, "1.000 vm=visitor good lease serial=9 port=3");
	assert_int_equal(bad_lines(text, sizeof(text)), 1);
	assert_int_equal(count_text(text, "UNEXPECTED"), 1);
	story_event(&s, "1.000 switch serial=9 vm=5 status=ok port=admitted lease-ms=100");
	assert_int_equal(count_text(text, "UNEXPECTED"), 1);
	assert_int_equal(bad_lines(text, sizeof(text)), 2);
	assert_int_equal(count_text(text, "UNEXPECTED"), 2);
	story_console(&s, "[blue] LZR-ASK vm=blue result=failed");
	assert_int_equal(bad_lines(text, sizeof(text)), 3);
	assert_int_equal(count_text(text, "UNEXPECTED"), 3);
	assert_non_null(strstr(text, "NOT answered"));
	say("visitor", "red", "udp", true);
	assert_int_equal(bad_lines(text, sizeof(text)), 4);
	assert_int_equal(count_text(text, "UNEXPECTED"), 4);
}

static void test_what_is_waited_for(void **state)
{
	char wait[STORY_WAIT];
	unsigned changes;

	(void)state;
	story_console(&s, "hv: sealed at 5 ms");
	see_all();
	strcpy(s.vm[vm_number("blue")].state, "quarantined");
	assert_false(story_complete(&s, wait));
	assert_string_equal(wait, "blue: its admission");
	strcpy(s.vm[vm_number("blue")].state, "admitted");
	s.vm[vm_number("switch")].verdict[0] = 0;
	assert_false(story_complete(&s, wait));
	assert_string_equal(wait, "switch: a verdict about it");
	story_event(&s, "1.000 vm=switch good no-lease");
	say("blue", "gateway", "icmp", false);
	assert_false(story_complete(&s, wait));
	assert_non_null(strstr(wait, "blue to reach gateway by icmp"));
	/* What was so before is no progress: waiting for it ends. */
	changes = s.changes;
	say("blue", "gateway", "icmp", false);
	story_event(&s, "1.000 vm=switch good no-lease");
	story_console(&s, "[blue] LZR-ROUNDS vm=blue rounds=8");
	assert_int_equal(s.changes, changes);
	say("blue", "gateway", "icmp", true);
	assert_true(s.changes > changes);
	assert_true(story_complete(&s, wait));
}

static void test_wires(void **state)
{
	static const uint8_t visitor[6] = { 0x02, 0x4c, 0x5a, 0, 2, 0x0f }, blue[6] = { 0x02, 0x4c, 0x5a, 0, 3, 0x0f };
	struct pcap_counts wires[STORY_WIRES] = { 0 };
	const char *const names[STORY_WIRES] = { "nic0", "nic1" };
	static char text[8192];
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	wires[0].count = 1;
	memcpy(wires[0].mac[0].mac, blue, 6);
	wires[0].mac[0].sent = 3;
	assert_int_equal(table_wires(out, &s, wires, names, STORY_WIRES), 0);
	wires[1] = wires[0];            /* blue's frames on the other network's wire */
	assert_int_equal(table_wires(out, &s, wires, names, STORY_WIRES), 1);
	memcpy(wires[1].mac[0].mac, visitor, 6);        /* of one that was never admitted */
	assert_int_equal(table_wires(out, &s, wires, names, STORY_WIRES), 1);
	fclose(out);
	assert_int_equal(count_text(text, "UNEXPECTED"), 2);
}

static void test_checks(void **state)
{
	static const struct table_check checks[] = {
		{ "one", "why", false, true }, { "two", "bad", false, false }, { "three", "fine", true, false },
	};
	static char text[1024];
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(table_checks(out, checks, 3), 1);
	fclose(out);
	assert_int_equal(count_text(text, "not tried: why"), 1);
	assert_int_equal(count_text(text, "UNEXPECTED bad"), 1);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

static void test_captures(void **state)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };
	struct { uint32_t header[6], record[4]; uint8_t frame[16];
	} capture = {
		.header = { 0xa1b2c3d4 },
		.record = { 0, 0, 16, 16 },
		.frame = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1 },
	};
	char path[] = "/tmp/story-XXXXXX";
	struct pcap_counts counts = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, &capture, sizeof(capture));
	assert_true(pcap_read(path, &counts));
	assert_int_equal(counts.frames, 1);
	assert_int_equal(pcap_sent(&counts, mac), 1);
	write_file(path, &capture, sizeof(capture) - 10);       /* still being written */
	assert_true(pcap_read(path, &counts));
	capture.record[2] = 0xffffffff;
	write_file(path, &capture, sizeof(capture));
	assert_false(pcap_read(path, &counts));
	capture.header[0] = 1;
	write_file(path, &capture, sizeof(capture));
	assert_false(pcap_read(path, &counts));
	unlink(path);
	assert_false(pcap_read(path, &counts));
}

static unsigned lines_seen;

static void count_line(void *context, const char *text)
{
	(void)context;
	assert_string_equal(text, "a line");
	lines_seen++;
}

static void test_watch_takes_whole_lines(void **state)
{
	char path[] = "/tmp/story-XXXXXX";
	struct watch w = { .path = path };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a line\r\na l", 11), 11);
	watch_lines(&w, count_line, NULL);
	assert_int_equal(lines_seen, 1);
	assert_int_equal(write(fd, "ine\n", 4), 4);
	watch_lines(&w, count_line, NULL);
	watch_lines(&w, count_line, NULL);
	assert_int_equal(lines_seen, 2);
	close(fd);
	unlink(path);
	watch_lines(&w, count_line, NULL);
	assert_int_equal(lines_seen, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flow_lines, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_a_vm_speaks_only_for_itself, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_lines_that_are_not_ours, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_more_flows_than_fit, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_events, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_a_flow_is_judged, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_too_early_is_not_good, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_every_bad_line_is_marked, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_what_is_waited_for, story_rig_workstation, story_rig_end),
		cmocka_unit_test_setup_teardown(test_wires, story_rig_workstation, story_rig_end),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_watch_takes_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
