/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything read once, every checksum and every index checked. Runs beside a writer: a file that was
 * replaced meanwhile is no damage. What is damaged is set aside when nobody else writes; the record in
 * the manifest stays, so that a hunt keeps saying what it could not search.
 */
#include "watch/store/merged.h"
#include "watch/store/store_impl.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
    enum store_kind kind;
    uint64_t id;
    struct store_damage damage;
};

struct verification {
    int dir_fd;
    struct manifest manifest;
    struct event_names *names;
    int (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    int (*damage)(void *context, const struct store_damage *d);
    void *context;
    uint64_t done_bytes, total_bytes, n_segments, n_rows;
    struct found *found;
    size_t n_found, room_found;
    struct fault *fault;
};

static bool is_still_named(struct verification *v, enum store_kind kind, uint64_t id)
{
    struct manifest now;
    if (manifest_load(v->dir_fd, &now, NULL))
        return true;
    bool is = false;
    if (kind == STORE_SEGMENT)
        is = manifest_find_segment(&now, id) != NULL;
    if (kind == STORE_JOURNAL)
        is = manifest_has_journal(&now, id);
    for (size_t i = 0; kind == STORE_DICTIONARY && i < now.n_dictionaries; i++)
        is |= now.dictionaries[i].id == id;
    manifest_fini(&now);
    return is;
}

/* report - Return: 0 to go on, or what the caller's function said. */
static int report(struct verification *v, enum store_kind kind, uint64_t id, uint64_t n_rows, const char *reason)
{
    char shown[STORE_SHOWN_MAX];
    if (v->n_found == v->room_found) {
        size_t room = v->room_found ? v->room_found * 2 : 16;
        struct found *more = realloc(v->found, room * sizeof(*more));
        if (!more)
            return FAULT(v->fault, -ENOMEM, store_no_memory, "store");
        v->found = more;
        v->room_found = room;
    }
    struct found *d = &v->found[v->n_found++];
    *d = (struct found){.kind = kind, .id = id, .damage.n_rows = n_rows};
    snprintf(d->damage.file, sizeof(d->damage.file), "%s", store_file_shown(kind, id, shown));
    snprintf(d->damage.reason, sizeof(d->damage.reason), "%s", reason);
    return v->damage ? v->damage(v->context, &d->damage) : 0;
}

static int open_named(struct verification *v, enum store_kind kind, uint64_t id)
{
    char name[STORE_NAME_MAX], path[2 * STORE_NAME_MAX];
    store_file_name(kind, id, name);
    snprintf(path, sizeof(path), "%s/%s", store_folder(kind), name);
    int fd = openat(v->dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* check_file - Return: 0, 1 (gone, replaced: no damage), -EBADMSG with the reason in @why, or another failure. */
static int check_file(struct verification *v, enum store_kind kind, uint64_t id, uint64_t n_bytes, struct fault *why)
{
    _cleanup_close_ int fd = open_named(v, kind, id);
    if (fd == -ENOENT && !is_still_named(v, kind, id))
        return 1;
    if (fd == -ENOENT)
        return FAULT(why, -EBADMSG, store_segment_missing);
    struct stat st;
    if (fd >= 0 && fstat(fd, &st))
        return -errno;
    if (fd < 0)
        return fd;
    if ((uint64_t)st.st_size != n_bytes)
        return FAULT(why, -EBADMSG, store_segment_wrong_size, (unsigned long long)st.st_size,
                     (unsigned long long)n_bytes);
    int r;
    const struct manifest_segment *named = kind == STORE_SEGMENT ? manifest_find_segment(&v->manifest, id) : NULL;
    if (named && named->family == MANIFEST_LOGS) {
        struct log_segment *s = NULL;
        r = log_segment_open(fd, id, false, &s, why);
        if (!r) {
            r = log_segment_verify(s, v->names, why);
            log_segment_close(s);
        }
    } else if (kind == STORE_SEGMENT) {
        struct segment *s = NULL;
        r = segment_open(fd, id, false, &s, why);
        if (!r) {
            r = segment_verify(s, why);
            segment_close(s);
        }
    } else {
        struct merged *m = NULL;
        r = merged_open(fd, id, &m, why);
        if (!r) {
            r = merged_verify(m, why);
            merged_close(m);
        }
    }
    return r;
}

static int advance(struct verification *v, uint64_t n_bytes)
{
    v->done_bytes += n_bytes;
    return v->progress ? v->progress(v->context, v->done_bytes, v->total_bytes) : 0;
}

static int verify_one(struct verification *v, enum store_kind kind, uint64_t id, uint64_t n_bytes, uint64_t n_rows)
{
    struct fault why = {0};
    char shown[STORE_SHOWN_MAX];
    int r = check_file(v, kind, id, n_bytes, &why);
    if (r == 0 && kind == STORE_SEGMENT) {
        v->n_segments++;
        v->n_rows += n_rows;
    }
    if (r == -EBADMSG || r == -EPROTO)
        r = report(v, kind, id, n_rows, why.text);
    else if (r == -ENOMEM)
        r = FAULT(v->fault, r, store_no_memory, store_file_shown(kind, id, shown));
    else if (r < 0)
        r = FAULT(v->fault, r, store_read_failed, store_file_shown(kind, id, shown), strerrordesc_np(-r));
    else
        r = 0;
    return r ? r : advance(v, n_bytes);
}

static int verify_journal(struct verification *v, const struct manifest_journal *j)
{
    struct journal_report found;
    struct fault why = {0};
    char shown[STORE_SHOWN_MAX];
    _cleanup_close_ int fd = open_named(v, STORE_JOURNAL, j->id);
    if (fd == -ENOENT)
        return is_still_named(v, STORE_JOURNAL, j->id)
                   ? report(v, STORE_JOURNAL, j->id, 0, message_text(MSG_store_segment_missing))
                   : 0;
    if (fd < 0)
        return FAULT(v->fault, fd, store_read_failed, store_file_shown(STORE_JOURNAL, j->id, shown),
                     strerrordesc_np(-fd));
    if (journal_share(fd) == JOURNAL_SHARED)
        return 0; /* sealed meanwhile, and used again */
    int r = journal_walk(fd, j->id, j->family, NULL, NULL, &found, &why);
    if (r == -EBADMSG && !is_still_named(v, STORE_JOURNAL, j->id))
        return 0;
    if (r == -EBADMSG || r == -EPROTO)
        return report(v, STORE_JOURNAL, j->id, 0, why.text);
    if (r) {
        if (v->fault)
            *v->fault = why;
        return r;
    }
    v->n_rows += found.n_rows;
    if (!found.n_damaged_bytes)
        return 0;
    SAY_TO(why.text, sizeof(why.text), store_journal_damaged, (unsigned long long)found.n_damaged_bytes);
    return report(v, STORE_JOURNAL, j->id, 0, why.text);
}

static int verify_all(struct verification *v)
{
    struct manifest_segment *live;
    size_t n;
    if (manifest_live(&v->manifest, &live, &n))
        return FAULT(v->fault, -ENOMEM, store_no_memory, "store");
    for (size_t i = 0; i < n; i++)
        v->total_bytes += live[i].n_bytes;
    for (size_t i = 0; i < v->manifest.n_dictionaries; i++)
        v->total_bytes += v->manifest.dictionaries[i].n_bytes;
    int r = 0;
    for (size_t i = n; !r && i-- > 0;)
        r = verify_one(v, STORE_SEGMENT, live[i].id, live[i].n_bytes, live[i].n_rows);
    for (size_t i = 0; !r && i < v->manifest.n_dictionaries; i++)
        r = verify_one(v, STORE_DICTIONARY, v->manifest.dictionaries[i].id, v->manifest.dictionaries[i].n_bytes, 0);
    for (size_t i = 0; !r && i < v->manifest.n_journals; i++)
        r = verify_journal(v, &v->manifest.journals[i]);
    free(live);
    return r;
}

/* --- the chain ------------------------------------------------------------------------------- */

struct chain_job {
    int dir_fd;
    int (*wrong)(void *context, uint64_t id, const char *reason);
    void *context;
};

static int tell_wrong(void *context, uint64_t id, const char *reason)
{
    struct chain_job *j = context;
    return j->wrong(j->context, id, reason);
}

/* compare_parts - the digest of every part's rows, in order. Return: 0, 1 (another), -EBADMSG or -ENOMEM. */
static int compare_parts(const struct log_segment *s, const struct chain_part *parts, size_t n, struct log_scratch *scratch,
                         struct events *e, struct log_rows *digest)
{
    size_t at = 0;
    uint64_t left = n ? parts[0].n_rows : 0;
    for (uint32_t b = 0; b < log_segment_info(s)->n_blocks; b++) {
        int r = log_segment_read(s, b, scratch, e);
        if (r)
            return r;
        for (uint32_t row = 0; row < e->n; row++) {
            if (at == n)
                return 1;
            log_rows_add(digest, e, row);
            if (left && --left)
                continue;
            struct log_digest found = log_rows_end(digest);
            if (!log_digest_equal(&found, &parts[at].rows))
                return 1;
            left = ++at < n ? parts[at].n_rows : 0;
        }
    }
    return at == n ? 0 : 1;
}

static int check_parts(void *context, uint64_t id, const struct chain_part *parts, size_t n)
{
    struct chain_job *j = context;
    struct verification v = {.dir_fd = j->dir_fd};
    struct log_segment *s = NULL;
    _cleanup_close_ int fd = open_named(&v, STORE_SEGMENT, id);
    int r = fd < 0 ? 1 : log_segment_open(fd, id, false, &s, NULL);
    struct event_names *names = event_names_new();
    struct events *e = names ? events_new(names) : NULL;
    struct log_scratch *scratch = log_scratch_new();
    struct log_rows *digest = log_rows_new();
    if (!r)
        r = e && scratch && digest ? compare_parts(s, parts, n, scratch, e, digest) : -ENOMEM;
    log_rows_free(digest);
    log_scratch_free(scratch);
    events_free(e);
    event_names_free(names);
    log_segment_close(s);
    return r == -ENOMEM ? r : r != 0;
}

int store_verify_chain(const char *data_dir, const struct sha256 *head, int (*wrong)(void *context, uint64_t id, const char *reason),
                       void *context, struct chain_report *ret, struct fault *f)
{
    char path[4096];
    struct manifest m = {0};
    if (snprintf(path, sizeof(path), "%s/store", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    _cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return errno == ENOENT ? FAULT(f, STORE_EMPTY, store_none, data_dir)
                               : FAULT(f, -errno, store_read_failed, path, strerrordesc_np(errno));
    struct chain_job job = {dir_fd, wrong, context};
    struct chain_check check = {.manifest = &m, .head = head, .wrong = tell_wrong, .merged = check_parts, .context = &job};
    int r = manifest_load(dir_fd, &m, f);
    if (r == MANIFEST_NONE)
        r = FAULT(f, STORE_EMPTY, store_none, data_dir);
    if (!r)
        r = chain_verify(dir_fd, &check, ret, f);
    manifest_fini(&m);
    return r == -ENOENT && !ret->n_lines ? 0 : r;
}

/* --- setting aside --------------------------------------------------------------------------- */

int store_quarantine(struct store *s, enum store_kind kind, uint64_t id, const char *reason, struct fault *f)
{
    struct manifest_change c = {0};
    bool is_named = false;
    pthread_mutex_lock(&s->upkeep_lock);
    pthread_mutex_lock(&s->lock);
    const struct manifest_segment *m = kind == STORE_SEGMENT ? manifest_find_segment(&s->manifest, id) : NULL;
    if (m) {
        is_named = true;
        manifest_del_segment(&c, id);
        manifest_add_damage(&c, 's', id, m->n_rows, reason);
    }
    for (size_t i = 0; kind == STORE_DICTIONARY && i < s->manifest.n_dictionaries; i++)
        is_named |= s->manifest.dictionaries[i].id == id;
    if (is_named && kind == STORE_DICTIONARY)
        manifest_del_dictionary(&c, id); /* compaction writes it anew; no row is lost, nothing to record */
    pthread_mutex_unlock(&s->lock);
    int r = 0;
    if (is_named) {
        int e = store_set_aside(s, kind, id, reason);
        r = store_commit(s, &c, NULL, f);
        if (!r && !e) /* else the next open finds it unnamed; without a second name it is better left alone */
            store_unlink(s, kind, id);
        if (!r)
            STORE_COUNT(s, segments_damaged, kind == STORE_SEGMENT);
    }
    pthread_mutex_unlock(&s->upkeep_lock);
    manifest_change_fini(&c);
    return r;
}

/* set_aside_all - if nobody else writes and we may; otherwise everything stays where it is. */
static void set_aside_all(struct verification *v, const char *data_dir)
{
    struct store *s;
    if (!v->n_found || store_open(data_dir, NULL, &s, NULL))
        return;
    for (size_t i = 0; i < v->n_found; i++)
        if (v->found[i].kind != STORE_JOURNAL) /* journals were read, and set aside if need be, by opening */
            (void)store_quarantine(s, v->found[i].kind, v->found[i].id, v->found[i].damage.reason, NULL);
    store_close(s);
}

int store_verify(const char *data_dir, int (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes),
                 int (*damage)(void *context, const struct store_damage *d), void *context, uint64_t *ret_n_segments,
                 uint64_t *ret_n_rows, struct fault *f)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/store", data_dir) >= (int)sizeof(path))
        return FAULT(f, -ENAMETOOLONG, store_read_failed, data_dir, strerrordesc_np(ENAMETOOLONG));
    struct verification v = {.progress = progress, .damage = damage, .context = context, .fault = f};
    v.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (v.dir_fd < 0 && errno == ENOENT)
        return FAULT(f, STORE_EMPTY, store_none, data_dir);
    if (v.dir_fd < 0) {
        int e = -errno;
        return FAULT(f, e, store_read_failed, path, strerrordesc_np(-e));
    }
    v.names = event_names_new();
    int r = v.names ? manifest_load(v.dir_fd, &v.manifest, f) : FAULT(f, -ENOMEM, store_no_memory, data_dir);
    if (r == MANIFEST_NONE)
        r = FAULT(f, STORE_EMPTY, store_none, data_dir);
    if (!r)
        r = verify_all(&v);
    if (!r)
        set_aside_all(&v, data_dir);
    *ret_n_segments = v.n_segments;
    *ret_n_rows = v.n_rows;
    manifest_fini(&v.manifest);
    event_names_free(v.names);
    free(v.found);
    close(v.dir_fd);
    return r;
}
