/* SPDX-License-Identifier: Apache-2.0 */
/* Counts frames in a capture file as QEMU's filter-dump writes it (pcap, Ethernet); a file that still grows is fine. */
#ifndef STORY_PCAP_H
#define STORY_PCAP_H

#include <stdbool.h>
#include <stdint.h>

#define PCAP_MACS_MAX 32

struct pcap_count {
	uint8_t mac[6];
	uint64_t sent;          /* frames with this source address */
	uint64_t received;      /* frames with this destination address */
};

struct pcap_counts {
	uint64_t frames;
	unsigned count;
	struct pcap_count mac[PCAP_MACS_MAX];
};

/*
 * False after a message on stderr: no file, or not a capture.  Adds to `counts`; addresses beyond the table are in
 * `frames`.
 */
bool pcap_read(const char *path, struct pcap_counts *counts);
/* Frames sent from `mac`. */
uint64_t pcap_sent(const struct pcap_counts *counts, const uint8_t mac[6]);

#endif
