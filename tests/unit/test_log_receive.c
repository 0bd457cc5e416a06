/* SPDX-License-Identifier: Apache-2.0 */
/* Log messages over loopback: framing, limits, a store that takes nothing; every message is in the account and in the store. */
#include "base/clock.h"
#include "format/syslog.h"
#include "help_dir.h"
#include "watch/intake/log_receive.h"
#include "watch/intake/udp.h"
#include "watch/store/log_segment.h"
#include "watch/store/store.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "cmocka_house.h"

struct fixture {
    struct help_dir dir;
    struct event_names *names;
    struct store *store;
    struct store_log_writer *writer;
    struct log_receiver receiver;
    pthread_t thread;
    int udp, tcp, result;
    uint16_t udp_port, tcp_port;
    struct buf rows; /* originals in the store, each behind its length */
    uint32_t n_rows;
    struct fault f;
};

static _Atomic bool is_disk_full;

static int full_disk(const char *what)
{
    return atomic_load(&is_disk_full) && strcmp(what, "journal-write") == 0 ? -ENOSPC : 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct ip loopback = ip_from_v4(0x7f000001);
    struct store_options o = {0};
    x->dir = help_dir_new();
    x->names = event_names_new();
    o.names = x->names;
    assert_int_equal(store_open(x->dir.path, &o, &x->store, &x->f), 0);
    assert_int_equal(store_log_writer_new(x->store, &x->writer, &x->f), 0);
    x->udp = udp_open(&loopback, 0, 1, 1 << 20, &x->f);
    x->tcp = tcp_listen(&loopback, 0, &x->f);
    assert_true(x->udp >= 0 && x->tcp >= 0);
    x->udp_port = port_of(x->udp);
    x->tcp_port = port_of(x->tcp);
    atomic_store(&is_disk_full, false);
    file_step_hook = full_disk;
    x->rows.max = (size_t)64 << 20;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    if (x->store) {
        store_log_writer_free(x->writer);
        store_close(x->store);
    }
    close(x->udp);
    close(x->tcp);
    event_names_free(x->names);
    help_dir_free(&x->dir);
    buf_fini(&x->rows);
    free(x);
    return 0;
}

static void *run(void *context)
{
    struct fixture *x = context;
    x->result = log_receiver_run(&x->receiver);
    return NULL;
}

static void start(struct fixture *x, struct log_receiver_options o)
{
    o.udp_fd = x->udp;
    o.link_fd = -1;
    o.tcp_fd = x->tcp;
    o.names = x->names;
    o.writer = x->writer;
    o.zone_s = ZONE_VIETNAM_S;
    assert_int_equal(log_receiver_init(&x->receiver, &o), 0);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x), 0);
}

static void end(struct fixture *x)
{
    log_receiver_end(&x->receiver);
    pthread_join(x->thread, NULL);
}

/* sum - over all senders, once the thread has ended or while it runs. */
static struct log_source sum(struct fixture *x)
{
    struct log_source all = {0}, *sources;
    uint32_t n;
    assert_int_equal(log_receiver_sources(&x->receiver, &sources, &n), 0);
    for (uint32_t i = 0; i < n; i++) {
#define X(name, help) all.name += sources[i].name;
        LOG_SOURCE_COUNTERS(X)
#undef X
        all.n_connections += sources[i].n_connections;
    }
    free(sources);
    return all;
}

/* finish - free the receiver, close the store and read back what it holds. */
static void finish(struct fixture *x)
{
    struct store_view *v;
    log_receiver_fini(&x->receiver);
    store_log_writer_free(x->writer);
    store_close(x->store);
    x->store = NULL;
    int r = store_view_open(x->dir.path, &v, &x->f);
    if (r == STORE_EMPTY)
        return;
    assert_int_equal(r, 0);
    assert_int_equal(store_view_n_damaged(v), 0);
    struct events *e = events_new(x->names);
    struct log_scratch *scratch = log_scratch_new();
    for (size_t i = store_view_n_logs(v); i-- > 0;) {
        struct log_segment *s = store_view_log(v, i);
        for (uint32_t block = 0; block < log_segment_info(s)->n_blocks; block++) {
            assert_int_equal(log_segment_read(s, block, scratch, e), 0);
            for (uint32_t row = 0; row < e->n; row++) {
                struct text t = event_original(e, row);
                uint32_t n = (uint32_t)t.n;
                buf_add(&x->rows, &n, sizeof(n));
                buf_add(&x->rows, t.p, t.n);
                x->n_rows++;
            }
        }
    }
    assert_false(x->rows.is_bad);
    log_scratch_free(scratch);
    events_free(e);
    store_view_close(v);
}

static struct text row_at(const struct fixture *x, uint32_t i)
{
    const uint8_t *p = x->rows.p;
    for (;;) {
        uint32_t n;
        memcpy(&n, p, sizeof(n));
        if (!i--)
            return (struct text){(const char *)p + sizeof(n), n};
        p += sizeof(n) + n;
    }
}

static int connect_tcp(const struct fixture *x)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(x->tcp_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return fd;
}

static void send_all(int fd, const char *p, size_t n)
{
    assert_int_equal(file_write_full(fd, p, n), 0);
}

static void send_datagram(const struct fixture *x, const char *p, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(x->udp_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(fd, p, n, 0, (struct sockaddr *)&a, sizeof(a)), (ssize_t)n);
    close(fd);
}

/* wait_messages - until @n were received, at most half a minute. */
static void wait_messages(struct fixture *x, uint64_t n)
{
    for (unsigned i = 0; i < 3000 && sum(x).messages < n; i++)
        poll(NULL, 0, 10);
    assert_int_equal(sum(x).messages, n);
}

static bool is_ended_by_peer(int fd)
{
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 10000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

/* --- framing ---------------------------------------------------------------------------------------------------- */

static void both_framings_mix_in_one_stream_whatever_the_reads_cut(void **state)
{
    enum { N = 300 };
    struct fixture *x = *state;
    struct buf stream = {.max = 1 << 20};
    uint64_t random = seed();
    char texts[N][64];
    start(x, (struct log_receiver_options){0});
    for (unsigned i = 0; i < N; i++) {
        int n = snprintf(texts[i], sizeof(texts[i]), "<13>Oct 11 22:14:15 gate app[%u]: one %u of them", i, i);
        if (next_random(&random) % 2)
            buf_printf(&stream, "%d %s", n, texts[i]);
        else
            buf_printf(&stream, "%s%s", texts[i], next_random(&random) % 2 ? "\n" : "\r\n");
    }
    int fd = connect_tcp(x);
    for (size_t at = 0; at < stream.n;) {
        size_t n = 1 + next_random(&random) % 97;
        n = n < stream.n - at ? n : stream.n - at;
        send_all(fd, (const char *)stream.p + at, n);
        at += n;
        if (next_random(&random) % 8 == 0)
            poll(NULL, 0, 1);
    }
    close(fd);
    wait_messages(x, N);
    end(x);
    assert_int_equal(x->result, 0);
    finish(x);
    assert_int_equal(x->n_rows, N);
    for (uint32_t i = 0; i < N; i++)
        assert_true(text_is(row_at(x, i), texts[i]));
    buf_fini(&stream);
}

static void a_message_without_end_is_taken_when_its_stream_ends(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_receiver_options){0});
    int fd = connect_tcp(x);
    send_all(fd, "first\nsecond", 12);
    close(fd);
    wait_messages(x, 2);
    end(x);
    finish(x);
    assert_int_equal(x->n_rows, 2);
    assert_true(text_is(row_at(x, 1), "second"));
}

static void a_message_longer_than_the_limit_comes_in_pieces_and_whole(void **state)
{
    enum { N = 200000 };
    struct fixture *x = *state;
    char *line = malloc(N + 1);
    for (size_t i = 0; i < N; i++)
        line[i] = (char)('a' + i % 23);
    line[N] = '\n';
    start(x, (struct log_receiver_options){0});
    int fd = connect_tcp(x);
    send_all(fd, line, N + 1);
    send_all(fd, "behind it\n", 10);
    close(fd);
    wait_messages(x, (N + SYSLOG_MESSAGE_MAX - 1) / SYSLOG_MESSAGE_MAX + 1);
    end(x);
    finish(x);
    size_t at = 0;
    for (uint32_t i = 0; i + 1 < x->n_rows; i++) {
        struct text t = row_at(x, i);
        assert_true(t.n <= SYSLOG_MESSAGE_MAX && at + t.n <= N);
        assert_memory_equal(t.p, line + at, t.n);
        at += t.n;
    }
    assert_int_equal(at, N);
    assert_true(text_is(row_at(x, x->n_rows - 1), "behind it"));
    free(line);
}

static void malformed_json_is_kept_as_text_and_counted(void **state)
{
    static const char bad[] = "{\"event\": \"cut", good[] = "{\"event_type\":\"alert\",\"src_ip\":\"192.0.2.1\"}";
    struct fixture *x = *state;
    start(x, (struct log_receiver_options){0});
    send_datagram(x, bad, sizeof(bad) - 1);
    wait_messages(x, 1);
    send_datagram(x, good, sizeof(good) - 1);
    wait_messages(x, 2);
    send_datagram(x, " \r\n", 3);
    wait_messages(x, 3);
    end(x);
    struct log_source s = sum(x);
    assert_int_equal(s.malformed, 1);
    assert_int_equal(s.empty, 1);
    assert_int_equal(s.dropped, 0);
    assert_int_equal(s.bytes, sizeof(bad) - 1 + sizeof(good) - 1 + 1);
    finish(x);
    assert_int_equal(x->n_rows, 2);
    assert_true(text_is(row_at(x, 0), bad));
}

/* --- who may, and how many ------------------------------------------------------------------------------------------ */

static void senders_that_are_not_allowed_are_counted_and_leave_nothing(void **state)
{
    struct fixture *x = *state;
    struct ip_range allow;
    assert_int_equal(ip_range_parse("192.0.2.0/24", 12, &allow, NULL), 0);
    start(x, (struct log_receiver_options){.allow = &allow, .n_allow = 1});
    send_datagram(x, "one", 3);
    int fd = connect_tcp(x);
    assert_true(is_ended_by_peer(fd));
    close(fd);
    for (unsigned i = 0; i < 1000 && atomic_load(&x->receiver.not_allowed) < 2; i++)
        poll(NULL, 0, 10);
    end(x);
    assert_int_equal(atomic_load(&x->receiver.not_allowed), 2);
    assert_int_equal(sum(x).messages, 0);
    finish(x);
    assert_int_equal(x->n_rows, 0);
}

static void one_sender_may_hold_so_many_connections_and_a_closed_one_makes_room(void **state)
{
    struct fixture *x = *state;
    int fds[LOG_CONNECTIONS_OF_ONE], over;
    start(x, (struct log_receiver_options){0});
    for (size_t i = 0; i < LOG_CONNECTIONS_OF_ONE; i++) {
        fds[i] = connect_tcp(x);
        send_all(fds[i], "here\n", 5);
    }
    wait_messages(x, LOG_CONNECTIONS_OF_ONE);
    over = connect_tcp(x);
    assert_true(is_ended_by_peer(over));
    close(over);
    assert_int_equal(atomic_load(&x->receiver.connections_refused), 1);
    close(fds[0]);
    for (unsigned i = 0; i < 1000 && sum(x).n_connections == LOG_CONNECTIONS_OF_ONE; i++)
        poll(NULL, 0, 10);
    fds[0] = connect_tcp(x);
    send_all(fds[0], "again\n", 6);
    wait_messages(x, LOG_CONNECTIONS_OF_ONE + 1);
    for (size_t i = 0; i < LOG_CONNECTIONS_OF_ONE; i++)
        close(fds[i]);
    end(x);
    assert_int_equal(sum(x).n_connections, 0);
    finish(x);
    assert_int_equal(x->n_rows, LOG_CONNECTIONS_OF_ONE + 1);
}

/* --- a store that takes nothing --------------------------------------------------------------------------------------- */

struct talker {
    int fd;
    uint32_t n;
};

static void *talk(void *context)
{
    const struct talker *t = context;
    char line[1024];
    memset(line, '.', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    for (uint32_t i = 0; i < t->n; i++) {
        snprintf(line, 16, "number %06u", i);
        line[13] = '.';
        send_all(t->fd, line, sizeof(line));
    }
    close(t->fd);
    return NULL;
}

static void tcp_waits_for_a_full_disk_and_nothing_is_lost_or_doubled(void **state)
{
    struct fixture *x = *state;
    struct talker t = {.n = 20000};
    pthread_t talker;
    atomic_store(&is_disk_full, true);
    start(x, (struct log_receiver_options){0});
    t.fd = connect_tcp(x);
    assert_int_equal(pthread_create(&talker, NULL, talk, &t), 0);
    for (unsigned i = 0; i < 1000 && !atomic_load(&x->receiver.is_waiting); i++)
        poll(NULL, 0, 10);
    assert_true(atomic_load(&x->receiver.is_waiting));
    uint64_t before = sum(x).messages;
    poll(NULL, 0, 300);
    assert_int_equal(sum(x).messages, before); /* it reads no more: the sender waits */
    assert_true(before < t.n);
    atomic_store(&is_disk_full, false);
    pthread_join(talker, NULL);
    wait_messages(x, t.n);
    end(x);
    assert_false(atomic_load(&x->receiver.is_waiting));
    assert_int_equal(sum(x).dropped, 0);
    finish(x);
    assert_int_equal(x->n_rows, t.n);
    const uint8_t *p = x->rows.p;
    for (uint32_t i = 0; i < t.n; i++) {
        uint32_t n;
        char expected[16];
        memcpy(&n, p, sizeof(n));
        snprintf(expected, sizeof(expected), "number %06u", i);
        assert_memory_equal(p + sizeof(n), expected, 13);
        p += sizeof(n) + n;
    }
}

static void datagrams_that_find_no_room_are_counted_by_the_kernel(void **state)
{
    enum { N = 4000 };
    struct fixture *x = *state;
    char message[1000];
    int small = 65536;
    memset(message, 'u', sizeof(message));
    assert_int_equal(setsockopt(x->udp, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    atomic_store(&is_disk_full, true);
    start(x, (struct log_receiver_options){0});
    send_datagram(x, message, sizeof(message));
    for (unsigned i = 0; i < 1000 && !atomic_load(&x->receiver.is_waiting); i++)
        poll(NULL, 0, 10);
    for (unsigned i = 0; i < N; i++)
        send_datagram(x, message, sizeof(message));
    atomic_store(&is_disk_full, false);
    uint64_t sent = 1 + N;
    for (unsigned i = 0; i < 500; i++) { /* the kernel tells its count with the next datagram */
        poll(NULL, 0, 20);
        send_datagram(x, message, sizeof(message));
        sent++;
        poll(NULL, 0, 20);
        if (sum(x).messages + atomic_load(&x->receiver.kernel_drops) == sent)
            break;
    }
    assert_true(atomic_load(&x->receiver.kernel_drops) > 0);
    assert_int_equal(sum(x).messages + atomic_load(&x->receiver.kernel_drops), sent);
    end(x);
    uint64_t messages = sum(x).messages;
    assert_int_equal(sum(x).dropped, 0);
    finish(x);
    assert_int_equal(x->n_rows, messages);
}

static void datagrams_wait_in_the_spool_while_the_store_takes_nothing(void **state)
{
    struct fixture *x = *state;
    enum { MOST = 400000 };
    uint64_t sent = 1;
    char message[600], spool[320];
    memset(message, 'm', sizeof(message));
    snprintf(spool, sizeof(spool), "%s/spool/a", x->dir.path);
    start(x, (struct log_receiver_options){.spool_dir = spool, .spool_bytes = (uint64_t)32 << 20, .id = 1, .store = x->store});
    send_datagram(x, "first", 5);
    wait_messages(x, 1);
    atomic_store(&is_disk_full, true);
    /* until more came in than memory holds, however many the kernel drops on a busy machine */
    for (; sent < MOST && !log_spool_state(x->receiver.spool).on_disk; sent++) {
        send_datagram(x, message, sizeof(message));
        if (sent % 200 == 199)
            poll(NULL, 0, 2);
    }
    assert_true(log_spool_state(x->receiver.spool).on_disk > 0);
    atomic_store(&is_disk_full, false);
    for (unsigned i = 0; i < 500; i++) { /* the kernel tells its count with the next datagram */
        send_datagram(x, message, sizeof(message));
        sent++;
        poll(NULL, 0, 20);
        if (sum(x).messages + atomic_load(&x->receiver.kernel_drops) == sent)
            break;
    }
    end(x);
    uint64_t messages = sum(x).messages;
    assert_int_equal(messages + atomic_load(&x->receiver.kernel_drops), sent);
    assert_int_equal(sum(x).dropped + sum(x).spool_full, 0);
    finish(x);
    assert_int_equal(x->n_rows, messages);
}

static void what_is_over_the_quota_is_counted_and_the_account_balances(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_receiver_options){.quota = {.messages_per_s = 1}});
    for (unsigned i = 0; i < 50; i++)
        send_datagram(x, "row", 3);
    wait_messages(x, 50);
    end(x);
    struct log_source all = sum(x);
    assert_in_range(all.over_quota, 30, 40); /* ten seconds' worth, and what the test takes */
    assert_int_equal(log_source_kept(&all), 50 - all.over_quota);
    finish(x);
    assert_int_equal(x->n_rows, 50 - all.over_quota);
}

static void what_a_full_disk_costs_at_the_end_is_counted(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_receiver_options){0});
    send_datagram(x, "kept", 4);
    wait_messages(x, 1);
    for (unsigned i = 0; i < 1000 && !atomic_load(&x->receiver.batches); i++)
        poll(NULL, 0, 10);
    atomic_store(&is_disk_full, true);
    send_datagram(x, "lost", 4);
    wait_messages(x, 2);
    end(x);
    atomic_store(&is_disk_full, false);
    assert_int_equal(sum(x).messages, 2);
    assert_int_equal(sum(x).dropped, 1);
    finish(x);
    assert_int_equal(x->n_rows, 1);
}

/* --- the end ------------------------------------------------------------------------------------------------------------ */

static void at_the_end_senders_are_told_and_what_is_on_its_way_is_taken(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_receiver_options){0});
    int fd = connect_tcp(x);
    send_all(fd, "one\n", 4);
    wait_messages(x, 1);
    log_receiver_end(&x->receiver);
    assert_true(is_ended_by_peer(fd)); /* told by a FIN: who looks stops, and what he still sends is read */
    send_all(fd, "two\n", 4);
    close(fd);
    pthread_join(x->thread, NULL);
    assert_int_equal(x->result, 0);
    finish(x);
    assert_int_equal(x->n_rows, 2);
}

static int refuse_third(void *context, struct events *e)
{
    uint32_t *n = context;
    *n += e->n;
    return *n >= 3 ? -ECANCELED : 0;
}

static void the_hook_sees_each_row_once_and_its_failure_ends_the_thread(void **state)
{
    struct fixture *x = *state;
    uint32_t n = 0;
    start(x, (struct log_receiver_options){.hook = refuse_third, .context = &n});
    for (unsigned i = 0; i < 3; i++) {
        send_datagram(x, "row", 3);
        wait_messages(x, i + 1);
    }
    pthread_join(x->thread, NULL);
    assert_int_equal(x->result, -ECANCELED);
    assert_int_equal(n, 3);
    finish(x);
    assert_true(x->n_rows < 3);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(both_framings_mix_in_one_stream_whatever_the_reads_cut),
        T(a_message_without_end_is_taken_when_its_stream_ends),
        T(a_message_longer_than_the_limit_comes_in_pieces_and_whole),
        T(malformed_json_is_kept_as_text_and_counted),
        T(senders_that_are_not_allowed_are_counted_and_leave_nothing),
        T(one_sender_may_hold_so_many_connections_and_a_closed_one_makes_room),
        T(tcp_waits_for_a_full_disk_and_nothing_is_lost_or_doubled),
        T(datagrams_that_find_no_room_are_counted_by_the_kernel),
        T(datagrams_wait_in_the_spool_while_the_store_takes_nothing),
        T(what_is_over_the_quota_is_counted_and_the_account_balances),
        T(what_a_full_disk_costs_at_the_end_is_counted),
        T(at_the_end_senders_are_told_and_what_is_on_its_way_is_taken),
        T(the_hook_sees_each_row_once_and_its_failure_ends_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
