/* SPDX-License-Identifier: Apache-2.0 */
/* Pushes as the gate hands them over: answered when they are durable, once by their key, taken up after a broken store or run. */
#include "base/clock.h"
#include "base/file.h"
#include "help_dir.h"
#include "watch/intake/log_link.h"
#include "watch/intake/log_push.h"
#include "watch/store/log_segment.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "cmocka_house.h"

struct fixture {
    struct help_dir dir;
    struct event_names *names;
    struct store *store;
    struct store_log_writer *writer;
    struct log_pusher pusher;
    pthread_t thread;
    int link[2];
    struct fault f;
};

static _Atomic int writes_left = -1; /* journal writes before the disk is full; -1: never */

static int full_disk(const char *what)
{
    int left = strcmp(what, "journal-write") ? -1 : atomic_load(&writes_left);
    if (left > 0)
        atomic_fetch_sub(&writes_left, 1);
    return left == 0 ? -ENOSPC : 0;
}

static void *run(void *context)
{
    struct fixture *x = context;
    (void)log_pusher_run(&x->pusher);
    return NULL;
}

static void start(struct fixture *x, struct log_push_options o)
{
    struct store_options s = {.names = x->names};
    assert_int_equal(store_open(x->dir.path, &s, &x->store, &x->f), 0);
    assert_int_equal(store_log_writer_new(x->store, &x->writer, &x->f), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, x->link), 0);
    o.link_fd = x->link[1];
    o.id = 8443;
    o.names = x->names;
    o.store = x->store;
    o.writer = x->writer;
    o.body_max_bytes = o.body_max_bytes ? o.body_max_bytes : 1 << 20;
    assert_int_equal(log_pusher_init(&x->pusher, &o), 0);
    assert_int_equal(pthread_create(&x->thread, NULL, run, x), 0);
}

static void end(struct fixture *x)
{
    log_pusher_end(&x->pusher);
    pthread_join(x->thread, NULL);
    log_pusher_fini(&x->pusher);
    store_log_writer_free(x->writer);
    store_close(x->store);
    close(x->link[0]);
    close(x->link[1]);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    x->dir = help_dir_new();
    x->names = event_names_new();
    atomic_store(&writes_left, -1);
    file_step_hook = full_disk;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    event_names_free(x->names);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

struct body {
    const void *p;
    size_t n;
};

static int begin(struct fixture *x, enum log_push_form form, const char *key)
{
    struct log_link_hello hello = {.magic = LOG_LINK_MAGIC, .kind = LOG_LINK_PUSH, .form = (uint8_t)form, .ip = ip_from_v4(0xc0000201),
                                   .name = "mail", .has_key = key != NULL};
    int pair[2];
    if (key)
        memcpy(hello.key, key, strnlen(key, sizeof(hello.key)));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(log_link_send(x->link[0], &hello, pair[1]), 0);
    close(pair[1]);
    return pair[0];
}

static void send_body(int fd, struct body b)
{
    char piece[LOG_PUSH_PIECE + 1] = {LOG_PUSH_BODY};
    for (size_t at = 0; at < b.n;) {
        size_t n = b.n - at < LOG_PUSH_PIECE ? b.n - at : LOG_PUSH_PIECE;
        memcpy(piece + 1, (const char *)b.p + at, n);
        if (send(fd, piece, n + 1, MSG_NOSIGNAL) < 0)
            return; /* it has answered already */
        at += n;
    }
}

static struct log_push_reply push_as(struct fixture *x, enum log_push_form form, const char *key, struct body b)
{
    struct log_push_reply r = {0};
    char last = LOG_PUSH_END;
    int fd = begin(x, form, key);
    send_body(fd, b);
    (void)!send(fd, &last, 1, MSG_NOSIGNAL);
    assert_int_equal(recv(fd, &r, sizeof(r), 0), sizeof(r));
    assert_int_equal(r.magic, LOG_LINK_MAGIC);
    close(fd);
    return r;
}

static struct log_push_reply push(struct fixture *x, const char *key, const char *body)
{
    return push_as(x, LOG_PUSH_JSON, key, (struct body){body, strlen(body)});
}

/* rows - how many the store holds, as another process sees it now. */
static uint64_t rows(struct fixture *x)
{
    struct store_view *v;
    uint64_t n = 0;
    int r = store_view_open(x->dir.path, &v, &x->f);
    if (r == STORE_EMPTY)
        return 0;
    assert_int_equal(r, 0);
    for (size_t i = 0; i < store_view_n_logs(v); i++)
        n += log_segment_info(store_view_log(v, i))->n_rows;
    store_view_close(v);
    return n;
}

static void a_push_is_in_the_journal_when_it_is_answered_and_refusals_are_told_by_line(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_push_options){0});
    struct log_push_reply r = push(x, NULL, "{\"a\":1}\n\n{\"b\":\n{\"c\":3}\n");
    assert_int_equal(r.result, LOG_PUSH_KEPT);
    assert_int_equal(r.received, 3);
    assert_int_equal(r.kept, 2);
    assert_int_equal(r.refused, 1);
    assert_int_equal(r.n_faults, 1);
    assert_int_equal(r.faults[0].record, 2);
    assert_int_equal(r.faults[0].line, 3);
    assert_string_equal(r.faults[0].reason, "json_malformed");
    assert_int_equal(rows(x), 2);
    r = push(x, NULL, "[{\"a\":1},{\"b\":2}]");
    assert_int_equal(r.kept, 2);
    r = push(x, NULL, "no JSON\nat all\n");
    assert_int_equal(r.result, LOG_PUSH_REFUSED);
    assert_int_equal(r.faults[0].line, 1);
    r = push_as(x, LOG_PUSH_ANY, NULL, (struct body){"a line\nanother\n", 15});
    assert_int_equal(r.kept, 2);
    r = push(x, NULL, "");
    assert_int_equal(r.result, LOG_PUSH_KEPT);
    assert_int_equal(r.received, 0);
    assert_int_equal(rows(x), 6);
    struct log_source *all, s;
    uint32_t n;
    assert_int_equal(log_sources_copy(&x->pusher.sources, &all, &n), 0);
    assert_int_equal(n, 2);
    s = all[1];
    free(all);
    assert_string_equal(s.name, "mail");
    assert_int_equal(s.messages, 9);
    assert_int_equal(log_source_kept(&s), 6);
    end(x);
}

static void a_key_makes_a_push_count_once_also_over_a_restart(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_push_options){0});
    assert_int_equal(push(x, "k1", "{\"a\":1}\n{\"a\":2}\n").is_repeated, 0);
    assert_int_equal(push(x, "k2", "{\"a\":1}\n{\"a\":2}\n").is_repeated, 0);
    struct log_push_reply r = push(x, "k1", "{\"a\":1}\n{\"a\":2}\n");
    assert_int_equal(r.result, LOG_PUSH_KEPT);
    assert_int_equal(r.is_repeated, 1);
    assert_int_equal(r.kept, 2);
    assert_int_equal(push(x, "k1", "{\"a\":9}\n").result, LOG_PUSH_OTHER_BODY);
    assert_int_equal(rows(x), 4);
    end(x);
    start(x, (struct log_push_options){0});
    assert_int_equal(push(x, "k2", "{\"a\":1}\n{\"a\":2}\n").is_repeated, 1);
    assert_int_equal(push(x, "k3", "{\"a\":1}\n{\"a\":2}\n").is_repeated, 0);
    assert_int_equal(rows(x), 6);
    assert_int_equal(push(x, NULL, "{\"b\":1}\n").is_repeated, 0); /* without a key the same body twice is two */
    assert_int_equal(push(x, NULL, "{\"b\":1}\n").is_repeated, 0);
    assert_int_equal(rows(x), 8);
    end(x);
}

static char *many(unsigned n)
{
    char *text = malloc(n * 16u + 1);
    size_t at = 0;
    assert_non_null(text);
    for (unsigned i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "{\"n\":%u}\n", i);
    return text;
}

static void a_full_disk_puts_off_and_the_sender_who_comes_again_doubles_nothing(void **state)
{
    static const char *const keys[] = {"k", NULL};
    struct fixture *x = *state;
    char *body = many(20000); /* three batches */
    start(x, (struct log_push_options){0});
    assert_int_equal(push(x, NULL, "{\"x\":1}\n").kept, 1);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        uint64_t before = rows(x);
        atomic_store(&writes_left, 1);
        struct log_push_reply r = push(x, keys[i], body);
        assert_int_equal(r.result, LOG_PUSH_BUSY);
        assert_true(r.retry_after_s > 0);
        assert_int_equal(rows(x) - before, EVENTS_ROWS);
        assert_int_equal(push(x, NULL, "{\"x\":1}\n").result, LOG_PUSH_BUSY);
        atomic_store(&writes_left, -1);
        assert_int_equal(push(x, "other", "{\"y\":1}\n").kept, 1); /* takes no note of the one before with it */
        r = push(x, keys[i], body);
        assert_int_equal(r.result, LOG_PUSH_KEPT);
        assert_int_equal(r.kept, 20000);
        assert_int_equal(rows(x) - before, 20000 + 1 - (i > 0)); /* and the other, which counts once */
        assert_int_equal(x->pusher.is_waiting, 0);
    }
    end(x);
    free(body);
}

static void sizes_are_bounded_packed_and_unpacked(void **state)
{
    struct fixture *x = *state;
    size_t n = 3 << 20;
    uLongf packed_n = compressBound(n) + 64;
    char *big = malloc(n);
    Bytef *packed = malloc(packed_n);
    assert_non_null(big);
    assert_non_null(packed);
    memset(big, ' ', n);
    z_stream z = {.next_in = (Bytef *)big, .avail_in = (uInt)n, .next_out = packed, .avail_out = (uInt)packed_n};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    start(x, (struct log_push_options){.body_max_bytes = 1 << 20});
    assert_int_equal(push_as(x, LOG_PUSH_JSON, NULL, (struct body){big, n}).result, LOG_PUSH_TOO_LARGE);
    assert_int_equal(push_as(x, LOG_PUSH_JSON, NULL, (struct body){packed, z.total_out}).result, LOG_PUSH_TOO_LARGE);
    assert_int_equal(push_as(x, LOG_PUSH_ELASTIC, NULL, (struct body){packed, z.total_out}).result, LOG_PUSH_TOO_LARGE);
    assert_int_equal(push_as(x, LOG_PUSH_JSON, NULL, (struct body){packed, 100}).result, LOG_PUSH_REFUSED); /* cut off */
    assert_int_equal(rows(x), 0);
    end(x);
    free(big);
    free(packed);
}

static void a_push_that_is_broken_off_leaves_nothing_and_hostile_messages_are_left_alone(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_push_options){0});
    int fd = begin(x, LOG_PUSH_JSON, NULL);
    send_body(fd, (struct body){"{\"a\":1}\n", 8});
    close(fd);
    fd = begin(x, LOG_PUSH_JSON, NULL);
    assert_true(send(fd, "zzz", 3, MSG_NOSIGNAL) == 3);
    close(fd);
    for (unsigned i = 0; i < 500 && atomic_load(&x->pusher.broken_off) < 2; i++)
        poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&x->pusher.broken_off), 2);
    assert_int_equal(send(x->link[0], "no hello", 8, MSG_NOSIGNAL), 8);
    assert_int_equal(push(x, NULL, "{\"a\":1}\n").kept, 1);
    assert_int_equal(rows(x), 1);
    end(x);
}

static void over_the_quota_a_push_is_put_off(void **state)
{
    struct fixture *x = *state;
    start(x, (struct log_push_options){.quota = {.messages_per_s = 1}});
    char *body = many(100);
    assert_int_equal(push(x, NULL, body).result, LOG_PUSH_KEPT);
    struct log_push_reply r = push(x, NULL, body);
    assert_int_equal(r.result, LOG_PUSH_OVER_QUOTA);
    assert_in_range(r.retry_after_s, 80, 91); /* 100 messages, 10 of the burst */
    assert_int_equal(rows(x), 100);
    end(x);
    free(body);
}

static void documents_of_bulk_are_kept_and_numbered(void **state)
{
    struct fixture *x = *state;
    static const char body[] = "{\"create\":{\"_index\":\"winlogbeat\"}}\n{\"event\":{\"code\":1}}\n{\"delete\":{\"_id\":\"7\"}}\n"
                               "{\"index\":{}}\n{\"cut\n{\"create\":{}}\n{\"b\":2}\n";
    start(x, (struct log_push_options){0});
    struct log_push_reply r = push_as(x, LOG_PUSH_ELASTIC, NULL, (struct body){body, sizeof(body) - 1});
    assert_int_equal(r.received, 3);
    assert_int_equal(r.kept, 2);
    assert_int_equal(r.faults[0].record, 2);
    assert_int_equal(rows(x), 2);
    end(x);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_push_is_in_the_journal_when_it_is_answered_and_refusals_are_told_by_line),
        T(a_key_makes_a_push_count_once_also_over_a_restart),
        T(a_full_disk_puts_off_and_the_sender_who_comes_again_doubles_nothing),
        T(sizes_are_bounded_packed_and_unpacked),
        T(a_push_that_is_broken_off_leaves_nothing_and_hostile_messages_are_left_alone),
        T(over_the_quota_a_push_is_put_off),
        T(documents_of_bulk_are_kept_and_numbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
