/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods. Out: an own machine that pours packets over one other and gets nothing back. In: an own machine over which many
 * pour, or one pours very much. Kinds of flood are told apart, and each is held against a rate and against what the same
 * machine saw before (a mean that follows slowly).
 */
#include "watch/detect/behaviour_tell.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLOODS(X)                                                                             \
    X(SYN, "syn")               /* attempts without an answer, TCP */                         \
    X(UDP, "udp")                                                                             \
    X(ICMP, "icmp")                                                                           \
    X(REFLECTION, "reflection") /* answers of amplifying services nobody asked */             \
    X(CONNECTIONS, "connections") /* answered ones: a crowd, or an attack on the service */    \
    X(OTHER, "other")

enum flood_kind {
#define X(id, name) FLOOD_##id,
    FLOODS(X)
#undef X
    N_FLOODS
};

static const char *const flood_names[N_FLOODS] = {
#define X(id, name) name,
    FLOODS(X)
#undef X
};

enum { VICTIMS = 16384, PAIRS = 32768, TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58, WINDOW_IN_S = 10, HISTORY = 32, CROWD_HISTORY = 360,
    FEW_SOURCES_FACTOR = 10, ONE_SIDED = 10 };
#define TELL_AGAIN_US ((int64_t)10 * 1000000)
#define HORIZON_US ((int64_t)3600 * 1000000)
#define WEIGHT_MAX 1e18 /* of sums that counters of one flow may drive beyond 64 bits */

struct flood {
    struct table_entry head;
    struct ip own, peer; /* peer: of floods out */
    uint16_t port;
    uint8_t kind;
    int64_t window_us;        /* start of the one in hand */
    double packets, bytes, flows, back; /* in it */
    double mean;              /* packets of the windows before */
    uint64_t n_windows;       /* of history, empty ones included */
    struct distinct sources;
    struct tell_peers peers;
    int64_t first_us, last_us, told_day_us; /* of the flood that goes on */
    uint64_t n;               /* flows in windows over the limit, of the day */
    double total_packets, total_bytes, worst, told;
    int64_t told_us;
    struct series series;
};

struct floods {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table in, out;
};

static void destroy(void *detector)
{
    struct floods *s = detector;
    table_fini(&s->in);
    table_fini(&s->out);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct floods *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    if (!table_make(&s->in, VICTIMS, sizeof(struct flood), 24 * HORIZON_US) &&
        !table_make(&s->out, PAIRS, sizeof(struct flood), HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

/* amplifies - UDP services that answer more than they are asked (US-CERT TA14-017A, with memcached of 2018). */
static bool amplifies(uint16_t port)
{
    static const uint16_t ports[] = {17, 19, 53, 69, 111, 123, 137, 161, 389, 427, 520, 1194, 1434, 1900, 3283, 3478, 3702, 5353, 5683,
                                     10001, 11211, 27960, 37810};
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++)
        if (ports[i] == port)
            return true;
    return false;
}

static enum flood_kind kind_of(const struct behaviour_row *x)
{
    if (x->protocol == TCP)
        return tell_is_probe(x) ? FLOOD_SYN : FLOOD_CONNECTIONS;
    if (x->protocol == ICMP || x->protocol == ICMP6)
        return FLOOD_ICMP;
    return x->protocol == UDP ? FLOOD_UDP : FLOOD_OTHER;
}

static void end_window(struct flood *e, int64_t now_us, int64_t length_us, bool was_over)
{
    int64_t passed = (now_us - e->window_us) / length_us;
    if (!was_over) /* a flood does not become what is usual */
        e->mean += (e->packets - e->mean) / (e->n_windows < HISTORY ? (double)(e->n_windows + 1) : HISTORY);
    if (passed > 1)
        e->mean *= pow(1 - 1.0 / HISTORY, (double)(passed - 1));
    e->n_windows += (uint64_t)passed;
    e->window_us += passed * length_us;
    e->packets = e->bytes = e->flows = e->back = 0;
    distinct_clear(&e->sources);
}

static void add(struct flood *e, const struct behaviour_row *x, int64_t length_us, double packets, double bytes)
{
    double share = x->end_us - x->start_us > length_us ? (double)length_us / (double)(x->end_us - x->start_us) : 1;
    e->packets += packets * share;
    e->bytes += bytes * share;
    e->flows++;
    e->head.last_us = x->end_us;
}

/* count_over - the window in hand is over the limit: from here on the flood is counted. */
static void count_over(struct floods *s, struct flood *e, const struct behaviour_row *x, double rate)
{
    int64_t day_us = behaviour_window(s->base, x->end_us);
    if (day_us != e->told_day_us) {
        e->told_day_us = day_us;
        e->first_us = e->last_us = e->window_us > day_us ? e->window_us : day_us;
        e->n = 0;
        e->total_packets = e->total_bytes = e->worst = e->told = 0;
        e->series = (struct series){0};
    }
    if (!e->n) {
        e->n = (uint64_t)fmin(e->flows, WEIGHT_MAX);
        e->total_packets = e->packets;
        e->total_bytes = e->bytes;
        series_add(&e->series, x->end_us, e->packets, 1000000);
    } else {
        e->n++;
        e->total_packets += (double)(x->out_packets + x->back_packets);
        e->total_bytes += (double)(x->out_bytes + x->back_bytes);
        series_add(&e->series, x->end_us, (double)(x->out_packets + x->back_packets), 1000000);
    }
    e->last_us = x->end_us > e->last_us ? x->end_us : e->last_us;
    e->worst = rate > e->worst ? rate : e->worst;
}

static int say(struct floods *s, struct flood *e, bool is_out, double limit, double factor, double flows_limit, double window_s)
{
    const double *v = s->base->settings->v;
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    double sources = distinct_count(&e->sources);
    static const uint8_t protocols[N_FLOODS] = {[FLOOD_SYN] = TCP, [FLOOD_UDP] = UDP, [FLOOD_ICMP] = ICMP, [FLOOD_REFLECTION] = UDP,
                                                [FLOOD_CONNECTIONS] = TCP};
    if (!tell_is_more((double)e->n, e->told) && e->last_us - e->told_us < TELL_AGAIN_US)
        return 0;
    e->told = (double)e->n;
    e->told_us = e->last_us;
    tell_begin(&a, s->base, is_out ? BEHAVIOUR_DDOS_OUT : BEHAVIOUR_DDOS_IN, e->first_us, e->last_us, e->n);
    a.own = e->own;
    a.peer = is_out ? e->peer : (struct ip){{0}};
    a.name = (struct text){flood_names[e->kind], strlen(flood_names[e->kind])};
    a.severity = is_out || sources >= v[BEHAVIOUR_SET_DDOS_IN_SOURCES] ? 3 : 2;
    a.confidence_pct = (uint32_t)fmin(95, 60 + 10 * log2(fmax(1, fmax(e->packets / window_s / limit, e->flows / window_s / flows_limit))) +
                                              (e->n_windows >= HISTORY ? 10 : 0));
    behaviour_put_number(&a, "packets_per_s", e->packets / window_s, limit);
    behaviour_put_number(&a, "flows_per_s", e->flows / window_s, flows_limit);
    behaviour_put_number(&a, "window_s", window_s, NAN);
    behaviour_put_number(&a, "worst_packets_per_s", e->worst, NAN);
    behaviour_put_number(&a, "usual_packets_per_s", e->mean / window_s, NAN);
    behaviour_put_number(&a, "times_usual", e->mean > 0 ? e->packets / e->mean : NAN, factor);
    behaviour_put_number(&a, "usual_known_s", (double)e->n_windows * window_s, NAN);
    behaviour_put_number(&a, "bits_per_s", e->bytes * 8 / window_s, NAN);
    behaviour_put_number(&a, "packets", e->total_packets, NAN);
    behaviour_put_number(&a, "bytes", e->total_bytes, NAN);
    if (!is_out)
        behaviour_put_number(&a, "sources", sources, v[BEHAVIOUR_SET_DDOS_IN_SOURCES]);
    else
        behaviour_put_number(&a, "answered_pct", tell_share_pct(e->back, e->packets), NAN);
    tell_peers(&a, &e->peers);
    tell_series(&a, &e->series, "packets");
    tell_query(&a, query, is_out ? &e->own : NULL, is_out ? &e->peer : &e->own, 0, protocols[e->kind]);
    return tell(s->base, &s->counters, &a);
}

/* --- out --------------------------------------------------------------------------------------------------------- */

static int judge_out(struct floods *s, struct flood *e, const struct behaviour_row *x)
{
    const double *v = s->base->settings->v;
    double window_s = v[BEHAVIOUR_SET_DDOS_OUT_SECONDS], factor = v[BEHAVIOUR_SET_DDOS_OUT_FACTOR];
    double limit = v[e->kind == FLOOD_UDP || e->kind == FLOOD_OTHER ? BEHAVIOUR_SET_DDOS_OUT_STREAM : BEHAVIOUR_SET_DDOS_OUT_PACKETS];
    double flows_limit = v[BEHAVIOUR_SET_DDOS_OUT_FLOWS];
    if (e->packets < limit * window_s && e->flows < flows_limit * window_s)
        return 0;
    bool is_stream = e->kind == FLOOD_UDP || e->kind == FLOOD_OTHER; /* echoes and resets come back from a flood too */
    if (is_stream && e->back * ONE_SIDED > e->packets)
        return 0;
    if (e->packets < factor * e->mean)
        return 0;
    count_over(s, e, x, e->packets / window_s);
    return say(s, e, true, limit, factor, flows_limit, window_s);
}

static int look_out(struct floods *s, const struct behaviour_row *x)
{
    enum flood_kind kind = kind_of(x);
    int64_t length_us = (int64_t)(s->base->settings->v[BEHAVIOUR_SET_DDOS_OUT_SECONDS] * 1e6);
    bool is_reply = x->marks & ROW_REPLY, is_new;
    if (kind == FLOOD_CONNECTIONS && !is_reply)
        return 0;
    if (is_reply && x->protocol == TCP)
        kind = FLOOD_SYN;
    uint64_t key = sketch_mix(sketch_mix(x->from_hash, x->to_hash), kind);
    struct flood *e = is_reply ? table_find(&s->out, key) : table_take(&s->out, key, x->end_us, &is_new);
    if (!e)
        return 0;
    if (is_reply) {
        e->back += (double)x->back_packets;
        return 0;
    }
    if (is_new) {
        e->own = x->from;
        e->peer = x->to;
        e->kind = (uint8_t)kind;
        e->window_us = x->end_us;
    }
    if (x->end_us - e->window_us >= length_us)
        end_window(e, x->end_us, length_us, e->n && e->last_us >= e->window_us);
    add(e, x, length_us, (double)x->out_packets, (double)x->out_bytes);
    e->back += (double)x->back_packets;
    e->head.weight = (uint64_t)fmin(e->packets + e->total_packets, WEIGHT_MAX);
    return judge_out(s, e, x);
}

/* --- in ------------------------------------------------------------------------------------------------------------ */

static int judge_in(struct floods *s, struct flood *e, const struct behaviour_row *x)
{
    const double *v = s->base->settings->v;
    double limit = v[BEHAVIOUR_SET_DDOS_IN_PACKETS], flows_limit = v[BEHAVIOUR_SET_DDOS_IN_FLOWS], factor = v[BEHAVIOUR_SET_DDOS_IN_FACTOR];
    bool is_many = e->packets >= limit * WINDOW_IN_S, is_many_flows = e->flows >= flows_limit * WINDOW_IN_S;
    if ((!is_many && !is_many_flows) || e->packets < factor * e->mean)
        return 0;
    bool is_spread = distinct_count(&e->sources) >= v[BEHAVIOUR_SET_DDOS_IN_SOURCES];
    if (!is_spread && (e->kind == FLOOD_CONNECTIONS || e->packets < FEW_SOURCES_FACTOR * limit * WINDOW_IN_S))
        return 0;
    if (e->kind == FLOOD_CONNECTIONS && (e->n_windows < CROWD_HISTORY || !is_many_flows)) /* only against a known usual */
        return 0;
    count_over(s, e, x, e->packets / WINDOW_IN_S);
    return say(s, e, false, limit, factor, flows_limit, WINDOW_IN_S);
}

static int look_in(struct floods *s, const struct behaviour_row *x)
{
    bool is_answer = x->marks & ROW_REPLY, is_new;
    /* of an answer nobody asked for the victim is who is said to have asked */
    const struct ip *victim = is_answer ? &x->from : &x->to, *source = is_answer ? &x->to : &x->from;
    uint64_t victim_hash = is_answer ? x->from_hash : x->to_hash, source_hash = is_answer ? x->to_hash : x->from_hash;
    enum flood_kind kind = kind_of(x);
    const int64_t length_us = (int64_t)WINDOW_IN_S * 1000000;
    if (x->protocol == UDP && amplifies(is_answer ? x->to_port : x->from_port))
        kind = FLOOD_REFLECTION;
    else if (is_answer)
        return 0;
    if (kind == FLOOD_UDP && x->marks & ROW_ANSWERED)
        return 0;
    struct flood *e = table_take(&s->in, sketch_mix(victim_hash, kind), x->end_us, &is_new);
    if (is_new) {
        e->own = *victim;
        e->kind = (uint8_t)kind;
        e->window_us = x->end_us;
    }
    if (x->end_us - e->window_us >= length_us)
        end_window(e, x->end_us, length_us, e->n && e->last_us >= e->window_us);
    add(e, x, length_us, (double)(is_answer ? x->back_packets : x->out_packets), (double)(is_answer ? x->back_bytes : x->out_bytes));
    e->head.weight = (uint64_t)fmin(e->packets + e->total_packets, WEIGHT_MAX);
    if (distinct_add(&e->sources, source_hash))
        tell_peer(&e->peers, source);
    return judge_in(s, e, x);
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct floods *s = detector;
    bool is_to_us = x->marks & ROW_REPLY ? (x->marks & (ROW_FROM_OWN | ROW_UNASKED)) == (ROW_FROM_OWN | ROW_UNASKED)
                                         : (x->marks & ROW_TO_OWN) != 0;
    bool is_from_us = x->marks & ROW_FROM_OWN && !(x->marks & (ROW_GROUP | ROW_UNASKED));
    if (x->marks & ROW_GROUP || (!is_to_us && !is_from_us))
        return TELL_NOT_MINE;
    int r = is_to_us && tell_is_on(s->base, BEHAVIOUR_SET_DDOS_IN_ENABLED) ? look_in(s, x) : 0;
    return r >= 0 && is_from_us && tell_is_on(s->base, BEHAVIOUR_SET_DDOS_OUT_ENABLED) ? look_out(s, x) : r;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct floods *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct floods *s = detector;
    *ret = s->counters;
    ret->evicted = s->in.evicted + s->out.evicted;
}

extern const struct behaviour_detector behaviour_flood_detector;
const struct behaviour_detector behaviour_flood_detector = {
    .name = "flood", .create = create, .destroy = destroy, .flows = flows, .count = count,
};
