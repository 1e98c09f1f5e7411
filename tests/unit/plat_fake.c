/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "plat.h"
#include "plat_fake.h"

uint8_t *fake_ram;
uint64_t fake_now, fake_free_bytes = FAKE_RAM;
unsigned fake_cpus = 2, fake_cpu_left_out = UINT_MAX;
char fake_said[16384];
jmp_buf fake_panic;
bool fake_panic_expected;
void fake_halt(void);

int fake_reset(void **state)
{
	(void)state;
	if (!fake_ram)
		fake_ram = aligned_alloc(LARGE_PAGE_SIZE, FAKE_RAM);
	memset(fake_ram, 0xcc, FAKE_RAM);
	fake_now = 0;
	fake_cpu_left_out = UINT_MAX;
	fake_said[0] = 0;
	fake_panic_expected = false;
	return 0;
}

bool fake_has_said(const char *text)
{
	if (strstr(fake_said, text))
		return true;
	fprintf(stderr, "expected: %s\nsaid:\n%s", text, fake_said);
	return false;
}

void fake_halt(void)
{
	if (fake_panic_expected)
		longjmp(fake_panic, 1);
	fprintf(stderr, "panic: %s", fake_said);
	abort();
}

static void keep(const char *format, va_list args)
{
	size_t used = strlen(fake_said);

	vsnprintf(fake_said + used, sizeof(fake_said) - used - 1, format, args);
	strcat(fake_said, "\n");
}

__attribute__((weak)) void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	keep(format, args);
	va_end(args);
}

__attribute__((weak)) void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	keep(format, args);
	va_end(args);
	fake_halt();
	abort();
}

__attribute__((weak)) void refuse(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	strcat(fake_said, "refused: ");
	keep(format, args);
	va_end(args);
	fake_halt();
	abort();
}

void *hpa_ptr(hpa_t address)
{
	return fake_ram + address.a;
}

hpa_t ptr_hpa(const void *pointer)
{
	return hpa((uint64_t)((const uint8_t *)pointer - fake_ram));
}

uint64_t time_ns(void)
{
	return fake_now;
}

unsigned cpu_count(void)
{
	return fake_cpus;
}

__attribute__((weak)) bool cpu_is_used(unsigned cpu)
{
	return cpu < fake_cpus && cpu != fake_cpu_left_out;
}

__attribute__((weak)) uint64_t mem_free_bytes(void)
{
	return fake_free_bytes;
}

__attribute__((weak)) void spin_lock(struct spinlock *lock)
{
	assert_int_equal(lock->owner, 0);       /* one thread: a lock is never held twice */
	lock->owner = 1;
}

__attribute__((weak)) void spin_unlock(struct spinlock *lock)
{
	assert_int_equal(lock->owner, 1);
	lock->owner = 0;
}
