/* SPDX-License-Identifier: Apache-2.0 */
/* The policy compiler's reader of images' manifests: nothing is refused without a reason. */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct facts facts;
	char why[256] = "";
	void *exact = malloc(size ? size : 1);   /* aligned, and with nothing behind it */

	memcpy(exact, data, size);
	if (!facts_parse(exact, size, &facts, why, sizeof(why)) && !why[0])
		abort();
	free(exact);
	return 0;
}
