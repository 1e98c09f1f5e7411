/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hv/layout.h with the direct map where a process can have it, read before everything else (-include): there the
 * tables that the product builds are reached by the product's own addresses.
 */
#ifndef TEST_LOW_LAYOUT_H
#define TEST_LOW_LAYOUT_H

#include "../../../hv/layout.h"
#undef DIRECT_BASE
#define DIRECT_BASE 0x200000000000

#endif
