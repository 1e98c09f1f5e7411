/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the TPM; which one is a matter of what is linked. */
#ifndef ATTEST_TCTI_H
#define ATTEST_TCTI_H

#include <tss2/tss2_tcti.h>

#include "fault.h"

TSS2_TCTI_CONTEXT *tcti_open(struct fault *f);

#endif
