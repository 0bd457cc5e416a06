/* SPDX-License-Identifier: Apache-2.0 */
/* Live match and findings: every hit counted once, totals that survive restarts, a hunt that may be repeated. */
#include "cmocka_house.h"
#include "help_dir.h"

#include "base/clock.h"
#include "watch/detect/finder.h"
#include "watch/detect/live.h"
#include "watch/indicator/lists.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

static int text_file(const char *text)
{
    int fd = open(dir.path, O_TMPFILE | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void add_list(const char *name, const char *text)
{
    struct list_add a = {.name = name, .file_name = name};
    struct list_report report = {0};
    struct fault f = {0};
    uint32_t version;
    int fd = text_file(text);
    assert_int_equal(lists_add(dir.path, fd, &a, &report, &version, &f), 0);
    close(fd);
}

static void add_space(const char *text)
{
    struct list_report report = {0};
    struct fault f = {0};
    uint32_t version;
    int fd = text_file(text);
    assert_int_equal(space_add(dir.path, fd, "space.csv", &report, &version, &f), 0);
    close(fd);
}

static struct match_set *load(const struct match_set *before, int64_t active_from_us)
{
    struct match_set *m = NULL;
    struct fault f = {0};
    assert_int_equal(match_set_load(dir.path, before, active_from_us, &m, &f), 0);
    m->generation = before ? before->generation + 1 : 1;
    return m;
}

static struct ip ip_of(const char *text)
{
    struct ip a;
    assert_int_equal(ip_parse(text, strlen(text), &a), 0);
    return a;
}

#define T0 INT64_C(1700000000000000)

static struct flow flow_of(const char *source, const char *destination, uint16_t port)
{
    return (struct flow){.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) |
                                    FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED) |
                                    FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_SOURCE_BYTES) |
                                    FLOW_HAS(FLOW_SOURCE_PACKETS),
                         .source_ip = ip_of(source),
                         .destination_ip = ip_of(destination),
                         .start_us = T0,
                         .end_us = T0 + 5,
                         .received_us = T0 + 10,
                         .destination_port = port,
                         .source_bytes = 100,
                         .source_packets = 2};
}

struct taken {
    struct sighting all[64];
    size_t n;
};

static int take(void *context, struct sightings *t)
{
    struct taken *x = context;
    for (uint32_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].is_used && x->n < COUNT_OF(x->all))
            x->all[x->n++] = t->slots[i];
    sightings_clear(t);
    return 0;
}

static const struct sighting *find(const struct taken *x, enum hit_kind kind, const char *own, const char *remote)
{
    struct ip o = ip_of(own), r = remote ? ip_of(remote) : (struct ip){0};
    for (size_t i = 0; i < x->n; i++)
        if (x->all[i].key.kind == kind && ip_equal(&x->all[i].key.own, &o) && ip_equal(&x->all[i].key.remote, &r))
            return &x->all[i];
    return NULL;
}

/* run_flows - a batch through a fresh live match. */
static void run_flows(const struct match_set *m, const struct flow *flows, uint32_t n, struct taken *ret)
{
    struct live l;
    int family = flow_needs_v6(&flows[0]) ? 6 : 4;
    struct flow_batch *b = flow_batch_new(family);
    uint32_t taken;
    memset(ret, 0, sizeof(*ret));
    assert_int_equal(flow_batch_add(b, flows, n, &taken), 0);
    assert_int_equal(taken, n);
    assert_int_equal(live_init(&l, US_PER_DAY, ZONE_VIETNAM_S, take, ret), 0);
    atomic_store(&l.next, m);
    assert_int_equal(live_match(&l, b), 0);
    assert_int_equal(live_flush(&l), 0);
    live_fini(&l);
    flow_batch_free(b);
}

static void the_table_of_hits_is_kept_with_own_space(void **state)
{
    (void)state;
    add_list("botnet", "203.0.113.7\n10.1.0.9\n2001:db8::7\n");
    add_space("prefix,unit\n10.1.0.0/16,Phong A\n2001:db8:1::/48,Phong B\n");
    struct match_set *m = load(NULL, 0);
    struct taken x;
    struct flow flows[] = {
        flow_of("10.1.0.1", "203.0.113.7", 443), /* own to listed: contact */
        flow_of("203.0.113.7", "10.1.0.1", 22),  /* listed to own: contact, inbound, same pair */
        flow_of("10.1.0.9", "198.51.100.1", 80), /* own listed to somebody */
        flow_of("10.1.0.9", "203.0.113.7", 6667), /* both listed: one contact */
        flow_of("10.1.0.9", "10.1.0.2", 445),    /* inside, one listed: own_listed */
        flow_of("192.0.2.1", "203.0.113.7", 1),  /* neither is ours: no hit */
        flow_of("192.0.2.1", "192.0.2.2", 1),    /* nobody listed */
    };
    run_flows(m, flows, COUNT_OF(flows), &x);
    assert_int_equal(x.n, 3);
    const struct sighting *s = find(&x, HIT_CONTACT, "10.1.0.1", "203.0.113.7");
    assert_non_null(s);
    assert_int_equal(s->flows, 2);
    assert_int_equal(s->bytes, 200);
    assert_int_equal(s->packets, 4);
    assert_int_equal(s->direction, HIT_OUTBOUND);
    assert_int_equal(s->listed, HIT_LISTED_REMOTE);
    s = find(&x, HIT_CONTACT, "10.1.0.9", "203.0.113.7");
    assert_non_null(s);
    assert_int_equal(s->flows, 1);
    assert_int_equal(s->listed, HIT_LISTED_BOTH);
    s = find(&x, HIT_OWN_LISTED, "10.1.0.9", NULL);
    assert_non_null(s);
    assert_int_equal(s->flows, 2);
    assert_int_equal(s->n_peers, 2);
    match_set_free(m);
}

static void without_own_space_every_listed_flow_is_a_hit(void **state)
{
    (void)state;
    add_list("botnet", "203.0.113.7\n203.0.113.8\n");
    struct match_set *m = load(NULL, 0);
    struct taken x;
    struct flow flows[] = {flow_of("192.0.2.1", "203.0.113.7", 1), flow_of("203.0.113.7", "192.0.2.1", 1),
                           flow_of("203.0.113.7", "203.0.113.8", 1)};
    run_flows(m, flows, COUNT_OF(flows), &x);
    assert_int_equal(x.n, 2);
    assert_int_equal(find(&x, HIT_CONTACT, "192.0.2.1", "203.0.113.7")->flows, 2);
    assert_int_equal(find(&x, HIT_CONTACT, "203.0.113.7", "203.0.113.8")->listed, HIT_LISTED_BOTH);
    match_set_free(m);
}

static void each_list_counts_for_itself_and_ipv6_too(void **state)
{
    (void)state;
    add_list("a", "2001:db8::/64\n");
    add_list("b", "2001:db8::7\n203.0.113.0/24\n");
    struct match_set *m = load(NULL, 0);
    struct taken x;
    struct flow flows[] = {flow_of("2001:db8:1::1", "2001:db8::7", 443), flow_of("192.0.2.1", "203.0.113.200", 1)};
    run_flows(m, flows, COUNT_OF(flows), &x); /* a batch of family 6 with a mapped IPv4 row in it */
    assert_int_equal(x.n, 3);
    match_set_free(m);
}

static void a_row_belongs_to_the_hunt_or_to_the_live_match_never_to_both(void **state)
{
    (void)state;
    add_list("old", "203.0.113.7\n");
    struct match_set *first = load(NULL, 0);
    add_list("new", "203.0.113.7\n");
    struct match_set *second = load(first, T0 + 100); /* "new" becomes active later than the row came */
    struct taken x;
    struct flow f = flow_of("192.0.2.1", "203.0.113.7", 1);
    run_flows(second, &f, 1, &x);
    assert_int_equal(x.n, 1);
    assert_memory_equal(x.all[0].key.list, "old", 3);
    struct live l;
    memset(&x, 0, sizeof(x));
    assert_int_equal(live_init(&l, US_PER_DAY, 0, take, &x), 0);
    atomic_store(&l.next, second);
    live_quiet(&l);
    assert_int_equal(live_row(&l, &f, true), 0);
    assert_int_equal(live_flush(&l), 0);
    assert_int_equal(x.n, 1);
    assert_memory_equal(x.all[0].key.list, "new", 3);
    live_fini(&l);
    match_set_free(second);
    match_set_free(first);
}

static void windows_begin_at_local_midnight(void **state)
{
    struct live l;
    struct taken x = {0};
    int64_t us, expected;
    (void)state;
    assert_int_equal(live_init(&l, US_PER_DAY, ZONE_VIETNAM_S, take, &x), 0);
    assert_int_equal(clock_parse("2026-02-17T03:00:00+07:00", 25, 0, &us), 0);
    assert_int_equal(clock_parse("2026-02-16T17:00:00Z", 20, 0, &expected), 0);
    assert_int_equal(live_window(&l, us), expected);
    assert_int_equal(live_window(&l, expected), expected);
    assert_int_equal(live_window(&l, expected - 1), expected - US_PER_DAY);
    assert_true(live_window(&l, -1) <= -1);
    live_fini(&l);
}

/* --- the finder ---------------------------------------------------------------------------- */

static struct finder *open_finder(void)
{
    struct finder_options o = {.data_dir = dir.path, .max_sightings = 1000, .window_us = US_PER_DAY};
    struct finder *x;
    struct fault f = {0};
    assert_int_equal(finder_open(&o, &x, &f), 0);
    return x;
}

static struct sighting one_sighting(uint64_t flows)
{
    struct sighting s = {.first_us = T0, .last_us = T0 + 1, .flows = flows, .packets = flows, .bytes = flows * 10,
                         .direction = HIT_OUTBOUND, .listed = HIT_LISTED_REMOTE, .is_used = 1};
    s.key = (struct sighting_key){.own = ip_of("10.1.0.1"), .remote = ip_of("203.0.113.7"), .window_us = T0,
                                  .list_version = 1, .kind = HIT_CONTACT, .n_list = 6};
    memcpy(s.key.list, "botnet", 6);
    sighting_count_port(&s, 443, flows);
    return s;
}

static void add_live(struct finder *x, uint64_t flows)
{
    struct sightings t;
    struct sighting s = one_sighting(flows);
    assert_int_equal(sightings_init(&t, 100), 0);
    sighting_add(sightings_get(&t, &s.key), &s);
    assert_int_equal(finder_add(x, &t), 0);
    sightings_fini(&t);
}

struct last {
    uint64_t n;
    uint32_t revision;
    char payload[2048];
};

static int keep_last(void *context, uint64_t sequence, const struct finding_id *id, uint32_t revision, struct text p)
{
    struct last *l = context;
    (void)sequence;
    (void)id;
    l->n++;
    l->revision = revision;
    snprintf(l->payload, sizeof(l->payload), "%.*s", (int)p.n, p.p);
    return 0;
}

static struct last last_record(void)
{
    struct last l = {0};
    struct fault f = {0};
    assert_int_equal(findings_read(dir.path, 0, keep_last, &l, &f), 0);
    return l;
}

static void write_findings(struct finder *x, int64_t now_us)
{
    struct fault f = {0};
    assert_int_equal(finder_write(x, NULL, now_us, &f), 0);
}

static void totals_grow_over_restarts_and_revisions_rise(void **state)
{
    (void)state;
    struct finder *x = open_finder();
    add_live(x, 3);
    write_findings(x, T0);
    write_findings(x, T0); /* nothing changed: nothing is written */
    add_live(x, 4);
    write_findings(x, T0);
    struct last l = last_record();
    assert_int_equal(l.n, 2);
    assert_int_equal(l.revision, 2);
    assert_non_null(strstr(l.payload, "\"flows\":7"));
    finder_close(x);
    x = open_finder(); /* memory is empty now: the journal remembers */
    add_live(x, 5);
    write_findings(x, T0);
    l = last_record();
    assert_int_equal(l.revision, 3);
    assert_non_null(strstr(l.payload, "\"flows\":12"));
    assert_non_null(strstr(l.payload, "\"bytes\":120"));
    assert_non_null(strstr(l.payload, "{\"port\":443,\"flows\":12}"));
    finder_close(x);
}

static void entries_of_past_windows_leave_memory_and_come_back(void **state)
{
    (void)state;
    struct finder *x = open_finder();
    struct finder_state s;
    add_live(x, 3);
    write_findings(x, T0 + 30 * US_PER_DAY);
    finder_get_state(x, &s);
    assert_int_equal(s.sightings, 0);
    add_live(x, 2);
    write_findings(x, T0 + 30 * US_PER_DAY);
    assert_non_null(strstr(last_record().payload, "\"flows\":5"));
    finder_close(x);
}

static void a_hunt_may_be_repeated_and_live_counts_stay(void **state)
{
    (void)state;
    struct finder *x = open_finder();
    struct sighting s = one_sighting(100);
    add_live(x, 3);
    assert_int_equal(finder_set(x, &s), 0);
    write_findings(x, T0);
    assert_non_null(strstr(last_record().payload, "\"flows\":103"));
    uint64_t n = last_record().n;
    assert_int_equal(finder_set(x, &s), 0); /* the same count again changes nothing */
    write_findings(x, T0);
    assert_int_equal(last_record().n, n);
    s = one_sighting(110); /* late data: the hunt counts more */
    assert_int_equal(finder_set(x, &s), 0);
    write_findings(x, T0);
    assert_non_null(strstr(last_record().payload, "\"flows\":113"));
    finder_close(x);
    x = open_finder(); /* after a restart everything before is the hunt's */
    s = one_sighting(113);
    assert_int_equal(finder_set(x, &s), 0);
    add_live(x, 1);
    write_findings(x, T0);
    assert_non_null(strstr(last_record().payload, "\"flows\":114"));
    finder_close(x);
}

static void findings_that_are_not_ours_any_more_are_withdrawn_and_may_come_back(void **state)
{
    (void)state;
    struct finder *x = open_finder();
    struct fault f = {0};
    uint64_t n;
    add_list("botnet", "203.0.113.7\n");
    add_live(x, 3); /* 10.1.0.1 to 203.0.113.7, before an own space was known */
    add_space("prefix,unit\n10.1.0.0/16,A\n");
    struct match_set *ours = load(NULL, 0);
    assert_int_equal(finder_rebase(x, ours, &n, &f), 0);
    assert_int_equal(n, 0);
    assert_null(strstr(last_record().payload, "withdrawn"));
    add_space("prefix,unit\n203.0.113.0/24,B\n"); /* the listed end is ours: another finding, own_listed */
    struct match_set *listed_is_ours = load(NULL, 0);
    assert_int_equal(finder_rebase(x, listed_is_ours, &n, &f), 0);
    assert_int_equal(n, 1);
    struct last l = last_record();
    assert_int_equal(l.revision, 2);
    assert_non_null(strstr(l.payload, "\"flows\":3"));
    assert_non_null(strstr(l.payload, ",\"withdrawn\":\"own_space_changed\"}"));
    assert_int_equal(finder_rebase(x, listed_is_ours, &n, &f), 0); /* once is enough */
    assert_int_equal(n, 0);
    finder_close(x);
    x = open_finder(); /* ours again after a restart: the hunt counts it, the revision goes on */
    struct sighting s = one_sighting(4);
    assert_int_equal(finder_rebase(x, ours, &n, &f), 0);
    assert_int_equal(n, 0);
    assert_int_equal(finder_set(x, &s), 0);
    write_findings(x, T0);
    l = last_record();
    assert_int_equal(l.revision, 3);
    assert_non_null(strstr(l.payload, "\"flows\":4"));
    assert_null(strstr(l.payload, "withdrawn"));
    add_live(x, 2); /* what comes live is added to what the hunt said, not to what it said before */
    write_findings(x, T0);
    assert_non_null(strstr(last_record().payload, "\"flows\":6"));
    finder_close(x);
    match_set_free(ours);
    match_set_free(listed_is_ours);
}

static void a_hunt_keeps_what_was_counted_live_of_an_entry_that_left_memory(void **state)
{
    (void)state;
    struct finder *x = open_finder();
    struct sighting s = one_sighting(100);
    const int64_t later_us = T0 + 30 * US_PER_DAY; /* the window is past: what is written leaves memory */
    assert_int_equal(finder_set(x, &s), 0);
    write_findings(x, later_us);
    add_live(x, 3);
    write_findings(x, later_us);
    assert_non_null(strstr(last_record().payload, "\"flows\":103"));
    s = one_sighting(110);
    assert_int_equal(finder_set(x, &s), 0);
    add_live(x, 1);
    write_findings(x, later_us);
    assert_non_null(strstr(last_record().payload, "\"flows\":114"));
    finder_close(x);
    x = open_finder(); /* now all of it is the hunt's */
    s = one_sighting(114);
    assert_int_equal(finder_set(x, &s), 0);
    write_findings(x, later_us);
    assert_non_null(strstr(last_record().payload, "\"flows\":114"));
    finder_close(x);
}

static void ids_do_not_depend_on_the_version_of_the_list(void **state)
{
    (void)state;
    struct sighting a = one_sighting(1), b = one_sighting(1);
    b.key.list_version = 9;
    struct finding_id x = sighting_id(&a.key), y = sighting_id(&b.key);
    assert_memory_equal(x.b, y.b, 16);
    b.key.window_us++;
    y = sighting_id(&b.key);
    assert_memory_not_equal(x.b, y.b, 16);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_table_of_hits_is_kept_with_own_space, setup, teardown),
        cmocka_unit_test_setup_teardown(without_own_space_every_listed_flow_is_a_hit, setup, teardown),
        cmocka_unit_test_setup_teardown(each_list_counts_for_itself_and_ipv6_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_belongs_to_the_hunt_or_to_the_live_match_never_to_both, setup, teardown),
        cmocka_unit_test_setup_teardown(windows_begin_at_local_midnight, setup, teardown),
        cmocka_unit_test_setup_teardown(totals_grow_over_restarts_and_revisions_rise, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_of_past_windows_leave_memory_and_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hunt_may_be_repeated_and_live_counts_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(findings_that_are_not_ours_any_more_are_withdrawn_and_may_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hunt_keeps_what_was_counted_live_of_an_entry_that_left_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_do_not_depend_on_the_version_of_the_list, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
