/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COM1, output only.  Every line starts with a prefix that the hypervisor writes: "hv: " for its own, "[name] " for a
 * VM's. A VM's characters reach the port only as whole lines of printable ASCII, so no VM can forge another's line.
 *
 * Lines wait in a queue, and the schedulers give the port what it takes at once: nobody waits for the port after the
 * seal. Each VM, with what is said of its ends, and the hypervisor have the same share of the queue.  Who fills it
 * loses lines, up to the moment when all its earlier ones have left; then a line says how many.
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
#define UART_FIFO 16u                   /* characters that an empty transmitter takes */
#define UART_SPIN_LIMIT 100000u         /* a port that never gets ready must not stop the machine */

#define LINES 16384u                    /* divides 2^32 */
#define SHARE (LINES / (LZR_VM_MAX + 1))
#define FEED_MAX 1024u                  /* characters at once, to a port that is always ready, as an emulator's is */
#define SAY_MAX 240u
#define VM_LINE_MAX 200u
#define HV LZR_VM_MAX                   /* as a source */

bool console_fed;
static struct line { uint8_t source, length; char text[254]; } lines[LINES];
static uint32_t first, next;            /* [first, next) wait */
static struct { uint32_t waiting, lost; } sources[LZR_VM_MAX + 1];
static struct spinlock console_lock;    /* of all these; the first line's text belongs to whoever feeds */
static bool panicking;                  /* one CPU alone is left; who had the lock may have failed */
static struct { struct spinlock lock; uint32_t length; char text[VM_LINE_MAX + 1]; } vm_lines[LZR_VM_MAX];

HV_BOOT void console_init(void)
{
	arch_out8(UART_IER, 0);
	arch_out8(UART_LCR, UART_LCR_DLAB);
	arch_out8(UART_DATA, 1);                /* divisor 1: 115200 */
	arch_out8(UART_IER, 0);
	arch_out8(UART_LCR, UART_LCR_8N1);
	arch_out8(UART_FCR, 0x07);              /* FIFO on and empty */
	arch_out8(UART_MCR, UART_MCR_DTR_RTS);
}

/* Text that came from files or firmware may hold anything: only printable characters leave. */
static void add(unsigned source, const char *format, ...)
{
	struct line *line = &lines[next % LINES];
	va_list args;

	va_start(args, format);
	size_t length = print_format(line->text, sizeof(line->text) - 2, format, args);
	va_end(args);
	for (size_t i = 0; i < length; i++)
		if (line->text[i] < 0x20 || line->text[i] >= 0x7f)
			line->text[i] = '?';
	line->text[length++] = '\r';
	line->text[length++] = '\n';
	line->source = (uint8_t)source;
	line->length = (uint8_t)length;
	sources[source].waiting++;
	__atomic_store_n(&next, next + 1, __ATOMIC_RELEASE);
}

static void offer(unsigned source, const char *format, const char *name, const char *text)
{
	if (__atomic_load_n(&panicking, __ATOMIC_ACQUIRE)) {
		add(source, format, name, text);
		return;
	}
	spin_lock(&console_lock);
	if (sources[source].lost || sources[source].waiting == SHARE)
		sources[source].lost++;
	else
		add(source, format, name, text);
	spin_unlock(&console_lock);
}

static void first_has_left(unsigned source)
{
	spin_lock(&console_lock);
	__atomic_store_n(&first, first + 1, __ATOMIC_RELAXED);
	if (!--sources[source].waiting && sources[source].lost) {
		add(source, "hv: console: %u lines of %s are lost", sources[source].lost,
			source == HV ? "hv" : machine.vms[source].name);
		sources[source].lost = 0;
	}
	spin_unlock(&console_lock);
}

static bool lines_wait(void)
{
	return __atomic_load_n(&first, __ATOMIC_RELAXED) != __atomic_load_n(&next, __ATOMIC_ACQUIRE);
}

static bool port_is_ready(void)
{
	return arch_in8(UART_LSR) & UART_LSR_THRE;
}

bool console_feed(void)
{
	static uint32_t feeding, sent;

	if (!lines_wait() || __atomic_exchange_n(&feeding, 1, __ATOMIC_ACQUIRE))
		return lines_wait();
	for (unsigned i = 0; i < FEED_MAX && lines_wait() && (i % UART_FIFO || port_is_ready()); i++) {
		const struct line *line = &lines[first % LINES];

		arch_out8(UART_DATA, (uint8_t)line->text[sent++]);
		if (sent == line->length) {
			sent = 0;
			first_has_left(line->source);
		}
	}
	__atomic_store_n(&feeding, 0, __ATOMIC_RELEASE);
	return lines_wait();
}

static void say_list(unsigned source, const char *format, va_list args)
{
	char line[SAY_MAX];

	print_format(line, sizeof(line), format, args);
	offer(source, "%s: %s", "hv", line);
	for (unsigned spin = 0; !console_fed && console_feed() && spin < UART_SPIN_LIMIT; spin++)
		arch_pause();
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_list(HV, format, args);
	va_end(args);
}

void say_about(unsigned vm, const char *format, ...)
{
	va_list args;

	CHECK(vm < LZR_VM_MAX);
	va_start(args, format);
	say_list(vm, format, args);
	va_end(args);
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
	if (c == '\n' || vm_lines[vm].length == VM_LINE_MAX) {
		vm_lines[vm].text[vm_lines[vm].length] = 0;
		vm_lines[vm].length = 0;
		offer(vm, "[%s] %s", machine.vms[vm].name, vm_lines[vm].text);
	}
	spin_unlock(&vm_lines[vm].lock);
}

static void write_now(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		for (unsigned spin = 0; !port_is_ready() && spin < UART_SPIN_LIMIT; spin++)
			arch_pause();
		arch_out8(UART_DATA, (uint8_t)text[i]);
	}
}

void panic_begin(void)
{
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_ACQ_REL))
		arch_halt_forever();
	apic_nmi_others();
}

/* VMs' own lines, which begin with their names, are left. */
void panic_end(void)
{
	write_now("\r\n", 2);
	for (; first != next; first++)
		if (lines[first % LINES].text[0] != '[')
			write_now(lines[first % LINES].text, lines[first % LINES].length);
	arch_halt_forever();
	__builtin_unreachable();
}

/* The last words of this machine, behind `what`. */
static __attribute__((noreturn)) void end_with(const char *what, const char *format, va_list args)
{
	char line[SAY_MAX];

	panic_begin();
	print_format(line, sizeof(line), format, args);
	add(HV, "hv: %s: %s", what, line);
	panic_end();
}

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_with("PANIC", format, args);
}

HV_BOOT void refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	end_with("refused", format, args);
}

void panic_nmi(void)
{
	panic("non-maskable interrupt");
}
