/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables, copied and checked while the machine boots. */
#ifndef HV_ACPI_H
#define HV_ACPI_H

#include "handoff.h"

/* Copies the tables that the hypervisor reads; false and a message when they are not usable.  Without an RSDP: true. */
bool acpi_init(const struct handoff *handoff);
/* Calls for each enabled CPU's APIC id; false when there is no MADT. */
bool acpi_for_each_cpu(void (*found)(uint32_t apic_id, void *context), void *context);

#endif
