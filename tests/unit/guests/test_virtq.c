/* SPDX-License-Identifier: Apache-2.0 */
/* Driver side of a virtqueue, PCI and the bring-up of a virtio device, against a device that is the test. */
#include "fake.h"

#include <string.h>

#include "pci.h"
#include "vdev.h"

static struct virtq q;
static int cookies[VIRTQ_MAX + 1];

static void use(uint32_t id, uint32_t length)
{
	q.used.ring[q.used.index % q.size].id = id;
	q.used.ring[q.used.index % q.size].length = length;
	q.used.index++;
}

static void test_add_until_full(void **state)
{
	unsigned i;

	(void)state;
	virtq_init(&q, 8);
	for (i = 0; i < 8; i++)
		assert_true(virtq_add(&q, 0x1000 + i, 10 + i, i % 2 == 0, &cookies[i]));
	assert_false(virtq_add(&q, 1, 1, false, &cookies[8]));
	assert_int_equal(q.available.index, 0);
	assert_true(virtq_publish(&q));
	assert_int_equal(q.available.index, 8);
	assert_false(virtq_publish(&q));
	assert_int_equal(q.descriptors[3].address, 0x1003);
	assert_int_equal(q.descriptors[3].length, 13);
	assert_int_equal(q.descriptors[3].flags, 0);
	assert_int_equal(q.descriptors[4].flags, 2);
}

static void test_wraps_in_any_order(void **state)
{
	uint32_t length, round, i;

	(void)state;
	virtq_init(&q, 4);
	for (round = 0; round < 70000; round++) {
		uint32_t ids[3];

		for (i = 0; i < 3; i++) {
			assert_true(virtq_add(&q, i, 100, true, &cookies[i]));
			ids[i] = q.available.ring[(uint16_t)(q.index - 1) % q.size];
		}
		assert_true(virtq_publish(&q));
		assert_false(virtq_has_used(&q));
		assert_null(virtq_take(&q, &length));
		for (i = 0; i < 3; i++)
			use(ids[(i + round) % 3], i);
		for (i = 0; i < 3; i++) {
			assert_ptr_equal(virtq_take(&q, &length), &cookies[(i + round) % 3]);
			assert_int_equal(length, i);
		}
	}
	assert_false(q.broken);
}

static void expect_broken(uint32_t id, uint32_t length)
{
	uint32_t got;

	virtq_init(&q, 4);
	assert_true(virtq_add(&q, 1, 100, true, &cookies[0]));
	assert_true(virtq_add(&q, 1, 100, false, &cookies[1]));
	assert_true(virtq_publish(&q));
	use(id, length);
	assert_null(virtq_take(&q, &got));
	assert_true(q.broken);
	assert_false(virtq_has_used(&q));
	assert_false(virtq_add(&q, 1, 1, true, &cookies[2]));
}

static void test_nonsense_from_the_device(void **state)
{
	uint32_t length;

	(void)state;
	expect_broken(4, 0);
	expect_broken(0xffffffffu, 0);
	expect_broken(2, 0);            /* never added */
	expect_broken(0, 101);          /* more than was given */
	expect_broken(1, 1);            /* written into what is only read */
	virtq_init(&q, 4);
	assert_true(virtq_add(&q, 1, 100, true, &cookies[0]));
	use(0, 100);
	use(0, 100);
	assert_non_null(virtq_take(&q, &length));
	assert_null(virtq_take(&q, &length));   /* twice */
	assert_true(q.broken);
}

static void test_notification_and_interrupt_flags(void **state)
{
	(void)state;
	virtq_init(&q, 4);
	assert_int_equal(q.available.flags, 1);
	virtq_interrupts(&q, true);
	assert_int_equal(q.available.flags, 0);
	q.used.flags = 1;
	assert_true(virtq_add(&q, 1, 1, true, &cookies[0]));
	assert_false(virtq_publish(&q));
	assert_int_equal(q.available.index, 1);
}

static void test_device(void **state)
{
	struct vdev dev;

	(void)state;
	fake_reset();
	assert_null(vdev_open(&dev, LZR_VIRTIO_PCI_LINK));
	assert_int_equal(dev.slot, FAKE_LINK_SLOT);
	assert_int_equal(dev.queue_count, FAKE_QUEUES);
	assert_int_equal(fake.driver_features, 1ull << 32);
	assert_int_equal(fake.config[FAKE_LINK_SLOT][4], 7);
	/* MSI-X on, entry 0 open, the others masked. */
	assert_int_equal(fake.config[FAKE_LINK_SLOT][0x53] & 0xc0, 0x80);
	assert_int_equal(fake.msix_table[0][0], 0xfee00000);
	assert_int_equal(fake.msix_table[0][2], 0x40);
	assert_int_equal(fake.msix_table[0][3], 0);
	assert_int_equal(fake.msix_table[0][7], 1);
	assert_null(vdev_queue(&dev, 3, &q));
	assert_int_equal(fake.queues[3].size, VIRTQ_MAX);
	assert_true(fake.queues[3].enabled);
	assert_int_equal(fake.queues[3].address[2], (uint64_t)(uintptr_t)&q.used);
	assert_null(vdev_start(&dev));
	assert_int_equal(fake.status, 15);
	assert_true(virtq_add(&q, 1, 1, false, &cookies[0]));
	vdev_kick(&dev, 3, &q);
	vdev_kick(&dev, 3, &q);
	assert_int_equal(fake.queues[3].notified, 1);
}

static void expect_no_device(void)
{
	struct vdev dev;
	const char *wrong = vdev_open(&dev, LZR_VIRTIO_PCI_LINK);

	if (wrong == NULL)
		wrong = vdev_queue(&dev, 0, &q);
	if (wrong == NULL)
		wrong = vdev_start(&dev);
	assert_non_null(wrong);
	fake_reset();
}

static void test_device_refusals(void **state)
{
	struct vdev dev;

	(void)state;
	fake_reset();
	memset(fake.config[FAKE_LINK_SLOT], 0xff, 256);
	expect_no_device();
	fake.config[FAKE_LINK_SLOT][0x10] &= 0xfe;      /* memory BAR */
	expect_no_device();
	fake.features = 1;
	expect_no_device();
	fake.refuse_features = true;
	expect_no_device();
	fake.config[FAKE_LINK_SLOT][0x34] = 0;          /* no capabilities */
	expect_no_device();
	fake.config[FAKE_LINK_SLOT][0x41] = 0x40;       /* a loop of them */
	expect_no_device();
	fake.queue_size = 100;
	expect_no_device();
	fake.queue_size = 0;
	expect_no_device();
	fake.refuse_vector = true;
	expect_no_device();
	fake.refuse_start = true;
	expect_no_device();
	assert_null(vdev_open(&dev, LZR_VIRTIO_PCI_LINK));
	assert_non_null(vdev_queue(&dev, FAKE_QUEUES, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_until_full),
		cmocka_unit_test(test_wraps_in_any_order),
		cmocka_unit_test(test_nonsense_from_the_device),
		cmocka_unit_test(test_notification_and_interrupt_flags),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_device_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
