/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/line_decoder - lines of text logs to events, by the descriptions of content/decoders (see the README there).
 *
 * In:     one line without its end (untrusted), and what is known of where it came from.
 * Out:    one event per line, always: understood (event.decoder, event.module, event.dataset are set) or kept with
 *         the fields of its header and its message.
 * Limits: no I/O, no logging, no clock. After line_decoders_compile the decoders do not change: any number of threads,
 *         a scratch each. Work per line is bounded: one pass for all literals, then a matcher with a budget of steps;
 *         lines above 1 MiB are kept without being matched.
 * Source: RFC 3164, RFC 5424; ArcSight CEF, QRadar LEEF 1.0 and 2.0, W3C Extended Log File Format; ECS 8.17.
 * Fuzz:   tests/fuzz/line.c
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "format/event.h"
#include "format/line_time.h"

struct line_decoders;
struct line_scratch;
struct line_decoder;
struct line_target;

#define LINE_W3C_COLUMNS 64u

/* what one file or connection remembers from line to line; zero-initialise, not shared between threads */
struct line_file {
    struct line_years years;
    /* W3C #Fields: whose rows they are, what each column means (NULL: not used), and what is between them */
    const struct line_decoder *w3c;
    const struct line_target *w3c_columns[LINE_W3C_COLUMNS];
    uint32_t n_w3c;
    char w3c_separator;
};

struct line_origin {
    int64_t arrived_us;         /* when it came, or the modification time of its file */
    int zone_s;                 /* of stamps without one */
    int year;                   /* of the first stamp of a file; 0: guess */
    struct text source_address; /* who sent it; empty: a file */
    struct text source_name;    /* proved by a certificate or a token; empty: nothing proved it */
    struct text path;           /* of the file; empty: received */
    uint64_t line_number;       /* 1..; 0: none */
    struct line_file *file;     /* may be NULL */
};

struct line_counts {
    uint64_t n_lines, n_understood, n_kept;
    uint64_t n_no_time;   /* no time of its own: the arrival's */
    uint64_t n_exhausted; /* lines on which a pattern ran out of steps */
    uint64_t n_empty;     /* nothing but blanks: no event */
};

/* @payload begins with '{' or '<': puts its fields into the open event. Return: 0, or 1 (not understood). */
typedef int line_json_fn(void *context, struct events *e, struct text payload);

struct line_decoders *line_decoders_new(struct event_names *names);
void line_decoders_free(struct line_decoders *d);
/* line_decoders_set_json - who reads JSON behind a header; before compile. */
void line_decoders_set_json(struct line_decoders *d, line_json_fn *json, void *context);
/*
 * line_decoders_add - the decoders of one file. @file: its name, for messages (copied).
 * Return: 0; 1 (refused: file, line and reason in @f; none of it is kept); -ENOMEM.
 */
int line_decoders_add(struct line_decoders *d, const char *file, struct text yaml, struct fault *f);
/* line_decoders_compile - no more is added. Return: 0 or -errno with @f. */
int line_decoders_compile(struct line_decoders *d, struct fault *f);
unsigned line_decoders_count(const struct line_decoders *d, unsigned *ret_n_patterns, unsigned *ret_n_tests);

/* one per thread */
struct line_scratch *line_scratch_new(const struct line_decoders *d);
/* line_scratch_set_json - who reads JSON and XML behind a header for this thread, instead of the decoders' own. */
void line_scratch_set_json(struct line_scratch *s, line_json_fn *json, void *context);
/* line_scratch_set_plain - from now on every pattern is tried on every line: the slow way, which tests compare with. */
void line_scratch_set_plain(struct line_scratch *s);
void line_scratch_free(struct line_scratch *s);
const struct line_counts *line_scratch_counts(const struct line_scratch *s);

/*
 * line_decode - @line becomes one event of @e (which must not be full).
 * Return: 0 (understood); LINE_KEPT (by nobody); LINE_EMPTY (no event: blanks only);
 * LINE_TOO_LONG (no event); -ENOMEM.
 */
#define LINE_KEPT 1
#define LINE_EMPTY 2
#define LINE_TOO_LONG 3
int line_decode(const struct line_decoders *d, struct line_scratch *s, struct events *e, struct text line,
    const struct line_origin *origin);

/*
 * line_decoders_test - run the tests that stand in the files. @say: told each failure (file, line, what was wrong).
 * Return: number of failures; -ENOMEM.
 */
typedef void line_say_fn(void *context, const char *file, int line, const char *what);
int line_decoders_test(const struct line_decoders *d, line_say_fn *say, void *context, unsigned *ret_n_tests);

/*
 * line_draft - a decoder for a line that nobody understands, as YAML to be edited: addresses, numbers, times, quoted
 * texts, user names and key=value are recognised. @out: its .max bounds the draft.
 */
void line_draft(struct text line, const struct line_clock *clock, struct buf *out);
