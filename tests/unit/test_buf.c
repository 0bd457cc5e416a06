/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "cmocka_house.h"
#include "failing_alloc.h"

#include <errno.h>

static void bytes_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct buf b = {.max = 1 << 20};
    for (unsigned i = 0; i < 70000; i++)
        buf_add_byte(&b, (uint8_t)(i * 7));
    assert_false(b.is_bad);
    assert_int_equal(b.n, 70000);
    for (unsigned i = 0; i < 70000; i++)
        assert_int_equal(b.p[i], (uint8_t)(i * 7));
    buf_fini(&b);
    assert_null(b.p);
}

static void the_maximum_is_reached_but_never_passed(void **state)
{
    (void)state;
    struct buf b = {.max = 10};
    buf_add(&b, "0123456789", 10);
    assert_false(b.is_bad);
    assert_int_equal(b.n, 10);
    assert_true(b.capacity <= 10);
    buf_add_byte(&b, 'x');
    assert_true(b.is_bad);
    assert_int_equal(b.n, 10);
    assert_memory_equal(b.p, "0123456789", 10);
    buf_fini(&b);
}

static void a_failure_sticks_until_it_is_cleared(void **state)
{
    (void)state;
    struct buf b = {.max = 4};
    buf_add_text(&b, "12345");
    assert_true(b.is_bad);
    buf_add_text(&b, "1");
    assert_int_equal(b.n, 0);
    assert_null(buf_room(&b, 1));
    buf_clear(&b);
    buf_add_text(&b, "1234");
    assert_false(b.is_bad);
    assert_memory_equal(b.p, "1234", 4);
    buf_fini(&b);
}

static void a_size_that_overflows_is_a_failure(void **state)
{
    (void)state;
    struct buf b = {.max = SIZE_MAX};
    buf_add_byte(&b, 1);
    assert_null(buf_room(&b, SIZE_MAX));
    assert_true(b.is_bad);
    buf_fini(&b);
}

static void nothing_may_be_added_to_nothing(void **state)
{
    (void)state;
    struct buf b = {.max = 0};
    buf_add(&b, NULL, 0);
    assert_false(b.is_bad);
    assert_int_equal(b.n, 0);
    buf_fini(&b);
}

static void printf_counts_without_the_terminator(void **state)
{
    (void)state;
    struct buf b = {.max = 4096};
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "%03d,", i);
    assert_false(b.is_bad);
    assert_int_equal(b.n, 800);
    assert_memory_equal(b.p + 4 * 157, "157,", 4);
    buf_fini(&b);
    struct buf small = {.max = 4};
    buf_printf(&small, "%s", "12345");
    assert_true(small.is_bad);
    assert_int_equal(small.n, 0);
    buf_fini(&small);
}

static int grow(void *context)
{
    (void)context;
    struct buf b = {.max = 1 << 16};
    for (int i = 0; i < 1000; i++)
        buf_add_text(&b, "một dòng nhật ký, ");
    int r = b.is_bad ? -ENOMEM : 0;
    buf_fini(&b);
    return r;
}

static void it_survives_every_failing_allocation(void **state)
{
    (void)state;
    assert_true(failing_alloc_each("growing a buffer", grow, NULL, false) >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(the_maximum_is_reached_but_never_passed),
        cmocka_unit_test(a_failure_sticks_until_it_is_cleared),
        cmocka_unit_test(a_size_that_overflows_is_a_failure),
        cmocka_unit_test(nothing_may_be_added_to_nothing),
        cmocka_unit_test(printf_counts_without_the_terminator),
        cmocka_unit_test(it_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
