/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch's configuration on any bytes: what is refused is refused without a read beyond; what is taken can be
 * compiled and asked, and each answer is a rule of the network that was asked for.  It starts from what the policy
 * compiler writes.
 */
#include <stdlib.h>
#include <string.h>

#include "rules.h"

static struct swconf config;
static struct nf_rules rules;

static void ask(uint32_t network, const struct nf_tuple *tuple)
{
	const struct lzr_switch_network *n = &config.networks[network];
	struct nf_decision d = nf_rules_decide(&rules, network, tuple);

	if (d.rule == LZR_SWITCH_NONE) {
		if (d.allow)
			abort();
		return;
	}
	if (d.rule < n->rule_first || d.rule >= n->rule_first + n->rule_count ||
	    d.allow != (config.rules[d.rule].action == LZR_RULE_ALLOW))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t protocols[] = { 1, 6, 17 };
	uint32_t where, network, i;

	if (swconf_load(&config, data, size, &where) != NULL)
		return 0;
	nf_rules_build(&rules, &config);
	for (network = 0; network < config.header.network_count; network++) {
		for (i = 0; i < rules.address_cuts; i++) {
			struct nf_tuple t = { .from = rules.address[i],
					      .to = rules.address[rules.address_cuts - 1 - i],
					      .protocol = protocols[i % 3],
					      .target = (uint16_t)(rules.service[i % rules.service_cuts] & 0xff) };

			ask(network, &t);
		}
	}
	return 0;
}
