/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/resolve: the question "who held this address" against a linear scan, and case by case. */
#include "watch/lease/resolve.h"

#include "base/clock.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 (INT64_C(1700000000) * US_PER_SECOND)
#define SECONDS(n) (T0 + (int64_t)(n)*US_PER_SECOND)
#define NEVER LEASE_UNKNOWN
#define PUBLIC 0x71a00001u /* 113.160.0.1 */
#define INSIDE 0x64400000u /* 100.64.0.0/10, RFC 6598 */
#define ALL UINT16_MAX

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 20) % n);
}

static char directory[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)kind, (void)f;
    return remove(path);
}

/* a row as a test writes it; texts beside the row */
struct row {
    struct lease l;
    const char *gateway, *realm, *subscriber, *host;
};

struct world {
    struct lease_view *view;
    struct lease_resolver *resolver;
    struct arena arena;
};

static struct text text(const char *s)
{
    return (struct text){s ? s : "", s ? strlen(s) : 0};
}

static void put(struct lease_import *i, const struct row *row)
{
    const struct lease_row r = {.l = row->l, .gateway = text(row->gateway), .realm = text(row->realm), .subscriber = text(row->subscriber),
                                .host = text(row->host)};
    struct fault f = {0};
    assert_int_equal(lease_import_row(i, &r, &f), 0);
}

static void open_world(struct world *w, const struct row *rows, size_t n)
{
    struct fault f = {0};
    struct lease_store *s;
    struct lease_import *i;
    struct lease_import_result result;
    struct sha256 content = {{1}};
    snprintf(directory, sizeof(directory), "/tmp/vonggac-lease-XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(lease_store_open(directory, NULL, &s, &f), 0);
    assert_int_equal(lease_import_begin(s, &content, "rows", false, &i, &f), 0);
    for (size_t k = 0; k < n; k++)
        put(i, &rows[k]);
    assert_int_equal(lease_import_commit(i, &result, &f), 0);
    lease_store_close(s);
    *w = (struct world){.arena.max_bytes = (size_t)64 << 20};
    assert_int_equal(lease_view_open(directory, &w->view, &f), 0);
    assert_int_equal(lease_resolver_new(w->view, NULL, &w->resolver), 0);
}

static void close_world(struct world *w)
{
    arena_fini(&w->arena);
    lease_resolver_free(w->resolver);
    lease_view_close(w->view);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct lease_answer ask(struct world *w, uint32_t v4, int port, int64_t at_us, int64_t skew_us)
{
    struct lease_answer a;
    const struct lease_question q = {.address = ip_from_v4(v4), .port = port, .at_us = at_us, .skew_us = skew_us};
    assert_int_equal(lease_resolve(w->resolver, &q, &w->arena, &a), 0);
    return a;
}

static struct row block(uint32_t inside, int first, int last, int64_t from, int64_t to)
{
    return (struct row){.l = {.outside = ip_from_v4(PUBLIC), .inside = ip_from_v4(INSIDE + inside), .from_us = from, .to_us = to,
                              .port_first = (uint16_t)first, .port_last = (uint16_t)last, .kind = LEASE_PORT_BLOCK, .prefix = 128},
                        .gateway = "cgn1"};
}

static bool is_held_by(const struct lease_answer *a, uint32_t i, uint32_t inside)
{
    struct ip ip = ip_from_v4(INSIDE + inside);
    return i < a->n && ip_equal(&a->candidates[i].inside, &ip);
}

/* --- case by case ------------------------------------------------------------------------------------------- */

static void one_holder_of_the_port_is_certain(void **state)
{
    (void)state;
    struct world w;
    const struct row rows[] = {block(1, 1024, 2047, SECONDS(0), SECONDS(100)), block(2, 2048, 4095, SECONDS(0), SECONDS(100)),
                               block(3, 1024, 2047, SECONDS(100), SECONDS(200))};
    open_world(&w, rows, 3);
    struct lease_answer a = ask(&w, PUBLIC, 1500, SECONDS(50), SECONDS(10) - T0);
    assert_int_equal(a.verdict, LEASE_ONE);
    assert_true(is_held_by(&a, 0, 1));
    assert_int_equal(a.candidates[0].confidence, LEASE_CERTAIN);
    /* no port: two could be meant, and no form may say "is" */
    a = ask(&w, PUBLIC, -1, SECONDS(50), 0);
    assert_int_equal(a.verdict, LEASE_SEVERAL);
    assert_int_equal(a.n, 2);
    assert_int_equal(a.candidates[0].confidence, LEASE_POSSIBLE);
    assert_true(a.candidates[0].why & LEASE_WHY_NO_PORT);
    /* a window over the change: two took turns, which is no conflict */
    a = ask(&w, PUBLIC, 1500, SECONDS(99), SECONDS(5) - T0);
    assert_int_equal(a.verdict, LEASE_SEVERAL);
    assert_false(a.candidates[0].why & LEASE_WHY_CONFLICT);
    /* the end lies outside: at second 100 the next one has it */
    a = ask(&w, PUBLIC, 1500, SECONDS(100), 0);
    assert_int_equal(a.verdict, LEASE_ONE);
    assert_true(is_held_by(&a, 0, 3));
    a = ask(&w, PUBLIC, 5000, SECONDS(50), 0);
    assert_int_equal(a.verdict, LEASE_NONE);
    assert_int_equal(a.why, LEASE_WHY_OTHER_PORT);
    a = ask(&w, PUBLIC, 1500, SECONDS(500), 0);
    assert_int_equal(a.why, LEASE_WHY_OTHER_TIME);
    a = ask(&w, PUBLIC + 1, 1500, SECONDS(50), 0);
    assert_int_equal(a.why, LEASE_WHY_NO_RECORDS);
    close_world(&w);
}

static void one_holder_alone_without_a_port_is_possible_only(void **state)
{
    (void)state;
    struct world w;
    const struct row rows[] = {block(1, 1024, 2047, SECONDS(0), SECONDS(100))};
    open_world(&w, rows, 1);
    struct lease_answer a = ask(&w, PUBLIC, -1, SECONDS(50), 0);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.candidates[0].confidence, LEASE_POSSIBLE);
    close_world(&w);
}

static void an_open_row_ends_where_later_rows_say(void **state)
{
    (void)state;
    struct row stop = block(1, 1024, 2047, NEVER, SECONDS(40));
    struct row next = block(2, 1024, 2047, SECONDS(60), SECONDS(70));
    struct row restart = {.l = {.from_us = SECONDS(30), .to_us = NEVER, .kind = LEASE_RESTART, .prefix = 128}, .gateway = "cgn1"};
    const struct row open = block(1, 1024, 2047, SECONDS(0), NEVER);
    struct world w;
    open_world(&w, &open, 1);
    struct lease_answer a = ask(&w, PUBLIC, 1500, SECONDS(5000), 0);
    assert_int_equal(a.verdict, LEASE_ONE); /* nobody said it ended */
    assert_int_equal(a.candidates[0].confidence, LEASE_LIKELY);
    assert_true(a.candidates[0].why & LEASE_WHY_OPEN_END);
    close_world(&w);
    struct {
        struct row ending;
        int last_s; /* the last second it is held */
    } cases[] = {{stop, 39}, {next, 59}, {restart, 29}};
    for (size_t i = 0; i < 3; i++) {
        struct row rows[] = {open, cases[i].ending};
        open_world(&w, rows, 2);
        a = ask(&w, PUBLIC, 1500, SECONDS(cases[i].last_s), 0);
        assert_int_equal(a.verdict, LEASE_ONE);
        assert_true(is_held_by(&a, 0, 1));
        assert_int_equal(a.candidates[0].n_rows, 1);
        a = ask(&w, PUBLIC, 1500, SECONDS(cases[i].last_s + 1), 0);
        assert_false(is_held_by(&a, 0, 1));
        close_world(&w);
    }
}

static void a_stop_alone_began_behind_the_one_before(void **state)
{
    (void)state;
    struct world w;
    const struct row rows[] = {block(1, 1024, 2047, NEVER, SECONDS(40)), block(2, 1024, 2047, SECONDS(10), SECONDS(20))};
    open_world(&w, rows, 2);
    struct lease_answer a = ask(&w, PUBLIC, 1500, SECONDS(30), 0);
    assert_int_equal(a.verdict, LEASE_ONE);
    assert_true(is_held_by(&a, 0, 1));
    assert_int_equal(a.candidates[0].confidence, LEASE_LIKELY);
    a = ask(&w, PUBLIC, 1500, SECONDS(5), 0); /* the other began later than that: so did this one */
    assert_int_equal(a.verdict, LEASE_NONE);
    close_world(&w);
}

static void two_gateways_that_claim_one_block_contradict_each_other(void **state)
{
    (void)state;
    struct world w;
    struct row rows[] = {block(1, 1024, 2047, SECONDS(0), SECONDS(100)), block(2, 1024, 2047, SECONDS(0), SECONDS(100))};
    rows[1].gateway = "cgn2";
    open_world(&w, rows, 2);
    struct lease_answer a = ask(&w, PUBLIC, 1500, SECONDS(50), 0);
    assert_int_equal(a.verdict, LEASE_SEVERAL);
    assert_true(a.candidates[0].why & a.candidates[1].why & LEASE_WHY_CONFLICT);
    close_world(&w);
}

static void a_chain_is_followed_within_its_realm(void **state)
{
    (void)state;
    struct world w;
    struct row rows[] = {
        block(1, 1024, 2047, SECONDS(0), SECONDS(100)),
        {.l = {.outside = ip_from_v4(INSIDE + 1), .from_us = SECONDS(-50), .to_us = SECONDS(500), .port_last = ALL, .prefix = 128, .kind = LEASE_RADIUS,
               .mac = 0x001122334455},
         .gateway = "bras7", .realm = "hn", .subscriber = "hn_0123"},
        {.l = {.outside = ip_from_v4(INSIDE + 1), .from_us = SECONDS(-50), .to_us = SECONDS(500), .port_last = ALL, .prefix = 128, .kind = LEASE_RADIUS},
         .gateway = "bras9", .realm = "dn", .subscriber = "dn_9"},
    };
    rows[0].realm = "hn";
    open_world(&w, rows, 3);
    struct lease_answer a = ask(&w, PUBLIC, 1500, SECONDS(50), 0);
    assert_int_equal(a.verdict, LEASE_ONE);
    assert_int_equal(a.candidates[0].n_children, 2);
    const struct lease_candidate *of_hn = &a.candidates[0].children[0], *of_dn = &a.candidates[0].children[1];
    if (text_is(of_hn->subscriber, "dn_9"))
        of_dn = of_hn, of_hn = &a.candidates[0].children[1];
    assert_true(text_is(of_hn->subscriber, "hn_0123") && text_is(of_dn->subscriber, "dn_9"));
    assert_true(of_dn->why & LEASE_WHY_OTHER_REALM);
    assert_false(of_hn->why & LEASE_WHY_OTHER_REALM);
    close_world(&w);
}

static void silence_of_a_busy_gateway_is_a_gap(void **state)
{
    (void)state;
    enum { PER_HOUR = 30, HOURS = 48 };
    struct row rows[PER_HOUR * HOURS + 1];
    size_t n = 0;
    for (int h = 0; h < HOURS; h++)
        for (int i = 0; i < PER_HOUR && h != 20; i++) /* hour 20 is missing */
            rows[n++] = block(100 + (uint32_t)(h * PER_HOUR + i), 1024 + 64 * i, 1087 + 64 * i, SECONDS(h * 3600 + i), SECONDS(h * 3600 + 60 + i));
    rows[n++] = block(1, 60000, 60063, SECONDS(19 * 3600 + 100), NEVER);
    struct world w;
    open_world(&w, rows, n);
    struct lease_answer a = ask(&w, PUBLIC, 60001, SECONDS(22 * 3600), 0);
    assert_int_equal(a.n, 1);
    assert_true(a.candidates[0].why & LEASE_WHY_GAP); /* its end may have been told in the hour nobody heard */
    assert_int_equal(a.candidates[0].confidence, LEASE_POSSIBLE);
    a = ask(&w, PUBLIC, 60001, SECONDS(19 * 3600 + 200), 0);
    assert_false(a.candidates[0].why & LEASE_WHY_GAP);
    a = ask(&w, PUBLIC, 1025, SECONDS(20 * 3600 + 1000), 0);
    assert_int_equal(a.verdict, LEASE_NONE);
    assert_true(a.why & LEASE_WHY_GAP);
    close_world(&w);
}

/* clock_row - a measure of the hour around T0. */
static struct row clock_row(const char *gateway, int64_t us)
{
    struct row r = {.l = {.from_us = T0 - T0 % (3600 * US_PER_SECOND), .port_last = ALL, .prefix = 128, .kind = LEASE_CLOCK}, .gateway = gateway};
    r.l.to_us = r.l.from_us + 3600 * US_PER_SECOND;
    lease_set_clock(&r.l, us);
    return r;
}

static void a_gateway_whose_clock_is_ten_minutes_off_is_answered_with_a_wider_window(void **state)
{
    (void)state;
    /* by its own clock the first had the block until 1,000 s and the second from then on; behind: ten minutes later in truth */
    static const struct {
        int64_t clock_s;
        int at_s;
        unsigned n_candidates;
        uint32_t inside; /* of one */
    } cases[] = {
        {600, 1300, 2, 0},    /* in truth the first still had it; the record alone would have named the second */
        {600, 2000, 1, 2},    /* far enough behind: nobody else can be meant */
        {600, 500, 1, 1},
        {-600, 700, 2, 0},    /* ahead: the change was at 400 s */
        {-600, 1100, 1, 2},
        {2, 1300, 1, 2},      /* a message's way is no error of a clock */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct row rows[] = {block(1, 1024, 2047, SECONDS(0), SECONDS(1000)), block(2, 1024, 2047, SECONDS(1000), SECONDS(5000)),
                                   clock_row("cgn1", cases[i].clock_s * US_PER_SECOND), clock_row("cgn2", 9000 * US_PER_SECOND)};
        struct world w;
        open_world(&w, rows, sizeof(rows) / sizeof(*rows));
        struct lease_answer a = ask(&w, PUBLIC, 1100, SECONDS(cases[i].at_s), 0);
        bool is_off = cases[i].clock_s > 5 || cases[i].clock_s < -5;
        assert_int_equal(a.n, cases[i].n_candidates);
        for (uint32_t k = 0; k < a.n; k++) {
            assert_int_equal(a.candidates[k].clock_us, is_off ? cases[i].clock_s * US_PER_SECOND : 0);
            assert_int_equal(!!(a.candidates[k].why & LEASE_WHY_CLOCK_OFF), is_off);
            assert_true(!is_off || a.candidates[k].confidence != LEASE_CERTAIN);
        }
        if (a.n == 1)
            assert_int_equal(ip_v4(&a.candidates[0].inside), INSIDE + cases[i].inside);
        close_world(&w);
    }
}

static void the_clock_of_one_gateway_widens_nothing_for_another(void **state)
{
    (void)state;
    struct row other = block(2, 1024, 2047, SECONDS(1000), SECONDS(5000));
    other.gateway = "cgn2";
    const struct row rows[] = {block(1, 1024, 2047, SECONDS(0), SECONDS(1000)), other, clock_row("cgn2", -600 * US_PER_SECOND)};
    struct world w;
    open_world(&w, rows, sizeof(rows) / sizeof(*rows));
    struct lease_answer a = ask(&w, PUBLIC, 1100, SECONDS(2000), 0); /* the first was over a thousand seconds ago, and its clock is right */
    assert_int_equal(a.n, 1);
    assert_int_equal(ip_v4(&a.candidates[0].inside), INSIDE + 2);
    close_world(&w);
}

static void a_machine_leads_to_who_logged_in_at_its_port_of_the_switch(void **state)
{
    (void)state;
    const uint64_t mac = 0x00163eaabbcc, other = 0x00163eaabbcd;
    struct row dhcp = {.l = {.outside = ip_from_v4(0x0a000005), .mac = mac, .from_us = SECONDS(0), .to_us = SECONDS(3600), .port_last = ALL,
                             .prefix = 128, .kind = LEASE_DHCP}, .gateway = "dhcp-1"};
    struct row login = {.l = {.outside = lease_mac_address(mac), .mac = mac, .from_us = SECONDS(-60), .to_us = SECONDS(3000), .port_last = ALL,
                              .prefix = 128, .kind = LEASE_DOT1X}, .gateway = "sw-3", .subscriber = "lan.nguyen", .host = "Gi1/0/7"};
    struct row foreign = login, neighbour = login;
    foreign.l.mac = other;
    foreign.l.outside = lease_mac_address(other);
    foreign.subscriber = "somebody.else";
    neighbour.l.kind = LEASE_NEIGHBOUR; /* the same link-local address in a table of neighbours is no login */
    neighbour.subscriber = "table";
    const struct row rows[] = {dhcp, login, foreign, neighbour};
    struct world w;
    open_world(&w, rows, sizeof(rows) / sizeof(*rows));
    struct lease_answer a = ask(&w, 0x0a000005, -1, SECONDS(100), 0);
    assert_int_equal(a.n, 1);
    assert_int_equal(a.candidates[0].n_children, 1);
    const struct lease_candidate *c = &a.candidates[0].children[0];
    assert_int_equal(c->kind, LEASE_DOT1X);
    assert_memory_equal(c->subscriber.p, "lan.nguyen", c->subscriber.n);
    assert_memory_equal(c->host.p, "Gi1/0/7", c->host.n);
    assert_int_equal(c->confidence, LEASE_CERTAIN);
    arena_fini(&w.arena);
    a = ask(&w, 0x0a000005, -1, SECONDS(3300), 0); /* he has logged out */
    assert_int_equal(a.n, 1);
    assert_int_equal(a.candidates[0].n_children, 0);
    close_world(&w);
}

static void a_renewed_lease_is_one_holder_all_along(void **state)
{
    (void)state;
    struct row rows[3];
    for (int i = 0; i < 3; i++)
        rows[i] = (struct row){.l = {.outside = ip_from_v4(0x0a000005), .from_us = SECONDS(i * 1800), .to_us = SECONDS(i * 1800 + 3600),
                                     .port_last = ALL, .kind = LEASE_DHCP, .prefix = 128, .flags = LEASE_TO_PLANNED, .mac = 0x5254001234},
                               .gateway = "dhcp", .host = "PC-12"};
    struct world w;
    open_world(&w, rows, 3);
    struct lease_answer a = ask(&w, 0x0a000005, -1, SECONDS(2000), SECONDS(300) - T0);
    assert_int_equal(a.verdict, LEASE_ONE);
    assert_int_equal(a.n, 1);
    assert_true(text_is(a.candidates[0].host, "PC-12"));
    a = ask(&w, 0x0a000005, -1, SECONDS(3600 + 3500), 0);
    assert_int_equal(a.n, 1);
    assert_true(a.candidates[0].why & LEASE_WHY_PLANNED_END);
    assert_int_equal(a.candidates[0].confidence, LEASE_LIKELY);
    close_world(&w);
}

/* --- against a linear scan --------------------------------------------------------------------------------------- */

enum { N_ROWS = 60 };

static bool shares(const struct lease *a, const struct lease *b)
{
    return ip_equal(&a->outside, &b->outside) && (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
           a->port_first <= b->port_last && b->port_first <= a->port_last;
}

/* holds - the definition, row against all rows. */
static bool holds(const struct row *rows, unsigned n, const struct row *x, int64_t since, int64_t until)
{
    const struct lease *l = &x->l;
    int64_t end = l->to_us;
    if (l->from_us == NEVER) {
        for (unsigned i = 0; i < n; i++) {
            const struct lease *y = &rows[i].l;
            if (y->from_us == NEVER || !shares(l, y) || y->from_us >= l->to_us)
                continue;
            bool is_whole = y->to_us != NEVER && !(y->flags & LEASE_TO_PLANNED);
            if (!is_whole && ip_equal(&y->inside, &l->inside) && (y->to_us == NEVER || y->to_us > until))
                return false;
            if (y->from_us > until || (is_whole && y->to_us <= l->to_us && y->to_us > until))
                return false;
        }
        return end > since;
    }
    if (l->from_us > until)
        return false;
    for (unsigned i = 0; i < n && (l->to_us == NEVER || (l->flags & LEASE_TO_PLANNED)); i++) {
        const struct lease *y = &rows[i].l;
        bool tells = y->kind == LEASE_RESTART ||
                     (shares(l, y) && (y->from_us != NEVER || ip_equal(&y->inside, &l->inside)));
        int64_t at = lease_begin_us(y);
        if (tells && at > l->from_us && (end == NEVER || at < end))
            end = at;
    }
    return end == NEVER || end > since || (end == l->from_us && end >= since);
}

static struct row random_row(void)
{
    struct row r = block(1 + below(5), 0, ALL, SECONDS(below(300)), NEVER);
    r.l.to_us = r.l.from_us + (int64_t)below(100) * US_PER_SECOND;
    if (below(3)) {
        r.l.port_first = (uint16_t)(below(4) * 256);
        r.l.port_last = (uint16_t)(r.l.port_first + (below(2) ? 255 : 511));
    }
    if (!below(3))
        r.l.outside = ip_from_v6((const uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 1});
    r.l.protocol = (uint8_t)(below(3) ? 0 : 6 + 11 * below(2));
    switch (below(6)) {
    case 0:
        r.l.to_us = NEVER;
        break;
    case 1:
        r.l.from_us = NEVER;
        break;
    case 2:
        r.l.flags = LEASE_TO_PLANNED;
        break;
    case 3:
        if (!below(4))
            r = (struct row){.l = {.from_us = r.l.from_us, .to_us = NEVER, .kind = LEASE_RESTART, .prefix = 128}, .gateway = "cgn1"};
        break;
    default:
        break;
    }
    return r;
}

/* put_answer - the candidates of a question as one text, to be compared. */
static void put_answer(char *out, size_t n_out, const struct lease_answer *a)
{
    size_t n = (size_t)snprintf(out, n_out, "%d %x", a->verdict, a->why);
    for (uint32_t i = 0; i < a->n && n < n_out; i++) {
        const struct lease_candidate *c = &a->candidates[i];
        n += (size_t)snprintf(out + n, n_out - n, ";%x %d %x %lld %lld", ip_v4(&c->inside), c->confidence, c->why, (long long)c->from_us,
                              (long long)c->to_us);
    }
}

static void doubled_and_reordered_rows_answer_the_same(void **state)
{
    (void)state;
    const char *seed = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    for (uint64_t round = 0; round < (rounds ? strtoull(rounds, NULL, 10) : 20); round++) {
        static struct row rows[N_ROWS], other[2 * N_ROWS];
        char answers[30][4096], again[4096];
        struct lease_question q[30];
        struct world w;
        random_state = (first + round) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        unsigned n = 1 + below(N_ROWS);
        for (unsigned i = 0; i < n; i++)
            rows[i] = other[i] = other[n + i] = random_row();
        for (unsigned i = 2 * n - 1; i > 0; i--) {
            unsigned k = below(i + 1);
            struct row swap = other[i];
            other[i] = other[k];
            other[k] = swap;
        }
        open_world(&w, rows, n);
        for (int k = 0; k < 30; k++) {
            q[k] = (struct lease_question){.address = ip_from_v4(PUBLIC), .port = below(4) ? (int32_t)below(1536) : -1,
                                           .at_us = SECONDS(below(400)), .skew_us = (int64_t)below(3) * 20 * US_PER_SECOND};
            struct lease_answer a;
            assert_int_equal(lease_resolve(w.resolver, &q[k], &w.arena, &a), 0);
            put_answer(answers[k], sizeof(answers[k]), &a);
        }
        close_world(&w);
        open_world(&w, other, 2 * n);
        for (int k = 0; k < 30; k++) {
            struct lease_answer a;
            assert_int_equal(lease_resolve(w.resolver, &q[k], &w.arena, &a), 0);
            put_answer(again, sizeof(again), &a);
            if (strcmp(answers[k], again) != 0)
                fail_msg("seed %llu, question %d:\n%s\n%s", (unsigned long long)(first + round), k, answers[k], again);
        }
        close_world(&w);
    }
}

static void candidates_equal_a_linear_scan(void **state)
{
    (void)state;
    const char *seed = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    for (uint64_t round = 0; round < (rounds ? strtoull(rounds, NULL, 10) : 40); round++) {
        struct row rows[N_ROWS];
        struct world w;
        unsigned n = 1 + below(N_ROWS);
        random_state = (first + round) * UINT64_C(0x9e3779b97f4a7c15) | 1;
        n = 1 + below(N_ROWS);
        for (unsigned i = 0; i < n; i++)
            rows[i] = random_row();
        open_world(&w, rows, n);
        for (int k = 0; k < 60; k++) {
            bool expected[8] = {0}, found[8] = {0};
            struct lease_question q = {.address = below(3) ? ip_from_v4(PUBLIC) : ip_from_v6((const uint8_t[16]){0x20, 1, 0xd, 0xb8, [15] = 1}),
                                       .port = below(4) ? (int32_t)below(1536) : -1, .at_us = SECONDS(below(400)),
                                       .skew_us = (int64_t)below(3) * 20 * US_PER_SECOND, .protocol = (uint8_t)(below(3) ? 0 : 6)};
            struct lease_answer a;
            assert_int_equal(lease_resolve(w.resolver, &q, &w.arena, &a), 0);
            for (unsigned i = 0; i < n; i++) {
                const struct lease *l = &rows[i].l;
                bool is_meant = l->kind != LEASE_RESTART && ip_equal(&l->outside, &q.address) &&
                                (q.port < 0 || (l->port_first <= q.port && q.port <= l->port_last)) &&
                                (!q.protocol || !l->protocol || q.protocol == l->protocol);
                if (is_meant && holds(rows, n, &rows[i], q.at_us - q.skew_us, q.at_us + q.skew_us))
                    expected[ip_v4(&l->inside) - INSIDE] = true;
            }
            for (uint32_t i = 0; i < a.n; i++)
                found[ip_v4(&a.candidates[i].inside) - INSIDE] = true;
            for (unsigned i = 0; i < n && memcmp(expected, found, sizeof(found)); i++) {
                const struct lease *l = &rows[i].l;
                print_message("%u: %s inside %u ports %u-%u protocol %u from %lld to %lld flags %u kind %u\n", i,
                              ip_is_v4(&l->outside) ? "v4" : "v6", ip_v4(&l->inside) - INSIDE, l->port_first, l->port_last, l->protocol,
                              l->from_us == NEVER ? -1 : (long long)(l->from_us - T0) / 1000000,
                              l->to_us == NEVER ? -1 : (long long)(l->to_us - T0) / 1000000, l->flags, l->kind);
            }
            if (memcmp(expected, found, sizeof(found)))
                fail_msg("seed %llu, question %d: port %d protocol %u at %lld skew %lld, found %d%d%d%d%d", (unsigned long long)(first + round), k,
                         q.port, q.protocol, (long long)(q.at_us - T0) / 1000000, (long long)q.skew_us / 1000000, found[1], found[2],
                         found[3], found[4], found[5]);
            assert_int_equal(a.verdict, a.n == 0 ? LEASE_NONE : a.n == 1 ? LEASE_ONE : LEASE_SEVERAL);
            assert_true(a.n < 2 || a.candidates[0].confidence == LEASE_POSSIBLE); /* never one by chance */
        }
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder_of_the_port_is_certain),
        cmocka_unit_test(one_holder_alone_without_a_port_is_possible_only),
        cmocka_unit_test(an_open_row_ends_where_later_rows_say),
        cmocka_unit_test(a_stop_alone_began_behind_the_one_before),
        cmocka_unit_test(two_gateways_that_claim_one_block_contradict_each_other),
        cmocka_unit_test(a_chain_is_followed_within_its_realm),
        cmocka_unit_test(silence_of_a_busy_gateway_is_a_gap),
        cmocka_unit_test(a_gateway_whose_clock_is_ten_minutes_off_is_answered_with_a_wider_window),
        cmocka_unit_test(the_clock_of_one_gateway_widens_nothing_for_another),
        cmocka_unit_test(a_machine_leads_to_who_logged_in_at_its_port_of_the_switch),
        cmocka_unit_test(a_renewed_lease_is_one_holder_all_along),
        cmocka_unit_test(doubled_and_reordered_rows_answer_the_same),
        cmocka_unit_test(candidates_equal_a_linear_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
