/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows go to the file block by block, so that a merge of any size needs the memory of a block; what must be held until the
 * end is the directory (40 bytes for 1,024 rows) and the checksums (8 bytes for 64 KiB).
 */
#include "watch/lease/segment_inside.h"

#include "base/file.h"
#include "watch/store/checksum.h"
#include "watch/store/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PENDING_BYTES (16 * SEALED_PIECE)
#define BEFORE 64u /* rows looked back at for a doubled one */

struct lease_writer {
    int fd;
    char name[64];
    struct lease_header header;
    uint64_t n_doubled;
    int failed; /* first -errno */
    uint64_t column[LEASE_N_COLUMNS][LEASE_BLOCK_ROWS];
    uint32_t n; /* rows of the open block */
    struct lease before[BEFORE];
    uint32_t n_before;
    struct lease_block_entry open;
    uint8_t *pending;
    size_t n_pending;
    struct buf checksums, blocks;
};

#define COMPARE(x, y)      \
    if ((x) != (y))        \
        return (x) < (y) ? -1 : 1

int lease_compare(const struct lease *a, const struct lease *b)
{
    int r = ip_compare(&a->outside, &b->outside);
    if (r)
        return r;
    COMPARE(lease_begin_us(a), lease_begin_us(b));
    COMPARE(a->port_first, b->port_first);
    COMPARE(a->port_last, b->port_last);
    COMPARE(a->kind, b->kind);
    COMPARE(a->protocol, b->protocol);
    r = ip_compare(&a->inside, &b->inside);
    if (r)
        return r;
    COMPARE(a->inside_port, b->inside_port);
    COMPARE(a->from_us, b->from_us);
    COMPARE(a->to_us, b->to_us);
    COMPARE(a->mac, b->mac);
    COMPARE(a->flags, b->flags);
    COMPARE(a->prefix, b->prefix);
    return 0;
}

static bool has_same_texts(const struct lease *a, const struct lease *b)
{
    return a->gateway == b->gateway && a->realm == b->realm && a->source == b->source && a->subscriber == b->subscriber &&
           a->host == b->host;
}

int lease_writer_open(int dir_fd, const char *name, uint64_t id, struct lease_writer **ret, struct fault *f)
{
    int r = file_step("lease-create");
    _cleanup_close_ int fd = r ? -1 : openat(dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        r = r ? r : -errno;
        return FAULT(f, r, store_write_failed, name, strerrordesc_np(-r));
    }
    return lease_writer_open_fd(fd, name, id, ret, f);
}

int lease_writer_open_fd(int fd, const char *name, uint64_t id, struct lease_writer **ret, struct fault *f)
{
    struct lease_writer *w = calloc(1, sizeof(*w));
    if (w)
        w->pending = malloc(PENDING_BYTES);
    if (!w || !w->pending) {
        free(w);
        return FAULT(f, -ENOMEM, store_no_memory, name);
    }
    w->header = (struct lease_header){.major = LEASE_SEGMENT_MAJOR, .minor = LEASE_SEGMENT_MINOR, .byte_order = LEASE_BYTE_ORDER,
                                      .id = id, .begin_min_us = INT64_MAX, .begin_max_us = INT64_MIN, .end_max_us = INT64_MIN};
    memcpy(w->header.magic, LEASE_MAGIC, sizeof(w->header.magic));
    w->checksums.max = w->blocks.max = (size_t)4 << 30;
    snprintf(w->name, sizeof(w->name), "%s", name);
    w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int r = w->fd < 0 ? -errno : 0;
    static const uint8_t zeros[LEASE_HEADER_BYTES];
    if (!r)
        r = file_write_full(w->fd, zeros, sizeof(zeros));
    if (r) {
        lease_writer_abort(w);
        return FAULT(f, r, store_write_failed, name, strerrordesc_np(-r));
    }
    *ret = w;
    return 0;
}

void lease_writer_abort(struct lease_writer *w)
{
    if (!w)
        return;
    file_close(&w->fd);
    buf_fini(&w->checksums);
    buf_fini(&w->blocks);
    free(w->pending);
    free(w);
}

/* flush - whole pieces of what is pending; at the very end all of it. */
static void flush(struct lease_writer *w)
{
    for (size_t at = 0; at < w->n_pending; at += SEALED_PIECE) {
        size_t n = w->n_pending - at < SEALED_PIECE ? w->n_pending - at : SEALED_PIECE;
        uint64_t h = checksum(w->pending + at, n);
        buf_add(&w->checksums, &h, sizeof(h));
    }
    int r = w->n_pending ? file_step("lease-write") : 0;
    if (!r)
        r = file_write_full(w->fd, w->pending, w->n_pending);
    if (r && !w->failed)
        w->failed = r;
    w->n_pending = 0;
}

static void put(struct lease_writer *w, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    w->header.body_bytes += n;
    while (n) {
        size_t room = PENDING_BYTES - w->n_pending, part = n < room ? n : room;
        memcpy(w->pending + w->n_pending, p, part);
        w->n_pending += part;
        p += part;
        n -= part;
        if (w->n_pending == PENDING_BYTES)
            flush(w);
    }
}

static void close_block(struct lease_writer *w)
{
    uint8_t bytes[LEASE_N_COLUMNS * PACK_MAX_BYTES];
    uint32_t ends[LEASE_N_COLUMNS];
    size_t n = 0;
    if (!w->n)
        return;
    for (unsigned c = 0; c < LEASE_N_COLUMNS; c++) {
        n += pack_mini64(w->column[c], w->n, bytes + n);
        ends[c] = (uint32_t)n;
    }
    w->open.offset = w->header.body_bytes;
    buf_add(&w->blocks, &w->open, sizeof(w->open));
    put(w, ends, sizeof(ends));
    put(w, bytes, n);
    w->header.n_blocks++;
    w->n = 0;
}

static bool is_doubled(struct lease_writer *w, const struct lease *l)
{
    bool is_new_group = w->n_before && (ip_compare(&w->before[0].outside, &l->outside) ||
                                        lease_begin_us(&w->before[0]) != lease_begin_us(l));
    if (is_new_group)
        w->n_before = 0;
    uint32_t n = w->n_before < BEFORE ? w->n_before : BEFORE;
    for (uint32_t i = 0; i < n; i++)
        if (!lease_compare(&w->before[i], l) && has_same_texts(&w->before[i], l))
            return true;
    w->before[w->n_before++ % BEFORE] = *l;
    return false;
}

static void take_bounds(struct lease_writer *w, const struct lease *l)
{
    int64_t begin = lease_begin_us(l), least = l->from_us == LEASE_UNKNOWN ? INT64_MIN : l->from_us;
    int64_t end = l->to_us == LEASE_UNKNOWN ? INT64_MAX : l->to_us;
    if (!w->n)
        w->open = (struct lease_block_entry){.first = l->outside, .begin_min_us = least, .end_max_us = end};
    w->open.begin_min_us = least < w->open.begin_min_us ? least : w->open.begin_min_us;
    w->open.end_max_us = end > w->open.end_max_us ? end : w->open.end_max_us;
    struct lease_header *h = &w->header;
    h->prefixes[l->prefix / 64] |= UINT64_C(1) << l->prefix % 64;
    h->begin_min_us = least < h->begin_min_us ? least : h->begin_min_us;
    h->begin_max_us = begin > h->begin_max_us ? begin : h->begin_max_us;
    h->end_max_us = end > h->end_max_us ? end : h->end_max_us;
}

int lease_writer_add(struct lease_writer *w, const struct lease *l)
{
    if (is_doubled(w, l)) {
        w->n_doubled++;
        return 0;
    }
    bool has_from = l->from_us != LEASE_UNKNOWN, has_to = l->to_us != LEASE_UNKNOWN;
    take_bounds(w, l);
    const uint64_t values[LEASE_N_COLUMNS] = {
        [LEASE_HIGH] = lease_ip_high(&l->outside), [LEASE_LOW] = lease_ip_low(&l->outside),
        [LEASE_BEGIN] = (uint64_t)lease_begin_us(l), [LEASE_SPAN] = has_from && has_to ? (uint64_t)(l->to_us - l->from_us) : 0,
        [LEASE_BITS] = (uint64_t)l->kind | (uint64_t)l->protocol << 8 | (uint64_t)l->flags << 16 | (uint64_t)(128 - l->prefix) << 32 |
                       (has_from ? 0 : LEASE_NO_FROM) | (has_to ? 0 : LEASE_NO_TO),
        [LEASE_PORT] = l->port_first, [LEASE_PORTS] = (uint64_t)(l->port_last - l->port_first),
        [LEASE_INSIDE_HIGH] = lease_ip_high(&l->inside), [LEASE_INSIDE_LOW] = lease_ip_low(&l->inside),
        [LEASE_INSIDE_PORT] = l->inside_port, [LEASE_MAC] = l->mac, [LEASE_GATEWAY] = l->gateway, [LEASE_REALM] = l->realm,
        [LEASE_SOURCE] = l->source, [LEASE_SUBSCRIBER] = l->subscriber, [LEASE_HOST] = l->host,
    };
    for (unsigned c = 0; c < LEASE_N_COLUMNS; c++)
        w->column[c][w->n] = values[c];
    w->header.n_rows++;
    if (++w->n == LEASE_BLOCK_ROWS)
        close_block(w);
    return w->failed;
}

static void put_texts(struct lease_writer *w, const struct texts *t)
{
    static const uint8_t zeros[8];
    w->header.text_ends_at = w->header.body_bytes;
    w->header.n_texts = t->n;
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t end = i ? (uint32_t)t->end[i] : 0;
        put(w, &end, sizeof(end));
    }
    w->header.texts_at = w->header.body_bytes;
    if (t->n > 1)
        put(w, t->bytes.p, (size_t)t->end[t->n - 1]);
    put(w, zeros, -w->header.body_bytes & 7);
}

static int put_end(struct lease_writer *w)
{
    int r = file_step("lease-write");
    if (!r)
        r = file_write_full(w->fd, w->checksums.p, w->checksums.n);
    w->header.checksum = checksum(&w->header, offsetof(struct lease_header, checksum));
    if (!r)
        r = file_step("lease-header");
    if (!r && pwrite(w->fd, &w->header, sizeof(w->header), 0) != (ssize_t)sizeof(w->header))
        r = errno ? -errno : -EIO;
    if (!r)
        r = file_step("lease-sync");
    return !r && fsync(w->fd) ? -errno : r;
}

int lease_writer_close(struct lease_writer *w, const struct texts *texts, const struct lease_hour *hours, size_t n_hours,
                       struct lease_segment_info *ret, uint64_t *ret_n_doubled, struct fault *f)
{
    struct lease_header *h = &w->header;
    close_block(w);
    uint8_t zeros[8] = {0};
    put(w, zeros, -h->body_bytes & 7);
    h->blocks_at = h->body_bytes;
    put(w, w->blocks.p, w->blocks.n);
    put_texts(w, texts);
    h->hours_at = h->body_bytes;
    h->n_hours = n_hours;
    put(w, hours, n_hours * sizeof(*hours));
    flush(w);
    int r = w->failed ? w->failed : w->checksums.is_bad || w->blocks.is_bad ? -ENOMEM : 0;
    if (!r)
        r = put_end(w);
    if (r)
        (void)FAULT(f, r, store_write_failed, w->name, strerrordesc_np(-r));
    *ret = (struct lease_segment_info){.id = h->id, .n_rows = h->n_rows, .n_bytes = LEASE_HEADER_BYTES + h->body_bytes + w->checksums.n,
                                       .begin_min_us = h->begin_min_us, .begin_max_us = h->begin_max_us, .end_max_us = h->end_max_us};
    *ret_n_doubled = w->n_doubled;
    lease_writer_abort(w);
    return r;
}
