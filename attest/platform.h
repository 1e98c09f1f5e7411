/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's streams: consistent snapshots of its records, and the files it was booted with. */
#ifndef ATTEST_PLATFORM_H
#define ATTEST_PLATFORM_H

#include <lazaret/hypercall.h>
#include <lazaret/policy.h>

#include "digest.h"
#include "fault.h"

struct snapshot {
	struct lzr_platform_record platform;
	struct lzr_vm_record vms[LZR_VM_MAX];   /* platform.vm_count of them */
};

/* All records as they were at one moment: read until two readings are alike. */
bool platform_snapshot(struct snapshot *s, struct fault *f);
/* Part of a stream; the caller knows its length. */
bool platform_read(enum lzr_stream stream, uint64_t offset, void *out, size_t length, struct fault *f);
/* A whole stream of `length` bytes in new memory. */
bool platform_file(enum lzr_stream stream, uint64_t length, size_t max, struct bytes *out, struct fault *f);
/* Who is asking: own VM number and instance. */
bool platform_self(uint32_t *vm, uint64_t *instance, struct fault *f);

#endif
