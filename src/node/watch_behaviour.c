/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Behaviour in the node. Receivers of flows lay a copy of the columns that detectors read into a queue and go on; a
 * thread of its own reads it. When it cannot follow, batches pass it by, counted: the store has them all the same. Events
 * are judged by the thread that receives them: the detectors pick the few that concern them.
 *
 * A new start first reads back what is stored (restart.back_s, restart.rows), since detectors keep nothing on disk; what
 * comes meanwhile is read from the store too. Findings that result again are not written again (behaviour_alerts.h).
 */
#include "node/watch_imports.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/detect/behaviour_alerts.h"
#include "watch/detect/behaviour_past.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/randombytes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { QUEUE = 16, BEHAVIOUR_NICE = 5, WAIT_MS = 500 };
#define CAUGHT_UP_US (5 * US_PER_SECOND)

/* a batch on its way; made when first needed, kept for the next */
struct slot {
    struct flow_batch *v4, *v6, *full;
};

struct watch_behaviour {
    struct watch *watch;
    struct behaviour_settings settings;
    struct behaviour_engine *engine;
    struct behaviour_alerts *alerts;
    pthread_mutex_t lock; /* slots in use, first, n */
    pthread_cond_t more;
    struct slot slots[QUEUE];
    unsigned first, n;    /* full ones, in order */
    bool is_filling[QUEUE];
    pthread_t thread;
    bool has_thread;
    _Atomic bool is_running, is_listening; /* listening: past the reading back */
    _Atomic(const struct match_set *) next;
    _Atomic uint64_t seen;
    atomic_ullong rows, rows_passed, events, events_passed, failures; /* passed: not looked at */
    struct behaviour_past_account back;
    struct behaviour_base base;    /* of the engine */
    struct watch_imports *imports; /* NULL: not started */
    _Atomic bool is_read_back;
};

/* --- the receivers' side ------------------------------------------------------------------------------------------- */

static const enum flow_number columns[] = {
    FLOW_START, FLOW_END, FLOW_SOURCE_BYTES, FLOW_DESTINATION_BYTES, FLOW_SOURCE_PACKETS, FLOW_DESTINATION_PACKETS, FLOW_SAMPLING,
    FLOW_SOURCE_PORT, FLOW_DESTINATION_PORT, FLOW_TCP_FLAGS, FLOW_REVERSE_TCP_FLAGS, FLOW_ICMP, FLOW_PROTOCOL, FLOW_NAT_EVENT,
    FLOW_FIREWALL_EVENT,
};
enum { N_COLUMNS = sizeof(columns) / sizeof(*columns) };

/* copy - the columns detectors read. Return: false when memory for texts is out: the batch is then without them. */
static void copy(struct flow_batch *to, const struct flow_batch *b)
{
    uint64_t mask = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS_TEXT;
    size_t width = b->family == 4 ? sizeof(uint32_t) : sizeof(struct ip);
    flow_batch_clear(to);
    to->n = b->n;
    memcpy(to->column[FLOW_SOURCE_IP], b->column[FLOW_SOURCE_IP], b->n * width);
    memcpy(to->column[FLOW_DESTINATION_IP], b->column[FLOW_DESTINATION_IP], b->n * width);
    for (unsigned i = 0; i < N_COLUMNS; i++) {
        unsigned c = FLOW_COLUMN_NUMBER(columns[i]);
        mask |= FLOW_HAS(columns[i]);
        if (b->columns & FLOW_HAS(columns[i]))
            memcpy(to->column[c], b->column[c], b->n * flow_columns[c].width);
    }
    if (b->columns & FLOW_HAS_TEXT) {
        buf_add(&to->text, b->text.p, b->text.n);
        memcpy(to->text_end, b->text_end, b->n * sizeof(*b->text_end));
    }
    if (to->text.is_bad)
        mask &= ~FLOW_HAS_TEXT;
    to->columns = b->columns & mask;
    for (uint32_t i = 0; i < b->n; i++)
        to->present[i] = b->present[i] & mask;
}

/* claim - a slot to fill. Return: its index, or QUEUE: all are full. */
static unsigned claim(struct watch_behaviour *x, int family, struct flow_batch **ret)
{
    unsigned i = QUEUE;
    pthread_mutex_lock(&x->lock);
    if (x->n < QUEUE)
        i = (x->first + x->n++) % QUEUE;
    if (i < QUEUE)
        x->is_filling[i] = true;
    pthread_mutex_unlock(&x->lock);
    *ret = NULL;
    if (i == QUEUE)
        return i;
    struct flow_batch **b = family == 4 ? &x->slots[i].v4 : &x->slots[i].v6;
    if (!*b)
        *b = flow_batch_new(family);
    *ret = *b;
    return i;
}

void watch_behaviour_offer(struct watch *w, const struct flow_batch *b)
{
    struct watch_behaviour *x = w->behaviour;
    struct flow_batch *to;
    if (!x || !b->n)
        return;
    unsigned i = atomic_load_explicit(&x->is_listening, memory_order_relaxed) ? claim(x, b->family, &to) : QUEUE;
    if (i == QUEUE) {
        atomic_fetch_add(&x->rows_passed, b->n);
        return;
    }
    if (to)
        copy(to, b);
    else
        atomic_fetch_add(&x->rows_passed, b->n);
    pthread_mutex_lock(&x->lock);
    x->slots[i].full = to;
    x->is_filling[i] = false;
    pthread_cond_signal(&x->more);
    pthread_mutex_unlock(&x->lock);
}

void watch_behaviour_events(struct watch *w, const struct events *e, const struct space *space)
{
    struct watch_behaviour *x = w->behaviour;
    struct behaviour_own own = {.space = space};
    if (!x || !e->n)
        return;
    if (!atomic_load_explicit(&x->is_listening, memory_order_relaxed)) { /* the store has them: they are read back */
        atomic_fetch_add(&x->events_passed, e->n);
        return;
    }
    atomic_fetch_add(&x->events, e->n);
    if (behaviour_events(x->engine, e, &own) < 0)
        atomic_fetch_add(&x->failures, 1);
}

/* --- the thread --------------------------------------------------------------------------------------------------------- */

/* quiet - between two batches: a newer set. */
static void quiet(struct watch_behaviour *x, const struct match_set **set)
{
    const struct match_set *next = atomic_load_explicit(&x->next, memory_order_acquire);
    if (next != *set) {
        *set = next;
        atomic_store_explicit(&x->seen, next->generation, memory_order_release);
    }
}

static int stop_reading(void *context)
{
    struct watch_behaviour *x = context;
    return atomic_load_explicit(&x->watch->is_ending, memory_order_relaxed);
}

/* read_back - what was received in [from, until). The own space is that of the moment. */
static void read_back(struct watch_behaviour *x, int64_t from_us, int64_t until_us, const struct match_set **set)
{
    struct behaviour_past_options o = {.since_us = clock_now_us() - (int64_t)(x->settings.v[BEHAVIOUR_SET_RESTART_BACK_S] * 1e6),
                                       .until_us = INT64_MAX, .received_from_us = from_us, .received_until_us = until_us,
                                       .max_rows = (uint64_t)x->settings.v[BEHAVIOUR_SET_RESTART_ROWS], .stop = stop_reading, .context = x};
    struct store_view *view;
    struct behaviour_past_account a;
    struct fault f = {0};
    quiet(x, set);
    struct behaviour_own own = {.space = *set ? (*set)->space : NULL};
    int r = store_view_open(x->watch->data_dir, &view, &f);
    if (r == STORE_EMPTY)
        return;
    if (!r) {
        r = behaviour_past(view, x->engine, x->watch->names, &own, &o, &a);
        store_view_close(view);
        x->back.flows += a.flows;
        x->back.events += a.events;
        x->back.blocks_damaged += a.blocks_damaged;
        x->back.rows_left_out += a.rows_left_out;
    }
    if (r) {
        atomic_fetch_add(&x->failures, 1);
        log_line(LOG_ERROR, "behaviour_not_read_back", "reason", f.text[0] ? f.text : strerror(-r), NULL);
    }
}

/* catch_up - until what is left to read is a moment; then the receivers are listened to, and the moment is read. */
static void catch_up(struct watch_behaviour *x, const struct match_set **set)
{
    int64_t from_us = INT64_MIN, until_us = clock_now_us();
    if (x->settings.v[BEHAVIOUR_SET_RESTART_BACK_S] > 0)
        for (;;) {
            read_back(x, from_us, until_us, set);
            from_us = until_us;
            until_us = clock_now_us();
            if (until_us - from_us < CAUGHT_UP_US || stop_reading(x))
                break;
        }
    atomic_store(&x->is_listening, true);
    if (x->settings.v[BEHAVIOUR_SET_RESTART_BACK_S] > 0 && !stop_reading(x))
        read_back(x, from_us, clock_now_us(), set);
    atomic_store(&x->is_read_back, true);
    log_line(LOG_INFO, "behaviour_read_back", "flows", log_number((long long)x->back.flows), "events",
             log_number((long long)x->back.events), NULL);
}

/* next_full - the next batch, or NULL after a while without. */
static struct flow_batch *next_full(struct watch_behaviour *x)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_mutex_lock(&x->lock);
    int r = 0;
    while ((!x->n || x->is_filling[x->first]) && !r)
        r = pthread_cond_timedwait(&x->more, &x->lock, &until);
    struct flow_batch *b = x->n && !x->is_filling[x->first] ? x->slots[x->first].full : NULL;
    if (x->n && !x->is_filling[x->first] && !b) { /* there was no memory for it */
        x->first = (x->first + 1) % QUEUE;
        x->n--;
    }
    pthread_mutex_unlock(&x->lock);
    return b;
}

static void give_back(struct watch_behaviour *x)
{
    pthread_mutex_lock(&x->lock);
    x->slots[x->first].full = NULL;
    x->first = (x->first + 1) % QUEUE;
    x->n--;
    pthread_mutex_unlock(&x->lock);
}

static void *behaviour_thread(void *argument)
{
    struct watch_behaviour *x = argument;
    const struct match_set *set = NULL;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), BEHAVIOUR_NICE);
    catch_up(x, &set);
    while (!atomic_load(&x->watch->is_ending)) {
        quiet(x, &set);
        struct flow_batch *b = next_full(x);
        if (!b)
            continue;
        struct behaviour_own own = {.space = set ? set->space : NULL};
        if (behaviour_flows(x->engine, b, &own) < 0)
            atomic_fetch_add(&x->failures, 1);
        atomic_fetch_add(&x->rows, b->n);
        give_back(x);
    }
    atomic_store(&x->is_running, false);
    return NULL;
}

/* --- beginning and end ----------------------------------------------------------------------------------------------------- */

/*
 * seed_of - of the hashes of tables: secret, and the same after a new start, so that the past read back counts as it did.
 * Kept as DIR/behaviour.seed; what cannot be kept is made anew.
 */
static uint64_t seed_of(const char *data_dir)
{
    static const char name[] = "behaviour.seed";
    uint64_t seed = 0;
    int dir_fd = open(data_dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || file_pread_full(fd, &seed, sizeof(seed), 0) || !seed) {
        randombytes_buf(&seed, sizeof(seed));
        if (dir_fd >= 0 && file_replace(dir_fd, name, &seed, sizeof(seed)))
            log_line(LOG_WARN, "behaviour_seed_not_kept", NULL);
    }
    file_close(&fd);
    file_close(&dir_fd);
    return seed;
}

/* make - detectors and findings; content is read here. Return: 0 or -ENOMEM. */
static int make(struct watch_behaviour *x, const struct config *c)
{
    struct behaviour_alerts_options o = {.exceptions = c->exceptions, .n_exceptions = c->n_exceptions,
                                         .max_alerts = BEHAVIOUR_ALERTS_DEFAULT};
    pthread_condattr_t steady;
    pthread_mutex_init(&x->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&x->more, &steady);
    pthread_condattr_destroy(&steady);
    int r = behaviour_alerts_new(&o, &x->alerts);
    x->base = (struct behaviour_base){.settings = &x->settings, .names = x->watch->names, .emit = behaviour_alerts_take,
                                      .context = x->alerts, .window_us = c->finding_window_us, .zone_s = c->zone_s,
                                      .seed = seed_of(x->watch->data_dir)};
    if (!r)
        r = behaviour_engine_new(&x->base, &x->engine);
    if (!r)
        behaviour_alerts_clock(x->alerts, clock_now_us());
    return r;
}

void watch_behaviour_load(struct watch *w)
{
    struct fault f = {0};
    if (!w->config->has_behaviour)
        return;
    struct watch_behaviour *x = w->behaviour = calloc(1, sizeof(*x));
    if (!x)
        return;
    x->watch = w;
    behaviour_settings_default(&x->settings);
    if (behaviour_settings_load(&x->settings, NULL, &f))
        log_line(LOG_WARN, "behaviour_limits_not_loaded", "reason", f.text, NULL); /* the defaults are the same as shipped */
    for (unsigned i = 0; i < BEHAVIOUR_N_SETTINGS; i++)
        if (w->config->is_behaviour_set[i])
            x->settings.v[i] = w->config->behaviour.v[i];
    if (make(x, w->config)) {
        log_line(LOG_ERROR, "behaviour_not_watched", "reason", strerror(ENOMEM), NULL);
        watch_behaviour_free(w);
    }
}

int watch_behaviour_start(struct watch *w, struct fault *f)
{
    struct watch_behaviour *x = w->behaviour;
    if (!x)
        return 0;
    atomic_store(&x->is_running, true);
    int e = pthread_create(&x->thread, NULL, behaviour_thread, x);
    x->has_thread = !e;
    if (e)
        atomic_store(&x->is_running, false);
    return e ? FAULT(f, -e, no_memory, "threads") : watch_imports_start(w, &x->base, &x->imports, f);
}

void watch_behaviour_imported(struct watch *w, int64_t since_us, int64_t until_us, uint64_t n_rows)
{
    if (w->behaviour && w->behaviour->imports)
        watch_imports_want(w->behaviour->imports, since_us, until_us, n_rows);
}

void watch_behaviour_end(struct watch *w)
{
    if (w->behaviour && w->behaviour->has_thread)
        pthread_join(w->behaviour->thread, NULL);
    if (w->behaviour)
        watch_imports_end(w->behaviour->imports);
}

void watch_behaviour_free(struct watch *w)
{
    struct watch_behaviour *x = w->behaviour;
    if (!x)
        return;
    watch_imports_free(x->imports);
    behaviour_engine_free(x->engine);
    behaviour_alerts_free(x->alerts);
    for (unsigned i = 0; i < QUEUE; i++) {
        flow_batch_free(x->slots[i].v4);
        flow_batch_free(x->slots[i].v6);
    }
    free(x);
    w->behaviour = NULL;
}

/* --- the main thread's side --------------------------------------------------------------------------------------------------- */

void watch_behaviour_publish(struct watch *w, const struct match_set *m)
{
    if (w->behaviour)
        atomic_store_explicit(&w->behaviour->next, m, memory_order_release);
}

bool watch_behaviour_has_seen(const struct watch *w, uint64_t generation)
{
    return !w->behaviour || !atomic_load(&w->behaviour->is_running) ||
           atomic_load_explicit(&w->behaviour->seen, memory_order_acquire) >= generation;
}

int watch_behaviour_write(struct watch *w, struct fault *f)
{
    return w->behaviour && w->behaviour->alerts
               ? behaviour_alerts_write(w->behaviour->alerts, w->finder, w->current ? w->current->space : NULL, clock_now_us(), f)
               : 0;
}

static void put(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *detector_status(struct watch_behaviour *x, size_t i)
{
    struct behaviour_counters c = {0};
    json_t *o = json_object();
    behaviour_count(x->engine, i, &c);
    json_object_set_new(o, "name", json_string(behaviour_detectors[i]->name));
#define X(name, help) put(o, #name, c.name);
    BEHAVIOUR_COUNTERS(X)
#undef X
    return o;
}

json_t *watch_behaviour_status(struct watch *w)
{
    struct watch_behaviour *x = w->behaviour;
    struct behaviour_alert_counters n;
    json_t *o = json_object(), *detectors = json_array(), *kinds = json_object();
    json_object_set_new(o, "enabled", json_boolean(x != NULL));
    if (!x) {
        json_decref(detectors);
        json_decref(kinds);
        return o;
    }
    behaviour_alerts_count(x->alerts, &n);
    json_object_set_new(o, "is_read_back", json_boolean(atomic_load(&x->is_read_back)));
    if (atomic_load(&x->is_read_back)) {
        put(o, "flows_read_back", x->back.flows);
        put(o, "events_read_back", x->back.events);
        put(o, "rows_not_read_back", x->back.rows_left_out);
        put(o, "blocks_damaged", x->back.blocks_damaged);
    }
    put(o, "flows", atomic_load(&x->rows));
    put(o, "flows_passed_by", atomic_load(&x->rows_passed));
    put(o, "events", atomic_load(&x->events));
    put(o, "events_passed_by", atomic_load(&x->events_passed));
    put(o, "failures", atomic_load(&x->failures));
    if (x->imports)
        watch_imports_status(x->imports, o);
#define X(name, help) put(o, #name, n.name);
    BEHAVIOUR_ALERT_COUNTERS(X)
#undef X
    put(o, "open", n.n_open);
    for (unsigned k = 0; k < BEHAVIOUR_N_KINDS; k++)
        put(kinds, behaviour_name((enum behaviour_kind)k), behaviour_alarms_of(x->engine, (enum behaviour_kind)k));
    json_object_set_new(o, "kinds", kinds);
    for (size_t i = 0; behaviour_detectors[i]; i++)
        json_array_append_new(detectors, detector_status(x, i));
    json_object_set_new(o, "detectors", detectors);
    return o;
}

uint64_t watch_behaviour_excepted(struct watch *w, size_t i)
{
    return w->behaviour ? behaviour_alerts_excepted(w->behaviour->alerts, i) : 0;
}
