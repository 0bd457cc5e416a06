/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows are read once into rows (behaviour_row.h) under one lock; then every detector looks at them under its own. Events
 * wait for a detector that is at work on flows, not for the others.
 */
#include "watch/detect/behaviour_engine.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FLUSH_EVERY_US (60 * US_PER_SECOND)

extern const struct behaviour_detector behaviour_beacon_detector, behaviour_scan_detector, behaviour_flood_detector,
    behaviour_spam_detector, behaviour_volume_detector, behaviour_destination_detector, behaviour_silent_detector,
    behaviour_names_detector, behaviour_logins_detector;

const struct behaviour_detector *const behaviour_detectors[] = {
    &behaviour_beacon_detector, &behaviour_scan_detector,        &behaviour_flood_detector,  &behaviour_spam_detector,
    &behaviour_volume_detector, &behaviour_destination_detector, &behaviour_silent_detector,
    &behaviour_names_detector,  &behaviour_logins_detector,      NULL,
};

#define N_DETECTORS (sizeof(behaviour_detectors) / sizeof(*behaviour_detectors) - 1)

static const struct kind {
    const char *name, *technique;
} kinds[BEHAVIOUR_N_KINDS] = {
#define X(id, text, attack) {text, attack},
    BEHAVIOURS(X)
#undef X
};

struct one {
    pthread_mutex_t lock;
    void *detector;
};

struct behaviour_engine {
    struct behaviour_base base; /* as detectors see it: emit is ours */
    behaviour_emit *emit;
    void *context;
    pthread_mutex_t emit_lock, flow_lock, event_lock; /* flow: reader but for its events, rows; event: the clock of events */
    struct behaviour_reader reader;
    struct behaviour_row *rows;
    int64_t flows_flushed_us, events_flushed_us;
    atomic_ullong alarms[BEHAVIOUR_N_KINDS];
    struct one all[N_DETECTORS];
};

const char *behaviour_name(enum behaviour_kind kind)
{
    return kinds[kind].name;
}

const char *behaviour_technique(enum behaviour_kind kind)
{
    return kinds[kind].technique;
}

int behaviour_kind_parse(struct text name, enum behaviour_kind *ret)
{
    for (unsigned i = 0; i < BEHAVIOUR_N_KINDS; i++)
        if (text_is(name, kinds[i].name)) {
            *ret = (enum behaviour_kind)i;
            return 0;
        }
    return 1;
}

void behaviour_put_number(struct behaviour_alarm *a, const char *name, double value, double limit)
{
    if (a->n_numbers < BEHAVIOUR_NUMBERS)
        a->numbers[a->n_numbers++] = (struct behaviour_number){name, value, limit};
}

int64_t behaviour_window(const struct behaviour_base *base, int64_t us)
{
    int64_t local = us + (int64_t)base->zone_s * US_PER_SECOND, in = local % base->window_us;
    return us - (in < 0 ? in + base->window_us : in);
}

static int take(void *context, const struct behaviour_alarm *a)
{
    struct behaviour_engine *x = context;
    atomic_fetch_add(&x->alarms[a->kind], 1);
    pthread_mutex_lock(&x->emit_lock);
    int r = x->emit(x->context, a);
    pthread_mutex_unlock(&x->emit_lock);
    return r;
}

int behaviour_engine_new(const struct behaviour_base *base, struct behaviour_engine **ret)
{
    struct behaviour_engine *x = calloc(1, sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->base = *base;
    x->emit = base->emit;
    x->context = base->context;
    x->base.emit = take;
    x->base.context = x;
    x->flows_flushed_us = x->events_flushed_us = INT64_MIN;
    pthread_mutex_init(&x->emit_lock, NULL);
    pthread_mutex_init(&x->flow_lock, NULL);
    pthread_mutex_init(&x->event_lock, NULL);
    for (size_t i = 0; i < N_DETECTORS; i++)
        pthread_mutex_init(&x->all[i].lock, NULL);
    int r = behaviour_reader_init(&x->reader, base->seed);
    x->rows = calloc(FLOW_BATCH_ROWS, sizeof(*x->rows));
    for (size_t i = 0; i < N_DETECTORS && !r; i++)
        if (!(x->all[i].detector = behaviour_detectors[i]->create(&x->base)))
            r = -ENOMEM;
    if (r || !x->rows) {
        behaviour_engine_free(x);
        return -ENOMEM;
    }
    *ret = x;
    return 0;
}

void behaviour_engine_free(struct behaviour_engine *x)
{
    if (!x)
        return;
    for (size_t i = 0; i < N_DETECTORS; i++) {
        if (x->all[i].detector)
            behaviour_detectors[i]->destroy(x->all[i].detector);
        pthread_mutex_destroy(&x->all[i].lock);
    }
    behaviour_reader_fini(&x->reader);
    free(x->rows);
    pthread_mutex_destroy(&x->emit_lock);
    pthread_mutex_destroy(&x->flow_lock);
    pthread_mutex_destroy(&x->event_lock);
    free(x);
}

/* time_to_flush - under the lock of @flushed_us. Return: the time to flush at, or INT64_MIN. */
static int64_t time_to_flush(int64_t now_us, int64_t *flushed_us)
{
    if (now_us == INT64_MIN)
        return INT64_MIN;
    if (*flushed_us == INT64_MIN || now_us < *flushed_us)
        *flushed_us = now_us;
    if (now_us - *flushed_us < FLUSH_EVERY_US)
        return INT64_MIN;
    *flushed_us = now_us;
    return now_us;
}

static int64_t flows_now(const struct behaviour_engine *x)
{
    return x->reader.v4.now_us > x->reader.v6.now_us ? x->reader.v4.now_us : x->reader.v6.now_us;
}

int behaviour_flush(struct behaviour_engine *x, int64_t at_us)
{
    int r = 0;
    for (size_t i = 0; i < N_DETECTORS && r >= 0; i++) {
        pthread_mutex_lock(&x->all[i].lock);
        r = behaviour_detectors[i]->flush ? behaviour_detectors[i]->flush(x->all[i].detector, at_us) : 0;
        pthread_mutex_unlock(&x->all[i].lock);
    }
    return r < 0 ? r : 0;
}

int behaviour_flows(struct behaviour_engine *x, const struct flow_batch *b, const struct behaviour_own *own)
{
    int r = 0;
    pthread_mutex_lock(&x->flow_lock);
    behaviour_read(&x->reader, b, own, x->rows);
    for (size_t i = 0; i < N_DETECTORS && r >= 0; i++) {
        const struct behaviour_detector *d = behaviour_detectors[i];
        if (!d->flows)
            continue;
        pthread_mutex_lock(&x->all[i].lock);
        r = d->flows(x->all[i].detector, b, x->rows, own);
        pthread_mutex_unlock(&x->all[i].lock);
    }
    int64_t flush_us = time_to_flush(flows_now(x), &x->flows_flushed_us);
    pthread_mutex_unlock(&x->flow_lock);
    return r < 0 ? r : flush_us != INT64_MIN ? behaviour_flush(x, flush_us) : 0;
}

int behaviour_events(struct behaviour_engine *x, const struct events *e, const struct behaviour_own *own)
{
    int r = 0;
    pthread_mutex_lock(&x->event_lock);
    for (uint32_t i = 0; i < e->n; i++)
        if (e->time_us[i] >= 0 && e->time_us[i] < INT64_C(1) << 52)
            behaviour_hear(&x->reader.events, e->time_us[i]);
    int64_t flush_us = time_to_flush(x->reader.events.now_us, &x->events_flushed_us);
    pthread_mutex_unlock(&x->event_lock);
    for (size_t i = 0; i < N_DETECTORS && r >= 0; i++) {
        const struct behaviour_detector *d = behaviour_detectors[i];
        if (!d->events)
            continue;
        pthread_mutex_lock(&x->all[i].lock);
        r = d->events(x->all[i].detector, e, own);
        pthread_mutex_unlock(&x->all[i].lock);
    }
    return r < 0 ? r : flush_us != INT64_MIN ? behaviour_flush(x, flush_us) : 0;
}

void behaviour_count(struct behaviour_engine *x, size_t i, struct behaviour_counters *ret)
{
    pthread_mutex_lock(&x->all[i].lock);
    behaviour_detectors[i]->count(x->all[i].detector, ret);
    pthread_mutex_unlock(&x->all[i].lock);
}

uint64_t behaviour_alarms_of(struct behaviour_engine *x, enum behaviour_kind kind)
{
    return atomic_load(&x->alarms[kind]);
}

int64_t behaviour_now(struct behaviour_engine *x)
{
    pthread_mutex_lock(&x->flow_lock);
    int64_t now_us = flows_now(x);
    pthread_mutex_unlock(&x->flow_lock);
    pthread_mutex_lock(&x->event_lock);
    int64_t heard_us = x->reader.events.now_us;
    pthread_mutex_unlock(&x->event_lock);
    return heard_us > now_us ? heard_us : now_us;
}
