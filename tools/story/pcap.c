/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format: "PCAP Capture File Format" (draft-ietf-opsawg-pcap): 24-byte header, then records of a 16-byte header and
 * data.
 */
#include "pcap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PCAP_MAGIC 0xa1b2c3d4u
#define PCAP_RECORD_MAX 262144u
#define ETHERNET_ADDRESSES 12u

static struct pcap_count *entry(struct pcap_counts *counts, const uint8_t mac[6])
{
	struct pcap_count *new;

	for (unsigned i = 0; i < counts->count; i++)
		if (memcmp(counts->mac[i].mac, mac, 6) == 0)
			return &counts->mac[i];
	if (counts->count == PCAP_MACS_MAX)
		return NULL;
	new = &counts->mac[counts->count++];
	memcpy(new->mac, mac, 6);
	new->sent = new->received = 0;
	return new;
}

static void count_frame(struct pcap_counts *counts, const uint8_t addresses[ETHERNET_ADDRESSES])
{
	struct pcap_count *e;

	counts->frames++;
	if ((e = entry(counts, addresses + 6)))
		e->sent++;
	if ((e = entry(counts, addresses)))
		e->received++;
}

bool pcap_read(const char *path, struct pcap_counts *counts)
{
	uint32_t header[6], record[4];
	uint8_t addresses[ETHERNET_ADDRESSES];
	FILE *file = fopen(path, "rb");

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	if (fread(header, sizeof(header), 1, file) != 1 || header[0] != PCAP_MAGIC) {
		fprintf(stderr, "%s: expected a pcap capture\n", path);
		fclose(file);
		return false;
	}
	while (fread(record, sizeof(record), 1, file) == 1) {
		if (record[2] > PCAP_RECORD_MAX) {
			fprintf(stderr, "%s: record of %u bytes, expected at most %u\n", path, record[2],
				PCAP_RECORD_MAX);
			fclose(file);
			return false;
		}
		if (record[2] < sizeof(addresses)) {
			counts->frames++;
			fseek(file, record[2], SEEK_CUR);
			continue;
		}
		if (fread(addresses, sizeof(addresses), 1, file) != 1)
			break;
		count_frame(counts, addresses);
		fseek(file, record[2] - (long)sizeof(addresses), SEEK_CUR);
	}
	fclose(file);
	return true;
}

uint64_t pcap_sent(const struct pcap_counts *counts, const uint8_t mac[6])
{
	for (unsigned i = 0; i < counts->count; i++)
		if (memcmp(counts->mac[i].mac, mac, 6) == 0)
			return counts->mac[i].sent;
	return 0;
}
