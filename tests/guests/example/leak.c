/* SPDX-License-Identifier: Apache-2.0 */
/* Another program under the guard's name.  It must never run. */
#include "rt.h"

void rt_main(void)
{
	rt_printf("LEAK runs\n");
	rt_stop();
}
