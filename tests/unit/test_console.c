/* SPDX-License-Identifier: Apache-2.0 */
/* Formats, lines that no VM can forge, and a port that nobody waits for. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "plat.h"
#include "plat_fake.h"

#include <arch_x86.h>

#define SHARE 252u              /* lines of each in hv/console.c */

struct machine_config machine;
static char sent[1 << 20];
static unsigned sent_length, looks, nmis;
static unsigned ready;          /* characters that the port takes before it is busy */

static _Thread_local struct spinlock *last_lock;

/* As the product's: this file's tests have two CPUs. */
void spin_lock(struct spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	last_lock = lock;
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
	looks++;
	return ready ? 0x20 : 0;
}

void fake_out8(uint16_t port, uint8_t value)
{
	assert_int_equal(port, 0x3f8);
	assert_true(sent_length < sizeof(sent) - 1);
	sent[sent_length++] = (char)value;
	sent[sent_length] = 0;
	ready -= ready != 0 && ready != UINT32_MAX;
}

void apic_nmi_others(void)
{
	nmis++;
}

static void forget_sent(void)
{
	sent_length = 0;
	sent[0] = 0;
}

/* The port takes all, nothing waits, the schedulers run. */
static int set_up(void **state)
{
	fake_reset(state);
	ready = UINT32_MAX;
	forget_sent();
	while (console_feed())
		forget_sent();
	forget_sent();
	console_fed = true;
	strcpy(machine.vms[0].name, "red");
	strcpy(machine.vms[1].name, "blue");
	looks = 0;
	return 0;
}

static void feed_all(void)
{
	ready = UINT32_MAX;
	while (console_feed())
		continue;
}

static unsigned count(const char *text)
{
	unsigned times = 0;

	for (const char *at = sent; (at = strstr(at, text)); at += strlen(text))
		times++;
	return times;
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

/* Before the schedulers run, a line has left when say() returns. */
static void test_say(void **state)
{
	(void)state;
	console_fed = false;
	say("%u files", 3);
	assert_string_equal(sent, "hv: 3 files\r\n");
	forget_sent();
	say("a\nhv: forged\x1b[2J\r%s", "\x80");
	assert_string_equal(sent, "hv: a?hv: forged?[2J??\r\n");
	forget_sent();
	ready = 0;              /* a dead port does not hang the machine */
	say("x");
	assert_string_equal(sent, "");
	ready = UINT32_MAX;
	say("y");
	assert_string_equal(sent, "hv: x\r\nhv: y\r\n");
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
	feed_all();
	assert_string_equal(sent, "[blue] other\r\n");
	vm_says(0, " done\n");
	feed_all();
	assert_string_equal(sent, "[blue] other\r\n[red] half done\r\n");
	forget_sent();
	vm_says(0, "\r\r\x1b[2Jhv: forged\rhv: PANIC\t.\x7f\x9b%s\n");
	feed_all();
	assert_string_equal(sent, "[red] [2Jhv: forgedhv: PANIC .%s\r\n");
	forget_sent();
	vm_says(0, "\n");
	feed_all();
	assert_string_equal(sent, "[red] \r\n");
}

static void test_long_lines(void **state)
{
	char text[700];

	(void)state;
	memset(text, 'x', sizeof(text) - 2);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = 0;
	vm_says(1, text);
	feed_all();
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

/* No exit of a VM waits for the port, and the schedulers' look at it is short. */
static void test_nobody_waits(void **state)
{
	(void)state;
	ready = 0;
	vm_says(0, "a line of a VM\n");
	say("one of the hypervisor's");
	assert_int_equal(looks, 0);
	assert_true(console_feed());
	assert_int_equal(looks, 1);
	assert_int_equal(sent_length, 0);
	ready = 16;             /* an empty FIFO */
	assert_true(console_feed());
	assert_int_equal(looks, 3);
	assert_string_equal(sent, "[red] a line of ");
	feed_all();
	assert_string_equal(sent, "[red] a line of a VM\r\nhv: one of the hypervisor's\r\n");
	looks = 0;
	assert_false(console_feed());
	assert_int_equal(looks, 0);
}

/* Two floods of one VM cost it alone, and are told once each. */
static void test_flood(void **state)
{
	char told[80];

	(void)state;
	for (unsigned round = 1; round <= 2; round++) {
		forget_sent();
		ready = 0;
		for (unsigned i = 0; i < SHARE + 100 * round; i++)
			vm_says(0, "flood\n");
		vm_says(1, "here I am\n");
		say("so am I");
		ready = 5 * 13;         /* room for some; but while others wait, nothing new */
		while (ready)
			console_feed();
		for (unsigned i = 0; i < 10; i++)
			vm_says(0, "flood\n");
		feed_all();
		assert_int_equal(count("[red] flood\r\n"), SHARE);
		assert_non_null(strstr(sent, "\n[blue] here I am\r\nhv: so am I\r\n"));
		snprintf(told, sizeof(told), "hv: console: %u lines of red are lost\r\n", 100 * round + 10);
		assert_int_equal(count(told), 1);
		assert_int_equal(count("lost"), 1);
		vm_says(0, "again\n");
		feed_all();
		assert_string_equal(sent + sent_length - strlen("[red] again\r\n"), "[red] again\r\n");
	}
}

/* A VM that ends and starts anew all the time fills its own share with that, not the hypervisor's. */
static void test_restarts(void **state)
{
	(void)state;
	ready = 0;
	for (unsigned i = 0; i < SHARE + 9; i++)
		say_about(0, "%s: stopped", "red");
	say("so am I");
	feed_all();
	assert_int_equal(count("hv: red: stopped\r\n"), SHARE);
	assert_int_equal(count("hv: console: 9 lines of red are lost\r\n"), 1);
	assert_int_equal(count("lost"), 1);
	assert_int_equal(count("hv: so am I\r\n"), 1);
}

/* Every VM floods at once: each gets its share, and so does the hypervisor. */
static void test_all_flood(void **state)
{
	(void)state;
	ready = 0;
	for (unsigned vm = 0; vm < LZR_VM_MAX; vm++) {
		snprintf(machine.vms[vm].name, sizeof(machine.vms[vm].name), "vm%u", vm);
		for (unsigned i = 0; i < SHARE + 9; i++)
			vm_says(vm, "x\n");
	}
	for (unsigned i = 0; i < SHARE + 9; i++)
		say("y");
	feed_all();
	for (unsigned vm = 0; vm < LZR_VM_MAX; vm++) {
		char line[32];

		snprintf(line, sizeof(line), "[vm%u] x\r\n", vm);
		assert_int_equal(count(line), SHARE);
	}
	assert_int_equal(count("hv: y\r\n"), SHARE);
	assert_int_equal(count(" are lost\r\n"), LZR_VM_MAX + 1);
}

/*
 * Two vCPUs of one VM, another VM and the hypervisor speak, and two CPUs feed the port, all at the same time: lines
 * stay whole, and each is sent once or counted.
 */
#define ROUNDS 3000u
static atomic_uint speaking;

static void *speak(void *who)
{
	unsigned vm = (unsigned)(uintptr_t)who;

	for (unsigned i = 0; i < ROUNDS; i++)
		if (vm < 2)
			vm_says(vm, vm ? "bbbbbbbbbb\n" : "rrrrrrrrrr\n");
		else
			say("%s", "hhhhhhhhhh");
	atomic_fetch_sub(&speaking, 1);
	return NULL;
}

static void *feed(void *unused)
{
	(void)unused;
	while (console_feed() || atomic_load(&speaking))
		continue;
	return NULL;
}

static void test_many_speakers(void **state)
{
	unsigned red = 0, others[2] = { 0 }, lost[2] = { 0 };
	pthread_t threads[6];

	(void)state;
	atomic_store(&speaking, 4);
	for (uintptr_t i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < 4 ? speak : feed, (void *)(i % 3)), 0);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	feed_all();
	for (char *line = strtok(sent, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned n;
		int end = 0;

		if (!strcmp(line, "[blue] bbbbbbbbbb\r"))
			others[0]++;
		else if (!strcmp(line, "hv: hhhhhhhhhh\r"))
			others[1]++;
		else if (!strncmp(line, "[red] ", 6) && strspn(line + 6, "r") == strlen(line) - 7)
			red += (unsigned)strlen(line) - 7;
		else if (sscanf(line, "hv: console: %u lines of blue are lost%n", &n, &end) == 1 && end)
			lost[0] += n;
		else if (sscanf(line, "hv: console: %u lines of hv are lost%n", &n, &end) == 1 && end)
			lost[1] += n;
		else
			assert_non_null(strstr(line, "lines of red are lost"));
	}
	assert_true(red <= 2 * ROUNDS * 10);
	assert_int_equal(others[0] + lost[0], ROUNDS);
	assert_int_equal(others[1] + lost[1], ROUNDS);
}

static void exception_in_the_console(void)
{
	panic_begin();
	say("exception %u", 14);
	panic_end();
}

/*
 * The last test: what the hypervisor had to say is said, without waiting for the VMs' lines, for whoever held the lock,
 * or for room.
 */
static void test_panic(void **state)
{
	(void)state;
	ready = 0;
	vm_says(0, "is half-way out\n");
	for (unsigned i = 0; i < SHARE + 5; i++)
		say("before %u", i);
	vm_says(1, "waits\n");
	ready = 16;
	console_feed();
	ready = UINT32_MAX;
	say("lost");
	spin_lock(last_lock);
	assert_panics(exception_in_the_console());
	assert_int_equal(nmis, 1);
	assert_non_null(strstr(sent, "[red] is half-wa\r\nhv: before 0\r\n"));
	assert_non_null(strstr(sent, "hv: before 251\r\nhv: exception 14\r\n"));
	assert_int_equal(count("waits"), 0);
	/* And what fails in the panic itself ends. */
	assert_panics(say_vm(LZR_VM_MAX, 'x'));
	assert_int_equal(nmis, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_format, set_up), cmocka_unit_test_setup(test_say, set_up),
		cmocka_unit_test_setup(test_vm_lines, set_up), cmocka_unit_test_setup(test_long_lines, set_up),
		cmocka_unit_test_setup(test_nobody_waits, set_up), cmocka_unit_test_setup(test_flood, set_up),
		cmocka_unit_test_setup(test_restarts, set_up), cmocka_unit_test_setup(test_all_flood, set_up),
		cmocka_unit_test_setup(test_many_speakers, set_up),
		cmocka_unit_test_setup(test_panic, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
