/* SPDX-License-Identifier: Apache-2.0 */
#include "conn.h"

#include <string.h>

#define SEARCH 4u       /* entries that a full share looks through for dead ones, each time */

/*
 * Both directions of a connection have one key: its two ends in order, each an address above a port, and what it is.
 * ICMP: the identifier stands for both ports, and who opened is part of it, since both can ask with one identifier.
 */
struct key {
	uint64_t low, high;
	bool from_low;          /* the frame comes from the lesser end */
	bool by_low;            /* ICMP: the lesser end opened it */
};

#define KEY_KIND_SHIFT 48
#define KEY_BY_LOW (1ull << 55)

static struct key key_of(uint32_t source_ip, uint32_t target_ip, uint16_t source, uint16_t target, uint8_t kind)
{
	uint64_t a = (uint64_t)source_ip << 16 | source, b = (uint64_t)target_ip << 16 | target;
	struct key key = { .from_low = a < b };

	key.low = (a < b ? a : b) | (uint64_t)kind << KEY_KIND_SHIFT;
	key.high = a < b ? b : a;
	return key;
}

static struct key key_of_echo(uint32_t source_ip, uint32_t target_ip, uint16_t identifier, bool is_reply)
{
	struct key key = key_of(source_ip, target_ip, identifier, identifier, FRAME_ICMP);

	key.by_low = key.from_low != is_reply;
	key.low |= key.by_low ? KEY_BY_LOW : 0;
	return key;
}

static struct key key_of_frame(const struct frame *f)
{
	if (f->kind == FRAME_ICMP)
		return key_of_echo(f->ip_source, f->ip_target, f->icmp_echo, f->icmp_type == FRAME_ICMP_REPLY);
	return key_of(f->ip_source, f->ip_target, f->l4_source, f->l4_target, f->kind);
}

static bool is_echo(const struct frame *f)
{
	return f->icmp_type == FRAME_ICMP_ECHO || f->icmp_type == FRAME_ICMP_REPLY;
}

static uint8_t kind_of(const struct conn *c)
{
	return c->low >> KEY_KIND_SHIFT & 7;
}

static uint16_t *chain_of(struct conn_table *table, uint64_t low, uint64_t high)
{
	struct siphash s = siphash_begin(&table->key);

	siphash_word(&s, low);
	return &table->chains[siphash_end(&s, high | 14ull << 56) % CONN_MAX];
}

static uint32_t epochs_of(const struct port *ports, uint8_t owner, uint8_t peer)
{
	return ports[owner].epoch + (peer == CONN_OUTSIDE ? 0 : ports[peer].epoch);
}

static bool is_alive(const struct conn *c, const struct port *ports, uint64_t now)
{
	return now < c->expires && c->epochs == epochs_of(ports, c->owner, c->peer);
}

static uint64_t idle_time(const struct conn *c)
{
	return kind_of(c) == FRAME_UDP ? CONN_UDP_NS : CONN_ICMP_NS;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void leave(struct conn_table *table, struct conn *c)
{
	struct conn_list *list = &table->lists[c->owner][c->list];

	if (c->older != 0)
		table->entries[c->older - 1].newer = c->newer;
	else
		list->oldest = c->newer;
	if (c->newer != 0)
		table->entries[c->newer - 1].older = c->older;
	else
		list->newest = c->older;
	list->count--;
}

static uint16_t name_of(const struct conn_table *table, const struct conn *c)
{
	return (uint16_t)(c - table->entries + 1);
}

/* As the newest. */
static void join(struct conn_table *table, struct conn *c, enum conn_list_name name)
{
	struct conn_list *list = &table->lists[c->owner][name];

	c->list = name & 7;
	c->older = list->newest;
	c->newer = 0;
	if (list->newest != 0)
		table->entries[list->newest - 1].newer = name_of(table, c);
	else
		list->oldest = name_of(table, c);
	list->newest = name_of(table, c);
	list->count++;
}

/* It is heard of now: it stands in that list, and lives so long. */
static void wind(struct conn_table *table, struct conn *c, enum conn_list_name list, uint64_t time, uint64_t now)
{
	if (c->list == list && now + time - c->expires < CONN_SLACK_NS)
		return;
	leave(table, c);
	join(table, c, list);
	c->expires = now + time;
}

static struct conn *oldest(struct conn_table *table, uint8_t owner, enum conn_list_name list)
{
	uint16_t name = table->lists[owner][list].oldest;

	return name == 0 ? NULL : &table->entries[name - 1];
}

/* Takes the entry out of its chain, of which `link` is the reference to it, and frees it. */
static void end(struct conn_table *table, uint16_t *link)
{
	struct conn *c = &table->entries[*link - 1];
	uint8_t owner = c->owner;

	*link = c->link;
	leave(table, c);
	memset(c, 0, sizeof(*c));
	c->owner = owner;
	join(table, c, CONN_FREE);
}

static void end_entry(struct conn_table *table, struct conn *c)
{
	uint16_t *link = chain_of(table, c->low, c->high);

	while (*link != name_of(table, c))
		link = &table->entries[*link - 1].link;
	end(table, link);
}

/* --- looking up --------------------------------------------------------------------------------------------------- */

/* The living entry, or NULL; dead ones on the way are freed. */
static struct conn *look_up(struct conn_table *table, const struct port *ports, const struct key *key, uint64_t now)
{
	uint16_t *link = chain_of(table, key->low, key->high);

	while (*link != 0) {
		struct conn *c = &table->entries[*link - 1];

		if (!is_alive(c, ports, now)) {
			end(table, link);
			continue;
		}
		if (c->low == key->low && c->high == key->high)
			return c;
		link = &c->link;
	}
	return NULL;
}

void conn_init(struct conn_table *table, uint32_t port_count, const struct siphash_key *key)
{
	uint32_t i;

	memset(table, 0, sizeof(*table));
	table->key = *key;
	table->share = CONN_MAX / port_count;
	for (i = 0; i < table->share * port_count; i++) {
		table->entries[i].owner = (uint8_t)(i / table->share);
		join(table, &table->entries[i], CONN_FREE);
	}
}

/* --- following ---------------------------------------------------------------------------------------------------- */

static void follow_datagram(struct conn_table *table, struct conn *c, bool by_opener, uint64_t now)
{
	if (c->list == CONN_OTHERS || (by_opener && c->replied))
		wind(table, c, CONN_OTHERS, idle_time(c), now);
	else if (!by_opener)
		wind(table, c, c->list, idle_time(c), now);
	if (!by_opener)
		c->replied = 1;
}

static enum nf_reason follow_tcp(struct conn_table *table, struct conn *c, const struct frame *f, bool by_opener,
				 uint64_t now)
{
	switch (conn_tcp_follow(c, f, by_opener)) {
	case CONN_REFUSED:
		return NF_WINDOW;
	case CONN_ALIVE:
	case CONN_PROVEN:
		wind(table, c, CONN_STREAMS, CONN_TCP_NS, now);
		return NF_PASS;
	case CONN_ENDING:
		wind(table, c, CONN_CLOSING, CONN_TCP_CLOSING_NS, now);
		return NF_PASS;
	case CONN_CLOSED:
		if (c->expires - now > CONN_TCP_CLOSED_NS)
			wind(table, c, CONN_CLOSING, CONN_TCP_CLOSED_NS, now);
		return NF_PASS;
	case CONN_ENDED:
		end_entry(table, c);
		return NF_PASS;
	case CONN_AGAIN:
		end_entry(table, c);
		return NF_STATE;
	default:
		return NF_PASS;
	}
}

/* The packet that the error tells of went the other way, between the same ends or to somebody behind a router. */
static enum nf_reason pass_error(struct conn_table *table, const struct port *ports, const struct conn_way *way,
				 const struct frame *f, uint64_t now)
{
	const struct frame_inner *inner = &f->inner;
	struct key key;
	struct conn *c;

	if (inner->kind == 0 || inner->ip_source != f->ip_target ||
	    (way->source != CONN_OUTSIDE && inner->ip_target != f->ip_source))
		return NF_STATE;
	if (inner->kind == FRAME_ICMP)
		key = key_of_echo(inner->ip_source, inner->ip_target, inner->l4_source,
				  inner->icmp_type == FRAME_ICMP_REPLY);
	else
		key = key_of(inner->ip_source, inner->ip_target, inner->l4_source, inner->l4_target, inner->kind);
	c = look_up(table, ports, &key, now);
	if (c == NULL || !((c->owner == way->source && c->peer == way->target) ||
			   (c->owner == way->target && c->peer == way->source)))
		return NF_STATE;
	return kind_of(c) != FRAME_TCP || conn_tcp_is_sent(c, inner->tcp_sequence, key.from_low == c->by_low)
		       ? NF_PASS
		       : NF_STATE;
}

enum nf_reason conn_pass(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now)
{
	struct key key;
	struct conn *c;

	if (f->kind == FRAME_ICMP && !is_echo(f))
		return pass_error(table, ports, way, f, now);
	key = key_of_frame(f);
	c = look_up(table, ports, &key, now);
	if (c == NULL)
		return NF_STATE;
	if (f->kind == FRAME_TCP)
		return follow_tcp(table, c, f, key.from_low == c->by_low, now);
	follow_datagram(table, c, key.from_low == c->by_low, now);
	return NF_PASS;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* When the entry was last heard of. */
static uint64_t heard(const struct conn *c)
{
	if (c->list == CONN_STREAMS)
		return c->expires - CONN_TCP_NS;
	if (c->list == CONN_CLOSING)
		return c->expires - CONN_TCP_CLOSING_NS;
	return c->expires - (c->list != CONN_OTHERS && !c->replied ? CONN_OPENING_NS : idle_time(c));
}

/* Frees what is dead among the next few entries of a share. */
static void collect(struct conn_table *table, const struct port *ports, uint8_t owner, uint64_t now)
{
	uint32_t i;

	for (i = 0; i < SEARCH; i++) {
		struct conn *c = &table->entries[owner * table->share + table->hand[owner]];

		table->hand[owner] = (uint16_t)((table->hand[owner] + 1u) % table->share);
		if (c->list != CONN_FREE && !is_alive(c, ports, now))
			end_entry(table, c);
	}
}

/* The one of a full share that goes first, or NULL. */
static struct conn *spare(struct conn_table *table, const struct port *ports, uint8_t owner, uint64_t now)
{
	static const enum conn_list_name unproven[] = { CONN_OUT, CONN_IN, CONN_CLOSING };
	struct conn *c, *found = NULL;
	unsigned i;

	for (i = CONN_OUT; i < CONN_LISTS; i++) {
		c = oldest(table, owner, i);
		if (c != NULL && !is_alive(c, ports, now))
			return c;
	}
	for (i = 0; i < sizeof(unproven) / sizeof(unproven[0]); i++) {
		c = oldest(table, owner, unproven[i]);
		if (c != NULL && (found == NULL || (int64_t)(heard(c) - heard(found)) < 0))
			found = c;
	}
	if (found != NULL)
		return found;
	c = oldest(table, owner, CONN_OTHERS);
	if (c != NULL && now - heard(c) >= CONN_OTHER_SPARE_NS)
		return c;
	c = oldest(table, owner, CONN_STREAMS);
	return c != NULL && now - heard(c) >= CONN_TCP_SPARE_NS ? c : NULL;
}

static struct conn *take_free(struct conn_table *table, const struct port *ports, uint8_t owner, uint64_t now)
{
	const struct conn_list *free = &table->lists[owner][CONN_FREE];
	struct conn *c;

	if (free->count == 0) {
		c = spare(table, ports, owner, now);
		if (c != NULL)
			end_entry(table, c);
		else
			collect(table, ports, owner, now);
	}
	if (free->count == 0)
		return NULL;
	c = &table->entries[free->newest - 1];
	leave(table, c);
	return c;
}

enum nf_reason conn_open(struct conn_table *table, const struct port *ports, const struct conn_way *way,
			 const struct frame *f, uint64_t now)
{
	bool outbound = way->source != CONN_OUTSIDE;
	uint8_t owner = outbound ? way->source : way->target, peer = outbound ? way->target : way->source;
	struct key key;
	struct conn *c;
	uint16_t *chain;

	if (f->kind == FRAME_TCP && !conn_tcp_opens(f))
		return NF_STATE;
	if (f->kind == FRAME_ICMP && f->icmp_type != FRAME_ICMP_ECHO)
		return NF_PASS;
	if (!outbound && table->lists[owner][CONN_IN].count >= (table->share + 1) / 2)
		end_entry(table, oldest(table, owner, CONN_IN));
	c = take_free(table, ports, owner, now);
	if (c == NULL)
		return NF_TABLE;
	key = key_of_frame(f);
	chain = chain_of(table, key.low, key.high);
	*c = (struct conn){
		.expires = now + CONN_OPENING_NS,
		.low = key.low,
		.high = key.high,
		.epochs = epochs_of(ports, owner, peer),
		.by_low = key.from_low,
		.owner = owner,
		.peer = peer,
		.link = *chain,
	};
	*chain = name_of(table, c);
	join(table, c, outbound ? CONN_OUT : CONN_IN);
	if (f->kind == FRAME_TCP)
		conn_tcp_open(c, f);
	return NF_PASS;
}
