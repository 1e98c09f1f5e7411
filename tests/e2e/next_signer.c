/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rollback index through a change of signers, on one machine whose TPM lets just this loader and hypervisor write
 * it.  Each boot that the verifier believes raises the index; the second signer's policy starts once a policy of the
 * first signer has named it, and then the first signer counts for nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/sha512.h>

#include <lazaret/boot.h>

#include "example.h"
#include "rollback_index.h"
#include "run.h"

#define SECONDS 280u            /* for a machine; an admission takes twenty when nothing else runs */
#define HV_SECONDS 100u         /* from the hypervisor's first line to the seal; two when nothing else runs */
#define ESP "build/tests/esp/next_signer_%u.img"
#define REFERENCE "build/tests/next_signer_%u.reference"

static uint8_t signers[2][LZR_DIGEST_SIZE];
static const uint8_t none[LZR_DIGEST_SIZE];
static uint8_t bytes[8 << 20];

/* The whole file; 0 after a message. */
static size_t read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(bytes, 1, sizeof(bytes) - 1, f) : 0;

	if (n == 0)
		perror(path);
	if (f)
		fclose(f);
	bytes[n] = 0;
	return n;
}

static bool digest(const void *data, size_t size, uint8_t out[LZR_DIGEST_SIZE])
{
	uint8_t whole[64];

	if (size == 0 || mbedtls_sha512_ret(data, size, whole, 1))
		return false;
	memcpy(out, whole, LZR_DIGEST_SIZE);
	return true;
}

static bool digest_file(const char *path, uint8_t out[LZR_DIGEST_SIZE])
{
	return digest(bytes, read_file(path), out);
}

static bool extend(uint8_t pcr[LZR_DIGEST_SIZE], const void *data, size_t size)
{
	uint8_t both[2 * LZR_DIGEST_SIZE];

	memcpy(both, pcr, LZR_DIGEST_SIZE);
	return digest(data, size, both + LZR_DIGEST_SIZE) && digest(both, sizeof(both), pcr);
}

/* PCR 4 is in the reference values; PCR 8 is the hypervisor as a file, then the cap (docs/boot.md). */
static bool expect_registers(uint8_t registers[ROLLBACK_REGISTERS])
{
	struct lzr_event_descriptor hypervisor = {
		.tag_id = LZR_EVENT_TAG_ID, .tag_size = sizeof(hypervisor) - 8, .magic = LZR_EVENT_MAGIC,
		.kind = LZR_FILE_HYPERVISOR, .name = "hypervisor",
	};
	uint8_t *pcr8 = registers + LZR_DIGEST_SIZE;
	char path[128];

	memset(registers, 0, ROLLBACK_REGISTERS);
	snprintf(path, sizeof(path), REFERENCE, 1u);
	const char *at = read_file(path) ? strstr((const char *)bytes, "\npcr 4 ") : NULL;
	for (unsigned i = 0; at && i < LZR_DIGEST_SIZE; i++)
		if (sscanf(at + strlen("\npcr 4 ") + 2 * i, "%2hhx", &registers[i]) != 1)
			return false;
	hypervisor.length = at ? read_file("build/hv/hv.elf") : 0;
	return hypervisor.length && extend(pcr8, &hypervisor, sizeof(hypervisor)) &&
	       extend(pcr8, bytes, hypervisor.length) && extend(pcr8, (const uint8_t[4]){ 0 }, 4);
}

static int begin(void **state)
{
	struct rollback_nv nv = { .magic = ROLLBACK_NV_MAGIC };
	uint8_t registers[ROLLBACK_REGISTERS];

	(void)state;
	if (!example_prepare("next_signer") || !digest_file("keys/signer.lzrkey", signers[0]) ||
	    !digest_file("keys/signer2.lzrkey", signers[1]) || !expect_registers(registers))
		return -1;
	memcpy(nv.signer, signers[0], LZR_DIGEST_SIZE);
	return rollback_index_define(example_path(""), &nv, registers) ? 0 : -1;
}

static void boot(unsigned policy)
{
	char esp[128], reference[128];
	char *copy[] = { "cp", reference, (char *)example_path("reference"), NULL };

	snprintf(esp, sizeof(esp), ESP, policy);
	snprintf(reference, sizeof(reference), REFERENCE, policy);
	assert_true(run_program(copy, 30, NULL, 0));
	assert_int_equal(example_start(esp, SECONDS), 0);
}

static void expect_index(uint64_t floor, const uint8_t *signer, const uint8_t *next)
{
	struct rollback_nv now;

	machine_end(NULL);
	assert_true(rollback_index_read(example_path(""), &now));
	assert_string_equal(now.magic, ROLLBACK_NV_MAGIC);
	assert_int_equal(now.floor, floor);
	assert_memory_equal(now.signer, signer, LZR_DIGEST_SIZE);
	assert_memory_equal(now.next_signer, next, LZR_DIGEST_SIZE);
}

static void refused(unsigned policy)
{
	char line[512];

	boot(policy);
	assert_true(rig_wait_line(machine, "hv: ", SECONDS, NULL, 0));
	if (!rig_wait_line(machine, "refused: ", HV_SECONDS, line, sizeof(line)) ||
	    !strstr(line, "signed by another key than this machine's TPM has recorded"))
		machine_fail(machine, "policy %u was not refused", policy);
	assert_true(rig_wait_line(machine, "nothing was started", HV_SECONDS, NULL, 0));
	machine_silent("hv: sealed");
}

static void admitted(unsigned policy)
{
	char line[512], says[96];

	boot(policy);
	snprintf(says, sizeof(says), "nothing below policy version %u from now on", policy);
	assert_true(rig_wait_line(machine, "hv: ", SECONDS, NULL, 0));
	if (!rig_wait_line(machine, "hv: sealed", HV_SECONDS, NULL, 0) ||
	    !rig_wait_line(machine, "attestor: rollback index: ", SECONDS, line, sizeof(line)) || !strstr(line, says))
		machine_fail(machine, "policy %u: the index was not raised", policy);
}

static void the_second_signer_is_refused_at_first(void **state)
{
	(void)state;
	refused(2);
	expect_index(0, signers[0], none);
}

static void a_good_boot_raises_the_index(void **state)
{
	(void)state;
	admitted(1);
	expect_index(1, signers[0], signers[1]);
}

static void the_named_signer_follows(void **state)
{
	(void)state;
	admitted(2);
	expect_index(2, signers[1], none);
}

static void the_first_signer_counts_for_nothing_then(void **state)
{
	(void)state;
	refused(1);
	expect_index(2, signers[1], none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_second_signer_is_refused_at_first, machine_end),
		cmocka_unit_test_teardown(a_good_boot_raises_the_index, machine_end),
		cmocka_unit_test_teardown(the_named_signer_follows, machine_end),
		cmocka_unit_test_teardown(the_first_signer_counts_for_nothing_then, machine_end),
	};

	return cmocka_run_group_tests_name("next signer", tests, begin, machine_end);
}
