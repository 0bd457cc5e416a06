/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving threads on real sockets of the loopback: exporters at 127.0.0.x, nothing lost, nothing doubled, and an
 * account that balances.
 */
#include "cmocka_house.h"
#include "help_dir.h"
#include "netflow_case.h"
#include "watch/intake/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { V5_HEADER = 24, V5_RECORD = 48, ROWS_SEEN = 65536 };

/* --- exporters ------------------------------------------------------------------------ */

/* v5 - Cisco NetFlow Export Datagram Format, tables B-3 and B-4; the serial of a record stands in its byte counter. */
static size_t v5(struct built *b, uint32_t sequence, unsigned n)
{
    b->n = 0;
    put_n(b, 5, 2);
    put_n(b, n, 2);
    put_n(b, 3600000, 4);    /* sysUpTime */
    put_n(b, 1700000000, 4); /* seconds */
    put_n(b, 0, 4);
    put_n(b, sequence, 4);
    put_n(b, 0, 4);
    for (unsigned i = 0; i < n; i++) {
        put_n(b, 0xc0a80000u + sequence + i, 4); /* source */
        put_n(b, 0x08080808, 4);
        put_n(b, 0, 4 + 2 + 2);
        put_n(b, 1, 4);
        put_n(b, sequence + i, 4); /* bytes */
        put_n(b, 3500000, 4);
        put_n(b, 3500100, 4);
        put_n(b, 1234, 2);
        put_n(b, 80, 2);
        put_n(b, 0x0600, 4); /* pad, flags, protocol, ToS */
        put_n(b, 0, V5_RECORD - 40);
    }
    return b->n;
}

static int sender_at(uint32_t host)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_to(int fd, uint16_t port, const void *p, size_t n)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    assert_int_equal(sendto(fd, p, n, 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)n);
}

static void send_v5(int fd, uint16_t port, uint32_t sequence, unsigned n)
{
    static struct built b;
    send_to(fd, port, b.p, v5(&b, sequence, n));
}

/* --- receivers -------------------------------------------------------------------------- */

struct seen {
    uint8_t times[ROWS_SEEN]; /* by serial */
    uint64_t n_rows;
    struct flow_observer last;
};

static int take(void *context, const struct flow_batch *b)
{
    struct seen *s = context;
    for (uint32_t i = 0; i < b->n; i++) {
        uint64_t serial = flow_batch_number(b, FLOW_SOURCE_BYTES, i);
        assert_true(serial < ROWS_SEEN);
        s->times[serial]++;
        s->last = b->observers[flow_batch_number(b, FLOW_OBSERVER, i)];
    }
    s->n_rows += b->n;
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

struct listener {
    struct udp_receiver r;
    struct seen seen;
    int fd;
    uint16_t port;
};

static void listen_at(struct listener *l, uint16_t port, uint32_t n_group, uint64_t buffer_bytes)
{
    struct ip any = ip_from_v4(INADDR_LOOPBACK);
    struct fault f = {0};
    memset(l, 0, sizeof(*l));
    l->fd = udp_open(&any, port, n_group, buffer_bytes, &f);
    assert_true(l->fd >= 0);
    l->port = port_of(l->fd);
}

static void receiver_of(struct listener *l, struct udp_options o)
{
    o.fd = l->fd;
    o.hook = take;
    o.context = &l->seen;
    assert_int_equal(udp_receiver_init(&l->r, &o), 0);
}

/* drain - what the socket holds is read to the end although the order to stop came first. */
static void drain(struct listener *l)
{
    atomic_store(&l->r.must_stop, true);
    assert_int_equal(udp_receiver_run(&l->r), 0);
}

static void close_listener(struct listener *l)
{
    udp_receiver_fini(&l->r);
    close(l->fd);
}

static uint64_t datagrams_of(const struct exporters *e)
{
    uint64_t n = e->overflow + e->not_allowed;
    for (uint32_t i = 0; i < e->n; i++)
        n += e->all[i].n.datagrams;
    return n;
}

static struct listener one, group[4]; /* large */

/* --- tests -------------------------------------------------------------------------------- */

static void what_the_socket_holds_is_stored_when_the_end_comes(void **state)
{
    (void)state;
    listen_at(&one, 0, 1, 1 << 22);
    receiver_of(&one, (struct udp_options){0});
    int fd = sender_at(INADDR_LOOPBACK + 1);
    for (uint32_t i = 0; i < 200; i++)
        send_v5(fd, one.port, i * 30, 30);
    drain(&one);
    assert_int_equal(one.seen.n_rows, 6000);
    for (uint32_t i = 0; i < 6000; i++)
        assert_int_equal(one.seen.times[i], 1);
    assert_int_equal(one.r.exporters.n, 1);
    assert_int_equal(one.r.exporters.all[0].n.datagrams, 200);
    assert_int_equal(one.r.exporters.all[0].n.flows, 6000);
    assert_int_equal(one.r.exporters.all[0].n.lost, 0);
    assert_int_equal(one.r.kernel_drops, 0);
    assert_true(ip_equal(&one.seen.last.ip, &(struct ip){.b = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 2}}));
    close(fd);
    close_listener(&one);
}

static void the_account_balances_over_good_broken_and_foreign_datagrams(void **state)
{
    (void)state;
    struct ip_range allowed[] = {{ip_from_v4(0x7f000002), ip_from_v4(0x7f000003)}};
    static const uint8_t junk[] = "\x00\x63 no export", cut[] = {0, 5, 0, 30, 1, 2, 3};
    struct built b;
    listen_at(&one, 0, 1, 1 << 22);
    receiver_of(&one, (struct udp_options){.allow = allowed, .n_allow = 1});
    int good = sender_at(0x7f000002), other = sender_at(0x7f000003), foreign = sender_at(0x7f000004);
    for (uint32_t i = 0; i < 10; i++) {
        send_v5(good, one.port, i * 3, 3);
        send_v5(foreign, one.port, 1000 + i * 3, 3);
        send_to(other, one.port, junk, sizeof(junk));
        send_to(other, one.port, cut, sizeof(cut));
        send_to(other, one.port, "", 0); /* an empty datagram is one too */
    }
    send_to(good, one.port, b.p, v5(&b, 30, 3) - 1); /* the last record is cut */
    drain(&one);
    uint64_t n_refused = 0, n_records = 0, n_flows = 0;
    for (uint32_t i = 0; i < one.r.exporters.n; i++) {
        n_refused += one.r.exporters.all[i].n.datagrams_refused;
        n_records += one.r.exporters.all[i].n.records_refused;
        n_flows += one.r.exporters.all[i].n.flows;
    }
    assert_int_equal(datagrams_of(&one.r.exporters), 51);
    assert_int_equal(one.r.exporters.not_allowed, 10);
    assert_int_equal(one.r.exporters.foreign_bytes, 10 * (V5_HEADER + 3 * V5_RECORD));
    assert_int_equal(n_refused, 30);
    assert_int_equal(n_flows, 32);
    assert_int_equal(n_flows, one.seen.n_rows);
    assert_int_equal(n_records, 1);
    assert_int_equal(one.seen.times[1000], 0); /* nothing of the foreign one */
    close(good);
    close(other);
    close(foreign);
    close_listener(&one);
}

static void repeated_datagrams_are_counted_and_kept(void **state)
{
    (void)state;
    listen_at(&one, 0, 1, 1 << 22);
    receiver_of(&one, (struct udp_options){0});
    int fd = sender_at(0x7f000002);
    for (uint32_t i = 0; i < 5; i++) {
        send_v5(fd, one.port, i, 1);
        send_v5(fd, one.port, i, 1);
    }
    drain(&one);
    assert_int_equal(one.seen.n_rows, 10);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(one.seen.times[i], 2);
    assert_int_equal(one.r.exporters.all[0].n.repeated, 5);
    assert_int_equal(one.r.exporters.all[0].n.lost, 0);
    close(fd);
    close_listener(&one);
}

static void exporters_behind_one_address_are_told_apart_by_port_only_where_asked(void **state)
{
    (void)state;
    struct ip_range behind_nat[] = {{ip_from_v4(0x7f000002), ip_from_v4(0x7f000002)}};
    listen_at(&one, 0, 1, 1 << 22);
    receiver_of(&one, (struct udp_options){.by_port = behind_nat, .n_by_port = 1});
    int a = sender_at(0x7f000002), b = sender_at(0x7f000002), c = sender_at(0x7f000003), d = sender_at(0x7f000003);
    send_v5(a, one.port, 0, 1);
    send_v5(b, one.port, 100, 1);
    send_v5(a, one.port, 1, 1);
    send_v5(b, one.port, 101, 1);
    send_v5(c, one.port, 200, 1);
    send_v5(d, one.port, 201, 1);
    drain(&one);
    assert_int_equal(one.r.exporters.n, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(one.r.exporters.all[i].n.datagrams, 2);
        assert_int_equal(one.r.exporters.all[i].n.gaps, 0);
    }
    assert_int_equal(one.r.exporters.all[2].port, 0);
    assert_int_equal(one.seen.n_rows, 6);
    close(a);
    close(b);
    close(c);
    close(d);
    close_listener(&one);
}

static void a_source_always_meets_the_same_socket_of_a_group(void **state)
{
    (void)state;
    enum { N_GROUP = COUNT_OF(group), N_SOURCES = 16, N_EACH = 20 };
    for (unsigned i = 0; i < N_GROUP; i++)
        listen_at(&group[i], i ? group[0].port : 0, N_GROUP, 1 << 22);
    assert_int_equal(udp_steer(group[0].fd, N_GROUP), 0);
    for (unsigned i = 0; i < N_GROUP; i++)
        receiver_of(&group[i], (struct udp_options){0});
    for (unsigned s = 0; s < N_SOURCES; s++)
        for (unsigned i = 0; i < N_EACH; i++) {
            int fd = sender_at(0x7f000010 + s); /* another port each time */
            send_v5(fd, group[0].port, s * 100 + i, 1);
            close(fd);
        }
    uint64_t n_rows = 0;
    for (unsigned i = 0; i < N_GROUP; i++) {
        drain(&group[i]);
        n_rows += group[i].seen.n_rows;
        assert_int_equal(group[i].r.exporters.n, N_SOURCES / N_GROUP); /* by address modulo the group */
        for (uint32_t x = 0; x < group[i].r.exporters.n; x++) {
            assert_int_equal(group[i].r.exporters.all[x].n.datagrams, N_EACH);
            assert_int_equal(ip_v4(&group[i].r.exporters.all[x].observer.ip) % N_GROUP, i);
        }
    }
    assert_int_equal(n_rows, N_SOURCES * N_EACH);
    for (unsigned i = 0; i < N_GROUP; i++)
        close_listener(&group[i]);
}

static void datagrams_the_kernel_joined_are_taken_apart(void **state)
{
    (void)state;
    enum { N_JOINED = 20, N_EACH = 3 };
    static struct built all, b;
    listen_at(&one, 0, 1, 1 << 22);
    receiver_of(&one, (struct udp_options){0});
    int fd = sender_at(0x7f000002), each = V5_HEADER + N_EACH * V5_RECORD;
    if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each))) {
        print_message("skipped: this kernel does not send joined datagrams\n");
        skip();
    }
    all.n = 0;
    for (uint32_t i = 0; i < N_JOINED; i++) {
        (void)v5(&b, i * N_EACH, N_EACH);
        put_bytes(&all, b.p, b.n);
    }
    put_bytes(&all, b.p, v5(&b, N_JOINED * N_EACH, 1)); /* the last one is shorter */
    send_to(fd, one.port, all.p, all.n);
    each = 0;
    assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &each, sizeof(each)), 0);
    send_v5(fd, one.port, N_JOINED * N_EACH + 1, 30);
    drain(&one);
    assert_int_equal(datagrams_of(&one.r.exporters), N_JOINED + 2);
    assert_int_equal(one.seen.n_rows, N_JOINED * N_EACH + 31);
    for (uint32_t i = 0; i < one.seen.n_rows; i++)
        assert_int_equal(one.seen.times[i], 1);
    assert_int_equal(one.r.exporters.all[0].n.lost + one.r.exporters.all[0].n.late, 0);
    close(fd);
    close_listener(&one);
}

static void what_the_kernel_drops_is_counted_also_at_the_very_end(void **state)
{
    (void)state;
    enum { N_SENT = 2000 };
    listen_at(&one, 0, 1, 4096);
    receiver_of(&one, (struct udp_options){0});
    int fd = sender_at(0x7f000002);
    for (uint32_t i = 0; i < N_SENT; i++)
        send_v5(fd, one.port, i * 3, 3);
    drain(&one); /* no datagram comes after the dropped ones */
    assert_true(one.r.kernel_drops > 0);
    assert_int_equal(datagrams_of(&one.r.exporters) + one.r.kernel_drops, N_SENT);
    close(fd);
    close_listener(&one);
}

static void *run(void *argument)
{
    struct listener *l = argument;
    return (void *)(intptr_t)udp_receiver_run(&l->r);
}

static void kernel_drops_between_datagrams_are_counted_once(void **state)
{
    (void)state;
    enum { N_ROUNDS = 20, N_SENT = 300 };
    listen_at(&one, 0, 1, 4096);
    receiver_of(&one, (struct udp_options){0});
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, &one), 0);
    int fd = sender_at(0x7f000002);
    for (uint32_t i = 0; i < N_ROUNDS; i++) {
        for (uint32_t k = 0; k < N_SENT; k++)
            send_v5(fd, one.port, (i * N_SENT + k) * 3, 3);
        usleep(20000);
    }
    atomic_store(&one.r.must_stop, true);
    void *answer;
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_null(answer);
    assert_int_equal(datagrams_of(&one.r.exporters) + one.r.kernel_drops, N_ROUNDS * N_SENT);
    close(fd);
    close_listener(&one);
}

static void a_thread_that_sleeps_beside_its_socket_loses_nothing(void **state)
{
    (void)state;
    enum { N_ROUNDS = 12 };
    static const unsigned burst[N_ROUNDS] = {1, 1, 400, 1, 3, 64, 65, 128, 900, 2, 1, 1};
    uint32_t serial = 0;
    listen_at(&one, 0, 1, 8 << 20);
    receiver_of(&one, (struct udp_options){0});
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, &one), 0);
    int fd = sender_at(0x7f000002);
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        for (unsigned k = 0; k < burst[i]; k++, serial++)
            send_v5(fd, one.port, serial, 1);
        usleep(i % 3 * 4000);
    }
    atomic_store(&one.r.must_stop, true);
    void *answer;
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_null(answer);
    assert_int_equal(datagrams_of(&one.r.exporters) + one.r.kernel_drops, serial);
    assert_int_equal(one.seen.n_rows, datagrams_of(&one.r.exporters));
    close(fd);
    close_listener(&one);
}

static void a_port_in_use_is_refused_with_address_and_port(void **state)
{
    (void)state;
    struct ip at = ip_from_v4(INADDR_LOOPBACK);
    struct fault f = {0};
    listen_at(&one, 0, 1, 4096);
    receiver_of(&one, (struct udp_options){0});
    assert_int_equal(udp_open(&at, one.port, 1, 4096, &f), -EADDRINUSE);
    assert_non_null(strstr(f.text, "127.0.0.1"));
    close_listener(&one);
}

static void ipv4_exporters_of_an_ipv6_socket_are_ipv4(void **state)
{
    (void)state;
    struct ip any = {{0}};
    struct fault f = {0};
    memset(&one, 0, sizeof(one));
    one.fd = udp_open(&any, 0, 1, 1 << 20, &f);
    if (one.fd == -EAFNOSUPPORT) {
        print_message("skipped: no IPv6 here\n");
        skip();
    }
    assert_true(one.fd >= 0);
    struct sockaddr_in6 a;
    socklen_t n = sizeof(a);
    assert_int_equal(getsockname(one.fd, (struct sockaddr *)&a, &n), 0);
    one.port = ntohs(a.sin6_port);
    receiver_of(&one, (struct udp_options){0});
    int fd = sender_at(0x7f000007);
    send_v5(fd, one.port, 0, 1);
    drain(&one);
    assert_int_equal(one.seen.n_rows, 1);
    assert_true(ip_is_v4(&one.seen.last.ip));
    assert_int_equal(ip_v4(&one.seen.last.ip), 0x7f000007);
    close(fd);
    close_listener(&one);
}

static int refuse(void *context, const struct flow_batch *b)
{
    (void)context;
    (void)b;
    return -ENOSPC;
}

static void a_batch_that_cannot_be_stored_ends_the_thread_with_its_error(void **state)
{
    (void)state;
    listen_at(&one, 0, 1, 1 << 20);
    struct udp_options o = {.fd = one.fd, .hook = refuse};
    assert_int_equal(udp_receiver_init(&one.r, &o), 0);
    int fd = sender_at(0x7f000002);
    send_v5(fd, one.port, 0, 1);
    atomic_store(&one.r.must_stop, true);
    assert_int_equal(udp_receiver_run(&one.r), -ENOSPC);
    close(fd);
    close_listener(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_socket_holds_is_stored_when_the_end_comes),
        cmocka_unit_test(the_account_balances_over_good_broken_and_foreign_datagrams),
        cmocka_unit_test(repeated_datagrams_are_counted_and_kept),
        cmocka_unit_test(exporters_behind_one_address_are_told_apart_by_port_only_where_asked),
        cmocka_unit_test(a_source_always_meets_the_same_socket_of_a_group),
        cmocka_unit_test(datagrams_the_kernel_joined_are_taken_apart),
        cmocka_unit_test(what_the_kernel_drops_is_counted_also_at_the_very_end),
        cmocka_unit_test(kernel_drops_between_datagrams_are_counted_once),
        cmocka_unit_test(a_thread_that_sleeps_beside_its_socket_loses_nothing),
        cmocka_unit_test(a_port_in_use_is_refused_with_address_and_port),
        cmocka_unit_test(ipv4_exporters_of_an_ipv6_socket_are_ipv4),
        cmocka_unit_test(a_batch_that_cannot_be_stored_ends_the_thread_with_its_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
