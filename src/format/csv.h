/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/csv - records of separated text (RFC 4180) out of a stream of bytes.
 *
 * In:     untrusted bytes in pieces of any size. UTF-8 (a BOM is skipped) or, when a BOM says so,
 *         UTF-16 of either byte order, which becomes UTF-8; an unpaired surrogate becomes U+FFFD.
 * Out:    one record at a time as spans into the reader's own buffer, quotes removed.
 * Limits: a record of at most max_record_bytes with max_fields fields: longer ones are refused and skipped
 *         to their line end, the rest goes on. Memory: twice max_record_bytes plus the fed piece.
 *         No I/O, no logging, no global state.
 * Source: RFC 4180; LF, CRLF and lone CR end a record; the separator may be , ; or TAB (detected);
 *         a quote inside an unquoted field is an ordinary character.
 * Fuzz:   tests/fuzz/csv.c
 *
 *     struct csv_reader r;
 *     csv_init(&r, &(struct csv_options){.comment = '#'});
 *     while ((n = read(fd, piece, sizeof(piece))) > 0 && !csv_feed(&r, piece, n))
 *         while (!(rc = csv_next(&r, &record)) || rc == CSV_REFUSED) ...
 *     csv_end(&r); and csv_next once more until CSV_END
 *     csv_fini(&r);
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define CSV_MAX_FIELDS 1024u
#define CSV_MAX_RECORD_BYTES ((size_t)1 << 20)

/* why a record is refused: X(ID, "stable id") */
#define CSV_REFUSALS(X)                     \
    X(TOO_LONG, "row_too_long")             \
    X(TOO_MANY_FIELDS, "too_many_columns")  \
    X(UNCLOSED_QUOTE, "unclosed_quote")     \
    X(CUT, "row_cut") /* the input was cut off inside it */

enum csv_refusal {
#define X(ID, name) CSV_##ID,
    CSV_REFUSALS(X)
#undef X
        CSV_N_REFUSALS
};

/* csv_refusal_name - the stable id; static. */
const char *csv_refusal_name(enum csv_refusal reason);

struct csv_options {
    char separator;          /* 0: found from the first lines, ',' if they hold none */
    char comment;            /* lines that begin with it (after blanks) are skipped; 0: none */
    bool is_unquoted;        /* quotes mean nothing (Zeek) */
    bool keep_blank;         /* blank lines are records of one empty field; else they are skipped */
    size_t max_record_bytes; /* 0: CSV_MAX_RECORD_BYTES */
};

struct csv_record {
    const struct text *fields; /* borrowed until the next call on the reader; not trimmed */
    uint32_t n;                /* 1..CSV_MAX_FIELDS */
    uint64_t row;              /* 1-based: records and refused records, the header among them; blanks and comments not */
    uint64_t line;             /* 1-based line of the file where it begins */
    struct text raw;           /* the record as one span, for messages; quotes already removed inside; refused: its beginning */
    enum csv_refusal refusal;  /* only with CSV_REFUSED */
};

struct csv_reader {
    struct csv_options options;
    char separator;          /* in use; 0 until known */
    uint8_t ends_field[256]; /* by byte: separator or line end */
    struct buf bytes;        /* UTF-8; not yet handed out from `at` on */
    size_t at;               /* start of the next record */
    size_t looked_at;        /* bytes from `at` that held no whole record: wait for twice as many */
    size_t n_one_line;       /* records that begin within so many bytes from `at` may not hold line ends */
    uint8_t encoding;        /* see csv.c */
    uint8_t carry[3];        /* an undecided BOM, or half a UTF-16 unit */
    uint8_t n_carry;
    uint16_t high;           /* a high surrogate that waits for its other half */
    bool is_ended;
    bool is_cut;             /* and not where it should have */
    bool is_skipping;        /* the rest of a line that was refused or is a comment */
    bool had_cr;             /* a CR ended what was skipped: a LF right behind belongs to it */
    uint64_t row, line;      /* handed out so far */
    uint64_t n_comments, n_blank;
    struct text fields[CSV_MAX_FIELDS];
};

/* csv_init - @o may be NULL (all defaults). The reader is large (about 17 KiB): not for small stacks. */
void csv_init(struct csv_reader *r, const struct csv_options *o);
void csv_fini(struct csv_reader *r);

/*
 * csv_feed - append bytes. Call csv_next until CSV_MORE before feeding again.
 * Spans handed out before are no longer valid. Return: 0 or -ENOMEM.
 */
int csv_feed(struct csv_reader *r, const void *p, size_t n);
/* csv_end - nothing follows; the last record may lack its line end. Return: 0 or -ENOMEM. */
int csv_end(struct csv_reader *r);
/* csv_cut - instead of csv_end when the input broke off: a last record without line end is refused. Return: as csv_end. */
int csv_cut(struct csv_reader *r);

/*
 * csv_next - the next record.
 * Return: 0 (@ret is a record), CSV_REFUSED (@ret has row, line, refusal and the beginning in raw; go on),
 * CSV_MORE (feed first) or CSV_END.
 */
enum { CSV_MORE = 1, CSV_END = 2, CSV_REFUSED = 3 };
int csv_next(struct csv_reader *r, struct csv_record *ret);

/* csv_set_separator - for the records that follow (a Zeek header names its own). */
void csv_set_separator(struct csv_reader *r, char separator);

/* csv_detect_separator - from the first lines of @t: the candidate whose count agrees between lines; 0 if none occurs. */
char csv_detect_separator(struct text t, char comment);

/* csv_put - one field of a record as RFC 4180 writes it: quoted only where needed. */
void csv_put(struct buf *b, struct text field);
