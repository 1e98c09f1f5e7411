/* SPDX-License-Identifier: Apache-2.0 */
/* Who may enrol: what operators have said, and who waits for a word. */
#include "command.h"
#include "command_pick.h"
#include "ekid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_hex(const uint8_t digest[SHA384_SIZE])
{
	char hex[2 * SHA384_SIZE + 1];

	hex_encode(hex, digest, SHA384_SIZE);
	printf("%s", hex);
}

static bool approve_ek(struct store *s, const uint8_t ek[SHA384_SIZE], const char *subject, struct fault *f)
{
	int64_t id;

	if (!store_begin(s, f) ||
	    !store_end(s, store_approve(s, STORE_APPROVE_EK, ek, subject, (struct bytes){ NULL, 0 }, &id, f) &&
				  store_event(s, 0, f, "approval %lld: one TPM, %s", (long long)id, subject), f))
		return false;
	printf("approval %lld: the TPM with endorsement key ", (long long)id);
	put_hex(ek);
	printf(" (%s)\n", subject);
	return true;
}

static bool approve_digest(struct store *s, const char *hex, struct fault *f)
{
	uint8_t ek[SHA384_SIZE];

	if (!hex_decode(ek, sizeof(ek), hex))
		return fault_set(f, FAULT_USAGE, "--ek",
				 "96 hexadecimal digits: SHA-384 of the EK's SubjectPublicKeyInfo", hex);
	return approve_ek(s, ek, "by its digest", f);
}

static bool approve_file(struct store *s, const char *path, struct fault *f)
{
	char subject[EKID_SUBJECT_MAX];
	uint8_t ek[SHA384_SIZE];

	return ekid_of_file(path, ek, subject, f) && approve_ek(s, ek, subject, f);
}

static bool approve_pending(struct store *s, const char *number, struct fault *f)
{
	struct store_pending *list = NULL;
	const struct store_pending *found = NULL;
	uint64_t id;
	size_t count;
	bool ok;

	if (!command_number(number, INT64_MAX, &id, "--pending", f) || !store_list_pending(s, &list, &count, f)) {
		free(list);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		if (list[i].id == (int64_t)id)
			found = &list[i];
	ok = found ? approve_ek(s, found->ek, found->subject, f)
		   : fault_set(f, FAULT_USAGE, "--pending", "the number of a TPM that waits (lzr-verify approvals)",
			       number);
	free(list);
	return ok;
}

static bool approve_maker(void *context, struct bytes der, const char *subject, struct fault *f)
{
	struct store *s = context;
	uint8_t digest[SHA384_SIZE];
	int64_t id;

	sha384(digest, der.data, der.length);
	if (!store_approve(s, STORE_APPROVE_ANY_OF, digest, subject, der, &id, f) ||
	    !store_event(s, 0, f, "approval %lld: every TPM below %s", (long long)id, subject))
		return false;
	printf("approval %lld: EVERY TPM whose EK certificate leads to %s\n", (long long)id, subject);
	return true;
}

static bool approve_any_of(struct store *s, const char *path, struct fault *f)
{
	return store_begin(s, f) && store_end(s, ekid_certificates(path, approve_maker, s, f), f);
}

static bool remove_approval(struct store *s, const char *number, struct fault *f)
{
	uint64_t id;

	if (!command_number(number, INT64_MAX, &id, "--remove", f) || !store_begin(s, f) ||
	    !store_end(s, store_unapprove(s, (int64_t)id, f) &&
				  store_event(s, 0, f, "approval %s removed", number), f))
		return false;
	printf("approval %s is removed; machines that came in by it stay (lzr-verify forget)\n", number);
	return true;
}

static bool approve(const struct options *o, struct store *s, struct fault *f)
{
	const char *const given[] = { o->ek, o->ek_cert, o->pending, o->any_of, o->remove };
	unsigned int count = 0;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		count += given[i] != NULL;
	if (count != 1)
		return fault_set_number(f, FAULT_USAGE, "of --ek, --ek-cert, --pending, --any-of, --remove", 1, count);
	if (!store_open(s, o->state, f) || !store_writable(s, f))
		return false;
	return o->ek	      ? approve_digest(s, o->ek, f)
	       : o->ek_cert   ? approve_file(s, o->ek_cert, f)
	       : o->pending ? approve_pending(s, o->pending, f)
	       : o->any_of    ? approve_any_of(s, o->any_of, f)
			      : remove_approval(s, o->remove, f);
}

int command_approve(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	bool ok;

	if (!command_parse(argc, argv, "state! ek ek-cert pending any-of remove", &o))
		return 2;
	ok = approve(&o, &s, &f);
	store_close(&s);
	return ok ? 0 : command_fail(&f);
}

static bool put_approvals(struct store *s, struct fault *f)
{
	struct store_approval *list;
	size_t count;
	char when[32];

	if (!store_list_approvals(s, &list, &count, f))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct store_approval *a = &list[i];

		pick_time(a->made_ms, when);
		printf("approval %lld: %s %s\n    by %s, %s\n    %s ", (long long)a->id,
		       a->kind == STORE_APPROVE_EK ? "one TPM," : "EVERY TPM below", a->subject, a->by, when,
		       a->kind == STORE_APPROVE_EK ? "endorsement key" : "certificate");
		put_hex(a->digest);
		putchar('\n');
	}
	store_free_approvals(list, count);
	return true;
}

static bool put_pending(struct store *s, struct fault *f)
{
	struct store_pending *list;
	char first[32], last[32];
	size_t count;
	bool ok = store_list_pending(s, &list, &count, f);

	for (size_t i = 0; ok && i < count; i++) {
		pick_time(list[i].first_ms, first);
		pick_time(list[i].last_ms, last);
		printf("pending %lld: %s\n    asked %lld times, %s to %s\n    endorsement key ", (long long)list[i].id,
		       list[i].subject, (long long)list[i].tries, first, last);
		put_hex(list[i].ek);
		putchar('\n');
	}
	free(list);
	return ok;
}

int command_approvals(int argc, char **argv)
{
	struct store s = { .lock_fd = -1 };
	struct fault f = { 0 };
	struct options o;
	bool ok;

	if (!command_parse(argc, argv, "state!", &o))
		return 2;
	ok = store_open(&s, o.state, &f) && put_approvals(&s, &f) && put_pending(&s, &f);
	store_close(&s);
	return ok ? 0 : command_fail(&f);
}
