/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer target for virtual devices, rings and the router: `make fuzz FUZZ_S=60`. */
#include "link_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size <= 4096)
		link_script_play(data, size);
	return 0;
}
