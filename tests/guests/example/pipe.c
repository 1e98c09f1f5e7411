/* SPDX-License-Identifier: Apache-2.0 */
#include "pipe.h"

#include <string.h>

#include <lazaret/link.h>

#include "io.h"
#include "rt.h"
#include "vdev.h"

#define POSTED 16u
#define SENDING 8u
#define PATIENCE_NS 2000000000ull

static struct vdev device;
static struct virtq rx, tx;
static uint8_t incoming[POSTED][PIPE_MAX], outgoing[SENDING][PIPE_MAX];
static uint8_t *free_buffers[SENDING];
static unsigned free_count;

void pipe_open(uint16_t pci_device)
{
	const char *wrong = vdev_open(&device, pci_device);

	if (wrong == NULL)
		wrong = vdev_queue(&device, 0, &rx);
	if (wrong == NULL)
		wrong = vdev_queue(&device, 1, &tx);
	for (unsigned i = 0; wrong == NULL && i < POSTED; i++)
		if (!virtq_add(&rx, io_address(incoming[i]), PIPE_MAX, true, incoming[i]))
			wrong = "receive queue is too small";
	for (unsigned i = 0; i < SENDING; i++)
		free_buffers[free_count++] = outgoing[i];
	if (wrong == NULL)
		wrong = vdev_start(&device);
	if (wrong != NULL)
		rt_panic("device %x: %s", pci_device, wrong);
	vdev_kick(&device, 0, &rx);
}

static void take_back(void)
{
	uint8_t *buffer;
	uint32_t length;

	while ((buffer = virtq_take(&tx, &length)) != NULL)
		free_buffers[free_count++] = buffer;
}

bool pipe_send(const void *bytes, uint32_t length)
{
	const uint64_t end = rt_clock() + PATIENCE_NS;
	uint8_t *buffer;

	for (take_back(); free_count == 0; take_back()) {
		if (rt_clock() > end)
			return false;
		rt_sleep(1000000);
	}
	buffer = free_buffers[--free_count];
	memcpy(buffer, bytes, length);
	if (!virtq_add(&tx, io_address(buffer), length, false, buffer))
		rt_panic("transmit queue is full");
	vdev_kick(&device, 1, &tx);
	return true;
}

uint32_t pipe_receive(uint8_t out[PIPE_MAX])
{
	uint32_t length = 0;
	uint8_t *buffer = virtq_take(&rx, &length);

	if (buffer == NULL)
		return 0;
	memcpy(out, buffer, length);
	if (!virtq_add(&rx, io_address(buffer), PIPE_MAX, true, buffer))
		rt_panic("receive queue is full");
	vdev_kick(&device, 0, &rx);
	return length;
}

void pipe_mac(uint8_t out[6])
{
	for (uint16_t i = 0; i < 6; i++)
		out[i] = io_in8((uint16_t)(device.io + LZR_VIRTIO_DEVICE + i));
}
