/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit/link_rig.h"
#include "link_script.h"

#define DEVICES 7u

static struct driver drivers[DEVICES];
static const uint8_t *script;
static size_t left;

static uint32_t take(unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes && left; i++, left--)
		value |= (uint32_t)*script++ << (8 * i);
	return value;
}

static struct driver *take_driver(void)
{
	return &drivers[take(1) % DEVICES];
}

static struct driver_queue *take_queue(void)
{
	struct driver *driver = take_driver();

	return &driver->queues[take(1) % driver->vdev->config->queues];
}

/* A word somewhere in the rings of a queue, and mostly a plausible one. */
static void ring_write(void)
{
	struct driver_queue *queue = take_queue();
	uint8_t *ram = rig_ram[queue->driver->vdev->vm->number] + queue->gpa;
	uint32_t where = take(1), value = take(2);

	switch (where % 8) {
	case 0:
		queue->desc[value % 256].address = take(4) << (take(1) % 16);
		break;
	case 1:
		queue->desc[value % 256].length = take(4) >> (take(1) % 32);
		break;
	case 2:
		queue->desc[value % 256].flags = (uint16_t)(take(1) % 8);
		break;
	case 3:
		queue->desc[value % 256].next = (uint16_t)take(2);
		break;
	case 4:
		queue->avail[1] = (uint16_t)(queue->avail[1] + value % 4);
		break;
	case 5:
		queue->avail[2 + value % 256] = (uint16_t)take(1);
		break;
	case 6:
		queue->avail[1] = (uint16_t)value;
		break;
	default:
		ram[value % 0x2000] = (uint8_t)take(1);
	}
}

static void chain_publish(void)
{
	struct driver_queue *queue = take_queue();
	uint8_t *ram = rig_ram[queue->driver->vdev->vm->number];
	struct rig_part parts[4];
	uint64_t at[4];
	unsigned count = 1 + take(1) % 4;
	unsigned writable = take(1) % (count + 1);

	if (count > queue->size)
		return;
	for (unsigned i = 0; i < count; i++)
		parts[i] = (struct rig_part){ 1 + take(2) % 6000, i >= writable };
	driver_publish(queue, driver_add(queue, parts, count, at));
	for (unsigned i = 0; i < 8 && !parts[0].write && i < parts[0].length; i++)
		ram[at[0] + i] = (uint8_t)take(1);
	driver_kick(queue);
}

/* A message that is right but for what the script changes. */
static void message_send(void)
{
	struct driver *driver = take_driver();
	unsigned pair = take(1) % (driver->vdev->config->queues / 2);
	const struct link_end *end = driver->vdev->ends[pair];
	uint8_t bytes[PREFIX + sizeof(struct lzr_msg) + 256] = { 0 };
	unsigned prefix = driver->vdev->config->prefix_length;
	struct lzr_msg msg = {
		.magic = LZR_MSG_MAGIC, .type = (uint16_t)take(1), .link = end->link->number,
		.peer = end->peer->vdev->vm->number, .instance = end->told_instance, .generation = end->told,
		.token = take(4), .length = take(1),
	};

	for (unsigned changes = take(1) % 3; changes; changes--)
		((uint8_t *)&msg)[take(1) % sizeof(msg)] = (uint8_t)take(1);
	memcpy(bytes + prefix, &msg, sizeof(msg));
	driver_send(&driver->queues[2 * pair + 1], bytes, (uint32_t)(1 + take(2) % sizeof(bytes)));
}

static void step(void)
{
	struct driver *driver;
	uint32_t a, b;

	switch (take(1) % 12) {
	case 0:
		driver = take_driver();
		a = take(1);
		b = take(1) % 6;
		io_write(driver->vdev, a, b, take(4));
		break;
	case 1:
		driver = take_driver();
		a = take(1);
		(void)io_read(driver->vdev, a, take(1) % 6);
		break;
	case 2:
	case 3:
		ring_write();
		break;
	case 4:
	case 5:
		chain_publish();
		break;
	case 6:
		driver_kick(take_queue());
		break;
	case 7:
		links_poll(&vms[take(1) % VM_COUNT]);
		break;
	case 8:
		driver = take_driver();
		driver_start(driver, driver->vdev, 4u << (take(1) % 7));
		break;
	case 9:
		a = take(1) % VM_COUNT;
		links_vm_stopped(&vms[a]);
		vms[a].instance += VM_COUNT;
		links_vm_started(&vms[a]);
		break;
	case 10:
		message_send();
		break;
	default:
		driver = take_driver();
		a = take(2) % PAGE_SIZE;
		driver->vdev->msix.page[a] = (uint8_t)take(1);
		vdev_config_write(driver->vdev, take(1), 1u << (take(1) % 3), take(4));
	}
}

/* The book of unanswered chains adds up. */
static void check_books(void)
{
	for (unsigned i = 0; i < machine.link_count; i++) {
		for (unsigned side = 0; side < 2; side++) {
			const struct link_end *end = &links[i].end[side];
			unsigned outstanding = 0;

			for (unsigned head = 0; end->slots && head < LZR_VIRTIO_QUEUE_MAX; head++)
				outstanding += end->slots[head].capacity != 0;
			if (outstanding != end->outstanding)
				abort();
		}
	}
}

void link_script_play(const uint8_t *bytes, size_t size)
{
	unsigned device = 0;

	script = bytes;
	left = size;
	rig_setup();
	for (unsigned vm = 0; vm < VM_COUNT; vm++) {
		for (unsigned i = 0; i < vms[vm].image->vdev_count; i++, device++)
			driver_start(&drivers[device], rig_vdev(vm, i), 16);
	}
	while (left) {
		step();
		check_books();
	}
	rig_teardown();
}
