/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind the bars: at most one that groups, then fields, sort and limit in any order.
 */
#include "watch/query/parse.h"

#include <stdio.h>
#include <string.h>

enum { TOP_DEFAULT = 10, TOP_MAX = 1000000 };

static const struct {
    const char *name;
    enum query_figure figure;
} figures[] = {{"count", QUERY_COUNT}, {"sum", QUERY_SUM}, {"min", QUERY_MIN}, {"max", QUERY_MAX}, {"avg", QUERY_AVG}};

static int one_sided_field(struct query_parser *p, struct query_field *ret)
{
    query_skip(p);
    size_t at = p->at;
    int r = query_field_next(p, ret);
    if (r)
        return r;
    if (ret->kind >= QUERY_FIELD_ENDS_IP)
        return query_expected(p, at, MSG_query_want_one_sided);
    ret->related = 0; /* what is stored under that name */
    return 0;
}

static int figure_field(struct query_parser *p, enum query_figure figure, struct query_field *ret)
{
    query_skip(p);
    size_t at = p->at;
    int r = one_sided_field(p, ret);
    if (r)
        return r;
    bool is_point = ret->value == QUERY_TIME && figure >= QUERY_MIN && figure <= QUERY_MAX;
    bool is_number = ret->kind == QUERY_FIELD_OBSERVER_DOMAIN || ret->value == QUERY_NUMBER || ret->value == QUERY_SIGNED;
    if (ret->value == QUERY_SIGNED && (figure == QUERY_SUM || figure == QUERY_AVG))
        is_number = false; /* no counter: nothing to add up */
    return is_point || is_number ? 0 : query_expected(p, at, MSG_query_want_counter);
}

/* sum(f), sum f, count; @may_be_absent: nothing of the kind stands here, which is count */
static int parse_figure(struct query_parser *p, bool may_be_absent)
{
    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
        if (!query_keyword(p, figures[i].name))
            continue;
        struct query *q = p->q;
        q->figure = figures[i].figure;
        bool has_bracket = query_take(p, '(');
        if (q->figure == QUERY_COUNT)
            return has_bracket && !query_take(p, ')') ? query_expected(p, p->at, MSG_query_want_close) : 0;
        int r = figure_field(p, q->figure, &q->figure_field);
        if (!r && has_bracket && !query_take(p, ')'))
            r = query_expected(p, p->at, MSG_query_want_close);
        return r;
    }
    query_skip(p);
    return may_be_absent ? 0 : query_expected(p, p->at, MSG_query_want_figure);
}

static int parse_keys(struct query_parser *p)
{
    struct query *q = p->q;
    do {
        query_skip(p);
        if (q->n_keys == QUERY_KEYS)
            return query_expected(p, p->at, MSG_query_want_fewer_keys);
        int r = one_sided_field(p, &q->keys[q->n_keys]);
        if (r)
            return r;
        q->n_keys++;
    } while (query_take(p, ','));
    return 0;
}

static int parse_count(struct query_parser *p, uint64_t max, uint64_t *ret)
{
    query_skip(p);
    size_t at = p->at;
    struct query_word w;
    int r = query_word_next(p, &w);
    if (r)
        return r;
    if (query_number_parse(w.text, ret) || *ret < 1 || *ret > max)
        return query_expected(p, at, MSG_query_want_count);
    return 0;
}

static int parse_top(struct query_parser *p)
{
    struct query *q = p->q;
    q->is_top = true;
    q->top = TOP_DEFAULT;
    query_skip(p);
    if (p->at < p->text.n && p->text.p[p->at] >= '0' && p->text.p[p->at] <= '9') {
        int r = parse_count(p, TOP_MAX, &q->top);
        if (r)
            return r;
    }
    int r = parse_keys(p);
    if (!r && query_keyword(p, "by"))
        r = parse_figure(p, false);
    return r;
}

static int parse_timeline(struct query_parser *p)
{
    struct query *q = p->q;
    q->step_us = INT64_C(3600) * US_PER_SECOND;
    query_field_find(TEXT("event.start"), &q->keys[0]);
    q->n_keys = 1;
    query_skip(p);
    if (p->at < p->text.n && p->text.p[p->at] >= '0' && p->text.p[p->at] <= '9') {
        size_t at = p->at;
        struct text span = query_name(p);
        char copy[24];
        snprintf(copy, sizeof(copy), "%.*s", (int)(span.n < sizeof(copy) ? span.n : sizeof(copy) - 1), span.p);
        if (clock_parse_span(copy, &q->step_us) || q->step_us < 1)
            return query_expected(p, at, MSG_query_want_span);
    }
    int r = parse_figure(p, true);
    if (!r && query_keyword(p, "by"))
        r = parse_keys(p);
    return r;
}

/* "sum(network.bytes)", in the arena */
static struct text figure_name(struct query *q)
{
    static const char *const names[] = {
        [QUERY_COUNT] = "count", [QUERY_SUM] = "sum", [QUERY_MIN] = "min", [QUERY_MAX] = "max", [QUERY_AVG] = "avg"};
    if (q->figure == QUERY_COUNT)
        return TEXT("count");
    struct text field = q->figure_field.name;
    char *name = arena_alloc(&q->arena, field.n + 8);
    if (!name)
        return (struct text){NULL, 0};
    int n = snprintf(name, field.n + 8, "%s(%.*s)", names[q->figure], (int)field.n, field.p);
    return (struct text){name, (size_t)n};
}

static int group_columns(struct query_parser *p)
{
    struct query *q = p->q;
    struct text name = figure_name(q);
    if (!name.p)
        return query_no_memory(p);
    for (unsigned i = 0; i < q->n_keys; i++) {
        q->columns[i] = (struct query_column){q->keys[i].name, q->keys[i].value};
        q->from[i] = i;
    }
    enum query_kind kind = QUERY_NUMBER;
    if (q->figure == QUERY_AVG)
        kind = QUERY_REAL;
    else if (q->figure == QUERY_MIN || q->figure == QUERY_MAX)
        kind = q->figure_field.value;
    q->columns[q->n_keys] = (struct query_column){name, kind};
    q->from[q->n_keys] = q->n_keys;
    q->n_columns = q->n_keys + 1;
    q->is_grouped = true;
    return 0;
}

/* a column of a grouped answer by name: a key, or the figure as it is called or as sum(alias) */
static int group_column(struct query_parser *p, unsigned *ret)
{
    struct query *q = p->q;
    query_skip(p);
    size_t at = p->at;
    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++) {
        struct query_field f = {0};
        if (!query_keyword(p, figures[i].name))
            continue;
        bool is_same = figures[i].figure == q->figure;
        if (is_same && query_take(p, '(')) {
            if (q->figure != QUERY_COUNT) {
                int r = query_field_next(p, &f);
                if (r)
                    return r;
                is_same = is_same && text_equal(f.name, q->figure_field.name);
            }
            if (!query_take(p, ')'))
                return query_expected(p, p->at, MSG_query_want_close);
        }
        if (!is_same)
            return query_expected(p, at, MSG_query_want_group_column);
        *ret = q->n_keys;
        return 0;
    }
    struct query_field f;
    int r = query_field_next(p, &f);
    if (r)
        return r;
    for (unsigned i = 0; i < q->n_keys; i++)
        if (text_equal(f.name, q->keys[i].name)) {
            *ret = i;
            return 0;
        }
    return query_expected(p, at, MSG_query_want_group_column);
}

static int parse_fields(struct query_parser *p)
{
    struct query *q = p->q;
    struct query_column columns[QUERY_COLUMNS];
    memcpy(columns, q->columns, sizeof(columns));
    unsigned n = 0;
    do {
        query_skip(p);
        if (n == QUERY_COLUMNS)
            return query_expected(p, p->at, MSG_query_want_fewer);
        if (q->is_grouped) {
            unsigned column = 0;
            int r = group_column(p, &column);
            if (r)
                return r;
            q->from[n] = column;
        } else {
            int r = one_sided_field(p, &q->fields[n]);
            if (r)
                return r;
            q->columns[n] = (struct query_column){q->fields[n].name, q->fields[n].value};
        }
        n++;
    } while (query_take(p, ','));
    for (unsigned i = 0; i < n && q->is_grouped; i++)
        q->columns[i] = columns[q->from[i]];
    q->n_columns = n;
    return 0;
}

static int parse_sort(struct query_parser *p)
{
    struct query *q = p->q;
    do {
        query_skip(p);
        if (q->n_sort == QUERY_SORT_KEYS)
            return query_expected(p, p->at, MSG_query_want_fewer_keys);
        struct query_sort_key *key = &q->sort[q->n_sort];
        int r = q->is_grouped ? group_column(p, &key->column) : one_sided_field(p, &key->field);
        if (r)
            return r;
        key->is_descending = query_keyword(p, "desc");
        if (!key->is_descending)
            query_keyword(p, "asc");
        q->n_sort++;
    } while (query_take(p, ','));
    return 0;
}

static int parse_limit(struct query_parser *p)
{
    uint64_t n;
    int r = parse_count(p, UINT64_MAX, &n);
    if (r)
        return r;
    uint64_t *limit = p->q->n_sort ? &p->q->limit : &p->q->limit_before;
    if (n < *limit)
        *limit = n;
    return 0;
}

/* parse_first - `first N`, `last N`: the oldest or newest rows by time, in that order. */
static int parse_first(struct query_parser *p, bool is_last)
{
    uint64_t n = 1;
    query_skip(p);
    int r = p->at < p->text.n && p->text.p[p->at] != '|' ? parse_count(p, UINT64_MAX, &n) : 0;
    struct query_sort_key *key = &p->q->sort[p->q->n_sort++];
    query_field_find(TEXT("@timestamp"), &key->field);
    key->is_descending = is_last;
    p->q->limit = n;
    return r;
}

/* one that groups: Return: 0 (taken), -1 (none stands here), or what failed */
static int grouping(struct query_parser *p)
{
    int r;
    if (query_keyword(p, "top")) {
        r = parse_top(p);
    } else if (query_keyword(p, "timeline")) {
        r = parse_timeline(p);
    } else {
        size_t at = p->at;
        r = parse_figure(p, true);
        if (!r && p->at == at)
            return -1;
        if (!r && query_keyword(p, "by"))
            r = parse_keys(p);
    }
    return r ? r : group_columns(p);
}

/* what one reads first of a log event; flows bring the rest of the ends */
static const char *const event_columns[] = {"@timestamp", "host.name", "event.dataset", "event.action", "event.outcome", "user.name",
                                            "log.level", "source.ip", "source.port", "destination.ip", "destination.port", "message"};

void query_scope(struct query *q, bool has_flows, bool has_logs)
{
    if (!q->is_rows || !has_logs)
        return;
    if (!has_flows)
        q->n_columns = 0;
    unsigned n_before = q->n_columns;
    for (size_t i = 0; i < sizeof(event_columns) / sizeof(*event_columns); i++) {
        struct query_field f;
        struct text name = {event_columns[i], strlen(event_columns[i])};
        bool is_there = !query_field_find(name, &f) || q->n_columns == QUERY_COLUMNS || (n_before && text_is(name, "@timestamp"));
        for (unsigned k = 0; k < n_before && !is_there; k++)
            is_there = text_equal(q->columns[k].name, f.name);
        if (is_there)
            continue;
        q->fields[q->n_columns] = f;
        q->columns[q->n_columns++] = (struct query_column){f.name, f.value};
    }
}

static int row_columns(struct query *q)
{
    for (unsigned i = 0; i < QUERY_COLUMNS && query_field_row(i, &q->fields[i]); i++) {
        q->columns[i] = (struct query_column){q->fields[i].name, q->fields[i].value};
        q->n_columns = i + 1;
    }
    q->is_rows = true;
    return 0;
}

int query_parse_pipes(struct query_parser *p)
{
    struct query *q = p->q;
    bool has_fields = false;
    for (unsigned n = 0; query_take(p, '|'); n++) {
        query_skip(p);
        size_t at = p->at;
        int r;
        if (query_keyword(p, "fields") && !has_fields) {
            has_fields = true;
            r = parse_fields(p);
        } else if (query_keyword(p, "sort") && !q->n_sort) {
            r = parse_sort(p);
        } else if (query_keyword(p, "limit")) {
            r = parse_limit(p);
        } else if (!n && query_keyword(p, "first")) {
            r = parse_first(p, false);
        } else if (!n && query_keyword(p, "last")) {
            r = parse_first(p, true);
        } else if (!n) {
            p->at = at;
            r = grouping(p);
            if (r == -1)
                r = query_expected(p, at, MSG_query_want_pipe);
        } else {
            r = query_expected(p, at, q->is_grouped ? MSG_query_want_pipe_after : MSG_query_want_pipe);
        }
        if (r)
            return r;
        query_skip(p);
        if (p->at < p->text.n && p->text.p[p->at] != '|')
            return query_expected(p, p->at, MSG_query_want_bar);
    }
    return q->n_columns ? 0 : row_columns(q);
}
