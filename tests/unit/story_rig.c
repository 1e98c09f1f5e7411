/* SPDX-License-Identifier: Apache-2.0 */
#include "story_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS "tests/policy/keys"

struct story s;
static struct node *root;

void add_text(char *text, size_t size, const char *format, ...)
{
	const size_t length = strlen(text);
	va_list list;

	va_start(list, format);
	vsnprintf(text + length, size - length, format, list);
	va_end(list);
}

static void add_address(char *words, const char *before, const uint8_t ip[4])
{
	add_text(words, WORDS_MAX, "%s%u.%u.%u.%u", before, ip[0], ip[1], ip[2], ip[3]);
}

/* The words that `lzr-policy words` writes for this VM. */
static void set_words(char *words, unsigned vm)
{
	const struct policy *p = &s.policy;
	const char *before = " lzr.peers=";

	add_text(words, WORDS_MAX, "console=ttyS0 lzr.vm=%s lzr.role=guest", p->vms[vm].name);
	for (unsigned i = 0; i < p->port_count; i++) {
		if (p->ports[i].vm != vm)
			continue;
		add_address(words, " lzr.ip=", p->ports[i].ip);
		if (p->networks[p->ports[i].network].has_gateway)
			add_address(words, " lzr.gw=", p->networks[p->ports[i].network].gateway);
	}
	for (unsigned i = 0; i < p->port_count; i++) {
		const uint8_t *mac = p->ports[i].mac;

		if (p->ports[i].vm == vm)
			continue;
		add_text(words, WORDS_MAX, "%s%s", before, p->vms[p->ports[i].vm].name);
		add_address(words, "=", p->ports[i].ip);
		add_text(words, WORDS_MAX, "/%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
		before = ",";
	}
}

/* The policy as its compiled form would tell it. */
static void view_vms(void)
{
	s.view.attestor = s.view.firewall = POLICYVIEW_NONE;
	s.view.vm_count = s.policy.vm_count;
	for (unsigned n = 0; n < s.policy.vm_count; n++) {
		struct policyview_vm *vm = &s.view.vm[n];

		strcpy(vm->name, s.policy.vms[n].name);
		strcpy(vm->image, s.policy.vms[n].image);
		vm->label = s.policy.vms[n].label;
		vm->service = s.policy.vms[n].service;
		vm->attests = s.policy.vms[n].rights[RIGHT_ATTESTS].property != NULL;
		if (vm->attests)
			s.view.attestor = n;
	}
}

/* The policy, images that have the words, reference values for all images but `untrusted`. */
void story_rig_load(const char *path, const char *untrusted)
{
	struct report report = { 0 };

	root = source_read(path, &report);
	assert_non_null(root);
	model_read(&s.policy, root, KEYS, &report);
	if (report.errors)
		report_print(&report, stderr);
	assert_int_equal(report.errors, 0);
	report_free(&report);
	view_vms();
	for (unsigned n = 0; n < s.policy.vm_count; n++) {
		s.vm[n].policy = &s.view.vm[n];
		if (!s.policy.vms[n].service)
			set_words(s.vm[n].words, n);
		if (strcmp(s.policy.vms[n].image, untrusted) != 0)
			strcpy(s.reference.image[s.reference.image_count++].name, s.policy.vms[n].image);
	}
	s.verifier_key = 0;
}

int story_rig_end(void **state)
{
	(void)state;
	free(s.expect.sw);
	policy_free(&s.policy);
	source_free(root);
	memset(&s, 0, sizeof(s));
	root = NULL;
	return 0;
}

int story_rig_workstation(void **state)
{
	(void)state;
	story_rig_load("policy/examples/workstation.dts", "visitor");
	return story_set_up(&s) ? 0 : -1;
}

unsigned vm_number(const char *name)
{
	const unsigned n = find_vm(&s.policy, name);

	assert_int_not_equal(n, NONE);
	return n;
}

struct story_flow *find_flow(const char *from, const char *to, unsigned proto)
{
	for (unsigned i = 0; i < s.flow_count; i++)
		if (strcmp(s.flow[i].from, from) == 0 && strcmp(s.flow[i].to, to) == 0 && s.flow[i].proto == proto)
			return &s.flow[i];
	return NULL;
}

