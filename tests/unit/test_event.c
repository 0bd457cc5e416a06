/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of log events: what is put comes back, limits are said, a failed row leaves the others as they were.
 */
#include "format/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "failing_alloc.h"

static struct event_names *names;

static int set_up(void **state)
{
    (void)state;
    names = event_names_new();
    return names ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    event_names_free(names);
    return 0;
}

static void names_get_numbers_once(void **state)
{
    (void)state;
    assert_int_equal(event_names_find(names, TEXT("source.ip")), EV_SOURCE_IP);
    assert_int_equal(event_names_find(names, TEXT("no.such")), EVENT_NO_FIELD);
    uint16_t a = event_names_add(names, TEXT("winlog.event_data.TargetUserName"));
    assert_true(a >= EVENT_N_FIELDS && a != EVENT_NO_FIELD);
    assert_int_equal(event_names_add(names, TEXT("winlog.event_data.TargetUserName")), a);
    assert_true(text_is(event_name(names, a), "winlog.event_data.TargetUserName"));
    assert_int_equal(event_names_add(names, TEXT("")), EVENT_NO_FIELD);
    char longest[EVENT_NAME_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(event_names_add(names, (struct text){longest, sizeof longest}), EVENT_NO_FIELD);
    assert_int_not_equal(event_names_add(names, (struct text){longest, EVENT_NAME_MAX}), EVENT_NO_FIELD);
    uint16_t b = event_names_add(names, TEXT("a\nb\"c"));
    assert_true(text_is(event_name(names, b), "a_b_c"));
}

static void the_table_of_names_ends(void **state)
{
    (void)state;
    struct event_names *x = event_names_new();
    char name[32];
    unsigned n = event_names_count(x);
    for (; n < EVENT_NAMES_MAX; n++) {
        int length = snprintf(name, sizeof name, "f%u", n);
        assert_int_equal(event_names_add(x, (struct text){name, (size_t)length}), n);
    }
    assert_int_equal(event_names_add(x, TEXT("one more")), EVENT_NO_FIELD);
    assert_int_equal(event_names_find(x, TEXT("f32767")), 32767);
    event_names_free(x);
}

static void values_become_what_their_field_holds(void **state)
{
    (void)state;
    struct events *e = events_new(names);
    static const struct {
        uint16_t field;
        const char *value;
        enum event_type type;
        const char *shown;
    } cases[] = {
        {EV_SOURCE_PORT, "443", EVENT_LONG, "443"},
        {EV_SOURCE_PORT, "-7", EVENT_LONG, "-7"},
        {EV_SOURCE_PORT, "https", EVENT_KEYWORD, "https"},
        {EV_SOURCE_PORT, "99999999999999999999", EVENT_KEYWORD, "99999999999999999999"},
        {EV_SOURCE_IP, "::ffff:1.2.3.4", EVENT_IP, "1.2.3.4"},
        {EV_SOURCE_IP, "2001:DB8::1", EVENT_IP, "2001:db8::1"},
        {EV_SOURCE_IP, "host", EVENT_KEYWORD, "host"},
        {EV_EVENT_RISK_SCORE, "7.5", EVENT_REAL, "7.5"},
        {EV_EVENT_RISK_SCORE, "inf", EVENT_KEYWORD, "inf"},
        {EV_EVENT_RISK_SCORE, "0x10", EVENT_KEYWORD, "0x10"},
        {EV_EVENT_CARVED, "TRUE", EVENT_BOOL, "true"},
        {EV_EVENT_START, "2024-01-31T16:59:59Z", EVENT_DATE, "2024-01-31T16:59:59.000000Z"},
        {EV_EVENT_START, "yesterday", EVENT_KEYWORD, "yesterday"},
        {EV_USER_NAME, "a\xff\xc3", EVENT_KEYWORD, "a\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        events_clear(e);
        assert_int_equal(event_begin(e, TEXT("line"), 1), 0);
        event_put(e, cases[i].field, (struct text){cases[i].value, strlen(cases[i].value)});
        assert_int_equal(event_end(e), 0);
        const struct event_value *v = event_get(e, 0, cases[i].field);
        char scratch[EVENT_VALUE_TEXT_MAX];
        assert_non_null(v);
        assert_int_equal(v->type, cases[i].type);
        assert_true(text_is(event_value_text(e, v, scratch), cases[i].shown));
    }
    events_free(e);
}

static void a_row_prints_as_json(void **state)
{
    (void)state;
    struct events *e = events_new(names);
    static const char line[] = "user=an\tok \xff";
    assert_int_equal(event_begin(e, (struct text){line, sizeof line - 1}, 2000000), 0);
    event_time(e, 1000001);
    event_put(e, EV_USER_NAME, (struct text){line + 5, 2});
    event_put(e, EV_RELATED_IP, TEXT("10.0.0.1"));
    event_put_null(e, EV_HOST_ID);
    event_put(e, EV_RELATED_IP, TEXT("10.0.0.2"));
    event_put_ulong(e, EV_EVENT_SEQUENCE, UINT64_MAX);
    event_put_bool(e, EV_EVENT_CARVED, false);
    event_put_part(e, EV_USER_ID, event_find(e, EV_USER_NAME), 1, 1);
    assert_int_equal(e->values[0].at, 5); /* inside the original: a reference */
    assert_int_equal(event_end(e), 0);
    struct buf b = {.max = 65536};
    event_json(e, 0, &b);
    buf_add_byte(&b, 0);
    assert_string_equal((char *)b.p,
                        "{\"@timestamp\":\"1970-01-01T00:00:01.000001Z\",\"event.created\":\"1970-01-01T00:00:02.000000Z\","
                        "\"user.name\":\"an\",\"related.ip\":[\"10.0.0.1\",\"10.0.0.2\"],\"host.id\":null,"
                        "\"event.sequence\":18446744073709551615,\"event.carved\":false,\"user.id\":\"n\","
                        "\"event.original\":\"user=an\\tok \xef\xbf\xbd\"}");
    buf_fini(&b);
    events_free(e);
}

static void limits_are_kept_and_said(void **state)
{
    (void)state;
    struct events *e = events_new(names);
    assert_int_equal(event_begin(e, (struct text){"", EVENT_ORIGINAL_MAX + 1}, 0), EVENT_TOO_LONG);
    assert_int_equal(event_begin(e, TEXT("x"), 0), 0);
    for (unsigned i = 0; i < EVENT_VALUES_MAX + 10; i++)
        event_put_long(e, EV_SOURCE_PORT, i);
    assert_int_equal(event_end(e), 0);
    assert_int_equal(e->value_end[0], EVENT_VALUES_MAX);
    assert_non_null(event_get(e, 0, EV_EVENT_TRUNCATED));
    char *big = calloc(1, EVENT_BYTES_MAX);
    assert_int_equal(event_begin(e, TEXT("y"), 0), 0);
    event_put_text(e, EV_MESSAGE, (struct text){big, EVENT_BYTES_MAX});
    event_put_text(e, EV_MESSAGE, TEXT("z"));
    assert_int_equal(event_end(e), 0);
    assert_non_null(event_get(e, 1, EV_EVENT_TRUNCATED));
    assert_int_equal(e->value_end[1] - e->value_end[0], 2);
    free(big);
    event_begin(e, TEXT("gone"), 0);
    event_put(e, EV_MESSAGE, TEXT("gone"));
    size_t heap = e->heap.n;
    event_cancel(e);
    assert_true(e->heap.n < heap);
    assert_int_equal(e->n, 2);
    events_free(e);
}

static int fill(void *context)
{
    (void)context;
    struct events *e = events_new(names);
    if (!e)
        return -1;
    int ret = 0;
    char line[2000];
    memset(line, 'a', sizeof line);
    for (int i = 0; i < 600 && !ret; i++) {
        uint32_t n = e->n;
        ret = event_begin(e, (struct text){line, sizeof line}, i);
        for (int k = 0; k < 10 && !ret; k++)
            event_put_text(e, EV_MESSAGE, TEXT("not inside"));
        if (!ret)
            ret = event_end(e);
        assert_int_equal(e->n, ret ? n : n + 1);
    }
    for (uint32_t i = 0; i < e->n; i++)
        assert_int_equal(event_original(e, i).n, sizeof line);
    events_free(e);
    return ret;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(failing_alloc_each("filling a batch of events", fill, NULL, false) > 3);
}

/* names_from - @n new names by one source through a view. Return: how many got a number. */
static unsigned names_from(struct event_names *view, unsigned source, unsigned n, uint64_t *added, uint64_t *refused)
{
    unsigned got = 0;
    event_names_ask(view, added, refused);
    for (unsigned i = 0; i < n; i++) {
        char name[48];
        int length = snprintf(name, sizeof name, "source%u.key%u", source, i);
        got += event_names_add(view, (struct text){name, (size_t)length}) != EVENT_NO_FIELD;
    }
    event_names_ask(view, NULL, NULL);
    return got;
}

static void no_source_takes_all_names_from_the_others(void **state)
{
    (void)state;
    enum { HOSTILE = 60, EACH = 6000 };
    struct event_names *x = event_names_new(), *view = event_names_view(x);
    uint64_t added = 0, refused = 0;
    unsigned free_before = EVENT_NAMES_MAX - event_names_count(x);
    unsigned got = names_from(view, 0, 40000, &added, &refused);
    assert_int_equal(got, added);
    assert_int_equal(got + refused, 40000);
    assert_true(got <= free_before / EVENT_NAMES_SHARE && got > free_before / EVENT_NAMES_SHARE / 2);
    uint64_t again = 0;
    assert_int_equal(names_from(view, 0, 100, &added, &again), 100); /* those it has stay */
    assert_int_equal(again, 0);
    for (unsigned i = 1; i < HOSTILE; i++) {
        uint64_t a = 0, r = 0;
        names_from(view, i, EACH, &a, &r);
    }
    uint64_t a = 0, r = 0;
    assert_int_equal(names_from(view, HOSTILE, 8, &a, &r), 8); /* who comes after them all finds room */
    assert_int_equal(event_names_find(x, TEXT("source60.key7")), event_names_add(view, TEXT("source60.key7")));
    event_names_free(view);
    event_names_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_get_numbers_once),
        cmocka_unit_test(the_table_of_names_ends),
        cmocka_unit_test(values_become_what_their_field_holds),
        cmocka_unit_test(a_row_prints_as_json),
        cmocka_unit_test(limits_are_kept_and_said),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(no_source_takes_all_names_from_the_others),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
