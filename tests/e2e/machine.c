/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define LINES_SHOWN 30u
#define CONSOLE_SECONDS 5.0

struct rig *machine;

void machine_show(struct rig *rig)
{
	const char *log = rig_serial(rig), *from = log + strlen(log);
	unsigned lines = 0;

	while (from > log && (from[-1] != '\n' || lines++ < LINES_SHOWN))
		from--;
	fprintf(stderr, "the end of %s:\n%s\n", rig_path(rig, "serial.log"), from);
}

int machine_boot(const struct rig_config *config, const struct machine_line *lines)
{
	machine = rig_start(config);
	if (!machine)
		return -1;
	for (; lines && lines->text; lines++) {
		if (rig_wait_line(machine, lines->text, lines->seconds, NULL, 0))
			continue;
		machine_show(machine);
		fprintf(stderr, "\"%s\" was not said\n", lines->text);
		machine_end(NULL);
		return -1;
	}
	return 0;
}

int machine_end(void **state)
{
	(void)state;
	rig_stop(machine);
	machine = NULL;
	return 0;
}

static const struct timespec pause = { .tv_nsec = 100000000 };

const char *machine_said(const char *text)
{
	const double until = rig_elapsed(machine) + CONSOLE_SECONDS;
	const char *found = strstr(rig_serial(machine), text);

	while (!found && rig_elapsed(machine) < until && rig_running(machine)) {
		nanosleep(&pause, NULL);
		found = strstr(rig_serial(machine), text);
	}
	if (!found)
		machine_fail(machine, "\"%s\" was not said", text);
	return found;
}

const char *machine_says(const char *text)
{
	while (rig_running(machine)) {
		const char *found = strstr(rig_serial(machine), text);

		if (found && strchr(found, '\n'))
			return found;
		nanosleep(&pause, NULL);
	}
	return machine_said(text);
}

void machine_says_next(const char *text, char *line, size_t capacity)
{
	if (!rig_wait_line(machine, text, UINT_MAX, line, capacity))
		machine_fail(machine, "\"%s\" was not said", text);
}

void machine_silent(const char *text)
{
	if (rig_seen(machine, text))
		machine_fail(machine, "\"%s\" was said", text);
}

unsigned machine_count(const char *text, const char *before)
{
	const char *at = rig_serial(machine);
	unsigned n = 0;

	while ((at = strstr(at, text)) && (!before || at < before)) {
		at += strlen(text);
		n++;
	}
	return n;
}

unsigned long machine_number(const char *line, const char *text)
{
	const char *at = strstr(line, text), *stop = strchr(line, '\n');

	if (!at || (stop && at > stop))
		machine_fail(machine, "no \"%s\" in %.120s", text, line);
	return strtoul(at + strlen(text), NULL, 10);
}

void machine_wire_open(struct machine_wire *wire, unsigned uplink)
{
	uint8_t header[24];

	wire->file = fopen(rig_pcap(machine, uplink), "rb");
	assert_non_null(wire->file);
	assert_int_equal(fread(header, 1, sizeof(header), wire->file), sizeof(header));
}

bool machine_wire_next(struct machine_wire *wire)
{
	uint8_t record[16];
	uint32_t size;

	while (fread(record, 1, sizeof(record), wire->file) == sizeof(record)) {
		memcpy(&size, record + 8, sizeof(size));
		if (size > sizeof(wire->frame) || fread(wire->frame, 1, size, wire->file) != size)
			break;
		if (size >= 14)
			return true;
	}
	fclose(wire->file);
	return false;
}
