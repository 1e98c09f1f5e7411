/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's flows as a picture. */
#ifndef POLICY_GRAPH_H
#define POLICY_GRAPH_H

#include "policy.h"

/*
 * Writes graphviz' language, or for a name that ends in .svg what graphviz makes of it.  Every name of the policy must
 * be known; what flows down is shown in red.  False after printing why it could not be written.
 */
bool graph_write(const struct policy *policy, const char *source, const char *path);

#endif
