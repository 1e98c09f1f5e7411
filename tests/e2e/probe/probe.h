/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

bool tis_pcr_read(unsigned pcr, uint16_t algorithm, uint8_t *digest, unsigned size);

#endif
