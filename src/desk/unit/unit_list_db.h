/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/unit_list_db - rows of units and of what belongs to them as the API shows them; every statement asks sees().
 */
#pragma once

#include "desk/unit/unit_own.h"
#include "web/web.h"

struct unit_filter {
    const char *kind;
    int64_t parent; /* -1: any; 0: those right under the root */
    int64_t below;  /* 0: all; else it and all below it */
    int64_t at_us;  /* 0: of every time */
    struct text ids; /* JSON array; empty: all */
};
void unit_list(struct db *db, const struct unit_filter *f, struct web_list *l);
/*
 * unit_show - NULL: not there, or not seen. @is_new: made in this transaction, which the snapshot behind sees() does not know yet.
 * unit_show_more adds path, links, names, history, contacts and counts.
 */
json_t *unit_show(struct db *db, int64_t id, bool is_new);
void unit_show_more(struct db *db, int64_t id, json_t *o);
/* unit_tree_rows - units of the tree as it was at @at_us; @parent -1: all. */
json_t *unit_tree_rows(struct db *db, int64_t at_us, int64_t parent, int64_t max);
void unit_export(struct db *db, struct web_list *l);

/* owned_list, owned_show - @kind: prefix, handle, system, contact. */
void owned_list(struct db *db, const char *kind, int64_t below, int64_t at_us, struct web_list *l);
json_t *owned_show(struct db *db, const char *kind, int64_t id);
json_t *system_levels(struct db *db, int64_t system);

/* unit_text_list, unit_text_show - the queue of names; @state NULL: all. */
void unit_text_list(struct db *db, const char *state, struct web_list *l);
json_t *unit_text_show(struct db *db, int64_t id);
