/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snapshot: tables of one moment into sorted arrays, then one walk through the tree. Who reads it holds a count; the last
 * one to let go of an old snapshot frees it.
 */
#include "state/access_own.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_MAX = 20 * 1000 * 1000 };

struct access {
    pthread_mutex_t lock;
    struct access_view *now;
    const struct roles *roles;
};

/* grown - room for one more of @size bytes in *@p. Return: where, or NULL. */
static void *grown(void *p, size_t n, size_t *room, size_t size)
{
    void **array = p;
    if (n == *room) {
        size_t more = *room ? *room * 2 : 64;
        void *wider = more <= N_MAX ? reallocarray(*array, more, size) : NULL;
        if (!wider)
            return NULL;
        *array = wider;
        *room = more;
    }
    void *at = (char *)*array + n * size;
    memset(at, 0, size);
    return at;
}

struct access_view *access_view_new(void)
{
    struct access_view *v = calloc(1, sizeof(*v));
    struct access_unit *root = v ? grown(&v->units, 0, &v->units_room, sizeof(*root)) : NULL;
    if (!root) {
        free(v);
        return NULL;
    }
    *root = (struct access_unit){.first = 1, .last = 1};
    v->n_units = 1;
    v->n_holders = 1;
    v->change = -1;
    return v;
}

void access_view_free(struct access_view *v)
{
    if (!v)
        return;
    free(v->units);
    free(v->rights);
    free(v->persons);
    free(v->members);
    arena_fini(&v->arena);
    free(v);
}

uint32_t access_unit_at(const struct access_view *v, int64_t id)
{
    size_t low = 0, high = v->n_units;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->units[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->n_units && v->units[low].id == id ? (uint32_t)low : ACCESS_NO_UNIT;
}

/* --- the tree ---------------------------------------------------------------------------------------------------- */

/* read_units - parents are ids until all units are known. */
static int read_units(struct access_view *v, struct db *db, int64_t **ret_parents)
{
    size_t room = 0, n = 1;
    int64_t *parents = NULL, *parent = grown(&parents, 0, &room, sizeof(*parents));
    if (!parent)
        return -ENOMEM;
    struct db_statement *s = db_sql(db, "SELECT id, coalesce(parent, 0), is_body FROM unit ORDER BY id");
    while (db_next(s)) {
        struct access_unit *u = grown(&v->units, v->n_units, &v->units_room, sizeof(*u));
        parent = u ? grown(&parents, n, &room, sizeof(*parents)) : NULL;
        if (!parent) {
            free(parents);
            return -ENOMEM;
        }
        *parent = db_int(s, 1);
        *u = (struct access_unit){.id = db_int(s, 0), .is_body = db_int(s, 2) != 0};
        v->n_units++;
        n++;
    }
    *ret_parents = parents;
    return 0;
}

/* walk - numbers what hangs on the root. @child, @next: of each unit its first child and its next sibling, 0: none. */
static void walk(struct access_view *v, const uint32_t *child, const uint32_t *next)
{
    uint32_t at = 0, n = 1;
    for (;;) {
        if (child[at]) {
            at = child[at];
        } else {
            while (at && !next[at]) {
                v->units[at].last = n;
                at = v->units[at].parent;
            }
            v->units[at].last = n;
            if (!at)
                return;
            at = next[at];
        }
        struct access_unit *u = &v->units[at];
        u->first = ++n;
        u->body = u->is_body ? at : v->units[u->parent].body;
    }
}

static int read_tree(struct access_view *v, struct db *db)
{
    int64_t *parents = NULL;
    int r = read_units(v, db, &parents);
    uint32_t *child = r ? NULL : calloc(v->n_units * 2, sizeof(*child));
    if (!r && !child)
        r = -ENOMEM;
    for (uint32_t i = 1; !r && i < v->n_units; i++) {
        uint32_t at = access_unit_at(v, parents[i]), *next = child + v->n_units;
        if (at == ACCESS_NO_UNIT)
            continue;
        v->units[i].parent = at;
        next[i] = child[at];
        child[at] = i;
    }
    if (!r)
        walk(v, child, child + v->n_units);
    free(child);
    free(parents);
    return r;
}

/* --- rights ------------------------------------------------------------------------------------------------------ */

static int add_right(struct access_view *v, const struct access_right *one)
{
    struct access_right *r = grown(&v->rights, v->n_rights, &v->rights_room, sizeof(*r));
    if (!r)
        return -ENOMEM;
    *r = *one;
    v->n_rights++;
    return 0;
}

static int read_bindings(struct access_view *v, const struct roles *roles, struct db *db)
{
    int r = 0;
    struct db_statement *s = db_sql(db, "SELECT b.person, b.role, coalesce(b.unit, 0), b.is_below, b.from_us,"
                                        " min(coalesce(b.to_us, 9223372036854775807), coalesce(b.ended_us, 9223372036854775807))"
                                        " FROM binding b JOIN person p ON p.id = b.person WHERE p.is_disabled = 0");
    while (!r && db_next(s)) {
        const struct role *role = roles_find(roles, db_text(s, 1));
        struct access_right one = {.person = db_int(s, 0), .permissions = role ? role->permissions : 0, .from_us = db_int(s, 4),
            .to_us = db_int(s, 5), .unit = access_unit_at(v, db_int(s, 2)), .is_below = db_int(s, 3) != 0};
        if (role && one.unit != ACCESS_NO_UNIT && one.from_us < one.to_us)
            r = add_right(v, &one);
    }
    db_reset(s);
    return r;
}

static int read_grants(struct access_view *v, struct db *db)
{
    int r = 0;
    struct db_statement *s = db_sql(db, "SELECT g.person, g.permissions, g.from_us,"
                                        " min(g.to_us, coalesce(g.ended_us, 9223372036854775807)),"
                                        " t.unit, t.is_below, t.kind, t.object FROM access_grant_target t"
                                        " JOIN access_grant g ON g.id = t.access_grant JOIN person p ON p.id = g.person"
                                        " WHERE p.is_disabled = 0");
    while (!r && db_next(s)) {
        struct access_right one = {.person = db_int(s, 0), .from_us = db_int(s, 2), .to_us = db_int(s, 3), .is_grant = true,
            .is_below = db_int(s, 5) != 0, .object = db_int(s, 7)};
        struct text kind = db_text(s, 6);
        bool is_single = db_is_null(s, 4);
        one.unit = is_single ? 0 : access_unit_at(v, db_int(s, 4));
        if (permissions_parse(db_text(s, 1), &one.permissions, NULL) || one.unit == ACCESS_NO_UNIT || one.from_us >= one.to_us)
            continue;
        if (is_single && !(one.kind = arena_text(&v->arena, kind.p, kind.n)))
            r = -ENOMEM;
        r = r ? r : add_right(v, &one);
    }
    db_reset(s);
    return r;
}

static int by_person(const void *a, const void *b)
{
    const struct access_right *x = a, *y = b;
    return x->person < y->person ? -1 : x->person > y->person;
}

static int index_persons(struct access_view *v)
{
    if (v->n_rights)
        qsort(v->rights, v->n_rights, sizeof(*v->rights), by_person);
    for (size_t i = 0; i < v->n_rights; i++) {
        struct access_person *p = v->n_persons ? &v->persons[v->n_persons - 1] : NULL;
        if (!p || p->id != v->rights[i].person) {
            p = grown(&v->persons, v->n_persons, &v->persons_room, sizeof(*p));
            if (!p)
                return -ENOMEM;
            *p = (struct access_person){.id = v->rights[i].person, .first = i};
            v->n_persons++;
        }
        p->n++;
    }
    return 0;
}

static int read_audiences(struct access_view *v, struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT audience, coalesce(person, 0), unit, is_below FROM audience_member ORDER BY audience");
    while (db_next(s)) {
        struct access_member one = {.audience = db_int(s, 0), .person = db_int(s, 1), .is_below = db_int(s, 3) != 0};
        one.unit = one.person ? 0 : access_unit_at(v, db_int(s, 2));
        if (one.unit == ACCESS_NO_UNIT)
            continue;
        struct access_member *m = grown(&v->members, v->n_members, &v->members_room, sizeof(*m));
        if (!m) {
            db_reset(s);
            return -ENOMEM;
        }
        *m = one;
        v->n_members++;
    }
    return 0;
}

static int64_t change_of(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT n FROM access_change");
    int64_t n = db_next(s) ? db_int(s, 0) : -1;
    db_reset(s);
    return n;
}

int access_view_read(struct access_view *v, const struct roles *roles, struct db *db)
{
    v->change = change_of(db);
    int r = read_tree(v, db);
    r = r ? r : read_bindings(v, roles, db);
    r = r ? r : read_grants(v, db);
    r = r ? r : read_audiences(v, db);
    r = r ? r : index_persons(v);
    return r ? r : db_failed(db);
}

/* --- the holder -------------------------------------------------------------------------------------------------- */

int access_new(const struct roles *roles, struct access **ret)
{
    struct access *a = calloc(1, sizeof(*a));
    struct access_view *v = a ? access_view_new() : NULL;
    if (!v) {
        free(a);
        return -ENOMEM;
    }
    pthread_mutex_init(&a->lock, NULL);
    a->now = v;
    a->roles = roles;
    *ret = a;
    return 0;
}

void access_free(struct access *a)
{
    if (!a)
        return;
    access_give(a->now);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

struct access_view *access_take(struct access *a)
{
    pthread_mutex_lock(&a->lock);
    struct access_view *v = a->now;
    atomic_fetch_add(&v->n_holders, 1);
    pthread_mutex_unlock(&a->lock);
    return v;
}

void access_give(struct access_view *v)
{
    if (v && atomic_fetch_sub(&v->n_holders, 1) == 1)
        access_view_free(v);
}

int access_load(struct access *a, struct db *db, struct fault *f)
{
    struct access_view *v = access_view_new();
    int r = v ? access_view_read(v, a->roles, db) : -ENOMEM;
    if (r) {
        access_view_free(v);
        return r < 0 ? FAULT(f, r, access_failed, strerrordesc_np(-r)) : FAULT(f, -EIO, access_failed, "");
    }
    pthread_mutex_lock(&a->lock);
    struct access_view *before = a->now;
    bool is_newer = v->change >= before->change; /* another thread may have read a later moment meanwhile */
    if (is_newer)
        a->now = v;
    pthread_mutex_unlock(&a->lock);
    access_give(is_newer ? before : v);
    return 0;
}

int access_refresh(struct access *a, struct db *db, struct fault *f)
{
    int64_t change = change_of(db);
    pthread_mutex_lock(&a->lock);
    bool is_old = change != a->now->change;
    pthread_mutex_unlock(&a->lock);
    if (!is_old || change < 0)
        return change < 0 ? FAULT(f, -EIO, access_failed, "") : 0;
    int r = access_load(a, db, f);
    return r ? r : 1;
}
