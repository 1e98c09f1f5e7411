/* SPDX-License-Identifier: Apache-2.0 */
/* Lab build: starts without TPM or ACPI, and says so in the hand-off. */
#include "loader.h"

const bool loader_lab = true;
