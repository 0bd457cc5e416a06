/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour on names: made questions whose numbers are known beforehand. */
#include "cmocka_house.h"
#include "failing_alloc.h"

#include "base/clock.h"
#include "base/content.h"
#include "watch/detect/behaviour_names.h"

#include <math.h>
#include <stdio.h>

#define T0 (INT64_C(1700000000) * US_PER_SECOND)

struct bed {
    struct behaviour_settings settings;
    struct event_names *names;
    struct events *e;
    struct behaviour_base base;
    void *detector;
    uint32_t n;             /* alarms */
    struct behaviour_alarm last;
    char query[512], name[256], host[64];
};

static int on_alarm(void *context, const struct behaviour_alarm *a)
{
    struct bed *b = context;
    b->n++;
    b->last = *a;
    snprintf(b->query, sizeof(b->query), "%.*s", (int)a->query.n, a->query.p);
    snprintf(b->name, sizeof(b->name), "%.*s", (int)a->name.n, a->name.p);
    snprintf(b->host, sizeof(b->host), "%.*s", (int)a->host.n, a->host.p);
    return 0;
}

static void bed_init(struct bed *b)
{
    static char content[4096];
    const char *root = getenv("VONGGAC_SOURCE");
    snprintf(content, sizeof(content), "%s/content", root ? root : "../..");
    content_use(content);
    *b = (struct bed){0};
    behaviour_settings_default(&b->settings);
    b->names = event_names_new();
    b->e = events_new(b->names);
    b->base = (struct behaviour_base){.settings = &b->settings, .names = b->names, .emit = on_alarm, .context = b,
                                      .window_us = 86400 * US_PER_SECOND, .seed = 1};
    b->detector = behaviour_names_detector.create(&b->base);
    assert_non_null(b->detector);
}

static void bed_fini(struct bed *b)
{
    struct behaviour_counters c;
    behaviour_names_detector.count(b->detector, &c);
    assert_int_equal(c.seen, c.used + c.skipped + c.late);
    assert_int_equal(c.alarms, b->n);
    behaviour_names_detector.destroy(b->detector);
    events_free(b->e);
    event_names_free(b->names);
}

struct question {
    const char *client, *name, *type, *code;
    int64_t at_s;
};

static void ask(struct bed *b, const struct question *q)
{
    events_clear(b->e);
    assert_int_equal(event_begin(b->e, TEXT("made"), T0 + q->at_s * US_PER_SECOND), 0);
    if (q->client)
        event_put(b->e, EV_SOURCE_IP, (struct text){q->client, strlen(q->client)});
    else
        event_put(b->e, EV_HOST_NAME, TEXT("may-tram-01"));
    event_put_text(b->e, EV_DNS_QUESTION_NAME, (struct text){q->name, strlen(q->name)});
    if (q->type)
        event_put_text(b->e, EV_DNS_QUESTION_TYPE, (struct text){q->type, strlen(q->type)});
    if (q->code)
        event_put_text(b->e, EV_DNS_RESPONSE_CODE, (struct text){q->code, strlen(q->code)});
    assert_int_equal(event_end(b->e), 0);
    assert_int_equal(behaviour_names_detector.events(b->detector, b->e, NULL), 0);
}

static double number(const struct bed *b, const char *name)
{
    for (uint32_t i = 0; i < b->last.n_numbers; i++)
        if (!strcmp(b->last.numbers[i].name, name))
            return b->last.numbers[i].value;
    fail_msg("no number %s", name);
    return 0;
}

/* drawn_name - looks drawn whatever @i: test_names.c holds its stem */
static const char *drawn_name(unsigned i, char out[64])
{
    snprintf(out, 64, "xkqzvwjpf%c%chgtrb.com", 'b' + (int)(i % 24), 'b' + (int)(i / 24 % 24));
    return out;
}

/* --- drawn names ------------------------------------------------------------------------------------------------------- */

static void ten_drawn_names_that_fail_make_an_alarm_nine_do_not(void **state)
{
    struct bed b;
    char name[64];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 9; i++) {
        struct question q = {"10.0.0.5", drawn_name(i, name), "A", "NXDOMAIN", 60 * i};
        ask(&b, &q);
        ask(&b, &q); /* the same name again counts once */
    }
    assert_int_equal(b.n, 0);
    ask(&b, &(struct question){"10.0.0.5", drawn_name(9, name), "A", "NXDOMAIN", 600});
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.kind, BEHAVIOUR_DGA);
    assert_true(number(&b, "drawn_failed_names") == 10 && number(&b, "failed_names") == 10 && number(&b, "names") == 10);
    assert_int_equal(b.last.n_events, 19);
    assert_true(b.last.first_us == T0 && b.last.last_us == T0 + 600 * US_PER_SECOND);
    assert_int_equal(b.last.severity, 3);
    assert_non_null(strstr(b.query, "source.ip : 10.0.0.5 and dns.question.name : (\"xkqz"));
    assert_true(b.last.n_series > 0);
    bed_fini(&b);
}

static void names_of_two_machines_or_of_two_windows_are_not_added_up(void **state)
{
    struct bed b;
    char name[64];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 18; i++)
        ask(&b, &(struct question){i % 2 ? "10.0.0.5" : "10.0.0.6", drawn_name(i, name), "A", "NXDOMAIN", 10 * i});
    for (unsigned i = 0; i < 9; i++)
        ask(&b, &(struct question){"10.0.0.5", drawn_name(30 + i, name), "A", "NXDOMAIN", 3700 + 10 * i});
    behaviour_names_detector.flush(b.detector, INT64_MAX);
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

static void drawn_names_that_exist_need_to_be_more_and_a_share_of_all(void **state)
{
    struct bed b;
    char name[64];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 24; i++)
        ask(&b, &(struct question){"10.0.0.5", drawn_name(i, name), NULL, NULL, i});
    assert_int_equal(b.n, 0);
    ask(&b, &(struct question){"10.0.0.5", drawn_name(24, name), NULL, NULL, 30});
    assert_int_equal(b.n, 1); /* 25 of 25 */
    bed_fini(&b);

    bed_init(&b);
    for (unsigned i = 0; i < 400; i++) { /* 40 of 400 are 10 %: below 15 */
        char ordinary[64];
        snprintf(ordinary, sizeof(ordinary), "congty%c%c.vn", 'a' + (int)(i % 26), 'a' + (int)(i / 26));
        ask(&b, &(struct question){"10.0.0.5", i % 10 ? ordinary : drawn_name(i / 10, name), NULL, NULL, i});
    }
    behaviour_names_detector.flush(b.detector, INT64_MAX);
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

static void many_words_that_fail_are_said_with_less_confidence(void **state)
{
    static const char *const words[] = {"table", "river", "green", "stone", "paper", "light", "water", "house"};
    struct bed b;
    char name[64];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(b.n, 0);
        snprintf(name, sizeof(name), "%s%s.net", words[i % 8], words[i / 8]);
        ask(&b, &(struct question){"10.0.0.5", name, "A", "3", i});
    }
    assert_int_equal(b.n, 1);
    assert_true(number(&b, "failed_names") == 60 && number(&b, "drawn_names") < 6);
    assert_true(b.last.confidence_pct <= 55 && b.last.severity == 2);
    bed_fini(&b);
}

static void what_stands_in_the_exceptions_is_not_looked_at(void **state)
{
    struct bed b;
    char name[128];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%u.%u.168.192.in-addr.arpa", i, i);
        ask(&b, &(struct question){"10.0.0.5", name, "PTR", "NXDOMAIN", i});
        snprintf(name, sizeof(name), "d%uxkqzvwjpfhgtrb.cloudfront.net", i);
        ask(&b, &(struct question){"10.0.0.5", name, "A", "NXDOMAIN", i});
        snprintf(name, sizeof(name), "wqxkzjv%u", i); /* one label: what browsers probe with */
        ask(&b, &(struct question){"10.0.0.5", name, "A", "NXDOMAIN", i});
    }
    behaviour_names_detector.flush(b.detector, INT64_MAX);
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

static void a_machine_without_an_address_is_known_by_its_host(void **state)
{
    struct bed b;
    char name[64];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 10; i++)
        ask(&b, &(struct question){NULL, drawn_name(i, name), NULL, "9003", i}); /* Sysmon 22 */
    assert_int_equal(b.n, 1);
    assert_true(ip_is_zero(&b.last.own));
    assert_string_equal(b.host, "may-tram-01");
    assert_non_null(strstr(b.query, "host.name : \"may-tram-01\""));
    bed_fini(&b);
}

static void dnsmasq(struct bed *b, const char *client, const char *name, const char *data, int64_t at_s)
{
    events_clear(b->e);
    assert_int_equal(event_begin(b->e, TEXT("made"), T0 + at_s * US_PER_SECOND), 0);
    event_put_text(b->e, EV_EVENT_DATASET, TEXT("dnsmasq.log"));
    event_put_text(b->e, EV_HOST_NAME, TEXT("gw"));
    if (client)
        event_put(b->e, EV_SOURCE_IP, (struct text){client, strlen(client)});
    event_put_text(b->e, EV_DNS_QUESTION_NAME, (struct text){name, strlen(name)});
    if (data)
        event_put_text(b->e, EV_DNS_ANSWERS_DATA, (struct text){data, strlen(data)});
    assert_int_equal(event_end(b->e), 0);
    assert_int_equal(behaviour_names_detector.events(b->detector, b->e, NULL), 0);
}

static void an_answer_without_a_client_goes_to_who_asked_for_the_name(void **state)
{
    struct bed b;
    char name[64];
    struct ip expected;
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 10; i++) {
        dnsmasq(&b, "192.168.1.20", drawn_name(i, name), NULL, 100 * i);
        dnsmasq(&b, NULL, drawn_name(i, name), "NXDOMAIN", 100 * i + 1);
        dnsmasq(&b, NULL, drawn_name(100 + i, name), "NXDOMAIN", 100 * i + 2); /* nobody asked */
    }
    assert_int_equal(b.n, 1);
    assert_int_equal(ip_parse("192.168.1.20", 12, &expected), 0);
    assert_memory_equal(&b.last.own, &expected, sizeof(expected));
    assert_true(number(&b, "failed_names") == 10);
    bed_fini(&b);
}

/* --- tunnels ------------------------------------------------------------------------------------------------------------ */

/*
 * block - 48 hexadecimal digits, each of the 16 three times, in an order that @i turns: 4 bits a letter exactly, so that 84
 * names carry 84 * 48 * 4 / 8 = 2016 bytes and 83 carry 1992.
 */
static const char *block(unsigned i, const char *zone, char out[128])
{
    for (unsigned k = 0; k < 48; k++)
        out[k] = "0123456789abcdef"[(k * 7 + i % 16 + (k < 16 ? i / 16 : 0)) % 16];
    snprintf(out + 48, 80, ".%s", zone);
    return out;
}

static void eighty_four_blocks_of_48_digits_are_a_tunnel(void **state)
{
    struct bed b;
    char name[128];
    (void)state;
    bed_init(&b);
    b.settings.v[BEHAVIOUR_SET_DGA_ENABLED] = 0;
    for (unsigned i = 0; i < 83; i++)
        ask(&b, &(struct question){"10.0.0.5", block(i, "example.com", name), "TXT", "NOERROR", 5 * i});
    assert_int_equal(b.n, 0);
    ask(&b, &(struct question){"10.0.0.5", block(83, "example.com", name), "TXT", "NOERROR", 500});
    assert_int_equal(b.n, 1);
    assert_int_equal(b.last.kind, BEHAVIOUR_DNS_TUNNEL);
    assert_string_equal(b.name, "example.com");
    assert_true(fabs(number(&b, "information_bytes") - 2016) < 0.01);
    assert_true(fabs(number(&b, "entropy_bits_per_letter") - 4) < 1e-9);
    assert_true(number(&b, "names") == 84 && number(&b, "mean_length") == 48 && number(&b, "txt_questions") == 84);
    assert_string_equal(b.query, "source.ip : 10.0.0.5 and dns.question.name : *.example.com");
    assert_true(b.last.confidence_pct >= 85); /* TXT, long labels */
    bed_fini(&b);
}

static void short_names_and_repeated_ones_carry_nothing(void **state)
{
    struct bed b;
    char name[128];
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "host-%04u.dc1.example.com", i); /* 13 letters: below the mean of 18 */
        ask(&b, &(struct question){"10.0.0.5", name, "A", "NOERROR", i / 4});
        ask(&b, &(struct question){"10.0.0.5", block(i % 50, "example.net", name), "A", "NOERROR", i / 4}); /* 50 names only */
    }
    behaviour_names_detector.flush(b.detector, INT64_MAX);
    assert_int_equal(b.n, 0);
    bed_fini(&b);
}

/* --- flows and memory ---------------------------------------------------------------------------------------------------- */

static void names_in_flows_count_as_questions(void **state)
{
    struct bed b;
    char name[64];
    struct flow_batch *batch = flow_batch_new(4);
    struct behaviour_row row = {.from = ip_from_v4(0x0a000005), .to = ip_from_v4(0x08080808), .marks = ROW_FROM_OWN};
    (void)state;
    bed_init(&b);
    for (unsigned i = 0; i < 25; i++) {
        struct buf texts = {.max = 4096};
        struct flow f = {.present = FLOW_HAS_TEXT | FLOW_HAS(FLOW_START), .start_us = T0 + i * US_PER_SECOND};
        uint32_t taken;
        drawn_name(i, name);
        flow_text_add(&texts, "dns.question.name", (struct text){name, strlen(name)});
        f.texts = (struct text){(const char *)texts.p, texts.n};
        flow_batch_clear(batch);
        assert_int_equal(flow_batch_add(batch, &f, 1, &taken), 0);
        row.start_us = f.start_us;
        assert_int_equal(b.n, 0);
        assert_int_equal(behaviour_names_detector.flows(b.detector, batch, &row, NULL), 0);
        buf_fini(&texts);
    }
    assert_int_equal(b.n, 1);
    assert_true(number(&b, "drawn_names") == 25);
    flow_batch_free(batch);
    bed_fini(&b);
}

static int create_it(void *context)
{
    void *d = behaviour_names_detector.create(context);
    if (!d)
        return -12;
    behaviour_names_detector.destroy(d);
    return 0;
}

static void every_allocation_may_fail(void **state)
{
    struct bed b;
    (void)state;
    bed_init(&b);
    failing_alloc_each("making the detector of names", create_it, &b.base, false);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_drawn_names_that_fail_make_an_alarm_nine_do_not),
        cmocka_unit_test(names_of_two_machines_or_of_two_windows_are_not_added_up),
        cmocka_unit_test(drawn_names_that_exist_need_to_be_more_and_a_share_of_all),
        cmocka_unit_test(many_words_that_fail_are_said_with_less_confidence),
        cmocka_unit_test(what_stands_in_the_exceptions_is_not_looked_at),
        cmocka_unit_test(a_machine_without_an_address_is_known_by_its_host),
        cmocka_unit_test(an_answer_without_a_client_goes_to_who_asked_for_the_name),
        cmocka_unit_test(eighty_four_blocks_of_48_digits_are_a_tunnel),
        cmocka_unit_test(short_names_and_repeated_ones_carry_nothing),
        cmocka_unit_test(names_in_flows_count_as_questions),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
