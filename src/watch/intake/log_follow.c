/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look at the names first (which files are there, which of them are known), then reading, a piece of each file in turn.
 * The position of a file goes into the journal's frame that holds its rows, as notes under a slot's number: the number of
 * notes is bounded by the number of slots.
 */
#include "watch/intake/log_follow_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/evtx.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { TICK_US = 200000, RETRY_MS = 100, LAST_CHANCES = 5, PIECES_A_TURN = 16, IDLE_US = 600000000, PATHS_MAX = 4096 };

/* --- what a file holds ------------------------------------------------------------------------------------------------ */

static uint64_t hash(const uint8_t *p, size_t n)
{
    return XXH3_64bits_withSeed(p, n, n);
}

/* advance - @n more bytes were read behind what head and tail know. */
static void advance(struct slot *s, const uint8_t *p, size_t n)
{
    size_t to_head = HEAD_BYTES - s->n_head < n ? HEAD_BYTES - s->n_head : n;
    memcpy(s->head + s->n_head, p, to_head);
    s->n_head += (uint32_t)to_head;
    if (n >= TAIL_BYTES) {
        memcpy(s->tail, p + n - TAIL_BYTES, TAIL_BYTES);
        s->n_tail = TAIL_BYTES;
        return;
    }
    size_t stay = s->n_tail + n > TAIL_BYTES ? TAIL_BYTES - n : s->n_tail;
    memmove(s->tail, s->tail + s->n_tail - stay, stay);
    memcpy(s->tail + stay, p, n);
    s->n_tail = (uint32_t)(stay + n);
}

static void set_marks(struct slot *s)
{
    s->note[NOTE_HEAD] = hash(s->head, s->n_head);
    s->note[NOTE_TAIL] = hash(s->tail, s->n_tail);
    s->is_dirty = true;
}

static void restart(struct slot *s)
{
    s->note[NOTE_OFFSET] = s->note[NOTE_PACKED_BYTES] = 0;
    s->n_head = s->n_tail = 0;
    set_marks(s);
}

static int64_t time_us(const struct timespec *t)
{
    return t->tv_sec * US_PER_SECOND + t->tv_nsec / 1000;
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

/* goes_on - whether the plain file @fd holds before @s's position what @s has read. */
static bool goes_on(int fd, uint64_t n_bytes, const struct slot *s)
{
    uint8_t head[HEAD_BYTES], tail[TAIL_BYTES];
    uint64_t offset = s->note[NOTE_OFFSET];
    size_t n_head = least(offset, HEAD_BYTES), n_tail = least(offset, TAIL_BYTES);
    return n_bytes >= offset && !file_pread_full(fd, head, n_head, 0) && !file_pread_full(fd, tail, n_tail, offset - n_tail) &&
           hash(head, n_head) == s->note[NOTE_HEAD] && hash(tail, n_tail) == s->note[NOTE_TAIL];
}

static bool is_packed(const uint8_t *p, size_t n)
{
    return n >= 6 && (!memcmp(p, "\x1f\x8b", 2) || !memcmp(p, "\xfd" "7zXZ", 6) || !memcmp(p, "\x28\xb5\x2f\xfd", 4) ||
                      (!memcmp(p, "BZh", 3) && p[3] >= '1' && p[3] <= '9' && !memcmp(p + 4, "1A", 2)));
}

/* kind_of - what kind of file: told by its first bytes. */
static enum follow_kind kind_of(int fd)
{
    uint8_t magic[8];
    if (file_pread_full(fd, magic, sizeof(magic), 0))
        return FOLLOW_PLAIN;
    return evtx_is_magic(magic, sizeof(magic)) ? FOLLOW_EVTX : is_packed(magic, sizeof(magic)) ? FOLLOW_PACKED : FOLLOW_PLAIN;
}

/* --- slots ------------------------------------------------------------------------------------------------------------- */

static void close_slot(struct log_follower *f, struct slot *s)
{
    if (s->fd < 0)
        return;
    file_close(&s->fd);
    event_decoder_free(s->decoder);
    unpack_free(s->unpack);
    free(s->held);
    s->decoder = NULL;
    s->unpack = NULL;
    s->held = NULL;
    s->n_held = 0;
    s->is_evtx = false;
    f->inside->n_open--;
}

static struct slot *slot_of(struct log_follower *f, uint64_t device, uint64_t inode)
{
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++) {
        struct slot *s = &f->inside->slots[i];
        if (s->is_used && s->note[NOTE_INODE] == inode && s->note[NOTE_DEVICE] == device)
            return s;
    }
    return NULL;
}

/* new_slot - a free one, else that of a closed file not seen for longest. NULL: all files are there. */
static struct slot *new_slot(struct log_follower *f)
{
    struct slot *best = NULL;
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++) {
        struct slot *s = &f->inside->slots[i];
        if (!s->is_used) {
            best = s;
            break;
        }
        if (s->fd < 0 && s->look != f->inside->look && (!best || s->look < best->look))
            best = s;
    }
    if (best)
        *best = (struct slot){.is_used = true, .is_dirty = true, .fd = -1};
    return best;
}

/* --- the batch ------------------------------------------------------------------------------------------------------------ */

static int wait_for_store(struct log_follower *f)
{
    for (unsigned n_tries = 0; store_log_writer_append(f->o.writer, f->inside->events, &f->fault);) {
        atomic_store(&f->is_waiting, true);
        if (atomic_load(&f->is_ending) && ++n_tries > LAST_CHANCES)
            return -ECANCELED; /* the position is not noted either: it is read again */
        if (f->o.tick)
            (void)f->o.tick(f->o.context);
        poll(NULL, 0, RETRY_MS);
    }
    atomic_store(&f->is_waiting, false);
    return 0;
}

int follow_flush(struct log_follower *f)
{
    struct follow_inside *x = f->inside;
    int r = 0;
    if (!x->events->n)
        return 0;
    if (f->o.hook)
        r = f->o.hook(f->o.context, x->events);
    for (uint32_t i = 0; !r && i < FOLLOW_KNOWN_MAX; i++) {
        uint8_t key[sizeof(NOTE_KEY) - 1 + 3] = NOTE_KEY;
        if (!x->slots[i].is_dirty)
            continue;
        for (uint8_t k = 0; !r && k < N_NOTES; k++) {
            key[sizeof(NOTE_KEY) - 1] = (uint8_t)i;
            key[sizeof(NOTE_KEY)] = (uint8_t)(i >> 8);
            key[sizeof(NOTE_KEY) + 1] = k;
            r = store_log_writer_note(f->o.writer, key, sizeof(key), x->slots[i].note[k]);
        }
        x->slots[i].is_dirty = false;
    }
    r = r ? r : wait_for_store(f);
    events_clear(x->events);
    return r;
}

static int add_line(struct log_follower *f, struct slot *s, struct text line, uint64_t offset)
{
    struct event_source from = {.arrived_us = clock_now_us(), .known_us = s->written_us, .zone_s = f->o.zone_s,
                                .path = {s->path, strlen(s->path)}, .has_offset = true, .offset = offset};
    enum event_refusal reason;
    size_t at;
    atomic_fetch_add(&f->lines, 1);
    atomic_fetch_add(&f->bytes, line.n);
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    int e = event_record(s->decoder, EVENT_RECORD_ANY, line, &from, f->inside->events, &reason, &at);
    if (e == EVENT_RECORD_REFUSED) {
        atomic_fetch_add(&f->malformed, 1);
        e = event_record(s->decoder, EVENT_RECORD_LINE, line, &from, f->inside->events, &reason, &at);
    }
    if (e == EVENT_RECORD_NONE)
        atomic_fetch_add(&f->empty, 1);
    if (!e && !event_get(f->inside->events, f->inside->events->n - 1, EV_EVENT_DECODER))
        atomic_fetch_add(&f->plain, 1);
    s->last_us = from.arrived_us;
    return e == -ENOMEM ? FAULT(&f->fault, e, no_memory, "receivers") : 0;
}

/* --- reading -------------------------------------------------------------------------------------------------------------- */

/* take_lines - out of the @n bytes at the file's position; @is_final: also what no LF ends. Return: 0 or <0. */
static int take_lines(struct log_follower *f, struct slot *s, const uint8_t *p, size_t n, bool is_final, size_t *ret_taken)
{
    size_t at = 0, marked = 0;
    int r = 0;
    while (!r && at < n) {
        const uint8_t *end = memchr(p + at, '\n', n - at);
        if (!end && !is_final && (at || n < FOLLOW_LINE_MAX))
            break;
        size_t n_line = end ? (size_t)(end + 1 - (p + at)) : n - at;
        r = add_line(f, s, (struct text){(const char *)p + at, n_line}, s->note[NOTE_OFFSET] + (at - marked));
        at += n_line;
        if (!r && events_full(f->inside->events)) {
            advance(s, p + marked, at - marked);
            s->note[NOTE_OFFSET] += at - marked;
            marked = at;
            set_marks(s);
            r = follow_flush(f);
        }
    }
    *ret_taken = at;
    if (r || at == marked)
        return r;
    advance(s, p + marked, at - marked);
    s->note[NOTE_OFFSET] += at - marked;
    set_marks(s);
    return follow_flush(f);
}

/* read_plain - one piece. Return: 1 (there may be more), 0, or <0. */
static int read_plain(struct log_follower *f, struct slot *s, bool is_final)
{
    size_t taken, n_tail = s->n_tail;
    const uint8_t *p = f->inside->bytes;
    ssize_t n = pread(s->fd, f->inside->bytes, n_tail + FOLLOW_LINE_MAX, (off_t)(s->note[NOTE_OFFSET] - n_tail));
    if (n < 0)
        atomic_fetch_add(&f->refused, 1);
    if (n <= (ssize_t)n_tail || memcmp(p, s->tail, n_tail) != 0) /* written anew meanwhile: the next look says so */
        return 0;
    size_t n_new = (size_t)n - n_tail;
    int r = take_lines(f, s, p + n_tail, n_new, is_final && n_new < FOLLOW_LINE_MAX, &taken);
    return r ? r : taken > 0;
}

/* skip - what was known of a packed copy before it was packed. Return: false: it is something else after all. */
static bool skip(struct slot *s)
{
    size_t n = least(s->note[NOTE_OFFSET] - s->unpacked, s->n_held);
    advance(s, s->held, n);
    s->n_held -= n;
    s->unpacked += n;
    memmove(s->held, s->held + n, s->n_held);
    return s->unpacked < s->note[NOTE_OFFSET] ||
           (hash(s->head, s->n_head) == s->note[NOTE_HEAD] && hash(s->tail, s->n_tail) == s->note[NOTE_TAIL]);
}

static int open_packed(struct slot *s)
{
    unpack_free(s->unpack);
    s->unpack = NULL;
    s->n_held = s->n_head = s->n_tail = 0;
    s->unpacked = 0;
    if (!s->held && !(s->held = malloc(FOLLOW_LINE_MAX)))
        return -ENOMEM;
    return lseek(s->fd, 0, SEEK_SET) ? -errno : unpack_new(s->fd, &s->unpack);
}

/* read_packed - one piece. Return: 1 (there is more), 0 (it is read whole, or broken), or <0. */
static int read_packed(struct log_follower *f, struct slot *s)
{
    size_t n = 0, taken;
    int e = unpack_read(s->unpack, s->held + s->n_held, FOLLOW_LINE_MAX - s->n_held, &n);
    s->n_held += n;
    bool is_end = e || !n;
    if (s->unpacked < s->note[NOTE_OFFSET]) {
        bool is_same = skip(s) && !(is_end && s->unpacked < s->note[NOTE_OFFSET]);
        if (!is_same) {
            restart(s);
            return open_packed(s) ? 0 : 1;
        }
    }
    int r = take_lines(f, s, s->held, s->n_held, is_end, &taken);
    if (r)
        return r;
    s->n_held -= taken;
    s->unpacked += taken;
    memmove(s->held, s->held + taken, s->n_held);
    if (!is_end)
        return 1;
    if (e)
        atomic_fetch_add(&f->refused, 1);
    s->note[NOTE_PACKED_BYTES] = s->n_bytes; /* told with the next rows; until then it would be known by its content */
    s->is_dirty = true;
    close_slot(f, s);
    return 0;
}

/* read_all - some pieces of every open file. Return: 1 (there is more), 0 or <0. */
static int read_all(struct log_follower *f)
{
    struct follow_inside *x = f->inside;
    bool is_more = false;
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++) {
        struct slot *s = &x->slots[i];
        bool is_settled = s->is_used && (s->look != x->look || !s->is_wanted) && clock_now_us() - s->written_us > SETTLED_US;
        int r = 1;
        for (unsigned k = 0; s->fd >= 0 && r == 1 && k < PIECES_A_TURN; k++)
            r = s->is_evtx ? follow_evtx(f, s) : s->unpack ? read_packed(f, s) : read_plain(f, s, is_settled);
        if (r < 0)
            return r;
        is_more |= s->fd >= 0 && r == 1;
        bool is_idle = s->is_used && clock_now_us() - s->written_us > IDLE_US; /* opened again when it changes */
        if (s->fd >= 0 && r == 0 && (is_settled || is_idle)) /* gone, or renamed and no longer written to */
            close_slot(f, s);
    }
    return is_more;
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

/* learn_head - of a plain file that is opened where we stood: its marks, and the directives (#Fields) at its beginning. */
static void learn_head(struct log_follower *f, struct slot *s)
{
    size_t n_head = least(s->note[NOTE_OFFSET], HEAD_BYTES), n_tail = least(s->note[NOTE_OFFSET], TAIL_BYTES), at = 0;
    s->n_head = s->n_tail = 0;
    if (file_pread_full(s->fd, s->head, n_head, 0) || file_pread_full(s->fd, s->tail, n_tail, s->note[NOTE_OFFSET] - n_tail))
        return;
    s->n_head = (uint32_t)n_head;
    s->n_tail = (uint32_t)n_tail;
    while (at < n_head && s->head[at] == '#') {
        const uint8_t *end = memchr(s->head + at, '\n', n_head - at);
        struct event_source from = {.arrived_us = clock_now_us(), .zone_s = f->o.zone_s};
        enum event_refusal reason;
        size_t where;
        if (!end)
            break;
        (void)event_record(s->decoder, EVENT_RECORD_ANY, (struct text){(const char *)s->head + at, (size_t)(end - (s->head + at))}, &from,
                           f->inside->events, &reason, &where);
        at = (size_t)(end + 1 - s->head);
    }
    events_clear(f->inside->events); /* it is empty between two files: what these lines became is known already */
}

/* open_slot - @fd becomes the slot's. Return: 0 or <0. */
static int open_slot(struct log_follower *f, struct slot *s, int fd, enum follow_kind kind)
{
    s->fd = fd;
    s->is_evtx = kind == FOLLOW_EVTX;
    s->scanned_us = 0;
    f->inside->n_open++;
    s->decoder = event_decoder_new(f->o.names, f->o.decoders);
    int r = !s->decoder ? -ENOMEM : kind == FOLLOW_PACKED ? open_packed(s) : 0;
    if (r) {
        close_slot(f, s);
        return FAULT(&f->fault, -ENOMEM, no_memory, "receivers");
    }
    if (kind == FOLLOW_PLAIN)
        learn_head(f, s);
    return 0;
}

/* truncated - @s begins anew; what it was is remembered without an inode: a copy may stand beside it. */
static void truncated(struct log_follower *f, struct slot *s)
{
    struct slot *past = s->note[NOTE_OFFSET] ? new_slot(f) : NULL;
    atomic_fetch_add(&f->truncated, 1);
    f->inside->n_ignored = 0; /* what was a copy of it goes on from it now */
    if (past) {
        memcpy(past->note, s->note, sizeof(past->note));
        past->note[NOTE_DEVICE] = past->note[NOTE_INODE] = 0;
        past->look = f->inside->look - 1;
    }
    restart(s);
    if (s->decoder)
        event_decoder_source(s->decoder);
}

static uint64_t pattern_hash(const struct log_follower *f, size_t i)
{
    return XXH3_64bits(f->o.patterns[i], strlen(f->o.patterns[i]));
}

/* note_newest - before a look: what is written after that was written while nobody looked. */
static void note_newest(struct log_follower *f)
{
    for (size_t i = 0; i < f->o.n_patterns; i++) {
        uint64_t h = pattern_hash(f, i);
        f->inside->newest_us[i] = 0;
        for (uint32_t k = 0; k < FOLLOW_KNOWN_MAX; k++) {
            const struct slot *s = &f->inside->slots[k];
            if (s->is_used && s->note[NOTE_PATTERN] == h && (int64_t)s->note[NOTE_WRITTEN] > f->inside->newest_us[i])
                f->inside->newest_us[i] = (int64_t)s->note[NOTE_WRITTEN];
        }
    }
}

/*
 * is_missed - a neighbour of which nothing is known, but that has the name of a rotated file (auth.log.1, auth.log-20260301.gz)
 * and was written after all that is known of its pattern: it came and went away while nobody looked.
 */
static bool is_missed(const struct log_follower *f, const char *path, const struct stat *st)
{
    static const char *const packed[] = {".gz", ".xz", ".zst", ".bz2"};
    int64_t written_us = time_us(&st->st_mtim), newest_us = f->inside->newest_us[f->inside->pattern];
    const char *base = strrchr(path, '/'), *pattern = f->o.patterns[f->inside->pattern], *pattern_base = strrchr(pattern, '/');
    size_t n = strlen(base), at = n;
    for (size_t i = 0; i < sizeof(packed) / sizeof(*packed); i++)
        if (at > strlen(packed[i]) && !memcmp(base + at - strlen(packed[i]), packed[i], strlen(packed[i]))) {
            at -= strlen(packed[i]);
            break;
        }
    size_t end = at;
    while (at > 1 && strchr("0123456789.-_", base[at - 1]))
        at--;
    bool has_literal_base = !strpbrk(pattern_base, "*?[\\"); /* else the pattern says itself what of these it wants */
    return newest_us && written_us > newest_us && end > at && has_literal_base && at == strlen(pattern_base) &&
           !memcmp(base, pattern_base, at);
}

static void set_path(struct log_follower *f, struct slot *s, const char *path, const struct stat *st, bool is_wanted)
{
    strncpy(s->path, path, sizeof(s->path) - 1);
    s->n_bytes = (uint64_t)st->st_size;
    s->written_us = time_us(&st->st_mtim);
    s->is_wanted = is_wanted;
    s->note[NOTE_PATTERN] = pattern_hash(f, f->inside->pattern);
    s->note[NOTE_WRITTEN] = (uint64_t)s->written_us;
    s->look = f->inside->look;
}

/* see_known - a file whose inode is known. Return: 0, 1 (not known), or <0. */
static int see_known(struct log_follower *f, const char *path, const struct stat *st, bool is_wanted)
{
    struct slot *s = slot_of(f, st->st_dev, st->st_ino);
    if (!s)
        return 1;
    if (s->look == f->inside->look)
        return 0;
    bool is_changed = s->n_bytes != (uint64_t)st->st_size || s->written_us != time_us(&st->st_mtim);
    set_path(f, s, path, st, is_wanted);
    if (!is_changed && s->fd < 0)
        return 0;
    if (s->note[NOTE_PACKED_BYTES] && s->note[NOTE_PACKED_BYTES] == (uint64_t)st->st_size)
        return 0;
    if (s->fd >= 0) {
        if (is_changed && !s->unpack && !s->is_evtx && !goes_on(s->fd, (uint64_t)st->st_size, s))
            truncated(f, s);
        return 0;
    }
    if (f->inside->n_open >= FOLLOW_FILES_MAX) {
        atomic_fetch_add(&f->over_limit, 1);
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        atomic_fetch_add(&f->refused, 1);
        return 0;
    }
    enum follow_kind kind = kind_of(fd);
    if (kind == FOLLOW_PLAIN && !goes_on(fd, (uint64_t)st->st_size, s))
        truncated(f, s);
    bool is_idle = !is_wanted || clock_now_us() - s->written_us > IDLE_US;
    if (kind == FOLLOW_PLAIN && s->note[NOTE_OFFSET] == (uint64_t)st->st_size && is_idle) {
        close(fd);
        return 0;
    }
    return open_slot(f, s, fd, kind);
}

/* past_of - the slot a plain file goes on from: its own file was not seen by this look, unless @even_seen. NULL: none. */
static struct slot *past_of(struct log_follower *f, int fd, uint64_t n_bytes, bool even_seen)
{
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++) {
        struct slot *s = &f->inside->slots[i];
        if (s->is_used && (even_seen || s->look != f->inside->look) && s->note[NOTE_OFFSET] && goes_on(fd, n_bytes, s))
            return s;
    }
    return NULL;
}

/* past_of_packed - the same by the first unpacked bytes; the rest is checked when reading gets there. */
static struct slot *past_of_packed(struct log_follower *f, int fd)
{
    uint8_t head[HEAD_BYTES];
    size_t n_head = 0, n;
    struct unpack *u;
    if (lseek(fd, 0, SEEK_SET) || unpack_new(fd, &u))
        return NULL;
    while (n_head < HEAD_BYTES && !unpack_read(u, head + n_head, HEAD_BYTES - n_head, &n) && n)
        n_head += n;
    unpack_free(u);
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++) {
        struct slot *s = &f->inside->slots[i];
        size_t known = least(s->note[NOTE_OFFSET], HEAD_BYTES);
        if (s->is_used && s->look != f->inside->look && known && known <= n_head && hash(head, known) == s->note[NOTE_HEAD])
            return s;
    }
    return NULL;
}

static bool is_ignored(struct follow_inside *x, const struct stat *st)
{
    for (uint32_t i = 0; i < x->n_ignored && i < IGNORED_MAX; i++)
        if (x->ignored[i].inode == st->st_ino && x->ignored[i].device == st->st_dev && x->ignored[i].n_bytes == (uint64_t)st->st_size)
            return true;
    return false;
}

/* see_new - a file whose inode is not known. @is_wanted: no: only if it goes on from something known. Return: 0 or <0. */
static int see_new(struct log_follower *f, const char *path, const struct stat *st, bool is_wanted)
{
    struct follow_inside *x = f->inside;
    if (slot_of(f, st->st_dev, st->st_ino) || (!is_wanted && is_ignored(x, st)))
        return 0;
    if (x->n_open >= FOLLOW_FILES_MAX) {
        atomic_fetch_add(&f->over_limit, 1);
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        atomic_fetch_add(&f->refused, is_wanted);
        return 0;
    }
    enum follow_kind kind = kind_of(fd);
    struct slot *s = kind == FOLLOW_PACKED  ? past_of_packed(f, fd)
                     : kind == FOLLOW_PLAIN ? past_of(f, fd, (uint64_t)st->st_size, false)
                                            : NULL;
    int64_t age_us = clock_now_us() - time_us(&st->st_ctim);
    bool is_young = !s && age_us >= 0 && age_us < SETTLED_US;
    if (is_young && (kind == FOLLOW_PACKED || (kind == FOLLOW_PLAIN && past_of(f, fd, (uint64_t)st->st_size, true)))) {
        close(fd); /* a copy in the making: what it is a copy of is not gone yet */
        return 0;
    }
    if (s && s->fd >= 0) { /* its file is deleted, and open here: it is read to its end first */
        close(fd);
        return 0;
    }
    atomic_fetch_add(&f->resumed, s != NULL);
    if (!s && !is_wanted && !is_missed(f, path, st)) {
        x->ignored[x->n_ignored++ % IGNORED_MAX] = (struct known_as_other){st->st_dev, st->st_ino, (uint64_t)st->st_size};
        close(fd);
        return 0;
    }
    if (!s && !(s = new_slot(f))) {
        atomic_fetch_add(&f->over_limit, 1);
        close(fd);
        return 0;
    }
    s->note[NOTE_DEVICE] = st->st_dev;
    s->note[NOTE_INODE] = st->st_ino;
    s->note[NOTE_PACKED_BYTES] = 0;
    s->is_dirty = true;
    set_path(f, s, path, st, is_wanted);
    return open_slot(f, s, fd, kind);
}

typedef int see_path(struct log_follower *f, const char *path, const struct stat *st, bool is_wanted);

static int each_path(struct log_follower *f, const char *pattern, bool is_wanted, see_path *see)
{
    glob_t found;
    struct stat st;
    int r = 0;
    if (glob(pattern, 0, NULL, &found))
        return 0;
    for (size_t i = 0; r >= 0 && i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (i == PATHS_MAX) {
            atomic_fetch_add(&f->over_limit, found.gl_pathc - i);
            break;
        }
        if (strlen(path) < FOLLOW_PATH_MAX && !lstat(path, &st) && S_ISREG(st.st_mode))
            r = see(f, path, &st, is_wanted);
    }
    globfree(&found);
    return r < 0 ? r : 0;
}

/* look - first what is known by its inode, then the rest: by then it is clear whose file has gone. */
static int look(struct log_follower *f)
{
    int r = 0;
    note_newest(f);
    f->inside->look++;
    for (unsigned pass = 0; pass < 4; pass++)
        for (size_t i = 0; !r && i < f->o.n_patterns; i++) {
            char beside[FOLLOW_PATH_MAX + 3];
            bool is_wanted = pass % 2 == 0;
            if (strlen(f->o.patterns[i]) >= FOLLOW_PATH_MAX)
                continue;
            f->inside->pattern = i;
            snprintf(beside, sizeof(beside), "%s%s", f->o.patterns[i], is_wanted ? "" : "?*");
            r = each_path(f, beside, is_wanted, pass < 2 ? see_known : see_new);
        }
    return r;
}

/* --- the thread ---------------------------------------------------------------------------------------------------------------- */

static int recall(void *context, const void *key, size_t n_key, uint64_t value)
{
    struct log_follower *f = context;
    const uint8_t *k = key;
    if (n_key != sizeof(NOTE_KEY) - 1 + 3 || memcmp(k, NOTE_KEY, sizeof(NOTE_KEY) - 1) != 0)
        return 0;
    uint32_t i = k[sizeof(NOTE_KEY) - 1] | (uint32_t)k[sizeof(NOTE_KEY)] << 8;
    if (i >= FOLLOW_KNOWN_MAX || k[sizeof(NOTE_KEY) + 1] >= N_NOTES)
        return 0;
    f->inside->slots[i].is_used = true;
    f->inside->slots[i].note[k[sizeof(NOTE_KEY) + 1]] = value;
    return 0;
}

int log_follower_init(struct log_follower *f, const struct log_follow_options *o)
{
    *f = (struct log_follower){.o = *o};
    pthread_mutex_init(&f->lock, NULL);
    struct follow_inside *x = f->inside = calloc(1, sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->slots = calloc(FOLLOW_KNOWN_MAX, sizeof(*x->slots));
    x->bytes = malloc(FOLLOW_LINE_MAX + TAIL_BYTES);
    x->events = events_new(o->names);
    x->shown = calloc(FOLLOW_FILES_MAX, sizeof(*x->shown));
    x->newest_us = calloc(o->n_patterns + 1, sizeof(*x->newest_us));
    if (!x->slots || !x->bytes || !x->events || !x->shown || !x->newest_us)
        return -ENOMEM;
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX; i++)
        x->slots[i].fd = -1;
    x->look = 1;
    return store_each_note(o->store, recall, f);
}

static void show(struct log_follower *f)
{
    struct follow_inside *x = f->inside;
    pthread_mutex_lock(&f->lock);
    x->n_shown = 0;
    for (uint32_t i = 0; i < FOLLOW_KNOWN_MAX && x->n_shown < FOLLOW_FILES_MAX; i++) {
        const struct slot *s = &x->slots[i];
        if (!s->is_used || s->fd < 0)
            continue;
        struct followed *to = &x->shown[x->n_shown++];
        memcpy(to->path, s->path, sizeof(to->path));
        to->offset = s->note[NOTE_OFFSET];
        to->n_bytes = s->unpack ? 0 : s->n_bytes;
        to->record = s->is_evtx ? s->note[NOTE_RECORD] : 0;
        to->last_us = s->last_us;
    }
    pthread_mutex_unlock(&f->lock);
}

static int tick(struct log_follower *f)
{
    int64_t now_us = clock_steady_us();
    if (now_us - f->inside->ticked_us < TICK_US)
        return 0;
    f->inside->ticked_us = now_us;
    show(f);
    (void)store_log_writer_tick(f->o.writer, now_us, NULL); /* rows that are journaled stay so: sealing is tried again */
    return f->o.tick ? f->o.tick(f->o.context) : 0;
}

int log_follower_run(struct log_follower *f)
{
    int64_t looked_us = 0;
    int r = 0;
    while (r >= 0 && !atomic_load(&f->is_ending)) {
        int64_t now_us = clock_steady_us();
        r = 0;
        if (!looked_us || now_us - looked_us >= FOLLOW_LOOK_US) {
            looked_us = now_us;
            r = look(f);
        }
        if (!r)
            r = read_all(f);
        int e = r >= 0 ? tick(f) : 0;
        if (!r)
            poll(NULL, 0, RETRY_MS);
        r = e < 0 ? e : r;
    }
    return r == -ECANCELED || r > 0 ? 0 : r;
}

void log_follower_end(struct log_follower *f)
{
    atomic_store(&f->is_ending, true);
}

void log_follower_fini(struct log_follower *f)
{
    struct follow_inside *x = f->inside;
    if (!x)
        return;
    for (uint32_t i = 0; x->slots && i < FOLLOW_KNOWN_MAX; i++)
        close_slot(f, &x->slots[i]);
    events_free(x->events);
    evtx_free(x->evtx);
    buf_fini(&x->xml);
    free(x->chunk);
    free(x->bytes);
    free(x->shown);
    free(x->newest_us);
    free(x->slots);
    free(x);
    f->inside = NULL;
    pthread_mutex_destroy(&f->lock);
}

int log_follower_files(struct log_follower *f, struct followed **ret, uint32_t *ret_n)
{
    struct follow_inside *x = f->inside;
    pthread_mutex_lock(&f->lock);
    struct followed *all = calloc(x->n_shown + 1, sizeof(*all));
    *ret_n = all ? x->n_shown : 0;
    if (all)
        memcpy(all, x->shown, x->n_shown * sizeof(*all));
    pthread_mutex_unlock(&f->lock);
    *ret = all;
    return all ? 0 : -ENOMEM;
}
