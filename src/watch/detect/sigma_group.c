/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sigma_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct sigma_correlator *sigma_correlator_new(const struct sigma_rules *rules, size_t max_bytes)
{
    struct sigma_correlator *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->r = rules;
    c->max_bytes = max_bytes;
    c->blob.max = SIGMA_EVIDENCE_MAX;
    c->now_us = INT64_MIN;
    c->buckets = calloc(SIGMA_BUCKETS, sizeof *c->buckets);
    c->open = calloc(rules->n_correlations + 1, sizeof *c->open);
    sigma_entities_init(&c->entities, rules->names);
    if (!c->buckets || !c->open) {
        sigma_correlator_free(c);
        return NULL;
    }
    return c;
}

static size_t bytes_of(const struct sigma_group *g)
{
    return sizeof *g + g->n_key + g->capacity * sizeof *g->entries + g->evidence.capacity;
}

static struct sigma_group **bucket(struct sigma_correlator *c, uint32_t correlation, const uint8_t *key, uint32_t n_key)
{
    return &c->buckets[XXH3_64bits_withSeed(key, n_key, correlation) % SIGMA_BUCKETS];
}

static void unlink_use(struct sigma_correlator *c, struct sigma_group *g)
{
    *(g->older ? &g->older->newer : &c->oldest) = g->newer;
    *(g->newer ? &g->newer->older : &c->newest) = g->older;
}

static void link_use(struct sigma_correlator *c, struct sigma_group *g)
{
    g->older = c->newest;
    g->newer = NULL;
    *(c->newest ? &c->newest->newer : &c->oldest) = g;
    c->newest = g;
}

void sigma_group_close(struct sigma_correlator *c, struct sigma_group *g)
{
    if (!g->is_open)
        return;
    g->is_open = false;
    *(g->opened_before ? &g->opened_before->opened_after : &c->open[g->correlation].first) = g->opened_after;
    *(g->opened_after ? &g->opened_after->opened_before : &c->open[g->correlation].last) = g->opened_before;
}

void sigma_group_open(struct sigma_correlator *c, struct sigma_group *g, int64_t time_us)
{
    g->is_open = true;
    g->window_us = time_us;
    /* nearly in order: from the end back */
    struct sigma_group *before = c->open[g->correlation].last;
    while (before && before->window_us > time_us)
        before = before->opened_before;
    g->opened_before = before;
    g->opened_after = before ? before->opened_after : c->open[g->correlation].first;
    *(before ? &before->opened_after : &c->open[g->correlation].first) = g;
    *(g->opened_after ? &g->opened_after->opened_before : &c->open[g->correlation].last) = g;
}

void sigma_group_forget(struct sigma_correlator *c, struct sigma_group *g)
{
    sigma_group_close(c, g);
    unlink_use(c, g);
    struct sigma_group **at = bucket(c, g->correlation, g->key, g->n_key);
    while (*at != g)
        at = &(*at)->next;
    *at = g->next;
    c->counters.bytes -= bytes_of(g);
    c->counters.n_groups--;
    free(g->entries);
    free(g->evidence.p);
    free(g);
}

/* make_room - @g and those whose answer is being given (as many as correlations are chained) stay. */
static void make_room(struct sigma_correlator *c, const struct sigma_group *g)
{
    for (struct sigma_group *old = c->oldest, *newer; old && c->counters.bytes > c->max_bytes; old = newer) {
        newer = old->newer;
        if (old == g || old->is_pinned)
            continue;
        sigma_group_forget(c, old);
        c->counters.forgotten++;
    }
}

struct sigma_group *sigma_group_get(struct sigma_correlator *c, uint32_t correlation, const uint8_t *key, uint32_t n_key)
{
    struct sigma_group **at = bucket(c, correlation, key, n_key), *g = *at;
    while (g && (g->correlation != correlation || g->n_key != n_key || memcmp(g->key, key, n_key)))
        g = g->next;
    if (g) {
        unlink_use(c, g);
        link_use(c, g);
        return g;
    }
    g = calloc(1, sizeof *g + n_key);
    if (!g)
        return NULL;
    g->correlation = correlation;
    g->n_key = n_key;
    g->last_us = g->muted_until_us = INT64_MIN;
    memcpy(g->key, key, n_key);
    g->next = *at;
    *at = g;
    link_use(c, g);
    c->counters.bytes += bytes_of(g);
    c->counters.n_groups++;
    make_room(c, g);
    return g;
}

int sigma_group_room(struct sigma_correlator *c, struct sigma_group *g)
{
    if (g->n < g->capacity)
        return 0;
    uint32_t capacity = g->capacity ? 2 * g->capacity : 4;
    struct sigma_entry *more = realloc(g->entries, capacity * sizeof *more);
    if (!more)
        return -ENOMEM;
    c->counters.bytes += (capacity - g->capacity) * sizeof *more;
    g->entries = more;
    g->capacity = capacity;
    make_room(c, g);
    return 0;
}

int sigma_group_evidence(struct sigma_correlator *c, struct sigma_group *g, const struct sigma_evidence *e)
{
    if (e->n > g->evidence.capacity) {
        uint8_t *more = realloc(g->evidence.p, e->n);
        if (!more)
            return -ENOMEM;
        c->counters.bytes += e->n - g->evidence.capacity;
        g->evidence.p = more;
        g->evidence.capacity = e->n;
        make_room(c, g);
    }
    memcpy(g->evidence.p, e->p, e->n);
    g->evidence.n = e->n;
    g->evidence.above = e->above;
    g->evidence.tag = e->tag;
    return 0;
}

void sigma_correlator_free(struct sigma_correlator *c)
{
    if (!c)
        return;
    while (c->oldest)
        sigma_group_forget(c, c->oldest);
    free(c->buckets);
    free(c->open);
    buf_fini(&c->blob);
    free(c);
}

const struct sigma_correlate_counters *sigma_correlator_counters(const struct sigma_correlator *c)
{
    return &c->counters;
}
