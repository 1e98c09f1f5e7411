/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lzr-policy at 100, 1,000 and 10,000 VMs: time and memory of `check` and `build`, and how they grow.  Every VM has a
 * port, a channel and ten firewall rules of its network, and one auditor attests, audits and controls them all: ten
 * flows and ten rules for each VM.
 *
 *   policy LZR-POLICY FOLDER        FOLDER is made; what is in it is overwritten
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libfdt.h>

#include <lazaret/link.h>

#include "policy.h"

#define GROUP 20u  /* VMs of one network */
#define RULES 10u  /* for each VM */
#define PART 1000u /* of a list, in one pair of braces */
#define MANIFEST_ROOM 65536u

static const char *compiler, *folder;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static FILE *create(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	if (!file)
		fail(path);
	return file;
}

/* --- the source --------------------------------------------------------------------------------------------------- */

/* dtc wants long lists in parts: vms, vms@1, vms@2.. */
static void put_list(FILE *out, const char *list, unsigned index)
{
	if (index && index % PART == 0)
		fprintf(out, "};\n%s@%u {\n", list, index / PART);
	else if (!index)
		fprintf(out, "/ { %s {\n", list);
}

static unsigned level_of(unsigned group)
{
	return group % 4;
}

static void put_label(FILE *out, unsigned group)
{
	fprintf(out, "label = \"l%u\", \"c%u\";", level_of(group), group % 2);
}

static void put_vms(FILE *out, unsigned count)
{
	const char *rest = "memory = \"2M\"; cpus = <0>;";
	const char *range =
		"label = \"l3\", \"c0\", \"c1\"; trusted-low = \"l0\"; trusted-high = \"l3\", \"c0\", \"c1\";";

	for (unsigned i = 0; i < count; i++) {
		put_list(out, "vms", i);
		fprintf(out, "\tvm%u { %s ", i, rest);
		put_label(out, i / GROUP);
		fprintf(out, " };\n");
	}
	for (unsigned group = 0; group * GROUP < count; group++) {
		fprintf(out, "\tbroker%u { %s service; ", group, rest);
		put_label(out, group);
		fprintf(out, " };\n");
	}
	fprintf(out, "\tswitch { %s %s service; };\n", rest, range);
	fprintf(out, "\tauditor { %s %s attests = \"*\"; reads-audit = \"*\"; controls = \"*\"; };\n}; };\n", rest,
		range);
}

static void put_network(FILE *out, unsigned group, unsigned count)
{
	unsigned first = group * GROUP, size = count - first < GROUP ? count - first : GROUP;

	fprintf(out, "\tn%u {\n\t\t", group);
	put_label(out, group);
	fprintf(out, "\n\t\tports {\n");
	for (unsigned i = first; i < first + size; i++)
		fprintf(out,
			"\t\t\tp%u { vm = \"vm%u\"; device = \"net0\"; mac = \"02:00:00:%02x:%02x:%02x\"; "
			"ip = \"10.%u.%u.%u\"; };\n",
			i, i, i >> 16, i >> 8 & 255, i & 255, i >> 16, i >> 8 & 255, i & 255);
	fprintf(out, "\t\t};\n\t\trules {\n");
	for (unsigned i = 0; i < size * RULES; i++)
		fprintf(out, "\t\t\tr%u { from = \"p%u\"; to = \"p%u\"; service = \"s%u\"; allow; };\n", i,
			first + i % size, first + (i + 1 + i / size) % size, i % 8);
	fprintf(out, "\t\t};\n\t};\n");
}

static void put_source(unsigned count)
{
	FILE *out = create("p.dts");

	fprintf(out, "/dts-v1/;\n/ {\ncompatible = \"lazaret,policy-source-1\";\nversion = <1>;\n"
		     "levels = \"l0\", \"l1\", \"l2\", \"l3\";\ncategories = \"c0\", \"c1\";\n"
		     "machine { memory = \"1024G\"; cpus = <1>; };\n");
	fprintf(out, "services {\n");
	for (unsigned i = 0; i < 8; i++)
		fprintf(out, "\ts%u { tcp = <%u>; };\n", i, 1000 + i);
	fprintf(out, "};\n");
	fprintf(out,
		"switch {\n\tvm = \"switch\"; device = \"ports\";\n"
		"\tquarantine { verifier = \"v.lzrkey\"; lease-max = \"60s\"; nonce-interval = \"1s\"; };\n};\n};\n");
	put_vms(out, count);
	for (unsigned group = 0; group * GROUP < count; group++) {
		put_list(out, "networks", group);
		put_network(out, group, count);
	}
	fprintf(out, "}; };\n");
	for (unsigned i = 0; i < count; i++) {
		put_list(out, "channels", i);
		fprintf(out,
			"\tc%u { vm = \"vm%u\"; device = \"chan0\"; service = \"broker%u\"; "
			"service-device = \"s%u\"; };\n",
			i, i, i / GROUP, i % GROUP);
	}
	fprintf(out, "}; };\n");
	if (fclose(out) != 0)
		fail("p.dts");
}

/* --- the manifests ------------------------------------------------------------------------------------------------ */

struct vdev {
	const char *name;
	unsigned slot, virtio_id, queues;
	bool service;
	const uint8_t *mac; /* or NULL */
};

static void put_vdev(void *fdt, const struct vdev *vdev)
{
	uint8_t config[256] = { [2] = (uint8_t)vdev->virtio_id, [3] = (uint8_t)(vdev->virtio_id >> 8) };
	char name[32];

	snprintf(name, sizeof(name), "vdev@%x", vdev->slot);
	fdt_begin_node(fdt, name);
	fdt_property_string(fdt, "name", vdev->name);
	fdt_property_u32(fdt, "slot", vdev->slot);
	fdt_property(fdt, "config", config, sizeof(config));
	fdt_property_u32(fdt, "queues", vdev->queues);
	fdt_property_u32(fdt, "queue-size", 256);
	if (vdev->mac)
		fdt_property(fdt, "device-config", vdev->mac, 6);
	if (vdev->service)
		fdt_property(fdt, "service", "", 0);
	fdt_end_node(fdt);
}

static void put_manifest(const char *image, const struct vdev *vdevs, unsigned count, const uint8_t *switch_config)
{
	static char fdt[MANIFEST_ROOM];
	char name[80];

	fdt_create(fdt, sizeof(fdt));
	fdt_finish_reservemap(fdt);
	fdt_begin_node(fdt, "");
	fdt_property_string(fdt, "compatible", LZR_MANIFEST_COMPATIBLE);
	fdt_property_string(fdt, "image", image);
	fdt_property_u64(fdt, "memory", LZR_MEMORY_GRANULE);
	fdt_property_u32(fdt, "vcpus", 1);
	if (switch_config) {
		fdt_begin_node(fdt, "segments");
		fdt_begin_node(fdt, "segment@0");
		fdt_property_string(fdt, "file", "switch.conf");
		fdt_property_u64(fdt, "gpa", LZR_SWITCH_CONFIG_GPA);
		fdt_property(fdt, "sha384", switch_config, LZR_DIGEST_SIZE);
		fdt_end_node(fdt);
		fdt_end_node(fdt);
	}
	for (unsigned i = 0; i < count; i++)
		put_vdev(fdt, &vdevs[i]);
	fdt_end_node(fdt);
	if (fdt_finish(fdt) != 0) {
		fprintf(stderr, "manifest of %s: no room\n", image);
		exit(1);
	}
	snprintf(name, sizeof(name), "%s.manifest", image);
	FILE *out = create(name);
	if (fwrite(fdt, 1, fdt_totalsize(fdt), out) != fdt_totalsize(fdt) || fclose(out) != 0)
		fail(name);
}

static void put_manifests(unsigned count)
{
	struct vdev broker[GROUP];
	char names[GROUP][8], image[32];

	for (unsigned i = 0; i < GROUP; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		broker[i] = (struct vdev){ names[i], 1 + i, LZR_VIRTIO_PCI_CONSOLE, 2, true, NULL };
	}
	for (unsigned i = 0; i < count; i++) {
		uint8_t mac[6] = { 2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i };
		struct vdev vdevs[] = { { "net0", 1, LZR_VIRTIO_PCI_NET, 2, false, mac },
					{ "chan0", 2, LZR_VIRTIO_PCI_CONSOLE, 2, false, NULL } };
		snprintf(image, sizeof(image), "vm%u", i);
		put_manifest(image, vdevs, 2, NULL);
	}
	for (unsigned group = 0; group * GROUP < count; group++) {
		snprintf(image, sizeof(image), "broker%u", group);
		put_manifest(image, broker, GROUP, NULL);
	}
	put_manifest("auditor", NULL, 0, NULL);
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

struct cost {
	double cpu; /* seconds of it, dtc's with them: what else the machine does is not in it */
	double wall;
	double mebibytes;
};

static double seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

/* A program in the folder, with arguments up to a NULL. */
static struct cost run(const char *program, const char *const *arguments)
{
	struct timeval begin, end;
	struct rusage usage;
	int status;

	gettimeofday(&begin, NULL);
	pid_t child = fork();
	if (child == 0) {
		/* The certificate that check prints. */
		if (chdir(folder) == 0 && freopen("/dev/null", "w", stdout))
			execvp(program, (char *const *)(uintptr_t)arguments);
		perror(program);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child)
		fail(program);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s %s failed\n", arguments[0], arguments[1]);
		exit(1);
	}
	gettimeofday(&end, NULL);
	return (struct cost){ .cpu = seconds(&usage.ru_utime) + seconds(&usage.ru_stime),
			      .wall = seconds(&end) - seconds(&begin),
			      .mebibytes = (double)usage.ru_maxrss / 1024 };
}

static void put_switch_manifest(unsigned count)
{
	const char *const make[] = { "lzr-policy", "switch",	       "p.dts", "--keys", ".", "--out",
				     "p.switch",   "--machine-limits", "off",	NULL };
	struct vdev ports = { "ports", 1, LZR_VIRTIO_PCI_LINK, 2 * count, true, NULL };
	uint8_t hash[LZR_DIGEST_SIZE];
	char path[512], why[600];
	size_t size;

	run(compiler, make);
	snprintf(path, sizeof(path), "%s/p.switch", folder);
	void *config = file_load(path, 1u << 30, &size, why, sizeof(why));
	if (!config || !digest(config, size, hash))
		fail(path);
	free(config);
	put_manifest("switch", &ports, 1, hash);
}

static void measure(unsigned count, struct cost *check, struct cost *build)
{
	const char *const check_line[] = { "lzr-policy",       "check", "p.dts", "--keys", ".", "--manifest-dir", ".",
					   "--machine-limits", "off",	NULL };
	const char *const build_line[] = { "lzr-policy",       "build", "p.dts", "--keys", ".", "--manifest-dir", ".",
					   "--machine-limits", "off",	"--out", "p.dtb",  NULL };

	put_source(count);
	put_manifests(count);
	put_switch_manifest(count);
	*check = run(compiler, check_line);
	*build = run(compiler, build_line);
}

int main(int argc, char **argv)
{
	static const unsigned sizes[] = { 100, 1000, 10000 };
	const char *const keygen[] = { "lzr-policy", "keygen", "--development", "--out", "v", NULL };
	struct cost check, build;
	double last = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: policy LZR-POLICY FOLDER\n");
		return 2;
	}
	compiler = realpath(argv[1], NULL);
	folder = argv[2];
	if (!compiler || (mkdir(folder, 0755) != 0 && access(folder, W_OK) != 0))
		fail(argv[compiler ? 2 : 1]);
	run(compiler, keygen);
	printf("lzr-policy: CPU seconds, dtc's with them; build, times the row above\n"
	       "  VMs   rules   check   build   times   elapsed   MiB\n");
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		measure(sizes[i], &check, &build);
		printf("%5u  %6u  %6.3f  %6.3f  ", sizes[i], sizes[i] * RULES, check.cpu, build.cpu);
		printf(i ? "%6.1f  " : "        ", build.cpu / last);
		printf("%8.3f  %5.1f\n", build.wall, build.mebibytes);
		fflush(stdout);
		last = build.cpu;
	}
	return 0;
}
