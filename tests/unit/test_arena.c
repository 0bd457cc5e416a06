/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "cmocka_house.h"
#include "failing_alloc.h"

#include <errno.h>

static void what_it_gives_is_zeroed_and_aligned_to_16(void **state)
{
    (void)state;
    struct arena a = {0};
    static const size_t sizes[] = {1, 15, 16, 17, 100, 15999, 16000, 16001, 100000, 0};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        unsigned char *p = arena_alloc(&a, sizes[i]);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(p[k], 0);
        memset(p, 0xff, sizes[i]);
    }
    arena_fini(&a);
    assert_null(a.chunks);
    assert_int_equal(a.used_bytes, 0);
}

static void what_it_gave_never_moves_nor_overlaps(void **state)
{
    (void)state;
    enum { N = 3000 };
    static unsigned *given[N];
    struct arena a = {0};
    for (unsigned i = 0; i < N; i++) {
        given[i] = arena_alloc(&a, sizeof(unsigned) * (1 + i % 9));
        assert_non_null(given[i]);
        for (unsigned k = 0; k < 1 + i % 9; k++)
            given[i][k] = i;
    }
    for (unsigned i = 0; i < N; i++)
        for (unsigned k = 0; k < 1 + i % 9; k++)
            assert_int_equal(given[i][k], i);
    arena_fini(&a);
}

static void the_limit_is_kept_to_the_byte(void **state)
{
    (void)state;
    struct arena a = {.max_bytes = 64};
    assert_non_null(arena_alloc(&a, 48));
    assert_null(arena_alloc(&a, 17));
    assert_non_null(arena_alloc(&a, 16));
    assert_null(arena_alloc(&a, 1));
    arena_fini(&a);
    assert_non_null(arena_alloc(&a, 64)); /* it may be used again */
    arena_fini(&a);
}

static void a_monstrous_size_is_refused(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 14, SIZE_MAX - 15, SIZE_MAX / 2, (size_t)65 << 20};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct arena a = {0}, unlimited = {.max_bytes = SIZE_MAX};
        assert_null(arena_alloc(&a, sizes[i]));
        if (sizes[i] > SIZE_MAX / 2)
            assert_null(arena_alloc(&unlimited, sizes[i]));
        assert_null(arena_text(&a, "x", sizes[i]));
        arena_fini(&a);
        arena_fini(&unlimited);
    }
}

static void a_text_is_copied_and_terminated(void **state)
{
    (void)state;
    struct arena a = {0};
    char *t = arena_text(&a, "vọng gác!", strlen("vọng gác"));
    assert_string_equal(t, "vọng gác");
    assert_string_equal(arena_text(&a, "", 0), "");
    arena_fini(&a);
}

static int fill(void *context)
{
    (void)context;
    struct arena a = {0};
    int r = 0;
    for (int i = 0; i < 5 && !r; i++)
        r = arena_alloc(&a, 10000) ? 0 : -ENOMEM;
    arena_fini(&a);
    return r;
}

static void it_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_each("filling an arena", fill, NULL, false), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_gives_is_zeroed_and_aligned_to_16),
        cmocka_unit_test(what_it_gave_never_moves_nor_overlaps),
        cmocka_unit_test(the_limit_is_kept_to_the_byte),
        cmocka_unit_test(a_monstrous_size_is_refused),
        cmocka_unit_test(a_text_is_copied_and_terminated),
        cmocka_unit_test(it_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
