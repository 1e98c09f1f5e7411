/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the verifier's state, as the statements that make them. */
#ifndef ATTEST_STORE_SCHEMA_H
#define ATTEST_STORE_SCHEMA_H

extern const char store_schema[];

#endif
