/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data leaving: an own machine that asked and gave far more than it got, to one remote machine few others know, and more
 * than it usually gives. Counted per pair and window of findings; the machine's usual is its greatest earlier window.
 */
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>

enum { PAIRS = 32768, MACHINES = 32768, REMOTES = 65536, KNOWN_OWN = 16 };
#define HORIZON_US ((int64_t)2 * 86400 * 1000000)

struct pair_volume {
    struct table_entry head; /* weight: bytes out */
    struct ip own, peer;
    uint16_t port;
    bool is_new; /* it went on since it was told */
    uint64_t own_hash;
    double own_machines; /* how many know the remote one */
    int64_t day_us, first_us, last_us;
    uint64_t out, back, n;
    double told;
    struct series series;
};

struct machine_volume {
    struct table_entry head;
    int64_t day_us, since_us;
    double out, usual; /* of this window; decaying greatest of earlier ones */
};

struct remote {
    struct table_entry head;
    uint32_t n;
    uint32_t own[KNOWN_OWN];
};

struct volumes {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table pairs, machines, remotes;
    struct tell_news news;
};

static void destroy(void *detector)
{
    struct volumes *s = detector;
    table_fini(&s->pairs);
    table_fini(&s->machines);
    table_fini(&s->remotes);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct volumes *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    if (!table_make(&s->pairs, PAIRS, sizeof(struct pair_volume), HORIZON_US) &&
        !table_make(&s->machines, MACHINES, sizeof(struct machine_volume), 15 * HORIZON_US) &&
        !table_make(&s->remotes, REMOTES, sizeof(struct remote), 4 * HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

static uint32_t prevalence(struct volumes *s, const struct behaviour_row *x)
{
    bool is_new;
    struct remote *r = table_take(&s->remotes, x->to_hash, x->end_us, &is_new);
    r->head.last_us = x->end_us;
    uint32_t value = (uint32_t)x->from_hash, i = 0;
    while (i < r->n && r->own[i] != value)
        i++;
    if (i == r->n && r->n < KNOWN_OWN)
        r->own[r->n++] = value;
    r->head.weight = r->n;
    return r->n;
}

static struct machine_volume *machine(struct volumes *s, const struct behaviour_row *x, int64_t day_us)
{
    bool is_new;
    struct machine_volume *m = table_take(&s->machines, x->from_hash, x->end_us, &is_new);
    if (is_new) {
        m->day_us = day_us;
        m->since_us = x->end_us;
    }
    if (day_us > m->day_us) {
        m->usual = m->out > m->usual * 0.9 ? m->out : m->usual * 0.9; /* what was long ago counts less */
        m->day_us = day_us;
        m->out = 0;
    }
    m->head.last_us = x->end_us;
    return m;
}

static int say(struct volumes *s, struct pair_volume *e, const struct machine_volume *m)
{
    const double *v = s->base->settings->v;
    double out = (double)e->out, known_s = m ? (double)(e->last_us - m->since_us) / 1e6 : NAN;
    bool has_usual = m && m->usual > 0;
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    e->told = out;
    e->is_new = false;
    tell_begin(&a, s->base, BEHAVIOUR_EXFILTRATION, e->first_us, e->last_us, e->n);
    a.own = e->own;
    a.peer = e->peer;
    a.peer_port = e->port;
    a.severity = has_usual && e->own_machines <= 2 ? 3 : 2;
    a.confidence_pct = (uint32_t)fmin(85, 30 + 10 * log2(fmax(1, out / v[BEHAVIOUR_SET_EXFILTRATION_BYTES])) +
                                              (e->own_machines <= 2 ? 15 : 0) + (has_usual ? 15 : 0));
    behaviour_put_number(&a, "out_bytes", out, v[BEHAVIOUR_SET_EXFILTRATION_BYTES]);
    behaviour_put_number(&a, "back_bytes", (double)e->back, NAN);
    behaviour_put_number(&a, "ratio", out / fmax(1, (double)e->back), v[BEHAVIOUR_SET_EXFILTRATION_RATIO]);
    behaviour_put_number(&a, "usual_out_bytes", has_usual ? m->usual : NAN, NAN);
    behaviour_put_number(&a, "times_usual", has_usual ? out / m->usual : NAN, v[BEHAVIOUR_SET_EXFILTRATION_FACTOR]);
    behaviour_put_number(&a, "usual_known_s", known_s, NAN);
    behaviour_put_number(&a, "machines", e->own_machines, v[BEHAVIOUR_SET_EXFILTRATION_PREVALENCE]);
    tell_series(&a, &e->series, "bytes");
    tell_query(&a, query, &e->own, &e->peer, 0, 0);
    return tell(s->base, &s->counters, &a);
}

static int judge(struct volumes *s, struct pair_volume *e, const struct machine_volume *m)
{
    const double *v = s->base->settings->v;
    double out = (double)e->out, ratio = out / fmax(1, (double)e->back);
    if (out < v[BEHAVIOUR_SET_EXFILTRATION_BYTES] || !tell_is_more(out, e->told) || ratio < v[BEHAVIOUR_SET_EXFILTRATION_RATIO])
        return 0;
    if (e->own_machines > v[BEHAVIOUR_SET_EXFILTRATION_PREVALENCE] ||
        (m->usual > 0 && out < v[BEHAVIOUR_SET_EXFILTRATION_FACTOR] * m->usual))
        return 0;
    return say(s, e, m);
}

static int look(struct volumes *s, const struct behaviour_row *x)
{
    bool is_new;
    int64_t day_us = behaviour_window(s->base, x->end_us);
    uint64_t key = sketch_mix(x->from_hash, x->to_hash);
    struct pair_volume *e = x->marks & ROW_REPLY ? table_find(&s->pairs, key) : table_take(&s->pairs, key, x->end_us, &is_new);
    if (!e)
        return 0;
    if (day_us > e->day_us) {
        *e = (struct pair_volume){.head = e->head, .own = x->from, .own_hash = x->from_hash, .peer = x->to, .port = x->to_port,
                                  .day_us = day_us, .first_us = x->start_us};
        e->head.weight = 0;
    }
    e->first_us = x->start_us < e->first_us ? x->start_us : e->first_us;
    e->last_us = x->end_us > e->last_us ? x->end_us : e->last_us;
    e->head.last_us = e->last_us;
    e->back += x->back_bytes;
    if (x->marks & ROW_REPLY)
        return 0;
    struct machine_volume *m = machine(s, x, day_us);
    m->out += (double)x->out_bytes;
    m->head.weight = (uint64_t)fmin(m->out, 1e18);
    e->out += x->out_bytes;
    e->n++;
    e->head.weight = e->out;
    series_add(&e->series, x->end_us, (double)x->out_bytes, 1000000);
    e->own_machines = prevalence(s, x);
    tell_news_add(&s->news, e->told > 0, &e->is_new);
    return judge(s, e, m);
}

static int row(void *detector, const struct behaviour_row *x)
{
    struct volumes *s = detector;
    return tell_is_outgoing(x) && tell_is_on(s->base, BEHAVIOUR_SET_EXFILTRATION_ENABLED) ? look(s, x) : TELL_NOT_MINE;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct volumes *s = detector;
    (void)own;
    return tell_rows(&s->counters, b, rows, row, s);
}

static int tell_pair(void *detector, void *entry)
{
    struct volumes *s = detector;
    struct pair_volume *e = entry;
    return e->is_new ? say(s, e, table_find(&s->machines, e->own_hash)) : 0;
}

static int flush(void *detector, int64_t at_us)
{
    struct volumes *s = detector;
    return tell_news_due(&s->news, at_us) ? tell_entries(&s->pairs, tell_pair, s) : 0;
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct volumes *s = detector;
    *ret = s->counters;
    ret->evicted = s->pairs.evicted + s->machines.evicted + s->remotes.evicted;
}

extern const struct behaviour_detector behaviour_volume_detector;
const struct behaviour_detector behaviour_volume_detector = {
    .name = "volume", .create = create, .destroy = destroy, .flows = flows, .flush = flush, .count = count,
};
