/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of log events: what goes in comes out, value by value; hostile bytes are refused.
 */
#include "watch/store/log_block.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#include "failing_alloc.h"

static uint64_t seed = 1;

static uint32_t random_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

/* one row of any kind */
static void add_random_row(struct events *e, struct event_names *names)
{
    char line[400], name[32];
    int n = snprintf(line, sizeof line, "<%u>host app[%u]: user%u from 10.0.%u.%u %.*s", random_below(192), random_below(99999),
                     random_below(9), random_below(4), random_below(256), (int)random_below(200),
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                     "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    struct text t = {line, (size_t)n};
    assert_int_equal(event_begin(e, t, random_below(1000) * 1000), 0);
    event_time(e, (int64_t)random_below(2) * INT64_MAX - (int64_t)random_below(1u << 30) * 1000003);
    unsigned k = random_below(12);
    while (k--) {
        struct ip ip = ip_from_v4(0x0a000000u + random_below(300));
        if (random_below(5) == 0)
            ip.b[0] = 0x20;
        uint32_t from = random_below((uint32_t)n);
        switch (random_below(10)) {
        case 0: event_put_text(e, EV_MESSAGE, (struct text){line + from, random_below((uint32_t)n - from + 1)}); break;
        case 1: event_put_text(e, EV_USER_NAME, random_below(2) ? TEXT("root") : TEXT("")); break;
        case 2: event_put_ip(e, EV_SOURCE_IP, &ip); break;
        case 3: event_put_long(e, EV_SOURCE_PORT, (int64_t)random_below(65536) - 10); break;
        case 4: event_put_ulong(e, EV_EVENT_SEQUENCE, UINT64_MAX - random_below(3)); break;
        case 5: event_put_real(e, EV_EVENT_RISK_SCORE, random_below(1000) / 7.0); break;
        case 6: event_put_bool(e, EV_EVENT_CARVED, random_below(2)); break;
        case 7: event_put_date(e, EV_EVENT_START, INT64_MIN + random_below(5)); break;
        case 8: event_put_null(e, EV_HOST_ID); break;
        default:
            n = snprintf(name, sizeof name, "own.%u", random_below(50));
            event_put_text(e, event_names_add(names, (struct text){name, (size_t)n}), (struct text){name, (size_t)n});
            n = (int)t.n;
        }
    }
    assert_int_equal(event_end(e), 0);
}

static void assert_same(const struct events *a, uint32_t row_a, const struct events *b, uint32_t row_b)
{
    assert_true(text_equal(event_original(a, row_a), event_original(b, row_b)));
    assert_int_equal(a->time_us[row_a], b->time_us[row_b]);
    assert_int_equal(a->arrived_us[row_a], b->arrived_us[row_b]);
    uint32_t n = a->value_end[row_a] - event_from(a, row_a);
    assert_int_equal(n, b->value_end[row_b] - event_from(b, row_b));
    for (uint32_t i = 0; i < n; i++) {
        const struct event_value *x = &a->values[event_from(a, row_a) + i], *y = &b->values[event_from(b, row_b) + i];
        assert_true(text_equal(event_name(a->names, x->field), event_name(b->names, y->field)));
        assert_int_equal(x->type, y->type);
        if (x->type == EVENT_KEYWORD)
            assert_true(text_equal(event_text(a, x), event_text(b, y)));
        else if (x->type == EVENT_IP)
            assert_memory_equal(a->heap.p + x->at, b->heap.p + y->at, 16);
        else
            assert_true(x->unsigned_number == y->unsigned_number);
    }
}

static void rows_come_back_as_they_were(void **state)
{
    (void)state;
    const char *given = getenv("VONGGAC_SEED"), *rounds = getenv("VONGGAC_ROUNDS");
    seed = given ? strtoull(given, NULL, 10) : 7;
    for (unsigned round = rounds ? (unsigned)atoi(rounds) : 30; round; round--) {
        struct event_names *names = event_names_new(), *other = event_names_new();
        struct events *e = events_new(names), *out = events_new(other);
        struct log_scratch *s = log_scratch_new();
        struct buf b = {.max = 64 << 20};
        uint64_t before = seed;
        uint32_t n = 1 + random_below(random_below(4) ? 300 : EVENTS_ROWS - 300);
        for (uint32_t i = 0; i < n; i++)
            add_random_row(e, names);
        uint32_t from = random_below(n), k = 1 + random_below(n - from);
        assert_int_equal(log_block_pack(s, e, from, k, 1, &b), 0);
        size_t first = b.n;
        assert_int_equal(log_block_pack(s, e, 0, from ? from : 1, 1, &b), 0);
        assert_int_equal(log_block_unpack(s, b.p, first, out), 0);
        int r = log_block_unpack(s, b.p + first, b.n - first, out);
        if (r || out->n != k + (from ? from : 1))
            fail_msg("seed %llu: %d, %u rows", (unsigned long long)before, r, out->n);
        for (uint32_t i = 0; i < k; i++)
            assert_same(e, from + i, out, i);
        for (uint32_t i = k; i < out->n; i++)
            assert_same(e, i - k, out, i);
        buf_fini(&b);
        log_scratch_free(s);
        events_free(e);
        events_free(out);
        event_names_free(names);
        event_names_free(other);
    }
}

static void malformed_blocks_are_refused(void **state)
{
    (void)state;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names), *out = events_new(names);
    struct log_scratch *s = log_scratch_new();
    struct buf b = {.max = 64 << 20};
    for (int i = 0; i < 100; i++)
        add_random_row(e, names);
    assert_int_equal(log_block_pack(s, e, 0, 100, 1, &b), 0);
    unsigned refused = 0;
    for (unsigned i = 0; i < 3000; i++) {
        size_t at = random_below((uint32_t)b.n), n = random_below(10) ? b.n : random_below((uint32_t)b.n);
        uint8_t was = b.p[at];
        b.p[at] ^= (uint8_t)(1u << random_below(8));
        events_clear(out);
        int r = log_block_unpack(s, b.p, n, out);
        assert_true(r == 0 || r == -EBADMSG);
        assert_true(r == 0 || (out->n == 0 && out->heap.n == 0));
        refused += r != 0;
        b.p[at] = was;
    }
    assert_true(refused > 1500);
    events_clear(out);
    assert_int_equal(log_block_unpack(s, b.p, b.n, out), 0);
    while (out->n + 100 <= EVENTS_ROWS)
        assert_int_equal(log_block_unpack(s, b.p, b.n, out), 0);
    assert_int_equal(log_block_unpack(s, b.p, b.n, out), LOG_BLOCK_NO_ROOM);
    buf_fini(&b);
    log_scratch_free(s);
    events_free(e);
    events_free(out);
    event_names_free(names);
}

/* spoil - @part of the block at @b unpacked, a few bytes of it made others, and packed again. Return: the new block. */
static struct buf spoil(const struct buf *b, const struct log_block_head *h, bool is_text)
{
    size_t n = is_text ? h->text_unpacked_bytes : h->columns_unpacked_bytes, bound = ZSTD_compressBound(n), from = LOG_BLOCK_HEAD_BYTES;
    const uint8_t *packed = b->p + from + (is_text ? h->columns_bytes : 0);
    uint8_t *plain = malloc(n + 1), *again = malloc(bound);
    struct buf out = {.max = 64 << 20};
    assert_true(plain && again);
    assert_int_equal(ZSTD_decompress(plain, n, packed, is_text ? h->text_bytes : h->columns_bytes), n);
    for (unsigned left = 1 + random_below(4); left && n; left--) { /* often near the begin, where lengths and counts stand */
        size_t at = random_below((uint32_t)(random_below(2) && n > 600 ? 600 : n));
        plain[at] = random_below(3) ? (uint8_t)random_below(256) : random_below(2) ? 0xff : 1;
    }
    uint32_t n_again = (uint32_t)ZSTD_compress(again, bound, plain, n, 1);
    buf_add(&out, b->p, from + (is_text ? h->columns_bytes : 0));
    buf_add(&out, again, n_again);
    if (!is_text)
        buf_add(&out, b->p + from + h->columns_bytes, h->text_bytes);
    memcpy(out.p + (is_text ? 12 : 8), &n_again, 4);
    free(plain);
    free(again);
    return out;
}

static void what_is_inside_is_not_believed(void **state)
{
    (void)state;
    seed = 21;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names), *out = events_new(names);
    struct log_scratch *s = log_scratch_new();
    struct buf b = {.max = 64 << 20};
    struct log_block_head h;
    unsigned refused = 0;
    for (int i = 0; i < 400; i++)
        add_random_row(e, names);
    assert_int_equal(log_block_pack(s, e, 0, e->n, 1, &b), 0);
    assert_int_equal(log_block_head(b.p, b.n, &h), 0);
    for (unsigned i = 0; i < 4000; i++) {
        struct buf spoilt = spoil(&b, &h, i % 2);
        events_clear(out);
        int r = log_block_unpack(s, spoilt.p, spoilt.n, out);
        assert_true(r == 0 || r == -EBADMSG || r == -ENOMEM);
        refused += r != 0;
        for (uint32_t row = 0; !r && row < out->n; row++) { /* all of it lies in the batch */
            assert_true(out->original[row] + out->original_n[row] <= out->heap.n);
            for (uint32_t k = event_from(out, row); k < out->value_end[row]; k++)
                assert_true(out->values[k].type != EVENT_KEYWORD || out->values[k].at + out->values[k].n <= out->heap.n);
        }
        buf_fini(&spoilt);
    }
    assert_true(refused > 400);
    buf_fini(&b);
    log_scratch_free(s);
    events_free(e);
    events_free(out);
    event_names_free(names);
}

static int pack_and_unpack(void *context)
{
    struct events *e = context;
    struct log_scratch *s = log_scratch_new();
    struct events *out = events_new(e->names);
    struct buf b = {.max = 64 << 20};
    int r = s && out ? log_block_pack(s, e, 0, e->n, 1, &b) : -ENOMEM;
    if (!r)
        r = log_block_unpack(s, b.p, b.n, out);
    assert_true(!out || out->n == (r ? 0 : e->n));
    buf_fini(&b);
    events_free(out);
    log_scratch_free(s);
    return r;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct event_names *names = event_names_new();
    struct events *e = events_new(names);
    for (int i = 0; i < 50; i++)
        add_random_row(e, names);
    assert_true(failing_alloc_each("a block packed and unpacked", pack_and_unpack, e, false) > 5);
    events_free(e);
    event_names_free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were),
        cmocka_unit_test(malformed_blocks_are_refused),
        cmocka_unit_test(what_is_inside_is_not_believed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
