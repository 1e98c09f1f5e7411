/* SPDX-License-Identifier: Apache-2.0 */
/* Writes good inputs, from which the fuzzers start: seeds evidence|bootlog DIRECTORY. */
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

int main(int argc, char **argv)
{
	struct fixture *x = fixture_new(1);
	uint8_t frame[16];

	if (argc != 3)
		return 2;
	directory = argv[2];
	if (strcmp(argv[1], "bootlog") == 0) {
		write_seed("log", -1, (struct bytes){ x->log, x->log_length });
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
