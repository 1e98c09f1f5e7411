/* SPDX-License-Identifier: Apache-2.0 */
/* Explains a manifest to a human.  The file may be anybody's: each property's size is checked before use. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fdt_whole.h"
#include "vmimage.h"

static const void *property(const void *fdt, int node, const char *name, int size)
{
	int length;
	const void *value = fdt_getprop(fdt, node, name, &length);

	return value && (size < 0 || length == size) ? value : NULL;
}

static const char *text(const void *fdt, int node, const char *name)
{
	int length;
	const char *value = fdt_getprop(fdt, node, name, &length);

	return value && length > 0 && value[length - 1] == 0 && lzr_name_text_is_valid(value) ? value : "?";
}

static uint64_t number(const void *fdt, int node, const char *name)
{
	const fdt64_t *wide = property(fdt, node, name, 8);
	const fdt32_t *narrow = property(fdt, node, name, 4);
	uint64_t value = 0;

	if (wide)
		memcpy(&value, wide, 8);
	return wide ? fdt64_to_cpu(value) : narrow ? fdt32_ld(narrow) : 0;
}

static void show_segments(const void *fdt, int parent)
{
	char digest[2 * LZR_DIGEST_SIZE + 1];
	int node;

	fdt_for_each_subnode(node, fdt, parent) {
		const uint8_t *sha = property(fdt, node, "sha384", LZR_DIGEST_SIZE);
		if (sha)
			hex(sha, LZR_DIGEST_SIZE, digest);
		printf("  segment 0x%08" PRIx64 " %9" PRIu64 " bytes  %s\n          sha384 %s\n",
		       number(fdt, node, "gpa"), number(fdt, node, "length"), text(fdt, node, "file"),
		       sha ? digest : "?");
	}
}

static void show_device(const void *fdt, int node, const char *node_name)
{
	const uint8_t *config = property(fdt, node, "config", 256);
	const uint8_t *device = property(fdt, node, "device-config", 12);
	const char *name = text(fdt, node, "name");

	if (!strncmp(node_name, "mmio@", 5)) {
		printf("  place   0x%08" PRIx64 " %9" PRIu64 " bytes  \"%s\" (a platform device's pages)\n",
		       number(fdt, node, "gpa"), number(fdt, node, "length"), name);
		return;
	}
	unsigned slot = (unsigned)number(fdt, node, "slot");
	if (!strncmp(node_name, "assign@", 7)) {
		printf("  place   00:%02x.0 \"%s\" for an assigned function of class %06" PRIx64 "\n", slot, name,
		       number(fdt, node, "class"));
		return;
	}
	printf("  virtio  00:%02x.0 \"%s\" id %04x:%04x, ports 0x%" PRIx64 ", %" PRIu64 " queues of %" PRIu64
	       ", features 0x%" PRIx64 "%s",
	       slot, name, config ? get16(config) : 0, config ? get16(config + 2) : 0, number(fdt, node, "io-base"),
	       number(fdt, node, "queues"), number(fdt, node, "queue-size"), number(fdt, node, "features"),
	       fdt_getprop(fdt, node, "service", NULL) ? ", service end" : "");
	if (device)
		printf(", mac %02x:%02x:%02x:%02x:%02x:%02x", device[0], device[1], device[2], device[3], device[4],
		       device[5]);
	printf("\n");
}

static void show_state(const void *fdt, int node)
{
	printf("  start   %s, rip 0x%" PRIx64 ", rsi 0x%" PRIx64 ", rbx 0x%" PRIx64 ", cr3 0x%" PRIx64 "\n",
	       text(fdt, node, "mode"), number(fdt, node, "rip"), number(fdt, node, "rsi"), number(fdt, node, "rbx"),
	       number(fdt, node, "cr3"));
}

static void show_ports(const void *fdt, int node)
{
	static const char *const names[] = { LZR_PORT_UART, LZR_PORT_POWER, LZR_PORT_DEBUG };

	printf("  ports  ");
	for (unsigned i = 0; i < 3; i++)
		if (fdt_getprop(fdt, node, names[i], NULL))
			printf(" %s 0x%" PRIx64, names[i], number(fdt, node, names[i]));
	printf("\n");
}

static void show_cpuid(const void *fdt)
{
	static const char *const computed[] = { "", "features", "topology", "xsave", "address width", "tsc" };
	int length;
	const uint8_t *rows = fdt_getprop(fdt, 0, "cpuid", &length);

	for (int at = 0; rows && at + (int)sizeof(struct lzr_manifest_cpuid) <= length; at += 44) {
		uint32_t cells[11];
		for (unsigned i = 0; i < 11; i++)
			cells[i] = fdt32_ld((const fdt32_t *)(const void *)(rows + at + 4 * i));
		printf("  cpuid   %08x", cells[0]);
		printf(cells[1] == LZR_CPUID_ANY_SUBLEAF ? "/*" : "/%x", cells[1]);
		for (unsigned i = 0; i < 4; i++)
			printf(" %08x|host&%08x", cells[3 + i], cells[7 + i]);
		printf(" %s\n", cells[2] < 6 ? computed[cells[2]] : "?");
	}
	rows = fdt_getprop(fdt, 0, "msr", &length);
	printf("  msr     %d rules; any other gives #GP(0)\n",
	       rows ? length / (int)sizeof(struct lzr_manifest_msr) : 0);
}

bool manifest_show(const struct blob *manifest, const char *path)
{
	const void *fdt = manifest->data;
	char digest[2 * LZR_DIGEST_SIZE + 1];
	uint8_t sha[LZR_DIGEST_SIZE];
	int node;

	if (fdt_whole(fdt, manifest->size) != 0 || fdt_node_check_compatible(fdt, 0, LZR_MANIFEST_COMPATIBLE) != 0)
		return refuse("%s: expected a manifest (flattened device tree, compatible \"%s\")", path,
			    LZR_MANIFEST_COMPATIBLE);
	if (!sha384(manifest->data, manifest->size, sha))
		return false;
	hex(sha, sizeof(sha), digest);
	printf("image %s: %" PRIu64 " MiB, %" PRIu64 " vCPU(s)\n  measurement %s\n", text(fdt, 0, "image"),
	       number(fdt, 0, "memory") >> 20, number(fdt, 0, "vcpus"), digest);
	fdt_for_each_subnode(node, fdt, 0) {
		const char *name = fdt_get_name(fdt, node, NULL);
		if (!strcmp(name, "segments"))
			show_segments(fdt, node);
		else if (!strcmp(name, "state"))
			show_state(fdt, node);
		else if (!strcmp(name, "ports"))
			show_ports(fdt, node);
		else if (strcmp(name, "host-bridge"))
			show_device(fdt, node, name);
	}
	show_cpuid(fdt);
	return true;
}
