/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-pci transport, configuration space, virtual MSI-X, and creation from the policy. */
#include "link_rig.h"

static struct driver red, blue;

static void common_registers_at_reset(void **state)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	(void)state;
	assert_int_equal(io_read(vdev, 0x12, 2), 2);
	assert_int_equal(io_read(vdev, 0x14, 1), 0);
	assert_int_equal(io_read(vdev, 0x15, 1), 0);
	assert_int_equal(io_read(vdev, 0x10, 2), 0xffff);
	assert_int_equal(io_read(vdev, 0x18, 2), 256);
	assert_int_equal(io_read(vdev, 0x1a, 2), 0xffff);
	assert_int_equal(io_read(vdev, 0x04, 4), 0x20);
	io_write(vdev, 0x00, 4, 1);
	assert_int_equal(io_read(vdev, 0x04, 4), 1);
	io_write(vdev, 0x00, 4, 2);
	assert_int_equal(io_read(vdev, 0x04, 4), 0);
	io_write(vdev, 0x00, 4, 0xffffffff);
	assert_int_equal(io_read(vdev, 0x04, 4), 0);
	assert_int_equal(io_read(vdev, 0x40, 1), 0x52);
	assert_int_equal(io_read(vdev, 0x42, 4), 0x99000000);
	assert_int_equal(io_read(vdev, 0x44, 4), 0x9900);
	assert_int_equal(io_read(vdev, 0x5e, 4), 0);
	io_write(vdev, 0x40, 1, 0);
	assert_int_equal(io_read(vdev, 0x40, 1), 0x52);
}

static void odd_accesses_do_nothing(void **state)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	(void)state;
	for (unsigned offset = 0; offset < 0x90; offset++) {
		for (unsigned size = 0; size < 6; size++) {
			uint32_t value = 0x12345678;

			vdev_io(vdev, offset, size, false, &value);
			if (offset == 0x60 || offset == 0x14 || offset == 0x16)
				continue;
			vdev_io(vdev, offset, size, true, &value);
		}
	}
	assert_int_equal(io_read(vdev, 0x14, 2), 0xffff);
	assert_int_equal(io_read(vdev, 0x01, 4), 0xffffffff);
	assert_int_equal(io_read(vdev, 0x80, 1), 0xffffffff);
	io_write(vdev, 0x60, 2, 0xffff);
	io_write(vdev, 0x16, 2, 0xffff);
	assert_int_equal(io_read(vdev, 0x18, 2), 0);
	assert_int_equal(io_read(vdev, 0x20, 4), 0);
	io_write(vdev, 0x1c, 2, 1);
	io_write(vdev, 0x20, 4, 1);
	assert_int_equal(io_read(vdev, 0x14, 1), 0);
}

static void features_must_be_a_subset_with_version_1(void **state)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	(void)state;
	io_write(vdev, 0x14, 1, 3);
	io_write(vdev, 0x14, 1, 11);
	assert_int_equal(io_read(vdev, 0x14, 1), 3);
	io_write(vdev, 0x08, 4, 1);
	io_write(vdev, 0x0c, 4, 0x5);
	io_write(vdev, 0x14, 1, 11);
	assert_int_equal(io_read(vdev, 0x14, 1), 3);
	io_write(vdev, 0x14, 1, 15);
	assert_int_equal(io_read(vdev, 0x14, 1), 3);
	io_write(vdev, 0x0c, 4, 0x1);
	io_write(vdev, 0x08, 4, 7);
	io_write(vdev, 0x0c, 4, 0xffffffff);
	io_write(vdev, 0x14, 1, 11);
	assert_int_equal(io_read(vdev, 0x14, 1), 11);
	io_write(vdev, 0x08, 4, 0);
	io_write(vdev, 0x0c, 4, 0xffffffff);
	assert_int_equal(io_read(vdev, 0x0c, 4), 0);
	io_write(vdev, 0x14, 1, 15);
	assert_int_equal(io_read(vdev, 0x14, 1), 15);
	assert_int_equal(vdev->generation, 1);
	io_write(vdev, 0x14, 1, 15);
	assert_int_equal(vdev->generation, 1);
	io_write(vdev, 0x14, 1, 1);
	assert_int_equal(io_read(vdev, 0x14, 1), 15);
	io_write(vdev, 0x14, 1, 0);
	assert_int_equal(io_read(vdev, 0x14, 1), 0);
}

static void queue_refused(unsigned size, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	driver_negotiate(&red, vdev);
	io_write(vdev, 0x16, 2, 1);
	io_write(vdev, 0x18, 2, size);
	io_write(vdev, 0x20, 4, (uint32_t)desc);
	io_write(vdev, 0x24, 4, (uint32_t)(desc >> 32));
	io_write(vdev, 0x28, 4, (uint32_t)avail);
	io_write(vdev, 0x2c, 4, (uint32_t)(avail >> 32));
	io_write(vdev, 0x30, 4, (uint32_t)used);
	io_write(vdev, 0x34, 4, (uint32_t)(used >> 32));
	assert_int_equal(io_read(vdev, 0x34, 4), (uint32_t)(used >> 32));
	io_write(vdev, 0x1c, 2, 1);
	assert_int_equal(io_read(vdev, 0x1c, 2), 0);
	assert_int_equal(io_read(vdev, 0x14, 1), 11 | VIRTIO_NEEDS_RESET);
	io_write(vdev, 0x14, 1, 15 | VIRTIO_NEEDS_RESET);
	assert_false(vdev_is_live(vdev));
}

static void queue_setup_refusals(void **state)
{
	(void)state;
	queue_refused(0, 0, 0x1000, 0x2000);
	queue_refused(48, 0, 0x1000, 0x2000);
	queue_refused(512, 0, 0x1000, 0x2000);
	queue_refused(64, 8, 0x1000, 0x2000);
	queue_refused(64, 0, 0x1001, 0x2000);
	queue_refused(64, 0, 0x1000, 0x2002);
	queue_refused(64, RAM_SIZE, 0x1000, 0x2000);
	queue_refused(64, RAM_SIZE - 64 * 16 + 16, 0x1000, 0x2000);
	queue_refused(64, 0, RAM_SIZE - 6 - 2 * 64 + 2, 0x2000);
	queue_refused(64, 0, 0x1000, RAM_SIZE - 6 - 8 * 64 + 2);
	queue_refused(64, 0, 0x1000, 0xfffffffffffffffc);
	queue_refused(64, 0xfffffffffffffff0, 0x1000, 0x2000);
	queue_refused(64, 0x100000000, 0x1000, 0x2000);
	assert_true(rig_audits[LZR_AUDIT_RING_FAULT] >= 13);
}

static void queue_registers_freeze_once_enabled(void **state)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	(void)state;
	io_write(vdev, 0x18, 2, 8);
	assert_int_equal(io_read(vdev, 0x18, 2), 256);  /* not before FEATURES_OK */
	driver_start(&red, vdev, 64);
	io_write(vdev, 0x16, 2, 0);
	assert_int_equal(io_read(vdev, 0x1c, 2), 1);
	io_write(vdev, 0x18, 2, 128);
	io_write(vdev, 0x20, 4, 0x4000);
	io_write(vdev, 0x1c, 2, 0);
	assert_int_equal(io_read(vdev, 0x18, 2), 64);
	assert_int_equal(io_read(vdev, 0x20, 4), red.queues[0].gpa);
	assert_int_equal(io_read(vdev, 0x1c, 2), 1);
	io_write(vdev, 0x1a, 2, 77);
	assert_int_equal(io_read(vdev, 0x1a, 2), 0xffff);
	io_write(vdev, 0x10, 2, 2);
	assert_int_equal(io_read(vdev, 0x10, 2), 2);
	io_write(vdev, 0x14, 1, 0);
	assert_int_equal(io_read(vdev, 0x1c, 2), 0);
	assert_int_equal(io_read(vdev, 0x18, 2), 256);
}

static void configuration_space_follows_the_manifest(void **state)
{
	struct vdev *vdev = rig_vdev(RED, 0);

	(void)state;
	assert_int_equal(vdev_config_read(vdev, 0, 2), 0x1af4);
	vdev_config_write(vdev, 0, 4, 0xffffffff);
	assert_int_equal(vdev_config_read(vdev, 0, 4), 0x1af4);
	vdev_config_write(vdev, 4, 2, 0xffff);
	assert_int_equal(vdev_config_read(vdev, 4, 1), 7);
	vdev_config_write(vdev, 0x80, 4, 0xffffffff);
	assert_int_equal(vdev_config_read(vdev, 0x82, 2), 0xc000);
	assert_int_equal(vdev_config_read(vdev, 0xfe, 4), 0xffffffff);
	vdev_config_write(vdev, 0xfe, 4, 0);
	vdev_config_write(vdev, 4096, 4, 0);
	links_vm_started(&vms[RED]);
	assert_int_equal(vdev_config_read(vdev, 4, 1), 0);
	assert_int_equal(vdev->msix.control, 0);
}

static void entries_read_consistently(void **state)
{
	uint32_t table[8] = { 0, 0, 0, 1, 0xfee01004, 0, 0x31, 0 };
	struct msix_message message;

	(void)state;
	assert_int_equal(msix_entry_read(table, 0, &message), MSIX_ENTRY_MASKED);
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_READY);
	assert_int_equal(msix_message_vector(&message), 0x31);
	assert_int_equal(msix_message_destination(&message), 1);
	assert_true(msix_message_logical(&message));
	table[6] = 0x131;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_READY);
	table[6] = 0x0f;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
	table[6] = 0x8031;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
	for (unsigned mode = 2; mode < 8; mode++) {
		table[6] = 0x31 | mode << 8;
		assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
	}
	table[6] = 0x31;
	table[5] = 1;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
	table[5] = 0;
	table[4] = 0xfef01000;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
	table[4] = 0x00001000;
	assert_int_equal(msix_entry_read(table, 1, &message), MSIX_ENTRY_BAD);
}

/* Sends a frame from red to blue and says how many interrupts blue got. */
static unsigned frame_interrupts(void)
{
	unsigned before = rig_msis[BLUE];

	driver_post(&blue.queues[0], 2048);
	driver_send(&red.queues[1], "frame", 5);
	return rig_msis[BLUE] - before;
}

static void masked_interrupts_wait(void **state)
{
	volatile uint32_t *table;

	(void)state;
	driver_start(&red, rig_vdev(RED, 0), 64);
	driver_start(&blue, rig_vdev(BLUE, 0), 64);
	table = (volatile uint32_t *)blue.vdev->msix.page;
	assert_int_equal(frame_interrupts(), 1);
	assert_int_equal(rig_vector[BLUE], 0x30);

	table[3] = 1;
	assert_int_equal(frame_interrupts(), 0);
	links_poll(&vms[BLUE]);
	assert_int_equal(rig_msis[BLUE], 1);
	assert_int_equal(((volatile uint64_t *)table)[MSIX_PENDING_OFFSET / 8], 1);
	table[2] = 0x55;
	table[3] = 0;
	links_poll(&vms[BLUE]);
	assert_int_equal(rig_msis[BLUE], 2);
	assert_int_equal(rig_vector[BLUE], 0x55);
	assert_int_equal(((volatile uint64_t *)table)[MSIX_PENDING_OFFSET / 8], 0);
	links_poll(&vms[BLUE]);
	assert_int_equal(rig_msis[BLUE], 2);

	vdev_config_write(blue.vdev, 0x82, 2, 0xc000);
	assert_int_equal(frame_interrupts(), 0);
	vdev_config_write(blue.vdev, 0x82, 2, 0x8000);
	assert_int_equal(rig_msis[BLUE], 3);

	vdev_config_write(blue.vdev, 0x82, 2, 0);
	assert_int_equal(frame_interrupts(), 0);
	assert_int_equal(io_read(blue.vdev, 0x38, 1) & 1, 1);
	assert_int_equal(io_read(blue.vdev, 0x38, 1), 0);
	vdev_config_write(blue.vdev, 0x82, 2, 0x8000);
	assert_int_equal(rig_msis[BLUE], 3);

	table[2] = 0x02;        /* an exception's vector: dropped for good */
	assert_int_equal(frame_interrupts(), 0);
	table[2] = 0x30;
	links_poll(&vms[BLUE]);
	assert_int_equal(rig_msis[BLUE], 3);

	blue.queues[0].avail[0] = 1;    /* the driver wants none */
	assert_int_equal(frame_interrupts(), 0);
	blue.queues[0].avail[0] = 0;
	assert_int_equal(frame_interrupts(), 1);
}

static void broken_device_tells_its_driver(void **state)
{
	(void)state;
	driver_start(&red, rig_vdev(RED, 0), 64);
	io_write(red.vdev, 0x10, 2, 1);
	red.queues[1].avail[1] = 65;
	driver_kick(&red.queues[1]);
	assert_int_equal(io_read(red.vdev, 0x14, 1), 15 | VIRTIO_NEEDS_RESET);
	assert_int_equal(rig_msis[RED], 1);
	assert_int_equal(rig_vector[RED], 0x31);
	assert_int_equal(io_read(red.vdev, 0x38, 1), 2);
	assert_int_equal(rig_audits[LZR_AUDIT_RING_FAULT], 1);
	assert_int_equal(rig_fault, LZR_RING_INDEX);
	driver_kick(&red.queues[1]);
	assert_int_equal(rig_audits[LZR_AUDIT_RING_FAULT], 1);
	driver_start(&red, red.vdev, 64);
	assert_true(vdev_is_live(red.vdev));
}

static void creation_without_memory(void **state)
{
	(void)state;
	rig_configure();
	rig_no_memory = true;
	assert_int_equal(links_create(), HV_NO_MEMORY);
	rig_teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(common_registers_at_reset),
		RIG_TEST(odd_accesses_do_nothing),
		RIG_TEST(features_must_be_a_subset_with_version_1),
		RIG_TEST(queue_setup_refusals),
		RIG_TEST(queue_registers_freeze_once_enabled),
		RIG_TEST(configuration_space_follows_the_manifest),
		cmocka_unit_test(entries_read_consistently),
		RIG_TEST(masked_interrupts_wait),
		RIG_TEST(broken_device_tells_its_driver),
		cmocka_unit_test(creation_without_memory),
	};

	return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
