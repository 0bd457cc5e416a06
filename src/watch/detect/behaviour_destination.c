/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New destinations: remote machines no own machine was seen with before, and which then matter: many connections, or many
 * bytes. One alarm per own machine and window, with how many and which. "Before" is what a pair of Bloom filters remembers
 * (at most twice HALF_LIFE_US); while they have learned for less than learn_s, everything would be new and nothing is said.
 */
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>

enum { FRESH = 65536, MACHINES = 16384 };
#define SEEN_BITS (UINT64_C(1) << 26)                  /* 8 MiB each: 8 million remote machines within a half life */
#define HALF_LIFE_US ((int64_t)30 * 86400 * 1000000)
#define HORIZON_US ((int64_t)86400 * 1000000)

struct fresh {
    struct table_entry head; /* weight: connections */
    struct ip peer;
    uint64_t bytes, packets;
    bool is_told, is_answered;
};

struct machine {
    struct table_entry head;
    struct ip own;
    int64_t day_us, first_us, last_us;
    uint64_t n_new, n_connections;
    double told, bytes;
    struct tell_peers peers;
    struct series series;
};

struct destinations {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct seen seen;
    struct table fresh, machines;
    int64_t since_us; /* when learning began */
    uint64_t n_known; /* destinations learned */
};

static void destroy(void *detector)
{
    struct destinations *s = detector;
    seen_fini(&s->seen);
    table_fini(&s->fresh);
    table_fini(&s->machines);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct destinations *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    s->since_us = INT64_MAX;
    if (!seen_make(&s->seen, SEEN_BITS, HALF_LIFE_US) && !table_make(&s->fresh, FRESH, sizeof(struct fresh), HORIZON_US) &&
        !table_make(&s->machines, MACHINES, sizeof(struct machine), HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

static int say(struct destinations *s, const struct fresh *d, const struct behaviour_row *x)
{
    const double *v = s->base->settings->v;
    bool is_new;
    int64_t day_us = behaviour_window(s->base, x->start_us);
    struct machine *m = table_take(&s->machines, x->from_hash, x->start_us, &is_new);
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    if (is_new || day_us > m->day_us)
        *m = (struct machine){.head = m->head, .own = x->from, .day_us = day_us, .first_us = x->start_us};
    m->head.last_us = m->last_us = x->end_us;
    m->head.weight = ++m->n_new;
    m->n_connections += d->head.weight;
    m->bytes += (double)d->bytes;
    tell_peer(&m->peers, &d->peer);
    series_add(&m->series, x->start_us, 1, 60000000);
    if (!tell_is_more((double)m->n_new, m->told))
        return 0;
    m->told = (double)m->n_new;
    tell_begin(&a, s->base, BEHAVIOUR_NEW_DESTINATION, m->first_us, m->last_us, m->n_connections);
    a.own = m->own;
    a.severity = 0;
    a.confidence_pct = 30;
    behaviour_put_number(&a, "new_destinations", (double)m->n_new, NAN);
    behaviour_put_number(&a, "connections", (double)d->head.weight, v[BEHAVIOUR_SET_NEW_DESTINATION_CONNECTIONS]);
    behaviour_put_number(&a, "bytes", (double)d->bytes, v[BEHAVIOUR_SET_NEW_DESTINATION_BYTES]);
    behaviour_put_number(&a, "known_destinations", (double)s->n_known, NAN);
    behaviour_put_number(&a, "learned_s", (double)(x->start_us - s->since_us) / 1e6, v[BEHAVIOUR_SET_NEW_DESTINATION_LEARN_S]);
    tell_peers(&a, &m->peers);
    tell_series(&a, &m->series, "destinations");
    tell_query(&a, query, &m->own, m->n_new == 1 ? &d->peer : NULL, 0, 0);
    return tell(s->base, &s->counters, &a);
}

static int look(struct destinations *s, const struct behaviour_row *x)
{
    const double *v = s->base->settings->v;
    struct fresh *d = table_find(&s->fresh, x->to_hash);
    bool is_new;
    s->since_us = x->start_us < s->since_us ? x->start_us : s->since_us;
    if (!d && seen_add(&s->seen, x->to_hash, x->start_us))
        return 0;
    if (!d) {
        s->n_known++;
        if ((double)(x->start_us - s->since_us) < v[BEHAVIOUR_SET_NEW_DESTINATION_LEARN_S] * 1e6)
            return 0;
        d = table_take(&s->fresh, x->to_hash, x->start_us, &is_new);
        d->peer = x->to;
    }
    d->head.last_us = x->end_us;
    d->bytes += x->out_bytes + x->back_bytes;
    d->is_answered |= (x->marks & ROW_ANSWERED) != 0;
    d->head.weight += !(x->marks & (ROW_REPLY | ROW_PIECE));
    bool matters = (double)d->head.weight >= v[BEHAVIOUR_SET_NEW_DESTINATION_CONNECTIONS] ||
                   (double)d->bytes >= v[BEHAVIOUR_SET_NEW_DESTINATION_BYTES];
    if (d->is_told || !matters || !d->is_answered) /* who never answers is the scanner's business */
        return 0;
    d->is_told = true;
    return say(s, d, x);
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct destinations *s = detector;
    return tell_is_outgoing(x) && tell_is_on(s->base, BEHAVIOUR_SET_NEW_DESTINATION_ENABLED) ? look(s, x) : TELL_NOT_MINE;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct destinations *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct destinations *s = detector;
    *ret = s->counters;
    ret->evicted = s->fresh.evicted + s->machines.evicted;
}

extern const struct behaviour_detector behaviour_destination_detector;
const struct behaviour_detector behaviour_destination_detector = {
    .name = "destination", .create = create, .destroy = destroy, .flows = flows, .count = count,
};
