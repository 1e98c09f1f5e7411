/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

static struct vcpu *vcpu;
static uint32_t vdev_memory, assigned_memory;

static int setup(void **state)
{
	rig_setup(state);
	vdev_memory = assigned_memory = 0;
	rig_image = (struct image_config){
		.uart = 0x3f8, .power = 0x600, .debug = 0xe9, .vdev_count = 2, .assign_count = 1
	};
	rig_image.host_bridge[0] = 0x86;
	rig_image.host_bridge[1] = 0x80;
	rig_image.vdevs[0] = (struct vdev_config){ .slot = 2, .io_base = 0xc100 };
	rig_image.vdevs[1] = (struct vdev_config){ .slot = 3, .io_base = 0xc180 };      /* not linked: not there */
	rig_image.assigns[0] = (struct assign_config){ .slot = 4 };
	vms[0].vdevs[0] = (struct vdev *)(void *)&vdev_memory;
	vms[0].assigned[0] = (struct assigned *)(void *)&assigned_memory;
	rig_create(1, 1, NULL);
	vcpu = vms[0].vcpus[0];
	return 0;
}

static uint32_t in(uint16_t port, uint8_t size)
{
	struct vcpu_exit exit = { .kind = EXIT_IO, .length = 1, .port = port, .size = size };

	vcpu->regs.gpr[RAX] = 0x1122334455667788;
	assert_true(exit_handle(vcpu, &exit));
	if (size == 1)
		assert_int_equal(vcpu->regs.gpr[RAX] >> 8, 0x11223344556677);
	else if (size == 2)
		assert_int_equal(vcpu->regs.gpr[RAX] >> 16, 0x112233445566);
	else
		assert_int_equal(vcpu->regs.gpr[RAX] >> 32, 0);
	return (uint32_t)vcpu->regs.gpr[RAX] & (size == 4 ? UINT32_MAX : (1u << size * 8) - 1);
}

static void put(uint16_t port, uint8_t size, uint32_t value)
{
	struct vcpu_exit exit = { .kind = EXIT_IO, .length = 1, .port = port, .size = size, .write = true };

	vcpu->regs.gpr[RAX] = 0xffffffff00000000 | value;
	exit_handle(vcpu, &exit);
}

static void unclaimed_ports_read_ones(void **state)
{
	(void)state;
	assert_int_equal(in(0x80, 1), 0xff);
	assert_int_equal(in(0x80, 2), 0xffff);
	assert_int_equal(in(0x80, 4), 0xffffffff);
	put(0x80, 1, 3);
	assert_int_equal(rig_audits[LZR_AUDIT_PORT_UNCLAIMED], 1);
	assert_int_equal(in(0xc180, 4), 0xffffffff);
	assert_int_equal(in(0xc17e, 4), 0xffffffff);    /* leaves its device's block */
	assert_int_equal(in(0x3f8, 2), 0xffff);         /* the UART has byte registers */
}

static void string_io_stops_the_vm(void **state)
{
	struct vcpu_exit exit = { .kind = EXIT_IO, .port = 0xe9, .size = 1, .string = true };

	(void)state;
	assert_false(exit_handle(vcpu, &exit));
	assert_int_equal(vms[0].reason, LZR_STOP_STRING_IO);
	assert_true(vcpu->attention & ATTENTION_STOP);
}

static void devices_have_their_blocks(void **state)
{
	(void)state;
	assert_int_equal(in(0xc100, 4), 0x1040000);
	assert_int_equal(in(0xc17f, 1), 0x7f);
}

static void pci_finds_what_is_there(void **state)
{
	(void)state;
	put(0xcfb, 1, 1);                               /* must not touch the address */
	put(0xcf8, 4, 0x80000000);
	assert_int_equal(in(0xcf8, 4), 0x80000000);
	assert_int_equal(in(0xcfc, 2), 0x8086);
	assert_int_equal(in(0xcf8, 1), 0xff);
	put(0xcf8, 4, 0x80000000 | 2 << 11 | 0x10);
	assert_int_equal(in(0xcfc, 4), 0x2040010);
	assert_int_equal(in(0xcfe, 2), 0x0012);
	put(0xcfd, 1, 0xab);
	assert_int_equal(vdev_memory, 1u << 24 | 0x11 << 16 | 0xab);
	put(0xcf8, 4, 0x80000000 | 4 << 11 | 4);
	assert_int_equal(in(0xcfc, 4), 0x3040004);
	put(0xcfc, 4, 6);
	assert_int_equal(assigned_memory, 4u << 24 | 4 << 16 | 6);
}

static void pci_is_empty_elsewhere(void **state)
{
	static const uint32_t addresses[] = { 0x80000000 | 3 << 11, 0x80000000 | 31 << 11, 0x80010000, 0x80000100,
					      2 << 11 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(addresses); i++) {
		put(0xcf8, 4, addresses[i]);
		assert_int_equal(in(0xcfc, 4), 0xffffffff);
		put(0xcfc, 4, 0);
	}
	put(0xcf8, 4, 0x80000000);
	assert_int_equal(in(0xcfd, 2), 0xffff);         /* not aligned */
	assert_int_equal(vdev_memory | assigned_memory, 0);
}

static void the_uart_tells_its_state(void **state)
{
	(void)state;
	assert_int_equal(in(0x3fd, 1), 0x60);
	assert_int_equal(in(0x3fa, 1) & 0xf, 1);
	put(0x3f9, 1, 2);                               /* enabling the interrupt makes it pending */
	assert_int_equal(in(0x3fa, 1) & 0xf, 2);
	assert_int_equal(in(0x3fa, 1) & 0xf, 1);        /* reading took it back */
	put(0x3f8, 1, 'x');
	assert_int_equal(in(0x3fa, 1) & 0xf, 2);
	assert_string_equal(rig_console, "x");
	put(0x3fa, 1, 1);
	assert_int_equal(in(0x3fa, 1), 0xc1);
	put(0x3fb, 1, 0x80);
	put(0x3f8, 1, 12);
	assert_int_equal(in(0x3f8, 1), 12);
	put(0x3fb, 1, 3);
	assert_string_equal(rig_console, "x");
	put(0x3ff, 1, 0x5a);
	assert_int_equal(in(0x3ff, 1), 0x5a);
}

static void the_uart_loops_back(void **state)
{
	(void)state;
	put(0x3fc, 1, 0x1a);                            /* as the 16550A probe does */
	assert_int_equal(in(0x3fe, 1) & 0xf0, 0x90);
	put(0x3f9, 1, 1);
	put(0x3f8, 1, 'y');
	assert_int_equal(in(0x3fa, 1) & 0xf, 4);
	assert_int_equal(in(0x3fd, 1) & 1, 1);
	assert_int_equal(in(0x3f8, 1), 'y');
	assert_int_equal(in(0x3fd, 1) & 1, 0);
	assert_string_equal(rig_console, "");
}

static void power_ports_stop_the_vm(void **state)
{
	(void)state;
	put(0x600, 1, 0x20);
	assert_int_equal(vms[0].reason, LZR_STOP_NONE);
	assert_int_equal(in(0x601, 1), 0);
	put(0x600, 1, 0x34);
	assert_int_equal(vms[0].reason, LZR_STOP_POWER_OFF);
}

static void the_reset_port_stops_the_vm(void **state)
{
	(void)state;
	put(0xe9, 1, '!');
	assert_string_equal(rig_console, "!");
	put(0x602, 1, 0);
	assert_int_equal(vms[0].reason, LZR_STOP_RESET);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unclaimed_ports_read_ones), TEST(string_io_stops_the_vm), TEST(devices_have_their_blocks),
		TEST(pci_finds_what_is_there), TEST(pci_is_empty_elsewhere), TEST(the_uart_tells_its_state),
		TEST(the_uart_loops_back), TEST(power_ports_stop_the_vm), TEST(the_reset_port_stops_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
