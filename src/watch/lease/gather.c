/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/gather.h"

#include "base/file.h"
#include "watch/lease/clocks.h"
#include "watch/lease/flow_leases.h"
#include "watch/lease/log_leases.h"
#include "watch/lease/overlay.h"
#include "watch/lease/pair.h"
#include "watch/lease/taken.h"
#include "watch/store/log_segment.h"
#include "watch/store/segment.h"
#include "watch/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GATHER_LEFT_OUT 1

/* one segment of the event store: of flows or of log events */
struct source {
    const struct segment *flows;
    const struct log_segment *logs;
    uint64_t id;
    bool is_unsealed;
};

/* reading - rows of segments on their way to whoever keeps them */
struct reading {
    struct pairs *pairs;
    struct clocks clocks;
    bool has_clocks; /* its rows came as they happened, not out of a file */
    struct lease_gathered *account;
    int (*keep)(void *context, const struct lease_row *r); /* 0, GATHER_LEFT_OUT or <0 */
    void *context;
};

static int keep_row(void *context, const struct lease_row *r)
{
    struct reading *x = context;
    int rc = x->keep(x->context, r);
    x->account->n_rows += !rc;
    return rc == GATHER_LEFT_OUT ? 0 : rc;
}

static int take_row(void *context, const struct lease_row *r, enum lease_word word)
{
    struct reading *x = context;
    if (x->has_clocks && clocks_take(&x->clocks, r))
        return -ENOMEM;
    bool is_whole = r->l.from_us != LEASE_UNKNOWN && r->l.to_us != LEASE_UNKNOWN;
    int rc = is_whole || r->l.kind == LEASE_RELEASE ? keep_row(x, r) : word == LEASE_WORD_END ? pairs_end(x->pairs, r)
                                                                                             : pairs_begin(x->pairs, r);
    x->account->n_joined += rc == PAIRS_JOINED;
    return rc == PAIRS_JOINED ? 0 : rc;
}

static int read_events(struct reading *x, const struct events *e, const struct lease_fields *fields)
{
    int rc = 0;
    for (uint32_t row = 0; !rc && row < e->n; row++) {
        x->account->n_events += event_get(e, row, fields->kind) != NULL;
        rc = lease_of_event(e, row, fields, &x->account->n_refused, take_row, x);
    }
    return rc;
}

static int read_logs(struct reading *x, const struct log_segment *s)
{
    struct event_names *names = event_names_new();
    struct events *e = names ? events_new(names) : NULL;
    struct log_scratch *scratch = log_scratch_new();
    struct lease_fields fields;
    int rc = e && scratch ? 0 : -ENOMEM;
    for (uint32_t b = 0; !rc && b < log_segment_info(s)->n_blocks; b++) {
        rc = log_segment_read(s, b, scratch, e);
        if (rc == -EBADMSG) { /* the block is said to be damaged by whoever verifies; the others count */
            rc = 0;
            continue;
        }
        if (!rc) {
            lease_fields_find(names, &fields);
            rc = read_events(x, e, &fields);
        }
    }
    log_scratch_free(scratch);
    events_free(e);
    event_names_free(names);
    return rc;
}

static int read_flows(struct reading *x, const struct segment *s)
{
    struct flow_lease_account a = {0};
    int rc = flow_leases(s, &a, take_row, x);
    x->account->n_flows += a.n_rows;
    x->account->n_refused += a.n_refused;
    return rc;
}

static bool has_leases(const struct source *s)
{
    return s->logs ? log_segment_has_field(s->logs, TEXT("vonggac.lease.kind")) : flow_has_leases(s->flows);
}

/* read_source - all of it; begins and ends that stand in it are joined. Return: 0, -ENOMEM, or what keeping answered. */
static int read_source(struct reading *x, const struct source *s)
{
    uint64_t n_open;
    x->pairs = pairs_new(READ_OPEN_MAX, keep_row, x);
    x->has_clocks = !s->logs || !log_segment_info(s->logs)->is_imported;
    if (!x->pairs || clocks_init(&x->clocks)) {
        clocks_fini(&x->clocks);
        pairs_free(x->pairs);
        return -ENOMEM;
    }
    int rc = s->logs ? read_logs(x, s->logs) : read_flows(x, s->flows);
    if (!rc)
        rc = pairs_flush(x->pairs, &n_open);
    uint64_t n_rows = x->account->n_rows;
    if (!rc)
        rc = clocks_give(&x->clocks, keep_row, x);
    x->account->n_rows = n_rows; /* measures are no leases */
    clocks_fini(&x->clocks);
    pairs_free(x->pairs);
    x->account->n_segments += !rc;
    return rc;
}

/* --- all of a view, in the order given --------------------------------------------------------------------------- */

struct walk {
    struct store_view *view;
    struct manifest manifest; /* of the event store */
    struct taken taken;
    bool no_flows;
};

static void walk_fini(struct walk *w)
{
    if (w->view)
        store_view_close(w->view);
    manifest_fini(&w->manifest);
    taken_fini(&w->taken);
}

static int open_dir(const char *data_dir, const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", data_dir, folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* walk_open - what was taken is read first: what is taken meanwhile is read twice, not left out. Return: 0, STORE_EMPTY, -errno. */
static int walk_open(struct walk *w, const char *data_dir, bool no_flows, struct fault *f)
{
    *w = (struct walk){.no_flows = no_flows};
    _cleanup_close_ int leases_fd = open_dir(data_dir, "leases"), store_fd = open_dir(data_dir, "store");
    int r = taken_load(&w->taken, leases_fd) ? FAULT(f, -ENOMEM, store_no_memory, "leases") : store_view_open(data_dir, &w->view, f);
    if (!r)
        r = manifest_load(store_fd, &w->manifest, f);
    if (r)
        walk_fini(w);
    return r == MANIFEST_NONE ? STORE_EMPTY : r;
}

/* source_at - @i-th of the view, flows behind logs, newest first each. Return: false: no more. */
static bool source_at(const struct walk *w, size_t i, struct source *ret)
{
    size_t n_logs = store_view_n_logs(w->view), n_flows = w->no_flows ? 0 : store_view_n_segments(w->view);
    if (i < n_logs) {
        const struct log_segment *s = store_view_log(w->view, i);
        *ret = (struct source){.logs = s, .id = log_segment_info(s)->id, .is_unsealed = log_segment_info(s)->is_unsealed};
        return true;
    }
    if (i - n_logs >= n_flows)
        return false;
    const struct segment *s = store_view_segment(w->view, i - n_logs);
    *ret = (struct source){.flows = s, .id = segment_info(s)->id, .is_unsealed = segment_info(s)->is_unsealed};
    return true;
}

static size_t n_sources(const struct walk *w)
{
    return store_view_n_logs(w->view) + (w->no_flows ? 0 : store_view_n_segments(w->view));
}

/* --- gathering into the store -------------------------------------------------------------------------------- */

struct gathering {
    struct walk walk;
    struct lease_store *store;
    struct lease_import *import;
    struct lease_gathered *account;
    const struct lease_gather_options *o;
    struct fault *fault;
    int leases_fd;
    bool has_changed;
};

static int import_row(void *context, const struct lease_row *r)
{
    struct gathering *g = context;
    if (g->o && lease_told_us(&r->l) < g->o->oldest_us) {
        g->account->n_too_old++;
        return GATHER_LEFT_OUT;
    }
    return lease_import_row(g->import, r, g->fault);
}

static int save(struct gathering *g)
{
    int r = g->has_changed ? taken_save(&g->walk.taken, g->leases_fd) : 0;
    g->has_changed = false;
    return r ? FAULT(g->fault, r, store_write_failed, "leases/TAKEN", strerrordesc_np(-r)) : 0;
}

static int take_source(struct gathering *g, const struct source *s, const struct manifest_segment *m)
{
    struct lease_import_result result;
    struct reading x = {.account = g->account, .keep = import_row, .context = g};
    char name[64];
    int r = 0;
    bool has_any = has_leases(s);
    snprintf(name, sizeof(name), "store/segments/%llx.seg", (unsigned long long)s->id);
    if (has_any) {
        r = lease_import_begin(g->store, NULL, name, true, &g->import, g->fault);
        if (r)
            return r;
        r = read_source(&x, s);
        if (r) {
            lease_import_abort(g->import);
            return g->fault->code ? r : FAULT(g->fault, r, store_write_failed, name, strerrordesc_np(-r));
        }
        r = lease_import_commit(g->import, &result, g->fault);
    }
    if (!r && taken_add(&g->walk.taken, m))
        r = FAULT(g->fault, -ENOMEM, store_no_memory, "leases/TAKEN");
    g->has_changed = true;
    return r || !has_any ? r : save(g);
}

static bool must_stop(const struct gathering *g)
{
    return g->o && g->o->must_stop && g->o->must_stop(g->o->context);
}

static int gather_all(struct gathering *g)
{
    int r = 0;
    bool is_whole = true;
    for (size_t i = n_sources(&g->walk); !r && i-- > 0;) { /* oldest first */
        struct source s;
        if (!source_at(&g->walk, i, &s) || s.is_unsealed)
            continue;
        const struct manifest_segment *m = manifest_find_segment(&g->walk.manifest, s.id);
        is_whole = is_whole && m && !must_stop(g);
        if (!m || !is_whole) /* merged away meanwhile: what it became is taken the next time */
            continue;
        if (!taken_has(&g->walk.taken, m, &g->walk.manifest)) {
            r = take_source(g, &s, m);
        } else if (taken_add(&g->walk.taken, m)) {
            r = FAULT(g->fault, -ENOMEM, store_no_memory, "leases/TAKEN");
        }
    }
    if (!r && is_whole && !g->walk.no_flows) {
        size_t before = g->walk.taken.n;
        taken_prune(&g->walk.taken, &g->walk.manifest);
        g->has_changed |= g->walk.taken.n != before;
    }
    int e = save(g);
    struct lease_compaction c;
    return r ? r : e ? e : lease_store_compact(g->store, &c, g->fault);
}

/* has_work - whether anything sealed was not taken. */
static bool has_work(const struct walk *w)
{
    struct source s;
    for (size_t i = 0; source_at(w, i, &s); i++) {
        const struct manifest_segment *m = s.is_unsealed ? NULL : manifest_find_segment(&w->manifest, s.id);
        if (m && !taken_has(&w->taken, m, &w->manifest))
            return true;
    }
    return false;
}

int lease_gather(const char *data_dir, const struct lease_gather_options *o, struct lease_gathered *ret, struct fault *f)
{
    struct gathering g = {.account = ret, .o = o, .fault = f, .leases_fd = -1};
    *ret = (struct lease_gathered){0};
    int r = walk_open(&g.walk, data_dir, o && o->no_flows, f);
    if (r)
        return r == STORE_EMPTY ? 0 : r;
    if (!has_work(&g.walk)) {
        walk_fini(&g.walk);
        return 0;
    }
    r = lease_store_open(data_dir, NULL, &g.store, f);
    if (!r) {
        g.leases_fd = open_dir(data_dir, "leases");
        r = g.leases_fd < 0 ? FAULT(f, g.leases_fd, store_read_failed, "leases", strerrordesc_np(-g.leases_fd)) : gather_all(&g);
    }
    file_close(&g.leases_fd);
    lease_store_close(g.store);
    walk_fini(&g.walk);
    return r;
}

/* --- fresh views ------------------------------------------------------------------------------------------------- */

static int read_fresh(struct lease_overlay *x, const struct walk *w, struct lease_fresh *account)
{
    struct source s;
    struct lease_gathered ignored = {0};
    struct reading reading = {.account = &ignored, .keep = lease_overlay_row, .context = x};
    int r = 0;
    for (size_t i = 0; !r && source_at(w, i, &s); i++) {
        const struct manifest_segment *m = s.is_unsealed ? NULL : manifest_find_segment(&w->manifest, s.id);
        if (!has_leases(&s) || (m && taken_has(&w->taken, m, &w->manifest)))
            continue;
        if (account->n_segments == FRESH_SEGMENTS || x->is_full) {
            account->n_left++;
            continue;
        }
        account->n_segments++;
        r = read_source(&reading, &s);
        account->n_left += x->is_full;
        if (r && !x->fault->code)
            r = FAULT(x->fault, r, store_read_failed, "store", strerrordesc_np(-r));
    }
    return r;
}

static int add_fresh(struct lease_view *v, const struct walk *w, struct lease_fresh *account, struct fault *f)
{
    struct lease_overlay x;
    int r = lease_overlay_begin(&x, v, f);
    if (r)
        return r;
    r = read_fresh(&x, w, account);
    if (r)
        lease_overlay_abort(&x);
    else
        r = lease_overlay_end(&x);
    account->n_rows = x.n_rows;
    return r;
}

int lease_view_open_fresh(const char *data_dir, struct lease_view **ret, struct lease_fresh *ret_fresh, struct fault *f)
{
    struct walk w;
    struct lease_view *v = NULL;
    *ret_fresh = (struct lease_fresh){0};
    _cleanup_close_ int leases_fd = open_dir(data_dir, "leases");
    struct taken before; /* of before the leases are looked at, see walk_open */
    if (taken_load(&before, leases_fd))
        return FAULT(f, -ENOMEM, store_no_memory, "leases");
    int r = lease_view_open(data_dir, &v, f);
    bool was_empty = r == LEASE_EMPTY;
    if (was_empty) {
        v = lease_view_new();
        r = v ? 0 : FAULT(f, -ENOMEM, store_no_memory, "leases");
    }
    if (!r)
        r = walk_open(&w, data_dir, false, f);
    if (!r) {
        taken_fini(&w.taken);
        w.taken = before;
        before = (struct taken){0};
        r = add_fresh(v, &w, ret_fresh, f);
        walk_fini(&w);
    } else if (r == STORE_EMPTY) {
        r = 0;
    }
    taken_fini(&before);
    if (!r && was_empty && !lease_view_n_segments(v))
        r = LEASE_EMPTY;
    if (!r) {
        *ret = v;
        return 0;
    }
    lease_view_close(v);
    return r;
}
