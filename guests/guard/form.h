/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guard lets pass: one line, in one form, one at a time.
 *
 *   line    = kind SP serial SP text LF             at most FORM_MAX bytes, and nothing behind the LF
 *   kind    = "STATUS" / "NOTICE" / "ALERT"
 *   serial  = 6 digits, higher than that of every line that passed before
 *   text    = 1 to FORM_TEXT_MAX characters: words of A-Z 0-9, between two of them one separator
 *             (space, full stop, comma, hyphen), or a comma or full stop with a space
 *
 * What passes is written anew from the parts that were understood: no byte of the original is forwarded unread.
 */
#ifndef GUARD_FORM_H
#define GUARD_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORM_MAX 64u
#define FORM_TEXT_MAX 48u
#define FORM_INTERVAL_NS 1000000000ull  /* at least this between two lines that pass */

enum form_kind { FORM_STATUS, FORM_NOTICE, FORM_ALERT, FORM_KINDS };

struct form_line {
	enum form_kind kind;
	uint32_t serial;
	uint32_t length;                /* of the text */
	char text[FORM_TEXT_MAX];
};

enum form_verdict {
	FORM_PASS,
	FORM_OVERSIZED,                 /* more than FORM_MAX bytes */
	FORM_MALFORMED,                 /* not a line of this form */
	FORM_REPEATED,                  /* serial not higher than the last one that passed */
	FORM_EARLY,                     /* too soon after the last one that passed */
	FORM_VERDICTS,
};

struct form_state {                     /* zero at the start */
	uint32_t last_serial;
	bool any;                       /* something passed, at `last_ns` */
	uint64_t last_ns;
};

/* Takes a message apart; false: oversized or not of the form. */
bool form_parse(const uint8_t *bytes, size_t length, struct form_line *out);
/* Whether a message may pass now.  FORM_PASS: `out` holds it, and `state` remembers; else `state` is as it was. */
enum form_verdict form_judge(struct form_state *state, const uint8_t *bytes, size_t length, uint64_t now,
			     struct form_line *out);
/* The line in its one spelling; returns its length. */
size_t form_write(const struct form_line *line, uint8_t out[FORM_MAX]);

#endif
