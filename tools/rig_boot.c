/* SPDX-License-Identifier: Apache-2.0 */
/* rig-boot: boots a volume on the emulated machine and shows the serial log until it ends or the time is over. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/output.h"
#include "rig.h"

static const char usage[] =
	"usage: rig-boot [options] ESP.IMG [-- QEMU ARGUMENT...]\n"
	"\n"
	"Boots the volume on the emulated machine (tools/rig.h) and copies its serial log to standard output.\n"
	"Exit status: 0 --until was seen, or without it the machine ended; 1 time over, or the machine ended and\n"
	"--until was not seen; 2 wrong arguments or no start.  See rig-boot(1).\n"
	"\n"
	"  --dir DIR          run directory (build/run/boot): serial.log, qemu.log, captures, TPM state\n"
	"  --seconds N        time limit (60)\n"
	"  --until TEXT       end when a line contains TEXT\n"
	"  --nvme IMG         raw disk image for the NVMe disk\n"
	"  --restricted FWD   guestfwd on the RESTRICTED uplink, e.g. tcp:10.0.3.5:4433-cmd:PROGRAM; may be repeated\n"
	"  --untrusted FWD    the same on the UNTRUSTED uplink\n"
	"  --cpus N           CPUs (3)\n"
	"  --memory MIB       RAM (3072)\n"
	"  --no-tpm, --no-iommu, --no-intremap, --no-nics, --no-nvme    without that part\n"
	"  --screen           with a VGA card\n"
	"  --icount           one CPU, time counted in instructions\n"
	"  --gdb PORT         wait for gdb: target remote :PORT\n"
	"  --reboot           start again after a reset\n"
	"  --quiet            do not copy the serial log\n";

struct choice {
	struct rig_config config;
	const char *until;
	bool quiet;
	unsigned forwards[RIG_UPLINKS];
};

static bool forward(struct choice *c, unsigned uplink, const char *text)
{
	if (c->forwards[uplink] == RIG_GUESTFWD_MAX)
		return false;
	c->config.guestfwd[uplink][c->forwards[uplink]++] = text;
	return true;
}

static bool take(struct choice *c, int letter, const char *value)
{
	struct rig_config *r = &c->config;

	switch (letter) {
	case 'd': r->dir = value; return true;
	case 's': r->seconds = (unsigned)atoi(value); return r->seconds > 0;
	case 'u': c->until = value; return true;
	case 'n': r->nvme = value; return true;
	case 'R': return forward(c, RIG_RESTRICTED, value);
	case 'U': return forward(c, RIG_UNTRUSTED, value);
	case 'c': r->cpus = (unsigned)atoi(value); return r->cpus > 0;
	case 'm': r->memory_mib = (unsigned)atoi(value); return r->memory_mib > 0;
	case 'g': r->gdb_port = (unsigned)atoi(value); return r->gdb_port > 0;
	case 'T': r->no_tpm = true; return true;
	case 'I': r->no_iommu = true; return true;
	case 'J': r->no_intremap = true; return true;
	case 'K': r->no_nics = true; return true;
	case 'N': r->no_nvme = true; return true;
	case 'v': r->screen = true; return true;
	case 'i': r->icount = true; return true;
	case 'b': r->reboot = true; return true;
	case 'q': c->quiet = true; return true;
	default: return false;
	}
}

static int watch(const struct choice *c, struct rig *rig)
{
	char line[1024];

	for (unsigned tenths = 0; tenths < c->config.seconds * 10; tenths++) {
		static size_t shown;
		const char *serial;
		bool running = rig_running(rig);

		serial = rig_serial(rig);
		if (!c->quiet)
			fputs(serial + shown, stdout);
		fflush(stdout);
		shown = strlen(serial);
		if (c->until && rig_wait_line(rig, c->until, 0, line, sizeof(line)))
			return 0;
		if (!running)
			return c->until ? 1 : 0;
		usleep(100000);
	}
	fprintf(stderr, "rig-boot: time over after %u seconds; run directory %s\n", c->config.seconds, c->config.dir);
	return 1;
}

static void ended(int number)
{
	(void)number;
	_exit(1);       /* the machine's processes die with this one */
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", 1, NULL, 'd' }, { "seconds", 1, NULL, 's' }, { "until", 1, NULL, 'u' },
		{ "nvme", 1, NULL, 'n' }, { "restricted", 1, NULL, 'R' }, { "untrusted", 1, NULL, 'U' },
		{ "cpus", 1, NULL, 'c' }, { "memory", 1, NULL, 'm' }, { "gdb", 1, NULL, 'g' },
		{ "no-tpm", 0, NULL, 'T' }, { "no-iommu", 0, NULL, 'I' }, { "no-intremap", 0, NULL, 'J' },
		{ "no-nics", 0, NULL, 'K' }, { "no-nvme", 0, NULL, 'N' }, { "screen", 0, NULL, 'v' },
		{ "icount", 0, NULL, 'i' }, { "reboot", 0, NULL, 'b' }, { "quiet", 0, NULL, 'q' },
		{ "help", 0, NULL, 'h' }, { 0 },
	};
	struct choice c = { .config = { .dir = "build/run/boot", .seconds = 60 } };
	struct rig *rig;
	int letter, status;

	output_must_be_written("rig-boot");
	while ((letter = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == '?' || !take(&c, letter, optarg)) {
			fprintf(stderr, "rig-boot: wrong option or value, see --help\n");
			return 2;
		}
	}
	if (optind == argc) {
		fputs(usage, stderr);
		return 2;
	}
	c.config.esp = argv[optind];
	if (optind + 1 < argc)
		c.config.extra = (const char *const *)argv + optind + 1 + !strcmp(argv[optind + 1], "--");
	signal(SIGTERM, ended);
	signal(SIGINT, ended);
	rig = rig_start(&c.config);
	if (!rig)
		return 2;
	status = watch(&c, rig);
	rig_stop(rig);
	return status;
}
