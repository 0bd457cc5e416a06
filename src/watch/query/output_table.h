/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/output_table - rows of cells that fit a terminal; the part of output.h that lays out.
 * The first OUTPUT_TABLE_ROWS rows are held back to learn the widths. What is too wide for the terminal loses the columns
 * that matter least, then the width of its texts; addresses, times and numbers are never cut.
 */
#pragma once

#include "watch/query/query.h"

#include <stdio.h>

#define OUTPUT_TABLE_ROWS 400u

struct output_table {
    size_t n_columns;
    struct {
        char *name;
        bool is_right; /* numbers */
        bool is_firm;  /* addresses, times and numbers: never cut, half of one misleads */
        bool is_hidden;
        bool is_empty; /* no row shown has a value: gone first, and not missed */
        unsigned rank; /* who goes first when the terminal is narrow: 1, 2 ...; 0: never */
        unsigned width;
        unsigned least; /* of its cells; the title above may be cut */
    } columns[QUERY_COLUMNS];
    unsigned width; /* of the terminal; 0: no limit */
    struct buf held; /* cells, each ended by a zero */
    size_t n_held;
    bool is_laid_out;
    struct buf line;
};

/* output_table_column - one more, before the first row. Return: 0 or -ENOMEM. */
int output_table_column(struct output_table *t, struct text name, bool is_right, unsigned rank);
/* output_table_hidden - the titles of columns that had no room, once the table is flushed. */
void output_table_hidden(const struct output_table *t, struct buf *titles);
/* output_table_row - @cells: n_columns texts, each ended by a zero, one behind the other. Return: 0 or -errno. */
int output_table_row(struct output_table *t, const struct buf *cells, FILE *to);
/* output_table_flush - what is held back. Return: 0 or -errno. */
int output_table_flush(struct output_table *t, FILE *to);
void output_table_fini(struct output_table *t);
