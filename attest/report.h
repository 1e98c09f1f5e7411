/* SPDX-License-Identifier: Apache-2.0 */
/* A verify_report for people and for programs. */
#ifndef ATTEST_REPORT_H
#define ATTEST_REPORT_H

#include <stdio.h>

#include "verify.h"

void report_print(FILE *out, const struct verify_report *report, const struct reference *reference);
void report_print_json(FILE *out, const struct verify_report *report, const struct reference *reference);

/* `text` between quotes, escaped for JSON. */
void report_json_string(FILE *out, const char *text);
void report_json_fault(FILE *out, const struct fault *f);
const char *report_port_state(uint64_t state);
const char *report_control_status(uint64_t status);

#endif
