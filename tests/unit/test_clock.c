/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values: RFC 3339 section 5.8, POSIX "seconds since the Epoch", and the C library's timegm as the peer. */
#include "base/clock.h"
#include "cmocka_house.h"

#include <time.h>

#define S(seconds) (INT64_C(seconds) * US_PER_SECOND)

static int parse(const char *text, int zone_s, int64_t *ret)
{
    return clock_parse(text, strlen(text), zone_s, ret);
}

static void a_point_is_written_as_rfc_3339_with_six_decimals(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {S(951782400), "2000-02-29T00:00:00.000000Z"},
        {S(4107542400), "2100-03-01T00:00:00.000000Z"}, /* 2100 is no leap year */
        {S(2147483648), "2038-01-19T03:14:08.000000Z"},
        {S(1313675035) + 87915, "2011-08-18T13:43:55.087915Z"},
        {S(-62135596800), "0001-01-01T00:00:00.000000Z"},
        {S(253402300799) + 999999, "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[TIME_TEXT_MAX];
        int64_t back;
        assert_int_equal(clock_format_utc(cases[i].us, text), 27);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(parse(text, ZONE_VIETNAM_S, &back), 0);
        assert_true(back == cases[i].us);
    }
}

static void the_c_library_agrees_on_every_day(void **state)
{
    (void)state;
    for (int64_t day = -719162; day < 2932896; day += 1 + (day & 3)) { /* 0001-01-01 .. 9999-12-31 */
        time_t t = (time_t)(day * 86400 + 43200);
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        struct civil c = clock_civil(t * US_PER_SECOND, 0);
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday || c.hour != 12)
            fail_msg("day %lld: %d-%d-%d", (long long)day, c.year, c.month, c.day);
        int64_t back;
        assert_int_equal(clock_from_civil(&c, 0, &back), 0);
        assert_true(back == t * US_PER_SECOND);
    }
}

static void no_time_is_too_far_for_the_calendar(void **state)
{
    (void)state;
    static const int64_t cases[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX, S(253402300800), S(-62135596801)};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[TIME_TEXT_MAX];
        struct civil c = clock_civil(cases[i], ZONE_VIETNAM_S);
        assert_in_range(c.month, 1, 12);
        assert_in_range(c.day, 1, 31);
        assert_in_range(c.hour, 0, 23);
        assert_in_range(c.microsecond, 0, 999999);
        assert_true(clock_format_utc(cases[i], text) == strlen(text)); /* a plain number outside years 1..9999 */
        assert_null(strchr(text, 'T'));
        assert_true(clock_format_local(cases[i], ZONE_VIETNAM_S, text) < TIME_TEXT_MAX);
    }
}

static void the_leap_second_stays_in_its_minute(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"2016-12-31T23:59:60Z", S(1483228799) + 999999},
        {"1990-12-31T15:59:60-08:00", S(662687999) + 999999}, /* RFC 3339 section 5.8 */
        {"2017-01-01 06:59:60.5", S(1483228799) + 999999},
    };
    int64_t us;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(parse(cases[i].text, ZONE_VIETNAM_S, &us), 0);
        assert_true(us == cases[i].us);
    }
    assert_int_equal(parse("2016-12-31T23:59:61Z", 0, &us), 1);
}

static void the_usual_ways_to_write_a_time_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us; /* read at +07:00 */
    } cases[] = {
        {"1985-04-12T23:20:50.52Z", S(482196050) + 520000}, /* RFC 3339 section 5.8 */
        {"1996-12-19T16:39:57-08:00", S(851042397)},
        {"1937-01-01T12:00:27.87+00:20", S(-1041337173) + 870000},
        {"2024-09-17T07:00:00", S(1726531200)},
        {"2024-09-17 07:00:00", S(1726531200)},
        {"2024-09-17t00:00:00z", S(1726531200)},
        {"2024-09-17 00:00:00 UTC", S(1726531200)},
        {"2024-09-17 07:00:00 +0700", S(1726531200)},
        {"2024-09-17 07:00:00+7", S(1726531200)},
        {"2024/09/17 07:00:00", S(1726531200)},
        {"17/09/2024 07:00:00", S(1726531200)},
        {"17/9/2024 7:00", S(1726531200)},
        {"17-09-2024 07:00", S(1726531200)},
        {"17.09.2024 07:00", S(1726531200)},
        {"07:00 17/09/2024", S(1726531200)},
        {"07:00:00 17/09/2024", S(1726531200)},
        {"17/09/2024", S(1726506000)},
        {"2024-09-17", S(1726506000)},
        {"  2024-09-17\t", S(1726506000)},
        {"1726531200", S(1726531200)},
        {"1726531200.25", S(1726531200) + 250000},
        {"1726531200123", S(1726531200) + 123000},
        {"1726531200123456", S(1726531200) + 123456},
        {"2024-09-17T07:00:00.123456789", S(1726531200) + 123456},
        {"2024-09-17 07:00:00,5", S(1726531200) + 500000},
        {"29/02/2024", S(1709139600)},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us = 0;
        if (parse(cases[i].text, ZONE_VIETNAM_S, &us) || us != cases[i].us)
            fail_msg("%s: %lld, expected %lld", cases[i].text, (long long)us, (long long)cases[i].us);
    }
}

static void what_is_not_a_time_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "", " ", "now", "2024", "2024-13-01", "2024-00-10", "2024-02-30", "29/02/2023", "29/02/1900", "31/04/2024", "0000-01-01",
        "10000-01-01", "2024-09-17T24:00:00", "2024-09-17T23:60", "2024-09-17T07", "2024-09-17T", "2024-09-17 07:00:",
        "2024-09-17T07:00:00+15:00", "2024-09-17T07:00:00+07:", "2024-09-17T07:00:00+07:60", "2024-09-17T07:00:00 junk",
        "2024-09/17", "17-09/2024", "17/09/24", "12345678901", "1726531200x", "-1726531200",
        "7:0 17/09/2024", "2024-09-17T07:00:00Z junk", "99999999999999999999",
        "2024-09-17T07:00:00.0000000000000000000000000000000000000000000000000000000000Z",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t us;
        if (!parse(cases[i], 0, &us))
            fail_msg("taken for a time: %s", cases[i]);
    }
}

static void zones_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r, zone_s;
    } cases[] = {
        {"Z", 0, 0}, {"UTC", 0, 0}, {"+07:00", 0, 25200}, {"+0700", 0, 25200}, {"+7", 0, 25200}, {"+07", 0, 25200},
        {"-08:00", 0, -28800}, {"+05:45", 0, 20700}, {"+14:00", 0, 50400}, {"Asia/Ho_Chi_Minh", 0, 25200},
        {"Asia/Bangkok", 0, 25200}, {"", 1, 0}, {"7", 1, 0}, {"+", 1, 0}, {"+15", 1, 0}, {"+07:", 1, 0}, {"+07:5", 1, 0},
        {"+07:60", 1, 0}, {"+07:00x", 1, 0}, {"Mars/Olympus", 1, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int zone_s = 0;
        int r = clock_parse_zone(cases[i].text, &zone_s);
        if (r != cases[i].r || (!r && zone_s != cases[i].zone_s))
            fail_msg("%s: %d, %d", cases[i].text, r, zone_s);
    }
}

static void spans_count_back_from_now(void **state)
{
    (void)state;
    int64_t us;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"90s", 90}, {"15m", 900}, {"24h", 86400}, {"30d", 2592000}, {"2w", 1209600}, {"0s", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(clock_parse_span(cases[i].text, &us), 0);
        assert_true(us == cases[i].seconds * US_PER_SECOND);
        assert_int_equal(clock_parse_when(cases[i].text, 0, S(1726531200), &us), 0);
        assert_true(us == S(1726531200) - cases[i].seconds * US_PER_SECOND);
    }
    static const char *const refused[] = {"", "s", "5", "5x", "5 m", "-5m", "5mm", "1.5h", "9999999d"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        assert_int_equal(clock_parse_span(refused[i], &us), 1);
    assert_int_equal(clock_parse_when("17/09/2024", ZONE_VIETNAM_S, 0, &us), 0);
    assert_true(us == S(1726506000));
    assert_int_equal(clock_parse_when("yesterday", ZONE_VIETNAM_S, 0, &us), 1);
}

static void local_time_is_what_people_in_the_zone_read(void **state)
{
    (void)state;
    char text[TIME_TEXT_MAX];
    assert_int_equal(clock_format_local(S(1726531200), ZONE_VIETNAM_S, text), 19);
    assert_string_equal(text, "17/09/2024 07:00:00");
    clock_format_local(S(1704045600), ZONE_VIETNAM_S, text); /* 2023-12-31T18:00Z is already the new year */
    assert_string_equal(text, "01/01/2024 01:00:00");
    clock_format_local(0, -8 * 3600, text);
    assert_string_equal(text, "31/12/1969 16:00:00");
}

static void the_steady_clock_does_not_run_backwards(void **state)
{
    (void)state;
    int64_t last = clock_steady_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_steady_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_now_us() > S(1577836800)); /* after 2020 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_point_is_written_as_rfc_3339_with_six_decimals),
        cmocka_unit_test(the_c_library_agrees_on_every_day),
        cmocka_unit_test(no_time_is_too_far_for_the_calendar),
        cmocka_unit_test(the_leap_second_stays_in_its_minute),
        cmocka_unit_test(the_usual_ways_to_write_a_time_are_read),
        cmocka_unit_test(what_is_not_a_time_is_refused),
        cmocka_unit_test(zones_are_read),
        cmocka_unit_test(spans_count_back_from_now),
        cmocka_unit_test(local_time_is_what_people_in_the_zone_read),
        cmocka_unit_test(the_steady_clock_does_not_run_backwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
