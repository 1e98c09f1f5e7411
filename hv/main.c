/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the boot.  Everything here is gone after the seal.  What the machine or its files lack is a refusal: it
 * is said on the console, nothing has started, DMA stays blocked, and the CPUs halt until somebody resets the machine.
 */
#include <arch_x86.h>

#include "acpi.h"
#include "derive.h"
#include "images.h"
#include "iommu.h"
#include "paging.h"
#include "plat.h"
#include "vm.h"

void hv_main(uint64_t boot_info) __attribute__((noreturn));

static struct handoff handoff;

#define NOTHING_STARTED "nothing was started"

static void take_over(uint64_t boot_info)
{
	const char *wrong = handoff_copy(&handoff, hpa_ptr(hpa(boot_info)), 1 << 20);

	if (wrong)
		refuse("hand-off at %lx: %s%s%s", boot_info, handoff.wrong_file, handoff.wrong_file[0] ? ": " : "",
		       wrong);
	image_base_set(handoff.info.image_base);
	trap_init();
	cpu_load(&cpus[0]);
	mem_init(&handoff);
	paging_init(&handoff);
	say("memory: %lu MiB free", mem_free_bytes() >> 20);
	if (!acpi_init(&handoff))
		refuse(NOTHING_STARTED);
	apic_init();
	apic_enable();
	cpus[0].apic_id = apic_id();
	cpus[0].online = 1;
	timer_init();
}

/* The policy may allow a lab machine to go on without an IOMMU; nothing may go on with one that failed. */
static void check_dma(enum hv_err err)
{
	if (err != HV_OK && err != HV_UNSUPPORTED)
		refuse("DMA cannot be blocked (error %u)", (unsigned)err);
	records_platform((dma_state.ops ? LZR_PLATFORM_IOMMU : 0) |
		(dma_state.ops && dma_state.irq_remapped ? LZR_PLATFORM_IRQ_REMAP : 0));
	if (err == HV_OK)
		return;
	if (!machine.allow_without_iommu)
		refuse("machine: expected an IOMMU with interrupt remapping, found %s; the policy does not say "
		       "allow-without-iommu; nothing was started", dma_state.ops ? "one without" : "none");
	say("lab: going on without full DMA and interrupt remapping, as the policy allows");
}

static void build_machine(void)
{
	uint64_t start = time_ns();
	enum hv_err err = vms_create();

	if (err == HV_OK)
		err = links_create();
	if (err == HV_OK)
		err = devices_create();
	if (err != HV_OK)
		refuse("the policy's machine cannot be built (error %u)", (unsigned)err);
	say("machine built: %u VMs, %u links, %u devices, %lu ms", machine.vm_count, machine.link_count,
		machine.device_count, (time_ns() - start) / 1000000);
}

void hv_main(uint64_t boot_info)
{
	console_init();
	say("Lazaret hypervisor");
	take_over(boot_info);
	enum hv_err dma = dma_block_all();

	smp_start(handoff.info.ap_page);
	crypto_init();
	if (!files_verify(&handoff))
		refuse(NOTHING_STARTED);
	check_dma(dma);
	build_machine();
	if (!derive_all(&handoff.info))
		refuse(NOTHING_STARTED);
	for (uint32_t i = 0; i < handoff.info.file_count; i++)
		paging_protect(hpa(handoff.files[i].address), handoff.files[i].length);
	struct seal_plan plan = paging_prepare_seal();

	stack_switch(cpus[0].stack_top, seal_finish, &plan);
}
