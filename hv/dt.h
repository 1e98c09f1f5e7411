/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict reading of flattened device trees: a node has exactly the properties of its table, each once, each of its
 * size. Every function that returns false has said which file, node and property, what was expected and what found.
 */
#ifndef HV_DT_H
#define HV_DT_H

#include <lazaret/boot.h>
#include <lazaret/label.h>

#include "types.h"

struct dt {
	const char *file;               /* for messages */
	const char *name;
	void *fdt;
};

enum dt_type {
	DT_U32,                         /* uint32_t */
	DT_U64,                         /* uint64_t, two cells */
	DT_CELLS,                       /* uint32_t[size] */
	DT_BYTES,                       /* uint8_t[size] */
	DT_NAME,                        /* char[LZR_NAME_MAX] */
	DT_TEXT,                        /* struct dt_blob: any non-empty list of strings */
	DT_FLAG,                        /* bool; present or not */
	DT_LABEL,                       /* struct lzr_label */
	DT_BLOB,                        /* struct dt_blob: at most `size` bytes */
};

struct dt_blob {
	uint8_t *data;                  /* in the tree */
	uint32_t length;
};

struct dt_field {
	const char *name;
	enum dt_type type;
	bool optional;
	uint16_t offset;                /* in what dt_read fills */
	uint32_t size;
};

#define DT_FIELD_MAX 32u
#define DT_FIELD(n, t, s, m) { .name = n, .type = t, .offset = offsetof(s, m) }
#define DT_OPTION(n, t, s, m) { .name = n, .type = t, .offset = offsetof(s, m), .optional = true }
#define DT_SIZED(n, t, s, m, c) { .name = n, .type = t, .offset = offsetof(s, m), .size = c }
#define DT_SIZED_OPTION(n, t, s, m, c) { .name = n, .type = t, .offset = offsetof(s, m), .size = c, .optional = true }

/* Structure of the whole tree; its total size must be `length`. */
HV_MUST_CHECK bool dt_open(struct dt *dt, const char *file, const char *name, void *fdt, uint64_t length);
/*
 * Reads all properties of `node` into `out` (zeroed by the caller); bit n of *present (may be NULL): field n was there.
 */
HV_MUST_CHECK bool dt_read(const struct dt *dt, int node, const struct dt_field *fields, unsigned count, void *out,
	uint32_t *present);
/* The root's compatible string. */
HV_MUST_CHECK bool dt_compatible(const struct dt *dt, const struct dt_blob *found, const char *expected);
/* True if the node has no children; says so otherwise. */
HV_MUST_CHECK bool dt_is_leaf(const struct dt *dt, int node);
/* Children in order: first with node = parent's first, -1 at the end.  Name without unit address into `name`. */
int dt_child(const struct dt *dt, int parent);
int dt_next(const struct dt *dt, int node);
HV_MUST_CHECK bool dt_node_is(const struct dt *dt, int node, const char *base);        /* "base" or "base@..." */
HV_MUST_CHECK bool dt_node_name(const struct dt *dt, int node, char name[LZR_NAME_MAX]);
/* Says "refused: FILE NAME: PATH: property: ..." and returns false.  property may be NULL. */
bool dt_refuse(const struct dt *dt, int node, const char *property, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
uint32_t dt_cell(const uint8_t *bytes);

#endif
