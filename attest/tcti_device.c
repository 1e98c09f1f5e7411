/* SPDX-License-Identifier: Apache-2.0 */
#include "tcti.h"

#include <stdlib.h>

#include <tss2/tss2_tcti_device.h>

#define TPM_DEVICE "/dev/tpm0"

TSS2_TCTI_CONTEXT *tcti_open(struct fault *f)
{
	TSS2_TCTI_CONTEXT *tcti = NULL;
	size_t size = 0;

	if (Tss2_Tcti_Device_Init(NULL, &size, TPM_DEVICE) == TSS2_RC_SUCCESS && (tcti = calloc(1, size)) != NULL &&
	    Tss2_Tcti_Device_Init(tcti, &size, TPM_DEVICE) == TSS2_RC_SUCCESS)
		return tcti;
	free(tcti);
	fault_set(f, FAULT_TPM, TPM_DEVICE, "a TPM 2.0", "none, or it does not answer");
	return NULL;
}
