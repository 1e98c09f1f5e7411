/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the folder \lazaret on the volume that the loader itself came from. */
#include <string.h>

#include "loader.h"

#define READ_CHUNK (4ull << 20)

static struct efi_file *root;

void files_open(void)
{
	const struct efi_guid loaded_guid = EFI_LOADED_IMAGE_GUID, system_guid = EFI_FILE_SYSTEM_GUID;
	struct efi_loaded_image *loaded = NULL;
	struct efi_file_system *system = NULL;

	if (efi->boot->handle_protocol(efi_image, &loaded_guid, (void **)&loaded) != EFI_SUCCESS || !loaded ||
	    efi->boot->handle_protocol(loaded->device, &system_guid, (void **)&system) != EFI_SUCCESS || !system ||
	    system->open_volume(system, &root) != EFI_SUCCESS || !root)
		refuse("the device that the loader was started from has no file system that the firmware can read");
}

static struct efi_file *open_file(const char *name)
{
	static const char folder[] = "\\lazaret\\";
	efi_char path[sizeof(folder) + LZR_NAME_MAX];
	struct efi_file *file = NULL;
	efi_status status;
	unsigned n = 0;

	for (const char *p = folder; *p; p++)
		path[n++] = (efi_char)*p;
	for (unsigned i = 0; i < LZR_NAME_MAX && name[i]; i++)
		path[n++] = (efi_char)(uint8_t)name[i];
	path[n] = 0;
	status = root->open(root, &file, path, EFI_FILE_MODE_READ, 0);
	if (status != EFI_SUCCESS || !file)
		refuse("\\lazaret\\%s: cannot be opened (firmware status %llx); write the volume with mkboot", name,
		       (unsigned long long)status);
	return file;
}

static uint64_t file_size(struct efi_file *file, const char *name)
{
	const struct efi_guid guid = EFI_FILE_INFO_GUID;
	union {
		struct efi_file_info info;
		uint8_t bytes[sizeof(struct efi_file_info) + 2 * 256];
	} u;
	uint64_t size = sizeof(u);
	efi_status status = file->get_info(file, &guid, &size, &u);

	if (status != EFI_SUCCESS || size < sizeof(u.info))
		refuse("\\lazaret\\%s: the firmware does not tell its size (status %llx)", name,
		       (unsigned long long)status);
	if (u.info.attribute & EFI_FILE_DIRECTORY)
		refuse("\\lazaret\\%s: is a folder, expected a file", name);
	return u.info.file_size;
}

static void read_all(struct efi_file *file, const char *name, uint8_t *data, uint64_t length)
{
	uint64_t done = 0;

	while (done < length) {
		uint64_t want = length - done < READ_CHUNK ? length - done : READ_CHUNK;
		uint64_t got = want;
		efi_status status = file->read(file, &got, data + done);

		if (status != EFI_SUCCESS || got == 0 || got > want)
			refuse("\\lazaret\\%s: read failed at byte %llu of %llu (firmware status %llx)", name,
			       (unsigned long long)done, (unsigned long long)length, (unsigned long long)status);
		done += got;
	}
}

void files_read(const char *name, uint64_t max, struct file *out)
{
	struct efi_file *file = open_file(name);
	uint64_t size = file_size(file, name);

	if (size == 0 || size > max)
		refuse("\\lazaret\\%s: has %llu bytes, expected 1 to %llu", name, (unsigned long long)size,
		       (unsigned long long)max);
	out->name = name;
	out->length = size;
	out->data = alloc_pages(size, PAGE);
	read_all(file, name, out->data, size);
	file->close(file);
}
