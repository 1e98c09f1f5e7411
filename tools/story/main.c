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

#define QUIET_SECONDS 180        /* of the machine's time, without anything new: nothing will come any more */
#define SAY_SECONDS 30          /* how often it is said what is waited for */
#define MACHINE_SECONDS 1800
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
static volatile sig_atomic_t left;       /* the signal that asked us to leave */

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
		abort();
	check_count++;
	check->what = what;
	check->good = good;
	snprintf(check->found, sizeof(check->found), "%s", found);
}

void play_untried(const char *what, const char *why)
{
	play_check(what, false, why);
	checks[check_count - 1].untried = true;
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

/* Once a while, or when there is nothing to wait for any longer. */
static void say_wait(const char *wait, const char *how)
{
	printf("  %6.1fs  %s: %s\n", now() - began, how, wait);
	fflush(stdout);
}

bool play_until(bool (*done)(char wait[STORY_WAIT]), char waited[STORY_WAIT])
{
	double changed = rig_elapsed(rig), said = now();
	unsigned changes = story.changes;
	char wait[STORY_WAIT] = "";

	while (!left) {
		const bool running = rig_running(rig), quiet = rig_elapsed(rig) - changed > QUIET_SECONDS;

		bool is_done;

		look();
		is_done = done(wait);
		if (waited)
			snprintf(waited, STORY_WAIT, "%s", is_done ? "" : wait);
		if (is_done)
			return true;
		if (!running || quiet) {
			say_wait(wait, running ? "nothing new for long, given up" : "the machine ended before");
			return false;
		}
		if (changes != story.changes) {
			changes = story.changes;
			changed = rig_elapsed(rig);
		}
		if (now() - said > SAY_SECONDS) {
			say_wait(wait, "waiting for");
			said = now();
		}
		usleep(200000);
	}
	return false;
}

static bool is_sealed(char wait[STORY_WAIT])
{
	strcpy(wait, "the machine's seal");
	return story.sealed;
}

static bool all_tried(char wait[STORY_WAIT])
{
	return story_all_tried(&story, wait);
}

static bool complete(char wait[STORY_WAIT])
{
	return story_complete(&story, wait);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

static bool start(void)
{
	static char forward[2 * PATH_MAX], serial[PATH_MAX];
	struct rig_config config = { .dir = options.dir, .esp = options.esp,
				     .seconds = options.shell ? SHELL_SECONDS : MACHINE_SECONDS };
	unsigned wire;

	snprintf(serial, sizeof(serial), "%s/serial.log", options.dir);
	console.path = serial;
	if (mkdir(options.dir, 0755) != 0 && errno != EEXIST) {
		fprintf(stderr, "story: %s: %s\n", options.dir, strerror(errno));
		return false;
	}
	if (!verifier_prepare(forward, sizeof(forward)))
		return false;
	if (!story.unverified && story_on_rig(&story.policy, story_uplink(&story, story.endpoint->port), &wire))
		config.guestfwd[wire][0] = forward;
	rig = rig_start(&config);
	return rig != NULL;
}

/* --- telling ------------------------------------------------------------------------------------------------------ */

static unsigned tell(void)
{
	struct pcap_counts wires[STORY_WIRES] = { 0 };
	const char *names[STORY_WIRES] = { NULL };
	unsigned bad = table_vms(stdout, &story) + table_flows(stdout, &story);

	for (unsigned i = 0; i < story.policy.device_count; i++) {
		unsigned wire;

		if (story_on_rig(&story.policy, i, &wire))
			names[wire] = story.policy.devices[i].name;
	}
	for (unsigned i = 0; i < STORY_WIRES; i++)
		if (names[i] && !pcap_read(rig_pcap(rig, i), &wires[i]))
			play_check("the captures of the wires can be read", false, names[i]);
	return bad + table_wires(stdout, &story, wires, names, STORY_WIRES);
}

static void check_disk(void)
{
	if (story.disk[0])
		play_check("a VM's own driver writes and reads its disk by DMA", story.disk_good, story.disk);
	else
		play_untried("a VM's own driver writes and reads its disk by DMA", "no VM has said that it has one");
	if (story_expects_copy(&story))
		play_check("a file from that disk to a VM of equal label", story.copy_good, story.copy);
	else
		play_untried("a file from that disk to a VM of equal label", "no VM is asked to send one, or none may");
}

/* Number of lines that are not as expected; not to be believed when somebody wanted to leave. */
static unsigned play(void)
{
	char wait[STORY_WAIT] = "";
	unsigned bad;

	if (!play_until(is_sealed, NULL)) {
		if (!left)
			fprintf(stderr, "story: the machine did not get to its seal; see %s/serial.log\n", options.dir);
		return 1;
	}
	play_stage("machine sealed, VMs start");
	if (story_tries_any(&story))
		play_check("every VM tried everything from quarantine", play_until(all_tried, wait), wait);
	else
		play_untried("every VM tried everything from quarantine", "no image here is one that tries anything");
	play_stage("every VM tried everything from quarantine");
	story.released = true;
	if (left || !verifier_go())
		return 1;
	play_check("every good VM admitted, every allowed flow passed", play_until(complete, wait), wait);
	play_stage("verdicts given, leases in force");
	check_disk();
	trials_play();
	if (left)
		return 1;
	bad = tell();
	trials_revoke();
	play_check("no VM stopped, none complained", story.errors == 0, story.first_error);
	if (left)
		return 1;
	bad += table_checks(stdout, checks, check_count);
	table_times(stdout, times, time_count);
	printf("\n%s\n", bad == 0 ? "Every line is as expected." : "Some lines are not as expected.");
	return bad;
}

static void on_signal(int signal_number)
{
	left = signal_number;
}

static void shell(void)
{
	trials_undo();
	printf("\nThe machine stays up; its consoles are in %s/console-NAME.log, everything in %s/serial.log.\n"
	       "They are logs: the VMs' consoles take no input, and nothing typed here reaches a VM.\n"
	       "In another terminal:\n"
	       "  tail -f %s/console-NAME.log\n"
	       "  %s status --state %s/verifier.db            machine, VMs, leases, revocations\n"
	       "  %s result --state %s/verifier.db            what the verifier found\n"
	       "  %s revoke --state %s/verifier.db --key %s/verifier.pem --vm NAME [--undo]\n"
	       "Leave with Ctrl-C: the machine and its TPM end with this program.\n",
	       options.dir, options.dir, options.dir, options.verify, options.dir, options.verify, options.dir,
	       options.verify, options.dir, options.files.keys);
	fflush(stdout);
	while (!left && rig_running(rig)) {
		look();
		usleep(300000);
	}
	printf("\n%s\n", left ? "The machine is off." : "The machine has ended by itself.");
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static const char usage[] =
	"usage: story --source DTS --policy DTB --reference FILE --images DIR [--images DIR] --esp IMG --keys DIR\n"
	"             --dir DIR --verify LZR-VERIFY [--lease SECONDS] [--shell]\n"
	"       story --help\n";

static const char help[] =
	"\n"
	"Boots the machine of a policy in QEMU, plays the verifier's side, and tells what happened: each VM, each\n"
	"flow that was tried, each wire.  What is expected of each comes from the policy, whose own switch is asked\n"
	"(as `lzr-policy explain` does), and from the reference values.  `make run` starts it: see README.md.\n"
	"\n"
	"  --source DTS      the policy's source, which is what expectations are taken from\n"
	"  --policy DTB      the same policy compiled, as it lies in IMG\n"
	"  --reference FILE  the values that the verifier accepts\n"
	"  --images DIR      where manifests and segments of the VMs' images lie; up to four times\n"
	"  --esp IMG         what the machine boots from (mkboot)\n"
	"  --keys DIR        the policy's public keys, and verifier.pem that signs leases\n"
	"  --dir DIR         the run's own files: consoles, captures, the verifier's state\n"
	"  --verify PROGRAM  lzr-verify\n"
	"  --lease SECONDS   of each lease (60), or the policy's lease-max if that is less\n"
	"  --shell           leave the machine up afterwards, until Ctrl-C\n"
	"\n"
	"Exit status: 0 every line is as expected; 1 some are not, and are marked UNEXPECTED; 2 the machine could not\n"
	"be started; 130 or 143 interrupted by Ctrl-C or SIGTERM before the end: nothing is said of the rest then.\n";

static bool add_images(const char *dir)
{
	struct story_files *files = &options.files;

	if (files->image_count == sizeof(files->images) / sizeof(files->images[0]))
		return false;
	files->images[files->image_count++] = dir;
	return true;
}

static bool parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "source", 1, 0, 's' }, { "policy", 1, 0, 'p' }, { "reference", 1, 0, 'r' }, { "images", 1, 0, 'i' },
		{ "esp", 1, 0, 'e' },	 { "keys", 1, 0, 'k' },	  { "dir", 1, 0, 'd' },	      { "verify", 1, 0, 'v' },
		{ "lease", 1, 0, 'l' },	 { "shell", 0, 0, 'S' },  { "help", 0, 0, 'h' },      { 0 },
	};
	struct story_files *files = &options.files;
	char *end = "";
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's': files->source = optarg; break;
		case 'p': files->policy = optarg; break;
		case 'r': files->reference = optarg; break;
		case 'i':
			if (!add_images(optarg))
				return false;
			break;
		case 'e': options.esp = optarg; break;
		case 'k': files->keys = optarg; break;
		case 'd': options.dir = optarg; break;
		case 'v': options.verify = optarg; break;
		case 'l': options.lease = (unsigned)strtoul(optarg, &end, 10); break;
		case 'S': options.shell = true; break;
		case 'h': printf("%s%s", usage, help); exit(0);
		default: return false;
		}
	}
	return files->source && files->policy && files->reference && files->image_count && options.esp && files->keys &&
	       options.dir && options.verify && options.lease && !*end && optind == argc;
}

/* Longer ones are refused by the switch. */
static void fit_lease(void)
{
	for (unsigned i = 0; i < story.policy.port_count; i++) {
		const struct policy_port *port = &story.policy.ports[i];
		const uint64_t most = port->quarantine.lease_max_ns / 1000000000u;

		if (!port->infrastructure && most && most < options.lease) {
			options.lease = (unsigned)most;
			printf("           leases of %u s: port %s takes no longer ones\n", options.lease, port->name);
		}
	}
}

int main(int argc, char **argv)
{
	unsigned bad;

	if (!parse(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	began = now();
	if (!story_load(&story, &options.files))
		return 2;
	fit_lease();
	if (!start())
		return 2;
	play_stage("machine on");
	bad = play();
	if (options.shell && !left) {
		shell();
	} else if (left) {
		printf("\nInterrupted: the machine is off, and nothing is said of what was not done yet.\n");
		bad = 128u + (unsigned)left;
	}
	rig_stop(rig);
	store_close(&store);
	return bad > 128 ? (int)bad : bad != 0;
}
