/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* In the child: both streams to `out`, no input, dies with `parent`; `seconds` of processor time, 0: no limit. */
static void exec_child(char *const argv[], int out, pid_t parent, unsigned seconds)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const struct rlimit limit = { seconds, seconds };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	if (seconds)
		setrlimit(RLIMIT_CPU, &limit);
	dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execvp(argv[0], argv);
	dprintf(2, "%s: cannot be started: %s (tools/setup installs what is needed)\n", argv[0], strerror(errno));
	_exit(127);
}

/* The exit status, or -1: it was ended. */
static int finish(pid_t child, int fd, unsigned seconds, char *output, size_t capacity)
{
	const double deadline = now() + RUN_PATIENCE * seconds;
	size_t used = 0;
	int status;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		double left = deadline - now();
		char buffer[4096];
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) == 0) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return -1;
		}
		n = read(fd, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		for (ssize_t i = 0; output && i < n && used + 1 < capacity; i++)
			output[used++] = buffer[i];
		if (output && capacity)
			output[used] = 0;
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int run_status(char *const argv[], unsigned seconds, char *output, size_t capacity)
{
	pid_t parent = getpid(), child;
	int pipe_fd[2], status;

	if (output && capacity)
		output[0] = 0;
	if (pipe2(pipe_fd, O_CLOEXEC))
		return -1;
	child = fork();
	if (child == 0)
		exec_child(argv, pipe_fd[1], parent, seconds);
	close(pipe_fd[1]);
	status = child > 0 ? finish(child, pipe_fd[0], seconds, output, capacity) : -1;
	close(pipe_fd[0]);
	return status;
}

bool run_program(char *const argv[], unsigned seconds, char *output, size_t capacity)
{
	return run_status(argv, seconds, output, capacity) == 0;
}

pid_t run_start(char *const argv[], const char *log)
{
	pid_t parent = getpid(), child;
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	child = fork();
	if (child == 0)
		exec_child(argv, fd, parent, 0);
	close(fd);
	return child;
}

void run_stop(pid_t child)
{
	int status;

	if (child <= 0)
		return;
	kill(child, SIGTERM);
	for (unsigned i = 0; i < 40; i++) {
		pid_t done = waitpid(child, &status, WNOHANG);

		if (done == child || (done < 0 && errno == ECHILD))
			return;
		usleep(50000);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}
