/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the hand-off's files to the machine: real signatures and digests over faked memory.  Every single flipped byte
 * of key, policy, signature, manifest and segment is refused.
 */
#include <mbedtls/ecdsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "derive.h"
#include "images.h"
#include "plat_fake.h"
#include "tree.h"
#include "vm.h"

#define KEY 0x10000u
#define POLICY 0x20000u
#define SIGNATURE 0x30000u
#define MANIFEST 0x40000u
#define TWIN_MANIFEST 0x48000u
#define SEGMENT 0x50000u
#define OTHER_SEGMENT 0x58000u
#define SEGMENT_LENGTH 5000u
#define SPKI_LENGTH 120u

struct machine_config machine;
struct vm vms[LZR_VM_MAX];
static struct handoff handoff;
static mbedtls_ecp_keypair pair;
static uint32_t segment_length;
static bool has_twin;                   /* a second VM, whose manifest names the same segment */
static uint8_t twin_differs;            /* in the digest that its manifest has for the segment */
static const char *demands;             /* a property of the policy's root */
static uint8_t names_signer;              /* 0: no, 1: this one, 2: another */
static uint8_t seeds[8][32];
static unsigned seed_count, dma_count;

void records_files(const struct handoff *h, const struct lzr_boot_file *policy, const struct lzr_boot_file *key,
		   bool dev)
{
	assert_ptr_equal(h, &handoff);
	assert_int_equal(policy->kind, LZR_FILE_POLICY);
	assert_int_equal(key->kind, LZR_FILE_SIGNER_KEY);
	assert_true(dev);
}

void records_add_seed(const uint8_t seed[32])
{
	assert_true(seed_count < 8);
	memcpy(seeds[seed_count++], seed, 32);
}

void records_dma(unsigned vm, const uint8_t digest[LZR_DIGEST_SIZE])
{
	(void)vm;
	(void)digest;
	dma_count++;
}

uint32_t devices_describe(const struct vm *vm, uint8_t *out, uint32_t capacity)
{
	(void)vm;
	assert_true(capacity > 1000);
	out[0] = 1;
	return 1;
}

static int random_bytes(void *context, unsigned char *out, size_t length)
{
	(void)context;
	for (size_t i = 0; i < length; i++)
		out[i] = (unsigned char)rand();
	return 0;
}

static void add_file(uint32_t kind, uint64_t at, uint64_t length, const char *name)
{
	struct lzr_boot_file *file = &handoff.files[handoff.info.file_count++];

	*file = (struct lzr_boot_file){ .kind = kind, .address = at, .length = length };
	strcpy(file->name, name);
}

static uint32_t make_manifest(uint64_t at, const char *image, uint8_t differs)
{
	uint8_t digest[LZR_DIGEST_SIZE], config[256] = { 0 };

	crypto_sha384(fake_ram + SEGMENT, SEGMENT_LENGTH, digest);
	digest[47] ^= differs;
	tree_start();
	tree_text("/", "compatible", LZR_MANIFEST_COMPATIBLE);
	tree_text("/", "image", image);
	tree_cells("/", "memory", 2, 0, 0x200000);
	tree_cells("/", "vcpus", 1, 1);
	tree_cells("/", "cpuid", 0);
	tree_cells("/", "msr", 0);
	tree_node("/segments");
	tree_node("/segments/segment@0");
	tree_text("/segments/segment@0", "file", "code.seg");
	tree_cells("/segments/segment@0", "gpa", 2, 0, 0);
	tree_cells("/segments/segment@0", "length", 2, 0, segment_length);
	tree_bytes("/segments/segment@0", "sha384", digest, LZR_DIGEST_SIZE);
	tree_node("/state");
	tree_text("/state", "mode", "protected32");
	static const char *const registers[] = { "rip", "rsp", "rsi", "rbx" };

	for (unsigned i = 0; i < ARRAY_LENGTH(registers); i++)
		tree_cells("/state", registers[i], 2, 0, 0);
	tree_node("/host-bridge");
	tree_bytes("/host-bridge", "config", config, sizeof(config));
	uint32_t length = tree_end();

	memcpy(fake_ram + at, tree, length);
	return length;
}

static void add_vm(const char *node, const char *image, uint64_t manifest, uint32_t manifest_length)
{
	uint8_t measurement[LZR_DIGEST_SIZE];

	crypto_sha384(fake_ram + manifest, manifest_length, measurement);
	tree_node(node);
	tree_text(node, "image", image);
	tree_bytes(node, "measurement", measurement, LZR_DIGEST_SIZE);
	tree_cells(node, "label", 3, 0, 0, 0);
	tree_cells(node, "memory", 2, 0, 0x200000);
	tree_cells(node, "vcpus", 1, 1);
	tree_cells(node, "cpus", 1, 0);
	tree_cells(node, "budget-us", 1, 1);
	tree_cells(node, "period-us", 1, 2);
	tree_cells(node, "max-restarts", 1, 2);
	tree_flag(node, "service");
}

static uint32_t make_policy(uint32_t manifest_length, uint32_t twin_length)
{
	uint8_t signer[LZR_DIGEST_SIZE];

	tree_start();
	tree_text("/", "compatible", LZR_POLICY_COMPATIBLE);
	tree_cells("/", "version", 2, 0, 5);
	tree_text("/", "levels", "LOW");
	if (demands)
		tree_flag("/", demands);
	if (names_signer) {
		crypto_sha384(fake_ram + KEY, sizeof(struct lzr_key_header) + SPKI_LENGTH, signer);
		signer[47] ^= names_signer - 1;
		tree_bytes("/", "signer", signer, LZR_DIGEST_SIZE);
	}
	tree_node("/vms");
	add_vm("/vms/tiny@0", "tiny", MANIFEST, manifest_length);
	if (has_twin)
		add_vm("/vms/twin@1", "twin", TWIN_MANIFEST, twin_length);
	uint32_t length = tree_end();

	memcpy(fake_ram + POLICY, tree, length);
	return length;
}

static void sign(uint32_t policy_length)
{
	uint8_t digest[LZR_DIGEST_SIZE];
	mbedtls_mpi r, s;

	crypto_sha384(fake_ram + POLICY, policy_length, digest);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	assert_int_equal(mbedtls_ecdsa_sign(&pair.grp, &r, &s, &pair.d, digest, sizeof(digest), random_bytes, NULL), 0);
	assert_int_equal(mbedtls_mpi_write_binary(&r, fake_ram + SIGNATURE, 48), 0);
	assert_int_equal(mbedtls_mpi_write_binary(&s, fake_ram + SIGNATURE + 48, 48), 0);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
}

static void make_key(void)
{
	static const uint8_t spki[] = {
		0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
		0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
	};
	struct lzr_key_header header = { LZR_KEY_MAGIC, LZR_KEY_DEVELOPMENT, SPKI_LENGTH };
	size_t length;

	memcpy(fake_ram + KEY, &header, sizeof(header));
	memcpy(fake_ram + KEY + sizeof(header), spki, sizeof(spki));
	assert_int_equal(mbedtls_ecp_point_write_binary(&pair.grp, &pair.Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &length,
		fake_ram + KEY + sizeof(header) + sizeof(spki), 97), 0);
	assert_int_equal(length, 97);
}

static void make_files(void)
{
	memset(&handoff, 0, sizeof(handoff));
	memset(&machine, 0, sizeof(machine));
	fake_said[0] = 0;
	seed_count = dma_count = 0;
	for (unsigned i = 0; i < SEGMENT_LENGTH; i++)
		fake_ram[SEGMENT + i] = (uint8_t)(i * 7);
	make_key();
	uint32_t manifest = make_manifest(MANIFEST, "tiny", 0);
	uint32_t twin = make_manifest(TWIN_MANIFEST, "twin", twin_differs), policy = make_policy(manifest, twin);

	sign(policy);
	add_file(LZR_FILE_BOOT_LIST, 0, 100, "boot.list");
	add_file(LZR_FILE_SIGNER_KEY, KEY, sizeof(struct lzr_key_header) + SPKI_LENGTH, "signer.key");
	add_file(LZR_FILE_POLICY, POLICY, policy, "policy.dtb");
	add_file(LZR_FILE_POLICY_SIGNATURE, SIGNATURE, 96, "policy.sig");
	add_file(LZR_FILE_MANIFEST, MANIFEST, manifest, "tiny");
	add_file(LZR_FILE_SEGMENT, SEGMENT, SEGMENT_LENGTH, "code.seg");
	if (has_twin)
		add_file(LZR_FILE_MANIFEST, TWIN_MANIFEST, twin, "twin");
}

static int set_up(void **state)
{
	fake_reset(state);
	fake_free_bytes = FAKE_RAM;
	segment_length = SEGMENT_LENGTH;
	make_files();
	return 0;
}

static int set_up_group(void **state)
{
	(void)state;
	mbedtls_ecp_keypair_init(&pair);
	return mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, &pair, random_bytes, NULL);
}

static int tear_down_group(void **state)
{
	(void)state;
	mbedtls_ecp_keypair_free(&pair);
	return 0;
}

static void test_good(void **state)
{
	uint8_t digest[LZR_DIGEST_SIZE];

	(void)state;
	crypto_sha384(fake_ram + MANIFEST, handoff.files[4].length, digest);
	assert_true(files_verify(&handoff));
	assert_said("signature is good (development key)");
	assert_memory_equal(machine.images[0].measurement, digest, LZR_DIGEST_SIZE);
	assert_int_equal(machine.images[0].segments[0].source.a, SEGMENT);
	crypto_sha384(fake_ram + POLICY, handoff.files[2].length, digest);
	assert_memory_equal(machine.policy_digest, digest, LZR_DIGEST_SIZE);
}

static void refused(const char *text)
{
	assert_false(files_verify(&handoff));
	assert_said("refused: ");
	assert_said(text);
	make_files();
}

static void test_flips(void **state)
{
	(void)state;
	for (unsigned file = 1; file < handoff.info.file_count; file++) {
		uint64_t step = file < 4 ? 17 : file == 4 ? 11 : 211; /* a signature check takes its time */

		for (uint64_t at = 0; at < handoff.files[file].length; at += step) {
			if (file == 1 && at >= 8 && at < 12)
				continue;               /* the key's flags: what it is is measured, not refused */
			fake_ram[handoff.files[file].address + at] ^= 1;
			refused("");
		}
	}
}

static void test_key(void **state)
{
	(void)state;
	fake_ram[KEY] = 0;
	refused("signer key signer.key: magic: expected LZRKEY1, found bytes 00 ");
	fake_ram[KEY + 8] = 2;
	refused("signer key signer.key: flags: expected 0 or 1, found ");
	fake_ram[KEY + 12]++;
	refused("signer key signer.key: key length: expected ");
	handoff.files[1].length--;
	refused("signer key signer.key: key length: expected ");
	handoff.files[1].length = 3;
	refused("signer key signer.key: header: expected 16 bytes, found 3");
	handoff.files[1].kind = LZR_FILE_SEGMENT;
	refused("boot list: expected signer key, policy and its signature, found none, ");
	fake_ram[KEY + 16 + 20] ^= 1;
	refused("the key is not an uncompressed P-384 SubjectPublicKeyInfo");
	fake_ram[KEY + 16 + 100] ^= 1;
	refused("the key is not a point of P-384");
	fake_ram[SIGNATURE + 5] ^= 1;
	refused("the signature is not the signer key's over these bytes");
	memset(fake_ram + SIGNATURE, 0, 96);
	refused("the signature is not");
	memset(fake_ram + SIGNATURE, 0xff, 96);
	refused("the signature is not");
	handoff.files[3].length = 95;
	refused(": expected 96 bytes, found 95");
	handoff.files[2].length--;
	refused("the signature is not");
	handoff.files[2].length = LZR_POLICY_MAX + 1;
	refused("policy policy.dtb: expected at most 262144 bytes, found 262145");
}

static void test_rollback(void **state)
{
	(void)state;
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 5;
	refused("signed by another key");
	handoff.info.flags = LZR_BOOT_ROLLBACK;         /* no next signer is not the signer with digest zero */
	handoff.info.accepted_signer[0] = 1;
	refused("signed by another key");
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 5;
	crypto_sha384(fake_ram + KEY, handoff.files[1].length, handoff.info.next_signer);
	assert_true(files_verify(&handoff));
	make_files();
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 6;
	crypto_sha384(fake_ram + KEY, handoff.files[1].length, handoff.info.next_signer);
	refused("its version is below the floor");
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 5;
	crypto_sha384(fake_ram + KEY, handoff.files[1].length, handoff.info.next_signer);
	handoff.info.next_signer[47] ^= 1;
	refused("signed by another key");
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 6;
	crypto_sha384(fake_ram + KEY, handoff.files[1].length, handoff.info.accepted_signer);
	refused("its version is below the floor");
	handoff.info.flags = LZR_BOOT_ROLLBACK;
	handoff.info.policy_floor = 5;
	crypto_sha384(fake_ram + KEY, handoff.files[1].length, handoff.info.accepted_signer);
	assert_true(files_verify(&handoff));
}

static void test_named_signer(void **state)
{
	(void)state;
	names_signer = 1;
	make_files();
	assert_true(files_verify(&handoff));
	names_signer = 2;
	make_files();
	refused("policy policy.dtb: / signer: expected a signer key of sha384 ");
	names_signer = 0;
	make_files();
}

static void test_required(void **state)
{
	(void)state;
	demands = "secure-boot";
	make_files();
	handoff.info.flags = LZR_BOOT_MEASURED;
	refused("policy policy.dtb: /: expected a machine with Secure Boot, found one without");
	handoff.info.flags = LZR_BOOT_SECURE_BOOT;
	assert_true(files_verify(&handoff));
	demands = "measured-boot";
	make_files();
	handoff.info.flags = LZR_BOOT_SECURE_BOOT;
	refused("expected a machine with measured boot, found one without");
	handoff.info.flags = LZR_BOOT_MEASURED;
	assert_true(files_verify(&handoff));
	demands = NULL;
}

static void test_images(void **state)
{
	(void)state;
	handoff.files[4].length = LZR_MANIFEST_MAX + 1;
	refused("manifest tiny: expected up to 64 manifests of up to 262144 bytes");
	strcpy(handoff.files[4].name, "other");
	refused("manifest other: / image: expected other, found tiny");
	handoff.info.file_count = 4;
	refused("expected manifest tiny in the boot list, found none");
	fake_ram[SEGMENT + SEGMENT_LENGTH - 1]++;
	refused("segment code.seg: manifest tiny expects 5000 bytes");
	handoff.files[5].length--;
	refused("found 4999");
	segment_length = SEGMENT_LENGTH + 1;
	make_files();
	refused("expects 5001 bytes");
	segment_length = SEGMENT_LENGTH;
	make_files();
	handoff.info.file_count--;
	refused("manifest tiny: /segments: expected segment code.seg in the segment list, found none");
	add_file(LZR_FILE_SEGMENT, SEGMENT, 10, "extra.seg");
	refused("segment extra.seg: expected in one of 1 manifests, found in none");
	fake_free_bytes = 0x1fffff;
	refused("expected together at most 1 MiB that are free, found 2 MiB");
}

/*
 * The list of segments is not measured: whatever it says, a segment is what every manifest that names it says, or
 * nothing starts.
 */
static void test_unmeasured_list(void **state)
{
	(void)state;
	has_twin = true;
	make_files();
	assert_true(files_verify(&handoff));
	assert_int_equal(machine.images[0].segments[0].source.a, SEGMENT);
	assert_int_equal(machine.images[1].segments[0].source.a, SEGMENT);
	make_files();                           /* segments in another order than the manifests, and before them */
	struct lzr_boot_file segment = handoff.files[5];

	memmove(&handoff.files[2], &handoff.files[1], 4 * sizeof(segment));
	handoff.files[1] = segment;
	assert_true(files_verify(&handoff));
	assert_int_equal(machine.images[1].segments[0].source.a, SEGMENT);
	make_files();                           /* good bytes under a name that no manifest has */
	memcpy(fake_ram + OTHER_SEGMENT, fake_ram + SEGMENT, SEGMENT_LENGTH);
	add_file(LZR_FILE_SEGMENT, OTHER_SEGMENT, SEGMENT_LENGTH, "same.seg");
	refused("segment same.seg: expected in one of 2 manifests, found in none");
	memset(fake_ram + OTHER_SEGMENT, 0, SEGMENT_LENGTH);    /* a second of that name, other bytes, last or first */
	add_file(LZR_FILE_SEGMENT, OTHER_SEGMENT, SEGMENT_LENGTH, "code.seg");
	refused("segment code.seg: manifest tiny expects 5000 bytes");
	add_file(LZR_FILE_SEGMENT, OTHER_SEGMENT, SEGMENT_LENGTH, "code.seg");
	handoff.files[5].address = OTHER_SEGMENT;
	handoff.files[7].address = SEGMENT;
	refused("segment code.seg: manifest tiny expects 5000 bytes");
	strcpy(handoff.files[5].name, "Code.seg");
	refused("segment Code.seg: expected in one of 2 manifests, found in none");
	strcpy(handoff.files[5].name, "tiny");  /* called as a manifest is */
	refused("segment tiny: expected in one of 2 manifests, found in none");
	handoff.files[5].kind = LZR_FILE_MANIFEST;
	refused("manifest code.seg: ");
	handoff.files[4].kind = LZR_FILE_SEGMENT;
	refused("expected manifest tiny in the boot list, found none");
	for (twin_differs = 1; twin_differs; twin_differs = (uint8_t)(twin_differs << 1)) {
		make_files();                   /* two manifests of one segment that do not agree about it */
		assert_false(files_verify(&handoff));
		assert_said("refused: segment code.seg: manifest twin expects 5000 bytes, sha384 ");
	}
	has_twin = false;
	make_files();
}

static void test_derive(void **state)
{
	(void)state;
	assert_true(files_verify(&handoff));
	handoff.info.flags = LZR_BOOT_MEASURED;
	handoff.info.entropy_length = 31;
	assert_false(derive_all(&handoff.info));
	assert_said("31 bytes of entropy, expected 32 or more");
	handoff.info.entropy_length = 64;
	memset(handoff.info.entropy, 9, 64);
	assert_true(derive_all(&handoff.info));
	assert_int_equal(seed_count, 3);        /* first start and two restarts */
	assert_memory_not_equal(seeds[0], seeds[1], 32);
	assert_memory_not_equal(seeds[1], seeds[2], 32);
	assert_int_equal(handoff.info.entropy[0], 0);
	assert_int_equal(dma_count, 0);
	uint8_t flow[LZR_DIGEST_SIZE];

	memcpy(flow, machine.flow_digest, LZR_DIGEST_SIZE);
	machine.vms[0].rights[RIGHT_READS_AUDIT] = 1;
	machine.device_count = 1;
	handoff.info.flags = LZR_BOOT_LAB;
	handoff.info.entropy_length = 0;
	assert_true(derive_all(&handoff.info));
	assert_said("lab: no entropy");
	assert_int_equal(dma_count, 1);
	assert_memory_not_equal(flow, machine.flow_digest, LZR_DIGEST_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_flips, set_up),
		cmocka_unit_test_setup(test_key, set_up), cmocka_unit_test_setup(test_rollback, set_up),
		cmocka_unit_test_setup(test_named_signer, set_up),
		cmocka_unit_test_setup(test_images, set_up),
		cmocka_unit_test_setup(test_unmeasured_list, set_up),
		cmocka_unit_test_setup(test_required, set_up), cmocka_unit_test_setup(test_derive, set_up),
	};

	return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
