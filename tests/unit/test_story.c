/* SPDX-License-Identifier: Apache-2.0 */
/* What the story makes of console lines, verifier events and captures; hostile lines among them. */
#include "model.h"
#include "pcap.h"
#include "watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct story s;

static void add_vm(unsigned n, const char *name, uint8_t level, uint32_t network, uint32_t kind, bool admitted)
{
	struct policyview_vm *p = &s.view.vm[n];

	snprintf(p->name, sizeof(p->name), "%s", name);
	p->label.level = level;
	s.ports[n] = (struct lzr_switch_port){ .kind = kind, .vm = n, .network = network };
	s.vm[n] = (struct story_vm){ .policy = p, .port = (int)n, .expect_admitted = admitted };
	strcpy(s.vm[n].state, "quarantined");
	s.view.vm_count = s.header.port_count = n + 1;
}

static int set_up(void **state)
{
	(void)state;
	memset(&s, 0, sizeof(s));
	s.networks[0].uplink = LZR_SWITCH_NONE;
	s.networks[1].uplink = 0;
	add_vm(0, "red", 2, 0, LZR_PORT_GUEST, true);
	add_vm(1, "archive", 2, 0, LZR_PORT_GUEST, true);
	add_vm(2, "blue", 1, 1, LZR_PORT_GUEST, true);
	add_vm(3, "visitor", 0, 1, LZR_PORT_GUEST, false);
	return 0;
}

static struct story_flow *flow(const char *from, const char *to, unsigned proto)
{
	for (unsigned i = 0; i < s.flow_count; i++)
		if (strcmp(s.flow[i].from, from) == 0 && strcmp(s.flow[i].to, to) == 0 && s.flow[i].proto == proto)
			return &s.flow[i];
	return NULL;
}

static void test_flow_lines(void **state)
{
	(void)state;
	story_console(&s, "[red] LZR-FLOW from=red to=archive proto=tcp result=denied attempts=1");
	story_console(&s, "[red] LZR-FLOW from=red to=archive proto=tcp result=allowed attempts=7");
	assert_non_null(flow("red", "archive", 3));
	assert_int_equal(flow("red", "archive", 3)->first, STORY_DENIED);
	assert_int_equal(flow("red", "archive", 3)->last, STORY_ALLOWED);
	assert_int_equal(flow("red", "archive", 3)->attempts, 7);
	story_console(&s, "[archive] LZR-ARRIVED at=archive from=red proto=tcp frames=4");
	assert_int_equal(flow("red", "archive", 3)->arrived, 4);
}

static void test_a_vm_speaks_only_for_itself(void **state)
{
	(void)state;
	story_console(&s, "[visitor] LZR-FLOW from=red to=archive proto=tcp result=allowed attempts=1");
	assert_null(flow("red", "archive", 3));
	assert_non_null(flow("visitor", "archive", 3));
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

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		story_console(&s, lines[i]);
	assert_int_equal(s.flow_count, 0);
	assert_false(s.vm[0].ready);
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
	assert_int_equal(s.vm[0].leases, 1);
	assert_int_equal(s.vm[0].serial, 4);
	story_event(&s, "1.000 switch serial=4 vm=0 status=ok port=admitted lease-ms=100");
	assert_string_equal(s.vm[0].state, "admitted");
	story_event(&s, "1.000 switch serial=5 vm=0 status=wrong-vm port=quarantined lease-ms=0");
	assert_string_equal(s.vm[0].state, "admitted");
	/* The awaited answer counts though others come with it. */
	s.awaited_serial = 6;
	story_event(&s, "1.000 switch serial=6 vm=0 status=signature port=admitted lease-ms=9");
	story_event(&s, "1.000 switch serial=7 vm=0 status=ok port=admitted lease-ms=9");
	assert_string_equal(s.awaited_status, "signature");
	story_event(&s, "1.000 vm=visitor refused reference-missing: image visitor");
	assert_string_equal(s.vm[3].verdict, "refused reference-missing: image visitor");
	story_event(&s, "1.000");
	story_event(&s, "1.000 vm=");
	story_event(&s, "1.000 switch vm=99 status=ok port=admitted");
}

static bool expected(const char *from, const char *to, unsigned proto, const char *rule)
{
	struct story_flow f = { .proto = proto };
	const char *found;
	bool result;

	snprintf(f.from, sizeof(f.from), "%s", from);
	snprintf(f.to, sizeof(f.to), "%s", to);
	result = story_expected(&s, &f, &found);
	assert_string_equal(found, rule);
	return result;
}

static void test_expectations(void **state)
{
	(void)state;
	assert_true(expected("red", "archive", 3, "label"));
	assert_false(expected("red", "blue", 3, "label"));
	assert_false(expected("visitor", "blue", 3, "label"));
	assert_true(expected("blue", "gateway", 1, "label"));
	assert_false(expected("blue", "gateway", 3, "network"));
	assert_false(expected("visitor", "gateway", 1, "quarantine"));
	assert_false(expected("red", "gateway", 1, "label"));
	s.vm[1].expect_admitted = false;
	assert_false(expected("red", "archive", 3, "quarantine"));
}

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
		cmocka_unit_test_setup(test_flow_lines, set_up),
		cmocka_unit_test_setup(test_a_vm_speaks_only_for_itself, set_up),
		cmocka_unit_test_setup(test_lines_that_are_not_ours, set_up),
		cmocka_unit_test_setup(test_more_flows_than_fit, set_up),
		cmocka_unit_test_setup(test_events, set_up),
		cmocka_unit_test_setup(test_expectations, set_up),
		cmocka_unit_test_setup(test_captures, set_up),
		cmocka_unit_test_setup(test_watch_takes_whole_lines, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
