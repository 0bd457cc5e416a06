/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full segments leave the thread that filled them: a bounded queue, a few threads. So does the sync of
 * the journals, which may take a slow disk longer than a socket's buffer lasts. The journal of a
 * segment stays named until the segment's file is durable; one transaction then swaps them, so that
 * a crash at any moment finds the rows in exactly one of the two.
 */
#include "watch/store/store_impl.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int sync_file(uint64_t id, int fd, struct fault *f)
{
    char shown[STORE_SHOWN_MAX];
    int r = file_step("segment-sync");
    if (!r && fdatasync(fd))
        r = -errno;
    return r ? FAULT(f, r, store_write_failed, store_file_shown(STORE_SEGMENT, id, shown), strerrordesc_np(-r)) : 0;
}

static int write_file(struct segment_builder *builder, struct manifest_segment *segment, int fd, struct fault *f)
{
    uint64_t n_bytes = 0;
    int r = segment_builder_write(builder, segment->id, fd, &n_bytes, f);
    if (r)
        return r;
    r = sync_file(segment->id, fd, f);
    if (r)
        return r;
    struct segment *s;
    r = segment_open(fd, segment->id, false, &s, f); /* what was written must open, before anything relies on it */
    if (r)
        return r;
    const struct segment_info *info = segment_info(s);
    segment->n_rows = info->n_rows;
    segment->n_bytes = n_bytes;
    segment->event_min_us = info->event_min_us;
    segment->event_max_us = info->event_max_us;
    segment_close(s);
    return 0;
}

static int write_logs(struct log_builder *builder, struct manifest_segment *segment, int fd, struct fault *f)
{
    uint64_t n_bytes = 0;
    int r = log_builder_write(builder, segment->id, fd, &n_bytes, f);
    if (!r)
        r = sync_file(segment->id, fd, f);
    struct log_segment *s;
    if (!r)
        r = log_segment_open(fd, segment->id, false, &s, f);
    if (r)
        return r;
    const struct log_segment_info *info = log_segment_info(s);
    segment->n_rows = info->n_rows;
    segment->n_bytes = n_bytes;
    segment->event_min_us = info->event_min_us;
    segment->event_max_us = info->event_max_us;
    log_segment_close(s);
    return 0;
}

/* build_file - a new file made by one of the two. */
static int build_file(struct store *s, struct segment_builder *flows, struct log_builder *logs,
                      struct manifest_segment *segment, struct fault *f)
{
    char name[STORE_NAME_MAX], shown[STORE_SHOWN_MAX];
    store_file_name(STORE_SEGMENT, segment->id, name);
    int r = file_step("segment-create");
    int fd = r ? -1 : openat(s->segments_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        r = r ? r : -errno;
        return FAULT(f, r, store_write_failed, store_file_shown(STORE_SEGMENT, segment->id, shown),
                     strerrordesc_np(-r));
    }
    r = flows ? write_file(flows, segment, fd, f) : write_logs(logs, segment, fd, f);
    close(fd);
    if (r) {
        store_unlink(s, STORE_SEGMENT, segment->id);
        if (r == -ENOSPC)
            store_drop_spares(s);
        return r;
    }
    STORE_COUNT(s, segment_bytes, segment->n_bytes);
    return 0;
}

int build_write(struct store *s, struct segment_builder *builder, struct manifest_segment *segment, struct fault *f)
{
    int r = build_file(s, builder, NULL, segment, f);
    segment_builder_free(builder);
    return r;
}

int build_write_logs(struct store *s, struct log_builder *builder, struct manifest_segment *segment, struct fault *f)
{
    int r = build_file(s, NULL, builder, segment, f);
    log_builder_free(builder);
    return r;
}

/* write_job - what the job brings as a file; it is spent. */
static int write_job(struct store *s, struct build_job *job, struct fault *f)
{
    int r = job->logs ? build_write_logs(s, job->logs, &job->segment, f) : build_write(s, job->builder, &job->segment, f);
    job->logs = NULL;
    job->builder = NULL;
    return r;
}

int build_publish(struct store *s, const struct manifest_segment *segments, size_t n, uint64_t journal_id,
                  struct manifest_change *c, struct fault *f)
{
    bool is_uncertain = false;
    for (size_t i = 0; i < n; i++)
        manifest_add_segment(c, &segments[i]);
    manifest_del_journal(c, journal_id);
    int r = n ? file_sync_dir(s->segments_fd) : 0;
    if (r)
        r = FAULT(f, r, store_write_failed, "store/segments", strerrordesc_np(-r));
    if (!r)
        r = store_commit(s, c, &is_uncertain, f);
    for (size_t i = 0; r && !is_uncertain && i < n; i++)
        store_unlink(s, STORE_SEGMENT, segments[i].id);
    if (r)
        return r;
    store_leave_journal(s, journal_id);
    store_seal_chain(s, segments, n);
    STORE_COUNT(s, segments_sealed, n);
    return 0;
}

/* --- jobs ----------------------------------------------------------------------------- */

static int seal_job(struct store *s, struct build_job *job, struct fault *f)
{
    uint64_t id = job->journal.id;
    int family = job->journal.family, r;
    if (!job->builder && !job->logs)
        r = replay_to_segments(s, id, family, false, f);
    else {
        struct manifest_change c = {0};
        r = write_job(s, job, f);
        if (!r)
            r = build_publish(s, &job->segment, 1, id, &c, f);
        manifest_change_fini(&c);
    }
    journal_close(&job->journal); /* the builder read blocks from it */
    if (r) /* the journal keeps the rows; a later tick or the next open seals it */
        (void)build_add_pending(s, id, family);
    return r;
}

static void run_job(struct store *s, struct build_job *job)
{
    struct fault fault = {0};
    int r;
    if (job->import)
        r = write_job(s, job, &fault);
    else
        r = seal_job(s, job, &fault);
    pthread_mutex_lock(&s->build_lock);
    if (!r && job->import)
        import_take(job->import, &job->segment);
    if (job->group) {
        job->group->n_running--;
        if (r && !job->group->fault.code)
            job->group->fault = fault;
    }
    s->n_in_flight--;
    pthread_cond_broadcast(&s->build_less);
    pthread_mutex_unlock(&s->build_lock);
    free(job);
}

static void *build_thread(void *context)
{
    struct store *s = context;
    for (;;) {
        pthread_mutex_lock(&s->build_lock);
        while (!s->first && !s->is_closing)
            pthread_cond_wait(&s->build_more, &s->build_lock);
        struct build_job *job = s->first;
        if (job) {
            s->first = job->next;
            if (!s->first)
                s->last = &s->first;
        }
        pthread_mutex_unlock(&s->build_lock);
        if (!job)
            return NULL;
        run_job(s, job);
    }
}

void build_submit(struct store *s, struct build_job *job)
{
    pthread_mutex_lock(&s->build_lock);
    while (s->n_threads && s->n_in_flight > s->n_threads) /* one waits for every one that runs */
        pthread_cond_wait(&s->build_less, &s->build_lock);
    s->n_in_flight++;
    if (job->group)
        job->group->n_running++;
    job->next = NULL;
    if (s->n_threads) {
        *s->last = job;
        s->last = &job->next;
        pthread_cond_signal(&s->build_more);
    }
    pthread_mutex_unlock(&s->build_lock);
    if (!s->n_threads)
        run_job(s, job);
}

static int take_fault(struct build_group *group, struct fault *f)
{
    int r = group->fault.code;
    if (r && f)
        *f = group->fault;
    group->fault.code = 0;
    return r;
}

int build_wait(struct store *s, struct build_group *group, struct fault *f)
{
    pthread_mutex_lock(&s->build_lock);
    while (group->n_running)
        pthread_cond_wait(&s->build_less, &s->build_lock);
    int r = take_fault(group, f);
    pthread_mutex_unlock(&s->build_lock);
    return r;
}

int build_failed(struct store *s, struct build_group *group, struct fault *f)
{
    pthread_mutex_lock(&s->build_lock);
    int r = take_fault(group, f);
    pthread_mutex_unlock(&s->build_lock);
    return r;
}

/* --- journals that wait -------------------------------------------------------------------- */

int build_add_pending(struct store *s, uint64_t id, int family)
{
    int r = 0;
    pthread_mutex_lock(&s->lock);
    if (s->n_pending == s->room_pending) {
        size_t room = s->room_pending ? s->room_pending * 2 : 16;
        struct manifest_journal *more = realloc(s->pending, room * sizeof(*more));
        if (more) {
            s->pending = more;
            s->room_pending = room;
        } else
            r = -ENOMEM; /* it stays named: the next open seals it */
    }
    if (!r)
        s->pending[s->n_pending++] = (struct manifest_journal){.id = id, .family = family};
    pthread_mutex_unlock(&s->lock);
    return r;
}

static bool take_pending(struct store *s, struct manifest_journal *ret)
{
    pthread_mutex_lock(&s->lock);
    bool is = s->n_pending > 0;
    if (is) {
        *ret = s->pending[0];
        memmove(s->pending, s->pending + 1, --s->n_pending * sizeof(*s->pending));
    }
    pthread_mutex_unlock(&s->lock);
    return is;
}

int build_pending(struct store *s, int64_t now_us, bool is_now, struct fault *f)
{
    pthread_mutex_lock(&s->lock);
    size_t n = s->n_pending;
    bool is_due = is_now || now_us < s->retry_us - STORE_RETRY_US || now_us >= s->retry_us;
    if (n && is_due)
        s->retry_us = now_us + STORE_RETRY_US;
    pthread_mutex_unlock(&s->lock);
    struct manifest_journal j;
    while (is_due && n-- && take_pending(s, &j)) {
        int r = replay_to_segments(s, j.id, j.family, false, f);
        if (r) {
            (void)build_add_pending(s, j.id, j.family);
            return r;
        }
    }
    return 0;
}

/* --- syncing beside the writer ------------------------------------------------------------- */

static bool take_sync(struct store *s, struct sync_request **ret)
{
    pthread_mutex_lock(&s->build_lock);
    while (!s->first_sync && !s->is_closing)
        pthread_cond_wait(&s->sync_more, &s->build_lock);
    *ret = s->first_sync;
    if (s->first_sync)
        s->first_sync = s->first_sync->next;
    pthread_mutex_unlock(&s->build_lock);
    return *ret != NULL;
}

static void *sync_thread(void *context)
{
    struct store *s = context;
    for (struct sync_request *q; take_sync(s, &q);) {
        struct fault fault = {0};
        int r = journal_sync(&q->journal, &fault);
        pthread_mutex_lock(&s->build_lock);
        q->group->n_running--;
        q->group->n_syncs--;
        if (r && !q->group->fault.code)
            q->group->fault = fault;
        pthread_cond_broadcast(&s->build_less);
        pthread_mutex_unlock(&s->build_lock);
        journal_close(&q->journal);
        free(q);
    }
    return NULL;
}

int build_sync(struct store *s, struct build_group *group, struct journal *j, struct fault *f)
{
    if (!j->is_dirty)
        return 0;
    struct sync_request *q = s->has_sync_thread ? calloc(1, sizeof(*q)) : NULL;
    int fd = q ? fcntl(j->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0) {
        free(q);
        return journal_sync(j, f);
    }
    *q = (struct sync_request){.group = group, .journal = *j};
    q->journal.fd = fd;
    pthread_mutex_lock(&s->build_lock);
    bool is_slow = group->n_syncs >= 2; /* one per family */
    if (!is_slow) {
        group->n_syncs++;
        group->n_running++;
        struct sync_request **last = &s->first_sync;
        while (*last)
            last = &(*last)->next;
        *last = q;
        pthread_cond_signal(&s->sync_more);
    }
    pthread_mutex_unlock(&s->build_lock);
    if (is_slow) {
        close(fd);
        free(q);
        return 0;
    }
    j->is_dirty = false;
    return 0;
}

/* --- threads --------------------------------------------------------------------------------- */

int build_start(struct store *s, struct fault *f)
{
    s->last = &s->first;
    if (!s->options.n_build_threads)
        return 0;
    s->threads = calloc(s->options.n_build_threads, sizeof(*s->threads));
    if (!s->threads)
        return FAULT(f, -ENOMEM, store_no_memory, "store");
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the thread that started us */
    int e = pthread_create(&s->sync_thread, NULL, sync_thread, s);
    s->has_sync_thread = e == 0;
    while (!e && s->n_threads < s->options.n_build_threads) {
        e = pthread_create(&s->threads[s->n_threads], NULL, build_thread, s);
        s->n_threads += e == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e ? FAULT(f, -e, store_threads_failed, strerrordesc_np(e)) : 0;
}

void build_stop(struct store *s)
{
    pthread_mutex_lock(&s->build_lock);
    s->is_closing = true;
    pthread_cond_broadcast(&s->build_more);
    pthread_cond_broadcast(&s->sync_more);
    pthread_mutex_unlock(&s->build_lock);
    if (s->has_sync_thread)
        pthread_join(s->sync_thread, NULL);
    s->has_sync_thread = false;
    for (unsigned i = 0; i < s->n_threads; i++)
        pthread_join(s->threads[i], NULL);
    free(s->threads);
    s->threads = NULL;
    s->n_threads = 0;
}
