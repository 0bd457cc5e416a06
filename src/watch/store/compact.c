/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fewer and larger: small segments that arrived one after another become one, and merged dictionaries
 * let a hunt ask once for an hour or a day. Rows are copied whole and in order of arrival; nothing is
 * dropped, paired or sorted. Old files go after the transaction that no longer names them; readers
 * that have them open keep their mappings.
 */
#include "watch/store/compact.h"
#include "watch/store/merged.h"
#include "watch/store/segment_format.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR_US (INT64_C(3600) * US_PER_SECOND)
#define SMALL_PART 4u /* a segment is small below a quarter of a full one */

void compact_step_done(struct compaction *c)
{
    c->done++;
    if (c->total < c->done)
        c->total = c->done;
    c->is_stopped = c->progress && c->progress(c->context, c->done, c->total) != 0;
}

int store_live(struct store *s, struct manifest_segment **ret, size_t *ret_n, struct fault *f)
{
    pthread_mutex_lock(&s->lock);
    int r = manifest_live(&s->manifest, ret, ret_n);
    pthread_mutex_unlock(&s->lock);
    return r ? FAULT(f, r, store_no_memory, "store/segments") : 0;
}

int store_open_segment(struct store *s, uint64_t id, struct segment **ret, struct fault *f)
{
    char name[STORE_NAME_MAX], shown[STORE_SHOWN_MAX];
    store_file_name(STORE_SEGMENT, id, name);
    _cleanup_close_ int fd = openat(s->segments_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, store_file_shown(STORE_SEGMENT, id, shown), strerrordesc_np(-e));
    }
    return segment_open(fd, id, false, ret, f);
}

int compact_live(struct store *s, int family, struct manifest_segment **ret, size_t *ret_n, struct fault *f)
{
    struct manifest_segment *all;
    size_t n, kept = 0;
    int r = store_live(s, &all, &n, f);
    if (r)
        return r;
    for (size_t i = 0; i < n; i++)
        if (all[i].family == family)
            all[kept++] = all[i];
    *ret = all;
    *ret_n = kept;
    return 0;
}

/* --- merging small segments ----------------------------------------------------------------- */

/*
 * trim_run - shorten from the front until the largest is no more than the rest together: else every
 * newcomer would have the large one written again. Nothing is left when no two fit.
 */
static struct run trim_run(const struct manifest_segment *s, struct run r)
{
    for (; r.n >= 2; r.from++, r.n--) {
        uint64_t sum = 0, largest = 0;
        for (size_t i = r.from; i < r.from + r.n; i++) {
            sum += s[i].n_rows;
            largest = s[i].n_rows > largest ? s[i].n_rows : largest;
        }
        if (largest <= sum - largest)
            return r;
    }
    return (struct run){r.from, 0};
}

/* next_run - small neighbours from *at on that fit one segment and arrived within a day. Return: .n 0 at the end. */
static struct run next_run(const struct manifest_segment *s, size_t n, size_t *at, uint64_t max_rows)
{
    while (*at < n) {
        struct run r = {*at, 0};
        uint64_t rows = 0;
        int64_t first_us = s[*at].arrived_min_us;
        while (*at < n && s[*at].n_rows < (max_rows + SMALL_PART - 1) / SMALL_PART &&
               rows + s[*at].n_rows <= max_rows && s[*at].arrived_max_us - first_us <= US_PER_DAY) {
            rows += s[(*at)++].n_rows;
            r.n++;
        }
        *at += r.n == 0;
        r = trim_run(s, r);
        if (r.n)
            return r;
    }
    return (struct run){0, 0};
}

static int copy_rows(const struct segment *from, struct flow_batch *batch, struct segment_builder *to)
{
    for (uint32_t b = 0; b < segment_info(from)->n_blocks; b++) {
        uint32_t taken = 0;
        int r = segment_to_batch(from, b, batch);
        if (!r)
            r = segment_builder_add(to, batch, 0, &taken);
        if (r < 0)
            return r;
        if (taken != batch->n)
            return -EOVERFLOW;
    }
    return 0;
}

int compact_unreadable(struct compaction *c, uint64_t id, int r, const struct fault *why)
{
    if (r == -EBADMSG || r == -ENOENT) {
        char reason[160];
        SAY_TO(reason, sizeof(reason), store_unreadable);
        int e = store_quarantine(c->store, STORE_SEGMENT, id, why->text[0] ? why->text : reason, c->fault);
        return e ? e : -EBADMSG;
    }
    if (r == -ENOMEM)
        return FAULT(c->fault, r, store_no_memory, "store/segments");
    if (c->fault)
        *c->fault = *why;
    return r;
}

/*
 * copy_segment - Return: 0, -EBADMSG (it was set aside: the run is not merged this time), -EOVERFLOW (together
 * they do not fit one segment, for example in observers: they stay apart), or another failure.
 */
static int copy_segment(struct compaction *c, const struct manifest_segment *m, struct flow_batch *batch,
                        struct segment_builder *to)
{
    struct segment *from = NULL;
    struct fault why = {0};
    int r = store_open_segment(c->store, m->id, &from, &why);
    if (!r)
        r = copy_rows(from, batch, to);
    if (from)
        segment_close(from);
    if (r && r != -EOVERFLOW)
        return compact_unreadable(c, m->id, r, &why);
    c->report->bytes_read += m->n_bytes;
    return r;
}

static bool are_all_live(struct store *s, const struct manifest_segment *m, size_t n)
{
    bool are = true;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        are &= manifest_find_segment(&s->manifest, m[i].id) != NULL;
    pthread_mutex_unlock(&s->lock);
    return are;
}

int compact_swap(struct compaction *c, const struct manifest_segment *m, size_t n, const struct manifest_segment *merged,
                 const struct log_digest *rows)
{
    struct store *s = c->store;
    struct manifest_change change = {0};
    bool is_uncertain = false, is_gone;
    int r = file_sync_dir(s->segments_fd);
    if (r)
        r = FAULT(c->fault, r, store_write_failed, "store/segments", strerrordesc_np(-r));
    pthread_mutex_lock(&s->upkeep_lock);
    is_gone = !r && !are_all_live(s, m, n); /* retention was faster: then the copy must not bring rows back */
    manifest_add_segment(&change, merged);
    for (size_t i = 0; i < n; i++)
        manifest_del_segment(&change, m[i].id);
    if (!r && !is_gone && rows)
        r = store_chain_merged(s, m, n, merged, rows, c->fault);
    if (!r && !is_gone)
        r = store_commit(s, &change, &is_uncertain, c->fault);
    pthread_mutex_unlock(&s->upkeep_lock);
    manifest_change_fini(&change);
    if ((r && !is_uncertain) || is_gone)
        store_unlink(s, STORE_SEGMENT, merged->id);
    for (size_t i = 0; !r && !is_gone && i < n; i++)
        store_unlink(s, STORE_SEGMENT, m[i].id);
    if (!r && !is_gone) {
        c->report->segments_merged += n;
        c->report->segments_written++;
        c->report->bytes_written += merged->n_bytes;
    }
    return r;
}

struct manifest_segment compact_merged(struct store *s, const struct manifest_segment *m, size_t n)
{
    struct manifest_segment merged = m[0]; /* its place in the order of arrival */
    merged.id = store_new_id(s);
    merged.n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        merged.n_rows += m[i].n_rows;
        if (m[i].arrived_min_us < merged.arrived_min_us)
            merged.arrived_min_us = m[i].arrived_min_us;
        if (m[i].arrived_max_us > merged.arrived_max_us)
            merged.arrived_max_us = m[i].arrived_max_us;
    }
    return merged;
}

/* merge_run - Return: 0 (also when a damaged member was set aside and the run left as it is) or <0. */
static int merge_run(struct compaction *c, const struct manifest_segment *m, size_t n)
{
    struct manifest_segment merged = compact_merged(c->store, m, n);
    uint64_t n_rows = merged.n_rows;
    struct flow_batch *batch = flow_batch_new(merged.family);
    struct segment_builder *builder = segment_builder_new(merged.family, (uint32_t)n_rows);
    int r = batch && builder ? 0 : FAULT(c->fault, -ENOMEM, store_no_memory, "store/segments");
    for (size_t i = 0; !r && i < n; i++)
        r = copy_segment(c, &m[i], batch, builder);
    flow_batch_free(batch);
    if (r) {
        segment_builder_free(builder);
        return r == -EBADMSG || r == -EOVERFLOW ? 0 : r;
    }
    r = build_write(c->store, builder, &merged, c->fault);
    if (r)
        return r;
    if (merged.n_rows != n_rows) { /* never replace rows by fewer rows */
        store_unlink(c->store, STORE_SEGMENT, merged.id);
        return FAULT(c->fault, -EIO, store_merge_lost_rows, (unsigned long long)merged.n_rows,
                     (unsigned long long)n_rows);
    }
    return compact_swap(c, m, n, &merged, NULL);
}

/* is_old_format - written by an earlier major version: readers take the one before, so that it gets rewritten. */
static bool is_old_format(struct store *s, uint64_t id)
{
    struct {
        char magic[8];
        uint16_t major, minor;
    } head;
    char name[STORE_NAME_MAX];
    store_file_name(STORE_SEGMENT, id, name);
    _cleanup_close_ int fd = openat(s->segments_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && !file_pread_full(fd, &head, sizeof(head), 0) &&
           !memcmp(head.magic, SEGMENT_MAGIC, sizeof(head.magic)) && head.major < SEGMENT_MAJOR;
}

static int upgrade_family(struct compaction *c, int family)
{
    struct manifest_segment *s;
    size_t n;
    int r = compact_live(c->store, family, &s, &n, c->fault);
    if (r)
        return r;
    for (size_t i = 0; !r && !c->is_stopped && i < n; i++) {
        if (!is_old_format(c->store, s[i].id))
            continue;
        r = merge_run(c, &s[i], 1);
        if (!r)
            compact_step_done(c);
    }
    free(s);
    return r;
}

static int merge_family(struct compaction *c, int family)
{
    struct manifest_segment *s;
    size_t n, at = 0;
    int r = compact_live(c->store, family, &s, &n, c->fault);
    if (r)
        return r;
    uint64_t max_rows = store_segment_rows(c->store);
    while (next_run(s, n, &at, max_rows).n)
        c->total++;
    at = 0;
    for (struct run run; !r && !c->is_stopped && (run = next_run(s, n, &at, max_rows)).n;) {
        r = merge_run(c, s + run.from, run.n);
        if (!r)
            compact_step_done(c);
    }
    free(s);
    return r;
}

/* --- dictionaries ----------------------------------------------------------------------------- */

static bool has_member(const struct manifest_dictionary *d, uint64_t id)
{
    for (size_t i = 0; i < d->n_members; i++)
        if (d->members[i] == id)
            return true;
    return false;
}

/* is_covered - whether a dictionary of at least @level names the segment; under the store's lock. */
static bool is_covered(const struct manifest *m, uint64_t id, enum manifest_level level)
{
    for (size_t i = 0; i < m->n_dictionaries; i++)
        if (m->dictionaries[i].level >= level && has_member(&m->dictionaries[i], id))
            return true;
    return false;
}

/* is_worth_it - a period that is over gets its dictionary whole; the running hour when half of it is new. */
static bool is_worth_it(struct store *s, const struct manifest_segment *m, size_t n, enum manifest_level level,
                        bool is_over)
{
    size_t covered = 0;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++)
        covered += is_covered(&s->manifest, m[i].id, level);
    pthread_mutex_unlock(&s->lock);
    if (n < 2 || covered == n)
        return false;
    return is_over || n - covered >= covered;
}

/* drop_superseded - dictionaries all of whose living members stand in @d too, or that have fewer than two. */
static size_t drop_superseded(const struct manifest *m, const struct manifest_dictionary *d,
                              struct manifest_change *change, uint64_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_dictionaries; i++) {
        const struct manifest_dictionary *old = &m->dictionaries[i];
        size_t living = 0, elsewhere = 0;
        for (size_t k = 0; k < old->n_members; k++) {
            bool is_living = manifest_find_segment(m, old->members[k]) != NULL;
            living += is_living;
            elsewhere += is_living && d && old->family == d->family && has_member(d, old->members[k]);
        }
        if (living >= 2 && elsewhere < living)
            continue;
        manifest_del_dictionary(change, old->id);
        out[n++] = old->id;
    }
    return n;
}

/* swap_dictionary - @d (NULL: none) in, the superseded out. */
static int swap_dictionary(struct compaction *c, const struct manifest_dictionary *d)
{
    struct store *s = c->store;
    struct manifest_change change = {0};
    bool is_uncertain = false;
    pthread_mutex_lock(&s->upkeep_lock);
    pthread_mutex_lock(&s->lock);
    uint64_t *gone = malloc((s->manifest.n_dictionaries + 1) * sizeof(*gone));
    size_t n = gone ? drop_superseded(&s->manifest, d, &change, gone) : 0;
    pthread_mutex_unlock(&s->lock);
    if (d)
        manifest_add_dictionary(&change, d);
    int r = gone ? 0 : FAULT(c->fault, -ENOMEM, store_no_memory, "store/dictionaries");
    if (!r && (d || n))
        r = store_commit(s, &change, &is_uncertain, c->fault);
    pthread_mutex_unlock(&s->upkeep_lock);
    manifest_change_fini(&change);
    if (r && d && !is_uncertain)
        store_unlink(s, STORE_DICTIONARY, d->id);
    for (size_t i = 0; !r && i < n; i++)
        store_unlink(s, STORE_DICTIONARY, gone[i]);
    if (!r) {
        c->report->dictionaries_written += d != NULL;
        c->report->dictionaries_dropped += n;
        c->report->bytes_written += d ? d->n_bytes : 0;
    }
    free(gone);
    return r;
}

static int write_dictionary_file(struct compaction *c, struct segment **open, struct manifest_dictionary *d)
{
    struct store *s = c->store;
    char name[STORE_NAME_MAX], shown[STORE_SHOWN_MAX];
    store_file_name(STORE_DICTIONARY, d->id, name);
    store_file_shown(STORE_DICTIONARY, d->id, shown);
    int r = file_step("dictionary-create");
    _cleanup_close_ int fd =
        r ? -1 : openat(s->dictionaries_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        r = r ? r : -errno;
        return FAULT(c->fault, r, store_write_failed, shown, strerrordesc_np(-r));
    }
    r = merged_write(open, d->n_members, d->id, fd, &d->n_bytes, c->fault);
    if (!r) {
        r = file_step("dictionary-sync");
        if (!r && fdatasync(fd))
            r = -errno;
        if (!r)
            r = file_sync_dir(s->dictionaries_fd);
        if (r)
            r = FAULT(c->fault, r, store_write_failed, shown, strerrordesc_np(-r));
    }
    if (r)
        store_unlink(s, STORE_DICTIONARY, d->id);
    return r;
}

static int build_dictionary(struct compaction *c, const struct manifest_segment *m, size_t n,
                            enum manifest_level level)
{
    struct manifest_dictionary d = {.id = store_new_id(c->store), .family = m[0].family, .level = level};
    struct segment **open = calloc(n, sizeof(struct segment *));
    d.members = calloc(n, sizeof(*d.members));
    int r = open && d.members ? 0 : FAULT(c->fault, -ENOMEM, store_no_memory, "store/dictionaries");
    size_t n_open = 0;
    for (size_t i = 0; !r && i < n; i++) {
        struct fault why = {0};
        int e = store_open_segment(c->store, m[i].id, &open[n_open], &why);
        if (!e) {
            d.members[n_open++] = m[i].id;
            c->report->bytes_read += segment_info(open[n_open - 1])->n_bytes;
        } else if (e == -EBADMSG || e == -ENOENT)
            r = store_quarantine(c->store, STORE_SEGMENT, m[i].id, why.text, c->fault);
        else if (e != -EPROTO) {
            r = e;
            if (c->fault)
                *c->fault = why;
        }
    }
    d.n_members = n_open;
    if (!r && n_open >= 2) {
        r = write_dictionary_file(c, open, &d);
        if (!r)
            r = swap_dictionary(c, &d);
    }
    for (size_t i = 0; i < n_open; i++)
        segment_close(open[i]);
    free(open);
    free(d.members);
    /* a damaged dictionary inside a segment: the others keep their own; verify names the segment */
    return r == -EBADMSG ? 0 : r;
}

static int64_t period_of(int64_t us, int64_t period_us)
{
    return us / period_us - (us % period_us < 0);
}

/* build_level - for every period of @period_us, in pieces of at most MERGED_MEMBERS segments. */
static int build_level(struct compaction *c, const struct manifest_segment *m, size_t n, enum manifest_level level,
                       int64_t period_us, int64_t now_us)
{
    int r = 0;
    for (size_t from = 0, to; !r && !c->is_stopped && from < n; from = to) {
        int64_t period = period_of(m[from].arrived_min_us, period_us);
        for (to = from + 1; to < n && to - from < MERGED_MEMBERS; to++)
            if (period_of(m[to].arrived_min_us, period_us) != period)
                break;
        bool is_over = period_of(now_us, period_us) > period;
        if (level == MANIFEST_DAY && !is_over)
            continue;
        if (!is_worth_it(c->store, m + from, to - from, level, is_over))
            continue;
        r = build_dictionary(c, m + from, to - from, level);
        if (!r)
            compact_step_done(c);
    }
    return r;
}

static int build_dictionaries(struct compaction *c, int family, int64_t now_us)
{
    struct manifest_segment *m;
    size_t n;
    int r = compact_live(c->store, family, &m, &n, c->fault);
    if (r)
        return r;
    r = build_level(c, m, n, MANIFEST_DAY, US_PER_DAY, now_us);
    if (!r)
        r = build_level(c, m, n, MANIFEST_HOUR, HOUR_US, now_us);
    free(m);
    return r;
}

int store_compact(struct store *s, struct store_compaction *ret,
                  int (*progress)(void *context, uint64_t done, uint64_t total), void *context, struct fault *f)
{
    struct store_compaction nothing;
    struct compaction c = {.store = s, .report = ret ? ret : &nothing, .progress = progress, .context = context,
                           .fault = f};
    *c.report = (struct store_compaction){0};
    int64_t now_us = clock_now_us();
    int r = build_pending(s, now_us, true, f);
    for (int family = 4; !r && !c.is_stopped && family <= 6; family += 2)
        r = merge_family(&c, family);
    for (int family = 4; !r && !c.is_stopped && family <= 6; family += 2)
        r = upgrade_family(&c, family);
    for (int family = 4; !r && !c.is_stopped && family <= 6; family += 2)
        r = build_dictionaries(&c, family, now_us);
    if (!r && !c.is_stopped)
        r = swap_dictionary(&c, NULL);
    if (!r && !c.is_stopped)
        r = compact_logs(&c);
    return r;
}
