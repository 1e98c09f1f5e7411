/* SPDX-License-Identifier: Apache-2.0 */
/* What the loader logs: see "Events" in lazaret/boot.h. */
#include <string.h>

#include "loader.h"

void event_descriptor(const struct file *file, struct lzr_event_descriptor *out)
{
	memset(out, 0, sizeof(*out));
	out->tag_id = LZR_EVENT_TAG_ID;
	out->tag_size = sizeof(*out) - offsetof(struct lzr_event_descriptor, magic);
	memcpy(out->magic, LZR_EVENT_MAGIC, sizeof(out->magic));
	out->kind = file->kind;
	out->length = file->length;
	memcpy(out->name, file->name, LZR_NAME_MAX);
}

void event_build(uint32_t pcr, uint32_t type, const void *data, uint32_t length, struct tcg2_event *out)
{
	out->size = (uint32_t)sizeof(*out) + length;
	out->header_size = TCG2_EVENT_HEADER_SIZE;
	out->header_version = TCG2_EVENT_HEADER_VERSION;
	out->pcr = pcr;
	out->type = type;
	memcpy(out->data, data, length);
}
