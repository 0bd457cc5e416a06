/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/alert/alert_own - what the files of this desk share: its SQL (alert_db.h), the way in (alert_take.c), the routes (alert_api.c).
 */
#pragma once

#include "desk/alert/alert_db.h"
#include "desk/alert/alert_desk.h"
#include "web/web.h"

struct alert_desk {
    struct alert_policy policy;
    struct alert_lookups lookups;
    int64_t next_upkeep_us;
    bool is_registered; /* the watch knows of our cursor, and trims nothing behind it */
    uint64_t last;      /* what it stands at */
};

extern const struct web_route alert_routes[];
extern const size_t alert_n_routes;
