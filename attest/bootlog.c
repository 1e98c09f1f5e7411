/* SPDX-License-Identifier: Apache-2.0 */
#include "bootlog.h"
#include "eventlog.h"

#include <lazaret/name.h>

#include <stdio.h>
#include <string.h>

#include <lazaret/manifest.h>

/* The three registers of the loader, and where each one's event stream stands. */
enum stream_state { WANT_DESCRIPTOR, WANT_FILE, CAPPED };

struct stream {
	uint32_t pcr;
	enum stream_state state;
	unsigned int files;
	struct lzr_event_descriptor descriptor;         /* of the file that comes next */
};

static bool refuse(struct fault *f, const struct stream *s, size_t offset, const char *expected, const char *found)
{
	char where[64];

	snprintf(where, sizeof(where), "event log, PCR %u, byte %zu", s->pcr, offset);
	return fault_set(f, FAULT_LOG_GRAMMAR, where, expected, found);
}

/* Which kind may come as file number `files` of this register; 0: none. */
static uint32_t kind_wanted(const struct stream *s)
{
	static const uint32_t order[] = { LZR_FILE_SIGNER_KEY, LZR_FILE_BOOT_LIST, LZR_FILE_POLICY };

	if (s->pcr == 8)
		return s->files == 0 ? LZR_FILE_HYPERVISOR : 0;
	if (s->pcr == 9)
		return s->files < 3 ? order[s->files] : 0;
	return s->files < BOOTLOG_MANIFESTS_MAX ? LZR_FILE_MANIFEST : 0;
}

/* Kinds that have one name on every machine. */
static bool name_wanted(const struct lzr_event_descriptor *d)
{
	const char *name = d->kind == LZR_FILE_HYPERVISOR  ? LZR_HYPERVISOR_NAME
			   : d->kind == LZR_FILE_BOOT_LIST ? LZR_BOOT_LIST_NAME
							   : NULL;

	return !name || strcmp(d->name, name) == 0;
}

static bool take_descriptor(struct stream *s, const struct eventlog *log, const struct eventlog_event *e,
			    struct fault *f)
{
	struct lzr_event_descriptor *d = &s->descriptor;
	static const char magic[8] = LZR_EVENT_MAGIC;

	if (e->type != LZR_EV_EVENT_TAG || e->length != sizeof(*d))
		return refuse(f, s, e->offset, "EV_EVENT_TAG with a file's descriptor, or the cap", "another event");
	if (!eventlog_data_matches(log, e, EVENTLOG_ALG_SHA384))
		return refuse(f, s, e->offset, "the digest of the descriptor's bytes", "another digest");
	memcpy(d, e->data, sizeof(*d));
	if (d->tag_id != LZR_EVENT_TAG_ID || d->tag_size != sizeof(*d) - 8 || memcmp(d->magic, magic, 8) != 0 ||
	    d->reserved || !lzr_name_is_valid(d->name))
		return refuse(f, s, e->offset, "a descriptor of version 1", "other bytes");
	if (d->kind != kind_wanted(s)) {
		char expected[48], found[80];

		snprintf(expected, sizeof(expected), "file kind %u", kind_wanted(s));
		snprintf(found, sizeof(found), "kind %u, %s", d->kind, d->name);
		return refuse(f, s, e->offset, expected, found);
	}
	if (!name_wanted(d))
		return refuse(f, s, e->offset, "the name that this kind of file has", d->name);
	if (d->length == 0 || (d->kind == LZR_FILE_MANIFEST && d->length > LZR_MANIFEST_MAX))
		return refuse(f, s, e->offset, "a length that such a file can have", d->name);
	s->state = WANT_FILE;
	return true;
}

static bool take_file(struct stream *s, const struct eventlog_event *e, const uint8_t *digest, struct bootlog *out,
		      struct fault *f)
{
	uint8_t *fixed = NULL;

	if (e->type != LZR_EV_IPL || e->length != LZR_NAME_MAX ||
	    memcmp(e->data, s->descriptor.name, LZR_NAME_MAX) != 0)
		return refuse(f, s, e->offset, "EV_IPL with the descriptor's name", "another event");
	switch (s->descriptor.kind) {
	case LZR_FILE_HYPERVISOR:
		fixed = out->hypervisor;
		break;
	case LZR_FILE_SIGNER_KEY:
		fixed = out->signer;
		out->signer_length = s->descriptor.length;
		memcpy(out->signer_name, s->descriptor.name, LZR_NAME_MAX);
		break;
	case LZR_FILE_BOOT_LIST:
		fixed = out->boot_list;
		out->boot_list_length = s->descriptor.length;
		break;
	case LZR_FILE_POLICY:
		fixed = out->policy;
		out->policy_length = s->descriptor.length;
		memcpy(out->policy_name, s->descriptor.name, LZR_NAME_MAX);
		break;
	default: {
		struct bootlog_manifest *m = &out->manifest[out->manifest_count];

		if (bootlog_find(out, s->descriptor.name))
			return refuse(f, s, e->offset, "each image once", s->descriptor.name);
		memcpy(m->image, s->descriptor.name, LZR_NAME_MAX);
		m->length = s->descriptor.length;
		fixed = m->digest;
		out->manifest_count++;
	}
	}
	memcpy(fixed, digest, SHA384_SIZE);
	s->files++;
	s->state = WANT_DESCRIPTOR;
	return true;
}

static bool take_cap(struct stream *s, const struct eventlog *log, const struct eventlog_event *e, struct fault *f)
{
	static const uint8_t zero[4];

	if (e->length != sizeof(zero) || memcmp(e->data, zero, sizeof(zero)) != 0 ||
	    !eventlog_data_matches(log, e, EVENTLOG_ALG_SHA384))
		return refuse(f, s, e->offset, "the cap of a finished boot",
			      "the mark of a refused boot, or another separator");
	if ((s->pcr == 9 && s->files != 3) || s->files == 0)
		return refuse(f, s, e->offset, "every file of this register before the cap", "fewer");
	s->state = CAPPED;
	return true;
}

static bool take_event(struct stream *s, const struct eventlog *log, const struct eventlog_event *e,
		       struct bootlog *out, struct fault *f)
{
	const uint8_t *digest = eventlog_digest(log, e, EVENTLOG_ALG_SHA384);

	if (!digest)
		return refuse(f, s, e->offset, "a SHA-384 digest", "none");
	if (s->state == CAPPED)
		return refuse(f, s, e->offset, "nothing after the cap", "an event");
	if (s->state == WANT_FILE)
		return take_file(s, e, digest, out, f);
	if (e->type == LZR_EV_SEPARATOR)
		return take_cap(s, log, e, f);
	return take_descriptor(s, log, e, f);
}

static void add_entry(uint8_t *list, uint32_t *count, uint32_t kind, const char name[LZR_NAME_MAX])
{
	struct lzr_boot_list_entry e = { .kind = kind };

	memcpy(e.name, name, LZR_NAME_MAX);
	memcpy(list + sizeof(struct lzr_boot_list_header) + *count * sizeof(e), &e, sizeof(e));
	++*count;
}

size_t bootlog_list(const struct bootlog *b, uint8_t out[BOOTLOG_LIST_MAX])
{
	struct lzr_boot_list_header header = { .magic = LZR_BOOT_LIST_MAGIC, .version = LZR_BOOT_LIST_VERSION };
	char signature[LZR_NAME_MAX];

	lzr_signature_name(b->policy_name, signature);
	add_entry(out, &header.count, LZR_FILE_SIGNER_KEY, b->signer_name);
	add_entry(out, &header.count, LZR_FILE_POLICY, b->policy_name);
	add_entry(out, &header.count, LZR_FILE_POLICY_SIGNATURE, signature);
	for (size_t i = 0; i < b->manifest_count; i++)
		add_entry(out, &header.count, LZR_FILE_MANIFEST, b->manifest[i].image);
	memcpy(out, &header, sizeof(header));
	return sizeof(header) + header.count * sizeof(struct lzr_boot_list_entry);
}

/*
 * The boot list as the events tell it.  It has the measured digest only if each name is the list's, in its place, and
 * no file is missing or too many.
 */
static bool check_list(const struct bootlog *b, struct fault *f)
{
	uint8_t list[BOOTLOG_LIST_MAX], digest[SHA384_SIZE];
	const size_t size = bootlog_list(b, list);

	if (b->boot_list_length != size)
		return fault_set_number(f, FAULT_LOG_GRAMMAR, "event log, length of the boot list of these files", size,
					b->boot_list_length);
	sha384(digest, list, size);
	if (memcmp(digest, b->boot_list, SHA384_SIZE) != 0)
		return fault_set_digest(f, FAULT_LOG_GRAMMAR, "event log, boot list of just these files in this order",
					digest, b->boot_list, SHA384_SIZE);
	return true;
}

static bool check_grammar(const struct eventlog *log, struct bootlog *out, struct fault *f)
{
	struct stream streams[] = { { .pcr = 8 }, { .pcr = 9 }, { .pcr = 11 } };
	struct eventlog_event e;
	size_t offset = log->first;
	enum eventlog_error error;

	while ((error = eventlog_next(log, &offset, &e)) == EVENTLOG_OK)
		for (size_t i = 0; i < 3; i++)
			if (streams[i].pcr == e.pcr && !take_event(&streams[i], log, &e, out, f))
				return false;
	if (error != EVENTLOG_END)
		return fault_set(f, FAULT_LOG_FORMAT, "event log", "whole events", eventlog_error_text(error));
	for (size_t i = 0; i < 3; i++)
		if (streams[i].state != CAPPED)
			return refuse(f, &streams[i], log->length, "the cap", "the end of the log");
	return check_list(out, f);
}

bool bootlog_check(struct bytes log, const uint8_t pcr[EVIDENCE_PCR_COUNT][SHA384_SIZE], struct bootlog *out,
		   struct fault *f)
{
	uint8_t replayed[EVENTLOG_PCRS][EVENTLOG_DIGEST_MAX];
	uint32_t extended = 0;
	struct eventlog parsed;
	size_t at = 0;
	enum eventlog_error error = eventlog_open(&parsed, log.data, log.length);

	memset(out, 0, sizeof(*out));
	if (error == EVENTLOG_OK)
		error = eventlog_replay(&parsed, EVENTLOG_ALG_SHA384, replayed, &extended, &at);
	if (error != EVENTLOG_OK)
		return fault_set_text(f, FAULT_LOG_FORMAT, "event log", "a TCG crypto-agile log with a SHA-384 bank",
				      "byte %zu: %s", at, eventlog_error_text(error));
	for (size_t i = 0; i < EVIDENCE_PCR_COUNT; i++) {
		char component[32];

		snprintf(component, sizeof(component), "PCR %u", evidence_pcr[i]);
		if (memcmp(replayed[evidence_pcr[i]], pcr[i], SHA384_SIZE) != 0)
			return fault_set_digest(f, FAULT_LOG_REPLAY, component, pcr[i], replayed[evidence_pcr[i]],
						SHA384_SIZE);
	}
	return check_grammar(&parsed, out, f);
}

const struct bootlog_manifest *bootlog_find(const struct bootlog *b, const char *image)
{
	for (size_t i = 0; i < b->manifest_count; i++)
		if (strncmp(b->manifest[i].image, image, LZR_NAME_MAX) == 0)
			return &b->manifest[i];
	return NULL;
}
