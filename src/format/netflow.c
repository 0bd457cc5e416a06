/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A datagram is a header and sets; a set is templates or records. What cannot
 * be read is counted and passed over; only a set whose length cannot be true
 * ends the datagram, because then the next one cannot be found.
 */
#include "format/netflow.h"

#include "format/netflow5.h"
#include "format/netflow_cache.h"
#include "format/netflow_columns.h"
#include "format/netflow_complete.h"

#include <errno.h>
#include <stdlib.h>

enum { V9_HEADER_BYTES = 20, IPFIX_HEADER_BYTES = 16, SET_HEADER_BYTES = 4, TEXTS_MAX_BYTES = 1 << 20 };

const char *const netflow_reason_names[NETFLOW_N_REASONS] = {
#define X(ID, name, unit) name,
    NETFLOW_REASONS(X)
#undef X
};

struct netflow {
    struct netflow_cache cache;
    struct netflow_rows rows;
    struct flow v5[NETFLOW5_MAX_RECORDS];
    struct buf texts;
    nat_sink nat;
    void *nat_context;
    netflow5_sink v5_sink;
    netflow_plain_sink plain_sink;
};

/* one datagram under work */
struct work {
    struct netflow *n;
    struct netflow_domain *domain;
    struct netflow_clock clock;
    struct netflow_result *result;
    flow_sink sink;
    void *context;
};

struct netflow *netflow_new(const struct netflow_options *o)
{
    struct netflow *n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->texts.max = TEXTS_MAX_BYTES; /* a run's texts come out of one datagram of 64 KiB */
    if (netflow_cache_init(&n->cache, o, &n->rows)) {
        free(n);
        return NULL;
    }
    return n;
}

void netflow_set_v5_sink(struct netflow *n, netflow5_sink sink)
{
    n->v5_sink = sink;
}

void netflow_set_plain_sink(struct netflow *n, netflow_plain_sink sink)
{
    n->plain_sink = sink;
}

void netflow_free(struct netflow *n)
{
    if (!n)
        return;
    netflow_cache_fini(&n->cache);
    buf_fini(&n->texts);
    free(n);
}

void netflow_set_nat_sink(struct netflow *n, nat_sink sink, void *context)
{
    n->nat = sink;
    n->nat_context = context;
}

size_t netflow_bytes(const struct netflow *n)
{
    return n->cache.n_bytes;
}

static void refuse(struct work *w, enum netflow_reason reason, uint32_t n)
{
    w->result->n_refused[reason] += n;
}

/* give_nat - NAT events of a run. Return: 0 or what the sink answered below 0. */
static int give_nat(struct work *w, const struct netflow_template *t, uint32_t n_rows)
{
    struct flow *flows = w->n->rows.flows;
    for (uint32_t i = 0; i < n_rows; i++) {
        struct nat_event e;
        bool is_event = netflow_nat_event(&flows[i], &w->n->rows.extras[i], t, &e);
        if (t->use == NETFLOW_USE_NAT && !is_event)
            refuse(w, NETFLOW_NO_ADDRESSES, 1);
        if (!is_event)
            continue;
        w->result->n_nat_events++;
        w->result->n_nat_only += t->use == NETFLOW_USE_NAT;
        e.observer = w->result->observer;
        if (t->use == NETFLOW_USE_FLOW && !netflow_template_has(t, NETFLOW_ROLE_NAT_EVENT) &&
            netflow_template_has(t, NETFLOW_ROLE_SUBSCRIBER)) { /* Nokia: that it was made or is gone, the template says */
            flows[i].nat_event = e.event;
            flows[i].present |= FLOW_HAS(FLOW_NAT_EVENT);
        }
        int r = w->n->nat ? w->n->nat(w->n->nat_context, &e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* give_run - a decoded run becomes flows. */
static int give_run(struct work *w, const struct netflow_template *t, const struct netflow_clock *k, uint32_t n_rows)
{
    int r = netflow_complete(&w->n->rows, n_rows, t, k, &w->domain->sampling,
                             &w->domain->applications, &w->n->texts);
    if (r < 0)
        return r;
    if (netflow_is_nat(t)) {
        r = give_nat(w, t, n_rows);
        if (r < 0)
            return r;
    }
    if (t->use != NETFLOW_USE_FLOW)
        return 0;
    w->result->n_flows += n_rows;
    r = w->sink(w->context, w->n->rows.flows, n_rows, &w->result->observer);
    return r < 0 ? r : 0;
}

static int learn_sampling(struct work *w, const struct netflow_template *t, uint32_t row)
{
    struct netflow_sampling *s = &w->domain->sampling;
    uint32_t before = s->capacity;
    bool may_grow = netflow_cache_has_room(&w->n->cache, w->domain, netflow_sampling_growth(s));
    int r = netflow_sampling_learn(s, t, &w->n->rows.flows[row], &w->n->rows.extras[row], may_grow);
    netflow_cache_charge(&w->n->cache, w->domain, (s->capacity - before) * sizeof(*s->entries));
    refuse(w, NETFLOW_SAMPLER_LIMIT, r == NETFLOW_SAMPLING_FULL);
    return r < 0 ? r : 0;
}

static int learn_application(struct work *w, uint32_t row)
{
    struct netflow_applications *a = &w->domain->applications;
    const struct netflow_extra *e = &w->n->rows.extras[row];
    uint32_t before = a->capacity;
    bool may_grow = netflow_cache_has_room(&w->n->cache, w->domain, netflow_application_growth(a));
    int r = netflow_application_learn(a, e->application, e->text[NETFLOW_TEXT_APPLICATION], may_grow);
    netflow_cache_charge(&w->n->cache, w->domain, (a->capacity - before) * sizeof(*a->entries));
    return r < 0 ? r : 0; /* a name that finds no room is only a name: the id's flows are kept */
}

static void learn_init(struct work *w, uint64_t init_ms)
{
    if (!init_ms || init_ms >= UINT64_C(253402300800000)) /* year 10000 */
        return;
    w->domain->init_us = w->clock.init_us = (int64_t)init_ms * 1000;
    w->domain->has_init = true;
    w->clock.has_init = w->domain->version == 10;
}

/* learn_run - options records: sampling, names of applications, and when the exporter's sysUpTime began. */
static int learn_run(struct work *w, const struct netflow_template *t, uint32_t n_rows)
{
    int r = 0;
    for (uint32_t i = 0; i < n_rows && !r; i++) {
        if (netflow_template_has(t, NETFLOW_ROLE_INIT))
            learn_init(w, w->n->rows.extras[i].init_ms);
        r = learn_sampling(w, t, i);
        if (!r && netflow_template_has(t, NETFLOW_ROLE_APPLICATION_ID))
            r = learn_application(w, i);
    }
    w->result->n_options += n_rows;
    return r;
}

/* count_units - records of this datagram, for the sequence; waiting sets were counted when they came. */
static void count_units(struct work *w, uint32_t n, bool is_waiting)
{
    if (w->domain->version == 10 && !is_waiting)
        w->result->n_units += n;
}

/* skip_records - of a template that gives nothing we keep. */
static void skip_records(struct work *w, const struct netflow_template *t, struct cursor set, bool is_waiting)
{
    bool is_cut;
    uint32_t n = netflow_skip(t, &set, &is_cut);
    refuse(w, t->use == NETFLOW_USE_LAYER2 ? NETFLOW_LAYER2 : NETFLOW_NO_ADDRESSES, n);
    refuse(w, NETFLOW_CUT, is_cut);
    w->result->is_exact &= !is_cut;
    count_units(w, n, is_waiting);
}

/* rate_of - of the first record of a run; the others have the same. */
static uint32_t rate_of(struct work *w, const struct netflow_plain *run)
{
    struct netflow_rows *rows = &w->n->rows;
    struct cursor first = cursor_over(run->p, run->t->least_bytes);
    uint32_t n;
    (void)netflow_run(run->t, &first, run->clock, rows, &n); /* of fixed length: never cut */
    return netflow_sampling_rate(&w->domain->sampling, run->t, &rows->flows[0], &rows->extras[0]);
}

/*
 * give_plain - a set that can go straight into columns.
 * Return: 0, GIVE_ROWS (its records need a look each), or what the sink answered below 0.
 */
#define GIVE_ROWS 1
static int give_plain(struct work *w, const struct netflow_template *t, struct cursor set, const struct netflow_clock *k,
                      bool is_waiting)
{
    const struct netflow_sampling *s = &w->domain->sampling;
    struct netflow_plain run = {.t = t, .clock = k, .p = set.p, .n = (uint32_t)(cursor_left(&set) / t->least_bytes)};
    bool is_sampled = netflow_sampling_matters(s, t);
    if (!run.n)
        return 0;
    if (!netflow_plain_is_one(&run, is_sampled) || (is_sampled && netflow_sampling_is_by_interface(s, t)))
        return GIVE_ROWS;
    if (is_sampled)
        run.rate = rate_of(w, &run);
    count_units(w, run.n, is_waiting);
    w->result->n_flows += run.n;
    int r = w->n->plain_sink(w->context, &run, &w->result->observer);
    return r < 0 ? r : 0;
}

/* records - a data set whose template is known. */
static int records(struct work *w, const struct netflow_template *t, struct cursor set, const struct netflow_clock *k,
                   bool is_waiting)
{
    if (w->n->plain_sink && t->plain_family) {
        int r = give_plain(w, t, set, k, is_waiting);
        if (r != GIVE_ROWS)
            return r;
    }
    if (t->use == NETFLOW_USE_LAYER2 || t->use == NETFLOW_USE_NOTHING) {
        skip_records(w, t, set, is_waiting);
        return 0;
    }
    for (;;) {
        uint32_t n_rows;
        int is_cut = netflow_run(t, &set, k, &w->n->rows, &n_rows);
        if (n_rows) {
            count_units(w, n_rows, is_waiting);
            int r = t->use == NETFLOW_USE_OPTIONS ? learn_run(w, t, n_rows) : give_run(w, t, k, n_rows);
            if (r < 0)
                return r;
        }
        if (is_cut) {
            refuse(w, NETFLOW_CUT, 1);
            w->result->is_exact = false;
        }
        if (is_cut || !n_rows)
            return 0;
    }
}

/* resolve_waiting - the template has come: what waited for it is decoded under its own clock. */
static int resolve_waiting(struct work *w, const struct netflow_template *t)
{
    struct netflow_waiting *one, **at = NULL;
    int r = 0;
    while (r >= 0 && (one = netflow_cache_next_waiting(&w->n->cache, w->domain, t->id, &at)) != NULL) {
        if (netflow_cache_is_late(&w->n->cache, one, &w->clock)) {
            refuse(w, NETFLOW_TEMPLATE_UNKNOWN, 1);
            free(one);
            continue;
        }
        w->result->n_resolved++;
        one->clock.has_init = w->clock.has_init;
        one->clock.init_us = w->clock.init_us;
        r = records(w, t, cursor_over(one->bytes, one->n_bytes), &one->clock, true);
        free(one);
    }
    return r;
}

static int withdraw(struct work *w, const struct netflow_definition *d)
{
    bool is_all = d->id == 2 || d->id == 3; /* RFC 7011 8.1: the set id withdraws all of its kind */
    if (d->version != 10 || (d->id < 256 && !is_all)) {
        refuse(w, d->id < 256 ? NETFLOW_TEMPLATE_MALFORMED : NETFLOW_TEMPLATE_EMPTY, 1);
        return 0;
    }
    w->result->n_withdrawn += netflow_cache_withdraw(&w->n->cache, w->domain, is_all ? 0 : d->id, d->is_options);
    return 0;
}

static int define(struct work *w, const struct netflow_definition *d)
{
    if (!d->n_fields)
        return withdraw(w, d);
    if (d->id < 256) {
        refuse(w, NETFLOW_TEMPLATE_MALFORMED, 1);
        return 0;
    }
    if (d->n_fields > NETFLOW_TEMPLATE_MAX_FIELDS) {
        refuse(w, NETFLOW_TEMPLATE_LIMIT, 1);
        return 0;
    }
    const struct netflow_template *old = netflow_cache_template(w->domain, d->id);
    if (old && netflow_template_is(old, d)) {
        w->result->n_refreshed++;
        return 0;
    }
    struct netflow_template *t;
    int r = netflow_template_new(d, &t);
    if (r) {
        refuse(w, NETFLOW_TEMPLATE_EMPTY, r > 0);
        return r < 0 ? r : 0;
    }
    uint32_t *counter = old ? &w->result->n_redefined : &w->result->n_added;
    r = netflow_cache_put(&w->n->cache, w->domain, t);
    if (r) {
        refuse(w, NETFLOW_TEMPLATE_LIMIT, r > 0);
        return r < 0 ? r : 0;
    }
    ++*counter;
    return resolve_waiting(w, t);
}

static int templates(struct work *w, struct cursor set, bool is_options)
{
    for (;;) {
        struct netflow_definition d;
        int r = netflow_definition_next(&set, w->domain->version, is_options, &d);
        if (r == NETFLOW_DEFINITION_BAD)
            refuse(w, NETFLOW_TEMPLATE_MALFORMED, 1);
        if (r)
            return 0;
        r = define(w, &d);
        if (r < 0)
            return r;
    }
}

static int wait(struct work *w, uint16_t template_id, struct cursor set)
{
    w->result->is_exact &= w->domain->version == 9;
    uint32_t n_late;
    int r = netflow_cache_wait(&w->n->cache, w->domain, template_id, set.p, cursor_left(&set), &w->clock, &n_late);
    refuse(w, NETFLOW_TEMPLATE_UNKNOWN, n_late);
    if (r < 0)
        return r;
    if (r)
        refuse(w, NETFLOW_WAITING_LIMIT, 1);
    else
        w->result->n_waiting++;
    return 0;
}

static int one_set(struct work *w, uint16_t id, struct cursor set)
{
    bool is_v9 = w->domain->version == 9;
    if (id == (is_v9 ? 0 : 2))
        return templates(w, set, false);
    if (id == (is_v9 ? 1 : 3))
        return templates(w, set, true);
    if (id < 256) {
        refuse(w, NETFLOW_SET_ID, 1);
        return 0;
    }
    const struct netflow_template *t = netflow_cache_template(w->domain, id);
    return t ? records(w, t, set, &w->clock, false) : wait(w, id, set);
}

/* is_blank - zeros up to the end: an exporter that pads its datagram. */
static bool is_blank(const struct cursor *c)
{
    for (const uint8_t *p = c->p; p < c->end; p++)
        if (*p)
            return false;
    return true;
}

static int sets(struct work *w, struct cursor *c)
{
    while (cursor_left(c) >= SET_HEADER_BYTES) {
        if (!load_be32(c->p) && is_blank(c))
            return 0;
        uint16_t id = cursor_u16(c), length = cursor_u16(c);
        if (length < SET_HEADER_BYTES || length > cursor_left(c) + SET_HEADER_BYTES) {
            refuse(w, NETFLOW_SET_LENGTH, 1);
            w->result->is_exact = w->domain->version == 9;
            return 0;
        }
        int r = one_set(w, id, cursor_sub(c, (size_t)length - SET_HEADER_BYTES));
        if (r < 0)
            return r;
    }
    return 0;
}

/* message - sets under the header of v9 or IPFIX. */
static int message(struct work *w, const struct netflow_datagram *d, struct cursor *c)
{
    struct netflow_result *r = w->result;
    bool by_port = d->by_port || w->n->cache.options.by_port;
    int e = netflow_cache_domain(&w->n->cache, &d->peer, by_port ? d->peer_port : 0, r->version, r->observer.domain,
                                 d->received_us, &w->domain);
    if (e) {
        refuse(w, NETFLOW_PEER_LIMIT, e > 0);
        return e < 0 ? e : 0;
    }
    r->has_sequence = r->is_exact = true;
    w->clock.has_init = w->domain->has_init && r->version == 10;
    w->clock.init_us = w->domain->init_us;
    return sets(w, c);
}

static int decode_v9(struct work *w, const struct netflow_datagram *d)
{
    struct netflow_result *r = w->result;
    if (d->n_bytes < V9_HEADER_BYTES) {
        refuse(w, NETFLOW_SHORT, 1);
        return 0;
    }
    struct cursor c = cursor_over(d->p, d->n_bytes);
    cursor_skip(&c, 4); /* version; the count is wrong in too many exporters to be of use */
    r->uptime_ms = w->clock.uptime_ms = cursor_u32(&c);
    w->clock.has_uptime = true;
    r->exported_us = w->clock.exported_us = (int64_t)cursor_u32(&c) * 1000000;
    r->sequence = cursor_u32(&c);
    r->observer.domain = cursor_u32(&c);
    r->n_units = 1;
    return message(w, d, &c);
}

static int decode_ipfix(struct work *w, const struct netflow_datagram *d)
{
    struct netflow_result *r = w->result;
    if (d->n_bytes < IPFIX_HEADER_BYTES) {
        refuse(w, NETFLOW_SHORT, 1);
        return 0;
    }
    struct cursor c = cursor_over(d->p, d->n_bytes);
    cursor_skip(&c, 2);
    size_t length = cursor_u16(&c);
    if (length != d->n_bytes)
        refuse(w, NETFLOW_MESSAGE_LENGTH, 1);
    if (length < IPFIX_HEADER_BYTES)
        return 0;
    r->exported_us = w->clock.exported_us = (int64_t)cursor_u32(&c) * 1000000;
    r->sequence = cursor_u32(&c);
    r->observer.domain = cursor_u32(&c);
    size_t body = (length < d->n_bytes ? length : d->n_bytes) - IPFIX_HEADER_BYTES;
    struct cursor inside = cursor_sub(&c, body);
    return message(w, d, &inside);
}

static int decode_v5(struct work *w, const struct netflow_datagram *d)
{
    struct netflow_result *r = w->result;
    struct netflow5_header h;
    int e = netflow5_header_read(d->p, d->n_bytes, &h);
    if (e) {
        refuse(w, e == NETFLOW5_COUNT ? NETFLOW_COUNT : NETFLOW_SHORT, 1);
        return 0;
    }
    refuse(w, NETFLOW_CUT, (uint32_t)(h.n_claimed - h.n_present));
    size_t end = NETFLOW5_HEADER_BYTES + h.n_claimed * (size_t)NETFLOW5_RECORD_BYTES;
    struct cursor rest = cursor_over(d->p + (end < d->n_bytes ? end : d->n_bytes), end < d->n_bytes ? d->n_bytes - end : 0);
    refuse(w, NETFLOW_MESSAGE_LENGTH, !is_blank(&rest));
    r->observer.domain = h.engine;
    r->has_sequence = r->is_exact = true;
    r->sequence = h.sequence;
    r->n_units = h.n_claimed;
    r->exported_us = h.exported_us;
    r->uptime_ms = h.uptime_ms;
    r->n_flows = h.n_present;
    if (w->n->v5_sink) {
        e = w->n->v5_sink(w->context, d->p + NETFLOW5_HEADER_BYTES, &h, d->received_us, &r->observer);
        return e < 0 ? e : 0;
    }
    (void)netflow5_decode(d->p, d->n_bytes, d->received_us, w->n->v5, &h); /* its header is good */
    e = w->sink(w->context, w->n->v5, h.n_present, &r->observer);
    return e < 0 ? e : 0;
}

int netflow_decode(struct netflow *n, const struct netflow_datagram *d, flow_sink sink, void *context,
                   struct netflow_result *ret)
{
    *ret = (struct netflow_result){.observer.ip = d->peer};
    struct work w = {.n = n, .result = ret, .sink = sink, .context = context, .clock.received_us = d->received_us};
    if (d->n_bytes < 2) {
        refuse(&w, NETFLOW_SHORT, 1);
        return 0;
    }
    ret->version = load_be16(d->p);
    switch (ret->version) {
    case 5: return decode_v5(&w, d);
    case 9: return decode_v9(&w, d);
    case 10: return decode_ipfix(&w, d);
    default: break;
    }
    ret->version = 0;
    refuse(&w, NETFLOW_VERSION, 1);
    return 0;
}

void netflow_finish(struct netflow *n, struct netflow_result *ret)
{
    *ret = (struct netflow_result){0};
    ret->n_refused[NETFLOW_TEMPLATE_UNKNOWN] = netflow_cache_give_up(&n->cache);
}
