/* SPDX-License-Identifier: Apache-2.0 */
/* mkboot: the two lists and the EFI system partition that the loader starts from. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lazaret/boot.h>
#include <lazaret/manifest.h>
#include <lazaret/name.h>
#include <lazaret/policy.h>

#include "../lib/output.h"
#include "esp.h"

#define MANIFEST_SUFFIX ".manifest"

struct item {
	uint32_t kind;
	unsigned order;
	const char *path;
	uint64_t length;
	struct lzr_boot_list_entry entry;
};

static struct item items[LZR_BOOT_LIST_MAX];
static unsigned item_count;

static const char usage[] =
	"usage: mkboot --out ESP.IMG --loader LAZARET.EFI --key KEY --policy DTB --signature SIG\n"
	"              [--manifest FILE]... [--segment FILE]...\n"
	"\n"
	"Writes a bare FAT32 image with the loader as \\EFI\\BOOT\\BOOTX64.EFI, the given files in \\lazaret and two\n"
	"lists of them: \\lazaret\\boot.list (measured) has key, policy, signature and manifests by name,\n"
	"\\lazaret\\segment.list the segments.  Manifests and segments keep the order in which they are given.  A\n"
	"file's name in a list is its base name, for a manifest without the suffix .manifest; the signature's is the\n"
	"policy's with the suffix .sig.\n"
	"\n"
	"  --out FILE         the image to write; one that is there is replaced\n"
	"  --loader FILE      the loader's PE\n"
	"  --key FILE         the policy signer's public key (.lzrkey)\n"
	"  --policy FILE      the compiled policy\n"
	"  --signature FILE   its signature, 96 bytes\n"
	"  --manifest FILE    a VM image's manifest\n"
	"  --segment FILE     a file that manifests name\n"
	"  --help             this text\n";

static bool set_name(struct item *item)
{
	const char *base = strrchr(item->path, '/') ? strrchr(item->path, '/') + 1 : item->path;
	size_t length = strlen(base), suffix = strlen(MANIFEST_SUFFIX);

	if (item->kind == LZR_FILE_MANIFEST && length > suffix && !strcmp(base + length - suffix, MANIFEST_SUFFIX))
		length -= suffix;
	if (length == 0 || length >= LZR_NAME_MAX) {
		fprintf(stderr, "mkboot: %s: its name has %zu characters, expected 1 to %u: rename it\n", item->path,
			length,
			LZR_NAME_MAX - 1);
		return false;
	}
	memcpy(item->entry.name, base, length);
	if (!lzr_name_is_valid(item->entry.name)) {
		fprintf(stderr, "mkboot: %s: its name \"%s\": expected " LZR_NAME_RULE ": rename it\n", item->path,
			item->entry.name);
		return false;
	}
	return true;
}

static bool set_length(struct item *item)
{
	static const uint64_t most[] = {
		[LZR_FILE_SIGNER_KEY] = LZR_KEY_FILE_MAX, [LZR_FILE_POLICY] = LZR_POLICY_MAX,
		[LZR_FILE_POLICY_SIGNATURE] = LZR_POLICY_SIGNATURE_SIZE, [LZR_FILE_MANIFEST] = LZR_MANIFEST_MAX,
		[LZR_FILE_SEGMENT] = LZR_BOOT_FILE_MAX,
	};
	struct stat st;

	if (stat(item->path, &st)) {
		fprintf(stderr, "mkboot: %s: %s\n", item->path, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > most[item->kind]) {
		fprintf(stderr, "mkboot: %s: %lld bytes, expected a file of 1 to %llu bytes\n", item->path,
			(long long)st.st_size, (unsigned long long)most[item->kind]);
		return false;
	}
	item->length = (uint64_t)st.st_size;
	return true;
}

static int by_kind(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* The signature's file is called as the policy's. */
static bool set_signature_name(struct item *item)
{
	for (unsigned i = 0; i < item_count; i++) {
		if (items[i].kind != LZR_FILE_POLICY)
			continue;
		lzr_signature_name(items[i].entry.name, item->entry.name);
		if (item->entry.name[0])
			return true;
		fprintf(stderr, "mkboot: %s: its name is too long for a signature called the same, with "
			LZR_SIGNATURE_SUFFIX ": rename it\n", items[i].path);
		return false;
	}
	return set_name(item);
}

static bool is_free(unsigned index)
{
	const char *name = items[index].entry.name;

	for (unsigned i = 0; i < index; i++) {
		if (strcasecmp(items[i].entry.name, name))
			continue;
		fprintf(stderr, "mkboot: %s and %s would both be \\lazaret\\%s: rename one\n", items[i].path,
			items[index].path, name);
		return false;
	}
	if (strcasecmp(name, LZR_BOOT_LIST_NAME) && strcasecmp(name, LZR_SEGMENT_LIST_NAME))
		return true;
	fprintf(stderr, "mkboot: %s: the name is taken by a list: rename it\n", items[index].path);
	return false;
}

/* The items are sorted by kind: a policy comes before a signature. */
static bool complete(void)
{
	unsigned found[LZR_FILE_SEGMENT + 1] = { 0 };

	for (unsigned i = 0; i < item_count; i++) {
		bool signature = items[i].kind == LZR_FILE_POLICY_SIGNATURE;

		if (!(signature ? set_signature_name(&items[i]) : set_name(&items[i])) || !set_length(&items[i]) ||
		    !is_free(i))
			return false;
		items[i].entry.kind = items[i].kind;
		found[items[i].kind]++;
	}
	if (found[LZR_FILE_SIGNER_KEY] == 1 && found[LZR_FILE_POLICY] == 1 && found[LZR_FILE_POLICY_SIGNATURE] == 1)
		return true;
	fprintf(stderr, "mkboot: exactly one each of --key, --policy and --signature is needed (see --help)\n");
	return false;
}

/* The segments, or everything else; segments are the last items. */
static bool write_list(int fd, const char *path, const char *magic, bool segments)
{
	struct lzr_boot_list_header header = { .version = LZR_BOOT_LIST_VERSION };
	FILE *f = fdopen(fd, "wb");
	bool good;

	memcpy(header.magic, magic, sizeof(header.magic));
	for (unsigned i = 0; i < item_count; i++)
		header.count += (items[i].kind == LZR_FILE_SEGMENT) == segments;
	good = f && fwrite(&header, sizeof(header), 1, f) == 1;
	for (unsigned i = 0; good && i < item_count; i++)
		if ((items[i].kind == LZR_FILE_SEGMENT) == segments)
			good = fwrite(&items[i].entry, sizeof(items[i].entry), 1, f) == 1;
	if (f && fclose(f))
		good = false;
	if (!good)
		fprintf(stderr, "mkboot: %s: cannot be written: %s\n", path, strerror(errno));
	return good;
}

/* Both lists, each by way of a new file beside the image. */
static bool put_lists(const char *out)
{
	static const struct {
		const char *magic, *target;
		bool segments;
	} lists[] = {
		{ LZR_BOOT_LIST_MAGIC, "lazaret/" LZR_BOOT_LIST_NAME, false },
		{ LZR_SEGMENT_LIST_MAGIC, "lazaret/" LZR_SEGMENT_LIST_NAME, true },
	};
	char path[4096];
	bool good = true;

	for (unsigned i = 0; good && i < sizeof(lists) / sizeof(lists[0]); i++) {
		int fd = -1;

		if ((size_t)snprintf(path, sizeof(path), "%s.list-XXXXXX", out) < sizeof(path))
			fd = mkstemp(path);
		if (fd < 0) {
			fprintf(stderr, "mkboot: %s: no file can be made beside it: %s\n", out, strerror(errno));
			return false;
		}
		good = write_list(fd, path, lists[i].magic, lists[i].segments) &&
		       esp_put(out, path, lists[i].target);
		unlink(path);
	}
	return good;
}

static bool write_image(const char *out, const char *loader)
{
	char target[LZR_NAME_MAX + 16];
	uint64_t bytes = 1 << 20;
	struct stat st;
	bool good;

	if (stat(loader, &st) || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "mkboot: %s: no such file\n", loader);
		return false;
	}
	bytes += (uint64_t)st.st_size;
	for (unsigned i = 0; i < item_count; i++)
		bytes += items[i].length + 4096;
	good = esp_create(out, bytes) && esp_put(out, loader, "EFI/BOOT/BOOTX64.EFI") && put_lists(out);
	for (unsigned i = 0; good && i < item_count; i++) {
		snprintf(target, sizeof(target), "lazaret/%s", items[i].entry.name);
		good = esp_put(out, items[i].path, target);
	}
	if (!good)
		unlink(out);
	return good;
}

static bool add(uint32_t kind, const char *path)
{
	if (item_count == LZR_BOOT_LIST_MAX) {
		fprintf(stderr, "mkboot: more than %u files\n", LZR_BOOT_LIST_MAX);
		return false;
	}
	items[item_count] = (struct item){ .kind = kind, .order = item_count, .path = path };
	item_count++;
	return true;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "out", required_argument, NULL, 'o' }, { "loader", required_argument, NULL, 'l' },
		{ "key", required_argument, NULL, LZR_FILE_SIGNER_KEY },
		{ "policy", required_argument, NULL, LZR_FILE_POLICY },
		{ "signature", required_argument, NULL, LZR_FILE_POLICY_SIGNATURE },
		{ "manifest", required_argument, NULL, LZR_FILE_MANIFEST },
		{ "segment", required_argument, NULL, LZR_FILE_SEGMENT }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	const char *out = NULL, *loader = NULL;
	int c;

	output_must_be_written("mkboot");
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c == '?')
			return 2;
		if (c == 'o')
			out = optarg;
		else if (c == 'l')
			loader = optarg;
		else if (!add((uint32_t)c, optarg))
			return 2;
	}
	if (!out || !loader || optind != argc) {
		fprintf(stderr, "mkboot: --out and --loader are needed, and nothing but options (see --help)\n");
		return 2;
	}
	qsort(items, item_count, sizeof(items[0]), by_kind);
	return complete() && write_image(out, loader) ? 0 : 1;
}
