/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded memory against the naive way: sets kept whole, tables without limit. */
#include "cmocka_house.h"

#include "watch/detect/behaviour_sketch.h"

#include <math.h>
#include <stdio.h>

static void up_to_32_different_values_are_counted_exactly(void **state)
{
    struct distinct d = {0};
    (void)state;
    for (uint64_t i = 0; i < DISTINCT_EXACT; i++) {
        assert_true(distinct_add(&d, sketch_mix(i, 7)));
        assert_false(distinct_add(&d, sketch_mix(i / 2, 7)));
        assert_true(distinct_count(&d) == (double)(i + 1));
    }
    distinct_clear(&d);
    assert_true(distinct_count(&d) == 0);
}

/* brute force: numbers 1..n are n different ones; 4 standard errors of 1.04/sqrt(256) */
static void many_different_values_are_counted_within_four_standard_errors(void **state)
{
    static const unsigned sizes[] = {33, 100, 500, 640, 5000, 100000};
    uint64_t s = seed();
    (void)state;
    for (size_t k = 0; k < COUNT_OF(sizes); k++)
        for (unsigned round = 0; round < rounds(5); round++) {
            struct distinct d = {0};
            uint64_t salt = next_random(&s);
            for (unsigned i = 0; i < sizes[k]; i++)
                for (unsigned again = 0; again < 1 + i % 3; again++) /* repetitions change nothing */
                    distinct_add(&d, sketch_mix(i, salt));
            double off = fabs(distinct_count(&d) - sizes[k]) / sizes[k];
            if (off > 4 * 1.04 / 16)
                fail_msg("%u counted as %.1f, seed %llu", sizes[k], distinct_count(&d), (unsigned long long)seed());
        }
}

struct item {
    struct table_entry head;
    uint64_t value;
};

static void a_table_with_room_keeps_everything(void **state)
{
    struct table t;
    bool is_new;
    (void)state;
    assert_int_equal(table_make(&t, 1 << 14, sizeof(struct item), 1000), 0);
    for (uint64_t i = 0; i < 1000; i++) {
        struct item *e = table_take(&t, sketch_mix(i, 1), 0, &is_new);
        assert_true(is_new);
        e->value = i;
    }
    for (uint64_t i = 0; i < 1000; i++) {
        struct item *e = table_find(&t, sketch_mix(i, 1));
        assert_non_null(e);
        assert_int_equal(e->value, i);
    }
    assert_int_equal(t.evicted, 0);
    assert_int_equal(t.n, 1000);
    table_fini(&t);
}

static void heavy_entries_survive_a_flood_of_light_ones(void **state)
{
    struct table t;
    bool is_new;
    unsigned n_left = 0;
    uint64_t n_seen = 0;
    (void)state;
    assert_int_equal(table_make(&t, 1024, sizeof(struct item), 1000000), 0);
    for (uint64_t i = 0; i < 100; i++) {
        struct item *e = table_take(&t, sketch_mix(i, 1), 0, &is_new);
        e->head.weight = 1000;
    }
    for (uint64_t i = 0; i < 100000; i++) {
        struct item *e = table_take(&t, sketch_mix(i, 2), 1, &is_new);
        e->head.weight = 1;
    }
    for (uint64_t i = 0; i < 100; i++)
        n_left += table_find(&t, sketch_mix(i, 1)) != NULL;
    for (uint32_t i = 0; i < table_size(&t); i++)
        n_seen += table_at(&t, i) != NULL;
    assert_int_equal(n_left, 100);
    assert_int_equal(n_seen, t.n);
    assert_int_equal(t.evicted + t.n, 100100); /* the account balances */
    table_fini(&t);
}

static void what_was_not_seen_for_the_horizon_leaves_first_and_uncounted(void **state)
{
    struct table t;
    bool is_new;
    (void)state;
    assert_int_equal(table_make(&t, TABLE_WAYS, sizeof(struct item), 1000), 0);
    for (uint64_t i = 0; i < TABLE_WAYS; i++)
        ((struct item *)table_take(&t, sketch_mix(i, 1), i == 3 ? 0 : 2000, &is_new))->head.weight = i == 3 ? 1000000 : 1;
    (void)table_take(&t, sketch_mix(99, 1), 2000, &is_new);
    assert_null(table_find(&t, sketch_mix(3, 1)));
    assert_int_equal(t.evicted, 0);
    table_fini(&t);
}

static void what_was_added_within_a_half_life_is_never_new(void **state)
{
    struct seen s;
    unsigned n_wrongly = 0;
    (void)state;
    assert_int_equal(seen_make(&s, 1 << 16, 1000), 0);
    for (uint64_t i = 0; i < 5000; i++)
        n_wrongly += seen_add(&s, sketch_mix(i, 1), (int64_t)i / 10);
    for (uint64_t i = 0; i < 5000; i++)
        assert_true(seen_add(&s, sketch_mix(i, 1), 600));
    assert_true(n_wrongly < 5000 / 20); /* at most the 2.4 % of a full filter, twice */
    assert_true(seen_add(&s, sketch_mix(1, 1), 1600)); /* turned once: the elder still knows */
    assert_false(seen_add(&s, sketch_mix(6000, 1), 1600));
    seen_fini(&s);
}

static void folding_a_series_keeps_its_sum_and_its_start(void **state)
{
    struct series s = {0};
    double sum = 0, in = 0;
    uint64_t random = seed();
    (void)state;
    for (int64_t i = 0; i < 5000; i++) {
        double v = (double)(next_random(&random) % 100);
        in += v;
        series_add(&s, 1000000 * (i * i / 10), v, 1000000);
    }
    for (uint32_t i = 0; i < SERIES_SLOTS; i++)
        sum += (double)s.v[i];
    assert_true(fabs(sum - in) < 1e-3 * in);
    assert_int_equal(s.from_us, 0);
    assert_true(s.n > SERIES_SLOTS / 2 && s.n <= SERIES_SLOTS);
    assert_true(s.from_us + s.step_us * s.n > INT64_C(1000000) * (4999 * 4999 / 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(up_to_32_different_values_are_counted_exactly),
        cmocka_unit_test(many_different_values_are_counted_within_four_standard_errors),
        cmocka_unit_test(a_table_with_room_keeps_everything),
        cmocka_unit_test(heavy_entries_survive_a_flood_of_light_ones),
        cmocka_unit_test(what_was_not_seen_for_the_horizon_leaves_first_and_uncounted),
        cmocka_unit_test(what_was_added_within_a_half_life_is_never_new),
        cmocka_unit_test(folding_a_series_keeps_its_sum_and_its_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
