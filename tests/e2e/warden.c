/* SPDX-License-Identifier: Apache-2.0 */
#include "warden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "machine.h"

struct counters warden_report(const char *when, const char *vm)
{
	char head[80];
	const char *line;
	struct counters c;

	snprintf(head, sizeof(head), "WARDEN report=%s vm=%s port=", when, vm);
	line = machine_says(head) + strlen(head);
	if (sscanf(line, "%*u state=%lu in=%lu out=%lu quarantine=%lu label=%lu spoof=%lu rules=%lu rate=%lu other=%lu",
		   &c.state, &c.in, &c.out, &c.quarantine, &c.label, &c.spoof, &c.rules, &c.rate, &c.other) != 9)
		fail_msg("%.160s", line);
	return c;
}
