/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform and VM records and the boot's files as byte streams.  Records are made when they are read, from state
 * that is atomic or read-only.  Of what changes a reader gets only what is about VMs that it may read of.
 */
#include <string.h>

#include "plat.h"
#include "records.h"
#include "vm.h"

struct blob { const uint8_t *data; uint64_t length; };

static HV_SEALED struct blob log_blob, policy_blob, key_blob;
static HV_SEALED uint32_t platform_flags;
static HV_SEALED uint64_t wall_clock;
static HV_SEALED uint8_t dma_digests[LZR_VM_MAX][LZR_DIGEST_SIZE];
static uint8_t seeds[SEED_MAX][32];
static HV_SEALED uint32_t seed_count;
static uint32_t seed_next;
static uint64_t sealed_ns;

HV_BOOT void records_files(const struct handoff *handoff, const struct lzr_boot_file *policy,
	const struct lzr_boot_file *key, bool development_key)
{
	const struct lzr_boot_info *info = &handoff->info;

	if (info->log_address)
		log_blob = (struct blob){ hpa_ptr(hpa(info->log_address)), info->log_length };
	policy_blob = (struct blob){ hpa_ptr(hpa(policy->address)), policy->length };
	key_blob = (struct blob){ hpa_ptr(hpa(key->address)), key->length };
	wall_clock = info->wall_clock;
	platform_flags |= (info->flags & LZR_BOOT_MEASURED ? LZR_PLATFORM_MEASURED : 0) |
		(info->flags & LZR_BOOT_LAB ? LZR_PLATFORM_LAB : 0) |
		(info->flags & LZR_BOOT_SECURE_BOOT ? LZR_PLATFORM_SECURE_BOOT : 0) |
		(development_key ? LZR_PLATFORM_DEVELOPMENT_KEY : 0);
}

HV_BOOT void records_platform(uint32_t flags)
{
	platform_flags |= flags;
}

HV_BOOT void records_dma(unsigned vm, const uint8_t digest[LZR_DIGEST_SIZE])
{
	memcpy(dma_digests[vm], digest, LZR_DIGEST_SIZE);
}

HV_BOOT void records_add_seed(const uint8_t seed[32])
{
	CHECK(seed_count < SEED_MAX);
	memcpy(seeds[seed_count++], seed, 32);
}

void records_sealed(uint64_t ns)
{
	sealed_ns = ns;
}

bool records_seed(uint64_t out[4])
{
	uint32_t number = __atomic_fetch_add(&seed_next, 1, __ATOMIC_RELAXED);

	if (number >= seed_count) {
		__atomic_store_n(&seed_next, seed_count, __ATOMIC_RELAXED);     /* or it would wrap one day */
		return false;
	}
	memcpy(out, seeds[number], 32);
	memset(seeds[number], 0, 32);
	return true;
}

uint64_t records_wall_clock(void)
{
	return wall_clock;
}

static void platform_record(struct lzr_platform_record *r)
{
	*r = (struct lzr_platform_record){
		.version = LZR_ABI_VERSION,
		.flags = platform_flags,
		.vm_count = machine.vm_count,
		.policy_version = machine.policy_version,
		.log_length = log_blob.length,
		.policy_length = policy_blob.length,
		.key_length = key_blob.length,
		.wall_clock = wall_clock,
		.seal_ns = sealed_ns,
	};
	memcpy(r->policy, machine.policy_digest, LZR_DIGEST_SIZE);
	memcpy(r->flow, machine.flow_digest, LZR_DIGEST_SIZE);
}

static uint32_t vm_flags(uint32_t number)
{
	uint32_t flags = 0;

	if (machine.vms[number].flags & VM_SERVICE)
		flags |= LZR_VM_SERVICE;
	if (machine.vms[number].flags & VM_FIREWALL_BYPASS)
		flags |= LZR_VM_FIREWALL_BYPASS;
	for (uint32_t i = 0; i < machine.device_count; i++)
		if (machine.devices[i].vm == number)
			flags |= LZR_VM_HAS_DEVICE;
	return flags;
}

static void vm_record(uint32_t number, struct lzr_vm_record *r)
{
	const struct vm *vm = &vms[number];
	const struct vm_config *config = &machine.vms[number];

	*r = (struct lzr_vm_record){
		.vm = number,
		.flags = vm_flags(number),
		.state = __atomic_load_n(&vm->state, __ATOMIC_ACQUIRE),
		.reason = __atomic_load_n(&vm->reason, __ATOMIC_ACQUIRE),
		.instance = __atomic_load_n(&vm->instance, __ATOMIC_ACQUIRE),
		.label = config->label,
		.epoch = __atomic_load_n(&vm->epoch, __ATOMIC_ACQUIRE),
	};
	r->starts = (uint32_t)r->instance;
	memcpy(r->name, config->name, LZR_NAME_MAX);
	memcpy(r->measurement, config->image->measurement, LZR_DIGEST_SIZE);
	memcpy(r->dma, dma_digests[number], LZR_DIGEST_SIZE);
}

/* 32 bytes of an object that is read in pieces; offsets are multiples of 32, the object's length need not be. */
static void slice(const void *object, uint64_t length, uint64_t offset, uint64_t out[4])
{
	const uint8_t *from = (const uint8_t *)object + guest_index(guest_number(offset), length);

	if (offset < length)
		memcpy(out, from, length - offset < 32 ? length - offset : 32);
}

/* A VM record's size is no multiple of 32: a piece may hold the end of one and the start of the next. */
static void vms_slice(uint64_t readable, uint64_t offset, uint64_t out[4])
{
	for (unsigned done = 0; done < 32;) {
		uint64_t number = (offset + done) / sizeof(struct lzr_vm_record);
		uint64_t within = (offset + done) % sizeof(struct lzr_vm_record);
		struct lzr_vm_record record;

		if (number >= machine.vm_count)
			return;
		unsigned count = 32 - done;

		if (count > sizeof(record) - within)
			count = (unsigned)(sizeof(record) - within);
		vm_record((uint32_t)guest_index(guest_number(number), LZR_VM_MAX), &record);
		if (readable >> number & 1)
			memcpy((uint8_t *)out + done, (const uint8_t *)&record + within, count);
		done += count;
	}
}

bool records_read(enum lzr_stream stream, uint64_t readable, uint64_t offset, uint64_t out[4])
{
	struct lzr_platform_record platform;

	memset(out, 0, 32);
	switch (stream) {
	case LZR_STREAM_PLATFORM:
		platform_record(&platform);
		slice(&platform, sizeof(platform), offset, out);
		return true;
	case LZR_STREAM_VMS:
		vms_slice(readable, offset, out);
		return true;
	case LZR_STREAM_AUDIT:
		audit_read(readable, offset, out);
		return true;
	case LZR_STREAM_LOG:
		slice(log_blob.data, log_blob.length, offset, out);
		return true;
	case LZR_STREAM_POLICY:
		slice(policy_blob.data, policy_blob.length, offset, out);
		return true;
	case LZR_STREAM_KEY:
		slice(key_blob.data, key_blob.length, offset, out);
		return true;
	}
	return false;
}
