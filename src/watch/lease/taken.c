/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/taken.h"

#include "base/cursor.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NAME "TAKEN"
#define MAGIC "VGTAKEN1"

/* the bytes: head, entries, checksum of both */
struct head {
    char magic[8];
    uint64_t n;
};

static int read_entries(struct taken *t, const uint8_t *p, size_t n_bytes)
{
    struct head h;
    uint64_t sum;
    if (n_bytes < sizeof(h) + sizeof(sum))
        return 0;
    memcpy(&h, p, sizeof(h));
    memcpy(&sum, p + n_bytes - sizeof(sum), sizeof(sum));
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) || h.n > TAKEN_MAX || n_bytes != sizeof(h) + h.n * sizeof(*t->all) + sizeof(sum) ||
        sum != XXH3_64bits(p, n_bytes - sizeof(sum)))
        return 0;
    t->all = malloc((h.n + 1) * sizeof(*t->all));
    if (!t->all)
        return -ENOMEM;
    memcpy(t->all, p + sizeof(h), h.n * sizeof(*t->all));
    t->n = h.n;
    t->room = h.n + 1;
    return 0;
}

int taken_load(struct taken *t, int dir_fd)
{
    uint8_t *p = NULL;
    size_t n = 0;
    *t = (struct taken){0};
    _cleanup_close_ int fd = dir_fd < 0 ? -1 : openat(dir_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    int r = file_read_all(fd, sizeof(struct head) + (size_t)TAKEN_MAX * sizeof(*t->all) + 8, &p, &n);
    if (!r)
        r = read_entries(t, p, n);
    free(p);
    return r == -ENOMEM ? r : 0; /* what cannot be read was not taken */
}

void taken_fini(struct taken *t)
{
    free(t->all);
    *t = (struct taken){0};
}

/* place_of - where @id stands or would. */
static size_t place_of(const struct taken *t, uint64_t id)
{
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->all[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_id(const struct taken *t, uint64_t id)
{
    size_t at = place_of(t, id);
    return at < t->n && t->all[at].id == id;
}

int taken_add(struct taken *t, const struct manifest_segment *s)
{
    size_t at = place_of(t, s->id);
    if (at < t->n && t->all[at].id == s->id)
        return 0;
    if (t->n == TAKEN_MAX)
        return -ENOBUFS;
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct taken_segment *more = realloc(t->all, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        t->all = more;
        t->room = room;
    }
    memmove(t->all + at + 1, t->all + at, (t->n - at) * sizeof(*t->all));
    t->all[at] = (struct taken_segment){s->id, s->order, s->n_rows, s->family};
    t->n++;
    return 0;
}

/* next_order - where the next living segment of the same family stands. */
static uint64_t next_order(const struct manifest *m, const struct manifest_segment *s)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < m->n_segments; i++) {
        const struct manifest_segment *x = &m->segments[i];
        if (!x->is_gone && x->family == s->family && x->order > s->order && x->order < next)
            next = x->order;
    }
    return next;
}

bool taken_has(const struct taken *t, const struct manifest_segment *s, const struct manifest *live)
{
    if (has_id(t, s->id))
        return true;
    uint64_t next = 0, n_rows = 0;
    bool has_first = false;
    for (size_t i = 0; i < t->n; i++) {
        const struct taken_segment *x = &t->all[i];
        if (x->family != s->family || x->order < s->order)
            continue;
        next = next ? next : next_order(live, s);
        if (x->order >= next || manifest_find_segment(live, x->id))
            continue;
        has_first |= x->order == s->order;
        n_rows += x->n_rows;
    }
    return has_first && n_rows == s->n_rows;
}

void taken_prune(struct taken *t, const struct manifest *live)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (manifest_find_segment(live, t->all[i].id))
            t->all[n++] = t->all[i];
    t->n = n;
}

int taken_save(const struct taken *t, int dir_fd)
{
    struct head h = {.magic = MAGIC, .n = t->n};
    size_t n_entries = t->n * sizeof(*t->all), n = sizeof(h) + n_entries + 8;
    uint8_t *p = malloc(n);
    if (!p)
        return -ENOMEM;
    memcpy(p, &h, sizeof(h));
    if (n_entries)
        memcpy(p + sizeof(h), t->all, n_entries);
    uint64_t sum = XXH3_64bits(p, n - 8);
    memcpy(p + n - 8, &sum, 8);
    int r = file_replace(dir_fd, NAME, p, n);
    free(p);
    return r;
}
