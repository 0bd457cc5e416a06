/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands on the control socket: status, import of handed descriptors, compaction, lists published.
 * Each connection has a thread of its own; there are at most MAX_COMMANDS at a time.
 */
#include "node/watch_state.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/control.h"
#include "node/import_reply.h"
#include "node/watch_imports.h"
#include "watch/intake/import_store.h"
#include "watch/intake/log_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_COMMANDS = 16 };

struct command {
    struct watch *w;
    int fd;
};

static void finish(int fd, int exit_status, const char *text)
{
    (void)control_send(fd, json_pack("{s:b, s:i, s:s*}", "done", 1, "exit", exit_status, "text", text));
}

/* --- import ------------------------------------------------------------------------ */

struct import_command {
    struct watch *w;
    int fd;
    int64_t last_progress_us;
    uint64_t n_refused_sent;
    int64_t since_us, until_us; /* of the events kept */
    uint64_t n_kept;
    int status;                 /* the command's exit */
};

static void send_refused(void *context, const struct import_refused *r)
{
    struct import_command *c = context;
    if (++c->n_refused_sent <= IMPORT_REPLY_REFUSED_SHOWN)
        (void)control_send(c->fd, import_reply_refused(r));
}

static void send_progress(void *context, uint64_t n_bytes_in, const struct import_summary *s)
{
    struct import_command *c = context;
    int64_t now_us = clock_steady_us();
    if (now_us - c->last_progress_us < 300000)
        return;
    c->last_progress_us = now_us;
    (void)control_send(c->fd, json_pack("{s:s, s:I, s:I}", "what", "progress", "bytes", (json_int_t)n_bytes_in, "read",
                                        (json_int_t)s->read));
}

static int read_options(const struct control_request *r, struct import_store_options *o)
{
    const char *format = json_string_value(json_object_get(r->body, "format"));
    const char *map = json_string_value(json_object_get(r->body, "map"));
    o->import.zone_s = (int)json_integer_value(json_object_get(r->body, "zone_s"));
    o->again = json_is_true(json_object_get(r->body, "again"));
    if (format && import_format_parse(format, &o->import.format))
        return 1;
    return map ? import_reply_mapping(map, &o->import.mapping, &o->import.n_mapping) : 0;
}

/* import_files - @i: of flows; NULL: logs. */
static void import_files(struct import_command *c, const struct control_request *r, struct import_store *i,
                         const struct log_store_options *logs)
{
    const json_t *names = json_object_get(r->body, "names");
    for (size_t k = 0; k < r->n_fds; k++) {
        const char *name = json_string_value(json_array_get(names, k));
        struct import_stored stored;
        struct fault f = {0};
        c->n_refused_sent = 0;
        int e = i ? import_store_file(i, r->fds[k], name ? name : "?", &stored, &f)
                  : log_store_file(c->w->store, logs, r->fds[k], name ? name : "?", &stored, &f);
        (void)control_send(c->fd, import_reply_file(name ? name : "?", e, &stored, &f));
        c->status = import_reply_status(c->status, e, &stored);
        c->n_kept += e ? 0 : i ? stored.summary.n_flows : stored.summary.kept;
        if (!e && stored.event_min_us < c->since_us)
            c->since_us = stored.event_min_us;
        if (!e && stored.event_max_us > c->until_us)
            c->until_us = stored.event_max_us;
    }
}

/*
 * import_requests - all files of one command: more of them than one request may bring follow in further ones, so that
 * templates of the first files still serve the last.
 */
static void import_requests(struct import_command *c, struct control_request *r, struct import_store *i,
                            const struct log_store_options *logs)
{
    for (;;) {
        if (json_array_size(json_object_get(r->body, "names")) != r->n_fds) {
            c->status = 1;
            return;
        }
        import_files(c, r, i, logs);
        if (!json_is_true(json_object_get(r->body, "more")))
            return;
        control_request_fini(r);
        if (control_send(c->fd, json_pack("{s:s}", "what", "next")) || control_receive(c->fd, r)) {
            c->status = 1;
            return;
        }
    }
}

/* want_looked_at - late data are hunted, and their behaviour judged, when they arrive. */
static void want_looked_at(const struct import_command *c)
{
    if (c->since_us > c->until_us)
        return;
    watch_want_hunt(c->w, c->since_us, c->until_us);
    watch_behaviour_imported(c->w, c->since_us, c->until_us, c->n_kept);
}

static void import_all(struct import_command *c, struct control_request *r, struct import_store *i)
{
    struct import_summary last;
    import_requests(c, r, i, NULL);
    import_store_finish(i, &last);
    if (import_summary_refused(&last)) {
        (void)control_send(c->fd, import_reply_left(&last));
        c->status = c->status ? c->status : 2;
    }
    want_looked_at(c);
}

static void run_import(struct watch *w, int fd, struct control_request *r)
{
    struct import_command c = {.w = w, .fd = fd, .since_us = INT64_MAX, .until_us = INT64_MIN};
    struct import_store_options o = {
        .on_refused = send_refused, .on_progress = send_progress, .context = &c, .spool_dir = w->spool_dir};
    struct import_store *i;
    if (read_options(r, &o)) {
        finish(fd, 1, "format");
        return;
    }
    pthread_mutex_lock(&w->import_lock);
    int e = import_store_new(w->store, &o, &i);
    if (e) {
        finish(fd, 1, strerror(-e));
    } else {
        import_all(&c, r, i);
        import_store_free(i);
        finish(fd, c.status, NULL);
    }
    pthread_mutex_unlock(&w->import_lock);
    import_reply_mapping_free(o.import.mapping);
}

static void run_import_logs(struct watch *w, int fd, struct control_request *r)
{
    struct import_command c = {.w = w, .fd = fd, .since_us = INT64_MAX, .until_us = INT64_MIN};
    const char *format = json_string_value(json_object_get(r->body, "format"));
    struct log_store_options o = {.decoders = w->decoders, .spool_dir = w->spool_dir, .on_refused = send_refused,
                                  .on_progress = send_progress, .context = &c,
                                  .again = json_is_true(json_object_get(r->body, "again"))};
    o.read.zone_s = (int)json_integer_value(json_object_get(r->body, "zone_s"));
    o.read.year = (int)json_integer_value(json_object_get(r->body, "year"));
    o.read.may_recover = json_is_true(json_object_get(r->body, "recover"));
    if (format && log_format_parse(format, &o.read.format)) {
        finish(fd, 1, "format");
        return;
    }
    pthread_mutex_lock(&w->import_lock);
    import_requests(&c, r, NULL, &o);
    want_looked_at(&c);
    finish(fd, c.status, NULL);
    pthread_mutex_unlock(&w->import_lock);
}

/* --- the others ---------------------------------------------------------------------- */

static void run_compact(struct watch *w, int fd, bool wait)
{
    pthread_mutex_lock(&w->work_lock);
    uint64_t wanted = w->compactions_done + (w->is_compacting ? 2 : 1);
    w->compact_wanted = true;
    pthread_cond_broadcast(&w->work);
    while (wait && w->compactions_done < wanted && !atomic_load(&w->is_ending)) {
        w->compact_wanted = !w->is_compacting || w->compact_wanted;
        pthread_cond_wait(&w->work, &w->work_lock);
    }
    pthread_mutex_unlock(&w->work_lock);
    finish(fd, atomic_load(&w->is_ending) ? 1 : 0, NULL);
}

static void run_lists(struct watch *w, int fd)
{
    struct fault f = {0};
    int r = watch_load_lists(w, false, &f);
    finish(fd, r < 0 ? 1 : 0, r < 0 ? f.text : NULL);
}

static void run_status(struct watch *w, int fd)
{
    json_t *status = watch_status(w);
    if (status)
        (void)control_send(fd, json_pack("{s:s, s:o}", "what", "status", "status", status));
    finish(fd, status ? 0 : 1, NULL);
}

static void serve(struct watch *w, int fd)
{
    struct control_request r;
    if (control_receive(fd, &r))
        return;
    const char *op = json_string_value(json_object_get(r.body, "op"));
    if (op && !strcmp(op, "status"))
        run_status(w, fd);
    else if (op && !strcmp(op, "import"))
        run_import(w, fd, &r);
    else if (op && !strcmp(op, "import-logs"))
        run_import_logs(w, fd, &r);
    else if (op && !strcmp(op, "compact"))
        run_compact(w, fd, json_is_true(json_object_get(r.body, "wait")));
    else if (op && !strcmp(op, "lists"))
        run_lists(w, fd);
    else
        finish(fd, 1, "op");
    control_request_fini(&r);
}

static void *command_thread(void *argument)
{
    struct command *c = argument;
    if (control_may(c->fd))
        serve(c->w, c->fd);
    else
        finish(c->fd, 1, "EPERM");
    close(c->fd);
    atomic_fetch_sub(&c->w->n_commands, 1);
    free(c);
    return NULL;
}

void watch_command(struct watch *w, int fd)
{
    struct command *c = atomic_load(&w->n_commands) < MAX_COMMANDS ? malloc(sizeof(*c)) : NULL;
    pthread_t thread;
    if (!c) {
        finish(fd, 1, "EBUSY");
        close(fd);
        return;
    }
    *c = (struct command){w, fd};
    atomic_fetch_add(&w->n_commands, 1);
    if (pthread_create(&thread, NULL, command_thread, c)) {
        atomic_fetch_sub(&w->n_commands, 1);
        close(fd);
        free(c);
        return;
    }
    pthread_detach(thread);
}
