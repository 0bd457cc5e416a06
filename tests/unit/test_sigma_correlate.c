/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Correlations as the specification's examples state them: what is counted, for whom, within which time, and that one
 * answer is given per group and window.
 */
#include "sigma_help.h"
#include "watch/detect/sigma_correlate.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(1700000000) * SECOND)

struct answer {
    char rule[64], group[128], user[64];
    int64_t second;
    double value;
    uint64_t tag;
};

struct run {
    struct event_names *names;
    struct sigma_rules *rules;
    struct sigma_matcher *m;
    struct sigma_correlator *c;
    struct events *e;
    struct answer all[256];
    unsigned n;
    unsigned n_single; /* matches of reported rules */
    uint64_t tag;
};

static int on_answer(void *context, const struct sigma_correlated *c)
{
    struct run *r = context;
    struct answer *a = &r->all[r->n++];
    assert_true(r->n < COUNT_OF(r->all));
    const struct sigma_about *about = sigma_rules_about(r->rules, c->rule);
    snprintf(a->rule, sizeof a->rule, "%.*s", (int)about->title.n, about->title.p);
    snprintf(a->group, sizeof a->group, "%.*s", (int)c->group.n, c->group.p);
    snprintf(a->user, sizeof a->user, "%.*s", (int)c->user.n, c->user.p);
    a->second = (c->time_us - START) / SECOND;
    a->value = c->value;
    a->tag = c->tag;
    return 0;
}

static int on_match(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    struct run *r = context;
    r->n_single += sigma_rules_about(r->rules, rule)->is_reported;
    return sigma_correlator_add(r->c, r->m, e, row, rule, ++r->tag, on_answer, r);
}

static void begin(struct run *r, const char *text, size_t max_bytes)
{
    memset(r, 0, sizeof *r);
    r->names = event_names_new();
    r->rules = help_rules(r->names, text);
    uint32_t n;
    const struct sigma_checked *c = sigma_rules_checked(r->rules, &n);
    for (uint32_t i = 0; i < n; i++)
        if (c[i].reason)
            fail_msg("line %u: %s %s", c[i].line, sigma_reason_name(c[i].reason), c[i].detail);
    r->m = sigma_matcher_new(r->rules);
    r->c = sigma_correlator_new(r->rules, max_bytes);
    r->e = events_new(r->names);
}

/* at - one event @second seconds after the start: JSON without braces. */
static void at(struct run *r, int64_t second, const char *event)
{
    char json[1024];
    snprintf(json, sizeof json, "{%s}", event);
    events_clear(r->e);
    help_event_text(r->e, json);
    r->e->time_us[0] = START + second * SECOND;
    assert_int_equal(sigma_match(r->m, r->e, on_match, r), 0);
}

static void finish(struct run *r)
{
    assert_int_equal(sigma_correlator_flush(r->c, on_answer, r), 0);
}

static void end(struct run *r)
{
    events_free(r->e);
    sigma_correlator_free(r->c);
    assert_true(r->m != NULL);
    sigma_matcher_free(r->m);
    sigma_rules_free(r->rules);
    event_names_free(r->names);
}

#define BASE(name, kind) "title: " name "\nid: id-" name "\nname: " name "\nlogsource: {product: any_test}\ndetection: {s: {kind: " kind "}, condition: s}\n---\n"

static void an_event_count_is_answered_once_per_group_and_window(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("failed", "fail") "title: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user.name, host.name]\n  timespan: 60s\n  condition: {gte: 3}\n", 1 << 20);
    at(&r, 0, "\"kind\": \"fail\", \"user.name\": \"lan\", \"host.name\": \"a\"");
    at(&r, 1, "\"kind\": \"fail\", \"user.name\": \"LAN\", \"host.name\": \"a\"");
    at(&r, 2, "\"kind\": \"fail\", \"user.name\": \"lan\", \"host.name\": \"b\"");
    at(&r, 3, "\"kind\": \"other\", \"user.name\": \"lan\", \"host.name\": \"a\"");
    at(&r, 4, "\"kind\": \"fail\", \"host.name\": \"a\"");
    assert_int_equal(r.n, 0);
    at(&r, 5, "\"kind\": \"fail\", \"user.name\": \"lan\", \"host.name\": \"a\"");
    assert_int_equal(r.n, 1);
    assert_string_equal(r.all[0].rule, "many");
    assert_string_equal(r.all[0].group, "lan / a");
    assert_string_equal(r.all[0].user, "lan");
    assert_int_equal(r.all[0].second, 5);
    assert_int_equal(r.all[0].tag, 5);
    for (int i = 6; i < 65; i++)
        at(&r, i, "\"kind\": \"fail\", \"user.name\": \"lan\", \"host.name\": \"a\"");
    assert_int_equal(r.n, 1); /* muted until second 65 */
    at(&r, 65, "\"kind\": \"fail\", \"user.name\": \"lan\", \"host.name\": \"a\"");
    assert_int_equal(r.n, 2);
    assert_int_equal(r.n_single, 0); /* counted rules are silent */
    assert_int_equal(sigma_correlator_counters(r.c)->without_group, 1);
    end(&r);
}

static void a_window_slides_and_its_end_is_part_of_it(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("failed", "fail") "title: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user.name]\n  timespan: 1m\n  condition: {gt: 2}\n", 1 << 20);
    static const int64_t seconds[] = {0, 50, 61, 111, 121}; /* any three in a row span more than 60 s but the last */
    for (size_t i = 0; i < COUNT_OF(seconds); i++)
        at(&r, seconds[i], "\"kind\": \"fail\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 1);
    assert_int_equal(r.all[0].second, 121);
    end(&r);
}

static void events_that_come_late_count_where_they_belong(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("failed", "fail") "title: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user.name]\n  timespan: 60s\n  condition: {gte: 3}\n", 1 << 20);
    at(&r, 10, "\"kind\": \"fail\", \"user.name\": \"x\"");
    at(&r, 90, "\"kind\": \"fail\", \"user.name\": \"x\"");
    at(&r, 40, "\"kind\": \"fail\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 0); /* 10 and 40, 40 and 90 */
    at(&r, 60, "\"kind\": \"fail\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 1);
    at(&r, 1000, "\"kind\": \"fail\", \"user.name\": \"x\"");
    at(&r, 100, "\"kind\": \"fail\", \"user.name\": \"x\"");
    assert_int_equal(sigma_correlator_counters(r.c)->late, 1);
    end(&r);
}

static void a_value_count_counts_each_value_once(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("failed", "fail") "title: spray\ncorrelation:\n  type: value_count\n  rules: [failed]\n  group-by: [source.ip]\n  timespan: 5m\n  condition: {field: user.name, gte: 3}\n", 1 << 20);
    at(&r, 0, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.1\", \"user.name\": \"a\"");
    at(&r, 1, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.1\", \"user.name\": \"b\"");
    at(&r, 2, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.1\", \"user.name\": \"A\"");
    at(&r, 3, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.2\", \"user.name\": \"c\"");
    at(&r, 4, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.1\"");
    assert_int_equal(r.n, 0);
    at(&r, 301, "\"kind\": \"fail\", \"source.ip\": \"10.0.0.1\", \"user.name\": \"c\"");
    assert_int_equal(r.n, 1); /* b at 1 and a at 2 are still within 300 s */
    assert_true(r.all[0].value > 2.5 && r.all[0].value < 3.5);
    assert_int_equal(sigma_correlator_counters(r.c)->without_value, 1);
    end(&r);
}

static void temporal_rules_come_in_any_order_ordered_ones_in_theirs(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("a", "a") BASE("b", "b") BASE("c", "c")
          "title: any\ncorrelation: {type: temporal, rules: [a, b, c], group-by: [user.name], timespan: 10s}\n---\n"
          "title: two\ncorrelation: {type: temporal, rules: [a, b, c], group-by: [user.name], timespan: 10s, condition: {gte: 2}}\n---\n"
          "title: row\ncorrelation: {type: temporal_ordered, rules: [a, b, c], group-by: [user.name], timespan: 10s}\n", 1 << 20);
    at(&r, 0, "\"kind\": \"c\", \"user.name\": \"x\"");
    at(&r, 1, "\"kind\": \"a\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 1);
    assert_string_equal(r.all[0].rule, "two");
    at(&r, 2, "\"kind\": \"b\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 2);
    assert_string_equal(r.all[1].rule, "any");
    at(&r, 3, "\"kind\": \"c\", \"user.name\": \"y\"");
    assert_int_equal(r.n, 2);
    at(&r, 4, "\"kind\": \"c\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 3);
    assert_string_equal(r.all[2].rule, "row");
    at(&r, 100, "\"kind\": \"a\", \"user.name\": \"z\"");
    at(&r, 111, "\"kind\": \"b\", \"user.name\": \"z\"");
    at(&r, 112, "\"kind\": \"c\", \"user.name\": \"z\"");
    assert_int_equal(r.n, 4); /* "two" for b and c; a is too long ago for the others */
    assert_string_equal(r.all[3].rule, "two");
    end(&r);
}

static void aliases_name_a_field_per_rule(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("internal_error", "e") BASE("new_network_connection", "n")
          "title: both\ncorrelation:\n  type: temporal\n  rules: [internal_error, new_network_connection]\n  group-by: [internal_ip, remote_ip]\n  timespan: 10s\n"
          "  aliases:\n    internal_ip: {internal_error: destination.ip, new_network_connection: source.ip}\n"
          "    remote_ip: {internal_error: source.ip, new_network_connection: destination.ip}\n", 1 << 20);
    at(&r, 0, "\"kind\": \"e\", \"source.ip\": \"1.1.1.1\", \"destination.ip\": \"10.0.0.1\"");
    at(&r, 1, "\"kind\": \"n\", \"source.ip\": \"1.1.1.1\", \"destination.ip\": \"10.0.0.1\"");
    assert_int_equal(r.n, 0);
    at(&r, 2, "\"kind\": \"n\", \"source.ip\": \"10.0.0.1\", \"destination.ip\": \"1.1.1.1\"");
    assert_int_equal(r.n, 1);
    assert_string_equal(r.all[0].group, "10.0.0.1 / 1.1.1.1");
    end(&r);
}

static void correlations_chain_and_generate_lets_the_counted_rules_speak(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, "title: break in\nid: top\ncorrelation:\n  type: temporal_ordered\n  rules: [multiple_failed_login, success]\n  group-by: [user.name]\n  timespan: 10m\n---\n"
          "title: many\nname: multiple_failed_login\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user.name, host.name]\n  timespan: 10m\n  condition: {gte: 3}\n---\n"
          BASE("failed", "fail") BASE("success", "ok")
          "title: said too\ncorrelation: {type: event_count, rules: [success], group-by: [user.name], timespan: 1m, generate: true, condition: {gte: 100}}\n", 1 << 20);
    for (int i = 0; i < 3; i++)
        at(&r, i, "\"kind\": \"fail\", \"user.name\": \"x\", \"host.name\": \"h\"");
    assert_int_equal(r.n, 0);
    at(&r, 30, "\"kind\": \"ok\", \"user.name\": \"y\"");
    assert_int_equal(r.n, 0);
    at(&r, 31, "\"kind\": \"ok\", \"user.name\": \"x\"");
    assert_int_equal(r.n, 1);
    assert_string_equal(r.all[0].rule, "break in");
    assert_string_equal(r.all[0].group, "x");
    assert_int_equal(r.n_single, 2); /* both successes, by generate */
    end(&r);
}

static void what_can_still_change_is_judged_when_the_window_ends(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("seen", "s")
          "title: few\ncorrelation: {type: event_count, rules: [seen], group-by: [host.name], timespan: 60s, condition: {lt: 3}}\n---\n"
          "title: range\ncorrelation: {type: event_count, rules: [seen], group-by: [host.name], timespan: 60s, condition: {gt: 2, lte: 4}}\n---\n"
          "title: average\ncorrelation: {type: value_avg, rules: [seen], group-by: [host.name], timespan: 60s, condition: {field: n, gt: 500}}\n---\n"
          "title: median\ncorrelation: {type: value_percentile, rules: [seen], group-by: [host.name], timespan: 60s, condition: {field: n, lte: 20}}\n---\n"
          "title: rare\ncorrelation: {type: value_percentile, rules: [seen], group-by: [host.name], timespan: 60s, condition: {field: image, lte: 25}}\n---\n"
          "title: sum\ncorrelation: {type: value_sum, rules: [seen], group-by: [host.name], timespan: 60s, condition: {field: n, gt: 1000}}\n", 1 << 20);
    /* 10 + 20 + 1000 + 1002: average 508, the second of four is 20, the sum passes 1000 with the third */
    at(&r, 0, "\"kind\": \"s\", \"host.name\": \"h\", \"n\": 10, \"image\": \"a\"");
    at(&r, 1, "\"kind\": \"s\", \"host.name\": \"h\", \"n\": 20, \"image\": \"a\"");
    assert_int_equal(r.n, 0);
    at(&r, 2, "\"kind\": \"s\", \"host.name\": \"h\", \"n\": \"1000\", \"image\": \"a\"");
    assert_int_equal(r.n, 1);
    assert_string_equal(r.all[0].rule, "sum");
    at(&r, 3, "\"kind\": \"s\", \"host.name\": \"h\", \"n\": 1002, \"image\": \"b\"");
    assert_int_equal(r.n, 1);
    at(&r, 64, "\"kind\": \"s\", \"host.name\": \"g\"");
    assert_int_equal(r.n, 5);
    assert_string_equal(r.all[1].rule, "range");
    assert_string_equal(r.all[2].rule, "average");
    assert_string_equal(r.all[3].rule, "median");
    assert_string_equal(r.all[4].rule, "rare");
    finish(&r);
    assert_int_equal(r.n, 6);
    assert_string_equal(r.all[5].rule, "few");
    assert_string_equal(r.all[5].group, "g");
    end(&r);
}

static void memory_is_bounded_and_what_is_forgotten_is_counted(void **context)
{
    (void)context;
    static struct run r;
    begin(&r, BASE("failed", "fail") "title: many\ncorrelation:\n  type: event_count\n  rules: [failed]\n  group-by: [user.name]\n  timespan: 1d\n  condition: {gte: 3}\n", 64 << 10);
    for (int i = 0; i < 3000; i++) {
        char event[200];
        snprintf(event, sizeof event, "\"kind\": \"fail\", \"user.name\": \"user-%d\"", i);
        at(&r, i, event);
        assert_true(sigma_correlator_counters(r.c)->bytes <= (64 << 10));
    }
    const struct sigma_correlate_counters *c = sigma_correlator_counters(r.c);
    assert_true(c->forgotten > 0);
    assert_int_equal(c->forgotten + c->n_groups, 3000);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_count_is_answered_once_per_group_and_window),
        cmocka_unit_test(a_window_slides_and_its_end_is_part_of_it),
        cmocka_unit_test(events_that_come_late_count_where_they_belong),
        cmocka_unit_test(a_value_count_counts_each_value_once),
        cmocka_unit_test(temporal_rules_come_in_any_order_ordered_ones_in_theirs),
        cmocka_unit_test(aliases_name_a_field_per_rule),
        cmocka_unit_test(correlations_chain_and_generate_lets_the_counted_rules_speak),
        cmocka_unit_test(what_can_still_change_is_judged_when_the_window_ends),
        cmocka_unit_test(memory_is_bounded_and_what_is_forgotten_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
