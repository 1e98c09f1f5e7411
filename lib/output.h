/* SPDX-License-Identifier: Apache-2.0 */
/* A program on a host whose answer could not be written must not end as if it had been. */
#ifndef LIB_OUTPUT_H
#define LIB_OUTPUT_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_STATUS 2         /* as for a file that cannot be written */

static const char *output_program;

static inline void output_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return;
	fprintf(stderr, "%s: cannot write to standard output\n", output_program);
	fflush(stderr);
	_exit(OUTPUT_STATUS);
}

/*
 * Files that are opened later must not get the number of a stream that is closed, or answers would be written into
 * them: into the verifier's state, for one.
 */
static inline void output_keep_numbers(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open(fd == 1 ? "/dev/full" : "/dev/null", O_RDWR) != fd)
			_exit(OUTPUT_STATUS);
}

/*
 * For the first line of main(): however the program ends, with standard output full or closed it says so and its exit
 * status is OUTPUT_STATUS.
 */
static inline void output_must_be_written(const char *program)
{
	output_keep_numbers();
	output_program = program;
	if (atexit(output_end) != 0)
		abort();
}

#endif
