/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the boot.  Everything here is gone after the seal. */
#include <arch_x86.h>

#include "plat.h"

void hv_main(uint64_t boot_info) __attribute__((noreturn));

void hv_main(uint64_t boot_info)
{
	console_init();
	say("Lazaret hypervisor, hand-off at %lx", boot_info);
	panic("nothing to start");
}
