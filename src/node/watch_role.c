/* SPDX-License-Identifier: Apache-2.0 */
#include "node/watch_role.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/control.h"
#include "node/watch_state.h"
#include "watch/intake/decoders.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sodium/randombytes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOOP_MS = 500 };

/* --- a receiver's thread --------------------------------------------------------------- */

static int give_to_finder(void *context, struct sightings *t)
{
    struct watch_receiver *r = context;
    return finder_add(r->watch->finder, t);
}

static int match_batch(void *context, const struct flow_batch *b)
{
    struct watch_receiver *r = context;
    watch_behaviour_offer(r->watch, b);
    return live_match(&r->live, b);
}

/* say_trouble - that the disk takes nothing, once; and that it takes again. */
static void say_trouble(struct watch_receiver *r)
{
    struct fault f;
    struct store_counters c;
    bool is_in_trouble = store_writer_trouble(r->writer, &f);
    if (is_in_trouble == atomic_load(&r->is_in_trouble))
        return;
    atomic_store(&r->is_in_trouble, is_in_trouble);
    store_get_counters(r->watch->store, &c);
    if (is_in_trouble)
        log_line(LOG_ERROR, "store_takes_nothing", "reason", f.text, NULL);
    else
        log_line(LOG_WARN, "store_takes_again", "rows_dropped", log_number((long long)c.rows_dropped), NULL);
}

static int take_nat(void *context, const struct nat_event *e)
{
    struct watch_receiver *r = context;
    return nat_log_put(&r->nat, e);
}

/* store_nat - what the disk cannot take is counted and said; the flows go on. */
static int store_nat(void *context, struct events *e)
{
    struct watch_receiver *r = context;
    struct fault f = {0};
    if (store_log_writer_append(r->nat_writer, e, &f) >= 0)
        return 0;
    atomic_fetch_add(&r->nat_lost, e->n);
    log_line(LOG_ERROR, "nat_events_lost", "events", log_number(e->n), "reason", f.text, NULL);
    return 0;
}

static void tick_nat(struct watch_receiver *r)
{
    struct fault f = {0};
    if (!r->nat_writer || !r->nat.events)
        return;
    (void)nat_log_flush(&r->nat);
    if (store_log_writer_tick(r->nat_writer, clock_now_us(), &f) < 0)
        log_line(LOG_ERROR, "store_takes_nothing", "reason", f.text, NULL);
}

static int receiver_tick(void *context, const struct flow_batch *b)
{
    struct watch_receiver *r = context;
    (void)b;
    live_quiet(&r->live);
    say_trouble(r);
    tick_nat(r);
    int64_t now_us = clock_steady_us();
    if (now_us - r->last_findings_us < US_PER_SECOND)
        return 0;
    r->last_findings_us = now_us;
    return live_flush(&r->live);
}

static void *receiver_thread(void *argument)
{
    struct watch_receiver *r = argument;
    const struct fault *f = r->capture ? &r->ring.fault : &r->udp.fault;
    live_quiet(&r->live);
    int e = r->capture ? capture_run(&r->ring) : udp_receiver_run(&r->udp);
    if (e >= 0)
        e = live_flush(&r->live);
    (void)nat_log_flush(&r->nat);
    if (e < 0) {
        log_line(LOG_ERROR, "receiver_failed", "reason", f->text[0] ? f->text : strerror(-e), NULL);
        atomic_store(&r->has_failed, true);
    }
    atomic_store(&r->is_running, false);
    return NULL;
}

struct ring_options watch_ring_options(const struct config_capture *c)
{
    enum { BLOCK_BYTES = 1 << 20, MAX_BLOCKS = 4096 };
    uint64_t n = c->ring_bytes / BLOCK_BYTES;
    return (struct ring_options){.block_bytes = BLOCK_BYTES,
                                 .n_blocks = n < 2 ? 2 : n > MAX_BLOCKS ? MAX_BLOCKS : (uint32_t)n,
                                 .is_promiscuous = true};
}

static int init_capture(struct watch *w, struct watch_receiver *r, const struct config_capture *c, int fd,
                        struct fault *f)
{
    r->watch = w;
    r->capture = c;
    int e = store_writer_new(w->store, &r->writer, f);
    if (e)
        return e;
    store_writer_go_on(r->writer);
    e = live_init(&r->live, w->config->finding_window_us, w->config->zone_s, give_to_finder, r);
    struct capture_options o = {.fd = fd,
                                .ring = watch_ring_options(c),
                                .meter = {.active_us = c->active_us, .idle_us = c->idle_us},
                                .writer = r->writer,
                                .hook = match_batch,
                                .tick = receiver_tick,
                                .context = r};
    randombytes_buf(&o.meter.seed, sizeof(o.meter.seed));
    if (!e)
        e = capture_init(&r->ring, &o);
    return e ? FAULT(f, e, node_cannot_capture, c->interface, strerror(-e)) : 0;
}

static int recall(void *context, const void *key, size_t n_key, uint64_t value)
{
    return exporters_recall(context, key, n_key, value);
}

static int init_receiver(struct watch *w, struct watch_receiver *r, const struct config_listener *l, int fd,
                         struct fault *f)
{
    r->watch = w;
    r->listener = l;
    int e = store_writer_new(w->store, &r->writer, f);
    if (e)
        return e;
    store_writer_go_on(r->writer);
    e = live_init(&r->live, w->config->finding_window_us, w->config->zone_s, give_to_finder, r);
    struct udp_options o = {.fd = fd,
                            .protocol = l->protocol == CONFIG_SFLOW ? UDP_SFLOW : UDP_NETFLOW,
                            .allow = l->allow,
                            .n_allow = l->n_allow,
                            .by_port = l->by_port,
                            .n_by_port = l->n_by_port,
                            .writer = r->writer,
                            .hook = match_batch,
                            .nat = take_nat,
                            .tick = receiver_tick,
                            .context = r};
    if (!e)
        e = store_log_writer_new(w->store, &r->nat_writer, f);
    nat_log_init(&r->nat, store_names(w->store), store_nat, r);
    if (!e)
        e = udp_receiver_init(&r->udp, &o);
    if (!e) /* what the last run lost shows as a gap */
        e = store_each_note(w->store, recall, &r->udp.exporters);
    return e ? FAULT(f, e, no_memory, "receivers") : 0;
}

/* init_receivers - one per socket, in the order the parent opened them. */
static int init_receivers(struct watch *w, const struct watch_sockets *s, struct fault *f)
{
    w->receivers = calloc(s->n + s->n_rings + 1, sizeof(*w->receivers));
    if (!w->receivers)
        return FAULT(f, -ENOMEM, no_memory, "receivers");
    size_t at = 0;
    for (size_t i = 0; i < w->config->n_listeners; i++)
        for (uint32_t k = 0; k < w->config->listeners[i].n_receivers && at < s->n; k++, at++) {
            int e = init_receiver(w, &w->receivers[at], &w->config->listeners[i], s->fds[at], f);
            w->n_receivers = at + 1;
            if (e)
                return e;
        }
    for (size_t i = 0; i < s->n_rings; i++) {
        int e = init_capture(w, &w->receivers[at + i], &w->config->captures[i], s->rings[i], f);
        w->n_receivers = at + i + 1;
        if (e)
            return e;
    }
    return 0;
}

static int start_threads(struct watch *w, struct fault *f)
{
    for (size_t i = 0; i < w->n_receivers; i++) {
        atomic_store(&w->receivers[i].is_running, true);
        int e = pthread_create(&w->receivers[i].thread, NULL, receiver_thread, &w->receivers[i]);
        if (e) {
            atomic_store(&w->receivers[i].is_running, false);
            return FAULT(f, -e, no_memory, "threads");
        }
    }
    int r = watch_logs_start(w, f);
    return r ? r : watch_behaviour_start(w, f);
}

/* --- the main thread --------------------------------------------------------------------- */

struct loop {
    struct watch *w;
    int signal_fd, control_fd;
    int64_t last_findings_us, last_lists_us;
};

static void accept_command(struct loop *l)
{
    int fd = accept4(l->control_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        watch_command(l->w, fd);
}

static bool any_failed(const struct watch *w)
{
    for (size_t i = 0; i < w->n_receivers; i++)
        if (atomic_load(&w->receivers[i].has_failed))
            return true;
    return watch_logs_failed(w);
}

/* write_alerts - under set_lock: what rules found into the journal's buffer, which finder_write commits. */
static int write_alerts(struct watch *w, struct fault *f)
{
    int r = w->alerts ? log_alerts_write(w->alerts, w->finder, w->current ? w->current->space : NULL, clock_now_us(), f) : 0;
    return r < 0 ? r : watch_behaviour_write(w, f);
}

static void periodic(struct loop *l)
{
    struct fault f = {0};
    int64_t now_us = clock_steady_us();
    if (now_us - l->last_lists_us >= US_PER_SECOND) {
        l->last_lists_us = now_us;
        watch_logs_periodic(l->w);
        if (watch_load_lists(l->w, false, &f) < 0)
            log_line(LOG_ERROR, "lists_not_loaded", "reason", f.text, NULL);
    }
    if (now_us - l->last_findings_us >= l->w->config->finding_flush_us) {
        l->last_findings_us = now_us;
        pthread_mutex_lock(&l->w->set_lock);
        if (write_alerts(l->w, &f) < 0)
            log_line(LOG_ERROR, "findings_not_written", "reason", f.text, NULL);
        if (finder_write(l->w->finder, l->w->current, clock_now_us(), &f) < 0)
            log_line(LOG_ERROR, "findings_not_written", "reason", f.text, NULL);
        pthread_mutex_unlock(&l->w->set_lock);
    }
}

/* run_loop - Return: 0 when told to end, 1 when a receiver failed. */
static int run_loop(struct loop *l)
{
    struct pollfd p[2] = {{.fd = l->signal_fd, .events = POLLIN}, {.fd = l->control_fd, .events = POLLIN}};
    for (;;) {
        int n = poll(p, 2, LOOP_MS);
        if (n > 0 && (p[0].revents & POLLIN)) {
            struct signalfd_siginfo s;
            if (read(l->signal_fd, &s, sizeof(s)) == (ssize_t)sizeof(s) && s.ssi_signo != SIGHUP)
                return 0;
        }
        if (n > 0 && (p[1].revents & POLLIN))
            accept_command(l);
        periodic(l);
        if (any_failed(l->w))
            return 1;
    }
}

/* --- beginning and end --------------------------------------------------------------------- */

static int open_everything(struct watch *w, const struct watch_sockets *sockets, struct fault *f)
{
    const struct config *c = w->config;
    struct store_options store = {.seal_after_us = c->store_seal_after_us,
                                  .budget_bytes = c->store_budget_bytes,
                                  .keep_at_least_us = c->store_keep_at_least_us,
                                  .keep_logs_at_least_us = c->store_keep_logs_at_least_us,
                                  .names = w->names,
                                  .n_build_threads = 1};
    struct finder_options finder = {.data_dir = w->data_dir,
                                    .journal_max_bytes = c->finding_max_bytes,
                                    .max_sightings = (uint32_t)c->finding_max_pending,
                                    .window_us = c->finding_window_us};
    int r = store_open(w->data_dir, &store, &w->store, f);
    if (r == STORE_BUSY)
        return FAULT(f, -EBUSY, node_store_busy, w->data_dir);
    if (!r)
        r = finder_open(&finder, &w->finder, f);
    if (!r)
        r = init_receivers(w, sockets, f);
    if (!r)
        r = watch_rules_init(w, f);
    if (!r)
        r = watch_logs_init(w, sockets, f);
    if (!r)
        r = watch_load_lists(w, true, f);
    return r;
}

static void end_receivers(struct watch *w)
{
    for (size_t i = 0; i < w->n_receivers; i++)
        atomic_store_explicit(w->receivers[i].capture ? &w->receivers[i].ring.must_stop : &w->receivers[i].udp.must_stop,
                              true, memory_order_release);
    for (size_t i = 0; i < w->n_receivers; i++)
        if (w->receivers[i].thread)
            pthread_join(w->receivers[i].thread, NULL);
    watch_logs_end(w);
    watch_behaviour_end(w);
    for (size_t i = 0; i < w->n_receivers; i++) {
        struct fault f = {0};
        if (w->receivers[i].writer && store_writer_seal(w->receivers[i].writer, &f) < 0)
            log_line(LOG_ERROR, "not_sealed", "reason", f.text, NULL); /* the journals keep the rows */
        if (w->receivers[i].nat_writer && store_log_writer_seal(w->receivers[i].nat_writer, &f) < 0)
            log_line(LOG_ERROR, "not_sealed", "reason", f.text, NULL);
    }
}

static void close_everything(struct watch *w)
{
    struct fault f = {0};
    if (w->finder && write_alerts(w, &f) < 0)
        log_line(LOG_ERROR, "findings_not_written", "reason", f.text, NULL);
    if (w->finder && finder_write(w->finder, w->current, clock_now_us(), &f) < 0)
        log_line(LOG_ERROR, "findings_not_written", "reason", f.text, NULL);
    for (size_t i = 0; i < w->n_receivers; i++) {
        udp_receiver_fini(&w->receivers[i].udp);
        if (w->receivers[i].ring.ring)
            capture_fini(&w->receivers[i].ring);
        live_fini(&w->receivers[i].live);
        store_writer_free(w->receivers[i].writer);
        store_log_writer_free(w->receivers[i].nat_writer);
        nat_log_fini(&w->receivers[i].nat);
    }
    watch_logs_close(w);
    for (size_t i = 0; i < w->n_retired; i++)
        match_set_free(w->retired[i]);
    match_set_free(w->current);
    finder_close(w->finder);
    if (w->store)
        store_close(w->store);
    free(w->receivers);
}

static void wake_workers(struct watch *w)
{
    atomic_store(&w->is_ending, true);
    pthread_mutex_lock(&w->work_lock);
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->work_lock);
}

static int work(struct watch *w, struct loop *l, int ready_fd, struct fault *f)
{
    pthread_t hunter, upkeep;
    int e = pthread_create(&hunter, NULL, watch_hunter, w);
    if (e)
        return FAULT(f, -e, no_memory, "threads");
    e = pthread_create(&upkeep, NULL, watch_upkeep, w);
    int r = e ? FAULT(f, -e, no_memory, "threads") : start_threads(w, f);
    if (!r) {
        watch_want_hunt(w, INT64_MIN, INT64_MAX); /* what came while no node ran: imports, lists */
        if (write(ready_fd, "1", 1) < 0)
            log_line(LOG_WARN, "parent_gone", NULL);
        close(ready_fd);
        log_line(LOG_INFO, "watch_ready", "receivers", log_number((long long)w->n_receivers), "landlock",
                 landlock_state_name(w->landlock), NULL);
        r = run_loop(l);
    }
    int64_t ending_us = clock_steady_us();
    wake_workers(w);
    end_receivers(w);
    pthread_join(hunter, NULL);
    if (!e)
        pthread_join(upkeep, NULL);
    while (atomic_load(&w->n_commands) && clock_steady_us() - ending_us < US_PER_SECOND)
        poll(NULL, 0, 20);
    return r;
}

static void load_decoders(struct watch *w)
{
    struct fault f = {0};
    w->names = event_names_new(); /* NULL: the store makes its own */
    if (!w->names || decoders_load(NULL, w->names, NULL, NULL, &w->decoders, &f))
        log_line(LOG_WARN, "decoders_not_loaded", "reason", f.text, NULL);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* a sanitizer's shadow is terabytes of private memory: no ceiling would leave it anything */
static void limit_memory(uint64_t n_bytes)
{
    (void)n_bytes;
}
#else
/* limit_memory - anonymous memory; mapped segments do not count. */
static void limit_memory(uint64_t n_bytes)
{
    struct rlimit memory = {n_bytes, n_bytes};
    if (setrlimit(RLIMIT_DATA, &memory))
        log_line(LOG_WARN, "no_memory_ceiling", "reason", strerror(errno), NULL);
}
#endif

/* the watch's part of the data directory: what is not named here is out of its reach, above all office/ */
static const char *const watch_dirs[] = {"store", "lists", "space", "findings", "spool", "hunts", "leases", "run", "audit"};
enum { N_WATCH_DIRS = sizeof(watch_dirs) / sizeof(*watch_dirs) };

/* make_own_dirs - only what is there can be named to landlock. Return: 0 or -errno. */
static int make_own_dirs(const char *data_dir, char paths[N_WATCH_DIRS][PATH_MAX], const char *ret[N_WATCH_DIRS], struct fault *f)
{
    for (size_t i = 0; i < N_WATCH_DIRS; i++) {
        int r = snprintf(paths[i], PATH_MAX, "%s/%s", data_dir, watch_dirs[i]) < PATH_MAX ? file_make_dirs(paths[i], 0750) : -ENAMETOOLONG;
        if (r)
            return FAULT(f, r, node_cannot_enter, paths[i], strerror(-r));
        ret[i] = paths[i];
    }
    return 0;
}

/* confine - the directories of followed files may be read: that part of a pattern that holds no wildcard. */
static int confine(struct watch *w, struct fault *f)
{
    char own_paths[N_WATCH_DIRS][PATH_MAX];
    const char *own[N_WATCH_DIRS];
    char dirs[CONFIG_MAX_FILES][PATH_MAX];
    const char *read_dirs[CONFIG_MAX_FILES];
    size_t n = 0;
    for (size_t i = 0; i < w->config->n_files; i++) {
        const char *path = w->config->files[i];
        size_t fixed = strcspn(path, "*?[\\");
        while (fixed && path[fixed - 1] != '/')
            fixed--;
        if (fixed > 1 && fixed < PATH_MAX) { /* never the whole file system */
            memcpy(dirs[n], path, fixed);
            dirs[n][fixed] = 0;
            read_dirs[n] = dirs[n];
            n++;
        }
    }
    int r = make_own_dirs(w->data_dir, own_paths, own, f);
    const struct file_rights rights = {own, read_dirs, N_WATCH_DIRS, n};
    return r ? r : privileges_confine_watch(&rights, &w->landlock, f);
}

int watch_role_run(const struct config *c, const char *data_dir, const struct watch_sockets *sockets, int ready_fd)
{
    char spool_dir[PATH_MAX];
    struct watch w = {.config = c, .data_dir = data_dir, .spool_dir = spool_dir, .started_us = clock_now_us()};
    snprintf(spool_dir, sizeof(spool_dir), "%s/spool", data_dir);
    struct loop l = {.w = &w, .signal_fd = -1, .control_fd = -1};
    struct fault f = {0};
    sigset_t signals;
    pthread_mutex_init(&w.set_lock, NULL);
    pthread_mutex_init(&w.work_lock, NULL);
    pthread_mutex_init(&w.import_lock, NULL);
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&w.work, &steady);
    pthread_condattr_destroy(&steady);
    log_set("watch", c->log_level);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    limit_memory(c->memory_bytes);
    load_decoders(&w); /* before the content is out of reach */
    watch_rules_load(&w);
    watch_behaviour_load(&w);
    int r = confine(&w, &f);
    if (!r)
        r = open_everything(&w, sockets, &f);
    if (!r) {
        l.signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
        l.control_fd = control_listen(data_dir, &f);
        r = l.control_fd < 0 ? l.control_fd : 0;
    }
    if (!r)
        r = work(&w, &l, ready_fd, &f);
    if (r < 0)
        log_line(LOG_ERROR, "watch_failed", "reason", f.text, NULL);
    file_close(&l.control_fd);
    file_close(&l.signal_fd);
    close_everything(&w);
    watch_rules_free(&w);
    watch_behaviour_free(&w);
    line_decoders_free(w.decoders);
    event_names_free(w.names);
    log_line(LOG_INFO, "watch_ended", NULL);
    return r ? 1 : 0;
}
