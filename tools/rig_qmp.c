/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's machine protocol, as much of it as the rig needs: one command at a time, events skipped. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rig_internal.h"

#define REPLY_SECONDS 300.0    /* of a QEMU that hangs; one that is only slow answers */

/* Reads one line, drops what does not fit; false when the connection or the time ended. */
static bool read_line(struct rig *rig, char *line, size_t capacity)
{
	double deadline = rig_now() + REPLY_SECONDS;
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = rig->qmp, .events = POLLIN };
		double left = deadline - rig_now();
		int ready;
		char c;

		if (left <= 0)
			return false;
		ready = poll(&p, 1, (int)(left * 1000) + 1);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0 || read(rig->qmp, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (used + 1 < capacity)
			line[used++] = c;
	}
	line[used] = 0;
	return true;
}

bool rig_qmp(struct rig *rig, const char *command, char *reply, size_t capacity)
{
	size_t size = 1 << 20;
	char *line = malloc(size);
	bool good = false;

	if (!line || rig->qmp < 0 || send(rig->qmp, command, strlen(command),
					  MSG_NOSIGNAL) != (ssize_t)strlen(command) ||
	    send(rig->qmp, "\n", 1, MSG_NOSIGNAL) != 1) {
		free(line);
		return false;
	}
	while (read_line(rig, line, size)) {
		bool result = !strncmp(line, "{\"return\":", 10);

		if (!result && strncmp(line, "{\"error\":", 9))
			continue;
		if (reply && capacity)
			snprintf(reply, capacity, "%s", line);
		good = result;
		break;
	}
	free(line);
	return good;
}

bool rig_qmp_connect(struct rig *rig)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char greeting[1024];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qmp", rig->sockets);
	for (double deadline = rig_now() + REPLY_SECONDS; rig_now() < deadline && rig_running(rig); usleep(20000)) {
		rig->qmp = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (rig->qmp >= 0 && !connect(rig->qmp, (struct sockaddr *)&address, sizeof(address)))
			return read_line(rig, greeting, sizeof(greeting)) &&
			       rig_qmp(rig, "{\"execute\":\"qmp_capabilities\"}", NULL, 0);
		if (rig->qmp >= 0)
			close(rig->qmp);
		rig->qmp = -1;
	}
	return false;
}

/* The text of a JSON string that starts behind the quote; enough for what the human monitor prints. */
static void unescape(const char *from, char *to, size_t capacity)
{
	size_t used = 0;

	for (; *from && *from != '"' && used + 1 < capacity; from++) {
		char c = *from;

		if (c == '\\' && from[1]) {
			from++;
			if (*from == 'r')
				continue;
			c = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
		}
		to[used++] = c;
	}
	to[used] = 0;
}

bool rig_monitor(struct rig *rig, const char *command, char *reply, size_t capacity)
{
	size_t size = 1 << 20;
	char *raw = malloc(size), *text, *json;
	bool good;

	if (!raw || asprintf(&json, "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"%s\"}}",
			     command) < 0)
		abort();
	good = rig_qmp(rig, json, raw, size);
	text = good ? strstr(raw, "\"return\": \"") : NULL;
	if (reply && capacity) {
		reply[0] = 0;
		if (text)
			unescape(text + strlen("\"return\": \""), reply, capacity);
	}
	free(json);
	free(raw);
	return good;
}

bool rig_memory_read(struct rig *rig, uint64_t address, void *out, size_t length)
{
	const char *path = rig_path(rig, "memory.bin");
	char *json;
	FILE *f;
	bool good;

	if (asprintf(&json, "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":%llu,\"size\":%zu,\"filename\":\"%s\"}}",
		     (unsigned long long)address, length, path) < 0)
		abort();
	good = rig_qmp(rig, json, NULL, 0);
	free(json);
	f = good ? fopen(path, "rb") : NULL;
	good = f && fread(out, 1, length, f) == length;
	if (f)
		fclose(f);
	unlink(path);
	return good;
}

bool rig_screendump(struct rig *rig, const char *path)
{
	char *json;
	bool good;

	if (asprintf(&json, "{\"execute\":\"screendump\",\"arguments\":{\"filename\":\"%s\"}}", path) < 0)
		abort();
	good = rig_qmp(rig, json, NULL, 0);
	free(json);
	return good;
}
