/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch goes to bytes and comes back the same; damaged bytes are refused.
 */
#include "watch/store/batch_pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "random_rows.h"

static void fill(struct flow_batch *b, const struct rows *r)
{
    uint32_t taken;
    flow_batch_clear(b);
    for (uint32_t i = 0; i < r->n; i++) {
        struct flow f = r->flows[i];
        if (f.present & FLOW_HAS(FLOW_OBSERVER))
            assert_int_equal(flow_batch_observer(b, &r->observers[r->observer[i]], &f.observer), 0);
        assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
    }
}

static void check_same(const struct flow_batch *a, const struct flow_batch *b)
{
    assert_int_equal(a->n, b->n);
    assert_true(a->columns == b->columns);
    assert_int_equal(a->n_observers, b->n_observers);
    assert_memory_equal(a->observers, b->observers, a->n_observers * sizeof(*a->observers));
    for (uint32_t i = 0; i < a->n; i++) {
        struct flow x, y;
        flow_batch_get(a, i, &x);
        flow_batch_get(b, i, &y);
        assert_int_equal(x.texts.n, y.texts.n);
        if (x.texts.n)
            assert_memory_equal(x.texts.p, y.texts.p, x.texts.n);
        x.texts = y.texts = (struct text){NULL, 0};
        assert_memory_equal(&x, &y, sizeof(x));
    }
}

static void a_batch_comes_back_the_same(void **unused)
{
    static const uint32_t lengths[] = {1, 30, 1000, 1024, 1025, 8192};
    (void)unused;
    state = seed;
    for (int k = 0; k < 12; k++) {
        struct rows r;
        struct buf out = {.max = BATCH_PACK_MAX + 10};
        int family = k % 2 ? 6 : 4, got_family;
        uint32_t n;
        make_rows(&r, family, lengths[k / 2]);
        struct flow_batch *b = flow_batch_new(family), *back = flow_batch_new(family);
        assert_true(b && back);
        fill(b, &r);
        buf_add(&out, "before", 6);
        assert_int_equal(batch_pack(b, &out), 0);
        assert_int_equal(batch_pack_head(out.p + 6, out.n - 6, &got_family, &n), 0);
        assert_int_equal(got_family, family);
        assert_int_equal(n, r.n);
        assert_int_equal(batch_unpack(out.p + 6, out.n - 6, back), 0);
        check_same(b, back);
        assert_int_equal(batch_unpack(out.p + 6, out.n - 7, back), -EBADMSG);
        assert_int_equal(back->n, 0);
        flow_batch_free(b);
        flow_batch_free(back);
        buf_fini(&out);
        free_rows(&r);
    }
}

static void an_empty_batch_and_one_without_columns_come_back(void **unused)
{
    struct flow_batch *b = flow_batch_new(4), *back = flow_batch_new(4);
    struct buf out = {.max = BATCH_PACK_MAX};
    struct flow none = {0};
    uint32_t taken;
    (void)unused;
    assert_true(b && back);
    assert_int_equal(batch_pack(b, &out), 0);
    assert_int_equal(batch_unpack(out.p, out.n, back), 0);
    check_same(b, back);
    out.n = 0;
    assert_int_equal(flow_batch_add(b, &none, 1, &taken), 0);
    assert_int_equal(batch_pack(b, &out), 0);
    assert_int_equal(batch_unpack(out.p, out.n, back), 0);
    check_same(b, back);
    flow_batch_free(b);
    flow_batch_free(back);
    buf_fini(&out);
}

static void a_column_of_a_newer_program_is_no_damage(void **unused)
{
    struct flow_batch *b = flow_batch_new(4);
    struct buf out = {.max = BATCH_PACK_MAX};
    int family;
    uint32_t n;
    (void)unused;
    assert_non_null(b);
    assert_int_equal(batch_pack(b, &out), 0);
    out.p[23] |= 0x80; /* id 63, which nobody has yet, in the word of columns */
    assert_int_equal(batch_pack_head(out.p, out.n, &family, &n), -EPROTO);
    assert_int_equal(batch_unpack(out.p, out.n, b), -EPROTO);
    flow_batch_free(b);
    buf_fini(&out);
}

static void damaged_bytes_never_make_rows_that_point_outside(void **unused)
{
    struct rows r;
    struct buf out = {.max = BATCH_PACK_MAX};
    (void)unused;
    state = seed + 5;
    make_rows(&r, 4, 3000);
    struct flow_batch *b = flow_batch_new(4);
    assert_non_null(b);
    fill(b, &r);
    assert_int_equal(batch_pack(b, &out), 0);
    for (int k = 0; k < 300; k++) {
        size_t n = next_random() % 4 ? out.n : next_random() % out.n;
        uint8_t *exact = malloc(n + 1);
        assert_non_null(exact);
        memcpy(exact, out.p, n);
        for (int j = 0; j < 4 && n; j++)
            exact[next_random() % 3 ? next_random() % n : next_random() % (n < 900 ? n : 900)] = (uint8_t)next_random();
        if (!batch_unpack(exact, n, b))
            for (uint32_t i = 0; i < b->n; i++) {
                struct flow f;
                flow_batch_get(b, i, &f);
                assert_true(!(f.present & FLOW_HAS(FLOW_OBSERVER)) || f.observer < b->n_observers);
            }
        free(exact);
    }
    flow_batch_free(b);
    buf_fini(&out);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_back_the_same),
        cmocka_unit_test(an_empty_batch_and_one_without_columns_come_back),
        cmocka_unit_test(a_column_of_a_newer_program_is_no_damage),
        cmocka_unit_test(damaged_bytes_never_make_rows_that_point_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
