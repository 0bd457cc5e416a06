/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beacons: own machines that come back to one service of one remote machine in a rhythm, and connections that never end.
 * A pair first counts in a small table; who comes back often enough gets an entry that keeps the last BEATS beats. Pieces
 * of one connection (exporters cut long ones every few minutes, which looks like the best of beacons) are put together.
 */
#include "watch/detect/behaviour_rhythm.h"
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>
#include <string.h>

enum {
    CANDIDATES = 1 << 19, ENTRIES = 16384, REMOTES = 65536, MACHINES = 16384, BEATS = RHYTHM_MAX, PROMOTE = 3, KNOWN_OWN = 16,
    UDP = 17, TCP = 6, DNS = 53, NTP = 123, NTP_BYTES = 100, MANY = 3,
};
#define HORIZON_US ((int64_t)86400 * 1000000)
#define GAP_US ((int64_t)2 * 1000000)         /* between pieces of one connection */
#define GAP_SYN_US ((int64_t)30 * 1000000)
#define GAP_TCP_US ((int64_t)120 * 1000000)   /* if it went on without a SYN */

struct candidate {
    struct table_entry head; /* weight: connections */
    int64_t first_us;
};

struct beacon {
    struct table_entry head;
    struct ip from, to;
    uint16_t port, last_port;
    uint8_t protocol;
    bool is_private;
    int64_t first_us, last_us, last_end_us, open_us; /* open_us: start of the connection that goes on */
    int64_t longest_us, tried_us;                    /* tried_us: when the score was last worked out */
    uint64_t n, n_failed, out_bytes, back_bytes;
    uint32_t n_kept, n_tried;  /* n_tried: connections then */
    double told_score, told_n, told_long_s;
    int64_t at_us[BEATS];
    float bytes[BEATS];
    struct series series;
};

/* how many own machines know this remote one */
struct remote {
    struct table_entry head;
    uint32_t n;
    uint32_t own[KNOWN_OWN];
};

struct machine {
    struct table_entry head;
    uint32_t n;
    uint32_t beacons[KNOWN_OWN]; /* hashes of remote machines it comes back to in a rhythm */
};

struct beacons {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table candidates, entries, remotes, machines;
};

static void destroy(void *detector)
{
    struct beacons *s = detector;
    table_fini(&s->candidates);
    table_fini(&s->entries);
    table_fini(&s->remotes);
    table_fini(&s->machines);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct beacons *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    if (!table_make(&s->candidates, CANDIDATES, sizeof(struct candidate), HORIZON_US) &&
        !table_make(&s->entries, ENTRIES, sizeof(struct beacon), HORIZON_US) &&
        !table_make(&s->remotes, REMOTES, sizeof(struct remote), 7 * HORIZON_US) &&
        !table_make(&s->machines, MACHINES, sizeof(struct machine), HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

/* add_known - @value into @known of up to KNOWN_OWN. */
static void add_known(uint32_t *known, uint32_t *n, uint32_t value)
{
    for (uint32_t i = 0; i < *n; i++)
        if (known[i] == value)
            return;
    if (*n < KNOWN_OWN)
        known[(*n)++] = value;
}

static uint32_t prevalence(struct beacons *s, const struct behaviour_row *x)
{
    bool is_new;
    struct remote *r = table_take(&s->remotes, x->to_hash, x->start_us, &is_new);
    r->head.last_us = x->start_us;
    add_known(r->own, &r->n, (uint32_t)x->from_hash);
    r->head.weight = r->n;
    return r->n;
}

/* is_clock - NTP polls in a rhythm by design (RFC 5905, 7.3: 48 bytes, with a MAC 68). */
static bool is_clock(const struct behaviour_row *x)
{
    return x->protocol == UDP && x->to_port == NTP && x->out_packets && x->out_bytes / x->out_packets <= NTP_BYTES;
}

static bool concerns(const struct behaviour_row *x)
{
    bool is_out = (x->marks & (ROW_FROM_OWN | ROW_TO_OWN)) == ROW_FROM_OWN && !(x->marks & ROW_GROUP);
    return is_out && !(x->protocol == UDP && x->to_port == DNS) && !is_clock(x) && (x->protocol == TCP || x->protocol == UDP);
}

/* goes_on - is the row a later piece of the entry's connection? */
static bool goes_on(const struct beacon *e, const struct behaviour_row *x)
{
    if (x->from_port != e->last_port)
        return false;
    int64_t gap_us = x->start_us - e->last_end_us;
    if (x->protocol == TCP && x->marks & ROW_FAILED) /* a SYN said again, each time twice as late (RFC 6298) */
        return gap_us <= GAP_SYN_US;
    return gap_us <= GAP_US || (x->marks & ROW_PIECE && gap_us <= GAP_TCP_US);
}

static void put_score(struct behaviour_alarm *a, const struct beacon *e, const struct rhythm *r, const double *v)
{
    behaviour_put_number(a, "score_pct", r->score * 100, v[BEHAVIOUR_SET_BEACON_SCORE]);
    behaviour_put_number(a, "interval_s", r->interval_s, NAN);
    behaviour_put_number(a, "interval_mad_s", r->interval_mad_s, NAN);
    behaviour_put_number(a, "interval_skew", r->interval_skew, NAN);
    behaviour_put_number(a, "size_bytes", r->size_bytes, NAN);
    behaviour_put_number(a, "size_mad_bytes", r->size_mad_bytes, NAN);
    behaviour_put_number(a, "evenness_pct", r->evenness * 100, NAN);
    behaviour_put_number(a, "missed_pct", r->folded_pct, NAN);
    behaviour_put_number(a, "beats", r->n, v[BEHAVIOUR_SET_BEACON_CONNECTIONS]);
    behaviour_put_number(a, "span_s", (double)(e->last_us - e->first_us) / 1e6, v[BEHAVIOUR_SET_BEACON_SPAN_S]);
}

static void begin_alarm(struct beacons *s, struct behaviour_alarm *a, const struct beacon *e, char query[TELL_QUERY_BYTES], double own)
{
    const double *v = s->base->settings->v;
    tell_begin(a, s->base, BEHAVIOUR_BEACON, e->first_us, e->last_us, e->n);
    a->window_us = behaviour_window(s->base, e->last_us); /* a beacon of many days is a finding of each */
    a->own = e->from;
    a->peer = e->to;
    a->peer_port = e->port;
    tell_query(a, query, &e->from, &e->to, e->port, e->protocol);
    tell_series(a, &e->series, "connections");
    behaviour_put_number(a, "machines", own, v[BEHAVIOUR_SET_BEACON_PREVALENCE]);
    behaviour_put_number(a, "failed_pct", tell_share_pct((double)e->n_failed, (double)e->n), NAN);
    behaviour_put_number(a, "out_bytes", (double)e->out_bytes, NAN);
    behaviour_put_number(a, "back_bytes", (double)e->back_bytes, NAN);
}

/* is_odd - most attempts fail (who waits for a master that is gone), or the service is none that keeps in touch by habit. */
static bool is_odd(const struct beacon *e)
{
    static const uint16_t habits[] = {80, 123, 143, 443, 465, 587, 853, 993, 995, 1883, 3478, 5222, 5223, 5228, 8080, 8443, 8883};
    for (size_t i = 0; i < sizeof(habits) / sizeof(*habits); i++)
        if (e->port == habits[i])
            return e->n_failed * 2 > e->n;
    return true;
}

static int say_rhythm(struct beacons *s, struct beacon *e, const struct rhythm *r, uint64_t from_hash, uint64_t to_hash, double own)
{
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    bool is_new;
    struct machine *m = table_take(&s->machines, from_hash, e->last_us, &is_new);
    m->head.last_us = e->last_us;
    if (is_odd(e))
        add_known(m->beacons, &m->n, (uint32_t)to_hash);
    m->head.weight = m->n;
    begin_alarm(s, &a, e, query, own);
    put_score(&a, e, r, s->base->settings->v);
    behaviour_put_number(&a, "odd_beacons_of_machine", m->n, NAN);
    a.confidence_pct = (uint32_t)fmin(95, 100 * r->score * (own <= 2 ? 1 : 0.85));
    a.severity = 1u + is_odd(e) + (is_odd(e) && m->n >= MANY);
    return tell(s->base, &s->counters, &a);
}

static int judge_rhythm(struct beacons *s, struct beacon *e, const struct behaviour_row *x, double own)
{
    const double *v = s->base->settings->v;
    double at[BEATS], bytes[BEATS];
    struct rhythm r;
    if (e->n_kept < v[BEHAVIOUR_SET_BEACON_CONNECTIONS] && e->n_kept < BEATS)
        return 0;
    if ((double)(e->last_us - e->first_us) < v[BEHAVIOUR_SET_BEACON_SPAN_S] * 1e6 || own > v[BEHAVIOUR_SET_BEACON_PREVALENCE])
        return 0;
    if (e->n < e->n_tried + e->n_tried / 8 + 1) /* the work stays in proportion to the news */
        return 0;
    e->n_tried = (uint32_t)e->n;
    for (uint32_t i = 0; i < e->n_kept; i++) {
        at[i] = (double)(e->at_us[i] - e->first_us) / 1e6;
        bytes[i] = (double)e->bytes[i];
    }
    if (rhythm_of(at, bytes, e->n_kept, &r) || r.n < v[BEHAVIOUR_SET_BEACON_CONNECTIONS] || r.score * 100 < v[BEHAVIOUR_SET_BEACON_SCORE])
        return 0;
    if (!tell_is_more((double)e->n, e->told_n) && behaviour_window(s->base, e->tried_us) == behaviour_window(s->base, x->start_us))
        return 0;
    e->tried_us = x->start_us;
    e->told_n = (double)e->n;
    return say_rhythm(s, e, &r, x->from_hash, x->to_hash, own);
}

static int judge_long(struct beacons *s, struct beacon *e, double own)
{
    const double limit_s = s->base->settings->v[BEHAVIOUR_SET_BEACON_LONG_S];
    double long_s = (double)e->longest_us / 1e6;
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    if (long_s < limit_s || !tell_is_more(long_s, e->told_long_s) || own > s->base->settings->v[BEHAVIOUR_SET_BEACON_PREVALENCE])
        return 0;
    e->told_long_s = long_s;
    begin_alarm(s, &a, e, query, own);
    a.name = TEXT("long_connection");
    a.confidence_pct = own <= 2 ? 50 : 35;
    behaviour_put_number(&a, "longest_s", long_s, limit_s);
    return tell(s->base, &s->counters, &a);
}

/* beat - one more connection of an entry, or one more piece of its last. */
static int beat(struct beacons *s, struct beacon *e, const struct behaviour_row *x, double own)
{
    bool is_piece = e->n && goes_on(e, x);
    e->out_bytes += x->out_bytes;
    e->back_bytes += x->back_bytes;
    e->head.last_us = x->end_us;
    if (!is_piece) {
        uint32_t slot = (uint32_t)(e->n % BEATS);
        e->at_us[slot] = x->start_us;
        e->bytes[slot] = (float)x->out_bytes;
        e->n_kept = e->n_kept < BEATS ? e->n_kept + 1 : BEATS;
        e->n++;
        e->n_failed += (x->marks & ROW_FAILED) != 0;
        e->head.weight = e->n;
        e->open_us = x->start_us;
        e->last_port = x->from_port;
        series_add(&e->series, x->start_us, 1, 1000000);
    }
    e->last_end_us = is_piece && e->last_end_us > x->end_us ? e->last_end_us : x->end_us;
    e->first_us = x->start_us < e->first_us ? x->start_us : e->first_us;
    e->last_us = x->end_us > e->last_us ? x->end_us : e->last_us;
    if (x->end_us - e->open_us > e->longest_us)
        e->longest_us = x->end_us - e->open_us;
    int r = judge_long(s, e, own);
    return r || is_piece ? r : judge_rhythm(s, e, x, own);
}

static int look(struct beacons *s, const struct behaviour_row *x)
{
    uint64_t key = sketch_mix(sketch_mix(x->from_hash, x->to_hash), (uint64_t)x->to_port << 8 | x->protocol);
    struct beacon *e = table_find(&s->entries, key);
    bool is_new;
    if (x->marks & ROW_REPLY) {
        if (e)
            e->back_bytes += x->back_bytes;
        return 0;
    }
    double own = prevalence(s, x);
    if (e)
        return beat(s, e, x, own);
    struct candidate *c = table_take(&s->candidates, key, x->start_us, &is_new);
    if (is_new)
        c->first_us = x->start_us;
    c->head.last_us = x->end_us;
    c->head.weight++;
    bool is_long = (double)(x->end_us - x->start_us) >= s->base->settings->v[BEHAVIOUR_SET_BEACON_LONG_S] * 1e6;
    if (c->head.weight < PROMOTE && !is_long && x->end_us - x->start_us < 60 * 1000000)
        return 0;
    table_drop(&s->candidates, c);
    e = table_take(&s->entries, key, x->start_us, &is_new);
    e->from = x->from;
    e->to = x->to;
    e->port = x->to_port;
    e->protocol = x->protocol;
    e->first_us = e->last_us = x->start_us;
    return beat(s, e, x, own);
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct beacons *s = detector;
    return concerns(x) && tell_is_on(s->base, BEHAVIOUR_SET_BEACON_ENABLED) ? look(s, x) : TELL_NOT_MINE;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct beacons *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct beacons *s = detector;
    *ret = s->counters;
    ret->evicted = s->candidates.evicted + s->entries.evicted + s->remotes.evicted + s->machines.evicted;
}

extern const struct behaviour_detector behaviour_beacon_detector;
const struct behaviour_detector behaviour_beacon_detector = {
    .name = "beacon", .create = create, .destroy = destroy, .flows = flows, .count = count,
};
