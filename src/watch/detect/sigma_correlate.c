/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group is one set of group-by values of one correlation. What a correlation may hand up to further correlations (their
 * groups' values, as its last event gave them) travels in the group's evidence, so that an answer given when a window
 * ends still knows whom it concerns.
 */
#include "watch/detect/sigma_correlate.h"

#include "watch/detect/sigma_entity.h"
#include "watch/detect/sigma_group.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct adding {
    struct sigma_correlator *c;
    const struct sigma_evidence *evidence;
    sigma_correlated_fn *fn;
    void *context;
};

/* --- evidence: who, when, and the keys of every correlation above ------------------------------------- */

static void put_text(struct buf *b, struct text t)
{
    uint32_t n = (uint32_t)(t.n < SIGMA_ENTITY_BYTES ? t.n : SIGMA_ENTITY_BYTES);
    buf_add(b, &n, sizeof n);
    buf_add(b, t.p, n);
}

/* put_value - of a key: lower case; a text that is too long as its hash. */
static void put_value(struct buf *b, const char *p, size_t n)
{
    char low[SIGMA_ENTITY_BYTES];
    if (n <= sizeof low) {
        sigma_lower(p, n, low);
        buf_add(b, low, n);
        return;
    }
    XXH128_hash_t h = XXH3_128bits(p, n);
    buf_add(b, low, (size_t)snprintf(low, sizeof low, "#%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64));
}

/* put_fields - values of @n lists, each closed by a zero. Return: whether all are there. */
static bool put_fields(struct sigma_correlator *c, struct sigma_matcher *m, const struct events *e, const uint32_t *lists, uint32_t n,
    uint32_t step)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct event_value *v = sigma_matcher_value(m, lists[i * step]);
        char out[EVENT_VALUE_TEXT_MAX];
        if (!v || v->type == EVENT_NULL)
            return false;
        struct text t = event_value_text(e, v, out);
        if (c->blob.n > SIGMA_EVIDENCE_MAX / 2)
            return false;
        put_value(&c->blob, t.p, t.n);
        buf_add_byte(&c->blob, 0);
    }
    return true;
}

/* number_of - the first value as a number. */
static bool number_of(const struct events *e, const struct event_value *v, double *ret)
{
    char out[EVENT_VALUE_TEXT_MAX], copy[64], *end;
    struct text t = text_trim(event_value_text(e, v, out));
    if (!t.n || t.n >= sizeof copy)
        return false;
    memcpy(copy, t.p, t.n);
    copy[t.n] = 0;
    *ret = strtod(copy, &end);
    return !*end && *ret > -1e300 && *ret < 1e300;
}

/*
 * put_above - what every correlation that counts @rule, and those above it, need of this row: number of the correlation,
 * position, whether there is a group and a value, the value, the key.
 */
static void put_above(struct sigma_correlator *c, struct sigma_matcher *m, const struct events *e, uint32_t rule, unsigned depth)
{
    const struct sigma_crule *r = &c->r->rules[rule];
    for (uint32_t f = 0; f < r->n_feeds && depth < 16 && c->blob.n < SIGMA_EVIDENCE_MAX / 2; f++) {
        const struct sigma_ccorrelation *up = &c->r->correlations[r->feeds[f]];
        uint32_t k = 0;
        while (up->rules[k] != rule)
            k++;
        struct sigma_above a = {.correlation = r->feeds[f], .child = rule};
        size_t at = c->blob.n;
        buf_add(&c->blob, &a, sizeof a);
        a.has_group = put_fields(c, m, e, up->group + k, up->about->n_group, up->n_rules);
        a.n_key = (uint32_t)(c->blob.n - at - sizeof a);
        size_t values = c->blob.n;
        a.has_value = put_fields(c, m, e, up->fields + k, up->about->n_fields, up->n_rules);
        a.value = XXH3_64bits(c->blob.p ? c->blob.p + values : NULL, c->blob.n - values);
        c->blob.n = values;
        const struct event_value *v = up->about->n_fields ? sigma_matcher_value(m, up->fields[k]) : NULL;
        a.is_number = v && number_of(e, v, &a.number);
        if (!c->blob.is_bad && c->blob.p)
            memcpy(c->blob.p + at, &a, sizeof a);
        put_above(c, m, e, up->rule, depth + 1);
    }
}

static const struct sigma_above *find_above(const struct sigma_evidence *e, uint32_t correlation, uint32_t child,
    const uint8_t **ret_key, struct sigma_above *ret)
{
    size_t at = e->above;
    while (at + sizeof *ret <= e->n) {
        memcpy(ret, e->p + at, sizeof *ret);
        *ret_key = e->p + at + sizeof *ret;
        if (ret->correlation == correlation && ret->child == child)
            return ret;
        at += sizeof *ret + ret->n_key;
    }
    return NULL;
}

/* --- answers ----------------------------------------------------------------------------------------- */

static int count_in(struct adding *a, uint32_t rule, int64_t time_us);

static bool holds(const struct sigma_correlation *c, double value, double least)
{
    if (!c->n_compares)
        return value >= least;
    for (uint32_t i = 0; i < c->n_compares; i++) {
        double to = c->compares[i].to;
        bool is_true = false;
        switch (c->compares[i].how) {
        case SIGMA_CMP_GT: is_true = value > to; break;
        case SIGMA_CMP_GTE: is_true = value >= to; break;
        case SIGMA_CMP_LT: is_true = value < to; break;
        case SIGMA_CMP_LTE: is_true = value <= to; break;
        case SIGMA_CMP_EQ: is_true = value >= to && value <= to; break;
        case SIGMA_CMP_NEQ: is_true = value < to || value > to; break;
        }
        if (!is_true)
            return false;
    }
    return true;
}

static struct text take_text(const uint8_t **p)
{
    uint32_t n;
    memcpy(&n, *p, sizeof n);
    struct text t = {(const char *)*p + sizeof n, n};
    *p += sizeof n + n;
    return t;
}

/* answer - the condition holds: said once, muted for a timespan, handed up. */
static int answer(struct adding *a, struct sigma_group *g, double value, int64_t first_us, int64_t time_us)
{
    struct sigma_correlator *c = a->c;
    const struct sigma_ccorrelation *about = &c->r->correlations[g->correlation];
    char group[SIGMA_KEY_BYTES];
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_key && n + 4 < sizeof group; i++) {
        if (g->key[i])
            group[n++] = (char)g->key[i];
        else if (i + 1 < g->n_key) {
            memcpy(group + n, " / ", 3);
            n += 3;
        }
    }
    const struct sigma_evidence evidence = g->evidence;
    const uint8_t *p = evidence.p;
    struct sigma_correlated out = {.rule = about->rule, .first_us = first_us, .time_us = time_us, .tag = evidence.tag, .value = value,
        .group = {group, n}};
    out.host = take_text(&p);
    out.user = take_text(&p);
    g->muted_until_us = time_us + about->about->timespan_us;
    c->counters.answers++;
    int e = 0;
    if (c->r->rules[about->rule].about.is_reported)
        e = a->fn(a->context, &out);
    if (e || !c->r->rules[about->rule].n_feeds || c->depth >= 16)
        return e;
    struct adding up = *a;
    up.evidence = &evidence;
    g->is_pinned = true;
    c->depth++;
    e = count_in(&up, about->rule, time_us);
    c->depth--;
    g->is_pinned = false;
    return e;
}

/* --- counting ---------------------------------------------------------------------------------------- */

static void forget_before(struct sigma_group *g, int64_t from_us)
{
    uint32_t n = 0;
    while (n < g->n && g->entries[n].time_us < from_us)
        n++;
    memmove(g->entries, g->entries + n, (g->n - n) * sizeof *g->entries);
    g->n -= n;
}

/* insert - by time; the oldest goes when there is no room for more. Return: 0 or -ENOMEM. */
static int insert(struct sigma_correlator *c, struct sigma_group *g, int64_t time_us, double number, uint32_t most)
{
    if (g->n >= most) {
        memmove(g->entries, g->entries + 1, (g->n - 1) * sizeof *g->entries);
        g->n--;
    }
    if (sigma_group_room(c, g))
        return -ENOMEM;
    uint32_t at = g->n;
    while (at && g->entries[at - 1].time_us > time_us)
        at--;
    memmove(g->entries + at + 1, g->entries + at, (g->n - at) * sizeof *g->entries);
    g->entries[at] = (struct sigma_entry){.time_us = time_us, .number = number};
    g->n++;
    return 0;
}

/* need - the smallest count that can hold. */
static uint32_t need(const struct sigma_correlation *c)
{
    double most = 1;
    for (uint32_t i = 0; i < c->n_compares; i++) {
        double n = c->compares[i].to + (c->compares[i].how == SIGMA_CMP_GT ? 1 : 0);
        most = n > most ? n : most;
    }
    return most >= SIGMA_GROUP_VALUES ? SIGMA_GROUP_VALUES : (uint32_t)most + 1;
}

/* slide - event_count and value_sum: the best window that holds the new event. */
static int slide(struct adding *a, struct sigma_group *g, const struct sigma_correlation *about, int64_t time_us, double number)
{
    bool is_sum = about->type == SIGMA_VALUE_SUM;
    uint32_t most = is_sum ? SIGMA_GROUP_VALUES : need(about);
    a->c->counters.cut += is_sum && g->n >= most;
    if (insert(a->c, g, time_us, number, most))
        return -ENOMEM;
    int64_t newest = g->entries[g->n - 1].time_us;
    forget_before(g, newest - 2 * about->timespan_us); /* twice: room for events that come late */
    if (time_us < g->muted_until_us)
        return 0;
    double sum = 0;
    uint32_t from = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        sum += is_sum ? g->entries[i].number : 1;
        while (g->entries[i].time_us - g->entries[from].time_us > about->timespan_us)
            sum -= is_sum ? g->entries[from++].number : (from++, 1);
        if (g->entries[i].time_us >= time_us && holds(about, sum, 1))
            return answer(a, g, sum, g->entries[from].time_us, g->entries[i].time_us);
    }
    return 0;
}

/* distinct - value_count: each value with the last time it was seen. */
static int distinct(struct adding *a, struct sigma_group *g, const struct sigma_correlation *about, int64_t time_us, uint64_t value)
{
    uint32_t at = 0, oldest = 0, most = need(about);
    for (; at < g->n && g->entries[at].value != value; at++)
        if (g->entries[at].time_us < g->entries[oldest].time_us)
            oldest = at;
    if (at == g->n && g->n < most) {
        if (sigma_group_room(a->c, g))
            return -ENOMEM;
        g->entries[g->n++] = (struct sigma_entry){.time_us = time_us, .value = value};
    } else if (at == g->n) {
        g->entries[oldest] = (struct sigma_entry){.time_us = time_us, .value = value};
    } else if (g->entries[at].time_us < time_us) {
        g->entries[at].time_us = time_us;
    }
    if (time_us < g->muted_until_us)
        return 0;
    int64_t newest = INT64_MIN, first = INT64_MAX;
    for (uint32_t i = 0; i < g->n; i++)
        newest = g->entries[i].time_us > newest ? g->entries[i].time_us : newest;
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++)
        if (newest - g->entries[i].time_us <= about->timespan_us) {
            first = g->entries[i].time_us < first ? g->entries[i].time_us : first;
            g->entries[n++] = g->entries[i];
        }
    g->n = n;
    return holds(about, n, 1) ? answer(a, g, n, first, newest) : 0;
}

/* temporal - entry k: the last time rule k matched; 0 of number: not yet. */
static int temporal(struct adding *a, struct sigma_group *g, const struct sigma_ccorrelation *c, int64_t time_us, uint32_t rule)
{
    while (g->n < c->n_rules) {
        if (sigma_group_room(a->c, g))
            return -ENOMEM;
        g->entries[g->n++] = (struct sigma_entry){.time_us = INT64_MIN};
    }
    int64_t newest = time_us, first = INT64_MAX;
    for (uint32_t k = 0; k < g->n; k++) {
        if (c->rules[k] == rule && time_us > g->entries[k].time_us)
            g->entries[k].time_us = time_us;
        newest = g->entries[k].time_us > newest ? g->entries[k].time_us : newest;
    }
    uint32_t n = 0;
    for (uint32_t k = 0; k < g->n; k++)
        if (g->entries[k].time_us != INT64_MIN && newest - g->entries[k].time_us <= c->about->timespan_us) {
            n++;
            first = g->entries[k].time_us < first ? g->entries[k].time_us : first;
        }
    if (time_us < g->muted_until_us || !holds(c->about, n, c->n_rules))
        return 0;
    for (uint32_t k = 0; k < g->n; k++)
        g->entries[k].time_us = INT64_MIN;
    return answer(a, g, n, first, newest);
}

/*
 * ordered - entry k: the chain of the first k + 1 rules that began last: `value` its beginning, time_us its end.
 * Later rules first, so that one event is one link.
 */
static int ordered(struct adding *a, struct sigma_group *g, const struct sigma_ccorrelation *c, int64_t time_us, uint32_t rule)
{
    while (g->n < c->n_rules) {
        if (sigma_group_room(a->c, g))
            return -ENOMEM;
        g->entries[g->n++] = (struct sigma_entry){.time_us = INT64_MIN};
    }
    uint32_t longest = 0;
    for (uint32_t k = c->n_rules; k-- > 0;) {
        if (c->rules[k] != rule)
            continue;
        struct sigma_entry *before = k ? &g->entries[k - 1] : NULL, *me = &g->entries[k];
        int64_t begin = before ? (int64_t)before->value : time_us;
        if (before && (before->time_us == INT64_MIN || before->time_us > time_us || time_us - begin > c->about->timespan_us))
            continue;
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there is an entry for each of the rules */
        if (me->time_us == INT64_MIN || (int64_t)me->value <= begin)
            *me = (struct sigma_entry){.time_us = time_us, .value = (uint64_t)begin};
        longest = k + 1 > longest ? k + 1 : longest;
    }
    if (!longest || time_us < g->muted_until_us || !holds(c->about, longest, c->n_rules))
        return 0;
    int64_t begin = (int64_t)g->entries[longest - 1].value;
    for (uint32_t k = 0; k < g->n; k++)
        g->entries[k].time_us = INT64_MIN;
    return answer(a, g, longest, begin, time_us);
}

/* --- windows that are judged at their end ------------------------------------------------------------- */

static int ascending(const void *x, const void *y)
{
    const struct sigma_entry *a = x, *b = y;
    return a->number < b->number ? -1 : a->number > b->number;
}

static double percentile(const struct sigma_correlation *about, struct sigma_group *g)
{
    if (!g->n_numbers) { /* texts: the share of the rarest */
        uint64_t least = UINT64_MAX;
        for (uint32_t i = 0; i < g->n; i++)
            least = g->entries[i].count < least ? g->entries[i].count : least;
        return g->n_events ? 100.0 * (double)least / (double)g->n_events : 0;
    }
    qsort(g->entries, g->n, sizeof *g->entries, ascending);
    double rank = about->percentile / 100 * g->n;
    uint32_t at = (uint32_t)rank;
    if (at < rank)
        at++;
    return g->n ? g->entries[at ? at - 1 : 0].number : 0;
}

static int end_window(struct adding *a, struct sigma_group *g)
{
    const struct sigma_correlation *about = a->c->r->correlations[g->correlation].about;
    double value = 0;
    switch (about->type) {
    case SIGMA_EVENT_COUNT: value = (double)g->n_events; break;
    case SIGMA_VALUE_SUM: value = g->sum; break;
    case SIGMA_VALUE_AVG: value = g->n_events ? g->sum / (double)g->n_events : 0; break;
    case SIGMA_VALUE_PERCENTILE: value = percentile(about, g); break;
    case SIGMA_VALUE_COUNT:
    case SIGMA_TEMPORAL:
    case SIGMA_TEMPORAL_ORDERED: value = g->n; break;
    }
    bool is_true = g->n_events && holds(about, value, 1);
    sigma_group_close(a->c, g);
    int e = is_true ? answer(a, g, value, g->window_us, g->last_us) : 0;
    sigma_group_forget(a->c, g);
    return e;
}

/* end_windows - of every correlation, those that end before @now_us. */
static int end_windows(struct adding *a, int64_t now_us)
{
    for (uint32_t i = 0; i < a->c->r->n_correlations; i++) {
        int64_t span = a->c->r->correlations[i].about->timespan_us;
        struct sigma_group *g;
        while ((g = a->c->open[i].first) && (now_us == INT64_MAX || now_us - g->window_us > span)) {
            int e = end_window(a, g);
            if (e)
                return e;
        }
    }
    return 0;
}

static int gather(struct adding *a, struct sigma_group *g, const struct sigma_ccorrelation *c, const struct sigma_above *above,
    int64_t time_us)
{
    if (!g->is_open)
        sigma_group_open(a->c, g, time_us);
    bool is_numeric = c->about->type == SIGMA_VALUE_PERCENTILE && above->is_number;
    bool is_temporal = c->about->type == SIGMA_TEMPORAL;
    g->n_events++;
    g->sum += above->is_number ? above->number : 0;
    g->last_us = time_us > g->last_us ? time_us : g->last_us;
    if (c->about->type != SIGMA_VALUE_COUNT && c->about->type != SIGMA_VALUE_PERCENTILE && !is_temporal)
        return 0;
    uint64_t value = is_temporal ? above->child : above->value;
    for (uint32_t i = 0; !is_numeric && i < g->n; i++)
        if (g->entries[i].value == value) {
            g->entries[i].count++;
            return 0;
        }
    if (g->n == SIGMA_GROUP_VALUES) {
        a->c->counters.cut++;
        return 0;
    }
    if (sigma_group_room(a->c, g))
        return -ENOMEM;
    g->n_numbers += is_numeric;
    g->entries[g->n++] = (struct sigma_entry){.time_us = time_us, .value = is_numeric ? 0 : value, .number = above->number, .count = 1};
    return 0;
}

/* --- the way of a match ------------------------------------------------------------------------------ */

static bool is_sliding(const struct sigma_correlation *c)
{
    if (c->type == SIGMA_VALUE_AVG || c->type == SIGMA_VALUE_PERCENTILE)
        return false;
    for (uint32_t i = 0; i < c->n_compares; i++)
        if (c->compares[i].how != SIGMA_CMP_GT && c->compares[i].how != SIGMA_CMP_GTE)
            return c->type == SIGMA_TEMPORAL_ORDERED;
    return true;
}

static int count_one(struct adding *a, uint32_t correlation, uint32_t rule, int64_t time_us)
{
    struct sigma_correlator *c = a->c;
    const struct sigma_ccorrelation *about = &c->r->correlations[correlation];
    struct sigma_above above;
    const uint8_t *key;
    if (!find_above(a->evidence, correlation, rule, &key, &above) || !above.has_group) {
        c->counters.without_group++;
        return 0;
    }
    bool needs_number = about->about->type == SIGMA_VALUE_SUM || about->about->type == SIGMA_VALUE_AVG;
    if (about->about->n_fields && (!above.has_value || (needs_number && !above.is_number))) {
        c->counters.without_value++;
        return 0;
    }
    struct sigma_group *g = sigma_group_get(c, correlation, key, above.n_key);
    if (!g)
        return -ENOMEM;
    bool is_late = g->is_open ? time_us < g->window_us - about->about->timespan_us : g->last_us != INT64_MIN &&
        time_us < g->last_us - 2 * about->about->timespan_us;
    if (is_late) {
        c->counters.late++;
        return 0;
    }
    if ((time_us >= g->last_us || !g->evidence.p) && sigma_group_evidence(c, g, a->evidence))
        return -ENOMEM;
    if (!is_sliding(about->about))
        return gather(a, g, about, &above, time_us);
    g->last_us = time_us > g->last_us ? time_us : g->last_us;
    switch (about->about->type) {
    case SIGMA_EVENT_COUNT:
    case SIGMA_VALUE_SUM: return slide(a, g, about->about, time_us, above.number);
    case SIGMA_VALUE_COUNT: return distinct(a, g, about->about, time_us, above.value);
    case SIGMA_TEMPORAL: return temporal(a, g, about, time_us, rule);
    case SIGMA_TEMPORAL_ORDERED: return ordered(a, g, about, time_us, rule);
    case SIGMA_VALUE_AVG:
    case SIGMA_VALUE_PERCENTILE: break;
    }
    return 0;
}

static int count_in(struct adding *a, uint32_t rule, int64_t time_us)
{
    const struct sigma_crule *r = &a->c->r->rules[rule];
    int e = 0;
    for (uint32_t i = 0; i < r->n_feeds && !e; i++)
        e = count_one(a, r->feeds[i], rule, time_us);
    return e;
}

int sigma_correlator_add(struct sigma_correlator *c, struct sigma_matcher *m, const struct events *e, uint32_t row, uint32_t rule,
                         uint64_t tag, sigma_correlated_fn *fn, void *context)
{
    if (!c->r->rules[rule].n_feeds)
        return 0;
    char host[EVENT_VALUE_TEXT_MAX], user[EVENT_VALUE_TEXT_MAX];
    c->counters.events++;
    buf_clear(&c->blob);
    put_text(&c->blob, sigma_entity_host(&c->entities, e, row, host));
    put_text(&c->blob, sigma_entity_user(&c->entities, e, row, user));
    struct sigma_evidence evidence = {.above = (uint32_t)c->blob.n, .tag = tag};
    put_above(c, m, e, rule, 0);
    if (c->blob.is_bad)
        return -ENOMEM;
    evidence.p = c->blob.p;
    evidence.n = (uint32_t)c->blob.n;
    struct adding a = {.c = c, .evidence = &evidence, .fn = fn, .context = context};
    int64_t time_us = e->time_us[row];
    if (time_us > c->now_us)
        c->now_us = time_us;
    int error = end_windows(&a, c->now_us);
    return error ? error : count_in(&a, rule, time_us);
}

int sigma_correlator_flush(struct sigma_correlator *c, sigma_correlated_fn *fn, void *context)
{
    struct adding a = {.c = c, .fn = fn, .context = context};
    /* an answer may open a window of a correlation above: again until nothing is open */
    for (unsigned round = 0; round < 32; round++) {
        int e = end_windows(&a, INT64_MAX);
        if (e)
            return e;
    }
    return 0;
}
