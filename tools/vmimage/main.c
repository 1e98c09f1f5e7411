/* SPDX-License-Identifier: Apache-2.0 */
/* vmimage: command dispatch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/output.h"
#include "vmimage.h"

static const char help[] =
	"usage: vmimage linux --name N --kernel BZIMAGE [--initrd F] [--cmdline TEXT] [options] --out DIR\n"
	"       vmimage pvh   --name N --elf VMLINUX    [--initrd F] [--cmdline TEXT] [options] --out DIR\n"
	"       vmimage elf   --name N --elf F [options] --out DIR\n"
	"       vmimage measure linux|pvh|elf ...   the measurement that the build would give; writes nothing\n"
	"       vmimage show F.manifest             explain a manifest\n"
	"\n"
	"options:\n"
	"  --memory SIZE      RAM, multiple of 2 MiB, e.g. 192M\n"
	"  --vcpus N          1 to 8, default 1\n"
	"  --vdev NAME:net,slot=N,mac=MAC      virtio-net; with ,service instead of mac=: a service end for a packet "
	"socket\n"
	"  --vdev NAME:console,slot=N          virtio-console\n"
	"  --vdev NAME:link,slot=N,queues=N    bare-metal service device\n"
	"                     also size=N: descriptors in a queue, default 128\n"
	"  --assign NAME,slot=N,class=HHHHHH   place for an assigned PCI function of that class\n"
	"  --avx              XSAVE and AVX, where the CPU has them\n"
	"  --tpm              place for the TPM's locality 0, with ACPI tables that tell the guest\n"
	"  --segment FILE@GPA another file in RAM\n"
	"  --program NAME     of pvh and elf: what its segments are called, so that images of one program share them\n"
	"\n"
	"Writes DIR/N.manifest and the segments it names.  Output depends on the inputs only.  See vmimage(1).\n";

static bool add_extra(struct image *image, const char *text)
{
	const char *at = strrchr(text, '@');
	char path[4096], stem[LZR_NAME_MAX] = { 0 };
	struct blob blob;
	uint64_t gpa;

	if (!at || at == text || (size_t)(at - text) >= sizeof(path))
		return refuse("--segment %s: expected FILE@GPA", text);
	memcpy(path, text, (size_t)(at - text));
	path[at - text] = 0;
	if (!parse_number(at + 1, UINT64_MAX, &gpa))
		return false;
	const char *base = strrchr(path, '/');
	base = base ? base + 1 : path;
	size_t length = strcspn(base, ".");
	memcpy(stem, base, length < sizeof(stem) ? length : sizeof(stem) - 1);
	if (!file_read(path, LZR_BOOT_FILE_MAX, &blob))
		return false;
	bool good = image_add_segment(image, stem, gpa, blob.data, blob.size);
	blob_free(&blob);
	return good;
}

static bool fill(struct image *image, const struct options *o)
{
	struct blob main_file = { 0 }, initrd = { 0 };
	const char *path = o->kernel ? o->kernel : o->elf;
	bool good = file_read(path, LZR_BOOT_FILE_MAX, &main_file) &&
		    (!o->initrd || file_read(o->initrd, LZR_BOOT_FILE_MAX, &initrd));

	if (good && !strcmp(o->kind, "linux"))
		good = linux_build(image, &main_file, &initrd, o->cmdline);
	else if (good && !strcmp(o->kind, "pvh"))
		good = pvh_build(image, &main_file, path, &initrd, o->cmdline);
	else if (good)
		good = elf_build(image, &main_file, path);
	for (unsigned i = 0; good && i < o->extra_count; i++)
		good = add_extra(image, o->extra[i]);
	blob_free(&main_file);
	blob_free(&initrd);
	return good && image_check(image);
}

static bool print_measurement(const struct image *image)
{
	uint8_t digest[LZR_DIGEST_SIZE];
	char text[2 * LZR_DIGEST_SIZE + 1];
	struct blob manifest;

	if (!image_manifest(image, &manifest))
		return false;
	bool good = sha384(manifest.data, manifest.size, digest);
	blob_free(&manifest);
	hex(digest, sizeof(digest), text);
	if (good)
		printf("%s  %s\n", text, image->name);
	return good;
}

static bool build(int argc, char **argv, bool measure)
{
	struct options options;
	struct image *image = malloc(sizeof(*image));
	bool good = image != NULL;

	if (!good)
		return refuse("out of memory");
	*image = (struct image){ 0 };
	good = options_parse(argc, argv, &options, image);
	if (good && !measure && !options.out)
		good = refuse("expected --out DIR");
	good = good && fill(image, &options);
	if (good && !measure)
		good = image_write(image, options.out);
	if (good)
		good = print_measurement(image);
	image_free(image);
	free(image);
	return good;
}

static bool show(const char *path)
{
	struct blob manifest;

	if (!file_read(path, LZR_MANIFEST_MAX, &manifest))
		return false;
	bool good = manifest_show(&manifest, path);
	blob_free(&manifest);
	return good;
}

int main(int argc, char **argv)
{
	bool good;

	output_must_be_written("vmimage");
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		fputs(help, argc < 2 ? stderr : stdout);
		return argc < 2 ? 2 : 0;
	}
	if (!strcmp(argv[1], "show") && argc == 3)
		good = show(argv[2]);
	else if (!strcmp(argv[1], "measure") && argc > 2)
		good = build(argc - 2, argv + 2, true);
	else
		good = build(argc - 1, argv + 1, false);
	if (!good)
		fprintf(stderr, "vmimage: %s\n", refuse_text());
	return good ? 0 : 1;
}
