/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "io.h"
#include "rt.h"

static void put(char c)
{
	io_out8(RT_DEBUG_PORT, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned base, unsigned least)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	for (; least > n; least--)
		put('0');
	while (n != 0)
		put(digits[--n]);
}

static const char *put_one(const char *format, va_list *arguments)
{
	unsigned least = 0;
	bool wide = false;
	const char *s;
	uint64_t value;

	if (*format == '0' && format[1] >= '1' && format[1] <= '9') {
		least = (unsigned)(format[1] - '0');
		format += 2;
	}
	if (*format == 'l') {
		wide = true;
		format++;
	}
	switch (*format) {
	case 's':
		for (s = va_arg(*arguments, const char *); *s != 0; s++)
			put(*s);
		break;
	case 'c':
		put((char)va_arg(*arguments, int));
		break;
	case 'u':
	case 'x':
		value = wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
		put_number(value, *format == 'u' ? 10 : 16, least);
		break;
	case '\0':
		return format;
	default:
		put(*format);
	}
	return format + 1;
}

static void print(const char *format, va_list *arguments)
{
	while (*format != 0) {
		if (*format == '%')
			format = put_one(format + 1, arguments);
		else
			put(*format++);
	}
}

void rt_printf(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, &arguments);
	va_end(arguments);
}

void rt_panic(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, &arguments);
	va_end(arguments);
	put('\n');
	rt_stop();
}

void rt_stop(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
