/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every form of a mini-block, plain code and vector code, whole and one by one.
 */
#include "watch/store/pack.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

enum { SHAPES = 14 };

/* shape - values that call for one form or another, extremes of 64 bits among them. */
static uint64_t shape(unsigned kind, uint32_t i)
{
    static const uint64_t edges[] = {0, 1, UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, UINT32_MAX};
    uint64_t r = next_random();
    switch (kind) {
    case 0: return 42;
    case 1: return r % 7;
    case 2: return r;
    case 3: return edges[r % 6];
    case 4: return r % 50 ? r % 1000 : r;
    case 5: return 1700000000000000u + i / 30 * 1000;
    case 6: return UINT64_C(1700000000000000) + r % 3600000 * 1000;
    case 7: return r % 100000 * 1000000;
    case 8: return (r % 9) * UINT64_C(123456789123);
    case 9: return r % 200 ? 6 : 17;
    case 10: return r & UINT32_MAX;
    case 11: return UINT64_MAX - r % 5000;
    case 12: return r % 300 * 7919;
    default: return i ? UINT64_MAX : 0;
    }
}

static void check_mini(const uint64_t *v, uint32_t n)
{
    static uint64_t back[PACK_VALUES];
    static uint32_t v32[PACK_VALUES], back32[PACK_VALUES];
    static uint8_t packed[PACK_MAX_BYTES], again[PACK_MAX_BYTES];
    size_t bytes = pack_mini64(v, n, packed);
    assert_true(bytes <= PACK_MAX_BYTES);
    uint8_t *exact = malloc(bytes); /* so that the sanitizer sees a read past the end */
    assert_non_null(exact);
    memcpy(exact, packed, bytes);
    for (enum pack_processor cpu = PACK_PLAIN; cpu <= PACK_AVX512; cpu++) {
        pack_use(cpu);
        assert_int_equal(pack_mini64(v, n, again), bytes);
        assert_memory_equal(packed, again, bytes);
        assert_int_equal(unpack_mini64(exact, bytes, n, back), 0);
        assert_memory_equal(back, v, n * sizeof(*v));
        assert_int_equal(unpack_mini32(exact, bytes, n, back32), 0);
        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(back32[i], (uint32_t)v[i]);
    }
    pack_use(PACK_AVX512);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t one = ~v[i];
        assert_int_equal(unpack_mini_get(exact, bytes, n, i, &one), 0);
        assert_true(one == v[i]);
        v32[i] = (uint32_t)v[i];
    }
    assert_int_equal(unpack_mini64(exact, bytes - 1, n, back), -EBADMSG);
    free(exact);
    bytes = pack_mini32(v32, n, packed);
    assert_int_equal(unpack_mini32(packed, bytes, n, back32), 0);
    assert_memory_equal(back32, v32, n * sizeof(*v32));
}

static void every_form_gives_back_what_was_put_in(void **unused)
{
    static const uint32_t lengths[] = {1, 2, 7, 8, 9, 255, 256, 257, 1000, 1023, 1024};
    static uint64_t v[PACK_VALUES];
    (void)unused;
    for (unsigned kind = 0; kind < SHAPES; kind++)
        for (unsigned k = 0; k < sizeof(lengths) / sizeof(*lengths); k++) {
            for (uint32_t i = 0; i < lengths[k]; i++)
                v[i] = shape(kind, i);
            check_mini(v, lengths[k]);
        }
}

static void every_width_packs_and_unpacks_alike_in_both_codes(void **unused)
{
    static uint32_t v[2 * PACK_UNIT], back[2 * PACK_UNIT];
    static uint8_t a[sizeof(v)], b[sizeof(v)];
    (void)unused;
    for (unsigned w = 0; w <= 32; w++)
        for (uint32_t n = 1; n <= 2 * PACK_UNIT; n += n < 40 ? 1 : 37) {
            for (uint32_t i = 0; i < n; i++)
                v[i] = (uint32_t)(next_random() & ((UINT64_C(1) << w) - 1));
            pack_use(PACK_PLAIN);
            size_t bytes = pack_bits(v, n, w, a);
            pack_use(PACK_AVX512);
            assert_int_equal(pack_bits(v, n, w, b), bytes);
            assert_int_equal(pack_bits_bytes(n, w), bytes);
            assert_memory_equal(a, b, bytes);
            for (enum pack_processor cpu = PACK_PLAIN; cpu <= PACK_AVX512; cpu++) {
                pack_use(cpu);
                unpack_bits(a, n, w, back);
                assert_memory_equal(back, v, n * 4);
                uint32_t sum = 5;
                unpack_deltas(a, n, w, 5, back);
                for (uint32_t i = 0; i < n; i++) {
                    sum += v[i] + 1;
                    assert_int_equal(back[i], sum);
                }
            }
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(unpack_bits_get(a, w, i), v[i]);
        }
    pack_use(PACK_AVX512);
}

static void values_side_by_side_come_back(void **unused)
{
    static uint64_t v[100];
    static uint8_t p[801];
    (void)unused;
    for (unsigned w = 0; w <= 64; w++) {
        for (uint32_t i = 0; i < 100; i++)
            v[i] = w ? next_random() >> (64 - w) : 0;
        pack_plain(v, 100, w, p);
        uint8_t *exact = malloc(pack_plain_bytes(100, w) + 1);
        assert_non_null(exact);
        memcpy(exact, p, pack_plain_bytes(100, w));
        for (uint32_t i = 0; i < 100; i++)
            assert_true(unpack_plain_get(exact, pack_plain_bytes(100, w), w, i) == v[i]);
        free(exact);
    }
}

static void times_in_milliseconds_cost_no_more_than_milliseconds(void **unused)
{
    static uint64_t us[PACK_VALUES], ms[PACK_VALUES];
    static uint8_t p[PACK_MAX_BYTES];
    (void)unused;
    for (uint32_t i = 0; i < PACK_VALUES; i++) {
        ms[i] = UINT64_C(1700000000000) + next_random() % 3600000;
        us[i] = ms[i] * 1000;
    }
    assert_true(pack_mini64(us, PACK_VALUES, p) <= pack_mini64(ms, PACK_VALUES, p) + 2);
}

static void an_array_of_many_minis_reads_whole_and_one_by_one(void **unused)
{
    enum { N = 5000 };
    static uint64_t v[N], back[N + PACK_VALUES];
    static uint8_t p[PACK_ARRAY_MAX_BYTES(N)];
    (void)unused;
    for (uint32_t i = 0; i < N; i++)
        v[i] = shape(i / 1024 * 2, i);
    size_t bytes = pack_array64(v, N, p);
    assert_int_equal(unpack_array64(p, bytes, N, back), 0);
    assert_memory_equal(v, back, sizeof(v));
    for (uint32_t i = 0; i < N; i++) {
        uint64_t one;
        assert_int_equal(unpack_array_get(p, bytes, N, i, &one), 0);
        assert_true(one == v[i]);
    }
    assert_int_equal(unpack_array64(p, bytes - 1, N, back), -EBADMSG);
    assert_int_equal(unpack_array64(p, 3, N, back), -EBADMSG);
}

static void damaged_minis_are_refused_or_read_inside_their_bytes(void **unused)
{
    static uint64_t v[PACK_VALUES], back[PACK_VALUES];
    static uint8_t p[PACK_MAX_BYTES];
    (void)unused;
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t n = (uint32_t)(next_random() % PACK_VALUES) + 1;
        for (uint32_t i = 0; i < n; i++)
            v[i] = shape(round % SHAPES, i);
        size_t bytes = pack_mini64(v, n, p);
        for (int k = 0; k < 3; k++)
            p[next_random() % (bytes < 24 ? bytes : 24)] = (uint8_t)next_random();
        size_t cut = (size_t)(next_random() % (bytes + 1));
        uint8_t *exact = malloc(cut + 1);
        assert_non_null(exact);
        memcpy(exact, p, cut);
        uint64_t one, bits[PACK_VALUES / 64] = {0};
        uint32_t keys[2] = {(uint32_t)v[0], 7};
        (void)pack_array_mark(exact, cut, n, keys, 2, bits);
        (void)unpack_mini64(exact, cut, n, back);
        (void)unpack_mini32(exact, cut, n, (uint32_t *)(void *)back);
        (void)unpack_mini_get(exact, cut, n, n - 1, &one);
        free(exact);
    }
}

static int compare32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* sorted_distinct - Return: how many of @n random values remain. */
static uint32_t sorted_distinct(uint32_t *v, uint32_t n, uint32_t range)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++)
        v[i] = range ? (uint32_t)(next_random() % range) : (uint32_t)next_random();
    qsort(v, n, sizeof(*v), compare32);
    for (uint32_t i = 0; i < n; i++)
        if (!k || v[k - 1] != v[i])
            v[k++] = v[i];
    return k;
}

static void common_values_are_marked_and_no_others(void **unused)
{
    static uint32_t raw[2000], keys[5000];
    (void)unused;
    for (unsigned round = 0; round < 4000; round++) {
        uint32_t range = round % 3 ? 100 + (uint32_t)(next_random() % 8000) : 0;
        uint32_t n = sorted_distinct(raw, 1 + (uint32_t)(next_random() % 2000), range), k;
        n = n > PACK_UNIT ? PACK_UNIT : n;
        uint32_t *v = malloc(n * sizeof(*v)), n_keys = sorted_distinct(keys, (uint32_t)(next_random() % 5000), range), want = 0;
        assert_non_null(v);
        memcpy(v, raw, n * sizeof(*v));
        if (n_keys && round % 5 == 0)
            keys[n_keys - 1] = UINT32_MAX;
        uint32_t last = round % 4 ? v[n - 1] + (uint32_t)(next_random() % 3) : UINT32_MAX;
        last = last < v[n - 1] ? UINT32_MAX : last;
        while (want < n_keys && keys[want] <= last)
            want++;
        for (enum pack_processor cpu = PACK_PLAIN; cpu <= PACK_AVX512; cpu++) {
            uint64_t bits[PACK_UNIT / 64] = {0};
            pack_use(cpu);
            k = n_keys ? (uint32_t)pack_mark_common(v, n, keys, n_keys, last, bits) : 0;
            assert_int_equal(k, want);
            for (uint32_t i = 0; i < n; i++)
                assert_int_equal(bits[i / 64] >> i % 64 & 1, want && bsearch(&v[i], keys, want, sizeof(*keys), compare32) != NULL);
        }
        pack_use(PACK_AVX512);
        free(v);
    }
}

/* mark_in_both - what pack_array_mark says of @n packed values, against the values themselves. */
static void mark_in_both(const uint64_t *v, uint32_t n, const uint8_t *p, size_t bytes, const uint32_t *keys, uint32_t n_keys)
{
    static uint64_t bits[5 * PACK_VALUES / 64];
    for (enum pack_processor cpu = PACK_PLAIN; cpu <= PACK_AVX512; cpu++) {
        pack_use(cpu);
        memset(bits, 0xff, sizeof(bits));
        assert_int_equal(pack_array_mark(p, bytes, n, keys, n_keys, bits), 0);
        for (uint32_t i = 0; i < (n + PACK_VALUES - 1) / PACK_VALUES * PACK_VALUES; i++) {
            bool is = false;
            for (uint32_t k = 0; k < n_keys && i < n; k++)
                is = is || v[i] == keys[k];
            assert_int_equal(bits[i / 64] >> i % 64 & 1, is);
        }
    }
    pack_use(PACK_AVX512);
}

static void values_are_found_in_their_packed_form(void **unused)
{
    enum { N = 5 * PACK_VALUES };
    static uint64_t v[N];
    static uint8_t p[PACK_ARRAY_MAX_BYTES(N)];
    (void)unused;
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t n = 1 + (uint32_t)(next_random() % N), keys[PACK_KEYS], n_keys = 1 + (uint32_t)(next_random() % PACK_KEYS);
        unsigned width = (unsigned)(next_random() % 33);
        uint64_t base = next_random() % 2 ? 0 : next_random() & UINT32_MAX >> width % 32;
        for (uint32_t i = 0; i < n; i++)
            v[i] = round % 3 ? ((next_random() & ((UINT64_C(1) << width) - 1)) + base) & UINT32_MAX : shape(round % SHAPES, i) & UINT32_MAX;
        for (uint32_t k = 0; k < n_keys; k++) /* some of them values, some near the base, some anything */
            keys[k] = (uint32_t)(k % 3 == 0 ? v[next_random() % n] : k % 3 == 1 ? base + next_random() % 3 - 1 : next_random());
        mark_in_both(v, n, p, pack_array64(v, n, p), keys, n_keys);
    }
    uint32_t n = 3000, none = 1;
    uint64_t bits[N / 64];
    size_t bytes = pack_array64(v, n, p);
    assert_int_equal(pack_array_mark(p, bytes - 1, n, &none, 1, bits), -EBADMSG);
    assert_int_equal(pack_array_mark(p, 3, n, &none, 1, bits), -EBADMSG);
    mark_in_both(v, n, p, bytes, &none, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_back_what_was_put_in),
        cmocka_unit_test(every_width_packs_and_unpacks_alike_in_both_codes),
        cmocka_unit_test(values_side_by_side_come_back),
        cmocka_unit_test(times_in_milliseconds_cost_no_more_than_milliseconds),
        cmocka_unit_test(an_array_of_many_minis_reads_whole_and_one_by_one),
        cmocka_unit_test(common_values_are_marked_and_no_others),
        cmocka_unit_test(values_are_found_in_their_packed_form),
        cmocka_unit_test(damaged_minis_are_refused_or_read_inside_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
