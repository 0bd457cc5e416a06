/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_store.h"

#include "watch/intake/unpack.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct reading {
    const struct log_store_options *o;
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

/* of_file - a fault of the store with the file it befell. Return: @r. */
static int of_file(const char *name, int r, struct fault *f)
{
    struct fault inner = *f;
    return FAULT(f, r, import_failed, name, inner.text);
}

static int read_into(struct reading *x, struct store *s, int fd, const char *name, struct fault *f)
{
    struct log_account account;
    struct log_options o = x->o->read;
    o.path = name;
    int r = log_read(fd, &o, store_names(s), x->o->decoders, take, refuse, x, &account, f);
    tell(&x->now->summary, &account);
    if (r < 0 && x->fault.code) {
        *f = x->fault;
        return of_file(name, r, f);
    }
    return r < 0 && !f->code ? FAULT(f, r, import_failed, name, strerrordesc_np(-r)) : r;
}

static int import_one(struct store *s, const struct log_store_options *o, int fd, const char *name, struct import_stored *ret,
                      struct fault *f)
{
    struct sha256 content;
    struct reading x = {.o = o, .now = ret};
    int r = sha256_of_fd(fd, &content, NULL);
    if (r || lseek(fd, 0, SEEK_SET) < 0)
        return FAULT(f, r ? r : -errno, cli_cannot_read, name, strerrordesc_np(r ? -r : errno));
    r = store_import_begin(s, &content, name, o->again, &x.open, f);
    if (r)
        return r == STORE_ALREADY_KEPT ? FAULT(f, IMPORT_STORE_ALREADY, import_already_kept, name) : of_file(name, r, f);
    r = read_into(&x, s, fd, name, f);
    bool is_nothing = ret->summary.is_truncated && !ret->summary.kept;
    if (r || is_nothing) {
        store_import_abort(x.open);
        if (!r)
            FAULT(f, IMPORT_STORE_REFUSED, import_nothing_whole, name);
        return r < 0 ? r : IMPORT_STORE_REFUSED;
    }
    r = store_import_commit(x.open, f);
    if (r == STORE_ALREADY_KEPT)
        return FAULT(f, IMPORT_STORE_ALREADY, import_already_kept, name);
    return r ? of_file(name, r, f) : 0;
}

int log_store_file(struct store *s, const struct log_store_options *o, int fd, const char *name, struct import_stored *ret,
                   struct fault *f)
{
    *ret = (struct import_stored){.event_min_us = INT64_MAX, .event_max_us = INT64_MIN,
                                  .summary = {.kind = "", .unit = "events", .packing = ""}};
    if (unpack_is_device(fd)) /* before all of it is read for its checksum */
        return FAULT(f, -ENODEV, import_device, name);
    if (lseek(fd, 0, SEEK_CUR) >= 0)
        return import_one(s, o, fd, name, ret, f);
    int copy = import_spool(fd, o->spool_dir);
    if (copy < 0)
        return FAULT(f, copy, cli_cannot_read, name, strerrordesc_np(-copy));
    int r = import_one(s, o, copy, name, ret, f);
    close(copy);
    return r;
}
