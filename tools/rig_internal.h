/* SPDX-License-Identifier: Apache-2.0 */
/* What the rig's files share. */
#ifndef TOOLS_RIG_INTERNAL_H
#define TOOLS_RIG_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

#include "rig.h"

struct rig_string {
	struct rig_string *next;
	char text[];
};

#define RIG_THREADS_MAX 64u

struct rig_waited {             /* a thread of the emulator, and how long it has waited for a processor of the host */
	long thread;
	unsigned long long ns;
};

struct rig {
	char *dir;
	char sockets[24];               /* folder in /tmp */
	pid_t qemu, swtpm;              /* 0: not running */
	int qmp;                        /* -1: not connected */
	struct rig_wire *wire[RIG_UPLINKS];     /* NULL: QEMU's network alone */
	bool screen;
	int qemu_fd;                    /* pidfd, so that no other process is ever meant; -1: none */
	pthread_t watcher;
	atomic_bool watched;
	_Atomic uint64_t elapsed_us;    /* the machine's time */
	unsigned seconds;               /* its limit */
	struct rig_waited waited[RIG_THREADS_MAX];      /* the watcher's */
	char *serial;
	size_t serial_length, mark;
	struct rig_string *strings;
};

double rig_now(void);
/* The watchdog over a running QEMU; rig_clock.c. */
void rig_clock_start(struct rig *rig, unsigned seconds);
void rig_clock_stop(struct rig *rig);
/* A wire of a test's own; `card` and `network` are the ends that QEMU inherits, until rig_wire_start. */
struct rig_wire *rig_wire_make(int *card, int *network);
void rig_wire_start(struct rig_wire *w);
void rig_wire_end(struct rig_wire *w);
bool rig_qmp_connect(struct rig *rig);
bool rig_tpm_start(struct rig *rig);

#endif
