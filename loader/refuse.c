/* SPDX-License-Identifier: Apache-2.0 */
/* A boot that is refused: said, recorded in the TPM so that nothing after it can pass for a good boot, and reset. */
#include "loader.h"

#define READING_TIME_US 3000000u

void refuse(const char *format, ...)
{
	static bool refusing;
	va_list args;

	va_start(args, format);
	console_vsay("loader: REFUSED: ", format, &args);
	va_end(args);
	if (!refusing && !exit_done()) {
		refusing = true;
		measure_error_caps();
		say("the machine resets");
		efi->boot->stall(READING_TIME_US);
	}
	efi->runtime->reset_system(EFI_RESET_COLD, EFI_SUCCESS, 0, NULL);
	for (;;)
		__asm__ volatile("cli; hlt");
}
