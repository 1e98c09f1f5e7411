/* SPDX-License-Identifier: Apache-2.0 */
/* Host programs run by ours: no shell in between, output kept for the error message. */
#ifndef TOOLS_RUN_H
#define TOOLS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUN_PATIENCE 20u

/*
 * Runs argv[0] (looked up in PATH) to its end; true when it exits with 0.  It may use `seconds` of a processor's time,
 * and so may each program that it runs; by the clock it is ended after RUN_PATIENCE times that: one that hangs, not one
 * on a busy host.  What it printed, both streams, is in `output` (capacity bytes, cut, zero-terminated; may be NULL).
 */
bool run_program(char *const argv[], unsigned seconds, char *output, size_t capacity);
/* The same; the exit status, or -1 if it could not be started or was ended. */
int run_status(char *const argv[], unsigned seconds, char *output, size_t capacity);

/*
 * Starts argv[0] in the background with both output streams in the file `log`.  The child dies when this process does.
 * Returns its process id, or -1.
 */
pid_t run_start(char *const argv[], const char *log);

/* Ends a child of run_start: asks, waits up to two seconds, kills, reaps. */
void run_stop(pid_t child);

#endif
