/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines: each line an object whose keys are column names (nested keys
 * joined by a dot: source.ip), read without building a tree.
 */
#include "format/json.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct object {
    struct list_parse *p;
    struct list_cells cells;
    int rank[LIST_N_COLUMNS];
    char *text; /* unescaped values */
    size_t n_text;
    struct text pattern;
    bool is_stix;
};

static struct text value_of(struct object *o, const struct json_value *v)
{
    if (v->kind == JSON_KIND_NULL || v->kind == JSON_KIND_ARRAY || v->kind == JSON_KIND_OBJECT)
        return (struct text){"", 0};
    if (v->kind != JSON_KIND_STRING || !v->is_escaped)
        return v->raw;
    char *to = o->text + o->n_text;
    size_t n = json_unescape(v->raw, to);
    o->n_text += n;
    return (struct text){to, n};
}

static int take_leaf(void *context, struct text path, const struct json_value *v)
{
    struct object *o = context;
    int zone_s = INT32_MAX;
    enum list_column c = list_column_of(path, o->p->o->is_space, &zone_s);
    if (text_is(path, "pattern") && v->kind == JSON_KIND_STRING)
        o->pattern = value_of(o, v);
    if (text_is(path, "type") && text_is(v->raw, "indicator"))
        o->is_stix = true;
    if (c == LIST_COLUMN_NONE)
        return 0;
    struct text t = value_of(o, v);
    int rank = list_column_rank(path);
    if (!t.n || (o->cells.of[c].n && o->rank[c] <= rank))
        return 0;
    o->cells.of[c] = t;
    o->rank[c] = rank;
    if (zone_s != INT32_MAX)
        o->cells.zone_s[c] = zone_s;
    return 0;
}

void list_row_json(struct list_parse *p, uint64_t row, struct text line, char *scratch)
{
    struct object o = {.p = p, .text = scratch};
    for (int i = 0; i < LIST_N_COLUMNS; i++)
        o.cells.zone_s[i] = p->o->zone_s;
    if (line.p[0] != '{' || json_walk(line, take_leaf, &o, NULL)) {
        list_row_refuse(p, row, LIST_REFUSED_bad_json, line);
        return;
    }
    if (o.is_stix && o.pattern.n)
        list_row_stix_line(p, row, line);
    else
        list_row_cells(p, row, &o.cells, line);
}

#define LINES_BYTES ((size_t)256 << 10)

static void take_lines(struct list_parse *p, char *b, size_t *n, uint64_t *number, bool *is_skipping, bool is_end, char *scratch)
{
    size_t at = 0;
    while (at < *n && !p->rc) {
        const char *end = memchr(b + at, '\n', *n - at);
        if (!end && !is_end)
            break;
        struct text line = {b + at, end ? (size_t)(end - b) - at : *n - at};
        at += line.n + (end != NULL);
        bool is_skipped = *is_skipping;
        *is_skipping = false;
        if (!is_skipped && line.n > LIST_MAX_ROW_BYTES)
            list_row_refuse(p, *number, LIST_REFUSED_too_long, (struct text){line.p, 200});
        else if (!is_skipped && text_trim(line).n)
            list_row_json(p, *number, text_trim(line), scratch);
        ++*number;
    }
    memmove(b, b + at, *n - at);
    *n -= at;
    if (*n <= LIST_MAX_ROW_BYTES)
        return;
    if (!*is_skipping)
        list_row_refuse(p, *number, LIST_REFUSED_too_long, (struct text){b, 200});
    *is_skipping = true;
    *n = 0;
}

int list_read_json_lines(struct list_parse *p)
{
    char *b = malloc(LINES_BYTES), *scratch = malloc(2 * LIST_MAX_ROW_BYTES);
    size_t n = 0;
    uint64_t number = 1;
    bool is_skipping = false;
    ssize_t got = 0;
    if (!b || !scratch) {
        free(b);
        free(scratch);
        return FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    }
    while (!p->rc && (got = list_source_read(&p->source, b + n, LINES_BYTES - n)) > 0) {
        n += (size_t)got;
        take_lines(p, b, &n, &number, &is_skipping, false, scratch);
    }
    if (!p->rc && !got)
        take_lines(p, b, &n, &number, &is_skipping, true, scratch);
    free(b);
    free(scratch);
    if (got < 0)
        return FAULT(p->fault, (int)got, list_read_failed, strerror((int)-got));
    return p->rc;
}
