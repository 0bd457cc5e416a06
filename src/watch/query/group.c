/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups are counted per segment under the codes of that segment; an address is decoded once per segment and
 * group, when the segment's groups join those of all.
 */
#include "watch/query/log.h"
#include "watch/query/mask.h"
#include "watch/query/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIGN (UINT64_C(1) << 63)

static bool is_signed(const struct query_field *f)
{
    return f->value == QUERY_TIME || f->value == QUERY_SIGNED;
}

/* --- gathering: fields of the matching rows, side by side ------------------------------------ */

static int room(struct query_worker *w)
{
    const struct query *q = w->run->q;
    for (unsigned i = 0; i <= q->n_keys; i++)
        if (!w->keys[i]) {
            w->keys[i] = malloc(SEGMENT_BLOCK_ROWS * sizeof(uint64_t) + 320);
            if (!w->keys[i])
                return -ENOMEM;
        }
    if (!w->values)
        w->values = malloc(SEGMENT_BLOCK_ROWS * sizeof(*w->values));
    if (!w->has_value)
        w->has_value = malloc(SEGMENT_BLOCK_ROWS);
    return w->values && w->has_value ? 0 : -ENOMEM;
}

static int gather_texts(struct query_worker *w, const struct query_field *f, uint32_t n, uint64_t bit, uint64_t *has,
                        uint64_t *out)
{
    for (uint32_t i = 0; i < n; i++) {
        struct query_value v;
        uint32_t number = 0;
        int r = query_block_value(&w->block, f, w->rows[i], &v);
        if (!r && v.kind == QUERY_TEXT)
            r = query_names_number(&w->names, v.text, &number);
        if (r)
            return r;
        out[i] = number;
        has[i] |= v.kind == QUERY_TEXT ? bit : 0;
    }
    return 0;
}

/* one column added to what is in @out; rows that lack it add nothing */
static int gather_column(struct query_worker *w, unsigned column, uint32_t n, uint64_t bit, uint64_t *has, uint64_t *out)
{
    struct query_block *b = &w->block;
    struct segment_bounds bounds;
    segment_bounds(b->segment, b->block, column, &bounds);
    if (bounds.is_absent)
        return 0;
    int r = query_block_present(b);
    if (!r)
        r = query_block_load(b, column);
    if (r)
        return r;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = w->rows[i];
        if (!(b->present[row] >> column & 1))
            continue;
        has[i] |= bit;
        out[i] = query_add(out[i], query_column_is_wide(column) ? b->v64[column][row] : b->v32[column][row]);
    }
    return 0;
}

static int gather(struct query_worker *w, const struct query_field *f, uint32_t n, uint64_t bit, uint64_t *has, uint64_t *out)
{
    memset(out, 0, n * sizeof(*out));
    if (f->kind == QUERY_FIELD_EVENT)
        return 0; /* no flow has it */
    if (f->kind == QUERY_FIELD_TEXT)
        return gather_texts(w, f, n, bit, has, out);
    int r = gather_column(w, f->column, n, bit, has, out);
    if (!r && f->kind == QUERY_FIELD_SUM)
        r = gather_column(w, f->column2, n, bit, has, out);
    const struct segment *s = w->block.segment;
    for (uint32_t i = 0; !r && i < n && f->value == QUERY_IP; i++) {
        bool is_observer = f->kind == QUERY_FIELD_OBSERVER_IP;
        if (has[i] & bit && out[i] >= (is_observer ? segment_n_observers(s) : segment_info(s)->n_entries))
            return -EBADMSG;
        if (has[i] & bit && is_observer && ip_is_zero(&segment_observer(s, (uint32_t)out[i])->ip)) {
            has[i] &= ~bit;
            out[i] = 0;
        }
    }
    for (uint32_t i = 0; !r && i < n && f->kind == QUERY_FIELD_OBSERVER_DOMAIN; i++) {
        if (has[i] & bit && out[i] >= segment_n_observers(s))
            return -EBADMSG;
        out[i] = has[i] & bit ? segment_observer(s, (uint32_t)out[i])->domain : 0;
    }
    return r;
}

/* step_of - the number of the step @time_us lies in, in local time */
static int64_t step_of(const struct query *q, int64_t time_us)
{
    int64_t local;
    if (__builtin_add_overflow(time_us, q->zone_s * US_PER_SECOND, &local))
        local = time_us;
    return local / q->step_us - (local % q->step_us < 0);
}

static void to_steps(const struct query *q, const uint64_t *has, uint64_t *times, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (has[i] & 1)
            times[i] = (uint64_t)step_of(q, (int64_t)times[i]);
}

static int gather_values(struct query_worker *w, uint32_t n)
{
    const struct query *q = w->run->q;
    uint64_t has[SEGMENT_BLOCK_ROWS];
    memset(w->has_value, 0, n);
    if (q->figure == QUERY_COUNT)
        return 0;
    memset(has, 0, n * sizeof(*has));
    int r = gather(w, &q->figure_field, n, 1, has, w->values);
    uint64_t bias = is_signed(&q->figure_field) ? SIGN : 0;
    for (uint32_t i = 0; !r && i < n; i++) {
        w->has_value[i] = (uint8_t)has[i];
        w->values[i] ^= bias;
    }
    return r;
}

/* --- counting --------------------------------------------------------------------------------- */

/* what @n rows, @n_has of them with a value, bring to a group */
static void join_sums(struct query_sums *to, enum query_figure figure, uint64_t n, uint64_t n_has, uint64_t value)
{
    to->n += n;
    if (!n_has)
        return;
    if (figure == QUERY_SUM || figure == QUERY_AVG)
        to->value = query_add(to->value, value);
    else if (!to->n_has || (figure == QUERY_MIN ? value < to->value : value > to->value))
        to->value = value;
    to->n_has += n_has;
}

/* the groups of the segment, or of a part of it, join those of all */
static int join(struct query_worker *w, const struct segment *s);

static int count_rows(struct query_worker *w, uint32_t n)
{
    const struct query *q = w->run->q;
    uint64_t all = (UINT64_C(1) << q->n_keys) - 1, key[QUERY_KEYS + 1];
    for (uint32_t i = 0; i < n; i++) {
        if (q->is_top && w->keys[0][i] != all)
            continue;
        for (unsigned k = 0; k <= q->n_keys; k++)
            key[k] = w->keys[k][i];
        struct query_sums *sums = query_table_at(&w->local, key);
        if (!sums) {
            int r = join(w, w->block.segment);
            sums = r ? NULL : query_table_at(&w->local, key);
        }
        if (!sums)
            return -ENOMEM;
        join_sums(sums, q->figure, 1, w->has_value[i], w->values[i]);
    }
    return 0;
}

static int count_block(struct query_worker *w, uint32_t n)
{
    const struct query *q = w->run->q;
    int r = room(w);
    if (r)
        return r;
    if (!q->n_keys && q->figure == QUERY_COUNT) {
        uint64_t none = 0;
        struct query_sums *sums = query_table_at(&w->local, &none);
        if (sums)
            sums->n += n;
        return sums ? 0 : -ENOMEM;
    }
    n = mask_rows(w->mask, w->block.n_rows, w->rows);
    memset(w->keys[0], 0, n * sizeof(uint64_t));
    for (unsigned k = 0; !r && k < q->n_keys; k++)
        r = gather(w, &q->keys[k], n, UINT64_C(1) << k, w->keys[0], w->keys[k + 1]);
    if (!r && q->step_us)
        to_steps(q, w->keys[0], w->keys[1], n);
    if (!r)
        r = gather_values(w, n);
    return r ? r : count_rows(w, n);
}

/* --- joining segments ------------------------------------------------------------------------ */

/* the two words of a key over all segments; texts are numbered by the caller */
static void translate(const struct segment *s, const struct query_field *f, uint64_t value, uint64_t out[2])
{
    struct ip a;
    out[0] = value;
    out[1] = 0;
    if (f->value != QUERY_IP)
        return;
    a = f->kind == QUERY_FIELD_OBSERVER_IP ? segment_observer(s, (uint32_t)value)->ip : segment_address(s, (uint32_t)value);
    memcpy(out, a.b, 16);
}

static int join_entry(struct query_worker *w, const uint64_t *key, const struct query_sums *sums)
{
    struct query_run *run = w->run;
    struct query_sums *to = query_table_at(&run->groups, key);
    if (!to)
        return -ENOMEM;
    join_sums(to, run->q->figure, sums->n, sums->n_has, sums->value);
    return 0;
}

static int join(struct query_worker *w, const struct segment *s)
{
    struct query_run *run = w->run;
    const struct query *q = run->q;
    uint64_t key[2 * QUERY_KEYS + 1];
    int r = 0;
    pthread_mutex_lock(&run->lock);
    for (uint32_t i = 0; !r && i < w->local.n; i++) {
        const uint64_t *local = query_table_key(&w->local, i);
        key[0] = local[0];
        for (unsigned k = 0; !r && k < q->n_keys; k++) {
            uint64_t *to = &key[1 + 2 * k];
            to[0] = to[1] = 0;
            if (!(local[0] >> k & 1))
                continue;
            translate(s, &q->keys[k], local[k + 1], to);
            uint32_t number;
            if (q->keys[k].kind != QUERY_FIELD_TEXT)
                continue;
            r = query_names_number(&run->names, query_names_text(&w->names, (uint32_t)local[k + 1]), &number);
            to[0] = number;
        }
        if (!r)
            r = join_entry(w, key, query_table_sums(&w->local, i));
    }
    pthread_mutex_unlock(&run->lock);
    query_table_clear(&w->local);
    return r;
}

static int group_segment(struct query_worker *w, size_t i)
{
    int r = query_each_block(w, i, count_block);
    if (!r)
        r = join(w, w->run->segments[i]);
    query_names_clear(&w->names);
    return r;
}

/* --- log events -------------------------------------------------------------------------------- */

/* log_key - the two words of a key as translate() and join() make them. Return: 0, 1 (absent) or -ENOMEM. */
static int log_key(struct query_run *run, struct query_log *l, uint32_t row, unsigned k, uint64_t out[2])
{
    const struct query *q = run->q;
    const struct query_field *f = &q->keys[k];
    struct query_value v;
    uint32_t number;
    uint8_t protocol;
    out[0] = out[1] = 0;
    query_log_value(l, f, row, &v);
    if (v.kind == QUERY_ABSENT)
        return 1;
    if (k == 0 && q->step_us) {
        out[0] = (uint64_t)step_of(q, v.time_us);
        return 0;
    }
    if (f->kind == QUERY_FIELD_TRANSPORT || f->kind == QUERY_FIELD_DIRECTION) { /* known by number */
        if (v.kind == QUERY_NUMBER)
            out[0] = v.number;
        else if (f->kind == QUERY_FIELD_TRANSPORT && !flow_transport_parse(v.text, &protocol))
            out[0] = protocol;
        else if (f->kind == QUERY_FIELD_DIRECTION && (text_is(v.text, "egress") || text_is(v.text, "outbound")))
            out[0] = 1;
        else if (f->kind == QUERY_FIELD_TRANSPORT || !(text_is(v.text, "ingress") || text_is(v.text, "inbound")))
            return 1;
        return 0;
    }
    if (f->value == QUERY_TEXT) {
        char scratch[EVENT_VALUE_TEXT_MAX];
        if (query_names_number(&run->names, query_log_text(&v, scratch), &number))
            return -ENOMEM;
        out[0] = number;
        return 0;
    }
    if (v.kind != f->value)
        return 1;
    if (f->value == QUERY_IP)
        memcpy(out, v.ip.b, 16);
    else
        out[0] = v.number; /* the same bits as time_us */
    return 0;
}

static int log_group(struct query_run *run, struct query_log *l, uint32_t row)
{
    const struct query *q = run->q;
    uint64_t key[2 * QUERY_KEYS + 1] = {0}, value = 0;
    struct query_value v = {.kind = QUERY_ABSENT};
    for (unsigned k = 0; k < q->n_keys; k++) {
        int r = log_key(run, l, row, k, &key[1 + 2 * k]);
        if (r < 0)
            return r;
        key[0] |= (uint64_t)(r == 0) << k;
    }
    if (q->is_top && key[0] != (UINT64_C(1) << q->n_keys) - 1)
        return 0;
    if (q->figure != QUERY_COUNT)
        query_log_value(l, &q->figure_field, row, &v);
    bool has = v.kind == q->figure_field.value && v.kind != QUERY_ABSENT;
    if (has)
        value = v.number ^ (is_signed(&q->figure_field) ? SIGN : 0);
    struct query_sums *to = query_table_at(&run->groups, key);
    if (!to)
        return -ENOMEM;
    join_sums(to, q->figure, 1, has, value);
    return 0;
}

static int group_logs(struct query_run *run)
{
    struct query_log l;
    int r = query_log_init(&l, run->q, run->options);
    for (size_t i = 0; !r && i < run->n_logs; i++) {
        r = query_go_on(run);
        if (r)
            break;
        query_log_bind(&l, run->logs[i], run->report);
        while (!r && query_log_next_block(&l, run->report))
            for (uint32_t row = 0; !r && row < l.e->n; row++)
                if (query_log_matches(&l, row)) {
                    run->report->n_rows_matched++;
                    r = log_group(run, &l, row);
                }
        r = r ? r : l.failed;
    }
    query_log_fini(&l);
    return r == -ENOMEM ? query_over_memory(run) : r;
}

int query_run_groups(struct query_run *run)
{
    int r = query_parallel(run, group_segment);
    if (!r && run->n_logs)
        r = group_logs(run);
    return r ? r : query_group_give(run);
}

/* --- giving -------------------------------------------------------------------------------------- */

static void key_value(const struct query_run *run, const uint64_t *key, unsigned k, struct query_value *ret)
{
    const struct query *q = run->q;
    const struct query_field *f = &q->keys[k];
    const uint64_t *v = &key[1 + 2 * k];
    ret->kind = QUERY_ABSENT;
    if (!(key[0] >> k & 1))
        return;
    const char *name = NULL;
    if (f->kind == QUERY_FIELD_TRANSPORT)
        name = flow_transport_name((uint8_t)v[0]);
    else if (f->kind == QUERY_FIELD_DIRECTION)
        name = query_direction_name(v[0]);
    if (name || f->kind == QUERY_FIELD_TEXT) {
        ret->kind = QUERY_TEXT;
        ret->text = name ? (struct text){name, strlen(name)} : query_names_text(&run->names, (uint32_t)v[0]);
        return;
    }
    ret->kind = f->value == QUERY_TEXT ? QUERY_NUMBER : f->value;
    if (f->value == QUERY_IP)
        memcpy(ret->ip.b, v, 16);
    else if (k == 0 && q->step_us)
        ret->time_us = (int64_t)v[0] * q->step_us - q->zone_s * US_PER_SECOND;
    else
        ret->number = v[0]; /* the same bits as time_us */
}

static void figure_value(const struct query *q, const struct query_sums *s, struct query_value *ret)
{
    ret->kind = QUERY_NUMBER;
    switch (q->figure) {
    case QUERY_COUNT:
        ret->number = s->n;
        return;
    case QUERY_SUM:
        ret->number = s->value;
        return;
    case QUERY_AVG:
        ret->kind = s->n_has ? QUERY_REAL : QUERY_ABSENT;
        ret->real = s->n_has ? (double)s->value / (double)s->n_has : 0;
        return;
    case QUERY_MIN:
    case QUERY_MAX:
        break;
    }
    ret->kind = s->n_has ? q->figure_field.value : QUERY_ABSENT;
    ret->number = s->value ^ (is_signed(&q->figure_field) ? SIGN : 0);
}

static void column_value(const struct query_run *run, uint32_t group, unsigned column, struct query_value *ret)
{
    if (column < run->q->n_keys)
        key_value(run, query_table_key(&run->groups, group), column, ret);
    else
        figure_value(run->q, query_table_sums(&run->groups, group), ret);
}

/* the order of the language: a timeline by time, others by figure; then by keys */
static int compare_groups(const void *a, const void *b, void *context)
{
    const struct query_run *run = context;
    const struct query *q = run->q;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    struct query_value v, w;
    if (!q->step_us) {
        column_value(run, x, q->n_keys, &v);
        column_value(run, y, q->n_keys, &w);
        int order = query_value_compare(&w, &v);
        if (order)
            return order;
    }
    for (unsigned k = 0; k < q->n_keys; k++) {
        column_value(run, x, k, &v);
        column_value(run, y, k, &w);
        int order = query_value_compare(&v, &w);
        if (order)
            return order;
    }
    return (x > y) - (x < y);
}

static int compare_sorted(const void *a, const void *b, void *context)
{
    const struct query_run *run = context;
    const struct query *q = run->q;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    for (unsigned i = 0; i < q->n_sort; i++) {
        struct query_value v, w;
        column_value(run, x, q->sort[i].column, &v);
        column_value(run, y, q->sort[i].column, &w);
        int order = query_value_compare(&v, &w);
        if (order)
            return q->sort[i].is_descending ? -order : order;
    }
    return compare_groups(a, b, context);
}

/* the @n first of all groups in order; a buffer of twice as many is sorted and cut as often as it fills */
static size_t first_groups(struct query_run *run, uint32_t *groups, size_t room_groups, uint64_t n)
{
    size_t kept = 0;
    for (uint32_t i = 0; i < run->groups.n; i++) {
        groups[kept++] = i;
        if (kept < room_groups)
            continue;
        qsort_r(groups, kept, sizeof(*groups), compare_groups, run);
        kept = kept < n ? kept : (size_t)n;
    }
    qsort_r(groups, kept, sizeof(*groups), compare_groups, run);
    return kept < n ? kept : (size_t)n;
}

int query_group_give(struct query_run *run)
{
    const struct query *q = run->q;
    uint64_t none = 0, wanted = q->top < q->limit_before ? q->top : q->limit_before;
    if (!q->n_keys && !query_table_at(&run->groups, &none)) /* nothing matched: a count of 0 is an answer too */
        return query_over_memory(run);
    size_t n_all = run->groups.n, n_room = wanted < n_all / 2 ? 2 * (size_t)wanted : n_all;
    uint32_t *groups = malloc((n_room + 1) * sizeof(*groups));
    if (!groups)
        return query_over_memory(run);
    size_t n = n_all ? first_groups(run, groups, n_room + 1, wanted) : 0;
    if (q->n_sort)
        qsort_r(groups, n, sizeof(*groups), compare_sorted, run);
    int r = 0;
    for (size_t i = 0; !r && i < n && i < q->limit; i++) {
        struct query_value values[QUERY_COLUMNS];
        for (unsigned c = 0; c < q->n_columns; c++)
            column_value(run, groups[i], q->from[c], &values[c]);
        r = run->sink->row(run->sink->context, values, q->n_columns, (struct text){"", 0});
    }
    free(groups);
    return r;
}
