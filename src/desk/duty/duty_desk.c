/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/duty/duty_desk.h"

#include "base/clock.h"
#include "base/log.h"
#include "desk/duty/duty_own.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { PASS_US = 1000000 };

/* --- the thread that sends --------------------------------------------------------------------------------------- */

static void pass(struct duty_desk *d, bool is_first)
{
    const struct duty_sender sender = {&d->o.channels, duty_send};
    struct fault f = {0};
    unsigned n;
    int64_t next, now_us = web_now(d->web);
    int r = duty_inbox(&d->o.channels, web_pool(d->web), now_us, &n, &f);
    if (r)
        log_line(LOG_WARN, "duty_inbox", "reason", f.text, NULL);
    f = (struct fault){0};
    r = duty_pass(web_pool(d->web), &d->policy, &sender, d->o.public_url ? d->o.public_url : "", is_first, now_us, &next, &f);
    if (r)
        log_line(LOG_ERROR, "duty_failed", "reason", f.text, NULL);
}

static void *work(void *context)
{
    struct duty_desk *d = context;
    bool is_first = true;
    pthread_mutex_lock(&d->lock);
    while (!d->is_ending) {
        struct timespec until;
        pthread_mutex_unlock(&d->lock);
        pass(d, is_first);
        is_first = false;
        pthread_mutex_lock(&d->lock);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PASS_US / US_PER_SECOND;
        if (!d->is_ending)
            pthread_cond_timedwait(&d->end, &d->lock, &until);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

/* tick - the first one tells which web it is, and the thread begins */
static int64_t tick(struct web *w, void *desk, int64_t now_us)
{
    struct duty_desk *d = desk;
    if (!d->has_thread) {
        d->web = w;
        d->has_thread = !pthread_create(&d->thread, NULL, work, d);
        if (!d->has_thread)
            log_line(LOG_ERROR, "duty_failed", "reason", "no thread", NULL);
    }
    return now_us + 60 * US_PER_SECOND;
}

/* --- the desk ---------------------------------------------------------------------------------------------------- */

int duty_desk_new(const struct duty_options *o, struct duty_desk **ret, struct fault *f)
{
    pthread_condattr_t steady;
    struct duty_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, "duty");
    d->o = *o;
    int r = duty_policy_read(o->policy_path, &d->policy, f);
    if (r) {
        free(d);
        return r;
    }
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&d->end, &steady);
    pthread_condattr_destroy(&steady);
    *ret = d;
    return 0;
}

void duty_desk_free(struct duty_desk *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->is_ending = true;
    pthread_cond_broadcast(&d->end);
    pthread_mutex_unlock(&d->lock);
    if (d->has_thread)
        pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->end);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct web_desk duty_desk_entry(struct duty_desk *d)
{
    static const struct trail_kind KINDS[] = {{"duty_shift", "duty_shift"}};
    return (struct web_desk){.name = "duty",
                             .migrations = &duty_migrations,
                             .routes = duty_routes,
                             .n_routes = duty_n_routes,
                             .kinds = KINDS,
                             .n_kinds = 1,
                             .desk = d,
                             .tick = tick};
}
