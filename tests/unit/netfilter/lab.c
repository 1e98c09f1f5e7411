/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <mbedtls/ecdsa.h>
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <string.h>

#include "crypto.h"
#include "lease.h"

const uint8_t lab_outside_mac[6] = { 0x52, 0x54, 0, 1, 2, 3 };
const uint8_t lab_verifier_ip[4] = { 10, 0, 3, 9 };

static mbedtls_ecdsa_context verifier, other;
static mbedtls_hmac_drbg_context generator;
static bool have_keys;

static void make_keys(void)
{
	if (have_keys)
		return;
	mbedtls_hmac_drbg_init(&generator);
	assert_int_equal(mbedtls_hmac_drbg_seed_buf(&generator, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
						    (const uint8_t *)"lab", 3), 0);
	mbedtls_ecdsa_init(&verifier);
	mbedtls_ecdsa_init(&other);
	assert_int_equal(
	    mbedtls_ecdsa_genkey(&verifier, MBEDTLS_ECP_DP_SECP384R1, mbedtls_hmac_drbg_random, &generator), 0);
	assert_int_equal(mbedtls_ecdsa_genkey(&other, MBEDTLS_ECP_DP_SECP384R1, mbedtls_hmac_drbg_random, &generator),
			 0);
	have_keys = true;
}

static void network(struct lzr_switch_network *n, const char *name, uint8_t level, uint64_t categories, uint32_t uplink)
{
	n->label.level = level;
	n->label.categories = categories;
	n->uplink = uplink;
	n->flags = LZR_NETWORK_ALLOW_ALL;
	strcpy(n->name, name);
}

void lab_config(struct swconf *out)
{
	static const uint8_t networks[PORTS] = { NET_SECRET,     NET_SECRET,     NET_RESTRICTED, NET_UNTRUSTED,
						 NET_RESTRICTED, NET_RESTRICTED, NET_OTHER };
	static const uint8_t subnets[NETWORKS] = { 1, 3, 2, 4 };
	unsigned i;

	make_keys();
	memset(out, 0, sizeof(*out));
	memcpy(out->header.magic, LZR_SWITCH_MAGIC, 8);
	out->header.version = LZR_SWITCH_VERSION;
	out->header.network_count = NETWORKS;
	out->header.uplink_count = UPLINKS;
	out->header.port_count = PORTS;
	out->header.endpoint_count = 2;
	out->header.control_pair = PORTS;
	out->header.nonce_interval_ns = NONCE_INTERVAL;
	out->header.verifier_count = 1;
	mbedtls_mpi_write_binary(&verifier.Q.X, out->header.verifiers[0].x, 48);
	mbedtls_mpi_write_binary(&verifier.Q.Y, out->header.verifiers[0].y, 48);
	network(&out->networks[NET_SECRET], "secret", 2, 5, LZR_SWITCH_NONE);
	network(&out->networks[NET_RESTRICTED], "restricted", 1, 1, UP_RESTRICTED);
	network(&out->networks[NET_UNTRUSTED], "untrusted", 0, 0, UP_UNTRUSTED);
	network(&out->networks[NET_OTHER], "other", 1, 1, LZR_SWITCH_NONE);
	out->uplinks[UP_RESTRICTED] = (struct lzr_switch_uplink){ 4, NET_RESTRICTED, "nic0" };
	out->uplinks[UP_UNTRUSTED] = (struct lzr_switch_uplink){ 5, NET_UNTRUSTED, "nic1" };
	for (i = 0; i < PORTS; i++) {
		struct lzr_switch_port *p = &out->ports[i];
		uint8_t subnet = subnets[networks[i]];

		p->kind = i == ATTESTOR ? LZR_PORT_ATTESTOR : LZR_PORT_GUEST;
		p->pair = i;
		p->vm = i + 3;
		p->network = networks[i];
		if (i != ATTESTOR) {
			p->lease_end = LZR_LEASE_END_QUARANTINE;
			p->lease_max_ns = LEASE_MAX;
			p->verifiers = 1;
		}
		p->inspection = LZR_SWITCH_NONE;
		memcpy(p->mac, (uint8_t[]){ 2, 0x4c, 0x5a, 0, 1, (uint8_t)i }, 6);
		memcpy(p->ipv4, (uint8_t[]){ 10, 0, subnet, (uint8_t)(20 + i) }, 4);
		if (networks[i] == NET_RESTRICTED || networks[i] == NET_UNTRUSTED)
			memcpy(p->gateway, (uint8_t[]){ 10, 0, subnet, 2 }, 4);
	}
	for (i = 0; i < 2; i++) {
		struct lzr_switch_endpoint *e = &out->endpoints[i];

		e->port = ATTESTOR;
		e->uplink = UP_RESTRICTED;
		memcpy(e->ipv4, i == 0 ? lab_verifier_ip : (const uint8_t[]){ 10, 0, 2, 9 }, 4);
		e->protocol = i == 0 ? 6 : 17;
		e->l4port = i == 0 ? LAB_VERIFIER_PORT : 500;
	}
}

static void append(struct lab_block *out, const void *data, size_t length)
{
	memcpy(out->bytes + out->size, data, length);
	out->size += (uint32_t)length;
}

void lab_write(const struct swconf *config, struct lab_block *out)
{
	struct lzr_switch_header header = config->header;

	memset(out, 0, sizeof(*out));
	append(out, &header, sizeof(header));
	append(out, config->networks, header.network_count * sizeof(config->networks[0]));
	append(out, config->uplinks, header.uplink_count * sizeof(config->uplinks[0]));
	append(out, config->ports, header.port_count * sizeof(config->ports[0]));
	append(out, config->endpoints, header.endpoint_count * sizeof(config->endpoints[0]));
	append(out, config->rules, header.rule_count * sizeof(config->rules[0]));
	append(out, config->sets, header.set_count * sizeof(config->sets[0]));
	append(out, config->members, header.member_count * sizeof(config->members[0]));
	append(out, config->services, header.service_count * sizeof(config->services[0]));
	append(out, config->matches, header.match_count * sizeof(config->matches[0]));
	header.size = out->size;
	memcpy(out->bytes, &header, sizeof(header));
}

void lab_switch_of(struct nswitch *sw, const struct swconf *config)
{
	static const uint8_t seed[CRYPTO_SEED_SIZE] = { 1, 2, 3 };
	struct lab_block block;
	uint32_t where;

	memset(sw, 0, sizeof(*sw));
	lab_write(config, &block);
	assert_null(swconf_load(&sw->config, block.bytes, block.size, &where));
	assert_true(crypto_init(seed, sw->config.header.verifiers, sw->config.header.verifier_count));
	assert_true(switch_init(sw));
}

void lab_switch(struct nswitch *sw)
{
	struct swconf config;

	lab_config(&config);
	lab_switch_of(sw, &config);
}

struct lzr_peer lab_peer(const struct swconf *config, unsigned port, uint64_t instance)
{
	static const char *const names[PORTS] = { "red", "archive", "blue", "visitor", "attestor", "green", "alone" };
	struct lzr_peer peer = { .vm = config->ports[port].vm, .instance = instance };

	peer.flags = port == ATTESTOR ? LZR_PEER_SERVICE : 0;
	peer.label = peer.vm_label = config->networks[config->ports[port].network].label;
	strcpy(peer.name, names[port]);
	memset(peer.measurement, 0x40 + (int)port, sizeof(peer.measurement));
	memset(peer.policy, 0x77, sizeof(peer.policy));
	return peer;
}

void lab_up(struct nswitch *sw, unsigned port, uint64_t instance, uint64_t now)
{
	struct lzr_peer peer = lab_peer(&sw->config, port, instance);

	assert_true(port_up(&sw->ports[port], &peer, 1, now));
}

struct lzr_result lab_lease(const struct port *port, uint64_t duration)
{
	struct lzr_result r = { .type = LZR_RESULT_LEASE, .vm = port->peer.vm, .instance = port->peer.instance };

	memcpy(r.magic, LZR_RESULT_MAGIC, sizeof(r.magic));
	r.label = port->peer.vm_label;
	memcpy(r.name, port->peer.name, sizeof(r.name));
	memcpy(r.measurement, port->peer.measurement, sizeof(r.measurement));
	memcpy(r.policy, port->peer.policy, sizeof(r.policy));
	memcpy(r.port_nonce, port->nonce, sizeof(r.port_nonce));
	r.duration_ns = duration;
	return r;
}

static void sign(mbedtls_ecdsa_context *key, const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE])
{
	static const uint8_t head[] = LZR_RESULT_HEAD, tail[] = LZR_RESULT_TAIL, tbs[] = LZR_RESULT_TBS;
	uint8_t message[sizeof(tbs) + sizeof(*result)], digest[48];
	mbedtls_mpi r, s;

	memcpy(message, tbs, sizeof(tbs));
	memcpy(message + sizeof(tbs), result, sizeof(*result));
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	assert_int_equal(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA384), message, sizeof(message), digest), 0);
	assert_int_equal(mbedtls_ecdsa_sign(&key->grp, &r, &s, &key->d, digest, sizeof(digest),
					    mbedtls_hmac_drbg_random, &generator),
			 0);
	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), result, sizeof(*result));
	memcpy(out + sizeof(head) + sizeof(*result), tail, sizeof(tail));
	mbedtls_mpi_write_binary(&r, out + LZR_RESULT_SIZE - 96, 48);
	mbedtls_mpi_write_binary(&s, out + LZR_RESULT_SIZE - 48, 48);
	mbedtls_mpi_free(&r);
	mbedtls_mpi_free(&s);
}

void lab_sign(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE])
{
	sign(&verifier, result, out);
}

void lab_sign_other(const struct lzr_result *result, uint8_t out[LZR_RESULT_SIZE])
{
	sign(&other, result, out);
}

struct lzr_switch_key lab_other_key(void)
{
	struct lzr_switch_key key;

	mbedtls_mpi_write_binary(&other.Q.X, key.x, sizeof(key.x));
	mbedtls_mpi_write_binary(&other.Q.Y, key.y, sizeof(key.y));
	return key;
}

uint64_t lab_now, lab_tick;

uint64_t lab_clock(void)
{
	uint64_t now = lab_now;

	lab_now += lab_tick;
	return now;
}

enum lzr_control_status lab_apply(struct port *port, const uint8_t *result, uint32_t length, uint64_t now)
{
	lab_now = now;
	return lease_apply(port, result, length, lab_clock);
}

bool lab_handle(struct nswitch *sw, const uint8_t *request, uint32_t length, uint64_t now,
		struct lzr_control_message *answer)
{
	lab_now = now;
	return control_handle(sw, request, length, lab_clock, answer);
}

void lab_admit(struct nswitch *sw, unsigned port, uint64_t instance, uint64_t now)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct lzr_result lease;

	lab_up(sw, port, instance, now);
	lease = lab_lease(&sw->ports[port], LEASE_MAX);
	lab_sign(&lease, message);
	assert_int_equal(lab_apply(&sw->ports[port], message, sizeof(message), now), LZR_CTL_OK);
}

struct lab_frame lab_frame(const struct swconf *config, unsigned from, unsigned to)
{
	struct lab_frame f = { .type = 0x0800, .kind = FRAME_UDP, .l4_source = 1000, .l4_target = 2000,
			       .icmp_type = FRAME_ICMP_ECHO };

	memcpy(f.source, config->ports[from].mac, 6);
	memcpy(f.target, config->ports[to].mac, 6);
	memcpy(f.ip_source, config->ports[from].ipv4, 4);
	memcpy(f.ip_target, config->ports[to].ipv4, 4);
	return f;
}

struct lab_frame lab_frame_in(const struct swconf *config, const uint8_t ip[4], unsigned to)
{
	struct lab_frame f = lab_frame(config, to, to);

	memcpy(f.source, lab_outside_mac, 6);
	memcpy(f.ip_source, ip, 4);
	return f;
}

void lab_arp(struct lab_frame *f, bool request)
{
	f->type = 0x0806;
	f->kind = request ? FRAME_ARP_REQUEST : FRAME_ARP_REPLY;
	memcpy(f->arp_sender, f->source, 6);
	memcpy(f->arp_target, f->target, 6);
	if (request) {
		memset(f->target, 0xff, 6);
		memset(f->arp_target, 0, 6);
	}
}

void lab_checksum(uint8_t *frame)
{
	uint32_t sum = 0;
	unsigned i;

	frame[24] = frame[25] = 0;
	for (i = 14; i < 34; i += 2)
		sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t arp_bytes(const struct lab_frame *f, uint8_t *p)
{
	memcpy(p + 14, (const uint8_t[]){ 0, 1, 8, 0, 6, 4, 0 }, 7);
	p[21] = f->kind == FRAME_ARP_REQUEST ? 1 : 2;
	memcpy(p + 22, f->arp_sender, 6);
	memcpy(p + 28, f->ip_source, 4);
	memcpy(p + 32, f->arp_target, 6);
	memcpy(p + 38, f->ip_target, 4);
	return 60;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

/* 40 bytes of header: 20 of options. */
static void tcp_bytes(const struct lab_frame *f, uint8_t *p)
{
	put32(p + 4, f->tcp_sequence);
	put32(p + 8, f->tcp_acknowledged);
	p[12] = 0xa0;
	p[13] = f->tcp_flags;
	put16(p + 14, f->tcp_window);
	if (f->tcp_scale != 0)
		memcpy(p + 20, (const uint8_t[]){ 2, 4, 5, 0xb4, 1, 3, 3, (uint8_t)(f->tcp_scale - 1) }, 8);
}

uint32_t lab_bytes(const struct lab_frame *f, uint8_t out[FRAME_MAX])
{
	static const uint8_t protocols[] = { [FRAME_ICMP] = 1, [FRAME_UDP] = 17, [FRAME_TCP] = 6 };
	unsigned payload = f->kind == FRAME_TCP ? 40u + f->payload : f->about != NULL ? 36 : 30;
	uint8_t inner[FRAME_MAX];

	memset(out, 0, FRAME_MAX);
	memcpy(out, f->target, 6);
	memcpy(out + 6, f->source, 6);
	put16(out + 12, f->type);
	if (f->kind == FRAME_ARP_REQUEST || f->kind == FRAME_ARP_REPLY)
		return arp_bytes(f, out);
	out[14] = 0x45;
	put16(out + 16, 20 + payload);
	put16(out + 20, f->fragment);
	out[22] = 64;
	out[23] = protocols[f->kind];
	memcpy(out + 26, f->ip_source, 4);
	memcpy(out + 30, f->ip_target, 4);
	lab_checksum(out);
	if (f->kind == FRAME_ICMP) {
		out[34] = f->icmp_type;
		out[35] = f->icmp_code;
		put16(out + 38, f->icmp_echo);
		if (f->about != NULL) {
			lab_bytes(f->about, inner);
			memcpy(out + 42, inner + 14, 28);
		}
	} else {
		put16(out + 34, f->l4_source);
		put16(out + 36, f->l4_target);
		if (f->kind == FRAME_UDP)
			put16(out + 38, payload);
		else
			tcp_bytes(f, out + 34);
	}
	return 34 + payload + f->trailing;
}

void lab_switch_admitted(struct nswitch *sw)
{
	lab_switch(sw);
	for (unsigned i = 0; i < PORTS; i++) {
		if (i == ATTESTOR || i == VISITOR)
			lab_up(sw, i, 1, 0);
		else
			lab_admit(sw, i, 1, 0);
	}
}
