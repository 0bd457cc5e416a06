/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machines gone silent: an own machine that sent in nearly every half hour of a day and then sends nothing any more, while
 * the others go on. One bit per half hour: 1 if it sent. When more than half of the steady machines stop together, it is
 * an exporter or a line that stopped: that is not said of each machine.
 */
#include "watch/detect/behaviour_tell.h"

#include <stdlib.h>

enum { MACHINES = 65536, MIN_MACHINES = 3 };
#define HORIZON_US ((int64_t)3 * 86400 * 1000000)

struct machine {
    struct table_entry head; /* weight: flows */
    struct ip own;
    uint64_t sent;   /* bit 0: half hour @bin */
    int64_t bin;
    int64_t first_us;
    bool is_told;
};

struct silents {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table machines;
    int64_t now_us[2]; /* of IPv4, IPv6: each machine is held against its own family's stream */
    int64_t judged_bin[2];
};

static void destroy(void *detector)
{
    struct silents *s = detector;
    table_fini(&s->machines);
    free(s);
}

static void *create(const struct behaviour_base *base)
{
    struct silents *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->base = base;
    s->now_us[0] = s->now_us[1] = INT64_MIN;
    if (!table_make(&s->machines, MACHINES, sizeof(struct machine), HORIZON_US))
        return s;
    destroy(s);
    return NULL;
}

static int64_t bin_us(const struct silents *s)
{
    return (int64_t)(s->base->settings->v[BEHAVIOUR_SET_SILENT_BIN_S] * 1e6);
}

/* at_bin - what it sent, bit 0 being @bin. */
static uint64_t at_bin(const struct machine *m, int64_t bin)
{
    int64_t shift = bin - m->bin;
    return shift <= 0 ? m->sent >> (shift < -63 ? 63 : -shift) : shift < 64 ? m->sent << shift : 0;
}

static void hear(struct silents *s, uint64_t hash, const struct ip *own, int64_t us)
{
    bool is_new;
    int64_t bin = us / bin_us(s);
    struct machine *m = table_take(&s->machines, hash, us, &is_new);
    if (is_new) {
        m->own = *own;
        m->bin = bin;
        m->first_us = us;
    }
    if (bin > m->bin) {
        m->sent = at_bin(m, bin);
        m->bin = bin;
    }
    if (m->bin - bin < 64)
        m->sent |= UINT64_C(1) << (m->bin - bin);
    m->head.last_us = us > m->head.last_us ? us : m->head.last_us;
    m->head.weight++;
    m->is_told = false;
}

/* present_pct - of the bins up to the last in which it sent. */
static double present_pct(const struct silents *s, const struct machine *m)
{
    uint32_t bins = (uint32_t)s->base->settings->v[BEHAVIOUR_SET_SILENT_BINS];
    return tell_share_pct(__builtin_popcountll(m->sent & ((UINT64_C(1) << bins) - 1)), bins);
}

static int say(struct silents *s, struct machine *m, int64_t bin, uint32_t n_steady, uint32_t n_stopped)
{
    int64_t now_us = s->now_us[!ip_is_v4(&m->own)];
    const double *v = s->base->settings->v;
    uint32_t bins = (uint32_t)v[BEHAVIOUR_SET_SILENT_BINS], missed = (uint32_t)v[BEHAVIOUR_SET_SILENT_MISSED], n = bins + missed;
    bin = bin - m->bin < (int64_t)missed + 1 ? bin : m->bin + missed + 1; /* the picture ends soon after the silence began */
    uint64_t sent = at_bin(m, bin);
    struct behaviour_alarm a;
    char query[TELL_QUERY_BYTES];
    tell_begin(&a, s->base, BEHAVIOUR_SILENT, m->head.last_us, now_us, m->head.weight);
    a.own = m->own;
    a.first_us = m->first_us;
    a.severity = 1;
    a.confidence_pct = 60;
    behaviour_put_number(&a, "silent_s", (double)(now_us - m->head.last_us) / 1e6, missed * v[BEHAVIOUR_SET_SILENT_BIN_S]);
    behaviour_put_number(&a, "present_before_pct", present_pct(s, m), v[BEHAVIOUR_SET_SILENT_PRESENT_PCT]);
    behaviour_put_number(&a, "watched_bins", bins, NAN);
    behaviour_put_number(&a, "bin_s", v[BEHAVIOUR_SET_SILENT_BIN_S], NAN);
    behaviour_put_number(&a, "steady_machines", n_steady, NAN);
    behaviour_put_number(&a, "stopped_machines", n_stopped, NAN);
    for (uint32_t i = 0; i < n; i++)
        a.series[i] = (double)(sent >> (n - i) & 1);
    a.n_series = n;
    a.series_step_us = bin_us(s);
    a.series_from_us = (bin - n) * bin_us(s);
    a.series_unit = "sent";
    tell_query(&a, query, &m->own, NULL, 0, 0);
    m->is_told = true;
    return tell(s->base, &s->counters, &a);
}

/*
 * is_steady - of the family, and regular until it was last heard. Who stopped more than a day ago is history and counts no
 * more among those who may stop together.
 */
static bool is_steady(const struct silents *s, const struct machine *m, int64_t bin, bool is_v6)
{
    const double *v = s->base->settings->v;
    return m && ip_is_v4(&m->own) != is_v6 && (double)(bin - m->bin) <= v[BEHAVIOUR_SET_SILENT_BINS] &&
           present_pct(s, m) >= v[BEHAVIOUR_SET_SILENT_PRESENT_PCT];
}

static int judge(struct silents *s, int64_t bin, bool is_v6)
{
    int64_t missed = (int64_t)s->base->settings->v[BEHAVIOUR_SET_SILENT_MISSED];
    uint32_t n_steady = 0, n_stopped = 0;
    int r = 0;
    for (uint32_t i = 0; i < table_size(&s->machines); i++) {
        const struct machine *m = table_at(&s->machines, i);
        bool is = is_steady(s, m, bin, is_v6);
        n_steady += is;
        n_stopped += is && bin - m->bin > missed;
    }
    if (!n_stopped || n_steady < MIN_MACHINES || n_stopped * 2 > n_steady)
        return 0;
    for (uint32_t i = 0; i < table_size(&s->machines) && r >= 0; i++) {
        struct machine *m = table_at(&s->machines, i);
        if (is_steady(s, m, bin, is_v6) && !m->is_told && bin - m->bin > missed)
            r = say(s, m, bin, n_steady, n_stopped);
    }
    return r;
}

/* flush - the streams' own time counts, not @at_us: it may be that of log events. */
static int flush(void *detector, int64_t at_us)
{
    struct silents *s = detector;
    int r = 0;
    (void)at_us;
    for (unsigned i = 0; i < 2 && r >= 0 && tell_is_on(s->base, BEHAVIOUR_SET_SILENT_ENABLED); i++) {
        int64_t bin = s->now_us[i] == INT64_MIN ? s->judged_bin[i] : s->now_us[i] / bin_us(s);
        if (bin == s->judged_bin[i])
            continue;
        s->judged_bin[i] = bin;
        r = judge(s, bin, i == 1);
    }
    return r;
}

static int flows(void *detector, const struct flow_batch *b, const struct behaviour_row *rows, const struct behaviour_own *own)
{
    struct silents *s = detector;
    bool is_on = tell_is_on(s->base, BEHAVIOUR_SET_SILENT_ENABLED);
    int64_t *now_us = &s->now_us[b->family != 4];
    (void)own;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct behaviour_row *x = &rows[i];
        if (!tell_concerns(&s->counters, x))
            continue;
        bool has_asked = is_on && x->marks & ROW_FROM_OWN && x->out_packets;
        bool has_answered = is_on && x->marks & ROW_TO_OWN && x->back_packets;
        s->counters.used += has_asked || has_answered;
        s->counters.skipped += !has_asked && !has_answered;
        if (has_asked)
            hear(s, x->from_hash, &x->from, x->end_us);
        if (has_answered)
            hear(s, x->to_hash, &x->to, x->end_us);
        *now_us = x->start_us > *now_us ? x->start_us : *now_us;
    }
    return 0;
}

static void count(const void *detector, struct behaviour_counters *ret)
{
    const struct silents *s = detector;
    *ret = s->counters;
    ret->evicted = s->machines.evicted;
}

extern const struct behaviour_detector behaviour_silent_detector;
const struct behaviour_detector behaviour_silent_detector = {
    .name = "silent", .create = create, .destroy = destroy, .flows = flows, .flush = flush, .count = count,
};
