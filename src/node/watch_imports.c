/* SPDX-License-Identifier: Apache-2.0 */
#include "node/watch_imports.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/detect/behaviour_past.h"
#include "watch/indicator/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { IMPORTS_NICE = 10 };
#define LEAST_CEILING ((uint64_t)2 << 30) /* detectors take about 430 MiB of address space, twice beside the rest of the watch */

static const char note_dir[] = "findings", note_name[] = "behaviour.imports"; /* below the data directory: the watch's own part of it */

struct span {
    int64_t since_us, until_us;
    uint64_t n_rows;
    bool is_set;
};

struct watch_imports {
    struct watch *watch;
    struct behaviour_base base;
    struct behaviour_settings settings;
    pthread_mutex_t lock; /* wanted, running, the file */
    pthread_cond_t more;
    struct span wanted, running;
    pthread_t thread;
    atomic_ullong judged, flows, events, rows_left_out, blocks_damaged, failures;
};

/* --- what is wanted, and its note on disk ------------------------------------------------------------------------------ */

static void join(struct span *to, const struct span *s)
{
    if (!s->is_set)
        return;
    if (!to->is_set)
        *to = (struct span){.since_us = INT64_MAX, .until_us = INT64_MIN, .is_set = true};
    to->since_us = s->since_us < to->since_us ? s->since_us : to->since_us;
    to->until_us = s->until_us > to->until_us ? s->until_us : to->until_us;
    if (__builtin_add_overflow(to->n_rows, s->n_rows, &to->n_rows))
        to->n_rows = UINT64_MAX;
}

/* note_down - under the lock: running and wanted together, or nothing any more. */
static void note_down(struct watch_imports *x)
{
    struct span all = x->running;
    char path[PATH_MAX], text[80];
    join(&all, &x->wanted);
    int at = snprintf(path, sizeof(path), "%s/%s", x->watch->data_dir, note_dir);
    if (at < 0 || at >= (int)sizeof(path))
        return;
    _cleanup_close_ int dir_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    int n = snprintf(text, sizeof(text), "%" PRId64 " %" PRId64 " %" PRIu64 "\n", all.since_us, all.until_us, all.n_rows);
    int r = dir_fd < 0 || n < 0 ? -errno : 0;
    if (!r && all.is_set)
        r = file_replace(dir_fd, note_name, text, (size_t)n);
    else if (!r && unlinkat(dir_fd, note_name, 0) && errno != ENOENT)
        r = -errno;
    if (r)
        log_line(LOG_WARN, "behaviour_imports_not_noted", "reason", strerror(-r), NULL);
}

/* recall - what a run before this one left. A file that says something else is none. */
static void recall(struct watch_imports *x)
{
    char path[PATH_MAX], text[80] = "";
    struct span s = {.is_set = true};
    int at = snprintf(path, sizeof(path), "%s/%s/%s", x->watch->data_dir, note_dir, note_name);
    if (at < 0 || at >= (int)sizeof(path))
        return;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    at = 0;
    /* NOLINTNEXTLINE(cert-err34-c): what does not fit is none of ours; the file is the node's own */
    if (n > 0 && sscanf(text, "%" SCNd64 " %" SCNd64 " %" SCNu64 "\n%n", &s.since_us, &s.until_us, &s.n_rows, &at) == 3 && at == n)
        join(&x->wanted, &s);
}

void watch_imports_want(struct watch_imports *x, int64_t since_us, int64_t until_us, uint64_t n_rows)
{
    struct span s = {since_us, until_us, n_rows, true};
    if (since_us > until_us)
        return;
    pthread_mutex_lock(&x->lock);
    join(&x->wanted, &s);
    note_down(x);
    pthread_cond_signal(&x->more);
    pthread_mutex_unlock(&x->lock);
}

/* --- judging ------------------------------------------------------------------------------------------------------------- */

/* take - an alarm about what came before the span belongs to others. */
static int take(void *context, const struct behaviour_alarm *a)
{
    struct watch_imports *x = context;
    return a->last_us < x->running.since_us ? 0 : x->base.emit(x->base.context, a);
}

static int stop_when_ending(void *context)
{
    struct watch_imports *x = context;
    return atomic_load_explicit(&x->watch->is_ending, memory_order_relaxed);
}

static struct behaviour_past_options options_of(struct watch_imports *x, int64_t back_us)
{
    struct behaviour_past_options o = {.until_us = x->running.until_us, .received_from_us = INT64_MIN, .received_until_us = INT64_MAX,
                                       .stop = stop_when_ending, .context = x};
    if (__builtin_sub_overflow(x->running.since_us, back_us, &o.since_us))
        o.since_us = INT64_MIN;
    double rows = x->settings.v[BEHAVIOUR_SET_RESTART_ROWS] + 2 * (double)x->running.n_rows;
    o.max_rows = rows < 1e18 ? (uint64_t)rows : 0;
    return o;
}

static int read_past(struct watch_imports *x, struct behaviour_engine *engine, const struct behaviour_past_options *o, struct fault *f)
{
    struct store_view *view;
    struct behaviour_past_account a = {0};
    struct fault none = {0};
    struct space *space = NULL;
    int r = store_view_open(x->watch->data_dir, &view, f);
    if (r)
        return r == STORE_EMPTY ? 0 : r;
    if (space_open_current(x->watch->data_dir, &space, &none)) /* without one: private addresses are ours */
        space = NULL;
    struct behaviour_own own = {.space = space};
    r = behaviour_past(view, engine, x->watch->names, &own, o, &a);
    store_view_close(view);
    if (space)
        space_close(space);
    atomic_fetch_add(&x->flows, a.flows);
    atomic_fetch_add(&x->events, a.events);
    atomic_fetch_add(&x->rows_left_out, a.rows_left_out);
    atomic_fetch_add(&x->blocks_damaged, a.blocks_damaged);
    return r ? r : a.was_stopped ? -ECANCELED : behaviour_flush(engine, INT64_MAX);
}

/*
 * judge - what runs. The rows before it are there so that a window that began before the import is seen whole; they teach
 * nothing about which destinations are new, since much older ones are not read.
 */
static int judge(struct watch_imports *x, struct fault *f)
{
    struct behaviour_settings settings = x->settings;
    struct behaviour_base base = x->base;
    struct behaviour_engine *engine = NULL;
    double back_s = settings.v[BEHAVIOUR_SET_RESTART_BACK_S];
    settings.v[BEHAVIOUR_SET_NEW_DESTINATION_LEARN_S] += back_s;
    base.settings = &settings;
    base.emit = take;
    base.context = x;
    struct behaviour_past_options o = options_of(x, (int64_t)(back_s * 1e6));
    if (x->watch->config->memory_bytes < LEAST_CEILING) /* the stream's detectors come first */
        return FAULT(f, -ENOMEM, no_memory, "judging what was imported (memory: 2G or more)");
    int r = behaviour_engine_new(&base, &engine);
    if (!r)
        r = read_past(x, engine, &o, f);
    behaviour_engine_free(engine);
    return r;
}

/* begin - wait for something to do. Return: false when the watch ends. */
static bool begin(struct watch_imports *x)
{
    pthread_mutex_lock(&x->lock);
    while (!x->wanted.is_set && !atomic_load(&x->watch->is_ending))
        pthread_cond_wait(&x->more, &x->lock);
    bool is_ending = atomic_load(&x->watch->is_ending);
    if (!is_ending) {
        x->running = x->wanted;
        x->wanted = (struct span){0};
    }
    pthread_mutex_unlock(&x->lock);
    return !is_ending;
}

static void *imports_thread(void *argument)
{
    struct watch_imports *x = argument;
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), IMPORTS_NICE);
    while (begin(x)) {
        struct fault f = {0};
        int r = judge(x, &f);
        if (r == -ECANCELED)
            break; /* its note stands */
        if (r) {
            atomic_fetch_add(&x->failures, 1);
            log_line(LOG_ERROR, "behaviour_imports_not_judged", "reason", f.text[0] ? f.text : strerror(-r), NULL);
        }
        pthread_mutex_lock(&x->lock);
        x->running = (struct span){0};
        note_down(x);
        pthread_mutex_unlock(&x->lock);
        atomic_fetch_add(&x->judged, 1);
    }
    return NULL;
}

/* --- beginning and end ------------------------------------------------------------------------------------------------------ */

int watch_imports_start(struct watch *w, const struct behaviour_base *base, struct watch_imports **ret, struct fault *f)
{
    struct watch_imports *x = calloc(1, sizeof(*x));
    if (!x)
        return FAULT(f, -ENOMEM, no_memory, "threads");
    x->watch = w;
    x->base = *base;
    x->settings = *base->settings;
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->more, NULL);
    recall(x);
    int e = pthread_create(&x->thread, NULL, imports_thread, x);
    if (e) {
        free(x);
        return FAULT(f, -e, no_memory, "threads");
    }
    *ret = x;
    return 0;
}

void watch_imports_end(struct watch_imports *x)
{
    if (!x)
        return;
    pthread_mutex_lock(&x->lock);
    pthread_cond_broadcast(&x->more);
    pthread_mutex_unlock(&x->lock);
    pthread_join(x->thread, NULL);
}

void watch_imports_free(struct watch_imports *x)
{
    if (!x)
        return;
    pthread_mutex_destroy(&x->lock);
    pthread_cond_destroy(&x->more);
    free(x);
}

static void put(json_t *o, const char *key, atomic_ullong *n)
{
    json_object_set_new(o, key, json_integer((json_int_t)atomic_load(n)));
}

void watch_imports_status(struct watch_imports *x, json_t *o)
{
    pthread_mutex_lock(&x->lock);
    bool is_busy = x->wanted.is_set || x->running.is_set;
    pthread_mutex_unlock(&x->lock);
    json_object_set_new(o, "is_judging_imports", json_boolean(is_busy));
    put(o, "imports_judged", &x->judged);
    put(o, "import_flows", &x->flows);
    put(o, "import_events", &x->events);
    put(o, "import_rows_left_out", &x->rows_left_out);
    put(o, "import_blocks_damaged", &x->blocks_damaged);
    put(o, "import_failures", &x->failures);
}
