/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/overlay.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int lease_overlay_begin(struct lease_overlay *x, struct lease_view *v, struct fault *f)
{
    *x = (struct lease_overlay){.view = v, .builder = lease_builder_new(0), .fault = f};
    return x->builder ? 0 : FAULT(f, -ENOMEM, store_no_memory, "leases");
}

void lease_overlay_abort(struct lease_overlay *x)
{
    lease_builder_free(x->builder);
    x->builder = NULL;
}

/* build - what the builder holds becomes a segment in memory. Ids count down from the last: no stored one has such. */
static int build(struct lease_overlay *x)
{
    struct lease_segment_info info;
    struct lease_segment *s;
    if (!lease_builder_n(x->builder))
        return 0;
    _cleanup_close_ int fd = memfd_create("leases", MFD_CLOEXEC);
    if (fd < 0)
        return FAULT(x->fault, -errno, store_write_failed, "leases", strerrordesc_np(errno));
    uint64_t id = UINT64_MAX - x->n_builds++;
    int r = lease_builder_write_fd(x->builder, fd, "leases", id, &info, x->fault);
    if (!r)
        r = lease_segment_open_fd(fd, "leases", id, &s, x->fault);
    if (r)
        return r;
    x->n_rows += info.n_rows;
    r = lease_view_add(x->view, s);
    if (r)
        lease_segment_close(s);
    return r ? FAULT(x->fault, r, store_no_memory, "leases") : 0;
}

int lease_overlay_end(struct lease_overlay *x)
{
    int r = build(x);
    lease_overlay_abort(x);
    return r;
}

static int number_texts(struct lease_builder *b, const struct lease_row *r, struct lease *l)
{
    const struct text texts[] = {r->gateway, r->realm, r->source, r->subscriber, r->host};
    uint32_t *const numbers[] = {&l->gateway, &l->realm, &l->source, &l->subscriber, &l->host};
    *l = r->l;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        int rc = lease_builder_text(b, texts[i], numbers[i]);
        if (rc)
            return rc;
    }
    return 0;
}

int lease_overlay_row(void *context, const struct lease_row *r)
{
    struct lease_overlay *x = context;
    struct lease l;
    int rc = LEASE_FULL;
    while (rc == LEASE_FULL && !x->is_full) {
        rc = number_texts(x->builder, r, &l);
        if (!rc)
            rc = lease_builder_add(x->builder, &l);
        x->is_full = rc == LEASE_FULL && x->n_builds == OVERLAY_BUILDS;
        int e = rc == LEASE_FULL && !x->is_full ? build(x) : 0;
        if (e)
            return e;
    }
    return x->is_full ? 0 : rc;
}
