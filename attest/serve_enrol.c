/* SPDX-License-Identifier: Apache-2.0 */
/* The beginning of a session: which machine it is, and how a new one gets in. */
#include "ekid.h"
#include "serve_internal.h"

#include <string.h>

bool serve_hello(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { TPM_NAME_MAX };
	struct fault unknown = { 0 };
	struct store_machine machine;
	struct bytes name;

	if (s->ak_name_length)
		return fault_set(f, FAULT_PROTOCOL, "session", "one hello", "another");
	if (!session_get_strings(payload, &name, max, 1, f))
		return false;
	if (name.length == 0)
		return fault_set(f, FAULT_PROTOCOL, "hello", "an attestation key's Name", "nothing");
	memcpy(s->ak_name, name.data, name.length);
	s->ak_name_length = name.length;
	if (store_find_machine(s->o->store, name, &machine, &unknown)) {
		s->machine = machine.id;
		return serve_challenge(s, f);
	}
	if (unknown.code != FAULT_AK_UNKNOWN || !s->o->roots) {
		*f = unknown;
		return serve_refuse(s, f);
	}
	return session_send(s->out, SESSION_ENROL, (struct bytes){ NULL, 0 }, f);
}

bool serve_endorsement(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { EKCERT_MAX, TPM_PUBLIC_MAX, TPM_PUBLIC_MAX };
	struct bytes part[3];
	struct credential credential;
	uint8_t out[CREDENTIAL_BLOB_MAX + CREDENTIAL_SEED_MAX + 16];
	size_t n;

	if (!s->o->roots || s->machine || !s->ak_name_length)
		return fault_set(f, FAULT_PROTOCOL, "session", "no endorsement where none was asked for", "one");
	if (!session_get_strings(payload, part, max, 3, f))
		return false;
	if (!enrol_begin(s->o->roots, part[0], part[1], part[2], &s->enrolment, &credential, f))
		return serve_refuse(s, f);
	if (!bytes_equal((struct bytes){ s->enrolment.ak.name, s->enrolment.ak.name_length },
			 (struct bytes){ s->ak_name, s->ak_name_length })) {
		s->enrolment.pending = false;
		fault_set_digest(f, FAULT_AK_NAME, "attestation key, the one that hello named", s->ak_name,
				 s->enrolment.ak.name, s->ak_name_length);
		return serve_refuse(s, f);
	}
	memcpy(s->ek_certificate, part[0].data, part[0].length);
	s->ek_certificate_length = part[0].length;
	n = session_put_strings(out, sizeof(out),
				(struct bytes[]){ { credential.blob, credential.blob_length },
						  { credential.seed, credential.seed_length } },
				2);
	return session_send(s->out, SESSION_CREDENTIAL, (struct bytes){ out, n }, f);
}

/* By its own key, or as any TPM below a certificate of which an operator has said so; 0: nobody has. */
static bool find_approval(struct server *s, int64_t *id, struct fault *f)
{
	const struct bytes certificate = { s->ek_certificate, s->ek_certificate_length };
	struct store_approval *list;
	size_t count;

	if (!store_approval_of_ek(s->o->store, s->enrolment.ak.ek, id, f))
		return false;
	if (*id)
		return true;
	if (!store_list_approvals(s->o->store, &list, &count, f))
		return false;
	for (size_t i = 0; i < count && !*id; i++)
		if (list[i].kind == STORE_APPROVE_ANY_OF &&
		    ekid_leads_to(certificate, s->o->roots,
				  (struct bytes){ list[i].certificate, list[i].certificate_length }))
			*id = list[i].id;
	store_free_approvals(list, count);
	return true;
}

/* Remembers who asked, so that an operator can approve it by a number. */
static bool keep_waiting(struct server *s, struct fault *why, struct fault *f)
{
	const struct bytes certificate = { s->ek_certificate, s->ek_certificate_length };
	char subject[EKID_SUBJECT_MAX], hex[2 * SHA384_SIZE + 1];
	char expected[sizeof(why->expected)];
	int64_t id;

	ekid_subject(certificate, subject);
	if (!store_add_pending(s->o->store, s->enrolment.ak.ek, subject, &id, f))
		return false;
	hex_encode(hex, s->enrolment.ak.ek, SHA384_SIZE);
	snprintf(expected, sizeof(expected), "an approved one: lzr-verify approve --pending %lld", (long long)id);
	fault_set(why, FAULT_NOT_APPROVED, "endorsement key", expected, hex);
	return true;
}

/* In a transaction: approval and machine belong together. */
static bool enrol(struct server *s, struct fault *why, struct fault *f)
{
	char hex[2 * TPM_NAME_MAX + 1];
	int64_t approval;

	if (!find_approval(s, &approval, f))
		return false;
	if (!approval)
		return keep_waiting(s, why, f);
	if (!store_add_machine(s->o->store, &s->enrolment.ak, approval, &s->machine, f))
		return false;
	hex_encode(hex, s->enrolment.ak.name, s->enrolment.ak.name_length);
	return store_event(s->o->store, s->machine, f, "enrolled ak=%s approval=%lld", hex, (long long)approval);
}

bool serve_activated(struct server *s, struct bytes payload, struct fault *f)
{
	const size_t max[] = { CREDENTIAL_SECRET_SIZE };
	struct fault why = { 0 };
	struct bytes secret;

	if (!session_get_strings(payload, &secret, max, 1, f))
		return false;
	if (!enrol_finish(&s->enrolment, secret, f))
		return serve_refuse(s, f);
	if (!store_begin(s->o->store, f))
		return false;
	if (!store_end(s->o->store, enrol(s, &why, f), f)) {
		s->machine = 0;
		return f->code == FAULT_EK_KEY ? serve_refuse(s, f) : false;
	}
	if (why.code != FAULT_UNCHECKED) {
		*f = why;
		return serve_refuse(s, f);
	}
	return serve_challenge(s, f);
}
