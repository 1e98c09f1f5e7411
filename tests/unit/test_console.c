/* SPDX-License-Identifier: Apache-2.0 */
/* Formats, and lines that no VM can forge. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "config.h"
#include "plat.h"
#include "plat_fake.h"

#include <arch_x86.h>

struct machine_config machine;
static char sent[65536];
static unsigned sent_length, busy, nmis;
static void (*during_write)(void);

/* As the product's: this file's tests have two CPUs. */
void spin_lock(struct spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		;
}

void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->owner, lock->owner + 1, __ATOMIC_RELEASE);
}

uint8_t fake_in8(uint16_t port)
{
	assert_int_equal(port, 0x3fd);
	if (during_write)
		during_write();
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
	format(out, sizeof(out), "%s|%u|%x|%lu|%lx|%c|%%", "text", 4294967295u, 0xdeadbeefu, UINT64_MAX, UINT64_MAX,
	       'c');
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

/*
 * Two vCPUs of one VM write to its console at the same time: the second comes while the first one's full line goes out.
 */
static atomic_int second;       /* 0: not yet, 1: may write, 2: has written */

static void *write_second(void *unused)
{
	(void)unused;
	while (!atomic_load(&second))
		;
	say_vm(0, 'y');
	atomic_store(&second, 2);
	return NULL;
}

static void let_second_write(void)
{
	struct timespec step = { .tv_nsec = 1000000 };

	during_write = NULL;
	atomic_store(&second, 1);
	for (unsigned ms = 0; ms < 50 && atomic_load(&second) != 2; ms++)
		nanosleep(&step, NULL);
}

static void test_two_writers(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_second, NULL), 0);
	for (unsigned i = 0; i < 199; i++)
		say_vm(0, 'x');
	during_write = let_second_write;
	say_vm(0, 'x');
	assert_int_equal(pthread_join(thread, NULL), 0);
	say_vm(0, '\n');
	assert_int_equal(sent_length, strlen("[red] \r\n") + 200 + strlen("[red] y\r\n"));
	assert_non_null(strstr(sent, "\n[red] y\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_format, set_up), cmocka_unit_test_setup(test_say, set_up),
		cmocka_unit_test_setup(test_vm_lines, set_up), cmocka_unit_test_setup(test_long_lines, set_up),
		cmocka_unit_test_setup(test_two_writers, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
