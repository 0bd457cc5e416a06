/* SPDX-License-Identifier: Apache-2.0 */
/* watch/lease/gateways - when each gateway was heard and when it began anew, over all segments of a view. */
#pragma once

#include "watch/lease/resolve.h"

struct gateways {
    struct lease_gateway *all; /* by name */
    size_t n;
    int64_t most_clock_us; /* the greatest of all measures, either way; 0: none */
    struct arena arena;
};

/* gateways_init - Return: 0, -ENOMEM or -EBADMSG. */
int gateways_init(struct gateways *g, const struct lease_view *v);
void gateways_fini(struct gateways *g);
/* gateways_find - NULL: nothing was ever heard of it. */
const struct lease_gateway *gateways_find(const struct gateways *g, struct text name);
/* gateway_has_gap - in [since, until] it was silent for an hour or more in which its mean rate would have had it speak ten times. */
bool gateway_has_gap(const struct lease_gateway *g, int64_t since_us, int64_t until_us);
/*
 * gateway_clock - by how much its messages came later than their times say, as measured nearest to @at_us within a day;
 * 0: not measured, or not worth saying.
 */
int64_t gateway_clock(const struct lease_gateway *g, int64_t at_us);
/* gateway_restart - the first restart in (after, until]; LEASE_UNKNOWN: none. */
int64_t gateway_restart(const struct lease_gateway *g, int64_t after_us, int64_t until_us);
