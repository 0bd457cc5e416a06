/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/access - who may see and do what: deny by default, one function decides (access_sees), every read path asks it.
 *
 * A *unit* is a body or a part of one in the tree; its id is stable. A *binding* gives a user a role at a unit, for it alone or
 * with all below. A *grant* stands beside the tree: named permissions over units or single objects, from, to, with a reason; it ends
 * on time, in open sessions and event streams too, since every decision is made against the time of the decision.
 * An *object* is seen where all of this holds:
 *   - the subject has the permission at the object's unit, by a binding whose unit is it or (with below) above it, or by a grant;
 *   - TLP 2.0 allows: CLEAR, GREEN and AMBER add nothing; AMBER+STRICT asks that the binding or grant which gives the permission
 *     stands inside the object's body (the object's unit or its nearest unit above that is a body, and all below that), not above
 *     it, or names the object itself; RED asks that the object has an audience which names the user as a person;
 *   - where the object has an audience (need to know), the audience names the user, or a unit where he is bound now (a unit named
 *     with all below: also where he is bound below it). An empty or unknown audience names nobody.
 *   A token sees what its owner sees, cut by its scopes. Unit 0 is the root above every unit: an object of 0 (or null) is "nobody's
 *   yet", seen by those bound at the root; who is bound at the root with all below is bound to every unit.
 *   Bindings and grants hold from their first moment up to, not at, their end. Unknown units, TLPs, roles: nobody.
 *   A unit that ended keeps its place in the tree: a desk that merges it into another hangs it below its successor.
 * Memory: one immutable snapshot of tree, bindings and grants, made anew after a change (access_load); a decision takes no lock.
 */
#pragma once

#include "base/arena.h"
#include "state/db.h"
#include "state/permission.h"
#include "state/role.h"

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

/* access_new - @roles: what a binding's role means; borrowed. No snapshot yet: nobody sees anything. */
int access_new(const struct roles *roles, struct access **ret);
void access_free(struct access *a);
/* access_load - read tree, bindings and grants anew; publishes the snapshot. Return: 0 or -errno. */
int access_load(struct access *a, struct db *db, struct fault *f);
/*
 * access_refresh - access_load if anything it reads has changed since (a counter that triggers of the tables move, so that
 * changes of the command line and of other programs are noticed too); a microsecond if not. Before a request, and each tick.
 * Return: 0; 1: a new snapshot was published; -errno.
 */
int access_refresh(struct access *a, struct db *db, struct fault *f);
/* access_take - the snapshot of now, until access_give; never NULL after the first load. */
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
 * access_enter - from now on SQL's sees(unit, tlp, audience, id) on @db answers for this subject, permission and kind at @now_us;
 * ids from access_units, bound as a JSON array, let an index be walked:
 *     SELECT … FROM alert a WHERE sees(a.unit, a.tlp, a.audience, a.id)
 *     SELECT … FROM alert a WHERE a.unit IN (SELECT value FROM json_each(?1)) AND sees(…)  -- never instead of sees(), only beside it
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
 * few, and desks walk an index per unit for them; wide ones walk the index by time. Objects granted singly are not in these
 * units: access_objects. 0 stands first where nobody's objects are seen. @ret_all: every unit. Return: 0, or -ENOMEM.
 */
int access_units(const struct access_view *v, const struct subject *who, enum permission permission, int64_t now_us,
                 struct arena *arena, int64_t **ret, size_t *ret_n, bool *ret_all);
/* access_objects - ids of the objects of @kind granted singly to the subject with @permission now, ascending. Return: 0 or -ENOMEM. */
int access_objects(const struct access_view *v, const struct subject *who, enum permission permission, const char *kind, int64_t now_us,
                   struct arena *arena, int64_t **ret, size_t *ret_n);
/*
 * access_covers - has the subject every one of @permissions at @unit, and (@is_below) at all below it: nobody gives away what he has not.
 */
bool access_covers(const struct access_view *v, const struct subject *who, uint64_t permissions, int64_t unit, bool is_below,
                   int64_t now_us);
/* access_permissions - everything the subject has anywhere now, cut by its scopes. */
uint64_t access_permissions(const struct access_view *v, const struct subject *who, int64_t now_us);
/* access_next_change - the earliest moment after @now_us at which a binding or grant of the subject begins or ends; INT64_MAX: none. */
int64_t access_next_change(const struct access_view *v, const struct subject *who, int64_t now_us);

/* the tree, for paths and breadcrumbs: parent of a unit now, 0 at the root; nearest body; whether @above is @unit or above it */
int64_t access_parent(const struct access_view *v, int64_t unit);
int64_t access_body(const struct access_view *v, int64_t unit);
bool access_is_within(const struct access_view *v, int64_t unit, int64_t above);
