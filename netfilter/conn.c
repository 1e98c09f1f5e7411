/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <string.h>

#define SEARCH 32u      /* entries that one opening looks through when none is free */

enum { ANSWERED = 1, FIN_OPENER = 2, FIN_OTHER = 4, OPENED_BY_PEER = 8 };
#define CLOSED (FIN_OPENER | FIN_OTHER)

struct key {
	uint32_t remote_ip;
	uint16_t local, remote;
	uint8_t protocol;
	bool opener_known;      /* ICMP: the type says who opened */
	bool by_peer;
};

static struct key key_of(const struct conn_way *way, const struct frame *f)
{
	struct key key = { .remote_ip = way->outbound ? f->ip_target : f->ip_source, .protocol = f->kind };

	if (f->kind == FRAME_ICMP) {
		key.local = f->icmp_echo;
		key.opener_known = true;
		key.by_peer = (f->icmp_type == FRAME_ICMP_REPLY) == way->outbound;
	} else {
		key.local = way->outbound ? f->l4_source : f->l4_target;
		key.remote = way->outbound ? f->l4_target : f->l4_source;
	}
	return key;
}

static bool is_echo(const struct frame *f)
{
	return f->icmp_type == FRAME_ICMP_ECHO || f->icmp_type == FRAME_ICMP_REPLY;
}

static uint16_t *chain_of(struct conn_table *table, unsigned owner, const struct key *key)
{
	uint64_t mixed = ((uint64_t)key->remote_ip << 32 | (uint32_t)key->local << 16 | key->remote) ^ key->protocol;

	mixed = (mixed ^ table->seed) * 0x9e3779b97f4a7c15ull;
	mixed = (mixed ^ mixed >> 32 ^ table->seed) * 0xd6e8feb86659fd93ull;
	return &table->chains[owner * table->share + (uint32_t)((mixed >> 32) * table->share >> 32)];
}

static bool is_alive(const struct conn *c, const struct port *ports, unsigned owner, uint64_t now)
{
	return now < c->expires && c->epoch == ports[owner].epoch &&
	       (c->peer == CONN_OUTSIDE || c->peer_epoch == ports[c->peer].epoch);
}

/* Takes the entry out of its chain, of which `link` is the reference to it, and frees it. */
static void end(struct conn_table *table, unsigned owner, uint16_t *link)
{
	uint16_t name = *link;
	struct conn *c = &table->entries[name - 1];

	*link = c->next;
	memset(c, 0, sizeof(*c));
	c->next = table->free[owner];
	table->free[owner] = name;
}

static bool is_it(const struct conn *c, const struct key *key)
{
	return c->remote_ip == key->remote_ip && c->local == key->local && c->remote == key->remote &&
	       c->protocol == key->protocol &&
	       (!key->opener_known || key->by_peer == ((c->flags & OPENED_BY_PEER) != 0));
}

/* The reference to the living entry; dead ones on the way are freed. */
static uint16_t *look_up(struct conn_table *table, const struct port *ports, unsigned owner, const struct key *key,
			 uint64_t now)
{
	uint16_t *link = chain_of(table, owner, key);

	while (*link != 0) {
		struct conn *c = &table->entries[*link - 1];

		if (!is_alive(c, ports, owner, now)) {
			end(table, owner, link);
			continue;
		}
		if (is_it(c, key))
			return link;
		link = &c->next;
	}
	return NULL;
}

void conn_init(struct conn_table *table, uint32_t port_count, uint64_t seed)
{
	uint32_t i, port;

	memset(table, 0, sizeof(*table));
	table->seed = seed;
	table->share = CONN_MAX / port_count;
	for (port = 0; port < port_count; port++) {
		table->free[port] = (uint16_t)(port * table->share + 1);
		for (i = 1; i < table->share; i++)
			table->entries[port * table->share + i - 1].next = (uint16_t)(port * table->share + i + 1);
	}
}

static uint64_t timeout(const struct conn *c)
{
	if (c->protocol == FRAME_TCP)
		return (c->flags & ANSWERED) != 0 ? CONN_TCP_NS : CONN_TCP_OPENING_NS;
	return c->protocol == FRAME_UDP ? CONN_UDP_NS : CONN_ICMP_NS;
}

static bool opens_tcp(const struct frame *f)
{
	return (f->tcp_flags & (FRAME_TCP_SYN | FRAME_TCP_ACK | FRAME_TCP_FIN | FRAME_TCP_RST)) == FRAME_TCP_SYN;
}

bool conn_pass(struct conn_table *table, const struct port *ports, const struct conn_way *way, const struct frame *f,
	       uint64_t now)
{
	struct key key = key_of(way, f);
	bool by_opener, was_closed;
	struct conn *c;
	uint16_t *link;

	if (f->kind == FRAME_ICMP && !is_echo(f))
		return false;
	link = look_up(table, ports, way->owner, &key, now);
	if (link == NULL)
		return false;
	c = &table->entries[*link - 1];
	by_opener = way->outbound == ((c->flags & OPENED_BY_PEER) == 0);
	was_closed = (c->flags & CLOSED) == CLOSED;
	if (f->kind == FRAME_TCP && ((f->tcp_flags & FRAME_TCP_RST) != 0 || (was_closed && opens_tcp(f)))) {
		end(table, way->owner, link);
		return (f->tcp_flags & FRAME_TCP_RST) != 0;
	}
	if (!by_opener)
		c->flags |= ANSWERED;
	if (f->kind == FRAME_TCP && (f->tcp_flags & FRAME_TCP_FIN) != 0)
		c->flags |= by_opener ? FIN_OPENER : FIN_OTHER;
	if ((c->flags & CLOSED) != CLOSED)
		c->expires = now + timeout(c);
	else if (!was_closed)
		c->expires = now + CONN_TCP_CLOSED_NS;
	return true;
}

/* Frees what is dead among the next few entries of a share. */
static void collect(struct conn_table *table, const struct port *ports, unsigned owner, uint64_t now)
{
	uint32_t i, at;

	for (i = 0; i < SEARCH && i < table->share; i++) {
		struct conn *c;
		struct key key;
		uint16_t *link;

		at = owner * table->share + table->hand[owner];
		table->hand[owner] = (uint16_t)((table->hand[owner] + 1u) % table->share);
		c = &table->entries[at];
		if (c->protocol == 0 || is_alive(c, ports, owner, now))
			continue;
		key = (struct key){ c->remote_ip, c->local, c->remote, c->protocol, false, false };
		for (link = chain_of(table, owner, &key); *link != at + 1;)
			link = &table->entries[*link - 1].next;
		end(table, owner, link);
	}
}

enum nf_reason conn_open(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now)
{
	struct key key = key_of(way, f);
	uint16_t *chain, name;
	struct conn *c;

	if (f->kind == FRAME_TCP && !opens_tcp(f))
		return NF_STATE;
	if (f->kind == FRAME_ICMP && f->icmp_type != FRAME_ICMP_ECHO)
		return NF_PASS;
	if (table->free[way->owner] == 0)
		collect(table, ports, way->owner, now);
	name = table->free[way->owner];
	if (name == 0)
		return NF_TABLE;
	c = &table->entries[name - 1];
	table->free[way->owner] = c->next;
	chain = chain_of(table, way->owner, &key);
	*c = (struct conn){
		.remote_ip = key.remote_ip,
		.local = key.local,
		.remote = key.remote,
		.epoch = ports[way->owner].epoch,
		.peer_epoch = way->peer == CONN_OUTSIDE ? 0 : ports[way->peer].epoch,
		.next = *chain,
		.protocol = key.protocol,
		.peer = way->peer,
		.flags = way->outbound ? 0 : OPENED_BY_PEER,
	};
	c->expires = now + timeout(c);
	*chain = name;
	return NF_PASS;
}
