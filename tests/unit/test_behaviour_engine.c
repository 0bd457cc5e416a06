/* SPDX-License-Identifier: Apache-2.0 */
/* Flows, events, status and the taker of alarms from threads of their own; also run under ThreadSanitizer. */
#include "cmocka_house.h"

#include "watch/detect/behaviour_alerts.h"

#include <pthread.h>
#include <stdatomic.h>

#define T0 (INT64_C(1700000000) * 1000000)
#define S INT64_C(1000000)
enum { BATCHES = 20, ROWS = 500 };

struct stage {
    struct behaviour_engine *engine;
    struct behaviour_alerts *alerts;
    struct event_names *names;
    atomic_bool is_over;
};

static void *send_flows(void *context)
{
    struct stage *x = context;
    struct flow_batch *b = flow_batch_new(4);
    assert_non_null(b);
    for (uint32_t k = 0; k < BATCHES; k++) {
        uint32_t taken;
        for (uint32_t i = 0; i < ROWS; i++) {
            struct flow f = {.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                                        FLOW_HAS(FLOW_PROTOCOL) | FLOW_HAS(FLOW_DESTINATION_PORT) | FLOW_HAS(FLOW_TCP_FLAGS) |
                                        FLOW_HAS(FLOW_SOURCE_PACKETS),
                             .source_ip = ip_from_v4(0x0a000001 + k), .destination_ip = ip_from_v4(0x55000000 + i), .protocol = 6,
                             .destination_port = 445, .tcp_flags = 2, .source_packets = 1, .start_us = T0 + (k * ROWS + i) * S / 10};
            assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
        }
        assert_int_equal(behaviour_flows(x->engine, b, NULL), 0);
        flow_batch_clear(b);
    }
    flow_batch_free(b);
    return NULL;
}

static void *send_events(void *context)
{
    struct stage *x = context;
    struct events *e = events_new(x->names);
    assert_non_null(e);
    for (int k = 0; k < BATCHES; k++) {
        for (int i = 0; i < 50; i++) {
            struct ip client = ip_from_v4(0x0a000009);
            assert_int_equal(event_begin(e, TEXT("x"), T0 + k * 60 * S), 0);
            event_put_ip(e, EV_SOURCE_IP, &client);
            event_put_text(e, EV_DNS_QUESTION_NAME, TEXT("www.example.org"));
            event_end(e);
        }
        assert_int_equal(behaviour_events(x->engine, e, NULL), 0);
        events_clear(e);
    }
    events_free(e);
    return NULL;
}

static void *look(void *context)
{
    struct stage *x = context;
    while (!atomic_load(&x->is_over)) {
        struct behaviour_alert_counters n;
        struct behaviour_counters c;
        for (size_t i = 0; behaviour_detectors[i]; i++)
            behaviour_count(x->engine, i, &c);
        behaviour_alerts_count(x->alerts, &n);
        (void)behaviour_now(x->engine);
        (void)behaviour_alarms_of(x->engine, BEHAVIOUR_HOST_SCAN);
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    struct stage x = {.names = event_names_new()};
    struct behaviour_settings settings;
    struct behaviour_alerts_options o = {.max_alerts = 1000};
    struct behaviour_alert_counters n;
    pthread_t flows, events, status;
    (void)state;
    behaviour_settings_default(&settings);
    assert_non_null(x.names);
    assert_int_equal(behaviour_alerts_new(&o, &x.alerts), 0);
    struct behaviour_base base = {.settings = &settings, .names = x.names, .emit = behaviour_alerts_take, .context = x.alerts,
                                  .window_us = 86400 * S, .seed = 1};
    assert_int_equal(behaviour_engine_new(&base, &x.engine), 0);
    assert_int_equal(pthread_create(&flows, NULL, send_flows, &x), 0);
    assert_int_equal(pthread_create(&events, NULL, send_events, &x), 0);
    assert_int_equal(pthread_create(&status, NULL, look, &x), 0);
    pthread_join(flows, NULL);
    pthread_join(events, NULL);
    atomic_store(&x.is_over, true);
    pthread_join(status, NULL);
    assert_int_equal(behaviour_flush(x.engine, INT64_MAX), 0);
    behaviour_alerts_count(x.alerts, &n);
    assert_int_equal(n.n_open, BATCHES); /* a scan of each of twenty machines */
    assert_int_equal(n.lost, 0);
    behaviour_engine_free(x.engine);
    behaviour_alerts_free(x.alerts);
    event_names_free(x.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_disturb_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
