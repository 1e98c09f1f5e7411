/* SPDX-License-Identifier: Apache-2.0 */
/* What the rig's files share. */
#ifndef TOOLS_RIG_INTERNAL_H
#define TOOLS_RIG_INTERNAL_H

#include <sys/types.h>
#include <time.h>

#include "rig.h"

struct rig_string {
	struct rig_string *next;
	char text[];
};

struct rig {
	char *dir;
	char sockets[24];               /* folder in /tmp */
	pid_t qemu, swtpm;              /* 0: not running */
	int qmp;                        /* -1: not connected */
	bool screen, limited;
	timer_t limit;
	char *serial;
	size_t serial_length, mark;
	struct rig_string *strings;
};

double rig_now(void);
bool rig_qmp_connect(struct rig *rig);
bool rig_tpm_start(struct rig *rig);

#endif
