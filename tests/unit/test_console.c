/* SPDX-License-Identifier: Apache-2.0 */
/* Formats, and lines that no VM can forge. */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "plat.h"
#include "plat_fake.h"

#include <arch_x86.h>

struct machine_config machine;
static char sent[65536];
static unsigned sent_length, busy, nmis;

uint8_t fake_in8(uint16_t port)
{
	assert_int_equal(port, 0x3fd);
	if (busy == UINT32_MAX)
		return 0;
	return busy ? (busy--, 0) : 0x20;
}

void fake_out8(uint16_t port, uint8_t value)
{
	if (port == 0x3f8 && sent_length < sizeof(sent) - 1) {
		sent[sent_length++] = (char)value;
		sent[sent_length] = 0;
	}
}

void apic_nmi_others(void)
{
	nmis++;
}

static int set_up(void **state)
{
	fake_reset(state);
	sent_length = 0;
	sent[0] = 0;
	busy = 0;
	strcpy(machine.vms[0].name, "red");
	strcpy(machine.vms[1].name, "blue");
	return 0;
}

static size_t format(char *out, size_t capacity, const char *text, ...)
{
	va_list args;

	va_start(args, text);
	size_t length = print_format(out, capacity, text, args);
	va_end(args);
	return length;
}

static void test_format(void **state)
{
	char out[128];

	(void)state;
	format(out, sizeof(out), "%s|%u|%x|%lu|%lx|%c|%%", "text", 4294967295u, 0xdeadbeefu, UINT64_MAX, UINT64_MAX, 'c');
	assert_string_equal(out, "text|4294967295|deadbeef|18446744073709551615|ffffffffffffffff|c|%");
	format(out, sizeof(out), "%u %x %d", 0u, 0u, 1);
	assert_string_equal(out, "0 0 ?");
	format(out, sizeof(out), "%02x%02x%02x", 0u, 0xau, 0xabu);
	assert_string_equal(out, "000aab");
	assert_int_equal(format(out, 5, "%s", "longer than that"), 4);
	assert_string_equal(out, "long");
	format(out, 1, "%u", 12u);
	assert_string_equal(out, "");
	assert_int_equal(format(out, 0, "x"), 0);
	format(out, sizeof(out), "end%");
	assert_string_equal(out, "end?");
	format(out, sizeof(out), "end%l");
	assert_string_equal(out, "end?");
}

static void test_say(void **state)
{
	(void)state;
	say("%u files", 3);
	assert_string_equal(sent, "hv: 3 files\r\n");
	set_up(state);
	say("a\nhv: forged\x1b[2J\r%s", "\x80");
	assert_string_equal(sent, "hv: a?hv: forged?[2J??\r\n");
	set_up(state);
	busy = 3;
	say("waits");
	assert_string_equal(sent, "hv: waits\r\n");
	set_up(state);
	busy = UINT32_MAX;              /* a dead port does not hang the machine */
	say("x");
	assert_string_equal(sent, "hv: x\r\n");
}

static void vm_says(unsigned vm, const char *text)
{
	for (; *text; text++)
		say_vm(vm, *text);
}

static void test_vm_lines(void **state)
{
	(void)state;
	vm_says(0, "half");
	vm_says(1, "other\r\n");
	assert_string_equal(sent, "[blue] other\r\n");
	vm_says(0, " done\n");
	assert_string_equal(sent, "[blue] other\r\n[red] half done\r\n");
	set_up(state);
	vm_says(0, "\r\r\x1b[2Jhv: forged\rhv: PANIC\t.\x7f\x9b\n");
	assert_string_equal(sent, "[red] [2Jhv: forgedhv: PANIC .\r\n");
	set_up(state);
	vm_says(0, "\n");
	assert_string_equal(sent, "[red] \r\n");
	assert_panics(say_vm(LZR_VM_MAX, 'x'));
}

static void test_long_lines(void **state)
{
	char text[700];

	(void)state;
	memset(text, 'x', sizeof(text) - 2);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = 0;
	vm_says(1, text);
	unsigned lines = 0;

	for (char *at = sent; (at = strstr(at, "[blue] ")); at++) {
		assert_true(at == sent || at[-1] == '\n');
		lines++;
	}
	assert_int_equal(lines, 4);
	for (unsigned i = 0, column = 0; i < sent_length; i++, column++) {
		assert_true(column < 240);
		if (sent[i] == '\n')
			column = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_format, set_up), cmocka_unit_test_setup(test_say, set_up),
		cmocka_unit_test_setup(test_vm_lines, set_up), cmocka_unit_test_setup(test_long_lines, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
