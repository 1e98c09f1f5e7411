/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing compiles that the switch refuses at boot: its own loader takes the configuration of every policy that the
 * checks let through, those in the repository and random ones, and stands behind the checks where they are left out.
 * An argument is the seed of the random ones.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy.h"
#include "swconf.h"

#define RANDOM_POLICIES 300u

static char path[] = "/tmp/lzr-policy-loader-XXXXXX";
static struct swconf config;
static struct policy policy;
static struct report report;
static struct node *root;

static void close_all(void)
{
	policy_free(&policy);
	source_free(root);
	report_free(&report);
}

static void read_policy(const char *file)
{
	memset(&policy, 0, sizeof(policy));
	memset(&report, 0, sizeof(report));
	root = source_read(file, &report);
	if (root)
		model_read(&policy, root, "tests/policy/keys", &report);
}

/* What the loader says of the configuration; NULL: it takes it. */
static const char *loader_says(void)
{
	uint32_t where;
	size_t size;
	void *block = emit_switch(&policy, &size);

	assert_non_null(block);
	const char *wrong = swconf_load(&config, block, size, &where);
	free(block);
	return wrong;
}

/* --- the policies of the repository ------------------------------------------------------------------------------- */

static int is_source(const struct dirent *entry)
{
	const char *ending = strrchr(entry->d_name, '.');

	return ending && !strcmp(ending, ".dts");
}

static void check_folder(const char *folder)
{
	struct dirent **entries;
	char file[300];
	int count = scandir(folder, &entries, is_source, alphasort);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%.60s/%.200s", folder, entries[i]->d_name);
		read_policy(file);
		if (!report.errors)
			check_policy(&policy, &report);
		if (!report.errors)
			check_limits(&policy, &report);
		if (report.errors)
			fail_msg("%s", report.text);
		const char *wrong = policy.fabric.node ? loader_says() : NULL;
		if (wrong)
			fail_msg("%s: %s", file, wrong);
		close_all();
		free(entries[i]);
	}
	free(entries);
}

static void test_repository(void **state)
{
	(void)state;
	check_folder("tests/policy/good");
	check_folder("tests/policies");
	check_folder("policy/examples");
}

/* --- random policies ---------------------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static unsigned draw(unsigned below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 33) % below;
}

/* Mostly the first, which goes with all others' first. */
static const char *pick(const char *usual)
{
	static const char *const addresses[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6",
						 "10.0.0.7", "0.0.0.0",	 "127.0.0.1", "224.0.0.1", "255.255.255.255" };

	return draw(16) ? usual : addresses[draw(sizeof(addresses) / sizeof(addresses[0]))];
}

static unsigned number(unsigned usual, unsigned below)
{
	return draw(16) ? usual : draw(below);
}

static void put_port(FILE *out, unsigned index, const char *ip)
{
	fprintf(out, "p%u { vm = \"v%u\"; device = \"net0\"; mac = \"02:00:00:00:00:%02x\"; ip = \"%s\";", index, index,
		number(index, 4), pick(ip));
	if (!draw(4))
		fprintf(out, " frame-rate = <%u>; bandwidth = <%u>;", number(100, 2), number(1000, 2000));
	fprintf(out, " quarantine { lease-max = <%u>;", number(500, 2));
	if (!draw(3))
		fprintf(out, " inspection = \"p%u\"; inspection-rate = <%u>;", number(index ^ 1, 4), number(5, 2));
	fprintf(out, " }; };\n");
}

/* Every service and set is used, or it would be an error. */
static void put_rules(FILE *out, unsigned first)
{
	static const char *const ends[] = { "*", "uplink", "gateway", "pair", "10.9.0.0/16", "0.0.0.0/0" };
	char port[4];

	fprintf(out, "sets { pair = \"p%u\", \"10.0.0.0/%u\"; };\nrules {\n", first, number(8, 34));
	for (unsigned i = 0; i < 4; i++) {
		snprintf(port, sizeof(port), "p%u", first + draw(2));
		fprintf(out, "r%u { %s from = \"pair\"; to = \"%s\"; %s };\n", i,
			draw(3) ? "allow;" : draw(2) ? "deny;" : "allow; stateless;",
			draw(3) ? ends[draw(6)] : port,
			draw(2) ? "" : draw(2) ? "service = \"web\", \"ping\";" : "service = \"ping\";");
	}
	fprintf(out, "all { allow; from = \"*\"; to = \"*\"; service = \"web\", \"ping\"; };\n};\n");
}

static void put_policy(void)
{
	static const char *const ips[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fprintf(out, "/dts-v1/;\n/ { compatible = \"lazaret,policy-source-1\"; version = <1>; levels = \"LOW\";\n"
		     "machine { memory = \"1G\"; cpus = <2>; };\nvms {\n");
	for (unsigned i = 0; i < 4; i++)
		fprintf(out, "v%u { label = \"LOW\"; memory = \"2M\"; cpus = <1>; };\n", i);
	fprintf(out, "switch { label = \"LOW\"; memory = \"2M\"; cpus = <1>; service; };\n"
		     "attestor { label = \"LOW\"; memory = \"2M\"; cpus = <1>; service; attests = \"*\"; }; };\n"
		     "devices {\n");
	for (unsigned i = 0; i < 2; i++)
		fprintf(out, "nic%u { pci = \"0%u:00.0\"; id = <1 2>; reset = \"bus\"; vm = \"switch\"; slot = <%u>; "
			     "label = \"LOW\"; };\n", i, i + 1, number(i + 1, 34));
	fprintf(out, "};\nservices { web { tcp = \"%u-%u\"; }; ping { icmp; }; };\nnetworks {\n",
		number(80, 90), number(90, 90));
	for (unsigned i = 0; i < 2; i++) {
		fprintf(out, "n%u { label = \"LOW\"; uplink = \"nic%u\"; gateway = \"%s\";\n", i, number(i, 2),
			pick(i ? "10.0.0.6" : "10.0.0.5"));
		fprintf(out, "frame-rate = <%u>; bandwidth = <%u>; ports {\n", number(100, 2), number(1000, 2000));
		put_port(out, 2 * i, ips[2 * i]);
		put_port(out, 2 * i + 1, ips[2 * i + 1]);
		fprintf(out, "};\n");
		put_rules(out, 2 * i);
		fprintf(out, "};\n");
	}
	fprintf(out, "};\nswitch { vm = \"switch\"; device = \"ports\";\nquarantine { verifier = \"verifier.lzrkey\"; "
		     "lease-max = <1000>; nonce-interval = <%u>; };\ninfrastructure { infra { vm = \"attestor\"; "
		     "device = \"net0\"; network = \"n0\"; mac = \"02:00:00:00:00:09\"; ip = \"%s\";\n"
		     "endpoints { e { ip = \"%s\"; protocol = \"udp\"; port = <%u>; }; }; }; }; };\n};\n",
		number(0, 9), pick("10.0.0.7"), pick("10.0.0.8"), number(9, 2));
	assert_int_equal(fclose(out), 0);
}

static void test_random(void **state)
{
	unsigned accepted = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < RANDOM_POLICIES; i++) {
		put_policy();
		read_policy(path);
		if (!report.errors)
			check_policy(&policy, &report);
		if (!report.errors)
			check_limits(&policy, &report);
		if (report.errors && strstr(report.text, "the switch would refuse"))
			fail_msg("policy %u: no check knows of it: %s", i, report.text);
		bool good = !report.errors;
		refused += !good;
		accepted += good;
		const char *wrong = good ? loader_says() : NULL;
		if (wrong)
			fail_msg("policy %u: %s", i, wrong);
		close_all();
	}
	print_message("random policies: %u accepted by checks and loader, %u refused by checks\n", accepted, refused);
	assert_true(accepted > 20 && refused > 20);
}

/* --- the last net ------------------------------------------------------------------------------------------------- */

static void test_last_net(void **state)
{
	(void)state;
	read_policy("tests/policy/bad/port-ip-elsewhere.dts");
	assert_int_equal(report.errors, 0);
	check_limits(&policy, &report);
	assert_int_equal(report.errors, 1);
	assert_non_null(strstr(report.text, "the switch would refuse its configuration at boot: "
					    "two ports have one IPv4 address (entry 1)"));
	close_all();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repository),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_last_net),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	if (argc > 1)
		random_state = strtoull(argv[1], NULL, 0) | 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
