/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/access - who may see and do what: deny by default, one function decides (access_sees), every read path asks it.
 *
 * A *unit* is a body or a part of one in the tree; its id is stable. A *binding* gives a user a role at a unit, for it alone or
 * with all below. A *grant* stands beside the tree: named permissions over units or single objects, from, to, with a reason; it ends
 * on time, in open sessions and event streams too, since every decision is made against the time of the decision.
 * An *object* is seen where all of this holds:
 *   - the subject has the permission at the object's unit, by a binding whose unit is it or (with below) above it, or by a grant;
 *   - TLP 2.0 allows: CLEAR, GREEN and AMBER add nothing; AMBER+STRICT asks for a binding or grant at a unit of the same body (the
 *     object's nearest unit that is a body, and what lies below that body), not from above; RED asks that the audience names
 *     the user;
 *   - where the object has an audience (need to know), the audience names the user or a unit where he is bound.
 *   A token sees what its owner sees, cut by its scopes. A unit of 0 is "nobody's yet": seen by those bound at the root only.
 * Memory: one immutable snapshot of tree, bindings and grants, made anew after a change (access_load); a decision takes no lock.
 */
#pragma once

#include "base/arena.h"
#include "state/db.h"
#include "state/permission.h"

enum tlp { TLP_CLEAR, TLP_GREEN, TLP_AMBER, TLP_AMBER_STRICT, TLP_RED, TLP_COUNT };

struct access;   /* the snapshot holder, shared by threads */
struct access_view; /* one snapshot, counted */

/* who asks; made by web/session or the command line */
struct subject {
    int64_t user;          /* 0: nobody: sees nothing */
    int64_t token;         /* 0: a session */
    uint64_t scopes;       /* permissions the token or session is cut to: bits 1 << enum permission; all ones: not cut */
    enum tlp tlp_max;      /* of a wall screen's token; TLP_RED: not cut */
};

extern const struct db_migrations access_migrations; /* unit (the tree), person, role, binding, access_grant, audience, session, token */

int access_new(struct access **ret);
void access_free(struct access *a);
/* access_load - read tree, bindings and grants anew; publishes the snapshot. Return: 0 or -errno. */
int access_load(struct access *a, struct db *db, struct fault *f);
struct access_view *access_take(struct access *a);
void access_give(struct access_view *v);

/*
 * access_may - has the subject @permission anywhere at all (to answer 403 early), or at @unit (0: anywhere).
 */
bool access_may(const struct access_view *v, const struct subject *who, enum permission permission, int64_t unit, int64_t now_us);

/* what an object is to the decision */
struct access_object {
    int64_t unit;
    enum tlp tlp;
    int64_t audience;   /* of table audience; 0: no need-to-know list */
    const char *kind;   /* for grants on single objects; NULL: none apply */
    int64_t id;
};
bool access_sees(const struct access_view *v, const struct subject *who, enum permission permission, const struct access_object *o,
                 int64_t now_us);

/*
 * access_enter - from now on SQL's sees(unit, tlp, audience, id) on @db answers for this subject, permission and kind at @now_us,
 * and units_seen() is the table of unit ids where CLEAR objects are seen, for an index to walk:
 *     SELECT … FROM alert a WHERE sees(a.unit, a.tlp, a.audience, a.id)
 *     SELECT … FROM alert a WHERE a.unit IN (SELECT unit FROM temp_…)   -- never instead of sees(), only beside it
 * Every statement on a table with a unit column in desk/ holds sees( or carries the comment "system:" with a reason: a test looks.
 * @scope: room that lives as long as the transaction.
 */
struct access_scope {
    const struct access_view *view;
    const struct subject *who;
    enum permission permission;
    const char *kind;
    int64_t now_us;
};
void access_enter(struct db *db, const struct access_scope *scope);
/* access_functions - registers sees() on the pool; once, after db_pool_open. */
int access_functions(struct db_pool *p, struct fault *f);

/*
 * access_units - ids of the units where the subject has @permission now, ascending, in @arena; narrow subjects (a unit officer) have
 * few, and desks walk an index per unit for them; wide ones walk the index by time. Return: 0, or -ENOMEM.
 */
int access_units(const struct access_view *v, const struct subject *who, enum permission permission, int64_t now_us,
                 struct arena *arena, int64_t **ret, size_t *ret_n, bool *ret_all);

/* the tree, for paths and breadcrumbs: parent of a unit now, 0 at the root; nearest body; whether @above is @unit or above it */
int64_t access_parent(const struct access_view *v, int64_t unit);
int64_t access_body(const struct access_view *v, int64_t unit);
bool access_is_within(const struct access_view *v, int64_t unit, int64_t above);
