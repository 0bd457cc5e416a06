/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/trail_layout - which columns of which table make up an object's state, and the hash of it.
 *
 * A layout is a row of trail_layout, never changed: entries name the one they were made with. Its text is hashed before the
 * values, so that a layout rewritten past the program makes every entry of it wrong.
 * In:     trail_kinds of the program; rows of trail_layout, which may be an enemy's: names are letters, digits and '_' only.
 * Limits: TRAIL_LAYOUTS_MAX layouts of one file; statements live as long as the pool (db_attach).
 */
#pragma once

#include "state/trail.h"

#define TRAIL_LAYOUTS_MAX 256u
#define TRAIL_KIND_MAX 33u

struct trail_layout {
    struct trail_layout *next;
    int64_t id;
    char kind[TRAIL_KIND_MAX];
    bool is_whole, is_newest; /* of its kind: what new entries are made with */
    char *text;               /* canonical: kind, table, columns, ... */
    char *row_sql, *child_sql, *stray_sql; /* child_sql NULL: no parts */
};

/* trail_layouts_read - those of the file that are not known yet to the pool. Return: 0, -EBADMSG (a row that is no layout), -errno. */
int trail_layouts_read(struct db *db);
const struct trail_layout *trail_layout_newest(struct db *db, struct text kind);
const struct trail_layout *trail_layout_of(struct db *db, int64_t id);
/* trail_layout_each - @after NULL: the first. */
const struct trail_layout *trail_layout_each(struct db *db, const struct trail_layout *after);
/* trail_layout_fits - the table still has all of its columns. */
bool trail_layout_fits(struct db *db, const struct trail_layout *l);
/* trail_content - the hash of the object's state in this layout; of an absent one too. */
struct sha256 trail_content(struct db *db, const struct trail_layout *l, int64_t object);
