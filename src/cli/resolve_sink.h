/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/resolve_sink - hits of a hunt with who held the own address, as three columns more: verdict, holders, reasons.
 *
 * holders: "INSIDE SUBSCRIBER HOST (confidence)" joined by ';', at most RESOLVE_SINK_HOLDERS of them, then how many more. Keys of
 * subscribers only where they may be seen. A hit of two addresses is answered row by row, with the port each row had
 * (resolve_rows.h); one of an address or a name alone by its times only: of a shared address the holders are then several.
 */
#pragma once

#include "cli/resolve_rows.h"
#include "watch/lease/resolve.h"
#include "watch/query/query.h"

#define RESOLVE_SINK_HOLDERS 8u

struct resolve_sink {
    struct query_sink inner;
    bool may_see_subscribers;
    struct lease_view *view;
    struct formulas formulas;
    struct lease_resolver *resolver; /* NULL: no records: the columns are empty */
    struct arena arena;
    struct query_value *values;      /* of a row, with the three */
    size_t own, remote, first_seen, last_seen, n;
    struct resolve_rows rows; /* filled before the hits come */
    struct buf holders, reasons;
};

/* resolve_sink_init - over the leases of @data_dir, in front of @inner. Return: 0 or -errno with the fault. */
int resolve_sink_init(struct resolve_sink *s, const char *data_dir, const struct query_sink *inner, bool may_see_subscribers,
                      struct fault *f);
void resolve_sink_fini(struct resolve_sink *s);
/* resolve_sink - the sink to write hits to. */
struct query_sink resolve_sink(struct resolve_sink *s);
