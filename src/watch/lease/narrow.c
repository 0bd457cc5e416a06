/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/narrow.h"

#include "base/clock.h"
#include "watch/query/query.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum column { N_SOURCE, N_DESTINATION, N_PACKETS, N_START, N_END, N_SAMPLING, N_COLUMNS };
#define FIELDS "source.ip, destination.ip, network.packets, event.start, event.end, network.sampling"

struct narrowing {
    struct lease_answer *a;
    struct ip remote;
    uint64_t n_rows, least_packets;
    uint32_t sampling;
};

static int begin(void *context, const struct query_column *columns, size_t n)
{
    (void)context, (void)columns, (void)n;
    return 0;
}

static uint64_t number_or(const struct query_value *v, uint64_t otherwise)
{
    return v->kind == QUERY_NUMBER ? v->number : otherwise;
}

static void count_flow(struct lease_candidate *c, uint64_t packets, const struct query_value *v)
{
    int64_t first = v[N_START].kind == QUERY_TIME ? v[N_START].time_us : 0, last = v[N_END].kind == QUERY_TIME ? v[N_END].time_us : first;
    if (!c->n_flows || first < c->flow_first_us)
        c->flow_first_us = first;
    if (!c->n_flows || last > c->flow_last_us)
        c->flow_last_us = last;
    c->n_flows++;
    c->n_flow_packets += packets;
}

static int take_row(void *context, const struct query_value *v, size_t n, struct text texts)
{
    struct narrowing *x = context;
    (void)n, (void)texts;
    if (v[N_SOURCE].kind != QUERY_IP || v[N_DESTINATION].kind != QUERY_IP)
        return 0;
    const struct ip *other = ip_equal(&v[N_SOURCE].ip, &x->remote) ? &v[N_DESTINATION].ip : &v[N_SOURCE].ip;
    uint64_t packets = number_or(&v[N_PACKETS], 1), sampling = number_or(&v[N_SAMPLING], 1);
    x->sampling = sampling > x->sampling ? (uint32_t)sampling : x->sampling;
    for (uint32_t i = 0; i < x->a->n; i++) {
        struct lease_candidate *c = &x->a->candidates[i];
        if (ip_is_zero(&c->inside) || !ip_equal(&c->inside, other))
            continue;
        count_flow(c, packets, v);
        x->least_packets = packets < x->least_packets ? packets : x->least_packets;
    }
    return 0;
}

/* take_any - of flows that have nothing to do with the remote address: whether the window is covered, and how it is sampled. */
static int take_any(void *context, const struct query_value *v, size_t n, struct text texts)
{
    struct narrowing *x = context;
    (void)n, (void)texts;
    uint64_t sampling = number_or(&v[N_SAMPLING], 1);
    x->sampling = sampling > x->sampling ? (uint32_t)sampling : x->sampling;
    x->n_rows++;
    return 0;
}

static int run(struct store_view *v, const char *text, int64_t since_us, int64_t until_us,
               int (*row)(void *context, const struct query_value *values, size_t n, struct text texts), struct narrowing *x,
               struct fault *f)
{
    const struct query_language language = {.now_us = clock_now_us()};
    const struct query_options options = {.since_us = since_us, .until_us = until_us};
    const struct query_sink sink = {.begin = begin, .row = row, .context = x};
    struct query_report report;
    struct query *q;
    int rc = query_parse(text, strlen(text), &language, &q, f);
    if (rc)
        return rc < 0 ? rc : -EINVAL;
    rc = query_run(v, q, &options, &sink, &report, f);
    query_free(q);
    return rc;
}

int lease_narrow(struct lease_answer *a, const struct lease_question *q, const struct lease_remote *remote, struct store_view *v,
                 struct fault *f)
{
    struct narrowing x = {.a = a, .remote = remote->ip, .least_packets = UINT64_MAX, .sampling = 1};
    char text[256], ip[IP_TEXT_MAX], port[32] = "";
    ip_format(&remote->ip, ip);
    if (remote->port >= 0)
        snprintf(port, sizeof(port), " and port : %d", remote->port);
    int rc = run(v, "source.ip : * | fields " FIELDS " | limit 1000", q->at_us - q->skew_us, q->at_us + q->skew_us, take_any, &x, f);
    if (rc || !x.n_rows)
        return rc;
    snprintf(text, sizeof(text), "ip : %s%s | fields " FIELDS, ip, port);
    rc = run(v, text, q->at_us - q->skew_us, q->at_us + q->skew_us, take_row, &x, f);
    if (rc)
        return rc;
    a->why |= LEASE_WHY_NARROWED;
    a->sampling = x.sampling;
    if (x.sampling > 1) {
        /* counters stand multiplied: p packets seen were p / N in the sample, and p on the wire */
        double on_wire = x.least_packets == UINT64_MAX ? 1 : (double)x.least_packets;
        a->why |= LEASE_WHY_SAMPLED;
        a->missed = pow(1 - 1 / (double)x.sampling, on_wire);
    }
    lease_settle(a);
    return 0;
}
