/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_name - names of bodies as people write them, brought to one form and compared. Pure: no database, no clock.
 *
 * "Sở TT&TT tỉnh Kon Tum", "SO TTTT KON TUM" and "Sở Thông tin và Truyền thông Kon Tum" name one body. The folded form has no
 * diacritics, no capitals, no punctuation, and abbreviations written out by a table that is content (content/units/abbreviations.csv).
 * Only equality of that form may decide; likeness gives a score for people to choose by (unit_names_find), never an answer.
 * Limits: a name UNIT_NAME_BYTES, UNIT_NAME_WORDS words of it are compared, UNIT_WORDS_MAX abbreviations, UNIT_NAMES_MAX names.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define UNIT_NAME_BYTES 512u  /* with the closing zero */
#define UNIT_FOLD_BYTES 1024u /* folded, abbreviations written out */
#define UNIT_NAME_WORDS 48u
#define UNIT_WORDS_MAX 4096u
#define UNIT_NAMES_MAX 1000000u
#define UNIT_CANDIDATES 8u

struct unit_words; /* abbreviations; immutable, shared by threads */

/* unit_words_read - from "form,words" lines with a header. @what names it in the fault. Return: 0, -EBADMSG, -ENOMEM. */
int unit_words_read(const char *p, size_t n, const char *what, struct unit_words **ret, struct fault *f);
void unit_words_free(struct unit_words *w);

/* unit_name_fold - the folded form, terminated. @w may be NULL. Return: its length; 0: the name has no letter or digit. */
size_t unit_name_fold(const struct unit_words *w, struct text name, char out[UNIT_FOLD_BYTES]);

/* unit_name_likeness - of two folded forms: 100 equal, 90 equal but for words of rank ("tinh", "thanh pho", "va"), else at most 85. */
unsigned unit_name_likeness(struct text a, struct text b);

/* --- all names there are ------------------------------------------------------------------------------------------ */

/* what a name is to its unit, best first */
enum unit_how { UNIT_BY_NAME, UNIT_BY_ALIAS, UNIT_BY_DECISION, UNIT_BY_FOLD, UNIT_BY_NOTHING };

struct unit_names; /* names with their time; built once, then read-only */

int unit_names_new(const struct unit_words *w, struct unit_names **ret);
void unit_names_free(struct unit_names *s);
/*
 * unit_names_add - @how: NAME, ALIAS (short names too) or DECISION (someone said what this text means). Valid [from, to).
 * A text is copied. Return: 0, 1 (empty or too long: not taken), -ENOMEM, -E2BIG.
 */
int unit_names_add(struct unit_names *s, int64_t unit, struct text name, enum unit_how how, int64_t from_us, int64_t to_us);
/* unit_names_done - no more follow; look-ups may begin. Return: 0 or -ENOMEM. */
int unit_names_done(struct unit_names *s);

struct unit_candidate {
    int64_t unit;
    unsigned score;         /* 1..100 */
    int64_t from_us, to_us; /* of the name that was compared */
    bool is_valid;          /* at the time asked about */
};

struct unit_found {
    int64_t unit;       /* 0: not decided */
    enum unit_how how;  /* UNIT_BY_NOTHING: not decided */
    unsigned n;         /* candidates where not decided, best first, a unit once */
    struct unit_candidate candidates[UNIT_CANDIDATES];
};
/*
 * unit_names_find - what @name meant at @at_us: the text itself among names, then among aliases, then a remembered decision, then the
 * folded form. A step decides when exactly one unit has the name then; two or more units, a name of another time, or likeness
 * alone give candidates. A name that is none (no letter or digit) finds nothing.
 */
void unit_names_find(const struct unit_names *s, struct text name, int64_t at_us, struct unit_found *ret);
/*
 * unit_names_search - units of which some name holds @folded (of unit_name_fold), ascending, each once. Return: their number, at most @max.
 */
size_t unit_names_search(const struct unit_names *s, struct text folded, int64_t *ret, size_t max);
