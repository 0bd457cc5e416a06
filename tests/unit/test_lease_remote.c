/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/remote: what the owner's log system is asked, and what becomes of its answers, hostile ones among them. */
#include "watch/lease/remote.h"

#include "base/clock.h"

#include "cmocka_house.h"

#define AT (INT64_C(1771125128) * US_PER_SECOND) /* 2026-02-15 03:12:08 UTC */

static const struct lease_question question = {.port = 4100, .at_us = AT, .skew_us = 60 * US_PER_SECOND};

static struct lease_question asked(void)
{
    struct lease_question q = question;
    q.address = ip_from_v4(0xcb007107); /* 203.0.113.7 */
    return q;
}

static void templates_are_checked_and_filled(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_good;
    } cases[] = {
        {"https://nat.example.vn/x?ip={address}&p={port}&a={from}&b={to}", true},
        {"http://10.0.0.1:8080/{address}/{from_s}-{to_s}", true},
        {"https://[2001:db8::1]/{address}?{from_ms},{to_ms}", true},
        {"ftp://x/{address}", false},          {"file:///etc/passwd?{address}", false}, {"https:///{address}", false},
        {"https://x/", false},                 {"https://x/{ip}", false},           {"https://x/{address}}", false},
        {"https://u:p@x/{address}", false},    {"https://{address}/x", false},          {"https://x/{address} y", false},
        {"https://x/{address}\r\nHost: y", false}, {"https://x/{", false},              {"HTTPS://x/{address}", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(remote_check_url(cases[i].url) == NULL, cases[i].is_good);
    char url[REMOTE_URL_MAX];
    const struct lease_question q = asked();
    struct remote_system s = {.url = cases[0].url};
    assert_int_equal(remote_url(&s, &q, url), 0);
    assert_string_equal(url, "https://nat.example.vn/x?ip=203.0.113.7&p=4100&a=2026-02-15T03:11:08Z&b=2026-02-15T03:13:08Z");
    s.url = cases[1].url;
    assert_int_equal(remote_url(&s, &q, url), 0);
    assert_string_equal(url, "http://10.0.0.1:8080/203.0.113.7/1771125068-1771125188");
    const struct lease_question edge = {.address = q.address, .port = -1, .at_us = INT64_MIN + 1, .skew_us = INT64_MAX};
    assert_int_equal(remote_url(&s, &edge, url), 0); /* no undefined arithmetic */
}

static void a_template_that_grows_too_long_is_refused(void **state)
{
    (void)state;
    char template[REMOTE_URL_MAX] = "https://x/", url[REMOTE_URL_MAX];
    for (int i = 0; i < 60; i++)
        strcat(template, "{address}{from}");
    assert_null(remote_check_url(template));
    const struct remote_system s = {.url = template};
    struct lease_question q = asked();
    assert_int_equal(remote_url(&s, &q, url), 0);
    q.address = ip_from_v6((const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11});
    assert_int_equal(remote_url(&s, &q, url), 1); /* 60 times 39 letters of address and 20 of time */
}

static const struct remote_system json_system = {.format = REMOTE_JSON, .rows = "data.items", .n_columns = 3,
                                                 .columns = {{"inside_ip", "private"}, {"subscriber", "who.name"}, {"from", "since"}}};

static int answer(const struct remote_system *s, const char *body, struct buf *out, uint64_t *n)
{
    struct fault f = {0};
    const struct lease_question q = asked();
    int r = remote_answer(s, &q, (struct text){body, strlen(body)}, out, n, &f);
    assert_int_equal(r != 0, f.text[0] != 0);
    return r;
}

static void json_becomes_rows_with_what_was_asked(void **state)
{
    (void)state;
    struct buf out = {.max = 1 << 20};
    uint64_t n;
    assert_int_equal(answer(&json_system, "{\"data\":{\"items\":[{\"private\":\"10.0.0.7\",\"who\":{\"name\":\"a\\\"b\\n,c\"},\"since\":1771125000}]}}",
                            &out, &n), 0);
    buf_add(&out, "", 1);
    assert_int_equal(n, 1);
    assert_string_equal(out.p, "\"inside_ip\",\"subscriber\",\"from\",outside_ip,port\n"
                               "\"10.0.0.7\",\"a\"\"b ,c\",\"1771125000\",\"203.0.113.7\",\"4100\"\n");
    assert_int_equal(answer(&json_system, "{\"data\":{\"items\":[]}}", &out, &n), 0);
    assert_int_equal(n, 0);
    buf_fini(&out);
}

static void hostile_answers_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "x", "[]", "{\"data\":[]}", "{\"data\":{\"items\":{}}}", "{\"data\":{\"items\":[1]}}",
                                         "{\"data\":{\"items\":[null]}}", "{\"data\":1,\"data\":2}", "{\"data\":{\"items\":[{}]}} x",
                                         "{\"data\":{\"items\":[{\"private\":\"\xff\"}]}}"};
    struct buf out = {.max = 1 << 20};
    uint64_t n;
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        assert_int_equal(answer(&json_system, bodies[i], &out, &n), 1);
    struct buf many = {.max = 1 << 22};
    buf_add_text(&many, "{\"data\":{\"items\":[{}");
    for (unsigned i = 0; i < REMOTE_ROWS; i++)
        buf_add_text(&many, ",{}");
    buf_add_text(&many, "]}}");
    buf_add(&many, "", 1);
    assert_int_equal(answer(&json_system, (const char *)many.p, &out, &n), 1);
    buf_fini(&many);
    struct buf deep = {.max = 1 << 20};
    for (int i = 0; i < 200000; i++)
        buf_add_text(&deep, "[");
    buf_add(&deep, "", 1);
    assert_int_equal(answer(&json_system, (const char *)deep.p, &out, &n), 1);
    buf_fini(&deep);
    struct buf small = {.max = 16}; /* no room for the rows */
    assert_int_equal(answer(&json_system, "{\"data\":{\"items\":[{}]}}", &small, &n), 1);
    buf_fini(&small);
    buf_fini(&out);
}

static void csv_is_read_by_its_own_names(void **state)
{
    (void)state;
    const struct remote_system s = {.format = REMOTE_CSV, .n_columns = 3,
                                    .columns = {{"inside_ip", "Private"}, {"from", "Opened"}, {"to", "Closed"}}};
    struct buf out = {.max = 1 << 20};
    uint64_t n;
    assert_int_equal(answer(&s, "Closed;Private;Other\n2026-02-15T04:00:00Z;10.0.0.1;x\n", &out, &n), 0);
    buf_add(&out, "", 1);
    assert_int_equal(n, 1);
    assert_string_equal(out.p, "\"inside_ip\",\"from\",\"to\",outside_ip,port\n\"10.0.0.1\",\"\",\"2026-02-15T04:00:00Z\",\"203.0.113.7\",\"4100\"\n");
    assert_int_equal(answer(&s, "a,b\n1,2\n", &out, &n), 1);
    assert_int_equal(answer(&s, "Private\n\"10.0", &out, &n), 1);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_checked_and_filled),
        cmocka_unit_test(a_template_that_grows_too_long_is_refused),
        cmocka_unit_test(json_becomes_rows_with_what_was_asked),
        cmocka_unit_test(hostile_answers_are_refused_with_a_reason),
        cmocka_unit_test(csv_is_read_by_its_own_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
