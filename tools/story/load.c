/* SPDX-License-Identifier: Apache-2.0 */
/* The story's files read, and from them all that is expected: a row for every pair, whether or not it can be tried. */
#include "model.h"

#include "check.h"
#include "file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define INPUT_MAX (1u << 20)

static bool has_reference(const struct reference *r, const char *image)
{
	for (size_t i = 0; i < r->image_count; i++)
		if (strcmp(r->image[i].name, image) == 0)
			return true;
	return false;
}

static unsigned policy_vm(const struct story *s, const struct story_vm *vm)
{
	return find_vm(&s->policy, vm->policy->name);
}

/* A bundle without a statement about each VM, the attestor's own among them, is refused. */
static bool attests_all(const struct policy *p, unsigned attestor)
{
	for (unsigned vm = 0; vm < p->vm_count; vm++)
		if (!policy_attests(p, attestor, vm))
			return false;
	return true;
}

bool story_on_rig(const struct policy *p, unsigned device, unsigned *wire)
{
	if (device == NONE || !p->devices[device].has_pci)
		return false;
	*wire = p->devices[device].pci[0] - 1;        /* tools/rig.h: behind one root port each */
	return *wire < STORY_WIRES && !p->devices[device].pci[1] && !p->devices[device].pci[2];
}

unsigned story_uplink(const struct story *s, unsigned port)
{
	return s->policy.networks[s->policy.ports[port].network].uplink;
}

static const char *find_verifier(struct story *s)
{
	const struct policy *p = &s->policy;
	unsigned attestor, wire;

	if (s->view.attestor >= s->view.vm_count)
		return "no VM attests";
	attestor = policy_vm(s, &s->vm[s->view.attestor]);
	if (!attests_all(p, attestor))
		return "the attestor may not attest every VM, so that each of its bundles is refused";
	if (!p->fabric.has_control || p->fabric.control_vm != attestor)
		return "the attestor has no control channel to the switch";
	for (unsigned i = 0; i < p->endpoint_count && !s->endpoint; i++)
		if (p->ports[p->endpoints[i].port].vm == attestor && p->endpoints[i].protocol == PROTOCOL_TCP)
			s->endpoint = &p->endpoints[i];
	if (!s->endpoint)
		return "the attestor's port has no endpoint of TCP";
	if (!story_on_rig(p, story_uplink(s, s->endpoint->port), &wire))
		return "the attestor's network has no uplink that the emulated machine has";
	return s->endpoint->ip[0] == 10 && s->endpoint->ip[1] == 0 && s->endpoint->ip[2] == story_wire_net[wire] ? NULL
		: "the verifier's endpoint is not on that uplink's network of the emulated machine";
}

/* The port takes results that the story's verifier signs. */
static bool knows_key(const struct story *s, const struct policy_port *port)
{
	for (unsigned i = 0; i < port->quarantine.key_count; i++)
		if (port->quarantine.keys[i] == s->verifier_key)
			return true;
	return false;
}

static void set_up_vm(struct story *s, unsigned n)
{
	const struct policy *p = &s->policy;
	struct story_vm *vm = &s->vm[n];
	const unsigned number = policy_vm(s, vm);

	vm->port = -1;
	for (unsigned i = p->port_count; i-- > 0;)
		if (p->ports[i].vm == number)
			vm->port = (int)i;
	for (unsigned i = 0; i < p->channel_count; i++)
		vm->has_channel |= p->channels[i].vm == number && s->view.attestor < s->view.vm_count &&
				   p->channels[i].service == policy_vm(s, &s->vm[s->view.attestor]);
	if (vm->port < 0)
		strcpy(vm->state, vm->policy->service ? "service" : "no port");
	else
		strcpy(vm->state, p->ports[vm->port].infrastructure ? "infrastructure" : "quarantined");
	vm->has_reference = has_reference(&s->reference, vm->policy->image);
	vm->expect_admitted = !s->unverified && story_is_guest(s, vm) && vm->has_reference &&
			      knows_key(s, &p->ports[vm->port]);
	for (unsigned i = 0; i < p->port_count; i++)
		if (p->ports[i].vm == number)
			s->expect.admissible[i] = vm->expect_admitted;
}

/* The address that the guest was told, of itself or of somebody, against the policy's. */
static bool told_right(const char *told, const struct policy_port *port, bool with_mac)
{
	char right[48];
	int n = snprintf(right, sizeof(right), "%u.%u.%u.%u", port->ip[0], port->ip[1], port->ip[2], port->ip[3]);

	if (with_mac)
		snprintf(right + n, sizeof(right) - (size_t)n, "/%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0],
			 port->mac[1], port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
	return strcasecmp(told, right) == 0;
}

/* The emulated networks' own gateways answer, each on its wire. */
static bool gateway_there(const struct story *s, const struct policy_port *port)
{
	const struct policy_network *network = &s->policy.networks[port->network];
	unsigned wire;

	return network->uplink == NONE ||
	       (story_on_rig(&s->policy, network->uplink, &wire) && network->gateway[0] == 10 && !network->gateway[1] &&
		network->gateway[2] == story_wire_net[wire] && network->gateway[3] == 2);
}

/* Why the VM's image does not try anything, or this; NULL: it does. */
static const char *why_untried(const struct story *s, const struct story_vm *from, const struct story_vm *to)
{
	const struct policy_port *port = &s->policy.ports[from->port];
	char told[64], gateway[16];

	if (!from->words[0])
		return "its image has no words lzr.*, so it tries what it likes";
	if (!words_get(from->words, "lzr.ip", told, sizeof(told)) || !told_right(told, port, false))
		return "lzr.ip on its command line is not its address in the policy";
	if (to) {
		if (story_is_guest(s, to) && !to->words[0])
			return "the other's image has no words lzr.*, so it answers if it likes";
		if (!words_peer(from->words, to->policy->name, told, sizeof(told)))
			return "not in lzr.peers on its command line";
		return told_right(told, &s->policy.ports[to->port], true) ? NULL
			: "lzr.peers on its command line has another address";
	}
	snprintf(gateway, sizeof(gateway), "%u.%u.%u.%u", s->policy.networks[port->network].gateway[0],
		 s->policy.networks[port->network].gateway[1], s->policy.networks[port->network].gateway[2],
		 s->policy.networks[port->network].gateway[3]);
	if (!words_get(from->words, "lzr.gw", told, sizeof(told)) || strcmp(told, gateway) != 0)
		return "lzr.gw on its command line is not the policy's gateway";
	return gateway_there(s, port) ? NULL : "the emulated machine has no such gateway behind this uplink";
}

static bool add_row(struct story *s, const struct story_vm *from, const struct story_vm *to, unsigned proto)
{
	const char *why = why_untried(s, from, to);
	struct story_flow *flow = story_flow(s, from->policy->name, to ? to->policy->name : "gateway", proto);

	if (flow && why)
		snprintf(flow->untried, sizeof(flow->untried), "%s", why);
	return flow != NULL;
}

static bool has_gateway(const struct story *s, const struct story_vm *vm)
{
	return s->policy.networks[s->policy.ports[vm->port].network].has_gateway;
}

bool story_set_up(struct story *s)
{
	bool ok = true;

	s->expect.policy = &s->policy;
	s->expect.sw = ask_open(&s->policy);
	if (!s->expect.sw) {
		fprintf(stderr, "story: expected a policy with a switch that has room for it\n");
		return false;
	}
	for (unsigned n = 0; n < s->view.vm_count; n++)
		s->vm[n].policy = &s->view.vm[n];
	s->unverified = find_verifier(s);
	for (unsigned n = 0; n < s->view.vm_count; n++)
		set_up_vm(s, n);
	for (unsigned a = 0; ok && a < s->view.vm_count; a++) {
		const struct story_vm *from = &s->vm[a];

		if (!story_is_guest(s, from))
			continue;
		for (unsigned b = 0; ok && b < s->view.vm_count; b++)
			for (unsigned p = 0; ok && a != b && s->vm[b].port >= 0 && p < STORY_PROTOS; p++)
				ok = add_row(s, from, &s->vm[b], p);
		/* An emulated gateway answers ARP and ICMP only. */
		for (unsigned p = 0; ok && p < 2 && has_gateway(s, from); p++)
			ok = add_row(s, from, NULL, p);
	}
	return ok;
}

/* Which of the policy's verifier keys it is that the story's verifier signs with. */
static void find_key(struct story *s, const char *keys)
{
	uint8_t x[48], y[48];
	char path[PATH_MAX];

	s->verifier_key = NONE;
	snprintf(path, sizeof(path), "%s/verifier.lzrkey", keys);
	if (!key_file_point(path, x, y))
		return;
	for (unsigned i = 0; i < s->policy.key_count; i++)
		if (!memcmp(s->policy.keys[i].x, x, sizeof(x)) && !memcmp(s->policy.keys[i].y, y, sizeof(y)))
			s->verifier_key = i;
}

static bool load_source(struct story *s, const struct story_files *files)
{
	struct report report = { 0 };
	struct node *root = source_read(files->source, &report);

	if (root)
		model_read(&s->policy, root, files->keys, &report);
	if (report.errors)
		report_print(&report, stderr);
	report_free(&report);
	return root && !report.errors;
}

bool story_load(struct story *s, const struct story_files *files)
{
	struct bytes policy = { 0 };
	struct fault f = { 0 };
	char text[700];
	bool ok;

	memset(s, 0, sizeof(*s));
	ok = file_read(files->policy, INPUT_MAX, &policy, &f) && policyview_read(policy, &s->view, &f) &&
	     reference_load(files->reference, &s->reference, &f);
	if (!ok) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "story: %s\n", text);
	}
	file_free(&policy);
	ok = ok && load_source(s, files);
	if (ok)
		find_key(s, files->keys);
	for (unsigned n = 0; ok && n < s->view.vm_count; n++)
		ok = words_of_image(s->view.vm[n].image, files->images, files->image_count, s->vm[n].words);
	return ok && story_set_up(s);
}
