/* SPDX-License-Identifier: Apache-2.0 */
/* VT-d on a simulated unit: order of turning on, formats of every structure, invalidation, time-outs, faults. */
#include <stdio.h>

#include "vtd_sim.h"

/* The sources that vtd.c remembers stay for the whole program: each test uses its own. */
#define SOURCE(n) ((uint16_t)(0x0800 | (n) << 3))

static int setup(void **state)
{
	(void)state;
	sim_clear();
	vtd_sim_clear();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_clear();
	return 0;
}

static enum hv_err turn_on(bool *irq)
{
	enum hv_err err = vtd_setup.probe();

	return err ? err : vtd_setup.block_all(irq);
}

static void turns_on_with_everything_blocked(void **state)
{
	bool irq = false;
	const struct vtd_entry *root;

	(void)state;
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(turn_on(&irq), HV_OK);
	assert_true(irq);
	assert_string_equal(sim_events, "srtp qie+ inv0:11 inv0:d2 te+ sirtp inv0:4 ire+");
	assert_int_equal(vtd_sim_get32(0, VTD_GSTS) & (VTD_GCMD_TE | VTD_GCMD_IRE | VTD_GCMD_CFI),
			 VTD_GCMD_TE | VTD_GCMD_IRE);
	root = (const void *)vtd_sim_get64(0, VTD_RTADDR);
	for (unsigned i = 0; i < 256; i++)
		assert_true(root[i].low == 0 && root[i].high == 0);
	assert_int_equal(vtd_sim_get64(0, VTD_IRTA), ptr_hpa(vtd_irtes).a | 7);
	for (unsigned i = 0; i < VTD_IRTE_COUNT; i++)
		assert_true(vtd_irtes[i].low == 0 && vtd_irtes[i].high == 0);
	assert_int_equal(vtd_sim_get32(0, VTD_FEDATA), HOST_VECTOR_IOMMU);
	assert_int_equal(vtd_sim_get32(0, VTD_FEADDR), 0xfee01000);     /* APIC id 1 */
	assert_int_equal(vtd_sim_get32(0, VTD_FECTL), 0);
	assert_int_equal(sim_claims[0].base, VTD_SIM_BASE(0));
	assert_int_equal(sim_claims[0].owner, OWNER_HV);
}

static void takes_over_from_the_firmware_without_a_gap(void **state)
{
	bool irq = false;

	(void)state;
	vtd_sim_put32(0, VTD_GSTS, VTD_GCMD_TE | VTD_GCMD_QIE | VTD_GCMD_CFI | VTD_GCMD_IRE);
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(turn_on(&irq), HV_OK);
	assert_null(strstr(sim_events, "te-"));
	assert_null(strstr(sim_events, "ire-"));
	assert_non_null(strstr(sim_events, "qie- qie+"));
	assert_non_null(strstr(sim_events, "cfi-"));
}

static void turns_every_unit_on(void **state)
{
	(void)state;
	vtd_sim_start(2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(vtd_sim_get32(i, VTD_GSTS) & VTD_GCMD_TE);
	assert_int_not_equal(vtd_sim_get64(0, VTD_RTADDR), vtd_sim_get64(1, VTD_RTADDR));
	assert_int_equal(vtd_sim_get64(0, VTD_IRTA), vtd_sim_get64(1, VTD_IRTA));
}

static void blocks_dma_even_without_interrupt_remapping(void **state)
{
	bool irq = true;

	(void)state;
	vtd_sim_dmar(1, 0);                                     /* the firmware says no */
	assert_int_equal(turn_on(&irq), HV_OK);
	assert_false(irq);
	assert_true(vtd_sim_get32(0, VTD_GSTS) & VTD_GCMD_TE);
	assert_false(vtd_sim_get32(0, VTD_GSTS) & VTD_GCMD_IRE);

	setup(NULL);
	vtd_sim_put64(1, VTD_ECAP, vtd_sim_get64(1, VTD_ECAP) & ~VTD_ECAP_IR);  /* one of two units cannot */
	vtd_sim_dmar(2, DMAR_INTR_REMAP);
	irq = true;
	assert_int_equal(turn_on(&irq), HV_OK);
	assert_false(irq);
}

static void refuses_units_it_cannot_drive(void **state)
{
	bool irq;

	(void)state;
	assert_int_equal(turn_on(&irq), HV_UNSUPPORTED);        /* no table */
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	vtd_sim_put64(0, VTD_ECAP, vtd_sim_get64(0, VTD_ECAP) & ~VTD_ECAP_QI);
	assert_int_equal(turn_on(&irq), HV_UNSUPPORTED);
	vtd_sim_clear();
	vtd_sim_put32(0, VTD_VER, 0xffffffff);
	assert_int_equal(turn_on(&irq), HV_BAD_INPUT);
	vtd_sim_clear();
	vtd_sim_put64(0, VTD_CAP, vtd_sim_get64(0, VTD_CAP) | 0xffull << 40);   /* 256 records from 0x220 on */
	assert_int_equal(turn_on(&irq), HV_UNSUPPORTED);
	vtd_sim_clear();
	vtd_sim_put64(0, VTD_CAP, vtd_sim_get64(0, VTD_CAP) | VTD_CAP_RWBF);
	assert_int_equal(turn_on(&irq), HV_UNSUPPORTED);
	vtd_sim_clear();
	sim_not_owned = VTD_SIM_BASE(0);                        /* registers in RAM */
	assert_int_equal(turn_on(&irq), HV_BAD_INPUT);
}

static void gives_up_on_silent_units(void **state)
{
	bool irq = true;

	(void)state;
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	vtd_sim[0].ignores_commands = true;
	assert_int_equal(turn_on(&irq), HV_TIMEOUT);
	assert_false(irq);
	setup(NULL);
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	vtd_sim[0].ignores_queue = true;
	assert_int_equal(turn_on(&irq), HV_TIMEOUT);
	setup(NULL);
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	vtd_sim[0].queue_error = true;
	assert_int_equal(turn_on(&irq), HV_TIMEOUT);
	setup(NULL);
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(vtd_setup.probe(), HV_OK);
	sim_memory_out = true;
	assert_int_equal(vtd_setup.block_all(&irq), HV_NO_MEMORY);
}

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(entry & VTD_PTE_ADDRESS);
}

static void maps_with_the_right_bits(void **state)
{
	struct iommu_domain *domain;
	uint64_t *level2, *level1;

	(void)state;
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 64 << 20, &domain), HV_OK);
	assert_int_equal(domain->levels, 3);
	assert_int_not_equal(domain->id, 0);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000000), 4 << 20), HV_OK);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0x600000), hpa(0x50001000), 0x2000), HV_OK);
	level2 = table_of(domain->table[0]);
	assert_int_equal(domain->table[0] & ~VTD_PTE_ADDRESS, VTD_PTE_READ | VTD_PTE_WRITE);
	assert_int_equal(level2[0], 0x40000083);
	assert_int_equal(level2[1], 0x40200083);
	assert_int_equal(level2[2], 0);
	level1 = table_of(level2[3]);
	assert_int_equal(level1[0], 0x50001003);
	assert_int_equal(level1[1], 0x50002003);
	assert_int_equal(level1[2], 0);
}

static void uses_small_pages_where_large_ones_do_not_fit(void **state)
{
	struct iommu_domain *domain;
	uint64_t *level1;

	(void)state;
	vtd_sim_put64(0, VTD_CAP, vtd_sim_get64(0, VTD_CAP) & ~VTD_CAP_SLLPS_2M);
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 64 << 20, &domain), HV_OK);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000000), 2 << 20), HV_OK);
	level1 = table_of(table_of(domain->table[0])[0]);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(level1[i], 0x40000003 + i * PAGE_SIZE);
}

static void takes_four_levels_where_three_are_too_few(void **state)
{
	struct iommu_domain *domain;

	(void)state;
	vtd_sim_put64(0, VTD_CAP, 0x00d2008c222f0606ull);       /* 39 and 48 bits */
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 1ull << 39, &domain), HV_OK);
	assert_int_equal(domain->levels, 3);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, (1ull << 39) + 1, &domain), HV_OK);
	assert_int_equal(domain->levels, 4);
	setup(NULL);
	vtd_sim_start(1);                                       /* 39 bits only */
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, (1ull << 39) + 1, &domain), HV_UNSUPPORTED);
}

static void maps_nothing_it_must_not(void **state)
{
	struct iommu_domain *domain;

	(void)state;
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 64 << 20, &domain), HV_OK);
	sim_not_owned = 0x40201000;
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000000), 4 << 20), HV_NOT_OWNED);
	assert_int_equal(domain->table[0], 0);
	sim_not_owned = 0;
	assert_int_equal(vtd_setup.domain_map(domain, gpa(1), hpa(0x40000000), PAGE_SIZE), HV_BAD_INPUT);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000001), PAGE_SIZE), HV_BAD_INPUT);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(63 << 20), hpa(0x40000000), 2 << 20), HV_BAD_INPUT);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(-PAGE_SIZE), hpa(0x40000000), 2 * PAGE_SIZE), HV_BAD_INPUT);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000000), 2 << 20), HV_OK);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(0), hpa(0x40000000), 2 << 20), HV_CONFLICT);
	assert_int_equal(vtd_setup.domain_map(domain, gpa(PAGE_SIZE), hpa(0x40000000), PAGE_SIZE), HV_CONFLICT);
}

static void attaches_and_detaches(void **state)
{
	struct iommu_domain *domain;
	const struct vtd_entry *root, *context;
	uint16_t source = SOURCE(1);
	char expected[128];

	(void)state;
	vtd_sim_start(2);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 64 << 20, &domain), HV_OK);
	assert_int_equal(vtd_ops.attach(domain, source), HV_DENIED);    /* not prepared */
	assert_int_equal(vtd_setup.source_prepare(source), HV_OK);
	assert_int_equal(vtd_setup.source_prepare(source), HV_CONFLICT);
	root = (const void *)vtd_sim_get64(1, VTD_RTADDR);
	context = (const struct vtd_entry *)(root[8].low & ~0xfffull) + (source & 0xff);
	assert_int_equal(root[8].low & 0xfff, 1);
	assert_int_equal(context->low, 0);

	sim_events[0] = 0;
	assert_int_equal(vtd_ops.attach(domain, source), HV_OK);
	assert_int_equal(context->low, ptr_hpa(domain->table).a | 1);
	assert_int_equal(context->high, 1 | (uint64_t)domain->id << 8);
	snprintf(expected, sizeof(expected), "inv1:%llx inv1:%llx inv1:%llx inv1:%llx",
		 0x31ull | (uint64_t)source << 32, 0xe2ull,
		 0x31ull | (uint64_t)domain->id << 16 | (uint64_t)source << 32, 0xe2ull | (uint64_t)domain->id << 16);
	assert_string_equal(sim_events, expected);
	assert_int_equal(vtd_ops.attach(domain, source), HV_CONFLICT);

	sim_events[0] = 0;
	assert_int_equal(vtd_ops.detach(domain, source), HV_OK);
	assert_int_equal(context->low, 0);
	assert_int_equal(context->high, 0);
	assert_string_equal(sim_events, strstr(expected, "e2 ") + 3);
	assert_int_not_equal(domain->table, NULL);
	assert_int_equal(vtd_ops.attach(domain, source), HV_OK);
}

static void blocks_what_it_cannot_invalidate(void **state)
{
	struct iommu_domain *domain;
	const struct vtd_entry *context;
	uint16_t source = SOURCE(2);

	(void)state;
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.domain_create(OWNER_VM0, 64 << 20, &domain), HV_OK);
	assert_int_equal(vtd_setup.source_prepare(source), HV_OK);
	context = &vtd_units[0].contexts[8][source & 0xff];
	vtd_sim[0].ignores_queue = true;
	assert_int_equal(vtd_ops.attach(domain, source), HV_TIMEOUT);
	assert_int_equal(context->low, 0);
	vtd_sim[0].ignores_queue = false;
	assert_int_equal(vtd_ops.attach(domain, source), HV_TIMEOUT);   /* once dead, always dead */
	assert_int_equal(context->low, 0);
	assert_int_equal(vtd_ops.detach(domain, source), HV_TIMEOUT);
}

static void queue_wraps(void **state)
{
	uint32_t first;

	(void)state;
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.irq_allocate(SOURCE(3), 1, &first), HV_OK);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(vtd_ops.irq_set(first, i & 1, 0x40), HV_OK);
	assert_in_range(vtd_sim_get64(0, VTD_IQT), 0, 4080);
}

static void interrupt_entries_have_the_right_bits(void **state)
{
	uint64_t address;
	uint32_t first, data;
	char expected[64];

	(void)state;
	vtd_sim_start(1);
	assert_int_equal(vtd_setup.irq_allocate(0x0428, 3, &first), HV_OK);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(vtd_irtes[first + i].low, 0);
		assert_int_equal(vtd_irtes[first + i].high, 0x40428);
	}
	sim_events[0] = 0;
	assert_int_equal(vtd_ops.irq_set(first + 1, 1, 0x51), HV_OK);
	assert_int_equal(vtd_irtes[first + 1].low, 0x0000050000510001ull);      /* APIC id 5, vector 0x51, present */
	assert_int_equal(vtd_irtes[first + 1].high, 0x40428);
	snprintf(expected, sizeof(expected), "inv0:%llx", 0x14ull | (uint64_t)(first + 1) << 32);
	assert_string_equal(sim_events, expected);
	vtd_ops.irq_message(0x8123 & (VTD_IRTE_COUNT - 1), &address, &data);
	assert_int_equal(address, 0xfee00010 | 0x23 << 5);
	assert_int_equal(data, 0);
	assert_int_equal(VTD_MSI_ADDRESS(0x8001), 0xfee00034);
	assert_int_equal(vtd_ops.irq_clear(first + 1), HV_OK);
	assert_int_equal(vtd_irtes[first + 1].low, 0);
	assert_int_equal(vtd_irtes[first + 1].high, 0x40428);
	assert_int_equal(vtd_ops.irq_set(first, 100, 0x51), HV_UNSUPPORTED);    /* APIC id 401 */
	assert_int_equal(vtd_setup.irq_allocate(1, VTD_IRTE_COUNT, &first), HV_NO_MEMORY);
	assert_int_equal(vtd_setup.irq_allocate(1, 0, &first), HV_NO_MEMORY);
	vtd_sim[0].queue_error = true;
	assert_int_equal(vtd_ops.irq_set(first, 0, 0x40), HV_TIMEOUT);
	assert_int_equal(vtd_irtes[first].low, 0);
}

/* Entries have the form of the APICs' mode, or interrupts are not remapped at all. */
static void x2apic_needs_extended_entries(void **state)
{
	uint32_t first;
	bool irq;

	(void)state;
	vtd_sim_x2apic = true;
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(vtd_setup.probe(), HV_OK);
	vtd_units[0].ecap &= ~VTD_ECAP_EIM;
	assert_int_equal(vtd_setup.block_all(&irq), HV_OK);
	assert_false(irq);
	assert_true(sim_heard("vtd: unit 0 cannot remap interrupts for x2APIC, which the firmware left on"));
	vtd_units[0].ecap |= VTD_ECAP_EIM;
	assert_int_equal(vtd_setup.block_all(&irq), HV_OK);
	assert_true(irq);
	assert_int_equal(vtd_sim_get64(0, VTD_IRTA) & 0xfff, 0x807);
	assert_int_equal(vtd_setup.irq_allocate(0x0428, 1, &first), HV_OK);
	assert_int_equal(vtd_ops.irq_set(first, 1, 0x51), HV_OK);
	assert_int_equal(vtd_irtes[first].low, 0x0000000500510001ull);  /* APIC id 5 in all 32 bits */
	vtd_sim_x2apic = false;
	assert_int_equal(vtd_setup.block_all(&irq), HV_OK);
	assert_int_equal(vtd_sim_get64(0, VTD_IRTA) & 0xfff, 0x007);
}

static void reads_fault_records(void **state)
{
	struct iommu_fault fault;

	(void)state;
	vtd_sim_start(2);
	assert_false(vtd_ops.fault_next(&fault));
	vtd_sim_fault(1, 0x0028, 5, false, 0x12345678);
	assert_true(vtd_ops.fault_next(&fault));
	assert_int_equal(fault.source, 0x0028);
	assert_int_equal(fault.reason, 5);
	assert_true(fault.write);
	assert_false(fault.interrupt);
	assert_int_equal(fault.address, 0x12345000);
	assert_false(vtd_ops.fault_next(&fault));
	vtd_sim_fault(0, 0x0400, 0x22, true, 7ull << 48);
	assert_true(vtd_ops.fault_next(&fault));
	assert_true(fault.interrupt);
	assert_false(fault.write);
	assert_int_equal(fault.address, 7);
	vtd_sim_put32(0, VTD_FSTS, VTD_FSTS_PFO);               /* overflow alone is cleared */
	assert_false(vtd_ops.fault_next(&fault));
	assert_int_equal(vtd_sim_get32(0, VTD_FSTS), 0);
	vtd_ops.fault_listen(false);
	assert_int_equal(vtd_sim_get32(1, VTD_FECTL), VTD_FECTL_IM);
}

/* --- dma.c over the simulated unit ------------------------------------------------------------------------------ */

static void everything_off_the_bus_first(void **state)
{
	struct sim_function *port, *card, *second;

	(void)state;
	port = sim_root_port(0, 3, 4, 4);
	card = sim_endpoint(4, 0, 0, 0x10d38086, 0x020000);
	second = sim_endpoint(4, 0, 5, 0x10d38086, 0x020000);
	card->config[PCI_HEADER] = PCI_HEADER_MULTIFUNCTION;
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(dma_block_all(), HV_OK);
	assert_false(port->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(card->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_false(second->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	assert_true(card->config[PCI_COMMAND] & PCI_COMMAND_MEMORY);
	assert_true(strstr(sim_events, "master-405") < strstr(sim_events, "te+"));
	assert_int_equal(pci_function_count(), 3);
	assert_ptr_equal(dma_state.ops, &vtd_ops);
	assert_true(dma_state.irq_remapped);
}

static void says_when_there_is_no_iommu(void **state)
{
	struct sim_function *card = sim_endpoint(0, 2, 0, 0x10d38086, 0x020000);

	(void)state;
	dma_state = (struct dma_state){ 0 };
	assert_int_equal(dma_block_all(), HV_UNSUPPORTED);
	assert_null(dma_state.ops);
	assert_false(card->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	vtd_sim_dmar(1, 0);
	assert_int_equal(dma_block_all(), HV_UNSUPPORTED);
	assert_false(dma_state.irq_remapped);
	assert_true(sim_heard("cannot remap interrupts"));
}

static void fault_storms_are_throttled(void **state)
{
	unsigned reports;

	(void)state;
	vtd_sim_dmar(1, DMAR_INTR_REMAP);
	assert_int_equal(dma_block_all(), HV_OK);
	machine.device_count = 1;
	machine.devices[0] = (struct device_config){ .bus = 0, .device = 5, .vm = 3 };
	sim_time = 10000000000ull;
	for (unsigned i = 0; i < 100 && !(vtd_sim_get32(0, VTD_FECTL) & VTD_FECTL_IM); i++) {
		vtd_sim_fault(0, 0x0028, 5, true, 0xabc000);
		dma_fault_irq();
	}
	assert_int_equal(vtd_sim_get32(0, VTD_FECTL), VTD_FECTL_IM);
	reports = sim_audit.count;
	assert_int_equal(reports, 16);
	assert_int_equal(sim_audit.vm, 3);
	assert_int_equal(sim_audit.arg0, 0x28);
	assert_int_equal(sim_audit.arg1, 0xabc000);
	vtd_sim_fault(0, 0x0030, 5, true, 0xdef000);
	dma_poll();                                             /* within the window: stays quiet */
	assert_int_equal(sim_audit.count, reports);
	sim_time += 2000000000ull;
	dma_poll();
	assert_int_equal(sim_audit.count, reports + 1);
	assert_int_equal(sim_audit.vm, AUDIT_HV);
	assert_int_equal(vtd_sim_get32(0, VTD_FECTL), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(turns_on_with_everything_blocked), TEST(takes_over_from_the_firmware_without_a_gap),
		TEST(turns_every_unit_on), TEST(blocks_dma_even_without_interrupt_remapping),
		TEST(refuses_units_it_cannot_drive), TEST(gives_up_on_silent_units), TEST(maps_with_the_right_bits),
		TEST(uses_small_pages_where_large_ones_do_not_fit), TEST(takes_four_levels_where_three_are_too_few),
		TEST(maps_nothing_it_must_not), TEST(attaches_and_detaches), TEST(blocks_what_it_cannot_invalidate),
		TEST(queue_wraps), TEST(interrupt_entries_have_the_right_bits), TEST(reads_fault_records),
		TEST(everything_off_the_bus_first), TEST(x2apic_needs_extended_entries),
		TEST(says_when_there_is_no_iommu), TEST(fault_storms_are_throttled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
