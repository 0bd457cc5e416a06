/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and rules over log events: whose end is whose, one hit per event and list, findings that go on over restarts. */
#include "cmocka_house.h"
#include "help_dir.h"

#include "base/clock.h"
#include "watch/detect/log_alert.h"
#include "watch/indicator/lists.h"

#include <stdio.h>

#define T0 INT64_C(1700000000000000)

struct fixture {
    struct help_dir dir;
    struct event_names *names;
    struct events *e;
    struct finder *finder;
    struct fault f;
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->names = event_names_new();
    x->e = events_new(x->names);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    finder_close(x->finder);
    events_free(x->e);
    event_names_free(x->names);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static void open_finder(struct fixture *x)
{
    struct finder_options o = {.data_dir = x->dir.path, .max_sightings = 1000, .window_us = US_PER_DAY};
    assert_int_equal(finder_open(&o, &x->finder, &x->f), 0);
}

static int text_file(const struct fixture *x, const char *text)
{
    int fd = open(x->dir.path, O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct match_set *load(struct fixture *x, bool has_space)
{
    struct list_add a = {.name = "bots", .file_name = "bots"};
    struct list_report report = {0};
    struct match_set *m = NULL;
    uint32_t version;
    int fd = text_file(x, "198.51.100.7\n198.51.100.8\n10.9.9.9\n2001:db8::bad\n");
    assert_int_equal(lists_add(x->dir.path, fd, &a, &report, &version, &x->f), 0);
    close(fd);
    if (has_space) {
        fd = text_file(x, "prefix,unit\n10.0.0.0/8,Phong CNTT\n");
        assert_int_equal(space_add(x->dir.path, fd, "space.csv", &report, &version, &x->f), 0);
        close(fd);
    }
    assert_int_equal(match_set_load(x->dir.path, NULL, 0, &m, &x->f), 0);
    m->generation = 1;
    return m;
}

struct field {
    uint16_t field;
    const char *value;
};

static void add_event(struct fixture *x, const struct field *fields, size_t n)
{
    assert_int_equal(event_begin(x->e, TEXT("a line of a log"), T0), 0);
    for (size_t i = 0; i < n && fields[i].value; i++)
        event_put(x->e, fields[i].field, (struct text){fields[i].value, strlen(fields[i].value)});
    assert_int_equal(event_end(x->e), 0);
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

struct case_of_ends {
    const char *what;
    bool has_space;
    struct field fields[6];
    const char *kind, *own, *remote, *direction; /* kind "": no hit; own "": unset */
};

static const struct case_of_ends cases[] = {
    {"ours to listed", true, {{EV_SOURCE_IP, "10.1.1.1"}, {EV_DESTINATION_IP, "198.51.100.7"}}, "contact", "10.1.1.1", "198.51.100.7", "outbound"},
    {"listed to ours", true, {{EV_SOURCE_IP, "198.51.100.7"}, {EV_DESTINATION_IP, "10.1.1.1"}}, "contact", "10.1.1.1", "198.51.100.7", "inbound"},
    {"ours is listed", true, {{EV_SOURCE_IP, "10.9.9.9"}, {EV_DESTINATION_IP, "203.0.113.1"}}, "own_listed", "10.9.9.9", "", "outbound"},
    {"neither is ours", true, {{EV_SOURCE_IP, "203.0.113.1"}, {EV_DESTINATION_IP, "198.51.100.7"}}, "", "", "", ""},
    {"neither, but nat is", true, {{EV_SOURCE_IP, "203.0.113.1"}, {EV_SOURCE_NAT_IP, "10.1.1.1"}, {EV_DESTINATION_IP, "198.51.100.7"}},
     "contact", "10.1.1.1", "198.51.100.7", "outbound"},
    {"neither, but the host is", true, {{EV_SOURCE_IP, "198.51.100.7"}, {EV_DESTINATION_IP, "203.0.113.1"}, {EV_HOST_IP, "10.1.1.2"}},
     "contact", "10.1.1.2", "198.51.100.7", "inbound"},
    {"one end, host known", true, {{EV_SOURCE_IP, "198.51.100.7"}, {EV_HOST_IP, "10.1.1.2"}}, "contact", "10.1.1.2", "198.51.100.7", "inbound"},
    {"one end, sender known", true, {{EV_SOURCE_IP, "198.51.100.7"}, {EV_LOG_SOURCE_ADDRESS, "10.1.1.3"}}, "contact", "10.1.1.3", "198.51.100.7", "inbound"},
    {"one end alone", true, {{EV_SOURCE_IP, "198.51.100.7"}}, "contact", "", "198.51.100.7", "inbound"},
    {"related only", true, {{EV_RELATED_IP, "198.51.100.7"}, {EV_HOST_IP, "10.1.1.2"}}, "contact", "10.1.1.2", "198.51.100.7", "outbound"},
    {"a name's address", true, {{EV_DNS_RESOLVED_IP, "198.51.100.7"}, {EV_SOURCE_IP, "10.1.1.1"}}, "contact", "10.1.1.1", "198.51.100.7", "outbound"},
    {"no space: unlisted end", false, {{EV_SOURCE_IP, "192.0.2.1"}, {EV_DESTINATION_IP, "198.51.100.7"}}, "contact", "192.0.2.1", "198.51.100.7", "external"},
    {"no space: both listed", false, {{EV_SOURCE_IP, "198.51.100.8"}, {EV_DESTINATION_IP, "198.51.100.7"}}, "contact", "198.51.100.8", "198.51.100.7", "external"},
    {"no space: client and server", false, {{EV_CLIENT_IP, "198.51.100.7"}, {EV_SERVER_IP, "192.0.2.1"}}, "contact", "192.0.2.1", "198.51.100.7", "external"},
    {"no space: one end", false, {{EV_SOURCE_IP, "198.51.100.7"}, {EV_LOG_SOURCE_ADDRESS, "192.0.2.9"}}, "contact", "192.0.2.9", "198.51.100.7", "external"},
    {"host is listed", false, {{EV_HOST_IP, "198.51.100.7"}, {EV_SOURCE_IP, "192.0.2.1"}}, "own_listed", "198.51.100.7", "", "external"},
    {"the sender is not matched", false, {{EV_LOG_SOURCE_ADDRESS, "198.51.100.7"}, {EV_SOURCE_IP, "192.0.2.1"}}, "", "", "", ""},
    {"version 6", false, {{EV_SOURCE_IP, "2001:db8::1"}, {EV_DESTINATION_IP, "2001:db8::bad"}}, "contact", "2001:db8::1", "2001:db8::bad", "external"},
    {"said twice", false, {{EV_SOURCE_IP, "192.0.2.1"}, {EV_DESTINATION_IP, "198.51.100.7"}, {EV_RELATED_IP, "198.51.100.7"}, {EV_RELATED_IP, "192.0.2.1"}},
     "contact", "192.0.2.1", "198.51.100.7", "external"},
    {"nothing listed", false, {{EV_SOURCE_IP, "192.0.2.1"}, {EV_DESTINATION_IP, "192.0.2.2"}}, "", "", "", ""},
};

static int take(void *context, struct sightings *t)
{
    struct sighting *to = context;
    for (uint32_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].is_used) {
            assert_false(to->is_used);
            *to = t->slots[i];
        }
    sightings_clear(t);
    return 0;
}

static void assert_ip(const char *what, const struct ip *got, const char *expected)
{
    struct ip ip = {{0}};
    if (*expected)
        assert_int_equal(ip_parse(expected, strlen(expected), &ip), 0);
    if (!ip_equal(got, &ip))
        fail_msg("%s: the address is not %s", what, *expected ? expected : "unset");
}

static void every_event_has_the_ends_its_fields_say(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct case_of_ends *c = &cases[i];
        struct log_live l;
        struct sighting seen = {0};
        help_dir_free(&x->dir);
        x->dir = help_dir_new();
        struct match_set *m = load(x, c->has_space);
        assert_int_equal(log_live_init(&l, US_PER_DAY, 0, take, &seen), 0);
        atomic_store(&l.live.next, m);
        events_clear(x->e);
        add_event(x, c->fields, COUNT_OF(c->fields));
        assert_int_equal(log_live_match(&l, x->e), 0);
        assert_int_equal(live_flush(&l.live), 0);
        if (!*c->kind != !seen.is_used)
            fail_msg("%s: %s", c->what, seen.is_used ? "a hit" : "no hit");
        if (seen.is_used) {
            assert_string_equal(hit_kind_name((enum hit_kind)seen.key.kind), c->kind);
            if (strcmp(hit_direction_name((enum hit_direction)seen.direction), c->direction) != 0)
                fail_msg("%s: %s, expected %s", c->what, hit_direction_name((enum hit_direction)seen.direction), c->direction);
            assert_ip(c->what, &seen.key.own, c->own);
            assert_ip(c->what, &seen.key.remote, c->remote);
            assert_int_equal(seen.flows, 1);
            assert_int_equal(seen.key.is_log, 1);
        }
        log_live_fini(&l);
        match_set_free(m);
    }
}

static int count_flows(void *context, struct sightings *t)
{
    uint64_t *n = context;
    for (uint32_t i = 0; i < t->n_slots; i++)
        *n += t->slots[i].is_used ? t->slots[i].flows : 0;
    sightings_clear(t);
    return 0;
}

static void large_batches_are_matched_whole(void **state)
{
    static const struct field listed[] = {{EV_SOURCE_IP, "192.0.2.1"}, {EV_DESTINATION_IP, "198.51.100.7"}};
    static const struct field listed6[] = {{EV_SOURCE_IP, "2001:db8::1"}, {EV_DESTINATION_IP, "2001:db8::bad"}};
    static const struct field others[] = {{EV_SOURCE_IP, "192.0.2.1"}, {EV_DESTINATION_IP, "192.0.2.3"}, {EV_RELATED_IP, "192.0.2.4"}};
    struct fixture *x = *state;
    struct log_live l;
    uint64_t n = 0, expected = 0;
    struct match_set *m = load(x, false);
    assert_int_equal(log_live_init(&l, US_PER_DAY, 0, count_flows, &n), 0);
    atomic_store(&l.live.next, m);
    for (uint32_t i = 0; i < EVENTS_ROWS; i++) {
        bool is_listed = i % 3 == 0 || i == EVENTS_ROWS - 1;
        if (is_listed)
            add_event(x, i % 2 ? listed : listed6, 2);
        else
            add_event(x, others, COUNT_OF(others));
        expected += is_listed;
    }
    assert_int_equal(log_live_match(&l, x->e), 0);
    assert_int_equal(live_flush(&l.live), 0);
    assert_int_equal(n, expected);
    assert_int_equal(atomic_load(&l.live.rows_listed), expected);
    log_live_fini(&l);
    match_set_free(m);
}

/* --- rules ------------------------------------------------------------------------------------------------------------ */

static const char rule[] = "title: Any failure\nid: 11111111-2222-4333-8444-555555555511\nlevel: high\n"
                           "tags:\n  - attack.t1110.003\n  - attack.credential_access\n  - attack.g0016\n  - cve.2024-1\n"
                           "logsource:\n  product: nobody-knows\n"
                           "detection:\n  selection:\n    event.outcome: failure\n  condition: selection\n";

struct rules {
    struct sigma_rules *rules;
    struct sigma_matcher *matcher;
    struct log_alerts *alerts;
};

static struct rules load_rules(struct fixture *x, const struct log_exception *exceptions, size_t n_exceptions, uint32_t max_alerts)
{
    struct rules r = {0};
    struct sigma_load o = {.names = x->names};
    assert_int_equal(sigma_rules_parse(&o, "test", (struct text){rule, sizeof(rule) - 1}, &r.rules, &x->f), 0);
    assert_int_equal(sigma_rules_count(r.rules), 1);
    struct log_alerts_options a = {.rules = r.rules, .names = x->names, .exceptions = exceptions, .n_exceptions = n_exceptions,
                                   .window_us = US_PER_DAY, .max_alerts = max_alerts};
    assert_int_equal(log_alerts_new(&a, &r.alerts), 0);
    r.matcher = sigma_matcher_new(r.rules);
    assert_non_null(r.matcher);
    return r;
}

static void free_rules(struct rules *r)
{
    log_alerts_free(r->alerts);
    sigma_matcher_free(r->matcher);
    sigma_rules_free(r->rules);
}

static void match(struct fixture *x, struct rules *r, const char *host, const char *user, unsigned n)
{
    const struct field fields[] = {{EV_EVENT_OUTCOME, "failure"}, {EV_HOST_NAME, host}, {EV_USER_NAME, user}, {EV_HOST_IP, "192.0.2.1"},
                                   {EV_SOURCE_IP, "198.51.100.1"}};
    events_clear(x->e);
    while (n--)
        add_event(x, fields, COUNT_OF(fields));
    assert_int_equal(log_alerts_match(r->alerts, r->matcher, x->e, NULL, T0), 0);
}

static int keep_last(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text payload)
{
    char *out = context;
    (void)sequence, (void)id;
    assert_true(payload.n < 65000);
    snprintf(out, 65536, "%u %.*s", revision, (int)payload.n, payload.p);
    return 0;
}

static void write_and_read(struct fixture *x, struct rules *r, char out[65536])
{
    assert_int_equal(log_alerts_write(r->alerts, x->finder, NULL, T0, &x->f), 0);
    assert_int_equal(finder_write(x->finder, NULL, T0, &x->f), 0);
    *out = 0;
    assert_int_equal(findings_read(x->dir.path, 0, keep_last, out, &x->f), 0);
}

static void a_finding_grows_by_revision_and_goes_on_over_a_restart(void **state)
{
    struct fixture *x = *state;
    char *got = malloc(65536);
    struct rules r = load_rules(x, NULL, 0, 100);
    open_finder(x);
    match(x, &r, "web1", "an", 5);
    write_and_read(x, &r, got);
    assert_non_null(strstr(got, "1 {\"finding.kind\":\"sigma\",\"rule.id\":\"11111111-2222-4333-8444-555555555511\",\"rule.title\":\"Any failure\","
                                "\"severity\":\"high\""));
    assert_non_null(strstr(got, "\"attack.techniques\":[\"T1110.003\"],\"attack.tactics\":[\"credential-access\"]"));
    assert_non_null(strstr(got, "\"own.ip\":\"192.0.2.1\",\"host.name\":\"web1\",\"users\":[\"an\"],\"remotes\":[{\"ip\":\"198.51.100.1\"}]"));
    assert_non_null(strstr(got, "\"events\":5,\"evidence\":[{"));
    write_and_read(x, &r, got);
    assert_int_equal(strncmp(got, "1 ", 2), 0); /* nothing new: no record */
    free_rules(&r);
    finder_close(x->finder);
    open_finder(x);
    r = load_rules(x, NULL, 0, 100);
    match(x, &r, "web1", "binh", 2);
    write_and_read(x, &r, got);
    assert_int_equal(strncmp(got, "2 ", 2), 0);
    assert_non_null(strstr(got, "\"events\":7,"));
    assert_non_null(strstr(got, "\"users\":[\"binh\",\"an\"]"));
    const char *p = got;
    unsigned n = 0;
    while ((p = strstr(p, "\"original\":"))) {
        n++;
        p++;
    }
    assert_int_equal(n, ALERT_EVIDENCE);
    match(x, &r, "web2", "binh", 1); /* another entity: another finding */
    write_and_read(x, &r, got);
    assert_int_equal(strncmp(got, "1 ", 2), 0);
    free_rules(&r);
    free(got);
}

static void exceptions_take_what_they_name_until_their_end(void **state)
{
    struct fixture *x = *state;
    struct ip_range range;
    struct log_alert_counters n;
    assert_int_equal(ip_range_parse("198.51.100.0/24", 15, &range, NULL), 0);
    const struct {
        struct log_exception exception;
        bool is_excepted;
    } table[] = {
        {{.rule = "any FAILURE", .until_us = T0 + 1}, true},
        {{.rule = "11111111-2222-4333-8444-555555555511", .until_us = T0 + 1}, true},
        {{.rule = "*", .until_us = T0 + 1}, true},
        {{.rule = "*", .until_us = T0}, false},
        {{.rule = "another", .until_us = T0 + 1}, false},
        {{.rule = "*", .host = "WEB*", .until_us = T0 + 1}, true},
        {{.rule = "*", .host = "web2", .until_us = T0 + 1}, false},
        {{.rule = "*", .user = "a?", .until_us = T0 + 1}, true},
        {{.rule = "*", .host = "web1", .user = "binh", .until_us = T0 + 1}, false},
        {{.rule = "*", .addresses = &range, .n_addresses = 1, .until_us = T0 + 1}, true},
    };
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        struct rules r = load_rules(x, &table[i].exception, 1, 100);
        match(x, &r, "web1", "an", 3);
        log_alerts_count(r.alerts, &n);
        assert_int_equal(n.excepted, table[i].is_excepted ? 3 : 0);
        assert_int_equal(n.matches, table[i].is_excepted ? 0 : 3);
        assert_int_equal(log_alerts_excepted(r.alerts, 0), n.excepted);
        free_rules(&r);
    }
}

static void without_room_matches_are_counted_and_written_ones_give_way(void **state)
{
    struct fixture *x = *state;
    struct log_alert_counters n;
    char *got = malloc(65536), host[16];
    struct rules r = load_rules(x, NULL, 0, 10);
    open_finder(x);
    for (unsigned i = 0; i < 15; i++) {
        snprintf(host, sizeof(host), "host%u", i);
        match(x, &r, host, "an", 1);
    }
    log_alerts_count(r.alerts, &n);
    assert_int_equal(n.findings, 10);
    assert_int_equal(n.lost, 5);
    write_and_read(x, &r, got);
    for (unsigned i = 10; i < 15; i++) {
        snprintf(host, sizeof(host), "host%u", i);
        match(x, &r, host, "an", 1);
    }
    match(x, &r, "host3", "an", 1); /* it left memory: it goes on from the journal */
    log_alerts_count(r.alerts, &n);
    assert_int_equal(n.lost, 5);
    write_and_read(x, &r, got);
    struct findings_state journal;
    struct finder_state s;
    finder_get_state(x->finder, &s);
    journal = s.journal;
    assert_int_equal(journal.next_sequence, 1 + 10 + 5 + 1);
    free_rules(&r);
    free(got);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_event_has_the_ends_its_fields_say),
        T(large_batches_are_matched_whole),
        T(a_finding_grows_by_revision_and_goes_on_over_a_restart),
        T(exceptions_take_what_they_name_until_their_end),
        T(without_room_matches_are_counted_and_written_ones_give_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
