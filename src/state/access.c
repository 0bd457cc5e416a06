/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision. Plain on purpose: for each right of the person, is it in force, does it hold the permission, does it cover the
 * object; then TLP and need to know. Whatever is unknown is refused.
 */
#include "state/access_own.h"

#include <errno.h>
#include <string.h>

/* --- the tree ---------------------------------------------------------------------------------------------------- */

static bool is_within(const struct access_view *v, uint32_t unit, uint32_t above)
{
    const struct access_unit *u = &v->units[unit], *a = &v->units[above];
    return unit == above || (u->first && a->first <= u->first && u->last <= a->last);
}

/* body_of - what AMBER+STRICT does not leave: the nearest body, or the unit alone where no body is above it. */
static uint32_t body_of(const struct access_view *v, uint32_t unit)
{
    return v->units[unit].body ? v->units[unit].body : unit;
}

int64_t access_parent(const struct access_view *v, int64_t unit)
{
    uint32_t at = access_unit_at(v, unit);
    return at == ACCESS_NO_UNIT ? 0 : v->units[v->units[at].parent].id;
}

int64_t access_body(const struct access_view *v, int64_t unit)
{
    uint32_t at = access_unit_at(v, unit);
    return at == ACCESS_NO_UNIT ? 0 : v->units[v->units[at].body].id;
}

bool access_is_within(const struct access_view *v, int64_t unit, int64_t above)
{
    uint32_t at = access_unit_at(v, unit), top = access_unit_at(v, above);
    return at != ACCESS_NO_UNIT && top != ACCESS_NO_UNIT && is_within(v, at, top);
}

/* --- rights ------------------------------------------------------------------------------------------------------ */

/* rights_of - Return: the first of @who's, *@ret_n of them. */
static const struct access_right *rights_of(const struct access_view *v, const struct subject *who, size_t *ret_n)
{
    size_t low = 0, high = v->n_persons;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->persons[middle].id < who->user)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = who->user > 0 && low < v->n_persons && v->persons[low].id == who->user;
    *ret_n = is_there ? v->persons[low].n : 0;
    return is_there ? v->rights + v->persons[low].first : NULL;
}

static bool is_in_force(const struct access_right *r, int64_t now_us)
{
    return r->from_us <= now_us && now_us < r->to_us;
}

static bool covers(const struct access_view *v, const struct access_right *r, uint32_t unit)
{
    return !r->kind && (r->unit == unit || (r->is_below && is_within(v, unit, r->unit)));
}

static bool names(const struct access_right *r, const struct access_object *o)
{
    return r->kind && o->kind && r->object == o->id && !strcmp(r->kind, o->kind);
}

static uint64_t bit_of(const struct subject *who, enum permission permission)
{
    return (unsigned)permission < PERMISSION_COUNT ? UINT64_C(1) << permission & who->scopes : 0;
}

bool access_may(const struct access_view *v, const struct subject *who, enum permission permission, int64_t unit, int64_t now_us)
{
    size_t n;
    const struct access_right *r = rights_of(v, who, &n);
    uint64_t bit = bit_of(who, permission);
    uint32_t at = access_unit_at(v, unit);
    if (at == ACCESS_NO_UNIT)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((r[i].permissions & bit) && is_in_force(&r[i], now_us) && (!unit || covers(v, &r[i], at)))
            return true;
    return false;
}

uint64_t access_permissions(const struct access_view *v, const struct subject *who, int64_t now_us)
{
    size_t n;
    uint64_t all = 0;
    const struct access_right *r = rights_of(v, who, &n);
    for (size_t i = 0; i < n; i++)
        all |= is_in_force(&r[i], now_us) ? r[i].permissions : 0;
    return all & who->scopes;
}

bool access_covers(const struct access_view *v, const struct subject *who, uint64_t permissions, int64_t unit, bool is_below,
                   int64_t now_us)
{
    size_t n;
    uint64_t held = 0;
    const struct access_right *r = rights_of(v, who, &n);
    uint32_t at = access_unit_at(v, unit);
    if (at == ACCESS_NO_UNIT)
        return false;
    for (size_t i = 0; i < n; i++)
        if (is_in_force(&r[i], now_us) && covers(v, &r[i], at) && (r[i].is_below || !is_below))
            held |= r[i].permissions;
    return !(permissions & ~(held & who->scopes));
}

int64_t access_next_change(const struct access_view *v, const struct subject *who, int64_t now_us)
{
    size_t n;
    int64_t next = INT64_MAX;
    const struct access_right *r = rights_of(v, who, &n);
    for (size_t i = 0; i < n; i++) {
        int64_t at = r[i].from_us > now_us ? r[i].from_us : r[i].to_us;
        next = at > now_us && at < next ? at : next;
    }
    return next;
}

/* --- need to know ------------------------------------------------------------------------------------------------ */

/* is_bound - has the person a binding in force that @m names? */
static bool is_bound(const struct access_view *v, const struct access_right *r, size_t n, const struct access_member *m, int64_t now_us)
{
    for (size_t i = 0; i < n; i++)
        if (!r[i].is_grant && is_in_force(&r[i], now_us) && (r[i].unit == m->unit || (m->is_below && is_within(v, r[i].unit, m->unit))))
            return true;
    return false;
}

/* may_know - the audience names the person; @is_personally: as a person, not by a unit. */
static bool may_know(const struct access_view *v, const struct subject *who, int64_t audience, bool is_personally, int64_t now_us)
{
    size_t low = 0, high = v->n_members, n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->members[middle].audience < audience)
            low = middle + 1;
        else
            high = middle;
    }
    const struct access_right *r = rights_of(v, who, &n);
    for (const struct access_member *m; low < v->n_members && (m = &v->members[low])->audience == audience; low++)
        if (m->person ? m->person == who->user : !is_personally && is_bound(v, r, n, m, now_us))
            return true;
    return false;
}

/* --- the decision ------------------------------------------------------------------------------------------------ */

bool access_sees(const struct access_view *v, const struct subject *who, enum permission permission, const struct access_object *o,
                 int64_t now_us)
{
    size_t n;
    const struct access_right *r = rights_of(v, who, &n);
    uint64_t bit = bit_of(who, permission);
    uint32_t unit = access_unit_at(v, o->unit);
    if (!n || !bit || unit == ACCESS_NO_UNIT || (unsigned)o->tlp >= TLP_COUNT || o->tlp > who->tlp_max)
        return false;
    bool has_right = false;
    for (size_t i = 0; i < n && !has_right; i++) {
        if (!(r[i].permissions & bit) || !is_in_force(&r[i], now_us))
            continue;
        has_right = names(&r[i], o) ||
                    (covers(v, &r[i], unit) && (o->tlp != TLP_AMBER_STRICT || is_within(v, r[i].unit, body_of(v, unit))));
    }
    if (!has_right)
        return false;
    if (o->tlp == TLP_RED)
        return o->audience && may_know(v, who, o->audience, true, now_us);
    return !o->audience || may_know(v, who, o->audience, false, now_us);
}

/* sees(unit, tlp, audience, id) */
static int64_t sees(void *context, const int64_t *value, int n)
{
    const struct access_scope *s = context;
    if (!s || n != 4 || value[1] < 0 || value[1] >= TLP_COUNT)
        return 0;
    const struct access_object o = {.unit = value[0], .tlp = (enum tlp)value[1], .audience = value[2], .kind = s->kind, .id = value[3]};
    return access_sees(s->view, s->who, s->permission, &o, s->now_us);
}

void access_enter(struct db *db, const struct access_scope *scope)
{
    union { /* the connection hands it back as it came */
        const struct access_scope *in;
        void *out;
    } u = {.in = scope};
    db_set_context(db, u.out);
}

int access_functions(struct db_pool *p, struct fault *f)
{
    return db_function(p, "sees", 4, sees, f);
}

/* --- sets for indexes -------------------------------------------------------------------------------------------- */

int access_units(const struct access_view *v, const struct subject *who, enum permission permission, int64_t now_us,
                 struct arena *arena, int64_t **ret, size_t *ret_n, bool *ret_all)
{
    size_t n, n_out = 0, n_right;
    const struct access_right *r = rights_of(v, who, &n);
    uint64_t bit = bit_of(who, permission);
    bool is_all = false;
    for (n_right = 0; n_right < n; n_right++) {
        const struct access_right *one = &r[n_right];
        is_all |= (one->permissions & bit) && is_in_force(one, now_us) && !one->kind && !one->unit && one->is_below;
    }
    int64_t *out = arena_alloc(arena, v->n_units * sizeof(*out));
    if (!out)
        return -ENOMEM;
    for (uint32_t u = 0; u < v->n_units && !is_all; u++)
        for (size_t i = 0; i < n; i++)
            if ((r[i].permissions & bit) && is_in_force(&r[i], now_us) && covers(v, &r[i], u)) {
                out[n_out++] = v->units[u].id;
                break;
            }
    *ret = out;
    *ret_n = n_out;
    *ret_all = is_all;
    return 0;
}

int access_objects(const struct access_view *v, const struct subject *who, enum permission permission, const char *kind, int64_t now_us,
                   struct arena *arena, int64_t **ret, size_t *ret_n)
{
    size_t n, n_out = 0;
    const struct access_right *r = rights_of(v, who, &n);
    uint64_t bit = bit_of(who, permission);
    int64_t *out = arena_alloc(arena, (n + 1) * sizeof(*out));
    if (!out)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        if (!(r[i].permissions & bit) || !is_in_force(&r[i], now_us) || !r[i].kind || !kind || strcmp(r[i].kind, kind) != 0)
            continue;
        size_t at = n_out;
        while (at && out[at - 1] > r[i].object)
            at--;
        if (at && out[at - 1] == r[i].object)
            continue;
        memmove(out + at + 1, out + at, (n_out - at) * sizeof(*out));
        out[at] = r[i].object;
        n_out++;
    }
    *ret = out;
    *ret_n = n_out;
    return 0;
}
