/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's answers from a fixture, linked in the place of hypercall.c. */
#include "fake.h"
#include "../hypercall.h"

#include <string.h>

struct fixture *fake_machine;
unsigned int fake_changes;
struct lzr_audit_ring fake_audit[VM_COUNT + 1];

void fake_audit_fill(uint32_t vm, uint64_t next)
{
	struct lzr_audit_ring *ring = &fake_audit[vm == FAKE_HV ? 0 : vm + 1];

	for (; ring->head.next < next; ring->head.next++)
		ring->records[ring->head.next % LZR_AUDIT_SLOTS] =
			(struct lzr_audit_record){ .sequence = ring->head.next, .vm = vm };
}

static struct bytes stream(uint64_t number)
{
	const struct snapshot *s = &fake_machine->now;

	switch (number) {
	case LZR_STREAM_PLATFORM:
		return (struct bytes){ (const uint8_t *)&s->platform, sizeof(s->platform) };
	case LZR_STREAM_VMS:
		return (struct bytes){ (const uint8_t *)s->vms, sizeof(s->vms[0]) * VM_COUNT };
	case LZR_STREAM_AUDIT:
		return (struct bytes){ (const uint8_t *)fake_audit, sizeof(fake_audit) };
	case LZR_STREAM_LOG:
		return (struct bytes){ fake_machine->log, fake_machine->log_length };
	case LZR_STREAM_POLICY:
		return (struct bytes){ fake_machine->policy, fake_machine->policy_length };
	case LZR_STREAM_KEY:
		return (struct bytes){ fake_machine->signer, fake_machine->signer_length };
	default:
		return (struct bytes){ NULL, 0 };
	}
}

struct hypercall_result hypercall(enum lzr_call call, uint64_t first, uint64_t second)
{
	struct hypercall_result r = { .status = LZR_OK };
	struct bytes b;

	if (call == LZR_CALL_VERSION) {
		r.value[0] = LZR_ABI_VERSION;
		r.value[1] = VM_ATTESTOR;
		r.value[2] = fake_machine->now.vms[VM_ATTESTOR].instance;
		return r;
	}
	b = stream(first);
	if (call != LZR_CALL_READ || !b.data || second % 32) {
		r.status = LZR_UNKNOWN;
		return r;
	}
	if (second < b.length)
		memcpy(r.value, b.data + second, b.length - second < 32 ? b.length - second : 32);
	if (first == LZR_STREAM_VMS && second == 0 && fake_changes) {
		fake_changes--;
		fake_machine->now.vms[VM_RED].epoch++;
	}
	return r;
}
