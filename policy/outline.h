/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as a list of what it says, in a stable order: `show` prints it, `diff` compares two.
 *
 *   outline.c         building and freeing the list, values as text
 *   outline_source.c  from a policy's model
 *   outline_dtb.c     from a compiled policy; what is not known there is listed byte for byte
 *   switchread.c      from the switch's configuration: back to a model, for outline_source.c
 *
 * Each value says which changes of it widen authority.  A change for which nothing better is known widens.
 */
#ifndef POLICY_OUTLINE_H
#define POLICY_OUTLINE_H

#include "policy.h"

enum judge {
	JUDGE_ANY,              /* whatever happens to it widens */
	JUDGE_PRESENT,          /* appearing or changing widens, going does not */
	JUDGE_ABSENT,           /* going or changing widens, appearing does not */
	JUDGE_MORE,             /* appearing or rising widens */
	JUDGE_LESS,             /* going or falling widens */
	JUDGE_LIMIT,            /* a limit: none (0, or absent) is the most there is, otherwise as MORE */
	JUDGE_NEVER,
};

enum phrase {
	PHRASE_ARROW,           /* visitor: memory 192 MiB -> 256 MiB */
	PHRASE_RAISED,          /* lease-max raised from 300 s to 600 s */
	PHRASE_MOVES,           /* device nic1 moves from switch to blue */
	PHRASE_CHANGED,         /* measurement of red changed */
};

struct outline_line {
	const char *name;       /* a literal, or the property's own name */
	char *value;            /* "": a flag */
	uint64_t number;        /* what MORE, LESS, LIMIT compare */
	enum judge judge;
	enum phrase phrase;
	bool inherited;         /* the value is that of a line elsewhere, which tells of its changes */
};

struct outline_subject {
	char *key;              /* identity: the same in both policies */
	char *title;            /* VM "red" */
	char *gained, *lost;    /* sentences for `diff`; NULL: "new TITLE", "TITLE is gone" */
	enum judge judge;       /* of its existence */
	unsigned count, room;
	struct outline_line *lines;
};

struct outline {
	unsigned count, room;
	struct outline_subject *subjects;
	struct table by_key;
};

char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_size(uint64_t bytes);                /* 192 MiB */
char *text_time(uint64_t ns);                   /* 300 s */
char *text_hex(const uint8_t *bytes, size_t size);
/* Appends to a text that memory_text or text_of made, with a separator unless it is empty; returns the text. */
char *text_add(char *text, const char *separator, const char *more);

/*
 * Adds a subject; all texts but the literals become the outline's.  The pointer is good until the next one is added.
 * The key is the title when NULL; a key that is there already gets a number, so that nothing is lost.
 */
struct outline_subject *outline_add(struct outline *outline, char *key, char *title, enum judge judge);
/* The subject of that title, or a new one whose existence widens; the title becomes the outline's. */
struct outline_subject *outline_find(struct outline *outline, char *title);
struct outline_line *outline_say(struct outline_subject *subject, const char *name, enum judge judge, char *value);
void outline_number(struct outline_subject *subject, const char *name, enum judge judge, enum phrase phrase,
		    uint64_t number, char *value);
/* A right: somebody may do something, or not.  `who may VERB whom`. */
void outline_may(struct outline *outline, const char *who, const char *verb, const char *whom);
#define READ_AUDIT "read the audit log of"
/*
 * The hypervisor's own audit records are for whom reads-audit and attests together cover every VM, be they listed or
 * "*"; `audited`: of `count` VMs, those that they cover.
 */
void outline_audit(struct outline *outline, const char *who, const bool *audited, unsigned count);
const struct outline_line *outline_line(const struct outline_subject *subject, const char *name);
void outline_free(struct outline *outline);

void show_outline(FILE *out, const struct outline *outline);
void outline_source(struct outline *outline, const struct policy *policy);
void outline_fabric(struct outline *outline, const struct policy *policy);      /* networks, switch, ports only */
/* False when the bytes are not a compiled policy. */
bool outline_dtb(struct outline *outline, const void *dtb, size_t size);

/* Names of the nodes below one of a compiled policy that outline_dtb accepts, in order, without their numbers. */
struct dtb_names {
	unsigned count, room;
	char (*text)[LZR_NAME_MAX];
};
void dtb_names_read(struct dtb_names *names, const void *dtb, const char *path);
/* "red@2" without what stands behind the name; letters that no name has become '?'. */
void dtb_name(char out[LZR_NAME_MAX], const char *node);
/* The name of that number, or words for one that is not there or not the only one. */
char *dtb_name_text(const struct dtb_names *names, uint32_t number);

/*
 * The networks, ports, endpoints, rules and keys that the switch's configuration has, as a model that emit_switch would
 * turn into the same bytes, so that nothing in them is left out.  Ports have their VM's names.  `dtb`: the compiled
 * policy that the configuration belongs to, which must outlive *policy.  policy_free either way; NULL: all is well,
 * else what is wrong with it.
 */
const char *switch_read(struct policy *policy, const void *block, size_t size, const void *dtb);

/*
 * What changed, a line each, with what widens marked; 0 nothing, 1 something, 3 something that widens.  `more` adds
 * lines of other comparisons (the flows that the rules let through) and may be NULL.
 */
#define DIFF_SAME 0
#define DIFF_DIFFERS 1
#define DIFF_WIDENS 3
struct diff {
	FILE *out;
	unsigned changes, widening, narrowing;
};
void diff_line(struct diff *diff, char mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diff_outlines(struct diff *diff, const struct outline *from, const struct outline *to);
int diff_end(struct diff *diff);

#endif
