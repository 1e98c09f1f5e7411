/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <string.h>

static const char magic[8] = LZR_RESULT_MAGIC;

void result_lease(const struct evidence *e, uint64_t duration_ns, uint64_t serial, struct lzr_result *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->magic, magic, sizeof(magic));
	out->type = LZR_RESULT_LEASE;
	out->vm = e->vm;
	out->instance = e->instance;
	out->label = e->label;
	memcpy(out->name, e->name, sizeof(out->name));
	memcpy(out->measurement, e->measurement, sizeof(out->measurement));
	memcpy(out->policy, e->policy, sizeof(out->policy));
	memcpy(out->port_nonce, e->port.nonce, sizeof(out->port_nonce));
	out->duration_ns = duration_ns;
	out->serial = serial;
}

void result_revocation(const struct lzr_result *lease, uint64_t serial, struct lzr_result *out)
{
	*out = *lease;
	out->type = LZR_RESULT_REVOCATION;
	out->duration_ns = 0;
	out->serial = serial;
}

bool result_sign(struct key *k, const struct lzr_result *r, uint8_t out[LZR_RESULT_SIZE], struct fault *f)
{
	size_t n = cose_sign1(k, (struct bytes){ (const uint8_t *)r, sizeof(*r) }, out, LZR_RESULT_SIZE);

	return n == LZR_RESULT_SIZE ||
	       fault_set(f, FAULT_RESULT, "result", "the verifier's private key", "no signature");
}

bool result_open(struct key *k, struct bytes message, struct lzr_result *r, struct fault *f)
{
	struct cose_message m;

	if (message.length != LZR_RESULT_SIZE)
		return fault_set_number(f, FAULT_RESULT, "result's length", LZR_RESULT_SIZE, message.length);
	if (!cose_open(message, &m, f))
		return false;
	if (m.payload.length != sizeof(*r))
		return fault_set_number(f, FAULT_RESULT, "result's payload", sizeof(*r), m.payload.length);
	if (!cose_verify(k, &m))
		return fault_set(f, FAULT_RESULT, "result", "a signature by the verifier's key", "it does not verify");
	memcpy(r, m.payload.data, sizeof(*r));
	if (memcmp(r->magic, magic, sizeof(magic)) != 0 ||
	    (r->type != LZR_RESULT_LEASE && r->type != LZR_RESULT_REVOCATION))
		return fault_set(f, FAULT_RESULT, "result", "magic LZRRES1 and a known type", "something else");
	return true;
}
