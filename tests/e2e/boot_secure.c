/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secure Boot, with the key that Debian's OVMF publishes for tests: one signature covers loader and hypervisor, so
 * a byte changed in the hypervisor's section keeps the firmware from starting it.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lazaret/boot.h>

#include "boot.h"
#include "esp.h"
#include "machine.h"
#include "run.h"

#define SIGNED BOOT_DIR "/signed.efi"
#define KEY "/usr/share/ovmf/PkKek-1-snakeoil.key"
#define CERTIFICATE "/usr/share/ovmf/PkKek-1-snakeoil.pem"

static const struct rig_config secure = { .secure_boot = true };

static void sign(void)
{
	char *plain_key[] = { "openssl", "rsa", "-passin", "pass:snakeoil", "-in", KEY, "-out", BOOT_DIR "/test.key",
			      NULL };
	char *sign_pe[] = { "sbsign", "--key", BOOT_DIR "/test.key", "--cert", CERTIFICATE, "--output", SIGNED,
			    "build/lazaret-probe.efi", NULL };
	char output[1024];

	boot_make_volume("lazaret-probe");
	assert_true(run_program(plain_key, 30, output, sizeof(output)));
	if (!run_program(sign_pe, 30, output, sizeof(output)))
		fail_msg("sbsign: %s", output);
	assert_true(esp_put(BOOT_ESP, SIGNED, "EFI/BOOT/BOOTX64.EFI"));
}

/* Changes the text of the probe inside the PE, which lies in the section .hv. */
static void change_a_byte_of_the_hypervisor(void)
{
	static uint8_t pe[1 << 20];
	FILE *f = fopen(SIGNED, "rb");
	uint8_t *text;
	size_t size;

	assert_non_null(f);
	size = fread(pe, 1, sizeof(pe), f);
	fclose(f);
	text = memmem(pe, size, "probe: end", 10);
	assert_non_null(text);
	*text ^= 0x20;
	f = fopen(SIGNED, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(pe, 1, size, f), size);
	fclose(f);
	assert_true(esp_put(BOOT_ESP, SIGNED, "EFI/BOOT/BOOTX64.EFI"));
}

static void a_signed_loader_starts_and_says_so(void **state)
{
	struct rig *rig;

	(void)state;
	sign();
	rig = boot_start(&secure);
	if (!rig_wait_line(rig, "probe: end", BOOT_SECONDS, NULL, 0))
		machine_fail(rig, "did not start");
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_MEASURED | LZR_BOOT_SECURE_BOOT);
	rig_stop(rig);
}

static void a_changed_hypervisor_is_not_started(void **state)
{
	struct rig *rig;

	(void)state;
	sign();
	change_a_byte_of_the_hypervisor();
	rig = boot_start(&secure);
	if (!rig_wait_line(rig, "Access Denied", BOOT_SECONDS, NULL, 0))
		machine_fail(rig, "the firmware did not refuse");
	assert_false(rig_seen(rig, "loader: "));
	rig_stop(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_loader_starts_and_says_so),
		cmocka_unit_test(a_changed_hypervisor_is_not_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
