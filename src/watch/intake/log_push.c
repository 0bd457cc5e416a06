/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body is gathered in a file in memory, then read by log_read like any log file. A batch at a time goes into the journal, and in
 * the same frame how many rows of this push are kept: whoever comes again with it is taken up there.
 */
#include "watch/intake/log_push.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/intake/log_bulk.h"
#include "watch/intake/log_link.h"
#include "watch/intake/log_read.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

enum { N_EVENTS = 32, TICK_US = 200000, TICK_MS = 200, RETRY_MS = 100, CHANCES = 5, LATE_US = 180000000,
       RETRY_AFTER_S = 10, DRAIN_US = 1000000 };

#define TAG_LINK UINT64_MAX
#define TAG_WAKE (UINT64_MAX - 1)

/* fields of a slot that are notes; COUNT: rows kept, and whether it was answered */
enum { NOTE_KEY_HIGH, NOTE_KEY_LOW, NOTE_BODY, NOTE_COUNT, N_NOTES };
enum { NEXT_SLOT = 0xffff };
#define NOTE_KEY "push"
#define IS_ANSWERED (UINT64_C(1) << 63)

struct push {
    int fd;   /* -1: free */
    int body; /* a file in memory */
    struct log_link_hello hello;
    uint64_t n_body;
    int64_t began_us;
    uint32_t source;
    XXH3_state_t *hash;
};

struct push_inside {
    int epoll, wake;
    uint64_t notes[PUSH_SLOTS][N_NOTES];
    uint32_t next_slot;
    struct push pushes[PUSHES_MAX];
    uint32_t n_pushes;
    uint64_t n_memory;
    int64_t ticked_us;
    struct events *rest; /* the rows of a batch that were not kept before */
    uint8_t piece[LOG_PUSH_PIECE + 1];
};

/* one push that is read */
struct taking {
    struct log_pusher *p;
    struct push *push;
    struct log_account account;
    struct log_push_reply reply;
    uint64_t kept, skip; /* rows in the store, and of them those that were there before */
    uint64_t seen;       /* rows that came out of the body */
    uint64_t body_hash, key[2];
    int slot; /* -1: none yet */
};

/* --- what is known of pushes --------------------------------------------------------------------------------------- */

static size_t note_key(const struct log_pusher *p, uint32_t slot, uint8_t field, uint8_t out[9])
{
    memcpy(out, NOTE_KEY, 4);
    out[4] = (uint8_t)p->o.id;
    out[5] = (uint8_t)(p->o.id >> 8);
    out[6] = (uint8_t)slot;
    out[7] = (uint8_t)(slot >> 8);
    out[8] = field;
    return 9;
}

static int recall(void *context, const void *key, size_t n_key, uint64_t value)
{
    struct log_pusher *p = context;
    const uint8_t *k = key;
    if (n_key != 9 || memcmp(k, NOTE_KEY, 4) != 0 || (k[4] | k[5] << 8) != p->o.id)
        return 0;
    uint32_t slot = k[6] | (uint32_t)k[7] << 8;
    if (slot == NEXT_SLOT)
        p->inside->next_slot = (uint32_t)(value % PUSH_SLOTS);
    else if (slot < PUSH_SLOTS && k[8] < N_NOTES)
        p->inside->notes[slot][k[8]] = value;
    return 0;
}

/* find_slot - of a push that is known: with a key always, by its body only while it was not answered. */
static int find_slot(const struct push_inside *x, const struct taking *t)
{
    for (uint32_t i = 0; i < PUSH_SLOTS; i++) {
        const uint64_t *n = x->notes[i];
        bool is_over = (n[NOTE_COUNT] & IS_ANSWERED) && !t->push->hello.has_key;
        if (n[NOTE_KEY_HIGH] == t->key[0] && n[NOTE_KEY_LOW] == t->key[1] && n[NOTE_COUNT] && !is_over)
            return (int)i;
    }
    return -1;
}

/* put_notes - the slot as it will be, into the next frame. Of two notes in a frame the later counts. */
static int put_notes(struct log_pusher *p, uint32_t slot)
{
    uint8_t key[9];
    int r = 0;
    for (uint8_t i = 0; !r && i < N_NOTES; i++)
        r = store_log_writer_note(p->o.writer, key, note_key(p, slot, i, key), p->inside->notes[slot][i]);
    return r ? r : store_log_writer_note(p->o.writer, key, note_key(p, NEXT_SLOT, 0, key), p->inside->next_slot);
}

/* --- into the journal ------------------------------------------------------------------------------------------------- */

/* append - the rows and the note of them. Return: 0; -ECANCELED: the store takes nothing, all is as before. */
static int append(struct taking *t, const struct events *e)
{
    struct log_pusher *p = t->p;
    struct push_inside *x = p->inside;
    bool is_new = t->slot < 0;
    uint64_t before[N_NOTES], now[N_NOTES] = {t->key[0], t->key[1], t->body_hash, t->kept + e->n};
    uint32_t slot = is_new ? x->next_slot : (uint32_t)t->slot;
    memcpy(before, x->notes[slot], sizeof(before));
    memcpy(x->notes[slot], now, sizeof(now));
    x->next_slot = is_new ? (slot + 1) % PUSH_SLOTS : x->next_slot;
    int r = put_notes(p, slot);
    for (int i = 0; !r && (r = store_log_writer_append(p->o.writer, e, &p->fault)) && i < CHANCES; i++) {
        atomic_store(&p->is_waiting, true);
        if (p->o.tick)
            (void)p->o.tick(p->o.context);
        poll(NULL, 0, RETRY_MS);
        r = 0;
    }
    if (!r) {
        atomic_store(&p->is_waiting, false);
        t->slot = (int)slot;
        t->kept += e->n;
        return 0;
    }
    memcpy(x->notes[slot], before, sizeof(before)); /* the notes of rows that are not there must not go with the next ones */
    x->next_slot = is_new ? slot : x->next_slot;
    (void)put_notes(p, slot);
    return -ECANCELED;
}

/* take_batch - what of it is not there yet. */
static int take_batch(void *context, struct events *e)
{
    struct taking *t = context;
    struct log_pusher *p = t->p;
    uint64_t from = t->skip > t->seen ? t->skip - t->seen : 0;
    t->seen += e->n;
    if (from >= e->n)
        return 0;
    if (from) {
        events_clear(p->inside->rest);
        for (uint32_t i = (uint32_t)from; i < e->n; i++)
            if (event_append(p->inside->rest, e, i))
                return -ENOMEM;
        e = p->inside->rest;
    }
    int r = p->o.hook ? p->o.hook(p->o.context, e) : 0;
    return r ? r : append(t, e);
}

static void note_fault(struct taking *t, const char *reason, uint64_t line)
{
    struct log_push_reply *r = &t->reply;
    if (r->n_faults == LOG_PUSH_FAULTS_MAX)
        return;
    r->faults[r->n_faults].record = (uint32_t)t->account.read;
    r->faults[r->n_faults].line = (uint32_t)line;
    strncpy(r->faults[r->n_faults].reason, reason, sizeof(r->faults[0].reason) - 1);
    r->n_faults++;
}

static void take_refusal(void *context, const struct log_refused *refused)
{
    note_fault(context, refused->reason, refused->line);
}

/* --- one push ------------------------------------------------------------------------------------------------------------ */

static void account(struct taking *t)
{
    struct log_pusher *p = t->p;
    uint64_t n = t->account.read, bytes = t->push->n_body;
    uint64_t repeated = t->skip < t->seen ? t->skip : t->seen, refused = n - t->seen;
    uint64_t lost = t->seen > (t->kept > repeated ? t->kept : repeated) ? t->seen - (t->kept > repeated ? t->kept : repeated) : 0;
    pthread_mutex_lock(&p->sources.lock);
    struct log_source *s = &p->sources.all[t->push->source];
    s->messages += n - lost; /* what was put off was not received: it comes again */
    s->bytes += bytes;
    s->refused += refused;
    s->repeated += repeated;
    s->plain += t->account.n_plain;
    s->last_us = clock_now_us();
    log_source_charge(s, &p->o.quota, n - repeated, bytes, s->last_us);
    pthread_mutex_unlock(&p->sources.lock);
}

static void set_reply(struct taking *t, enum log_push_result result)
{
    struct log_push_reply *r = &t->reply;
    r->result = (uint8_t)result;
    r->received = (uint32_t)t->account.read;
    r->kept = (uint32_t)t->seen;
    r->refused = (uint32_t)log_account_refused(&t->account);
    r->is_repeated = t->skip > 0 && t->skip >= t->seen;
    for (uint32_t i = 0; i < t->account.n_reasons && r->n_reasons < LOG_PUSH_REASONS_MAX; i++) {
        r->reasons[r->n_reasons].n = (uint32_t)t->account.refused[i].n;
        strncpy(r->reasons[r->n_reasons].reason, t->account.refused[i].reason, sizeof(r->reasons[0].reason) - 1);
        r->n_reasons++;
    }
}

/* result_of - what reading and journaling came to. @e: of log_read. */
static enum log_push_result result_of(struct taking *t, int e, bool is_too_large)
{
    struct log_pusher *p = t->p;
    if (e == -ECANCELED || e == -ENOMEM)
        return LOG_PUSH_BUSY;
    if (e && !t->seen) {
        note_fault(t, is_too_large ? "too_large" : "body_malformed", 0);
        return is_too_large ? LOG_PUSH_TOO_LARGE : LOG_PUSH_REFUSED;
    }
    if (t->account.is_truncated || e)
        note_fault(t, "body_cut", 0);
    if (!t->seen && t->account.read)
        return LOG_PUSH_REFUSED;
    if (t->kept > t->skip && store_log_writer_sync(p->o.writer, &p->fault)) /* in the journal, but not yet for good */
        return LOG_PUSH_BUSY;
    return LOG_PUSH_KEPT;
}

/* read_body - Return: of log_read; *@ret_too_large: it grew over the limit. */
static int read_body(struct taking *t, bool *ret_too_large)
{
    struct log_pusher *p = t->p;
    struct push *push = t->push;
    char address[IP_TEXT_MAX];
    struct log_options o = {.format = push->hello.form == LOG_PUSH_ANY ? LOG_AUTO : LOG_JSON, .zone_s = p->o.zone_s,
                            .max_bytes = p->o.body_max_bytes, .sender = {push->hello.name, strlen(push->hello.name)}};
    struct fault f;
    o.address = (struct text){address, ip_format(&push->hello.ip, address)};
    *ret_too_large = false;
    if (lseek(push->body, 0, SEEK_SET))
        return -errno;
    if (push->hello.form == LOG_PUSH_ELASTIC) {
        int r = log_bulk_documents(push->body, p->o.body_max_bytes);
        *ret_too_large = r == LOG_BULK_TOO_LARGE;
        if (r)
            return r;
    }
    int r = log_read(push->body, &o, p->o.names, p->o.decoders, take_batch, take_refusal, t, &t->account, &f);
    *ret_too_large = r == LOG_REFUSED && t->account.is_over_limit;
    return r;
}

/* take - a push that came whole, up to its answer. */
static void take(struct log_pusher *p, struct push *push)
{
    struct taking *t = calloc(1, sizeof(*t));
    bool is_too_large = false;
    if (!t)
        return; /* without an answer: the gate tells it to come again */
    XXH128_hash_t h = XXH3_128bits_digest(push->hash);
    *t = (struct taking){.p = p, .push = push, .slot = -1, .body_hash = h.low64, .key = {h.high64, h.low64}};
    if (push->hello.has_key)
        memcpy(t->key, push->hello.key, sizeof(t->key));
    t->reply.magic = LOG_LINK_MAGIC;
    t->slot = find_slot(p->inside, t);
    pthread_mutex_lock(&p->sources.lock);
    int64_t wait_us = log_source_wait_us(&p->sources.all[push->source], &p->o.quota, push->n_body, clock_now_us());
    pthread_mutex_unlock(&p->sources.lock);
    atomic_fetch_add(&p->pushes, 1);
    if (t->slot >= 0 && p->inside->notes[t->slot][NOTE_BODY] != t->body_hash) {
        set_reply(t, LOG_PUSH_OTHER_BODY);
    } else if (wait_us && t->slot < 0) {
        set_reply(t, LOG_PUSH_OVER_QUOTA);
        t->reply.retry_after_s = (uint16_t)(wait_us / US_PER_SECOND < 3600 ? wait_us / US_PER_SECOND + 1 : 3600);
    } else {
        t->kept = t->skip = t->slot >= 0 ? p->inside->notes[t->slot][NOTE_COUNT] & ~IS_ANSWERED : 0;
        int e = read_body(t, &is_too_large);
        set_reply(t, result_of(t, e, is_too_large));
        t->reply.retry_after_s = RETRY_AFTER_S;
        account(t);
    }
    if (t->slot >= 0 && t->reply.result == LOG_PUSH_KEPT) /* goes with the next frame: until then a body without key is taken up, too */
        p->inside->notes[t->slot][NOTE_COUNT] |= IS_ANSWERED;
    switch ((enum log_push_result)t->reply.result) {
    case LOG_PUSH_KEPT: atomic_fetch_add(t->reply.is_repeated ? &p->again : &p->kept, 1); break;
    case LOG_PUSH_REFUSED:
    case LOG_PUSH_OTHER_BODY: atomic_fetch_add(&p->malformed, 1); break;
    case LOG_PUSH_TOO_LARGE: atomic_fetch_add(&p->too_large, 1); break;
    case LOG_PUSH_BUSY:
    case LOG_PUSH_OVER_QUOTA: atomic_fetch_add(&p->put_off, 1); break;
    }
    (void)!send(push->fd, &t->reply, sizeof(t->reply), MSG_DONTWAIT | MSG_NOSIGNAL);
    free(t);
}

/* --- connections ------------------------------------------------------------------------------------------------------- */

static void close_push(struct log_pusher *p, struct push *push)
{
    pthread_mutex_lock(&p->sources.lock);
    p->sources.all[push->source].n_connections--;
    pthread_mutex_unlock(&p->sources.lock);
    close(push->fd);
    close(push->body);
    push->fd = push->body = -1;
    p->inside->n_memory -= push->n_body;
    p->inside->n_pushes--;
}

static void answer(struct log_pusher *p, struct push *push, enum log_push_result result)
{
    struct log_push_reply r = {.magic = LOG_LINK_MAGIC, .result = (uint8_t)result, .retry_after_s = 1};
    (void)!send(push->fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
    close_push(p, push);
}

static struct push *free_push(struct push_inside *x)
{
    for (size_t i = 0; i < PUSHES_MAX; i++)
        if (x->pushes[i].fd < 0)
            return &x->pushes[i];
    return NULL;
}

static void accept_push(struct log_pusher *p)
{
    struct push_inside *x = p->inside;
    struct log_link_hello hello;
    int fd;
    if (log_link_receive(p->o.link_fd, &hello, &fd))
        return;
    struct push *push = hello.kind == LOG_LINK_PUSH ? free_push(x) : NULL;
    int body = push ? memfd_create("push", MFD_CLOEXEC) : -1;
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = push ? (uint64_t)(push - x->pushes) : 0};
    if (body < 0 || (!push->hash && !(push->hash = XXH3_createState())) || epoll_ctl(x->epoll, EPOLL_CTL_ADD, fd, &e)) {
        atomic_fetch_add(&p->over_limit, 1);
        file_close(&body);
        close(fd); /* the gate tells it to come again */
        return;
    }
    XXH3_state_t *hash = push->hash;
    *push = (struct push){.fd = fd, .body = body, .hello = hello, .began_us = clock_steady_us(), .hash = hash};
    XXH3_128bits_reset(hash);
    pthread_mutex_lock(&p->sources.lock);
    push->source = log_sources_find(&p->sources, &hello.ip, (struct text){hello.name, strlen(hello.name)}, clock_now_us());
    p->sources.all[push->source].n_connections++;
    pthread_mutex_unlock(&p->sources.lock);
    x->n_pushes++;
}

/* take_piece - of the body. Return: false: no more of it is taken. */
static bool take_piece(struct log_pusher *p, struct push *push, size_t n)
{
    struct push_inside *x = p->inside;
    if (push->n_body + n > p->o.body_max_bytes) {
        atomic_fetch_add(&p->too_large, 1);
        answer(p, push, LOG_PUSH_TOO_LARGE);
        return false;
    }
    if (x->n_memory + n > PUSH_MEMORY_BYTES || file_write_full(push->body, x->piece + 1, n)) {
        atomic_fetch_add(&p->over_limit, 1);
        answer(p, push, LOG_PUSH_BUSY);
        return false;
    }
    (void)XXH3_128bits_update(push->hash, x->piece + 1, n);
    push->n_body += n;
    x->n_memory += n;
    return true;
}

/* read_push - what is there of it. */
static void read_push(struct log_pusher *p, struct push *push)
{
    struct push_inside *x = p->inside;
    while (push->fd >= 0) {
        ssize_t n = recv(push->fd, x->piece, sizeof(x->piece), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n > 1 && x->piece[0] == LOG_PUSH_BODY) {
            if (!take_piece(p, push, (size_t)n - 1))
                return;
        } else if (n == 1 && x->piece[0] == LOG_PUSH_END) {
            take(p, push);
            close_push(p, push);
        } else {
            atomic_fetch_add(&p->broken_off, 1);
            close_push(p, push);
        }
    }
}

/* --- the thread ------------------------------------------------------------------------------------------------------------ */

int log_pusher_init(struct log_pusher *p, const struct log_push_options *o)
{
    *p = (struct log_pusher){.o = *o};
    int no_room = log_sources_init(&p->sources);
    struct push_inside *x = p->inside = calloc(1, sizeof(*x));
    if (no_room || !x)
        return -ENOMEM;
    x->epoll = epoll_create1(EPOLL_CLOEXEC);
    x->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < PUSHES_MAX; i++)
        x->pushes[i].fd = x->pushes[i].body = -1;
    x->rest = events_new(o->names);
    struct epoll_event link = {.events = EPOLLIN, .data.u64 = TAG_LINK}, wake = {.events = EPOLLIN, .data.u64 = TAG_WAKE};
    if (x->epoll < 0 || x->wake < 0 || epoll_ctl(x->epoll, EPOLL_CTL_ADD, x->wake, &wake) ||
        epoll_ctl(x->epoll, EPOLL_CTL_ADD, o->link_fd, &link))
        return -errno;
    return x->rest ? store_each_note(o->store, recall, p) : -ENOMEM;
}

static int upkeep(struct log_pusher *p)
{
    struct push_inside *x = p->inside;
    int64_t now_us = clock_steady_us();
    if (now_us - x->ticked_us < TICK_US)
        return 0;
    x->ticked_us = now_us;
    for (size_t i = 0; i < PUSHES_MAX; i++)
        if (x->pushes[i].fd >= 0 && now_us - x->pushes[i].began_us > LATE_US) {
            atomic_fetch_add(&p->broken_off, 1);
            close_push(p, &x->pushes[i]);
        }
    (void)store_log_writer_tick(p->o.writer, now_us, NULL); /* rows that are journaled stay so: sealing is tried again */
    return p->o.tick ? p->o.tick(p->o.context) : 0;
}

static void turn(struct log_pusher *p, int wait_ms, bool may_begin)
{
    struct push_inside *x = p->inside;
    struct epoll_event events[N_EVENTS];
    uint64_t unused;
    int n = epoll_wait(x->epoll, events, N_EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 == TAG_WAKE)
            (void)!read(x->wake, &unused, sizeof(unused));
        else if (events[i].data.u64 == TAG_LINK && may_begin)
            accept_push(p);
        else if (events[i].data.u64 < PUSHES_MAX && x->pushes[events[i].data.u64].fd >= 0)
            read_push(p, &x->pushes[events[i].data.u64]);
}

int log_pusher_run(struct log_pusher *p)
{
    struct push_inside *x = p->inside;
    int r = 0;
    while (!r && !atomic_load(&p->is_ending)) {
        turn(p, TICK_MS, true);
        r = upkeep(p);
    }
    int64_t ending_us = clock_steady_us();
    (void)epoll_ctl(x->epoll, EPOLL_CTL_DEL, p->o.link_fd, NULL);
    while (!r && x->n_pushes && clock_steady_us() - ending_us < DRAIN_US)
        turn(p, RETRY_MS, false);
    return r;
}

void log_pusher_end(struct log_pusher *p)
{
    uint64_t one = 1;
    atomic_store(&p->is_ending, true);
    if (p->inside && p->inside->wake >= 0)
        (void)!write(p->inside->wake, &one, sizeof(one));
}

void log_pusher_fini(struct log_pusher *p)
{
    struct push_inside *x = p->inside;
    if (x) {
        for (size_t i = 0; i < PUSHES_MAX; i++) {
            if (x->pushes[i].fd >= 0)
                close_push(p, &x->pushes[i]);
            XXH3_freeState(x->pushes[i].hash);
        }
        file_close(&x->epoll);
        file_close(&x->wake);
        events_free(x->rest);
        free(x);
    }
    p->inside = NULL;
    log_sources_fini(&p->sources);
}
