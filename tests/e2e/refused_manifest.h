/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to the manifest that the policy does not pin (hello), so that what refuses it is the manifest's own check. */
#ifndef TESTS_REFUSED_MANIFEST_H
#define TESTS_REFUSED_MANIFEST_H

#include "refuse.h"

bool manifest_of_another_version(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_truncated(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_overlap(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_wrap(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_oversized(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_unlisted_segment(const struct refuse_volume *v, const struct refuse_case *c);
bool manifest_other_memory(const struct refuse_volume *v, const struct refuse_case *c);
/* The same for the signed policy. */
bool policy_of_another_version(const struct refuse_volume *v, const struct refuse_case *c);
bool policy_of_another_image(const struct refuse_volume *v, const struct refuse_case *c);
bool policy_with_an_unknown_word(const struct refuse_volume *v, const struct refuse_case *c);
bool policy_of_another_named_signer(const struct refuse_volume *v, const struct refuse_case *c);
bool policy_with_a_hidden_card(const struct refuse_volume *v, const struct refuse_case *c);

#endif
