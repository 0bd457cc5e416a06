/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/asset_desk - machines in the office: routes below /api/v1, and who held an address for other desks.
 */
#pragma once

#include "desk/asset/asset.h"
#include "desk/unit/unit_desk.h"

struct asset_desk;
/* asset_desk_new - @units: for whose an address is; borrowed. Return: 0 or -errno. */
int asset_desk_new(struct unit_desk *units, struct asset_desk **ret, struct fault *f);
void asset_desk_free(struct asset_desk *d);
/* asset_desk_entry - the line of the node's table of desks. */
struct web_desk asset_desk_entry(struct asset_desk *d);

/* what other desks may know of an address or host at a time */
struct asset_place {
    int64_t unit, machine, system, level; /* 0: not known */
    enum machine_exposure exposure;
    enum machine_protection protection;
    bool is_nat, is_managed;
};
/* asset_desk_place - in the caller's transaction; @host may be empty. */
void asset_desk_place(struct asset_desk *d, struct db *db, struct text address, struct text host, int64_t at_us, struct asset_place *ret);
/* asset_desk_see - a sighting whose unit, if it is not known, follows from its address. Return: as machine_see. */
int asset_desk_see(struct asset_desk *d, struct db *db, struct machine_sighting *s, const struct unit_actor *by, struct machine_seen *ret);
