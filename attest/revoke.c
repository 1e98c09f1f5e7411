/* SPDX-License-Identifier: Apache-2.0 */
#include "revoke.h"
#include "result.h"

#include <inttypes.h>
#include <time.h>

/* The switch counts a lease from its nonce, which is older than the lease is here. */
#define NONCE_AGE_MS 10000

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000;
}

bool revoke_has_lease(const struct store_vm *vm)
{
	return vm->port_state == LZR_PORT_ADMITTED ||
	       (vm->has_lease && vm->lease.instance == vm->told.instance && vm->lease_ends_ms > now_ms());
}

bool revoke_lease_ran_out(const struct store_vm *vm)
{
	return vm->port_state == LZR_PORT_BLOCKED && vm->has_lease && vm->lease.instance == vm->told.instance &&
	       vm->lease_ends_ms != 0 && vm->lease_ends_ms <= now_ms() + NONCE_AGE_MS;
}

bool revoke_vm(struct store *s, struct key *key, const struct store_vm *vm, enum store_end_kind kind,
	       const char *reason, struct fault *f)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result revocation;
	uint64_t serial;

	if (!vm->has_port || bytes_all(vm->told.port_nonce, sizeof(vm->told.port_nonce), 0))
		return fault_set_text(f, FAULT_USAGE, vm->name, "a VM with a port that takes leases",
				      vm->has_port ? "its port has told no nonce yet" : "none");
	if (!store_next_serial(s, &serial, f))
		return false;
	result_revocation(&vm->told, serial, &revocation);
	return result_sign(key, &revocation, message, f) &&
	       store_end_lease(s, vm, kind, reason, &revocation, message, f) &&
	       store_event(s, vm->machine, f, "vm=%s revocation serial=%" PRIu64 " %s: %s", vm->name, serial,
			   kind == STORE_END_OPERATOR ? "operator" : "withdrawn", reason);
}
