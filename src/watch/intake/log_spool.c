/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory is a ring of records, each whole in one piece; disk a row of numbered files of the same records with a checksum. The lock
 * guards the marks, not the bytes between them.
 */
#include "watch/intake/log_spool.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define RECORD_MAGIC 0x314c5053u /* "SPL1" */

enum { DATAGRAM_MAX = 65536, WINDOW = 1 << 20, PATH_ROOM = 4096 };

struct record {
    uint32_t magic, n; /* of a record in memory that only fills the ring's end: n is UINT32_MAX */
    int64_t arrived_us;
    struct ip ip;
    uint64_t sum; /* of the bytes, and of the fields above */
};

struct log_spool {
    char dir[PATH_ROOM];
    uint64_t max_bytes;
    pthread_mutex_t lock;
    uint8_t *ring;
    size_t head, tail, used; /* put at head, taken at tail */
    size_t taken;            /* of the record that is lent out */
    bool is_on_disk;         /* files hold something: all that comes goes there */
    uint32_t first, last;    /* the file that is read, and the one that is written */
    uint64_t written;        /* bytes of the file that is written */
    uint64_t disk_bytes;
    int out, in;             /* -1: none */
    struct log_spool_state n;
    /* the taker's */
    uint64_t at;             /* in the file that is read */
    uint32_t settled;        /* files below are gone */
    uint8_t *window;
    size_t window_at, window_n;
    /* the putter's */
    struct buf room;
};

static void path_of(const struct log_spool *s, uint32_t number, char out[PATH_ROOM + 16])
{
    snprintf(out, PATH_ROOM + 16, "%s/%08x", s->dir, number);
}

static uint64_t sum_of(const struct record *r, const void *bytes)
{
    return XXH3_64bits_withSeed(bytes, r->n, (uint64_t)r->arrived_us ^ XXH3_64bits(&r->ip, sizeof(r->ip)) ^ r->n);
}

static size_t size_of(uint32_t n)
{
    return sizeof(struct record) + (((size_t)n + 7) & ~(size_t)7);
}

/* --- beginning -------------------------------------------------------------------------------------------------- */

/* look - which files are there, and how large. Those below the place of the last run are done with. */
static int look(struct log_spool *s, uint64_t place)
{
    DIR *d = opendir(s->dir);
    uint32_t least = UINT32_MAX, most = 0;
    char path[PATH_ROOM + 16];
    struct stat st;
    if (!d)
        return -errno;
    for (const struct dirent *e; (e = readdir(d));) {
        char *end;
        unsigned long number = strtoul(e->d_name, &end, 16);
        if (*end || strlen(e->d_name) != 8)
            continue;
        path_of(s, (uint32_t)number, path);
        if (number < place >> 32 || stat(path, &st)) {
            (void)unlink(path);
            continue;
        }
        s->disk_bytes += (uint64_t)st.st_size;
        least = number < least ? (uint32_t)number : least;
        most = number > most ? (uint32_t)number : most;
    }
    closedir(d);
    s->is_on_disk = least != UINT32_MAX;
    uint32_t next = s->is_on_disk ? most + 1 : (uint32_t)(place >> 32) + 1; /* never write where something was read */
    s->first = s->settled = s->is_on_disk ? least : next;
    s->last = next;
    s->at = s->is_on_disk && least == place >> 32 ? (uint32_t)place : 0;
    return 0;
}

int log_spool_open(const char *dir, uint64_t max_bytes, uint64_t place, struct log_spool **ret)
{
    struct log_spool *s = calloc(1, sizeof(*s));
    if (!s || strlen(dir) >= sizeof(s->dir)) {
        free(s);
        return -ENOMEM;
    }
    memcpy(s->dir, dir, strlen(dir));
    s->max_bytes = max_bytes;
    s->in = s->out = -1;
    s->room.max = 2 * DATAGRAM_MAX;
    pthread_mutex_init(&s->lock, NULL);
    s->ring = malloc(SPOOL_MEMORY_BYTES);
    s->window = malloc(WINDOW);
    int r = s->ring && s->window ? file_make_dirs(dir, 0700) : -ENOMEM;
    r = r ? r : look(s, place);
    if (r) {
        log_spool_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* --- putting ------------------------------------------------------------------------------------------------------- */

/* put_memory - Return: false: no room. Under the lock. */
static bool put_memory(struct log_spool *s, const struct record *r, const void *bytes)
{
    size_t need = size_of(r->n), to_end = SPOOL_MEMORY_BYTES - s->head;
    size_t waste = to_end < need ? to_end : 0;
    if (s->used + waste + need > SPOOL_MEMORY_BYTES)
        return false;
    if (waste >= sizeof(struct record)) {
        struct record fill = {.n = UINT32_MAX};
        memcpy(s->ring + s->head, &fill, sizeof(fill));
    }
    s->head = waste ? 0 : s->head;
    memcpy(s->ring + s->head, r, sizeof(*r));
    memcpy(s->ring + s->head + sizeof(*r), bytes, r->n);
    s->head = (s->head + need) % SPOOL_MEMORY_BYTES;
    s->used += waste + need;
    return true;
}

/* put_disk - Return: false: the spool is full or the disk refuses. */
static bool put_disk(struct log_spool *s, const struct record *r, const void *bytes)
{
    static const uint8_t zeros[8];
    char path[PATH_ROOM + 16];
    size_t need = size_of(r->n);
    pthread_mutex_lock(&s->lock);
    bool is_full = s->disk_bytes + need > s->max_bytes;
    pthread_mutex_unlock(&s->lock);
    if (is_full)
        return false;
    if (s->out >= 0 && s->written + need > SPOOL_FILE_BYTES) {
        file_close(&s->out);
        pthread_mutex_lock(&s->lock);
        s->last++;
        s->written = 0;
        pthread_mutex_unlock(&s->lock);
    }
    if (s->out < 0) {
        path_of(s, s->last, path);
        s->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->out < 0)
            return false;
    }
    buf_clear(&s->room);
    buf_add(&s->room, r, sizeof(*r));
    buf_add(&s->room, bytes, r->n);
    buf_add(&s->room, zeros, need - sizeof(*r) - r->n);
    if (s->room.is_bad || file_write_full(s->out, s->room.p, s->room.n)) {
        if (ftruncate(s->out, (off_t)s->written) || lseek(s->out, (off_t)s->written, SEEK_SET) < 0) {
            file_close(&s->out); /* what stands there is found to be damaged */
            pthread_mutex_lock(&s->lock);
            s->last++;
            s->written = 0;
            pthread_mutex_unlock(&s->lock);
        }
        return false;
    }
    pthread_mutex_lock(&s->lock);
    s->written += need;
    s->disk_bytes += need;
    s->is_on_disk = true;
    s->n.on_disk++;
    s->n.waiting++;
    pthread_mutex_unlock(&s->lock);
    return true;
}

int log_spool_put(struct log_spool *s, const struct spooled *d)
{
    struct record r = {.magic = RECORD_MAGIC, .n = (uint32_t)d->bytes.n, .arrived_us = d->arrived_us, .ip = d->ip};
    if (d->bytes.n > DATAGRAM_MAX)
        return 1;
    pthread_mutex_lock(&s->lock);
    bool is_kept = !s->is_on_disk && put_memory(s, &r, d->bytes.p);
    s->n.waiting += is_kept;
    pthread_mutex_unlock(&s->lock);
    if (is_kept)
        return 0;
    r.sum = sum_of(&r, d->bytes.p);
    return put_disk(s, &r, d->bytes.p) ? 0 : 1;
}

/* --- taking -------------------------------------------------------------------------------------------------------- */

/* take_memory - Return: false: nothing there. Under the lock. */
static bool take_memory(struct log_spool *s, struct spooled *ret)
{
    struct record r;
    s->used -= s->taken;
    s->tail = (s->tail + s->taken) % SPOOL_MEMORY_BYTES;
    s->taken = 0;
    if (!s->used)
        return false;
    size_t to_end = SPOOL_MEMORY_BYTES - s->tail;
    bool is_fill = to_end < sizeof(r);
    if (!is_fill)
        memcpy(&r, s->ring + s->tail, sizeof(r));
    if (is_fill || r.n == UINT32_MAX) {
        s->used -= to_end;
        s->tail = 0;
        memcpy(&r, s->ring, sizeof(r));
    }
    *ret = (struct spooled){r.arrived_us, r.ip, {(const char *)s->ring + s->tail + sizeof(r), r.n}};
    s->taken = size_of(r.n);
    return true;
}

/* next_file - the one that is read is done with. Return: false: it was the last. */
static bool next_file(struct log_spool *s)
{
    file_close(&s->in);
    s->at = 0;
    s->window_at = s->window_n = 0;
    pthread_mutex_lock(&s->lock);
    bool is_more = s->first < s->last;
    s->first += is_more;
    pthread_mutex_unlock(&s->lock);
    return is_more;
}

/* limit_of - how much of the file that is read may be read: of the one that is written only what is whole. */
static uint64_t limit_of(struct log_spool *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t limit = s->first == s->last ? s->written : UINT64_MAX;
    pthread_mutex_unlock(&s->lock);
    return limit;
}

/* fill - the window holds the record at the place, or as much as there is. Return: its bytes. */
static size_t fill(struct log_spool *s, size_t want, uint64_t limit)
{
    char path[PATH_ROOM + 16];
    size_t have = s->window_n - s->window_at;
    if (have >= want)
        return have;
    if (s->in < 0) {
        path_of(s, s->first, path);
        s->in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (s->in < 0)
            return 0;
    }
    s->window_at = s->window_n = 0;
    size_t most = limit - s->at < WINDOW ? (size_t)(limit - s->at) : WINDOW;
    ssize_t n = limit > s->at ? pread(s->in, s->window, most, (off_t)s->at) : 0;
    s->window_n = n > 0 ? (size_t)n : 0;
    return s->window_n;
}

/* take_record - of the file that is read. Return: 0; 1: nothing more in it; 2: it goes on damaged. */
static int take_record(struct log_spool *s, uint64_t limit, struct spooled *ret)
{
    struct record r;
    size_t have = fill(s, sizeof(r), limit);
    if (!have)
        return 1;
    if (have < sizeof(r))
        return 2;
    memcpy(&r, s->window + s->window_at, sizeof(r));
    if (r.magic != RECORD_MAGIC || r.n > DATAGRAM_MAX || fill(s, size_of(r.n), limit) < size_of(r.n))
        return 2;
    const uint8_t *bytes = s->window + s->window_at + sizeof(r);
    if (r.sum != sum_of(&r, bytes))
        return 2;
    *ret = (struct spooled){r.arrived_us, r.ip, {(const char *)bytes, r.n}};
    s->window_at += size_of(r.n);
    s->at += size_of(r.n);
    return 0;
}

/* leave_disk - all files are read: what comes from now on goes to memory. Return: false: one was put meanwhile. */
static bool leave_disk(struct log_spool *s)
{
    pthread_mutex_lock(&s->lock);
    bool is_drained = s->first == s->last && s->at >= s->written;
    s->is_on_disk = !is_drained;
    pthread_mutex_unlock(&s->lock);
    return is_drained;
}

int log_spool_take(struct log_spool *s, struct spooled *ret)
{
    pthread_mutex_lock(&s->lock);
    bool is_there = take_memory(s, ret), is_on_disk = s->is_on_disk;
    s->n.waiting -= is_there && s->n.waiting;
    pthread_mutex_unlock(&s->lock);
    if (is_there)
        return 0;
    while (is_on_disk) {
        uint64_t limit = limit_of(s);
        int r = take_record(s, limit, ret);
        if (!r) {
            pthread_mutex_lock(&s->lock);
            s->n.waiting -= s->n.waiting > 0;
            pthread_mutex_unlock(&s->lock);
            return 0;
        }
        bool is_last = limit != UINT64_MAX;
        if (r == 2 && !is_last) {
            pthread_mutex_lock(&s->lock);
            s->n.damaged++;
            pthread_mutex_unlock(&s->lock);
        }
        if (is_last && leave_disk(s))
            return 1;
        if (is_last && limit == limit_of(s)) /* cannot be read on, and nothing new came */
            return 1;
        if (!is_last)
            (void)next_file(s);
    }
    return 1;
}

uint64_t log_spool_place(const struct log_spool *s)
{
    return (uint64_t)s->first << 32 | (uint32_t)s->at;
}

void log_spool_settle(struct log_spool *s)
{
    char path[PATH_ROOM + 16];
    struct stat st;
    for (; s->settled < s->first; s->settled++) {
        path_of(s, s->settled, path);
        bool has = !stat(path, &st);
        if (has && !unlink(path)) {
            pthread_mutex_lock(&s->lock);
            s->disk_bytes -= s->disk_bytes < (uint64_t)st.st_size ? s->disk_bytes : (uint64_t)st.st_size;
            pthread_mutex_unlock(&s->lock);
        }
    }
}

struct log_spool_state log_spool_state(struct log_spool *s)
{
    pthread_mutex_lock(&s->lock);
    struct log_spool_state n = s->n;
    n.disk_bytes = s->disk_bytes;
    pthread_mutex_unlock(&s->lock);
    return n;
}

void log_spool_close(struct log_spool *s)
{
    struct spooled d;
    if (!s)
        return;
    /* what is in memory is older than what lies on disk only if the disk was not left: then its order is lost, nothing else */
    while (s->ring && s->window && take_memory(s, &d)) {
        struct record r = {.magic = RECORD_MAGIC, .n = (uint32_t)d.bytes.n, .arrived_us = d.arrived_us, .ip = d.ip};
        r.sum = sum_of(&r, d.bytes.p);
        (void)put_disk(s, &r, d.bytes.p);
    }
    file_close(&s->in);
    file_close(&s->out);
    free(s->ring);
    free(s->window);
    buf_fini(&s->room);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
