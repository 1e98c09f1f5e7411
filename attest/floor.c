/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <string.h>

#include <lazaret/rollback.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "struct rollback_nv is little-endian");

bool floor_raise(struct agent *a, bool *written, struct fault *f)
{
	struct rollback_nv now = { 0 }, wanted = { .magic = ROLLBACK_NV_MAGIC, .floor = a->view.version };
	size_t length = 0;

	*written = false;
	sha384(wanted.signer, a->signer.data, a->signer.length);
	memcpy(wanted.next_signer, a->view.next_signer, sizeof(wanted.next_signer));
	if (!tpm_nv_read(&a->tpm, ROLLBACK_NV_INDEX, (uint8_t *)&now, sizeof(now), &length, f))
		return false;
	if (length == 0)
		return true;
	if (length != sizeof(now) || memcmp(now.magic, wanted.magic, sizeof(now.magic)))
		return fault_set(f, FAULT_TPM, "rollback index", ROLLBACK_NV_MAGIC, "something else");
	if (now.floor > wanted.floor || memcmp(&now, &wanted, sizeof(now)) == 0)
		return true;
	*written = tpm_nv_write(&a->tpm, ROLLBACK_NV_INDEX, (const uint8_t *)&wanted, sizeof(wanted), f);
	return *written;
}
