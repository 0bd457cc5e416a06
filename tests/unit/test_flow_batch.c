/* SPDX-License-Identifier: Apache-2.0 */
/* Rows in, the same rows out: whatever fields each of them has, over borders of batches and families. */
#include "cmocka_house.h"
#include "failing_alloc.h"

#include "watch/flow_batch.h"

#include <errno.h>

static uint64_t state;

static struct ip random_ip(bool is_v6)
{
    struct ip a;
    if (!is_v6)
        return ip_from_v4((uint32_t)next_random(&state));
    for (int i = 0; i < 16; i++)
        a.b[i] = (uint8_t)next_random(&state);
    return a;
}

/* random_flow - any subset of the fields, those absent zero. */
static struct flow random_flow(bool is_v6, const char *texts, size_t n_texts)
{
    struct flow f = {.present = next_random(&state) & next_random(&state) & ((UINT64_C(1) << FLOW_COLUMN_TEXT) - 1)};
    f.present &= ~FLOW_HAS(FLOW_OBSERVER);
#define X(ID, member, ecs, alias) \
    if (f.present & FLOW_HAS_ADDRESS(FLOW_##ID)) \
        f.member = random_ip(is_v6);
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) \
    if (f.present & FLOW_HAS(FLOW_##ID)) \
        f.member = (type)next_random(&state);
    FLOW_NUMBERS(X)
#undef X
    if (next_random(&state) % 3 == 0) {
        f.present |= FLOW_HAS_TEXT;
        f.texts = (struct text){texts, next_random(&state) % n_texts};
    }
    return f;
}

static void assert_same(const struct flow *a, const struct flow *b)
{
    assert_int_equal(a->present & ~FLOW_HAS(FLOW_OBSERVER), b->present & ~FLOW_HAS(FLOW_OBSERVER));
#define X(ID, member, ecs, alias) assert_memory_equal(&a->member, &b->member, sizeof(a->member));
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias) \
    if (FLOW_##ID != FLOW_OBSERVER) \
        assert_int_equal((uint64_t)a->member, (uint64_t)b->member);
    FLOW_NUMBERS(X)
#undef X
    if (a->present & FLOW_HAS_TEXT) {
        assert_int_equal(a->texts.n, b->texts.n);
        assert_true(!a->texts.n || !memcmp(a->texts.p, b->texts.p, a->texts.n));
    }
}

static void rows_come_out_as_they_went_in(void **s)
{
    static const char texts[300] = "any bytes will do";
    static struct flow rows[FLOW_BATCH_ROWS];
    (void)s;
    for (unsigned round = 0; round < rounds(6); round++) {
        state = seed() + round;
        int family = round % 2 ? 6 : 4;
        struct flow_batch *b = flow_batch_new(family);
        uint32_t n = (uint32_t)(next_random(&state) % FLOW_BATCH_ROWS + 1);
        for (uint32_t i = 0; i < n; i++)
            rows[i] = random_flow(family == 6, texts, sizeof(texts));
        if (round % 3 == 0) /* rows alike: the way without questions */
            for (uint32_t i = 1; i < n; i++)
                rows[i] = rows[0];
        for (uint32_t at = 0, taken; at < n; at += taken) {
            uint32_t piece = (uint32_t)(next_random(&state) % 100 + 1);
            assert_int_equal(flow_batch_add(b, rows + at, piece < n - at ? piece : n - at, &taken), 0);
        }
        assert_int_equal(b->n, n);
        for (uint32_t i = 0; i < n; i++) {
            struct flow out;
            flow_batch_get(b, i, &out);
            assert_same(&rows[i], &out);
        }
        flow_batch_free(b);
    }
}

static void a_full_batch_says_how_much_it_took(void **s)
{
    struct flow rows[100] = {0};
    struct flow_batch *b = flow_batch_new(4);
    uint32_t taken, total = 0;
    (void)s;
    while (flow_batch_add(b, rows, 100, &taken) == 0)
        total += taken;
    total += taken;
    assert_int_equal(total, FLOW_BATCH_ROWS);
    assert_int_equal(flow_batch_add(b, rows, 1, &taken), FLOW_BATCH_FULL);
    assert_int_equal(taken, 0);
    flow_batch_clear(b);
    assert_int_equal(flow_batch_add(b, rows, 1, &taken), 0);
    flow_batch_free(b);
}

static void texts_have_a_limit_and_the_batch_is_handed_on(void **s)
{
    struct flow_batch *b = flow_batch_new(4);
    char *big = calloc(1, (size_t)3 << 20);
    struct flow f = {.present = FLOW_HAS_TEXT, .texts = {big, (size_t)3 << 20}};
    uint32_t taken;
    (void)s;
    assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
    assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
    assert_int_equal(flow_batch_add(b, &f, 1, &taken), FLOW_BATCH_FULL);
    assert_int_equal(taken, 0);
    assert_int_equal(b->n, 2);
    free(big);
    flow_batch_free(b);
}

struct counted {
    uint64_t n[2], batches;
    struct flow_observer last;
};

static int count(void *context, struct flow_batch *b)
{
    struct counted *c = context;
    c->n[b->family == 6] += b->n;
    c->batches++;
    for (uint32_t i = 0; i < b->n; i++) {
        struct flow f;
        flow_batch_get(b, i, &f);
        assert_int_equal(flow_needs_v6(&f), b->family == 6);
        if (f.present & FLOW_HAS(FLOW_OBSERVER)) {
            assert_true(f.observer < b->n_observers);
            /* the observer's domain was put into the port: rows keep their own */
            assert_int_equal(b->observers[f.observer].domain & 0xffff, f.source_port);
        }
    }
    return 0;
}

static void the_sorter_keeps_families_and_observers_apart(void **s)
{
    struct counted c = {0};
    struct flow_sorter sorter = {.sink = count, .context = &c};
    uint64_t expected[2] = {0, 0};
    (void)s;
    state = seed();
    for (unsigned i = 0; i < 20000; i++) {
        struct flow rows[40];
        struct flow_observer o = {ip_from_v4(i % 700), i % 700}; /* more than a batch can name */
        uint32_t n = (uint32_t)(next_random(&state) % 40);
        for (uint32_t k = 0; k < n; k++) {
            bool is_v6 = next_random(&state) % 7 == 0;
            rows[k] = (struct flow){.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS(FLOW_SOURCE_PORT),
                                    .source_ip = random_ip(is_v6), .source_port = (uint16_t)o.domain};
            if (is_v6 && ip_is_v4(&rows[k].source_ip))
                rows[k].source_ip.b[0] = 0x20;
            expected[is_v6]++;
        }
        assert_int_equal(flow_sorter_put(&sorter, rows, n, i % 5 ? &o : NULL), 0);
    }
    assert_int_equal(flow_sorter_flush(&sorter), 0);
    assert_int_equal(c.n[0], expected[0]);
    assert_int_equal(c.n[1], expected[1]);
    flow_sorter_fini(&sorter);
}

static int refuse(void *context, struct flow_batch *b)
{
    (void)context;
    (void)b;
    return -EIO;
}

static void what_the_sink_answers_is_handed_up(void **s)
{
    struct flow_sorter sorter = {.sink = refuse};
    struct flow f = {0};
    (void)s;
    assert_int_equal(flow_sorter_put(&sorter, &f, 1, NULL), 0);
    assert_int_equal(flow_sorter_flush(&sorter), -EIO);
    assert_int_equal(flow_sorter_flush(&sorter), 0); /* it was handed on: nothing is given twice */
    flow_sorter_fini(&sorter);
}

static int put_one(void *context)
{
    struct flow_sorter sorter = {.sink = count, .context = context};
    struct flow f = {.present = FLOW_HAS_TEXT, .texts = TEXT("x")};
    int r = flow_sorter_put(&sorter, &f, 1, NULL);
    if (!r)
        r = flow_sorter_flush(&sorter);
    flow_sorter_fini(&sorter);
    return r;
}

static void every_allocation_may_fail(void **s)
{
    struct counted c = {0};
    (void)s;
    failing_alloc_each("sorting flows", put_one, &c, false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_as_they_went_in),
        cmocka_unit_test(a_full_batch_says_how_much_it_took),
        cmocka_unit_test(texts_have_a_limit_and_the_batch_is_handed_on),
        cmocka_unit_test(the_sorter_keeps_families_and_observers_apart),
        cmocka_unit_test(what_the_sink_answers_is_handed_up),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
