/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "refuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "esp.h"
#include "machine.h"
#include "run.h"

#define SECONDS 180u            /* for a machine; a boot takes five when nothing else runs */
#define SEED 0x4c5a5231u
#define CASES_MAX 80
#define SIGNATURE_HALF 48u      /* bytes of r, and of s, on P-384 */
#define LOADER "BOOTX64.EFI"     /* the only file of another folder */

struct running {
	const struct refuse_case *c;
	struct refuse_volume volume;
	struct rig *rig;
};

static const struct refuse_case *chosen[CASES_MAX];
static struct running slots[2];
static size_t chosen_count;
static bool side_by_side;

/* --- a volume's files ----------------------------------------------------------------------------------------- */

uint8_t *refuse_get(const struct refuse_volume *v, const char *file, size_t *length)
{
	char source[128], target[256];
	char *copy[] = { "mcopy", "-n", "-o", "-i", (char *)v->esp, source, target, NULL };
	uint8_t *data = malloc(REFUSE_FILE_MAX);
	FILE *f;

	snprintf(source, sizeof(source), "::/%s/%s", strcmp(file, LOADER) ? "lazaret" : "EFI/BOOT", file);
	snprintf(target, sizeof(target), "%s/copy", v->dir);
	if (!data || !run_program(copy, 60, NULL, 0) || !(f = fopen(target, "rb"))) {
		fprintf(stderr, "%s: %s cannot be read\n", v->esp, file);
		free(data);
		return NULL;
	}
	*length = fread(data, 1, REFUSE_FILE_MAX, f);
	fclose(f);
	return data;
}

bool refuse_put(const struct refuse_volume *v, const char *file, const void *data, size_t length)
{
	char path[256], target[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/replacement", v->dir);
	snprintf(target, sizeof(target), "%s/%s", strcmp(file, LOADER) ? "lazaret" : "EFI/BOOT", file);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, length, f) != length || fclose(f)) {
		fprintf(stderr, "%s: cannot be written\n", path);
		return false;
	}
	return esp_put(v->esp, path, target);
}

static struct lzr_boot_list_entry *entry_at(uint8_t *list, uint32_t i)
{
	return (struct lzr_boot_list_entry *)(void *)(list + sizeof(struct lzr_boot_list_header)) + i;
}

static uint32_t entry_count(const uint8_t *list)
{
	struct lzr_boot_list_header header;

	memcpy(&header, list, sizeof(header));
	return header.count;
}

bool refuse_find(const struct refuse_volume *v, const char *prefix, char *name)
{
	static const char *const lists[] = { LZR_BOOT_LIST_NAME, LZR_SEGMENT_LIST_NAME };
	unsigned found = 0;

	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
		size_t length;
		uint8_t *list = refuse_get(v, lists[l], &length);

		for (uint32_t i = 0; list && i < entry_count(list); i++)
			if (!strncmp(entry_at(list, i)->name, prefix, strlen(prefix)) && found++ == 0)
				memcpy(name, entry_at(list, i)->name, LZR_NAME_MAX);
		free(list);
	}
	if (found == 0)
		fprintf(stderr, "%s: no file %s* in the lists\n", v->esp, prefix);
	return found > 0;
}

/* An INTEGER of a signature (RFC 3279, section 2.2.3) as 48 bytes, big-endian; returns what follows it, or NULL. */
static const uint8_t *take_integer(const uint8_t *at, const uint8_t *end, uint8_t out[SIGNATURE_HALF])
{
	size_t length = end - at >= 2 && at[0] == 2 ? at[1] : 0;

	if (!length || length > (size_t)(end - at) - 2)
		return NULL;
	at += 2;
	for (; length > SIGNATURE_HALF && !*at; length--)
		at++;
	if (length > SIGNATURE_HALF)
		return NULL;
	memset(out, 0, SIGNATURE_HALF);
	memcpy(out + SIGNATURE_HALF - length, at, length);
	return at + length;
}

/*
 * By openssl, because `lzr-policy sign` signs nothing but a policy that it can read and that names its signer, and
 * these are on purpose none.
 */
static bool sign_file(const char *file, const char *key, const char *out)
{
	uint8_t der[160], raw[2 * SIGNATURE_HALF];
	char temporary[300], output[1024];
	char *sign[] = { "openssl", "dgst", "-sha384", "-sign", (char *)key, "-out", temporary, (char *)file, NULL };
	const uint8_t *at;
	size_t length;
	bool ok;
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.der", out);
	if (!run_program(sign, 30, output, sizeof(output)) || !(f = fopen(temporary, "rb")))
		return false;
	length = fread(der, 1, sizeof(der), f);
	fclose(f);
	at = length > 2 && der[0] == 0x30 ? take_integer(der + 2, der + length, raw) : NULL;
	at = at ? take_integer(at, der + length, raw + SIGNATURE_HALF) : NULL;
	f = at == der + length ? fopen(out, "wb") : NULL;
	ok = f && fwrite(raw, 1, sizeof(raw), f) == sizeof(raw);
	return f && fclose(f) == 0 && ok;
}

bool refuse_sign(const struct refuse_volume *v, const char *policy, const char *signature, const char *key)
{
	char tree[256], out[256];
	size_t length;
	uint8_t *data = refuse_get(v, policy, &length);
	FILE *f;
	bool ok;

	snprintf(tree, sizeof(tree), "%s/policy.dtb", v->dir);
	snprintf(out, sizeof(out), "%s/policy.sig", v->dir);
	f = data ? fopen(tree, "wb") : NULL;
	ok = f && fwrite(data, 1, length, f) == length;
	if (f)
		fclose(f);
	free(data);
	if (!ok || !sign_file(tree, key, out)) {
		fprintf(stderr, "%s: cannot be signed with %s\n", v->esp, key);
		return false;
	}
	snprintf(tree, sizeof(tree), "lazaret/%s", signature);
	return esp_put(v->esp, out, tree);
}

/* xorshift32 over the file's name, so that each file has its own offset and a run repeats exactly. */
size_t refuse_choose(const char *file, size_t length)
{
	uint32_t x = SEED;

	for (; *file; file++) {
		x ^= (uint32_t)(uint8_t)*file << 8;
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	return x % length;
}

bool refuse_flip(const struct refuse_volume *v, const struct refuse_case *c)
{
	static const char *const unlisted[] = { LOADER, LZR_BOOT_LIST_NAME, LZR_SEGMENT_LIST_NAME };
	char name[LZR_NAME_MAX + 16] = "";
	size_t length, at;
	uint8_t *data;
	bool ok;

	for (size_t i = 0; i < sizeof(unlisted) / sizeof(unlisted[0]); i++)
		if (!strcmp(c->file, unlisted[i]))
			strcpy(name, c->file);
	if (!name[0] && !refuse_find(v, c->file, name))
		return false;
	if (!(data = refuse_get(v, name, &length)))
		return false;
	at = c->offset == REFUSE_FIRST ? 0 : c->offset == REFUSE_LAST ? length - 1 : refuse_choose(c->file, length);
	print_message("           for %s: %s: byte %zu of %zu: %02x becomes %02x\n", c->name, name, at, length,
		      data[at], data[at] ^ 0xff);
	data[at] ^= 0xff;
	ok = refuse_put(v, name, data, length);
	free(data);
	return ok;
}

/* --- machines ------------------------------------------------------------------------------------------------- */

/* A fresh copy of the volume, damaged, and a machine with it. */
static bool start(struct running *r, const struct refuse_case *c)
{
	struct rig_config config = { .seconds = SECONDS, .memory_mib = 1024, .cpus = 1, .no_nvme = true,
				     .no_nics = true, .no_iommu = c->no_iommu, .no_intremap = c->no_intremap };
	char good[128];
	char *clean[] = { "rm", "-rf", r->volume.dir, NULL }, *make[] = { "mkdir", "-p", r->volume.dir, NULL };
	char *copy[] = { "cp", "--sparse=always", good, r->volume.esp, NULL };

	r->c = c;
	snprintf(r->volume.dir, sizeof(r->volume.dir), "build/run/refuse-%d-%u", (int)getpid(), (unsigned)(r - slots));
	snprintf(r->volume.esp, sizeof(r->volume.esp), "%s/esp.img", r->volume.dir);
	snprintf(good, sizeof(good), "build/tests/esp/%s.img", c->volume);
	if (!run_program(clean, 30, NULL, 0) || !run_program(make, 30, NULL, 0) || !run_program(copy, 30, NULL, 0) ||
	    (c->damage && !c->damage(&r->volume, c)))
		return false;
	config.dir = r->volume.dir;
	config.esp = r->volume.esp;
	r->rig = rig_start(&config);
	return r->rig != NULL;
}

static void stop(struct running *r)
{
	char *clean[] = { "rm", "-rf", r->volume.dir, NULL };

	rig_stop(r->rig);
	r->rig = NULL;
	if (r->c)
		run_program(clean, 30, NULL, 0);
	r->c = NULL;
}

static struct running *slot_of(size_t index)
{
	return &slots[index % 2];
}

/* Nothing of what comes after the seal, and no word from any VM. */
static void check_nothing_started(struct rig *rig)
{
	static const char *const started[] = { "hv: sealed", "hv: machine built", "\n[" };

	for (size_t i = 0; i < sizeof(started) / sizeof(started[0]); i++) {
		const char *at = strstr(rig_serial(rig), "loader: ");

		if (at && strstr(at, started[i]))
			machine_fail(rig, "something started: %.80s", strstr(at, started[i]));
	}
}

static void check_answer(const struct refuse_case *c, struct rig *rig)
{
	static const char loader[] = "loader: REFUSED: ", hv[] = "hv: refused: ";
	char line[512] = "";
	const char *at;

	for (unsigned i = 0; i < SECONDS * 10 && !line[0]; i++) {
		const char *serial = rig_serial(rig);

		at = c->line ? strstr(serial, c->line) : strstr(serial, loader);
		if (!at && !c->line)
			at = strstr(serial, hv);
		if (at && strchr(at, '\n'))
			snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\r\n"), at);
		else if (!rig_running(rig) && i % 10 == 9)
			break;
		else
			usleep(100000);
	}
	if (!line[0])
		machine_fail(rig, "no refusal");
	for (size_t i = 0; i < sizeof(c->says) / sizeof(c->says[0]) && c->says[i]; i++)
		if (!strstr(line, c->says[i]))
			fail_msg("\"%s\" is not in: %s", c->says[i], line);
	print_message("           %s\n", line);
	if (strstr(line, hv) && !strstr(rig_serial(rig), "nothing was started"))
		assert_true(rig_wait_line(rig, "nothing was started", 60, NULL, 0));
	check_nothing_started(rig);
}

static void run_case(void **state)
{
	const size_t index = (size_t)((const struct refuse_case **)*state - chosen);
	struct running *r = slot_of(index);

	if (!r->rig && !start(r, chosen[index]))
		fail_msg("%s: no machine", chosen[index]->name);
	if (side_by_side && index + 1 < chosen_count && !start(slot_of(index + 1), chosen[index + 1]))
		stop(slot_of(index + 1));       /* that case tries again and says so */
	check_answer(chosen[index], r->rig);
}

static int end_case(void **state)
{
	stop(slot_of((size_t)((const struct refuse_case **)*state - chosen)));
	return 0;
}

int refuse_run(const char *group, const struct refuse_case *cases, size_t count, const char *filter)
{
	static struct CMUnitTest tests[CASES_MAX];
	const char *jobs = getenv("JOBS");

	side_by_side = !jobs || atoi(jobs) < 2; /* or another test's machine is the second one */
	for (size_t i = 0; i < count; i++) {
		if (filter && !strstr(cases[i].name, filter))
			continue;
		assert_true(chosen_count < CASES_MAX);
		chosen[chosen_count] = &cases[i];
		tests[chosen_count] = (struct CMUnitTest){ cases[i].name, run_case, NULL, end_case,
							   &chosen[chosen_count] };
		chosen_count++;
	}
	return _cmocka_run_group_tests(group, tests, chosen_count, NULL, NULL);
}
