/* SPDX-License-Identifier: Apache-2.0 */
/* Writes good inputs, from which the fuzzers start: seeds evidence|bootlog|lists DIRECTORY. */
#include <stdio.h>
#include <string.h>

#include "../file.h"
#include "../session.h"
#include "fixture.h"

static const char *directory;

static void write_seed(const char *name, int pick, struct bytes content)
{
	uint8_t bytes[65536];
	char path[512];
	struct fault f = { 0 };
	size_t used = 0;

	if (pick >= 0)
		bytes[used++] = (uint8_t)pick;
	memcpy(bytes + used, content.data, content.length);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (!file_write(path, (struct bytes){ bytes, used + content.length }, &f))
		perror(path);
}

/* A list of these names, NULL at the end, of one kind each; the last kind is that of all others. */
static size_t put_list(uint8_t *out, const char *magic, const uint32_t *kinds, size_t kind_count,
		       const char *const names[])
{
	struct lzr_boot_list_header header = { .version = LZR_BOOT_LIST_VERSION };
	uint8_t *next = out + sizeof(header);

	memcpy(header.magic, magic, sizeof(header.magic));
	for (; names[header.count]; header.count++, next += sizeof(struct lzr_boot_list_entry)) {
		struct lzr_boot_list_entry e = {
			.kind = kinds[header.count < kind_count ? header.count : kind_count - 1],
		};

		snprintf(e.name, sizeof(e.name), "%s", names[header.count]);
		memcpy(next, &e, sizeof(e));
	}
	memcpy(out, &header, sizeof(header));
	return (size_t)(next - out);
}

/* The boot list's length, low byte first, the boot list, the segment list. */
static void write_lists(void)
{
	static const char *const files[] = { "signer.lzrkey", "policy.dtb", "policy.sig", "red", "blue.2-x", NULL };
	static const uint32_t kinds[] = { LZR_FILE_SIGNER_KEY, LZR_FILE_POLICY, LZR_FILE_POLICY_SIGNATURE,
					  LZR_FILE_MANIFEST };
	static const uint32_t segment = LZR_FILE_SEGMENT;
	static const char *const segments[] = { "vmlinuz-6.1", "initrd-1.seg", NULL };
	uint8_t bytes[4096];
	size_t size = put_list(bytes + 2, LZR_BOOT_LIST_MAGIC, kinds, 4, files);

	bytes[0] = (uint8_t)size;
	bytes[1] = (uint8_t)(size >> 8);
	size += put_list(bytes + 2 + size, LZR_SEGMENT_LIST_MAGIC, &segment, 1, segments);
	write_seed("lists", -1, (struct bytes){ bytes, 2 + size });
}

int main(int argc, char **argv)
{
	struct fixture *x = fixture_new(1);
	uint8_t frame[16];

	if (argc != 3)
		return 2;
	directory = argv[2];
	if (strcmp(argv[1], "bootlog") == 0) {
		write_seed("log", -1, (struct bytes){ x->log, x->log_length });
	} else if (strcmp(argv[1], "lists") == 0) {
		write_lists();
	} else {
		write_seed("bundle", 0, (struct bytes){ x->bundle, x->bundle_length });
		write_seed("statement", 1, (struct bytes){ x->eat[0], x->eat_length[0] });
		write_seed("quote", 2, (struct bytes){ x->quote, x->quote_length });
		write_seed("signature", 2, (struct bytes){ x->signature, x->signature_length });
		write_seed("public", 2, (struct bytes){ x->ak.area, x->ak.area_length });
		write_seed("policy", 3, (struct bytes){ x->policy, x->policy_length });
		session_put_header(frame, SESSION_HELLO, 0);
		write_seed("frame", 4, (struct bytes){ frame, sizeof(struct session_header) });
	}
	fixture_free(x);
	return 0;
}
