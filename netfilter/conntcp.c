/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP's part of a connection: which segments may change its state.  RFC 9293; RFC 5961 for RST and SYN, RFC 5927 for
 * ICMP.
 *
 * Nothing goes round the switch, so it knows what either end has acknowledged and the window that it offered.  What
 * changes a state has to fit that: an acknowledgement something that was sent, a FIN the window (and it counts when
 * it is acknowledged), a RST exactly what the receiver expects next.  A RST elsewhere in the window passes, because
 * the receiver answers it with a challenge, and ends nothing unless silence follows; outside it is dropped.  Segments
 * without flags pass whatever their numbers are: both ends check these themselves.
 */
#include "conn.h"

#define FLAGS (FRAME_TCP_SYN | FRAME_TCP_ACK | FRAME_TCP_FIN | FRAME_TCP_RST)

/* Is a behind b, in the circle of sequence numbers? */
static bool is_behind(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

bool conn_tcp_opens(const struct frame *f)
{
	return (f->tcp_flags & FLAGS) == FRAME_TCP_SYN;
}

static unsigned scale_of(const struct conn *c, unsigned from)
{
	return c->scales >> 4 * from & 15;
}

static unsigned offered_scale(const struct frame *f)
{
	return f->tcp_scale == FRAME_NO_SCALE ? CONN_NO_SCALE : f->tcp_scale;
}

void conn_tcp_open(struct conn *c, const struct frame *f)
{
	c->next[0] = f->tcp_sequence + f->tcp_length;
	c->acked[1] = f->tcp_sequence + 1;              /* an answer acknowledges this at least */
	c->scales = (uint8_t)offered_scale(f);
	c->seen[0] = CONN_KNOWN;
}

/* Does it acknowledge something that the other end has sent, and not less than before? */
static bool acknowledges(const struct conn *c, const struct frame *f, unsigned from)
{
	return (f->tcp_flags & FRAME_TCP_ACK) != 0 && (c->seen[1 - from] & CONN_KNOWN) != 0 &&
	       !is_behind(f->tcp_acknowledged, c->next[1 - from]) && !is_behind(c->acked[from], f->tcp_acknowledged);
}

/* The other's SYN, when it answers the opener's. */
static void take_answer(struct conn *c, const struct frame *f)
{
	if (!acknowledges(c, f, 1) || ((c->seen[1] & CONN_KNOWN) != 0 && c->acked[0] == f->tcp_sequence + 1))
		return;
	c->next[1] = f->tcp_sequence + f->tcp_length;
	c->acked[0] = f->tcp_sequence + 1;              /* the opener's acknowledgement says this at least */
	c->scales = (uint8_t)(scale_of(c, 0) | offered_scale(f) << 4);
	if (scale_of(c, 0) == CONN_NO_SCALE || scale_of(c, 1) == CONN_NO_SCALE)
		c->scales = 0;
	c->acked[1] = f->tcp_acknowledged;
	c->edge[1] = f->tcp_acknowledged + f->tcp_window;       /* a SYN's window is not scaled */
	c->seen[1] = CONN_KNOWN | CONN_HEARD;
}

/* Until the opener has proven itself its SYN may come anew; later one is for the receiver to challenge. */
static enum conn_event take_syn(struct conn *c, const struct frame *f, bool by_opener)
{
	bool is_proven = (c->seen[0] & CONN_HEARD) != 0;

	if (conn_tcp_opens(f) && (c->seen[0] & c->seen[1] & CONN_FIN_DONE) != 0)
		return CONN_AGAIN;
	if (conn_tcp_opens(f) && !by_opener)
		return CONN_REFUSED;
	if (conn_tcp_opens(f) && (c->seen[1] & CONN_KNOWN) == 0)
		conn_tcp_open(c, f);
	else if ((f->tcp_flags & FRAME_TCP_ACK) != 0 && !by_opener && !is_proven)
		take_answer(c, f);
	return CONN_NOTHING;
}

static enum conn_event take_reset(struct conn *c, const struct frame *f, unsigned from)
{
	unsigned to = 1 - from;

	if ((c->seen[to] & CONN_HEARD) == 0) {
		/* The receiver has sent a SYN at most, or none yet: RFC 9293, section 3.5.2. */
		if (acknowledges(c, f, from) ||
		    ((c->seen[from] & CONN_KNOWN) != 0 && f->tcp_sequence == c->next[from]))
			return CONN_ENDED;
		return CONN_NOTHING;
	}
	if (f->tcp_sequence == c->acked[to])
		return CONN_ENDED;
	if (is_behind(c->acked[to], f->tcp_sequence) || is_behind(f->tcp_sequence, c->edge[to]))
		return CONN_REFUSED;
	c->seen[from] |= CONN_RESET;
	return c->list == CONN_STREAMS ? CONN_ENDING : CONN_NOTHING;
}

/* What the sender acknowledges and offers; true when it is its first acknowledgement. */
static bool take_acknowledgement(struct conn *c, const struct frame *f, unsigned from)
{
	bool first = (c->seen[from] & CONN_HEARD) == 0;
	uint32_t edge = f->tcp_acknowledged + ((uint32_t)f->tcp_window << scale_of(c, from));

	if (!acknowledges(c, f, from) || (c->seen[from] & CONN_KNOWN) == 0)
		return false;
	c->acked[from] = f->tcp_acknowledged;
	if (first || is_behind(edge, c->edge[from]))
		c->edge[from] = edge;
	c->seen[from] |= CONN_HEARD;
	if ((c->seen[1 - from] & CONN_FIN) != 0 && f->tcp_acknowledged == c->next[1 - from])
		c->seen[1 - from] |= CONN_FIN_DONE;
	return first;
}

/* What the sender has sent, if it lies where the receiver could take it. */
static void take_data(struct conn *c, const struct frame *f, unsigned from)
{
	unsigned to = 1 - from;
	uint32_t end = f->tcp_sequence + f->tcp_length;

	if ((c->seen[from] & CONN_KNOWN) == 0 || is_behind(c->next[from], end))
		return;
	if ((c->seen[to] & CONN_HEARD) != 0 && is_behind(f->tcp_sequence, c->edge[to]))
		return;
	if (end != c->next[from]) {
		c->next[from] = end;
		c->seen[from] &= (uint8_t)~(CONN_FIN | CONN_FIN_DONE);  /* there was more, so that was none */
	}
	if ((f->tcp_flags & FRAME_TCP_FIN) != 0 &&
	    ((c->seen[to] & CONN_HEARD) == 0 || is_behind(end, c->acked[to])))
		c->seen[from] |= CONN_FIN;
}

enum conn_event conn_tcp_follow(struct conn *c, const struct frame *f, bool by_opener)
{
	unsigned from = by_opener ? 0 : 1;
	bool first;

	if ((f->tcp_flags & FRAME_TCP_RST) != 0)
		return take_reset(c, f, from);
	if ((f->tcp_flags & FRAME_TCP_SYN) != 0)
		return take_syn(c, f, by_opener);
	take_data(c, f, from);
	first = take_acknowledgement(c, f, from);
	c->seen[1 - from] &= (uint8_t)~CONN_RESET;      /* who still speaks was not reset */
	if ((c->seen[0] & c->seen[1] & CONN_FIN_DONE) != 0)
		return CONN_CLOSED;
	if (((c->seen[0] | c->seen[1]) & CONN_FIN_DONE) != 0)
		return CONN_ENDING;
	if (c->list == CONN_CLOSING)
		return ((c->seen[0] | c->seen[1]) & CONN_RESET) != 0 ? CONN_NOTHING : CONN_PROVEN;
	if (c->list == CONN_STREAMS)
		return CONN_ALIVE;
	return first && by_opener ? CONN_PROVEN : CONN_NOTHING;
}

bool conn_tcp_is_sent(const struct conn *c, uint32_t sequence, bool by_opener)
{
	unsigned from = by_opener ? 0 : 1, to = 1 - from;

	if ((c->seen[from] & CONN_KNOWN) == 0 || is_behind(sequence, c->next[from]))
		return false;
	return (c->seen[to] & CONN_HEARD) == 0 ? c->next[from] - sequence <= 0xffff
					       : !is_behind(c->acked[to], sequence);
}
