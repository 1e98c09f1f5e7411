/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few TPM commands that the loader sends itself.  Trusted Platform Module Library, Part 3: "TPM2_GetRandom",
 * "TPM2_NV_ReadPublic", "TPM2_NV_Read".  Integers on this wire are big-endian; a response is checked before it is used.
 */
#include <string.h>

#include "loader.h"
#include <lazaret/rollback.h>

#define TPM_ST_NO_SESSIONS 0x8001u
#define TPM_ST_SESSIONS 0x8002u
#define TPM_CC_NV_READ 0x14eu
#define TPM_CC_NV_READ_PUBLIC 0x169u
#define TPM_CC_GET_RANDOM 0x17bu
#define TPM_RS_PW 0x40000009u
#define TPM_RC_HANDLE_1 0x18bu          /* TPM_RC_HANDLE + parameter H, first handle: no such index */
#define RESPONSE_HEADER 10u

struct command {
	uint8_t bytes[96];
	uint32_t length;
};

static void put(struct command *c, uint32_t value, unsigned size)
{
	while (size--)
		c->bytes[c->length++] = (uint8_t)(value >> 8 * size);
}

static uint32_t get(const uint8_t *p, unsigned size)
{
	uint32_t value = 0;

	while (size--)
		value = value << 8 | *p++;
	return value;
}

static void begin(struct command *c, uint32_t tag, uint32_t code)
{
	c->length = 0;
	put(c, tag, 2);
	put(c, 0, 4);
	put(c, code, 4);
}

/* Sends; gives the response's length (0: the firmware or the TPM did not answer properly) and its code. */
static uint32_t submit(struct command *c, uint8_t *response, uint32_t capacity, uint32_t *code)
{
	struct tcg2_protocol *tcg2 = measure_tcg2();
	uint32_t length = c->length, size;

	c->bytes[2] = c->bytes[3] = c->bytes[4] = 0;
	c->bytes[5] = (uint8_t)length;
	if (capacity > measure_response_max())
		capacity = measure_response_max();
	memset(response, 0, capacity);
	if (!tcg2 || capacity < RESPONSE_HEADER ||
	    tcg2->submit_command(tcg2, length, c->bytes, capacity, response) != EFI_SUCCESS)
		return 0;
	size = get(response + 2, 4);
	*code = get(response + 6, 4);
	if (size < RESPONSE_HEADER || size > capacity || get(response, 2) < TPM_ST_NO_SESSIONS)
		return 0;
	return size;
}

uint32_t tpm_random(uint8_t *out, uint32_t length)
{
	uint8_t response[128];
	struct command c;
	uint32_t done = 0;

	while (done < length) {
		uint32_t size, got, code = 0;

		begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_GET_RANDOM);
		put(&c, length - done, 2);
		size = submit(&c, response, sizeof(response), &code);
		if (size < RESPONSE_HEADER + 2 || code)
			break;
		got = get(response + RESPONSE_HEADER, 2);
		if (got == 0 || got > length - done || got > size - RESPONSE_HEADER - 2)
			break;
		memcpy(out + done, response + RESPONSE_HEADER + 2, got);
		done += got;
	}
	memset(response, 0, sizeof(response));
	__asm__ volatile("" : : "r"(response) : "memory");      /* else it may be left out */
	return done;
}

static bool rollback_defined(void)
{
	const uint32_t fixed = RESPONSE_HEADER + 2;     /* behind TPM2B_NV_PUBLIC's size */
	uint8_t response[256];
	struct command c;
	uint32_t size, code = 0, policy;

	begin(&c, TPM_ST_NO_SESSIONS, TPM_CC_NV_READ_PUBLIC);
	put(&c, ROLLBACK_NV_INDEX, 4);
	size = submit(&c, response, sizeof(response), &code);
	if (size && code == TPM_RC_HANDLE_1)
		return false;
	if (code || size < fixed + 14)
		refuse("TPM NV index %x cannot be examined (response code %x)", ROLLBACK_NV_INDEX, code);
	policy = get(response + fixed + 10, 2);
	if (get(response + fixed, 4) != ROLLBACK_NV_INDEX || policy > size - fixed - 14 ||
	    get(response + fixed + 12 + policy, 2) != sizeof(struct rollback_nv))
		refuse("TPM NV index %x does not hold %u bytes; it is not Lazaret's", ROLLBACK_NV_INDEX,
		       (unsigned)sizeof(struct rollback_nv));
	return true;
}

bool tpm_read_rollback(struct rollback_nv *nv)
{
	const uint32_t data = RESPONSE_HEADER + 4 + 2;  /* parameter size, TPM2B_MAX_NV_BUFFER size */
	uint8_t response[256];
	struct command c;
	uint32_t size, code = 0;

	if (!rollback_defined())
		return false;
	begin(&c, TPM_ST_SESSIONS, TPM_CC_NV_READ);
	put(&c, ROLLBACK_NV_INDEX, 4);
	put(&c, ROLLBACK_NV_INDEX, 4);
	put(&c, 9, 4);                  /* one empty password session */
	put(&c, TPM_RS_PW, 4);
	put(&c, 0, 2);
	put(&c, 0, 1);
	put(&c, 0, 2);
	put(&c, sizeof(*nv), 2);
	put(&c, 0, 2);
	size = submit(&c, response, sizeof(response), &code);
	if (size < data + sizeof(*nv) || code || get(response + data - 2, 2) != sizeof(*nv))
		refuse("TPM NV index %x cannot be read (response code %x)", ROLLBACK_NV_INDEX, code);
	memcpy(nv, response + data, sizeof(*nv));
	if (memcmp(nv->magic, ROLLBACK_NV_MAGIC, sizeof(nv->magic)))
		refuse("TPM NV index %x does not start with %s; it is not Lazaret's", ROLLBACK_NV_INDEX,
		       ROLLBACK_NV_MAGIC);
	return true;
}
