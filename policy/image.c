/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy asks of a VM's image, in the words of who makes it: vmimage's options, and the words on the kernel's
 * command line by which the guests of this tree know who they are (docs/guests.md).
 */
#include <inttypes.h>
#include <string.h>

#include "command.h"

#define SLOT_FIRST 2u           /* the switch's device has 1 */
#define CLASS_ETHERNET "020000"
#define TPM_BASE 0xfed40000u

struct slots {
	const struct policy *policy;
	unsigned vm, next;
};

/* The next slot that none of the VM's assigned devices has by the policy. */
static unsigned next_slot(struct slots *slots)
{
	for (unsigned i = 0; i < slots->policy->device_count; i++) {
		const struct policy_device *device = &slots->policy->devices[i];

		if (device->vm == slots->vm && device->slot == slots->next) {
			slots->next++;
			i = (unsigned)-1;       /* from the start */
		}
	}
	return slots->next++;
}

static void print_size(uint64_t bytes)
{
	if (bytes % (1u << 20) == 0)
		printf("--memory %" PRIu64 "M\n", bytes >> 20);
	else
		printf("--memory %" PRIu64 "\n", bytes);
}

static void print_ports(struct slots *slots)
{
	for (unsigned i = 0; i < slots->policy->port_count; i++) {
		const struct policy_port *port = &slots->policy->ports[i];

		if (port->vm != slots->vm)
			continue;
		printf("--vdev %s:net,slot=%u,mac=%02x:%02x:%02x:%02x:%02x:%02x", port->device, next_slot(slots),
		       port->mac[0], port->mac[1], port->mac[2], port->mac[3], port->mac[4], port->mac[5]);
		if (port->queue_size)
			printf(",size=%u", port->queue_size);
		putchar('\n');
	}
}

/* The switch has one device with a pair of queues for every port and the control channel. */
static void print_switch(const struct policy *policy, unsigned vm)
{
	const struct policy_switch *fabric = &policy->fabric;
	const unsigned pairs = policy->port_count + fabric->has_control;

	if (fabric->node && fabric->vm == vm)
		printf("--vdev %s:link,slot=1,queues=%u,size=256\n", fabric->device, 2 * (pairs ? pairs : 1));
}

static void print_channels(struct slots *slots)
{
	const struct policy *policy = slots->policy;

	if (policy->fabric.node && policy->fabric.has_control && policy->fabric.control_vm == slots->vm)
		printf("--vdev %s:net,slot=%u,service,size=256\n", policy->fabric.control_device, next_slot(slots));
	for (unsigned i = 0; i < policy->channel_count; i++) {
		const struct policy_channel *channel = &policy->channels[i];

		if (channel->service == slots->vm)
			printf("--vdev %s:net,slot=%u,service,size=256\n", channel->service_device, next_slot(slots));
		if (channel->vm == slots->vm)
			printf("--vdev %s:console,slot=%u\n", channel->device, next_slot(slots));
	}
}

static bool is_uplink(const struct policy *policy, unsigned device)
{
	for (unsigned i = 0; i < policy->network_count; i++)
		if (policy->networks[i].uplink == device)
			return true;
	return false;
}

static void print_devices(struct slots *slots)
{
	for (unsigned i = 0; i < slots->policy->device_count; i++) {
		const struct policy_device *device = &slots->policy->devices[i];

		if (device->vm != slots->vm)
			continue;
		if (device->mmio)
			printf(device->base == TPM_BASE ? "--tpm\n" : "--mmio %s=?\n", device->place);
		else
			printf("--assign %s,slot=%u,class=%s\n", device->place,
			       device->slot ? device->slot : next_slot(slots),
			       is_uplink(slots->policy, i) ? CLASS_ETHERNET : "?");
	}
}

static void print_address(const char *before, const uint8_t ip[4])
{
	printf("%s%u.%u.%u.%u", before, ip[0], ip[1], ip[2], ip[3]);
}

static unsigned first_port(const struct policy *policy, unsigned vm)
{
	for (unsigned i = 0; i < policy->port_count; i++)
		if (policy->ports[i].vm == vm)
			return i;
	return NONE;
}

/* Everybody else who has a port, at the first of them. */
static void print_peers(const struct policy *policy, unsigned vm)
{
	const char *before = " lzr.peers=";

	for (unsigned i = 0; i < policy->port_count; i++) {
		const struct policy_port *port = &policy->ports[i];

		if (port->vm == vm || first_port(policy, port->vm) != i)
			continue;
		printf("%s%s", before, policy->vms[port->vm].name);
		print_address("=", port->ip);
		printf("/%02x:%02x:%02x:%02x:%02x:%02x", port->mac[0], port->mac[1], port->mac[2], port->mac[3],
		       port->mac[4], port->mac[5]);
		before = ",";
	}
}

static void print_words(const struct policy *policy, unsigned vm)
{
	const unsigned i = first_port(policy, vm);

	printf("lzr.vm=%s", policy->vms[vm].name);
	if (i != NONE) {
		print_address(" lzr.ip=", policy->ports[i].ip);
		if (policy->networks[policy->ports[i].network].has_gateway)
			print_address(" lzr.gw=", policy->networks[policy->ports[i].network].gateway);
		print_peers(policy, vm);
	}
	for (unsigned e = 0; e < policy->endpoint_count; e++) {
		const struct policy_endpoint *endpoint = &policy->endpoints[e];

		if (policy->ports[endpoint->port].vm != vm || endpoint->protocol != PROTOCOL_TCP)
			continue;
		print_address(" lzr.endpoint=", endpoint->ip);
		printf(":%u", endpoint->l4port);
		break;
	}
	putchar('\n');
}

static void print_options(const struct policy *policy, unsigned vm)
{
	struct slots slots = { .policy = policy, .vm = vm, .next = SLOT_FIRST };

	printf("--name %s\n", policy->vms[vm].image);
	print_size(policy->vms[vm].memory);
	printf("--vcpus %u\n", policy->vms[vm].vcpus);
	print_switch(policy, vm);
	print_ports(&slots);
	print_channels(&slots);
	print_devices(&slots);
}

static const char *kind_of(const struct policy *policy, unsigned vm)
{
	if (policy->fabric.node && policy->fabric.vm == vm)
		return "switch";
	if (policy->vms[vm].rights[RIGHT_ATTESTS].property)
		return "attestor";
	return policy->vms[vm].service ? "service" : "guest";
}

static void print_vms(const struct policy *policy)
{
	for (unsigned i = 0; i < policy->vm_count; i++)
		printf("%s %s %s\n", policy->vms[i].name, policy->vms[i].image, kind_of(policy, i));
}

static bool print_vm(const struct policy *policy, const struct arguments *a)
{
	const unsigned vm = find_vm(policy, a->files[1]);
	struct nearest nearest;
	char hint[NEAREST_TEXT];

	if (vm != NONE) {
		(strcmp(a->command, "words") ? print_options : print_words)(policy, vm);
		return true;
	}
	nearest_begin(&nearest, a->files[1]);
	table_nearest(&policy->vms_by_name, &nearest);
	print_tame(stderr, "lzr-policy %s: %s: expected a VM of the policy, found \"%s\"%s\n", a->command, a->files[0],
		   a->files[1], nearest_text(&nearest, hint));
	return false;
}

int command_image(const struct arguments *a)
{
	struct source_policy source;
	int status = EXIT_REFUSED;

	if (source_policy_read(&source, a->files[0], a)) {
		if (a->file_count < 2)
			print_vms(&source.policy);
		if (a->file_count < 2 || print_vm(&source.policy, a))
			status = 0;
	}
	source_policy_end(&source);
	return status;
}
