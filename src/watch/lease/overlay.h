/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/overlay - rows beside the stored ones, in memory, for one reader: what was not gathered yet, what another system
 * answered.
 *
 * Limits: OVERLAY_BUILDS * LEASE_BUILD_ROWS rows; what is over is left out and is_full says so. One thread.
 */
#pragma once

#include "base/fault.h"
#include "watch/lease/store.h"

#define OVERLAY_BUILDS 8u

struct lease_overlay {
    struct lease_view *view; /* borrowed */
    struct lease_builder *builder;
    struct fault *fault;     /* borrowed: of what row and end answer below 0 */
    uint64_t n_rows;
    unsigned n_builds;
    bool is_full;
};

/* lease_overlay_begin - over @v, before anybody has readers for it. Return: 0 or -ENOMEM. */
int lease_overlay_begin(struct lease_overlay *x, struct lease_view *v, struct fault *f);
/* lease_overlay_row - @context: the struct lease_overlay. Return: 0, -EINVAL (not lease_is_sane) or -errno. */
int lease_overlay_row(void *context, const struct lease_row *r);
/* lease_overlay_end - the rows are the view's now; frees what building took, also on failure. Return: 0 or -errno. */
int lease_overlay_end(struct lease_overlay *x);
/* lease_overlay_abort - rows not yet in the view are forgotten. */
void lease_overlay_abort(struct lease_overlay *x);
