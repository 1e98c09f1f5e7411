/* SPDX-License-Identifier: Apache-2.0 */
#include "esp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define MEBIBYTE (1ull << 20)
#define FAT32_LEAST (40 * MEBIBYTE)     /* FAT32 needs 65,525 clusters; ours have 512 bytes up to 260 MiB, then 4 KiB */
#define SMALL_CLUSTERS_MOST (260 * MEBIBYTE)
#define TOOL_SECONDS 120u

static bool tool(const char *image, char *const argv[])
{
	char output[1024];

	if (run_program(argv, TOOL_SECONDS, output, sizeof(output)))
		return true;
	fprintf(stderr, "%s: %s failed: %s\n", image, argv[0], output[0] ? output : "no output");
	return false;
}

bool esp_create(const char *image, uint64_t bytes)
{
	uint64_t size = bytes + bytes / 16 + 4 * MEBIBYTE;
	char sectors[24];
	char *format[] = { "mformat", "-i", (char *)image, "-C", "-F", "-T", sectors, "-c", "1", "-N", "4c5a5231",
			   "-v", "LAZARET", "::", NULL };
	char *folders[] = { "mmd", "-i", (char *)image, "::/EFI", "::/EFI/BOOT", "::/lazaret", NULL };

	if (size < FAT32_LEAST)
		size = FAT32_LEAST;
	if (size > SMALL_CLUSTERS_MOST) {
		format[8] = "8";
		size += 300 * MEBIBYTE - (size < 300 * MEBIBYTE ? size : 300 * MEBIBYTE);
	}
	snprintf(sectors, sizeof(sectors), "%llu", (unsigned long long)((size + MEBIBYTE - 1) / MEBIBYTE * 2048));
	unlink(image);
	return tool(image, format) && tool(image, folders);
}

bool esp_put(const char *image, const char *host_file, const char *name)
{
	char target[256];
	char *copy[] = { "mcopy", "-o", "-i", (char *)image, (char *)host_file, target, NULL };

	snprintf(target, sizeof(target), "::/%s", name);
	return tool(image, copy);
}

bool esp_remove(const char *image, const char *name)
{
	char target[256];
	char *remove[] = { "mdel", "-i", (char *)image, target, NULL };

	snprintf(target, sizeof(target), "::/%s", name);
	return tool(image, remove);
}
