/* SPDX-License-Identifier: Apache-2.0 */
/* What the warden (tests/guests/warden) says of the switch's ports. */
#ifndef TESTS_WARDEN_H
#define TESTS_WARDEN_H

enum { DOWN, QUARANTINED, ADMITTED, BLOCKED };

struct counters {
	unsigned long state, in, out, quarantine, label, spoof, rules, rate, other;
};

/* The report of that name on a VM's port; waits for it as long as the machine runs. */
struct counters warden_report(const char *when, const char *vm);

#endif
