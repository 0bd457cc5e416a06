/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two threads that work behind the receivers: upkeep of the store, and the
 * hunt of the past. A hunt counts, window by window, the rows that are its
 * business (match_set.h) and puts the counts into the finder; run twice it
 * changes nothing.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/detect/log_live.h"
#include "watch/hunt/hunt.h"
#include "state/audit.h"
#include "watch/lease/gather.h"
#include "watch/lease/retention.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HUNT_NICE = 10, MAX_HUNT_SIGHTINGS = 1 << 20, IDLE_CLASS = 3 << 13, WHO_PROCESS = 1 };

/* be_humble - hunts and compaction run beside ingest, at low priority. Failing to be humble is no error. */
static void be_humble(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), HUNT_NICE);
    (void)syscall(SYS_ioprio_set, WHO_PROCESS, 0, IDLE_CLASS);
}

static void want(struct watch *w, int64_t since_us, int64_t until_us)
{
    if (!w->job.is_wanted)
        w->job = (struct hunt_job){.since_us = since_us, .until_us = until_us, .is_wanted = true};
    if (since_us < w->job.since_us)
        w->job.since_us = since_us;
    if (until_us > w->job.until_us)
        w->job.until_us = until_us;
    pthread_cond_broadcast(&w->work);
}

void watch_want_hunt(struct watch *w, int64_t since_us, int64_t until_us)
{
    pthread_mutex_lock(&w->work_lock);
    want(w, since_us, until_us);
    pthread_mutex_unlock(&w->work_lock);
}

void watch_want_new_hunt(struct watch *w, int64_t active_in_us, bool is_anew)
{
    enum { ON_ITS_WAY_US = 500000 }; /* from a receiver's hands into the journal */
    int64_t now_us = clock_steady_us();
    pthread_mutex_lock(&w->work_lock);
    want(w, INT64_MIN, INT64_MAX);
    if (active_in_us)
        w->job.not_before_us = now_us + active_in_us + ON_ITS_WAY_US;
    if (is_anew) /* every receiver has taken the new set by then, and has nothing to count under it yet */
        w->job.rebase_us = now_us + active_in_us - ON_ITS_WAY_US;
    pthread_mutex_unlock(&w->work_lock);
}

struct past {
    struct watch *w;
    struct live live; /* its table is the count of this hunt */
    struct log_live logs;
    int64_t since_us, until_us;
    uint64_t n_rows;
};

static int put_counts(void *context, struct sightings *t)
{
    struct past *p = context;
    for (uint32_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].is_used)
            finder_set(p->w->finder, &t->slots[i]);
    sightings_clear(t);
    return 0;
}

static int count_row(void *context, const struct hunt_row *r)
{
    struct past *p = context;
    if (atomic_load_explicit(&p->w->is_ending, memory_order_relaxed))
        return 1;
    int64_t window_us = live_window(&p->live, r->start_us);
    if (window_us < p->since_us || window_us > p->until_us) /* its window lies outside: it is not recounted */
        return 0;
    uint64_t present = (r->has_received ? FLOW_HAS(FLOW_RECEIVED) : 0) |
                       (r->has_source_port ? FLOW_HAS(FLOW_SOURCE_PORT) : 0) |
                       (r->has_destination_port ? FLOW_HAS(FLOW_DESTINATION_PORT) : 0);
    struct flow f = {.present = present,
                     .protocol = r->has_protocol ? r->protocol : 0,
                     .source_ip = r->source,
                     .destination_ip = r->destination,
                     .source_port = r->source_port,
                     .destination_port = r->destination_port,
                     .start_us = r->start_us,
                     .end_us = r->has_end ? r->end_us : r->start_us,
                     .received_us = r->received_us,
                     .source_packets = r->packets,
                     .source_bytes = r->bytes};
    p->n_rows++;
    int e = r->is_source_listed || r->is_destination_listed ? live_row(&p->live, &f, true) : 0;
    return e < 0 || !r->n_names ? e : live_flow_names_found(&p->live, &f, r->names, r->n_names, true);
}

/* count_event - as count_row, of log events: by all of their addresses and names. */
static int count_event(void *context, const struct events *e, uint32_t row, bool is_imported)
{
    struct past *p = context;
    if (atomic_load_explicit(&p->w->is_ending, memory_order_relaxed))
        return 1;
    int64_t window_us = live_window(&p->live, e->time_us[row]);
    if (window_us < p->since_us || window_us > p->until_us)
        return 0;
    p->n_rows++;
    return log_live_row(&p->logs, e, row, is_imported);
}

/* begin_job - take what is wanted, its bounds moved out to whole windows. */
static bool begin_job(struct watch *w, struct hunt_job *ret)
{
    pthread_mutex_lock(&w->work_lock);
    while (!w->job.is_wanted && !atomic_load(&w->is_ending))
        pthread_cond_wait(&w->work, &w->work_lock);
    *ret = w->job;
    w->job.is_wanted = false;
    w->is_hunting = ret->is_wanted;
    pthread_mutex_unlock(&w->work_lock);
    return ret->is_wanted && !atomic_load(&w->is_ending);
}

/* wait_until - steady time, or the end of the watch. */
static void wait_until(struct watch *w, int64_t steady_us)
{
    struct timespec until = {steady_us / US_PER_SECOND, steady_us % US_PER_SECOND * 1000};
    pthread_mutex_lock(&w->work_lock);
    while (clock_steady_us() < steady_us && !atomic_load(&w->is_ending))
        (void)pthread_cond_timedwait(&w->work, &w->work_lock, &until);
    pthread_mutex_unlock(&w->work_lock);
}

/* borrow_set - the current set, kept from being freed until give_back. */
static const struct match_set *borrow_set(struct watch *w)
{
    pthread_mutex_lock(&w->set_lock);
    w->borrowed = w->current;
    pthread_mutex_unlock(&w->set_lock);
    return w->borrowed;
}

static void give_back_set(struct watch *w)
{
    pthread_mutex_lock(&w->set_lock);
    w->borrowed = NULL;
    pthread_mutex_unlock(&w->set_lock);
}

/* rebase - before the past is counted anew. Return: 0 or -errno. */
static int rebase(struct watch *w, const struct hunt_job *job, struct fault *f)
{
    uint64_t n = 0;
    if (!job->rebase_us)
        return 0;
    wait_until(w, job->rebase_us);
    int r = finder_rebase(w->finder, borrow_set(w), &n, f);
    give_back_set(w);
    if (n)
        log_line(LOG_INFO, "findings_withdrawn", "findings", log_number((long long)n), "reason", "own space changed", NULL);
    return r;
}

static void take_set(struct live *l, const struct match_set *set)
{
    atomic_store(&l->next, set);
    live_quiet(l);
    l->table.max = MAX_HUNT_SIGHTINGS;
    l->as_of_us = clock_now_us();
}

static int hunt_past(struct watch *w, const struct hunt_job *job, const struct match_set *set, struct fault *f)
{
    struct past p = {.w = w, .since_us = INT64_MIN, .until_us = INT64_MAX};
    struct store_view *view;
    struct hunt_coverage coverage;
    struct hunt_options o = {.since_us = job->since_us, .until_us = job->until_us, .n_threads = 1, .skip_logs = true};
    int r = store_view_open(w->data_dir, &view, f);
    if (r)
        return r == STORE_EMPTY ? 0 : r;
    r = live_init(&p.live, w->config->finding_window_us, w->config->zone_s, put_counts, &p);
    int e = log_live_init(&p.logs, w->config->finding_window_us, w->config->zone_s, put_counts, &p);
    r = r ? r : e;
    if (!r) {
        take_set(&p.live, set);
        take_set(&p.logs.live, set);
        if (job->since_us != INT64_MIN)
            o.since_us = p.since_us = live_window(&p.live, job->since_us);
        if (job->until_us != INT64_MAX) {
            p.until_us = live_window(&p.live, job->until_us);
            o.until_us = p.until_us + w->config->finding_window_us - 1;
        }
        r = hunt_rows(view, set->list_pointers, set->n_lists, &o, count_row, &p, &coverage, f);
        if (!r)
            r = hunt_log_events(view, set->list_pointers, set->n_lists, &o, count_event, &p, f);
    }
    if (!r)
        r = live_flush(&p.live);
    if (!r)
        r = live_flush(&p.logs.live);
    w->hunt_rows += p.n_rows;
    live_fini(&p.live);
    log_live_fini(&p.logs);
    store_view_close(view);
    return r;
}

void *watch_hunter(void *argument)
{
    struct watch *w = argument;
    struct hunt_job job;
    be_humble();
    while (begin_job(w, &job)) {
        struct fault f = {0};
        int r = rebase(w, &job, &f);
        wait_until(w, job.not_before_us);
        const struct match_set *set = borrow_set(w);
        if (!r && set->n_lists)
            r = hunt_past(w, &job, set, &f);
        if (r >= 0)
            r = finder_write(w->finder, set, clock_now_us(), &f);
        give_back_set(w);
        pthread_mutex_lock(&w->work_lock);
        w->is_hunting = false;
        w->hunts_done++;
        w->last_hunt_us = clock_now_us();
        if (r < 0) {
            w->hunt_failures++;
            w->last_hunt_fault = f;
            log_line(LOG_ERROR, "hunt_failed", "reason", f.text, NULL);
        }
        pthread_mutex_unlock(&w->work_lock);
    }
    return NULL;
}

/* --- upkeep ------------------------------------------------------------------------------- */

static int stop_when_ending(void *context, uint64_t done, uint64_t total)
{
    struct watch *w = context;
    (void)done;
    (void)total;
    return atomic_load_explicit(&w->is_ending, memory_order_relaxed);
}

static bool is_ending(void *context)
{
    const struct watch *w = context;
    return atomic_load(&w->is_ending);
}

static bool wait_for_upkeep(struct watch *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until); /* the wall clock may jump */
    until.tv_sec += (time_t)(w->config->store_compact_every_us / US_PER_SECOND);
    pthread_mutex_lock(&w->work_lock);
    int r = 0;
    while (!w->compact_wanted && !atomic_load(&w->is_ending) && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&w->work, &w->work_lock, &until);
    w->compact_wanted = false;
    w->is_compacting = true;
    pthread_mutex_unlock(&w->work_lock);
    return !atomic_load(&w->is_ending);
}

/* gather_leases - who was given which address, out of the events sealed since the last time. */
static void gather_leases(struct watch *w)
{
    struct lease_gathered done = {0};
    struct fault f = {0};
    const struct lease_retention keep = {w->config->leases_keep_at_least_us, w->config->leases_keep_at_most_us};
    int64_t oldest_us = lease_retention_limit(&keep, clock_now_us());
    const struct lease_gather_options o = {.no_flows = !w->config->leases_from_flows, .oldest_us = oldest_us > 0 ? oldest_us : 0,
                                           .must_stop = is_ending, .context = w};
    int r = lease_gather(w->data_dir, &o, &done, &f);
    if (r < 0) {
        log_line(LOG_ERROR, "leases_failed", "reason", f.text, NULL);
        return;
    }
    char n[24], refused[24];
    snprintf(n, sizeof(n), "%llu", (unsigned long long)done.n_rows);
    snprintf(refused, sizeof(refused), "%llu", (unsigned long long)done.n_refused);
    if (done.n_rows || done.n_refused)
        log_line(LOG_INFO, "leases_gathered", "rows", n, "refused", refused, NULL);
}

/* note_purge - into the audit trail, whatever the proof says; and said when it does not hold. */
static void note_purge(struct watch *w, int64_t before_us, const struct lease_compaction *c, const struct lease_proof *p)
{
    char when[TIME_TEXT_MAX], result[128];
    struct fault f = {0};
    clock_format_utc(before_us, when);
    snprintf(result, sizeof(result), "%llu rows purged, %llu left of before, %llu names without a row", (unsigned long long)c->n_purged,
             (unsigned long long)p->n_older, (unsigned long long)p->n_unused_texts);
    const struct audit_entry entry = {.who = "node", .action = "lease.purge", .object = when,
                                      .why = "leases.keep_at_most of the configuration", .result = result};
    if (audit_add(w->data_dir, &entry, &f) < 0)
        log_line(LOG_ERROR, "audit_failed", "reason", f.text, NULL);
    log_line(p->n_older || p->n_unused_texts ? LOG_ERROR : LOG_INFO, "leases_purged", "before", when, "result", result, NULL);
}

/* purge_leases - what may not be kept any longer goes, often enough that nothing grows older than allowed. */
static void purge_leases(struct watch *w, int64_t *next_us)
{
    const struct lease_retention keep = {w->config->leases_keep_at_least_us, w->config->leases_keep_at_most_us};
    int64_t now_us = clock_now_us(), before_us = lease_retention_limit(&keep, now_us);
    struct lease_compaction done;
    struct lease_proof proof;
    struct fault f = {0};
    int r = lease_retention_save(w->data_dir, &keep, &f);
    if (!r && (before_us == INT64_MIN || (now_us < *next_us && *next_us - now_us <= US_PER_DAY)))
        return;
    if (!r)
        r = lease_purge(w->data_dir, before_us, 0, &done, &proof, &f);
    if (r == LEASE_EMPTY || r == LEASE_BUSY)
        return;
    if (r) {
        log_line(LOG_ERROR, "leases_not_purged", "reason", f.text, NULL);
        return;
    }
    *next_us = now_us + lease_retention_every_us(&keep) / 2;
    if (done.n_purged)
        note_purge(w, before_us, &done, &proof);
}

void *watch_upkeep(void *argument)
{
    int64_t next_purge_us = 0;
    struct watch *w = argument;
    be_humble();
    while (wait_for_upkeep(w)) {
        struct store_compaction done = {0};
        struct fault f = {0};
        gather_leases(w); /* before segments are merged: what was taken is told by their ids */
        purge_leases(w, &next_purge_us);
        int r = store_compact(w->store, &done, stop_when_ending, w, &f);
        if (r >= 0)
            r = store_retain(w->store, clock_now_us(), &f);
        if (r < 0)
            log_line(LOG_ERROR, "upkeep_failed", "reason", f.text, NULL);
        pthread_mutex_lock(&w->work_lock);
        w->is_compacting = false;
        w->compactions_done++;
        w->last_compaction_us = clock_now_us();
        pthread_cond_broadcast(&w->work);
        pthread_mutex_unlock(&w->work_lock);
    }
    return NULL;
}
