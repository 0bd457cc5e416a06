/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead journal: whole frames only, whatever happened to the file. */
#include "help_dir.h"
#include "watch/store/journal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <xxhash.h>

enum { N_FRAMES = 6 };

struct fixture {
    struct help_dir dir;
    int fd;
    struct journal j;
    uint64_t ends[N_FRAMES]; /* where each frame ends */
};

struct seen {
    uint64_t sequences[64];
    size_t n;
    uint64_t bytes_hash;
};

static int see(void *context, const struct journal_frame *frame)
{
    struct seen *s = context;
    assert_true(s->n < 64);
    s->sequences[s->n++] = frame->sequence;
    s->bytes_hash = s->bytes_hash * 31 + XXH3_64bits(frame->batch, frame->n_batch);
    return 0;
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct fault f;
    x->dir = help_dir_new();
    x->fd = open(x->dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(journal_create(x->fd, 9, 4, &x->j, &f), 0);
    for (uint64_t i = 0; i < N_FRAMES; i++) { /* lengths 0, 7, 14, ...: every padding */
        uint8_t batch[64];
        memset(batch, (int)i + 1, sizeof(batch));
        struct buf notes = {.max = 100};
        if (i == 2)
            journal_note_add(&notes, "key", 3, 77);
        struct journal_frame frame = {.sequence = 10 + i, .arrived_us = 1000 - (int64_t)i, .n_rows = 3,
                                      .notes = notes.p, .n_notes = notes.n, .batch = batch, .n_batch = i * 7};
        assert_int_equal(journal_append(&x->j, &frame, &f), 0);
        x->ends[i] = x->j.n_bytes;
        buf_fini(&notes);
    }
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    file_step_hook = NULL;
    journal_close(&x->j);
    close(x->fd);
    help_dir_free(&x->dir);
    free(x);
    return 0;
}

static struct seen walk(struct fixture *x, struct journal_report *report)
{
    struct seen s = {0};
    struct fault f = {0};
    assert_int_equal(journal_walk(x->j.fd, 9, 4, see, &s, report, &f), 0);
    return s;
}

static void frames_come_back_in_order_with_their_counts(void **state)
{
    struct fixture *x = *state;
    struct journal_report r;
    struct seen s = walk(x, &r);
    assert_int_equal(s.n, N_FRAMES);
    for (uint64_t i = 0; i < N_FRAMES; i++)
        assert_int_equal(s.sequences[i], 10 + i);
    assert_int_equal(r.n_rows, 3 * N_FRAMES);
    assert_int_equal(r.n_torn_bytes, 0);
    assert_int_equal(r.n_damaged_bytes, 0);
    assert_int_equal(r.arrived_min_us, 1000 - (N_FRAMES - 1));
    assert_int_equal(r.arrived_max_us, 1000);
    assert_int_equal(r.n_bytes, x->j.n_bytes);
    assert_int_equal(r.sequence, 10 + N_FRAMES - 1);
}

static void a_file_cut_at_any_byte_gives_the_frames_before_the_cut(void **state)
{
    struct fixture *x = *state;
    for (uint64_t n = x->j.n_bytes; n-- > JOURNAL_HEADER_BYTES;) {
        assert_int_equal(ftruncate(x->j.fd, (off_t)n), 0);
        size_t expected = 0;
        while (expected < N_FRAMES && x->ends[expected] <= n)
            expected++;
        struct journal_report r;
        struct seen s = walk(x, &r);
        assert_int_equal(s.n, expected);
        assert_int_equal(r.n_torn_bytes, n - (expected ? x->ends[expected - 1] : JOURNAL_HEADER_BYTES));
    }
}

static void a_flipped_bit_anywhere_costs_its_own_frame_only(void **state)
{
    struct fixture *x = *state;
    for (uint64_t at = JOURNAL_HEADER_BYTES; at < x->j.n_bytes; at++) {
        uint8_t byte;
        size_t hit = 0;
        while (x->ends[hit] <= at)
            hit++;
        assert_int_equal(pread(x->j.fd, &byte, 1, (off_t)at), 1);
        uint8_t flipped = byte ^ (uint8_t)(1u << at % 8);
        assert_int_equal(pwrite(x->j.fd, &flipped, 1, (off_t)at), 1);
        struct journal_report r;
        struct seen s = walk(x, &r);
        if (s.n == N_FRAMES) { /* padding is not covered: it holds nothing */
            uint64_t from = hit ? x->ends[hit - 1] : JOURNAL_HEADER_BYTES;
            assert_true(at >= from + JOURNAL_FRAME_BYTES + hit * 7);
        } else {
            assert_int_equal(s.n, N_FRAMES - 1);
            for (size_t i = 0; i < s.n; i++)
                assert_int_equal(s.sequences[i], 10 + i + (i >= hit));
            assert_true(r.n_damaged_bytes + r.n_torn_bytes > 0);
        }
        assert_int_equal(pwrite(x->j.fd, &byte, 1, (off_t)at), 1);
    }
}

static void a_damaged_header_or_another_id_is_refused(void **state)
{
    struct fixture *x = *state;
    struct journal_report r;
    struct fault f;
    assert_int_equal(journal_walk(x->j.fd, 8, 4, NULL, NULL, &r, &f), -EBADMSG);
    assert_int_equal(journal_walk(x->j.fd, 9, 6, NULL, NULL, &r, &f), -EBADMSG);
    assert_int_equal(pwrite(x->j.fd, "#", 1, 20), 1);
    assert_int_equal(journal_walk(x->j.fd, 9, 4, NULL, NULL, &r, &f), -EBADMSG);
    assert_int_equal(ftruncate(x->j.fd, 10), 0);
    assert_int_equal(journal_walk(x->j.fd, 9, 4, NULL, NULL, &r, &f), -EBADMSG);
}

static int no_room(const char *what)
{
    return !strcmp(what, "journal-write") ? -ENOSPC : 0;
}

static void a_failed_append_leaves_the_frames_before_it_and_the_next_one_works(void **state)
{
    struct fixture *x = *state;
    struct fault f = {0};
    struct journal_frame frame = {.sequence = 100, .n_rows = 1, .batch = (const uint8_t *)"abc", .n_batch = 3};
    file_step_hook = no_room;
    assert_int_equal(journal_append(&x->j, &frame, &f), -ENOSPC);
    file_step_hook = NULL;
    assert_non_null(strstr(f.text, "store/journals/9.wal"));
    struct journal_report r;
    assert_int_equal(walk(x, &r).n, N_FRAMES);
    frame.sequence = 101;
    assert_int_equal(journal_append(&x->j, &frame, &f), 0);
    assert_int_equal(walk(x, &r).n, N_FRAMES + 1);
    assert_int_equal(r.sequence, 101);
}

static void a_stale_frame_behind_a_shorter_new_one_is_not_read(void **state)
{
    struct fixture *x = *state;
    /* what an append leaves when it failed and could not be cut: old frames 4 and 5 behind a new frame 3 */
    x->j.n_bytes = x->ends[2];
    x->j.sequence = 12;
    struct fault f;
    struct journal_frame frame = {.sequence = 40, .n_rows = 3, .batch = (const uint8_t *)"abcdefghijklmnopqrstu",
                                  .n_batch = 21};
    assert_int_equal(journal_append(&x->j, &frame, &f), 0);
    assert_int_equal(x->j.n_bytes, x->ends[3]);
    struct journal_report r;
    struct seen s = walk(x, &r);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.sequences[3], 40);
}

static void notes_come_back_with_their_frame(void **state)
{
    (void)state;
    struct buf b = {.max = 1000};
    journal_note_add(&b, "a", 1, 1);
    journal_note_add(&b, "bcd", 3, UINT64_MAX);
    const uint8_t *p = b.p, *key;
    size_t n_key;
    uint64_t value;
    assert_true(journal_note_next(&p, b.p + b.n, &key, &n_key, &value));
    assert_int_equal(n_key, 1);
    assert_int_equal(value, 1);
    assert_true(journal_note_next(&p, b.p + b.n, &key, &n_key, &value));
    assert_memory_equal(key, "bcd", 3);
    assert_int_equal(value, UINT64_MAX);
    assert_false(journal_note_next(&p, b.p + b.n, &key, &n_key, &value));
    p = b.p;
    assert_false(journal_note_next(&p, b.p + 5, &key, &n_key, &value)); /* cut: ends the walk */
    assert_false(journal_note_next(&p, b.p + 5, &key, &n_key, &value));
    buf_fini(&b);
}

static void an_existing_file_is_never_overwritten(void **state)
{
    struct fixture *x = *state;
    struct journal other;
    struct fault f;
    assert_int_equal(journal_create(x->fd, 9, 4, &other, &f), -EEXIST);
    struct journal_report r;
    assert_int_equal(walk(x, &r).n, N_FRAMES);
}

/* --- a file used again --------------------------------------------------------------------------- */

static void append_one(struct journal *j, uint64_t sequence, size_t n)
{
    uint8_t batch[64];
    struct fault f;
    memset(batch, 0x5a, sizeof(batch));
    struct journal_frame frame = {.sequence = sequence, .n_rows = 1, .batch = batch, .n_batch = n};
    assert_int_equal(journal_append(j, &frame, &f), 0);
}

static struct journal_report walk_of(int fd, uint64_t id, size_t expected)
{
    struct seen s = {0};
    struct fault f = {0};
    struct journal_report r;
    assert_int_equal(journal_walk(fd, id, 4, see, &s, &r, &f), 0);
    assert_int_equal(s.n, expected);
    return r;
}

static void a_file_used_again_holds_only_what_came_since(void **state)
{
    struct fixture *x = *state;
    struct journal j;
    struct fault f = {0};
    struct stat st;
    assert_int_equal(journal_reuse(x->fd, 9, 12, 4, &j, &f), 0);
    assert_int_equal(faccessat(x->fd, "9.wal", F_OK, 0), -1);
    assert_int_equal(faccessat(x->fd, "12.wal", F_OK, 0), 0);
    assert_int_equal(fstat(j.fd, &st), 0);
    assert_true((uint64_t)st.st_size > x->j.n_bytes); /* nothing was cut off */
    struct journal_report r = walk_of(j.fd, 12, 0);
    assert_int_equal(r.n_torn_bytes, 0);
    assert_int_equal(r.n_bytes, JOURNAL_HEADER_BYTES);
    for (size_t i = 0; i < 12; i++) { /* also past the end of what was there, and with every padding */
        append_one(&j, 1 + i, i * 3);
        r = walk_of(j.fd, 12, i + 1);
        assert_int_equal(r.n_torn_bytes, 0);
        assert_int_equal(r.n_damaged_bytes, 0);
        assert_int_equal(r.n_bytes, j.n_bytes);
        assert_int_equal(r.sequence, 1 + i);
    }
    assert_int_equal(journal_walk(x->j.fd, 9, 4, NULL, NULL, &r, &f), -EBADMSG); /* who came by the old name */
    journal_close(&j);
}

static void a_torn_frame_in_a_file_used_again_ends_it(void **state)
{
    struct fixture *x = *state;
    struct journal j;
    struct fault f = {0};
    assert_int_equal(journal_reuse(x->fd, 9, 12, 4, &j, &f), 0);
    append_one(&j, 1, 20);
    uint64_t first = j.n_bytes;
    append_one(&j, 2, 21);
    uint64_t second = j.n_bytes;
    for (uint64_t at = first; at < second - 3; at++) { /* all but the last zeros count */
        uint8_t was, other;
        assert_int_equal(pread(j.fd, &was, 1, (off_t)at), 1);
        other = was ^ 0x40;
        assert_int_equal(pwrite(j.fd, &other, 1, (off_t)at), 1);
        struct journal_report r = walk_of(j.fd, 12, 1);
        assert_int_equal(r.n_bytes, first);
        assert_true(at < first + 4 ? r.n_torn_bytes == 0 : r.n_torn_bytes > 0);
        assert_int_equal(pwrite(j.fd, &was, 1, (off_t)at), 1);
    }
    (void)walk_of(j.fd, 12, 2);
    journal_close(&j);
}

static void a_file_that_is_read_is_not_used_again(void **state)
{
    struct fixture *x = *state;
    struct journal j;
    struct fault f = {0};
    int reader = openat(x->fd, "9.wal", O_RDONLY | O_CLOEXEC), late = openat(x->fd, "9.wal", O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0 && late >= 0);
    assert_int_equal(journal_share(reader), 0);
    assert_int_equal(journal_reuse(x->fd, 9, 12, 4, &j, &f), JOURNAL_SHARED);
    (void)walk_of(reader, 9, N_FRAMES);
    close(reader);
    assert_int_equal(journal_reuse(x->fd, 9, 12, 4, &j, &f), 0);
    assert_int_equal(journal_share(late), 0); /* too late: the header says so */
    assert_int_equal(journal_walk(late, 9, 4, NULL, NULL, &(struct journal_report){0}, &f), -EBADMSG);
    close(late);
    journal_close(&j);
    assert_int_equal(journal_reuse(x->fd, 77, 78, 4, &j, &f), -ENOENT);
}

static void an_older_id_in_the_header_is_a_journal_that_never_began(void **state)
{
    struct fixture *x = *state;
    struct journal_report r = walk_of(x->j.fd, 20, 0);
    assert_int_equal(r.n_rows, 0);
    assert_int_equal(r.n_damaged_bytes, 0);
    assert_int_equal(r.n_torn_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_come_back_in_order_with_their_counts),
        TEST(a_file_cut_at_any_byte_gives_the_frames_before_the_cut),
        TEST(a_flipped_bit_anywhere_costs_its_own_frame_only),
        TEST(a_damaged_header_or_another_id_is_refused),
        TEST(a_failed_append_leaves_the_frames_before_it_and_the_next_one_works),
        TEST(a_stale_frame_behind_a_shorter_new_one_is_not_read),
        cmocka_unit_test(notes_come_back_with_their_frame),
        TEST(an_existing_file_is_never_overwritten),
        TEST(a_file_used_again_holds_only_what_came_since),
        TEST(a_torn_frame_in_a_file_used_again_ends_it),
        TEST(a_file_that_is_read_is_not_used_again),
        TEST(an_older_id_in_the_header_is_a_journal_that_never_began),
    };
    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
