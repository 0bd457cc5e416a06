/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/table - rows for people (a table that fits the terminal) or for programs (csv, json lines).
 *
 * csv and json are streamed and never translated; a table is gathered (at most
 * TABLE_MAX_ROWS, then it says how many follow) so that its columns fit.
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"
#include "cli/cli.h"

#define TABLE_MAX_ROWS 20000u
#define TABLE_MAX_COLUMNS 32u

struct table_column {
    const char *name;      /* csv header and json key */
    enum message_id title; /* of the table */
    bool is_number;        /* right-aligned; json number */
    bool may_shrink;       /* cut with an ellipsis when the terminal is narrow */
};

struct table {
    enum cli_format format;
    const struct table_column *columns; /* borrowed */
    unsigned n_columns;
    struct buf cells;    /* of the table: texts closed by zero */
    uint64_t n_rows;
    struct buf row;      /* row under construction */
    unsigned n_cells;
};

/* table_begin - prints the csv header at once. */
void table_begin(struct table *t, enum cli_format format, const struct table_column *columns, unsigned n_columns);
/* cells of one row, in column order; the last one ends the row */
void table_text(struct table *t, struct text value);
void table_number(struct table *t, uint64_t value);
/* table_port - a number that is a name: never grouped; empty (json: 0) when there is none. */
void table_port(struct table *t, uint16_t port);
/* table_time - csv and json: RFC 3339 UTC, table: local; empty when @is_known is false. */
void table_time(struct table *t, int64_t us, bool is_known);
/* table_end - prints the table. Return: 0, or 1 when memory was out and rows are missing (said on standard error). */
int table_end(struct table *t);

/* table_put_csv, table_put_json_text - one value in its form, to standard output. */
void table_put_csv(struct text value);
void table_put_json_text(struct text value);
