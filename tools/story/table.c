/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <inttypes.h>
#include <string.h>

static const char *mark(bool good)
{
	return good ? "ok" : "UNEXPECTED";
}

static const char *expected_state(const struct story *s, const struct story_vm *vm)
{
	if (vm->port < 0)
		return vm->state;
	if (s->ports[vm->port].kind == LZR_PORT_ATTESTOR)
		return "infrastructure";
	return vm->expect_admitted ? "admitted" : "quarantined";
}

unsigned table_vms(FILE *out, struct story *s)
{
	unsigned bad = 0;
	char label[64];

	fprintf(out, "\n%-10s %-12s %-15s %-18s %-10s\n", "VM", "label", "state", "measurement", "");
	for (unsigned n = 0; n < s->view.vm_count; n++) {
		const struct story_vm *vm = &s->vm[n];
		const struct policyview_vm *p = vm->policy;
		const bool good = strcmp(vm->state, expected_state(s, vm)) == 0;

		policyview_label(&s->view, &p->label, label, sizeof(label));
		fprintf(out, "%-10s %-12s %-15s ", p->name, label, vm->state);
		for (unsigned i = 0; i < 8 && p->has_measurement; i++)
			fprintf(out, "%02x", p->measurement[i]);
		fprintf(out, "%s  %s\n", p->has_measurement ? "" : "(measure-only)  ", mark(good));
		fprintf(out, "           verifier: %s\n", vm->verdict[0] ? vm->verdict : "nothing said");
		if (vm->port >= 0 && s->ports[vm->port].kind == LZR_PORT_GUEST)
			fprintf(out, "           its own request over its channel: %s\n",
				vm->ask_good ? "answered with evidence for its nonce" : "NOT answered");
		bad += !good || (vm->asked && !vm->ask_good);
	}
	return bad;
}

static const char *result_name(enum story_result result)
{
	static const char *const names[] = { "-", "denied", "allowed" };

	return names[result];
}

struct flow_line {
	const struct story_flow *flow;
	const char *rule;
	bool good;
};

static struct flow_line judge(struct story *s, const struct story_flow *flow)
{
	struct flow_line l = { .flow = flow };
	const bool expected = story_expected(s, flow, &l.rule);

	l.good = (flow->first == STORY_UNSEEN || (flow->last == STORY_ALLOWED) == expected) &&
		 (expected || !flow->arrived);
	return l;
}

static bool same_line(const struct flow_line *a, const struct flow_line *b)
{
	return strcmp(a->flow->from, b->flow->from) == 0 && strcmp(a->flow->to, b->flow->to) == 0 &&
	       a->flow->first == b->flow->first && a->flow->last == b->flow->last &&
	       !a->flow->arrived == !b->flow->arrived && a->good == b->good && a->rule == b->rule;
}

/*
 * One line for all protocols of a pair that went alike, with their counts added; nothing if an earlier flow's line said
 * it.
 */
static void print_flow(FILE *out, struct story *s, unsigned index)
{
	const struct flow_line line = judge(s, &s->flow[index]);
	uint64_t tried = 0, arrived = 0;
	char protos[32] = "";

	for (unsigned i = 0; i < s->flow_count; i++) {
		const struct flow_line other = judge(s, &s->flow[i]);

		if (!same_line(&line, &other))
			continue;
		if (i < index)
			return;
		strcat(protos, protos[0] ? " " : "");
		strcat(protos, story_protos[s->flow[i].proto]);
		tried += s->flow[i].attempts;
		arrived += s->flow[i].arrived;
	}
	fprintf(out, "%-11s %-10s %-18s %5" PRIu64 "  %-9s %-9s %-11s", line.flow->from, line.flow->to, protos, tried,
		result_name(line.flow->first), result_name(line.flow->last), line.rule);
	if (story_find_vm(s, line.flow->to))
		fprintf(out, " %7" PRIu64 "  %s\n", arrived, mark(line.good));
	else
		fprintf(out, " %7s  %s\n", "(wire)", mark(line.good));
}

unsigned table_flows(FILE *out, struct story *s)
{
	unsigned bad = 0;

	fprintf(out, "\n%-11s %-10s %-18s %5s  %-9s %-9s %-11s %7s\n", "from", "to", "by", "tried", "at first", "now",
		"decided by", "arrived");
	for (unsigned a = 0; a < s->view.vm_count; a++)
		for (unsigned i = 0; i < s->flow_count; i++)
			if (strcmp(s->flow[i].from, s->view.vm[a].name) == 0)
				print_flow(out, s, i);
	for (unsigned i = 0; i < s->flow_count; i++) {
		if (!story_find_vm(s, s->flow[i].from))
			print_flow(out, s, i);
		bad += !judge(s, &s->flow[i]).good;
	}
	fprintf(out, "tried, arrived: at least so many, all protocols together; (wire): see the next table\n");
	return bad;
}

unsigned table_wires(FILE *out, struct story *s, const struct pcap_counts wires[], const char *const names[],
		     unsigned count)
{
	unsigned bad = 0;

	fprintf(out, "\n%-12s %-10s %10s\n", "wire", "sender", "frames");
	for (unsigned w = 0; w < count; w++)
		for (unsigned n = 0; n < s->view.vm_count; n++) {
			const struct story_vm *vm = &s->vm[n];
			const struct lzr_switch_port *port;
			uint64_t sent;
			bool may;

			if (vm->port < 0)
				continue;
			port = &s->ports[vm->port];
			sent = pcap_sent(&wires[w], port->mac);
			may = s->networks[port->network].uplink != LZR_SWITCH_NONE &&
			      strcmp(s->uplinks[s->networks[port->network].uplink].name, names[w]) == 0 &&
			      (port->kind == LZR_PORT_ATTESTOR || vm->expect_admitted);
			fprintf(out, "%-12s %-10s %10" PRIu64 " %s\n", names[w], vm->policy->name, sent,
				mark(may || sent == 0));
			bad += !may && sent != 0;
		}
	return bad;
}

unsigned table_checks(FILE *out, const struct table_check *checks, unsigned count)
{
	unsigned bad = 0;

	fprintf(out, "\n");
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "%-58s %-10s %s\n", checks[i].what, mark(checks[i].good), checks[i].found);
		bad += !checks[i].good;
	}
	return bad;
}

void table_times(FILE *out, const struct table_time *times, unsigned count)
{
	fprintf(out, "\n%-44s %8s %8s\n", "where the time went", "at", "took");
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%-44s %7.1fs %7.1fs\n", times[i].what, times[i].seconds,
			times[i].seconds - (i ? times[i - 1].seconds : 0));
}
