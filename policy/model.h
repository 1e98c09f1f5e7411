/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the model's reader share. */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "policy.h"

/* Each part, in the order in which model_read calls them. */
void model_read_vms(struct policy *policy, struct report *report);
void model_read_devices(struct policy *policy, struct report *report);
void model_read_services(struct policy *policy, struct report *report);
void model_read_networks(struct policy *policy, struct report *report);
void model_read_switch(struct policy *policy, const char *keys_dir, struct report *report);
void model_read_rules(struct policy *policy, struct report *report);
void model_read_channels(struct policy *policy, struct report *report);
void model_read_links(struct policy *policy, struct report *report);
void model_read_guards(struct policy *policy, struct report *report);

bool take_label(struct policy *policy, struct node *node, const char *name, bool required, struct lzr_label *out,
		struct report *report);
bool take_node_name(struct node *node, char out[LZR_NAME_MAX], struct report *report);
/* The property's text looked up among names; NONE after complaining that `what` was expected. */
unsigned take_reference(struct node *node, const char *name, bool required, const char *what,
			const struct table *names, struct report *report);
unsigned take_vm(struct policy *policy, struct node *node, const char *name, bool required, struct report *report);
void no_such(const struct property *p, unsigned index, const char *what, const struct table *names,
	     struct report *report);

#endif
