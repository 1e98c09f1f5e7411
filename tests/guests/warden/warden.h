/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The warden: in tests of the network it has the attestor's end of the control channel, and, unlike an attestor, the
 * verifier's private key.  So a test needs neither TPM nor verifier to open and close ports.
 */
#ifndef TEST_WARDEN_H
#define TEST_WARDEN_H

#include <lazaret/lease.h>

#include "rt.h"

/* control.c: the channel. */

/* Opens the device; ends the VM when that fails. */
void control_open(void);
/* Is the switch there? */
bool control_is_up(void);
/* Waits for `ns` nanoseconds; messages about the switch are taken note of meanwhile. */
void control_wait(uint64_t ns);
/* Asks and waits for the answer; false when the switch went away or does not answer within five seconds. */
bool control_ask(uint32_t op, uint32_t port, const uint8_t *result, struct lzr_control_message *answer);

/* sign.c: results. */

/* Takes the private key from its place in memory; ends the VM when it is none. */
void sign_init(void);
/* What the hypervisor says about VM `vm`. */
struct lzr_vm_record sign_record(uint32_t vm);
/* A result for the VM at a port whose nonce is `nonce`. */
struct lzr_result sign_result(enum lzr_result_type type, uint32_t vm, const uint8_t nonce[LZR_PORT_NONCE_SIZE],
			      uint64_t duration);
void sign_message(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE]);

/* main.c: what scenarios share. */

#define WARDEN_SECOND 1000000000ull

/* Asks until there is an answer. */
struct lzr_control_message warden_ask(uint32_t op, uint32_t port, const uint8_t *result);
/* Says the state and the counters of all ports. */
void warden_report(const char *when);
void warden_wait_for_ports(void);
/* A fresh nonce, however long that takes. */
struct lzr_control_message warden_fresh_nonce(uint32_t port);
/* Signs and sends; the switch's status. */
uint32_t warden_deliver(uint32_t port, const struct lzr_result *result);
void warden_admit(uint32_t port, uint64_t duration);

/* network.c, firewall.c: how many ports there are, and what this warden does once they are up. */

extern const uint32_t warden_ports;
void warden_scenario(void);

#endif
