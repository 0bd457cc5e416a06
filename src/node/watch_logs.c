/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receivers of log messages: their threads, their end, and what status says of them.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/intake/log_follow.h"
#include "watch/intake/log_push.h"
#include "watch/intake/log_receive.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a receiving thread and what it owns */
struct watch_log_receiver {
    struct watch *watch;
    const struct config_log_listener *listener; /* NULL: the files that are followed */
    struct log_receiver receiver; /* one of the three */
    struct log_pusher pusher;
    struct log_follower follower;
    struct store_log_writer *writer;
    struct log_live lists;
    struct sigma_matcher *matcher; /* NULL: no rules */
    int64_t last_findings_us;
    char spool_dir[PATH_MAX];
    uint8_t *silent; /* by sender: said to be silent; the main thread's */
    pthread_t thread;
    bool has_thread, was_waiting;
    _Atomic bool is_running, has_failed;
    atomic_ullong not_judged; /* events whose match against lists or rules failed */
};

static bool is_push(const struct watch_log_receiver *x)
{
    return x->listener && x->listener->has_push;
}

static const char *fault_text(const struct watch_log_receiver *x)
{
    return is_push(x) ? x->pusher.fault.text : x->listener ? x->receiver.fault.text : x->follower.fault.text;
}

static bool waits_for_store(const struct watch_log_receiver *x)
{
    return atomic_load(is_push(x) ? &x->pusher.is_waiting : x->listener ? &x->receiver.is_waiting : &x->follower.is_waiting);
}

static struct log_sources *sources_of(struct watch_log_receiver *x)
{
    return is_push(x) ? &x->pusher.sources : &x->receiver.sources;
}

static int give_to_finder(void *context, struct sightings *t)
{
    struct watch_log_receiver *x = context;
    return finder_add(x->watch->finder, t);
}

/* judge - every batch before it is stored: lists, then rules. Whatever fails here is said and counted: the events are kept. */
static int judge(void *context, struct events *e)
{
    struct watch_log_receiver *x = context;
    const struct match_set *set;
    int r = log_live_match(&x->lists, e), k = 0;
    set = x->lists.live.set;
    if (x->matcher)
        k = log_alerts_match(x->watch->alerts, x->matcher, e, set ? set->space : NULL, clock_now_us());
    watch_behaviour_events(x->watch, e, set ? set->space : NULL);
    if (r < 0 || k < 0) {
        atomic_fetch_add(&x->not_judged, e->n);
        log_line(LOG_ERROR, "events_not_judged", "events", log_number(e->n), "reason", strerror(r < 0 ? -r : -k), NULL);
    }
    return 0;
}

/* tick - a quiet point; and that the disk takes nothing is said, once, and that it takes again. */
static int tick(void *context)
{
    struct watch_log_receiver *x = context;
    bool is = waits_for_store(x);
    if (is && !x->was_waiting)
        log_line(LOG_ERROR, "store_takes_nothing", "reason", fault_text(x), NULL);
    if (!is && x->was_waiting)
        log_line(LOG_WARN, "store_takes_again", NULL);
    x->was_waiting = is;
    live_quiet(&x->lists.live);
    int64_t now_us = clock_steady_us();
    if (now_us - x->last_findings_us < US_PER_SECOND)
        return 0;
    x->last_findings_us = now_us;
    return live_flush(&x->lists.live);
}

static void *log_thread(void *argument)
{
    struct watch_log_receiver *x = argument;
    live_quiet(&x->lists.live);
    int e = is_push(x) ? log_pusher_run(&x->pusher) : x->listener ? log_receiver_run(&x->receiver) : log_follower_run(&x->follower);
    if (e >= 0)
        e = live_flush(&x->lists.live);
    atomic_store(&x->is_running, false);
    if (e < 0) {
        log_line(LOG_ERROR, "receiver_failed", "reason", fault_text(x), NULL);
        atomic_store(&x->has_failed, true);
    }
    return NULL;
}

/* init_judges - lists and rules of one thread. Return: 0 or -ENOMEM. */
static int init_judges(struct watch *w, struct watch_log_receiver *x)
{
    int e = log_live_init(&x->lists, w->config->finding_window_us, w->config->zone_s, give_to_finder, x);
    if (!e && w->alerts && !(x->matcher = sigma_matcher_new(w->rules)))
        e = -ENOMEM;
    return e;
}

/* note_id - of a listener, the same in every run: what it notes in the store is filed under that. */
static uint16_t note_id(const struct config_log_listener *l)
{
    uint16_t id = l->port;
    for (size_t i = 0; i < sizeof(l->ip.b); i++)
        id = (uint16_t)(id ^ (l->ip.b[i] * (2 * i + 257)));
    return id;
}

static int init_listener(struct watch *w, struct watch_log_receiver *x, int udp, int tcp, int link)
{
    const struct config_log_listener *l = x->listener;
    struct log_receiver_options o = {.udp_fd = udp, .tcp_fd = l->has_tls ? -1 : tcp, .link_fd = link, .format = l->format,
                                     .quota = {l->quota_messages_per_s, l->quota_bytes_per_day, w->config->zone_s},
                                     .spool_bytes = l->spool_bytes, .id = note_id(l), .store = w->store,
                                     .allow = l->allow, .n_allow = l->n_allow, .zone_s = w->config->zone_s,
                                     .names = store_names(w->store), .decoders = w->decoders, .writer = x->writer, .hook = judge,
                                     .tick = tick, .context = x};
    if (l->has_udp && l->spool_bytes) {
        char ip[IP_TEXT_MAX];
        ip_format(&l->ip, ip);
        snprintf(x->spool_dir, sizeof(x->spool_dir), "%s/spool/%s-%u", w->data_dir, ip, l->port);
        o.spool_dir = x->spool_dir;
    }
    int e = log_receiver_init(&x->receiver, &o);
    return e;
}

static int init_pusher(struct watch *w, struct watch_log_receiver *x, int link)
{
    const struct config_log_listener *l = x->listener;
    struct log_push_options o = {.link_fd = link, .id = note_id(l), .body_max_bytes = l->body_max_bytes,
                                 .quota = {l->quota_messages_per_s, l->quota_bytes_per_day, w->config->zone_s},
                                 .zone_s = w->config->zone_s, .names = store_names(w->store), .decoders = w->decoders, .store = w->store,
                                 .writer = x->writer, .hook = judge, .tick = tick, .context = x};
    return log_pusher_init(&x->pusher, &o);
}

static int init_follower(struct watch *w, struct watch_log_receiver *x)
{
    struct log_follow_options o = {.patterns = w->config->files, .n_patterns = w->config->n_files, .zone_s = w->config->zone_s,
                                   .names = store_names(w->store), .decoders = w->decoders, .store = w->store, .writer = x->writer,
                                   .hook = judge, .tick = tick, .context = x};
    return log_follower_init(&x->follower, &o);
}

int watch_logs_init(struct watch *w, const struct watch_sockets *s, struct fault *f)
{
    w->board = s->board;
    size_t n = w->config->n_logs + (w->config->n_files > 0);
    w->logs = calloc(n + 1, sizeof(*w->logs));
    if (!w->logs)
        return FAULT(f, -ENOMEM, no_memory, "receivers");
    for (size_t i = 0; i < n; i++) {
        struct watch_log_receiver *x = &w->logs[i];
        x->watch = w;
        x->listener = i < w->config->n_logs ? &w->config->logs[i] : NULL;
        int e = store_log_writer_new(w->store, &x->writer, f);
        if (e)
            return e;
        w->n_logs = i + 1;
        x->silent = x->listener ? calloc(LOG_SOURCES_MAX, sizeof(*x->silent)) : NULL;
        e = is_push(x) ? init_pusher(w, x, s->logs[i].watch_link)
            : x->listener ? init_listener(w, x, s->logs[i].udp, s->logs[i].tcp, s->logs[i].watch_link)
                          : init_follower(w, x);
        if (x->listener && !x->silent)
            e = -ENOMEM;
        int k = init_judges(w, x);
        if (e || k)
            return FAULT(f, e ? e : k, no_memory, "receivers");
    }
    return 0;
}

int watch_logs_start(struct watch *w, struct fault *f)
{
    for (size_t i = 0; i < w->n_logs; i++) {
        atomic_store(&w->logs[i].is_running, true);
        int e = pthread_create(&w->logs[i].thread, NULL, log_thread, &w->logs[i]);
        if (e) {
            atomic_store(&w->logs[i].is_running, false);
            return FAULT(f, -e, no_memory, "threads");
        }
        w->logs[i].has_thread = true;
    }
    return 0;
}

bool watch_logs_failed(const struct watch *w)
{
    for (size_t i = 0; i < w->n_logs; i++)
        if (atomic_load(&w->logs[i].has_failed))
            return true;
    return false;
}

void watch_logs_end(struct watch *w)
{
    for (size_t i = 0; i < w->n_logs; i++)
        if (is_push(&w->logs[i]))
            log_pusher_end(&w->logs[i].pusher);
        else if (w->logs[i].listener)
            log_receiver_end(&w->logs[i].receiver);
        else
            log_follower_end(&w->logs[i].follower);
    for (size_t i = 0; i < w->n_logs; i++) {
        struct fault f = {0};
        if (w->logs[i].has_thread)
            pthread_join(w->logs[i].thread, NULL);
        if (w->logs[i].writer && store_log_writer_seal(w->logs[i].writer, &f) < 0)
            log_line(LOG_ERROR, "not_sealed", "reason", f.text, NULL); /* the journals keep the rows */
    }
}

void watch_logs_close(struct watch *w)
{
    for (size_t i = 0; i < w->n_logs; i++) {
        if (is_push(&w->logs[i]))
            log_pusher_fini(&w->logs[i].pusher);
        else if (w->logs[i].listener)
            log_receiver_fini(&w->logs[i].receiver);
        else
            log_follower_fini(&w->logs[i].follower);
        log_live_fini(&w->logs[i].lists);
        sigma_matcher_free(w->logs[i].matcher);
        free(w->logs[i].silent);
        store_log_writer_free(w->logs[i].writer);
    }
    free(w->logs);
    w->logs = NULL;
    w->n_logs = 0;
}

/* --- lists ------------------------------------------------------------------------------------------------------ */

void watch_logs_publish(struct watch *w, const struct match_set *m)
{
    for (size_t i = 0; i < w->n_logs; i++)
        atomic_store_explicit(&w->logs[i].lists.live.next, m, memory_order_release);
}

bool watch_logs_have_seen(const struct watch *w, uint64_t generation)
{
    for (size_t i = 0; i < w->n_logs; i++)
        if (atomic_load(&w->logs[i].is_running) && atomic_load_explicit(&w->logs[i].lists.live.seen, memory_order_acquire) < generation)
            return false;
    return true;
}

/* --- senders gone silent -------------------------------------------------------------------------------------------- */

/* is_regular - it spoke for at least as long as the silence that matters, three times within such a stretch on the average */
static bool is_regular(const struct log_source *s, int64_t silent_after_us)
{
    int64_t span_us = s->last_us - s->first_us;
    return s->messages >= 4 && span_us >= silent_after_us && span_us / (int64_t)(s->messages - 1) <= silent_after_us / 3;
}

static bool is_silent(const struct log_source *s, int64_t silent_after_us, int64_t now_us)
{
    return is_regular(s, silent_after_us) && now_us - s->last_us > silent_after_us;
}

static void look_for_silent(struct watch_log_receiver *x)
{
    struct log_source *sources;
    uint32_t n;
    int64_t now_us = clock_now_us();
    if (log_sources_copy(sources_of(x), &sources, &n))
        return;
    for (uint32_t k = 1; k < n; k++) { /* 0: everybody else */
        char ip[IP_TEXT_MAX], last[TIME_TEXT_MAX];
        bool is = is_silent(&sources[k], x->listener->silent_after_us, now_us);
        if (is == x->silent[k])
            continue;
        x->silent[k] = is;
        ip_format(&sources[k].ip, ip);
        const char *name = sources[k].name[0] ? sources[k].name : "-";
        clock_format_utc(sources[k].last_us, last);
        if (is)
            log_line(LOG_WARN, "sender_silent", "address", ip, "last", last, "messages",
                     log_number((long long)sources[k].messages), "name", name, NULL);
        else
            log_line(LOG_INFO, "sender_speaks_again", "address", ip, "name", name, NULL);
    }
    free(sources);
}

void watch_logs_periodic(struct watch *w)
{
    for (size_t i = 0; i < w->n_logs; i++)
        if (w->logs[i].listener)
            look_for_silent(&w->logs[i]);
}

/* --- status -------------------------------------------------------------------------------------------------- */

static void put(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

json_t *watch_logs_match_status(struct watch *w)
{
    uint64_t events = 0, listed = 0, hits = 0, lost = 0, addresses = 0, not_judged = 0;
    json_t *o = json_object();
    for (size_t i = 0; i < w->n_logs; i++) {
        struct log_live *l = &w->logs[i].lists;
        events += atomic_load(&l->live.rows);
        listed += atomic_load(&l->live.rows_listed);
        hits += atomic_load(&l->live.hits);
        lost += atomic_load(&l->live.hits_lost);
        addresses += atomic_load(&l->addresses);
        not_judged += atomic_load(&w->logs[i].not_judged);
    }
    put(o, "events", events);
    put(o, "events_listed", listed);
    put(o, "addresses", addresses);
    put(o, "not_judged", not_judged);
    put(o, "hits", hits);
    put(o, "hits_lost", lost);
    return o;
}

static json_t *source_status(const struct log_source *s, bool is_silent_now)
{
    char text[TIME_TEXT_MAX > IP_TEXT_MAX ? TIME_TEXT_MAX : IP_TEXT_MAX];
    json_t *o = json_object();
    ip_format(&s->ip, text);
    json_object_set_new(o, "address", json_string(ip_is_zero(&s->ip) ? "others" : text));
    if (s->name[0])
        json_object_set_new(o, "name", json_string(s->name));
    clock_format_utc(s->last_us, text);
    json_object_set_new(o, "last", json_string(text));
#define X(name, help) put(o, #name, s->name);
    LOG_SOURCE_COUNTERS(X)
#undef X
    put(o, "connections", s->n_connections);
    json_object_set_new(o, "silent", json_boolean(is_silent_now));
    return o;
}

static uint64_t follower_kept(const struct log_follower *f)
{
    return atomic_load(&f->lines) - atomic_load(&f->empty);
}

json_t *watch_files_status(struct watch *w)
{
    json_t *o = json_object(), *files = json_array();
    struct watch_log_receiver *x = w->n_logs && !w->logs[w->n_logs - 1].listener ? &w->logs[w->n_logs - 1] : NULL;
    struct followed *all;
    uint32_t n;
    if (x) {
#define X(name, help) put(o, #name, atomic_load(&x->follower.name));
        FOLLOW_COUNTERS(X)
#undef X
        json_object_set_new(o, "waits_for_store", json_boolean(atomic_load(&x->follower.is_waiting)));
    }
    if (x && !log_follower_files(&x->follower, &all, &n)) {
        for (uint32_t i = 0; i < n; i++) {
            char shown[FOLLOW_PATH_MAX * 2];
            json_t *file = json_object();
            json_object_set_new(file, "path", json_string(text_escape(all[i].path, strlen(all[i].path), shown, sizeof(shown))));
            put(file, "offset", all[i].offset);
            put(file, "bytes", all[i].n_bytes);
            if (all[i].record)
                put(file, "record", all[i].record);
            json_array_append_new(files, file);
        }
        free(all);
    }
    json_object_set_new(o, "open", files);
    return o;
}

static const char *transport_name(const struct config_log_listener *l)
{
    return l->has_push ? "https" : l->has_tls ? "tls" : l->has_udp && l->has_tcp ? "both" : l->has_udp ? "udp" : "tcp";
}

/* gate_refused - the last senders whose certificate did not do. */
static json_t *gate_refused(const struct watch *w, size_t i)
{
    json_t *all = json_array();
    for (size_t k = 0; k < GATE_REFUSED_MAX; k++) {
        struct gate_refused r;
        char ip[IP_TEXT_MAX], time[TIME_TEXT_MAX], hex[2 * sizeof(r.sha256) + 1] = "";
        if (!gate_refused_read(&w->board->listeners[i].refused[k], &r))
            continue;
        ip_format(&r.ip, ip);
        clock_format_utc(atomic_load(&r.last_us), time);
        for (size_t b = 0; r.has_certificate && b < sizeof(r.sha256); b++)
            snprintf(hex + 2 * b, 3, "%02x", r.sha256[b]);
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "name", r.name, "sha256", hex, "address", ip, "reason",
                                             r.why == GATE_UNTRUSTED ? "untrusted" : "not among peers", "last", time, "n",
                                             (json_int_t)atomic_load(&r.n)));
    }
    return all;
}

/* gate_status - what the gate counted for a listener. */
static json_t *gate_status(const struct watch *w, size_t i)
{
    json_t *o = json_object();
#define X(name, help) put(o, #name, atomic_load_explicit(&w->board->listeners[i].name, memory_order_relaxed));
    GATE_COUNTERS(X)
#undef X
    json_object_set_new(o, "refused", gate_refused(w, i));
    return o;
}

/* put_senders - the account of a listener: received = kept + empty + refused + repeated + dropped{store, quota}. */
static void put_senders(struct watch_log_receiver *x, json_t *o, uint64_t *ret_kept)
{
    struct log_source *sources, all = {0};
    uint32_t n;
    uint64_t n_silent = 0;
    json_t *senders = json_array(), *dropped = json_object();
    if (!log_sources_copy(sources_of(x), &sources, &n)) {
        for (uint32_t k = 0; k < n; k++) {
#define X(name, help) all.name += sources[k].name;
            LOG_SOURCE_COUNTERS(X)
#undef X
            bool is_now = k && is_silent(&sources[k], x->listener->silent_after_us, clock_now_us());
            n_silent += is_now;
            if (sources[k].messages || sources[k].n_connections)
                json_array_append_new(senders, source_status(&sources[k], is_now));
        }
        free(sources);
    }
    put(o, "messages", all.messages);
    put(o, "kept", log_source_kept(&all));
    put(o, "empty", all.empty);
    put(o, "refused", all.refused);
    put(o, "repeated", all.repeated);
    put(dropped, "store", all.dropped);
    put(dropped, "quota", all.over_quota);
    put(dropped, "spool", all.spool_full);
    json_object_set_new(o, "dropped", dropped);
    put(o, "silent", n_silent);
    json_object_set_new(o, "senders", senders);
    *ret_kept += log_source_kept(&all);
}

static void put_receiver(const struct watch_log_receiver *x, json_t *o)
{
    put(o, "not_allowed", atomic_load(&x->receiver.not_allowed));
    put(o, "connections", atomic_load(&x->receiver.connections));
    put(o, "connections_refused", atomic_load(&x->receiver.connections_refused));
    put(o, "kernel_drops", atomic_load(&x->receiver.kernel_drops));
    if (!x->receiver.spool)
        return;
    struct log_spool_state n = log_spool_state(x->receiver.spool);
    json_t *spool = json_object();
    put(spool, "waiting", n.waiting);
    put(spool, "disk_bytes", n.disk_bytes);
    put(spool, "over_disk", n.on_disk);
    put(spool, "damaged_files", n.damaged);
    json_object_set_new(o, "spool", spool);
}

static void put_pushes(const struct watch_log_receiver *x, json_t *o)
{
    json_t *pushes = json_object();
#define X(name, help) put(pushes, #name, atomic_load(&x->pusher.name));
    LOG_PUSH_COUNTERS(X)
#undef X
    json_object_set_new(o, "pushes", pushes);
}

json_t *watch_logs_status(struct watch *w, uint64_t *ret_kept)
{
    json_t *all = json_array();
    *ret_kept = 0;
    for (size_t i = 0; i < w->n_logs; i++) {
        struct watch_log_receiver *x = &w->logs[i];
        if (!x->listener) {
            *ret_kept += follower_kept(&x->follower);
            continue;
        }
        char ip[IP_TEXT_MAX];
        json_t *o = json_object();
        ip_format(&x->listener->ip, ip);
        json_object_set_new(o, "address", json_string(ip));
        put(o, "port", x->listener->port);
        json_object_set_new(o, "transport", json_string(transport_name(x->listener)));
        json_object_set_new(o, "allows_everyone", json_boolean(!x->listener->n_allow));
        json_object_set_new(o, "waits_for_store", json_boolean(waits_for_store(x)));
        is_push(x) ? put_pushes(x, o) : put_receiver(x, o);
        put_senders(x, o, ret_kept);
        if (x->listener->has_tls && w->board)
            json_object_set_new(o, "gate", gate_status(w, i));
        json_array_append_new(all, o);
    }
    return all;
}
