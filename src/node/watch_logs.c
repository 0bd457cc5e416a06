/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receivers of log messages: their threads, their end, and what status says of them.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "watch/intake/log_receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* a receiving thread and what it owns */
struct watch_log_receiver {
    struct watch *watch;
    const struct config_log_listener *listener;
    struct log_receiver receiver;
    struct store_log_writer *writer;
    pthread_t thread;
    bool has_thread, was_waiting;
    _Atomic bool has_failed;
};

/* say_waiting - that the disk takes nothing, once; and that it takes again. */
static int say_waiting(void *context)
{
    struct watch_log_receiver *x = context;
    bool is = atomic_load(&x->receiver.is_waiting);
    if (is && !x->was_waiting)
        log_line(LOG_ERROR, "store_takes_nothing", "reason", x->receiver.fault.text, NULL);
    if (!is && x->was_waiting)
        log_line(LOG_WARN, "store_takes_again", NULL);
    x->was_waiting = is;
    return 0;
}

static void *log_thread(void *argument)
{
    struct watch_log_receiver *x = argument;
    if (log_receiver_run(&x->receiver) < 0) {
        log_line(LOG_ERROR, "receiver_failed", "reason", x->receiver.fault.text, NULL);
        atomic_store(&x->has_failed, true);
    }
    return NULL;
}

int watch_logs_init(struct watch *w, const struct watch_sockets *s, struct fault *f)
{
    w->logs = calloc(w->config->n_logs + 1, sizeof(*w->logs));
    if (!w->logs)
        return FAULT(f, -ENOMEM, no_memory, "receivers");
    for (size_t i = 0; i < w->config->n_logs; i++) {
        struct watch_log_receiver *x = &w->logs[i];
        const struct config_log_listener *l = &w->config->logs[i];
        *x = (struct watch_log_receiver){.watch = w, .listener = l};
        int e = store_log_writer_new(w->store, &x->writer, f);
        if (e)
            return e;
        struct log_receiver_options o = {.udp_fd = s->logs[i].udp, .tcp_fd = s->logs[i].tcp, .allow = l->allow, .n_allow = l->n_allow,
                                         .zone_s = w->config->zone_s, .names = store_names(w->store), .decoders = w->decoders,
                                         .writer = x->writer, .tick = say_waiting, .context = x};
        w->n_logs = i + 1;
        e = log_receiver_init(&x->receiver, &o);
        if (e)
            return FAULT(f, e, no_memory, "receivers");
    }
    return 0;
}

int watch_logs_start(struct watch *w, struct fault *f)
{
    for (size_t i = 0; i < w->n_logs; i++) {
        int e = pthread_create(&w->logs[i].thread, NULL, log_thread, &w->logs[i]);
        if (e)
            return FAULT(f, -e, no_memory, "threads");
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
        log_receiver_end(&w->logs[i].receiver);
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
        log_receiver_fini(&w->logs[i].receiver);
        store_log_writer_free(w->logs[i].writer);
    }
    free(w->logs);
    w->logs = NULL;
    w->n_logs = 0;
}

/* --- status -------------------------------------------------------------------------------------------------- */

static void put(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *source_status(const struct log_source *s)
{
    char text[TIME_TEXT_MAX > IP_TEXT_MAX ? TIME_TEXT_MAX : IP_TEXT_MAX];
    json_t *o = json_object();
    ip_format(&s->ip, text);
    json_object_set_new(o, "address", json_string(ip_is_zero(&s->ip) ? "others" : text));
    clock_format_utc(s->last_us, text);
    json_object_set_new(o, "last", json_string(text));
#define X(name, help) put(o, #name, s->name);
    LOG_SOURCE_COUNTERS(X)
#undef X
    put(o, "connections", s->n_connections);
    return o;
}

json_t *watch_logs_status(struct watch *w, uint64_t *ret_kept)
{
    json_t *all = json_array();
    *ret_kept = 0;
    for (size_t i = 0; i < w->n_logs; i++) {
        struct watch_log_receiver *x = &w->logs[i];
        struct log_source *sources;
        uint32_t n;
        char ip[IP_TEXT_MAX];
        uint64_t messages = 0, dropped = 0, empty = 0;
        json_t *o = json_object(), *senders = json_array();
        ip_format(&x->listener->ip, ip);
        json_object_set_new(o, "address", json_string(ip));
        put(o, "port", x->listener->port);
        json_object_set_new(o, "allows_everyone", json_boolean(!x->listener->n_allow));
        json_object_set_new(o, "waits_for_store", json_boolean(atomic_load(&x->receiver.is_waiting)));
        put(o, "not_allowed", atomic_load(&x->receiver.not_allowed));
        put(o, "connections", atomic_load(&x->receiver.connections));
        put(o, "connections_refused", atomic_load(&x->receiver.connections_refused));
        put(o, "kernel_drops", atomic_load(&x->receiver.kernel_drops));
        if (!log_receiver_sources(&x->receiver, &sources, &n)) {
            for (uint32_t k = 0; k < n; k++) {
                messages += sources[k].messages;
                dropped += sources[k].dropped;
                empty += sources[k].empty;
                if (sources[k].messages || sources[k].n_connections)
                    json_array_append_new(senders, source_status(&sources[k]));
            }
            free(sources);
        }
        put(o, "messages", messages);
        put(o, "kept", messages - dropped - empty);
        put(o, "dropped", dropped);
        json_object_set_new(o, "senders", senders);
        *ret_kept += messages - dropped - empty;
        json_array_append_new(all, o);
    }
    return all;
}
