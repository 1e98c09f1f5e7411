/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's boot list and segment list on any bytes: two for the first one's length, the first, the second.  What is
 * taken must have names that hold on a FAT volume, each once; and the verifier, which hears the names from events, must
 * come to the very bytes that the loader measured.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../attest/bootlog.h"
#include "loader_fake.h"

static void must(bool is)
{
	if (!is)
		abort();
}

/* Of its very size, so that the sanitizer sees a read behind it. */
static uint8_t *copy_of(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	must(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

static void check_name(const char name[LZR_NAME_MAX])
{
	size_t length = strnlen(name, LZR_NAME_MAX);

	must(length > 0 && length < LZR_NAME_MAX);
	for (size_t i = 0; i < LZR_NAME_MAX; i++)
		must(i < length ? isalnum((unsigned char)name[i]) || strchr("-_.", name[i]) : !name[i]);
}

static const char *name_at(const struct boot_list lists[2], uint32_t index)
{
	return index < lists[0].count ? lists[0].entries[index].name
				      : lists[1].entries[index - lists[0].count].name;
}

static void check_names(const struct boot_list lists[2])
{
	const uint32_t count = lists[0].count + lists[1].count;

	must(count <= LZR_BOOT_LIST_MAX);
	for (uint32_t i = 0; i < count; i++) {
		check_name(name_at(lists, i));
		must(strcasecmp(name_at(lists, i), LZR_BOOT_LIST_NAME) != 0);
		must(strcasecmp(name_at(lists, i), LZR_SEGMENT_LIST_NAME) != 0);
		for (uint32_t j = 0; j < i; j++)
			must(strcasecmp(name_at(lists, i), name_at(lists, j)) != 0);
	}
}

static void check_rebuilt(const struct boot_list *list, const uint8_t *bytes, size_t size)
{
	static struct bootlog log;
	uint8_t rebuilt[BOOTLOG_LIST_MAX];

	memset(&log, 0, sizeof(log));
	memcpy(log.signer_name, list->entries[0].name, LZR_NAME_MAX);
	memcpy(log.policy_name, list->entries[1].name, LZR_NAME_MAX);
	for (uint32_t i = 3; i < list->count; i++)
		memcpy(log.manifest[log.manifest_count++].image, list->entries[i].name, LZR_NAME_MAX);
	must(bootlog_list(&log, rebuilt) == size && memcmp(rebuilt, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_list lists[2];
	static uint8_t *first, *second;
	static size_t length;

	if (size < 2)
		return 0;
	length = (size_t)(data[0] | data[1] << 8);
	length = length < size - 2 ? length : size - 2;
	first = copy_of(data + 2, length);
	second = copy_of(data + 2 + length, size - 2 - length);
	if (!REFUSED(bootlist_check(first, length, &lists[0]))) {
		check_rebuilt(&lists[0], first, length);
		if (!REFUSED(bootlist_check_segments(second, size - 2 - length, &lists[0], &lists[1])))
			check_names(lists);
	}
	free(first);
	free(second);
	return 0;
}
