/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_desk - units in the office: routes below /api/v1 and the look-up of an address's unit for other desks.
 */
#pragma once

#include "desk/unit/unit.h"
#include "web/web.h"

struct unit_desk;
/* unit_desk_new - reads content/units/abbreviations.csv. Return: 0 or -errno. */
int unit_desk_new(struct unit_desk **ret, struct fault *f);
void unit_desk_free(struct unit_desk *d);
/* unit_desk_entry - the line of the node's table of desks. */
struct web_desk unit_desk_entry(struct unit_desk *d);
const struct unit_words *unit_desk_words(const struct unit_desk *d);
/*
 * unit_desk_of - whose @a was at @at_us, from prefixes compiled once after each change; in the caller's transaction, any thread.
 * @ret_is_nat: many machines stand behind it; may be NULL. Return: unit id; 0: nobody's, or prefixes could not be read.
 */
int64_t unit_desk_of(struct unit_desk *d, struct db *db, const struct ip *a, int64_t at_us, bool *ret_is_nat);
/*
 * unit_desk_resolve - as unit_resolve, from names kept in memory and read anew after each change; in the caller's transaction, any
 * thread. For findings and sightings, which come by thousands. Return: 0 or -errno.
 */
int unit_desk_resolve(struct unit_desk *d, struct db *db, struct text name, int64_t at_us, struct unit_found *ret);
