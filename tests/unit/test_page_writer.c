/* SPDX-License-Identifier: Apache-2.0 */
/* A body written in whole pages is, byte for byte, what was handed over: on any file system, whatever its length. */
#include "watch/store/page_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_house.h"

#include "base/file.h"

enum { LONGEST = 3 * PAGE_WRITER_FLUSH_BYTES };

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)((i + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

/* write_body - @n bytes in pieces of various length, as a segment's columns come. */
static void write_body(struct page_writer *w, int fd, uint64_t n, uint64_t *state)
{
    page_writer_begin(w, fd);
    for (uint64_t at = 0, piece; at < n; at += piece) {
        piece = next_random(state) % (next_random(state) % 4 ? 5000 : 300000);
        piece = piece < n - at ? piece : n - at;
        uint8_t *p = page_writer_room(w, piece);
        assert_non_null(p);
        for (uint64_t i = 0; i < piece; i++)
            p[i] = byte_at(at + i);
        w->n += piece;
        assert_int_equal(page_writer_flush(w), 0);
        assert_int_equal(w->at + w->n, at + piece);
    }
    assert_int_equal(page_writer_end(w), 0);
    assert_int_equal(w->at, n);
}

static void assert_body(int fd, uint64_t n)
{
    struct stat st;
    uint8_t *all = malloc(n + 1);
    assert_non_null(all);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, n);
    assert_int_equal(file_pread_full(fd, all, n, 0), 0);
    for (uint64_t i = 0; i < n; i++)
        if (all[i] != byte_at(i))
            fail_msg("byte %llu of %llu", (unsigned long long)i, (unsigned long long)n);
    free(all);
}

static int file_on_disk(void)
{
    char path[] = "page-writer-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static void the_file_holds_what_was_handed_over(void **unused)
{
    (void)unused;
    static const uint64_t lengths[] = {0, 1, PAGE_WRITER_PAGE, PAGE_WRITER_FLUSH_BYTES - 1, PAGE_WRITER_FLUSH_BYTES,
                                       2 * PAGE_WRITER_FLUSH_BYTES, 2 * PAGE_WRITER_FLUSH_BYTES + 1, LONGEST - 777};
    uint64_t state = seed();
    struct page_writer w = {0}; /* one for all: its memory is kept */
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        for (int where = 0; where < 2; where++) {
            int fd = where ? memfd_create("page-writer", MFD_CLOEXEC) : file_on_disk();
            assert_true(fd >= 0);
            write_body(&w, fd, lengths[i], &state);
            assert_body(fd, lengths[i]);
            close(fd);
        }
    page_writer_fini(&w);
}

/* a pipe takes no offsets: every write fails, and says so */
static void a_failing_write_is_handed_up(void **unused)
{
    (void)unused;
    int ends[2];
    struct page_writer w = {0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    page_writer_begin(&w, ends[1]);
    assert_non_null(page_writer_room(&w, PAGE_WRITER_FLUSH_BYTES));
    memset(w.p, 1, PAGE_WRITER_FLUSH_BYTES);
    w.n = PAGE_WRITER_FLUSH_BYTES;
    assert_int_equal(page_writer_flush(&w), -ESPIPE);
    page_writer_fini(&w);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_file_holds_what_was_handed_over),
                                              cmocka_unit_test(a_failing_write_is_handed_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
