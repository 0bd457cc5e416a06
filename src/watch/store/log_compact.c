/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small segments of log events that arrived one after another become one: fewer files to open, one word index instead of
 * many, whole blocks. Rows are copied in their order; the digest of every member's rows is compared on the way, and the
 * line in the chain says what was made of what (chain.h). What is merged must fit one segment by all its measures, so
 * that no run is tried in vain again and again.
 */
#include "watch/store/compact.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SMALL_PART = 4 }; /* a segment is small below a quarter of a full one, by each measure */

enum measure { ROWS, TEXT_BYTES, TERM_COUNT, TERM_BYTES, FIELDS, N_MEASURES };

/* what of a segment counts against the limits of one */
struct weight {
    uint64_t of[N_MEASURES];
    bool is_small, is_imported;
};

static void limits_of(const struct store *s, uint64_t ret[N_MEASURES])
{
    uint32_t rows = store_segment_rows(s);
    ret[ROWS] = rows < LOG_SEGMENT_ROWS ? rows : LOG_SEGMENT_ROWS;
    ret[TEXT_BYTES] = LOG_SEGMENT_TEXT_MAX - 1;
    ret[TERM_COUNT] = TERMS_MAX / 2 - 1;
    ret[TERM_BYTES] = TERMS_BYTES_MAX / 4; /* packed: the words themselves are longer */
    ret[FIELDS] = EVENT_NAMES_MAX - EVENT_N_FIELDS;
}

/* weigh - a segment that cannot be opened, or has no digest (an old one), is not small. */
static struct weight weigh(struct store *s, const struct manifest_segment *m, const uint64_t limits[N_MEASURES])
{
    struct weight w = {.of[ROWS] = m->n_rows};
    struct log_segment *segment = NULL;
    if (m->n_rows >= (limits[ROWS] + SMALL_PART - 1) / SMALL_PART || store_open_log_segment(s, m->id, &segment, NULL))
        return w;
    const struct log_segment_info *info = log_segment_info(segment);
    w.of[TEXT_BYTES] = info->text_bytes;
    w.of[TERM_COUNT] = info->n_terms;
    w.of[TERM_BYTES] = info->terms_bytes;
    w.of[FIELDS] = info->n_fields;
    w.is_small = info->has_digest;
    w.is_imported = info->is_imported;
    log_segment_close(segment);
    for (unsigned k = TEXT_BYTES; k < FIELDS; k++)
        w.is_small &= w.of[k] < limits[k] / SMALL_PART;
    return w;
}

static bool fits(const uint64_t sum[N_MEASURES], const struct weight *w, const uint64_t limits[N_MEASURES])
{
    for (unsigned k = 0; k < N_MEASURES; k++)
        if (sum[k] + w->of[k] > limits[k])
            return false;
    return w->is_small;
}

/* trim - shorten from the front until the largest is no more than the rest: else each newcomer has the large one written again. */
static struct run trim(const struct weight *w, struct run r)
{
    for (; r.n >= 2; r.from++, r.n--) {
        uint64_t sum = 0, largest = 0;
        for (size_t i = r.from; i < r.from + r.n; i++) {
            sum += w[i].of[ROWS];
            largest = w[i].of[ROWS] > largest ? w[i].of[ROWS] : largest;
        }
        if (largest <= sum - largest)
            return r;
    }
    return (struct run){r.from, 0};
}

/* next_run - neighbours from *at on that fit one segment and arrived within a day. Return: .n 0 at the end. */
static struct run next_run(const struct manifest_segment *m, const struct weight *w, size_t n, size_t *at,
                           const uint64_t limits[N_MEASURES])
{
    while (*at < n) {
        struct run r = {*at, 0};
        uint64_t sum[N_MEASURES] = {0};
        int64_t first_us = m[*at].arrived_min_us;
        while (*at < n && r.n < CHAIN_PARTS_MAX && fits(sum, &w[*at], limits) && m[*at].arrived_max_us - first_us <= US_PER_DAY &&
               w[*at].is_imported == w[r.from].is_imported) {
            for (unsigned k = 0; k < N_MEASURES; k++)
                sum[k] += w[*at].of[k];
            ++*at;
            r.n++;
        }
        *at += r.n == 0;
        r = trim(w, r);
        if (r.n)
            return r;
    }
    return (struct run){0, 0};
}

/* --- copying ------------------------------------------------------------------------------------------------------- */

struct copying {
    struct event_names *names; /* its own: a table that hostile names have filled would cost fields */
    struct events *events;
    struct log_scratch *scratch;
    struct log_rows *digest;
    struct log_builder *to;
};

static int copying_init(struct copying *x, uint32_t n_rows)
{
    x->names = event_names_new();
    x->events = x->names ? events_new(x->names) : NULL;
    x->scratch = log_scratch_new();
    x->digest = log_rows_new();
    x->to = x->names ? log_builder_new(x->names, n_rows) : NULL;
    return x->events && x->scratch && x->digest && x->to ? 0 : -ENOMEM;
}

static void copying_fini(struct copying *x)
{
    log_builder_free(x->to);
    log_rows_free(x->digest);
    log_scratch_free(x->scratch);
    events_free(x->events);
    event_names_free(x->names);
}

static int add_rows(struct copying *x)
{
    uint32_t from = 0, taken;
    for (uint32_t row = 0; row < x->events->n; row++)
        log_rows_add(x->digest, x->events, row);
    while (from < x->events->n) {
        int r = log_builder_add(x->to, x->events, from, &taken);
        from += taken;
        if (r < 0)
            return r;
        if (r == LOG_SEGMENT_FULL && from < x->events->n)
            return -EOVERFLOW;
    }
    return 0;
}

/* copy_rows - Return: 0, -EBADMSG (damaged: rows are missing or are not what was sealed), -EOVERFLOW, -ENOMEM. */
static int copy_rows(const struct log_segment *from, struct copying *x)
{
    const struct log_segment_info *info = log_segment_info(from);
    int r = 0;
    for (uint32_t b = 0; !r && b < info->n_blocks; b++) {
        r = log_segment_read(from, b, x->scratch, x->events);
        if (!r && event_names_count(x->names) >= EVENT_NAMES_MAX)
            r = -EOVERFLOW;
        if (!r)
            r = add_rows(x);
    }
    struct log_digest found = log_rows_end(x->digest);
    return r || log_digest_equal(&found, &info->rows) ? r : -EBADMSG;
}

static int copy_segment(struct compaction *c, const struct manifest_segment *m, struct copying *x)
{
    struct log_segment *from = NULL;
    struct fault why = {0};
    int r = store_open_log_segment(c->store, m->id, &from, &why);
    if (!r && log_segment_info(from)->is_imported)
        log_builder_imported(x->to);
    if (!r)
        r = copy_rows(from, x);
    log_segment_close(from);
    if (r && r != -EOVERFLOW)
        return compact_unreadable(c, m->id, r, &why);
    c->report->bytes_read += m->n_bytes;
    return r;
}

/* finish - the file of the merged rows, then the transaction. */
static int finish(struct compaction *c, const struct manifest_segment *m, size_t n, struct copying *x)
{
    struct manifest_segment merged = compact_merged(c->store, m, n);
    uint64_t n_rows = merged.n_rows;
    struct log_segment *written = NULL;
    int r = build_write_logs(c->store, x->to, &merged, c->fault);
    x->to = NULL;
    if (r)
        return r;
    r = store_open_log_segment(c->store, merged.id, &written, c->fault);
    if (!r && (merged.n_rows != n_rows || !log_segment_info(written)->has_digest)) /* never replace rows by fewer */
        r = FAULT(c->fault, -EIO, store_merge_lost_rows, (unsigned long long)merged.n_rows, (unsigned long long)n_rows);
    if (r) {
        log_segment_close(written);
        store_unlink(c->store, STORE_SEGMENT, merged.id);
        return r;
    }
    struct log_digest rows = log_segment_info(written)->rows;
    log_segment_close(written);
    return compact_swap(c, m, n, &merged, &rows);
}

/* merge_run - Return: 0 (also when a damaged member was set aside and the run left as it is) or <0. */
static int merge_run(struct compaction *c, const struct manifest_segment *m, size_t n)
{
    struct copying x = {0};
    uint64_t n_rows = 0;
    for (size_t i = 0; i < n; i++)
        n_rows += m[i].n_rows;
    int r = copying_init(&x, (uint32_t)n_rows);
    if (r)
        r = FAULT(c->fault, r, store_no_memory, "store/segments");
    for (size_t i = 0; !r && i < n; i++)
        r = copy_segment(c, &m[i], &x);
    if (!r)
        r = finish(c, m, n, &x);
    else if (r == -EBADMSG || r == -EOVERFLOW)
        r = 0;
    copying_fini(&x);
    return r;
}

/* --- the door ------------------------------------------------------------------------------------------------------- */

int store_open_log_segment(struct store *s, uint64_t id, struct log_segment **ret, struct fault *f)
{
    char name[STORE_NAME_MAX], shown[STORE_SHOWN_MAX];
    store_file_name(STORE_SEGMENT, id, name);
    _cleanup_close_ int fd = openat(s->segments_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, store_file_shown(STORE_SEGMENT, id, shown), strerrordesc_np(-e));
    }
    return log_segment_open(fd, id, false, ret, f);
}

static bool may_merge(struct store *s)
{
    pthread_mutex_lock(&s->chain_lock);
    bool may = s->chain.fd >= 0; /* with a broken chain what is there is the only evidence */
    pthread_mutex_unlock(&s->chain_lock);
    return may;
}

int compact_logs(struct compaction *c)
{
    struct manifest_segment *m = NULL;
    size_t n = 0, at = 0;
    uint64_t limits[N_MEASURES];
    if (!may_merge(c->store))
        return 0;
    int r = compact_live(c->store, MANIFEST_LOGS, &m, &n, c->fault);
    struct weight *w = r ? NULL : calloc(n + 1, sizeof(*w));
    if (!r && !w)
        r = FAULT(c->fault, -ENOMEM, store_no_memory, "store/segments");
    limits_of(c->store, limits);
    for (size_t i = 0; !r && i < n; i++)
        w[i] = weigh(c->store, &m[i], limits);
    while (!r && next_run(m, w, n, &at, limits).n)
        c->total++;
    at = 0;
    for (struct run run; !r && !c->is_stopped && (run = next_run(m, w, n, &at, limits)).n;) {
        r = merge_run(c, m + run.from, run.n);
        if (!r)
            compact_step_done(c);
    }
    free(w);
    free(m);
    return r;
}
