/* SPDX-License-Identifier: Apache-2.0 */
/* A swtpm process of its own, in a directory of its own, with EK certificates. */
#ifndef ATTEST_SWTPM_H
#define ATTEST_SWTPM_H

#include <stdbool.h>
#include <sys/types.h>

#include <tss2/tss2_tcti.h>

struct swtpm {
	char directory[64];
	char roots[128];                /* PEM of the CA that certified its EK */
	pid_t pid;
	TSS2_TCTI_CONTEXT *tcti;
};

bool swtpm_start(struct swtpm *t);
void swtpm_stop(struct swtpm *t);

#endif
