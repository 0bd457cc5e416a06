/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/flow_text - the one door for textual flow files: finds out what it is, gives flows.
 *
 * In:     untrusted bytes in pieces of any size (unpacked; UTF-8, or UTF-16 with a byte-order mark).
 * Out:    flows in the order of the file through a sink, in runs of one exporter; every row that is no flow
 *         through the refusal callback, with row, line, reason and value.
 * Account: read = kept + the sum of refused, always. Headers, comments and nfdump's summary are not rows.
 * Limits: rows of CSV_MAX_RECORD_BYTES; about 2 MiB of memory and what is fed at once. No I/O, no clock.
 * Times:  where a row names no zone, options.zone_s holds; the default of the command line is UTC for flow files
 *         (exporters and their tools write UTC or do not say), unlike lists, which people write in +07:00.
 * Fuzz:   tests/fuzz/flow_text.c
 */
#pragma once

#include "format/flow_csv.h"
#include "format/flow_field.h"

/* X(ID, "name for people and --format") */
#define FLOW_TEXT_KINDS(X)         \
    X(AUTO, "auto")                \
    X(BINETFLOW, "binetflow")      \
    X(NFDUMP_CSV, "nfdump-csv")    \
    X(NFDUMP_LINE, "nfdump-line")  \
    X(ZEEK, "zeek")                \
    X(ZEEK_JSON, "json")           \
    X(CSV, "csv")

enum flow_text_kind {
#define X(ID, name) FLOW_TEXT_KIND_##ID,
    FLOW_TEXT_KINDS(X)
#undef X
        FLOW_TEXT_N_KINDS
};

/* flow_text_kind_name - static. */
const char *flow_text_kind_name(enum flow_text_kind kind);

struct flow_text_options {
    enum flow_text_kind want; /* AUTO, or what the file must be; NFDUMP_CSV and ZEEK take their second form too */
    int zone_s;               /* of times that name none */
    const struct flow_mapping *mapping; /* for CSV; must outlive the reader */
    uint32_t n_mapping;
};

struct flow_text_refused {
    uint64_t row, line; /* 1-based; the header counts as a row */
    enum flow_text_refusal reason;
    struct text value; /* at fault; untrusted, borrowed for the call */
};

typedef void (*flow_text_on_refused)(void *context, const struct flow_text_refused *refused);

struct flow_text_counts {
    uint64_t read, kept;
    uint64_t refused[FLOW_TEXT_N_REFUSALS];
};

struct flow_text_reader;

/* flow_text_reader_new - @on_refused may be NULL. Return: NULL when memory is out. */
struct flow_text_reader *flow_text_reader_new(const struct flow_text_options *o, flow_sink sink,
                                              flow_text_on_refused on_refused, void *context);
void flow_text_reader_free(struct flow_text_reader *r);

/*
 * flow_text_reader_feed, flow_text_reader_end - bytes in, flows out before the call returns.
 * @is_cut: the input broke off (a damaged archive): a last row without line end is refused, not believed.
 * Return: 0; FLOW_TEXT_NOT_TEXT (binary), FLOW_TEXT_UNKNOWN (text, but no flows we know, or not what was wanted):
 * the file is wrong as a whole, nothing has been given to the sink; <0 from the sink, or -ENOMEM.
 * After anything but 0 only flow_text_reader_free makes sense.
 */
enum { FLOW_TEXT_NOT_TEXT = 1, FLOW_TEXT_UNKNOWN = 2 };
int flow_text_reader_feed(struct flow_text_reader *r, const void *p, size_t n);
int flow_text_reader_end(struct flow_text_reader *r, bool is_cut);

/* flow_text_reader_kind - what it is; AUTO while undecided. */
enum flow_text_kind flow_text_reader_kind(const struct flow_text_reader *r);
const struct flow_text_counts *flow_text_reader_counts(const struct flow_text_reader *r);
/* flow_text_reader_header - the first line, for "this header says nothing to us"; borrowed, cut, may be empty. */
struct text flow_text_reader_header(const struct flow_text_reader *r);
