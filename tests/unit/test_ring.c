/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring on the loopback and on a veth pair of a network namespace of our own; skipped with a reason where the system
 * permits neither.
 */
#include "base/clock.h"
#include "netns_help.h"
#include "watch/intake/meter.h"
#include "watch/intake/ring.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *no_namespace; /* why not */
static bool has_veth;

/* Everything here happens in a namespace that dies with the process. */
static int enter_namespace(void **state)
{
    (void)state;
    no_namespace = netns_enter();
    has_veth = !no_namespace && !system("ip link add ring0 type veth peer name ring1 2>/dev/null") &&
               !netns_up("ring0") && !netns_up("ring1");
    return 0;
}

struct seen {
    struct flow flows[64];
    unsigned n_flows, n_packets;
    struct meter *meter;
};

static int take_flow(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct seen *s = context;
    (void)o;
    if (s->n_flows < 64)
        s->flows[s->n_flows] = *flows;
    s->n_flows += n;
    return 0;
}

static int take_packet(void *context, const struct pcap_packet *p)
{
    struct seen *s = context;
    s->n_packets++;
    return meter_frame(s->meter, p->link, p->p, p->n_captured, p->n_original, p->timestamp_us);
}

static struct ring *open_or_skip(const char *interface, const struct ring_options *o)
{
    struct ring *r = NULL;
    int fd = -1;
    if (no_namespace) {
        printf("skipped: %s\n", no_namespace);
        skip();
    }
    int e = ring_open(interface, o, &fd);
    if (e == -EPERM) {
        printf("skipped: AF_PACKET is not permitted here (CAP_NET_RAW)\n");
        skip();
    }
    assert_int_equal(e, 0);
    assert_int_equal(ring_map(fd, o, &r), 0);
    assert_int_equal(ring_fd(r), fd);
    return r;
}

/* Reads until @n packets came or a second has passed. */
static void read_until(struct ring *r, struct seen *s, unsigned n)
{
    for (int i = 0; i < 20 && s->n_packets < n; i++) {
        struct pollfd p = {.fd = ring_fd(r), .events = POLLIN};
        (void)poll(&p, 1, 50);
        assert_int_equal(ring_read(r, take_packet, s), 0);
    }
}

static const struct ring_options small = {.block_bytes = 65536, .n_blocks = 4, .timeout_ms = 10};

static void datagrams_over_the_loopback_become_one_flow(void **state)
{
    (void)state;
    struct ring *r = open_or_skip("lo", &small);
    struct seen s = {.n_packets = 0};
    s.meter = meter_new(NULL, take_flow, &s);
    assert_non_null(s.meter);
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(to);
    assert_int_equal(bind(b, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(getsockname(b, (struct sockaddr *)&to, &n), 0);
    int64_t before = clock_now_us();
    for (int i = 0; i < 10; i++)
        assert_int_equal(sendto(a, "0123456789", 10, 0, (struct sockaddr *)&to, sizeof(to)), 10);
    read_until(r, &s, 10);
    assert_int_equal(meter_flush(s.meter), 0);
    struct ring_counters c;
    assert_int_equal(ring_count(r, &c), 0);
    assert_int_equal(c.n_delivered, 10);
    assert_int_equal(c.n_skipped, 10); /* each was seen going out too */
    assert_int_equal(c.n_dropped, 0);
    assert_int_equal(s.n_flows, 1);
    assert_int_equal(s.flows[0].source_packets, 10);
    assert_int_equal(s.flows[0].source_bytes, 10 * (20 + 8 + 10));
    assert_int_equal(s.flows[0].destination_port, ntohs(to.sin_port));
    assert_true(s.flows[0].start_us >= before - 1000 && s.flows[0].end_us <= clock_now_us());
    close(a);
    close(b);
    meter_free(s.meter);
    ring_free(r);
}

static void a_second_reader_goes_on_where_the_first_stopped(void **state)
{
    (void)state;
    struct ring *r = open_or_skip("lo", &small);
    struct seen s = {.n_packets = 0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    s.meter = meter_new(NULL, take_flow, &s);
    for (int reader = 0; reader < 7; reader++) { /* more often than there are blocks */
        if (reader % 2) /* also with blocks that nobody has read yet */
            assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
        usleep(reader % 2 ? 30000 : 0);
        int again = dup(ring_fd(r));
        assert_true(again >= 0);
        ring_free(r);
        assert_int_equal(ring_map(again, &small, &r), 0);
        unsigned before = s.n_packets;
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
        read_until(r, &s, before + (reader % 2 ? 4 : 2)); /* each datagram brings an ICMP answer */
        assert_int_equal(s.n_packets, before + (reader % 2 ? 4 : 2));
    }
    assert_int_equal(meter_flush(s.meter), 0);
    close(fd);
    meter_free(s.meter);
    ring_free(r);
}

/* a UDP datagram 10.0.0.1:1 > 10.0.0.2:2 of one byte behind a VLAN tag 42 */
static const uint8_t tagged[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0,  0, 0, 2, 0x81, 0, 0x20, 42, 8, 0, 0x45,
                                 0,    0,    29,   0,    1,    0,    0, 64, 17, 0, 0, 10, 0,   0, 1,    10, 0, 0, 2,
                                 0,    1,    0,    2,    0,    9,    0, 0, 'x'};

static int send_frames(const char *interface, const void *p, size_t n, int count)
{
    int fd = socket(AF_PACKET, SOCK_RAW, 0), n_sent = 0;
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface), .sll_halen = 6};
    for (int i = 0; i < count && fd >= 0; i++)
        n_sent += sendto(fd, p, n, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)n;
    close(fd);
    return n_sent;
}

static void a_tag_the_kernel_took_off_is_put_back(void **state)
{
    (void)state;
    if (!has_veth) {
        printf("skipped: no veth pair (%s)\n", no_namespace ? no_namespace : "the ip command is missing or may not");
        skip();
    }
    struct ring *r = open_or_skip("ring1", &small);
    struct seen s = {.n_packets = 0};
    s.meter = meter_new(NULL, take_flow, &s);
    assert_int_equal(send_frames("ring0", tagged, sizeof(tagged), 3), 3);
    for (int i = 0; i < 20; i++) { /* IPv6 of the interface itself may come between */
        read_until(r, &s, s.n_packets + 1);
        struct meter_counters m;
        meter_count(s.meter, &m);
        if (m.n_metered >= 3)
            break;
    }
    assert_int_equal(meter_flush(s.meter), 0);
    bool is_found = false;
    for (unsigned i = 0; i < s.n_flows && i < 64; i++)
        if (s.flows[i].protocol == 17 && s.flows[i].destination_port == 2) {
            assert_int_equal(s.flows[i].vlan, 42);
            assert_int_equal(s.flows[i].source_packets, 3);
            assert_int_equal(s.flows[i].source_bytes, 3 * 29);
            is_found = true;
        }
    assert_true(is_found);
    meter_free(s.meter);
    ring_free(r);
}

static void what_the_kernel_drops_is_counted(void **state)
{
    (void)state;
    if (!has_veth) {
        printf("skipped: no veth pair\n");
        skip();
    }
    struct ring *r = open_or_skip("ring1", &small);
    struct seen s = {.n_packets = 0};
    struct ring_counters c;
    s.meter = meter_new(NULL, take_flow, &s);
    static uint8_t large[1500];
    memcpy(large, tagged, sizeof(tagged));
    int n = send_frames("ring0", large, sizeof(large), 2000); /* 3 MB into a ring of 256 KiB, nobody reads */
    assert_int_equal(n, 2000);
    for (int i = 0; i < 10; i++, usleep(10000))
        assert_int_equal(ring_read(r, take_packet, &s), 0);
    assert_int_equal(ring_count(r, &c), 0);
    assert_true(c.n_dropped > 0);
    assert_true(c.n_delivered + c.n_dropped >= 2000);
    assert_true(c.n_delivered < 2000);
    meter_free(s.meter);
    ring_free(r);
}

static void what_cannot_be_opened_says_why(void **state)
{
    (void)state;
    int fd;
    struct ring *r;
    const struct ring_options tiny = {.block_bytes = 4096}, vast = {.block_bytes = 1u << 30, .n_blocks = 1000};
    assert_int_equal(ring_open("no-such-if", NULL, &fd), -ENODEV);
    assert_int_equal(ring_open("lo", &tiny, &fd), -EINVAL);
    assert_int_equal(ring_open("lo", &vast, &fd), -EINVAL);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(ring_map(fd, &small, &r) < 0);
    close(fd);
    ring_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(datagrams_over_the_loopback_become_one_flow),
        cmocka_unit_test(a_second_reader_goes_on_where_the_first_stopped),
        cmocka_unit_test(a_tag_the_kernel_took_off_is_put_back),
        cmocka_unit_test(what_the_kernel_drops_is_counted),
    };
    return cmocka_run_group_tests(tests, enter_namespace, NULL);
}
