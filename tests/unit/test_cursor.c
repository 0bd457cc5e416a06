/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cursor.h"
#include "cmocka_house.h"

static const uint8_t counting[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void numbers_are_read_in_network_order(void **state)
{
    (void)state;
    struct cursor c = cursor_over(counting, sizeof(counting));
    assert_int_equal(cursor_u8(&c), 1);
    assert_int_equal(cursor_u16(&c), 0x0203);
    assert_int_equal(cursor_u32(&c), 0x04050607);
    assert_true(cursor_u64(&c) == UINT64_C(0x08090a0b0c0d0e0f));
    assert_int_equal(cursor_left(&c), 1);
    assert_false(c.is_bad);
}

static void numbers_called_le_are_read_in_little_endian_order(void **state)
{
    (void)state;
    struct cursor c = cursor_over(counting, sizeof(counting));
    assert_int_equal(cursor_le16(&c), 0x0201);
    assert_int_equal(cursor_le32(&c), 0x06050403);
    assert_true(cursor_le64(&c) == UINT64_C(0x0e0d0c0b0a090807));
    assert_int_equal(cursor_left(&c), 2);
}

static void integers_of_every_length_from_1_to_8_are_read(void **state)
{
    (void)state;
    static const uint64_t expected[] = {0, 0x01, 0x0102, 0x010203, 0x01020304, 0x0102030405, 0x010203040506,
                                        0x01020304050607, 0x0102030405060708};
    for (size_t n = 1; n <= 8; n++) {
        struct cursor c = cursor_over(counting, n);
        assert_true(cursor_uint(&c, n) == expected[n]);
        assert_int_equal(cursor_left(&c), 0);
        assert_false(c.is_bad);
    }
    static const size_t refused[] = {0, 9, 16, SIZE_MAX};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct cursor c = cursor_over(counting, sizeof(counting));
        assert_true(cursor_uint(&c, refused[i]) == 0);
        assert_true(c.is_bad);
    }
}

static void a_read_past_the_end_sticks_and_moves_nothing(void **state)
{
    (void)state;
    struct cursor c = cursor_over(counting, 3);
    assert_int_equal(cursor_u32(&c), 0);
    assert_true(c.is_bad);
    assert_ptr_equal(c.p, counting);
    assert_int_equal(cursor_u8(&c), 0); /* although a byte would be there */
    assert_int_equal(cursor_left(&c), 0);
    assert_null(cursor_take(&c, 0));
}

static void a_huge_length_does_not_wrap_around(void **state)
{
    (void)state;
    struct cursor c = cursor_over(counting, sizeof(counting));
    assert_null(cursor_take(&c, SIZE_MAX));
    assert_true(c.is_bad);
    c = cursor_over(counting, sizeof(counting));
    struct cursor s = cursor_sub(&c, SIZE_MAX - 3);
    assert_true(s.is_bad);
    assert_int_equal(cursor_left(&s), 0);
}

static void a_sub_cursor_ends_where_it_was_told(void **state)
{
    (void)state;
    struct cursor c = cursor_over(counting, sizeof(counting));
    struct cursor s = cursor_sub(&c, 3);
    assert_int_equal(cursor_u16(&s), 0x0102);
    assert_int_equal(cursor_u16(&s), 0);
    assert_true(s.is_bad);
    assert_false(c.is_bad); /* the lie of a part does not spoil the whole */
    assert_int_equal(cursor_u8(&c), 4);
    cursor_skip(&c, 12);
    assert_int_equal(cursor_left(&c), 0);
    assert_false(c.is_bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_in_network_order),
        cmocka_unit_test(numbers_called_le_are_read_in_little_endian_order),
        cmocka_unit_test(integers_of_every_length_from_1_to_8_are_read),
        cmocka_unit_test(a_read_past_the_end_sticks_and_moves_nothing),
        cmocka_unit_test(a_huge_length_does_not_wrap_around),
        cmocka_unit_test(a_sub_cursor_ends_where_it_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
