/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame parser.  Formats: IEEE 802.3 (Ethernet II framing), RFC 826 (ARP), RFC 791 (IPv4), RFC 792 (ICMP), RFC 768
 * (UDP), RFC 9293 (TCP).
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
};

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
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

/* Behind `used` bytes of a frame of `length` there may only be padding to the least size of a frame. */
static bool has_only_padding(uint32_t used, uint32_t length)
{
	return used == length || length <= FRAME_PADDED;
}

static enum nf_reason parse_arp(const uint8_t *p, uint32_t length, struct frame *out)
{
	static const uint8_t ethernet_ipv4[6] = { 0, 1, 8, 0, 6, 4 };
	uint16_t operation;

	if (length < FRAME_HEADER + ARP_SIZE)
		return NF_SHORT;
	if (!has_only_padding(FRAME_HEADER + ARP_SIZE, length))
		return NF_LONG;
	operation = be16(p + 6);
	if (memcmp(p, ethernet_ipv4, sizeof(ethernet_ipv4)) != 0 || operation < 1 || operation > 2)
		return NF_ARP;
	if (frame_mac(p + 8) != out->mac_source)
		return NF_ARP;
	if (operation == 2 && frame_mac(p + 18) != out->mac_target)
		return NF_ARP;
	out->kind = operation == 1 ? FRAME_ARP_REQUEST : FRAME_ARP_REPLY;
	out->ip_source = frame_ip(p + 14);
	out->ip_target = frame_ip(p + 24);
	if (!frame_ip_is_host(out->ip_source) || !frame_ip_is_host(out->ip_target))
		return NF_ARP;
	return NF_PASS;
}

static bool is_checksum_right(const uint8_t *p)
{
	uint32_t sum = 0;
	unsigned i;

	for (i = 0; i < IPV4_SIZE; i += 2)
		sum += be16(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* `length` bytes of IPv4 payload at `p`, not a fragment. */
static enum nf_reason parse_l4(const uint8_t *p, uint32_t length, struct frame *out)
{
	uint32_t offset;

	switch (out->kind) {
	case FRAME_ICMP:
		if (length < ICMP_SIZE)
			return NF_ICMP;
		out->icmp_type = p[0];
		if ((p[0] == FRAME_ICMP_ECHO || p[0] == FRAME_ICMP_REPLY) && p[1] == 0)
			out->icmp_echo = be16(p + 4);
		return NF_PASS;
	case FRAME_UDP:
		if (length < UDP_SIZE || be16(p + 4) != length)
			return NF_UDP;
		break;
	default:
		if (length < TCP_SIZE)
			return NF_TCP;
		offset = (p[12] >> 4) * 4u;
		if (offset < TCP_SIZE || offset > length)
			return NF_TCP;
		out->tcp_flags = p[13];
		break;
	}
	out->l4_source = be16(p);
	out->l4_target = be16(p + 2);
	return NF_PASS;
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
	if (!has_only_padding(FRAME_HEADER + total, length))
		return NF_LONG;
	fragment = be16(p + 6);
	if ((fragment & 0x8000) != 0 || p[8] == 0 || !is_checksum_right(p))
		return NF_IPV4;
	out->fragment = (fragment & 0x3fff) != 0;
	if ((fragment & 0x1fff) * 8 + total > 0xffff)
		return NF_IPV4;
	out->ip_source = frame_ip(p + 12);
	out->ip_target = frame_ip(p + 16);
	if (!frame_ip_is_host(out->ip_source) || (uint8_t)out->ip_target == 0 || (uint8_t)out->ip_target == 127)
		return NF_IPV4;
	switch (p[9]) {
	case 1:
		out->kind = FRAME_ICMP;
		break;
	case 6:
		out->kind = FRAME_TCP;
		break;
	case 17:
		out->kind = FRAME_UDP;
		break;
	default:
		return NF_PROTOCOL;
	}
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
