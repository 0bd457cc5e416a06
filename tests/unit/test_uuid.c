/* SPDX-License-Identifier: Apache-2.0 */
/* base/uuid: the form of RFC 9562, the time in front, and no two alike. */
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_example_of_the_standard_has_its_time_in_front(void **state)
{
    (void)state;
    char u[UUID_TEXT_MAX];
    /* RFC 9562, A.6: 0x017F22E279B0 is Tuesday, 22 February 2022 14:22:22.000 GMT-05:00 */
    assert_int_equal(uuid7_make(INT64_C(1645557742000) * 1000, u), 0);
    assert_memory_equal(u, "017f22e2-79b0-7", 15);
    assert_int_equal(strlen(u), 36);
    assert_true(u[19] == '8' || u[19] == '9' || u[19] == 'a' || u[19] == 'b');
    assert_true(u[8] == '-' && u[13] == '-' && u[18] == '-' && u[23] == '-');
    assert_int_equal(strspn(u, "0123456789abcdef-"), 36);
}

static void no_two_are_alike_and_they_sort_by_time(void **state)
{
    (void)state;
    char a[UUID_TEXT_MAX], b[UUID_TEXT_MAX];
    for (int64_t t = 1000000; t < 2000000; t += 1000) {
        assert_int_equal(uuid7_make(t, a), 0);
        assert_int_equal(uuid7_make(t, b), 0);
        assert_string_not_equal(a, b);
        assert_int_equal(uuid7_make(t + 1000, b), 0);
        assert_true(strcmp(a, b) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_standard_has_its_time_in_front),
        cmocka_unit_test(no_two_are_alike_and_they_sort_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
