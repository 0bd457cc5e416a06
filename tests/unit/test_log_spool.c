/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that wait: in order, each once, over memory and disk, over an end and a kill. */
#include "help_dir.h"
#include "watch/intake/log_spool.h"

#include <pthread.h>
#include <stdio.h>

#include "cmocka_house.h"

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

/* numbered - datagram @i: its number, then filling that tells its length. */
static struct spooled numbered(uint64_t i, char room[2000])
{
    size_t n = 20 + i * 37 % 1900;
    memset(room, 'x', n);
    snprintf(room, 20, "%llu", (unsigned long long)i);
    return (struct spooled){(int64_t)i, ip_from_v4((uint32_t)i), {room, n}};
}

static void must_be(const struct spooled *d, uint64_t i)
{
    char room[2000];
    struct spooled want = numbered(i, room);
    assert_int_equal(d->arrived_us, want.arrived_us);
    assert_true(ip_equal(&d->ip, &want.ip));
    assert_int_equal(d->bytes.n, want.bytes.n);
    assert_memory_equal(d->bytes.p, want.bytes.p, want.bytes.n);
}

static void what_goes_in_comes_out_in_order_over_memory_and_disk(void **state)
{
    struct log_spool *s;
    struct spooled d;
    char room[2000];
    uint64_t in = 0, out = 0, x = 7;
    (void)state;
    assert_int_equal(log_spool_open(dir.path, (uint64_t)64 << 20, 0, &s), 0);
    while (out < 60000) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        for (unsigned k = (unsigned)(x >> 40) % 9000; k && in < 60000; k--, in++) {
            d = numbered(in, room);
            assert_int_equal(log_spool_put(s, &d), 0);
        }
        for (unsigned k = (unsigned)(x >> 20) % 7000; k && !log_spool_take(s, &d); k--, out++)
            must_be(&d, out);
        log_spool_settle(s);
    }
    assert_int_equal(log_spool_take(s, &d), 1);
    assert_int_equal(log_spool_state(s).waiting, 0);
    assert_true(log_spool_state(s).on_disk > 0);
    log_spool_close(s);
}

static void a_full_spool_refuses_and_takes_again_when_there_is_room(void **state)
{
    struct log_spool *s;
    struct spooled d;
    char room[2000];
    uint64_t kept = 0, out = 0;
    (void)state;
    assert_int_equal(log_spool_open(dir.path, 1 << 20, 0, &s), 0);
    for (;; kept++) {
        d = numbered(kept, room);
        if (log_spool_put(s, &d))
            break;
    }
    assert_true(kept * 970 > SPOOL_MEMORY_BYTES / 2);
    assert_int_equal(log_spool_state(s).waiting, kept);
    for (; !log_spool_take(s, &d); out++)
        must_be(&d, out);
    assert_int_equal(out, kept);
    log_spool_settle(s);
    d = numbered(kept, room);
    assert_int_equal(log_spool_put(s, &d), 0);
    assert_int_equal(log_spool_take(s, &d), 0);
    must_be(&d, kept);
    log_spool_close(s);
}

static void the_next_run_goes_on_at_the_noted_place(void **state)
{
    struct log_spool *s;
    struct spooled d;
    char room[2000];
    uint64_t out = 0;
    (void)state;
    assert_int_equal(log_spool_open(dir.path, (uint64_t)64 << 20, 0, &s), 0);
    for (uint64_t i = 0; i < 40000; i++) {
        d = numbered(i, room);
        assert_int_equal(log_spool_put(s, &d), 0);
    }
    for (; out < 20000; out++) {
        assert_int_equal(log_spool_take(s, &d), 0);
        must_be(&d, out);
    }
    uint64_t place = log_spool_place(s), noted = out;
    assert_true(place != 0);
    for (unsigned k = 0; k < 500; k++)
        assert_int_equal(log_spool_take(s, &d), 0); /* taken, but never journaled */
    log_spool_close(s);
    assert_int_equal(log_spool_open(dir.path, (uint64_t)64 << 20, place, &s), 0);
    d = numbered(40000, room); /* new ones go behind the old */
    assert_int_equal(log_spool_put(s, &d), 0);
    for (out = noted; !log_spool_take(s, &d); out++)
        must_be(&d, out);
    assert_int_equal(out, 40001);
    assert_int_equal(log_spool_state(s).damaged, 0);
    log_spool_close(s);
}

static void an_end_leaves_what_is_in_memory_on_disk(void **state)
{
    struct log_spool *s;
    struct spooled d;
    char room[2000];
    (void)state;
    assert_int_equal(log_spool_open(dir.path, 1 << 20, 0, &s), 0);
    for (uint64_t i = 0; i < 3; i++) {
        d = numbered(i, room);
        assert_int_equal(log_spool_put(s, &d), 0);
    }
    assert_int_equal(log_spool_take(s, &d), 0);
    uint64_t place = log_spool_place(s);
    log_spool_close(s);
    assert_int_equal(log_spool_open(dir.path, 1 << 20, place, &s), 0);
    assert_int_equal(log_spool_take(s, &d), 0);
    must_be(&d, 1);
    assert_int_equal(log_spool_take(s, &d), 0);
    must_be(&d, 2);
    assert_int_equal(log_spool_take(s, &d), 1);
    log_spool_close(s);
}

static void *put_all(void *context)
{
    char room[2000];
    for (uint64_t i = 0; i < 30000; i++) {
        struct spooled d = numbered(i, room);
        while (log_spool_put(context, &d))
            ;
    }
    return NULL;
}

static void two_threads_lose_nothing(void **state)
{
    struct log_spool *s;
    struct spooled d;
    pthread_t thread;
    (void)state;
    assert_int_equal(log_spool_open(dir.path, (uint64_t)64 << 20, 0, &s), 0);
    assert_int_equal(pthread_create(&thread, NULL, put_all, s), 0);
    for (uint64_t out = 0; out < 30000;) {
        if (log_spool_take(s, &d))
            continue;
        must_be(&d, out++);
        if (out % 512 == 0)
            log_spool_settle(s);
    }
    pthread_join(thread, NULL);
    assert_int_equal(log_spool_take(s, &d), 1);
    log_spool_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_goes_in_comes_out_in_order_over_memory_and_disk),
        T(a_full_spool_refuses_and_takes_again_when_there_is_room),
        T(the_next_run_goes_on_at_the_noted_place),
        T(an_end_leaves_what_is_in_memory_on_disk),
        T(two_threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
