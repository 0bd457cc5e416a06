/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/log_lines - the originals of a block as what repeats and what does not; for log_block*.c only.
 *
 * A line is cut at blanks, quotes, brackets, '=' and the like. Pieces with a digit, '/', '@', an inner '.', and what follows
 * an '=' are its variables; the rest, with LINE_MARK for each variable, is its template. Alike templates are kept once, the
 * variables column by column: less to compress, less to search words in, and all of it comes back byte for byte. No word and
 * no address goes over such a cut, so the words of templates and variables are those of the lines.
 *
 * In the text part (arrays as in log_block_inside.h):
 *   varint n templates; 0: the originals follow as they are
 *   array  twice the length of every template, + 1: marks in it are no marks
 *   bytes  the templates, each ended by LF
 *   array  template of every row
 *   varint n, bytes: per template and mark the variables of its rows, each ended by LF (which stands in no variable)
 */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "format/event.h"

#include <stdbool.h>
#include <stdint.h>

#define LINE_MARK 1
#define LINE_PARTS_MAX 512u /* variables of a line; what has more is no template */

struct line_part {
    uint64_t at; /* in the heap of the batch */
    uint32_t n;
};

struct line_template {
    uint32_t at, n; /* in the texts */
    uint32_t n_parts, n_rows, first; /* first: in rows[] */
    uint32_t hash;
    bool is_literal;
};

struct log_lines {
    struct buf texts; /* each template and LF */
    struct line_template *templates;
    size_t n_templates, templates_capacity;
    struct line_part *parts;
    size_t n_parts, parts_capacity;
    uint32_t *slots;
    uint64_t seed; /* of the hashes */
    uint32_t row_template[EVENTS_ROWS], row_part[EVENTS_ROWS + 1], rows[EVENTS_ROWS];
    uint64_t at[EVENTS_ROWS], end[EVENTS_ROWS]; /* unpacking: where a row goes on, where it ends */
    uint8_t is_odd[EVENTS_ROWS];                /* no UTF-8: indexed as a whole too */
    size_t variables_at, variables_n;           /* in the text part, after packing */
};

void log_lines_fini(struct log_lines *l);
/*
 * log_lines_split - the originals of rows [from, from + n).
 * Return: 0; 1 (LOG_LINES_PLAIN: too little repeats, keep them as they are); -ENOMEM.
 */
#define LOG_LINES_PLAIN 1
int log_lines_split(struct log_lines *l, const struct events *e, uint32_t from, uint32_t n);
/* log_lines_put_variables - the last part; @out then holds them at variables_at. */
void log_lines_put_variables(struct log_lines *l, const struct events *e, struct buf *out);
/*
 * log_lines_join - @l->templates, row_template, at and end of @n rows are set: the lines into @heap. @texts: the templates'.
 * Return: 0, or -EBADMSG.
 */
int log_lines_join(struct log_lines *l, uint32_t n, const uint8_t *texts, struct cursor *variables, uint8_t *heap);
