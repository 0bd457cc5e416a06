/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dictionary over many segments, held against the segments themselves.
 */
#include "watch/store/merged.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "random_rows.h"

static struct segment *build(const struct rows *r, uint64_t id)
{
    struct segment_builder *b = segment_builder_new(r->family, r->n);
    struct flow_batch *batch = flow_batch_new(r->family);
    struct segment *s = NULL;
    struct fault f = {0};
    uint64_t n_bytes;
    uint32_t taken;
    assert_true(b && batch);
    for (uint32_t i = 0; i < r->n; i++) {
        struct flow x = r->flows[i];
        x.present &= ~FLOW_HAS(FLOW_OBSERVER);
        assert_true(flow_batch_add(batch, &x, 1, &taken) >= 0);
        if (batch->n == FLOW_BATCH_ROWS || i + 1 == r->n) {
            assert_true(segment_builder_add(b, batch, 0, &taken) >= 0);
            flow_batch_clear(batch);
        }
    }
    int fd = memfd_create("segment", 0);
    assert_int_equal(segment_builder_write(b, id, fd, &n_bytes, &f), 0);
    assert_int_equal(segment_open(fd, id, false, &s, &f), 0);
    close(fd);
    segment_builder_free(b);
    flow_batch_free(batch);
    return s;
}

struct expected {
    struct segment **segments;
    size_t n;
    const struct address_set *set;
    struct ip last;
    uint64_t found;
};

static int check_found(void *context, const struct ip *a, const uint64_t *members)
{
    struct expected *x = context;
    assert_true(set_has(x->set, a));
    assert_true(x->found == 0 || ip_compare(&x->last, a) < 0);
    for (size_t i = 0; i < x->n; i++) {
        uint32_t code;
        assert_int_equal(segment_find(x->segments[i], a, &code), members[i / 64] >> i % 64 & 1);
    }
    x->last = *a;
    x->found++;
    return 0;
}

static int stop_at_once(void *context, const struct ip *a, const uint64_t *members)
{
    (void)context;
    (void)a;
    (void)members;
    return 42;
}

/* every entry of every segment that is in the set, each once */
static uint64_t count_distinct(const struct expected *x)
{
    uint64_t n = 0;
    for (size_t i = 0; i < x->n; i++)
        for (uint32_t code = 0; code < segment_info(x->segments[i])->n_entries; code++) {
            struct ip a = segment_address(x->segments[i], code);
            uint32_t other;
            bool is_first = set_has(x->set, &a);
            for (size_t k = 0; is_first && k < i; k++)
                is_first = !segment_find(x->segments[k], &a, &other);
            n += is_first;
        }
    return n;
}

static void one_round(int family, size_t n, uint32_t n_rows)
{
    struct segment *segments[70];
    struct rows r;
    struct merged *m;
    struct fault f = {0};
    uint64_t n_bytes;
    for (size_t i = 0; i < n; i++) {
        make_rows(&r, family, n_rows);
        segments[i] = build(&r, 100 + i);
        if (i + 1 < n)
            free_rows(&r);
    }
    int fd = memfd_create("merged", 0);
    if (merged_write(segments, n, 9, fd, &n_bytes, &f))
        fail_msg("%s", f.text);
    assert_true((off_t)n_bytes == lseek(fd, 0, SEEK_END));
    if (merged_open(fd, 9, &m, &f))
        fail_msg("%s", f.text);
    assert_int_equal(merged_n_members(m), n);
    assert_int_equal(merged_member(m, n - 1), 100 + n - 1);
    assert_int_equal(merged_verify(m, &f), 0);
    for (int k = 0; k < 4; k++) {
        struct set x;
        make_set(&x, &r);
        struct expected want = {.segments = segments, .n = n, .set = &x.view};
        assert_int_equal(merged_find(m, &x.view, check_found, &want), 0);
        assert_int_equal(want.found, count_distinct(&want));
        if (want.found)
            assert_int_equal(merged_find(m, &x.view, stop_at_once, NULL), 42);
    }
    static const struct v4_range all4 = {0, UINT32_MAX};
    const struct address_set all = {.v4_ranges = &all4, .n_v4_ranges = 1};
    struct expected want = {.segments = segments, .n = n, .set = &all};
    assert_int_equal(merged_find(m, &all, check_found, &want), 0);
    if (family == 4)
        assert_int_equal(want.found, merged_n_entries(m));
    merged_close(m);
    assert_int_equal(merged_open(fd, 10, &m, &f), -EBADMSG);
    close(fd);
    for (size_t i = 0; i < n; i++)
        segment_close(segments[i]);
    free_rows(&r);
}

static void every_entry_names_the_segments_that_have_it(void **unused)
{
    (void)unused;
    state = seed;
    one_round(4, 1, 3000);
    one_round(4, 3, 20000);
    one_round(6, 3, 9000);
    one_round(4, 70, 700);
    one_round(6, 20, 300);
}

static void segments_of_two_families_do_not_merge(void **unused)
{
    struct rows r;
    struct fault f = {0};
    uint64_t n_bytes;
    struct segment *s[2];
    (void)unused;
    for (int i = 0; i < 2; i++) {
        make_rows(&r, i ? 6 : 4, 10);
        s[i] = build(&r, 1);
        free_rows(&r);
    }
    assert_int_equal(merged_write(s, 2, 1, -1, &n_bytes, &f), -EINVAL);
    assert_int_equal(merged_write(s, 0, 1, -1, &n_bytes, &f), -EINVAL);
    segment_close(s[0]);
    segment_close(s[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_names_the_segments_that_have_it),
        cmocka_unit_test(segments_of_two_families_do_not_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
