/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account of every exporter: who is told apart, what is added up, what happens when the table is full.
 */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "watch/intake/exporter.h"

#include <errno.h>

#define SOURCE(n) ip_from_v4(0x0a000000u + (uint32_t)(n))

static const uint8_t payload[64] = {9};

static struct netflow_datagram datagram(unsigned host, uint16_t port, int64_t at_us)
{
    return (struct netflow_datagram){
        .p = payload, .n_bytes = sizeof(payload), .peer = SOURCE(host), .peer_port = port, .received_us = at_us};
}

static struct netflow_result result(uint16_t version, uint32_t domain, uint32_t sequence, uint32_t n_flows)
{
    struct netflow_result r = {.version = version, .has_sequence = true, .is_exact = true, .sequence = sequence,
                               .n_units = version == 9 ? 1 : n_flows, .n_flows = n_flows};
    r.observer.domain = domain;
    return r;
}

static void exporters_are_told_apart_by_address_domain_version_and_wanted_port(void **state)
{
    (void)state;
    static const struct {
        unsigned host;
        uint32_t domain;
        uint16_t version, port;
        bool by_port;
        uint32_t n_after; /* exporters known after this one */
    } rows[] = {
        {1, 0, 9, 1000, false, 1}, {1, 0, 9, 1001, false, 1}, /* another port is the same exporter */
        {1, 7, 9, 1000, false, 2}, {1, 7, 10, 1000, false, 3}, {2, 7, 10, 1000, false, 4},
        {3, 0, 9, 1000, true, 5},  {3, 0, 9, 1001, true, 6},  /* unless it was asked for */
        {3, 0, 9, 1001, true, 6},
    };
    struct exporters e;
    assert_int_equal(exporters_init(&e), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct netflow_datagram d = datagram(rows[i].host, rows[i].port, 1);
        struct netflow_result r = result(rows[i].version, rows[i].domain, 0, 1);
        d.by_port = rows[i].by_port;
        exporters_count(&e, &d, &r);
        assert_int_equal(e.n, rows[i].n_after);
    }
    assert_int_equal(e.all[0].n.datagrams, 2);
    assert_int_equal(e.all[0].n.bytes, 2 * sizeof(payload));
    assert_int_equal(e.all[0].port, 0);
    assert_int_equal(e.all[5].port, 1001);
    exporters_fini(&e);
}

static void every_refusal_lands_in_the_sum_of_its_unit(void **state)
{
    (void)state;
    struct exporters e;
    struct netflow_datagram d = datagram(1, 1, 5);
    struct netflow_result r = result(9, 0, 1, 3);
    uint64_t total = 0;
    for (unsigned i = 0; i < NETFLOW_N_REASONS; i++) {
        r.n_refused[i] = 1u << i;
        total += 1u << i;
    }
    assert_int_equal(exporters_init(&e), 0);
    exporters_count(&e, &d, &r);
    const struct exporter *x = &e.all[0];
    for (unsigned i = 0; i < NETFLOW_N_REASONS; i++)
        assert_int_equal(x->refused[i], 1u << i);
    assert_int_equal(x->n.datagrams_refused + x->n.records_refused + x->n.sets_refused + x->n.templates_refused, total);
    assert_int_equal(x->n.sets_refused, 1u << NETFLOW_SET_LENGTH | 1u << NETFLOW_SET_ID | 1u << NETFLOW_WAITING_LIMIT |
                                            1u << NETFLOW_TEMPLATE_UNKNOWN);
    assert_int_equal(x->n.flows, 3);
    assert_int_equal(x->first_us, 5);
    exporters_fini(&e);
}

static void the_sequence_tells_gaps_late_and_repeated_datagrams(void **state)
{
    (void)state;
    struct exporters e;
    uint8_t p[64] = {9};
    static const struct {
        uint32_t sequence;
        uint64_t lost, gaps, late, repeated;
    } rows[] = {{10, 0, 0, 0, 0}, {11, 0, 0, 0, 0}, {14, 2, 1, 0, 0}, {12, 1, 1, 1, 0}, {15, 1, 1, 1, 0}, {15, 1, 1, 1, 1}};
    assert_int_equal(exporters_init(&e), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct netflow_datagram d = datagram(1, 1, (int64_t)i + 1);
        struct netflow_result r = result(9, 0, rows[i].sequence, 1);
        p[15] = (uint8_t)rows[i].sequence; /* as the header would say: a fingerprint of its own each */
        d.p = p;
        exporters_count(&e, &d, &r);
        assert_int_equal(e.all[0].n.lost, rows[i].lost);
        assert_int_equal(e.all[0].n.gaps, rows[i].gaps);
        assert_int_equal(e.all[0].n.late, rows[i].late);
        assert_int_equal(e.all[0].n.repeated, rows[i].repeated);
    }
    assert_int_equal(e.all[0].n.datagrams, COUNT_OF(rows)); /* also the repeated one */
    assert_int_equal(e.all[0].n.flows, COUNT_OF(rows));
    exporters_fini(&e);
}

static void clock_offset_is_received_less_exported(void **state)
{
    (void)state;
    struct exporters e;
    struct netflow_datagram d = datagram(1, 1, 5000000);
    struct netflow_result r = result(9, 0, 1, 1);
    assert_int_equal(exporters_init(&e), 0);
    r.exported_us = 8000000;
    exporters_count(&e, &d, &r);
    assert_int_equal(e.all[0].clock_offset_us, -3000000);
    exporters_fini(&e);
}

/* sum - every datagram is in somebody's account, in that of those let go, or over the limit. */
static uint64_t sum(const struct exporters *e)
{
    uint64_t n = e->overflow + e->gone.datagrams;
    for (uint32_t i = 0; i < e->n; i++)
        n += e->all[i].n.datagrams;
    return n;
}

static void send(struct exporters *e, unsigned host, uint32_t domain, int64_t at_us, unsigned n)
{
    struct netflow_result r = result(5, domain, 0, 1);
    struct netflow_datagram d = datagram(host, 1, at_us);
    r.has_sequence = false;
    while (n--)
        exporters_count(e, &d, &r);
}

static const struct exporter *known(const struct exporters *e, unsigned host)
{
    struct ip ip = SOURCE(host);
    for (uint32_t i = 0; i < e->n; i++)
        if (ip_equal(&e->all[i].observer.ip, &ip))
            return &e->all[i];
    return NULL;
}

static void where_it_is_said_who_may_send_a_full_table_counts_the_rest(void **state)
{
    (void)state;
    struct exporters e;
    assert_int_equal(exporters_init(&e), 0);
    e.is_closed = true;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < EXPORTERS_MAX + 10; i++)
            send(&e, i, 0, 1, 1);
    assert_int_equal(e.n, EXPORTERS_MAX);
    assert_int_equal(e.overflow, 20);
    assert_int_equal(e.n_gone, 0);
    assert_int_equal(sum(&e), 2 * (EXPORTERS_MAX + 10));
    exporters_fini(&e);
}

static void a_full_table_lets_go_of_the_longest_silent_that_never_proved_itself(void **state)
{
    (void)state;
    struct exporters e;
    const unsigned proven = 5, lately = 0;
    assert_int_equal(exporters_init(&e), 0);
    for (unsigned i = 0; i < EXPORTERS_MAX; i++)
        send(&e, i, 0, 1, i == proven ? EXPORTER_PROVEN : 1);
    send(&e, lately, 0, 2, 1);
    for (unsigned i = 0; i < 100; i++)
        send(&e, EXPORTERS_MAX + i, 0, 3, 1);
    assert_int_equal(e.n, EXPORTERS_MAX);
    assert_int_equal(e.n_gone, 100);
    assert_int_equal(e.gone.flows, 100);
    assert_int_equal(e.overflow, 0);
    assert_non_null(known(&e, proven));
    assert_non_null(known(&e, lately));
    assert_non_null(known(&e, EXPORTERS_MAX + 99));
    assert_null(known(&e, 1)); /* the first, but for the two */
    assert_null(known(&e, 101));
    assert_non_null(known(&e, 102));
    assert_int_equal(sum(&e), EXPORTERS_MAX + EXPORTER_PROVEN - 1 + 1 + 100);
    exporters_fini(&e);
}

static void the_proven_are_let_go_only_after_long_silence(void **state)
{
    (void)state;
    struct exporters e;
    assert_int_equal(exporters_init(&e), 0);
    for (unsigned i = 0; i < EXPORTERS_MAX; i++)
        send(&e, i, 0, 1 + i, EXPORTER_PROVEN);
    send(&e, 9999, 0, EXPORTER_SILENT_US, 1);
    assert_int_equal(e.overflow, 1);
    send(&e, 9999, 0, EXPORTER_SILENT_US + 1, 1);
    assert_int_equal(e.overflow, 1);
    assert_null(known(&e, 0));
    assert_non_null(known(&e, 9999));
    assert_int_equal(sum(&e), EXPORTERS_MAX * EXPORTER_PROVEN + 2);
    exporters_fini(&e);
}

static void one_sender_cannot_fill_the_table_with_made_up_domains(void **state)
{
    (void)state;
    struct exporters e;
    assert_int_equal(exporters_init(&e), 0);
    send(&e, 1, 0, 1, 1);
    for (uint32_t i = 0; i < 10000; i++)
        send(&e, 2, i, 2, 1);
    assert_int_equal(e.n, 1 + EXPORTERS_PER_ADDRESS);
    assert_int_equal(e.overflow, 10000 - EXPORTERS_PER_ADDRESS);
    assert_int_equal(e.n_gone, 0);
    assert_int_equal(sum(&e), 10001);
    exporters_fini(&e);
}

static void whoever_comes_and_goes_the_account_balances_and_everyone_is_found_again(void **state)
{
    (void)state;
    struct exporters e;
    uint64_t random = seed(), n_sent = 0;
    assert_int_equal(exporters_init(&e), 0);
    for (unsigned i = 0; i < rounds(60000); i++) {
        unsigned host = (unsigned)(next_random(&random) % 9000), n = next_random(&random) % 50 ? 1 : EXPORTER_PROVEN;
        send(&e, host, host % 3, 1 + i * (EXPORTER_SILENT_US / 5000), n);
        n_sent += n;
        const struct exporter *x = &e.all[e.slots[0] ? e.slots[0] - 1 : 0];
        assert_true(x < e.all + e.n);
    }
    assert_int_equal(sum(&e), n_sent);
    for (uint32_t i = 0; i < e.n; i++) { /* counted where it stands, not beside it */
        uint64_t before = e.all[i].n.datagrams;
        struct netflow_datagram d = {.p = payload, .n_bytes = sizeof(payload), .peer = e.all[i].observer.ip, .received_us = INT64_MAX};
        struct netflow_result r = result(5, e.all[i].observer.domain, 0, 1);
        r.has_sequence = false;
        exporters_count(&e, &d, &r);
        assert_int_equal(e.all[i].n.datagrams, before + 1);
    }
    exporters_fini(&e);
}

static void sflow_is_counted_by_agent_and_sub_agent(void **state)
{
    (void)state;
    struct exporters e;
    struct netflow_datagram d = datagram(9, 6343, 1);
    struct sflow_result r = {.has_sequence = true, .sequence = 1, .n_flows = 2};
    assert_int_equal(exporters_init(&e), 0);
    r.observer = (struct flow_observer){SOURCE(1), 3};
    exporters_count_sflow(&e, &d, &r);
    r.observer.domain = 4;
    exporters_count_sflow(&e, &d, &r);
    r.sequence = 4; /* two datagrams of sub-agent 4 never came */
    d.n_bytes--;    /* not the same datagram again */
    exporters_count_sflow(&e, &d, &r);
    assert_int_equal(e.n, 2);
    assert_true(ip_equal(&e.all[0].observer.ip, &r.observer.ip)); /* the agent, not the sender */
    assert_int_equal(e.all[1].n.flows, 4);
    assert_int_equal(e.all[0].n.lost, 0);
    assert_int_equal(e.all[1].n.lost, 2);
    exporters_fini(&e);
}

static void a_copy_stands_still(void **state)
{
    (void)state;
    struct exporters e;
    struct exporter *copy;
    uint32_t n;
    struct netflow_datagram d = datagram(1, 1, 1);
    struct netflow_result r = result(9, 0, 1, 1);
    assert_int_equal(exporters_init(&e), 0);
    assert_int_equal(exporters_copy(&e, &copy, &n), 0);
    assert_int_equal(n, 0);
    free(copy);
    exporters_count(&e, &d, &r);
    assert_int_equal(exporters_copy(&e, &copy, &n), 0);
    r.sequence++;
    exporters_count(&e, &d, &r);
    assert_int_equal(n, 1);
    assert_int_equal(copy[0].n.datagrams, 1);
    assert_int_equal(e.all[0].n.datagrams, 2);
    free(copy);
    exporters_fini(&e);
}

/* --- over a restart ------------------------------------------------------------------------ */

struct kept {
    struct exporter_memory notes[8];
    size_t n;
    unsigned n_calls;
    int answer;
};

static int keep(void *context, const void *key, size_t n_key, uint64_t value)
{
    struct kept *k = context;
    size_t i = 0;
    k->n_calls++;
    if (k->answer)
        return k->answer;
    assert_int_equal(n_key, EXPORTER_KEY_BYTES);
    while (i < k->n && memcmp(k->notes[i].key, key, n_key) != 0)
        i++;
    assert_true(i < COUNT_OF(k->notes));
    k->n += i == k->n;
    memcpy(k->notes[i].key, key, n_key);
    k->notes[i].value = value;
    return 0;
}

/* count_one - one datagram of 3 records; boot an hour before */
static void count_one(struct exporters *e, uint32_t sequence, int64_t boot_ms)
{
    uint8_t p[64] = {0, 5, (uint8_t)(sequence >> 8), (uint8_t)sequence};
    struct netflow_datagram d = datagram(1, 1, 1);
    struct netflow_result r = result(5, 0, sequence, 3);
    r.uptime_ms = 3600000;
    r.exported_us = (boot_ms + r.uptime_ms) * 1000;
    d.p = p;
    exporters_count(e, &d, &r);
}

static void what_a_killed_process_lost_is_a_gap_of_the_next_one(void **state)
{
    (void)state;
    static const struct {
        uint32_t first;      /* sequence of the first datagram afterwards */
        int64_t boot_ms;
        uint64_t lost, gaps, restarts;
    } rows[] = {
        {9, 1000000, 0, 0, 0},      /* nothing was lost: the journal had it all */
        {209, 1000000, 200, 1, 0},
        {0, 9000000, 0, 0, 1},      /* the exporter began again meanwhile */
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct exporters before, after;
        struct kept k = {.n = 0};
        assert_int_equal(exporters_init(&before), 0);
        for (uint32_t s = 0; s < 9; s += 3)
            count_one(&before, s, 1000000);
        assert_int_equal(exporters_note(&before, keep, &k), 0);
        exporters_fini(&before);
        assert_int_equal(exporters_init(&after), 0);
        for (size_t n = 0; n < k.n; n++)
            assert_int_equal(exporters_recall(&after, k.notes[n].key, EXPORTER_KEY_BYTES, k.notes[n].value), 0);
        assert_int_equal(exporters_recall(&after, "other", 5, 1), 0);
        assert_int_equal(after.n, 0); /* one that is silent now is not shown */
        count_one(&after, rows[i].first, rows[i].boot_ms);
        assert_int_equal(after.all[0].n.lost, rows[i].lost);
        assert_int_equal(after.all[0].n.gaps, rows[i].gaps);
        assert_int_equal(after.all[0].n.restarts, rows[i].restarts);
        exporters_fini(&after);
    }
}

static void only_what_changed_is_noted_and_refused_notes_are_tried_again(void **state)
{
    (void)state;
    struct exporters e;
    struct kept k = {.answer = -ENOBUFS};
    assert_int_equal(exporters_init(&e), 0);
    count_one(&e, 0, 1000000);
    assert_int_equal(exporters_note(&e, keep, &k), 1);
    k.answer = 0;
    assert_int_equal(exporters_note(&e, keep, &k), 0);
    assert_int_equal(k.n, 2);
    k.n_calls = 0;
    for (unsigned i = 0; i < 1000; i++) /* silence: nothing piles up */
        assert_int_equal(exporters_note(&e, keep, &k), 0);
    assert_int_equal(k.n_calls, 0);
    exporters_fini(&e);
}

static int make_and_copy(void *context)
{
    struct exporters *e = context;
    struct exporter *copy = NULL;
    uint32_t n;
    int r = exporters_init(e);
    if (r)
        return r;
    r = exporters_copy(e, &copy, &n);
    free(copy);
    exporters_fini(e);
    return r;
}

static void memory_that_is_out_is_reported(void **state)
{
    (void)state;
    struct exporters e;
    assert_int_equal(failing_alloc_each("a table of exporters and its copy", make_and_copy, &e, false), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exporters_are_told_apart_by_address_domain_version_and_wanted_port),
        cmocka_unit_test(every_refusal_lands_in_the_sum_of_its_unit),
        cmocka_unit_test(the_sequence_tells_gaps_late_and_repeated_datagrams),
        cmocka_unit_test(clock_offset_is_received_less_exported),
        cmocka_unit_test(where_it_is_said_who_may_send_a_full_table_counts_the_rest),
        cmocka_unit_test(a_full_table_lets_go_of_the_longest_silent_that_never_proved_itself),
        cmocka_unit_test(the_proven_are_let_go_only_after_long_silence),
        cmocka_unit_test(one_sender_cannot_fill_the_table_with_made_up_domains),
        cmocka_unit_test(whoever_comes_and_goes_the_account_balances_and_everyone_is_found_again),
        cmocka_unit_test(sflow_is_counted_by_agent_and_sub_agent),
        cmocka_unit_test(a_copy_stands_still),
        cmocka_unit_test(what_a_killed_process_lost_is_a_gap_of_the_next_one),
        cmocka_unit_test(only_what_changed_is_noted_and_refused_notes_are_tried_again),
        cmocka_unit_test(memory_that_is_out_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
