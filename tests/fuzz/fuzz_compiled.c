/* SPDX-License-Identifier: Apache-2.0 */
/* What `lzr-policy show`, `diff` and `verify` read: compiled policies of any origin.  None differs from itself. */
#include <stdlib.h>
#include <string.h>

#include "outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	struct outline outlines[2] = { 0 };
	void *exact = malloc(size ? size : 1);

	if (!null)
		null = fopen("/dev/null", "w");
	struct diff diff = { .out = null };
	memcpy(exact, data, size);
	bool good = outline_dtb(&outlines[0], exact, size);
	if (good != outline_dtb(&outlines[1], exact, size))
		abort();
	if (good) {
		show_outline(null, &outlines[0]);
		diff_outlines(&diff, &outlines[0], &outlines[1]);
		if (diff_end(&diff) != DIFF_SAME)
			abort();
	}
	outline_free(&outlines[0]);
	outline_free(&outlines[1]);
	free(exact);
	return 0;
}
