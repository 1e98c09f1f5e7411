/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t story_wire_net[STORY_WIRES] = { 3, 2 };
const char *const story_protos[STORY_PROTOS] = { "arp", "icmp", "udp", "tcp" };

/* --- what is seen ------------------------------------------------------------------------------------------------- */

struct story_vm *story_find_vm(struct story *s, const char *name)
{
	for (unsigned n = 0; n < s->view.vm_count; n++)
		if (strcmp(s->vm[n].policy->name, name) == 0)
			return &s->vm[n];
	return NULL;
}

static uint64_t number(const char *line, const char *key)
{
	char text[24];

	return words_get(line, key, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

/* The end that a name means: a VM's first port, a network's gateway, or an address. */
static bool find_end(struct story *s, const char *name, const struct story_vm *other, struct expect_end *end)
{
	const struct story_vm *vm = story_find_vm(s, name);

	*end = (struct expect_end){ .port = NONE };
	if (vm && vm->port < 0)
		return false;
	if (vm) {
		end->port = (unsigned)vm->port;
		memcpy(end->ip, s->policy.ports[vm->port].ip, 4);
		return true;
	}
	if (strcmp(name, "gateway") != 0)
		return parse_ipv4(name, end->ip);
	if (!other || other->port < 0)
		return false;
	memcpy(end->ip, s->policy.networks[s->policy.ports[other->port].network].gateway, 4);
	return true;
}

static void set_expected(struct story *s, struct story_flow *flow)
{
	static const unsigned protocols[STORY_PROTOS] = { ASK_ARP, PROTOCOL_ICMP, PROTOCOL_UDP, PROTOCOL_TCP };
	struct expect_end from, to;

	strcpy(flow->expected.rule, "network");
	if (find_end(s, flow->from, story_find_vm(s, flow->to), &from) &&
	    find_end(s, flow->to, story_find_vm(s, flow->from), &to))
		expect_flow(&s->expect, &from, &to, protocols[flow->proto], EXPECT_FLOW_PORT, &flow->expected);
	if (!flow->by_vm && flow->expected.arrives && !flow->expected.now)
		strcpy(flow->expected.rule, "answers");
}

struct story_flow *story_flow(struct story *s, const char *from, const char *to, unsigned proto)
{
	struct story_flow *flow;

	if (proto >= STORY_PROTOS || !from[0] || !to[0])
		return NULL;
	for (unsigned i = 0; i < s->flow_count; i++) {
		flow = &s->flow[i];
		if (flow->proto == proto && strcmp(flow->from, from) == 0 && strcmp(flow->to, to) == 0)
			return flow;
	}
	if (s->flow_count == STORY_FLOWS_MAX)
		return NULL;
	flow = &s->flow[s->flow_count++];
	memset(flow, 0, sizeof(*flow));
	snprintf(flow->from, sizeof(flow->from), "%s", from);
	snprintf(flow->to, sizeof(flow->to), "%s", to);
	flow->proto = proto;
	flow->by_vm = story_find_vm(s, from) != NULL;
	set_expected(s, flow);
	return flow;
}

static unsigned find_proto(const char *proto)
{
	unsigned p = 0;

	while (p < STORY_PROTOS && strcmp(story_protos[p], proto) != 0)
		p++;
	return p;
}

static void see_flow(struct story *s, const char *vm, const char *text)
{
	char to[LZR_NAME_MAX], proto[8], result[16];
	struct story_flow *flow;

	words_get(text, "to", to, sizeof(to));
	words_get(text, "proto", proto, sizeof(proto));
	words_get(text, "result", result, sizeof(result));
	/* An image may know of VMs that this policy does not have. */
	if (strcmp(to, "gateway") != 0 && !story_find_vm(s, to))
		return;
	flow = story_flow(s, vm, to, find_proto(proto));
	if (!flow)
		return;
	s->changes += flow->last != (strcmp(result, "allowed") == 0 ? STORY_ALLOWED : STORY_DENIED);
	flow->last = strcmp(result, "allowed") == 0 ? STORY_ALLOWED : STORY_DENIED;
	if (flow->first == STORY_UNSEEN)
		flow->first = flow->last;
	if (!s->released)
		flow->held = flow->last;
	flow->attempts = number(text, "attempts");
}

static void see_arrival(struct story *s, const char *vm, const char *text)
{
	char from[LZR_NAME_MAX], proto[8];
	struct story_flow *flow;

	words_get(text, "from", from, sizeof(from));
	words_get(text, "proto", proto, sizeof(proto));
	flow = story_flow(s, from, vm, find_proto(proto));
	if (flow)
		flow->arrived = number(text, "frames");
}

static void see_error(struct story *s, const char *line)
{
	if (s->errors++ == 0)
		snprintf(s->first_error, sizeof(s->first_error), "%s", line);
}

/* A line that a VM printed; `vm` is the hypervisor's prefix, so no VM speaks for another. */
static void see_vm_line(struct story *s, struct story_vm *vm, const char *text, const char *line)
{
	const char *name = vm->policy->name;
	char result[16];

	words_get(text, "result", result, sizeof(result));
	s->changes += strncmp(text, "LZR-", 4) == 0 && strncmp(text, "LZR-FLOW ", 9) != 0 &&
		      strncmp(text, "LZR-ROUNDS ", 11) != 0 && strncmp(text, "LZR-ARRIVED ", 12) != 0;
	if (strncmp(text, "LZR-READY ", 10) == 0)
		vm->ready = true;
	else if (strncmp(text, "LZR-ROUNDS ", 11) == 0)
		vm->rounds = (unsigned)number(text, "rounds");
	else if (strncmp(text, "LZR-FLOW ", 9) == 0)
		see_flow(s, name, text);
	else if (strncmp(text, "LZR-ARRIVED ", 12) == 0)
		see_arrival(s, name, text);
	else if (strncmp(text, "LZR-COPY ", 9) == 0) {
		snprintf(s->copy, sizeof(s->copy), "%s", text + 9);
		s->copy_good = strcmp(result, "ok") == 0;
	} else if (strncmp(text, "LZR-DISK ", 9) == 0) {
		snprintf(s->disk, sizeof(s->disk), "%s", text + 9);
		s->disk_vm = vm;
		s->disk_good = strcmp(result, "ok") == 0;
	} else if (strncmp(text, "LZR-ASK ", 8) == 0) {
		vm->asked = true;
		vm->ask_good = strcmp(result, "ok") == 0 && strstr(text, " echoed=yes ");
	} else if (strncmp(text, "LZR-ERROR ", 10) == 0)
		see_error(s, line);
}

void story_console(struct story *s, const char *line)
{
	char name[LZR_NAME_MAX];
	const char *end;
	struct story_vm *vm;

	s->changes += !s->sealed;
	if (strncmp(line, "hv: ", 4) == 0) {
		s->changes++;
		if (strstr(line, "sealed"))
			s->sealed = true;
		if (strstr(line, "refused") || strstr(line, "panic") || strstr(line, ": stopped"))
			see_error(s, line);
		return;
	}
	end = strchr(line, ']');
	if (line[0] != '[' || !end || end[1] != ' ')
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
	vm = story_find_vm(s, name);
	if (vm)
		see_vm_line(s, vm, end + 2, line);
}

static void see_switch_status(struct story *s, const char *line)
{
	const uint64_t n = number(line, "vm");
	char port[24], status[32];

	words_get(line, "status", status, sizeof(status));
	if (number(line, "serial") == s->awaited_serial)
		snprintf(s->awaited_status, sizeof(s->awaited_status), "%s", status);
	/*
	 * A refused result may have been sent to another VM's port: only a result that counted tells of its own VM's.
	 */
	if (strcmp(status, "ok") == 0 && n < s->view.vm_count && s->vm[n].port >= 0 &&
	    words_get(line, "port", port, sizeof(port))) {
		s->changes += strcmp(s->vm[n].state, port) != 0;
		snprintf(s->vm[n].state, sizeof(s->vm[n].state), "%s", port);
	}
}

void story_event(struct story *s, const char *line)
{
	const char *text = strchr(line, ' ');
	char name[LZR_NAME_MAX];
	struct story_vm *vm;

	if (!text)
		return;
	text++;
	if (strncmp(text, "switch ", 7) == 0) {
		see_switch_status(s, text);
		return;
	}
	if (strncmp(text, "vm=", 3) != 0 || !words_get(text, "vm", name, sizeof(name)) ||
	    !(vm = story_find_vm(s, name)))
		return;
	text += 3 + strlen(name) + 1;
	s->changes += !vm->verdict[0] || strncmp(vm->verdict, text, 10) != 0;
	if (strncmp(text, "good lease ", 11) == 0) {
		vm->leases++;
		vm->serial = number(text, "serial");
	}
	snprintf(vm->verdict, sizeof(vm->verdict), "%s", text);
}

/* --- what is expected --------------------------------------------------------------------------------------------- */

bool story_is_guest(const struct story *s, const struct story_vm *vm)
{
	return vm->port >= 0 && !s->policy.ports[vm->port].infrastructure;
}

const char *story_expected_verdict(const struct story *s, const struct story_vm *vm)
{
	if (s->unverified)
		return NULL;
	return vm->has_reference ? "good" : "refused reference-missing";
}

bool story_expects_ask(const struct story_vm *vm)
{
	return vm->has_channel && vm->words[0];
}

bool story_expects_copy(const struct story *s)
{
	const struct story_vm *from = s->disk_vm, *to = story_find_vm((struct story *)s, "archive");
	struct expect_end ends[2] = { { .port = NONE }, { .port = NONE } };
	struct expected expected;
	char role[16];

	if (!from || !to || from == to || from->port < 0 || to->port < 0 ||
	    !words_get(from->words, "lzr.role", role, sizeof(role)) || strcmp(role, "red") != 0 ||
	    !words_get(to->words, "lzr.role", role, sizeof(role)) || strcmp(role, "archive") != 0)
		return false;
	ends[0].port = (unsigned)from->port;
	memcpy(ends[0].ip, s->policy.ports[from->port].ip, 4);
	ends[1].port = (unsigned)to->port;
	memcpy(ends[1].ip, s->policy.ports[to->port].ip, 4);
	return expect_flow(&s->expect, &ends[0], &ends[1], PROTOCOL_TCP, EXPECT_COPY_PORT, &expected) && expected.now;
}

bool story_flow_good(const struct story_flow *flow)
{
	const struct expected *e = &flow->expected;

	if (flow->arrived && !e->arrives)
		return false;
	if (flow->untried[0])
		return !(flow->last == STORY_ALLOWED && !e->now && !e->first);
	if (flow->first == STORY_UNSEEN)
		return !flow->by_vm;
	/* Before anybody is admitted, what may not pass must not; what may has its port up at some time. */
	return !(flow->first == STORY_ALLOWED && !e->first) && (flow->held == STORY_ALLOWED) == e->first &&
	       (flow->last == STORY_ALLOWED) == e->now;
}

static bool waits_for(char out[STORY_WAIT], const struct story *s, const struct story_flow *flow, const char *what)
{
	const struct story_vm *from = story_find_vm((struct story *)s, flow->from);

	snprintf(out, STORY_WAIT, "%s %s %s by %s (%u rounds so far)", flow->from, what, flow->to,
		 story_protos[flow->proto], from ? from->rounds : 0);
	return false;
}

bool story_tries_any(const struct story *s)
{
	for (unsigned i = 0; i < s->flow_count; i++)
		if (s->flow[i].by_vm && !s->flow[i].untried[0])
			return true;
	return false;
}

bool story_all_tried(const struct story *s, char out[STORY_WAIT])
{
	for (unsigned i = 0; i < s->flow_count; i++) {
		const struct story_flow *flow = &s->flow[i];

		if (flow->untried[0] || !flow->by_vm)
			continue;
		if (flow->first == STORY_UNSEEN)
			return waits_for(out, s, flow, "to try");
		if (!s->released && flow->expected.first && flow->held != STORY_ALLOWED)
			return waits_for(out, s, flow, "in quarantine to reach");
	}
	out[0] = 0;
	return true;
}

static bool vm_complete(const struct story *s, const struct story_vm *vm, char out[STORY_WAIT])
{
	const char *name = vm->policy->name, *what = NULL;

	if (story_expected_verdict(s, vm) && !vm->verdict[0])
		what = "a verdict about it";
	else if (vm->expect_admitted && strcmp(vm->state, "admitted") != 0)
		what = "its admission";
	else if (story_expects_ask(vm) && !vm->asked)
		what = "an answer to its own request";
	if (what)
		snprintf(out, STORY_WAIT, "%s: %s", name, what);
	return !what;
}

bool story_complete(const struct story *s, char out[STORY_WAIT])
{
	if (!story_all_tried(s, out))
		return false;
	for (unsigned n = 0; n < s->view.vm_count; n++)
		if (!vm_complete(s, &s->vm[n], out))
			return false;
	for (unsigned i = 0; i < s->flow_count; i++) {
		const struct story_flow *flow = &s->flow[i];

		if (flow->untried[0] || !flow->by_vm)
			continue;
		if ((flow->last == STORY_ALLOWED) != flow->expected.now)
			return waits_for(out, s, flow, flow->expected.now ? "to reach" : "to lose");
	}
	if (story_expects_copy(s) && !s->copy_good) {
		snprintf(out, STORY_WAIT, "the file from %s's disk", s->disk_vm->policy->name);
		return false;
	}
	out[0] = 0;
	return true;
}
