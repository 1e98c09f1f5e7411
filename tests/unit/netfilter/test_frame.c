/* SPDX-License-Identifier: Apache-2.0 */
/* Frame parser: what it takes, and each thing it refuses. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

static struct swconf config;
static uint8_t bytes[FRAME_MAX + 64];
static uint32_t length;

/* Parses a copy of exactly `length` bytes on the heap, so that the sanitizer sees any read beyond. */
static enum nf_reason parse(struct frame *out)
{
	uint8_t *copy = malloc(length == 0 ? 1 : length);
	enum nf_reason reason;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	reason = frame_parse(copy, length, out);
	free(copy);
	return reason;
}

static void build(enum frame_kind kind)
{
	struct lab_frame f;

	lab_config(&config);
	f = lab_frame(&config, BLUE, GREEN);
	f.kind = (uint8_t)kind;
	if (kind == FRAME_ARP_REQUEST || kind == FRAME_ARP_REPLY)
		lab_arp(&f, kind == FRAME_ARP_REQUEST);
	length = lab_bytes(&f, bytes);
}

static enum nf_reason reason_now(void)
{
	struct frame f;

	return parse(&f);
}

static void test_accepts(void **state)
{
	struct frame f;
	unsigned kind;

	(void)state;
	for (kind = FRAME_ARP_REQUEST; kind <= FRAME_TCP; kind++) {
		build(kind);
		assert_int_equal(parse(&f), NF_PASS);
		assert_int_equal(f.kind, kind);
		assert_int_equal(f.mac_source, frame_mac(config.ports[BLUE].mac));
		assert_int_equal(f.ip_source, frame_ip(config.ports[BLUE].ipv4));
		assert_int_equal(f.ip_target, frame_ip(config.ports[GREEN].ipv4));
		assert_int_equal(f.l4_target, kind == FRAME_UDP || kind == FRAME_TCP ? 2000 : 0);
		assert_false(f.fragment);
	}
}

/* Any cut ends in a refusal or, inside padding only, in the same answer; never in a read beyond. */
static void test_every_truncation(void **state)
{
	static const uint32_t least[] = { [FRAME_ARP_REQUEST] = 42, [FRAME_ARP_REPLY] = 42, [FRAME_ICMP] = 64,
					  [FRAME_UDP] = 64,         [FRAME_TCP] = 74 };
	unsigned kind;
	uint32_t full;

	(void)state;
	for (kind = FRAME_ARP_REQUEST; kind <= FRAME_TCP; kind++) {
		build(kind);
		for (full = length, length = 0; length < full; length++)
			assert_int_equal(reason_now(), length < least[kind] ? NF_SHORT : NF_PASS);
	}
}

static void test_long(void **state)
{
	(void)state;
	build(FRAME_UDP);
	length = FRAME_MAX + 1;
	assert_int_equal(reason_now(), NF_LONG);
	build(FRAME_ARP_REQUEST);
	length = FRAME_PADDED;
	assert_int_equal(reason_now(), NF_PASS);
	length = FRAME_PADDED + 1;
	assert_int_equal(reason_now(), NF_LONG);
}

static void set_total(unsigned total)
{
	bytes[16] = (uint8_t)(total >> 8);
	bytes[17] = (uint8_t)total;
	lab_checksum(bytes);
}

/* What an IPv4 packet has behind it is padding, whatever its length; nobody reads it. */
static void test_padding(void **state)
{
	struct frame whole, padded;

	(void)state;
	for (unsigned kind = FRAME_ICMP; kind <= FRAME_TCP; kind++) {
		build(kind);
		assert_int_equal(parse(&whole), NF_PASS);
		for (memset(bytes + length, 0xee, FRAME_MAX - length); length <= FRAME_MAX; length++) {
			assert_int_equal(parse(&padded), NF_PASS);
			assert_int_equal(padded.tcp_length, kind == FRAME_TCP ? whole.tcp_length : padded.tcp_length);
			assert_int_equal(padded.l4_target, whole.l4_target);
		}
	}
}

/* RFC 5227: a probe has no sender, the answer to it no target; RFC 826's frames have both. */
static void test_arp_without_address(void **state)
{
	struct frame f;

	(void)state;
	build(FRAME_ARP_REQUEST);
	memset(bytes + 28, 0, 4);
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(frame_is_probe(&f));
	assert_false(frame_is_announcement(&f));
	bytes[31] = 1;
	assert_int_equal(reason_now(), NF_ARP);
	build(FRAME_ARP_REQUEST);
	memset(bytes + 38, 0, 4);
	assert_int_equal(reason_now(), NF_ARP);
	build(FRAME_ARP_REPLY);
	memset(bytes + 38, 0, 4);
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(frame_is_probe_answer(&f));
	memset(bytes + 28, 0, 4);
	assert_int_equal(reason_now(), NF_ARP);
	build(FRAME_ARP_REQUEST);
	memcpy(bytes + 28, bytes + 38, 4);
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(frame_is_announcement(&f));
	build(FRAME_ARP_REPLY);
	memcpy(bytes + 28, bytes + 38, 4);
	memset(bytes, 0xff, 6);                 /* told to everybody, whatever stands as target */
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(frame_is_announcement(&f));
}

static void test_dhcp(void **state)
{
	(void)state;
	build(FRAME_UDP);
	memset(bytes + 26, 0, 4);
	memset(bytes + 30, 0xff, 4);
	memcpy(bytes + 34, (const uint8_t[]){ 0, 68, 0, 67 }, 4);
	lab_checksum(bytes);
	assert_int_equal(reason_now(), NF_DHCP);
	bytes[35] = 69;
	assert_int_equal(reason_now(), NF_IPV4);
	bytes[35] = 68;
	bytes[33] = 1;
	lab_checksum(bytes);
	assert_int_equal(reason_now(), NF_IPV4);
}

static uint8_t scale_of(const uint8_t *options, unsigned count)
{
	struct frame f;

	build(FRAME_TCP);
	bytes[46] = 0xa0;
	bytes[47] = FRAME_TCP_SYN;
	memset(bytes + 54, 1, 20);
	memcpy(bytes + 54, options, count);
	assert_int_equal(parse(&f), NF_PASS);
	return f.tcp_scale;
}

static void test_tcp_fields(void **state)
{
	struct frame f;
	uint8_t last[20];

	(void)state;
	build(FRAME_TCP);
	memcpy(bytes + 38, (const uint8_t[]){ 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x50, 0x13, 0xab, 0xcd },
	       12);
	assert_int_equal(parse(&f), NF_PASS);
	assert_int_equal(f.tcp_sequence, 0x11223344);
	assert_int_equal(f.tcp_acknowledged, 0x55667788);
	assert_int_equal(f.tcp_window, 0xabcd);
	assert_int_equal(f.tcp_length, 20 + 2);
	assert_int_equal(scale_of((const uint8_t[]){ 2, 4, 5, 0xb4, 1, 3, 3, 7 }, 8), 7);
	assert_int_equal(scale_of((const uint8_t[]){ 3, 3, 200 }, 3), 14);
	assert_int_equal(scale_of((const uint8_t[]){ 0, 3, 3, 7 }, 4), FRAME_NO_SCALE);
	assert_int_equal(scale_of((const uint8_t[]){ 3, 4, 7, 7 }, 4), FRAME_NO_SCALE);
	assert_int_equal(scale_of((const uint8_t[]){ 8, 0, 3, 3, 7 }, 5), FRAME_NO_SCALE);
	assert_int_equal(scale_of((const uint8_t[]){ 8, 19, 3, 3, 7 }, 5), FRAME_NO_SCALE);
	/* At the very end, and cut off there. */
	memset(last, 1, sizeof(last));
	memcpy(last + 17, (const uint8_t[]){ 3, 3, 9 }, 3);
	assert_int_equal(scale_of(last, 20), 9);
	memcpy(last + 17, (const uint8_t[]){ 1, 3, 3 }, 3);
	assert_int_equal(scale_of(last, 20), FRAME_NO_SCALE);
	memcpy(last + 17, (const uint8_t[]){ 1, 1, 3 }, 3);
	assert_int_equal(scale_of(last, 20), FRAME_NO_SCALE);
}

static void test_errors(void **state)
{
	static const uint8_t types[] = { 0, 3, 4, 5, 8, 11, 12, 13 };
	struct frame f;

	(void)state;
	for (unsigned i = 0; i < sizeof(types); i++) {
		build(FRAME_ICMP);
		memset(bytes + 42, 0, 40);
		bytes[34] = types[i];
		memcpy(bytes + 42, (const uint8_t[]){ 0x45, 0, 0, 60, 0, 0, 0, 0, 9, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8 },
		       20);
		memcpy(bytes + 62, (const uint8_t[]){ 1, 1, 2, 2, 9, 8, 7, 6 }, 8);
		set_total(20 + 8 + 28);
		length = 70;
		assert_int_equal(parse(&f), NF_PASS);
		if (types[i] != 3 && types[i] != 11 && types[i] != 12) {
			assert_int_equal(f.inner.kind, 0);
			continue;
		}
		assert_int_equal(f.inner.kind, FRAME_TCP);
		assert_int_equal(f.inner.ip_source, frame_ip((const uint8_t[]){ 1, 2, 3, 4 }));
		assert_int_equal(f.inner.ip_target, frame_ip((const uint8_t[]){ 5, 6, 7, 8 }));
		assert_int_equal(f.inner.l4_source, 0x101);
		assert_int_equal(f.inner.l4_target, 0x202);
		assert_int_equal(f.inner.tcp_sequence, 0x09080706);
		set_total(20 + 8 + 27);         /* the last byte is behind the packet */
		assert_int_equal(parse(&f), NF_PASS);
		assert_int_equal(f.inner.kind, 0);
	}
}

static void test_types(void **state)
{
	static const struct {
		uint16_t type;
		enum nf_reason reason;
	} rows[] = { { 0x8100, NF_VLAN },      { 0x88a8, NF_VLAN },      { 0x9100, NF_VLAN },     { 0x86dd, NF_IPV6 },
		     { 0x0026, NF_ETHERTYPE }, { 0x88b5, NF_ETHERTYPE }, { 0x88cc, NF_ETHERTYPE } };
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(FRAME_UDP);
		bytes[12] = (uint8_t)(rows[i].type >> 8);
		bytes[13] = (uint8_t)rows[i].type;
		assert_int_equal(reason_now(), rows[i].reason);
	}
}

struct change {
	unsigned kind;
	unsigned offset;
	uint8_t value;
	enum nf_reason reason;
};

/* One byte changed; the IPv4 checksum is made right again unless the change is the checksum. */
static void test_one_byte(void **state)
{
	static const struct change rows[] = {
		{ FRAME_UDP, 6, 0x03, NF_SOURCE_MAC },         { FRAME_ARP_REQUEST, 15, 6, NF_ARP },
		{ FRAME_ARP_REQUEST, 16, 9, NF_ARP },          { FRAME_ARP_REQUEST, 18, 8, NF_ARP },
		{ FRAME_ARP_REQUEST, 19, 16, NF_ARP },         { FRAME_ARP_REQUEST, 21, 0, NF_ARP },
		{ FRAME_ARP_REQUEST, 21, 3, NF_ARP },          { FRAME_ARP_REQUEST, 20, 1, NF_ARP },
		{ FRAME_ARP_REQUEST, 27, 0x99, NF_ARP },       { FRAME_ARP_REPLY, 37, 0x99, NF_ARP },
		{ FRAME_ARP_REQUEST, 28, 0, NF_ARP },          { FRAME_ARP_REQUEST, 38, 224, NF_ARP },
		{ FRAME_UDP, 14, 0x55, NF_IPV4 },              { FRAME_UDP, 14, 0x44, NF_IPV4 },
		{ FRAME_UDP, 14, 0x46, NF_OPTIONS },           { FRAME_UDP, 14, 0x65, NF_IPV4 },
		{ FRAME_UDP, 17, 19, NF_IPV4 },                { FRAME_UDP, 17, 51, NF_SHORT },
		{ FRAME_UDP, 16, 0xff, NF_SHORT },             { FRAME_UDP, 20, 0x80, NF_IPV4 },
		{ FRAME_UDP, 22, 0, NF_IPV4 },                 { FRAME_UDP, 23, 2, NF_PROTOCOL },
		{ FRAME_UDP, 23, 132, NF_PROTOCOL },           { FRAME_UDP, 25, 0xaa, NF_IPV4 },
		{ FRAME_UDP, 26, 0, NF_IPV4 },                 { FRAME_UDP, 26, 127, NF_IPV4 },
		{ FRAME_UDP, 26, 239, NF_IPV4 },               { FRAME_UDP, 26, 255, NF_IPV4 },
		{ FRAME_UDP, 30, 0, NF_IPV4 },                 { FRAME_UDP, 30, 127, NF_IPV4 },
		{ FRAME_UDP, 39, 29, NF_UDP },                 { FRAME_UDP, 39, 31, NF_UDP },
		{ FRAME_UDP, 39, 7, NF_UDP },                  { FRAME_TCP, 46, 0x40, NF_TCP },
		{ FRAME_TCP, 46, 0xb0, NF_TCP },               { FRAME_TCP, 46, 0x50, NF_PASS },
	};
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(rows[i].kind);
		bytes[rows[i].offset] = rows[i].value;
		if (rows[i].kind >= FRAME_ICMP && rows[i].offset != 25)
			lab_checksum(bytes);
		if (reason_now() != rows[i].reason)
			fail_msg("row %u: got %u", i, reason_now());
	}
}

static void test_short_l4(void **state)
{
	(void)state;
	build(FRAME_ICMP);
	set_total(27);
	assert_int_equal(reason_now(), NF_ICMP);
	build(FRAME_UDP);
	set_total(27);
	assert_int_equal(reason_now(), NF_UDP);
	build(FRAME_TCP);
	length = 60;
	set_total(39);
	assert_int_equal(reason_now(), NF_TCP);
}

static void test_fragments(void **state)
{
	struct frame f;

	(void)state;
	build(FRAME_UDP);
	bytes[20] = 0x20;       /* first of several */
	lab_checksum(bytes);
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(f.fragment);
	assert_int_equal(f.l4_target, 0);
	bytes[20] = 0;
	bytes[21] = 1;
	bytes[39] = 0;          /* no UDP header there, none is looked at */
	lab_checksum(bytes);
	assert_int_equal(parse(&f), NF_PASS);
	assert_true(f.fragment);
	bytes[20] = 0x1f;
	bytes[21] = 0xff;       /* ends beyond 65535 */
	lab_checksum(bytes);
	assert_int_equal(reason_now(), NF_IPV4);
	bytes[20] = 0x40;       /* do not fragment: whole */
	bytes[21] = 0;
	bytes[39] = 30;
	lab_checksum(bytes);
	assert_int_equal(parse(&f), NF_PASS);
	assert_false(f.fragment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),  cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_long),     cmocka_unit_test(test_types),
		cmocka_unit_test(test_one_byte), cmocka_unit_test(test_short_l4),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_padding),
		cmocka_unit_test(test_arp_without_address),
		cmocka_unit_test(test_dhcp),     cmocka_unit_test(test_tcp_fields),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
