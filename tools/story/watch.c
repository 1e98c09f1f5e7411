/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <stdio.h>
#include <string.h>

void watch_lines(struct watch *w, void (*line)(void *context, const char *text), void *context)
{
	char text[1024];
	FILE *file = fopen(w->path, "r");

	if (!file)
		return;
	fseek(file, w->offset, SEEK_SET);
	while (fgets(text, sizeof(text), file)) {
		const size_t length = strlen(text);

		if (text[length - 1] != '\n' && length < sizeof(text) - 1)
			break;
		w->offset += (long)length;
		text[strcspn(text, "\r\n")] = 0;
		line(context, text);
	}
	fclose(file);
}
