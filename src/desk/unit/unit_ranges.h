/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_ranges - the addresses of some units, for who may search only there.
 */
#pragma once

#include "base/arena.h"
#include "base/ip.h"
#include "state/db.h"

/*
 * unit_ranges - prefixes of @units that hold at @at_us, own, NAT and lent, in @arena; overlaps stay. system: whose units they are was
 * decided before. Return: 0 or -ENOMEM.
 */
int unit_ranges(struct db *db, const int64_t *units, size_t n, int64_t at_us, struct arena *arena, struct ip_range **ret, size_t *ret_n);
