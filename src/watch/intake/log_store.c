/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_store.h"

#include "watch/intake/import_once.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct reading {
    const struct log_store_options *o;
    struct store *store;
    struct store_import *open;
    struct import_stored *now;
    struct fault fault; /* of the store, raised inside the sink */
};

static int take(void *context, struct events *e)
{
    struct reading *r = context;
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->time_us[i] < r->now->event_min_us)
            r->now->event_min_us = e->time_us[i];
        if (e->time_us[i] > r->now->event_max_us)
            r->now->event_max_us = e->time_us[i];
    }
    r->now->summary.read += e->n;
    if (r->o->on_progress)
        r->o->on_progress(r->o->context, 0, &r->now->summary);
    return store_import_append_logs(r->open, e, &r->fault);
}

static void refuse(void *context, const struct log_refused *x)
{
    const struct reading *r = context;
    struct import_refused refused = {.reason = x->reason, .row = x->line ? x->line : x->offset, .line = x->line, .n = 1, .value = x->value};
    if (r->o->on_refused)
        r->o->on_refused(r->o->context, &refused);
}

static void tell(struct import_summary *s, const struct log_account *a)
{
    *s = (struct import_summary){.kind = a->kind, .unit = "events", .packing = a->packing, .n_bytes_in = a->n_bytes_in,
                                 .n_bytes = a->n_bytes, .read = a->read, .kept = a->kept, .n_flows = a->kept,
                                 .is_truncated = a->is_truncated};
    for (uint32_t i = 0; i < a->n_reasons && i < IMPORT_REASONS_MAX; i++) {
        s->refused[i].reason = a->refused[i].reason;
        s->refused[i].n = a->refused[i].n;
        s->n_reasons = i + 1;
    }
}

static int read_one(void *context, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    struct reading *x = context;
    struct log_account account;
    struct log_options o = x->o->read;
    o.path = name;
    int r = log_read(fd, &o, store_names(x->store), x->o->decoders, take, refuse, x, &account, f);
    tell(&ret->summary, &account);
    if (r < 0 && x->fault.code) {
        *f = x->fault;
        return import_once_fault(name, r, f);
    }
    return r < 0 && !f->code ? FAULT(f, r, import_failed, name, strerrordesc_np(-r)) : r;
}

int log_store_file(struct store *s, const struct log_store_options *o, int fd, const char *name, struct import_stored *ret,
                   struct fault *f)
{
    struct reading reading = {.o = o, .store = s, .now = ret};
    const struct import_once x = {.store = s, .again = o->again, .spool_dir = o->spool_dir, .open = &reading.open, .read = read_one,
                                  .context = &reading};
    *ret = (struct import_stored){.summary = {.kind = "", .unit = "events", .packing = ""}};
    return import_once(&x, fd, name, ret, f);
}
