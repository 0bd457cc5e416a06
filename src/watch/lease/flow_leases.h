/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/flow_leases - leases out of stored flows: records with an address before and behind a translation.
 *
 * A record that says its session was made or is gone (natEvent) is the begin or the end of a lease of that one port; any other
 * translated flow proves that its port was that machine's while the flow went on (LEASE_SEEN_ONLY). Of a flow whose destination
 * was translated, the outside is the destination.
 */
#pragma once

#include "watch/lease/read.h"
#include "watch/store/segment.h"

/* flow_has_leases - whether any row of @s can be one: told by its header. */
bool flow_has_leases(const struct segment *s);

struct flow_lease_account {
    uint64_t n_rows, n_refused, n_damaged_blocks; /* translated flows; of them, what cannot be */
};
/*
 * flow_leases - all of @s.
 * @each: 0, or <0: handed up. Return: 0, -ENOMEM, or what @each answered.
 */
int flow_leases(const struct segment *s, struct flow_lease_account *account,
                int (*each)(void *context, const struct lease_row *r, enum lease_word word), void *context);
