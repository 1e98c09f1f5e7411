/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy's source says.  Rules are left out but for their order's effect: what they let through is compared flow
 * by flow (diff_flows.c), since that is what a reviewer must know.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "outline.h"

static const char *vm_name(const struct policy *policy, unsigned vm)
{
	return vm < policy->vm_count ? policy->vms[vm].name : "nobody";
}

static void say_text(struct outline_subject *subject, const char *name, enum judge judge, const char *value)
{
	outline_say(subject, name, judge, text_of("%s", value));
}

static void say_flag(struct outline_subject *subject, const char *name, enum judge judge, bool set)
{
	if (set)
		say_text(subject, name, judge, "");
}

static void say_number(struct outline_subject *subject, const char *name, enum judge judge, uint64_t number)
{
	outline_number(subject, name, judge, PHRASE_ARROW, number, text_of("%" PRIu64, number));
}

static char *label_value(const struct policy *policy, const struct lzr_label *label)
{
	char *text = memory_get(LABEL_TEXT);

	label_text(policy, label, text, LABEL_TEXT);
	return memory_resize(text, strlen(text) + 1);
}

static void say_label(struct outline_subject *subject, const struct policy *policy, const struct lzr_label *label)
{
	outline_say(subject, "label", JUDGE_ANY, label_value(policy, label));
}

static char *join(const char *const *names, unsigned count, const char *separator)
{
	char *text = text_of("%s", "");

	for (unsigned i = 0; i < count; i++)
		text = text_add(text, separator, names[i]);
	return text;
}

static void policy_subject(struct outline *outline, const struct policy *policy)
{
	struct outline_subject *s = outline_add(outline, NULL, text_of("policy"), JUDGE_ANY);

	outline_number(s, "version", JUDGE_LESS, PHRASE_RAISED, policy->version, text_of("%" PRIu64, policy->version));
	outline_say(s, "levels", JUDGE_ANY, join(policy->levels, policy->level_count, " < "));
	if (policy->category_count)
		outline_say(s, "categories", JUDGE_NEVER, join(policy->categories, policy->category_count, ", "));
	s = outline_add(outline, NULL, text_of("machine"), JUDGE_ANY);
	outline_number(s, "memory", JUDGE_MORE, PHRASE_ARROW, policy->machine_memory,
		       text_size(policy->machine_memory));
	say_number(s, "cpus", JUDGE_MORE, policy->machine_cpus);
	say_flag(s, "allow-without-iommu", JUDGE_PRESENT, policy->allow_without_iommu);
}

static void say_key(struct outline_subject *s, const char *name, const char *file, bool read, const uint8_t *hash)
{
	char *hex = text_hex(hash, LZR_DIGEST_SIZE);

	/* What is not shown of the digest is compared all the same. */
	if (file)
		outline_say(s, name, JUDGE_ANY, read ? text_of("%s (%.16s..)", file, hex) : text_of("%s", file))
			->number = strtoull(hex + 2 * LZR_DIGEST_SIZE - 16, NULL, 16);
	free(hex);
}

static void platform_subject(struct outline *outline, const struct policy *policy)
{
	const struct policy_platform *p = &policy->platform;
	struct outline_subject *s = outline_add(outline, NULL, text_of("platform"), JUDGE_ANY);

	say_flag(s, "iommu", JUDGE_ABSENT, p->iommu);
	say_flag(s, "interrupt-remapping", JUDGE_ABSENT, p->interrupt_remapping);
	say_flag(s, "secure-boot", JUDGE_ABSENT, p->secure_boot);
	say_flag(s, "measured-boot", JUDGE_ABSENT, p->measured_boot);
	say_key(s, "signer", p->signer, p->has_signer, p->signer_digest);
	say_key(s, "next-signer", p->next_signer, p->has_next_signer, p->next_signer_digest);
}

static char *conduit_text(const struct policy *policy, const struct policy_conduit *conduit)
{
	switch (conduit->kind) {
	case CONDUIT_NETWORK:
		return text_of("network %s", policy->networks[conduit->index].name);
	case CONDUIT_CHANNEL:
		return text_of("channel %s", policy->channels[conduit->index].name);
	case CONDUIT_NONE:
		break;
	}
	return text_of("nothing");
}

static void say_guard(struct outline_subject *s, const struct policy *policy, const struct policy_vm *vm)
{
	if (!vm->guard)
		return;
	char *from = conduit_text(policy, &vm->from), *to = conduit_text(policy, &vm->to);
	outline_say(s, "guard", JUDGE_PRESENT, text_of("from %s to %s", from, to));
	free(from);
	free(to);
}

static void say_cpu_time(struct outline_subject *s, const struct policy_vm *vm)
{
	char *cpus = text_of("%s", ""), number[16];

	for (unsigned i = 0; i < vm->cpu_count; i++) {
		snprintf(number, sizeof(number), "%u", vm->cpus[i]);
		cpus = text_add(cpus, " ", number);
	}
	outline_say(s, "cpus", JUDGE_ANY, cpus);
	/* A share depends on the others, so a change from or to it counts as more. */
	if (vm->budget_us)
		outline_number(s, "budget", JUDGE_MORE, PHRASE_ARROW, vm->budget_us,
			       text_time(vm->budget_us * 1000ull));
	else
		say_text(s, "shares what is left of its CPUs", JUDGE_PRESENT, "");
	outline_say(s, "period", JUDGE_ANY, text_time(vm->period_us * 1000ull));
}

static void vm_subject(struct outline *outline, const struct policy *policy, const struct policy_vm *vm)
{
	struct outline_subject *s = outline_add(outline, NULL, text_of("VM %s", vm->name), JUDGE_PRESENT);

	say_label(s, policy, &vm->label);
	if (vm->trusted) {
		char *low = label_value(policy, &vm->low), *high = label_value(policy, &vm->high);
		outline_say(s, "trusted", JUDGE_PRESENT, text_of("from %s to %s", low, high));
		free(low);
		free(high);
	}
	say_guard(s, policy, vm);
	say_text(s, "image", JUDGE_ANY, vm->image);
	if (vm->pinned) {
		outline_say(s, "measurement", JUDGE_ABSENT, text_hex(vm->measurement, LZR_DIGEST_SIZE))->phrase =
			PHRASE_CHANGED;
	}
	say_flag(s, "measure-only", JUDGE_PRESENT, vm->measure_only);
	say_flag(s, "service", JUDGE_PRESENT, vm->service);
	outline_number(s, "memory", JUDGE_MORE, PHRASE_ARROW, vm->memory, text_size(vm->memory));
	say_number(s, "vcpus", JUDGE_MORE, vm->vcpus);
	say_cpu_time(s, vm);
	say_number(s, "max-restarts", JUDGE_MORE, vm->max_restarts);
}

static void rights_of(struct outline *outline, const struct policy *policy, const struct policy_vm *vm)
{
	static const char *const verbs[RIGHT_COUNT] = {
		[RIGHT_INTROSPECTS] = "read the memory of", [RIGHT_CONTROLS] = "stop and restart",
		[RIGHT_READS_AUDIT] = READ_AUDIT, [RIGHT_ATTESTS] = "attest",
	};
	bool *audited = memory_get(policy->vm_count * sizeof(*audited));

	for (unsigned r = 0; r < RIGHT_COUNT; r++) {
		const struct policy_right *right = &vm->rights[r];
		for (unsigned i = 0; i < right->count; i++) {
			outline_may(outline, vm->name, verbs[r], vm_name(policy, right->vms[i]));
			if ((r == RIGHT_READS_AUDIT || r == RIGHT_ATTESTS) && right->vms[i] < policy->vm_count)
				audited[right->vms[i]] = true;
		}
	}
	outline_audit(outline, vm->name, audited, policy->vm_count);
	free(audited);
}

static char *device_address(const struct policy_device *device)
{
	char hop[16];

	if (device->mmio)
		return text_of("mmio 0x%" PRIx64 " to 0x%" PRIx64, device->base, device->base + device->length - 1);
	if (device->has_pci)
		return text_of("pci %02x:%02x.%x", device->pci[0], device->pci[1], device->pci[2]);
	char *text = text_of("location");
	for (unsigned i = 0; i < device->hop_count; i++) {
		snprintf(hop, sizeof(hop), "%02x.%x", device->hops[i][0], device->hops[i][1]);
		text = text_add(text, i ? "/" : " ", hop);
	}
	return text;
}

static void device_subject(struct outline *outline, const struct policy *policy, const struct policy_device *device)
{
	struct outline_subject *s = outline_add(outline, NULL, text_of("device %s", device->name), JUDGE_PRESENT);

	outline_say(s, "vm", JUDGE_ANY, text_of("%s", vm_name(policy, device->vm)))->phrase = PHRASE_MOVES;
	say_text(s, "place", JUDGE_ANY, device->place);
	say_label(s, policy, &device->label);
	outline_say(s, "at", JUDGE_ANY, device_address(device));
	if (!device->mmio) {
		outline_say(s, "id", JUDGE_ANY, text_of("%04x:%04x", device->id[0], device->id[1]));
		say_text(s, "reset", JUDGE_ANY, device->flr ? "flr" : "bus");
	}
	if (device->slot)
		outline_say(s, "slot", JUDGE_ANY, text_of("%u", device->slot));
	if (device->iommu_group != NONE)
		outline_say(s, "iommu-group", JUDGE_ANY, text_of("%u", device->iommu_group));
	if (device->interrupt_line != NONE)
		outline_say(s, "interrupt-line", JUDGE_ANY, text_of("%u", device->interrupt_line));
	say_flag(s, "bypasses-firewall", JUDGE_PRESENT, device->bypasses_firewall);
}

static void say_limit(struct outline_subject *s, const char *name, uint64_t limit, const char *unit)
{
	if (limit)
		outline_number(s, name, JUDGE_LIMIT, PHRASE_RAISED, limit, text_of("%" PRIu64 " %s", limit, unit));
}

static char *ipv4_text(const uint8_t ip[4])
{
	return text_of("%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
}

/* Of a compiled policy, label and uplink are there already. */
static void network_subject(struct outline *outline, const struct policy *policy, const struct policy_network *network)
{
	struct outline_subject *s = outline_find(outline, text_of("network %s", network->name));

	if (!outline_line(s, "label"))
		say_label(s, policy, &network->label);
	if (network->uplink != NONE && !outline_line(s, "uplink"))
		say_text(s, "uplink", JUDGE_PRESENT, policy->devices[network->uplink].name);
	if (network->uplink != NONE && policy->fabric.vm == NONE)
		outline_say(s, "uplink's slot", JUDGE_ANY, text_of("%u", policy->devices[network->uplink].slot));
	if (network->has_gateway)
		outline_say(s, "gateway", JUDGE_PRESENT, ipv4_text(network->gateway));
	say_limit(s, "frame-rate", network->frame_rate, "frames/s");
	say_limit(s, "bandwidth", network->bandwidth, "bit/s");
	if (network->allow_all)
		say_text(s, "allow", JUDGE_PRESENT, "all");
}

static char *key_names(const struct policy *policy, const struct policy_quarantine *q)
{
	char *text = text_of("%s", "");

	for (unsigned i = 0; i < q->key_count; i++)
		text = text_add(text, " or ", policy->keys[q->keys[i]].file);
	return text;
}

/* What a port does not say itself it has from the switch; `own` are the switch's values. */
static void say_quarantine(struct outline_subject *s, const struct policy *policy, const struct policy_quarantine *q,
			   const struct policy_quarantine *own)
{
	char *keys = key_names(policy, q), *default_keys = key_names(policy, own);
	bool same = q != own;

	outline_number(s, "lease-max", JUDGE_MORE, PHRASE_RAISED, q->lease_max_ns, text_time(q->lease_max_ns));
	s->lines[s->count - 1].inherited = same && q->lease_max_ns == own->lease_max_ns;
	outline_number(s, "lease-end", JUDGE_MORE, PHRASE_ARROW, q->lease_end == LEASE_END_QUARANTINE,
		       text_of(q->lease_end == LEASE_END_BLOCK ? "block" : "quarantine"));
	s->lines[s->count - 1].inherited = same && q->lease_end == own->lease_end;
	outline_say(s, "verifier", JUDGE_ANY, keys)->inherited = same && !strcmp(keys, default_keys);
	free(default_keys);
}

/* `by`: the port, since a VM may have several that lead to different places at different rates. */
static void port_endpoints(struct outline *outline, const struct policy *policy, unsigned port, const char *by)
{
	for (unsigned i = 0; i < policy->endpoint_count; i++) {
		const struct policy_endpoint *e = &policy->endpoints[i];
		if (e->port != port)
			continue;
		char *ip = ipv4_text(e->ip);
		char *whom = text_of("%s %s/%u by %s", ip, e->protocol == PROTOCOL_UDP ? "udp" : "tcp", e->l4port,
				     by);
		outline_may(outline, vm_name(policy, policy->ports[port].vm), "reach, before anything is proved,",
			whom);
		free(whom);
		free(ip);
	}
}

static void port_subject(struct outline *outline, const struct policy *policy, unsigned index)
{
	const struct policy_port *port = &policy->ports[index];
	const char *network = port->network == NONE ? "none" : policy->networks[port->network].name;
	char *by = text_of("port %s on network %s", port->name, network);
	struct outline_subject *s =
		outline_add(outline, NULL, text_of("%s%s", port->infrastructure ? "infrastructure " : "", by),
			    JUDGE_PRESENT);

	say_text(s, "vm", JUDGE_ANY, vm_name(policy, port->vm));
	s->lines[s->count - 1].phrase = PHRASE_MOVES;
	if (port->device[0])            /* else a link of the compiled policy tells */
		say_text(s, "device", JUDGE_ANY, port->device);
	outline_say(s, "mac", JUDGE_ANY,
		    text_of("%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1], port->mac[2], port->mac[3],
			    port->mac[4], port->mac[5]));
	outline_say(s, "ip", JUDGE_ANY, ipv4_text(port->ip));
	say_limit(s, "frame-rate", port->frame_rate, "frames/s");
	say_limit(s, "bandwidth", port->bandwidth, "bit/s");
	if (port->queue_size)
		outline_say(s, "queue-size", JUDGE_ANY, text_of("%u", port->queue_size));
	if (!port->infrastructure && policy->fabric.node) {
		const struct policy_quarantine *q = &port->quarantine;
		say_quarantine(s, policy, q, &policy->fabric.quarantine);
		if (q->inspection != NONE) {
			say_text(s, "inspection", JUDGE_PRESENT, policy->ports[q->inspection].name);
			outline_number(s, "inspection-rate", JUDGE_MORE, PHRASE_RAISED, q->inspection_rate,
				       text_of("%" PRIu64 " frames/s", q->inspection_rate));
		}
	}
	port_endpoints(outline, policy, index, by);
	free(by);
}

static void switch_subject(struct outline *outline, const struct policy *policy)
{
	const struct policy_switch *fabric = &policy->fabric;

	if (!fabric->node)
		return;
	struct outline_subject *s = outline_add(outline, NULL, text_of("switch"), JUDGE_ANY);
	if (fabric->vm != NONE) {
		say_text(s, "vm", JUDGE_ANY, vm_name(policy, fabric->vm));
		say_text(s, "device", JUDGE_ANY, fabric->device);
		say_quarantine(s, policy, &fabric->quarantine, &fabric->quarantine);
	}
	outline_number(s, "nonce-interval", JUDGE_LESS, PHRASE_RAISED, fabric->nonce_interval_ns,
		       text_time(fabric->nonce_interval_ns));
	if (fabric->has_control && fabric->vm != NONE)
		outline_say(s, "control", JUDGE_ANY,
			    text_of("%s:%s", vm_name(policy, fabric->control_vm), fabric->control_device));
	for (unsigned i = 0; i < policy->key_count; i++) {
		char *point = text_hex(policy->keys[i].x, 48);
		s = outline_add(outline, NULL, text_of("verifier key %s", policy->keys[i].file), JUDGE_PRESENT);
		/* The other coordinate has two candidates; both points are in the value. */
		char *y = text_hex(policy->keys[i].y, 48);
		outline_say(s, "public point", JUDGE_ANY, text_add(point, "", y))->phrase = PHRASE_CHANGED;
		free(y);
	}
}

static void channel_subject(struct outline *outline, const struct policy *policy, const struct policy_channel *channel)
{
	struct outline_subject *s = outline_add(outline, NULL, text_of("channel %s", channel->name), JUDGE_PRESENT);

	outline_say(s, "between", JUDGE_ANY,
		    text_of("%s:%s and %s:%s", vm_name(policy, channel->vm), channel->device,
			    vm_name(policy, channel->service), channel->service_device));
	/* Without one of its own it has that of an end, whose lines tell. */
	say_label(s, policy, &channel->label);
	s->lines[s->count - 1].inherited = !take(channel->node, "label");
}

void outline_fabric(struct outline *outline, const struct policy *policy)
{
	for (unsigned i = 0; i < policy->network_count; i++)
		network_subject(outline, policy, &policy->networks[i]);
	switch_subject(outline, policy);
	for (unsigned i = 0; i < policy->port_count; i++)
		port_subject(outline, policy, i);
}

void outline_source(struct outline *outline, const struct policy *policy)
{
	policy_subject(outline, policy);
	platform_subject(outline, policy);
	for (unsigned i = 0; i < policy->vm_count; i++)
		vm_subject(outline, policy, &policy->vms[i]);
	for (unsigned i = 0; i < policy->vm_count; i++)
		rights_of(outline, policy, &policy->vms[i]);
	for (unsigned i = 0; i < policy->device_count; i++)
		device_subject(outline, policy, &policy->devices[i]);
	outline_fabric(outline, policy);
	for (unsigned i = 0; i < policy->channel_count; i++)
		channel_subject(outline, policy, &policy->channels[i]);
}
