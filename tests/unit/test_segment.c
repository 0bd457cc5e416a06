/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rows become a segment and must come back; finding, postings and merging are held against a
 * linear scan of the rows. Seed and rounds: VONGGAC_SEED, VONGGAC_ROUNDS.
 */
#include "watch/store/checksum.h"
#include "watch/store/pack.h"
#include "watch/store/segment_build.h"
#include "watch/store/segment_format.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "random_rows.h"

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

static void a_column_of_a_newer_program_is_named_as_such(void **unused)
{
    struct rows r;
    int fd;
    struct fault f = {0};
    struct segment_header h;
    (void)unused;
    state = seed + 2;
    make_rows(&r, 4, 100);
    segment_close(build(&r, &fd));
    assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
    h.columns |= UINT64_C(1) << 63; /* an id that nobody has yet */
    h.n_columns++;
    h.checksum = checksum(&h, offsetof(struct segment_header, checksum));
    assert_int_equal(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
    struct segment *s;
    assert_int_equal(segment_open(fd, 77, false, &s, &f), -EPROTO);
    close(fd);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_of_a_newer_program_is_named_as_such),
        cmocka_unit_test(random_rows_come_back_and_are_found),
        cmocka_unit_test(a_damaged_byte_is_noticed_before_it_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
