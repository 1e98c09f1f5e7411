/* SPDX-License-Identifier: Apache-2.0 */
/* A policy's flows as a picture. */
#ifndef POLICY_GRAPH_H
#define POLICY_GRAPH_H

#include "policy.h"

/* The policy's flows in graphviz' language, with a terminating zero; to be freed.  NULL: no memory. */
char *graph_text(const struct policy *policy, const char *source, size_t *size);

/*
 * Writes graphviz' language to a .dot or .gv, what graphviz makes of it to an .svg or .png; any other name is refused.
 * Every name of the policy must be known; what flows down is shown in red.  False after saying why it was not written.
 */
bool graph_write(const struct policy *policy, const char *source, const char *path);

#endif
