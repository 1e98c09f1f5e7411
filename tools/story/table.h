/* SPDX-License-Identifier: Apache-2.0 */
/* The tables at the end of the story. */
#ifndef STORY_TABLE_H
#define STORY_TABLE_H

#include <stdio.h>

#include "model.h"
#include "pcap.h"

/* Each prints its table and returns the number of lines that are not as expected. */
unsigned table_vms(FILE *out, struct story *s);
unsigned table_flows(FILE *out, struct story *s);
/* Frames on each wire (its card's name in the policy, NULL: no card) by VM; who may not send there has sent none. */
unsigned table_wires(FILE *out, struct story *s, const struct pcap_counts wires[], const char *const names[],
		     unsigned count);

struct table_check {            /* one thing that was tried on the whole */
	const char *what;
	char found[STORY_WAIT];
	bool good;
	bool untried;                   /* found: why */
};
unsigned table_checks(FILE *out, const struct table_check *checks, unsigned count);

struct table_time {
	const char *what;
	double seconds;
};
void table_times(FILE *out, const struct table_time *times, unsigned count);

#endif
