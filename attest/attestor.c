/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-attestor: the service of the attestor VM.  One thread, one loop: the control channel with the switch, the guests'
 * own channels, the session with the remote verifier.
 */
#include "channel.h"
#include "dial.h"
#include "floor.h"
#include "ports.h"
#include "tcti.h"
#include "turns.h"

#include <lazaret/manifest.h>

#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 200u
#define REFRESH_MS 1000u
#define FIRST_LINK 1u           /* eth0, the device with the lowest slot, is the network; the others are links */

struct service {
	struct agent agent;
	struct ports ports;
	struct dial dial;
	size_t channel_count;
	struct channel channel[LZR_VDEV_MAX];
	bool named[LZR_VDEV_MAX];       /* the hypervisor has said who is at the other end */
	uint64_t refresh_ms;
	struct turns turns;
	size_t turn;                    /* the channel that is looked at first: after the one served last */
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The value of `key=` on the kernel's command line. */
static bool kernel_argument(const char *key, char *out, size_t size)
{
	char line[4096] = "";
	FILE *in = fopen("/proc/cmdline", "r");
	size_t n = strlen(key);

	if (!in)
		return false;
	if (!fgets(line, sizeof(line), in))
		line[0] = 0;
	fclose(in);
	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
		if (strncmp(word, key, n) == 0 && strlen(word + n) < size) {
			snprintf(out, size, "%s", word + n);
			return true;
		}
	return false;
}

/* Whose links they are, no name and no order says: the hypervisor does, in its first message on each (name_link). */
static void open_links(struct service *s)
{
	for (unsigned int i = FIRST_LINK; s->channel_count < LZR_VDEV_MAX; i++) {
		struct channel *c = &s->channel[s->channel_count];
		struct fault f = { 0 };
		char name[16], text[600];

		snprintf(name, sizeof(name), "eth%u", i);
		if (if_nametoindex(name) == 0)
			return;
		if (link_open(&c->link, name, &f)) {
			channel_init(c);
			s->channel_count++;
			continue;
		}
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "attestor: %s\n", text);
	}
}

/* A boot that the verifier has believed: older policies are over, if the owner made an index for that. */
static void good_boot(struct agent *a)
{
	struct fault f = { 0 };
	char text[600];
	bool written;

	if (!floor_raise(a, &written, &f)) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "attestor: rollback index: %s\n", text);
	} else if (written) {
		fprintf(stderr, "attestor: rollback index: nothing below policy version %llu from now on\n",
			(unsigned long long)a->view.version);
	}
}

static bool open_service(struct service *s, const char *endpoint, struct fault *f)
{
	TSS2_TCTI_CONTEXT *tcti = tcti_open(f);

	s->ports.control.link.fd = -1;
	if (!tcti || !agent_open(&s->agent, tcti, f) || !dial_init(&s->dial, endpoint, f))
		return false;
	s->ports.agent = &s->agent;
	s->ports.admitted = good_boot;
	s->dial.owner = &s->ports;
	s->dial.before_evidence = ports_draw_nonces;
	s->dial.deliver = ports_deliver;
	open_links(s);
	return true;
}

/* What happens by the clock: dialling and renewals, port states. */
static void tick(struct service *s, uint64_t now)
{
	dial_tick(&s->dial, now);
	if (now < s->refresh_ms)
		return;
	s->refresh_ms = now + REFRESH_MS;
	ports_refresh(&s->ports);
}

/*
 * Links of which nobody is known yet are read at any time, once each: whoever comes there costs one message.  The one
 * with the switch leaves the guests' channels.
 */
static void name_link(struct service *s, size_t i)
{
	struct channel *c = &s->channel[i];

	channel_readable(c, &s->agent, now_ms());
	if (!c->link.up)
		return;
	s->named[i] = true;
	if (ports_take_control(&s->ports, &c->link))
		fprintf(stderr, "attestor: %s leads to the switch\n", c->link.interface);
	else
		fprintf(stderr, "attestor: %s is the channel of %s\n", c->link.interface, c->link.peer.name);
}

/* `hear`: it is the guests' turn; one message of one of them is worked on, the others keep theirs. */
static void serve_channels(struct service *s, const struct pollfd *p, bool hear)
{
	bool worked = false;

	for (size_t n = 0, first = s->turn; n < s->channel_count; n++) {
		const size_t i = (first + n) % s->channel_count;

		if (!s->named[i]) {
			if (p[i].revents & POLLIN)
				name_link(s, i);
			continue;
		}
		if ((p[i].revents & (POLLIN | POLLERR)) && hear && !worked &&
		    channel_readable(&s->channel[i], &s->agent, now_ms())) {
			worked = true;
			s->turn = i + 1;
		}
		if (p[i].revents & POLLOUT)
			channel_writable(&s->channel[i]);
	}
	if (hear)
		turns_guests_had(&s->turns, worked, now_ms());
}

static void wait_and_serve(struct service *s)
{
	struct pollfd p[LZR_VDEV_MAX + 2];
	const size_t n = s->channel_count;
	const uint64_t now = now_ms(), to_half = DIAL_HALF_MS - now % DIAL_HALF_MS;
	const bool guests = turns_guests_heard(&s->turns, dial_waits(&s->dial), now);
	const short hear = guests ? POLLIN : 0, events = dial_events(&s->dial, now);

	for (size_t i = 0; i < n; i++) {
		const struct channel *c = &s->channel[i];
		const short wanted = s->named[i] ? (short)(hear | (channel_pending(c) ? POLLOUT : 0)) : POLLIN;

		p[i] = (struct pollfd){ .fd = wanted ? c->link.fd : -1, .events = wanted };
	}
	p[n] = (struct pollfd){ .fd = s->ports.control.link.fd, .events = POLLIN };
	p[n + 1] = (struct pollfd){ .fd = events ? s->dial.fd : -1, .events = events };
	if (poll(p, n + 2, (int)(to_half < TICK_MS ? to_half : TICK_MS)) < 0)
		return;
	serve_channels(s, p, guests);   /* first, for the network's work may last */
	if (p[n].revents)
		control_poll(&s->ports.control);
	if (p[n + 1].revents)
		dial_ready(&s->dial, &s->agent, now_ms());
}

int main(int argc, char **argv)
{
	struct service *s = calloc(1, sizeof(*s));
	char endpoint[64] = "", text[700];
	struct fault f = { 0 };

	setvbuf(stderr, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "--endpoint") == 0)
		snprintf(endpoint, sizeof(endpoint), "%s", argv[2]);
	if (!s || argc == 2 || argc > 3 ||
	    (!endpoint[0] && !kernel_argument("lzr.endpoint=", endpoint, sizeof(endpoint)))) {
		fputs("usage: lzr-attestor [--endpoint ADDRESS:PORT]\n"
		      "Without the option, lzr.endpoint=ADDRESS:PORT on the kernel's command line tells the "
		      "verifier.\n",
		      stderr);
		return 2;
	}
	if (!open_service(s, endpoint, &f)) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "lzr-attestor: %s\n", text);
		return 1;
	}
	fprintf(stderr, "attestor: ready, instance %llu, %zu links\n", (unsigned long long)s->agent.instance,
		s->channel_count);
	for (;;) {
		tick(s, now_ms());
		wait_and_serve(s);
	}
}
