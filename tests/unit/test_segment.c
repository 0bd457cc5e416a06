/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rows become a segment and must come back; finding, postings and merging are held against a
 * linear scan of the rows. Seed and rounds: VONGGAC_SEED, VONGGAC_ROUNDS.
 */
#include "watch/store/pack.h"
#include "watch/store/segment_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed = 20261120, state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- rows -------------------------------------------------------------------------- */

enum { N_POOL = 700, MAX_ROWS = 30000 };

struct rows {
    int family;
    uint32_t n;
    struct flow *flows;
    uint32_t *observer; /* of every row, into `observers` */
    struct flow_observer observers[40];
    struct ip pool[N_POOL];
    struct buf texts;
    size_t *text_at; /* offsets: the buffer moves while it grows */
};

static struct ip random_address(int family)
{
    struct ip a;
    if (family == 4 || next_random() % 3 == 0)
        return ip_from_v4(next_random() % 8 ? (uint32_t)next_random() % 5000 + 0x0a000000
                                            : next_random() % 5 ? (uint32_t)next_random() : next_random() % 2 ? 0 : UINT32_MAX);
    for (int i = 0; i < 16; i++)
        a.b[i] = (uint8_t)(i < 4 ? 0x20 : next_random() % 4 ? 0 : next_random());
    if (next_random() % 50 == 0)
        memset(a.b, next_random() % 2 ? 0xff : 0, 16);
    return a;
}

static uint64_t random_number(unsigned column, uint32_t row)
{
    switch (column - FLOW_N_ADDRESSES) {
    case FLOW_START: return UINT64_C(1700000000000000) + row * 1000 + next_random() % 100000 * 1000;
    case FLOW_RECEIVED: return UINT64_C(1700000100000000) + row / 30 * 7777;
    case FLOW_SOURCE_BYTES: return next_random() % 100 ? next_random() % 5000 : next_random();
    case FLOW_CLOCK_OFFSET: return next_random() % 9 ? (uint64_t)-5000 : (uint64_t)INT64_MIN + next_random() % 3;
    case FLOW_DESTINATION_BYTES: return next_random() % 2 ? UINT64_MAX : next_random();
    case FLOW_INPUT_IF: return next_random() % 4;
    default: return next_random() >> next_random() % 64;
    }
}

static void set_numbers(struct flow *f, uint32_t row)
{
#define X(ID, member, type, ecs, alias)                                                    \
    if (f->present & FLOW_HAS(FLOW_##ID))                                                  \
        f->member = (type)random_number(FLOW_COLUMN_NUMBER(FLOW_##ID), row);
    FLOW_NUMBERS(X)
#undef X
    if (f->present & FLOW_HAS(FLOW_END))
        f->end_us = next_random() % 99 ? f->start_us + (int64_t)(next_random() % 60000000) : INT64_MIN;
    /* AS and prefix length follow the address, mostly */
    if (f->present & FLOW_HAS(FLOW_SOURCE_AS))
        f->source_as = next_random() % 200 ? f->source_ip.b[13] * 1000u + f->source_ip.b[14] : (uint32_t)next_random();
    if (f->present & FLOW_HAS(FLOW_DESTINATION_AS))
        f->destination_as = f->destination_ip.b[13] * 1000u + f->destination_ip.b[14];
    if (f->present & FLOW_HAS(FLOW_SOURCE_MASK))
        f->source_mask = next_random() % 100 ? (uint8_t)(16 + f->source_ip.b[15] % 9) : 0;
}

static uint64_t random_columns(void)
{
    uint64_t all = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START);
    uint64_t known = (UINT64_C(1) << FLOW_N_COLUMNS) - 1;
    return next_random() % 3 ? all | (next_random() & known) : known;
}

static void make_rows(struct rows *r, int family, uint32_t n)
{
    memset(r, 0, sizeof(*r));
    r->family = family;
    r->n = n;
    r->texts.max = (size_t)1 << 26;
    r->flows = calloc(n, sizeof(*r->flows));
    r->observer = calloc(n, sizeof(*r->observer));
    r->text_at = calloc(n, sizeof(*r->text_at));
    assert_true(r->flows && r->observer && r->text_at);
    for (unsigned i = 0; i < N_POOL; i++)
        r->pool[i] = random_address(family);
    for (uint32_t i = 0; i < 40; i++)
        r->observers[i] = (struct flow_observer){random_address(4), i};
    uint64_t often = random_columns(), rare = random_columns();
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = &r->flows[i];
        f->present = i / 5000 % 2 || next_random() % 20 ? often : rare;
#define X(ID, member, ecs, alias)                                                                       \
    if (f->present & FLOW_HAS_ADDRESS(FLOW_##ID))                                                        \
        f->member = next_random() % 4 ? r->pool[next_random() % N_POOL] : random_address(family);
        FLOW_ADDRESSES(X)
#undef X
        set_numbers(f, i);
        r->observer[i] = (uint32_t)(next_random() % 40);
        if (f->present & FLOW_HAS_TEXT) {
            size_t before = r->texts.n;
            r->text_at[i] = before;
            flow_text_add(&r->texts, "label", next_random() % 2 ? TEXT("flow=From-Botnet") : TEXT("x"));
            f->texts.n = r->texts.n - before;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        if (r->flows[i].present & FLOW_HAS_TEXT)
            r->flows[i].texts.p = (const char *)r->texts.p + r->text_at[i];
}

static void free_rows(struct rows *r)
{
    free(r->flows);
    free(r->observer);
    free(r->text_at);
    buf_fini(&r->texts);
}

/* --- building ------------------------------------------------------------------------ */

static void add_rows(struct segment_builder *b, const struct rows *r)
{
    struct flow_batch *batch = flow_batch_new(r->family);
    assert_non_null(batch);
    for (uint32_t from = 0; from < r->n;) {
        uint32_t want = next_random() % 3 ? (uint32_t)(next_random() % 9000) + 1 : FLOW_BATCH_ROWS, k = 0, taken;
        flow_batch_clear(batch);
        while (k < want && k < FLOW_BATCH_ROWS && from + k < r->n) {
            struct flow f = r->flows[from + k];
            if (f.present & FLOW_HAS(FLOW_OBSERVER))
                assert_int_equal(flow_batch_observer(batch, &r->observers[r->observer[from + k]], &f.observer), 0);
            assert_int_not_equal(flow_batch_add(batch, &f, 1, &taken), -ENOMEM);
            assert_int_equal(taken, 1);
            k++;
        }
        int e = segment_builder_add(b, batch, 0, &taken);
        assert_int_equal(taken, k);
        from += k;
        assert_int_equal(e, from == r->n ? SEGMENT_FULL : 0);
    }
    flow_batch_free(batch);
}

static struct segment *build(const struct rows *r, int *ret_fd)
{
    struct segment_builder *b = segment_builder_new(r->family, r->n);
    struct segment *s = NULL;
    struct fault f = {0};
    uint64_t n_bytes;
    assert_non_null(b);
    add_rows(b, r);
    int fd = memfd_create("segment", 0);
    assert_true(fd >= 0);
    assert_int_equal(segment_builder_write(b, 77, fd, &n_bytes, &f), 0);
    assert_true((off_t)n_bytes == lseek(fd, 0, SEEK_END));
    segment_builder_free(b);
    if (segment_open(fd, 77, false, &s, &f))
        fail_msg("%s", f.text);
    *ret_fd = fd;
    return s;
}

/* --- comparing ------------------------------------------------------------------------ */

static void check_flow(const struct rows *r, uint32_t i, const struct flow *got, const struct flow_observer *o)
{
    const struct flow *want = &r->flows[i];
    assert_true(got->present == want->present);
#define X(ID, member, ecs, alias) \
    if (want->present & FLOW_HAS_ADDRESS(FLOW_##ID)) \
        assert_memory_equal(&got->member, &want->member, 16);
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)                                           \
    if (FLOW_##ID != FLOW_OBSERVER && (want->present & FLOW_HAS(FLOW_##ID)) && got->member != want->member) \
        fail_msg("seed %llu row %u %s: %llx, not %llx", (unsigned long long)seed, i, ecs, \
                 (unsigned long long)got->member, (unsigned long long)want->member);
    FLOW_NUMBERS(X)
#undef X
    if (want->present & FLOW_HAS(FLOW_OBSERVER)) {
        assert_non_null(o);
        assert_memory_equal(&o->ip, &r->observers[r->observer[i]].ip, 16);
        assert_int_equal(o->domain, r->observers[r->observer[i]].domain);
    }
    if (want->present & FLOW_HAS_TEXT) {
        assert_int_equal(got->texts.n, want->texts.n);
        assert_memory_equal(got->texts.p, want->texts.p, want->texts.n);
    }
}

static void check_rows(const struct rows *r, const struct segment *s)
{
    struct flow_batch *batch = flow_batch_new(r->family);
    assert_non_null(batch);
    uint32_t row = 0;
    for (uint32_t b = 0; b < segment_info(s)->n_blocks; b++) {
        struct segment_texts *t;
        struct flow f;
        assert_int_equal(segment_texts_open(s, b, &t), 0);
        assert_int_equal(segment_to_batch(s, b, batch), 0);
        for (uint32_t i = 0; i < segment_block_rows(s, b); i++, row++) {
            if (i % 7 == 0) {
                assert_int_equal(segment_flow(s, b, i, t, &f), 0);
                check_flow(r, row, &f, segment_observer(s, f.observer));
            }
            flow_batch_get(batch, i, &f);
            check_flow(r, row, &f, f.observer < batch->n_observers ? &batch->observers[f.observer] : NULL);
        }
        segment_texts_close(t);
    }
    assert_int_equal(row, r->n);
    flow_batch_free(batch);
}

static void check_columns(const struct rows *r, const struct segment *s)
{
    static uint64_t v[SEGMENT_BLOCK_ROWS];
    uint64_t one;
    for (uint32_t b = 0; b < segment_info(s)->n_blocks; b++)
        for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
            struct segment_bounds x;
            uint64_t sign = flow_columns[c].is_signed ? UINT64_C(1) << 63 : 0;
            segment_bounds(s, b, c, &x);
            assert_int_equal(segment_read64(s, b, c, v), 0);
            for (uint32_t i = 0; i < segment_block_rows(s, b); i++) {
                assert_true((v[i] ^ sign) >= (x.min ^ sign) && (v[i] ^ sign) <= (x.max ^ sign));
                if (i % 50 == 0) {
                    assert_int_equal(segment_get(s, b, c, i, &one), 0);
                    assert_true(one == v[i]);
                }
                if (!(r->flows[b * SEGMENT_BLOCK_ROWS + i].present >> c & 1))
                    assert_true(v[i] == (c < FLOW_N_ADDRESSES ? segment_info(s)->n_entries : 0));
            }
        }
}

static bool row_has(const struct flow *f, const struct ip *a)
{
#define X(ID, member, ecs, alias) \
    if ((f->present & FLOW_HAS_ADDRESS(FLOW_##ID)) && ip_equal(&f->member, a)) \
        return true;
    FLOW_ADDRESSES(X)
#undef X
    return false;
}

/* any one address: found if a row has it, and posted in just the blocks of those rows */
static void check_address(const struct rows *r, const struct segment *s, const struct ip *a)
{
    uint64_t want[SEGMENT_ROWS / SEGMENT_BLOCK_ROWS / 64] = {0}, got[SEGMENT_ROWS / SEGMENT_BLOCK_ROWS / 64] = {0};
    uint32_t code = 0;
    bool is_there = false;
    for (uint32_t i = 0; i < r->n; i++)
        if (row_has(&r->flows[i], a)) {
            is_there = true;
            want[i / SEGMENT_BLOCK_ROWS / 64] |= UINT64_C(1) << i / SEGMENT_BLOCK_ROWS % 64;
        }
    assert_int_equal(segment_find(s, a, &code), is_there);
    uint32_t lower = segment_lower_bound(s, a);
    if (is_there) {
        assert_int_equal(lower, code);
        struct ip back = segment_address(s, code);
        assert_memory_equal(&back, a, 16);
        assert_int_equal(segment_postings(s, &code, 1, got), 0);
        assert_memory_equal(got, want, sizeof(got));
    }
    if (lower < segment_info(s)->n_entries) {
        struct ip next = segment_address(s, lower);
        assert_true(ip_compare(&next, a) >= 0);
    }
    if (lower > 0) {
        struct ip before = segment_address(s, lower - 1);
        assert_true(ip_compare(&before, a) < 0);
    }
}

static int compare_v4(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_ip(const void *a, const void *b)
{
    return ip_compare(a, b);
}

struct set {
    uint32_t v4[2000];
    struct v4_range ranges[40];
    struct ip_range v6[300];
    struct address_set view;
};

/* make_set - sorted, disjoint, singles outside ranges. */
static void make_set(struct set *x, const struct rows *r)
{
    uint32_t raw[2000], n = (uint32_t)(next_random() % 1000) * 2, edges[80], n_edges = (uint32_t)(next_random() % 20) * 2;
    struct ip ips[300];
    memset(x, 0, sizeof(*x));
    for (uint32_t i = 0; i < n_edges; i++)
        edges[i] = next_random() % 3 ? 0x0a000000 + (uint32_t)(next_random() % 6000) : (uint32_t)next_random();
    if (n_edges && next_random() % 4 == 0)
        edges[0] = UINT32_MAX;
    qsort(edges, n_edges, 4, compare_v4);
    for (uint32_t i = 0; i + 1 < n_edges; i += 2)
        if (!x->view.n_v4_ranges || edges[i] > x->ranges[x->view.n_v4_ranges - 1].last)
            x->ranges[x->view.n_v4_ranges++] = (struct v4_range){edges[i], edges[i + 1]};
    for (uint32_t i = 0; i < n; i++) {
        struct ip a = next_random() % 2 ? r->pool[next_random() % N_POOL] : random_address(4);
        raw[i] = ip_is_v4(&a) ? ip_v4(&a) : (uint32_t)next_random();
    }
    qsort(raw, n, 4, compare_v4);
    for (uint32_t i = 0; i < n; i++) {
        bool is_inside = x->view.n_v4 && x->v4[x->view.n_v4 - 1] == raw[i];
        for (size_t k = 0; k < x->view.n_v4_ranges; k++)
            is_inside |= raw[i] >= x->ranges[k].first && raw[i] <= x->ranges[k].last;
        if (!is_inside)
            x->v4[x->view.n_v4++] = raw[i];
    }
    uint32_t n_ips = (uint32_t)(next_random() % 150) * 2;
    for (uint32_t i = 0; i < n_ips; i++) {
        ips[i] = next_random() % 2 ? r->pool[next_random() % N_POOL] : random_address(6);
        if (ip_is_v4(&ips[i]))
            ips[i].b[0] = 0x20;
    }
    qsort(ips, n_ips, sizeof(*ips), compare_ip);
    static const struct ip low = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    for (uint32_t i = 0; i + 1 < n_ips; i += 2) {
        struct ip_range w = {ips[i], next_random() % 2 ? ips[i] : ips[i + 1]};
        bool crosses = ip_compare(&w.first, &low) < 0 && ip_compare(&w.last, &low) > 0;
        if (!crosses && (!x->view.n_v6 || ip_compare(&x->v6[x->view.n_v6 - 1].last, &w.first) < 0))
            x->v6[x->view.n_v6++] = w;
    }
    x->view.v4 = x->v4;
    x->view.v4_ranges = x->ranges;
    x->view.v6 = x->v6;
}

static bool set_has(const struct address_set *x, const struct ip *a)
{
    if (!ip_is_v4(a)) {
        for (size_t i = 0; i < x->n_v6; i++)
            if (ip_range_has(&x->v6[i], a))
                return true;
        return false;
    }
    for (size_t i = 0; i < x->n_v4; i++)
        if (x->v4[i] == ip_v4(a))
            return true;
    for (size_t i = 0; i < x->n_v4_ranges; i++)
        if (ip_v4(a) >= x->v4_ranges[i].first && ip_v4(a) <= x->v4_ranges[i].last)
            return true;
    return false;
}

static void check_merge(const struct rows *r, const struct segment *s)
{
    struct set x;
    uint32_t n = segment_info(s)->n_entries, *codes = malloc((n + 1) * sizeof(*codes));
    size_t n_codes, k = 0;
    assert_non_null(codes);
    make_set(&x, r);
    assert_int_equal(segment_merge(s, &x.view, codes, &n_codes), 0);
    for (uint32_t code = 0; code < n; code++) {
        struct ip a = segment_address(s, code);
        bool want = set_has(&x.view, &a);
        if (want != (k < n_codes && codes[k] == code))
            fail_msg("seed %llu code %u", (unsigned long long)seed, code);
        k += want;
    }
    assert_int_equal(k, n_codes);
    free(codes);
}

static void one_round(int family, uint32_t n)
{
    struct rows r;
    struct fault f = {0};
    int fd;
    make_rows(&r, family, n);
    struct segment *s = build(&r, &fd);
    assert_int_equal(segment_info(s)->n_rows, n);
    check_rows(&r, s);
    check_columns(&r, s);
    for (unsigned i = 0; i < 40; i++) {
        struct ip a = i % 2 ? r.pool[next_random() % N_POOL] : random_address(family);
        check_address(&r, s, &a);
    }
    for (unsigned i = 0; i < 5; i++)
        check_merge(&r, s);
    if (segment_verify(s, &f))
        fail_msg("%s", f.text);
    segment_close(s);
    close(fd);
    free_rows(&r);
}

static void random_rows_come_back_and_are_found(void **unused)
{
    static const uint32_t lengths[] = {1, 7, 1000, 8191, 8192, 8193, 20000};
    const char *rounds_text = getenv("VONGGAC_ROUNDS"), *seed_text = getenv("VONGGAC_SEED");
    int rounds = rounds_text ? atoi(rounds_text) : 8;
    (void)unused;
    if (seed_text)
        seed = strtoull(seed_text, NULL, 10);
    print_message("seed %llu, %d rounds\n", (unsigned long long)seed, rounds);
    state = seed;
    for (int i = 0; i < rounds; i++)
        one_round(i % 2 ? 6 : 4, lengths[(unsigned)i / 2 % 7]);
}

static void a_damaged_byte_is_noticed_before_it_is_believed(void **unused)
{
    struct rows r;
    int fd;
    struct fault f = {0};
    (void)unused;
    state = seed + 1;
    make_rows(&r, 4, 20000);
    struct segment *s = build(&r, &fd);
    uint64_t n_bytes = segment_info(s)->n_bytes;
    segment_close(s);
    for (unsigned i = 0; i < 60; i++) {
        off_t at = (off_t)(next_random() % n_bytes);
        uint8_t old, new;
        assert_int_equal(pread(fd, &old, 1, at), 1);
        new = old ^ (uint8_t)(1u << next_random() % 8);
        assert_int_equal(pwrite(fd, &new, 1, at), 1);
        int e = segment_open(fd, 77, false, &s, &f);
        if (!e) {
            e = segment_verify(s, &f);
            segment_close(s);
        }
        /* the padding behind the header and between sections carries nothing */
        if (!e && at >= 512)
            fail_msg("byte %lld changed unnoticed", (long long)at);
        assert_int_equal(pwrite(fd, &old, 1, at), 1);
    }
    assert_int_equal(segment_open(fd, 78, false, &s, &f), -EBADMSG);
    assert_int_equal(ftruncate(fd, (off_t)n_bytes - 1), 0);
    assert_int_equal(segment_open(fd, 77, false, &s, &f), -EBADMSG);
    close(fd);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_come_back_and_are_found),
        cmocka_unit_test(a_damaged_byte_is_noticed_before_it_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
