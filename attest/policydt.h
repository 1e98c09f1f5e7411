/* SPDX-License-Identifier: Apache-2.0 */
/* Properties of a compiled policy's nodes (lazaret/policy.h), read as hostile; false for another form. */
#ifndef ATTEST_POLICYDT_H
#define ATTEST_POLICYDT_H

#include <lazaret/boot.h>
#include <lazaret/label.h>
#include <lazaret/policy.h>

#include "fault.h"
#include "fdt_whole.h"

/* FAULT_POLICY about that part of the policy; false. */
bool pdt_refuse(struct fault *f, const char *where, const char *expected);
/* Exactly `count` cells, in host byte order. */
bool pdt_cells(const void *fdt, int node, const char *name, uint32_t *out, int count);
/* The property "label". */
bool pdt_label(const void *fdt, int node, struct lzr_label *label);
bool pdt_has(const void *fdt, int node, const char *name);
/* A node's name up to '@', or a string: 1..LZR_NAME_MAX-1 characters that need no quoting; the rest zero. */
bool pdt_copy_name(char out[LZR_NAME_MAX], const char *from, size_t length);
/* A property that is such a string. */
bool pdt_string(const void *fdt, int node, const char *name, char out[LZR_NAME_MAX]);
/* Numbers of VMs as a set; none if the property is not there. */
bool pdt_vms(const void *fdt, int node, const char *name, uint64_t *vms);

#endif
