/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New lists reach the receivers by one pointer each; the old set is freed when
 * every receiver has passed a quiet point since.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/indicator/lists.h"

#include <errno.h>
#include <string.h>

enum { MAX_RETIRED = sizeof(((struct watch *)0)->retired) / sizeof(struct match_set *) };

/*
 * A set becomes active a little after it is published: by then every receiver has taken it, so
 * that each row is either the hunt's or theirs and never both (match_set.h).
 */
#define ACTIVE_AFTER_US INT64_C(1500000)

static bool all_have_seen(const struct watch *w, uint64_t generation)
{
    for (size_t i = 0; i < w->n_receivers; i++)
        if (atomic_load(&w->receivers[i].is_running) &&
            atomic_load_explicit(&w->receivers[i].live.seen, memory_order_acquire) < generation)
            return false;
    return watch_behaviour_has_seen(w, generation) && watch_logs_have_seen(w, generation);
}

/* free_retired - under the lock. */
static void free_retired(struct watch *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->n_retired; i++) {
        if (w->retired[i] != w->borrowed && all_have_seen(w, w->retired[i]->generation + 1))
            match_set_free(w->retired[i]);
        else
            w->retired[kept++] = w->retired[i];
    }
    w->n_retired = kept;
}

static bool is_same_space(const struct match_set *a, const struct match_set *b)
{
    return (!a->space && !b->space) || (a->space && b->space && space_version(a->space) == space_version(b->space));
}

static bool has_new_list(const struct match_set *m, int64_t active_from_us)
{
    for (size_t i = 0; i < m->n_lists; i++)
        if (m->lists[i].active_from_us == active_from_us)
            return true;
    return false;
}

static void publish(struct watch *w, struct match_set *m)
{
    if (w->current)
        w->retired[w->n_retired++] = w->current;
    w->current = m;
    for (size_t i = 0; i < w->n_receivers; i++)
        atomic_store_explicit(&w->receivers[i].live.next, m, memory_order_release);
    watch_logs_publish(w, m);
    watch_behaviour_publish(w, m);
}

/* is_set_back - the wall clock, since it was last looked at, by more than a second */
static bool is_set_back(struct watch *w)
{
    int64_t now_us = clock_now_us(), before_us = w->last_wall_us;
    w->last_wall_us = now_us;
    return before_us - now_us > US_PER_SECOND;
}

/*
 * load_set - under the lock. Another own space makes other findings of the same rows, and a clock that was set back
 * makes what comes look old: then every list is active anew from now on, and all of the past is the hunt's.
 */
static int load_set(struct watch *w, int64_t active_from_us, bool is_anew, struct match_set **ret, bool *ret_anew, struct fault *f)
{
    *ret_anew = false;
    int r = match_set_load(w->data_dir, w->current, active_from_us, ret, f);
    if (r || !w->current || (!is_anew && is_same_space(w->current, *ret)))
        return r;
    *ret_anew = true;
    for (size_t i = 0; i < (*ret)->n_lists; i++)
        (*ret)->lists[i].active_from_us = active_from_us;
    return 0;
}

int watch_load_lists(struct watch *w, bool is_first, struct fault *f)
{
    uint64_t generation;
    pthread_mutex_lock(&w->set_lock);
    free_retired(w);
    int r = lists_generation(w->data_dir, &generation, f);
    w->is_set_back |= is_set_back(w); /* until a set could be loaded */
    bool is_due = !r && (is_first || generation != w->lists_generation || w->is_set_back) && w->n_retired < MAX_RETIRED;
    struct match_set *m = NULL;
    int64_t active_from_us = clock_now_us() + (is_first ? 0 : ACTIVE_AFTER_US);
    bool is_anew = false, wants_hunt = false;
    if (is_due) {
        r = load_set(w, active_from_us, w->is_set_back, &m, &is_anew, f);
        if (!r) {
            m->generation = w->current ? w->current->generation + 1 : 1;
            wants_hunt = has_new_list(m, active_from_us) || is_anew;
            publish(w, m);
            w->lists_generation = generation;
            if (w->is_set_back)
                log_line(LOG_WARN, "clock_set_back", NULL);
            w->is_set_back = false;
            log_line(LOG_INFO, "lists_published", "lists", log_number((long long)m->n_lists), "generation",
                     log_number((long long)m->generation), NULL);
        }
    }
    pthread_mutex_unlock(&w->set_lock);
    if (wants_hunt)
        watch_want_new_hunt(w, is_first ? 0 : ACTIVE_AFTER_US, is_anew);
    return r;
}
