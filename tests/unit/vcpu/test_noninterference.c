/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one VM does changes nothing in what another can ask of the hypervisor, unless the labels let it.
 *
 * Random machines are given rights for as long as flow_check() accepts them.  Each then runs twice from the same start
 * with the same script of everybody's doings; the second time one VM, b, does one thing more in the middle of it.  At
 * the end another, a, makes every call with every argument, reads its registers and ports, and controls whom it may.
 * If a single answer differs then `rules` must say that a may notice what b did.  The rules are from the labels alone:
 * nothing of hv/flow.c is asked for them.  Time is the same in both runs: it is no label's matter.
 */
#include <stdio.h>

#include "rig.h"

/* Included, not linked: each run starts with empty rings and all seeds. */
#include "../../../hv/audit.c"
#include "../../../hv/records.c"

bool flow_check(void);

#define VMS 6u
#define ROUNDS 5000u
#define RAM (2ull << 20)
#define PEEKED 256u                     /* bytes of RAM that are written and looked at */
#define UART 0x3f8u
#define DEBUG 0xe9u
#define POWER 0x600u
#define SHADOW_MSR 0x1a0u
#define DENIED_MSR 0x200u
#define UNCLAIMED 0x4000u

static uint64_t random_state;

static uint32_t roll(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random_state >> 33) % limit);
}

/* --- who may notice what ------------------------------------------------------------------------------------------ */

enum effect {
	PRIVATE,        /* changes only what b itself has: calls that it may make, its console, its registers */
	NOTED,          /* something that the hypervisor denies and notes */
	MEMORY,         /* a write to its RAM */
	STATE,          /* b stops or starts anew */
	COMMAND,        /* b stops or restarts another, which it controls */
	EFFECTS,
};

/*
 * Whose label covers ALL of b's range may know all about it.  What a trusted VM does to others on purpose it does at
 * its lowest label; and who controls it may know whether it runs, as its peers do.
 */
enum whom { NOBODY, WHO_COVERS_HIGH, WHO_COVERS_LOW };
static const struct { const char *what; enum whom may, with_control; } rules[EFFECTS] = {
	[PRIVATE] = { "a doing of its own", NOBODY, NOBODY },
	[NOTED] = { "a denial", WHO_COVERS_HIGH, NOBODY },
	[MEMORY] = { "a write to its memory", WHO_COVERS_HIGH, NOBODY },
	[STATE] = { "its end or restart", WHO_COVERS_HIGH, WHO_COVERS_LOW },
	[COMMAND] = { "a control call", WHO_COVERS_LOW, NOBODY },
};

static bool covers(const struct lzr_label *a, const struct lzr_label *b)
{
	return a->level >= b->level && (a->categories | b->categories) == a->categories;
}

static bool fits(enum whom whom, unsigned a, unsigned b)
{
	const struct vm_config *holder = &machine.vms[a], *object = &machine.vms[b];

	return whom != NOBODY &&
	       covers(&holder->range_high, whom == WHO_COVERS_HIGH ? &object->range_high : &object->range_low);
}

static bool may_notice(enum effect effect, unsigned a, unsigned b)
{
	return fits(rules[effect].may, a, b) || (machine.vms[a].rights[RIGHT_CONTROLS] >> b & 1 &&
						 fits(rules[effect].with_control, a, b));
}

/* --- a machine ---------------------------------------------------------------------------------------------------- */

static const struct lzr_manifest_msr msr_rules[] = {
	{ .msr = SHADOW_MSR, .rule = LZR_MSR_SHADOW, .mask_lo = 0xff },
	{ .msr = 0x838, .rule = LZR_MSR_EMULATED },
	{ .msr = 0x4b564d00, .rule = LZR_MSR_EMULATED },
	{ .msr = 0x4b564d01, .rule = LZR_MSR_EMULATED },
};
static const struct lzr_manifest_cpuid cpuid_rules[] = {
	{ .leaf = 0, .subleaf = LZR_CPUID_ANY_SUBLEAF, .mask = { ~0u, ~0u, ~0u, ~0u } },
	{ .leaf = 1, .subleaf = LZR_CPUID_ANY_SUBLEAF, .computed = LZR_CPUID_FEATURES, .mask = { ~0u, ~0u, ~0u, ~0u } },
	{ .leaf = 11, .subleaf = LZR_CPUID_ANY_SUBLEAF, .computed = LZR_CPUID_TOPOLOGY },
};
static struct {                         /* as created, before any start */
	struct vm vms[VMS];
	struct vm_private privates[VMS];
	struct vcpu vcpus[VMS];
} pristine;

static int create(void **state)
{
	rig_setup(state);
	rig_image.memory = RAM;
	rig_image.vcpus = 1;
	rig_image.uart = UART;
	rig_image.debug = DEBUG;
	rig_image.power = POWER;
	rig_image.msr = msr_rules;
	rig_image.msr_count = ARRAY_LENGTH(msr_rules);
	rig_image.cpuid = cpuid_rules;
	rig_image.cpuid_count = ARRAY_LENGTH(cpuid_rules);
	machine.vm_count = VMS;
	for (unsigned i = 0; i < VMS; i++) {
		machine.vms[i].image = &rig_image;
		machine.vms[i].budget_us = machine.vms[i].period_us = 1000;
	}
	assert_int_equal(vms_create(), HV_OK);
	memcpy(pristine.vms, vms, sizeof(pristine.vms));
	memcpy(pristine.privates, vm_privates, sizeof(pristine.privates));
	for (unsigned i = 0; i < VMS; i++)
		pristine.vcpus[i] = *vms[i].vcpus[0];
	return 0;
}

/* Few labels for a machine, so that some VMs have the same. */
static void random_vm(struct vm_config *vm, const struct lzr_label labels[3])
{
	vm->range_low = vm->range_high = labels[roll(3)];
	vm->flags = roll(2) ? VM_SERVICE : 0;
	vm->max_restarts = roll(4);
	memset(vm->rights, 0, sizeof(vm->rights));
	if (roll(3) == 0) {             /* trusted over a range */
		vm->range_low.level = (uint8_t)roll(vm->range_high.level + 1u);
		vm->range_low.categories &= roll(4);
	}
	vm->label = vm->range_high;
}

/* As many rights as fit, of those that chance offers. */
static void random_machine(void)
{
	struct lzr_label labels[3];

	for (unsigned i = 0; i < 3; i++)
		labels[i] = (struct lzr_label){ .level = (uint8_t)roll(3), .categories = roll(4) };
	machine.vm_count = 2 + roll(VMS - 1);
	for (unsigned i = 0; i < machine.vm_count; i++)
		random_vm(&machine.vms[i], labels);
	assert_true(flow_check());
	for (unsigned i = 0; i < machine.vm_count * machine.vm_count * RIGHT_COUNT; i++) {
		uint64_t *rights = &machine.vms[roll(machine.vm_count)].rights[roll(RIGHT_COUNT)], before = *rights;

		*rights |= roll(4) ? 1ull << roll(machine.vm_count) : (1ull << machine.vm_count) - 1;
		if (!flow_check())
			*rights = before;
	}
	assert_true(flow_check());
}

static bool runs(unsigned vm)
{
	return RUN_PHASE(vm_privates[vm].run_word) == PHASE_RUN;
}

/* With `full` audit rings what comes within the first minute is only counted. */
static void start(bool full)
{
	memcpy(vms, pristine.vms, sizeof(pristine.vms));
	memcpy(vm_privates, pristine.privates, sizeof(pristine.privates));
	memset(rings, 0, sizeof(rings));
	memset(rig_console, 0, sizeof(rig_console));
	memset(seeds, 0x5e, sizeof(seeds));     /* alike, since which of several secrets one gets tells nothing */
	seed_next = seed_count = 0;
	rig_now = 1000000;
	for (unsigned i = 0; i < VMS; i++)
		*vms[i].vcpus[0] = pristine.vcpus[i];
	for (unsigned i = 0; i < machine.vm_count; i++) {
		seed_count += machine.vms[i].flags & VM_SERVICE ? machine.vms[i].max_restarts + 1 : 0;
		for (unsigned n = 0; full && n < LZR_AUDIT_SLOTS; n++)
			audit(i, LZR_AUDIT_RING_FAULT, n, 0);
		assert_int_equal(vm_start(&vms[i]), HV_OK);
	}
}

/* --- what VMs do -------------------------------------------------------------------------------------------------- */

static uint64_t *exits(unsigned vm, struct vcpu_exit exit)
{
	rig_event = false;
	(void)exit_handle(vms[vm].vcpus[0], &exit);
	return vms[vm].vcpus[0]->regs.gpr;
}

static uint64_t *call(unsigned vm, uint64_t number, uint64_t first, uint64_t second)
{
	uint64_t *gpr = vms[vm].vcpus[0]->regs.gpr;

	gpr[RAX] = number;
	gpr[RDI] = first;
	gpr[RSI] = second;
	gpr[RBX] = gpr[RCX] = gpr[RDX] = 0;
	return exits(vm, (struct vcpu_exit){ .kind = EXIT_HYPERCALL, .length = 3 });
}

static uint64_t *port(unsigned vm, uint16_t number, unsigned size, bool write, uint32_t value)
{
	vms[vm].vcpus[0]->regs.gpr[RAX] = value;
	return exits(vm, (struct vcpu_exit){ .kind = EXIT_IO, .length = 2, .port = number, .size = (uint8_t)size,
					     .write = write });
}

static uint64_t *msr(unsigned vm, uint32_t number, bool write, uint32_t value)
{
	uint64_t *gpr = vms[vm].vcpus[0]->regs.gpr;

	gpr[RAX] = value;
	gpr[RCX] = number;
	gpr[RDX] = 0;
	return exits(vm, (struct vcpu_exit){ .kind = EXIT_MSR, .length = 2, .write = write });
}

static enum effect asks(unsigned vm, uint32_t chance)
{
	uint64_t number = chance % 7, second = chance / 7 % 64 * 32;

	if (number == LZR_CALL_CONTROL)
		number = LZR_CALL_READ;
	return call(vm, number, chance / 448 % 8, second)[RAX] == LZR_DENIED ? NOTED : PRIVATE;
}

static enum effect touches(unsigned vm, uint32_t chance)
{
	switch (chance % 5) {
	case 0: msr(vm, SHADOW_MSR, true, chance >> 8 & 0xff); break;
	case 1: port(vm, UART + 7, 1, true, chance); break;
	case 2: port(vm, 0xcf8, 4, true, chance); break;
	case 3: port(vm, DEBUG, 1, true, 'x'); break;
	case 4: msr(vm, 0x838, true, chance); break;
	}
	return PRIVATE;
}

static enum effect offends(unsigned vm, uint32_t chance)
{
	if (chance % 2)
		msr(vm, DENIED_MSR + chance / 2 % 50, chance / 128 % 2, 0);
	else
		port(vm, (uint16_t)(UNCLAIMED + chance / 2 % 50), 1, chance / 128 % 2, 0);
	return NOTED;
}

static enum effect writes(unsigned vm, uint32_t chance)
{
	((uint64_t *)hpa_ptr(vms[vm].ram))[chance % (PEEKED / 8)] = chance;
	return MEMORY;
}

static enum effect ends(unsigned vm, uint32_t chance)
{
	switch (chance % 4) {
	case 0: port(vm, POWER, 1, true, 0x34); break;
	case 1: port(vm, POWER + 2, 1, true, 1); break;
	case 2: exits(vm, (struct vcpu_exit){ .kind = EXIT_SHUTDOWN }); break;
	case 3: exits(vm, (struct vcpu_exit){ .kind = EXIT_HLT, .length = 1 }); break;
	}
	return STATE;
}

static enum effect controls(unsigned vm, uint32_t chance)
{
	uint64_t object = chance % machine.vm_count, rights = machine.vms[vm].rights[RIGHT_CONTROLS];

	if (rights && chance & 256)     /* mostly one that it may, if there is any */
		while (!(rights >> object & 1))
			object = (object + 1) % machine.vm_count;
	if (call(vm, LZR_CALL_CONTROL, object, 1 + chance / 8 % 2)[RAX] == LZR_DENIED)
		return NOTED;
	return object == vm ? STATE : COMMAND;
}

static enum effect (*const doings[])(unsigned, uint32_t) = { asks, touches, offends, writes, ends, controls, controls };

static enum effect act(unsigned vm, uint32_t which, uint32_t chance)
{
	enum effect effect = doings[which % ARRAY_LENGTH(doings)](vm, chance);

	rig_settle();
	return effect;
}

/* Of everybody but `silent`; the same choices whatever has happened. */
static void script(unsigned steps, unsigned silent)
{
	while (steps--) {
		uint32_t vm = roll(machine.vm_count), which = roll(99), chance = roll(1u << 31);

		rig_now += roll(3) ? roll(1000) : (uint64_t)roll(100) * 1000000000u;
		if (vm != silent && runs(vm))
			(void)act(vm, which, chance);
	}
}

/* --- what one VM gets to know ------------------------------------------------------------------------------------- */

enum { ASKED_PORT = 100, ASKED_MSR, ASKED_CPUID, ABSENT };
struct answer { uint64_t what, first, second, got[6]; };
#define ANSWERS 16384u
static struct trace { struct answer answers[ANSWERS]; unsigned count; } traces[2];

static void record(struct trace *trace, uint64_t what, uint64_t first, uint64_t second, const uint64_t *gpr)
{
	assert_true(trace->count < ANSWERS);
	trace->answers[trace->count++] = (struct answer){
		what, first, second, { gpr[RAX], gpr[RBX], gpr[RCX], gpr[RDX], gpr[RSI], rig_event },
	};
}

static void ask(struct trace *trace, unsigned vm, uint64_t number, uint64_t first, uint64_t second)
{
	record(trace, number, first, second, call(vm, number, first, second));
}

static void read_streams(struct trace *trace, unsigned vm)
{
	static const uint64_t lengths[LZR_STREAM_KEY + 2] = {
		[LZR_STREAM_PLATFORM] = sizeof(struct lzr_platform_record),
		[LZR_STREAM_VMS] = VMS * sizeof(struct lzr_vm_record),
		[LZR_STREAM_AUDIT] = (VMS + 1) * sizeof(struct lzr_audit_ring),
	};

	for (unsigned stream = 0; stream < ARRAY_LENGTH(lengths); stream++) {
		for (uint64_t at = 0; at < lengths[stream] + 64; at += 32)
			ask(trace, vm, LZR_CALL_READ, stream, at);
		ask(trace, vm, LZR_CALL_READ, stream, 1);
	}
}

static void look(struct trace *trace, unsigned vm)
{
	ask(trace, vm, LZR_CALL_VERSION, 0, 0);
	ask(trace, vm, LZR_CALL_CLOCK, 0, 0);
	read_streams(trace, vm);
	for (uint64_t object = 0; object <= machine.vm_count; object++)
		for (uint64_t at = 0; at < PEEKED; at += 32)
			ask(trace, vm, LZR_CALL_PEEK, object, at);
	for (unsigned i = 0; i < 2; i++)
		ask(trace, vm, LZR_CALL_SEED, 0, 0);
	for (uint64_t number = LZR_CALL_PEEK + 1; number < 16; number++)
		ask(trace, vm, number, 0, 0);
	for (uint16_t at = 0; at < 8; at++) {
		record(trace, ASKED_PORT, UART + at, 1, port(vm, (uint16_t)(UART + at), 1, false, 0));
		record(trace, ASKED_PORT, 0xcf8 + at, 1, port(vm, (uint16_t)(0xcf8 + at), 1, false, 0));
		record(trace, ASKED_PORT, POWER + at, 1, port(vm, (uint16_t)(POWER + at), 1, false, 0));
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(msr_rules); i++)
		record(trace, ASKED_MSR, msr_rules[i].msr, 0, msr(vm, msr_rules[i].msr, false, 0));
	for (unsigned i = 0; i < ARRAY_LENGTH(cpuid_rules); i++) {
		vms[vm].vcpus[0]->regs.gpr[RAX] = cpuid_rules[i].leaf;
		record(trace, ASKED_CPUID, cpuid_rules[i].leaf, 0, exits(vm, (struct vcpu_exit){ .kind = EXIT_CPUID }));
	}
}

/* Last, for it changes what it looks at: controls everybody, itself at the end, and starts anew. */
static void command(struct trace *trace, unsigned vm)
{
	for (unsigned i = 0; i <= machine.vm_count; i++) {
		uint64_t object = i == machine.vm_count ? vm : i;

		for (uint64_t operation = 0; object != vm && operation < 4; operation++)
			ask(trace, vm, LZR_CALL_CONTROL, object, operation);
		rig_settle();
		for (uint64_t at = 0; at < VMS * sizeof(struct lzr_vm_record); at += 32)
			ask(trace, vm, LZR_CALL_READ, LZR_STREAM_VMS, at);
	}
	ask(trace, vm, LZR_CALL_CONTROL, machine.vm_count, LZR_CONTROL_STOP);
	ask(trace, vm, LZR_CALL_CONTROL, vm, LZR_CONTROL_RESTART);
	rig_settle();
	if (!runs(vm))
		return;
	ask(trace, vm, LZR_CALL_VERSION, 0, 0);
	port(vm, POWER + 2, 1, true, 1);
	rig_settle();
	if (runs(vm))
		look(trace, vm);
}

/* --- two runs ----------------------------------------------------------------------------------------------------- */

struct trial { unsigned a, b, before, behind; uint32_t which, chance; bool full; uint64_t seed; };

static enum effect run(struct trace *trace, const struct trial *t, bool with)
{
	enum effect effect = PRIVATE;

	trace->count = 0;
	start(t->full);
	random_state = t->seed;
	script(t->before, machine.vm_count);
	if (with && runs(t->b))
		effect = act(t->b, t->which, t->chance);
	script(t->behind, t->b);
	if (!runs(t->a)) {
		trace->answers[trace->count++] = (struct answer){ .what = ABSENT };
		return effect;
	}
	look(trace, t->a);
	command(trace, t->a);
	return effect;
}

static const struct answer *difference(void)
{
	for (unsigned i = 0; i < traces[0].count && i < traces[1].count; i++)
		if (memcmp(&traces[0].answers[i], &traces[1].answers[i], sizeof(struct answer)))
			return &traces[1].answers[i];
	return traces[0].count == traces[1].count ? NULL : &traces[1].answers[traces[1].count - 1];
}

static void not_allowed(unsigned round, const struct trial *t, enum effect effect, const struct answer *at)
{
	static const char *const asked[] = { "port", "MSR", "CPUID leaf", "its being there" };
	char name[32];

	snprintf(name, sizeof(name), "hypercall %u", (unsigned)at->what);
	fail_msg("round %u: VM %u must not notice %s of VM %u, but does by %s (%lx, %lx)", round, t->a,
		 rules[effect].what, t->b, at->what < ASKED_PORT ? name : asked[at->what - ASKED_PORT],
		 (unsigned long)at->first, (unsigned long)at->second);
}

static void nobody_notices_what_labels_hide(void **state)
{
	unsigned noticed[EFFECTS] = { 0 }, hidden[EFFECTS] = { 0 };

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct trial t;
		enum effect effect;
		const struct answer *at;

		random_state = round * 0x9e3779b97f4a7c15ull + 1;
		random_machine();
		t.a = roll(machine.vm_count);
		t.b = (t.a + 1 + roll(machine.vm_count - 1)) % machine.vm_count;
		t.before = roll(12);
		t.behind = roll(12);
		t.which = roll(99);
		t.chance = roll(1u << 31);
		t.full = roll(4) == 0;
		t.seed = random_state;
		(void)run(&traces[0], &t, false);
		effect = run(&traces[1], &t, true);
		at = difference();
		if (at && !may_notice(effect, t.a, t.b))
			not_allowed(round, &t, effect, at);
		noticed[effect] += at != NULL;
		hidden[effect] += !at && !may_notice(effect, t.a, t.b);
	}
	for (unsigned i = 0; i < EFFECTS; i++) {
		print_message("%s: %u noticed, %u hidden\n", rules[i].what, noticed[i], hidden[i]);
		assert_true(i == PRIVATE || noticed[i] >= 20);
		assert_true(hidden[i] >= 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_notices_what_labels_hide, create, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
