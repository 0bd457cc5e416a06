/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/asset/asset_list_db - machines as the API shows them; every statement asks sees(). A page walks one index newest first: that of the
 * first filter that is given, or of the caller's units where he has few.
 */
#pragma once

#include "desk/asset/asset_own.h"
#include "web/web.h"

struct machine_filter {
    int64_t below;                                   /* a unit and all below it; 0: all */
    int64_t kind, protection, exposure, is_managed;  /* -1: any */
    int64_t system;                                  /* 0: any */
    struct text ids;                                 /* JSON array of a search; empty: none */
    struct text units;                               /* JSON array of the caller's units; "[]" where he sees many */
    bool is_wide;
    bool has_ended;                                  /* those that ended, instead */
};
void machine_list(struct db *db, const struct machine_filter *f, struct web_list *l);
/* machine_search - ids of machines of which a name, address, MAC, serial or agent id begins with @text (canonical, lower case). */
struct text machine_search(const struct web_request *q, struct text text);
json_t *machine_show(struct db *db, int64_t id);
/* machine_show_more - keys, addresses, links. */
void machine_show_more(struct db *db, int64_t id, json_t *o);
json_t *machine_story(struct db *db, int64_t id);
/* machine_counts - the denominators: machines by kind, protection, management and exposure, of a unit and below (0: all). */
json_t *machine_counts(struct db *db, int64_t below);
/* machine_counts_by_unit - a row per unit. */
json_t *machine_counts_by_unit(struct db *db, int64_t below);
void machine_links(struct db *db, struct web_list *l);
