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
	if (!story_is_guest(s, vm))
		return "infrastructure";
	return vm->expect_admitted ? "admitted" : "quarantined";
}

static unsigned print_verdict(FILE *out, const struct story *s, const struct story_vm *vm)
{
	const char *expected = story_expected_verdict(s, vm);
	const bool good = expected ? strncmp(vm->verdict, expected, strlen(expected)) == 0 : !vm->verdict[0];

	fprintf(out, "           verifier: %s", vm->verdict[0] ? vm->verdict : "nothing said");
	if (good)
		fprintf(out, "  %s\n", mark(true));
	else
		fprintf(out, ", expected: %s  %s\n", expected ? expected : "nothing, for nobody can be admitted",
			mark(false));
	return !good;
}

static unsigned print_ask(FILE *out, const struct story_vm *vm)
{
	if (!vm->has_channel) {
		fprintf(out, "           its own request: not tried, the policy gives it no channel to the attestor\n");
		return 0;
	}
	if (!story_expects_ask(vm) && !vm->asked) {
		fprintf(out, "           its own request: not tried, its image has no words lzr.*\n");
		return 0;
	}
	fprintf(out, "           its own request over its channel: %s  %s\n",
		vm->ask_good ? "answered with evidence for its nonce" : "NOT answered", mark(vm->ask_good));
	return !vm->ask_good;
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
		fprintf(out, "%s  %s", p->has_measurement ? "" : "(measure-only)  ", mark(good));
		if (!good)
			fprintf(out, ", expected: %s", expected_state(s, vm));
		fputc('\n', out);
		bad += !good + print_verdict(out, s, vm);
		if (story_is_guest(s, vm))
			bad += print_ask(out, vm);
	}
	return bad;
}

static const char *result_name(enum story_result result)
{
	static const char *const names[] = { "-", "denied", "allowed" };

	return names[result];
}

static bool same_line(const struct story_flow *a, const struct story_flow *b)
{
	return strcmp(a->from, b->from) == 0 && strcmp(a->to, b->to) == 0 && a->first == b->first &&
	       a->last == b->last && !a->arrived == !b->arrived && story_flow_good(a) == story_flow_good(b) &&
	       strcmp(a->expected.rule, b->expected.rule) == 0 && strcmp(a->untried, b->untried) == 0;
}

/* What would have been right, behind a line that is not. */
static void print_expected(FILE *out, const struct story_flow *flow)
{
	const struct expected *e = &flow->expected;

	fprintf(out, ", expected: %s at first, %s now%s", result_name(e->first ? STORY_ALLOWED : STORY_DENIED),
		result_name(e->now ? STORY_ALLOWED : STORY_DENIED),
		flow->arrived && !e->arrives ? ", and that nothing arrives" : "");
	if (flow->held != STORY_UNSEEN && (flow->held == STORY_ALLOWED) != e->first)
		fprintf(out, " (%s before the first lease)", result_name(flow->held));
}

/*
 * One line for all protocols of a pair that went alike, with their counts added; nothing if an earlier flow's line said
 * it.
 */
static void print_flow(FILE *out, struct story *s, unsigned index)
{
	const struct story_flow *line = &s->flow[index];
	const bool good = story_flow_good(line), seen = line->first != STORY_UNSEEN || line->arrived;
	uint64_t tried = 0, arrived = 0;
	char protos[32] = "";

	for (unsigned i = 0; i < s->flow_count; i++) {
		if (!same_line(line, &s->flow[i]))
			continue;
		if (i < index)
			return;
		strcat(protos, protos[0] ? " " : "");
		strcat(protos, story_protos[s->flow[i].proto]);
		tried += s->flow[i].attempts;
		arrived += s->flow[i].arrived;
	}
	fprintf(out, "%-11s %-10s %-18s ", line->from, line->to, protos);
	if (line->untried[0] && !seen) {
		fprintf(out, "not tried: %s\n", line->untried);
		return;
	}
	fprintf(out, "%5" PRIu64 "  %-9s %-9s %-11s", tried, result_name(line->first), result_name(line->last),
		line->expected.rule);
	if (story_find_vm(s, line->to))
		fprintf(out, " %7" PRIu64 "  ", arrived);
	else
		fprintf(out, " %7s  ", "(wire)");
	if (good && line->untried[0])
		fprintf(out, "not judged: %s", line->untried);
	else
		fprintf(out, "%s", mark(good));
	if (!good)
		print_expected(out, line);
	fputc('\n', out);
}

unsigned table_flows(FILE *out, struct story *s)
{
	unsigned bad = 0, untried = 0;

	fprintf(out, "\n%-11s %-10s %-18s %5s  %-9s %-9s %-11s %7s\n", "from", "to", "by", "tried", "at first", "now",
		"decided by", "arrived");
	for (unsigned i = 0; i < s->flow_count; i++) {
		print_flow(out, s, i);
		bad += !story_flow_good(&s->flow[i]);
		untried += s->flow[i].untried[0] != 0;
	}
	fprintf(out, "tried, arrived: at least so many, all protocols together; (wire): see the next table\n");
	if (untried)
		fprintf(out, "%u of %u not tried: all that is known of them is that nothing forbidden was seen\n",
			untried, s->flow_count);
	return bad;
}

/* The VM's network leads to this wire, and may carry its frames there. */
static bool may_send(const struct story *s, const struct story_vm *vm, unsigned wire)
{
	unsigned own;

	return story_on_rig(&s->policy, story_uplink(s, (unsigned)vm->port), &own) && own == wire &&
	       expect_wire(&s->expect, (unsigned)vm->port);
}

unsigned table_wires(FILE *out, struct story *s, const struct pcap_counts wires[], const char *const names[],
		     unsigned count)
{
	unsigned bad = 0;

	fprintf(out, "\n%-12s %-10s %10s\n", "wire", "sender", "frames");
	for (unsigned w = 0; w < count; w++)
		for (unsigned n = 0; names[w] && n < s->view.vm_count; n++) {
			const struct story_vm *vm = &s->vm[n];
			uint64_t sent;
			bool good;

			if (vm->port < 0)
				continue;
			sent = pcap_sent(&wires[w], s->policy.ports[vm->port].mac);
			good = !sent || may_send(s, vm, w);
			fprintf(out, "%-12s %-10s %10" PRIu64 " %s\n", names[w], vm->policy->name, sent, mark(good));
			bad += !good;
		}
	return bad;
}

unsigned table_checks(FILE *out, const struct table_check *checks, unsigned count)
{
	unsigned bad = 0;

	fprintf(out, "\n");
	for (unsigned i = 0; i < count; i++) {
		const struct table_check *c = &checks[i];

		fprintf(out, "%-58s %-10s %s\n", c->what, c->untried ? "not tried:" : mark(c->good),
			c->found);
		bad += !c->untried && !c->good;
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
