/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HV_DERIVE_H
#define HV_DERIVE_H

#include <lazaret/boot.h>

#include "types.h"

/* After devices_create; wipes the entropy.  False after it said what it refuses. */
HV_MUST_CHECK bool derive_all(struct lzr_boot_info *info);

#endif
