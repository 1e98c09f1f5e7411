/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A without interrupt line.  Linux polls it, and its poll goes through the interrupt identification register, so
 * that one tells the truth: data ready, else transmitter empty (set by a THR write or by enabling its interrupt,
 * cleared when read).  Texas Instruments PC16550D data sheet, "Registers".
 */
#include "vcpu.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };

#define IER_RECEIVED 0x01u
#define IER_TRANSMITTER 0x02u
#define IER_BITS 0x0fu
#define IIR_NONE 0x01u
#define IIR_TRANSMITTER 0x02u
#define IIR_RECEIVED 0x04u
#define IIR_FIFO 0xc0u
#define FCR_ENABLE 0x01u
#define LCR_DLAB 0x80u
#define MCR_BITS 0x1fu
#define   MCR_LOOPBACK 0x10u
#define LSR_READY 0x01u
#define LSR_EMPTY 0x60u                 /* transmitter holding register and transmitter */
#define MSR_CONNECTED 0xb0u             /* carrier, data set ready, clear to send */

void vuart_reset(struct vuart *uart)
{
	*uart = (struct vuart){ .dll = 1, .received = -1 };
}

/* In loopback the modem outputs come back as modem inputs. */
static uint8_t modem_status(const struct vuart *uart)
{
	unsigned mcr = uart->mcr;

	if (!(mcr & MCR_LOOPBACK))
		return MSR_CONNECTED;
	return (uint8_t)((mcr & 0xc) << 4 | (mcr & 2) << 3 | (mcr & 1) << 5);
}

static uint8_t read_iir(struct vuart *uart)
{
	if (uart->ier & IER_RECEIVED && uart->received >= 0)
		return uart->fifo | IIR_RECEIVED;
	if (uart->ier & IER_TRANSMITTER && uart->thr_pending) {
		uart->thr_pending = false;
		return uart->fifo | IIR_TRANSMITTER;
	}
	return uart->fifo | IIR_NONE;
}

static uint8_t read_data(struct vuart *uart)
{
	int c = uart->received;

	uart->received = -1;
	return c < 0 ? 0 : (uint8_t)c;
}

static uint8_t read_register(struct vuart *uart, unsigned reg)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA: return dlab ? uart->dll : read_data(uart);
	case REG_IER: return dlab ? uart->dlm : uart->ier;
	case REG_IIR_FCR: return read_iir(uart);
	case REG_LCR: return uart->lcr;
	case REG_MCR: return uart->mcr;
	case REG_LSR: return LSR_EMPTY | (uart->received >= 0 ? LSR_READY : 0);
	case REG_MSR: return modem_status(uart);
	default: return uart->scratch;
	}
}

/* The character that leaves, or -1. */
static int write_data(struct vuart *uart, uint8_t value)
{
	uart->thr_pending = true;
	if (!(uart->mcr & MCR_LOOPBACK))
		return value;
	uart->received = value;
	return -1;
}

static int write_register(struct vuart *uart, unsigned reg, uint8_t value)
{
	bool dlab = uart->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (!dlab)
			return write_data(uart, value);
		uart->dll = value;
		break;
	case REG_IER:
		if (dlab) {
			uart->dlm = value;
			break;
		}
		if (value & ~uart->ier & IER_TRANSMITTER)
			uart->thr_pending = true;
		uart->ier = value & IER_BITS;
		break;
	case REG_IIR_FCR:
		uart->fifo = value & FCR_ENABLE ? IIR_FIFO : 0;
		break;
	case REG_LCR:
		uart->lcr = value;
		break;
	case REG_MCR:
		uart->mcr = value & MCR_BITS;
		break;
	case REG_SCRATCH:
		uart->scratch = value;
		break;
	}
	return -1;
}

int vuart_access(struct vuart *uart, unsigned reg, bool write, uint8_t *value)
{
	if (write)
		return write_register(uart, reg, *value);
	*value = read_register(uart, reg);
	return -1;
}
