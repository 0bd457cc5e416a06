/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First every row that may touch the window is gathered, open ones among them however old; then, if any is open, what came
 * after them on the same address, which tells where they ended. What is left, holder by holder, are the candidates.
 */
#include "watch/lease/resolve.h"

#include "watch/lease/gateways.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDED_HOURS = 6 };

/* a row near the window, with its texts */
struct near_row {
    struct lease l;
    struct text gateway, realm, source, subscriber, host;
    uint32_t why;
    int64_t clock_us; /* of its gateway near that time */
    bool is_out; /* on closer look it is no candidate */
};

struct near_rows {
    struct near_row *all;
    size_t n, room;
    bool has_more;
    bool are_releases; /* only LEASE_RELEASE, of an inside address; else none of them */
};

struct lease_resolver {
    const struct lease_view *view;    /* NULL: no records */
    const struct formulas *formulas;  /* NULL: none */
    struct lease_readers *readers;
    struct gateways gateways;
    struct near_rows touching, after, released;
};

static const char *const why_names[] = {
#define X(ID, name) name,
    LEASE_WHYS(X)
#undef X
};

const char *lease_why_name(enum lease_why_bit bit)
{
    return why_names[bit];
}

const char *lease_confidence_name(enum lease_confidence c)
{
    static const char *const names[] = {[LEASE_POSSIBLE] = "possible", [LEASE_LIKELY] = "likely", [LEASE_CERTAIN] = "certain"};
    return names[c];
}

int lease_resolver_new(const struct lease_view *v, const struct formulas *formulas, struct lease_resolver **ret)
{
    struct lease_resolver *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->view = v;
    r->formulas = formulas;
    r->readers = v ? lease_readers_new(v) : NULL;
    int rc = !v ? 0 : r->readers ? gateways_init(&r->gateways, v) : -ENOMEM;
    if (rc) {
        lease_resolver_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void lease_resolver_free(struct lease_resolver *r)
{
    if (!r)
        return;
    lease_readers_free(r->readers);
    gateways_fini(&r->gateways);
    free(r->touching.all);
    free(r->after.all);
    free(r->released.all);
    free(r);
}

const struct lease_gateway *lease_resolver_gateways(const struct lease_resolver *r, size_t *ret_n)
{
    *ret_n = r->gateways.n;
    return r->gateways.all;
}

/* --- gathering ------------------------------------------------------------------------------------------ */

#define GATHER_FULL 1

static int gather(void *context, const struct lease_segment *s, const struct lease *l)
{
    struct near_rows *g = context;
    if ((l->kind == LEASE_RELEASE) != g->are_releases)
        return 0;
    if (g->n == RESOLVE_ROWS) {
        g->has_more = true;
        return GATHER_FULL;
    }
    if (g->n == g->room) {
        size_t room = g->room ? g->room * 2 : 64;
        struct near_row *more = realloc(g->all, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        g->all = more;
        g->room = room;
    }
    g->all[g->n++] = (struct near_row){.l = *l, .gateway = lease_segment_text(s, l->gateway), .realm = lease_segment_text(s, l->realm),
                                       .source = lease_segment_text(s, l->source), .subscriber = lease_segment_text(s, l->subscriber),
                                       .host = lease_segment_text(s, l->host)};
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    return lease_compare(&((const struct near_row *)a)->l, &((const struct near_row *)b)->l);
}

/* collect - rows of @a and @port (-1: any) touching [since, until], sorted. Return: 0, -ENOMEM; @why gets what is missing. */
static int collect(struct lease_resolver *r, struct near_rows *g, const struct ip *a, int32_t port, int64_t since_us, int64_t until_us,
                   uint32_t *why)
{
    g->n = 0;
    g->has_more = false;
    int rc = r->view ? lease_view_visit(r->view, r->readers, a, port, since_us, until_us, gather, g) : 0;
    if (rc == -ENOMEM)
        return rc;
    if (rc < 0)
        *why |= LEASE_WHY_DAMAGED;
    if (g->has_more)
        *why |= LEASE_WHY_TOO_MANY;
    if (g->n)
        qsort(g->all, g->n, sizeof(*g->all), by_begin);
    return 0;
}

/* --- where rows begin and end ------------------------------------------------------------------------------ */

static bool share_ports(const struct lease *a, const struct lease *b)
{
    bool is_one_protocol = !a->protocol || !b->protocol || a->protocol == b->protocol;
    return is_one_protocol && a->port_first <= b->port_last && b->port_first <= a->port_last;
}

static bool is_same_holder(const struct near_row *a, const struct near_row *b)
{
    if (!ip_equal(&a->l.inside, &b->l.inside) || !text_equal(a->realm, b->realm))
        return false;
    /* a message of the end often says less than that of the begin */
    bool is_one_mac = !a->l.mac || !b->l.mac || a->l.mac == b->l.mac;
    bool is_one_subscriber = !a->subscriber.n || !b->subscriber.n || text_equal(a->subscriber, b->subscriber);
    return is_one_mac && is_one_subscriber && (!ip_is_zero(&a->l.inside) || a->l.mac || b->l.mac || a->subscriber.n || b->subscriber.n);
}

static bool is_closed(const struct lease *l)
{
    return l->from_us != LEASE_UNKNOWN && l->to_us != LEASE_UNKNOWN && !(l->flags & (LEASE_TO_PLANNED | LEASE_SEEN_ONLY));
}

/* first_after - the first row of @g that begins behind @us. */
static size_t first_after(const struct near_rows *g, int64_t us)
{
    size_t low = 0, high = g->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lease_begin_us(&g->all[middle].l) <= us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* is_release_of - whether @y, told of the inside address, takes back what @x gave. */
static bool is_release_of(const struct near_row *y, const struct near_row *x)
{
    bool is_one_protocol = !x->l.protocol || !y->l.protocol || x->l.protocol == y->l.protocol;
    bool is_one_port = y->l.inside_port ? y->l.inside_port == x->l.inside_port
                                        : x->l.port_first <= y->l.port_first && y->l.port_first <= x->l.port_last;
    return is_one_protocol && is_one_port && y->l.to_us >= x->l.from_us && text_equal(x->gateway, y->gateway) &&
           text_equal(x->realm, y->realm);
}

/* release_of - when its gateway took back what @x gave, if it says so by the inside address; LEASE_UNKNOWN: it does not. */
static int release_of(struct lease_resolver *r, const struct near_row *x, uint32_t *why, int64_t *ret)
{
    *ret = LEASE_UNKNOWN;
    if (ip_is_zero(&x->l.inside) || (x->l.kind != LEASE_NAT_SESSION && x->l.kind != LEASE_PORT_BLOCK))
        return 0;
    r->released.are_releases = true;
    int rc = collect(r, &r->released, &x->l.inside, -1, x->l.from_us, INT64_MAX, why);
    for (size_t i = 0; !rc && i < r->released.n && *ret == LEASE_UNKNOWN; i++)
        if (is_release_of(&r->released.all[i], x))
            *ret = r->released.all[i].l.to_us;
    return rc;
}

/* end_of - an open row ends where the first later row on its ports says so; LEASE_UNKNOWN: nobody says. */
static int64_t end_of(const struct lease_resolver *r, const struct near_row *x, int64_t until_us)
{
    const struct near_rows *g = &r->after;
    int64_t end = LEASE_UNKNOWN;
    for (size_t i = first_after(g, x->l.from_us); i < g->n && end == LEASE_UNKNOWN; i++) {
        const struct near_row *y = &g->all[i];
        if (!share_ports(&x->l, &y->l))
            continue;
        if (y->l.from_us != LEASE_UNKNOWN || is_same_holder(x, y))
            end = lease_begin_us(&y->l); /* given to the next one, or heard to stop */
    }
    const struct lease_gateway *gateway = gateways_find(&r->gateways, x->gateway);
    int64_t restart = gateway ? gateway_restart(gateway, x->l.from_us, until_us) : LEASE_UNKNOWN;
    if (restart != LEASE_UNKNOWN && (end == LEASE_UNKNOWN || restart < end))
        end = restart;
    return end;
}

/* settle_end - of a row without end, or with one that was only planned. Return: 0 or -ENOMEM. */
static int settle_end(struct lease_resolver *r, struct near_row *x, int64_t since_us, int64_t until_us, uint32_t *why)
{
    int64_t released;
    if (x->l.flags & LEASE_TO_PLANNED)
        x->why |= LEASE_WHY_PLANNED_END;
    else
        x->why |= LEASE_WHY_OPEN_END;
    int64_t end = end_of(r, x, until_us);
    int rc = release_of(r, x, why, &released);
    if (released != LEASE_UNKNOWN && (end == LEASE_UNKNOWN || released < end))
        end = released;
    if (rc || end == LEASE_UNKNOWN || (x->l.to_us != LEASE_UNKNOWN && end >= x->l.to_us))
        return rc;
    x->l.to_us = end;
    x->l.flags = (uint8_t)(x->l.flags & ~LEASE_TO_PLANNED);
    x->why &= ~(uint32_t)(LEASE_WHY_OPEN_END | LEASE_WHY_PLANNED_END);
    x->is_out = end <= since_us;
    return 0;
}

/* settle_begin - of a row that only ended: it began when others no longer held its ports, or is the end of an open row. */
static void settle_begin(const struct lease_resolver *r, struct near_row *x, int64_t until_us)
{
    const struct near_rows *g = &r->after;
    x->why |= LEASE_WHY_NO_BEGIN;
    for (size_t i = 0; i < g->n && lease_begin_us(&g->all[i].l) < x->l.to_us; i++) {
        const struct near_row *y = &g->all[i];
        if (y->l.from_us == LEASE_UNKNOWN || !share_ports(&x->l, &y->l))
            continue;
        bool has_ended = is_closed(&y->l) && y->l.to_us <= x->l.to_us;
        bool is_open = !is_closed(&y->l) && (y->l.to_us == LEASE_UNKNOWN || y->l.to_us > until_us);
        if ((has_ended ? y->l.to_us : y->l.from_us) > until_us || (is_open && is_same_holder(x, y)))
            x->is_out = true;
    }
}

/* needs_after - from when on, and until when, rows must be known to settle what is open. */
static bool needs_after(const struct near_rows *g, int64_t until_us, int64_t *ret_since, int64_t *ret_until)
{
    bool is_needed = false;
    *ret_since = until_us;
    *ret_until = until_us;
    for (size_t i = 0; i < g->n; i++) {
        const struct lease *l = &g->all[i].l;
        if (is_closed(l) || (l->flags & LEASE_SEEN_ONLY))
            continue;
        is_needed = true;
        if (l->from_us != LEASE_UNKNOWN && l->from_us < *ret_since)
            *ret_since = l->from_us;
        if (l->from_us == LEASE_UNKNOWN && l->to_us > *ret_until)
            *ret_until = l->to_us;
    }
    return is_needed;
}

/* drop_ended - the end lies outside a lease: one that ended as the window begins did not reach into it. */
static void drop_ended(struct near_rows *g, int64_t since_us)
{
    for (size_t i = 0; i < g->n; i++) {
        const struct lease *l = &g->all[i].l;
        g->all[i].is_out = l->to_us != LEASE_UNKNOWN && l->to_us <= since_us && l->from_us != l->to_us;
    }
}

static int settle_rows(struct lease_resolver *r, const struct ip *a, int64_t since_us, int64_t until_us, uint32_t *why)
{
    int64_t from, to;
    drop_ended(&r->touching, since_us);
    if (!needs_after(&r->touching, until_us, &from, &to))
        return 0;
    int rc = collect(r, &r->after, a, -1, from, to, why);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < r->touching.n; i++) {
        struct near_row *x = &r->touching.all[i];
        if (is_closed(&x->l) || (x->l.flags & LEASE_SEEN_ONLY))
            continue;
        if (x->l.from_us == LEASE_UNKNOWN)
            settle_begin(r, x, until_us);
        else
            rc = settle_end(r, x, since_us, until_us, why);
    }
    return rc;
}

/* --- candidates ---------------------------------------------------------------------------------------------- */

struct asking {
    const struct lease_question *q;
    int64_t since_us, until_us;
    struct text realm;  /* of the gateway behind which the address stands; empty: none */
    struct arena *arena;
    unsigned depth;
    bool is_machine;    /* the address stands for a machine: only who logged in at a port with it is asked for */
};

static bool is_whole_address(const struct lease *l)
{
    return l->port_first == 0 && l->port_last == UINT16_MAX;
}

static uint32_t why_of_row(const struct lease_resolver *r, const struct asking *k, const struct near_row *x)
{
    uint32_t why = x->why | (x->clock_us ? LEASE_WHY_CLOCK_OFF : 0);
    const struct lease_gateway *g = gateways_find(&r->gateways, x->gateway);
    if (x->l.flags & LEASE_SEEN_ONLY)
        why |= LEASE_WHY_SEEN_ONLY;
    if ((x->l.from_us != LEASE_UNKNOWN && x->l.from_us > k->since_us) || (x->l.to_us != LEASE_UNKNOWN && x->l.to_us <= k->until_us))
        why |= LEASE_WHY_EDGE;
    if (k->q->port < 0 && !is_whole_address(&x->l))
        why |= LEASE_WHY_NO_PORT;
    /* a gap can hide an end only of what nobody heard to end behind it */
    if (g && (x->why & (LEASE_WHY_OPEN_END | LEASE_WHY_PLANNED_END | LEASE_WHY_NO_BEGIN)) &&
        gateway_has_gap(g, x->l.from_us != LEASE_UNKNOWN ? x->l.from_us : k->since_us, k->until_us))
        why |= LEASE_WHY_GAP;
    if (g && gateway_restart(g, k->since_us, k->until_us) != LEASE_UNKNOWN)
        why |= LEASE_WHY_RESTARTED;
    if (k->realm.n && !text_equal(k->realm, x->realm))
        why |= LEASE_WHY_OTHER_REALM;
    return why;
}

static bool is_row_of(const struct lease_candidate *c, const struct near_row *x)
{
    struct near_row known = {.l = {.inside = c->inside, .mac = c->mac}, .realm = c->realm, .subscriber = c->subscriber};
    return text_equal(c->gateway, x->gateway) && is_same_holder(&known, x);
}

static int64_t lesser(int64_t a, int64_t b)
{
    return a == LEASE_UNKNOWN || b == LEASE_UNKNOWN ? LEASE_UNKNOWN : a < b ? a : b;
}

static int64_t greater(int64_t a, int64_t b)
{
    return a == LEASE_UNKNOWN || b == LEASE_UNKNOWN ? LEASE_UNKNOWN : a > b ? a : b;
}

static void add_row(struct lease_candidate *c, const struct near_row *x, uint32_t why)
{
    /* rows that join each other cover the window together */
    bool joins = c->to_us != LEASE_UNKNOWN && x->l.from_us != LEASE_UNKNOWN && x->l.from_us <= c->to_us;
    c->n_rows++;
    c->why |= why & ~(uint32_t)LEASE_WHY_EDGE;
    if (joins)
        c->why &= ~(uint32_t)LEASE_WHY_PLANNED_END | why;
    c->from_us = lesser(c->from_us, x->l.from_us);
    c->to_us = greater(c->to_us, x->l.to_us);
    if (!joins)
        c->why |= LEASE_WHY_EDGE;
    c->mac = c->mac ? c->mac : x->l.mac;
    c->subscriber = c->subscriber.n ? c->subscriber : x->subscriber;
    c->host = c->host.n ? c->host : x->host;
}

static struct lease_candidate new_candidate(const struct near_row *x, uint32_t why)
{
    return (struct lease_candidate){
        .by = x->l.kind == LEASE_STATIC ? LEASE_BY_STATIC : LEASE_BY_RECORD, .kind = x->l.kind, .flags = x->l.flags, .why = why,
        .inside = x->l.inside, .port_first = x->l.port_first, .port_last = x->l.port_last, .inside_port = x->l.inside_port,
        .mac = x->l.mac, .clock_us = x->clock_us, .from_us = x->l.from_us, .to_us = x->l.to_us, .gateway = x->gateway, .realm = x->realm,
        .source = x->source, .subscriber = x->subscriber, .host = x->host, .n_rows = 1};
}

/* cover_window - what several rows of one holder cover together decides about the edges. */
static void cover_window(struct lease_candidate *c, const struct asking *k)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): one of a->n candidates */
    bool is_short = (c->from_us != LEASE_UNKNOWN && c->from_us > k->since_us) || (c->to_us != LEASE_UNKNOWN && c->to_us <= k->until_us);
    if (is_short)
        c->why |= LEASE_WHY_EDGE;
}

/* has_ports - TCP, UDP, DCCP, SCTP, UDP-Lite; not told: it may. */
static bool has_ports(uint8_t protocol)
{
    return !protocol || protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

static bool is_asked_for(const struct asking *k, const struct lease *l)
{
    if (k->is_machine && l->kind != LEASE_DOT1X)
        return false;
    if (k->q->port >= 0 && !has_ports(l->protocol))
        return false;
    if (k->q->protocol && l->protocol && k->q->protocol != l->protocol)
        return false;
    return k->q->port < 0 || (l->port_first <= k->q->port && k->q->port <= l->port_last);
}

/* --- formulas: no rows, every answer whole ----------------------------------------------------------------- */

static bool is_valid(const struct formula *x, const struct asking *k)
{
    return x->from_us <= k->until_us && x->to_us > k->since_us;
}

static size_t n_by_formula(const struct lease_resolver *r, const struct asking *k)
{
    size_t n = 0;
    for (uint32_t i = 0; r->formulas && i < r->formulas->n; i++) {
        const struct formula *x = &r->formulas->all[i];
        if (is_valid(x, k))
            n += k->q->port < 0 ? x->users_per_address : 1;
    }
    return n;
}

static void add_formula(const struct asking *k, const struct formula *x, uint16_t port, struct lease_answer *a, size_t room)
{
    struct lease_candidate c = {.by = LEASE_BY_FORMULA, .kind = LEASE_PORT_BLOCK, .gateway = x->gateway, .realm = x->realm,
                                .from_us = x->from_us == INT64_MIN ? LEASE_UNKNOWN : x->from_us,
                                .to_us = x->to_us == INT64_MAX ? LEASE_UNKNOWN : x->to_us, .source = TEXT("RFC 7422")};
    if (formula_inside(x, &k->q->address, port, &c.inside, &c.port_first, &c.port_last))
        return;
    if (a->n == room) {
        a->why |= LEASE_WHY_TOO_MANY;
        return;
    }
    if (k->q->port < 0)
        c.why |= LEASE_WHY_NO_PORT;
    if (x->from_us > k->since_us || x->to_us <= k->until_us)
        c.why |= LEASE_WHY_EDGE;
    a->candidates[a->n++] = c;
}

static void add_by_formula(const struct lease_resolver *r, const struct asking *k, struct lease_answer *a, size_t room)
{
    for (uint32_t i = 0; r->formulas && i < r->formulas->n; i++) {
        const struct formula *x = &r->formulas->all[i];
        uint32_t step = x->method == FORMULA_INTERLEAVED ? 1 : x->ports_per_user;
        if (!is_valid(x, k))
            continue;
        if (k->q->port >= 0)
            add_formula(k, x, (uint16_t)k->q->port, a, room);
        for (uint32_t user = 0; k->q->port < 0 && user < x->users_per_address; user++)
            add_formula(k, x, (uint16_t)(x->port_first + user * step), a, room);
    }
}

/* make_candidates - of the rows left, one per holder and gateway. */
static int make_candidates(struct lease_resolver *r, const struct asking *k, struct lease_answer *a)
{
    size_t n_left = 0;
    for (size_t i = 0; i < r->touching.n; i++)
        n_left += !r->touching.all[i].is_out && is_asked_for(k, &r->touching.all[i].l);
    size_t room = n_left + n_by_formula(r, k);
    room = room < RESOLVE_CANDIDATES ? room : RESOLVE_CANDIDATES;
    a->candidates = room ? arena_alloc(k->arena, room * sizeof(*a->candidates)) : NULL;
    if (room && !a->candidates)
        return -ENOMEM;
    add_by_formula(r, k, a, room);
    for (size_t i = 0; i < r->touching.n; i++) {
        const struct near_row *x = &r->touching.all[i];
        uint32_t at = 0;
        if (x->is_out || !is_asked_for(k, &x->l))
            continue;
        while (at < a->n && !is_row_of(&a->candidates[at], x))
            at++;
        if (at == room) {
            a->why |= LEASE_WHY_TOO_MANY;
            continue;
        }
        uint32_t why = why_of_row(r, k, x);
        if (at < a->n) {
            add_row(&a->candidates[at], x, why);
            continue;
        }
        a->candidates[a->n++] = new_candidate(x, why & ~(uint32_t)LEASE_WHY_EDGE);
    }
    for (uint32_t i = 0; i < a->n; i++)
        cover_window(&a->candidates[i], k);
    return 0;
}

/* is_taking_turns - one after the other in the window, rather than both at once. */
static bool is_taking_turns(const struct lease_candidate *a, const struct lease_candidate *b)
{
    return (a->to_us != LEASE_UNKNOWN && b->from_us != LEASE_UNKNOWN && a->to_us <= b->from_us) ||
           (b->to_us != LEASE_UNKNOWN && a->from_us != LEASE_UNKNOWN && b->to_us <= a->from_us);
}

static void find_conflicts(struct lease_answer *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t j = i + 1; j < a->n && j < i + 64; j++) { /* of very many, near ones tell enough */
            struct lease_candidate *x = &a->candidates[i], *y = &a->candidates[j];
            bool is_one_formula = x->by == LEASE_BY_FORMULA && y->by == LEASE_BY_FORMULA && text_equal(x->gateway, y->gateway);
            if (x->port_first > y->port_last || y->port_first > x->port_last || is_one_formula || is_taking_turns(x, y))
                continue;
            x->why |= LEASE_WHY_CONFLICT;
            y->why |= LEASE_WHY_CONFLICT;
        }
}

static const uint32_t not_certain = LEASE_WHY_EDGE | LEASE_WHY_OPEN_END | LEASE_WHY_NO_BEGIN | LEASE_WHY_PLANNED_END | LEASE_WHY_SEEN_ONLY |
                                    LEASE_WHY_RESTARTED | LEASE_WHY_ROUNDED_TIME | LEASE_WHY_CLOCK_OFF;
static const uint32_t not_likely = LEASE_WHY_NO_PORT | LEASE_WHY_GAP | LEASE_WHY_CONFLICT | LEASE_WHY_TOO_MANY | LEASE_WHY_DAMAGED |
                                   LEASE_WHY_OTHER_REALM;

static int by_confidence(const void *a, const void *b)
{
    const struct lease_candidate *x = a, *y = b;
    if (x->confidence != y->confidence)
        return x->confidence > y->confidence ? -1 : 1;
    if (x->n_flows != y->n_flows)
        return x->n_flows > y->n_flows ? -1 : 1;
    if (x->by != y->by)
        return x->by < y->by ? -1 : 1;
    int r = ip_compare(&x->inside, &y->inside);
    return r ? r : (x->port_first > y->port_first) - (x->port_first < y->port_first);
}

void lease_settle(struct lease_answer *a)
{
    uint32_t n_seen = 0, n; /* n: not ruled out by flows */
    for (uint32_t i = 0; i < a->n; i++)
        n_seen += a->candidates[i].n_flows != 0;
    /* nobody was seen: the flows say nothing about whom it was; a sample rules nobody out */
    bool was_narrowed = (a->why & LEASE_WHY_NARROWED) && n_seen;
    n = was_narrowed && !(a->why & LEASE_WHY_SAMPLED) ? n_seen : a->n;
    for (uint32_t i = 0; i < a->n; i++) {
        struct lease_candidate *c = &a->candidates[i];
        uint32_t why = c->why | a->why;
        bool is_seen = was_narrowed && c->n_flows;
        if (is_seen) /* the flows answer what the port would have */
            why &= ~(uint32_t)LEASE_WHY_NO_PORT;
        bool is_one = was_narrowed ? is_seen && n_seen == 1 : a->n == 1;
        c->confidence = !is_one || (why & not_likely)                        ? LEASE_POSSIBLE
                        : (why & not_certain) || (is_seen && a->n > 1) ? LEASE_LIKELY
                                                                       : LEASE_CERTAIN;
    }
    if (a->n)
        qsort(a->candidates, a->n, sizeof(*a->candidates), by_confidence);
    a->verdict = !n ? LEASE_NONE : n == 1 ? LEASE_ONE : LEASE_SEVERAL;
}

/* say_why_none - whether the address is unknown, or only that time or port of it. */
static int say_why_none(struct lease_resolver *r, const struct asking *k, struct lease_answer *a)
{
    uint32_t ignored = 0;
    size_t n_at_that_time = 0;
    int rc = collect(r, &r->touching, &k->q->address, -1, k->since_us, k->until_us, &ignored);
    if (!rc)
        rc = settle_rows(r, &k->q->address, k->since_us, k->until_us, &ignored);
    for (size_t i = 0; !rc && i < r->touching.n; i++)
        n_at_that_time += !r->touching.all[i].is_out;
    if (!rc && !n_at_that_time)
        rc = collect(r, &r->touching, &k->q->address, -1, INT64_MIN, INT64_MAX, &ignored);
    a->why |= n_at_that_time ? LEASE_WHY_OTHER_PORT : r->touching.n ? LEASE_WHY_OTHER_TIME : LEASE_WHY_NO_RECORDS;
    for (size_t i = 0; !rc && i < r->touching.n; i++) {
        const struct lease_gateway *g = gateways_find(&r->gateways, r->touching.all[i].gateway);
        if (g && gateway_has_gap(g, k->since_us, k->until_us))
            a->why |= LEASE_WHY_GAP;
        if (a->why & LEASE_WHY_GAP)
            break;
    }
    return rc;
}

/* --- the question ------------------------------------------------------------------------------------------------ */

static int ask(struct lease_resolver *r, const struct asking *k, struct lease_answer *a);

/* ask_next - a question of the same window about what candidate @c names. */
static int ask_next(struct lease_resolver *r, const struct asking *k, struct lease_candidate *c, const struct ip *address, bool is_machine)
{
    const struct lease_question q = {.address = *address, .port = !is_machine && c->inside_port ? c->inside_port : -1,
                                     .protocol = k->q->protocol, .at_us = k->q->at_us, .skew_us = k->q->skew_us};
    struct asking next = *k;
    struct lease_answer below = {.n = 0};
    next.q = &q;
    next.realm = is_machine ? (struct text){"", 0} : c->realm;
    next.is_machine = is_machine;
    next.depth++;
    int rc = ask(r, &next, &below);
    if (rc)
        return rc;
    c->children = below.candidates;
    c->n_children = below.n;
    c->children_why = below.why;
    return 0;
}

/* follow - who held the inside addresses, and who logged in at a port with the machines. */
static int follow(struct lease_resolver *r, const struct asking *k, struct lease_answer *a)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < a->n && k->depth + 1 < RESOLVE_DEPTH; i++) {
        struct lease_candidate *c = &a->candidates[i];
        struct ip machine = lease_mac_address(c->mac);
        if (!ip_is_zero(&c->inside) && !ip_equal(&c->inside, &k->q->address))
            rc = ask_next(r, k, c, &c->inside, false);
        if (!rc && !c->n_children && c->mac && c->kind != LEASE_DOT1X)
            rc = ask_next(r, k, c, &machine, true);
    }
    return rc;
}

/*
 * allow_for_clocks - @k wide enough for what gateways measured near that time say of their clocks; rows of gateways that say
 * nothing stay where they are.
 */
static int allow_for_clocks(struct lease_resolver *r, const struct asking *k, struct asking *wide, uint32_t *why)
{
    int64_t most_us = r->gateways.most_clock_us, since_us, until_us;
    *wide = *k;
    if (!most_us || __builtin_sub_overflow(k->since_us, most_us, &since_us) || __builtin_add_overflow(k->until_us, most_us, &until_us))
        return 0;
    int rc = collect(r, &r->touching, &k->q->address, k->q->port, since_us, until_us, why);
    for (size_t i = 0; !rc && i < r->touching.n; i++) {
        const struct lease_gateway *g = gateways_find(&r->gateways, r->touching.all[i].gateway);
        int64_t clock_us = g ? gateway_clock(g, k->q->at_us) : 0;
        if (clock_us > 0 && k->since_us - clock_us < wide->since_us)
            wide->since_us = k->since_us - clock_us; /* it was behind: its times are earlier than ours */
        if (clock_us < 0 && k->until_us - clock_us > wide->until_us)
            wide->until_us = k->until_us - clock_us;
    }
    return rc;
}

static bool touches(const struct lease *l, int64_t since_us, int64_t until_us)
{
    return (l->from_us == LEASE_UNKNOWN || l->from_us <= until_us) && (l->to_us == LEASE_UNKNOWN || l->to_us >= since_us);
}

/* mark_clocks - which rows the clocks matter to; others count only in the window that was asked about. */
static void mark_clocks(struct lease_resolver *r, const struct asking *k)
{
    for (size_t i = 0; r->gateways.most_clock_us && i < r->touching.n; i++) {
        struct near_row *x = &r->touching.all[i];
        const struct lease_gateway *g = gateways_find(&r->gateways, x->gateway);
        x->clock_us = g ? gateway_clock(g, k->q->at_us) : 0;
        x->is_out |= !x->clock_us && !touches(&x->l, k->since_us, k->until_us);
    }
}

static int ask(struct lease_resolver *r, const struct asking *k, struct lease_answer *a)
{
    struct asking wide;
    if (r->view && lease_view_n_damaged(r->view, NULL))
        a->why |= LEASE_WHY_DAMAGED;
    if (k->until_us - k->since_us >= 2 * ROUNDED_HOURS * INT64_C(3600000000))
        a->why |= LEASE_WHY_ROUNDED_TIME;
    int rc = allow_for_clocks(r, k, &wide, &a->why);
    if (!rc)
        rc = collect(r, &r->touching, &k->q->address, k->q->port, wide.since_us, wide.until_us, &a->why);
    if (!rc)
        rc = settle_rows(r, &k->q->address, wide.since_us, wide.until_us, &a->why);
    if (!rc) {
        mark_clocks(r, k);
        rc = make_candidates(r, &wide, a);
    }
    if (!rc && !a->n)
        rc = say_why_none(r, &wide, a);
    if (rc)
        return rc;
    find_conflicts(a);
    rc = follow(r, k, a);
    lease_settle(a);
    return rc;
}

int lease_resolve(struct lease_resolver *r, const struct lease_question *q, struct arena *arena, struct lease_answer *ret)
{
    struct asking k = {.q = q, .arena = arena};
    *ret = (struct lease_answer){.verdict = LEASE_NONE};
    if (__builtin_sub_overflow(q->at_us, q->skew_us, &k.since_us))
        k.since_us = INT64_MIN;
    if (__builtin_add_overflow(q->at_us, q->skew_us, &k.until_us))
        k.until_us = INT64_MAX;
    return ask(r, &k, ret);
}
