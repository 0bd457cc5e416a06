/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot without a lock: read the manifest, open what it names. A file that has gone by then was
 * replaced by a later transaction: begin again with the newer manifest. Mappings outlive unlinking, so
 * once everything is open the writer may do what it likes. Descriptors are closed at once; a view of
 * thousands of segments costs mappings, not descriptors.
 */
#include "watch/store/view.h"

#include "base/file.h"
#include "watch/store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_ATTEMPTS = 32, MOVED = 1 };

struct placed {
    uint64_t order, id;
    struct segment *segment; /* of flows, */
    struct log_segment *log; /* or of log events */
};

struct open_journal {
    uint64_t id;
    int fd, family;
};

struct opening {
    struct store_view *view;
    int dir_fd;
    struct manifest manifest;
    struct placed *placed;
    size_t n_placed, room_placed;
    struct open_journal *journals;
    size_t n_journals;
    uint64_t journal_id; /* being replayed */
    unsigned n_of_journal;
    struct fault *fault;
};

void view_add_damage(struct store_view *v, const char *file, uint64_t n_rows, const char *reason)
{
    pthread_mutex_lock(&v->lock);
    size_t i = 0;
    while (i < v->n_damaged && strcmp(v->damaged[i].file, file) != 0)
        i++;
    if (i == v->n_damaged && i < v->room_damaged) {
        struct store_damage *d = &v->damaged[v->n_damaged++];
        snprintf(d->file, sizeof(d->file), "%s", file);
        snprintf(d->reason, sizeof(d->reason), "%s", reason);
        d->n_rows = n_rows;
    }
    pthread_mutex_unlock(&v->lock);
}

static void add_recorded_damage(struct opening *o)
{
    for (size_t i = 0; i < o->manifest.n_damages; i++) {
        const struct manifest_damage *d = &o->manifest.damages[i];
        char shown[STORE_SHOWN_MAX], reason[160];
        manifest_unescape(d->reason, reason, sizeof(reason));
        enum store_kind kind = d->kind == 's' ? STORE_SEGMENT : STORE_JOURNAL;
        if (d->kind != 'd') /* a lost dictionary loses no row */
            view_add_damage(o->view, store_file_shown(kind, d->id, shown), d->n_rows, reason);
    }
}

/* place - takes the one of the two that is given. */
static int place(struct opening *o, uint64_t order, uint64_t id, struct segment *s, struct log_segment *log)
{
    if (o->n_placed == o->room_placed) {
        size_t room = o->room_placed ? o->room_placed * 2 : 64;
        struct placed *more = realloc(o->placed, room * sizeof(*more));
        if (!more) {
            segment_close(s);
            log_segment_close(log);
            return FAULT(o->fault, -ENOMEM, store_no_memory, "store");
        }
        o->placed = more;
        o->room_placed = room;
    }
    o->placed[o->n_placed++] = (struct placed){.order = order, .id = id, .segment = s, .log = log};
    return 0;
}

static int open_file(struct opening *o, enum store_kind kind, uint64_t id, uint64_t *ret_n_bytes)
{
    char path[2 * STORE_NAME_MAX];
    struct stat st;
    store_file_name(kind, id, path);
    char name[STORE_NAME_MAX];
    memcpy(name, path, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", store_folder(kind), name);
    int fd = openat(o->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st)) {
        int e = -errno;
        close(fd);
        return e;
    }
    *ret_n_bytes = (uint64_t)st.st_size;
    return fd;
}

/* has_moved - whether the manifest has changed since it was read: then a missing file was replaced. */
static bool has_moved(struct opening *o)
{
    struct manifest now;
    int r = manifest_load(o->dir_fd, &now, NULL);
    bool is = !r && (now.n_bytes != o->manifest.n_bytes || now.next_line != o->manifest.next_line);
    manifest_fini(&now);
    return is;
}

/* a file of a segment, opened but not looked into */
struct segment_file {
    int fd; /* or -errno */
    uint64_t n_bytes;
};

/* open_segment - @file: its descriptor stays the caller's. */
static int open_segment(struct opening *o, const struct manifest_segment *m, const struct segment_file *file)
{
    char shown[STORE_SHOWN_MAX], reason[160];
    uint64_t n_bytes = file->n_bytes;
    int fd = file->fd;
    store_file_shown(STORE_SEGMENT, m->id, shown);
    if (fd == -ENOENT && has_moved(o))
        return MOVED;
    if (fd == -ENOENT) {
        view_add_damage(o->view, shown, m->n_rows, message_text(MSG_store_segment_missing));
        return 0;
    }
    if (fd < 0)
        return FAULT(o->fault, fd, store_read_failed, shown, strerrordesc_np(-fd));
    if (n_bytes != m->n_bytes) {
        SAY_TO(reason, sizeof(reason), store_segment_wrong_size, (unsigned long long)n_bytes,
               (unsigned long long)m->n_bytes);
        view_add_damage(o->view, shown, m->n_rows, reason);
        return 0;
    }
    struct segment *s = NULL;
    struct log_segment *log = NULL;
    struct fault why = {0};
    int r = m->family == MANIFEST_LOGS ? log_segment_open(fd, m->id, false, &log, &why)
                                       : segment_open(fd, m->id, false, &s, &why);
    if (r == -EBADMSG || r == -EPROTO) {
        view_add_damage(o->view, shown, m->n_rows, why.text);
        return 0;
    }
    if (r) {
        if (o->fault)
            *o->fault = why;
        return r;
    }
    o->view->n_bytes += n_bytes;
    return place(o, m->order, m->id, s, log);
}

/* both ends of a file are read when it is opened: the header, and the checksums of the index with the observers before them */
enum { TOGETHER = 32, HEAD_BYTES = 4096, TAIL_BYTES = 32 << 10 };

static void want_ends(const struct segment_file *file)
{
    off_t tail = file->n_bytes > TAIL_BYTES ? (off_t)(file->n_bytes - TAIL_BYTES) : 0;
    (void)posix_fadvise(file->fd, 0, HEAD_BYTES, POSIX_FADV_WILLNEED);
    (void)posix_fadvise(file->fd, tail, TAIL_BYTES, POSIX_FADV_WILLNEED);
}

/* open_together - the last first. The disk is asked for what opening reads of all of them before the first is waited for. */
static int open_together(struct opening *o, const struct manifest_segment *m, size_t n)
{
    struct segment_file files[TOGETHER];
    int r = 0;
    for (size_t i = 0; i < n; i++) {
        files[i].n_bytes = 0;
        files[i].fd = open_file(o, STORE_SEGMENT, m[i].id, &files[i].n_bytes);
        if (files[i].fd >= 0)
            want_ends(&files[i]);
    }
    for (size_t i = n; !r && i-- > 0;)
        r = open_segment(o, &m[i], &files[i]);
    for (size_t i = 0; i < n; i++)
        if (files[i].fd >= 0)
            close(files[i].fd);
    return r;
}

static int open_segments(struct opening *o)
{
    struct manifest_segment *live;
    size_t n;
    if (manifest_live(&o->manifest, &live, &n))
        return FAULT(o->fault, -ENOMEM, store_no_memory, "store");
    int r = 0;
    for (size_t left = n; !r && left;) {
        size_t k = left < TOGETHER ? left : TOGETHER;
        r = open_together(o, live + left - k, k);
        left -= k;
    }
    free(live);
    return r;
}

/* open_journals - only opened: their rows are read when all other files are at hand. */
static int open_journals(struct opening *o)
{
    o->journals = calloc(o->manifest.n_journals + 1, sizeof(*o->journals));
    if (!o->journals)
        return FAULT(o->fault, -ENOMEM, store_no_memory, "store/journals");
    for (size_t i = 0; i < o->manifest.n_journals; i++) {
        char shown[STORE_SHOWN_MAX];
        const struct manifest_journal *j = &o->manifest.journals[i];
        uint64_t n_bytes = 0;
        store_file_shown(STORE_JOURNAL, j->id, shown);
        int fd = open_file(o, STORE_JOURNAL, j->id, &n_bytes);
        if (fd == -ENOENT && has_moved(o))
            return MOVED;
        if (fd == -ENOENT) {
            view_add_damage(o->view, shown, 0, message_text(MSG_store_segment_missing));
            continue;
        }
        if (fd < 0)
            return FAULT(o->fault, fd, store_read_failed, shown, strerrordesc_np(-fd));
        if (journal_share(fd) == JOURNAL_SHARED) {
            close(fd);
            return MOVED;
        }
        o->view->n_bytes += n_bytes;
        o->journals[o->n_journals++] = (struct open_journal){.id = j->id, .fd = fd, .family = j->family};
    }
    return 0;
}

static int place_unsealed(void *context, struct segment_builder *b, int64_t arrived_min_us, int64_t arrived_max_us)
{
    struct opening *o = context;
    (void)arrived_min_us;
    (void)arrived_max_us;
    uint64_t id = o->journal_id + ((uint64_t)o->n_of_journal++ << 48), n_bytes = 0;
    _cleanup_close_ int fd = memfd_create("vonggac-journal", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : 0;
    if (r) {
        segment_builder_free(b);
        return FAULT(o->fault, r, store_read_failed, "store/journals", strerrordesc_np(-r));
    }
    struct segment *s = NULL;
    r = segment_builder_write(b, id, fd, &n_bytes, o->fault);
    segment_builder_free(b);
    if (!r)
        r = segment_open(fd, id, true, &s, o->fault);
    return r ? r : place(o, o->journal_id, id, s, NULL);
}

static int place_unsealed_logs(void *context, struct log_builder *b, int64_t arrived_min_us, int64_t arrived_max_us)
{
    struct opening *o = context;
    (void)arrived_min_us;
    (void)arrived_max_us;
    uint64_t id = o->journal_id + ((uint64_t)o->n_of_journal++ << 48), n_bytes = 0;
    _cleanup_close_ int fd = memfd_create("vonggac-journal", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : 0;
    if (r) {
        log_builder_free(b);
        return FAULT(o->fault, r, store_read_failed, "store/journals", strerrordesc_np(-r));
    }
    struct log_segment *s = NULL;
    r = log_builder_write(b, id, fd, &n_bytes, o->fault);
    log_builder_free(b);
    if (!r)
        r = log_segment_open(fd, id, true, &s, o->fault);
    return r ? r : place(o, o->journal_id, id, NULL, s);
}

static int replay_one(struct opening *o, const struct open_journal *j, struct journal_report *report, struct fault *why)
{
    if (j->family != MANIFEST_LOGS) {
        struct replay replay = {.segment_rows = SEGMENT_ROWS, .full = place_unsealed, .context = o};
        return replay_journal(&replay, j->fd, j->id, j->family, report, why);
    }
    struct log_replay logs = {.names = event_names_new(), .segment_rows = LOG_SEGMENT_ROWS, .full = place_unsealed_logs, .context = o};
    int r = logs.names ? log_replay_journal(&logs, j->fd, j->id, report, why) : FAULT(why, -ENOMEM, store_no_memory, "store/journals");
    event_names_free(logs.names);
    return r;
}

static int read_journals(struct opening *o)
{
    for (size_t i = 0; i < o->n_journals; i++) {
        struct open_journal *j = &o->journals[i];
        struct journal_report report = {0};
        struct fault why = {0};
        char shown[STORE_SHOWN_MAX];
        o->journal_id = j->id;
        o->n_of_journal = 0;
        int r = replay_one(o, j, &report, &why);
        store_file_shown(STORE_JOURNAL, j->id, shown);
        if (r == -EBADMSG && has_moved(o)) /* its file was used again before we shared it */
            return MOVED;
        if (r == -EBADMSG || r == -EPROTO)
            view_add_damage(o->view, shown, 0, why.text);
        else if (r) {
            if (o->fault)
                *o->fault = why;
            return r;
        } else if (report.n_damaged_bytes) {
            SAY_TO(why.text, sizeof(why.text), store_journal_damaged, (unsigned long long)report.n_damaged_bytes);
            view_add_damage(o->view, shown, 0, why.text);
        }
    }
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->order != y->order)
        return x->order > y->order ? -1 : 1;
    return (x->id < y->id) - (x->id > y->id);
}

static int take_segments(struct opening *o)
{
    struct store_view *v = o->view;
    if (o->n_placed)
        qsort(o->placed, o->n_placed, sizeof(*o->placed), newest_first);
    v->segments = malloc((o->n_placed + 1) * sizeof(struct segment *));
    v->logs = malloc((o->n_placed + 1) * sizeof(struct log_segment *));
    if (!v->segments || !v->logs)
        return FAULT(o->fault, -ENOMEM, store_no_memory, "store");
    v->n_segments = v->n_logs = 0;
    for (size_t i = 0; i < o->n_placed; i++)
        if (o->placed[i].log)
            v->logs[v->n_logs++] = o->placed[i].log;
        else
            v->segments[v->n_segments++] = o->placed[i].segment;
    o->n_placed = 0;
    return 0;
}

/* --- dictionaries ------------------------------------------------------------------------ */

static int by_segment_id(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int find_members(const struct placed *sorted, size_t n, struct view_dictionary *d)
{
    d->n_members = merged_n_members(d->merged);
    d->members = malloc((d->n_members + 1) * sizeof(*d->members));
    if (!d->members)
        return -ENOMEM;
    for (size_t i = 0; i < d->n_members; i++) {
        struct placed key = {.id = merged_member(d->merged, i)};
        const struct placed *hit = n ? bsearch(&key, sorted, n, sizeof(*sorted), by_segment_id) : NULL;
        d->members[i] = hit ? (size_t)hit->order : VIEW_NO_SEGMENT;
    }
    return 0;
}

/* open_dictionaries - one that is gone or damaged is no loss: the segments have their own. */
static int open_dictionaries(struct opening *o)
{
    struct store_view *v = o->view;
    size_t n = o->manifest.n_dictionaries;
    v->dictionaries = calloc(n + 1, sizeof(*v->dictionaries));
    struct placed *sorted = malloc((v->n_segments + 1) * sizeof(*sorted)); /* .order: index into segments */
    if (!v->dictionaries || !sorted) {
        free(sorted);
        return FAULT(o->fault, -ENOMEM, store_no_memory, "store/dictionaries");
    }
    for (size_t i = 0; i < v->n_segments; i++)
        sorted[i] = (struct placed){.order = i, .id = segment_info(v->segments[i])->id};
    if (v->n_segments)
        qsort(sorted, v->n_segments, sizeof(*sorted), by_segment_id);
    int r = 0;
    for (size_t i = 0; !r && i < n; i++) {
        const struct manifest_dictionary *m = &o->manifest.dictionaries[i];
        struct view_dictionary *d = &v->dictionaries[v->n_dictionaries];
        uint64_t n_bytes = 0;
        _cleanup_close_ int fd = open_file(o, STORE_DICTIONARY, m->id, &n_bytes);
        if (fd < 0 || merged_open(fd, m->id, &d->merged, NULL))
            continue;
        d->family = m->family;
        v->n_bytes += n_bytes;
        v->n_dictionaries++;
        if (find_members(sorted, v->n_segments, d))
            r = FAULT(o->fault, -ENOMEM, store_no_memory, "store/dictionaries");
    }
    free(sorted);
    return r;
}

/* --- opening ---------------------------------------------------------------------------------- */

static void fini_attempt(struct opening *o)
{
    for (size_t i = 0; i < o->n_placed; i++) {
        segment_close(o->placed[i].segment);
        log_segment_close(o->placed[i].log);
    }
    for (size_t i = 0; i < o->n_journals; i++)
        close(o->journals[i].fd);
    free(o->placed);
    free(o->journals);
    manifest_fini(&o->manifest);
}

static void reset_view(struct store_view *v)
{
    for (size_t i = 0; i < v->n_segments; i++)
        segment_close(v->segments[i]);
    for (size_t i = 0; i < v->n_logs; i++)
        log_segment_close(v->logs[i]);
    for (size_t i = 0; i < v->n_dictionaries; i++) {
        merged_close(v->dictionaries[i].merged);
        free(v->dictionaries[i].members);
    }
    free(v->segments);
    free(v->logs);
    free(v->dictionaries);
    free(v->damaged);
    v->segments = NULL;
    v->logs = NULL;
    v->dictionaries = NULL;
    v->damaged = NULL;
    v->n_segments = v->n_logs = v->n_dictionaries = v->n_damaged = v->room_damaged = 0;
    v->n_bytes = 0;
}

static int make_damage_room(struct opening *o)
{
    struct store_view *v = o->view;
    v->room_damaged = o->manifest.n_segments + 2 * o->manifest.n_journals + o->manifest.n_damages + 16;
    v->damaged = calloc(v->room_damaged, sizeof(*v->damaged));
    return v->damaged ? 0 : FAULT(o->fault, -ENOMEM, store_no_memory, "store");
}

/* attempt - Return: 0, MOVED, MANIFEST_NONE or <0. */
static int attempt(struct store_view *v, int dir_fd, struct fault *f)
{
    struct opening o = {.view = v, .dir_fd = dir_fd, .fault = f};
    int r = manifest_load(dir_fd, &o.manifest, f);
    if (!r)
        r = make_damage_room(&o);
    if (!r) {
        add_recorded_damage(&o);
        r = open_journals(&o);
    }
    if (!r)
        r = open_segments(&o);
    if (!r)
        r = read_journals(&o);
    if (!r)
        r = take_segments(&o);
    if (!r)
        r = open_dictionaries(&o);
    fini_attempt(&o);
    if (r)
        reset_view(v);
    return r;
}

int store_view_open(const char *data_dir, struct store_view **ret, struct fault *f)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/store", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    _cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 && errno == ENOENT)
        return FAULT(f, STORE_EMPTY, store_none, data_dir);
    if (dir_fd < 0) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, path, strerrordesc_np(-e));
    }
    struct store_view *v = calloc(1, sizeof(*v));
    if (!v)
        return FAULT(f, -ENOMEM, store_no_memory, data_dir);
    pthread_mutex_init(&v->lock, NULL);
    int r = MOVED;
    for (int i = 0; r == MOVED && i < MAX_ATTEMPTS; i++)
        r = attempt(v, dir_fd, f);
    if (!r) {
        *ret = v;
        return 0;
    }
    store_view_close(v);
    if (r == MOVED)
        return FAULT(f, -EAGAIN, store_files_moved);
    return r == MANIFEST_NONE ? FAULT(f, STORE_EMPTY, store_none, data_dir) : r;
}

void store_view_close(struct store_view *v)
{
    if (!v)
        return;
    reset_view(v);
    pthread_mutex_destroy(&v->lock);
    free(v);
}

size_t store_view_n_segments(const struct store_view *v)
{
    return v->n_segments;
}

struct segment *store_view_segment(const struct store_view *v, size_t i)
{
    return v->segments[i];
}

size_t store_view_n_logs(const struct store_view *v)
{
    return v->n_logs;
}

struct log_segment *store_view_log(const struct store_view *v, size_t i)
{
    return v->logs[i];
}

size_t store_view_n_damaged(const struct store_view *v)
{
    return v->n_damaged;
}

const struct store_damage *store_view_damaged(const struct store_view *v, size_t i)
{
    return &v->damaged[i];
}

uint64_t store_view_bytes(const struct store_view *v)
{
    return v->n_bytes;
}
