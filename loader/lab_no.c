/* SPDX-License-Identifier: Apache-2.0 */
/* Normal build: no TPM or no ACPI is a refusal. */
#include "loader.h"

const bool loader_lab = false;
