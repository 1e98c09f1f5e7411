/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame parser.  Formats: IEEE 802.3 (Ethernet II framing), RFC 826 and RFC 5227 (ARP), RFC 791 (IPv4), RFC 792 (ICMP),
 * RFC 768 (UDP), RFC 9293 (TCP), RFC 7323 (window scale), RFC 2131 (DHCP).
 */
#include "frame.h"

#include <string.h>

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	ARP_SIZE = 28,
	IPV4_SIZE = 20,
	ICMP_SIZE = 8,
	UDP_SIZE = 8,
	TCP_SIZE = 20,
	INNER_L4_SIZE = 8,
	TCP_OPTION_END = 0,
	TCP_OPTION_NONE = 1,
	TCP_OPTION_SCALE = 3,
	TCP_SCALE_MAX = 14,
	DHCP_SERVER = 67,
	DHCP_CLIENT = 68,
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return __builtin_bswap32(value);
}

uint64_t frame_mac(const uint8_t p[6])
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, p, sizeof(low));
	memcpy(&high, p + 4, sizeof(high));
	return low | (uint64_t)high << 32;
}

uint32_t frame_ip(const uint8_t p[4])
{
	uint32_t ip;

	memcpy(&ip, p, sizeof(ip));
	return ip;
}

bool frame_ip_is_host(uint32_t ip)
{
	uint8_t first = (uint8_t)ip;

	return first != 0 && first != 127 && first < 224;
}

static enum nf_reason parse_arp(const uint8_t *p, uint32_t length, struct frame *out)
{
	static const uint8_t ethernet_ipv4[6] = { 0, 1, 8, 0, 6, 4 };
	uint16_t operation;

	if (length < FRAME_HEADER + ARP_SIZE)
		return NF_SHORT;
	if (length > FRAME_PADDED)      /* rules are not for ARP: nothing rides behind it */
		return NF_LONG;
	operation = be16(p + 6);
	if (memcmp(p, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0 || operation < 1 || operation > 2)
		return NF_ARP;
	if (frame_mac(p + 8) != out->mac_source)
		return NF_ARP;
	if (operation == 2 && out->mac_target != FRAME_MAC_BROADCAST && frame_mac(p + 18) != out->mac_target)
		return NF_ARP;
	out->kind = operation == 1 ? FRAME_ARP_REQUEST : FRAME_ARP_REPLY;
	out->ip_source = frame_ip(p + 14);
	out->ip_target = frame_ip(p + 24);
	if (!frame_ip_is_host(out->ip_source) && !frame_is_probe(out))
		return NF_ARP;
	return frame_ip_is_host(out->ip_target) || frame_is_probe_answer(out) ? NF_PASS : NF_ARP;
}

/* The order of bytes does not matter to this sum (RFC 1071, section 2). */
static bool is_checksum_right(const uint8_t *p)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < IPV4_SIZE; i += 4)
		sum += frame_ip(p + i);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* The window scale among a SYN's `length` bytes of options. */
static uint8_t window_scale(const uint8_t *p, uint32_t length)
{
	uint32_t i = 0;

	while (i < length && p[i] != TCP_OPTION_END) {
		if (p[i] == TCP_OPTION_NONE) {
			i++;
			continue;
		}
		if (length - i < 2 || p[i + 1] < 2 || p[i + 1] > length - i)
			break;
		if (p[i] == TCP_OPTION_SCALE && p[i + 1] == 3)
			return p[i + 2] < TCP_SCALE_MAX ? p[i + 2] : TCP_SCALE_MAX;
		i += p[i + 1];
	}
	return FRAME_NO_SCALE;
}

static enum nf_reason parse_tcp(const uint8_t *p, uint32_t length, struct frame *out)
{
	uint32_t offset;

	if (length < TCP_SIZE)
		return NF_TCP;
	offset = (p[12] >> 4) * 4u;
	if (offset < TCP_SIZE || offset > length)
		return NF_TCP;
	out->tcp_flags = p[13];
	out->tcp_sequence = be32(p + 4);
	out->tcp_acknowledged = be32(p + 8);
	out->tcp_window = be16(p + 14);
	out->tcp_length = (uint16_t)(length - offset + (p[13] & FRAME_TCP_FIN) + (p[13] >> 1 & 1));
	out->tcp_scale = (p[13] & FRAME_TCP_SYN) != 0 ? window_scale(p + TCP_SIZE, offset - TCP_SIZE) : FRAME_NO_SCALE;
	return NF_PASS;
}

static uint8_t kind_of(uint8_t protocol)
{
	return protocol == 1 ? FRAME_ICMP : protocol == 6 ? FRAME_TCP : protocol == 17 ? FRAME_UDP : 0;
}

/* What an error is about, `length` bytes.  Options and fragments do not get through, so no error is about them. */
static void parse_inner(const uint8_t *p, uint32_t length, struct frame_inner *out)
{
	const uint8_t *l4 = p + IPV4_SIZE;
	uint8_t kind;

	if (length < IPV4_SIZE + INNER_L4_SIZE || p[0] != 0x45 || (be16(p + 6) & 0x1fff) != 0)
		return;
	kind = kind_of(p[9]);
	out->ip_source = frame_ip(p + 12);
	out->ip_target = frame_ip(p + 16);
	if (kind == FRAME_ICMP) {
		if ((l4[0] != FRAME_ICMP_ECHO && l4[0] != FRAME_ICMP_REPLY) || l4[1] != 0)
			return;
		out->icmp_type = l4[0];
		out->l4_source = out->l4_target = be16(l4 + 4);
	} else {
		out->l4_source = be16(l4);
		out->l4_target = be16(l4 + 2);
		out->tcp_sequence = be32(l4 + 4);
	}
	out->kind = kind;
}

static enum nf_reason parse_icmp(const uint8_t *p, uint32_t length, struct frame *out)
{
	if (length < ICMP_SIZE)
		return NF_ICMP;
	out->icmp_type = p[0];
	out->icmp_code = p[1];
	if ((p[0] == FRAME_ICMP_ECHO || p[0] == FRAME_ICMP_REPLY) && p[1] == 0)
		out->icmp_echo = be16(p + 4);
	if (p[0] == FRAME_ICMP_UNREACHABLE || p[0] == FRAME_ICMP_TIME || p[0] == FRAME_ICMP_PARAMETER)
		parse_inner(p + ICMP_SIZE, length - ICMP_SIZE, &out->inner);
	return NF_PASS;
}

/* `length` bytes of IPv4 payload at `p`, not a fragment. */
static enum nf_reason parse_l4(const uint8_t *p, uint32_t length, struct frame *out)
{
	enum nf_reason reason = NF_PASS;

	if (out->kind == FRAME_ICMP)
		return parse_icmp(p, length, out);
	if (out->kind == FRAME_TCP)
		reason = parse_tcp(p, length, out);
	else if (length < UDP_SIZE || be16(p + 4) != length)
		reason = NF_UDP;
	if (reason != NF_PASS)
		return reason;
	out->l4_source = be16(p);
	out->l4_target = be16(p + 2);
	return NF_PASS;
}

/* A packet from address zero: a host that asks for one by DHCP, or nonsense. */
static enum nf_reason from_nobody(const uint8_t *p, uint32_t total, const struct frame *f)
{
	if (p[9] == 17 && !f->fragment && total >= IPV4_SIZE + UDP_SIZE && f->ip_target == 0xffffffff &&
	    be16(p + IPV4_SIZE) == DHCP_CLIENT && be16(p + IPV4_SIZE + 2) == DHCP_SERVER)
		return NF_DHCP;
	return NF_IPV4;
}

static enum nf_reason parse_ipv4(const uint8_t *p, uint32_t length, struct frame *out)
{
	uint32_t total, fragment;

	if (length < FRAME_HEADER + IPV4_SIZE)
		return NF_SHORT;
	if (p[0] != 0x45)
		return p[0] >> 4 == 4 && (p[0] & 15) > 5 ? NF_OPTIONS : NF_IPV4;
	total = be16(p + 2);
	if (total < IPV4_SIZE)
		return NF_IPV4;
	if (total > length - FRAME_HEADER)
		return NF_SHORT;
	fragment = be16(p + 6);
	if ((fragment & 0x8000) != 0 || p[8] == 0 || !is_checksum_right(p))
		return NF_IPV4;
	out->fragment = (fragment & 0x3fff) != 0;
	if ((fragment & 0x1fff) * 8 + total > 0xffff)
		return NF_IPV4;
	out->ip_source = frame_ip(p + 12);
	out->ip_target = frame_ip(p + 16);
	if (out->ip_source == 0)
		return from_nobody(p, total, out);
	if (!frame_ip_is_host(out->ip_source) || (uint8_t)out->ip_target == 0 || (uint8_t)out->ip_target == 127)
		return NF_IPV4;
	out->kind = kind_of(p[9]);
	if (out->kind == 0)
		return NF_PROTOCOL;
	return out->fragment ? NF_PASS : parse_l4(p + IPV4_SIZE, total - IPV4_SIZE, out);
}

enum nf_reason frame_parse(const uint8_t *bytes, uint32_t length, struct frame *out)
{
	if (length < FRAME_HEADER)
		return NF_SHORT;
	if (length > FRAME_MAX)
		return NF_LONG;
	out->mac_target = frame_mac(bytes);
	out->mac_source = frame_mac(bytes + 6);
	out->l4_source = out->l4_target = 0;
	out->fragment = false;
	out->tcp_flags = out->icmp_type = 0;
	out->icmp_echo = 0;
	out->inner.kind = 0;
	if ((out->mac_source & FRAME_MAC_GROUP) != 0 || out->mac_source == 0)
		return NF_SOURCE_MAC;
	switch (be16(bytes + 12)) {
	case TYPE_IPV4:
		return parse_ipv4(bytes + FRAME_HEADER, length, out);
	case TYPE_ARP:
		return parse_arp(bytes + FRAME_HEADER, length, out);
	case TYPE_IPV6:
		return NF_IPV6;
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
		return NF_VLAN;
	default:
		return NF_ETHERTYPE;
	}
}
