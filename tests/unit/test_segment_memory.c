/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation fails once: building, opening, reading and merging answer with an error, leak nothing, and
 * go on when memory is there again. Linked with wrapped allocators.
 */
#include "watch/store/batch_pack.h"
#include "watch/store/merged.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail_once),
        cmocka_unit_test(a_builder_used_before_writes_the_same_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
