/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loop: keep input in the buffer, let the library of the kind turn it into
 * output. Each kind answers whether its stream has ended; input behind the end
 * begins another one.
 */
#include "watch/intake/unpack.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum { INPUT_BYTES = 1 << 17 };

struct unpack {
    int fd;
    enum unpack_kind kind;
    bool is_known;      /* the kind has been decided */
    bool is_open;       /* the library holds a stream */
    bool has_ended;     /* the descriptor is at its end */
    bool is_between;    /* a stream has ended and no other begun: the file may end here */
    uint64_t n_in, n_out, max_out; /* max_out 0: the limits of the header */
    size_t at, n;       /* input not yet used: buffer[at..n) */
    z_stream gzip;
    lzma_stream xz;
    bz_stream bzip2;
    ZSTD_DStream *zstd;
    uint8_t buffer[INPUT_BYTES];
};

bool unpack_is_device(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && (S_ISBLK(st.st_mode) || (S_ISCHR(st.st_mode) && !isatty(fd)));
}

int unpack_new(int fd, struct unpack **ret)
{
    struct unpack *u = malloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    memset(u, 0, offsetof(struct unpack, buffer));
    u->fd = fd;
    *ret = u;
    return 0;
}

static void close_stream(struct unpack *u)
{
    if (!u->is_open)
        return;
    if (u->kind == UNPACK_GZIP)
        inflateEnd(&u->gzip);
    else if (u->kind == UNPACK_XZ)
        lzma_end(&u->xz);
    else if (u->kind == UNPACK_ZSTD)
        ZSTD_freeDStream(u->zstd);
    else if (u->kind == UNPACK_BZIP2)
        BZ2_bzDecompressEnd(&u->bzip2);
    u->is_open = false;
}

int unpack_again(struct unpack *u, int fd)
{
    close_stream(u);
    memset(u, 0, offsetof(struct unpack, buffer));
    u->fd = fd;
    return 0;
}

void unpack_limit(struct unpack *u, uint64_t max_bytes)
{
    u->max_out = max_bytes;
}

void unpack_free(struct unpack *u)
{
    if (!u)
        return;
    close_stream(u);
    free(u);
}

static int fill(struct unpack *u)
{
    while (!u->has_ended && u->at == u->n) {
        ssize_t n = read(u->fd, u->buffer, sizeof(u->buffer));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        u->has_ended = n == 0;
        u->at = 0;
        u->n = (size_t)n;
        u->n_in += (uint64_t)n;
    }
    return 0;
}

/* look - read the first bytes, though a pipe may give them one by one, and tell the kind. */
static int look(struct unpack *u)
{
    while (!u->has_ended && u->n < 6) {
        ssize_t n = read(u->fd, u->buffer + u->n, sizeof(u->buffer) - u->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        u->has_ended = n == 0;
        u->n += (size_t)n;
        u->n_in += (uint64_t)n;
    }
    static const uint8_t xz[6] = {0xfd, '7', 'z', 'X', 'Z', 0}, zstd[4] = {0x28, 0xb5, 0x2f, 0xfd};
    const uint8_t *p = u->buffer;
    if (u->n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8)
        u->kind = UNPACK_GZIP;
    else if (u->n >= 6 && !memcmp(p, xz, 6))
        u->kind = UNPACK_XZ;
    else if (u->n >= 4 && !memcmp(p, zstd, 4))
        u->kind = UNPACK_ZSTD;
    else if (u->n >= 4 && !memcmp(p, "BZh", 3) && p[3] >= '1' && p[3] <= '9')
        u->kind = UNPACK_BZIP2;
    u->is_known = true;
    return 0;
}

static int open_stream(struct unpack *u)
{
    int failed = 0;
    if (u->kind == UNPACK_GZIP) {
        u->gzip = (z_stream){0};
        failed = inflateInit2(&u->gzip, 15 + 16) != Z_OK; /* 32 KiB window, gzip header only */
    } else if (u->kind == UNPACK_XZ) {
        u->xz = (lzma_stream)LZMA_STREAM_INIT;
        failed = lzma_stream_decoder(&u->xz, UNPACK_MEMORY_BYTES, 0) != LZMA_OK;
    } else if (u->kind == UNPACK_ZSTD) {
        u->zstd = ZSTD_createDStream();
        failed = !u->zstd;
        if (u->zstd)
            (void)ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG);
    } else if (u->kind == UNPACK_BZIP2) {
        u->bzip2 = (bz_stream){0};
        failed = BZ2_bzDecompressInit(&u->bzip2, 0, 0) != BZ_OK;
    }
    u->is_open = !failed;
    return failed ? -ENOMEM : 0;
}

/* each step: use input, make output; @ret_ended: the stream is complete. Return: 0 or a condition. */

static int step_gzip(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n, bool *ret_ended)
{
    uInt room = (uInt)(n < 1u << 30 ? n : 1u << 30);
    u->gzip.next_in = u->buffer + u->at;
    u->gzip.avail_in = (uInt)(u->n - u->at);
    u->gzip.next_out = p;
    u->gzip.avail_out = room;
    int rc = inflate(&u->gzip, Z_NO_FLUSH);
    u->at = u->n - u->gzip.avail_in;
    *ret_n = room - u->gzip.avail_out;
    *ret_ended = rc == Z_STREAM_END;
    return rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR ? 0 : rc == Z_MEM_ERROR ? -ENOMEM : UNPACK_CORRUPT;
}

static int step_xz(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n, bool *ret_ended)
{
    u->xz.next_in = u->buffer + u->at;
    u->xz.avail_in = u->n - u->at;
    u->xz.next_out = p;
    u->xz.avail_out = n;
    lzma_ret rc = lzma_code(&u->xz, LZMA_RUN);
    u->at = u->n - u->xz.avail_in;
    *ret_n = n - u->xz.avail_out;
    *ret_ended = rc == LZMA_STREAM_END;
    if (rc == LZMA_MEMLIMIT_ERROR)
        return UNPACK_MEMORY;
    if (rc == LZMA_MEM_ERROR)
        return -ENOMEM;
    return rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR ? 0 : UNPACK_CORRUPT;
}

static int step_zstd(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n, bool *ret_ended)
{
    ZSTD_inBuffer in = {u->buffer + u->at, u->n - u->at, 0};
    ZSTD_outBuffer out = {p, n, 0};
    size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
    u->at += in.pos;
    *ret_n = out.pos;
    *ret_ended = rc == 0;
    if (!ZSTD_isError(rc))
        return 0;
    ZSTD_ErrorCode code = ZSTD_getErrorCode(rc);
    if (code == ZSTD_error_frameParameter_windowTooLarge)
        return UNPACK_MEMORY;
    return code == ZSTD_error_memory_allocation ? -ENOMEM : UNPACK_CORRUPT;
}

static int step_bzip2(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n, bool *ret_ended)
{
    unsigned room = (unsigned)(n < 1u << 30 ? n : 1u << 30);
    u->bzip2.next_in = (char *)u->buffer + u->at;
    u->bzip2.avail_in = (unsigned)(u->n - u->at);
    u->bzip2.next_out = (char *)p;
    u->bzip2.avail_out = room;
    int rc = BZ2_bzDecompress(&u->bzip2);
    u->at = u->n - u->bzip2.avail_in;
    *ret_n = room - u->bzip2.avail_out;
    *ret_ended = rc == BZ_STREAM_END;
    return rc == BZ_OK || rc == BZ_STREAM_END ? 0 : rc == BZ_MEM_ERROR ? -ENOMEM : UNPACK_CORRUPT;
}

static int step(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n, bool *ret_ended)
{
    switch (u->kind) {
    case UNPACK_GZIP:
        return step_gzip(u, p, n, ret_n, ret_ended);
    case UNPACK_XZ:
        return step_xz(u, p, n, ret_n, ret_ended);
    case UNPACK_ZSTD:
        return step_zstd(u, p, n, ret_n, ret_ended);
    case UNPACK_BZIP2:
        return step_bzip2(u, p, n, ret_n, ret_ended);
    case UNPACK_PLAIN:
        break;
    }
    size_t m = u->n - u->at < n ? u->n - u->at : n;
    memcpy(p, u->buffer + u->at, m);
    u->at += m;
    *ret_n = m;
    return 0;
}

/* is_padding - zeros behind an xz stream or a gzip member (tapes, the .xz format's stream padding). */
static bool is_padding(const struct unpack *u)
{
    for (size_t i = u->at; i < u->n; i++)
        if (u->buffer[i])
            return false;
    return true;
}

static bool is_too_much(const struct unpack *u)
{
    if (u->max_out && u->n_out > u->max_out)
        return true;
    uint64_t in = u->n_in < UNPACK_MAX_BYTES ? u->n_in : UNPACK_MAX_BYTES;
    return u->kind != UNPACK_PLAIN && (u->n_out > UNPACK_FREE_BYTES + in * UNPACK_RATIO || u->n_out > UNPACK_MAX_BYTES);
}

/* end_of_input - nothing more comes: was that the right place? */
static int end_of_input(const struct unpack *u)
{
    return u->kind == UNPACK_PLAIN || u->is_between ? 0 : UNPACK_TRUNCATED;
}

int unpack_read(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n)
{
    *ret_n = 0;
    int rc = u->is_known ? 0 : look(u);
    while (!rc && n) {
        bool has_ended = false;
        rc = fill(u);
        if (rc)
            return rc;
        if (u->is_between && u->at < u->n && is_padding(u)) {
            u->at = u->n;
            continue;
        }
        bool is_drained = u->at == u->n;
        if (is_drained && (!u->is_open || u->is_between))
            return end_of_input(u);
        if (!u->is_open && u->kind != UNPACK_PLAIN)
            rc = open_stream(u);
        if (rc)
            return rc;
        u->is_between = false;
        rc = step(u, p, n, ret_n, &has_ended);
        u->n_out += *ret_n;
        if (has_ended) {
            close_stream(u);
            u->is_between = true;
        }
        if (!rc && is_too_much(u))
            rc = UNPACK_BOMB;
        if (rc || *ret_n)
            return rc;
        if (is_drained && !has_ended)
            return end_of_input(u);
    }
    return rc;
}

enum unpack_kind unpack_kind(const struct unpack *u)
{
    return u->kind;
}

uint64_t unpack_bytes_in(const struct unpack *u)
{
    return u->n_in;
}

uint64_t unpack_bytes_out(const struct unpack *u)
{
    return u->n_out;
}
