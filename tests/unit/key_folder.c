/* SPDX-License-Identifier: Apache-2.0 */
#include "key_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "policy.h"

char key_folder[] = "/tmp/lzr-keys-XXXXXX";

int key_folder_make(void **state)
{
	char prefix[64];

	(void)state;
	if (!mkdtemp(key_folder))
		return -1;
	snprintf(prefix, sizeof(prefix), "%s/v", key_folder);
	return key_file_generate(prefix, true) ? 0 : -1;
}

int key_folder_remove(void **state)
{
	DIR *dir = opendir(key_folder);
	struct dirent *entry;

	(void)state;
	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);         /* not "." and ".." */
	if (dir)
		closedir(dir);
	return rmdir(key_folder);
}
