/* SPDX-License-Identifier: Apache-2.0 */
/* Alarms become findings once; settings are refused by line; what the journal knows is not written again. */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "help_dir.h"

#include "base/clock.h"
#include "watch/detect/behaviour_alerts.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define T0 (INT64_C(1700000000) * US_PER_SECOND)

static struct help_dir dir;

static int setup(void **state)
{
    (void)state;
    dir = help_dir_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    help_dir_free(&dir);
    return 0;
}

static struct behaviour_alarm scan(uint32_t own, uint64_t n)
{
    struct behaviour_alarm a = {.kind = BEHAVIOUR_HOST_SCAN, .own = ip_from_v4(own), .peer_port = 445, .name = TEXT("tcp"), .window_us = T0,
                                .window_length_us = US_PER_DAY, .first_us = T0, .last_us = T0 + 60 * US_PER_SECOND, .confidence_pct = 80,
                                .severity = 3, .n_events = n, .n_peers = 1, .peers = {ip_from_v4(0x01020304)}, .n_series = 3,
                                .series = {1, 2, NAN}, .series_from_us = T0, .series_step_us = US_PER_SECOND, .series_unit = "flows",
                                .query = TEXT("source.ip : 10.0.0.1")};
    behaviour_put_number(&a, "hosts", (double)n, 25);
    behaviour_put_number(&a, "informs", 7, NAN);
    behaviour_put_number(&a, "unknown", NAN, 3);
    return a;
}

static void the_payload_is_one_json_object_with_what_is_known(void **state)
{
    struct buf b = {.max = 1 << 16};
    struct behaviour_alarm a = scan(0x0a000001, 40);
    json_error_t e;
    (void)state;
    a.user = TEXT("a\"b\n");
    behaviour_put(&b, &a, NULL);
    json_t *o = json_loadb((const char *)b.p, b.n, 0, &e);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "finding.kind")), "behaviour");
    assert_string_equal(json_string_value(json_object_get(o, "behaviour.kind")), "host_scan");
    assert_string_equal(json_string_value(json_object_get(o, "severity")), "high");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "attack.techniques"), 0)), "T1046");
    assert_string_equal(json_string_value(json_object_get(o, "own.ip")), "10.0.0.1");
    assert_null(json_object_get(o, "remote.ip"));
    assert_null(json_object_get(o, "host.name"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "users"), 0)), "a\"b\n");
    assert_int_equal(json_integer_value(json_object_get(o, "events")), 40);
    json_t *n = json_object_get(o, "numbers");
    assert_int_equal(json_object_size(n), 2); /* what has no value is not said */
    assert_true(json_number_value(json_object_get(json_object_get(n, "hosts"), "limit")) == 25);
    assert_null(json_object_get(json_object_get(n, "informs"), "limit"));
    assert_true(json_is_null(json_array_get(json_object_get(json_object_get(o, "series"), "values"), 2)));
    assert_string_equal(json_string_value(json_object_get(o, "query")), "source.ip : 10.0.0.1");
    json_decref(o);
    buf_fini(&b);
}

static void every_kind_has_a_name_that_is_found_again(void **state)
{
    enum behaviour_kind k;
    (void)state;
    for (unsigned i = 0; i < BEHAVIOUR_N_KINDS; i++) {
        const char *name = behaviour_name((enum behaviour_kind)i);
        assert_int_equal(behaviour_kind_parse((struct text){name, strlen(name)}, &k), 0);
        assert_int_equal(k, i);
    }
    assert_int_equal(behaviour_kind_parse(TEXT("beacons"), &k), 1);
}

struct heard {
    unsigned n;
    uint64_t n_events;
    int64_t last_first_us;
};

static int hear(void *context, const struct behaviour_alarm *a)
{
    struct heard *h = context;
    assert_true(a->first_us >= h->last_first_us);
    h->last_first_us = a->first_us;
    h->n++;
    h->n_events += a->n_events;
    return 0;
}

static void repetitions_are_one_finding_and_the_greater_count_wins(void **state)
{
    struct behaviour_alerts *all;
    struct behaviour_alert_counters c;
    struct heard h = {.last_first_us = INT64_MIN};
    struct behaviour_alerts_options o = {.max_alerts = 3};
    (void)state;
    assert_int_equal(behaviour_alerts_new(&o, &all), 0);
    for (uint64_t n = 30; n <= 50; n += 10) {
        struct behaviour_alarm a = scan(0x0a000001, n);
        assert_int_equal(behaviour_alerts_take(all, &a), 0);
    }
    struct behaviour_alarm less = scan(0x0a000001, 31), other = scan(0x0a000002, 1), third = scan(0x0a000001, 2), lost = scan(0x0a000003, 1);
    other.first_us -= 5;
    third.window_us += US_PER_DAY;
    assert_int_equal(behaviour_alerts_take(all, &less), 0);
    assert_int_equal(behaviour_alerts_take(all, &other), 0);
    assert_int_equal(behaviour_alerts_take(all, &third), 0);
    assert_int_equal(behaviour_alerts_take(all, &lost), 0);
    assert_int_equal(behaviour_alerts_each(all, hear, &h), 0);
    behaviour_alerts_count(all, &c);
    assert_int_equal(h.n, 3);
    assert_int_equal(h.n_events, 50 + 1 + 2);
    assert_int_equal(c.alarms, 7);
    assert_int_equal(c.smaller, 1);
    assert_int_equal(c.lost, 1);
    assert_int_equal(c.findings, 3);
    behaviour_alerts_free(all);
}

static void an_exception_takes_away_until_its_end(void **state)
{
    static const struct {
        const char *rule, *host;
        uint32_t first, last;
        int64_t until_us;
        bool is_excepted;
    } table[] = {
        {"host_scan", NULL, 0x0a000001, 0x0a000001, INT64_MAX, true}, {"*", NULL, 0x0a000000, 0x0a0000ff, INT64_MAX, true},
        {"HOST_SCAN", NULL, 0x0a000001, 0x0a000001, INT64_MAX, true}, {"port_scan", NULL, 0x0a000001, 0x0a000001, INT64_MAX, false},
        {"host_scan", NULL, 0x0a000002, 0x0a000003, INT64_MAX, false}, {"host_scan", NULL, 0x0a000001, 0x0a000001, T0 - 1, false},
        {"host_scan", "web*", 0x0a000001, 0x0a000001, INT64_MAX, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct ip_range r = {ip_from_v4(table[i].first), ip_from_v4(table[i].last)};
        struct log_exception x = {.rule = table[i].rule, .host = table[i].host, .addresses = &r, .n_addresses = 1, .reason = "house",
                                  .author = "a", .until_us = table[i].until_us};
        struct behaviour_alerts_options o = {.exceptions = &x, .n_exceptions = 1, .max_alerts = 10};
        struct behaviour_alerts *all;
        struct behaviour_alert_counters c;
        struct behaviour_alarm a = scan(0x0a000001, 30);
        assert_int_equal(behaviour_alerts_new(&o, &all), 0);
        behaviour_alerts_clock(all, T0);
        assert_int_equal(behaviour_alerts_take(all, &a), 0);
        behaviour_alerts_count(all, &c);
        assert_int_equal(c.findings, !table[i].is_excepted);
        assert_int_equal(behaviour_alerts_excepted(all, 0), table[i].is_excepted);
        behaviour_alerts_free(all);
    }
}

static uint64_t written(uint64_t n_events)
{
    struct finder_options fo = {.data_dir = dir.path, .journal_max_bytes = 1 << 20, .max_sightings = 1000, .window_us = US_PER_DAY};
    struct behaviour_alerts_options o = {.max_alerts = 10};
    struct behaviour_alerts *all;
    struct finder *x;
    struct finder_state s;
    struct fault f = {0};
    assert_int_equal(finder_open(&fo, &x, &f), 0);
    assert_int_equal(behaviour_alerts_new(&o, &all), 0);
    struct behaviour_alarm a = scan(0x0a000001, n_events);
    assert_int_equal(behaviour_alerts_take(all, &a), 0);
    assert_int_equal(behaviour_alerts_write(all, x, NULL, T0, &f), 0);
    assert_int_equal(finder_write(x, NULL, T0, &f), 0);
    assert_int_equal(behaviour_alerts_write(all, x, NULL, T0, &f), 0); /* nothing changed */
    assert_int_equal(finder_write(x, NULL, T0, &f), 0);
    finder_get_state(x, &s);
    behaviour_alerts_free(all);
    finder_close(x);
    return s.journal.next_sequence;
}

static void after_a_new_start_only_what_is_more_is_written(void **state)
{
    (void)state;
    uint64_t first = written(40);
    assert_int_equal(written(40), first);
    assert_int_equal(written(25), first);
    assert_int_equal(written(41), first + 1);
    assert_int_equal(written(41), first + 1);
}

static void the_shipped_limits_are_those_of_the_code(void **state)
{
    struct behaviour_settings code, file;
    struct fault f = {0};
    char path[4096];
    const char *root = getenv("VONGGAC_SOURCE");
    (void)state;
    if (!root) {
        print_message("skipped: VONGGAC_SOURCE is not set\n");
        return;
    }
    snprintf(path, sizeof path, "%s/content/behaviour.yaml", root);
    behaviour_settings_default(&code);
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        file.v[i] = -1;
    assert_int_equal(behaviour_settings_load(&file, path, &f), 0);
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        if (file.v[i] != code.v[i])
            fail_msg("%s: %g in content/behaviour.yaml, %g in the code", behaviour_setting_name((enum behaviour_setting)i), file.v[i], code.v[i]);
}

static int load(const char *text, struct fault *f)
{
    char path[4096];
    struct behaviour_settings s;
    behaviour_settings_default(&s);
    snprintf(path, sizeof path, "%s/limits.yaml", dir.path);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return behaviour_settings_load(&s, path, f);
}

static void wrong_limits_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *text, *has;
    } table[] = {
        {"beacon:\n  scores: 5\n", "2"},           {"beacon:\n  score_pct: 101\n", "2"},  {"beacon:\n  score_pct: many\n", "2"},
        {"beacon:\n  score_pct: -3\n", "2"},       {"beacon: 5\n", "1"},                  {"- beacon\n", "1"},
        {"beacon:\n  score_pct: [80]\n", "2"},     {"beacon:\n  score_pct: {source: x}\n", "2"}, {"beacon:\n  score_pct: 1e400\n", "2"},
        {"beacon:\n  score_pct: nan\n", "2"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct fault f = {0};
        assert_int_equal(load(table[i].text, &f), -EINVAL);
        if (!strstr(f.text, table[i].has))
            fail_msg("%s: %s", table[i].text, f.text);
    }
    struct fault f = {0};
    assert_int_equal(load("beacon:\n  score_pct: {value: 70, source: \"x\"}\nexfiltration:\n  bytes: 2G\nspam:\n  enabled: false\n", &f), 0);
}

static int work(void *context)
{
    struct behaviour_alerts_options o = {.max_alerts = 10};
    struct behaviour_alerts *all = NULL;
    struct behaviour_engine *x = NULL;
    struct behaviour_base base = {.settings = context, .emit = behaviour_alerts_take, .window_us = US_PER_DAY};
    int r = behaviour_alerts_new(&o, &all);
    base.context = all;
    if (!r)
        r = behaviour_engine_new(&base, &x);
    behaviour_engine_free(x);
    behaviour_alerts_free(all);
    return r;
}

static void every_allocation_fails_once(void **state)
{
    struct behaviour_settings s;
    (void)state;
    behaviour_settings_default(&s);
    failing_alloc_each("making detectors", work, &s, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_payload_is_one_json_object_with_what_is_known),
        cmocka_unit_test(every_kind_has_a_name_that_is_found_again),
        cmocka_unit_test(repetitions_are_one_finding_and_the_greater_count_wins),
        cmocka_unit_test(an_exception_takes_away_until_its_end),
        cmocka_unit_test_setup_teardown(after_a_new_start_only_what_is_more_is_written, setup, teardown),
        cmocka_unit_test(the_shipped_limits_are_those_of_the_code),
        cmocka_unit_test_setup_teardown(wrong_limits_are_refused_with_their_line, setup, teardown),
        cmocka_unit_test(every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
