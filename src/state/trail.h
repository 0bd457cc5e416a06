/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/trail - the audit trail of the office: who did what, and who read what is not everybody's.
 *
 * Table trail: one row an entry, append-only (triggers refuse update and delete), in the same transaction as the change it tells
 * of. link = SHA-256 over the link before and the entry's canonical text; so nothing in between can be altered or taken out.
 * Of a change the entry holds the SHA-256 of the object's state afterwards (content): trail_verify computes it anew from the
 * tables, so that a row which was rewritten past the program is found, not only a rewritten trail.
 * Who owns the file can recompute all of it: the last link, the head, is printed on reports and handed upwards; trail_verify
 * finds a given head or says that it is not there.
 */
#pragma once

#include "base/sha256.h"
#include "state/db.h"

struct trail_entry {
    int64_t at_us;
    struct text who;     /* "user:7", "token:3", "system", "cli:root" */
    struct text action;  /* "alert.assign" */
    struct text kind;    /* of the object: a table of trail_kinds; may be empty */
    int64_t object;      /* its id; 0: none */
    struct text why;     /* reason or purpose as given */
    struct text detail;  /* JSON: what changed, before and after; secrets never */
    struct text address; /* of the client */
};

extern const struct db_migrations trail_migrations;

#define TRAIL_DETAIL_MAX ((size_t)256 << 10) /* a longer one is replaced by {"is_cut":true,"bytes":n} */
#define TRAIL_WHY_MAX ((size_t)8 << 10)      /* longer texts are cut on a character */

/* trail_add - in the writing transaction @db. Sticky failure like any statement. */
void trail_add(struct db *db, const struct trail_entry *e);

/*
 * A kind whose rows are watched: an entry with a kind and an object holds the hash of these columns of its row (and of its
 * child rows, in the order of their first column). Columns that machines change without an entry stay out of @columns.
 */
struct trail_kind {
    const char *kind, *table;
    const char *columns;       /* "unit, tlp, state"; NULL: every column that the table has when trail_watch is called */
    const char *child, *child_key, *child_columns; /* table of parts of the object, its column with the object's id; NULL: none */
    bool is_whole;             /* every row has an entry: verify complains about one that has none */
    const char *id;            /* the key of @table; NULL: "id" */
};

/*
 * trail_watch - tell the pool what is watched; after migrations, before the first entry. What is told is remembered in the
 * table trail_layout, append-only and part of every hash: verify needs no list, and entries of an older layout stay true.
 * With no kinds (@n 0) it only makes the pool ready for trail_verify.
 */
int trail_watch(struct db_pool *p, const struct trail_kind *kinds, size_t n, struct fault *f);
/* trail_again - enter all rows of @kind anew, as system: a migration has rewritten them. Return: rows. */
int64_t trail_again(struct db *db, struct text kind, const char *why, int64_t now_us);

struct trail_report {
    uint64_t n_entries, first_wrong;     /* number of the first entry that does not follow; 0: none */
    uint64_t n_objects, n_objects_wrong; /* whose state is not what the last entry of them says */
    char wrong_object[96];               /* the first of them: "alert 17" */
    struct sha256 head;                  /* of the last entry that follows; zero: none */
    bool has_head;                       /* the head asked for stands in it */
};
/* trail_verify - @head may be NULL. Return: 0 (what is wrong stands in @ret), or -errno. */
int trail_verify(struct db *db, const struct sha256 *head, struct trail_report *ret, struct fault *f);
/* trail_head - Return: 0, or 1: no entry yet. */
int trail_head(struct db *db, struct sha256 *ret, uint64_t *ret_n);
