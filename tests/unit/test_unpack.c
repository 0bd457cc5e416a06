/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives are made here by the libraries themselves and read back from a descriptor.
 */
#include "cmocka_house.h"
#include "failing_alloc.h"
#include "watch/intake/unpack.h"

#include "base/buf.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { CONTENT_BYTES = 300000 };

static uint8_t content[CONTENT_BYTES];

static int make_content(void **state)
{
    (void)state;
    uint64_t random = seed();
    for (size_t i = 0; i < CONTENT_BYTES; i++) /* half of it random, so that archives span several pieces */
        content[i] = (uint8_t)(i & 64 ? next_random(&random) : i >> 8);
    return 0;
}

static void pack(enum unpack_kind kind, const void *p, size_t n, struct buf *b)
{
    size_t room = n + n / 8 + 4096, used = 0;
    b->max = 1 << 26;
    uint8_t *out = buf_room(b, room);
    assert_non_null(out);
    if (kind == UNPACK_GZIP) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        used = z.total_out;
        deflateEnd(&z);
    } else if (kind == UNPACK_XZ) {
        assert_int_equal(lzma_easy_buffer_encode(3, LZMA_CHECK_CRC64, NULL, p, n, out, &used, room), LZMA_OK);
    } else if (kind == UNPACK_ZSTD) {
        ZSTD_CCtx *c = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
        used = ZSTD_compress2(c, out, room, p, n);
        assert_false(ZSTD_isError(used));
        ZSTD_freeCCtx(c);
    } else if (kind == UNPACK_BZIP2) {
        unsigned made = (unsigned)room;
        assert_int_equal(BZ2_bzBuffToBuffCompress((char *)out, &made, (char *)(uintptr_t)p, (unsigned)n, 9, 0, 0), BZ_OK);
        used = made;
    } else {
        memcpy(out, p, n);
        used = n;
    }
    b->n += used;
}

static int fd_of(const void *p, size_t n)
{
    int fd = memfd_create("unpack", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), (ssize_t)n);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* read_out - all of it; Return: the condition at the end. */
static int read_out(int fd, size_t piece, struct buf *out, enum unpack_kind *ret_kind)
{
    struct unpack *u;
    uint8_t *p = malloc(piece);
    assert_non_null(p);
    out->max = 1 << 26;
    int rc = unpack_new(fd, &u);
    for (size_t n = 1; !rc && n;) {
        rc = unpack_read(u, p, piece, &n);
        buf_add(out, p, n);
    }
    *ret_kind = unpack_kind(u);
    assert_int_equal(unpack_bytes_out(u), out->n);
    unpack_free(u);
    free(p);
    return rc;
}

static void every_packing_reads_back_whole(void **state)
{
    (void)state;
    static const size_t pieces[] = {1 << 20, 4096, 61};
    for (int kind = UNPACK_PLAIN; kind <= UNPACK_BZIP2; kind++)
        for (size_t i = 0; i < COUNT_OF(pieces); i++) {
            struct buf packed = {0}, out = {0};
            enum unpack_kind found;
            pack((enum unpack_kind)kind, content, CONTENT_BYTES, &packed);
            int fd = fd_of(packed.p, packed.n);
            assert_int_equal(read_out(fd, pieces[i], &out, &found), 0);
            assert_int_equal(found, kind);
            assert_int_equal(out.n, CONTENT_BYTES);
            assert_memory_equal(out.p, content, CONTENT_BYTES);
            close(fd);
            buf_fini(&packed);
            buf_fini(&out);
        }
}

static void members_behind_each_other_and_padding_are_one_content(void **state)
{
    (void)state;
    for (int kind = UNPACK_GZIP; kind <= UNPACK_BZIP2; kind++) {
        struct buf packed = {0}, out = {0};
        enum unpack_kind found;
        pack((enum unpack_kind)kind, content, 1000, &packed);
        pack((enum unpack_kind)kind, content + 1000, 500, &packed);
        if (kind != UNPACK_ZSTD)
            buf_add(&packed, "\0\0\0\0\0\0\0\0", 8);
        int fd = fd_of(packed.p, packed.n);
        assert_int_equal(read_out(fd, 100, &out, &found), 0);
        assert_int_equal(out.n, 1500);
        assert_memory_equal(out.p, content, 1500);
        close(fd);
        buf_fini(&packed);
        buf_fini(&out);
    }
}

static void a_torn_archive_gives_what_was_whole_and_says_so(void **state)
{
    (void)state;
    for (int kind = UNPACK_GZIP; kind <= UNPACK_BZIP2; kind++) {
        struct buf packed = {0}, out = {0};
        enum unpack_kind found;
        pack((enum unpack_kind)kind, content, CONTENT_BYTES, &packed);
        int fd = fd_of(packed.p, packed.n - 5);
        assert_int_equal(read_out(fd, 4096, &out, &found), UNPACK_TRUNCATED);
        assert_true(out.n <= CONTENT_BYTES);
        assert_memory_equal(out.p, content, out.n);
        close(fd);
        buf_fini(&packed);
        buf_fini(&out);
    }
}

static void a_damaged_archive_is_found_out(void **state)
{
    (void)state;
    for (int kind = UNPACK_GZIP; kind <= UNPACK_BZIP2; kind++)
        for (unsigned where = 1; where < 4; where++) {
            struct buf packed = {0}, out = {0};
            enum unpack_kind found;
            pack((enum unpack_kind)kind, content, CONTENT_BYTES, &packed);
            packed.p[packed.n * where / 4] ^= 0x55;
            int fd = fd_of(packed.p, packed.n);
            int rc = read_out(fd, 4096, &out, &found);
            assert_true(rc == UNPACK_CORRUPT || rc == UNPACK_TRUNCATED);
            close(fd);
            buf_fini(&packed);
            buf_fini(&out);
        }
}

static void a_bomb_is_stopped_at_its_limit(void **state)
{
    (void)state;
    static uint8_t zeros[1 << 20], piece[1 << 20];
    struct buf one = {0}, all = {.max = 1 << 26};
    pack(UNPACK_ZSTD, zeros, sizeof(zeros), &one);
    for (int i = 0; i < 400; i++)
        buf_add(&all, one.p, one.n);
    int fd = fd_of(all.p, all.n), rc = 0;
    struct unpack *u;
    assert_int_equal(unpack_new(fd, &u), 0);
    for (size_t n = 1; !rc && n;)
        rc = unpack_read(u, piece, sizeof(piece), &n);
    assert_int_equal(rc, UNPACK_BOMB);
    assert_true(unpack_bytes_out(u) <= UNPACK_FREE_BYTES + unpack_bytes_in(u) * UNPACK_RATIO + sizeof(piece));
    unpack_free(u);
    close(fd);
    buf_fini(&one);
    buf_fini(&all);
}

static void an_empty_file_is_empty_and_a_bad_descriptor_an_error(void **state)
{
    (void)state;
    struct buf out = {0};
    enum unpack_kind found;
    int fd = fd_of("", 0);
    assert_int_equal(read_out(fd, 100, &out, &found), 0);
    assert_int_equal(out.n, 0);
    assert_int_equal(found, UNPACK_PLAIN);
    close(fd);
    assert_int_equal(read_out(fd, 100, &out, &found), -EBADF);
    buf_fini(&out);
}

static int open_with_failures(void *context)
{
    (void)context;
    struct unpack *u;
    int rc = unpack_new(0, &u);
    if (!rc)
        unpack_free(u);
    return rc;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    assert_int_equal(failing_alloc_each("opening", open_with_failures, NULL, false), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packing_reads_back_whole),
        cmocka_unit_test(members_behind_each_other_and_padding_are_one_content),
        cmocka_unit_test(a_torn_archive_gives_what_was_whole_and_says_so),
        cmocka_unit_test(a_damaged_archive_is_found_out),
        cmocka_unit_test(a_bomb_is_stopped_at_its_limit),
        cmocka_unit_test(an_empty_file_is_empty_and_a_bad_descriptor_an_error),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, make_content, NULL);
}
