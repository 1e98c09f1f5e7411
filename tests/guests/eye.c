/* SPDX-License-Identifier: Apache-2.0 */
/* May read the memory of one other VM: sees what is there, also when that VM has ended, and gets nothing else. */
#include "guest.h"
#include "secret.h"

#define AFTER_NS 1000000000ull

static struct call_result peek(uint64_t vm, uint64_t at)
{
	return call(LZR_CALL_PEEK, vm, at);
}

static bool holds(uint64_t what)
{
	struct call_result r = peek(SECRET_VM, SECRET_AT);

	return r.status == LZR_OK && r.rbx == what && r.rcx == what + 1 && r.rdx == what + 2 && r.rsi == what + 3;
}

static void wait_for(uint64_t what, const char *text)
{
	while (!holds(what))
		;
	put(text);
}

void guest_main(void)
{
	uint64_t last;

	wait_for(SECRET_FIRST, "saw it\n");
	tell("other VM", peek(0, SECRET_AT).status);
	tell("own", peek(SECRET_VM + 1, SECRET_AT).status);
	tell("no VM", peek(64 + SECRET_VM, SECRET_AT).status);
	tell("unaligned", peek(SECRET_VM, SECRET_AT + 8).status);
	tell("last", peek(SECRET_VM, SECRET_MEMORY - 32).status);
	tell("behind", peek(SECRET_VM, SECRET_MEMORY).status);
	tell("registers", peek(SECRET_VM, 0xfee00000).status);
	tell("end", peek(SECRET_VM, ~31ull).status);
	wait_for(SECRET_CHANGED, "saw it change\n");
	wait_for(SECRET_LAST, "saw the last of it\n");
	last = call(LZR_CALL_CLOCK, 0, 0).rbx;
	while (call(LZR_CALL_CLOCK, 0, 0).rbx - last < AFTER_NS)
		;
	put(holds(SECRET_LAST) ? "sees it still\n" : "LOST it\n");
}
