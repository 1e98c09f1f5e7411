/* SPDX-License-Identifier: Apache-2.0 */
/* AMD nested page tables: four levels, written once before a VM's first start. */
#ifndef HV_NPT_H
#define HV_NPT_H

#include "vm.h"

/* An empty root; NULL when memory is exhausted. */
uint64_t *npt_create(void);
/* Maps [at, at + length) to `from`, by 2 MiB where both are aligned.  HV_CONFLICT if anything there is mapped. */
HV_MUST_CHECK enum hv_err npt_map(uint64_t *root, gpa_t at, hpa_t from, uint64_t length, unsigned flags);

#endif
