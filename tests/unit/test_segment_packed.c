/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch packed once, for the journal and for the segment: the segment is to the byte the one that rows added the long way
 * make, and the journal's bytes give the batch again. Seed and rounds: VONGGAC_SEED, VONGGAC_ROUNDS.
 */
#include "watch/store/batch_pack.h"
#include "watch/store/segment_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "random_rows.h"

enum { N_BATCHES = 4 };

static int rounds(int usual)
{
    const char *text = getenv("VONGGAC_ROUNDS");
    return text ? atoi(text) : usual;
}

/* what @r has as a batch; @is_block: all rows have an observer, or none, and no texts */
static struct flow_batch *batch_of(const struct rows *r, bool is_block)
{
    struct flow_batch *b = flow_batch_new(r->family);
    bool has_observer = next_random() % 4 != 0;
    uint32_t taken;
    assert_non_null(b);
    for (uint32_t i = 0; i < r->n; i++) {
        struct flow f = r->flows[i];
        if (is_block) {
            f.present &= ~FLOW_HAS_TEXT;
            f.present = has_observer ? f.present | FLOW_HAS(FLOW_OBSERVER) : f.present & ~FLOW_HAS(FLOW_OBSERVER);
        }
        if (f.present & FLOW_HAS(FLOW_OBSERVER))
            assert_int_equal(flow_batch_observer(b, &r->observers[r->observer[i]], &f.observer), 0);
        assert_int_equal(flow_batch_add(b, &f, 1, &taken), 0);
    }
    return b;
}

static void check_same(const struct flow_batch *a, const struct flow_batch *b)
{
    assert_int_equal(a->n, b->n);
    assert_true(a->columns == b->columns);
    assert_int_equal(a->n_observers, b->n_observers);
    assert_memory_equal(a->observers, b->observers, a->n_observers * sizeof(*a->observers));
    for (uint32_t i = 0; i < a->n; i++) {
        struct flow x, y;
        flow_batch_get(a, i, &x);
        flow_batch_get(b, i, &y);
        x.texts = y.texts = (struct text){NULL, 0};
        if (memcmp(&x, &y, sizeof(x)) != 0)
            fail_msg("seed %llu row %u", (unsigned long long)seed, i);
    }
}

/* file_of - the builder's segment; ends the builder. */
static uint8_t *file_of(struct segment_builder *b, uint64_t *ret_n)
{
    struct fault f = {0};
    int fd = memfd_create("segment", 0);
    assert_true(fd >= 0);
    assert_int_equal(segment_builder_write(b, 5, fd, ret_n, &f), 0);
    segment_builder_free(b);
    uint8_t *p = malloc(*ret_n);
    assert_non_null(p);
    assert_true(pread(fd, p, *ret_n, 0) == (ssize_t)*ret_n);
    close(fd);
    return p;
}

/* add_packed - as the writer does: the frame to the journal, then the block to the builder. */
static void add_packed(struct segment_builder *b, const struct flow_batch *batch, int journal)
{
    struct buf out = {.max = BATCH_PACK_MAX + 3};
    struct flow_batch *back = flow_batch_new(batch->family);
    size_t packed = 0;
    uint32_t n;
    int family;
    off_t at = lseek(journal, 0, SEEK_END);
    assert_non_null(back);
    buf_add(&out, "abc", 3);
    assert_int_equal(segment_builder_pack(b, batch, &out, &packed), 0);
    if (next_random() % 3 == 0) { /* the journal could not be written: packed again later */
        out.n = 3;
        assert_int_equal(segment_builder_pack(b, batch, &out, &packed), 0);
    }
    assert_true(packed > 3 && packed < out.n);
    assert_true(write(journal, out.p, out.n) == (ssize_t)out.n);
    assert_int_equal(segment_builder_take(b, batch, journal, (uint64_t)at + packed), 0);
    assert_int_equal(batch_pack_head(out.p + 3, out.n - 3, &family, &n), 0);
    assert_int_equal(family, batch->family);
    assert_int_equal(n, batch->n);
    assert_int_equal(batch_unpack(out.p + 3, out.n - 3, back), 0);
    check_same(batch, back);
    assert_int_equal(batch_unpack(out.p + 3, out.n - 4, back), -EBADMSG);
    flow_batch_free(back);
    buf_fini(&out);
}

static void a_segment_of_packed_batches_is_the_one_their_rows_make(void **unused)
{
    (void)unused;
    for (int k = 0; k < rounds(6); k++) {
        struct flow_batch *batches[N_BATCHES];
        int family = k % 2 ? 6 : 4, journal = memfd_create("journal", 0);
        struct segment_builder *x = segment_builder_new(family, SEGMENT_ROWS), *y = segment_builder_new(family, SEGMENT_ROWS);
        uint64_t n_x, n_y;
        state = seed + (uint64_t)k * 77;
        assert_true(journal >= 0 && x && y);
        for (int i = 0; i < N_BATCHES; i++) { /* the last is none that fills a block */
            struct rows r;
            uint32_t taken;
            make_rows(&r, family, i + 1 < N_BATCHES ? FLOW_BATCH_ROWS : 1 + (uint32_t)(next_random() % 8000));
            batches[i] = batch_of(&r, i + 1 < N_BATCHES);
            if (i + 1 < N_BATCHES) {
                add_packed(x, batches[i], journal);
            } else {
                struct buf out = {.max = BATCH_PACK_MAX};
                size_t packed;
                assert_int_equal(segment_builder_pack(x, batches[i], &out, &packed), SEGMENT_NOT_WHOLE);
                assert_int_equal(out.n, 0);
                assert_int_equal(segment_builder_add(x, batches[i], 0, &taken), 0);
                buf_fini(&out);
            }
            assert_int_equal(segment_builder_add(y, batches[i], 0, &taken), 0);
            free_rows(&r);
        }
        uint8_t *p = file_of(x, &n_x), *q = file_of(y, &n_y);
        assert_int_equal(n_x, n_y);
        assert_memory_equal(p, q, n_x);
        for (int i = 0; i < N_BATCHES; i++)
            flow_batch_free(batches[i]);
        free(p);
        free(q);
        close(journal);
    }
}

static void rows_that_wait_for_a_block_go_on_waiting(void **unused)
{
    struct rows few, many;
    struct segment_builder *b = segment_builder_new(4, SEGMENT_ROWS);
    struct segment *s;
    struct fault f = {0};
    uint32_t taken;
    uint64_t n;
    (void)unused;
    state = seed + 3;
    make_rows(&few, 4, 100);
    make_rows(&many, 4, FLOW_BATCH_ROWS);
    struct flow_batch *small = batch_of(&few, true), *whole = batch_of(&many, true), *back = flow_batch_new(4);
    int journal = memfd_create("journal", 0), fd = memfd_create("segment", 0);
    assert_true(b && back && journal >= 0 && fd >= 0);
    assert_int_equal(segment_builder_add(b, small, 0, &taken), 0);
    add_packed(b, whole, journal);
    assert_int_equal(segment_builder_rows(b), FLOW_BATCH_ROWS + 100);
    assert_int_equal(segment_builder_write(b, 5, fd, &n, &f), 0);
    segment_builder_free(b);
    assert_int_equal(segment_open(fd, 5, false, &s, &f), 0);
    assert_int_equal(segment_verify(s, &f), 0);
    assert_int_equal(segment_info(s)->n_blocks, 2);
    assert_int_equal(segment_to_batch(s, 1, back), 0);
    check_same(small, back);
    segment_close(s);
    flow_batch_free(small);
    flow_batch_free(whole);
    flow_batch_free(back);
    free_rows(&few);
    free_rows(&many);
    close(journal);
    close(fd);
}

static void a_journal_that_gives_other_bytes_back_makes_no_segment(void **unused)
{
    struct rows r;
    struct segment_builder *b = segment_builder_new(4, SEGMENT_ROWS);
    struct fault f = {0};
    struct buf out = {.max = BATCH_PACK_MAX};
    size_t packed;
    uint64_t n;
    (void)unused;
    state = seed + 4;
    make_rows(&r, 4, FLOW_BATCH_ROWS);
    struct flow_batch *batch = batch_of(&r, true);
    int journal = memfd_create("journal", 0), fd = memfd_create("segment", 0);
    assert_true(b && journal >= 0 && fd >= 0);
    assert_int_equal(segment_builder_pack(b, batch, &out, &packed), 0);
    out.p[packed + 1000] ^= 4;
    assert_true(write(journal, out.p, out.n) == (ssize_t)out.n);
    assert_int_equal(segment_builder_take(b, batch, journal, packed), 0);
    assert_int_equal(segment_builder_write(b, 5, fd, &n, &f), -EBADMSG);
    segment_builder_free(b);
    flow_batch_free(batch);
    free_rows(&r);
    buf_fini(&out);
    close(journal);
    close(fd);
}

static void damaged_bytes_never_make_rows_that_point_outside(void **unused)
{
    struct rows r;
    struct buf out = {.max = BATCH_PACK_MAX};
    struct segment_builder *builder = segment_builder_new(4, SEGMENT_ROWS);
    size_t packed;
    (void)unused;
    state = seed + 5;
    make_rows(&r, 4, FLOW_BATCH_ROWS);
    struct flow_batch *b = batch_of(&r, true);
    assert_non_null(builder);
    assert_int_equal(segment_builder_pack(builder, b, &out, &packed), 0);
    for (int k = 0; k < 20 * rounds(10); k++) {
        size_t n = next_random() % 4 ? out.n : next_random() % out.n;
        uint8_t *exact = malloc(n + 1);
        assert_non_null(exact);
        memcpy(exact, out.p, n);
        for (int j = 0; j < 4 && n; j++)
            exact[next_random() % 3 ? next_random() % (n < packed ? n : packed) : next_random() % n] = (uint8_t)next_random();
        if (!batch_unpack(exact, n, b))
            for (uint32_t i = 0; i < b->n; i++) {
                struct flow f;
                flow_batch_get(b, i, &f);
                assert_true(!(f.present & FLOW_HAS(FLOW_OBSERVER)) || f.observer < b->n_observers);
            }
        free(exact);
    }
    segment_builder_free(builder);
    flow_batch_free(b);
    buf_fini(&out);
    free_rows(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_of_packed_batches_is_the_one_their_rows_make),
        cmocka_unit_test(rows_that_wait_for_a_block_go_on_waiting),
        cmocka_unit_test(a_journal_that_gives_other_bytes_back_makes_no_segment),
        cmocka_unit_test(damaged_bytes_never_make_rows_that_point_outside),
    };
    const char *text = getenv("VONGGAC_SEED");
    seed = text ? strtoull(text, NULL, 10) : seed;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    segment_builder_trim();
    return failed;
}
