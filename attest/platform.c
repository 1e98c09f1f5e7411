/* SPDX-License-Identifier: Apache-2.0 */
#include "platform.h"
#include "hypercall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIT 32u
#define TRIES 100u

static const char *stream_name(enum lzr_stream stream)
{
	static const char *const names[] = {
		[LZR_STREAM_PLATFORM] = "platform record",
		[LZR_STREAM_VMS] = "VM records",
		[LZR_STREAM_AUDIT] = "audit ring",
		[LZR_STREAM_LOG] = "event log",
		[LZR_STREAM_POLICY] = "policy",
		[LZR_STREAM_KEY] = "signer key",
	};

	return names[stream];
}

bool platform_read(enum lzr_stream stream, uint64_t offset, void *out, size_t length, struct fault *f)
{
	uint8_t *to = out;

	for (size_t at = 0; at < length; at += UNIT) {
		struct hypercall_result r = hypercall(LZR_CALL_READ, stream, offset + at);
		size_t n = length - at < UNIT ? length - at : UNIT;

		if (r.status != LZR_OK)
			return fault_set_number(f, FAULT_INPUT, stream_name(stream), LZR_OK, r.status);
		memcpy(to + at, r.value, n);
	}
	return true;
}

static bool read_vms(struct snapshot *s, struct fault *f)
{
	return platform_read(LZR_STREAM_VMS, 0, s->vms, s->platform.vm_count * sizeof(s->vms[0]), f);
}

bool platform_snapshot(struct snapshot *s, struct fault *f)
{
	struct snapshot before;

	if (!platform_read(LZR_STREAM_PLATFORM, 0, &s->platform, sizeof(s->platform), f))
		return false;
	if (s->platform.version != LZR_ABI_VERSION || s->platform.vm_count > LZR_VM_MAX)
		return fault_set_number(f, FAULT_INPUT, "platform record's version", LZR_ABI_VERSION,
					s->platform.version);
	if (!read_vms(s, f))
		return false;
	for (unsigned int i = 0; i < TRIES; i++) {
		before = *s;
		if (!read_vms(s, f))
			return false;
		if (!memcmp(before.vms, s->vms, s->platform.vm_count * sizeof(s->vms[0])))
			return true;
	}
	return fault_set(f, FAULT_INPUT, "VM records", "the same when they are read again", "they keep changing");
}

bool platform_file(enum lzr_stream stream, uint64_t length, size_t max, struct bytes *out, struct fault *f)
{
	uint8_t *data;

	if (length == 0 || length > max)
		return fault_set_text(f, FAULT_INPUT, stream_name(stream), "1 byte to the limit of evidence",
				      "%llu bytes, the limit is %zu", (unsigned long long)length, max);
	data = malloc(length);
	if (!data)
		return fault_set(f, FAULT_INPUT, stream_name(stream), "memory", "none");
	if (!platform_read(stream, 0, data, length, f)) {
		free(data);
		return false;
	}
	*out = (struct bytes){ data, length };
	return true;
}

bool platform_self(uint32_t *vm, uint64_t *instance, struct fault *f)
{
	struct hypercall_result r = hypercall(LZR_CALL_VERSION, 0, 0);

	if (r.status != LZR_OK || r.value[0] != LZR_ABI_VERSION)
		return fault_set_number(f, FAULT_INPUT, "hypervisor's version", LZR_ABI_VERSION, r.value[0]);
	*vm = (uint32_t)r.value[1];
	*instance = r.value[2];
	return true;
}
