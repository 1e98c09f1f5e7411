/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-attestor: the service of the attestor VM.  One thread, one loop: the control channel with the switch, the guests' own
 * channels, the session with the remote verifier.
 */
#include "channel.h"
#include "dial.h"
#include "ports.h"
#include "tcti.h"

#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 200
#define REFRESH_MS 1000u
#define RENEW_GAP_MS 1000u
#define FIRST_CHANNEL 2u        /* eth0 network, eth1 switch, eth2.. guests */
#define CONTROL_INTERFACE "eth1"

struct service {
	struct agent agent;
	struct ports ports;
	struct dial dial;
	size_t channel_count;
	struct channel channel[LZR_VM_MAX];
	uint64_t refresh_ms, renew_ms;
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

static void open_channels(struct service *s)
{
	for (unsigned int i = FIRST_CHANNEL; s->channel_count < LZR_VM_MAX; i++) {
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

static bool open_service(struct service *s, const char *endpoint, struct fault *f)
{
	TSS2_TCTI_CONTEXT *tcti = tcti_open(f);

	if (!tcti || !agent_open(&s->agent, tcti, f) || !dial_init(&s->dial, endpoint, f) ||
	    !link_open(&s->ports.control.link, CONTROL_INTERFACE, f))
		return false;
	s->ports.agent = &s->agent;
	s->dial.owner = &s->ports;
	s->dial.before_evidence = ports_draw_nonces;
	s->dial.deliver = ports_deliver;
	open_channels(s);
	return true;
}

/* What happens by the clock: dialling, port states, renewals. */
static void tick(struct service *s, uint64_t now)
{
	dial_tick(&s->dial, &s->agent, now);
	if (now < s->refresh_ms)
		return;
	s->refresh_ms = now + REFRESH_MS;
	ports_refresh(&s->ports);
	if (s->dial.connected && now >= s->renew_ms && ports_want_challenge(&s->ports, now) && dial_renew(&s->dial, now))
		s->renew_ms = now + RENEW_GAP_MS;
}

static void wait_and_serve(struct service *s)
{
	struct pollfd p[LZR_VM_MAX + 2];
	const size_t n = s->channel_count;

	for (size_t i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = s->channel[i].link.fd,
					.events = (short)(POLLIN | (channel_pending(&s->channel[i]) ? POLLOUT : 0)) };
	p[n] = (struct pollfd){ .fd = s->ports.control.link.fd, .events = POLLIN };
	p[n + 1] = (struct pollfd){ .fd = s->dial.fd, .events = (short)(s->dial.connected ? POLLIN : POLLOUT) };
	if (poll(p, n + 2, TICK_MS) <= 0)
		return;
	if (p[n].revents)
		control_poll(&s->ports.control);
	for (size_t i = 0; i < n; i++) {
		if (p[i].revents & (POLLIN | POLLERR))
			channel_readable(&s->channel[i], &s->agent, now_ms());
		if (p[i].revents & POLLOUT)
			channel_writable(&s->channel[i]);
	}
	if (p[n + 1].revents && s->dial.connected)
		dial_readable(&s->dial, &s->agent, now_ms());
	else if (p[n + 1].revents)
		dial_writable(&s->dial, &s->agent, now_ms());
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
	if (!s || argc == 2 || argc > 3 || (!endpoint[0] && !kernel_argument("lzr.endpoint=", endpoint, sizeof(endpoint)))) {
		fputs("usage: lzr-attestor [--endpoint ADDRESS:PORT]\n"
		      "Without the option, lzr.endpoint=ADDRESS:PORT on the kernel's command line tells the verifier.\n", stderr);
		return 2;
	}
	if (!open_service(s, endpoint, &f)) {
		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "lzr-attestor: %s\n", text);
		return 1;
	}
	fprintf(stderr, "attestor: ready, instance %llu, %zu channels\n", (unsigned long long)s->agent.instance,
		s->channel_count);
	for (;;) {
		tick(s, now_ms());
		wait_and_serve(s);
	}
}
