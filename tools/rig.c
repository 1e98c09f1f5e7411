/* SPDX-License-Identifier: Apache-2.0 */
/* Starting and ending the machine, and its serial log.  rig_qmp.c talks to QEMU, rig_tpm.c makes TPMs. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig_internal.h"
#include "run.h"

#define OVMF "/usr/share/OVMF/OVMF_"
#define ARGS_MAX 160
#define SERIAL_MAX (64u << 20)

static const char *const networks[RIG_UPLINKS] = {
	[RIG_RESTRICTED] = "10.0.3.0/24",
	[RIG_UNTRUSTED] = "10.0.2.0/24",
};

struct arguments {
	char *list[ARGS_MAX + 1];
	unsigned count;
};

static void arg(struct arguments *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void arg(struct arguments *a, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (a->count == ARGS_MAX || vasprintf(&a->list[a->count], format, list) < 0)
		abort();
	a->count++;
	va_end(list);
}

static void option(struct arguments *a, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void option(struct arguments *a, const char *name, const char *format, ...)
{
	va_list list;
	char *text;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		abort();
	va_end(list);
	arg(a, "%s", name);
	arg(a, "%s", text);
	free(text);
}

/* A file's name inside a comma-separated option: QEMU takes a doubled comma for one (qemu(1), "-drive file="). */
static void file_option(struct arguments *a, const char *name, const char *start, const char *file)
{
	const size_t length = strlen(start);
	char *text = malloc(length + 2 * strlen(file) + 1), *to = text;

	if (!text)
		abort();
	to = stpcpy(to, start);
	for (; *file; file++) {
		if (*file == ',')
			*to++ = ',';
		*to++ = *file;
	}
	*to = 0;
	arg(a, "%s", name);
	arg(a, "%s", text);
	free(text);
}

double rig_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

const char *rig_path(struct rig *rig, const char *name)
{
	struct rig_string *s = malloc(sizeof(*s) + strlen(rig->dir) + strlen(name) + 2);

	if (!s)
		abort();
	sprintf(s->text, "%s/%s", rig->dir, name);
	s->next = rig->strings;
	rig->strings = s;
	return s->text;
}

const char *rig_pcap(struct rig *rig, unsigned uplink)
{
	return rig_path(rig, uplink == RIG_RESTRICTED ? "uplink0.pcap" : "uplink1.pcap");
}

static bool copy_file(const char *from, const char *to)
{
	char *copy[] = { "cp", (char *)from, (char *)to, NULL };
	char output[512];

	if (run_program(copy, 30, output, sizeof(output)))
		return true;
	fprintf(stderr, "rig: %s", output);
	return false;
}

/*
 * Three CPUs, and the policies place VMs on the last two.  QEMU keeps the state of VMRUN in a word of flags, and on its
 * first CPU other threads change that word without a lock (cpu_clear_ignne, on each FXRSTOR and XRSTOR of any CPU): a
 * guest there loses its nested page tables, or the hypervisor is left with them.
 */
#define CPUS 3u

static void args_machine(struct arguments *a, struct rig *rig, const struct rig_config *c)
{
	arg(a, "qemu-system-x86_64");
	option(a, "-accel", "tcg%s", c->icount ? ",thread=single" : "");
	option(a, "-M", "q35%s", c->secure_boot ? ",smm=on" : "");
	option(a, "-cpu", "EPYC,+svm,+npt,-smap,-monitor");
	option(a, "-smp", "%u", c->icount ? 1 : c->cpus ? c->cpus : CPUS);
	option(a, "-m", "%u", c->memory_mib ? c->memory_mib : 3072);
	option(a, "-display", "none");
	option(a, "-vga", "none");
	arg(a, "-nodefaults");
	arg(a, "-no-user-config");
	if (!c->reboot)
		arg(a, "-no-reboot");
	if (c->icount)
		option(a, "-icount", "shift=0,sleep=off");
	if (c->paused || c->gdb_port)
		arg(a, "-S");
	if (c->gdb_port)
		option(a, "-gdb", "tcp:127.0.0.1:%u", c->gdb_port);
	if (c->secure_boot)
		option(a, "-global", "driver=cfi.pflash01,property=secure,value=on");
	if (!c->no_iommu)
		option(a, "-device", "intel-iommu,intremap=%s", c->no_intremap ? "off" : "on");
	option(a, "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=%s",
	       c->secure_boot ? OVMF "CODE_4M.secboot.fd" : OVMF "CODE_4M.fd");
	option(a, "-drive", "if=pflash,format=raw,unit=1,file=%s/vars.fd", rig->dir);
	option(a, "-serial", "file:%s/serial.log", rig->dir);
	option(a, "-qmp", "unix:%s/qmp,server=on,wait=off", rig->sockets);
}

/* The card and QEMU's network have an end each of a wire that is ours (rig_peer.c). */
static void args_wire(struct arguments *a, struct rig *rig, unsigned i)
{
	int card, network;

	rig->wire[i] = rig_wire_make(&card, &network);
	option(a, "-netdev", "hubport,id=hub%u,hubid=%u,netdev=up%u", i, i, i);
	option(a, "-netdev", "dgram,id=wire%u,local.type=fd,local.str=%d", i, network);
	option(a, "-netdev", "hubport,id=hubwire%u,hubid=%u,netdev=wire%u", i, i, i);
	option(a, "-netdev", "dgram,id=card%u,local.type=fd,local.str=%d", i, card);
}

static void args_devices(struct arguments *a, struct rig *rig, const struct rig_config *c)
{
	for (unsigned i = 0; !c->no_nics && i < RIG_UPLINKS; i++) {
		char *netdev;

		if (asprintf(&netdev, "user,id=up%u,ipv6=off,restrict=on,net=%s", i, networks[i]) < 0)
			abort();
		for (unsigned j = 0; j < RIG_GUESTFWD_MAX && c->guestfwd[i][j]; j++) {
			char *longer;

			if (asprintf(&longer, "%s,guestfwd=%s", netdev, c->guestfwd[i][j]) < 0)
				abort();
			free(netdev);
			netdev = longer;
		}
		option(a, "-netdev", "%s", netdev);
		free(netdev);
		if (c->peer[i])
			args_wire(a, rig, i);
		option(a, "-object", "filter-dump,id=dump%u,netdev=%s%u,file=%s", i, c->peer[i] ? "card" : "up", i,
		       rig_pcap(rig, i));
		option(a, "-device", "pcie-root-port,id=rp%u,bus=pcie.0,chassis=%u,addr=%u.0", i, i + 1, i + 2);
		option(a, "-device", "e1000e,bus=rp%u,netdev=%s%u,romfile=,mac=52:54:00:4c:5a:%02x", i,
		       c->peer[i] ? "card" : "up", i, i + 1);
	}
	if (!c->no_nvme) {
		file_option(a, "-drive", "if=none,id=nvme,format=raw,file=",
			    c->nvme ? c->nvme : rig_path(rig, "nvme.img"));
		option(a, "-device", "nvme,bus=pcie.0,addr=4.0,drive=nvme,serial=lazaret");
	}
	if (c->screen)
		option(a, "-device", "VGA,bus=pcie.0,addr=5.0,romfile=");
	if (c->esp) {
		file_option(a, "-drive", "if=none,id=esp,format=raw,snapshot=on,file=", c->esp);
		option(a, "-device", "ide-hd,drive=esp,bootindex=0");
	}
	if (!c->no_tpm) {
		option(a, "-chardev", "socket,id=tpmsock,path=%s/tpm", rig->sockets);
		option(a, "-tpmdev", "emulator,id=tpm0,chardev=tpmsock");
		option(a, "-device", "tpm-tis,tpmdev=tpm0");
	}
	for (unsigned i = 0; c->extra && c->extra[i]; i++)
		arg(a, "%s", c->extra[i]);
}

static bool make_dir(struct rig *rig, const struct rig_config *c)
{
	char output[512], *make[] = { "mkdir", "-p", "--", (char *)c->dir, NULL };
	const char *vars = c->secure_boot ? OVMF "VARS_4M.snakeoil.fd" : OVMF "VARS_4M.fd";
	int fd;

	rig->dir = strdup(c->dir);
	if (!rig->dir || strpbrk(c->dir, "\"\\,")) {
		fprintf(stderr, "rig: %s: expected a run directory without '\"', '\\' and ',' in its name\n", c->dir);
		return false;
	}
	if (!run_program(make, 10, output, sizeof(output))) {
		fprintf(stderr, "rig: %s: the run directory cannot be made: %s", c->dir, output);
		return false;
	}
	if (c->esp && access(c->esp, R_OK)) {
		fprintf(stderr, "rig: %s: %s\n", c->esp, strerror(errno));
		return false;
	}
	unlink(rig_path(rig, "serial.log"));
	if (access(rig_path(rig, "vars.fd"), R_OK) && !copy_file(vars, rig_path(rig, "vars.fd")))
		return false;
	if (!c->no_nvme && !c->nvme && access(rig_path(rig, "nvme.img"), R_OK)) {
		FILE *f = fopen(rig_path(rig, "nvme.img"), "wb");

		fd = f ? fileno(f) : -1;
		if (fd < 0 || ftruncate(fd, 64 << 20) || fclose(f)) {
			fprintf(stderr, "rig: %s/nvme.img: %s\n", rig->dir, strerror(errno));
			return false;
		}
	}
	return true;
}

/* Once both ends are connected nobody needs their names, and nothing is left behind when this process is killed. */
static void remove_sockets(struct rig *rig)
{
	char path[sizeof(rig->sockets) + 16];

	if (!rig->sockets[0])
		return;
	snprintf(path, sizeof(path), "%s/qmp", rig->sockets);
	unlink(path);
	snprintf(path, sizeof(path), "%s/tpm", rig->sockets);
	unlink(path);
	rmdir(rig->sockets);
	rig->sockets[0] = 0;
}

struct rig *rig_start(const struct rig_config *c)
{
	struct arguments a = { .count = 0 };
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig)
		abort();
	rig->qmp = rig->qemu_fd = -1;
	rig->screen = c->screen;
	strcpy(rig->sockets, "/tmp/lzr-rig-XXXXXX");    /* socket paths must be short */
	if (!mkdtemp(rig->sockets)) {
		fprintf(stderr, "rig: %s: %s\n", rig->sockets, strerror(errno));
		rig->sockets[0] = 0;
		rig_stop(rig);
		return NULL;
	}
	if (!make_dir(rig, c) || (!c->no_tpm && !rig_tpm_start(rig))) {
		rig_stop(rig);
		return NULL;
	}
	args_machine(&a, rig, c);
	args_devices(&a, rig, c);
	rig->qemu = run_start(a.list, rig_path(rig, "qemu.log"));
	for (unsigned i = 0; i < a.count; i++)
		free(a.list[i]);
	for (unsigned i = 0; i < RIG_UPLINKS; i++)
		if (rig->wire[i])
			rig_wire_start(rig->wire[i]);
	if (rig->qemu > 0)
		rig_clock_start(rig, c->seconds ? c->seconds : 120);
	if (rig->qemu < 0 || !rig_qmp_connect(rig)) {
		fprintf(stderr, "rig: QEMU did not start, see %s\n", rig_path(rig, "qemu.log"));
		rig_stop(rig);
		return NULL;
	}
	remove_sockets(rig);
	return rig;
}

void rig_stop(struct rig *rig)
{
	if (!rig)
		return;
	if (rig->qmp >= 0 && rig_running(rig)) {
		rig_qmp(rig, "{\"execute\":\"quit\"}", NULL, 0);
		rig_wait_end(rig, 5);
	}
	rig_clock_stop(rig);
	run_stop(rig->qemu);
	run_stop(rig->swtpm);
	if (rig->qmp >= 0)
		close(rig->qmp);
	for (unsigned i = 0; i < RIG_UPLINKS; i++)
		rig_wire_end(rig->wire[i]);
	remove_sockets(rig);
	while (rig->strings) {
		struct rig_string *next = rig->strings->next;

		free(rig->strings);
		rig->strings = next;
	}
	free(rig->serial);
	free(rig->dir);
	free(rig);
}

bool rig_running(struct rig *rig)
{
	int status;

	if (rig->qemu > 0 && waitpid(rig->qemu, &status, WNOHANG) != 0)
		rig->qemu = 0;
	return rig->qemu > 0;
}

bool rig_wait_end(struct rig *rig, unsigned seconds)
{
	double deadline = rig_elapsed(rig) + seconds;

	while (rig_running(rig)) {
		if (rig_elapsed(rig) > deadline)
			return false;
		usleep(20000);
	}
	return true;
}

const char *rig_serial(struct rig *rig)
{
	FILE *f = fopen(rig_path(rig, "serial.log"), "rb");
	struct stat st;
	size_t got;

	if (!rig->serial)
		rig->serial = calloc(1, SERIAL_MAX);    /* never moved: callers keep places in it */
	if (f && !fstat(fileno(f), &st) && (size_t)st.st_size > rig->serial_length) {
		size_t want = (size_t)st.st_size - rig->serial_length, room = SERIAL_MAX - 1 - rig->serial_length;

		if (!rig->serial || fseek(f, (long)rig->serial_length, SEEK_SET))
			abort();
		want = want < room ? want : room;
		got = fread(rig->serial + rig->serial_length, 1, want, f);
		for (size_t i = 0; i < got; i++) {
			if (!rig->serial[rig->serial_length + i])
				rig->serial[rig->serial_length + i] = '?';
		}
		rig->serial_length += got;
		rig->serial[rig->serial_length] = 0;
	}
	if (f)
		fclose(f);
	return rig->serial ? rig->serial : "";
}

bool rig_seen(struct rig *rig, const char *text)
{
	return strstr(rig_serial(rig), text) != NULL;
}

/* Looks behind the mark for a whole line with `text`; moves the mark. */
static bool find_line(struct rig *rig, const char *text, char *line, size_t capacity)
{
	const char *serial = rig_serial(rig);
	const char *hit = strlen(serial) > rig->mark ? strstr(serial + rig->mark, text) : NULL;
	const char *start = hit, *end = hit ? strchr(hit, '\n') : NULL;
	size_t length;

	if (!end)
		return false;
	while (start > serial + rig->mark && start[-1] != '\n')
		start--;
	length = (size_t)(end - start);
	if (length && start[length - 1] == '\r')
		length--;
	if (line && capacity)
		snprintf(line, capacity, "%.*s", (int)length, start);
	rig->mark = (size_t)(end + 1 - serial);
	return true;
}

bool rig_wait_line(struct rig *rig, const char *text, unsigned seconds, char *line, size_t capacity)
{
	double deadline = rig_elapsed(rig) + seconds;

	for (;;) {
		bool running = rig_running(rig);

		if (find_line(rig, text, line, capacity))
			return true;
		if (!running || rig_elapsed(rig) > deadline)
			return false;
		usleep(20000);
	}
}
