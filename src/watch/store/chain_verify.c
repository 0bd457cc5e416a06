/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First every line by itself: its link, and the file if it is there. Then the merged segments: each is taken apart along
 * the lines down to what was sealed first, and the rows of each part must be what they were.
 */
#include "watch/store/chain_inside.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    struct chain_line line; /* its text borrowed from the file's bytes */
    size_t number;          /* of the line: parts stand before what was made of them */
    bool is_live, is_part;  /* its file is there; its rows stand in a merged segment that is */
};

struct check {
    const struct chain_check *ask;
    struct chain_report *report;
    int segments_fd;
    struct sha256 head;
    struct entry *entries; /* in order of the lines, then by id */
    size_t n, room;
    struct chain_part *parts; /* of the merged segment looked at: room for n */
    struct entry **of_parts, **stack;
};

static int wrong(struct check *x, uint64_t id, enum message_id why)
{
    return x->ask->wrong(x->ask->context, id, message_text(why));
}

static int add_entry(struct check *x, const struct chain_line *l)
{
    if (x->n == x->room) {
        size_t room = x->room ? 2 * x->room : 64;
        struct entry *more = realloc(x->entries, room * sizeof(*more));
        if (!more)
            return -ENOMEM;
        x->entries = more;
        x->room = room;
    }
    x->entries[x->n] = (struct entry){.line = *l, .number = x->n};
    x->n++;
    return 0;
}

static int check_line(struct check *x, const struct chain_line *l)
{
    struct sha256 now;
    x->report->n_lines++;
    x->report->has_head |= x->ask->head && !memcmp(x->ask->head->b, l->link.b, sizeof(now.b));
    int r = add_entry(x, l);
    if (r || !manifest_find_segment(x->ask->manifest, l->id))
        return r;
    x->entries[x->n - 1].is_live = true;
    r = chain_hash_segment(x->segments_fd, l->id, &now);
    if (!r && !memcmp(now.b, l->content.b, sizeof(now.b))) {
        x->report->n_present++;
        return 0;
    }
    return wrong(x, l->id, r ? MSG_store_segment_missing : MSG_chain_changed);
}

static int check_lines(struct check *x, struct text all)
{
    struct text rest = all, t;
    char reason[160];
    bool is_first = true;
    for (uint64_t number = 1; chain_next(&rest, &t); number++) {
        struct chain_line l;
        bool is_bad = is_first ? !chain_is_magic(t) : chain_parse(t, &l) != 0;
        struct sha256 expected = is_first || is_bad ? (struct sha256){{0}} : chain_link(&x->head, t.p, l.n_said);
        if (is_bad || (!is_first && memcmp(expected.b, l.link.b, sizeof(expected.b)))) {
            SAY_TO(reason, sizeof(reason), chain_broken, (unsigned long long)number);
            return x->ask->wrong(x->ask->context, 0, reason); /* what follows proves nothing */
        }
        if (!is_first) {
            x->head = l.link;
            int r = check_line(x, &l);
            if (r)
                return r;
        }
        is_first = false;
    }
    return 0;
}

/* --- merged segments ------------------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = (x->line.id > y->line.id) - (x->line.id < y->line.id);
    return c ? c : (x->number > y->number) - (x->number < y->number);
}

static struct entry *find(const struct check *x, uint64_t id)
{
    size_t from = 0, to = x->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (x->entries[middle].line.id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < x->n && x->entries[from].line.id == id ? &x->entries[from] : NULL;
}

/*
 * take_apart - @e into what was sealed first, in order of the rows. What a line names stands before it, and nothing is
 * named twice: so the walk ends. Return: how many parts; 0: the lines do not fit together.
 */
static size_t take_apart(struct check *x, struct entry *e)
{
    size_t n = 0, n_stack = 0;
    uint64_t n_rows = 0;
    x->stack[n_stack++] = e;
    while (n_stack) {
        struct entry *top = x->stack[--n_stack];
        if (!top->line.from.n) {
            if (n == x->n || top->is_part || top->is_live || !top->line.has_rows)
                return 0;
            x->parts[n] = (struct chain_part){.id = top->line.id, .n_rows = top->line.n_rows, .rows = top->line.rows};
            x->of_parts[n++] = top;
            n_rows += top->line.n_rows;
            continue;
        }
        size_t begin = n_stack;
        for (struct text rest = top->line.from; rest.n;) {
            uint64_t id;
            struct entry *part = chain_next_id(&rest, &id) ? NULL : find(x, id);
            if (!part || part->number >= top->number || n_stack + n >= x->n)
                return 0;
            x->stack[n_stack++] = part;
        }
        for (size_t i = begin, k = n_stack; i + 1 < k; i++) { /* the first on top */
            struct entry *swap = x->stack[--k];
            x->stack[k] = x->stack[i];
            x->stack[i] = swap;
        }
    }
    return n_rows == e->line.n_rows ? n : 0;
}

static int check_merged(struct check *x, struct entry *e)
{
    size_t n = take_apart(x, e);
    int r = n && x->ask->merged ? x->ask->merged(x->ask->context, e->line.id, x->parts, n) : 1;
    if (r < 0)
        return r;
    if (r)
        return wrong(x, e->line.id, MSG_chain_rows_changed);
    for (size_t i = 0; i < n; i++)
        x->of_parts[i]->is_part = true;
    x->report->n_merged += n;
    return 0;
}

static int check_all_merged(struct check *x)
{
    x->parts = calloc(x->n + 1, sizeof(*x->parts));
    x->of_parts = calloc(x->n + 1, sizeof(*x->of_parts));
    x->stack = calloc(x->n + 1, sizeof(*x->stack));
    int r = x->parts && x->of_parts && x->stack ? 0 : -ENOMEM;
    if (!r && x->n)
        qsort(x->entries, x->n, sizeof(*x->entries), by_id);
    for (size_t i = 0; !r && i < x->n; i++)
        if (x->entries[i].is_live && x->entries[i].line.from.n)
            r = check_merged(x, &x->entries[i]);
    for (size_t i = 0; !r && i < x->n; i++)
        x->report->n_gone += !x->entries[i].is_live && !x->entries[i].is_part && !x->entries[i].line.from.n;
    return r;
}

/* --- the door ---------------------------------------------------------------------------------------------------------- */

static void count_unchained(struct check *x)
{
    const struct manifest *m = x->ask->manifest;
    for (size_t i = 0; i < m->n_segments; i++) {
        const struct manifest_segment *s = &m->segments[i];
        x->report->n_unchained += !s->is_gone && s->family == MANIFEST_LOGS && !find(x, s->id);
    }
}

int chain_verify(int store_fd, const struct chain_check *check, struct chain_report *ret, struct fault *f)
{
    struct check x = {.ask = check, .report = ret};
    *ret = (struct chain_report){0};
    _cleanup_close_ int segments_fd = openat(store_fd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = openat(store_fd, CHAIN_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    x.segments_fd = segments_fd;
    if (fd < 0 && errno == ENOENT) {
        count_unchained(&x);
        return -ENOENT;
    }
    uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd < 0 ? -errno : file_read_all(fd, CHAIN_BYTES_MAX, &bytes, &n);
    if (r)
        return FAULT(f, r, store_read_failed, "store/" CHAIN_NAME, strerrordesc_np(-r));
    r = check_lines(&x, (struct text){(const char *)bytes, n});
    if (!r)
        r = check_all_merged(&x);
    count_unchained(&x);
    ret->head = x.head;
    free(bytes);
    free(x.entries);
    free(x.parts);
    free(x.of_parts);
    free(x.stack);
    return r == -ENOMEM ? FAULT(f, r, store_no_memory, "store/" CHAIN_NAME) : r;
}
