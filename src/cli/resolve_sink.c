/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/resolve_sink.h"

#include "watch/lease/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MORE = 3, ROW_BYTES = 16384 };

int resolve_sink_init(struct resolve_sink *s, const char *data_dir, const struct query_sink *inner, bool may_see_subscribers,
                      struct fault *f)
{
    *s = (struct resolve_sink){.inner = *inner, .may_see_subscribers = may_see_subscribers, .arena.max_bytes = (size_t)64 << 20,
                               .holders.max = ROW_BYTES, .reasons.max = ROW_BYTES, .own = SIZE_MAX, .remote = SIZE_MAX,
                               .first_seen = SIZE_MAX, .last_seen = SIZE_MAX};
    struct lease_fresh fresh;
    int rc = formulas_load(data_dir, &s->formulas, f);
    if (!rc)
        rc = lease_view_open_fresh(data_dir, &s->view, &fresh, f);
    if (rc == LEASE_EMPTY)
        rc = 0;
    if (!rc && (s->view || s->formulas.n) && lease_resolver_new(s->view, &s->formulas, &s->resolver))
        rc = FAULT(f, -ENOMEM, store_no_memory, "leases");
    if (!rc && s->resolver && resolve_rows_init(&s->rows, s->resolver))
        rc = FAULT(f, -ENOMEM, store_no_memory, "leases");
    if (rc)
        resolve_sink_fini(s);
    return rc;
}

void resolve_sink_fini(struct resolve_sink *s)
{
    resolve_rows_fini(&s->rows);
    lease_resolver_free(s->resolver);
    lease_view_close(s->view);
    formulas_fini(&s->formulas);
    arena_fini(&s->arena);
    buf_fini(&s->holders);
    buf_fini(&s->reasons);
    free(s->values);
    *s = (struct resolve_sink){.resolver = NULL};
}

static int begin(void *context, const struct query_column *columns, size_t n)
{
    struct resolve_sink *s = context;
    struct query_column *all = calloc(n + MORE, sizeof(*all));
    s->values = calloc(n + MORE, sizeof(*s->values));
    s->n = n;
    if (!all || !s->values) {
        free(all);
        return -ENOMEM;
    }
    memcpy(all, columns, n * sizeof(*all));
    for (size_t i = 0; i < n; i++) {
        if (text_is(columns[i].name, "own"))
            s->own = i;
        else if (text_is(columns[i].name, "remote"))
            s->remote = i;
        else if (text_is(columns[i].name, "first_seen"))
            s->first_seen = i;
        else if (text_is(columns[i].name, "last_seen"))
            s->last_seen = i;
    }
    all[n] = (struct query_column){TEXT("verdict"), QUERY_TEXT};
    all[n + 1] = (struct query_column){TEXT("holders"), QUERY_TEXT};
    all[n + 2] = (struct query_column){TEXT("reasons"), QUERY_TEXT};
    int rc = s->inner.begin(s->inner.context, all, n + MORE);
    free(all);
    return rc;
}

static void put_holder(struct resolve_sink *s, const struct lease_candidate *c)
{
    char inside[IP_TEXT_MAX];
    struct buf *b = &s->holders;
    size_t from = b->n;
    if (!ip_is_zero(&c->inside))
        buf_add(b, inside, ip_format(&c->inside, inside));
    if (c->subscriber.n) {
        buf_add(b, " ", b->n > from);
        struct text shown = s->may_see_subscribers ? c->subscriber : TEXT("***");
        buf_add(b, shown.p, shown.n);
    }
    if (c->host.n) {
        buf_add(b, " ", b->n > from);
        buf_add(b, c->host.p, c->host.n);
    }
    buf_printf(b, "%s(%s)", b->n > from ? " " : "", lease_confidence_name((enum lease_confidence)c->confidence));
}

static void put_reasons(struct resolve_sink *s, uint32_t why)
{
    for (int i = 0; i < LEASE_N_WHYS; i++) {
        if (!(why >> i & 1))
            continue;
        buf_add(&s->reasons, ";", s->reasons.n > 0);
        buf_add_text(&s->reasons, lease_why_name((enum lease_why_bit)i));
    }
}

/* put_pair - what its rows were answered. Return: the verdict over all of them. */
static enum lease_verdict put_pair(struct resolve_sink *s, const struct resolved_pair *p)
{
    uint32_t n = 0;
    for (uint32_t i = p->first; i && n < RESOLVE_SINK_HOLDERS; i = s->rows.holders[i - 1].next) {
        buf_add(&s->holders, ";", n++ > 0);
        put_holder(s, &s->rows.holders[i - 1].candidate);
    }
    if (p->n > n)
        buf_printf(&s->holders, ";+%u", p->n - n);
    put_reasons(s, p->why);
    return !p->n ? LEASE_NONE : p->n == 1 ? LEASE_ONE : LEASE_SEVERAL;
}

static void put_answer(struct resolve_sink *s, const struct lease_answer *a)
{
    uint32_t why = a->why;
    for (uint32_t i = 0; i < a->n; i++) {
        why |= a->candidates[i].why;
        if (i >= RESOLVE_SINK_HOLDERS)
            continue;
        buf_add(&s->holders, ";", i > 0);
        put_holder(s, &a->candidates[i]);
    }
    if (a->n > RESOLVE_SINK_HOLDERS)
        buf_printf(&s->holders, ";+%u", a->n - RESOLVE_SINK_HOLDERS);
    put_reasons(s, why);
}

static struct query_value text_value(const void *p, size_t n)
{
    return n ? (struct query_value){.kind = QUERY_TEXT, .text = {p, n}} : (struct query_value){.kind = QUERY_ABSENT};
}

/* window_of - a hit's times; none: all time, which nobody can answer for. */
static bool window_of(const struct resolve_sink *s, const struct query_value *v, struct lease_question *q)
{
    if (s->own == SIZE_MAX || s->first_seen == SIZE_MAX || s->last_seen == SIZE_MAX || v[s->own].kind != QUERY_IP ||
        v[s->first_seen].kind != QUERY_TIME || v[s->last_seen].kind != QUERY_TIME)
        return false;
    int64_t first = v[s->first_seen].time_us, last = v[s->last_seen].time_us;
    *q = (struct lease_question){.address = v[s->own].ip, .port = -1, .at_us = first + (last - first) / 2,
                                 .skew_us = (last - first + 1) / 2};
    return true;
}

static const struct resolved_pair *pair_of(const struct resolve_sink *s, const struct query_value *v)
{
    if (s->own == SIZE_MAX || s->remote == SIZE_MAX || v[s->own].kind != QUERY_IP || v[s->remote].kind != QUERY_IP)
        return NULL;
    return resolve_rows_find(&s->rows, &v[s->own].ip, &v[s->remote].ip);
}

static int row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    static const char *const verdicts[] = {[LEASE_NONE] = "none", [LEASE_ONE] = "one", [LEASE_SEVERAL] = "several"};
    struct resolve_sink *s = context;
    struct lease_question q;
    struct lease_answer a;
    memcpy(s->values, values, n * sizeof(*values));
    for (size_t i = 0; i < MORE; i++)
        s->values[n + i] = (struct query_value){.kind = QUERY_ABSENT};
    const struct resolved_pair *pair = pair_of(s, values);
    if (s->resolver && (pair || window_of(s, values, &q))) {
        enum lease_verdict verdict;
        arena_fini(&s->arena);
        buf_clear(&s->holders);
        buf_clear(&s->reasons);
        int rc = pair ? 0 : lease_resolve(s->resolver, &q, &s->arena, &a);
        if (rc)
            return rc;
        if (pair) {
            verdict = put_pair(s, pair);
        } else {
            put_answer(s, &a);
            verdict = a.verdict;
        }
        if (s->holders.is_bad || s->reasons.is_bad)
            return -ENOMEM;
        s->values[n] = text_value(verdicts[verdict], strlen(verdicts[verdict]));
        s->values[n + 1] = text_value(s->holders.p, s->holders.n);
        s->values[n + 2] = text_value(s->reasons.p, s->reasons.n);
    }
    return s->inner.row(s->inner.context, s->values, n + MORE, texts);
}

struct query_sink resolve_sink(struct resolve_sink *s)
{
    return (struct query_sink){.begin = begin, .row = row, .context = s};
}
