/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "file.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)

const char *const story_protos[STORY_PROTOS] = { "arp", "icmp", "udp", "tcp" };

/* --- loading ------------------------------------------------------------------------------------------------------ */

static bool take(const struct bytes *in, size_t *at, void *out, size_t size, size_t count, size_t most,
		 const char *what)
{
	if (count > most || in->length - *at < size * count) {
		fprintf(stderr, "switch configuration: %zu %s do not fit\n", count, what);
		return false;
	}
	memcpy(out, in->data + *at, size * count);
	*at += size * count;
	return true;
}

static bool load_switch(struct story *s, const struct bytes *in)
{
	size_t at = 0;

	if (!take(in, &at, &s->header, sizeof(s->header), 1, 1, "headers"))
		return false;
	if (memcmp(s->header.magic, LZR_SWITCH_MAGIC, sizeof(s->header.magic)) != 0 ||
	    s->header.version != LZR_SWITCH_VERSION) {
		fprintf(stderr, "switch configuration: expected version %u\n", LZR_SWITCH_VERSION);
		return false;
	}
	return take(in, &at, s->networks, sizeof(s->networks[0]), s->header.network_count, LZR_SWITCH_NETWORK_MAX,
		    "networks") &&
	       take(in, &at, s->uplinks, sizeof(s->uplinks[0]), s->header.uplink_count, LZR_SWITCH_UPLINK_MAX,
		    "uplinks") &&
	       take(in, &at, s->ports, sizeof(s->ports[0]), s->header.port_count, LZR_SWITCH_PORT_MAX, "ports") &&
	       take(in, &at, s->endpoints, sizeof(s->endpoints[0]), s->header.endpoint_count, LZR_SWITCH_ENDPOINT_MAX,
		    "endpoints");
}

static bool has_reference(const struct reference *r, const char *image)
{
	for (size_t i = 0; i < r->image_count; i++)
		if (strcmp(r->image[i].name, image) == 0)
			return true;
	return false;
}

static void set_up_vm(struct story *s, unsigned n)
{
	struct story_vm *vm = &s->vm[n];

	vm->policy = &s->view.vm[n];
	vm->port = -1;
	for (unsigned i = 0; i < s->header.port_count; i++)
		if (s->ports[i].vm == n)
			vm->port = (int)i;
	if (vm->port < 0)
		strcpy(vm->state, vm->policy->service ? "service" : "no port");
	else if (s->ports[vm->port].kind == LZR_PORT_ATTESTOR)
		strcpy(vm->state, "infrastructure");
	else
		strcpy(vm->state, "quarantined");
	vm->expect_admitted = vm->port >= 0 && s->ports[vm->port].kind == LZR_PORT_GUEST &&
			      has_reference(&s->reference, vm->policy->image);
}

bool story_load(struct story *s, const char *policy, const char *switch_config, const char *reference)
{
	struct bytes policy_bytes = { 0 }, switch_bytes = { 0 };
	struct fault f = { 0 };
	char text[700];
	bool ok;

	memset(s, 0, sizeof(*s));
	ok = file_read(policy, INPUT_MAX, &policy_bytes, &f) && policyview_read(policy_bytes, &s->view, &f) &&
	     file_read(switch_config, INPUT_MAX, &switch_bytes, &f) && reference_load(reference, &s->reference, &f);
	if (!ok) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
	}
	ok = ok && load_switch(s, &switch_bytes);
	for (unsigned n = 0; ok && n < s->view.vm_count; n++)
		set_up_vm(s, n);
	file_free(&policy_bytes);
	file_free(&switch_bytes);
	return ok;
}

/* --- what is seen ------------------------------------------------------------------------------------------------- */

struct story_vm *story_find_vm(struct story *s, const char *name)
{
	for (unsigned n = 0; n < s->view.vm_count; n++)
		if (strcmp(s->vm[n].policy->name, name) == 0)
			return &s->vm[n];
	return NULL;
}

/* Value of the word "KEY=VALUE" in a line; empty and false when it is not there. */
static bool word(const char *line, const char *key, char *out, size_t size)
{
	const size_t length = strlen(key);
	const char *at = line;

	out[0] = 0;
	while ((at = strstr(at, key))) {
		if ((at == line || at[-1] == ' ') && at[length] == '=') {
			snprintf(out, size, "%.*s", (int)strcspn(at + length + 1, " "), at + length + 1);
			return true;
		}
		at += length;
	}
	return false;
}

static uint64_t number(const char *line, const char *key)
{
	char text[24];

	return word(line, key, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static struct story_flow *find_flow(struct story *s, const char *from, const char *to, const char *proto)
{
	struct story_flow *flow;
	unsigned p = 0;

	while (p < STORY_PROTOS && strcmp(story_protos[p], proto) != 0)
		p++;
	if (p == STORY_PROTOS || !from[0] || !to[0])
		return NULL;
	for (unsigned i = 0; i < s->flow_count; i++) {
		flow = &s->flow[i];
		if (flow->proto == p && strcmp(flow->from, from) == 0 && strcmp(flow->to, to) == 0)
			return flow;
	}
	if (s->flow_count == STORY_FLOWS_MAX)
		return NULL;
	flow = &s->flow[s->flow_count++];
	memset(flow, 0, sizeof(*flow));
	snprintf(flow->from, sizeof(flow->from), "%s", from);
	snprintf(flow->to, sizeof(flow->to), "%s", to);
	flow->proto = p;
	return flow;
}

static void see_flow(struct story *s, const char *vm, const char *text)
{
	char to[LZR_NAME_MAX], proto[8], result[16];
	struct story_flow *flow;

	word(text, "to", to, sizeof(to));
	word(text, "proto", proto, sizeof(proto));
	word(text, "result", result, sizeof(result));
	/* An image may know of VMs that this policy does not have. */
	if (strcmp(to, "gateway") != 0 && !story_find_vm(s, to))
		return;
	flow = find_flow(s, vm, to, proto);
	if (!flow)
		return;
	flow->last = strcmp(result, "allowed") == 0 ? STORY_ALLOWED : STORY_DENIED;
	if (flow->first == STORY_UNSEEN)
		flow->first = flow->last;
	flow->attempts = number(text, "attempts");
}

static void see_arrival(struct story *s, const char *vm, const char *text)
{
	char from[LZR_NAME_MAX], proto[8];
	struct story_flow *flow;

	word(text, "from", from, sizeof(from));
	word(text, "proto", proto, sizeof(proto));
	flow = find_flow(s, from, vm, proto);
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

	word(text, "result", result, sizeof(result));
	if (strncmp(text, "LZR-READY ", 10) == 0)
		vm->ready = true;
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

	if (strncmp(line, "hv: ", 4) == 0) {
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

	word(line, "status", status, sizeof(status));
	if (number(line, "serial") == s->awaited_serial)
		snprintf(s->awaited_status, sizeof(s->awaited_status), "%s", status);
	/*
	 * A refused result may have been sent to another VM's port: only a result that counted tells of its own VM's.
	 */
	if (strcmp(status, "ok") == 0 && n < s->view.vm_count && s->vm[n].port >= 0 &&
	    word(line, "port", port, sizeof(port)))
		snprintf(s->vm[n].state, sizeof(s->vm[n].state), "%s", port);
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
	if (strncmp(text, "vm=", 3) != 0 || !word(text, "vm", name, sizeof(name)) || !(vm = story_find_vm(s, name)))
		return;
	text += 3 + strlen(name) + 1;
	if (strncmp(text, "good lease ", 11) == 0) {
		vm->leases++;
		vm->serial = number(text, "serial");
	}
	snprintf(vm->verdict, sizeof(vm->verdict), "%s", text);
}

/* --- what is expected --------------------------------------------------------------------------------------------- */

static bool expect_to_gateway(const struct story *s, const struct story_vm *from, const struct story_flow *flow,
			      const char **rule)
{
	const struct lzr_switch_port *port = &s->ports[from->port];

	if (port->kind == LZR_PORT_ATTESTOR) {
		*rule = "endpoint";
		return false;
	}
	if (!from->expect_admitted) {
		*rule = "quarantine";
		return false;
	}
	/* The emulated gateway answers ARP and ICMP and nothing else. */
	*rule = flow->proto < 2 ? "label" : "network";
	return s->networks[port->network].uplink != LZR_SWITCH_NONE && flow->proto < 2;
}

/* Frames from an address on a wire: for the attestor from its endpoints, for others when they are admitted. */
static bool expect_from_wire(const struct story *s, const struct story_vm *to, const char *address, const char **rule)
{
	const bool infrastructure = to && to->port >= 0 && s->ports[to->port].kind == LZR_PORT_ATTESTOR;
	char text[INET_ADDRSTRLEN];

	*rule = infrastructure ? "endpoint" : "quarantine";
	if (!to || to->port < 0 || s->networks[s->ports[to->port].network].uplink == LZR_SWITCH_NONE)
		return false;
	for (unsigned i = 0; infrastructure && i < s->header.endpoint_count; i++)
		if (inet_ntop(AF_INET, s->endpoints[i].ipv4, text, sizeof(text)) && strcmp(text, address) == 0)
			return true;
	return !infrastructure && to->expect_admitted;
}

bool story_expected(struct story *s, const struct story_flow *flow, const char **rule)
{
	const struct story_vm *from = story_find_vm(s, flow->from), *to = story_find_vm(s, flow->to);

	if (!from)
		return expect_from_wire(s, to, flow->from, rule);
	if (from->port < 0) {
		*rule = "network";
		return false;
	}
	if (!to)
		return expect_to_gateway(s, from, flow, rule);
	if (s->ports[from->port].kind == LZR_PORT_ATTESTOR ||
	    (to->port >= 0 && s->ports[to->port].kind == LZR_PORT_ATTESTOR)) {
		*rule = "endpoint";
		return false;
	}
	if (!lzr_label_equal(&from->policy->label, &to->policy->label)) {
		*rule = "label";
		return false;
	}
	if (!from->expect_admitted || !to->expect_admitted) {
		*rule = "quarantine";
		return false;
	}
	*rule = to->port >= 0 && s->ports[from->port].network == s->ports[to->port].network ? "label" : "network";
	return to->port >= 0 && s->ports[from->port].network == s->ports[to->port].network;
}

static bool tried(const struct story *s, const struct story_vm *from, const struct story_vm *to)
{
	unsigned seen = 0;

	for (unsigned i = 0; i < s->flow_count; i++)
		if (s->flow[i].first != STORY_UNSEEN && strcmp(s->flow[i].from, from->policy->name) == 0 &&
		    strcmp(s->flow[i].to, to->policy->name) == 0)
			seen++;
	return seen == STORY_PROTOS;
}

static bool is_guest(const struct story *s, const struct story_vm *vm)
{
	return vm->port >= 0 && s->ports[vm->port].kind == LZR_PORT_GUEST;
}

bool story_all_tried(const struct story *s)
{
	for (unsigned a = 0; a < s->view.vm_count; a++)
		for (unsigned b = 0; b < s->view.vm_count; b++)
			if (a != b && is_guest(s, &s->vm[a]) && is_guest(s, &s->vm[b]) &&
			    !tried(s, &s->vm[a], &s->vm[b]))
				return false;
	return true;
}

bool story_expects_copy(const struct story *s)
{
	const struct story_vm *from = s->disk_vm;

	for (unsigned n = 0; from && from->expect_admitted && n < s->view.vm_count; n++) {
		const struct story_vm *to = &s->vm[n];

		if (to != from && is_guest(s, to) && to->expect_admitted &&
		    s->ports[to->port].network == s->ports[from->port].network)
			return true;
	}
	return false;
}

bool story_complete(struct story *s)
{
	const char *rule;

	if (!story_all_tried(s))
		return false;
	for (unsigned n = 0; n < s->view.vm_count; n++) {
		const struct story_vm *vm = &s->vm[n];

		if (vm->expect_admitted && strcmp(vm->state, "admitted") != 0)
			return false;
		if (is_guest(s, vm) && (!vm->verdict[0] || !vm->asked))
			return false;
	}
	for (unsigned i = 0; i < s->flow_count; i++)
		if (s->flow[i].last == STORY_DENIED && story_expected(s, &s->flow[i], &rule))
			return false;
	return !story_expects_copy(s) || s->copy_good;
}
