/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capturing thread on the loopback of a namespace: what is sent comes out as rows.
 */
#include "base/clock.h"
#include "netns_help.h"
#include "watch/intake/capture.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define N_SENT 2000

static const char *no_namespace;

static int enter_namespace(void **state)
{
    (void)state;
    no_namespace = netns_enter();
    return 0;
}

struct seen {
    uint64_t n_packets, n_rows;
    int64_t received_us;
    _Atomic unsigned n_ticks;
};

static int take_batch(void *context, const struct flow_batch *b)
{
    struct seen *s = context;
    for (uint32_t i = 0; i < b->n; i++) {
        s->n_packets += flow_batch_number(b, FLOW_SOURCE_PACKETS, i) + flow_batch_number(b, FLOW_DESTINATION_PACKETS, i);
        s->received_us = (int64_t)flow_batch_number(b, FLOW_RECEIVED, i);
    }
    s->n_rows += b->n;
    return 0;
}

static int take_tick(void *context, const struct flow_batch *b)
{
    struct seen *s = context;
    (void)b;
    s->n_ticks++;
    return 0;
}

static void *run(void *argument)
{
    return (void *)(intptr_t)capture_run(argument);
}

static void what_is_sent_comes_out_as_rows(void **state)
{
    (void)state;
    struct capture_receiver r;
    struct seen s = {.n_rows = 0};
    struct capture_options o = {.ring = {.block_bytes = 1 << 18, .n_blocks = 8, .timeout_ms = 10},
                                .hook = take_batch,
                                .tick = take_tick,
                                .context = &s};
    if (no_namespace) {
        print_message("skipped: %s\n", no_namespace);
        skip();
    }
    int e = ring_open("lo", &o.ring, &o.fd);
    if (e == -EPERM) {
        print_message("skipped: AF_PACKET is not permitted here (CAP_NET_RAW)\n");
        skip();
    }
    assert_int_equal(e, 0);
    assert_int_equal(capture_init(&r, &o), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, &r), 0);
    int64_t before_us = clock_now_us();
    int fd = socket(AF_INET, SOCK_DGRAM, 0), sink = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(7777)};
    assert_int_equal(bind(sink, (struct sockaddr *)&to, sizeof(to)), 0); /* so that nobody answers with ICMP */
    for (int i = 0; i < N_SENT; i++)
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    while (s.n_ticks < 2)
        usleep(10000);
    atomic_store(&r.must_stop, true);
    void *answer;
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_null(answer);
    struct ring_counters ring;
    struct meter_counters meter;
    capture_count(&r, &ring, &meter);
    assert_int_equal(ring.n_delivered + ring.n_dropped / 2, N_SENT); /* each is seen twice by the ring */
    assert_int_equal(ring.n_dropped, 0);
    assert_int_equal(meter.n_metered, N_SENT);
    assert_int_equal(s.n_packets, N_SENT);
    assert_int_equal(s.n_rows, 1);
    assert_true(s.received_us >= before_us && s.received_us <= clock_now_us());
    capture_fini(&r);
    close(fd);
    close(sink);
}

static void a_descriptor_that_is_no_ring_is_refused(void **state)
{
    (void)state;
    struct capture_receiver r;
    struct capture_options o = {.fd = socket(AF_INET, SOCK_DGRAM, 0)};
    assert_true(capture_init(&r, &o) < 0);
    capture_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_out_as_rows),
        cmocka_unit_test(a_descriptor_that_is_no_ring_is_refused),
    };
    return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
