/* SPDX-License-Identifier: Apache-2.0 */
/* Assigned devices at run time: configuration space, the order of start and stop, interrupts. */
#include "assign_rig.h"

/* --- configuration space ---------------------------------------------------------------------------------------- */

static void shows_the_allowed_registers(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	card->config[PCI_HEADER] = PCI_HEADER_MULTIFUNCTION;    /* says so, though it is alone */
	sim_capability(card, 0xf0, 0x09);                       /* vendor-specific: hidden */
	card->config[PCI_INTERRUPT_LINE + 1] = 1;
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(assigned_config_read(d, 0, 4), 0x10d38086);
	assert_int_equal(assigned_config_read(d, PCI_REVISION, 4), 0x02000003);
	assert_int_equal(assigned_config_read(d, PCI_SUBSYSTEM, 4), 0x11001af4);
	assert_int_equal(assigned_config_read(d, PCI_HEADER, 1), 0);
	assert_int_equal(assigned_config_read(d, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	assert_int_equal(assigned_config_read(d, PCI_STATUS, 2), PCI_STATUS_CAPABILITIES);
	assert_int_equal(assigned_config_read(d, PCI_BAR0 + 8, 4), 0);          /* I/O */
	assert_int_equal(assigned_config_read(d, PCI_ROM, 4), 0);
	assert_int_equal(assigned_config_read(d, PCI_INTERRUPT_LINE + 1, 1), 0);
	unsigned seen = 0;
	for (unsigned at = assigned_config_read(d, PCI_CAPABILITIES, 1); at; at = assigned_config_read(d, at + 1, 1)) {
		static const uint8_t ids[] = { [0xa0 / 8] = PCI_CAP_MSIX, [0xc8 / 8] = PCI_CAP_PM,
					       [0xd0 / 8] = PCI_CAP_MSI, [0xe0 / 8] = PCI_CAP_EXPRESS };
		assert_int_equal(assigned_config_read(d, at, 1), ids[at / 8]);
		assert_in_range(++seen, 1, 4);
	}
	assert_int_equal(seen, 4);
	assert_int_equal(assigned_config_read(d, 0xa2, 2), 4);
	assert_int_equal(assigned_config_read(d, 0xe2, 2), 0x91);               /* shown as integrated */
	assert_int_equal(assigned_config_read(d, 0xd2, 2), PCI_MSI_64);
	assert_int_equal(assigned_config_read(d, 2, 4), 0xffffffff);            /* unaligned */
	assert_int_equal(assigned_config_read(d, 256, 4), 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0, 3), 0xffffffff);
}

static void limits_the_table_and_hides_flr(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(assigned_config_read(vms[0].assigned[0], 0x42, 2), ASSIGN_VECTOR_MAX - 1);
	assert_int_equal(assigned_config_read(vms[0].assigned[0], 0x84, 4), 1);
}

static void bars_answer_sizing_and_do_not_move(void **state)
{
	struct assigned *d;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[0];
	assert_int_equal(assigned_config_read(d, 0x10, 4), (uint32_t)RIG_NVME_BAR | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), RIG_NVME_BAR >> 32);
	assigned_config_write(d, 0x10, 4, 0xffffffff);
	assigned_config_write(d, 0x14, 4, 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0x10, 4), 0xffffc000 | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), 0xffffffff);
	assert_int_equal(assigned_config_read(d, 0x12, 2), 0xffff);
	assert_int_equal(assigned_config_read(d, 0x11, 1), 0xc0);
	assigned_config_write(d, 0x10, 4, 0x12340000);
	assigned_config_write(d, 0x14, 4, 0x56);
	assigned_config_write(d, 0x12, 2, 0x7777);
	assert_int_equal(assigned_config_read(d, 0x10, 4), (uint32_t)RIG_NVME_BAR | PCI_BAR_64);
	assert_int_equal(assigned_config_read(d, 0x14, 4), RIG_NVME_BAR >> 32);
	assigned_config_write(d, 0x18, 4, 0xfffffff0);
	assert_int_equal(assigned_config_read(d, 0x18, 4), 0);
	assert_int_equal(sim_get(nvme, PCI_BAR0, 4), (uint32_t)RIG_NVME_BAR | PCI_BAR_64);
}

/* Whatever the guest writes, only bus mastering, MSI enable and MSI-X enable of the real function may change. */
static void writes_reach_nothing_else(void **state)
{
	static const uint32_t values[] = { 0, 0xffffffff, 0x55555555, 0xaaaaaaaa, 0x80008000, 0x00010001 };
	uint8_t before[256];
	struct assigned *d;

	(void)state;
	use_card();
	memset(card->writable + 0x40, 0xff, 0xc0);              /* the function itself would take anything */
	card->writable[PCI_COMMAND] = card->writable[PCI_COMMAND + 1] = 0xff;
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	memcpy(before, card->config, 256);
	for (unsigned size = 1; size <= 4; size *= 2) {
		for (unsigned offset = 0; offset < 256; offset += size) {
			for (unsigned v = 0; v < ARRAY_LENGTH(values); v++) {
				uint8_t now[256];

				assigned_config_write(d, offset, size, values[v]);
				memcpy(now, card->config, 256);
				now[PCI_COMMAND] &= (uint8_t)~PCI_COMMAND_MASTER;
				now[0xa3] &= 0x7f;
				now[0xd2] &= 0xfe;
				assert_memory_equal(now, before, 256);
				for (unsigned i = 0; i < 256; i++) {
					bool open = d->writable[i] || (i >= 0x10 && i < 0x28);

					assert_true(open || assigned_config_read(d, i, 1) == d->initial[i]);
				}
			}
		}
	}
}

static void masters_the_bus_only_while_its_vm_runs(void **state)
{
	struct assigned *d;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[0];
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	assigned_config_write(d, 0x42, 2, PCI_MSIX_ENABLE);
	assert_false(nvme->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_int_equal(nvme->config[0x43] & 0x80, 0);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_false(nvme->config[PCI_COMMAND] & PCI_COMMAND_MASTER);           /* a new start: not asked yet */
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);           /* decode off: ours stays on */
	assigned_config_write(d, 0x42, 2, PCI_MSIX_ENABLE);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2),
			 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	assert_int_equal(nvme->config[0x43] & 0xc0, 0x80);
	devices_vm_stopped(&vms[0]);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_int_equal(sim_get(nvme, PCI_COMMAND, 2) & PCI_COMMAND_MASTER, 0);
}

/* --- start, stop ------------------------------------------------------------------------------------------------ */

static void starts_and_stops_in_order(void **state)
{
	struct assigned *d;

	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	d = vms[0].assigned[1];
	sim_events[0] = 0;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_memory_equal(sim_events, "attach master+18 irq+100:1:", 27);     /* context entry, then the bridge */
	sim_events[0] = 0;
	assigned_config_write(d, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_string_equal(sim_events, "master+100");
	sim_events[0] = 0;
	devices_vm_stopped(&vms[0]);
	assert_string_equal(sim_events, "master-100 irq- irq- irq- irq- irq- busreset detach master-18");
	sim_events[0] = 0;
	devices_vm_stopped(&vms[0]);                            /* again: nothing */
	assert_string_equal(sim_events, "");
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);   /* the reset begun at the stop is finished here */
	assert_int_equal(sim_get(card, PCI_BAR0, 4), RIG_CARD_BAR);
	assert_null(strstr(sim_events, "busreset"));
	devices_vm_stopped(&vms[0]);
}

static void waits_for_the_reset_to_settle(void **state)
{
	uint64_t stopped;

	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	stopped = sim_time;
	devices_vm_stopped(&vms[0]);
	assert_in_range(sim_time - stopped, 0, 20000000);       /* the stop itself waits for nothing long */
	assert_false(devices_vm_ready(&vms[0]));
	assert_true(devices_vm_ready(&vms[1]));
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	assert_true(sim_time - stopped >= 100000000);
	assert_true(devices_vm_ready(&vms[0]));
	devices_vm_stopped(&vms[0]);
}

static void a_device_that_fails_stays_off(void **state)
{
	(void)state;
	use_card();
	assert_int_equal(create(), HV_OK);
	attach_says = HV_TIMEOUT;
	assert_int_equal(devices_vm_started(&vms[0]), HV_TIMEOUT);
	assert_false(port->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	attach_says = HV_OK;
	set_says = HV_TIMEOUT;
	sim_events[0] = 0;
	assert_int_equal(devices_vm_started(&vms[0]), HV_TIMEOUT);
	assert_string_equal(sim_events,
			    "attach master+18 irq! irq- irq- irq- irq- irq- busreset detach master-18");
	set_says = HV_OK;
	detach_says = HV_TIMEOUT;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	devices_vm_stopped(&vms[0]);
	assert_true(sim_heard("could not be detached"));
	card->resets = false;
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	devices_vm_stopped(&vms[0]);
	assert_int_equal(devices_vm_started(&vms[0]), HV_UNSUPPORTED);          /* the last reset did not happen */
	assert_true(sim_heard("was not reset"));
}

/* --- interrupts ------------------------------------------------------------------------------------------------- */

static void write_entry(struct assigned *d, unsigned index, uint32_t address, uint32_t data, uint32_t control)
{
	uint32_t entry[4] = { address, 0, data, control };

	memcpy(d->overlay + 16 * index, entry, sizeof(entry));
}

/* The card assigned to VM 0, which runs. */
static struct assigned *start_card(void)
{
	use_card();
	assert_int_equal(create(), HV_OK);
	assert_int_equal(devices_vm_started(&vms[0]), HV_OK);
	return vms[0].assigned[1];
}

static void delivers_the_guests_message(void **state)
{
	const uint32_t *real;
	struct assigned *d = start_card();

	(void)state;
	real = sim_mmio(RIG_CARD_BAR + 0x40000);
	assert_int_equal(real[4], 0xfee00010 | 101 << 5);       /* remappable, never what the guest wrote */
	assert_int_equal(real[7], 0);
	assert_int_equal(d->overlay[12], 1);                    /* masked after a reset */
	write_entry(d, 1, 0xfee01000, 0x31, 0);
	sim_cpu = d->irqs[1].cpu;
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 0);                     /* not enabled */
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.address, 0xfee01000);
	assert_int_equal(sim_msi.data, 0x31);
	sim_cpu = !sim_cpu;
	devices_irq(HOST_VECTOR_DEVICE_LAST);                   /* nobody's */
	devices_irq(0x20);
	assert_int_equal(sim_msi.count, 1);
	devices_vm_stopped(&vms[0]);
	sim_cpu = d->irqs[1].cpu;
	devices_irq(d->irqs[1].vector);
	assert_int_equal(sim_msi.count, 1);
}

static void keeps_masked_interrupts(void **state)
{
	struct assigned *d = start_card();

	(void)state;
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);
	sim_cpu = d->irqs[2].cpu;
	write_entry(d, 2, 0xfee00000, 0x40, 1);
	devices_irq(d->irqs[2].vector);
	devices_irq(d->irqs[2].vector);
	devices_poll(&vms[0]);
	assert_int_equal(sim_msi.count, 0);
	write_entry(d, 2, 0xfee00000, 0x41, 0);
	devices_poll(&vms[0]);
	devices_poll(&vms[0]);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.data, 0x41);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE | PCI_MSIX_MASK_ALL);
	devices_irq(d->irqs[2].vector);
	assert_int_equal(sim_msi.count, 1);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);     /* unmasking exits: delivered at once */
	assert_int_equal(sim_msi.count, 2);
	devices_vm_stopped(&vms[0]);
}

static void delivers_plain_msi(void **state)
{
	struct assigned *d = start_card();

	(void)state;
	assert_int_equal(sim_get(card, 0xd4, 4), 0xfee00010 | 100 << 5);
	assigned_config_write(d, 0xd4, 4, 0xfee02000);
	assigned_config_write(d, 0xdc, 2, 0x52);
	assigned_config_write(d, 0xd2, 2, PCI_MSI_ENABLE | 0x70);
	assert_int_equal(sim_get(card, 0xd2, 2), PCI_MSI_64 | PCI_MSI_ENABLE);  /* one message, ours */
	assert_int_equal(sim_get(card, 0xd4, 4), 0xfee00010 | 100 << 5);
	sim_cpu = d->irqs[0].cpu;
	devices_irq(d->irqs[0].vector);
	assert_int_equal(sim_msi.count, 1);
	assert_int_equal(sim_msi.address, 0xfee02000);
	assert_int_equal(sim_msi.data, 0x52);
	assigned_config_write(d, 0xa2, 2, PCI_MSIX_ENABLE);     /* MSI-X takes precedence */
	assert_int_equal(sim_get(card, 0xd2, 2), PCI_MSI_64);
	devices_vm_stopped(&vms[0]);
}

static void spreads_interrupts_over_the_vcpus_cpus(void **state)
{
	(void)state;
	use_nvme();
	assert_int_equal(create(), HV_OK);
	for (unsigned i = 0; i < ASSIGN_VECTOR_MAX; i++)
		assert_int_equal(vms[0].assigned[0]->irqs[i].cpu, i % 2 ? 0 : 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, assign_setup, assign_teardown)
	const struct CMUnitTest tests[] = {
		TEST(shows_the_allowed_registers),
		TEST(limits_the_table_and_hides_flr),
		TEST(bars_answer_sizing_and_do_not_move),
		TEST(writes_reach_nothing_else),
		TEST(masters_the_bus_only_while_its_vm_runs),
		TEST(starts_and_stops_in_order),
		TEST(waits_for_the_reset_to_settle),
		TEST(a_device_that_fails_stays_off),
		TEST(delivers_the_guests_message),
		TEST(keeps_masked_interrupts),
		TEST(delivers_plain_msi),
		TEST(spreads_interrupts_over_the_vcpus_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
