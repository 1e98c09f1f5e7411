/* SPDX-License-Identifier: Apache-2.0 */
/* The audit rings, and the streams that are read in pieces of 32 bytes. */
#include <string.h>

#include "plat.h"
#include "plat_fake.h"
#include "records.h"
#include "vm.h"

struct machine_config machine;
struct vm vms[LZR_VM_MAX];
static struct image_config image;
static struct handoff handoff;
static void read_stream(enum lzr_stream stream, void *out, uint64_t length)
{
	uint64_t piece[4];

	for (uint64_t at = 0; at < length; at += 32) {
		memset(piece, 0xee, sizeof(piece));
		assert_true(records_read(stream, ~0ull, at, piece));
		memcpy((uint8_t *)out + at, piece, length - at < 32 ? length - at : 32);
	}
}

/* What somebody sees who may read of these VMs. */
static const struct lzr_audit_ring *ring_of(uint32_t vm, uint64_t readable)
{
	static struct lzr_audit_ring ring;
	uint64_t at = (vm == AUDIT_HV ? 0 : vm + 1) * sizeof(ring);

	for (uint64_t done = 0; done < sizeof(ring); done += 32)
		assert_true(records_read(LZR_STREAM_AUDIT, readable, at + done, (uint64_t *)(void *)&ring + done / 8));
	return &ring;
}

/* A flood: the ring takes what it holds, the rest is counted, and nobody else's ring shows it. */
static void test_flood(void **state)
{
	const struct lzr_audit_ring *ring = ring_of(4, ~0ull);
	struct lzr_audit_ring others = *ring;

	(void)state;
	fake_now = 200000000000;
	for (unsigned i = 0; i < LZR_AUDIT_SLOTS + 50; i++)
		audit(3, LZR_AUDIT_PORT_UNCLAIMED, i, 7);
	ring = ring_of(3, ~0ull);
	assert_int_equal(ring->head.next, LZR_AUDIT_SLOTS);
	assert_int_equal(ring->head.lost, 50);
	for (unsigned i = 0; i < LZR_AUDIT_SLOTS; i++) {
		const struct lzr_audit_record *r = &ring->records[i];

		assert_int_equal(r->sequence, i);
		assert_int_equal(r->time_ns, fake_now);
		assert_int_equal(r->vm, 3);
		assert_int_equal(r->event, LZR_AUDIT_PORT_UNCLAIMED);
		assert_int_equal(r->arg0, i);
		assert_int_equal(r->arg1, 7);
	}
	assert_memory_equal(ring_of(4, ~0ull), &others, sizeof(others));
	audit(4, LZR_AUDIT_VM_START, 1, 0);
	assert_int_equal(ring_of(4, ~0ull)->head.next, 1);
	assert_int_equal(ring_of(4, ~0ull)->records[0].sequence, 0);
	assert_panics(audit(LZR_VM_MAX, LZR_AUDIT_SEALED, 0, 0));
}

/* A record stays for a minute, then the next one takes its place. */
static void test_room(void **state)
{
	const struct lzr_audit_ring *ring;

	(void)state;
	for (unsigned i = 0; i < LZR_AUDIT_SLOTS; i++, fake_now += 1000)
		audit(5, LZR_AUDIT_LINK_DROP, i, 0);
	fake_now = 59999999999;
	audit(5, LZR_AUDIT_VM_STOP, 1000, 0);
	assert_int_equal(ring_of(5, ~0ull)->head.lost, 1);
	fake_now++;
	audit(5, LZR_AUDIT_VM_STOP, 1001, 0);
	audit(5, LZR_AUDIT_VM_STOP, 1002, 0);           /* the second slot is a microsecond younger */
	ring = ring_of(5, ~0ull);
	assert_int_equal(ring->head.next, LZR_AUDIT_SLOTS + 1);
	assert_int_equal(ring->head.lost, 2);
	assert_int_equal(ring->records[0].sequence, LZR_AUDIT_SLOTS);
	assert_int_equal(ring->records[0].arg0, 1001);
	assert_int_equal(ring->records[1].sequence, 1);
	fake_now += 1ull << 40;
	for (unsigned i = 0; i < 3 * LZR_AUDIT_SLOTS; i++, fake_now += 1000000000)
		audit(5, LZR_AUDIT_LINK_DROP, i, 0);
	ring = ring_of(5, ~0ull);
	assert_int_equal(ring->head.next, 4 * LZR_AUDIT_SLOTS + 1);
	assert_int_equal(ring->head.lost, 2);
	for (uint64_t n = ring->head.next - LZR_AUDIT_SLOTS; n < ring->head.next; n++)
		assert_int_equal(ring->records[n % LZR_AUDIT_SLOTS].sequence, n);
}

static void test_readable(void **state)
{
	static const struct lzr_audit_ring none;

	(void)state;
	machine.vm_count = 3;
	fake_now = 1ull << 50;
	audit(0, LZR_AUDIT_VM_START, 1, 0);
	audit(2, LZR_AUDIT_VM_START, 2, 0);
	audit(AUDIT_HV, LZR_AUDIT_SEALED, 3, 0);
	for (uint64_t readable = 0; readable < 8; readable++) {
		assert_int_equal(ring_of(AUDIT_HV, readable)->head.next, readable == 7);
		assert_int_equal(ring_of(0, readable)->head.next, readable & 1);
		assert_int_equal(ring_of(2, readable)->records[0].arg0, readable & 4 ? 2 : 0);
		assert_memory_equal(ring_of(1, readable), &none, sizeof(none));
	}
	assert_memory_equal(ring_of(0, 6), &none, sizeof(none));
	assert_memory_equal(ring_of(AUDIT_HV, 6), &none, sizeof(none));
	assert_memory_equal(ring_of(3, ~0ull), &none, sizeof(none));    /* no such VM */
	assert_int_equal(ring_of(AUDIT_HV, 7)->records[0].arg0, 3);
	machine.vm_count = LZR_VM_MAX;
	assert_int_equal(ring_of(AUDIT_HV, ~0ull)->head.next, 1);
	assert_int_equal(ring_of(AUDIT_HV, ~0ull >> 1)->head.next, 0);
}

static void set_machine(void)
{
	static const char log[] = "this is the event log, not a multiple of 32 bytes";

	fake_reset(NULL);
	memcpy(fake_ram + 0x1000, log, sizeof(log));
	memset(fake_ram + 0x2000, 0x77, 64);
	handoff.info.log_address = 0x1000;
	handoff.info.log_length = sizeof(log);
	handoff.info.flags = LZR_BOOT_MEASURED | LZR_BOOT_SECURE_BOOT;
	handoff.info.wall_clock = 1700000000;
	struct lzr_boot_file policy = { .address = 0x2000, .length = 64 }, key = { .address = 0x1000, .length = 5 };

	records_files(&handoff, &policy, &key, true);
	records_platform(LZR_PLATFORM_IOMMU);
	machine.vm_count = 3;
	machine.policy_version = 9;
	machine.device_count = 1;
	machine.devices[0].vm = 2;
	memset(machine.flow_digest, 0x33, LZR_DIGEST_SIZE);
	memset(image.measurement, 0x44, LZR_DIGEST_SIZE);
	for (unsigned i = 0; i < 3; i++) {
		machine.vms[i].image = &image;
		machine.vms[i].name[0] = (char)('a' + i);
		vms[i].instance = 100 + i;
		vms[i].epoch = 7 + i;
	}
	machine.vms[1].flags = VM_SERVICE | VM_FIREWALL_BYPASS;
	machine.vms[2].label.level = 2;
	records_dma(2, (uint8_t[LZR_DIGEST_SIZE]){ 1, 2, 3 });
	records_sealed(12345);
}

static void test_streams(void **state)
{
	struct lzr_platform_record p;
	struct lzr_vm_record records[3];
	uint8_t text[96], zero[32] = { 0 };
	uint64_t piece[4];

	(void)state;
	set_machine();
	read_stream(LZR_STREAM_PLATFORM, &p, sizeof(p));
	assert_int_equal(p.version, LZR_ABI_VERSION);
	assert_int_equal(p.flags, LZR_PLATFORM_MEASURED | LZR_PLATFORM_SECURE_BOOT | LZR_PLATFORM_DEVELOPMENT_KEY |
		LZR_PLATFORM_IOMMU);
	assert_int_equal(p.vm_count, 3);
	assert_int_equal(p.policy_version, 9);
	assert_int_equal(p.seal_ns, 12345);
	assert_int_equal(p.wall_clock, 1700000000);
	assert_int_equal(records_wall_clock(), 1700000000);
	assert_int_equal(p.flow[47], 0x33);
	read_stream(LZR_STREAM_VMS, records, sizeof(records));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(records[i].vm, i);
		assert_int_equal(records[i].instance, 100 + i);
		assert_int_equal(records[i].starts, 100 + i);
		assert_int_equal(records[i].epoch, 7 + i);
		assert_int_equal(records[i].name[0], 'a' + i);
		assert_int_equal(records[i].measurement[0], 0x44);
	}
	assert_int_equal(records[0].flags, 0);
	assert_int_equal(records[1].flags, LZR_VM_SERVICE | LZR_VM_FIREWALL_BYPASS);
	assert_int_equal(records[2].flags, LZR_VM_HAS_DEVICE);
	assert_int_equal(records[2].label.level, 2);
	assert_int_equal(records[2].dma[2], 3);
	assert_int_equal(records[1].dma[0], 0);
	read_stream(LZR_STREAM_LOG, text, sizeof(text));
	assert_string_equal((char *)text, "this is the event log, not a multiple of 32 bytes");
	assert_memory_equal(text + 64, zero, 32);
	read_stream(LZR_STREAM_KEY, text, 32);
	assert_memory_equal(text, "this ", 5);
	assert_int_equal(text[5], 0);
	read_stream(LZR_STREAM_POLICY, text, 64);
	assert_int_equal(text[63], 0x77);
	assert_true(records_read(LZR_STREAM_VMS, 5, 6 * 32, piece));    /* the end of record 0, the start of record 1 */
	assert_memory_equal((uint8_t *)piece + 16, zero, 16);
	assert_true(records_read(LZR_STREAM_VMS, 6, 6 * 32, piece));
	assert_int_equal(((uint8_t *)piece)[16], 1);
	static const uint64_t far[] = { 1 << 20, 1ull << 40, UINT64_MAX - 31 };

	for (unsigned stream = LZR_STREAM_PLATFORM; stream <= LZR_STREAM_KEY; stream++)
		for (unsigned i = 0; i < ARRAY_LENGTH(far); i++) {
			memset(piece, 1, sizeof(piece));
			assert_true(records_read(stream, ~0ull, far[i], piece));
			assert_memory_equal(piece, zero, 32);
		}
	assert_false(records_read(0, ~0ull, 0, piece));
	assert_false(records_read(LZR_STREAM_KEY + 1, ~0ull, 0, piece));
	assert_memory_equal(piece, zero, 32);
}

static void test_seeds(void **state)
{
	uint64_t out[4];
	uint8_t seed[32];

	(void)state;
	assert_false(records_seed(out));
	for (unsigned i = 1; i <= 3; i++) {
		memset(seed, (int)i, sizeof(seed));
		records_add_seed(seed);
	}
	for (unsigned i = 1; i <= 3; i++) {
		assert_true(records_seed(out));
		assert_int_equal(out[3], 0x0101010101010101ull * i);
	}
	assert_false(records_seed(out));
	assert_false(records_seed(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_readable, fake_reset),
		cmocka_unit_test_setup(test_flood, fake_reset), cmocka_unit_test_setup(test_room, fake_reset),
		cmocka_unit_test(test_streams), cmocka_unit_test(test_seeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
