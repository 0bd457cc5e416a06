/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/query/output - rows of values as csv, json or a table. Serves queries and hunts.
 *
 * csv:   RFC 4180 with LF; the header also with no rows; absent values are empty. A text that holds a comma, a quote
 *        or a line end is quoted. `query '*'` always has the same columns (query_field_row).
 * json:  one object a line; absent values have no key; a whole row begins with "@timestamp" (= event.start) and ends
 *        with its texts of other names. Texts that are not UTF-8 have U+FFFD for each bad byte.
 * table: as wide as the terminal at most: columns get the room their values need, judged on the first rows; when that is
 *        too much, columns that matter less go (output_hidden) and texts are cut with "…"; whole-row queries show the
 *        columns that matter. Times are local, counts are grouped as the language does.
 * Times in csv and json: RFC 3339 UTC, six decimals and Z. Addresses: RFC 5952. Control characters never reach a table.
 */
#pragma once

#include "watch/query/query.h"

#include <stdio.h>

enum output_form { OUTPUT_TABLE, OUTPUT_CSV, OUTPUT_JSON };

struct output;

struct output_options {
    enum output_form form;
    unsigned width; /* of the terminal, for tables; 0: no limit */
    int zone_s;     /* for tables */
    bool is_rows;   /* query_is_rows */
};

/* output_new - writes to @to (borrowed). NULL when memory is out. */
struct output *output_new(FILE *to, const struct output_options *o);
/* output_sink - a sink that lives as long as @o. It answers -errno when writing fails (-EPIPE: nobody reads). */
struct query_sink output_sink(struct output *o);
/* output_flush - what a table still holds back, and the buffer of the stream. Return: 0 or -errno. */
int output_flush(struct output *o);
/* output_hidden - after output_flush: the titles of columns a narrow terminal had no room for, ", " between them. */
void output_hidden(const struct output *o, struct buf *titles);
/* output_rows - rows given so far. */
uint64_t output_rows(const struct output *o);
void output_free(struct output *o);

/* output_value - as csv and json print it, without quotes. */
void output_value(struct buf *b, const struct query_value *v);
