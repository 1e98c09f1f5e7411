/* SPDX-License-Identifier: Apache-2.0 */
/* The picture of a policy into a file, by graphviz where its language alone is not asked for. */
#include "graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DOT_ABSENT 127          /* the child's status when there is no such program */

/* What graphviz calls the file's form; "" for its own language, NULL for a name that says nothing of its form. */
static const char *form_of(const char *path)
{
	static const struct { const char *ending, *form; } forms[] = {
		{ ".svg", "svg" }, { ".png", "png" }, { ".dot", "" }, { ".gv", "" },
	};
	const char *ending = strrchr(path, '.');

	for (unsigned i = 0; ending && i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(ending, forms[i].ending))
			return forms[i].form;
	return NULL;
}

static bool cannot_write(const char *path, const char *reason)
{
	print_tame(stderr, "lzr-policy: %s: cannot write: %s\n", path, reason);
	return false;
}

/* graphviz reads the text from a file and its picture comes out of a pipe: this program, not dot, writes `path`. */
static char *run_dot(const char *text, size_t size, const char *form, size_t *out_size, int *status)
{
	char option[16], chunk[65536], *picture = NULL;
	FILE *input = tmpfile(), *out = open_memstream(&picture, out_size);
	int pipes[2];
	ssize_t got = 1;
	bool good = input && out && fwrite(text, 1, size, input) == size && fflush(input) == 0 && pipe(pipes) == 0;
	pid_t child;

	*status = -1;
	snprintf(option, sizeof(option), "-T%s", form);
	if (good && (child = fork()) >= 0) {
		if (child == 0) {
			bool ready = lseek(fileno(input), 0, SEEK_SET) == 0 && dup2(fileno(input), STDIN_FILENO) >= 0 &&
				     dup2(pipes[1], STDOUT_FILENO) >= 0;
			close(pipes[0]);
			if (ready)
				execlp("dot", "dot", option, (char *)NULL);
			_exit(ready && errno == ENOENT ? DOT_ABSENT : 126);
		}
		close(pipes[1]);
		while (got > 0 || (got < 0 && errno == EINTR)) {
			got = read(pipes[0], chunk, sizeof(chunk));
			good = (got <= 0 || fwrite(chunk, 1, (size_t)got, out) == (size_t)got) && good;
		}
		close(pipes[0]);
		if (waitpid(child, status, 0) != child || !good)
			*status = -1;
	}
	if (input)
		fclose(input);
	if (out && fclose(out) == 0 && *status == 0)
		return picture;
	free(picture);
	return NULL;
}

bool graph_write(const struct policy *policy, const char *source, const char *path)
{
	const char *form = form_of(path);
	int status = 0;
	size_t size;

	if (!form) {
		print_tame(stderr, "lzr-policy: %s: expected a name that ends in .svg, .png, .dot or .gv, which says "
			   "what to write\n", path);
		return false;
	}
	char *text = graph_text(policy, source, &size);
	if (text && *form) {
		size_t picture_size = 0;
		char *picture = run_dot(text, size, form, &picture_size, &status);
		free(text);
		text = picture;
		size = picture_size;
	}
	if (!text)
		return cannot_write(path, WIFEXITED(status) && WEXITSTATUS(status) == DOT_ABSENT
				    ? "expected graphviz' \"dot\" to be installed" : "graphviz' \"dot\" failed");
	bool good = file_store(path, text, size, 0644) || cannot_write(path, strerror(errno));
	free(text);
	return good;
}
