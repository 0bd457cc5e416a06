/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/table_read - rows of a CSV or XLSX file under headers that people chose, in Vietnamese or English.
 *
 * In:     a whole file in memory, untrusted: CSV (comma, semicolon, TAB; UTF-8 or UTF-16 with BOM) or a spreadsheet, which is read in
 *         the lab (lab/sheet.h). The header is the first of the first TABLE_HEADER_LINES rows that names every needed column: official
 *         sheets have titles above it. Columns nobody knows are passed over and named in the report.
 * Out:    each row as one text per known column, trimmed; refusals by row, column and reason. What a row means is the caller's.
 * Account: rows = kept + refused.
 * Limits: TABLE_FILE_BYTES, TABLE_ROWS rows, TABLE_COLUMNS known columns, TABLE_CELL_BYTES a cell, TABLE_SHOWN refusals kept by row
 * (all are
 *         counted).
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

#define TABLE_FILE_BYTES ((size_t)32 << 20)
#define TABLE_TEXT_BYTES ((size_t)128 << 20)
#define TABLE_ROWS 500000u
#define TABLE_COLUMNS 40u
#define TABLE_CELL_BYTES 4000u
#define TABLE_HEADER_LINES 30u
#define TABLE_SHOWN 1000u

/* X(id, "word") - why a row was refused; texts for people: messages table_refused_<word> */
#define TABLE_REFUSALS(X)                                                                                                          \
    X(MISSING, "missing") X(TOO_LONG, "too_long") X(BAD_TEXT, "bad_text") X(BAD_TIME, "bad_time") X(BAD_PERIOD, "bad_period")      \
    X(BAD_NUMBER, "bad_number") X(BAD_CHOICE, "bad_choice") X(BAD_ADDRESS, "bad_address") X(BAD_ROW, "bad_row")                    \
    X(UNKNOWN_UNIT, "unknown_unit") X(UNKNOWN_PARENT, "unknown_parent") X(DOUBLE, "double") X(NOT_ALLOWED, "not_allowed")          \
    X(CIRCLE, "circle") X(NO_KEY, "no_key") X(BAD_NAME, "bad_name") X(TOO_MANY, "too_many") X(UNKNOWN_SYSTEM, "unknown_system")
enum table_refusal {
#define X(id, word) TABLE_REFUSED_##id,
    TABLE_REFUSALS(X)
#undef X
        TABLE_N_REFUSALS
};
/* table_refusal_name - static */
const char *table_refusal_name(enum table_refusal r);

struct sheet_column {
    const char *id;      /* also accepted as a header */
    const char *headers; /* further headers in folded form (no diacritics, no capitals), '|' between */
    bool is_needed;
};

struct table_refused {
    uint64_t line;      /* of the file; of a spreadsheet: the row of its sheet */
    const char *column; /* id; "" the row as a whole */
    enum table_refusal why;
    bool is_warning;    /* the row was kept */
    struct text value;  /* hostile, cut, in the report's arena */
};

struct table_report {
    uint64_t n_rows, n_kept, n_new, n_changed, n_same, n_queued;
    uint64_t n_refused, refused[TABLE_N_REFUSALS];
    uint64_t n_warned; /* rows that were kept although a part of them was not understood; they stand among the shown */
    struct table_refused shown[TABLE_SHOWN];
    size_t n_shown;
    struct text unknown_headers[TABLE_COLUMNS];
    size_t n_unknown;
    struct arena arena;
};
struct table_report *table_report_new(void); /* NULL: no memory */
void table_report_free(struct table_report *r);
/* table_refuse - counts and keeps. */
void table_refuse(struct table_report *r, uint64_t line, const char *column, enum table_refusal why, struct text value);
/* table_warn - the row stays, this part of it was not taken. */
void table_warn(struct table_report *r, uint64_t line, const char *column, enum table_refusal why, struct text value);
/* table_is_mostly_bad - more than half of the rows were refused: a file of another kind; nothing of it should stay. */
bool table_is_mostly_bad(const struct table_report *r);

struct table_row {
    uint64_t line;
    struct text cells[TABLE_COLUMNS]; /* in the order of the columns; empty where there is none */
};

#define TABLE_NO_HEADER 1 /* no row names the needed columns; the fault says which are looked for */
/*
 * table_read - all rows, in @ret (heap, the caller frees; its texts live in the report's arena). Rows that cannot be read are refused
 * in @report.
 * Return: 0; TABLE_NO_HEADER; -EBADMSG, -EFBIG (the file as a whole), -ENOMEM and other -errno of the lab, with the fault.
 */
int table_read(const uint8_t *p, size_t n, const struct sheet_column *columns, size_t n_columns, struct table_report *report,
               struct table_row **ret, size_t *ret_n, struct fault *f);

/* --- cells to values; each refuses in the report and answers false --- */
/* table_read_time - empty: @otherwise. Zone +07:00 where none is written. */
bool table_read_time(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, int64_t otherwise,
                int64_t *ret);
bool table_read_number(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, uint64_t max,
                  int64_t otherwise,
                  int64_t *ret);
/* table_yes - 1, true, yes, x, có / 0, false, no, không; empty: @otherwise. */
bool table_yes(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, bool otherwise, bool *ret);
/* table_choice - the folded text among the words of each of @choices ("server|may chu|…"): its place; empty: @otherwise. */
bool table_choice(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column,
                  const char *const *choices,
                  size_t n_choices, int otherwise, int *ret);
