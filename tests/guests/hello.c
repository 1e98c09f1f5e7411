/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a VM sees of the platform: debug port, hypercalls and their refusals, ports, MSRs, instructions not for guests.
 */
#include "guest.h"

static void refused(const char *name, int found, int expected)
{
	put(name);
	put(found == expected ? " refused\n" : " NOT refused\n");
}

static void try_hypercalls(void)
{
	struct call_result r = call(LZR_CALL_VERSION, 0, 0), later;

	tell("abi", r.rbx);
	tell("vm", r.rcx);
	tell("instance", r.rdx);
	r = call(LZR_CALL_CLOCK, 0, 0);
	later = call(LZR_CALL_CLOCK, 0, 0);
	put(later.rbx > r.rbx ? "clock rises\n" : "clock STANDS\n");
	tell("unknown call", call(1000, 0, 0).status);
	tell("read without right", call(LZR_CALL_READ, LZR_STREAM_VMS, 0).status);
	tell("seed without right", call(LZR_CALL_SEED, 0, 0).status);
	tell("control without right", call(LZR_CALL_CONTROL, 1, LZR_CONTROL_STOP).status);
	tell("peek without right", call(LZR_CALL_PEEK, 1, 0).status);
}

static void try_instructions(void)
{
	refused("vmrun", FAULT_OF("vmrun %%rax", 0, 0, 0), 6);
	refused("vmload", FAULT_OF("vmload %%rax", 0, 0, 0), 6);
	refused("vmsave", FAULT_OF("vmsave %%rax", 0, 0, 0), 6);
	refused("stgi", FAULT_OF("stgi", 0, 0, 0), 6);
	refused("clgi", FAULT_OF("clgi", 0, 0, 0), 6);
	refused("invlpga", FAULT_OF("invlpga %%rax, %%ecx", 0, 0, 0), 6);
	refused("monitor", FAULT_OF("monitor", 0, 0, 0), 6);
	refused("rdpmc", FAULT_OF("rdpmc", 0, 0, 0), 13);
	refused("msr read", FAULT_OF("rdmsr", 0, 0xc0010117, 0), 13);
	refused("msr write", FAULT_OF("wrmsr", 0, 0xc0010117, 0), 13);
	refused("tsc write", FAULT_OF("wrmsr", 0, 0x10, 0), 13);
	refused("efer.svme", FAULT_OF("wrmsr", 0x1d01, 0xc0000080, 0), 13);
	refused("wbinvd goes", FAULT_OF("wbinvd", 0, 0, 0), -1);
	refused("invd goes", FAULT_OF("invd", 0, 0, 0), -1);
}

void guest_main(void)
{
	uint32_t leaf[4];

	put("hello\n");
	try_hypercalls();
	try_instructions();
	put(in32(0x1234) == UINT32_MAX ? "ports read ones\n" : "a port ANSWERS\n");
	put(rdmsr(0xc0000080) & 0x1000 ? "SVME SHOWS\n" : "efer is clean\n");
	cpuid(0x12345678, 0, leaf);
	put(leaf[0] | leaf[1] | leaf[2] | leaf[3] ? "cpuid ANSWERS\n" : "cpuid is zero\n");
	put("done\n");
}
