/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live event log: the header of its file is out of date, its chunks fill one behind the other and are taken again from the
 * first when the log is full. So all chunk headers are looked at, and those chunks are read that hold numbers we have not.
 */
#include "watch/intake/log_follow_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/evtx.h"
#include "watch/intake/log_read_evtx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHUNKS_A_TURN = 16, CHUNKS_MAX = 1 << 17, CHUNK_HEAD = 64, PATIENCE_US = 10000000 };

struct chunk {
    uint64_t number, first, last; /* record numbers its header states; UINT64_MAX: none that can be */
};

static uint64_t u64_at(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static int by_first(const void *a, const void *b)
{
    const struct chunk *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* read_heads - of all chunks, in the order of their records. Return: 0 or -ENOMEM. */
static int read_heads(const struct slot *s, struct chunk **ret, size_t *ret_n)
{
    struct stat st;
    size_t n = 0, most = 0;
    if (!fstat(s->fd, &st) && st.st_size > (off_t)EVTX_FILE_HEADER)
        most = ((size_t)st.st_size - EVTX_FILE_HEADER) / EVTX_CHUNK;
    most = most < CHUNKS_MAX ? most : CHUNKS_MAX;
    struct chunk *all = calloc(most + 1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < most; i++) {
        uint8_t head[CHUNK_HEAD];
        if (file_pread_full(s->fd, head, sizeof(head), EVTX_FILE_HEADER + (uint64_t)i * EVTX_CHUNK) || memcmp(head, "ElfChnk", 8) != 0)
            continue;
        struct chunk c = {i, u64_at(head + 24), u64_at(head + 32)}; /* event record identifiers of the first and last record */
        if (!c.first || c.last < c.first)
            c.first = c.last = UINT64_MAX; /* a chunk that has just begun */
        all[n++] = c;
    }
    qsort(all, n, sizeof(*all), by_first);
    *ret = all;
    *ret_n = n;
    return 0;
}

/* begin_anew - the log was cleared: its numbers begin again. */
static void begin_anew(struct log_follower *f, struct slot *s)
{
    atomic_fetch_add(&f->truncated, 1);
    s->note[NOTE_RECORD] = s->note[NOTE_RECORD_TIME] = 0;
    s->is_dirty = true;
}

/* check - whether it is still the log we knew, and whether some of it is gone. */
static void check(struct log_follower *f, struct slot *s, const struct chunk *all, size_t n)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++)
        if (all[i].last != UINT64_MAX && all[i].last > most)
            most = all[i].last;
    if (most && most < s->note[NOTE_RECORD])
        begin_anew(f, s);
    if (n && s->note[NOTE_RECORD] && all[0].first != UINT64_MAX && all[0].first > s->note[NOTE_RECORD] + 1)
        atomic_fetch_add(&f->overwritten, all[0].first - s->note[NOTE_RECORD] - 1);
}

static int add_record(struct log_follower *f, struct slot *s, const struct evtx_record *r)
{
    struct follow_inside *x = f->inside;
    struct event_source from = {.arrived_us = clock_now_us(), .known_us = s->written_us, .zone_s = f->o.zone_s,
                                .path = {s->path, strlen(s->path)}, .has_offset = true, .offset = r->offset};
    int e = log_evtx_event(x->evtx, r, s->decoder, &from, &x->xml, x->events);
    if (e < 0)
        return FAULT(&f->fault, e, no_memory, "receivers");
    atomic_fetch_add(&f->lines, 1);
    atomic_fetch_add(&f->bytes, r->n_bytes);
    s->note[NOTE_RECORD] = r->record_id;
    s->note[NOTE_RECORD_TIME] = (uint64_t)r->written_us;
    s->is_dirty = true;
    s->last_us = from.arrived_us;
    return events_full(x->events) ? follow_flush(f) : 0;
}

enum { CHUNK_READ, CHUNK_WAITS, CHUNK_ANOTHER_LOG };

/*
 * read_chunk - its records that are new. Return: CHUNK_READ, CHUNK_WAITS (a record is not whole, and may yet become so),
 * CHUNK_ANOTHER_LOG (a number we know is of another time), or <0.
 */
static int read_chunk(struct log_follower *f, struct slot *s, const struct chunk *c, bool is_patient)
{
    struct follow_inside *x = f->inside;
    uint64_t offset = EVTX_FILE_HEADER + c->number * EVTX_CHUNK;
    if (file_pread_full(s->fd, x->chunk, EVTX_CHUNK, offset)) {
        atomic_fetch_add(&f->refused, 1);
        return CHUNK_WAITS;
    }
    evtx_chunk(x->evtx, x->chunk, EVTX_CHUNK, offset, c->number);
    for (;;) {
        const struct evtx_record *r;
        int e = evtx_next(x->evtx, &r);
        if (e == EVTX_END)
            return CHUNK_READ;
        if (e == EVTX_REFUSED || (!e && r->damage != EVTX_FINE && is_patient)) {
            if (is_patient)
                return CHUNK_WAITS;
            atomic_fetch_add(&f->malformed, e == EVTX_REFUSED);
            if (e)
                continue;
        }
        if (e < 0)
            return FAULT(&f->fault, e, no_memory, "receivers");
        if (r->record_id == s->note[NOTE_RECORD] && (uint64_t)r->written_us != s->note[NOTE_RECORD_TIME])
            return CHUNK_ANOTHER_LOG;
        if (r->record_id > s->note[NOTE_RECORD] && (e = add_record(f, s, r)) < 0)
            return e;
    }
}

/* may_wait - for a record that is not whole: while the log is written to, and not for ever, since it may be damaged. */
static bool may_wait(const struct slot *s, int64_t now_us)
{
    bool is_settled = now_us - s->written_us > SETTLED_US;
    bool is_impatient = s->waits_since_us && s->waits_behind == s->note[NOTE_RECORD] && now_us - s->waits_since_us > PATIENCE_US;
    return !is_settled && !is_impatient;
}

/* read_new - the chunks that hold what we have not, oldest first. Return: 1 (there may be more), 0 or <0. */
static int read_new(struct log_follower *f, struct slot *s, const struct chunk *all, size_t n)
{
    int64_t now_us = clock_now_us();
    unsigned n_read = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_open = i + 1 == n || all[i + 1].first == UINT64_MAX; /* records may stand behind what its header states */
        if (!is_open && all[i].last <= s->note[NOTE_RECORD])
            continue;
        if (n_read++ == CHUNKS_A_TURN)
            return 1;
        int r = read_chunk(f, s, &all[i], is_open && may_wait(s, now_us));
        if (r == CHUNK_WAITS && (!s->waits_since_us || s->waits_behind != s->note[NOTE_RECORD])) {
            s->waits_behind = s->note[NOTE_RECORD];
            s->waits_since_us = now_us;
        }
        if (r == CHUNK_ANOTHER_LOG) {
            begin_anew(f, s);
            return 1;
        }
        if (r < 0 || r == CHUNK_WAITS)
            return r < 0 ? r : 0;
        if (!is_open && all[i].last > s->note[NOTE_RECORD]) /* what could not be read at its end is not tried for ever */
            s->note[NOTE_RECORD] = all[i].last;
    }
    return 0;
}

static int prepare(struct follow_inside *x)
{
    struct evtx_options o = {.has_xml = true};
    x->xml.max = EVENT_ORIGINAL_MAX;
    if (!x->chunk)
        x->chunk = malloc(EVTX_CHUNK);
    return !x->chunk ? -ENOMEM : x->evtx ? 0 : evtx_new(&x->evtx, &o);
}

int follow_evtx(struct log_follower *f, struct slot *s)
{
    struct chunk *all;
    size_t n;
    if (s->scanned_us > s->written_us + SETTLED_US) /* nothing was written since it was last looked through */
        return 0;
    int64_t now_us = clock_now_us();
    if (s->scanned_us && now_us >= s->scanned_us && now_us - s->scanned_us < FOLLOW_LOOK_US)
        return 0;
    int r = prepare(f->inside);
    if (!r)
        r = read_heads(s, &all, &n);
    if (r)
        return FAULT(&f->fault, r, no_memory, "receivers");
    check(f, s, all, n);
    r = read_new(f, s, all, n);
    free(all);
    int e = r < 0 ? r : follow_flush(f);
    s->scanned_us = r == 1 ? 0 : now_us;
    return e < 0 ? e : r;
}
