/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/gateways.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_US (3600 * US_PER_SECOND)
enum { RESTARTS_MAX = 1 << 20, WEEK_HOURS = 168, DAY_HOURS = 24 };
/* a silence is a gap when so many messages were to be expected in it: by chance it happens once in 20,000 times (Poisson, e^-10) */
#define EXPECTED_IN_GAP 10.0

/* what is less than this is the way of a message, not an error of a clock */
#define CLOCK_WORTH_US (5 * US_PER_SECOND)

/* one hour of one gateway in one segment, one restart, or one measure of its clock */
enum what { HEARD_HOUR, HEARD_RESTART, HEARD_CLOCK };
struct heard {
    struct text name;
    int64_t us, clock_us;
    uint32_t n;
    enum what what;
};

struct gathering {
    struct heard *all;
    size_t n, room;
};

static int add(struct gathering *g, struct heard h)
{
    if (g->n == g->room) {
        size_t room = g->room ? g->room * 2 : 1024;
        struct heard *more = realloc(g->all, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        g->all = more;
        g->room = room;
    }
    g->all[g->n++] = h;
    return 0;
}

static int compare_texts(struct text a, struct text b)
{
    int r = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return r ? r : a.n < b.n ? -1 : a.n > b.n;
}

static int compare(const void *a, const void *b)
{
    const struct heard *x = a, *y = b;
    int r = compare_texts(x->name, y->name);
    if (r)
        return r;
    if (x->what != y->what)
        return x->what < y->what ? -1 : 1;
    return x->us < y->us ? -1 : x->us > y->us;
}

static int take_restart(void *context, const struct lease_segment *s, const struct lease *l)
{
    struct gathering *g = context;
    if ((l->kind != LEASE_RESTART && l->kind != LEASE_CLOCK) || g->n >= RESTARTS_MAX + LEASE_HOURS_MAX)
        return 0;
    bool is_clock = l->kind == LEASE_CLOCK;
    return add(g, (struct heard){.name = lease_segment_text(s, l->gateway), .us = l->from_us,
                                 .clock_us = is_clock ? lease_clock_us(l) : 0, .what = is_clock ? HEARD_CLOCK : HEARD_RESTART});
}

static int gather(struct gathering *g, const struct lease_view *v)
{
    struct lease_readers *readers = lease_readers_new(v);
    struct ip zero = {{0}};
    int r = readers ? 0 : -ENOMEM;
    for (size_t i = 0; !r && i < lease_view_n_segments(v); i++) {
        const struct lease_segment *s = lease_view_segment(v, i);
        size_t n;
        const struct lease_hour *h = lease_segment_hours(s, &n);
        for (size_t k = 0; !r && k < n; k++)
            r = add(g, (struct heard){.name = lease_segment_text(s, h[k].gateway), .us = h[k].hour * HOUR_US, .n = h[k].n});
    }
    if (!r)
        r = lease_view_visit(v, readers, &zero, -1, INT64_MIN, INT64_MAX, take_restart, g);
    lease_readers_free(readers);
    return r;
}

/* add_clock - of several measures of an hour the least counts: what was held up longer says less. */
static void add_clock(struct gateways *g, struct lease_gateway *out, struct lease_clock *clocks, uint32_t hour, int64_t us)
{
    struct lease_clock *last = out->n_clocks ? &clocks[out->n_clocks - 1] : NULL;
    int64_t size_us = us < 0 ? -us : us;
    if (size_us > g->most_clock_us)
        g->most_clock_us = size_us;
    if (!last || last->hour != hour)
        clocks[out->n_clocks++] = (struct lease_clock){hour, us};
    else if (us < last->us)
        last->us = us;
}

/* one_gateway - those of all[from..end), which bear one name; the same hour of several segments becomes one. */
static int one_gateway(struct gateways *g, const struct heard *all, size_t n)
{
    uint32_t *hours = arena_alloc(&g->arena, n * sizeof(*hours)), *counts = arena_alloc(&g->arena, n * sizeof(*counts));
    int64_t *restarts = arena_alloc(&g->arena, n * sizeof(*restarts));
    struct lease_clock *clocks = arena_alloc(&g->arena, n * sizeof(*clocks));
    if (!hours || !counts || !restarts || !clocks)
        return -ENOMEM;
    struct lease_gateway *out = &g->all[g->n++];
    *out = (struct lease_gateway){.name = all->name, .hours = hours, .counts = counts, .restarts_us = restarts, .clocks = clocks};
    for (size_t i = 0; i < n; i++) {
        uint32_t hour = (uint32_t)(all[i].us / HOUR_US), k = out->n_hours;
        if (all[i].what == HEARD_CLOCK) {
            add_clock(g, out, clocks, hour, all[i].clock_us);
        } else if (all[i].what == HEARD_RESTART) {
            if (!out->n_restarts || restarts[out->n_restarts - 1] != all[i].us)
                restarts[out->n_restarts++] = all[i].us;
        } else if (k && hours[k - 1] == hour) {
            counts[k - 1] += all[i].n;
        } else {
            hours[k] = hour;
            counts[k] = all[i].n;
            out->n_hours++;
        }
    }
    return 0;
}

int gateways_init(struct gateways *g, const struct lease_view *v)
{
    struct gathering x = {0};
    *g = (struct gateways){.arena.max_bytes = (size_t)1 << 30};
    int r = gather(&x, v);
    if (!r && x.n) {
        qsort(x.all, x.n, sizeof(*x.all), compare);
        size_t n = 1;
        for (size_t i = 1; i < x.n; i++)
            n += !text_equal(x.all[i - 1].name, x.all[i].name);
        g->all = calloc(n, sizeof(*g->all));
        r = g->all ? 0 : -ENOMEM;
    }
    for (size_t i = 0, end; !r && i < x.n; i = end) {
        for (end = i + 1; end < x.n && text_equal(x.all[i].name, x.all[end].name); end++)
            ;
        r = one_gateway(g, x.all + i, end - i);
    }
    free(x.all);
    if (r)
        gateways_fini(g);
    return r;
}

void gateways_fini(struct gateways *g)
{
    free(g->all);
    arena_fini(&g->arena);
    *g = (struct gateways){0};
}

const struct lease_gateway *gateways_find(const struct gateways *g, struct text name)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_texts(g->all[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->n && text_equal(g->all[low].name, name) ? &g->all[low] : NULL;
}

/* hours_from - the first hour not before @hour. */
static uint32_t hours_from(const struct lease_gateway *g, uint32_t hour)
{
    uint32_t low = 0, high = g->n_hours;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (g->hours[middle] < hour)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* mean_per_hour - over a week on both sides of @hour, as far as the gateway was known by then. */
static double mean_per_hour(const struct lease_gateway *g, uint32_t hour)
{
    uint32_t first = hour > WEEK_HOURS ? hour - WEEK_HOURS : 0, last = hour + WEEK_HOURS;
    first = first < g->hours[0] ? g->hours[0] : first;
    last = last > g->hours[g->n_hours - 1] ? g->hours[g->n_hours - 1] : last;
    double sum = 0;
    for (uint32_t i = hours_from(g, first); i < g->n_hours && g->hours[i] <= last; i++)
        sum += g->counts[i];
    return last < first ? 0 : sum / (last - first + 1);
}

bool gateway_has_gap(const struct lease_gateway *g, int64_t since_us, int64_t until_us)
{
    if (!g->n_hours || until_us < 0)
        return false;
    uint32_t first = since_us < 0 ? 0 : (uint32_t)(since_us / HOUR_US), last = (uint32_t)(until_us / HOUR_US);
    for (uint32_t i = hours_from(g, first); i < g->n_hours && i; i++) {
        uint32_t before = g->hours[i - 1], silent = g->hours[i] - before - 1;
        if (before >= last)
            return false;
        if (silent && g->hours[i] > first && silent * mean_per_hour(g, before) >= EXPECTED_IN_GAP)
            return true;
    }
    return false; /* before or after all that was heard: no gap, but no records */
}

int64_t gateway_restart(const struct lease_gateway *g, int64_t after_us, int64_t until_us)
{
    for (uint32_t i = 0; i < g->n_restarts; i++)
        if (g->restarts_us[i] > after_us)
            return g->restarts_us[i] <= until_us ? g->restarts_us[i] : LEASE_UNKNOWN;
    return LEASE_UNKNOWN;
}

int64_t gateway_clock(const struct lease_gateway *g, int64_t at_us)
{
    int64_t hour = at_us < 0 ? 0 : at_us / HOUR_US, nearest = DAY_HOURS + 1, us = 0;
    for (uint32_t i = 0; i < g->n_clocks; i++) {
        int64_t away = g->clocks[i].hour > hour ? g->clocks[i].hour - hour : hour - g->clocks[i].hour;
        if (away >= nearest)
            continue;
        nearest = away;
        us = g->clocks[i].us;
    }
    return us <= -CLOCK_WORTH_US || us >= CLOCK_WORTH_US ? us : 0;
}
