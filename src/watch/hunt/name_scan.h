/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/hunt/name_scan - stored flows whose texts (DNS, TLS and HTTP host names, JA3) hold a listed name.
 *
 * Flows have no index of their texts: every block with texts is inflated and looked at, when some list has names.
 */
#pragma once

#include "watch/hunt/hunt.h"
#include "watch/store/store.h"

/*
 * hunt_name_scan - @each gets rows with ->names; ->is_source_listed and ->is_destination_listed say whether @set has their
 * ends: hunt_scan has given those rows for it. Damage goes to @coverage. @each: 0 to go on, anything else ends the scan.
 * Return: 0, what @each returned, or -errno with the fault.
 */
int hunt_name_scan(struct store_view *v, const struct names *names, const struct address_set *set, const struct hunt_options *o,
                   int (*each)(void *context, const struct hunt_row *r), void *context, struct hunt_coverage *coverage,
                   struct fault *f);
