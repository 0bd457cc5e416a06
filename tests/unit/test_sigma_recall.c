/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sigma_recall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sigma_recall *recall;

static int set_up(void **state)
{
    (void)state;
    recall = sigma_recall_new();
    return recall ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    sigma_recall_free(recall);
    return 0;
}

/* learn - @t with literals 0 .. @n - 1 of pass 2. */
static void learn(uint64_t passes, struct text t, uint32_t n)
{
    struct sigma_recalled *open;
    assert_null(sigma_recall_find(recall, passes, t, &open));
    assert_non_null(open);
    for (uint32_t i = 0; i < n; i++) {
        sigma_recall_add(open, 2, i);
        sigma_recall_add(open, 2, i); /* found twice in the text */
    }
    sigma_recall_close(open, true);
}

static const struct sigma_recalled *known(uint64_t passes, struct text t)
{
    struct sigma_recalled *open;
    const struct sigma_recalled *e = sigma_recall_find(recall, passes, t, &open);
    if (open)
        sigma_recall_close(open, false);
    return e;
}

static void a_value_is_known_by_its_bytes_and_passes(void **state)
{
    (void)state;
    learn(5, TEXT("C:\\Windows\\cmd.exe"), 3);
    const struct sigma_recalled *e = known(5, TEXT("C:\\Windows\\cmd.exe"));
    assert_non_null(e);
    assert_int_equal(e->n_literals, 3);
    assert_int_equal(e->literals[1], (uint32_t)2 << SIGMA_RECALL_PASS_SHIFT | 1);
    assert_null(known(4, TEXT("C:\\Windows\\cmd.exe")));
    assert_null(known(5, TEXT("C:\\Windows\\CMD.exe")));
    assert_null(known(5, TEXT("C:\\Windows\\cmd.ex")));
    learn(5, TEXT(""), 0);
    assert_non_null(known(5, TEXT("")));
}

static void what_is_too_long_or_holds_too_much_is_not_kept(void **state)
{
    (void)state;
    static char longest[SIGMA_RECALL_TEXT + 1];
    struct sigma_recalled *open;
    memset(longest, 'x', sizeof longest);
    learn(1, (struct text){longest, SIGMA_RECALL_TEXT}, SIGMA_RECALL_LITERALS);
    assert_non_null(known(1, (struct text){longest, SIGMA_RECALL_TEXT}));
    assert_null(sigma_recall_find(recall, 1, (struct text){longest, SIGMA_RECALL_TEXT + 1}, &open));
    assert_null(open);
    learn(1, TEXT("much"), SIGMA_RECALL_LITERALS + 1);
    assert_null(known(1, TEXT("much")));
}

static void a_search_that_was_given_up_tells_nothing(void **state)
{
    (void)state;
    struct sigma_recalled *open;
    assert_null(sigma_recall_find(recall, 1, TEXT("half"), &open));
    assert_non_null(open);
    sigma_recall_add(open, 0, 7);
    sigma_recall_close(open, false);
    assert_null(known(1, TEXT("half")));
}

static void more_values_than_places_are_never_mixed_up(void **state)
{
    (void)state;
    char text[32];
    uint32_t n_known = 0;
    for (uint32_t i = 0; i < 3 * SIGMA_RECALL_ENTRIES; i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "value %u", i);
        learn(1, (struct text){text, n}, i % 5);
    }
    for (uint32_t i = 0; i < 3 * SIGMA_RECALL_ENTRIES; i++) {
        struct sigma_recalled *open;
        size_t n = (size_t)snprintf(text, sizeof text, "value %u", i);
        const struct sigma_recalled *e = sigma_recall_find(recall, 1, (struct text){text, n}, &open);
        if (open)
            sigma_recall_close(open, false);
        n_known += e != NULL;
        assert_true(!e || e->n_literals == i % 5);
    }
    assert_true(n_known > 0 && n_known <= SIGMA_RECALL_ENTRIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_value_is_known_by_its_bytes_and_passes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_long_or_holds_too_much_is_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_search_that_was_given_up_tells_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_values_than_places_are_never_mixed_up, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
