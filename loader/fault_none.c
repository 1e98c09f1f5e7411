/* SPDX-License-Identifier: Apache-2.0 */
/* The two firmware calls that tests want to see fail, unchanged: every build but the fault builds links this file. */
#include "loader.h"

efi_status fault_exit_boot_services(efi_handle image, uint64_t key)
{
	return efi->boot->exit_boot_services(image, key);
}

efi_status fault_hash_log_extend(struct tcg2_protocol *tcg2, const void *data, uint64_t length,
				 struct tcg2_event *event)
{
	return tcg2->hash_log_extend_event(tcg2, 0, (uint64_t)data, length, event);
}
