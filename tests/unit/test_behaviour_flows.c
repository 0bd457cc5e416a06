/* SPDX-License-Identifier: Apache-2.0 */
/* The detectors over made traffic whose making is known: what must be said, and what must not. */
#include "cmocka_house.h"

#include "watch/detect/behaviour_engine.h"

#include <math.h>
#include <stdio.h>

#define T0 (INT64_C(1700000000) * 1000000)
#define S INT64_C(1000000)
#define OWN 0x0a010000u    /* 10.1.0.0/16 */
#define WORLD 0x55000000u  /* 85.0.0.0 */
enum { TCP = 6, UDP = 17, ICMP = 1, MAX_SAID = 512 };

/* what was said, the last of each kind, own and peer */
struct said {
    struct behaviour_alarm a[MAX_SAID];
    unsigned n;
};

struct stage {
    struct behaviour_settings settings;
    struct behaviour_base base;
    struct behaviour_engine *engine;
    struct flow_batch *batch;
    struct said said;
    bool is_one_way;
    uint64_t random;
};

static int hear(void *context, const struct behaviour_alarm *a)
{
    struct said *s = context;
    unsigned i = 0;
    while (i < s->n && (s->a[i].kind != a->kind || !ip_equal(&s->a[i].own, &a->own) || !ip_equal(&s->a[i].peer, &a->peer) ||
                        s->a[i].window_us != a->window_us))
        i++;
    assert_true(i < MAX_SAID);
    assert_true(a->n_numbers <= BEHAVIOUR_NUMBERS && a->n_series <= BEHAVIOUR_SERIES && a->n_peers <= BEHAVIOUR_PEERS);
    assert_true(a->confidence_pct >= 1 && a->confidence_pct <= 100 && a->severity <= 4);
    assert_true(a->first_us <= a->last_us && a->window_us <= a->last_us);
    s->a[i] = *a;
    s->n += i == s->n;
    return 0;
}

static int begin(void **state)
{
    struct stage *x = calloc(1, sizeof(*x));
    assert_non_null(x);
    behaviour_settings_default(&x->settings);
    x->random = seed();
    x->base = (struct behaviour_base){.settings = &x->settings, .emit = hear, .context = &x->said, .window_us = 86400 * S, .seed = 1};
    assert_int_equal(behaviour_engine_new(&x->base, &x->engine), 0);
    x->batch = flow_batch_new(4);
    assert_non_null(x->batch);
    *state = x;
    return 0;
}

static int end(void **state)
{
    struct stage *x = *state;
    behaviour_engine_free(x->engine);
    flow_batch_free(x->batch);
    free(x);
    return 0;
}

static void hand_on(struct stage *x)
{
    assert_int_equal(behaviour_flows(x->engine, x->batch, NULL), 0);
    flow_batch_clear(x->batch);
}

static void put(struct stage *x, const struct flow *f)
{
    uint32_t taken;
    if (x->batch->n == FLOW_BATCH_ROWS)
        hand_on(x);
    (void)flow_batch_add(x->batch, f, 1, &taken);
    assert_int_equal(taken, 1);
}

static void finish(struct stage *x)
{
    hand_on(x);
    assert_int_equal(behaviour_flush(x->engine, INT64_MAX), 0);
    for (size_t i = 0; behaviour_detectors[i]; i++) { /* every account balances */
        struct behaviour_counters c;
        behaviour_count(x->engine, i, &c);
        assert_int_equal(c.seen, c.used + c.skipped + c.late);
    }
}

struct talk {
    uint32_t from, to;
    uint16_t from_port, to_port;
    uint8_t protocol;
    uint64_t out_packets, out_bytes, back_packets, back_bytes;
    int64_t length_us;
    uint16_t flags; /* 0: what answered or not would have */
};

/* talk - a conversation as a two-way record, or as the one or two records a router sends. */
static void talk(struct stage *x, int64_t at_us, struct talk t)
{
    uint64_t present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) |
                       FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_PROTOCOL) |
                       FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PACKETS) | (t.protocol == TCP ? FLOW_HAS(FLOW_TCP_FLAGS) : 0);
    bool is_met = t.back_bytes > 64 * t.back_packets;
    struct flow f = {.present = present, .source_ip = ip_from_v4(t.from), .destination_ip = ip_from_v4(t.to), .source_port = t.from_port,
                     .destination_port = t.to_port, .protocol = t.protocol, .start_us = at_us, .end_us = at_us + t.length_us,
                     .source_packets = t.out_packets, .source_bytes = t.out_bytes, .tcp_flags = t.flags ? t.flags : is_met ? 0x1b : 2};
    if (!x->is_one_way) {
        f.present |= FLOW_HAS(FLOW_DESTINATION_BYTES) | FLOW_HAS(FLOW_DESTINATION_PACKETS) |
                     (t.protocol == TCP ? FLOW_HAS(FLOW_REVERSE_TCP_FLAGS) : 0);
        f.destination_packets = t.back_packets;
        f.destination_bytes = t.back_bytes;
        f.reverse_tcp_flags = is_met ? 0x1b : t.back_packets ? 0x14 : 0;
        put(x, &f);
        return;
    }
    put(x, &f);
    if (!t.back_packets)
        return;
    struct flow r = f;
    r.source_ip = f.destination_ip;
    r.destination_ip = f.source_ip;
    r.source_port = f.destination_port;
    r.destination_port = f.source_port;
    r.source_packets = t.back_packets;
    r.source_bytes = t.back_bytes;
    r.tcp_flags = is_met ? 0x1b : 0x14;
    r.start_us += 1000;
    put(x, &r);
}

static struct talk web(uint32_t from, uint32_t to, uint16_t from_port)
{
    return (struct talk){from, to, from_port, 443, TCP, 10, 1500, 12, 9000, S / 2, 0};
}

static struct talk attempt(uint32_t from, uint32_t to, uint16_t from_port, uint16_t to_port)
{
    return (struct talk){from, to, from_port, to_port, TCP, 1, 40, 0, 0, 0, 0};
}

static const struct behaviour_alarm *find(const struct stage *x, enum behaviour_kind kind)
{
    for (unsigned i = 0; i < x->said.n; i++)
        if (x->said.a[i].kind == kind)
            return &x->said.a[i];
    return NULL;
}

static double number(const struct behaviour_alarm *a, const char *name)
{
    for (uint32_t i = 0; i < a->n_numbers; i++)
        if (!strcmp(a->numbers[i].name, name))
            return a->numbers[i].value;
    fail_msg("no figure %s", name);
    return NAN;
}

static double uniform(struct stage *x)
{
    return (double)(next_random(&x->random) >> 11) / (double)(UINT64_C(1) << 53);
}

/* --- beacons -------------------------------------------------------------------------------------------------------- */

static void beat(struct stage *x, double t, uint32_t to, uint16_t port, double period_s, double jitter, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        t += period_s * (1 + jitter * (2 * uniform(x) - 1));
        talk(x, T0 + (int64_t)(t * 1e6), (struct talk){OWN + 5, to, (uint16_t)(20000 + i), port, TCP, 6, 800, 5, 600, S / 5, 0});
    }
}

static void a_beacon_is_found_through_its_jitter_one_way_and_two_way(void **state)
{
    struct stage *x = *state;
    for (int way = 0; way < 2; way++) {
        x->is_one_way = way;
        x->said.n = 0;
        beat(x, 8000.0 * way, WORLD + 66 + (uint32_t)way, 4444, 60, 0.3, 100);
        finish(x);
        const struct behaviour_alarm *a = find(x, BEHAVIOUR_BEACON);
        assert_non_null(a);
        assert_int_equal(ip_v4(&a->own), OWN + 5);
        assert_int_equal(ip_v4(&a->peer), WORLD + 66 + (uint32_t)way);
        assert_int_equal(a->peer_port, 4444);
        assert_true(fabs(number(a, "interval_s") - 60) < 6);
        assert_true(number(a, "score_pct") > 85);
        assert_true(a->n_series > 10 && a->query.n > 20);
        assert_int_equal(a->severity, 2); /* an odd port */
    }
}

static void ntp_is_no_beacon(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 500; i++)
        talk(x, T0 + 64 * S * i, (struct talk){OWN + 5, WORLD + 1, 123, 123, UDP, 1, 76, 1, 76, 1000, 0});
    finish(x);
    assert_null(find(x, BEHAVIOUR_BEACON));
}

static void what_many_own_machines_come_back_to_is_a_service(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 200; i++) /* update checks of 20 machines, every five minutes */
        for (uint32_t k = 0; k < 20; k++)
            talk(x, T0 + 300 * S * i + k * S, web(OWN + 10 + k, WORLD + 9, (uint16_t)(30000 + i)));
    finish(x);
    /* until the eleventh machine was seen, none was over the limits */
    assert_null(find(x, BEHAVIOUR_BEACON));
}

static void pieces_of_one_long_connection_are_no_beacon_but_a_long_connection(void **state)
{
    struct stage *x = *state;
    x->is_one_way = true;
    for (unsigned i = 0; i < 300; i++) /* an exporter with an active timeout of a minute */
        talk(x, T0 + 60 * S * i, (struct talk){OWN + 5, WORLD + 7, 50123, 443, TCP, 20, 2000, 0, 0, 60 * S - 1000, i ? 0x18 : 0x1a});
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_BEACON);
    assert_non_null(a);
    assert_int_equal(x->said.n, 1);
    assert_true(a->name.n); /* long_connection */
    assert_true(number(a, "longest_s") >= 14400 && number(a, "longest_s") <= 18000);
    assert_int_equal(a->severity, 1);
}

static void chance_visits_are_no_beacon(void **state)
{
    struct stage *x = *state;
    double t = 0;
    for (unsigned i = 0; i < 300; i++) {
        t += -200 * log(1 - uniform(x));
        talk(x, T0 + (int64_t)(t * 1e6), web(OWN + 5, WORLD + 3, (uint16_t)(20000 + i)));
    }
    finish(x);
    assert_null(find(x, BEHAVIOUR_BEACON));
}

/* --- scans ------------------------------------------------------------------------------------------------------------- */

static void a_host_scan_is_told_with_its_port_one_way_and_two_way(void **state)
{
    struct stage *x = *state;
    for (int way = 0; way < 2; way++) {
        uint32_t who = OWN + 20 + (uint32_t)way;
        x->is_one_way = way;
        x->said.n = 0;
        for (uint32_t i = 0; i < 200; i++)
            talk(x, T0 + S * i / 4, attempt(who, WORLD + i, (uint16_t)(40000 + i), 445));
        finish(x);
        const struct behaviour_alarm *a = find(x, BEHAVIOUR_HOST_SCAN);
        assert_non_null(a);
        assert_null(find(x, BEHAVIOUR_PORT_SCAN));
        assert_int_equal(ip_v4(&a->own), who);
        assert_true(ip_is_zero(&a->peer));
        assert_int_equal(a->peer_port, 445);
        assert_int_equal(a->n_peers, BEHAVIOUR_PEERS);
        assert_true(number(a, "failed_pct") > 99);
        assert_int_equal(a->severity, 3);
    }
}

static void the_limit_of_a_scan_is_exact(void **state)
{
    struct stage *x = *state;
    unsigned limit = (unsigned)x->settings.v[BEHAVIOUR_SET_HOST_SCAN_HOSTS];
    for (uint32_t i = 0; i + 1 < limit; i++)
        talk(x, T0 + S * i, attempt(OWN + 1, WORLD + i, 40000, 22));
    hand_on(x);
    assert_null(find(x, BEHAVIOUR_HOST_SCAN));
    talk(x, T0 + S * limit, attempt(OWN + 1, WORLD + limit, 40000, 22));
    finish(x);
    assert_non_null(find(x, BEHAVIOUR_HOST_SCAN));
}

static void a_port_scan_is_told_with_its_victim_and_refusals_count(void **state)
{
    struct stage *x = *state;
    for (uint16_t i = 1; i <= 300; i++)
        talk(x, T0 + S * i / 10, (struct talk){WORLD + 8, OWN + 3, 55555, i, TCP, 1, 44, 1, 40, 1000, 0});
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_PORT_SCAN);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 3);
    assert_int_equal(ip_v4(&a->peer), WORLD + 8);
    assert_int_equal(a->severity, 1); /* from outside: the Internet's weather */
    assert_null(find(x, BEHAVIOUR_HOST_SCAN));
}

static void a_slow_scan_is_found_within_the_day(void **state)
{
    struct stage *x = *state;
    for (uint32_t i = 0; i < 130; i++) /* one host every ten minutes: never two in one short window's reach of 25 */
        talk(x, T0 - T0 % (86400 * S) + 600 * S * i, attempt(OWN + 2, WORLD + i, 40000, 3389));
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_HOST_SCAN);
    assert_non_null(a);
    assert_true(number(a, "hosts") >= 100 * 0.74); /* four standard errors of the count */
}

static void one_who_scans_ports_of_many_hosts_is_told_as_one(void **state)
{
    struct stage *x = *state;
    unsigned n = 0;
    for (uint32_t host = 0; host < 60; host++)
        for (uint16_t port = 1; port <= 40; port++)
            talk(x, T0 + S * (host * 2) + port * 1000, attempt(OWN + 2, WORLD + host, 40000, port));
    finish(x);
    for (unsigned i = 0; i < x->said.n; i++)
        n += x->said.a[i].kind == BEHAVIOUR_PORT_SCAN;
    assert_true(n <= 10);
}

static void ordinary_browsing_is_no_scan(void **state)
{
    struct stage *x = *state;
    for (int way = 0; way < 2; way++) {
        x->is_one_way = way;
        for (uint32_t i = 0; i < 2000; i++) {
            bool is_dead = i % 10 == 0; /* one in ten does not answer */
            talk(x, T0 + S * i, is_dead ? attempt(OWN + 4, WORLD + i, (uint16_t)(10000 + i), 443) : web(OWN + 4, WORLD + i, (uint16_t)(10000 + i)));
            talk(x, T0 + S * i, (struct talk){OWN + 4, WORLD + 1, (uint16_t)(10000 + i), 53, UDP, 1, 70, 1, 150, 20000, 0});
        }
    }
    finish(x);
    assert_int_equal(x->said.n, 0);
}

/* --- floods ------------------------------------------------------------------------------------------------------------- */

static void an_icmp_flood_out_is_told(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 60 * 200; i++)
        talk(x, T0 + S * i / 200, (struct talk){OWN + 6, WORLD + 4, 0, 0, ICMP, 1, 1066, 0, 0, 0, 0});
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_DDOS_OUT);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 6);
    assert_int_equal(ip_v4(&a->peer), WORLD + 4);
    assert_true(number(a, "worst_packets_per_s") > 150 && number(a, "worst_packets_per_s") <= 201);
    assert_null(find(x, BEHAVIOUR_HOST_SCAN));
}

static void a_ping_and_a_video_call_are_no_flood(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 3600; i++) {
        talk(x, T0 + S * i, (struct talk){OWN + 6, WORLD + 4, 0, 0, ICMP, 1, 84, 1, 84, 1000, 0});
        talk(x, T0 + S * i, (struct talk){OWN + 6, WORLD + 5, 4000, 4000, UDP, 500, 500000, 480, 480000, S, 0});
    }
    finish(x);
    assert_null(find(x, BEHAVIOUR_DDOS_OUT));
    assert_null(find(x, BEHAVIOUR_DDOS_IN));
}

static void a_syn_flood_of_many_sources_is_told_and_its_sources_counted(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 600; i++) /* usual: two connections a second */
        talk(x, T0 + S * i / 2, (struct talk){WORLD + i % 50, OWN + 7, (uint16_t)(1024 + i), 80, TCP, 8, 900, 10, 8000, S / 4, 0});
    for (unsigned i = 0; i < 40000; i++)
        talk(x, T0 + 300 * S + S * i / 2000, attempt(WORLD + 1000 + i % 5000, OWN + 7, (uint16_t)(1024 + i % 50000), 80));
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_DDOS_IN);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 7);
    assert_true(number(a, "sources") > 5000 * 0.74);
    assert_true(number(a, "worst_packets_per_s") > 900);
    assert_int_equal(a->severity, 3);
}

static void reflection_is_told_by_answers_nobody_asked_for(void **state)
{
    struct stage *x = *state;
    x->is_one_way = true;
    for (unsigned i = 0; i < 30000; i++)
        talk(x, T0 + S * i / 1500, (struct talk){WORLD + i % 400, OWN + 8, 53, (uint16_t)(2000 + i % 60000), UDP, 3, 4200, 0, 0, 1000, 0});
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_DDOS_IN);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 8);
    assert_true(number(a, "sources") > 300);
}

static void a_busy_resolver_and_a_busy_server_are_no_victims(void **state)
{
    struct stage *x = *state;
    x->is_one_way = true;
    for (unsigned i = 0; i < 200000; i++) { /* a thousand a second of either, three minutes */
        talk(x, T0 + S * i / 1000, (struct talk){OWN + 9, WORLD + i % 3000, (uint16_t)(1024 + i % 60000), 53, UDP, 1, 70, 1, 200, 1000, 0});
        talk(x, T0 + S * i / 1000, (struct talk){WORLD + 9000 + i % 3000, OWN + 11, (uint16_t)(1024 + i % 60000), 443, TCP, 9, 900, 9, 9000, 1000, 0});
    }
    finish(x);
    assert_null(find(x, BEHAVIOUR_DDOS_IN));
    assert_null(find(x, BEHAVIOUR_DDOS_OUT));
    assert_null(find(x, BEHAVIOUR_HOST_SCAN));
}

/* --- mail, data leaving, new destinations, silence ----------------------------------------------------------------------- */

static struct talk mail(uint32_t from, uint32_t to, uint16_t port)
{
    return (struct talk){from, to, port, 25, TCP, 12, 4000, 11, 900 + 64 * 11, 2 * S, 0};
}

static void a_workstation_that_delivers_mail_everywhere_is_told_and_a_mail_server_is_not(void **state)
{
    struct stage *x = *state;
    for (uint32_t i = 0; i < 5; i++)
        talk(x, T0 + S * i, mail(WORLD + 500 + i, OWN + 25, (uint16_t)(3000 + i))); /* it takes mail */
    for (uint32_t i = 0; i < 60; i++) {
        talk(x, T0 + 10 * S * i, mail(OWN + 25, WORLD + i, (uint16_t)(4000 + i)));
        talk(x, T0 + 10 * S * i, mail(OWN + 26, WORLD + i, (uint16_t)(4000 + i)));
    }
    finish(x);
    assert_int_equal(x->said.n, 1);
    assert_int_equal(x->said.a[0].kind, BEHAVIOUR_SPAM);
    assert_int_equal(ip_v4(&x->said.a[0].own), OWN + 26);
}

static void data_leaving_is_told_and_a_download_a_backup_and_a_server_are_not(void **state)
{
    struct stage *x = *state;
    for (unsigned day = 0; day < 3; day++) /* a backup goes out every day */
        talk(x, T0 + day * 86400 * S, (struct talk){OWN + 30, WORLD + 30, 1000, 443, TCP, 700000, 900000000, 300000, 15000000, 600 * S, 0});
    hand_on(x);
    x->said.n = 0; /* the first one is new to us */
    for (unsigned day = 3; day < 6; day++)
        talk(x, T0 + day * 86400 * S, (struct talk){OWN + 30, WORLD + 30, 1000, 443, TCP, 700000, 900000000, 300000, 15000000, 600 * S, 0});
    talk(x, T0 + 6 * 86400 * S, (struct talk){OWN + 31, WORLD + 31, 1000, 443, TCP, 300000, 15000000, 700000, 900000000, 600 * S, 0});
    talk(x, T0 + 6 * 86400 * S, (struct talk){WORLD + 32, OWN + 32, 1000, 443, TCP, 300000, 15000000, 700000, 900000000, 600 * S, 0});
    hand_on(x);
    for (unsigned i = 0; i < x->said.n; i++)
        assert_int_not_equal(x->said.a[i].kind, BEHAVIOUR_EXFILTRATION);
    x->said.n = 0;
    talk(x, T0 + 6 * 86400 * S + S, (struct talk){OWN + 33, WORLD + 33, 1000, 443, TCP, 700000, 900000000, 300000, 15000000, 600 * S, 0});
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_EXFILTRATION);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 33);
    assert_true(number(a, "out_bytes") == 900000000);
    assert_true(fabs(number(a, "ratio") - 60) < 1e-9);
}

static void a_new_destination_is_told_after_learning_and_an_old_one_is_not(void **state)
{
    struct stage *x = *state;
    for (unsigned i = 0; i < 200; i++) /* two days of the usual, ten places */
        talk(x, T0 + 1000 * S * i, web(OWN + 40, WORLD + i % 10, (uint16_t)(2000 + i)));
    hand_on(x);
    assert_null(find(x, BEHAVIOUR_NEW_DESTINATION));
    for (unsigned i = 0; i < 12; i++) {
        talk(x, T0 + 200000 * S + 100 * S * i, web(OWN + 40, WORLD + 777, (uint16_t)(3000 + i)));
        talk(x, T0 + 200000 * S + 100 * S * i, web(OWN + 41, WORLD + 3, (uint16_t)(3000 + i)));
    }
    finish(x);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_NEW_DESTINATION);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 40);
    assert_int_equal(a->n_peers, 1);
    assert_int_equal(ip_v4(&a->peers[0]), WORLD + 777);
    assert_int_equal(a->severity, 0);
    for (unsigned i = 0; i < x->said.n; i++)
        assert_true(x->said.a[i].kind != BEHAVIOUR_NEW_DESTINATION || &x->said.a[i] == a);
}

/* hours of five machines that talk every ten minutes; @quiet: one stops after 30 hours, or all */
static void days(struct stage *x, uint32_t n_stop)
{
    for (unsigned i = 0; i < 6 * 36; i++)
        for (uint32_t k = 0; k < 5; k++)
            if (i < 6 * 30 || k >= n_stop)
                talk(x, T0 + 600 * S * i + k, web(OWN + 50 + k, WORLD + k, (uint16_t)(2000 + i)));
    if (n_stop == 5) /* others, newly there */
        for (unsigned i = 6 * 30; i < 6 * 36; i++)
            talk(x, T0 + 600 * S * i, web(OWN + 60, WORLD, (uint16_t)(2000 + i)));
    finish(x);
}

static void a_machine_gone_silent_is_told(void **state)
{
    struct stage *x = *state;
    days(x, 1);
    const struct behaviour_alarm *a = find(x, BEHAVIOUR_SILENT);
    assert_non_null(a);
    assert_int_equal(ip_v4(&a->own), OWN + 50);
    assert_true(number(a, "silent_s") >= 2 * 3600);
    assert_int_equal(a->n_series, 52);
    unsigned n = 0;
    for (unsigned i = 0; i < x->said.n; i++)
        n += x->said.a[i].kind == BEHAVIOUR_SILENT;
    assert_int_equal(n, 1);
}

static void when_all_stop_it_is_the_exporter(void **state)
{
    struct stage *x = *state;
    days(x, 5);
    assert_null(find(x, BEHAVIOUR_SILENT));
}

static void what_is_switched_off_says_nothing(void **state)
{
    struct stage *x = *state;
    static const enum behaviour_setting off[] = {BEHAVIOUR_SET_HOST_SCAN_ENABLED, BEHAVIOUR_SET_PORT_SCAN_ENABLED,
                                                 BEHAVIOUR_SET_DDOS_IN_ENABLED, BEHAVIOUR_SET_DDOS_OUT_ENABLED};
    for (size_t i = 0; i < COUNT_OF(off); i++)
        x->settings.v[off[i]] = 0;
    for (uint32_t i = 0; i < 20000; i++)
        talk(x, T0 + S * i / 1000, attempt(OWN + 20, WORLD + i, (uint16_t)(40000 + i), (uint16_t)i));
    finish(x);
    assert_int_equal(x->said.n, 0);
}

#define STAGED(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_beacon_is_found_through_its_jitter_one_way_and_two_way),
        STAGED(ntp_is_no_beacon),
        STAGED(what_many_own_machines_come_back_to_is_a_service),
        STAGED(pieces_of_one_long_connection_are_no_beacon_but_a_long_connection),
        STAGED(chance_visits_are_no_beacon),
        STAGED(a_host_scan_is_told_with_its_port_one_way_and_two_way),
        STAGED(the_limit_of_a_scan_is_exact),
        STAGED(a_port_scan_is_told_with_its_victim_and_refusals_count),
        STAGED(a_slow_scan_is_found_within_the_day),
        STAGED(one_who_scans_ports_of_many_hosts_is_told_as_one),
        STAGED(ordinary_browsing_is_no_scan),
        STAGED(an_icmp_flood_out_is_told),
        STAGED(a_ping_and_a_video_call_are_no_flood),
        STAGED(a_syn_flood_of_many_sources_is_told_and_its_sources_counted),
        STAGED(reflection_is_told_by_answers_nobody_asked_for),
        STAGED(a_busy_resolver_and_a_busy_server_are_no_victims),
        STAGED(a_workstation_that_delivers_mail_everywhere_is_told_and_a_mail_server_is_not),
        STAGED(data_leaving_is_told_and_a_download_a_backup_and_a_server_are_not),
        STAGED(a_new_destination_is_told_after_learning_and_an_old_one_is_not),
        STAGED(a_machine_gone_silent_is_told),
        STAGED(when_all_stop_it_is_the_exporter),
        STAGED(what_is_switched_off_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
