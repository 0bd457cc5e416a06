/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scans. A machine that tries many hosts on one port (host scan, horizontal), or many ports of one host (port scan,
 * vertical), and mostly meets nothing: refused, unanswered, or a connection in which nothing is said. Two windows: a short
 * one for the quick, the window of findings for the slow. Entry of the tables: one (who, port) or one (who, host); most
 * have a target or two all day and stay in a small table of glances. A scanner of many ports of many hosts is told host by
 * host ONE_BY_ONE times, then as one.
 */
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRIES = 16384, GLANCES = 1 << 18, GLANCE_TARGETS = 6, SCANNERS = 4096, ONE_BY_ONE = 8,
    TCP = 6, UDP = 17, BARE_PACKET = 64, TRACEROUTE_FIRST = 33434, TRACEROUTE_LAST = 33534,
};

/* one cache line: who tried few targets so far */
struct glance {
    struct table_entry head; /* weight: flows */
    int64_t first_us;
    uint32_t targets[GLANCE_TARGETS];
    uint8_t n, met; /* met: a bit a target */
};

/* who was told to scan ports of hosts, in this window */
struct many {
    struct table_entry head; /* weight: hosts */
    int64_t day_us, first_us, last_us;
    uint64_t n;
    double told;
    struct tell_peers peers;
    struct distinct hosts;
};

struct tries {
    struct distinct tried, met; /* met: who answered and was talked to */
};

struct scan {
    struct table_entry head;
    struct ip from, to; /* to: of a port scan */
    uint16_t port, marks; /* port: of a host scan */
    uint8_t protocol;
    bool is_new;       /* it went on since it was told */
    int64_t short_us, day_us, first_us, last_us;
    struct tries brief, day;
    uint64_t from_hash, to_hash, n, told_n; /* n: flows of this window */
    double told; /* most distinct targets told in this window */
    struct series series;
    struct tell_peers peers;
};

struct scanner {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct tell_news news;
    struct table hosts, ports, host_glances, port_glances, scanners;
};

static void destroy(void *detector)
{
    struct scanner *s = detector;
    table_fini(&s->hosts);
    table_fini(&s->ports);
    table_fini(&s->host_glances);
    table_fini(&s->port_glances);
    table_fini(&s->scanners);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct scanner *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    if (!table_make(&s->hosts, ENTRIES, sizeof(struct scan), base->window_us) &&
        !table_make(&s->ports, ENTRIES, sizeof(struct scan), base->window_us) &&
        !table_make(&s->host_glances, GLANCES, sizeof(struct glance), base->window_us) &&
        !table_make(&s->port_glances, GLANCES, sizeof(struct glance), base->window_us) &&
        !table_make(&s->scanners, SCANNERS, sizeof(struct many), base->window_us))
        return s;
    destroy(s);
    return NULL;
}

static void begin_brief(struct scan *e, int64_t us)
{
    e->short_us = us;
    distinct_clear(&e->brief.tried);
    distinct_clear(&e->brief.met);
}

static void begin_day(struct scan *e, int64_t day_us, int64_t us)
{
    e->day_us = day_us;
    e->first_us = e->last_us = us;
    e->n = e->told_n = 0;
    e->told = 0;
    e->is_new = false;
    e->series = (struct series){0};
    e->peers.n = 0;
    distinct_clear(&e->day.tried);
    distinct_clear(&e->day.met);
    begin_brief(e, us);
}

/* shares_files - UDP ports by habit of eDonkey, Gnutella, BitTorrent: who looks for peers there meets many that are gone. */
static bool shares_files(const struct scan *e)
{
    return e->protocol == UDP && (e->port == 4662 || e->port == 4665 || e->port == 4672 || e->port == 6346 || e->port == 6347 ||
                                  (e->port >= 6881 && e->port <= 6999) || e->port == 51413);
}

/* severity - our machine scans; or it shares files, or it is the Internet's weather */
static uint32_t severity(const struct scan *e)
{
    return e->marks & ROW_FROM_OWN && !shares_files(e) ? 3 : 1;
}

/* one_of_many - Return: the scanner's entry once it is told as one, else NULL. */
static struct many *one_of_many(struct scanner *s, const struct scan *e, uint64_t to_hash)
{
    bool is_new;
    struct many *m = table_take(&s->scanners, sketch_mix(e->from_hash, 0), e->last_us, &is_new);
    if (is_new || m->day_us != e->day_us)
        *m = (struct many){.head = {.key = m->head.key}, .day_us = e->day_us, .first_us = e->first_us};
    m->head.last_us = m->last_us = e->last_us;
    m->n += e->n - e->told_n;
    tell_peer(&m->peers, &e->to);
    distinct_add(&m->hosts, to_hash);
    m->head.weight = (uint64_t)distinct_count(&m->hosts);
    return m->head.weight > ONE_BY_ONE ? m : NULL;
}

/* tell_as_one - the figures are of the last host; the finding is of the scanner. */
static void tell_as_one(struct behaviour_alarm *a, struct many *m, bool is_ours)
{
    m->told = (double)m->head.weight;
    a->first_us = m->first_us;
    a->last_us = m->last_us;
    a->n_events = m->n;
    if (is_ours)
        a->peer = (struct ip){{0}};
    else
        a->own = (struct ip){{0}};
    behaviour_put_number(a, "hosts_scanned", (double)m->head.weight, ONE_BY_ONE);
    tell_peers(a, &m->peers);
}

static double limit_of(const struct scanner *s, const struct scan *e, bool is_host, bool is_slow)
{
    const double *v = s->base->settings->v;
    double limit = is_host ? v[is_slow ? BEHAVIOUR_SET_HOST_SCAN_SLOW_HOSTS : BEHAVIOUR_SET_HOST_SCAN_HOSTS]
                           : v[is_slow ? BEHAVIOUR_SET_PORT_SCAN_SLOW_PORTS : BEHAVIOUR_SET_PORT_SCAN_PORTS];
    return is_host && e->protocol == UDP ? limit * v[BEHAVIOUR_SET_HOST_SCAN_UDP_FACTOR] : limit;
}

static int say(struct scanner *s, struct scan *e, bool is_host, double tried, double failed_pct, bool is_slow)
{
    const double *v = s->base->settings->v;
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    bool is_ours = e->marks & ROW_FROM_OWN;
    double limit = limit_of(s, e, is_host, is_slow);
    struct many *m = is_host ? NULL : one_of_many(s, e, e->to_hash);
    e->told_n = e->n;
    e->is_new = false;
    if (m && !tell_is_more((double)m->head.weight, m->told))
        return 0;
    tell_begin(&a, s->base, is_host ? BEHAVIOUR_HOST_SCAN : BEHAVIOUR_PORT_SCAN, e->first_us, e->last_us, e->n);
    a.own = is_ours ? e->from : is_host ? (struct ip){{0}} : e->to;
    a.peer = !is_ours ? e->from : is_host ? (struct ip){{0}} : e->to;
    a.peer_port = is_host ? e->port : 0;
    const char *name = flow_transport_name(e->protocol);
    a.name = is_host && name ? (struct text){name, strlen(name)} : (struct text){NULL, 0};
    a.severity = severity(e);
    a.confidence_pct = (uint32_t)fmin(99, 60 + 20 * log2(fmax(1, tried / limit)) + (failed_pct > 90 ? 10 : 0));
    if (is_host)
        behaviour_put_number(&a, is_slow ? "hosts" : "hosts_in_window", tried, limit);
    else
        behaviour_put_number(&a, is_slow ? "ports" : "ports_in_window", tried, limit);
    behaviour_put_number(&a, "scan_window_s",
                         is_slow ? (double)s->base->window_us / 1e6
                                 : v[is_host ? BEHAVIOUR_SET_HOST_SCAN_WINDOW_S : BEHAVIOUR_SET_PORT_SCAN_WINDOW_S], NAN);
    behaviour_put_number(&a, "failed_pct", failed_pct, v[BEHAVIOUR_SET_SCAN_FAILED_PCT]);
    behaviour_put_number(&a, is_host ? "hosts_in_all" : "ports_in_all", distinct_count(&e->day.tried), NAN);
    behaviour_put_number(&a, "answered_in_all", distinct_count(&e->day.met), NAN);
    tell_peers(&a, &e->peers);
    tell_series(&a, &e->series, "flows");
    tell_query(&a, query, &e->from, is_host || m ? NULL : &e->to, e->port, is_host ? e->protocol : 0);
    if (m)
        tell_as_one(&a, m, is_ours);
    return tell(s->base, &s->counters, &a);
}

/* judge - tried and met of one window against its limit. */
static int judge(struct scanner *s, struct scan *e, bool is_host, bool is_slow)
{
    const double *v = s->base->settings->v;
    const struct tries *t = is_slow ? &e->day : &e->brief;
    double limit = limit_of(s, e, is_host, is_slow);
    double tried = distinct_count(&t->tried), met = distinct_count(&t->met);
    double failed_pct = tell_share_pct(tried - met, tried);
    if (tried < limit || failed_pct < v[BEHAVIOUR_SET_SCAN_FAILED_PCT] || !tell_is_more(tried, e->told))
        return 0;
    e->told = tried;
    return say(s, e, is_host, tried, failed_pct, is_slow);
}

/* attempt - of a row, towards @target. Return: 0 or <0. */
static int attempt(struct scanner *s, struct scan *e, const struct behaviour_row *x, bool is_host, uint64_t target)
{
    const double *v = s->base->settings->v;
    int64_t day_us = behaviour_window(s->base, x->start_us);
    double brief_s = v[is_host ? BEHAVIOUR_SET_HOST_SCAN_WINDOW_S : BEHAVIOUR_SET_PORT_SCAN_WINDOW_S];
    if (day_us > e->day_us)
        begin_day(e, day_us, x->start_us);
    if (x->start_us - e->short_us > (int64_t)(brief_s * 1e6))
        begin_brief(e, x->start_us);
    bool is_met = !tell_is_probe(x);
    e->first_us = x->start_us < e->first_us ? x->start_us : e->first_us;
    e->last_us = x->end_us > e->last_us ? x->end_us : e->last_us;
    e->head.last_us = e->last_us;
    e->n++;
    series_add(&e->series, x->start_us, 1, 1000000);
    bool is_new = distinct_add(&e->day.tried, target);
    bool is_newly = distinct_add(&e->brief.tried, target);
    if (is_met) {
        distinct_add(&e->day.met, target);
        distinct_add(&e->brief.met, target);
    }
    if (is_host && is_new)
        tell_peer(&e->peers, &x->to);
    e->head.weight += is_new;
    tell_news_add(&s->news, e->told > 0, &e->is_new);
    int r = is_newly ? judge(s, e, is_host, false) : 0;
    return !r && is_new ? judge(s, e, is_host, true) : r;
}

static uint32_t short_of(uint64_t target)
{
    return (uint32_t)(target >> 32 ^ target);
}

/* glance_at - one more flow of one who has few targets. Return: whether they have become too many for a glance. */
static bool glance_at(struct glance *g, uint64_t target, bool is_met, bool is_try)
{
    uint8_t i = 0;
    while (i < g->n && g->targets[i] != short_of(target))
        i++;
    if (i == g->n && (!is_try || g->n == GLANCE_TARGETS))
        return is_try;
    if (i == g->n)
        g->targets[g->n++] = short_of(target);
    if (is_met)
        g->met |= (uint8_t)(1u << i);
    g->head.weight += is_try;
    return false;
}

/* look_closer - a glance becomes an entry. */
static struct scan *look_closer(struct scanner *s, struct table *t, const struct glance *g, const struct behaviour_row *x, bool is_host)
{
    const double *v = s->base->settings->v;
    double brief_s = v[is_host ? BEHAVIOUR_SET_HOST_SCAN_WINDOW_S : BEHAVIOUR_SET_PORT_SCAN_WINDOW_S];
    bool is_new, is_brief = x->start_us - g->first_us <= (int64_t)(brief_s * 1e6);
    struct scan *e = table_take(t, g->head.key, x->start_us, &is_new);
    e->from = x->from;
    e->to = is_host ? (struct ip){{0}} : x->to;
    e->from_hash = x->from_hash;
    e->to_hash = x->to_hash;
    e->port = is_host ? x->to_port : 0;
    e->protocol = x->protocol;
    e->marks = x->marks;
    begin_day(e, behaviour_window(s->base, x->start_us), is_brief ? g->first_us : x->start_us);
    e->n = g->head.weight;
    for (uint8_t i = 0; i < g->n; i++) {
        distinct_add(&e->day.tried, g->targets[i]);
        if (is_brief)
            distinct_add(&e->brief.tried, g->targets[i]);
        if (!(g->met >> i & 1))
            continue;
        distinct_add(&e->day.met, g->targets[i]);
        if (is_brief)
            distinct_add(&e->brief.met, g->targets[i]);
    }
    series_add(&e->series, e->first_us, (double)e->n, 1000000);
    return e;
}

static int look(struct scanner *s, const struct behaviour_row *x, bool is_host)
{
    struct table *t = is_host ? &s->hosts : &s->ports, *glances = is_host ? &s->host_glances : &s->port_glances;
    uint64_t key = sketch_mix(x->from_hash, is_host ? (uint64_t)x->to_port << 8 | x->protocol : x->to_hash ^ x->protocol);
    uint64_t target = short_of(is_host ? x->to_hash : sketch_mix(x->to_port, x->protocol));
    bool is_new, is_reply = x->marks & (ROW_REPLY | ROW_PIECE); /* a later piece: it was answered */
    bool is_said = x->protocol != TCP || x->back_bytes > BARE_PACKET * x->back_packets; /* not a reset */
    bool is_met = x->marks & ROW_PIECE || (is_reply ? is_said : !tell_is_probe(x));
    struct scan *e = table_find(t, key);
    if (is_reply && x->marks & ROW_UNASKED)
        return 0;
    if (e && is_reply && is_met) {
        distinct_add(&e->day.met, target);
        distinct_add(&e->brief.met, target);
    }
    if (e)
        return is_reply ? 0 : attempt(s, e, x, is_host, target);
    struct glance *g = is_reply ? table_find(glances, key) : table_take(glances, key, x->start_us, &is_new);
    if (!g)
        return 0;
    if (!is_reply && (is_new || behaviour_window(s->base, x->start_us) > behaviour_window(s->base, g->first_us)))
        *g = (struct glance){.head = {.key = key}, .first_us = x->start_us};
    g->head.last_us = x->start_us;
    if (!glance_at(g, target, is_met, !is_reply))
        return 0;
    e = look_closer(s, t, g, x, is_host);
    table_drop(glances, g);
    return attempt(s, e, x, is_host, target);
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct scanner *s = detector;
    bool is_trace = x->protocol == UDP && x->to_port >= TRACEROUTE_FIRST && x->to_port <= TRACEROUTE_LAST;
    if (!(x->marks & (ROW_FROM_OWN | ROW_TO_OWN)) || x->marks & (ROW_GROUP | ROW_NOTE))
        return TELL_NOT_MINE;
    int r = tell_is_on(s->base, BEHAVIOUR_SET_HOST_SCAN_ENABLED) ? look(s, x, true) : 0;
    bool is_port = tell_is_on(s->base, BEHAVIOUR_SET_PORT_SCAN_ENABLED) && x->to_port && !is_trace;
    return r >= 0 && is_port ? look(s, x, false) : r;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct scanner *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

/* tell_table - who went on since he was told, as he stands. */
static int tell_table(struct scanner *s, struct table *t, bool is_host)
{
    int r = 0;
    for (uint32_t i = 0; i < table_size(t) && r >= 0; i++) {
        struct scan *e = table_at(t, i);
        if (!e || !e->is_new)
            continue;
        double tried = distinct_count(&e->day.tried), slow = limit_of(s, e, is_host, true);
        r = say(s, e, is_host, fmax(tried, e->told), tell_share_pct(tried - distinct_count(&e->day.met), tried), tried >= slow);
    }
    return r;
}

static int flush(void *detector, int64_t at_us)
{
    struct scanner *s = detector;
    if (!tell_news_due(&s->news, at_us))
        return 0;
    int r = tell_table(s, &s->hosts, true);
    return r < 0 ? r : tell_table(s, &s->ports, false);
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct scanner *s = detector;
    *ret = s->counters;
    ret->evicted = s->hosts.evicted + s->ports.evicted + s->scanners.evicted + s->host_glances.evicted + s->port_glances.evicted;
}

extern const struct behaviour_detector behaviour_scan_detector;
const struct behaviour_detector behaviour_scan_detector = {
    .name = "scan", .create = create, .destroy = destroy, .flows = flows, .flush = flush, .count = count,
};
