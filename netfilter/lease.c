/* SPDX-License-Identifier: Apache-2.0 */
#include "lease.h"

#include <string.h>

#include "crypto.h"

/* Compares all bytes whatever they are. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t length)
{
	uint8_t difference = 0;

	while (length-- != 0)
		difference |= *a++ ^ *b++;
	return difference == 0;
}

/* Takes the fixed-layout COSE_Sign1 apart and checks its form; signature included. */
static enum lzr_control_status open_result(const uint8_t *bytes, uint32_t length, unsigned keys,
					   struct lzr_result *out)
{
	static const uint8_t head[LZR_RESULT_HEAD_SIZE] = LZR_RESULT_HEAD;
	static const uint8_t tail[LZR_RESULT_TAIL_SIZE] = LZR_RESULT_TAIL;
	static const uint8_t to_be_signed[LZR_RESULT_TBS_SIZE] = LZR_RESULT_TBS;
	const uint8_t *payload = bytes + sizeof(head);
	const uint8_t *signature = payload + sizeof(*out) + sizeof(tail);
	uint8_t message[sizeof(to_be_signed) + sizeof(*out)];

	if (length != LZR_RESULT_SIZE || memcmp(bytes, head, sizeof(head)) != 0 ||
	    memcmp(payload + sizeof(*out), tail, sizeof(tail)) != 0)
		return LZR_CTL_MALFORMED;
	memcpy(out, payload, sizeof(*out));
	if (memcmp(out->magic, LZR_RESULT_MAGIC, sizeof(out->magic)) != 0 ||
	    (out->type != LZR_RESULT_LEASE && out->type != LZR_RESULT_REVOCATION))
		return LZR_CTL_MALFORMED;
	memcpy(message, to_be_signed, sizeof(to_be_signed));
	memcpy(message + sizeof(to_be_signed), out, sizeof(*out));
	return crypto_verify(message, sizeof(message), signature, keys) ? LZR_CTL_OK : LZR_CTL_SIGNATURE;
}

/* The five that a result names must be those the hypervisor gave for this port. */
static enum lzr_control_status check_identity(const struct lzr_peer *peer, const struct lzr_result *result)
{
	if (result->vm != peer->vm || memcmp(result->name, peer->name, sizeof(peer->name)) != 0)
		return LZR_CTL_WRONG_VM;
	if (result->instance != peer->instance)
		return LZR_CTL_WRONG_INSTANCE;
	if (!is_same(result->measurement, peer->measurement, sizeof(peer->measurement)))
		return LZR_CTL_WRONG_MEASUREMENT;
	if (memcmp(&result->label, &peer->vm_label, sizeof(peer->vm_label)) != 0)
		return LZR_CTL_WRONG_LABEL;
	if (!is_same(result->policy, peer->policy, sizeof(peer->policy)))
		return LZR_CTL_WRONG_POLICY;
	return LZR_CTL_OK;
}

static enum lzr_control_status check_lease(const struct port *port, const struct lzr_result *result, uint64_t now)
{
	if (port->shut)
		return LZR_CTL_SHUT;
	if (!port->has_nonce || !is_same(result->port_nonce, port->nonce, sizeof(port->nonce)))
		return LZR_CTL_WRONG_NONCE;
	if (result->duration_ns == 0 || result->duration_ns > port->lease_max)
		return LZR_CTL_DURATION;
	if (now - port->nonce_issued >= result->duration_ns)
		return LZR_CTL_EXPIRED;
	return LZR_CTL_OK;
}

static enum lzr_control_status check_revocation(const struct port *port, const struct lzr_result *result)
{
	bool outstanding = port->has_nonce && is_same(result->port_nonce, port->nonce, sizeof(port->nonce));
	bool leased =
	    port->has_lease_nonce && is_same(result->port_nonce, port->lease_nonce, sizeof(port->lease_nonce));

	if (!outstanding && !leased)
		return LZR_CTL_WRONG_NONCE;
	return result->duration_ns == 0 ? LZR_CTL_OK : LZR_CTL_DURATION;
}

static void admit(struct port *port, uint64_t duration)
{
	port_unblock(port);
	port->state = LZR_PORT_ADMITTED;
	port->lease_end = port->nonce_issued + duration;
	memcpy(port->lease_nonce, port->nonce, sizeof(port->nonce));
	port->has_lease_nonce = true;
	port->has_nonce = false;
	memset(port->nonce, 0, sizeof(port->nonce));
}

static void revoke(struct port *port)
{
	port_block(port, port->shut);
	port->epoch++;
	port->lease_end = 0;
	port->has_nonce = false;
	port->has_lease_nonce = false;
	memset(port->nonce, 0, sizeof(port->nonce));
	memset(port->lease_nonce, 0, sizeof(port->lease_nonce));
}

enum lzr_control_status lease_apply(struct port *port, const uint8_t *result, uint32_t length, lease_clock *clock)
{
	struct lzr_result copy;
	enum lzr_control_status status;
	uint64_t now;

	if (port->state == LZR_PORT_DOWN)
		return LZR_CTL_NO_PORT;
	if (port->kind != LZR_PORT_GUEST)
		return LZR_CTL_KIND;
	status = open_result(result, length, port->verifiers, &copy);
	if (status == LZR_CTL_OK)
		status = check_identity(&port->peer, &copy);
	now = clock();
	(void)port_state(port, now);    /* a lease may have run out meanwhile */
	if (status != LZR_CTL_OK)
		return status;
	if (copy.type == LZR_RESULT_REVOCATION) {
		status = check_revocation(port, &copy);
		if (status == LZR_CTL_OK)
			revoke(port);
		return status;
	}
	status = check_lease(port, &copy, now);
	if (status == LZR_CTL_OK)
		admit(port, copy.duration_ns);
	return status;
}
