/* SPDX-License-Identifier: Apache-2.0 */
/* Test build: the TPM fails at the fifth measurement, the boot list's descriptor. */
#include "loader.h"

efi_status fault_exit_boot_services(efi_handle image, uint64_t key)
{
	return efi->boot->exit_boot_services(image, key);
}

efi_status fault_hash_log_extend(struct tcg2_protocol *tcg2, const void *data, uint64_t length,
				 struct tcg2_event *event)
{
	static unsigned calls;

	if (++calls == 5)
		return EFI_DEVICE_ERROR;
	return tcg2->hash_log_extend_event(tcg2, 0, (uint64_t)data, length, event);
}
