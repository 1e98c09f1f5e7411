/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of the boot.  Everything here is gone after the seal.  What the machine or its files lack is a refusal: it is
 * said on the console, nothing has started, DMA stays blocked, and the CPUs halt until somebody resets the machine.
 */
#include <arch_x86.h>

#include "acpi.h"
#include "images.h"
#include "paging.h"
#include "plat.h"
#include "records.h"
#include "vm.h"

void hv_main(uint64_t boot_info) __attribute__((noreturn));

static struct handoff handoff;

static void take_over(uint64_t boot_info)
{
	const char *wrong = handoff_copy(&handoff, hpa_ptr(hpa(boot_info)), 1 << 20);

	if (wrong)
		panic("hand-off at %lx: %s", boot_info, wrong);
	image_base_set(handoff.info.image_base);
	trap_init();
	cpu_load(&cpus[0]);
	mem_init(&handoff);
	paging_init(&handoff);
	say("memory: %lu MiB free", mem_free_bytes() >> 20);
	if (!acpi_init(&handoff))
		panic("ACPI tables are not usable");
	apic_init();
	apic_enable();
	cpus[0].apic_id = apic_id();
	cpus[0].online = 1;
	timer_init();
}

static void refuse_on(enum hv_err err, const char *what)
{
	if (err)
		panic("refused: %s (error %u): nothing was started", what, (unsigned)err);
}

static void create_all(void)
{
	refuse_on(vms_create(), "VMs cannot be created");
	refuse_on(links_create(), "links cannot be created");
	refuse_on(devices_create(), "devices cannot be assigned");
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
		panic("refused: nothing was started");
	if (!machine.allow_without_iommu)
		refuse_on(dma, "DMA cannot be confined");
	if (!dma)
		records_platform(LZR_PLATFORM_IOMMU | LZR_PLATFORM_IRQ_REMAP);
	create_all();
	struct seal_plan plan = paging_prepare_seal();

	stack_switch(cpus[0].stack_top, seal_finish, &plan);
}
