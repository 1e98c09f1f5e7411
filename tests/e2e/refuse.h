/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines that must not start, by the dozen: each case damages its own copy of a good boot volume and says what the
 * machine has to answer.  While one boots, the next one's is already on its way, so two run side by side.
 */
#ifndef TESTS_REFUSE_H
#define TESTS_REFUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rig.h"

#define REFUSE_FILE_MAX (32u << 20)

/* A case's own volume, and a folder to work in. */
struct refuse_volume {
	char dir[128];
	char esp[160];
};

struct refuse_case {
	const char *name;               /* of the test */
	const char *volume;             /* build/tests/esp/VOLUME.img */
	bool (*damage)(const struct refuse_volume *v, const struct refuse_case *c);     /* NULL: none */
	const char *file;               /* argument for `damage` */
	int64_t offset;                 /* argument for `damage` */
	const char *says[4];            /* all of them in the line of the refusal */
	const char *line;               /* the refusal is the line with this; NULL: "refused: " of either */
	bool no_iommu, no_intremap;
};

/* Runs the cases as a cmocka group; only those whose name contains `filter` if it is not NULL.  Returns failures. */
int refuse_run(const char *group, const struct refuse_case *cases, size_t count, const char *filter);

/* Pieces for `damage`; each prints its own error and returns false. */

/* A whole file of the volume into memory that the caller frees; NULL on failure. */
uint8_t *refuse_get(const struct refuse_volume *v, const char *file, size_t *length);
bool refuse_put(const struct refuse_volume *v, const char *file, const void *data, size_t length);
/* The one listed file of the volume whose name starts with `prefix`, into `name` (at least 64 bytes). */
bool refuse_find(const struct refuse_volume *v, const char *prefix, char *name);
/* Signs the volume's policy anew with this private key (KEY.pem). */
bool refuse_sign(const struct refuse_volume *v, const char *policy, const char *signature, const char *key);

/*
 * One byte of c->file (the start of its name) inverted: the first, the last, or one chosen by a fixed seed; its offset
 * is printed.
 */
enum { REFUSE_FIRST = 0, REFUSE_LAST = -1, REFUSE_CHOSEN = -2 };
bool refuse_flip(const struct refuse_volume *v, const struct refuse_case *c);
/* The offset that the seed chooses in a file of this name and length. */
size_t refuse_choose(const char *file, size_t length);

#define REFUSE_FLIP(name_, volume_, file_, where, ...) \
	{ .name = name_, .volume = volume_, .damage = refuse_flip, .file = file_, .offset = where, \
	  .says = { __VA_ARGS__ } }
#define REFUSE_FLIPS(name_, volume_, file_, ...) \
	REFUSE_FLIP(name_ "_first", volume_, file_, REFUSE_FIRST, __VA_ARGS__), \
	REFUSE_FLIP(name_ "_chosen", volume_, file_, REFUSE_CHOSEN, __VA_ARGS__), \
	REFUSE_FLIP(name_ "_last", volume_, file_, REFUSE_LAST, __VA_ARGS__)
/* Of a segment, whose file's name starts with `file_`. */
#define REFUSE_FLIPS_SEGMENT(name_, volume_, file_, manifest) \
	REFUSE_FLIPS(name_, volume_, file_, "hv: refused: segment " file_, ": manifest " manifest " expects ", \
		     "sha384 ", "found ")

#endif
