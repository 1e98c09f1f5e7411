/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements through EFI_TCG2_PROTOCOL.  One that fails is a refusal; there is no way to go on unmeasured. */
#include <string.h>

#include "loader.h"

static struct tcg2_protocol *tcg2;
static struct tcg2_capability capability;
static const uint32_t capped_pcrs[] = { 8, 9, 11 };

bool measure_init(void)
{
	const struct efi_guid guid = TCG2_PROTOCOL_GUID;
	struct tcg2_protocol *found = NULL;
	efi_status status = efi->boot->locate_protocol(&guid, NULL, (void **)&found);

	capability.size = sizeof(capability);
	if (status == EFI_SUCCESS && found)
		status = found->get_capability(found, &capability);
	if (status != EFI_SUCCESS || !found || !capability.tpm_present) {
		if (loader_lab)
			return false;
		refuse("no TPM 2.0 through the firmware's TCG2 protocol (status %llx): switch the TPM on in the "
		       "firmware's setup, or use the lab build", (unsigned long long)status);
	}
	if (!(capability.supported_logs & TCG2_LOG_CRYPTO_AGILE))
		refuse("the firmware keeps no crypto-agile event log (supported formats %x)",
		       capability.supported_logs);
	if (!(capability.active_banks & TCG2_BANK_SHA384))
		refuse("the TPM's SHA-384 bank is not active (active banks %x): activate it in the firmware's setup",
		       capability.active_banks);
	tcg2 = found;
	return true;
}

struct tcg2_protocol *measure_tcg2(void)
{
	return tcg2;
}

uint32_t measure_response_max(void)
{
	return capability.max_response;
}

static efi_status extend(uint32_t pcr, uint32_t type, const void *event, uint32_t event_length, const void *data,
			 uint64_t length)
{
	union {
		struct tcg2_event event;
		uint8_t bytes[EVENT_MAX];
	} u;

	event_build(pcr, type, event, event_length, &u.event);
	return fault_hash_log_extend(tcg2, data, length, &u.event);
}

void measure_file(uint32_t pcr, const struct file *file)
{
	struct lzr_event_descriptor descriptor;
	efi_status status;

	if (!tcg2)
		return;
	event_descriptor(file, &descriptor);
	status = extend(pcr, LZR_EV_EVENT_TAG, &descriptor, sizeof(descriptor), &descriptor, sizeof(descriptor));
	if (status == EFI_SUCCESS)
		status = extend(pcr, LZR_EV_IPL, descriptor.name, LZR_NAME_MAX, file->data, file->length);
	if (status != EFI_SUCCESS)
		refuse("%s: its measurement into PCR %u failed (firmware status %llx)", file->name, pcr,
		       (unsigned long long)status);
}

void measure_caps(void)
{
	static const uint8_t cap[4] = { 0, 0, 0, 0 };

	for (unsigned i = 0; tcg2 && i < sizeof(capped_pcrs) / sizeof(capped_pcrs[0]); i++) {
		efi_status status = extend(capped_pcrs[i], LZR_EV_SEPARATOR, cap, sizeof(cap), cap, sizeof(cap));

		if (status != EFI_SUCCESS)
			refuse("the cap of PCR %u failed (firmware status %llx)", capped_pcrs[i],
			       (unsigned long long)status);
	}
}

void measure_error_caps(void)
{
	static const uint8_t cap[4] = { 1, 0, 0, 0 };

	for (unsigned i = 0; tcg2 && i < sizeof(capped_pcrs) / sizeof(capped_pcrs[0]); i++) {
		if (extend(capped_pcrs[i], LZR_EV_SEPARATOR, cap, sizeof(cap), cap, sizeof(cap)) != EFI_SUCCESS)
			say("PCR %u could not be capped", capped_pcrs[i]);
	}
}
