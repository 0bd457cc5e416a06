/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import stages whole segment files that no transaction names; the commit names them all together
 * with the SHA-256 of the input. Until then a crash leaves files the next writer removes.
 */
#include "watch/store/store_impl.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct store_import {
    struct store *store;
    struct sha256 content;
    char *name;
    struct segment_builder *open[2]; /* family 4, 6 */
    struct log_builder *logs;
    struct manifest_segment *segments; /* staged; under the store's build_lock */
    size_t n, room;
    uint64_t n_rows;
    int64_t begun_us;
    bool is_again;
    struct build_group group;
};

static void say_kept(struct fault *f, const char *name, const struct manifest_import *kept)
{
    char before[256];
    manifest_unescape(kept->name, before, sizeof(before));
    (void)FAULT(f, STORE_ALREADY_KEPT, store_already_kept, name, before);
}

int store_import_begin(struct store *s, const struct sha256 *content, const char *name, bool again,
                       struct store_import **ret, struct fault *f)
{
    pthread_mutex_lock(&s->lock);
    const struct manifest_import *kept = again ? NULL : manifest_find_import(&s->manifest, content);
    if (kept)
        say_kept(f, name, kept);
    pthread_mutex_unlock(&s->lock);
    if (kept)
        return STORE_ALREADY_KEPT;
    struct store_import *i = calloc(1, sizeof(*i));
    if (i)
        i->name = strdup(name);
    if (!i || !i->name) {
        free(i);
        return FAULT(f, -ENOMEM, store_no_memory, name);
    }
    i->store = s;
    i->content = *content;
    i->begun_us = clock_now_us();
    i->is_again = again;
    *ret = i;
    return 0;
}

/* import_take - room was made when the job was submitted. */
void import_take(struct store_import *i, const struct manifest_segment *segment)
{
    i->segments[i->n++] = *segment;
}

static int make_room(struct store_import *i)
{
    pthread_mutex_lock(&i->store->build_lock);
    size_t wanted = i->n + i->group.n_running + 1;
    int r = 0;
    if (wanted > i->room) {
        size_t room = wanted * 2;
        struct manifest_segment *more = realloc(i->segments, room * sizeof(*more));
        if (more) {
            i->segments = more;
            i->room = room;
        } else
            r = -ENOMEM;
    }
    pthread_mutex_unlock(&i->store->build_lock);
    return r;
}

/* stage - hand what is open of @family to the builders. */
static int stage(struct store_import *i, int family, struct fault *f)
{
    int slot = family == 6;
    struct build_job *job = calloc(1, sizeof(*job));
    if (!job || make_room(i)) {
        free(job);
        return FAULT(f, -ENOMEM, store_no_memory, i->name);
    }
    job->group = &i->group;
    job->import = i;
    job->journal.fd = -1;
    if (family == MANIFEST_LOGS)
        job->logs = i->logs;
    else
        job->builder = i->open[slot];
    uint64_t id = store_new_id(i->store);
    int64_t now_us = clock_now_us();
    job->segment = (struct manifest_segment){.id = id, .order = id, .family = family,
                                             .arrived_min_us = now_us < i->begun_us ? now_us : i->begun_us,
                                             .arrived_max_us = now_us > i->begun_us ? now_us : i->begun_us};
    if (family == MANIFEST_LOGS)
        i->logs = NULL;
    else
        i->open[slot] = NULL;
    build_submit(i->store, job);
    return build_failed(i->store, &i->group, f);
}

int store_import_append(struct store_import *i, const struct flow_batch *b, struct fault *f)
{
    int slot = b->family == 6;
    for (uint32_t from = 0, taken; from < b->n; from += taken) {
        if (!i->open[slot])
            i->open[slot] = segment_builder_new(b->family, store_segment_rows(i->store));
        taken = 0;
        int r = i->open[slot] ? segment_builder_add(i->open[slot], b, from, &taken) : -ENOMEM;
        if (r < 0)
            return FAULT(f, r, store_no_memory, i->name);
        i->n_rows += taken;
        if (r == SEGMENT_FULL)
            r = stage(i, b->family, f);
        if (r < 0)
            return r;
    }
    return 0;
}

int store_import_append_logs(struct store_import *i, const struct events *e, struct fault *f)
{
    for (uint32_t from = 0, taken; from < e->n; from += taken) {
        if (!i->logs && (i->logs = log_builder_new(i->store->names, LOG_SEGMENT_ROWS)))
            log_builder_imported(i->logs);
        taken = 0;
        int r = i->logs ? log_builder_add(i->logs, e, from, &taken) : -ENOMEM;
        if (r < 0)
            return FAULT(f, r, store_no_memory, i->name);
        i->n_rows += taken;
        if (r == LOG_SEGMENT_FULL)
            r = stage(i, MANIFEST_LOGS, f);
        if (r < 0)
            return r;
    }
    return 0;
}

static void free_import(struct store_import *i, bool is_committed)
{
    for (size_t k = 0; !is_committed && k < i->n; k++)
        store_unlink(i->store, STORE_SEGMENT, i->segments[k].id);
    for (int k = 0; k < 2; k++)
        segment_builder_free(i->open[k]);
    log_builder_free(i->logs);
    free(i->segments);
    free(i->name);
    free(i);
}

/* is_kept - whether another import of the same content was committed meanwhile. */
static bool is_kept(struct store_import *i, struct fault *f)
{
    struct store *s = i->store;
    pthread_mutex_lock(&s->lock);
    const struct manifest_import *kept = i->is_again ? NULL : manifest_find_import(&s->manifest, &i->content);
    if (kept)
        say_kept(f, i->name, kept);
    pthread_mutex_unlock(&s->lock);
    return kept != NULL;
}

static int commit(struct store_import *i, bool *ret_is_uncertain, struct fault *f)
{
    struct store *s = i->store;
    int r = i->n ? file_sync_dir(s->segments_fd) : 0;
    if (r)
        return FAULT(f, r, store_write_failed, "store/segments", strerrordesc_np(-r));
    struct manifest_change c = {0};
    for (size_t k = 0; k < i->n; k++)
        manifest_add_segment(&c, &i->segments[k]);
    manifest_add_import(&c, &i->content, i->n_rows, clock_now_us(), i->name);
    r = store_commit(s, &c, ret_is_uncertain, f);
    manifest_change_fini(&c);
    if (r)
        return r;
    store_seal_chain(s, i->segments, i->n);
    STORE_COUNT(s, rows_kept, i->n_rows);
    STORE_COUNT(s, segments_sealed, i->n);
    return 0;
}

int store_import_commit(struct store_import *i, struct fault *f)
{
    bool is_uncertain = false;
    int r = 0;
    for (int slot = 0; !r && slot < 2; slot++)
        if (i->open[slot] && segment_builder_rows(i->open[slot]))
            r = stage(i, slot ? 6 : 4, f);
    if (!r && i->logs && log_builder_rows(i->logs))
        r = stage(i, MANIFEST_LOGS, f);
    int e = build_wait(i->store, &i->group, r ? NULL : f);
    r = r ? r : e;
    if (!r) {
        pthread_mutex_lock(&i->store->import_lock);
        r = is_kept(i, f) ? STORE_ALREADY_KEPT : commit(i, &is_uncertain, f);
        pthread_mutex_unlock(&i->store->import_lock);
    }
    free_import(i, !r || is_uncertain);
    return r;
}

void store_import_abort(struct store_import *i)
{
    if (!i)
        return;
    (void)build_wait(i->store, &i->group, NULL);
    free_import(i, false);
}
