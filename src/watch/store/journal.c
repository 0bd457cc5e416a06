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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#define HEADER_MAGIC "VONGGACJ"
#define FRAME_MAGIC UINT32_C(0x4a464756) /* VGFJ */
#define END_MAGIC UINT32_C(0x454a4756)   /* VGJE */
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
    uint64_t n_before; /* length of the file when it was used again: what lies within may be of the journal before */
    uint64_t reserved;
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

/* behind the last frame; the next one takes its place */
struct end_mark {
    uint32_t magic, id; /* the lower half of the journal's */
};
_Static_assert(sizeof(struct end_mark) == 8, "as in the file");

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

/* begin - header and mark, not synced. */
static int begin(int fd, uint64_t id, int family, uint64_t n_before)
{
    struct {
        struct header header;
        struct end_mark end;
    } w = {.header = {.magic = HEADER_MAGIC, .major = JOURNAL_MAJOR, .minor = JOURNAL_MINOR, .byte_order = BYTE_ORDER_MARK,
                      .id = id, .family = (uint64_t)family, .created_us = clock_now_us(), .n_before = n_before},
           .end = {END_MAGIC, (uint32_t)id}};
    w.header.hash = XXH3_64bits(&w.header, offsetof(struct header, hash));
    int r = file_step("write");
    return r ? r : file_pwrite_full(fd, &w, sizeof(w), 0);
}

static struct journal journal_of(int fd, uint64_t id, int family)
{
    return (struct journal){.fd = fd, .family = family, .id = id, .n_bytes = JOURNAL_HEADER_BYTES,
                            .arrived_min_us = INT64_MAX, .arrived_max_us = INT64_MIN};
}

int journal_create(int dir_fd, uint64_t id, int family, struct journal *ret, struct fault *f)
{
    char name[JOURNAL_NAME_MAX];
    journal_name(id, name);
    int r = file_step("journal-create");
    if (r)
        return write_failed(f, id, r);
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return write_failed(f, id, -errno);
    r = begin(fd, id, family, 0);
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
    *ret = journal_of(fd, id, family);
    return 0;
}

/*
 * reuse - the header first: a reader who comes by the old name then sees that it is too late. It is not synced: that would
 * wait for all that the journal before left to be written. If the power goes before the first sync, an older id tells so.
 */
static int reuse(int dir_fd, int fd, const char *old_name, const char *name, uint64_t id, int family)
{
    struct stat st;
    int r = file_step("journal-create");
    if (!r)
        r = fstat(fd, &st) ? -errno : begin(fd, id, family, (uint64_t)st.st_size);
    if (!r)
        r = file_step("journal-rename");
    if (!r && renameat(dir_fd, old_name, dir_fd, name))
        r = -errno;
    return r ? r : file_sync_dir(dir_fd);
}

int journal_reuse(int dir_fd, uint64_t old, uint64_t id, int family, struct journal *ret, struct fault *f)
{
    char old_name[JOURNAL_NAME_MAX], name[JOURNAL_NAME_MAX];
    journal_name(old, old_name);
    journal_name(id, name);
    int fd = openat(dir_fd, old_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return write_failed(f, old, -errno);
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        return JOURNAL_SHARED;
    }
    int r = reuse(dir_fd, fd, old_name, name, id, family);
    if (r) {
        close(fd);
        unlinkat(dir_fd, old_name, 0);
        unlinkat(dir_fd, name, 0);
        return write_failed(f, id, r);
    }
    (void)flock(fd, LOCK_UN);
    *ret = journal_of(fd, id, family);
    return 0;
}

int journal_share(int fd)
{
    return flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK ? JOURNAL_SHARED : 0; /* no locks here: none there either */
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
    uint8_t rest[8 + sizeof(struct end_mark)] = {0}; /* zeros, then the mark */
    const struct end_mark end = {END_MAGIC, (uint32_t)j->id};
    size_t n_payload = frame->n_notes + frame->n_batch;
    if (frame->n_notes > JOURNAL_NOTES_MAX || frame->n_batch > BATCH_PACK_MAX)
        return write_failed(f, j->id, -EMSGSIZE);
    struct frame_head h = {.magic = FRAME_MAGIC, .n_payload = (uint32_t)n_payload, .sequence = frame->sequence,
                           .arrived_us = frame->arrived_us, .n_rows = frame->n_rows,
                           .n_notes = (uint32_t)frame->n_notes};
    struct iovec parts[4] = {{&h, sizeof(h)},
                             {unconst(frame->notes), frame->n_notes},
                             {unconst(frame->batch), frame->n_batch},
                             {rest, padded(n_payload) - n_payload + sizeof(end)}};
    memcpy(rest + (padded(n_payload) - n_payload), &end, sizeof(end));
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
    uint64_t id, n_file, n_before; /* n_before: see struct header */
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

/* is_end - whether the mark stands at @at. Return: 1, 0 or -errno. */
static int is_end(const struct walk *w, uint64_t at)
{
    struct end_mark end;
    int r = w->n_file - at < sizeof(end) ? -EIO : file_pread_full(w->fd, &end, sizeof(end), at);
    return r == -EIO ? 0 : r ? r : end.magic == END_MAGIC && end.id == (uint32_t)w->id;
}

/* count_torn - @at: behind the last whole frame. Where a journal stood before, only what begins like a frame is of this one. */
static void count_torn(struct walk *w, uint64_t at)
{
    struct frame_head h;
    uint64_t n = w->n_file > at ? w->n_file - at : 0;
    if (n && w->n_before) {
        bool is_frame = n >= sizeof(h) && !file_pread_full(w->fd, &h, sizeof(h), at) && h.magic == FRAME_MAGIC;
        uint64_t claimed = is_frame ? sizeof(h) + padded(h.n_payload) : 0;
        n = claimed < n ? claimed : n;
    }
    w->report->n_torn_bytes = n;
}

static int walk_frames(struct walk *w)
{
    uint64_t at = JOURNAL_HEADER_BYTES;
    while (at < w->n_file) {
        struct frame_head h;
        uint64_t found = at;
        int r = is_end(w, at);
        if (r < 0)
            return r;
        if (r) {
            if (!w->n_before) /* nothing can be there */
                w->report->n_torn_bytes = w->n_file - at - sizeof(struct end_mark);
            return 0;
        }
        r = read_frame(w, at, &h);
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
    count_torn(w, at);
    return 0;
}

#define NEVER_BEGUN UINT64_MAX

static int check_header(int fd, uint64_t id, int family, uint64_t n_file, uint64_t *ret_n_before, struct fault *f)
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
    if (h.id < id) { /* used again, and the power went before anything of it was synced */
        *ret_n_before = NEVER_BEGUN;
        return 0;
    }
    if (h.id != id || h.family != (uint64_t)family)
        return FAULT(f, -EBADMSG, store_journal_foreign);
    *ret_n_before = h.n_before;
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
    uint64_t n_before = 0;
    int r = check_header(fd, id, family, (uint64_t)st.st_size, &n_before, f);
    if (r || n_before == NEVER_BEGUN)
        return r;
    struct walk w = {.fd = fd, .id = id, .n_file = (uint64_t)st.st_size, .n_before = n_before,
                     .payload = {.max = PAYLOAD_MAX + 16}, .each = each, .context = context, .report = ret};
    r = walk_frames(&w);
    buf_fini(&w.payload);
    if (r == 0 || w.is_ended)
        return r;
    if (r == -ENOMEM)
        return FAULT(f, r, store_no_memory, "store/journals");
    return FAULT(f, r, store_read_failed, "store/journals", strerrordesc_np(-r));
}
