/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/asset_api - the table of routes of machines.
 */
#pragma once

#include "desk/asset/asset_desk.h"

extern const struct web_route asset_routes[];
extern const size_t asset_n_routes;

/* asset_desk_words - abbreviations in names of bodies. */
const struct unit_words *asset_desk_words(const struct asset_desk *d);
