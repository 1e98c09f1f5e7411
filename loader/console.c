/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines on COM1 and on the screen.  The firmware's console may itself copy to COM1, so the screen is reached
 * through the text consoles that sit on a graphics device; only when there are neither those nor a COM1 does the
 * firmware's own console get the line.
 */
#include "loader.h"

#define COM1 0x3f8u
#define COM1_IER 1u
#define COM1_FCR 2u
#define COM1_LCR 3u
#define COM1_MCR 4u
#define COM1_LSR 5u
#define LSR_ROOM 0x20u
#define SCREENS 4u

struct efi_system_table *efi;
efi_handle efi_image;

static struct efi_text_output *screens[SCREENS];
static unsigned screen_count;
static bool com1_present;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void com1_init(void)
{
	com1_present = in8(COM1 + COM1_LSR) != 0xff;
	if (!com1_present)
		return;
	out8(COM1 + COM1_IER, 0);
	out8(COM1 + COM1_LCR, 0x80);
	out8(COM1, 1);                  /* 115200 baud */
	out8(COM1 + COM1_IER, 0);
	out8(COM1 + COM1_LCR, 3);       /* 8N1 */
	out8(COM1 + COM1_FCR, 7);
	out8(COM1 + COM1_MCR, 3);
}

static void com1_put(char c)
{
	for (unsigned tries = 0; tries < 100000 && !(in8(COM1 + COM1_LSR) & LSR_ROOM); tries++)
		;
	out8(COM1, (uint8_t)c);
}

static void find_screens(void)
{
	const struct efi_guid text = EFI_TEXT_OUTPUT_GUID, graphics = EFI_GRAPHICS_GUID;
	efi_handle *handles;
	uint64_t count;
	void *interface;

	if (efi->boot->locate_handle_buffer(EFI_SEARCH_BY_PROTOCOL, &text, NULL, &count, &handles) == EFI_SUCCESS) {
		for (uint64_t i = 0; i < count && screen_count < SCREENS; i++) {
			if (handles[i] == efi->console_out_handle ||
			    efi->boot->handle_protocol(handles[i], &graphics, &interface) != EFI_SUCCESS ||
			    efi->boot->handle_protocol(handles[i], &text, &interface) != EFI_SUCCESS)
				continue;
			screens[screen_count++] = interface;
		}
		efi->boot->free_pool(handles);
	}
	if (screen_count == 0 && !com1_present && efi->console_out)
		screens[screen_count++] = efi->console_out;
}

void console_init(void)
{
	com1_init();
	find_screens();
}

void console_boot_services_ended(void)
{
	screen_count = 0;
}

static void put(char c)
{
	efi_char text[2] = { (efi_char)c, 0 };

	if (com1_present) {
		if (c == '\n')
			com1_put('\r');
		com1_put(c);
	}
	for (unsigned i = 0; i < screen_count; i++) {
		if (c == '\n')
			screens[i]->output_string(screens[i], u"\r\n");
		else
			screens[i]->output_string(screens[i], text);
	}
}

static void put_number(uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put(digits[--n]);
}

static void put_string(const char *s)
{
	for (; *s; s++)
		put(*s >= ' ' && *s <= '~' ? *s : '?');
}

static void put_format(const char *format, va_list *args)
{
	for (; *format; format++) {
		bool wide = false;

		if (*format != '%') {
			put(*format);
			continue;
		}
		format++;
		if (format[0] == 'l' && format[1] == 'l') {
			wide = true;
			format += 2;
		}
		if (*format == 's')
			put_string(va_arg(*args, const char *));
		else
			put_number(wide ? va_arg(*args, unsigned long long) : va_arg(*args, unsigned),
				   *format == 'x' ? 16 : 10);
	}
}

void console_vsay(const char *prefix, const char *format, va_list *args)
{
	put_string(prefix);
	put_format(format, args);
	put('\n');
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	console_vsay("loader: ", format, &args);
	va_end(args);
}
