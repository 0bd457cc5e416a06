/* SPDX-License-Identifier: Apache-2.0 */
/* Headers by the examples of RFC 3164, 5424 and 6587 and by the makers' manuals; times by date(1). */
#include "cmocka_house.h"

#include "base/clock.h"
#include "format/syslog.h"
#include "help_dir.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct text text_of(const char *s)
{
    return (struct text){s, strlen(s)};
}

static int64_t at(const char *rfc3339)
{
    int64_t us;
    assert_int_equal(clock_parse(rfc3339, strlen(rfc3339), 0, &us), 0);
    return us;
}

static void assert_span(const char *line, const char *what, struct text is, const char *want)
{
    if (!text_is(is, want)) {
        print_error("%s\n  %s: want '%s', is '%.*s'\n", line, what, want, (int)is.n, is.p ? is.p : "");
        fail();
    }
}

struct header_case {
    const char *line, *time, *host, *app, *pid, *message;
    enum syslog_form form;
    int priority;
};

static const struct header_case headers[] = {
    /* RFC 3164 5.4 */
    {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8", "2003-10-11T22:14:15+07:00", "mymachine", "su", "",
        "'su root' failed for lonvick on /dev/pts/8", SYSLOG_BSD, 34},
    {"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "2003-02-05T17:32:18+07:00", "10.0.0.99", "", "", "Use the BFG!", SYSLOG_BSD, 13},
    {"Use the BFG!", NULL, "", "", "", "Use the BFG!", SYSLOG_PLAIN, -1},
    {"<0>Use the BFG!", NULL, "", "", "", "Use the BFG!", SYSLOG_BSD, 0},
    /* RFC 5424 6.5 */
    {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8",
        "2003-10-11T22:14:15.003Z", "mymachine.example.com", "su", "", "'su root' failed for lonvick on /dev/pts/8", SYSLOG_5424, 34},
    {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
        "2003-08-24T12:14:15.000003Z", "192.0.2.1", "myproc", "8710", "%% It's time to make the do-nuts.", SYSLOG_5424, 165},
    {"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" "
     "eventID=\"1011\"] \xef\xbb\xbf" "An application event log entry...",
        "2003-10-11T22:14:15.003Z", "mymachine.example.com", "evntslog", "", "An application event log entry...", SYSLOG_5424, 165},
    {"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\"][examplePriority@32473 class=\"high\"]",
        "2003-10-11T22:14:15.003Z", "mymachine.example.com", "evntslog", "", "", SYSLOG_5424, 165},
    {"<14>1 - - - - - -", NULL, "", "", "", "", SYSLOG_5424, 14},
    /* files: no priority, ISO stamps of rsyslog, no host, a bracketed name, no pid */
    {"2003-05-01T10:00:00.123456+07:00 h1 sshd[12]: x", "2003-05-01T03:00:00.123456Z", "h1", "sshd", "12", "x", SYSLOG_BSD, -1},
    {"Mar  3 00:17:22 [sshd]: User root", "2003-03-03T00:17:22+07:00", "", "sshd", "", "User root", SYSLOG_BSD, -1},
    {"Feb 11 15:23:17 dropbear[1252]: login", "2003-02-11T15:23:17+07:00", "", "dropbear", "1252", "login", SYSLOG_BSD, -1},
    {"May 15 17:38:49 boo last message repeated 12 times", "2003-05-15T17:38:49+07:00", "boo", "", "", "last message repeated 12 times", SYSLOG_BSD, -1},
    {"May 15 17:38:49 boo postfix/smtpd[7]: a: b", "2003-05-15T17:38:49+07:00", "boo", "postfix/smtpd", "7", "a: b", SYSLOG_BSD, -1},
    {"May 15 17:38:49 boo http://a/b: c", "2003-05-15T17:38:49+07:00", "boo", "", "", "http://a/b: c", SYSLOG_BSD, -1},
    {"Apr  2 17:51:27 <4.3> boo sshd[5]: error: x", "2003-04-02T17:51:27+07:00", "boo", "sshd", "5", "error: x", SYSLOG_BSD, 35},
    {"Apr  2 17:51:27 <auth.info> boo sshd[5]: x", "2003-04-02T17:51:27+07:00", "boo", "sshd", "5", "x", SYSLOG_BSD, 38},
    {"Apr  2 17:51:27 <authorised.info> boo: x", "2003-04-02T17:51:27+07:00", "", "", "", "<authorised.info> boo: x", SYSLOG_BSD, -1},
    {"h1 nginx[2833]: from the journal", NULL, "h1", "nginx", "2833", "from the journal", SYSLOG_BSD, -1},
    {"\xef\xbb\xbf<13>Feb  5 17:32:18 h x: y", "2003-02-05T17:32:18+07:00", "h", "x", "", "y", SYSLOG_BSD, 13},
    {"2003-05-01 10:00:00,123 INFO  [main] Started", "2003-05-01T10:00:00.123+07:00", "", "", "", "INFO  [main] Started", SYSLOG_STAMP, -1},
    {"[Wed May 28 10:00:00.5 2003] [error] x", "2003-05-28T10:00:00.5+07:00", "", "", "", "[error] x", SYSLOG_STAMP, -1},
    /* Cisco IOS, NX-OS, ASA */
    {"<189>29: *Mar  1 18:46:11.123 UTC: %SYS-5-CONFIG_I: Configured", "2003-03-01T18:46:11.123Z", "", "", "", "%SYS-5-CONFIG_I: Configured", SYSLOG_BSD, 189},
    {"<189>31: rtr1: .Mar  1 18:46:11: %SYS-5-CONFIG_I: Configured", "2003-03-01T18:46:11+07:00", "rtr1", "", "", "%SYS-5-CONFIG_I: Configured", SYSLOG_BSD, 189},
    {"<189>: 2003 Mar  1 18:46:11 UTC: %ETHPORT-5-IF_UP: up", NULL, "", "", "", ": 2003 Mar  1 18:46:11 UTC: %ETHPORT-5-IF_UP: up", SYSLOG_BSD, 189},
    {"<166>Jul 05 2003 10:20:30 fw01 : %ASA-6-302013: Built", "2003-07-05T10:20:30+07:00", "fw01", "", "", "%ASA-6-302013: Built", SYSLOG_BSD, 166},
    {"<166>Jul 05 2003 10:20:30: %ASA-6-302013: Built", "2003-07-05T10:20:30+07:00", "", "", "", "%ASA-6-302013: Built", SYSLOG_BSD, 166},
    {"<166>%ASA-6-302013: Built", NULL, "", "", "", "%ASA-6-302013: Built", SYSLOG_BSD, 166},
    /* Huawei, H3C: the year in the stamp, before or behind the time */
    {"<188>Jan  5 2003 20:18:08 HN-SW1 %%01SHELL/4/LOGIN(s)[42]:ok", "2003-01-05T20:18:08+07:00", "HN-SW1", "", "", "%%01SHELL/4/LOGIN(s)[42]:ok", SYSLOG_BSD, 188},
    {"<188>2003-1-5 20:18:08 HN-SW1 %%01SHELL/4/LOGIN(s)[42]:ok", "2003-01-05T20:18:08+07:00", "HN-SW1", "", "", "%%01SHELL/4/LOGIN(s)[42]:ok", SYSLOG_BSD, 188},
    {"<189>Nov 24 09:20:59 2003 SW2 %%10SHELL/5/SHELL_LOGIN: a", "2003-11-24T09:20:59+07:00", "SW2", "", "", "%%10SHELL/5/SHELL_LOGIN: a", SYSLOG_BSD, 189},
    /* FortiGate, Palo Alto, MikroTik, F5, CEF */
    {"<189>date=2003-03-01 time=08:15:30 devname=x", NULL, "", "", "", "date=2003-03-01 time=08:15:30 devname=x", SYSLOG_BSD, 189},
    {"<14>Oct 13 20:56:03 gw 1,2003/10/13 20:56:03,0018,TRAFFIC", "2003-10-13T20:56:03+07:00", "gw", "", "", "1,2003/10/13 20:56:03,0018,TRAFFIC", SYSLOG_BSD, 14},
    {"<30>Jan  2 10:00:00 gw firewall,info forward: in:a", "2003-01-02T10:00:00+07:00", "gw", "", "", "firewall,info forward: in:a", SYSLOG_BSD, 30},
    {"<13>Nov  3 10:00:00 big1 notice tmsh[123]: 01420002:5: AUDIT", "2003-11-03T10:00:00+07:00", "big1", "tmsh", "123", "01420002:5: AUDIT", SYSLOG_BSD, 13},
    {"<134>Mar  1 08:15:30 host CEF:0|a|b", "2003-03-01T08:15:30+07:00", "host", "", "", "CEF:0|a|b", SYSLOG_BSD, 134},
    /* not a priority */
    {"<192>x", NULL, "", "", "", "<192>x", SYSLOG_PLAIN, -1},
    {"<>x", NULL, "", "", "", "<>x", SYSLOG_PLAIN, -1},
};

static void headers_of_standards_and_makers_are_read(void **state)
{
    (void)state;
    struct line_clock clock = {.arrived_us = at("2003-12-31T00:00:00Z"), .zone_s = ZONE_VIETNAM_S};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const struct header_case *c = &headers[i];
        struct syslog s;
        syslog_parse(text_of(c->line), &clock, &s);
        assert_span(c->line, "host", s.hostname, c->host);
        assert_span(c->line, "app", s.appname, c->app);
        assert_span(c->line, "pid", s.procid, c->pid);
        assert_span(c->line, "message", s.message, c->message);
        if (s.form != c->form || s.priority != c->priority || s.has_time != !!c->time || (c->time && s.time_us != at(c->time))) {
            char is[TIME_TEXT_MAX];
            clock_format_utc(s.time_us, is);
            print_error("%s\n  form %d priority %d time %s\n", c->line, (int)s.form, s.priority, s.has_time ? is : "none");
            fail();
        }
    }
}

static void a_message_wrapped_by_syslogd_is_unwrapped(void **state)
{
    (void)state;
    struct line_clock clock = {.arrived_us = at("2003-12-31T00:00:00Z")};
    struct syslog s;
    syslog_parse(text_of("Jul 1 10:00:00 h sshd[1]: message repeated 4 times: [ Failed password]"), &clock, &s);
    assert_span("", "message", s.message, "Failed password");
    assert_span("", "repeated", s.repeated, "4");
    syslog_parse(text_of("Jul 1 10:00:00 h sshd[1]: [ID 800047 auth.info] Failed"), &clock, &s);
    assert_span("", "message", s.message, "Failed");
}

static void structured_data_is_walked(void **state)
{
    (void)state;
    struct text rest = text_of("[a@1 k=\"v \\\"]\" l=\"\"][b m=\"x\"]"), id = {NULL, 0}, name, value;
    bool is_escaped;
    assert_true(syslog_structured_next(&rest, &id, &name, &value, &is_escaped));
    assert_span("", "id", id, "a@1");
    assert_span("", "name", name, "k");
    assert_span("", "value", value, "v \\\"]");
    assert_true(is_escaped);
    assert_true(syslog_structured_next(&rest, &id, &name, &value, &is_escaped));
    assert_span("", "name", name, "l");
    assert_int_equal(value.n, 0);
    assert_true(syslog_structured_next(&rest, &id, &name, &value, &is_escaped));
    assert_span("", "id", id, "b");
    assert_span("", "value", value, "x");
    assert_false(syslog_structured_next(&rest, &id, &name, &value, &is_escaped));
}

/* --- years ------------------------------------------------------------------------------------------ */

static int64_t time_of(const char *line, const struct line_clock *clock)
{
    struct syslog s;
    syslog_parse(text_of(line), clock, &s);
    return s.has_time ? s.time_us : INT64_MIN;
}

static void the_year_is_the_latest_that_is_not_ahead_by_more_than_a_day(void **state)
{
    (void)state;
    static const struct {
        const char *line, *arrived, *time;
    } cases[] = {
        {"Dec 31 23:59:59 h a: b", "2024-01-01T00:00:05+07:00", "2023-12-31T23:59:59+07:00"},
        {"Dec 31 23:59:59 h a: b", "2023-12-31T23:59:59+07:00", "2023-12-31T23:59:59+07:00"},
        {"Jan  1 00:00:01 h a: b", "2023-12-31T23:59:58+07:00", "2024-01-01T00:00:01+07:00"}, /* its clock is ahead */
        {"Jan  1 23:00:00 h a: b", "2023-12-31T22:00:00+07:00", "2023-01-01T23:00:00+07:00"}, /* 25 hours are too much */
        {"Jan  3 00:00:00 h a: b", "2023-12-31T23:59:58+07:00", "2023-01-03T00:00:00+07:00"},
        {"Feb 29 12:00:00 h a: b", "2024-03-01T00:00:00+07:00", "2024-02-29T12:00:00+07:00"},
        {"Feb 29 12:00:00 h a: b", "2023-03-01T00:00:00+07:00", "2020-02-29T12:00:00+07:00"},
        {"Feb 29 12:00:00 h a: b", "2103-03-01T00:00:00+07:00", "2096-02-29T12:00:00+07:00"}, /* 2100 is no leap year */
        {"Jun 30 12:00:00 h a: b", "2024-06-30T06:00:00Z", "2024-06-30T12:00:00+07:00"},
        {"Jul 15 12:00:00 h a: b", "2024-06-30T06:00:00Z", "2023-07-15T12:00:00+07:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct line_clock clock = {.arrived_us = at(cases[i].arrived), .zone_s = ZONE_VIETNAM_S};
        if (time_of(cases[i].line, &clock) != at(cases[i].time)) {
            print_error("%s arrived %s\n", cases[i].line, cases[i].arrived);
            fail();
        }
    }
}

static void lines_of_a_file_keep_their_order_over_new_year(void **state)
{
    (void)state;
    struct line_years years = {0};
    struct line_clock clock = {.arrived_us = at("2030-01-01T00:00:00Z"), .zone_s = ZONE_VIETNAM_S, .year = 2021, .years = &years};
    static const char *const lines[][2] = {
        {"Nov 30 10:00:00 h a: b", "2021-11-30T10:00:00+07:00"}, {"Dec 31 23:59:59 h a: b", "2021-12-31T23:59:59+07:00"},
        {"Jan  1 00:00:00 h a: b", "2022-01-01T00:00:00+07:00"}, {"Dec 31 23:59:59 h a: late", "2021-12-31T23:59:59+07:00"},
        {"Jan  2 00:00:00 h a: b", "2022-01-02T00:00:00+07:00"}, {"Jun 15 00:00:00 h a: b", "2022-06-15T00:00:00+07:00"},
        {"Dec 15 00:00:00 h a: b", "2022-12-15T00:00:00+07:00"}, {"Jan 15 00:00:00 h a: b", "2023-01-15T00:00:00+07:00"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (time_of(lines[i][0], &clock) != at(lines[i][1])) {
            print_error("%s\n", lines[i][0]);
            fail();
        }
    years = (struct line_years){0};
    assert_int_equal(time_of("Feb 29 10:00:00 h a: b", &clock), INT64_MIN); /* 2021 had none: no time rather than a wrong one */
}

static void times_of_many_forms_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *time;
        size_t n;
    } cases[] = {
        {"2024-05-01T08:00:00Z x", "2024-05-01T08:00:00Z", 20},
        {"2024-05-01 08:00:00.123456789 +0700 x", "2024-05-01T01:00:00.123456Z", 35},
        {"2024-05-01 08:00:00,5 x", "2024-05-01T08:00:00.5+07:00", 21},
        {"2024/05/01 08:00:00 [error]", "2024-05-01T08:00:00+07:00", 19},
        {"17/May/2024:10:05:03 +0000] x", "2024-05-17T10:05:03Z", 26},
        {"17-May-2024 10:05:03.621 x", "2024-05-17T10:05:03.621+07:00", 24},
        {"17/05/2024 10:05:03 x", "2024-05-17T10:05:03+07:00", 19},
        {"05/17/2024 10:05:03 x", "2024-05-17T10:05:03+07:00", 19},
        {"Fri May 17 10:05:03 2024 x", "2024-05-17T10:05:03+07:00", 24},
        {"Fri May 17 10:05:03 UTC 2024 x", "2024-05-17T10:05:03Z", 28},
        {"Fri, 17 May 2024 10:05:03 +0200 x", "2024-05-17T08:05:03Z", 31},
        {"240517  9:05:03 x", "2024-05-17T09:05:03+07:00", 15},
        {"20240517T090503Z x", "2024-05-17T09:05:03Z", 16},
        {"20240517-09:05:03 x", "2024-05-17T09:05:03+07:00", 17},
        {"1715936703.621 x", "2024-05-17T09:05:03.621Z", 14},
        {"1715936703621 x", "2024-05-17T09:05:03.621Z", 13},
        {"@400000006647 x", NULL, 0},
        {"@400000006647214900000000 x", "2024-05-17T09:19:59Z", 25}, /* TAI64N of multilog: 0x66472149 less 10 s */
        {"2024-13-01 08:00:00", NULL, 0},
        {"2024-05-32 08:00:00", NULL, 0},
        {"2024-05-01 25:00:00", NULL, 0},
        {"Jan 32 08:00:00", NULL, 0},
        {"192.168.1.1 - - ", NULL, 0},
        {"12345", NULL, 0},
        {"Monday the 1st", NULL, 0},
        {"2024-12-31T23:59:60Z x", "2024-12-31T23:59:59.999999Z", 20}, /* a leap second */
    };
    struct line_clock clock = {.arrived_us = at("2024-12-31T00:00:00Z"), .zone_s = ZONE_VIETNAM_S};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        unsigned flags;
        size_t n = line_time_parse(text_of(cases[i].text), &clock, &us, &flags);
        if (n != cases[i].n || (n && us != at(cases[i].time))) {
            char is[TIME_TEXT_MAX];
            clock_format_utc(us, is);
            print_error("%s: %zu bytes, %s\n", cases[i].text, n, n ? is : "");
            fail();
        }
    }
}

/* --- framing ---------------------------------------------------------------------------------------- */

static void take_all(struct syslog_framer *f, const char *bytes, size_t n, size_t step, char *out, size_t n_out)
{
    size_t used = 0;
    struct text t;
    for (size_t from = 0; from < n; from += step) {
        const uint8_t *p = (const uint8_t *)bytes + from;
        size_t left = n - from < step ? n - from : step;
        while (!syslog_frame(f, &p, &left, &t))
            used += (size_t)snprintf(out + used, n_out - used, "{%.*s}", (int)t.n, t.p);
        assert_int_equal(left, 0);
    }
    if (!syslog_frame_end(f, &t))
        snprintf(out + used, n_out - used, "{%.*s}", (int)t.n, t.p);
}

static void both_framings_are_told_apart_for_each_message(void **state)
{
    (void)state;
    static const char stream[] = "11 <34>1 - a b5 <1>xy\n<13>one\r\n\n12 bottles\n007 <x\n<13>two\0" "8 <14>abcd<15>tail";
    static const char want[] = "{<34>1 - a b}{<1>xy}{<13>one}{12 bottles}{007 <x}{<13>two}{<14>abcd}{<15>tail}";
    for (size_t step = 1; step < sizeof stream; step++) {
        struct syslog_framer f = {0};
        char out[256] = "";
        take_all(&f, stream, sizeof stream - 1, step, out, sizeof out);
        assert_string_equal(out, want);
        assert_int_equal(f.n_counted, 3);
        assert_int_equal(f.n_lines, 5);
        syslog_framer_fini(&f);
    }
}

static void what_is_too_long_comes_in_pieces_and_nothing_is_lost(void **state)
{
    (void)state;
    struct syslog_framer f = {.max_bytes = 8};
    static const char stream[] = "20 <1>45678901234567890<2>short\n<3>a long line it is\n<4>x\n";
    char out[256] = "";
    take_all(&f, stream, sizeof stream - 1, 5, out, sizeof out);
    assert_string_equal(out, "{<1>45678}{90123456}{7890}{<2>short}{<3>a lon}{g line i}{t is}{<4>x}");
    assert_int_equal(f.n_split, 4);
    syslog_framer_fini(&f);
}

static void a_count_past_all_reason_is_a_line(void **state)
{
    (void)state;
    struct syslog_framer f = {0};
    static const char stream[] = "99999999999 <13>x\nok\n";
    char out[256] = "";
    take_all(&f, stream, sizeof stream - 1, 3, out, sizeof out);
    assert_string_equal(out, "{99999999999 <13>x}{ok}");
    syslog_framer_fini(&f);
}

/* the same bytes in random portions and of random content: the messages are the same, and no byte of theirs is lost */
static void portions_do_not_matter(void **state)
{
    (void)state;
    uint64_t seed = help_seed();
    for (unsigned round = 0; round < 200; round++) {
        char bytes[300], one[1024] = "", other[1024] = "";
        size_t n = help_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = "0123456789 <>ab\n\r"[help_random(&seed) % 17];
        struct syslog_framer f = {.max_bytes = 64}, g = {.max_bytes = 64};
        take_all(&f, bytes, n, n ? n : 1, one, sizeof one);
        take_all(&g, bytes, n, 1 + help_random(&seed) % 7, other, sizeof other);
        if (strcmp(one, other) != 0)
            print_error("seed %" PRIu64 ": %.*s\n", seed, (int)n, bytes);
        assert_string_equal(one, other);
        syslog_framer_fini(&f);
        syslog_framer_fini(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_standards_and_makers_are_read),
        cmocka_unit_test(a_message_wrapped_by_syslogd_is_unwrapped),
        cmocka_unit_test(structured_data_is_walked),
        cmocka_unit_test(the_year_is_the_latest_that_is_not_ahead_by_more_than_a_day),
        cmocka_unit_test(lines_of_a_file_keep_their_order_over_new_year),
        cmocka_unit_test(times_of_many_forms_are_read),
        cmocka_unit_test(both_framings_are_told_apart_for_each_message),
        cmocka_unit_test(what_is_too_long_comes_in_pieces_and_nothing_is_lost),
        cmocka_unit_test(a_count_past_all_reason_is_a_line),
        cmocka_unit_test(portions_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
