/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COM1, output only.  Every line starts with a prefix that the hypervisor writes: "hv: " for its own, "[name] " for a
 * VM's. A VM's characters reach the port only as whole lines of printable ASCII, so no VM can forge another's line.
 * Locks: a VM's line, then console, the innermost of all locks.
 */
#include <arch_x86.h>

#include "config.h"
#include "plat.h"

#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_IER (COM1 + 1)
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_LCR_8N1 0x03
#define UART_LCR_DLAB 0x80
#define UART_MCR (COM1 + 4)
#define UART_MCR_DTR_RTS 0x03
#define UART_LSR (COM1 + 5)
#define UART_LSR_THRE 0x20
#define UART_SPIN_LIMIT 100000u         /* a port that never gets ready must not stop the machine */

#define LINE_MAX 240u
#define VM_LINE_MAX 200u

static struct spinlock console_lock;
static struct { struct spinlock lock; uint32_t length; char text[VM_LINE_MAX]; } vm_lines[LZR_VM_MAX];

void console_init(void)
{
	arch_out8(UART_IER, 0);
	arch_out8(UART_LCR, UART_LCR_DLAB);
	arch_out8(UART_DATA, 1);                /* divisor 1: 115200 */
	arch_out8(UART_IER, 0);
	arch_out8(UART_LCR, UART_LCR_8N1);
	arch_out8(UART_FCR, 0x07);              /* FIFO on and empty */
	arch_out8(UART_MCR, UART_MCR_DTR_RTS);
}

static void write_char(char c)
{
	for (unsigned spin = 0; !(arch_in8(UART_LSR) & UART_LSR_THRE) && spin < UART_SPIN_LIMIT; spin++)
		arch_pause();
	arch_out8(UART_DATA, (uint8_t)c);
}

static void write_text(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		write_char(text[i]);
}

/* Text that came from files or firmware may hold anything: only printable characters leave. */
static void write_line(const char *prefix, const char *text, size_t length)
{
	for (; *prefix; prefix++)
		write_char(*prefix);
	for (size_t i = 0; i < length; i++)
		write_char(text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?');
	write_text("\r\n", 2);
}

void say(const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, format);
	size_t length = print_format(line, sizeof(line), format, args);
	va_end(args);
	spin_lock(&console_lock);
	write_line("hv: ", line, length);
	spin_unlock(&console_lock);
}

static void vm_line_flush(unsigned vm)
{
	spin_lock(&console_lock);
	write_text("[", 1);
	for (const char *name = machine.vms[vm].name; *name; name++)
		write_char(*name);
	write_line("] ", vm_lines[vm].text, vm_lines[vm].length);
	spin_unlock(&console_lock);
	vm_lines[vm].length = 0;
}

void say_vm(unsigned vm, char c)
{
	CHECK(vm < LZR_VM_MAX);
	if (c == '\t')
		c = ' ';
	if (c != '\n' && (c < 0x20 || c >= 0x7f))
		return;
	spin_lock(&vm_lines[vm].lock);
	if (c != '\n')
		vm_lines[vm].text[vm_lines[vm].length++] = c;
	if (c == '\n' || vm_lines[vm].length == VM_LINE_MAX)
		vm_line_flush(vm);
	spin_unlock(&vm_lines[vm].lock);
}

/* Says why and halts every CPU for good.  No lock: whoever holds it may be what failed. */
void panic(const char *format, ...)
{
	static uint32_t panicking;
	char line[LINE_MAX];
	va_list args;

	if (!__atomic_exchange_n(&panicking, 1, __ATOMIC_ACQ_REL)) {
		apic_nmi_others();
		va_start(args, format);
		size_t length = print_format(line, sizeof(line), format, args);
		va_end(args);
		write_line("\r\nhv: PANIC: ", line, length);
	}
	arch_halt_forever();
	__builtin_unreachable();
}

void panic_nmi(void)
{
	panic("non-maskable interrupt");
}
