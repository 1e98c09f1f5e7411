/* SPDX-License-Identifier: Apache-2.0 */
/* The few formats that messages need (%s %c %u %x %lu %lx %02x %%).  No state. */
#include "plat.h"

struct sink {
	char *out;
	size_t length, capacity;
};

static void put(struct sink *sink, char c)
{
	if (sink->length + 1 < sink->capacity)
		sink->out[sink->length++] = c;
}

static void put_number(struct sink *sink, uint64_t value, unsigned base, unsigned digits_least)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value || count < digits_least);
	while (count)
		put(sink, digits[--count]);
}

size_t print_format(char *out, size_t capacity, const char *format, va_list args)
{
	struct sink sink = { out, 0, capacity };

	for (; *format; format++) {
		if (*format != '%') {
			put(&sink, *format);
			continue;
		}
		bool byte = format[1] == '0' && format[2] == '2' && format[3] == 'x';
		if (byte)
			format += 2;
		bool wide = *++format == 'l';
		if (wide)
			format++;
		switch (*format) {
		case 's':
			for (const char *s = va_arg(args, const char *); *s; s++)
				put(&sink, *s);
			break;
		case 'c':
			put(&sink, (char)va_arg(args, int));
			break;
		case 'u':
		case 'x':
			put_number(&sink, wide ? va_arg(args, uint64_t) : va_arg(args, unsigned),
				*format == 'u' ? 10 : 16, byte ? 2 : 1);
			break;
		case '%':
			put(&sink, '%');
			break;
		default:
			put(&sink, '?');
			if (!*format)
				format--;
		}
	}
	if (capacity)
		out[sink.length] = 0;
	return sink.length;
}
