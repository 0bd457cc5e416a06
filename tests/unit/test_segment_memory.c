/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once: building, opening, reading and merging answer with an error, leak nothing, and
 * go on when memory is there again. Linked with wrapped allocators.
 */
#include "watch/store/batch_pack.h"
#include "watch/store/merged.h"
#include "watch/store/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "random_rows.h"

static long allocations_left = -1; /* -1: never fail */

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    return allocations_left-- > 0;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

void *__wrap_malloc(size_t n)
{
    return may_allocate() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
    return may_allocate() ? __real_realloc(p, n) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return may_allocate() ? __real_aligned_alloc(alignment, n) : NULL;
}

static struct flow_batch *batch_of(const struct rows *r)
{
    struct flow_batch *b = flow_batch_new(r->family);
    uint32_t taken;
    assert_non_null(b);
    for (uint32_t i = 0; i < r->n; i++) {
        struct flow f = r->flows[i];
        if (f.present & FLOW_HAS(FLOW_OBSERVER))
            assert_int_equal(flow_batch_observer(b, &r->observers[r->observer[i]], &f.observer), 0);
        assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
    }
    return b;
}

/* use - everything once. Return: 0 or the first error. */
static int use(const struct flow_batch *batch, struct flow_batch *out)
{
    struct fault f = {0};
    struct segment *s = NULL;
    struct segment_texts *t = NULL;
    struct merged *m = NULL;
    struct buf packed = {.max = BATCH_PACK_MAX};
    uint64_t n_bytes;
    uint32_t taken;
    int fd = memfd_create("segment", 0), merged_fd = memfd_create("merged", 0), r;
    struct segment_builder *b = segment_builder_new(batch->family, batch->n);
    r = b ? segment_builder_add(b, batch, 0, &taken) : -ENOMEM;
    r = r == SEGMENT_FULL ? 0 : r;
    if (!r)
        r = segment_builder_write(b, 1, fd, &n_bytes, &f);
    segment_builder_free(b);
    if (!r)
        r = segment_open(fd, 1, false, &s, &f);
    if (!r)
        r = segment_to_batch(s, 0, out);
    if (!r)
        r = segment_texts_open(s, 0, &t);
    if (!r)
        segment_texts_close(t);
    if (!r)
        r = segment_verify(s, &f);
    if (!r)
        r = merged_write(&s, 1, 2, merged_fd, &n_bytes, &f);
    if (!r)
        r = merged_open(merged_fd, 2, &m, &f);
    if (!r)
        r = batch_pack(batch, &packed);
    if (!r)
        r = batch_unpack(packed.p, packed.n, out);
    merged_close(m);
    segment_close(s);
    buf_fini(&packed);
    close(fd);
    close(merged_fd);
    return r;
}

static void every_allocation_may_fail_once(void **unused)
{
    (void)unused;
    for (int family = 4; family <= 6; family += 2) {
        struct rows r;
        state = seed;
        make_rows(&r, family, 3000);
        struct flow_batch *batch = batch_of(&r), *out = flow_batch_new(family);
        assert_non_null(out);
        long n = 0;
        for (;; n++) {
            allocations_left = n;
            int e = use(batch, out);
            bool is_over = allocations_left > 0;
            allocations_left = -1;
            if (is_over) {
                assert_int_equal(e, 0);
                break;
            }
            assert_true(e <= 0); /* what can do without goes on without */
            assert_true(n < 10000);
        }
        print_message("family %d: %ld allocations\n", family, n);
        assert_int_equal(use(batch, out), 0);
        assert_int_equal(out->n, batch->n);
        flow_batch_free(batch);
        flow_batch_free(out);
        free_rows(&r);
    }
}

/* contents - the file a builder of full size writes of one batch. */
static uint8_t *contents(const struct flow_batch *batch, size_t *ret_n)
{
    struct segment_builder *b = segment_builder_new(batch->family, SEGMENT_ROWS);
    struct fault f = {0};
    uint64_t n_bytes;
    uint32_t taken;
    int fd = memfd_create("segment", 0);
    assert_non_null(b);
    assert_int_equal(segment_builder_add(b, batch, 0, &taken), 0);
    assert_int_equal(segment_builder_write(b, 1, fd, &n_bytes, &f), 0);
    segment_builder_free(b);
    uint8_t *p = malloc(n_bytes);
    assert_non_null(p);
    assert_true(pread(fd, p, n_bytes, 0) == (ssize_t)n_bytes);
    close(fd);
    *ret_n = n_bytes;
    return p;
}

static void a_builder_used_before_writes_the_same_file(void **unused)
{
    struct rows first, second;
    size_t n, n_again;
    (void)unused;
    state = seed + 9;
    make_rows(&first, 4, 8192);
    make_rows(&second, 4, 5000);
    struct flow_batch *a = batch_of(&first), *b = batch_of(&second);
    segment_builder_trim();
    uint8_t *want = contents(b, &n);
    free(contents(a, &n_again));
    uint8_t *again = contents(b, &n_again);
    assert_int_equal(n, n_again);
    assert_memory_equal(want, again, n);
    free(want);
    free(again);
    segment_builder_trim();
    flow_batch_free(a);
    flow_batch_free(b);
    free_rows(&first);
    free_rows(&second);
}

/* --- the same file by any processor --------------------------------------------------------- */

enum { SKEWED_BATCHES = 5 };

static uint64_t mix_of(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 31;
}

static struct ip skewed_address(int family)
{
    uint64_t r = next_random();
    uint32_t a = (uint32_t)(r % 4 ? mix_of(r >> 8 & 0xff) : mix_of(r >> 8));
    a = r % 7 ? a : UINT32_C(0x0a000000) | (a & 0xff); /* popular ones, neighbours, and ones seen once */
    struct ip ip = ip_from_v4(a);
    if (family == 6 && r % 3) {
        memset(ip.b, 0x20, 8);
        ip.b[15] = (uint8_t)a;
    }
    return ip;
}

/* say - AS number and prefix length are the address's, but for a few rows and for blocks without any. */
static void say(const struct ip *a, uint32_t *as, uint8_t *mask)
{
    *as = a->b[15] * 31u + a->b[12] + (next_random() % 50 ? 0 : 7);
    *mask = (uint8_t)(8 + a->b[14] % 24 + (next_random() % 90 ? 0 : 1));
}

static struct flow skewed_flow(int family, unsigned batch)
{
    struct flow f = {.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_NEXT_HOP) | FLOW_HAS(FLOW_SOURCE_PORT)};
    f.source_ip = skewed_address(family);
    f.next_hop = ip_from_v4((uint32_t)(UINT32_C(0xc0000200) + next_random() % 9));
    f.source_port = (uint16_t)next_random();
    if (next_random() % 11) {
        f.destination_ip = skewed_address(family);
        f.present |= FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP);
    }
    if (batch == 2) /* nothing is said */
        return f;
    say(&f.source_ip, &f.source_as, &f.source_mask);
    f.present |= FLOW_HAS(FLOW_SOURCE_AS) | FLOW_HAS(FLOW_SOURCE_MASK) | FLOW_HAS(FLOW_DESTINATION_AS);
    f.destination_as = batch == 3 ? (uint32_t)next_random() : f.destination_ip.b[15] + (uint32_t)(next_random() % 40 == 0);
    return f;
}

static uint8_t *build_skewed(struct flow_batch **batches, int family, int *ret_fd, size_t *ret_n)
{
    struct segment_builder *b = segment_builder_new(family, SEGMENT_ROWS);
    struct fault f = {0};
    uint64_t n_bytes;
    uint32_t taken;
    assert_non_null(b);
    for (unsigned i = 0; i < SKEWED_BATCHES; i++) {
        assert_int_equal(segment_builder_add(b, batches[i], 0, &taken), 0);
        assert_int_equal(taken, batches[i]->n);
    }
    *ret_fd = memfd_create("segment", 0);
    assert_int_equal(segment_builder_write(b, 1, *ret_fd, &n_bytes, &f), 0);
    segment_builder_free(b);
    uint8_t *p = malloc(n_bytes);
    assert_non_null(p);
    assert_true(pread(*ret_fd, p, n_bytes, 0) == (ssize_t)n_bytes);
    *ret_n = n_bytes;
    return p;
}

static void check_skewed(struct flow_batch **batches, int fd)
{
    static const unsigned columns[] = {FLOW_SOURCE_AS, FLOW_DESTINATION_AS, FLOW_SOURCE_MASK, FLOW_SOURCE_PORT};
    static uint64_t v[SEGMENT_BLOCK_ROWS];
    struct fault f = {0};
    struct segment *s;
    assert_int_equal(segment_open(fd, 1, false, &s, &f), 0);
    assert_int_equal(segment_verify(s, &f), 0);
    for (unsigned i = 0; i < SKEWED_BATCHES; i++) {
        for (unsigned k = 0; k < sizeof(columns) / sizeof(*columns); k++) {
            if (!(batches[i]->columns & FLOW_HAS(columns[k])))
                continue;
            assert_int_equal(segment_read64(s, i, FLOW_COLUMN_NUMBER(columns[k]), v), 0);
            for (uint32_t row = 0; row < batches[i]->n; row++)
                assert_true(v[row] == flow_batch_number(batches[i], columns[k], row));
        }
        for (unsigned c = 0; c < FLOW_N_ADDRESSES; c++) {
            assert_int_equal(segment_read64(s, i, c, v), 0);
            for (uint32_t row = 0; row < batches[i]->n; row++) {
                struct flow want;
                flow_batch_get(batches[i], row, &want);
                const struct ip *a = c == FLOW_SOURCE_IP ? &want.source_ip : c == FLOW_DESTINATION_IP ? &want.destination_ip : &want.next_hop;
                bool is = c <= FLOW_DESTINATION_IP || c == FLOW_NEXT_HOP ? want.present >> c & 1 : false;
                struct ip got = {{0}};
                assert_int_equal(v[row] < segment_info(s)->n_entries, is);
                if (is)
                    got = segment_address(s, (uint32_t)v[row]);
                assert_true(!is || ip_equal(&got, a));
            }
        }
    }
    segment_close(s);
}

static void any_processor_writes_the_same_file(void **unused)
{
    (void)unused;
    for (int family = 4; family <= 6; family += 2) {
        struct flow_batch *batches[SKEWED_BATCHES];
        uint8_t *want = NULL;
        size_t n_want = 0, n;
        state = seed + 11;
        for (unsigned i = 0; i < SKEWED_BATCHES; i++) {
            batches[i] = flow_batch_new(family);
            assert_non_null(batches[i]);
            for (uint32_t row = 0, taken; row < (i + 1 < SKEWED_BATCHES ? FLOW_BATCH_ROWS : 777); row++) {
                struct flow f = skewed_flow(family, i);
                assert_int_equal(flow_batch_add(batches[i], &f, 1, &taken), 0);
            }
        }
        for (enum pack_processor cpu = PACK_PLAIN; cpu <= PACK_AVX512; cpu++) {
            int fd;
            pack_use(cpu);
            uint8_t *p = build_skewed(batches, family, &fd, &n);
            if (want) {
                assert_int_equal(n, n_want);
                assert_memory_equal(p, want, n);
                free(p);
            } else {
                check_skewed(batches, fd);
                want = p;
                n_want = n;
            }
            close(fd);
        }
        free(want);
        for (unsigned i = 0; i < SKEWED_BATCHES; i++)
            flow_batch_free(batches[i]);
    }
    segment_builder_trim();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_once),
        cmocka_unit_test(a_builder_used_before_writes_the_same_file),
        cmocka_unit_test(any_processor_writes_the_same_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
