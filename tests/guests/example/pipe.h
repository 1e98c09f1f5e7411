/* SPDX-License-Identifier: Apache-2.0 */
/* The raw end of one link, for the tiny guests of the examples: a device with one queue pair. */
#ifndef EXAMPLE_PIPE_H
#define EXAMPLE_PIPE_H

#include <stdbool.h>
#include <stdint.h>

#define PIPE_MAX 4096u

/* Opens the one device of this PCI device id, or stops the VM. */
void pipe_open(uint16_t pci_device);
/* Copies the bytes and sends them as one message; waits for room for a while.  False: the other end takes nothing. */
bool pipe_send(const void *bytes, uint32_t length);
/* Bytes of the next message, or 0: none is there. */
uint32_t pipe_receive(uint8_t out[PIPE_MAX]);
/* An address of the device's own configuration, for a network device. */
void pipe_mac(uint8_t out[6]);

#endif
