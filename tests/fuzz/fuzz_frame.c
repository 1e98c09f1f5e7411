/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame parser and the forwarding decision on any bytes, from any end: nothing is read beyond, and what passes
 * is sane.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto.h"
#include "switch.h"

static struct nswitch sw;

/* Never reached: no port comes up here. */
bool crypto_random(uint8_t *out, size_t length)
{
	memset(out, 1, length);
	return true;
}

static void make_site(void)
{
	unsigned i;

	sw.config.header.network_count = 1;
	sw.config.header.uplink_count = 1;
	sw.config.header.port_count = 3;
	sw.config.header.endpoint_count = 1;
	for (i = 0; i < 3; i++) {
		sw.config.ports[i].inspection = LZR_SWITCH_NONE;
		sw.config.ports[i].kind = i == 2 ? LZR_PORT_ATTESTOR : LZR_PORT_GUEST;
		memcpy(sw.config.ports[i].mac, (const uint8_t[]){ 2, 0, 0, 0, 0, (uint8_t)i }, 6);
		memcpy(sw.config.ports[i].ipv4, (const uint8_t[]){ 10, 0, 0, (uint8_t)(i + 1) }, 4);
	}
	sw.config.endpoints[0] =
	    (struct lzr_switch_endpoint){.port = 2, .ipv4 = {10, 0, 0, 9}, .protocol = 6, .l4port = 1};
	switch_init(&sw);
	sw.ports[0].state = sw.ports[1].state = LZR_PORT_ADMITTED;
	sw.ports[0].lease_end = sw.ports[1].lease_end = ~0ull;
	sw.ports[2].state = LZR_PORT_INFRASTRUCTURE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct switch_end from, to = { 0, 0 };
	enum nf_reason reason;

	if (sw.config.header.port_count == 0)
		make_site();
	if (size == 0 || size > 4096)
		return 0;
	from.kind = (data[0] & 3) == 3 ? SWITCH_UPLINK : SWITCH_PORT;
	from.index = from.kind == SWITCH_PORT ? data[0] & 3 : 0;
	reason = switch_forward(&sw, from, data + 1, (uint32_t)size - 1, 1, &to);
	if (reason >= NF_REASON_COUNT || (reason == NF_PASS && from.kind == to.kind && from.index == to.index))
		abort();
	if (reason == NF_PASS && (size < 1 + 42 || size > 1 + FRAME_MAX))
		abort();
	return 0;
}
