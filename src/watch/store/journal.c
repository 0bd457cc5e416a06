/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Appending is one pwritev at a known offset: a torn frame is either cut at once or overwritten by the
 * next one, and a stale frame behind a shorter new one is told by its lower sequence.
 */
#include "watch/store/journal.h"

#include "base/clock.h"
#include "base/cursor.h"
#include "base/file.h"
#include "watch/store/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#define HEADER_MAGIC "VONGGACJ"
#define FRAME_MAGIC UINT32_C(0x4a464756) /* VGFJ */
#define BYTE_ORDER_MARK UINT32_C(0x01020304)
#define PAYLOAD_MAX (BATCH_PACK_MAX + JOURNAL_NOTES_MAX)
#define RESYNC_TRIES 65536u /* candidates looked at after damage, in all */

struct header {
    char magic[8];
    uint16_t major, minor;
    uint32_t byte_order;
    uint64_t id;
    uint64_t family;
    int64_t created_us;
    uint64_t reserved[2];
    uint64_t hash; /* of the 56 bytes before */
};
_Static_assert(sizeof(struct header) == JOURNAL_HEADER_BYTES, "as in the file");

struct frame_head {
    uint32_t magic;
    uint32_t n_payload;
    uint64_t sequence;
    int64_t arrived_us;
    uint32_t n_rows, n_notes, reserved[2];
    uint64_t hash; /* of the 40 bytes before and the payload */
};
_Static_assert(sizeof(struct frame_head) == JOURNAL_FRAME_BYTES, "as in the file");

static uint64_t padded(uint64_t n)
{
    return (n + 7) & ~UINT64_C(7);
}

void journal_name(uint64_t id, char out[JOURNAL_NAME_MAX])
{
    snprintf(out, JOURNAL_NAME_MAX, "%llu.wal", (unsigned long long)id);
}

static int write_failed(struct fault *f, uint64_t id, int r)
{
    char shown[JOURNAL_NAME_MAX + 16], name[JOURNAL_NAME_MAX];
    journal_name(id, name);
    snprintf(shown, sizeof(shown), "store/journals/%s", name);
    return FAULT(f, r, store_write_failed, shown, strerrordesc_np(-r));
}

/* --- writing ------------------------------------------------------------------------ */

int journal_create(int dir_fd, uint64_t id, int family, struct journal *ret, struct fault *f)
{
    struct header h = {.magic = HEADER_MAGIC, .major = JOURNAL_MAJOR, .minor = JOURNAL_MINOR,
                       .byte_order = BYTE_ORDER_MARK, .id = id, .family = (uint64_t)family,
                       .created_us = clock_now_us()};
    h.hash = XXH3_64bits(&h, offsetof(struct header, hash));
    char name[JOURNAL_NAME_MAX];
    journal_name(id, name);
    int r = file_step("journal-create");
    if (r)
        return write_failed(f, id, r);
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return write_failed(f, id, -errno);
    r = file_write_full(fd, &h, sizeof(h));
    if (!r)
        r = file_step("journal-sync");
    if (!r && fdatasync(fd))
        r = -errno;
    if (!r)
        r = file_sync_dir(dir_fd);
    if (r) {
        close(fd);
        unlinkat(dir_fd, name, 0);
        return write_failed(f, id, r);
    }
    *ret = (struct journal){.fd = fd, .family = family, .id = id, .n_bytes = sizeof(h),
                            .arrived_min_us = INT64_MAX, .arrived_max_us = INT64_MIN};
    return 0;
}

/* frame_hash - of the head and a payload of two pieces. */
static uint64_t frame_hash(uint64_t id, const struct frame_head *h, struct checksum_part first, struct checksum_part second)
{
    const struct checksum_part parts[] = {{h, offsetof(struct frame_head, hash)}, first, second};
    return checksum_parts(id, parts, 3);
}

static int write_parts(int fd, struct iovec *parts, int n, uint64_t offset)
{
    while (n) {
        ssize_t put = pwritev(fd, parts, n, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        offset += (uint64_t)put;
        while (n && (size_t)put >= parts->iov_len) {
            put -= (ssize_t)parts->iov_len;
            parts++;
            n--;
        }
        if (n) {
            parts->iov_base = (uint8_t *)parts->iov_base + put;
            parts->iov_len -= (size_t)put;
        }
    }
    return 0;
}

static void *unconst(const void *p)
{
    void *q;
    memcpy(&q, &p, sizeof(q));
    return q;
}

int journal_append(struct journal *j, const struct journal_frame *frame, struct fault *f)
{
    static uint8_t zeros[8];
    size_t n_payload = frame->n_notes + frame->n_batch;
    if (frame->n_notes > JOURNAL_NOTES_MAX || frame->n_batch > BATCH_PACK_MAX)
        return write_failed(f, j->id, -EMSGSIZE);
    struct frame_head h = {.magic = FRAME_MAGIC, .n_payload = (uint32_t)n_payload, .sequence = frame->sequence,
                           .arrived_us = frame->arrived_us, .n_rows = frame->n_rows,
                           .n_notes = (uint32_t)frame->n_notes};
    struct iovec parts[4] = {{&h, sizeof(h)},
                             {unconst(frame->notes), frame->n_notes},
                             {unconst(frame->batch), frame->n_batch},
                             {zeros, padded(n_payload) - n_payload}};
    h.hash = frame_hash(j->id, &h, (struct checksum_part){frame->notes, frame->n_notes},
                        (struct checksum_part){frame->batch, frame->n_batch});
    int r = file_step("journal-write");
    if (!r)
        r = write_parts(j->fd, parts, 4, j->n_bytes);
    if (r) {
        if (ftruncate(j->fd, (off_t)j->n_bytes)) {
            /* then the next frame overwrites it, or recovery cuts it: it is not whole */
        }
        return write_failed(f, j->id, r);
    }
    j->n_bytes += sizeof(h) + padded(n_payload);
    j->n_rows += frame->n_rows;
    j->sequence = frame->sequence;
    if (frame->arrived_us < j->arrived_min_us)
        j->arrived_min_us = frame->arrived_us;
    if (frame->arrived_us > j->arrived_max_us)
        j->arrived_max_us = frame->arrived_us;
    j->is_dirty = true;
    return 0;
}

int journal_sync(struct journal *j, struct fault *f)
{
    if (!j->is_dirty)
        return 0;
    int r = file_step("journal-sync");
    if (!r && fdatasync(j->fd))
        r = -errno;
    if (r) {
        char shown[JOURNAL_NAME_MAX + 16], name[JOURNAL_NAME_MAX];
        journal_name(j->id, name);
        snprintf(shown, sizeof(shown), "store/journals/%s", name);
        return FAULT(f, r, store_sync_failed, shown, strerrordesc_np(-r));
    }
    j->is_dirty = false;
    return 0;
}

void journal_close(struct journal *j)
{
    file_close(&j->fd);
}

/* --- notes ---------------------------------------------------------------------------- */

void journal_note_add(struct buf *b, const void *key, size_t n_key, uint64_t value)
{
    buf_add_byte(b, (uint8_t)n_key);
    buf_add(b, key, n_key);
    buf_add(b, &value, sizeof(value));
}

bool journal_note_next(const uint8_t **p, const uint8_t *end, const uint8_t **ret_key, size_t *ret_n_key,
                       uint64_t *ret_value)
{
    if (*p == end)
        return false;
    struct cursor c = cursor_over(*p, (size_t)(end - *p));
    *ret_n_key = cursor_u8(&c);
    *ret_key = cursor_take(&c, *ret_n_key);
    *ret_value = cursor_le64(&c);
    *p = c.is_bad ? end : c.p;
    return !c.is_bad;
}

/* --- reading ---------------------------------------------------------------------------- */

struct walk {
    int fd;
    uint64_t id, n_file;
    uint32_t n_tries;
    struct buf payload;
    int (*each)(void *context, const struct journal_frame *frame);
    void *context;
    struct journal_report *report;
    bool is_ended; /* by @each, which has its own reasons */
};

enum { WHOLE = 0, NOT_WHOLE = 1 };

/* read_frame - the frame at @at into w->payload. Return: WHOLE, NOT_WHOLE or -errno. */
static int read_frame(struct walk *w, uint64_t at, struct frame_head *h)
{
    if (w->n_file - at < sizeof(*h))
        return NOT_WHOLE;
    int r = file_pread_full(w->fd, h, sizeof(*h), at);
    if (r == -EIO)
        return NOT_WHOLE; /* shortened beside us */
    if (r)
        return r;
    bool is_plausible = h->magic == FRAME_MAGIC && h->n_payload <= PAYLOAD_MAX && h->n_notes <= h->n_payload &&
                        h->n_rows <= FLOW_BATCH_ROWS &&
                        (w->report->n_frames == 0 || h->sequence > w->report->sequence);
    if (!is_plausible || w->n_file - at - sizeof(*h) < padded(h->n_payload))
        return NOT_WHOLE;
    buf_clear(&w->payload);
    uint8_t *to = buf_room(&w->payload, h->n_payload + 1);
    if (!to)
        return -ENOMEM;
    r = file_pread_full(w->fd, to, h->n_payload, at + sizeof(*h));
    if (r == -EIO)
        return NOT_WHOLE;
    if (r)
        return r;
    uint64_t hash = frame_hash(w->id, h, (struct checksum_part){to, h->n_payload}, (struct checksum_part){NULL, 0});
    return hash == h->hash ? WHOLE : NOT_WHOLE;
}

/* find_frame - the next whole frame after damage at @from. Return: WHOLE (then *ret_at), NOT_WHOLE, -errno. */
static int find_frame(struct walk *w, uint64_t from, struct frame_head *h, uint64_t *ret_at)
{
    enum { PIECE = 1 << 16 };
    uint64_t piece[PIECE / 8];
    for (uint64_t at = from; at < w->n_file;) {
        size_t n = w->n_file - at < PIECE ? (size_t)(w->n_file - at) : PIECE;
        int r = file_pread_full(w->fd, piece, n, at);
        if (r)
            return r == -EIO ? NOT_WHOLE : r;
        for (size_t i = 0; i + 1 <= n / 8; i++) {
            if ((uint32_t)piece[i] != FRAME_MAGIC)
                continue;
            if (w->n_tries++ >= RESYNC_TRIES)
                return NOT_WHOLE;
            *ret_at = at + i * 8;
            r = read_frame(w, *ret_at, h);
            if (r != NOT_WHOLE)
                return r;
        }
        at += n;
    }
    return NOT_WHOLE;
}

static int hand_frame(struct walk *w, const struct frame_head *h, uint64_t at)
{
    struct journal_report *r = w->report;
    r->n_frames++;
    r->n_rows += h->n_rows;
    r->sequence = h->sequence;
    r->n_bytes = at + sizeof(*h) + padded(h->n_payload);
    if (h->arrived_us < r->arrived_min_us)
        r->arrived_min_us = h->arrived_us;
    if (h->arrived_us > r->arrived_max_us)
        r->arrived_max_us = h->arrived_us;
    if (!w->each)
        return 0;
    struct journal_frame frame = {.sequence = h->sequence, .arrived_us = h->arrived_us, .n_rows = h->n_rows,
                                  .notes = w->payload.p, .n_notes = h->n_notes, .batch = w->payload.p + h->n_notes,
                                  .n_batch = h->n_payload - h->n_notes};
    int e = w->each(w->context, &frame);
    w->is_ended = e != 0;
    return e;
}

static int walk_frames(struct walk *w)
{
    uint64_t at = JOURNAL_HEADER_BYTES;
    while (at < w->n_file) {
        struct frame_head h;
        uint64_t found = at;
        int r = read_frame(w, at, &h);
        if (r == NOT_WHOLE)
            r = find_frame(w, at + 8, &h, &found);
        if (r == NOT_WHOLE)
            break;
        if (r)
            return r;
        w->report->n_damaged_bytes += found - at;
        r = hand_frame(w, &h, found);
        if (r)
            return r;
        at = w->report->n_bytes;
    }
    w->report->n_torn_bytes = w->n_file > at ? w->n_file - at : 0;
    return 0;
}

static int check_header(int fd, uint64_t id, int family, uint64_t n_file, struct fault *f)
{
    struct header h;
    int r = n_file < sizeof(h) ? -EIO : file_pread_full(fd, &h, sizeof(h), 0);
    if (r == -EIO)
        return FAULT(f, -EBADMSG, store_journal_foreign);
    if (r)
        return FAULT(f, r, store_read_failed, "store/journals", strerrordesc_np(-r));
    if (memcmp(h.magic, HEADER_MAGIC, sizeof(h.magic)) != 0 || h.byte_order != BYTE_ORDER_MARK ||
        h.hash != XXH3_64bits(&h, offsetof(struct header, hash)))
        return FAULT(f, -EBADMSG, store_journal_foreign);
    if (h.major > JOURNAL_MAJOR)
        return FAULT(f, -EPROTO, store_newer_format, "store/journals", (unsigned)h.major, (unsigned)JOURNAL_MAJOR);
    if (h.id != id || h.family != (uint64_t)family)
        return FAULT(f, -EBADMSG, store_journal_foreign);
    return 0;
}

int journal_walk(int fd, uint64_t id, int family, int (*each)(void *context, const struct journal_frame *frame),
                 void *context, struct journal_report *ret, struct fault *f)
{
    *ret = (struct journal_report){.n_bytes = JOURNAL_HEADER_BYTES, .arrived_min_us = INT64_MAX,
                                   .arrived_max_us = INT64_MIN};
    struct stat st;
    if (fstat(fd, &st)) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, "store/journals", strerrordesc_np(-e));
    }
    int r = check_header(fd, id, family, (uint64_t)st.st_size, f);
    if (r)
        return r;
    struct walk w = {.fd = fd, .id = id, .n_file = (uint64_t)st.st_size, .payload = {.max = PAYLOAD_MAX + 16},
                     .each = each, .context = context, .report = ret};
    r = walk_frames(&w);
    buf_fini(&w.payload);
    if (r == 0 || w.is_ended)
        return r;
    if (r == -ENOMEM)
        return FAULT(f, r, store_no_memory, "store/journals");
    return FAULT(f, r, store_read_failed, "store/journals", strerrordesc_np(-r));
}
