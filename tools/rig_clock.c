/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's time.  A busy host must not end a machine that would have got there: what counts is time in which no
 * thread of the emulator was kept waiting for a processor (proc(5), /proc/PID/task/TID/schedstat: nanoseconds run,
 * nanoseconds waited, slices).  A machine that sleeps, and one that spins, both use their time up; one that the host
 * holds up does not.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "rig_internal.h"

#define SAMPLE_US 200000u

/* How much longer this thread has waited than when it was looked at last. */
static unsigned long long newly_waited(struct rig *rig, long thread, unsigned long long ns)
{
	struct rig_waited *w = rig->waited, *end = w + RIG_THREADS_MAX;
	unsigned long long before;

	while (w < end && w->thread && w->thread != thread)
		w++;
	if (w == end)
		return 0;
	before = w->thread ? w->ns : ns;
	*w = (struct rig_waited){ thread, ns };
	return ns - before;
}

/* The longest that any thread of the emulator waited for a processor since the last look, in nanoseconds. */
static unsigned long long held_up(struct rig *rig)
{
	unsigned long long most = 0, ran, ns;
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)rig->qemu);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)) != NULL) {
		char file[128];
		FILE *f;

		snprintf(file, sizeof(file), "%s/%.20s/schedstat", path, entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(file, "r");
		if (f && fscanf(f, "%llu %llu", &ran, &ns) == 2) {
			ns = newly_waited(rig, atol(entry->d_name), ns);
			most = ns > most ? ns : most;
		}
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
	return most;
}

static void *watch(void *argument)
{
	struct rig *rig = argument;
	double last = rig_now();

	while (rig->watched) {
		double now, lost;

		usleep(SAMPLE_US);
		now = rig_now();
		lost = (double)held_up(rig) * 1e-9;
		rig->elapsed_us += now - last > lost ? (uint64_t)((now - last - lost) * 1e6) : 0;
		last = now;
		if (rig_elapsed(rig) > rig->seconds)
			pidfd_send_signal(rig->qemu_fd, SIGKILL, NULL, 0);
	}
	return NULL;
}

void rig_clock_start(struct rig *rig, unsigned seconds)
{
	rig->seconds = seconds;
	rig->qemu_fd = pidfd_open(rig->qemu, 0);
	rig->watched = true;
	if (pthread_create(&rig->watcher, NULL, watch, rig))
		abort();
}

void rig_clock_stop(struct rig *rig)
{
	if (!rig->watched)
		return;
	rig->watched = false;
	pthread_join(rig->watcher, NULL);
	if (rig->qemu_fd >= 0)
		close(rig->qemu_fd);
}

double rig_elapsed(struct rig *rig)
{
	return (double)rig->elapsed_us * 1e-6;
}
