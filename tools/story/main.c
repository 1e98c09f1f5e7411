/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story: boots the machine, plays the verifier's side, and tells what happened: each VM, each flow that was tried, each
 * wire, and where the time went.  Exit status 0 only if every line is as expected.
 */
#include "play.h"

#include "pcap.h"
#include "watch.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BOOT_SECONDS 180
#define TRY_SECONDS 240
#define ADMIT_SECONDS 240
#define MACHINE_SECONDS 1200
#define SHELL_SECONDS (12 * 3600)
#define TIMES_MAX 16
#define CHECKS_MAX 16

struct play_options options = { .lease = 60 };
struct story story;
struct store store;
struct rig *rig;

static struct watch console;
static int64_t events_seen;             /* of the verifier's record */
static struct table_time times[TIMES_MAX];
static unsigned time_count;
static struct table_check checks[CHECKS_MAX];
static unsigned check_count;
static double began;
static volatile sig_atomic_t leave;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void play_stage(const char *what)
{
	if (time_count < TIMES_MAX)
		times[time_count++] = (struct table_time){ what, now() - began };
	printf("  %6.1fs  %s\n", now() - began, what);
	fflush(stdout);
}

void play_check(const char *what, bool good, const char *found)
{
	struct table_check *check = &checks[check_count];

	if (check_count == CHECKS_MAX)
		return;
	check_count++;
	check->what = what;
	check->good = good;
	snprintf(check->found, sizeof(check->found), "%s", found);
}

/* --- progress ----------------------------------------------------------------------------------------------------- */

/* Each VM's console also goes to a file of its own. */
static void keep_console(const char *line)
{
	const char *end = strchr(line, ']');
	char path[PATH_MAX];
	FILE *file;

	if (line[0] != '[' || !end || end[1] != ' ' || memchr(line, '/', (size_t)(end - line)))
		return;
	snprintf(path, sizeof(path), "%s/console-%.*s.log", options.dir, (int)(end - line - 1), line + 1);
	file = fopen(path, "a");
	if (!file)
		return;
	fprintf(file, "%s\n", end + 2);
	fclose(file);
}

static bool worth_saying(const char *line)
{
	static const char *const words[] = { "LZR-READY", "LZR-DISK", "LZR-COPY", "LZR-ERROR", "LZR-ASK" };

	if (strncmp(line, "loader: ", 8) == 0 || strncmp(line, "hv: ", 4) == 0)
		return !strstr(line, "hv: segment ") && !strstr(line, ".seg: ");
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static void on_console(void *context, const char *line)
{
	(void)context;
	story_console(&story, line);
	keep_console(line);
	if (worth_saying(line))
		printf("  %6.1fs    %.130s\n", now() - began, line);
	fflush(stdout);
}

/* Leases are renewed for as long as the machine runs: only a VM's first few are said. */
static bool event_worth_saying(const char *line)
{
	for (unsigned n = 0; n < story.view.vm_count; n++) {
		char word[LZR_NAME_MAX + 8];

		snprintf(word, sizeof(word), " vm=%s ", story.view.vm[n].name);
		if (strstr(line, word))
			return ++story.vm[n].told <= 2;
	}
	return !strstr(line, "status=ok");
}

static void on_event(void *context, int64_t at_ms, const char *machine, const char *text)
{
	char line[1100];

	(void)context;
	(void)machine;
	snprintf(line, sizeof(line), "%lld.%03lld %s", (long long)(at_ms / 1000), (long long)(at_ms % 1000), text);
	story_event(&story, line);
	if (event_worth_saying(line))
		printf("  %6.1fs    verifier: %.130s\n", now() - began, text);
	fflush(stdout);
}

static void look(void)
{
	struct fault f = { 0 };

	watch_lines(&console, on_console, NULL);
	if (!store_each_event(&store, events_seen, on_event, NULL, &events_seen, &f))
		fprintf(stderr, "story: %s: %s\n", f.component, f.found);
}

bool play_until(bool (*done)(void), unsigned seconds)
{
	const double end = now() + seconds;

	while (!leave) {
		look();
		if (done())
			return true;
		if (now() > end || !rig_running(rig))
			return false;
		usleep(200000);
	}
	return false;
}

static bool is_sealed(void)
{
	return story.sealed;
}

static bool all_tried(void)
{
	return story_all_tried(&story);
}

static bool complete(void)
{
	return story_complete(&story);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static bool start(void)
{
	static char forward[2 * PATH_MAX], serial[PATH_MAX];
	struct rig_config config = { .dir = options.dir, .esp = options.esp,
				     .seconds = options.shell ? SHELL_SECONDS : MACHINE_SECONDS };

	snprintf(serial, sizeof(serial), "%s/serial.log", options.dir);
	console.path = serial;
	if (mkdir(options.dir, 0755) != 0 && errno != EEXIST) {
		fprintf(stderr, "story: %s: %s\n", options.dir, strerror(errno));
		return false;
	}
	if (!verifier_prepare(forward, sizeof(forward)))
		return false;
	config.guestfwd[RIG_RESTRICTED][0] = forward;
	rig = rig_start(&config);
	return rig != NULL;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static unsigned tell(void)
{
	struct pcap_counts wires[LZR_SWITCH_UPLINK_MAX] = { 0 };
	const char *names[LZR_SWITCH_UPLINK_MAX];
	const unsigned uplinks = story.header.uplink_count < RIG_UPLINKS ? story.header.uplink_count : RIG_UPLINKS;
	unsigned bad = table_vms(stdout, &story) + table_flows(stdout, &story);

	for (unsigned i = 0; i < uplinks; i++) {
		names[i] = story.uplinks[i].name;
		bad += !pcap_read(rig_pcap(rig, i), &wires[i]);
	}
	return bad + table_wires(stdout, &story, wires, names, uplinks);
}

static unsigned play(void)
{
	unsigned bad;
	bool done;

	if (!play_until(is_sealed, BOOT_SECONDS)) {
		fprintf(stderr, "story: the machine did not get to its seal; see %s/serial.log\n", options.dir);
		return 1;
	}
	play_stage("machine sealed, VMs start");
	if (!play_until(all_tried, TRY_SECONDS))
		printf("           not every VM tried every other in %u s\n", TRY_SECONDS);
	play_stage("every VM tried everything from quarantine");
	if (!verifier_go())
		return 1;
	done = play_until(complete, ADMIT_SECONDS);
	play_stage("verdicts given, leases in force");
	play_check("every good VM admitted, every allowed flow passed", done, "");
	if (story.disk[0])
		play_check("a VM's own driver writes and reads its disk by DMA", story.disk_good, story.disk);
	if (story_expects_copy(&story))
		play_check("a file from that disk to a VM of equal label", story.copy_good, story.copy);
	trials_play();
	bad = tell();
	trials_revoke();
	play_check("no VM stopped, none complained", story.errors == 0, story.first_error);
	return bad + table_checks(stdout, checks, check_count);
}

static void on_signal(int signal_number)
{
	(void)signal_number;
	leave = 1;
}

static void shell(void)
{
	printf("\nThe machine stays up; its consoles are in %s/console-NAME.log, everything in %s/serial.log.\n"
	       "In another terminal:\n"
	       "  tail -f %s/console-blue.log\n"
	       "  %s status --state %s/verifier.db            machine, VMs, leases, revocations\n"
	       "  %s result --state %s/verifier.db            what the verifier found\n"
	       "  %s revoke --state %s/verifier.db --key %s/verifier.pem --vm blue [--undo]\n"
	       "Leave with Ctrl-C: the machine and its TPM end with this program.\n",
	       options.dir, options.dir, options.dir, options.verify, options.dir, options.verify, options.dir,
	       options.verify, options.dir, options.keys);
	fflush(stdout);
	while (!leave && rig_running(rig)) {
		look();
		usleep(300000);
	}
}

static bool parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "policy", 1, 0, 'p' },  { "switch", 1, 0, 's' }, { "reference", 1, 0, 'r' }, { "esp", 1, 0, 'e' },
		{ "keys", 1, 0, 'k' },	  { "dir", 1, 0, 'd' },	   { "verify", 1, 0, 'v' },    { "lease", 1, 0, 'l' },
		{ "shell", 0, 0, 'S' },	  { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p': options.policy = optarg; break;
		case 's': options.switch_config = optarg; break;
		case 'r': options.reference = optarg; break;
		case 'e': options.esp = optarg; break;
		case 'k': options.keys = optarg; break;
		case 'd': options.dir = optarg; break;
		case 'v': options.verify = optarg; break;
		case 'l': options.lease = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'S': options.shell = true; break;
		default: return false;
		}
	}
	return options.policy && options.switch_config && options.reference && options.esp && options.keys &&
	       options.dir && options.verify && optind == argc;
}

int main(int argc, char **argv)
{
	unsigned bad;

	if (!parse(argc, argv)) {
		fprintf(stderr,
			"usage: story --policy DTB --switch FILE --reference FILE --esp IMG --keys DIR --dir DIR\n"
			"             --verify LZR-VERIFY [--lease SECONDS] [--shell]\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	began = now();
	if (!story_load(&story, options.policy, options.switch_config, options.reference) || !start())
		return 2;
	play_stage("machine on");
	bad = play();
	table_times(stdout, times, time_count);
	printf("\n%s\n", bad == 0 ? "Every line is as expected." : "Some lines are not as expected.");
	if (options.shell)
		shell();
	rig_stop(rig);
	store_close(&store);
	return bad != 0;
}
