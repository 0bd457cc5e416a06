/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query language: what is accepted, what is refused and where the caret stands, and the sets values become.
 * Answers over rows: tests/property/query_brute.c.
 */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "watch/query/ast.h"

#include <errno.h>
#include <string.h>

static const uint32_t bots[] = {0x01020304, 0x01020305};

static int find_list(void *context, struct text name, const struct address_set **ret)
{
    static const struct address_set set = {.v4 = bots, .n_v4 = 2};
    (void)context;
    *ret = &set;
    return !text_is(name, "bots");
}

static const struct query_language language = {.zone_s = ZONE_VIETNAM_S, .now_us = INT64_C(1700000000000000), .list = find_list};

static struct query *parsed(const char *text)
{
    struct query *q = NULL;
    struct fault f = {0};
    if (query_parse(text, strlen(text), &language, &q, &f))
        fail_msg("%s\n%s", text, f.text);
    return q;
}

static void sentences_of_the_language_are_accepted(void **state)
{
    static const char *const good[] = {
        "", "*", "  * ", "| count", "10.0.0.1", "not 10.0.0.0/8", "2001:db8::1", "fe80::/10 or ::1",
        "source.ip : 203.0.113.0/24 and destination.port : (80 or 443) and not network.transport : udp | top 10 source.ip by sum(network.bytes)",
        "SOURCE.IP:203.0.113.7 AND NOT dst=10.0.0.1", "src : (10.0.0.1, 10.0.0.5-10.0.0.9 or 2001:db8::/32)",
        "port : 80-90", "port : 80..90", "port:0x50", "bytes >= 1.5M", "bytes : 4KiB", "packets != 1",
        "list : bots", "list : (bots)", "source.ip : @bots", "ip : (@bots or 10.0.0.1)", "ip != @bots",
        "start >= 2026-11-20", "event.end < \"2026-11-20 08:00\"", "start > 24h", "start : 2026-11-01..2026-11-02",
        "dns : *", "dns : *.example.com", "event.label : \"flow=From-Botnet*\"", "\"odd name\" : x",
        "observer.clock_offset_us < -5", "observer.clock_offset_us : -5..5", "direction : egress", "proto : 6", "transport : ICMP",
        "* | top source.ip", "* | top 5 source.ip, destination.port by max(network.packets)", "* | count by label",
        "* | sum bytes", "* | sum(bytes) by src", "* | min start", "* | timeline", "* | timeline 15m by transport",
        "* | timeline 1d sum(bytes) by src, dst", "* | fields source.ip, \"odd name\", @timestamp", "* | sort bytes desc, start | limit 10",
        "* | limit 10 | sort src", "* | count by src | sort count | limit 3 | fields count", "* | top 3 src by sum(bytes) | sort sum(network.bytes)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        query_free(parsed(good[i]));
}

static void errors_name_the_column_and_what_was_expected(void **state)
{
    static const struct {
        const char *text, *column, *expected; /* parts of the English message */
    } bad[] = {
        {"sorce.ip : 10.0.0.1", "column 1:", "did you mean source.ip?"},
        {"zzzzzzzz : 1", "column 1:", "the name of a field"},
        {"source.ip", "column 10:", "one of : ="},
        {"source.ip :", "column 12:", "an address"},
        {"source.ip : 10.0.0", "column 13:", "an address"},
        {"source.ip : 10.0.0.9-10.0.0.1", "column 13:", "an address"},
        {"source.ip : 10.0.0.1/33", "column 13:", "an address"},
        {"source.port : 65536", "column 15:", "0..65535"},
        {"source.port : 90-80", "column 15:", "0..65535"},
        {"source.port : -1", "column 15:", "0..65535"},
        {"network.tos : 256", "column 15:", "0..255"},
        {"transport : htcp", "column 13:", "a protocol"},
        {"bytes : 18446744073709551616", "column 9:", "a number"},
        {"bytes : 1.23456k", "column 9:", "a number"},
        {"start : yesterday", "column 9:", "a time"},
        {"direction : up", "column 13:", "ingress or egress"},
        {"label < x", "column 1:", "has no order"},
        {"list : nobody", "column 8:", "a list that exists"},
        {"src : @nobody", "column 7:", "a list that exists"},
        {"(ip : 10.0.0.1", "column 15:", "a closing )"},
        {"ip : (10.0.0.1 10.0.0.2)", "column 16:", "or, a comma"},
        {"ip : 10.0.0.1 ip : 10.0.0.2", "column 15:", "and, or, |"},
        {"ip : 10.0.0.1)", "column 14:", "and, or, |"},
        {"ip : 10.0.0.1 and", "column 18:", "the name of a field"},
        {"not", "column 4:", "the name of a field"},
        {"label : \"open", "column 9:", "a closing quote"},
        {"\xc4\x91\xc4\x91 : 1", "column 1:", "the name of a field"},
        {"label : \"\xc4\x91\" zz", "column 13:", "and, or, |"}, /* columns count characters */
        {"* | bottom 5 src", "column 5:", "top, count"},
        {"* | top 0 src", "column 9:", "1 or more"},
        {"* | top 5", "column 10:", "the name of a field"},
        {"* | top 5 ip", "column 11:", "one end"},
        {"* | top 5 src by", "column 17:", "count, sum"},
        {"* | top 5 src by sum(label)", "column 22:", "numbers"},
        {"* | top 5 src by sum(start)", "column 22:", "numbers"},
        {"* | top 5 src by sum(bytes", "column 27:", "a closing )"},
        {"* | count by src,dst,sport,dport,proto", "column 34:", "at most four"},
        {"* | timeline 5 by src", "column 14:", "a span"},
        {"* | limit", "column 10:", "1 or more"},
        {"* | limit x", "column 11:", "1 or more"},
        {"* | fields src extra", "column 16:", "| or the end"},
        {"* | fields src | fields dst", "column 18:", "top, count"},
        {"* | sort src | sort dst", "column 16:", "top, count"},
        {"* | sort src | count", "column 16:", "top, count"},
        {"* | count by src | top 5 src", "column 20:", "fields, sort or limit"},
        {"* | count by src | sort dst", "column 25:", "columns of this answer"},
        {"* | count by src | sort sum(bytes)", "column 25:", "columns of this answer"},
        {"* |", "column 4:", "top, count"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct query *q = NULL;
        struct fault f = {0};
        int r = query_parse(bad[i].text, strlen(bad[i].text), &language, &q, &f);
        if (r != QUERY_INVALID || !strstr(f.text, bad[i].column) || !strstr(f.text, bad[i].expected))
            fail_msg("%s: %d\n%s\nwanted %s %s", bad[i].text, r, f.text, bad[i].column, bad[i].expected);
    }
}

static void the_caret_stands_below_the_place(void **state)
{
    struct query *q;
    struct fault f = {0};
    const char *text = "source.ip : 10.0.0.1 and source.port : abc";
    (void)state;
    assert_int_equal(query_parse(text, strlen(text), &language, &q, &f), QUERY_INVALID);
    const char *line = strchr(f.text, '\n') + 1, *caret = strchr(line, '\n') + 1;
    assert_non_null(strstr(line, text));
    assert_ptr_equal(strstr(line, "abc") - line + caret, strchr(caret, '^'));
}

static void too_much_of_anything_is_refused(void **state)
{
    static char text[QUERY_TEXT_BYTES + 2];
    struct query *q;
    struct fault f = {0};
    (void)state;
    memset(text, ' ', sizeof(text));
    assert_int_equal(query_parse(text, QUERY_TEXT_BYTES + 1, &language, &q, &f), QUERY_INVALID);
    memset(text, '(', 200);
    assert_int_equal(query_parse(text, 200, &language, &q, &f), QUERY_INVALID);
    assert_non_null(strstr(f.text, "fewer brackets"));
    size_t n = 0;
    for (unsigned i = 0; i < QUERY_LEAVES + 1; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%stos : %u", i ? " or " : "", i % 256);
    assert_int_equal(query_parse(text, n, &language, &q, &f), QUERY_INVALID);
    assert_non_null(strstr(f.text, "fewer comparisons"));
    n = (size_t)snprintf(text, sizeof(text), "sport : (");
    for (unsigned i = 0; i < QUERY_VALUES + 1; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u", i ? "," : "", i % 10);
    assert_int_equal(query_parse(text, n, &language, &q, &f), QUERY_INVALID);
    assert_non_null(strstr(f.text, "fewer comparisons"));
}

static void numbers_become_joined_intervals(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        struct query_interval v[3];
    } cases[] = {
        {"sport : (80 or 443)", 2, {{80, 80}, {443, 443}}},
        {"sport : (81, 80, 82-90, 85)", 1, {{80, 90}}},
        {"sport < 80", 1, {{0, 79}}},
        {"sport <= 80", 1, {{0, 80}}},
        {"sport > 80", 1, {{81, UINT64_MAX}}},
        {"sport >= 80", 1, {{80, UINT64_MAX}}},
        {"sport < 0", 0, {{0, 0}}},
        {"bytes > 18446744073709551615", 0, {{0, 0}}},
        {"source.bytes : 1.5k", 1, {{1500, 1500}}},
        {"source.bytes : 2MiB", 1, {{2097152, 2097152}}},
        {"source.bytes : 3g", 1, {{3000000000, 3000000000}}},
        {"source.bytes : 0xff..256", 1, {{255, 256}}},
        {"proto : (tcp or udp)", 2, {{6, 6}, {17, 17}}},
        {"transport : ICMPv6", 1, {{58, 58}}},
        {"direction : (egress)", 1, {{1, 1}}},
        {"observer.clock_offset_us : (-5 or 3..4)", 2, {{(uint64_t)-5, (uint64_t)-5}, {3, 4}}},
        {"observer.clock_offset_us < -1", 1, {{(uint64_t)INT64_MIN, (uint64_t)-2}}},
        /* 2023-11-14 in +07:00 is 2023-11-13T17:00:00Z = 1699894800 */
        {"start : 2023-11-14", 1, {{1699894800000000, 1699981199999999}}},
        {"start : 2023-11-14T07:00:00+07:00", 1, {{1699920000000000, 1699920000999999}}},
        {"start : 2023-11-14T00:00:00.5Z", 1, {{1699920000500000, 1699920000500000}}},
        {"start >= 1h", 1, {{1699996400000000, INT64_MAX}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct query *q = parsed(cases[i].text);
        const struct query_leaf *l = q->leaves[0];
        bool is_same = l->n_intervals == cases[i].n;
        for (size_t k = 0; is_same && k < cases[i].n; k++)
            is_same = l->intervals[k].first == cases[i].v[k].first && l->intervals[k].last == cases[i].v[k].last;
        if (!is_same)
            fail_msg("%s: %zu intervals, first %llu..%llu", cases[i].text, l->n_intervals,
                     l->n_intervals ? (unsigned long long)l->intervals[0].first : 0,
                     l->n_intervals ? (unsigned long long)l->intervals[0].last : 0);
        query_free(q);
    }
}

static void addresses_become_a_sorted_set(void **state)
{
    (void)state;
    struct query *q = parsed("src : (10.0.0.8, 10.0.0.1, 10.0.0.2-10.0.0.3, 192.0.2.0/24, 192.0.2.7, 2001:db8::1, ::ffff:10.0.0.9)");
    const struct address_set *s = &q->leaves[0]->set;
    assert_int_equal(s->n_v4, 0);
    assert_int_equal(s->n_v4_ranges, 3); /* .1-.3, .8-.9, the prefix */
    assert_int_equal(s->v4_ranges[0].first, 0x0a000001);
    assert_int_equal(s->v4_ranges[0].last, 0x0a000003);
    assert_int_equal(s->v4_ranges[1].last, 0x0a000009);
    assert_int_equal(s->v4_ranges[2].last, 0xc00002ff);
    assert_int_equal(s->n_v6, 1);
    query_free(q);
    q = parsed("src : ::/0"); /* all of IPv6, which leaves the mapped IPv4 addresses out */
    assert_int_equal(q->leaves[0]->set.n_v4 + q->leaves[0]->set.n_v4_ranges, 0);
    assert_int_equal(q->leaves[0]->set.n_v6, 2);
    query_free(q);
    q = parsed("ip : @bots");
    assert_int_equal(q->filter->op, QUERY_OR);
    assert_ptr_equal(q->leaves[0]->set.v4, bots);
    assert_int_equal(q->n_leaves, 2);
    query_free(q);
}

static void columns_of_an_answer_have_their_names(void **state)
{
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"* | count", "count"},
        {"* | top 3 src by sum(bytes)", "source.ip,sum(network.bytes)"},
        {"* | count by dport, transport", "destination.port,network.transport,count"},
        {"* | timeline 1h by src", "event.start,source.ip,count"},
        {"* | avg packets by label | fields avg(packets), label", "avg(network.packets),event.label"},
        {"* | fields @timestamp, exporter, \"odd name\"", "@timestamp,observer.ip,odd name"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct query *q = parsed(cases[i].text);
        char names[512] = "";
        for (unsigned c = 0; c < q->n_columns; c++)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.*s", c ? "," : "", (int)q->columns[c].name.n,
                     q->columns[c].name.p);
        assert_string_equal(names, cases[i].names);
        assert_false(query_is_rows(q));
        query_free(q);
    }
    struct query *q = parsed("*");
    assert_true(query_is_rows(q));
    assert_int_equal(q->n_columns, FLOW_N_ADDRESSES + FLOW_N_NUMBERS + 9 + 4); /* and transport, bytes, packets, domain */
    query_free(q);
}

static void whatever_is_typed_only_rows_of_the_given_ranges_can_match(void **state)
{
    static const char *const texts[] = {"*", "", "src : 192.0.2.1", "* or *", "not ip : 10.0.0.1", "| count", "label : b or not label : d"};
    struct ip_range own;
    (void)state;
    assert_int_equal(ip_range_parse("10.0.0.0/8", 10, &own, NULL), 0);
    for (size_t n_only = 0; n_only < 2; n_only++) {
        struct query_language narrow = language;
        narrow.only = &own;
        narrow.n_only = n_only;
        for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
            struct query *q;
            struct fault f = {0};
            if (query_parse(texts[i], strlen(texts[i]), &narrow, &q, &f))
                fail_msg("%s: %s", texts[i], f.text);
            assert_int_equal(q->filter->op, QUERY_AND); /* what was typed, and the ranges */
            const struct query_node *ends = q->filter->children->next;
            assert_null(ends->next);
            assert_int_equal(ends->op, QUERY_OR);
            for (const struct query_node *end = ends->children; end; end = end->next) {
                assert_int_equal(end->op, QUERY_LEAF);
                assert_false(end->leaf->is_presence);
                assert_int_equal(end->leaf->set.n_v4 + end->leaf->set.n_v6, 0);
                assert_int_equal(end->leaf->set.n_v4_ranges, n_only);
            }
            query_free(q);
        }
    }
}

static int parse_much(void *context)
{
    const char *text = "src : (10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9) and not "
                       "label : (a, b) or sport != (1,2) | count by src | sort count";
    struct query *q = NULL;
    struct fault f = {0};
    (void)context;
    int r = query_parse(text, strlen(text), &language, &q, &f);
    if (r)
        assert_int_equal(r, -ENOMEM);
    query_free(r ? NULL : q);
    return r;
}

static void a_failed_allocation_is_said_and_nothing_leaks(void **state)
{
    (void)state;
    assert_true(failing_alloc_each("parsing a query", parse_much, NULL, false) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences_of_the_language_are_accepted),
        cmocka_unit_test(errors_name_the_column_and_what_was_expected),
        cmocka_unit_test(the_caret_stands_below_the_place),
        cmocka_unit_test(too_much_of_anything_is_refused),
        cmocka_unit_test(numbers_become_joined_intervals),
        cmocka_unit_test(addresses_become_a_sorted_set),
        cmocka_unit_test(columns_of_an_answer_have_their_names),
        cmocka_unit_test(whatever_is_typed_only_rows_of_the_given_ranges_can_match),
        cmocka_unit_test(a_failed_allocation_is_said_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
