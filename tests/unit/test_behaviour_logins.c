/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour on log-ins: made tries whose numbers are known beforehand. */
#include "cmocka_house.h"
#include "failing_alloc.h"

#include "base/clock.h"
#include "watch/detect/behaviour_logins.h"
#include "watch/detect/behaviour_logins_own.h"

#include <math.h>
#include <stdio.h>

#define T0 (INT64_C(1700000000) * US_PER_SECOND)

struct bed {
    struct behaviour_settings settings;
    struct event_names *names;
    struct events *e;
    struct behaviour_base base;
    void *detector;
    uint32_t n, of[BEHAVIOUR_N_KINDS];
    struct behaviour_alarm last;
    char query[512], host[64], user[64], name[64];
};

static int on_alarm(void *context, const struct behaviour_alarm *a)
{
    struct bed *b = context;
    b->n++;
    b->of[a->kind]++;
    b->last = *a;
    snprintf(b->query, sizeof(b->query), "%.*s", (int)a->query.n, a->query.p);
    snprintf(b->host, sizeof(b->host), "%.*s", (int)a->host.n, a->host.p);
    snprintf(b->user, sizeof(b->user), "%.*s", (int)a->user.n, a->user.p);
    snprintf(b->name, sizeof(b->name), "%.*s", (int)a->name.n, a->name.p);
    return 0;
}

static void bed_init(struct bed *b)
{
    *b = (struct bed){0};
    behaviour_settings_default(&b->settings);
    b->names = event_names_new();
    b->e = events_new(b->names);
    b->base = (struct behaviour_base){.settings = &b->settings, .names = b->names, .emit = on_alarm, .context = b,
                                      .window_us = 86400 * US_PER_SECOND, .seed = 1};
    b->detector = behaviour_logins_detector.create(&b->base);
    assert_non_null(b->detector);
}

static void bed_fini(struct bed *b)
{
    struct behaviour_counters c;
    behaviour_logins_detector.count(b->detector, &c);
    assert_int_equal(c.seen, c.used + c.skipped + c.late);
    assert_int_equal(c.alarms, b->n);
    behaviour_logins_detector.destroy(b->detector);
    events_free(b->e);
    event_names_free(b->names);
}

struct attempt {
    const char *source, *host, *user;
    int64_t at_s;
    bool has_succeeded;
    const char *decoder, *message;
};

static void put(struct events *e, uint16_t field, const char *s)
{
    if (s)
        event_put(e, field, (struct text){s, strlen(s)});
}

static void give(struct bed *b, const struct attempt *t)
{
    events_clear(b->e);
    assert_int_equal(event_begin(b->e, TEXT("made"), T0 + t->at_s * US_PER_SECOND), 0);
    put(b->e, EV_EVENT_CATEGORY, "authentication");
    put(b->e, EV_EVENT_OUTCOME, t->has_succeeded ? "success" : "failure");
    put(b->e, EV_SOURCE_IP, t->source);
    put(b->e, EV_HOST_NAME, t->host);
    put(b->e, EV_USER_NAME, t->user);
    put(b->e, EV_EVENT_DECODER, t->decoder);
    put(b->e, EV_MESSAGE, t->message);
    assert_int_equal(event_end(b->e), 0);
    assert_int_equal(behaviour_logins_detector.events(b->detector, b->e, NULL), 0);
}

static double number(const struct bed *b, const char *name)
{
    for (uint32_t i = 0; i < b->last.n_numbers; i++)
        if (!strcmp(b->last.numbers[i].name, name))
            return b->last.numbers[i].value;
    fail_msg("no number %s", name);
    return 0;
}

static void ten_failures_in_ten_minutes_are_brute_force_nine_are_not(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 9; i++)
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 60 * i, .message = "x"});
    assert_int_equal(b.n, 0);
    give(&b, &(struct attempt){"203.0.113.9", "web1", "Root", 540, .message = "x"});
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.kind, BEHAVIOUR_BRUTE_FORCE);
    assert_true(number(&b, "failures") == 10 && number(&b, "failures_in_window") == 10 && number(&b, "accounts") == 1);
    assert_string_equal(b.host, "web1");
    assert_string_equal(b.user, "root");
    assert_string_equal(b.query, "source.ip : 203.0.113.9 and host.name : \"web1\"");
    assert_int_equal(b.last.severity, 2);
    assert_true(b.last.first_us == T0 && b.last.last_us == T0 + 540 * US_PER_SECOND);
    bed_fini(&b);
}

static void who_is_slow_is_found_after_forty(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 39; i++) /* any ten of them lie 720 s apart */
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 80 * i, .message = "x"});
    assert_int_equal(b.n, 0);
    give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 80 * 39, .message = "x"});
    assert_int_equal(b.n, 1);
    assert_true(number(&b, "failures_in_slow_window") == 40);
    bed_fini(&b);
}

static void six_in_a_minute_are_a_burst_and_five_are_not(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 5; i++)
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 2 * i, .message = "x"});
    assert_int_equal(b.n, 0);
    give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 10, .message = "x"});
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.confidence_pct, 60);
    bed_fini(&b);
}

static void a_person_who_mistypes_three_times_is_left_alone(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int day = 0; day < 5; day++) {
        for (int i = 0; i < 3; i++)
            give(&b, &(struct attempt){"10.0.0.7", "web1", "lan", 86400 * day + 10 * i, .message = "x"});
        give(&b, &(struct attempt){"10.0.0.7", "web1", "lan", 86400 * day + 40, .has_succeeded = true});
    }
    behaviour_logins_detector.flush(b.detector, INT64_MAX);
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

static void a_try_that_sshd_and_pam_both_write_counts_once(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 9; i++) {
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 60 * i, false, "pam", "pam_unix(sshd:auth): authentication failure"});
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 60 * i + 2, false, "sshd", "Failed password for root"});
    }
    assert_int_equal(b.n, 0);
    give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 540, false, "sshd", "Failed password for root"});
    assert_int_equal(b.n, 1);
    assert_true(number(&b, "failures") == 10);
    bed_fini(&b);
}

static void success_after_failures_is_critical(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 10; i++)
        give(&b, &(struct attempt){"203.0.113.9", "web1", "root", i, .message = "x"});
    uint32_t before = b.n;
    give(&b, &(struct attempt){"203.0.113.9", "web1", "root", 30, .has_succeeded = true});
    assert_int_equal(b.n, before + 1);
    assert_int_equal(b.last.severity, 4);
    assert_true(number(&b, "successes_after") == 1);
    give(&b, &(struct attempt){"198.51.100.3", "web1", "root", 31, .has_succeeded = true}); /* who never failed */
    assert_int_equal(b.n, before + 1);
    bed_fini(&b);
}

static void eight_accounts_one_try_each_are_spraying(void **state)
{
    struct bed b;
    char user[16], host[16];
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(b.n, 0);
        snprintf(user, sizeof(user), "user%d", i);
        snprintf(host, sizeof(host), "pc%d", i);
        give(&b, &(struct attempt){"10.0.0.66", host, user, 100 * i, .message = "x"});
    }
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.kind, BEHAVIOUR_PASSWORD_SPRAY);
    assert_true(number(&b, "accounts_tried") == 8 && number(&b, "tries_each") == 1 && number(&b, "machines") == 8);
    assert_int_equal(b.last.severity, 3); /* from inside */
    assert_true(!b.last.host.n);
    bed_fini(&b);
}

static void many_tries_at_many_accounts_are_brute_force_not_spraying(void **state)
{
    struct bed b;
    char user[16];
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 80; i++) {
        snprintf(user, sizeof(user), "user%d", i / 10);
        give(&b, &(struct attempt){"203.0.113.9", "web1", user, 5 * i, .message = "x"});
    }
    assert_true(b.of[BEHAVIOUR_BRUTE_FORCE] > 0);
    assert_int_equal(b.of[BEHAVIOUR_PASSWORD_SPRAY], 0);
    bed_fini(&b);
}

static void one_account_from_ten_places_is_distributed_guessing(void **state)
{
    struct bed b;
    char source[16];
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 40; i++) { /* each source four times, 20 minutes apart */
        assert_int_equal(b.n, 0);
        snprintf(source, sizeof(source), "203.0.113.%d", 1 + i % 10);
        give(&b, &(struct attempt){source, "mail", "giamdoc", 120 * i, .message = "x"});
    }
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.kind, BEHAVIOUR_BRUTE_FORCE);
    assert_string_equal(b.user, "giamdoc");
    assert_true(fabs(number(&b, "sources") - 10) <= 1); /* an estimate above 8 */
    assert_true(ip_is_zero(&b.last.peer) && b.last.n_peers == BEHAVIOUR_PEERS);
    bed_fini(&b);
}

static void what_is_no_log_in_is_passed_over(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    for (int i = 0; i < 50; i++) {
        events_clear(b.e);
        assert_int_equal(event_begin(b.e, TEXT("made"), T0), 0);
        put(b.e, EV_EVENT_CATEGORY, i % 2 ? "network" : "web");
        put(b.e, EV_EVENT_OUTCOME, "failure");
        put(b.e, EV_SOURCE_IP, "203.0.113.9");
        event_put_long(b.e, EV_HTTP_STATUS, 404);
        put(b.e, EV_HTTP_METHOD, "POST");
        put(b.e, EV_URL_PATH, "/login");
        assert_int_equal(event_end(b.e), 0);
        assert_int_equal(behaviour_logins_detector.events(b.detector, b.e, NULL), 0);
    }
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

static void refused_forms_of_web_pages_count(void **state)
{
    static const struct {
        const char *path, *method;
        int status;
        bool is_try;
    } all[] = {{"/user/Login", "POST", 401, true}, {"/wp-login.php", "POST", 200, true}, {"/login", "GET", 401, false},
               {"/login", "POST", 200, false},     {"/report", "POST", 401, false},      {"/api/session", "POST", 403, true}};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(all); k++) {
        struct bed b;
        bed_init(&b);
        for (int i = 0; i < 10; i++) {
            events_clear(b.e);
            assert_int_equal(event_begin(b.e, TEXT("made"), T0 + i * US_PER_SECOND), 0);
            put(b.e, EV_EVENT_CATEGORY, "web");
            put(b.e, EV_SOURCE_IP, "203.0.113.9");
            event_put_long(b.e, EV_HTTP_STATUS, all[k].status);
            put(b.e, EV_HTTP_METHOD, all[k].method);
            put(b.e, EV_URL_PATH, all[k].path);
            assert_int_equal(event_end(b.e), 0);
            assert_int_equal(behaviour_logins_detector.events(b.detector, b.e, NULL), 0);
        }
        if ((b.n > 0) != all[k].is_try)
            fail_msg("%s %s %d", all[k].method, all[k].path, all[k].status);
        bed_fini(&b);
    }
}

/* --- flows --------------------------------------------------------------------------------------------------------------- */

static uint32_t connections(uint16_t port, unsigned n, const uint64_t *bytes, size_t n_bytes, uint16_t marks)
{
    struct bed b;
    struct flow_batch *batch = flow_batch_new(4);
    bed_init(&b);
    batch->n = 1;
    for (unsigned i = 0; i < n; i++) {
        struct behaviour_row row = {.from = ip_from_v4(0xcb007109), .to = ip_from_v4(0x0a000005), .from_hash = 1, .to_hash = 2, .protocol = 6,
                                    .to_port = port, .start_us = T0 + i * 20 * US_PER_SECOND, .sampling = 1,
                                    .marks = (uint16_t)(ROW_TO_OWN | ROW_TWO_WAY | ROW_ANSWERED | marks),
                                    .out_packets = 15, .out_bytes = bytes[i % n_bytes], .back_packets = 14, .back_bytes = 2900};
        row.end_us = row.start_us + 2 * US_PER_SECOND;
        assert_int_equal(behaviour_logins_detector.flows(b.detector, batch, &row, NULL), 0);
    }
    uint32_t told = b.n;
    if (told) {
        assert_int_equal(b.last.kind, BEHAVIOUR_BRUTE_FORCE);
        assert_int_equal(b.last.peer_port, port);
    }
    flow_batch_free(batch);
    bed_fini(&b);
    return told;
}

static void connections_of_like_size_to_a_log_in_port_are_guesses(void **state)
{
    static const uint64_t alike[] = {2100, 2148, 2052, 2100}, mixed[] = {500, 19000, 900, 4000}, tiny[] = {120};
    (void)state;
    assert_int_equal(connections(22, 19, alike, 4, 0), 0);
    assert_int_equal(connections(22, 20, alike, 4, 0), 1);
    assert_int_equal(connections(443, 100, alike, 4, 0), 0);
    assert_int_equal(connections(22, 100, mixed, 4, 0), 0);
    assert_int_equal(connections(22, 100, tiny, 1, 0), 0);
    assert_int_equal(connections(3389, 100, alike, 4, ROW_FAILED), 0);
}

static void a_wheel_counts_what_lies_in_its_window_and_a_tenth_more(void **state)
{
    struct wheel w = {0};
    (void)state;
    for (int i = 0; i < 100; i++)
        wheel_add(&w, T0 + i * 10 * US_PER_SECOND, 100 * US_PER_SECOND, 1);
    assert_int_equal(wheel_sum(&w), 11); /* steps of 10 s, one each, ten of the window and the one before */
    wheel_add(&w, T0, 100 * US_PER_SECOND, 5); /* long over */
    assert_int_equal(wheel_sum(&w), 11);
    wheel_add(&w, T0 + 5000 * US_PER_SECOND, 100 * US_PER_SECOND, 2);
    assert_int_equal(wheel_sum(&w), 2);
    wheel_add(&w, T0 - 5000 * US_PER_SECOND, 100 * US_PER_SECOND, 9);
    assert_int_equal(wheel_sum(&w), 2);
    wheel_add(&w, T0 + 5001 * US_PER_SECOND, 100 * US_PER_SECOND, UINT32_MAX);
    assert_true(wheel_sum(&w) == UINT32_MAX); /* stays at the most */
}

static int create_it(void *context)
{
    void *d = behaviour_logins_detector.create(context);
    if (!d)
        return -12;
    behaviour_logins_detector.destroy(d);
    return 0;
}

static void every_allocation_may_fail(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    failing_alloc_each("making the detector of log-ins", create_it, &b.base, false);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_failures_in_ten_minutes_are_brute_force_nine_are_not),
        cmocka_unit_test(who_is_slow_is_found_after_forty),
        cmocka_unit_test(six_in_a_minute_are_a_burst_and_five_are_not),
        cmocka_unit_test(a_person_who_mistypes_three_times_is_left_alone),
        cmocka_unit_test(a_try_that_sshd_and_pam_both_write_counts_once),
        cmocka_unit_test(success_after_failures_is_critical),
        cmocka_unit_test(eight_accounts_one_try_each_are_spraying),
        cmocka_unit_test(many_tries_at_many_accounts_are_brute_force_not_spraying),
        cmocka_unit_test(one_account_from_ten_places_is_distributed_guessing),
        cmocka_unit_test(what_is_no_log_in_is_passed_over),
        cmocka_unit_test(refused_forms_of_web_pages_count),
        cmocka_unit_test(connections_of_like_size_to_a_log_in_port_are_guesses),
        cmocka_unit_test(a_wheel_counts_what_lies_in_its_window_and_a_tenth_more),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
