/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as a policy: the root, labels, the machine and the platform, and what is looked up by name. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define SOURCE_COMPATIBLE "lazaret,policy-source-1"

static unsigned take_names(struct node *root, const char *name, bool required, unsigned max, const char **out,
			   struct report *report)
{
	struct property *p = take_strings(root, name, required, report);

	if (!p)
		return 0;
	if (p->count > max) {
		complain(report, value_place(p, max), "%s: expected 1 to %u names, found %u", name, max, p->count);
		return 0;
	}
	for (unsigned i = 0; i < p->count; i++) {
		out[i] = p->strings[i];
		if (!lzr_name_text_is_valid(out[i]))
			complain(report, value_place(p, i), "%s: expected a name of %s, found \"%s\"", name,
				 LZR_NAME_RULE, out[i]);
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(out[i], out[j]))
				complain(report, value_place(p, i), "%s: \"%s\" is listed twice", name, out[i]);
			else if (names_alike(out[i], out[j]))
				complain(report, value_place(p, i),
					 "%s: expected a name that nobody takes for another, found \"%s\" besides "
					 "\"%s\"", name, out[i], out[j]);
	}
	return p->count;
}

static unsigned find_word(const char *const *words, unsigned count, const char *word)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(words[i], word))
			return i;
	return NONE;
}

static void no_label(struct policy *policy, const struct property *p, unsigned index, struct report *report)
{
	const char *found = p->strings[index];
	char hint[NEAREST_TEXT];
	struct nearest nearest;

	nearest_begin(&nearest, found);
	for (unsigned i = 0; index == 0 && i < policy->level_count; i++)
		nearest_try(&nearest, policy->levels[i]);
	for (unsigned i = 0; index == 0 && i < policy->label_count; i++)
		nearest_try(&nearest, policy->labels[i].name);
	for (unsigned i = 0; index > 0 && i < policy->category_count; i++)
		nearest_try(&nearest, policy->categories[i]);
	complain(report, value_place(p, index), "%s: expected %s of this policy, found \"%s\"%s", p->name,
		 index ? "a category" : "a level or a named label", found, nearest_text(&nearest, hint));
}

/* "LEVEL", "CATEGORY".. or the name of a label. */
static bool label_of(struct policy *policy, const struct property *p, struct lzr_label *out, struct report *report)
{
	unsigned named = table_find_text(&policy->labels_by_name, p->strings[0]);

	if (named != NONE) {
		if (p->count > 1)
			complain(report, value_place(p, 1),
				 "%s: expected nothing behind the named label \"%s\", found \"%s\"", p->name,
				 p->strings[0], p->strings[1]);
		policy->labels[named].used = true;
		*out = policy->labels[named].label;
		return p->count == 1;
	}
	unsigned level = find_word(policy->levels, policy->level_count, p->strings[0]);
	if (level == NONE) {
		no_label(policy, p, 0, report);
		return false;
	}
	out->level = (uint8_t)level;
	policy->levels_used |= 1ull << level;
	for (unsigned i = 1; i < p->count; i++) {
		unsigned category = find_word(policy->categories, policy->category_count, p->strings[i]);
		if (category == NONE) {         /* said once: what uses the label goes on with the rest of it */
			no_label(policy, p, i, report);
			continue;
		}
		if (out->categories & 1ull << category)
			complain(report, value_place(p, i), "%s: \"%s\" is listed twice", p->name, p->strings[i]);
		out->categories |= 1ull << category;
	}
	policy->categories_used |= out->categories;
	return true;
}

bool take_label(struct policy *policy, struct node *node, const char *name, bool required, struct lzr_label *out,
		struct report *report)
{
	struct property *p = take_strings(node, name, required, report);

	*out = (struct lzr_label){ 0 };
	return p && label_of(policy, p, out, report);
}

void label_text(const struct policy *policy, const struct lzr_label *label, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "%s",
				     label->level < policy->level_count ? policy->levels[label->level] : "?");

	for (unsigned i = 0; i < policy->category_count && at < size; i++)
		if (label->categories & 1ull << i)
			at += (size_t)snprintf(out + at, size - at, " %s", policy->categories[i]);
}

static void read_labels(struct policy *policy, struct report *report)
{
	struct node *node = node_child(policy->root, "labels");

	for (unsigned i = 0; node && i < node->property_count; i++) {
		struct property *p = &node->properties[i];
		struct lzr_label label = { 0 };
		p->used = true;
		if (find_word(policy->levels, policy->level_count, p->name) != NONE)
			complain(report, p->where, "label \"%s\": expected a name that is not a level's", p->name);
		else if (p->kind != KIND_STRINGS)
			complain(report, value_place(p, 0), "label \"%s\": expected a level and categories by name",
				 p->name);
		else if (label_of(policy, p, &label, report)) {
			struct policy_label *named =
				ARRAY_ADD(policy->labels, policy->label_count, policy->label_room);
			*named = (struct policy_label){ .name = p->name, .property = p, .label = label };
			table_add_text(&policy->labels_by_name, p->name, policy->label_count - 1);
		}
	}
}

bool take_node_name(struct node *node, char out[LZR_NAME_MAX], struct report *report)
{
	memset(out, 0, LZR_NAME_MAX);
	if (!lzr_name_text_is_valid(node->name)) {
		complain(report, node->where, "node name: expected a name of %s, found \"%s\"",
			 LZR_NAME_RULE, node->name);
		return false;
	}
	memcpy(out, node->name, strlen(node->name));
	return true;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

unsigned find_vm(const struct policy *policy, const char *name)
{
	return table_find_text(&policy->vms_by_name, name);
}

unsigned find_device(const struct policy *policy, const char *name)
{
	return table_find_text(&policy->devices_by_name, name);
}

unsigned find_network(const struct policy *policy, const char *name)
{
	return table_find_text(&policy->networks_by_name, name);
}

unsigned find_channel(const struct policy *policy, const char *name)
{
	return table_find_text(&policy->channels_by_name, name);
}

unsigned find_service(const struct policy *policy, const char *name)
{
	return table_find_text(&policy->services_by_name, name);
}

unsigned find_port(const struct policy *policy, unsigned network, const char *name)
{
	return table_find_text(&policy->networks[network].ports_by_name, name);
}

unsigned find_set(const struct policy *policy, unsigned network, const char *name)
{
	return table_find_text(&policy->networks[network].sets_by_name, name);
}

void no_such(const struct property *p, unsigned index, const char *what, const struct table *names,
	     struct report *report)
{
	char hint[NEAREST_TEXT];
	struct nearest nearest;

	nearest_begin(&nearest, p->strings[index]);
	table_nearest(names, &nearest);
	complain(report, value_place(p, index), "%s: expected %s, found \"%s\"%s", p->name, what, p->strings[index],
		 nearest_text(&nearest, hint));
}

unsigned take_reference(struct node *node, const char *name, bool required, const char *what,
			const struct table *names, struct report *report)
{
	const char *text;

	if (!take_string(node, name, required, &text, report))
		return NONE;
	unsigned found = table_find_text(names, text);
	if (found == NONE)
		no_such(take(node, name), 0, what, names, report);
	return found;
}

unsigned take_vm(struct policy *policy, struct node *node, const char *name, bool required, struct report *report)
{
	return take_reference(node, name, required, "a VM of this policy", &policy->vms_by_name, report);
}

/* --- machine and platform ----------------------------------------------------------------------------------------- */

static void read_machine(struct policy *policy, struct report *report)
{
	struct node *machine = node_child(policy->root, "machine");

	if (!machine) {
		complain(report, policy->root->where, "expected node \"machine\" with memory and cpus, found none");
		return;
	}
	take_number(machine, "memory", true, UNIT_BYTES, 1, 1ull << 46, &policy->machine_memory, report);
	take_u32(machine, "cpus", true, 1, 65535, &policy->machine_cpus, report);
	policy->allow_without_iommu = take_flag(machine, "allow-without-iommu", report);
}

static bool take_key(struct node *node, const char *name, const char *keys_dir, const char **file,
		     uint8_t sha384[LZR_DIGEST_SIZE], struct report *report)
{
	char path[4096];

	if (!take_string(node, name, false, file, report))
		return false;
	snprintf(path, sizeof(path), "%s/%s", keys_dir, *file);
	if (!strchr(*file, '/') && key_digest(path, sha384))
		return true;
	complain(report, where_of(node, name),
		 "%s: expected a public key file in the keys' folder, found \"%s\": %s", name, *file,
		 strchr(*file, '/') ? "a path" : key_error());
	return false;
}

static void read_platform(struct policy *policy, const char *keys_dir, struct report *report)
{
	struct policy_platform *platform = &policy->platform;
	struct node *node = node_child(policy->root, "platform");

	if (!node)
		return;
	platform->node = node;
	platform->iommu = take_flag(node, "iommu", report);
	platform->interrupt_remapping = take_flag(node, "interrupt-remapping", report);
	platform->secure_boot = take_flag(node, "secure-boot", report);
	platform->measured_boot = take_flag(node, "measured-boot", report);
	platform->has_signer = take_key(node, "signer", keys_dir, &platform->signer, platform->signer_digest, report);
	platform->has_next_signer = take_key(node, "next-signer", keys_dir, &platform->next_signer,
					     platform->next_signer_digest, report);
	if (policy->allow_without_iommu && (platform->iommu || platform->interrupt_remapping))
		complain(report, where_of(node, platform->iommu ? "iommu" : "interrupt-remapping"),
			 "%s: contradicts allow-without-iommu in node \"machine\"",
			 platform->iommu ? "iommu" : "interrupt-remapping");
	if (platform->has_signer && platform->has_next_signer &&
	    !memcmp(platform->signer_digest, platform->next_signer_digest, LZR_DIGEST_SIZE))
		complain(report, where_of(node, "next-signer"), "next-signer: expected another key than the signer's");
}

static void read_root(struct policy *policy, struct report *report)
{
	static const char *const compatible[] = { SOURCE_COMPATIBLE, NULL };
	struct node *root = policy->root;
	uint32_t cells[2];
	unsigned word;

	take_choice(root, "compatible", true, compatible, &word, report);
	struct property *version = take(root, "version");
	if (version && version->kind == KIND_CELLS && version->count == 1)
		policy->version = version->cells[0];
	else if (version && version->kind != KIND_CELLS)
		complain(report, value_place(version, 0),
			 "version: expected a whole number in <>, such as <7>, and a higher one for each later policy");
	else if (take_cells(root, "version", true, 2, cells, report))
		policy->version = (uint64_t)cells[0] << 32 | cells[1];
	if (version && version->kind == KIND_CELLS && version->count <= 2 && !policy->version)
		complain(report, value_place(version, 0), "version: expected 1 or more, found 0");
	policy->level_count = take_names(root, "levels", true, LEVEL_MAX, policy->levels, report);
	policy->category_count = take_names(root, "categories", false, CATEGORY_MAX, policy->categories, report);
}

void model_read(struct policy *policy, struct node *root, const char *keys_dir, struct report *report)
{
	*policy = (struct policy){ .root = root };
	root->type = "/";
	read_root(policy, report);
	read_labels(policy, report);
	read_machine(policy, report);
	read_platform(policy, keys_dir, report);
	model_read_vms(policy, report);
	model_read_devices(policy, report);
	model_read_services(policy, report);
	model_read_networks(policy, report);
	model_read_switch(policy, keys_dir, report);
	model_read_rules(policy, report);
	model_read_channels(policy, report);
	model_read_links(policy, report);
	model_read_guards(policy, report);
	source_unused(root, report);
}

void policy_free(struct policy *policy)
{
	for (unsigned i = 0; i < policy->vm_count; i++) {
		for (unsigned r = 0; r < RIGHT_COUNT; r++)
			free(policy->vms[i].rights[r].vms);
		free(policy->vms[i].cpus);
	}
	for (unsigned i = 0; i < policy->device_count; i++)
		free(policy->devices[i].hops);
	for (unsigned i = 0; i < policy->service_count; i++)
		free(policy->services[i].items);
	for (unsigned i = 0; i < policy->set_count; i++)
		free(policy->sets[i].members);
	for (unsigned i = 0; i < policy->rule_count; i++) {
		free(policy->rules[i].from);
		free(policy->rules[i].to);
		free(policy->rules[i].services);
	}
	for (unsigned i = 0; i < policy->port_count; i++)
		if (policy->ports[i].quarantine.keys != policy->fabric.quarantine.keys)
			free(policy->ports[i].quarantine.keys);
	for (unsigned i = 0; i < policy->network_count; i++) {
		table_free(&policy->networks[i].ports_by_name);
		table_free(&policy->networks[i].sets_by_name);
	}
	for (unsigned i = 0; i < policy->facts_count; i++)
		free(policy->facts[i]);
	void *arrays[] = { policy->labels, policy->vms, policy->devices, policy->services, policy->networks,
			   policy->sets, policy->ports, policy->rules, policy->endpoints, policy->channels,
			   policy->links, policy->keys, policy->facts, policy->fabric.quarantine.keys };
	for (unsigned i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++)
		free(arrays[i]);
	struct table *tables[] = { &policy->labels_by_name, &policy->vms_by_name, &policy->devices_by_name,
				   &policy->services_by_name, &policy->networks_by_name, &policy->channels_by_name,
				   &policy->keys_by_name, &policy->images_by_name };
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		table_free(tables[i]);
	*policy = (struct policy){ 0 };
}
