/* SPDX-License-Identifier: Apache-2.0 */
/*
 * story: boots the machine, plays the verifier's side, and tells what happened: each VM, each flow that was tried, each wire,
 * and where the time went.  Exit status 0 only if every line is as expected.
 */
#include "pcap.h"
#include "rig.h"
#include "run.h"
#include "table.h"
#include "watch.h"

#include "key.h"
#include "result.h"
#include "store.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BOOT_SECONDS 120
#define TRY_SECONDS 150
#define ADMIT_SECONDS 150
#define ANSWER_SECONDS 40
#define TIMES_MAX 16

static struct {
	const char *policy, *switch_config, *reference, *esp, *keys, *dir, *verify;
	unsigned lease;
	bool shell;
} options = { .lease = 60 };

static struct story story;
static struct store store;
static struct rig *rig;
static struct watch console, events;
static struct table_time times[TIMES_MAX];
static unsigned time_count;
static double began;
static volatile sig_atomic_t leave;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void stage(const char *what)
{
	if (time_count < TIMES_MAX)
		times[time_count++] = (struct table_time){ what, now() - began };
	printf("  %6.1fs  %s\n", now() - began, what);
	fflush(stdout);
}

/* --- progress --------------------------------------------------------------------------------------------------------- */

static void on_console(void *context, const char *line)
{
	(void)context;
	story_console(&story, line);
	if (strstr(line, "LZR-READY") || strstr(line, "LZR-DISK") || strstr(line, "LZR-COPY") || strstr(line, "LZR-ERROR") ||
	    strncmp(line, "loader: ", 8) == 0 || strncmp(line, "hv: ", 4) == 0)
		printf("  %6.1fs    %.150s\n", now() - began, line);
	fflush(stdout);
}

static void on_event(void *context, const char *line)
{
	(void)context;
	story_event(&story, line);
	printf("  %6.1fs    verifier: %.150s\n", now() - began, line);
	fflush(stdout);
}

static void look(void)
{
	watch_lines(&console, on_console, NULL);
	watch_lines(&events, on_event, NULL);
}

/* Looks on until `done` says so; false when the time is over, the machine ended or somebody wants to leave. */
static bool until(bool (*done)(void), unsigned seconds)
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

/* --- the verifier's side ---------------------------------------------------------------------------------------------- */

/*
 * QEMU starts this for each connection to the verifier's endpoint.  It waits for the file "go", so that every VM has tried
 * everything from inside quarantine before the first lease is given.
 */
static bool write_server(char *forward, size_t size)
{
	char path[PATH_MAX], top[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/serve", options.dir);
	file = fopen(path, "w");
	if (!file || !getcwd(top, sizeof(top))) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	fprintf(file, "#!/bin/sh\ncd '%s' || exit 1\nwhile [ ! -e '%s/go' ]; do sleep 0.2; done\n", top, options.dir);
	fprintf(file, "exec '%s' serve --stdio --state '%s/verifier' --reference '%s' --key '%s/verifier.pem' --ek-roots "
		      "'%s/roots.pem' --lease %u --allow-development-key 2>>'%s/verifier.log'\n",
		options.verify, options.dir, options.reference, options.keys, options.dir, options.lease, options.dir);
	if (fclose(file) != 0 || chmod(path, 0755) != 0) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	snprintf(forward, size, "tcp:10.0.3.100:4433-cmd:%s/%s/serve", top, options.dir);
	return true;
}

static bool copy_certificate(FILE *to, const char *directory, const char *name)
{
	char path[PATH_MAX], data[8192];
	FILE *from;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	from = fopen(path, "r");
	if (!from) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	while ((n = fread(data, 1, sizeof(data), from)) > 0)
		fwrite(data, 1, n, to);
	fclose(from);
	return true;
}

/* The TPM maker's certificates, which the verifier trusts for endorsement keys. */
static bool write_roots(void)
{
	const char *maker = rig_tpm_maker();
	char path[PATH_MAX];
	FILE *file;
	bool ok;

	if (!maker)
		return false;
	snprintf(path, sizeof(path), "%s/roots.pem", options.dir);
	file = fopen(path, "w");
	if (!file) {
		fprintf(stderr, "story: %s: %s\n", path, strerror(errno));
		return false;
	}
	ok = copy_certificate(file, maker, "ca/swtpm-localca-rootca-cert.pem") &&
	     copy_certificate(file, maker, "ca/issuercert.pem");
	return fclose(file) == 0 && ok;
}

static bool touch(const char *name)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", options.dir, name);
	file = fopen(path, "w");
	return file && fclose(file) == 0;
}

static bool start(void)
{
	char forward[2 * PATH_MAX];
	struct rig_config config = { .dir = options.dir, .esp = options.esp, .seconds = options.shell ? 3600 : 600 };
	static char verifier[PATH_MAX], events_path[PATH_MAX], serial[PATH_MAX];
	struct fault f = { 0 };

	snprintf(verifier, sizeof(verifier), "%s/verifier", options.dir);
	snprintf(events_path, sizeof(events_path), "%s/verifier/events", options.dir);
	snprintf(serial, sizeof(serial), "%s/serial.log", options.dir);
	events.path = events_path;
	console.path = serial;
	if ((mkdir(options.dir, 0755) != 0 && errno != EEXIST) || !store_open(&store, verifier, &f)) {
		fprintf(stderr, "story: %s: %s\n", options.dir, strerror(errno));
		return false;
	}
	if (!write_roots() || !write_server(forward, sizeof(forward)))
		return false;
	config.guestfwd[RIG_RESTRICTED][0] = forward;
	rig = rig_start(&config);
	return rig != NULL;
}

/* --- results that must change nothing, and a revocation ----------------------------------------------------------------- */

static uint64_t wanted_serial;

static bool answered(void)
{
	return story.status_serial == wanted_serial && story.switch_status[0];
}

/* Signs `r`, hands it to the switch by way of the attestor, and waits for the switch's word. */
static bool deliver(struct lzr_result *r, uint32_t port, const char *key_file)
{
	uint8_t message[LZR_RESULT_SIZE];
	struct fault f = { 0 };
	struct key key;
	bool ok;

	key_init(&key);
	ok = key_load(&key, key_file, &f) && store_next_serial(&store, &r->serial, &f) && result_sign(&key, r, message, &f) &&
	     store_post(&store, r->serial, port, message, &f);
	key_free(&key);
	if (!ok) {
		char text[600];

		fault_print(&f, text, sizeof(text));
		fprintf(stderr, "story: %s\n", text);
		return false;
	}
	wanted_serial = r->serial;
	story.switch_status[0] = 0;
	return until(answered, ANSWER_SECONDS);
}

struct trial {
	const char *what;
	const char *expected;           /* the switch's word */
	char found[64];
};

static void try_result(struct trial *trial, struct lzr_result r, uint32_t port, const char *key_file)
{
	if (deliver(&r, port, key_file))
		snprintf(trial->found, sizeof(trial->found), "switch: %s", story.switch_status);
	else
		snprintf(trial->found, sizeof(trial->found), "no answer");
}

static const struct story_vm *first_admitted(void)
{
	for (unsigned n = 0; n < story.view.vm_count; n++)
		if (story.vm[n].expect_admitted && story.vm[n].leases)
			return &story.vm[n];
	return NULL;
}

static const struct story_vm *first_refused(void)
{
	for (unsigned n = 0; n < story.view.vm_count; n++)
		if (story.vm[n].port >= 0 && story.ports[story.vm[n].port].kind == LZR_PORT_GUEST &&
		    !story.vm[n].expect_admitted)
			return &story.vm[n];
	return NULL;
}

enum { TRIAL_REPLAY, TRIAL_OTHER_VM, TRIAL_INSTANCE, TRIAL_NONCE, TRIAL_KEY, TRIAL_COUNT };

static struct trial trials[TRIAL_COUNT] = {
	[TRIAL_REPLAY] = { .what = "a lease delivered a second time", .expected = "wrong-nonce" },
	[TRIAL_OTHER_VM] = { .what = "a lease sent to another VM's port", .expected = "wrong-vm" },
	[TRIAL_INSTANCE] = { .what = "a lease for another instance", .expected = "wrong-instance" },
	[TRIAL_NONCE] = { .what = "a lease for another port nonce", .expected = "wrong-nonce" },
	[TRIAL_KEY] = { .what = "a lease signed by another key", .expected = "signature" },
};

static void play_trials(const struct story_vm *vm)
{
	const struct story_vm *other = first_refused();
	char own[PATH_MAX], wrong[PATH_MAX];
	struct lzr_result lease, changed;
	struct fault f = { 0 };

	if (!store_load_lease(&store, vm->policy->name, &lease, &f))
		return;
	snprintf(own, sizeof(own), "%s/verifier.pem", options.keys);
	snprintf(wrong, sizeof(wrong), "%s/signer.pem", options.keys);
	try_result(&trials[TRIAL_REPLAY], lease, (uint32_t)vm->port, own);
	if (other)
		try_result(&trials[TRIAL_OTHER_VM], lease, (uint32_t)other->port, own);
	changed = lease;
	changed.instance++;
	try_result(&trials[TRIAL_INSTANCE], changed, (uint32_t)vm->port, own);
	changed = lease;
	changed.port_nonce[0] ^= 1;
	try_result(&trials[TRIAL_NONCE], changed, (uint32_t)vm->port, own);
	try_result(&trials[TRIAL_KEY], lease, (uint32_t)vm->port, wrong);
}

static const struct story_vm *revoked;

static bool is_blocked(void)
{
	return strcmp(revoked->state, "blocked") == 0;
}

static bool gateway_closed(void)
{
	for (unsigned i = 0; i < story.flow_count; i++)
		if (strcmp(story.flow[i].from, revoked->policy->name) == 0 && story.flow[i].last == STORY_ALLOWED)
			return false;
	return true;
}

static bool revoke_and_see(const struct story_vm *vm)
{
	char state[PATH_MAX], key[PATH_MAX];
	char *const argv[] = { (char *)options.verify, "revoke", "--state", state, "--key", key, "--vm",
			       (char *)vm->policy->name, NULL };

	snprintf(state, sizeof(state), "%s/verifier", options.dir);
	snprintf(key, sizeof(key), "%s/verifier.pem", options.keys);
	revoked = vm;
	return run_program(argv, 10, NULL, 0) && until(is_blocked, ANSWER_SECONDS) && until(gateway_closed, ANSWER_SECONDS);
}

static const struct story_vm *renewing;
static uint64_t leases_before;

static bool renewed(void)
{
	return renewing->leases > leases_before;
}

/* --- telling ------------------------------------------------------------------------------------------------------------ */

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

static void check(struct table_check *checks, unsigned *count, const char *what, bool good, const char *found)
{
	checks[(*count)++] = (struct table_check){ what, found, good };
}

/* What is tried once everybody who may be admitted is. */
static unsigned finale(bool complete_seen)
{
	struct table_check checks[TRIAL_COUNT + 8];
	const struct story_vm *vm = first_admitted();
	unsigned count = 0, bad;

	check(checks, &count, "every good VM admitted, every allowed flow passed", complete_seen, "");
	if (story.disk[0]) {
		check(checks, &count, "its driver writes and reads its disk by DMA", story.disk_good, story.disk);
		check(checks, &count, "a file from that disk to a VM of equal label", story.copy_good, story.copy);
	}
	if (vm) {
		play_trials(vm);
		for (unsigned i = 0; i < TRIAL_COUNT; i++)
			if (i != TRIAL_OTHER_VM || first_refused())
				check(checks, &count, trials[i].what,
				      strstr(trials[i].found, trials[i].expected) != NULL, trials[i].found);
		stage("results that must change nothing were tried");
		renewing = vm;
		leases_before = vm->leases;
		check(checks, &count, "a lease that runs out is renewed by a fresh nonce", until(renewed, options.lease + 20),
		      vm->verdict);
		stage("a lease was renewed");
	}
	bad = tell();
	if (vm) {
		const bool good = revoke_and_see(vm);

		check(checks, &count, "a signed revocation closes the port at once", good, vm->state);
		stage("a lease was revoked");
	}
	check(checks, &count, "no VM stopped, none complained", story.errors == 0, story.first_error);
	return bad + table_checks(stdout, checks, count);
}

static unsigned play(void)
{
	bool done;

	if (!until(is_sealed, BOOT_SECONDS)) {
		fprintf(stderr, "story: the machine did not get to its seal; see %s/serial.log\n", options.dir);
		return 1;
	}
	stage("machine sealed, VMs start");
	if (!until(all_tried, TRY_SECONDS))
		printf("           not every VM tried every other in %u s\n", TRY_SECONDS);
	stage("every VM tried everything from quarantine");
	if (!touch("go"))
		return 1;
	done = until(complete, ADMIT_SECONDS);
	stage("verdicts given, leases in force");
	return finale(done);
}

static void on_signal(int signal_number)
{
	(void)signal_number;
	leave = 1;
}

static void shell(void)
{
	printf("\nThe machine stays up.  Consoles: %s/console-NAME.log; everything: %s/serial.log\n", options.dir, options.dir);
	printf("  %s result --state %s/verifier\n", options.verify, options.dir);
	printf("  %s revoke --state %s/verifier --key %s/verifier.pem --vm NAME\n", options.verify, options.dir, options.keys);
	printf("Leave with Ctrl-C.\n");
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
	return options.policy && options.switch_config && options.reference && options.esp && options.keys && options.dir &&
	       options.verify && optind == argc;
}

int main(int argc, char **argv)
{
	unsigned bad;

	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: story --policy DTB --switch FILE --reference FILE --esp IMG --keys DIR --dir DIR\n"
				"             --verify LZR-VERIFY [--lease SECONDS] [--shell]\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	began = now();
	if (!story_load(&story, options.policy, options.switch_config, options.reference) || !start())
		return 2;
	stage("machine on");
	bad = play();
	table_times(stdout, times, time_count);
	printf("\n%s\n", bad == 0 ? "Every line is as expected." : "Some lines are not as expected.");
	if (options.shell)
		shell();
	rig_stop(rig);
	return bad != 0;
}
