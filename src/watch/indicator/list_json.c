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

/* what the keys mean, remembered: every line has the same ones */
#define KEYS 32u
#define KEY_BYTES 48u

struct key {
    char name[KEY_BYTES];
    size_t n;
    enum list_column column;
    int rank, zone_s;
};

struct list_json_keys {
    struct key of[KEYS];
    uint32_t n;
};

struct object {
    struct list_parse *p;
    struct list_json_keys *keys;
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

static struct key meaning_of(struct text path, bool is_space)
{
    struct key k = {.zone_s = INT32_MAX};
    k.column = list_column_of(path, is_space, &k.zone_s);
    k.rank = k.column == LIST_COLUMN_NONE ? 0 : list_column_rank(path);
    return k;
}

static struct key look_up(struct object *o, struct text path)
{
    for (uint32_t i = 0; i < o->keys->n; i++)
        if (o->keys->of[i].n == path.n && !memcmp(o->keys->of[i].name, path.p, path.n))
            return o->keys->of[i];
    struct key k = meaning_of(path, o->p->o->is_space);
    if (o->keys->n < KEYS && path.n <= KEY_BYTES) {
        memcpy(k.name, path.p, path.n);
        k.n = path.n;
        o->keys->of[o->keys->n++] = k;
    }
    return k;
}

static int take_leaf(void *context, struct text path, const struct json_value *v)
{
    struct object *o = context;
    struct key k = look_up(o, path);
    enum list_column c = k.column;
    if (text_is(path, "pattern") && v->kind == JSON_KIND_STRING)
        o->pattern = value_of(o, v);
    if (text_is(path, "type") && text_is(v->raw, "indicator"))
        o->is_stix = true;
    if (c == LIST_COLUMN_NONE)
        return 0;
    struct text t = value_of(o, v);
    if (!t.n || (o->cells.of[c].n && o->rank[c] <= k.rank))
        return 0;
    o->cells.of[c] = t;
    o->rank[c] = k.rank;
    if (k.zone_s != INT32_MAX)
        o->cells.zone_s[c] = k.zone_s;
    return 0;
}

static void row_json(struct list_parse *p, uint64_t row, struct text line, char *scratch, struct list_json_keys *keys)
{
    struct object o = {.p = p, .keys = keys, .text = scratch};
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

void list_row_json(struct list_parse *p, uint64_t row, struct text line, char *scratch)
{
    struct list_json_keys keys;
    keys.n = 0;
    row_json(p, row, line, scratch, &keys);
}

#define LINES_BYTES ((size_t)256 << 10)

struct lines {
    char *p, *scratch;
    size_t n;        /* bytes held */
    uint64_t number; /* of the line that begins at p[0] */
    bool is_skipping;
    struct list_json_keys keys;
};

static void take_lines(struct list_parse *p, struct lines *l, bool is_end)
{
    size_t at = 0;
    while (at < l->n && !p->rc) {
        const char *end = memchr(l->p + at, '\n', l->n - at);
        if (!end && !is_end)
            break;
        struct text line = {l->p + at, end ? (size_t)(end - l->p) - at : l->n - at};
        at += line.n + (end != NULL);
        bool is_skipped = l->is_skipping;
        l->is_skipping = false;
        if (!is_skipped && line.n > LIST_MAX_ROW_BYTES)
            list_row_refuse(p, l->number, LIST_REFUSED_too_long, (struct text){line.p, 200});
        else if (!is_skipped && text_trim(line).n)
            row_json(p, l->number, text_trim(line), l->scratch, &l->keys);
        l->number++;
    }
    memmove(l->p, l->p + at, l->n - at);
    l->n -= at;
    if (l->n <= LIST_MAX_ROW_BYTES)
        return;
    if (!l->is_skipping)
        list_row_refuse(p, l->number, LIST_REFUSED_too_long, (struct text){l->p, 200});
    l->is_skipping = true;
    l->n = 0;
}

int list_read_json_lines(struct list_parse *p)
{
    struct lines l = {.p = malloc(LINES_BYTES), .scratch = malloc(2 * LIST_MAX_ROW_BYTES), .number = 1};
    ssize_t got = 0;
    if (!l.p || !l.scratch) {
        free(l.p);
        free(l.scratch);
        return FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    }
    while (!p->rc && (got = list_source_read(&p->source, l.p + l.n, LINES_BYTES - l.n)) > 0) {
        l.n += (size_t)got;
        take_lines(p, &l, false);
    }
    if (!p->rc && !got)
        take_lines(p, &l, true);
    free(l.p);
    free(l.scratch);
    if (got < 0)
        return FAULT(p->fault, (int)got, list_read_failed, strerror((int)-got));
    return p->rc;
}
