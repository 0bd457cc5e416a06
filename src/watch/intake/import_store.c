/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/import_store.h"

#include "base/file.h"
#include "watch/intake/nat_log.h"
#include "watch/intake/import_once.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import_store {
    struct store *store;
    struct import_store_options o;
    struct import *import;
    struct store_import *open; /* transaction of the file being read */
    struct flow_sorter sorter;
    struct nat_log nat;
    struct import_stored *now;
    struct fault fault; /* of the store, raised inside the sink */
};

static int append(void *context, struct flow_batch *b)
{
    struct import_store *i = context;
    return store_import_append(i->open, b, &i->fault);
}

static int append_events(void *context, struct events *e)
{
    struct import_store *i = context;
    return store_import_append_logs(i->open, e, &i->fault);
}

static int take_nat(void *context, const struct nat_event *e)
{
    struct import_store *i = context;
    return nat_log_put(&i->nat, e);
}

static int take_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct import_store *i = context;
    for (uint32_t k = 0; k < n; k++) {
        int64_t end_us = flows[k].present & FLOW_HAS(FLOW_END) ? flows[k].end_us : flows[k].start_us;
        if (flows[k].start_us < i->now->event_min_us)
            i->now->event_min_us = flows[k].start_us;
        if (end_us > i->now->event_max_us)
            i->now->event_max_us = end_us;
    }
    return flow_sorter_put(&i->sorter, flows, n, o);
}

static void pass_refused(void *context, const struct import_refused *r)
{
    struct import_store *i = context;
    if (i->o.on_refused)
        i->o.on_refused(i->o.context, r);
}

static void pass_progress(void *context, uint64_t n_bytes_in, const struct import_summary *s)
{
    struct import_store *i = context;
    if (i->o.on_progress)
        i->o.on_progress(i->o.context, n_bytes_in, s);
}

int import_store_new(struct store *s, const struct import_store_options *o, struct import_store **ret)
{
    struct import_store *i = calloc(1, sizeof(*i));
    if (!i)
        return -ENOMEM;
    i->store = s;
    i->o = *o;
    i->o.import.sink = take_flows;
    i->o.import.nat = take_nat;
    i->o.import.on_refused = pass_refused;
    i->o.import.on_progress = pass_progress;
    i->o.import.context = i;
    i->sorter = (struct flow_sorter){.sink = append, .context = i};
    nat_log_init(&i->nat, store_names(s), append_events, i);
    int r = import_new(&i->o.import, &i->import);
    if (r) {
        free(i);
        return r;
    }
    *ret = i;
    return 0;
}

void import_store_free(struct import_store *i)
{
    if (!i)
        return;
    import_free(i->import);
    flow_sorter_fini(&i->sorter);
    nat_log_fini(&i->nat);
    free(i);
}

int import_spool(int fd, const char *dir)
{
    enum { PIECE = 1 << 18 };
    int copy = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (copy < 0)
        return -errno;
    uint8_t *p = malloc(PIECE);
    int r = p ? 0 : -ENOMEM;
    while (!r) {
        ssize_t n = read(fd, p, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            r = n < 0 ? -errno : 1;
            break;
        }
        r = file_write_full(copy, p, (size_t)n);
    }
    free(p);
    if (r < 0 || lseek(copy, 0, SEEK_SET) < 0) {
        close(copy);
        return r < 0 ? r : -EIO;
    }
    return copy;
}

/* read_into - the file into the open transaction. */
static int read_into(struct import_store *i, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    int r = import_file(i->import, fd, name, &ret->summary, f);
    if (!r)
        r = flow_sorter_flush(&i->sorter);
    if (!r)
        r = nat_log_flush(&i->nat);
    if (r < 0 && i->fault.code) {
        *f = i->fault;
        (void)import_once_fault(name, r, f);
    } else if (r < 0 && !f->code) {
        FAULT(f, r, import_failed, name, strerror(-r));
    }
    if (r) { /* nothing of a refused file may reach the next one */
        flow_sorter_fini(&i->sorter);
        nat_log_fini(&i->nat);
    }
    return r;
}

static int read_one(void *context, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    struct import_store *i = context;
    i->fault = (struct fault){0};
    i->nat.event_min_us = INT64_MAX;
    i->nat.event_max_us = INT64_MIN;
    int r = read_into(i, fd, name, ret, f);
    ret->event_min_us = i->nat.event_min_us < ret->event_min_us ? i->nat.event_min_us : ret->event_min_us;
    ret->event_max_us = i->nat.event_max_us > ret->event_max_us ? i->nat.event_max_us : ret->event_max_us;
    return r;
}

int import_store_file(struct import_store *i, int fd, const char *name, struct import_stored *ret, struct fault *f)
{
    const struct import_once x = {.store = i->store, .again = i->o.again, .spool_dir = i->o.spool_dir, .open = &i->open,
                                  .read = read_one, .context = i};
    *ret = (struct import_stored){.summary = {.kind = "", .unit = "", .packing = ""}};
    i->now = ret;
    return import_once(&x, fd, name, ret, f);
}

void import_store_finish(struct import_store *i, struct import_summary *ret)
{
    import_finish(i->import, ret);
}
