/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR values straight from the TPM, past the firmware: TCG PC Client Platform TPM Profile, "FIFO Interface".  Polling,
 * locality 0.
 */
#include "probe.h"

#define TIS 0xfed40000ull
#define ACCESS 0x00
#define ACCESS_REQUEST 0x02
#define ACCESS_ACTIVE 0x20
#define STATUS 0x18
#define STATUS_READY 0x40
#define STATUS_GO 0x20
#define STATUS_DATA 0x10
#define FIFO 0x24
#define TRIES 200000000u

static volatile uint8_t *reg(unsigned offset)
{
	return (volatile uint8_t *)(TIS + offset);
}

static bool wait_for(unsigned offset, uint8_t bit)
{
	for (unsigned i = 0; i < TRIES; i++) {
		if (*reg(offset) != 0xff && (*reg(offset) & bit))
			return true;
	}
	return false;
}

static bool transact(const uint8_t *command, unsigned length, uint8_t *response, unsigned capacity)
{
	unsigned got = 0;

	*reg(ACCESS) = ACCESS_REQUEST;
	if (!wait_for(ACCESS, ACCESS_ACTIVE))
		return false;
	*reg(STATUS) = STATUS_READY;
	if (!wait_for(STATUS, STATUS_READY))
		return false;
	for (unsigned i = 0; i < length; i++)
		*reg(FIFO) = command[i];
	*reg(STATUS) = STATUS_GO;
	if (!wait_for(STATUS, STATUS_DATA))
		return false;
	while (got < capacity && (*reg(STATUS) & STATUS_DATA))
		response[got++] = *reg(FIFO);
	*reg(STATUS) = STATUS_READY;
	return got > 10;
}

/* TPM2_PCR_Read of one PCR; true when the digest has the expected size. */
bool tis_pcr_read(unsigned pcr, uint16_t algorithm, uint8_t *digest, unsigned size)
{
	const unsigned at = 10 + 4 + 4 + 6 + 4 + 2;     /* header, counter, selection, digest count, digest size */
	uint8_t command[20] = { 0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7e, 0, 0, 0, 1, (uint8_t)(algorithm >> 8),
				(uint8_t)algorithm, 3 };
	uint8_t response[128] = { 0 };

	command[17 + pcr / 8] = (uint8_t)(1u << pcr % 8);
	if (!transact(command, sizeof(command), response, sizeof(response)) || response[9] || response[8] ||
	    response[at - 1] != size)
		return false;
	for (unsigned i = 0; i < size; i++)
		digest[i] = response[at + i];
	return true;
}
