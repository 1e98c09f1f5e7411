/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-flow: tries, again and again, to reach every other VM and the gateway by ARP, ICMP, UDP and TCP, answers those
 * who try the same, and says on stdout what changed.  Peers have static neighbour entries, so that frames leave this VM
 * even when nobody answers ARP; whether they arrive is not this VM's choice.
 *
 *   LZR-FLOW from=A to=B proto=P result=allowed|denied attempts=N     each change, and when N is a power of two
 *   LZR-ROUNDS vm=A rounds=N                                          every eighth round
 *   LZR-ARRIVED at=A from=B proto=P frames=N                          frames of that kind from B seen at A, likewise
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TARGET_MAX 72           /* every port that a switch can have, gateway and more */
#define FLOW_PORT 7007
#define ROUND_MS 2000           /* from one attempt to the next; an answer counts for the round that it comes in */
#define TCP_ROUNDS 4u           /* how many rounds a connection may take before another is tried */
#define UDP_ROUNDS 16u          /* how many rounds a UDP port hears answers; only its first asks */
#define BEAT_ROUNDS 8u          /* how often the count of rounds is said, whatever happened */

enum proto { ARP, ICMP, UDP, TCP, PROTO_COUNT };
static const char *const proto_names[] = { "arp", "icmp", "udp", "tcp" };

struct target {
	char name[32];
	struct in_addr ip;
	bool has_mac;
	uint8_t mac[6];
	unsigned protos;                /* bit per enum proto that is tried */
	uint16_t port;
	int last[PROTO_COUNT];          /* -1: not tried yet */
	bool answered[PROTO_COUNT];     /* in this round */
	unsigned arrived[PROTO_COUNT];  /* frames */
	int tcp;                        /* connecting socket, or -1 */
	unsigned tcp_round;             /* in which it was opened */
};

/* When counters are said: often at first, never too often. */
static bool is_power_of_two(unsigned n)
{
	return n && !(n & (n - 1));
}

static struct target targets[TARGET_MAX];
static unsigned target_count;
static const char *self;
static int interface_index;
static uint8_t own_mac[6];
static struct in_addr own_ip;
static unsigned rounds;

static void stop(const char *what)
{
	printf("LZR-ERROR vm=%s flow: %s: %s\n", self, what, strerror(errno));
	exit(1);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct target *find_target(struct in_addr ip)
{
	for (unsigned i = 0; i < target_count; i++)
		if (targets[i].ip.s_addr == ip.s_addr)
			return &targets[i];
	return NULL;
}

static int open_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		stop("socket");
	return fd;
}

static int open_packet(uint16_t protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
				       .sll_ifindex = interface_index };
	int fd = open_socket(AF_PACKET, SOCK_RAW, htons(protocol));

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		stop("bind packet socket");
	return fd;
}

static void set_up(const char *interface)
{
	struct ifreq request = { 0 };
	int fd = open_socket(AF_INET, SOCK_DGRAM, 0);

	strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFINDEX, &request) != 0)
		stop(interface);
	interface_index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) != 0)
		stop("hardware address");
	memcpy(own_mac, request.ifr_hwaddr.sa_data, 6);
	if (ioctl(fd, SIOCGIFADDR, &request) != 0)
		stop("address");
	own_ip = ((struct sockaddr_in *)&request.ifr_addr)->sin_addr;
	for (unsigned i = 0; i < target_count; i++) {
		struct arpreq entry = { .arp_flags = ATF_COM | ATF_PERM };
		if (!targets[i].has_mac)
			continue;
		((struct sockaddr_in *)&entry.arp_pa)->sin_family = AF_INET;
		((struct sockaddr_in *)&entry.arp_pa)->sin_addr = targets[i].ip;
		entry.arp_ha.sa_family = ARPHRD_ETHER;
		memcpy(entry.arp_ha.sa_data, targets[i].mac, 6);
		strncpy(entry.arp_dev, interface, sizeof(entry.arp_dev) - 1);
		if (ioctl(fd, SIOCSARP, &entry) != 0)
			stop("static neighbour entry");
	}
	close(fd);
}

struct arp_frame {
	struct ether_header ethernet;
	struct ether_arp arp;
} __attribute__((packed));

static void try_arp(int fd, const struct target *target)
{
	struct arp_frame frame = { .ethernet.ether_type = htons(ETHERTYPE_ARP) };

	memset(frame.ethernet.ether_dhost, 0xff, 6);
	memcpy(frame.ethernet.ether_shost, own_mac, 6);
	frame.arp.arp_hrd = htons(ARPHRD_ETHER);
	frame.arp.arp_pro = htons(ETHERTYPE_IP);
	frame.arp.arp_hln = 6;
	frame.arp.arp_pln = 4;
	frame.arp.arp_op = htons(ARPOP_REQUEST);
	memcpy(frame.arp.arp_sha, own_mac, 6);
	memcpy(frame.arp.arp_spa, &own_ip, 4);
	memcpy(frame.arp.arp_tpa, &target->ip, 4);
	(void)!write(fd, &frame, sizeof(frame));
}

static void try_icmp(int fd, const struct target *target)
{
	struct icmphdr echo = { .type = ICMP_ECHO,
				.un.echo = { .id = htons(0x4c5a), .sequence = htons((uint16_t)rounds) } };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = target->ip };
	uint32_t sum = 0;

	for (unsigned i = 0; i < sizeof(echo) / 2; i++) {
		uint16_t word;
		memcpy(&word, (uint8_t *)&echo + 2 * i, 2);
		sum += word;
	}
	echo.checksum = (uint16_t)~((sum & 0xffff) + (sum >> 16));
	sendto(fd, &echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to));
}

static void try_udp(int fd, const struct target *target)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = target->ip, .sin_port = htons(target->port) };

	sendto(fd, &rounds, sizeof(rounds), 0, (struct sockaddr *)&to, sizeof(to));
}

static void try_tcp(struct target *target)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = target->ip, .sin_port = htons(target->port) };

	if (target->tcp >= 0 && rounds - target->tcp_round < TCP_ROUNDS)
		return;
	if (target->tcp >= 0)
		close(target->tcp);
	target->tcp = open_socket(AF_INET, SOCK_STREAM, 0);
	target->tcp_round = rounds;
	if (connect(target->tcp, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == ECONNREFUSED)
		target->answered[TCP] = true;
}

static void take_arp(int fd)
{
	struct arp_frame frame;

	while (read(fd, &frame, sizeof(frame)) == sizeof(frame)) {
		struct in_addr sender;
		memcpy(&sender, frame.arp.arp_spa, 4);
		struct target *target = find_target(sender);
		if (target && frame.arp.arp_op == htons(ARPOP_REPLY))
			target->answered[ARP] = true;
	}
}

static void take_icmp(int fd)
{
	uint8_t packet[256];
	ssize_t size;

	while ((size = read(fd, packet, sizeof(packet))) > 0) {
		struct iphdr ip;
		struct icmphdr echo;
		if ((size_t)size < sizeof(ip))
			continue;
		memcpy(&ip, packet, sizeof(ip));
		if ((size_t)size < ip.ihl * 4u + sizeof(echo))
			continue;
		memcpy(&echo, packet + ip.ihl * 4, sizeof(echo));
		struct target *target = find_target((struct in_addr){ ip.saddr });
		if (target && echo.type == ICMP_ECHOREPLY && echo.un.echo.id == htons(0x4c5a))
			target->answered[ICMP] = true;
	}
}

static void take_udp(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	uint8_t packet[64];

	while (recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length) >= 0) {
		struct target *target = find_target(from.sin_addr);
		if (target)
			target->answered[UDP] = true;
		length = sizeof(from);
	}
}

static void take_tcp(struct target *target)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(target->tcp, SOL_SOCKET, SO_ERROR, &error, &length) == 0 &&
	    (error == 0 || error == ECONNREFUSED))
		target->answered[TCP] = true;
	close(target->tcp);
	target->tcp = -1;
}

/* Takes what comes until the round is over, late answers to earlier ones as well. */
static void collect(int arp, int icmp, const int udp[UDP_ROUNDS], int64_t end)
{
	for (int64_t left = end - now_ms(); left > 0; left = end - now_ms()) {
		struct pollfd fds[2 + UDP_ROUNDS + TARGET_MAX] = { { arp, POLLIN, 0 }, { icmp, POLLIN, 0 } };
		struct pollfd *tcp = fds + 2 + UDP_ROUNDS;
		for (unsigned i = 0; i < UDP_ROUNDS; i++)
			fds[2 + i] = (struct pollfd){ udp[i], POLLIN, 0 };
		for (unsigned i = 0; i < target_count; i++)
			tcp[i] = (struct pollfd){ targets[i].tcp, POLLOUT, 0 };
		if (poll(fds, 2 + UDP_ROUNDS + target_count, (int)left) <= 0)
			continue;
		take_arp(arp);
		take_icmp(icmp);
		for (unsigned i = 0; i < UDP_ROUNDS; i++)
			if (udp[i] >= 0)
				take_udp(udp[i]);
		for (unsigned i = 0; i < target_count; i++)
			if (targets[i].tcp >= 0 && tcp[i].revents)
				take_tcp(&targets[i]);
	}
}

static void try_target(struct target *target, int arp, int icmp, int udp)
{
	if (target->protos & 1u << ARP)
		try_arp(arp, target);
	if (target->protos & 1u << ICMP)
		try_icmp(icmp, target);
	if (target->protos & 1u << UDP)
		try_udp(udp, target);
	if (target->protos & 1u << TCP)
		try_tcp(target);
}

/* A connection that is under way says nothing yet, unless it has used its rounds up. */
static bool is_open_question(const struct target *target, unsigned proto)
{
	return proto == TCP && !target->answered[TCP] && target->tcp >= 0 &&
	       rounds - target->tcp_round + 1 < TCP_ROUNDS && target->last[TCP] != -1;
}

static void tell(struct target *target)
{
	for (unsigned p = 0; p < PROTO_COUNT; p++) {
		if (!(target->protos & 1u << p) || is_open_question(target, p) ||
		    (target->last[p] == target->answered[p] && !is_power_of_two(rounds)))
			continue;
		target->last[p] = target->answered[p];
		printf("LZR-FLOW from=%s to=%s proto=%s result=%s attempts=%u\n", self, target->name, proto_names[p],
		       target->answered[p] ? "allowed" : "denied", rounds);
	}
}

/*
 * Each round asks from a UDP port of its own.  An answer that is on its way while the rules change may open a
 * connection of its sender's, and whatever that port still asked would pass as an answer.
 */
static int next_port(int udp[UDP_ROUNDS])
{
	int *port = &udp[rounds % UDP_ROUNDS];

	if (*port >= 0)
		close(*port);
	*port = open_socket(AF_INET, SOCK_DGRAM, 0);
	return *port;
}

static void round_once(int arp, int icmp, int udp[UDP_ROUNDS])
{
	const int64_t end = now_ms() + ROUND_MS;
	int asking;

	rounds++;
	asking = next_port(udp);
	for (unsigned i = 0; i < target_count; i++) {
		memset(targets[i].answered, 0, sizeof(targets[i].answered));
		try_target(&targets[i], arp, icmp, asking);
	}
	collect(arp, icmp, udp, end);
	for (unsigned i = 0; i < target_count; i++)
		tell(&targets[i]);
	if (rounds % BEAT_ROUNDS == 0)
		printf("LZR-ROUNDS vm=%s rounds=%u\n", self, rounds);
}

static void try_forever(void)
{
	int arp = open_packet(ETH_P_ARP), icmp = open_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	int udp[UDP_ROUNDS];

	memset(udp, 0xff, sizeof(udp));         /* none is open */
	for (;;)
		round_once(arp, icmp, udp);
}

static void note_arrival(const uint8_t *frame, size_t size)
{
	static unsigned unknown[PROTO_COUNT];
	struct in_addr from = { 0 };
	int proto;

	if (size < 34)
		return;
	if (frame[12] == 0x08 && frame[13] == 0x06) {
		memcpy(&from, frame + 28, 4);
		proto = ARP;
	} else if (frame[12] == 0x08 && frame[13] == 0x00) {
		memcpy(&from, frame + 26, 4);
		proto = frame[23] == IPPROTO_ICMP  ? ICMP
			: frame[23] == IPPROTO_UDP ? UDP
			: frame[23] == IPPROTO_TCP ? TCP
						   : -1;
	} else {
		return;
	}
	struct target *target = find_target(from);
	unsigned *frames = proto < 0 ? NULL : target ? &target->arrived[proto] : &unknown[proto];
	if (!frames || !is_power_of_two(++*frames))
		return;
	printf("LZR-ARRIVED at=%s from=%s proto=%s frames=%u\n", self, target ? target->name : inet_ntoa(from),
	       proto_names[proto], *frames);
}

static void watch(int packets)
{
	uint8_t frame[128];
	struct sockaddr_ll from;
	socklen_t length = sizeof(from);
	ssize_t size;

	while ((size = recvfrom(packets, frame, sizeof(frame), 0, (struct sockaddr *)&from, &length)) > 0) {
		if (from.sll_pkttype != PACKET_OUTGOING)
			note_arrival(frame, (size_t)size);
		length = sizeof(from);
	}
}

static void echo(int udp)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	uint8_t packet[512];
	ssize_t size;

	while ((size = recvfrom(udp, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length)) >= 0) {
		sendto(udp, packet, (size_t)size, 0, (struct sockaddr *)&from, length);
		length = sizeof(from);
	}
}

static void answer_forever(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(FLOW_PORT) };
	int packets = open_packet(ETH_P_ALL), udp = open_socket(AF_INET, SOCK_DGRAM, 0);
	int tcp = open_socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(udp, (struct sockaddr *)&any, sizeof(any)) || bind(tcp, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(tcp, 16))
		stop("listen");
	for (;;) {
		struct pollfd fds[] = { { packets, POLLIN, 0 }, { udp, POLLIN, 0 }, { tcp, POLLIN, 0 } };
		if (poll(fds, 3, -1) < 0)
			continue;
		watch(packets);
		echo(udp);
		for (int peer; (peer = accept(tcp, NULL, NULL)) >= 0;)
			close(peer);
	}
}

/* NAME=IP[/MAC][:PORT]; a target without MAC is tried by ARP and ICMP, with PORT and no MAC by TCP only. */
static bool parse_target(char *text)
{
	struct target *t = &targets[target_count];
	char *ip = strchr(text, '='), *port, *mac;

	if (target_count == TARGET_MAX || !ip || (size_t)(ip - text) >= sizeof(t->name))
		return false;
	*ip++ = 0;
	*t = (struct target){
		.protos = 1u << ARP | 1u << ICMP, .port = FLOW_PORT, .last = { -1, -1, -1, -1 }, .tcp = -1
	};
	strcpy(t->name, text);
	mac = strchr(ip, '/');
	port = mac ? NULL : strchr(ip, ':');
	if (mac) {
		*mac++ = 0;
		t->has_mac = sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &t->mac[0], &t->mac[1], &t->mac[2],
				    &t->mac[3], &t->mac[4], &t->mac[5]) == 6;
		t->protos |= 1u << UDP | 1u << TCP;
		if (!t->has_mac)
			return false;
	}
	if (port) {
		*port++ = 0;
		t->port = (uint16_t)atoi(port);
		t->protos = 1u << TCP;
	}
	if (inet_aton(ip, &t->ip) == 0)
		return false;
	target_count++;
	return true;
}

int main(int argc, char **argv)
{
	bool listen_only = argc > 3 && !strcmp(argv[3], "--listen");

	if (argc < 3) {
		fprintf(stderr, "usage: lzr-flow VM INTERFACE [--listen] NAME=IP[/MAC][:PORT]...\n");
		return 2;
	}
	self = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	for (int i = listen_only ? 4 : 3; i < argc; i++)
		if (!parse_target(argv[i])) {
			printf("LZR-ERROR vm=%s flow: %s: expected NAME=IP[/MAC][:PORT]\n", self, argv[i]);
			return 2;
		}
	set_up(argv[2]);
	if (listen_only)
		answer_forever();
	pid_t child = fork();
	if (child < 0)
		stop("fork");
	if (child == 0)
		answer_forever();
	try_forever();
}
