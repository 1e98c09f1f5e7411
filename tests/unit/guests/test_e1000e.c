/* SPDX-License-Identifier: Apache-2.0 */
/* The network card's driver against a card that is the test. */
#include "fake.h"

#include <string.h>

static struct e1000e nic;
static struct buffer buffers[256];
static uint8_t bytes[2048];

#define REG(r) (fake.nics[0].registers[(r) / 4])
#define DONE 3 /* descriptor done, end of packet */

static int setup(void **state)
{
	(void)state;
	fake_reset();
	pool_init(buffers, 256);
	assert_null(e1000e_open(&nic, FAKE_NIC_SLOT));
	e1000e_refill(&nic);
	return 0;
}

static void test_open(void **state)
{
	(void)state;
	assert_true(nic.msix);
	assert_int_equal(REG(0x2808), E1000E_RING * 16);
	assert_int_equal(REG(0x2818), E1000E_RING - 1);
	assert_int_equal(REG(0x3818), 0);
	assert_int_equal(REG(0x100), 1u << 1 | 1u << 3 | 1u << 15 | 1u << 26);
	assert_int_equal(REG(0x5008), 0);
	assert_int_equal(pool_count(), 256 - (E1000E_RING - 1));
	assert_int_equal(fake.config[FAKE_NIC_SLOT][4], 6);
	assert_int_equal(nic.rx[0].address, (uint64_t)(uintptr_t)(buffers[255].bytes + BUFFER_FRAME));
}

static void test_open_refusals(void **state)
{
	struct e1000e other;

	(void)state;
	assert_non_null(e1000e_open(&other, FAKE_LINK_SLOT));
	assert_non_null(e1000e_open(&other, 9));
	fake.nics[1].stuck = true;
	assert_string_equal(e1000e_open(&other, FAKE_NIC_SLOT + 1), "card does not come out of reset");
	fake.nics[1].stuck = false;
	fake.config[FAKE_NIC_SLOT + 1][0x34] = 0;
	assert_string_equal(e1000e_open(&other, FAKE_NIC_SLOT + 1), "card has neither MSI-X nor MSI");
	fake.config[FAKE_NIC_SLOT + 1][0x13] = 0;
	assert_string_equal(e1000e_open(&other, FAKE_NIC_SLOT + 1), "BAR 0 does not lie in the 32-bit window");
}

/* MSI where there is no MSI-X. */
static void test_open_msi(void **state)
{
	struct e1000e other;
	uint8_t *cap = &fake.config[FAKE_NIC_SLOT + 1][0x50];

	(void)state;
	cap[0] = 0x05;
	cap[2] = 0x80;
	memset(cap + 4, 0, 12);
	assert_null(e1000e_open(&other, FAKE_NIC_SLOT + 1));
	assert_false(other.msix);
	assert_int_equal(cap[2], 0x81);
	assert_int_equal(cap[7], 0xfe);
	assert_int_equal(cap[12], 0x40);
}

static void test_receive(void **state)
{
	struct buffer *buffer;
	uint32_t length, i;

	(void)state;
	assert_null(e1000e_receive(&nic, &length));
	for (i = 0; i < 1000; i++) {
		memset(bytes, (int)i, 100);
		assert_true(fake_arrive(0, bytes, (uint16_t)(60 + i % 40), DONE, 0));
		assert_true(e1000e_has_work(&nic));
		buffer = e1000e_receive(&nic, &length);
		assert_non_null(buffer);
		assert_int_equal(length, 60 + i % 40);
		assert_memory_equal(buffer->bytes + BUFFER_FRAME, bytes, length);
		assert_false(e1000e_has_work(&nic));
		pool_put(buffer);
		e1000e_refill(&nic);
	}
	assert_int_equal(pool_count(), 256 - (E1000E_RING - 1));
}

static void test_receive_fills_up(void **state)
{
	struct buffer *buffer;
	uint32_t length, i;

	(void)state;
	for (i = 0; i < E1000E_RING - 1; i++)
		assert_true(fake_arrive(0, bytes, 60, DONE, 0));
	assert_false(fake_arrive(0, bytes, 60, DONE, 0));
	for (i = 0; i < E1000E_RING - 1; i++) {
		buffer = e1000e_receive(&nic, &length);
		assert_non_null(buffer);
		pool_put(buffer);
	}
	assert_null(e1000e_receive(&nic, &length));
	e1000e_refill(&nic);
	assert_true(fake_arrive(0, bytes, 60, DONE, 0));
}

/* Marked bad, too long for its buffer, or in pieces: dropped whole, and the buffers come back. */
static void test_receive_bad(void **state)
{
	struct buffer *buffer;
	uint32_t length;

	(void)state;
	assert_true(fake_arrive(0, bytes, 60, DONE, 1));
	assert_true(fake_arrive(0, bytes, 60, 1, 0));
	assert_true(fake_arrive(0, bytes, 60, 1, 0));
	assert_true(fake_arrive(0, bytes, 60, DONE, 0));
	assert_true(fake_arrive(0, bytes, 61, DONE, 0));
	buffer = e1000e_receive(&nic, &length);
	assert_non_null(buffer);
	assert_int_equal(length, 61);
	assert_int_equal(nic.bad, 4);
	pool_put(buffer);
	assert_true(fake_arrive(0, bytes, 60, DONE, 0));
	nic.rx[nic.rx_next].length = BUFFER_SIZE;
	assert_null(e1000e_receive(&nic, &length));
	assert_int_equal(nic.bad, 5);
	e1000e_refill(&nic);
	assert_int_equal(pool_count(), 256 - (E1000E_RING - 1));
}

static void take_back(void)
{
	struct buffer *buffer;

	while ((buffer = e1000e_sent(&nic)) != NULL)
		pool_put(buffer);
}

static void test_send(void **state)
{
	struct buffer *buffer;
	unsigned i;

	(void)state;
	for (i = 0; i < 500; i++) {
		buffer = pool_get();
		memset(buffer->bytes + BUFFER_FRAME, (int)i, 70);
		assert_true(e1000e_send(&nic, buffer, 60 + i % 8));
		assert_int_equal(fake_depart(0, bytes, sizeof(bytes)), -1);     /* not told yet */
		e1000e_tell(&nic);
		assert_null(e1000e_sent(&nic));
		assert_int_equal(fake_depart(0, bytes, sizeof(bytes)), 60 + i % 8);
		assert_int_equal(bytes[59], i & 0xff);
		take_back();
	}
	assert_int_equal(pool_count(), 256 - (E1000E_RING - 1));
}

static void test_send_full(void **state)
{
	struct buffer *buffer;
	unsigned i;

	(void)state;
	for (i = 0; i < E1000E_TX_RING - 1; i++)
		assert_true(e1000e_send(&nic, pool_get(), 60));
	buffer = pool_get();
	assert_false(e1000e_send(&nic, buffer, 60));
	e1000e_tell(&nic);
	take_back();
	assert_false(e1000e_send(&nic, buffer, 60));
	assert_int_equal(fake_depart(0, bytes, sizeof(bytes)), 60);
	take_back();
	assert_true(e1000e_send(&nic, buffer, 60));
}

static void test_interrupts(void **state)
{
	(void)state;
	e1000e_interrupts(&nic, true);
	assert_true((REG(0xd0) & 1u << 20) != 0);
	e1000e_interrupts(&nic, false);
	assert_int_equal(REG(0xd8), 0xffffffffu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_open, setup),
		cmocka_unit_test_setup(test_open_refusals, setup),
		cmocka_unit_test_setup(test_open_msi, setup),
		cmocka_unit_test_setup(test_receive, setup),
		cmocka_unit_test_setup(test_receive_fills_up, setup),
		cmocka_unit_test_setup(test_receive_bad, setup),
		cmocka_unit_test_setup(test_send, setup),
		cmocka_unit_test_setup(test_send_full, setup),
		cmocka_unit_test_setup(test_interrupts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
