/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtqueue router.
 *
 * Lock order: a link touches the devices of two VMs and holds both device locks (struct vm, lock), the lower VM number
 * first; a single VM's lock is never taken while another is held.  Interrupts are only marked under the locks and
 * posted after their release.  audit() may be called under them.  Nothing here allocates.
 *
 * Work per call is bounded: so many chains and bytes for a direction of a link (link_move.c), LINKS_PER_POLL links a
 * poll; what is left stays on the sender's ring with a bit in the sender's to-do set, so a flood is worked off on the
 * flooder's time. A sender waits for receive chains of its peer except where a service sends to a raw end: that is
 * dropped, so that no guest can make a service wait.
 */
#include "link.h"

#define LINKS_PER_POLL 4u
#define TODO_WORDS (LZR_LINK_MAX / 64)

struct link links[LZR_LINK_MAX];

/* What a VM's exits and ticks have to work off; all atomic. */
static struct {
	uint64_t links[TODO_WORDS];     /* to be run */
	uint32_t interrupts;            /* devices with a masked pending interrupt */
	uint32_t cursor;                /* link to begin with, so that each has its turn */
} todo[LZR_VM_MAX];

static void todo_set(const struct vm *vm, const struct link *link)
{
	__atomic_fetch_or(&todo[vm->number].links[link->number / 64], 1ull << (link->number % 64), __ATOMIC_SEQ_CST);
}

static void link_lock(struct link *link)
{
	struct vm *a = link->end[0].vdev->vm, *b = link->end[1].vdev->vm;

	spin_lock(a->number < b->number ? &a->lock : &b->lock);
	spin_lock(a->number < b->number ? &b->lock : &a->lock);
}

static void link_unlock(struct link *link)
{
	spin_unlock(&link->end[0].vdev->vm->lock);
	spin_unlock(&link->end[1].vdev->vm->lock);
}

/* News for the driver at one end: interrupts marked, notifications of receive chains asked for or not. */
static void end_finish(struct link_end *end)
{
	if (vdev_is_live(end->vdev) && virtqueue_want_notify(link_end_receive(end), end->awaited)) {
		todo_set(end->vdev->vm, end->link);
		todo_set(end->peer->vdev->vm, end->link);
	}
	vdev_raise_queue(end->vdev, link_end_receive(end));
	vdev_raise_queue(end->vdev, link_end_transmit(end));
}

#define BOTH_DIRECTIONS 3u      /* bit n: what end n transmits */

/*
 * Moves chains in the given directions, on the time of `runner`; no lock held.  What is left is the sender's to go on
 * with, and the runner's, for the sender may be asleep.
 */
static void link_run(struct link *link, unsigned directions, const struct vm *runner)
{
	link_lock(link);
	for (unsigned i = 0; i < 2; i++) {
		link_requests_fail(&link->end[i]);
		link_tell(&link->end[i]);
	}
	for (unsigned i = 0; i < 2; i++) {
		if ((directions & (1u << i)) && link_move(&link->end[i])) {
			todo_set(link->end[i].vdev->vm, link);
			todo_set(runner, link);
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		link_tell(&link->end[i]);
		end_finish(&link->end[i]);
	}
	link_unlock(link);
	link_deliver(link->end[0].vdev);
	link_deliver(link->end[1].vdev);
}

void link_end_reset(struct link_end *end)
{
	end->outstanding = 0;
	end->awaited = false;
	end->told = 0;
	for (unsigned i = 0; i < LZR_VIRTIO_QUEUE_MAX && end->slots; i++)
		end->slots[i].capacity = 0;
}

void link_vdev_changed(struct vdev *vdev)
{
	for (unsigned i = 0; i < vdev->config->queues / 2; i++) {
		const struct link_end *end = vdev->ends[i];

		if (!end)
			continue;
		todo_set(vdev->vm, end->link);
		todo_set(end->peer->vdev->vm, end->link);
	}
}

void link_notify(struct vdev *vdev, guest_number_t number)
{
	struct link_end *end = vdev->ends[guest_index(number, vdev->config->queues) / 2];
	unsigned side;

	if (!guest_below(number, vdev->config->queues) || !end)
		return;
	side = end == &end->link->end[1];
	if (guest_index(number, vdev->config->queues) % 2 == 0)
		side ^= 1;      /* new receive chains: what the peer has waiting can come */
	link_run(end->link, 1u << side, vdev->vm);
}

void link_deliver(struct vdev *vdev)
{
	if (vmsix_deliver(&vdev->msix))
		__atomic_fetch_or(&todo[vdev->vm->number].interrupts, 1u << vdev->index, __ATOMIC_SEQ_CST);
}

static void poll_interrupts(struct vm *vm)
{
	uint32_t bits = __atomic_load_n(&todo[vm->number].interrupts, __ATOMIC_RELAXED);

	if (!bits)
		return;
	bits = __atomic_exchange_n(&todo[vm->number].interrupts, 0, __ATOMIC_SEQ_CST);
	for (; bits; bits &= bits - 1)
		link_deliver(vm->vdevs[__builtin_ctz(bits)]);
}

/* The first link with work at or after the cursor, taken out of the set; LZR_LINK_MAX when there is none. */
static unsigned todo_take(unsigned vm)
{
	unsigned start = __atomic_load_n(&todo[vm].cursor, __ATOMIC_RELAXED) % LZR_LINK_MAX;

	for (unsigned i = 0; i <= TODO_WORDS; i++) {
		unsigned word = (start / 64 + i) % TODO_WORDS;
		uint64_t bits = __atomic_load_n(&todo[vm].links[word], __ATOMIC_RELAXED);
		uint64_t bit;

		if (i == 0)
			bits &= ~0ull << (start % 64);
		if (!bits)
			continue;
		bit = bits & -bits;
		__atomic_fetch_and(&todo[vm].links[word], ~bit, __ATOMIC_SEQ_CST);
		start = word * 64 + (unsigned)__builtin_ctzll(bit);
		__atomic_store_n(&todo[vm].cursor, start + 1, __ATOMIC_RELAXED);
		return start;
	}
	return LZR_LINK_MAX;
}

void links_poll(struct vm *vm)
{
	poll_interrupts(vm);
	for (unsigned i = 0; i < LINKS_PER_POLL; i++) {
		unsigned number = todo_take(vm->number);

		if (number == LZR_LINK_MAX)
			return;
		link_run(&links[number], BOTH_DIRECTIONS, vm);
	}
}

bool links_pending(const struct vm *vm)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < TODO_WORDS; i++)
		bits |= __atomic_load_n(&todo[vm->number].links[i], __ATOMIC_RELAXED);
	return bits;
}

/* All devices of a VM to their first state; then its peers hear of it at once, for nobody polls for a stopped VM. */
static void vm_power_on(struct vm *vm)
{
	spin_lock(&vm->lock);
	for (unsigned i = 0; i < vm->image->vdev_count; i++) {
		if (vm->vdevs[i])
			vdev_power_on(vm->vdevs[i]);
	}
	spin_unlock(&vm->lock);
	for (unsigned i = 0; i < TODO_WORDS; i++)
		__atomic_store_n(&todo[vm->number].links[i], 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < machine.link_count; i++) {
		if (links[i].end[0].vdev->vm == vm || links[i].end[1].vdev->vm == vm)
			link_run(&links[i], 0, vm);
	}
}

void links_vm_stopped(struct vm *vm)
{
	vm_power_on(vm);
}

void links_vm_started(struct vm *vm)
{
	vm_power_on(vm);
}
