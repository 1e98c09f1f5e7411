/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The switch VM: checks its configuration, seeds its nonces, opens its devices, and runs rounds until there is
 * nothing to do; then it waits for an interrupt.  It refuses to run on anything that is not as it should be: no
 * switch, no frames.
 */
#include <string.h>

#include "crypto.h"
#include "io.h"
#include "plane.h"
#include "rt.h"

#define BUFFERS_BASE 0x1200000ull       /* behind the page of the configuration, up to the end of RAM (start.S) */
#define BUFFERS_END 0x2000000ull
_Static_assert(PLANE_ENDS * (PLANE_POSTED + VIRTQ_MAX) +
		       LZR_SWITCH_UPLINK_MAX * (E1000E_RING + E1000E_TX_RING) <= POOL_MAX,
	       "as many buffers as all rings hold");
_Static_assert(POOL_MAX * sizeof(struct buffer) <= BUFFERS_END - BUFFERS_BASE, "buffers fit behind the configuration");

static struct plane plane;

static void load_config(void)
{
	uint32_t where;
	const char *wrong = swconf_load(&plane.sw.config, (const void *)LZR_SWITCH_CONFIG_GPA, SWCONF_SIZE_MAX, &where);

	if (wrong != NULL)
		rt_panic("switch: configuration: entry %u: %s", where, wrong);
}

static void seed_generator(void)
{
	const struct lzr_switch_header *config = &plane.sw.config.header;
	struct rt_result seed = rt_call(LZR_CALL_SEED, 0, 0);
	bool good;

	if (seed.status != LZR_OK)
		rt_panic("switch: the hypervisor gives no seed: status %lu", seed.status);
	good = crypto_init((const uint8_t *)seed.value, config->verifiers, config->verifier_count);
	memset(&seed, 0, sizeof(seed));
	__asm__ volatile("" : : "m"(seed) : "memory");
	if (!good)
		rt_panic("switch: configuration: a verifier's key is not a point of P-384");
}

void rt_main(void)
{
	const char *wrong;
	uint32_t where;

	trap_init();
	load_config();
	seed_generator();
	if (!switch_init(&plane.sw))
		rt_panic("switch: the generator gives no key");
	pool_init((struct buffer *)BUFFERS_BASE, POOL_MAX);
	wrong = plane_open(&plane, &where);
	if (wrong != NULL)
		rt_panic("switch: device or queue pair %u: %s", where, wrong);
	rt_printf("switch: ready: %u ports, %u networks, %u uplinks\n", plane.sw.config.header.port_count,
		  plane.sw.config.header.network_count, plane.sw.config.header.uplink_count);
	for (;;) {
		if (plane_round(&plane))
			continue;
		plane_interrupts(&plane, true);
		if (!plane_has_work(&plane))
			cpu_idle();
		plane_interrupts(&plane, false);
	}
}
