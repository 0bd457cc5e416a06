/* SPDX-License-Identifier: Apache-2.0 */
/* Dated grants beside the tree, and the circles of those who need to know. */
#include "state/person.h"

#include <errno.h>
#include <string.h>

static bool has(struct db *db, const char *sql, int64_t id)
{
    struct db_statement *s = db_sql(db, sql);
    db_bind(s, 1, id);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

static bool has_person(struct db *db, int64_t id)
{
    return has(db, "SELECT 1 FROM person WHERE id = ?1", id);
}

static bool has_unit(struct db *db, int64_t id)
{
    return has(db, "SELECT 1 FROM unit WHERE id = ?1", id);
}

static void bind_id(struct db_statement *s, int i, int64_t id)
{
    if (id)
        db_bind(s, i, id);
}

/* --- grants ------------------------------------------------------------------------------------------------------ */

static bool is_kind(const char *kind)
{
    size_t n = strlen(kind);
    return n > 0 && n <= 32 && strspn(kind, "abcdefghijklmnopqrstuvwxyz_") == n;
}

static int check_grant(struct db *db, const struct grant *g, int64_t from_us)
{
    size_t n = g->reason ? strlen(g->reason) : 0;
    if (!n || n > GRANT_REASON_MAX || !text_is_utf8(g->reason, n))
        return PERSON_NO_REASON;
    if (g->to_us <= from_us || g->to_us - from_us > GRANT_SPAN_MAX_US)
        return PERSON_BAD_PERIOD;
    if (!(g->permissions & PERMISSION_ALL) || !g->n_targets || g->n_targets > GRANT_TARGETS_MAX)
        return PERSON_BAD_TARGET;
    if (!has_person(db, g->person))
        return PERSON_NO_SUCH;
    for (size_t i = 0; i < g->n_targets; i++) {
        const struct grant_target *t = &g->targets[i];
        if ((t->unit > 0) == (t->kind != NULL) || (t->kind && (!is_kind(t->kind) || t->object <= 0)))
            return PERSON_BAD_TARGET;
        if (t->unit && !has_unit(db, t->unit))
            return PERSON_NO_SUCH;
    }
    return 0;
}

static void add_target(struct db *db, int64_t id, const struct grant_target *t)
{
    struct db_statement *s = db_sql(db, "INSERT INTO access_grant_target(access_grant, unit, is_below, kind, object)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5)");
    db_bind(s, 1, id);
    bind_id(s, 2, t->unit);
    db_bind(s, 3, t->unit && t->is_below);
    db_bind_str(s, 4, t->kind);
    if (t->kind)
        db_bind(s, 5, t->object);
    db_done(s);
}

int grant_add(struct db *db, const struct grant *g, int64_t now_us, int64_t *ret_id)
{
    char permissions[PERMISSIONS_TEXT_MAX];
    int64_t from_us = g->from_us ? g->from_us : now_us;
    int r = check_grant(db, g, from_us);
    if (r)
        return db_failed(db) ? db_failed(db) : r;
    struct db_statement *s = db_sql(db, "INSERT INTO access_grant(person, permissions, reason, from_us, to_us, by_person, created_us)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    db_bind(s, 1, g->person);
    db_bind_str(s, 2, permissions_format(g->permissions & PERMISSION_ALL, permissions));
    db_bind_str(s, 3, g->reason);
    db_bind(s, 4, from_us);
    db_bind(s, 5, g->to_us);
    bind_id(s, 6, g->by_person);
    db_bind(s, 7, now_us);
    db_done(s);
    *ret_id = db_new_id(db);
    for (size_t i = 0; i < g->n_targets; i++)
        add_target(db, *ret_id, &g->targets[i]);
    return db_failed(db);
}

int grant_end(struct db *db, int64_t id, int64_t by_person, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE access_grant SET ended_us = ?2, ended_by = ?3, version = version + 1 WHERE id = ?1"
                                        " AND ended_us IS NULL AND to_us > ?2");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    bind_id(s, 3, by_person);
    int64_t n = db_done(s);
    return db_failed(db) ? db_failed(db) : n ? 0 : PERSON_NO_SUCH;
}

#define GRANT_COLUMNS                                                                                                       \
    "SELECT id, version, person, coalesce(by_person, 0), permissions, reason, from_us, to_us, coalesce(ended_us, 0),"       \
    " coalesce(ended_by, 0) FROM access_grant "

static int read_targets(struct db *db, struct arena *arena, struct grant *g)
{
    struct db_statement *s = db_sql(db, "SELECT coalesce(unit, 0), is_below, kind, coalesce(object, 0) FROM access_grant_target"
                                        " WHERE access_grant = ?1 ORDER BY id");
    db_bind(s, 1, g->id);
    g->targets = arena_alloc(arena, GRANT_TARGETS_MAX * sizeof(*g->targets));
    while (g->targets && g->n_targets < GRANT_TARGETS_MAX && db_next(s)) {
        struct text kind = db_text(s, 2);
        struct grant_target *t = &g->targets[g->n_targets++];
        *t = (struct grant_target){.unit = db_int(s, 0), .is_below = db_int(s, 1) != 0, .object = db_int(s, 3)};
        t->kind = db_is_null(s, 2) ? NULL : arena_text(arena, kind.p, kind.n);
    }
    db_reset(s);
    return g->targets ? 0 : -ENOMEM;
}

static int read_grant(struct db *db, struct db_statement *s, struct arena *arena, struct grant *ret)
{
    struct text reason = db_text(s, 5);
    *ret = (struct grant){.id = db_int(s, 0), .version = db_int(s, 1), .person = db_int(s, 2), .by_person = db_int(s, 3),
        .from_us = db_int(s, 6), .to_us = db_int(s, 7), .ended_us = db_int(s, 8), .ended_by = db_int(s, 9)};
    ret->reason = arena_text(arena, reason.p, reason.n);
    (void)permissions_parse(db_text(s, 4), &ret->permissions, NULL); /* what no program knows is none */
    return ret->reason ? read_targets(db, arena, ret) : -ENOMEM;
}

int grant_get(struct db *db, int64_t id, struct arena *arena, struct grant *ret)
{
    struct db_statement *s = db_sql(db, GRANT_COLUMNS "WHERE id = ?1");
    db_bind(s, 1, id);
    int r = db_next(s) ? read_grant(db, s, arena, ret) : PERSON_NO_SUCH;
    db_reset(s);
    return db_failed(db) ? -EIO : r;
}

int grant_each(struct db *db, int64_t person, int64_t before, size_t n, struct arena *arena, struct grant *ret)
{
    int at = 0, r = 0;
    struct db_statement *s = db_sql(db, GRANT_COLUMNS "WHERE (?1 = 0 OR person = ?1) AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3");
    db_bind(s, 1, person);
    db_bind(s, 2, before);
    db_bind(s, 3, (int64_t)n);
    while (!r && db_next(s))
        r = read_grant(db, s, arena, &ret[at++]);
    db_reset(s);
    return db_failed(db) ? -EIO : r ? r : at;
}

/* --- need to know ------------------------------------------------------------------------------------------------ */

int audience_add(struct db *db, const struct audience_member *m, size_t n, int64_t now_us, int64_t *ret_id)
{
    if (n > AUDIENCE_MEMBERS_MAX)
        return PERSON_BAD_TARGET;
    for (size_t i = 0; i < n; i++) {
        if ((m[i].person > 0) == (m[i].unit > 0))
            return PERSON_BAD_TARGET;
        if (m[i].person ? !has_person(db, m[i].person) : !has_unit(db, m[i].unit))
            return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    }
    struct db_statement *s = db_sql(db, "INSERT INTO audience(created_us) VALUES(?1)");
    db_bind(s, 1, now_us);
    db_done(s);
    *ret_id = db_new_id(db);
    for (size_t i = 0; i < n; i++) {
        s = db_sql(db, "INSERT INTO audience_member(audience, person, unit, is_below) VALUES(?1, ?2, ?3, ?4)");
        db_bind(s, 1, *ret_id);
        bind_id(s, 2, m[i].person);
        bind_id(s, 3, m[i].unit);
        db_bind(s, 4, m[i].unit && m[i].is_below);
        db_done(s);
    }
    return db_failed(db);
}

int audience_get(struct db *db, int64_t id, struct arena *arena, struct audience_member **ret, size_t *ret_n)
{
    struct audience_member *m = arena_alloc(arena, AUDIENCE_MEMBERS_MAX * sizeof(*m));
    size_t n = 0;
    if (!m)
        return -ENOMEM;
    if (!has(db, "SELECT 1 FROM audience WHERE id = ?1", id))
        return db_failed(db) ? -EIO : PERSON_NO_SUCH;
    struct db_statement *s = db_sql(db, "SELECT coalesce(person, 0), coalesce(unit, 0), is_below FROM audience_member WHERE audience = ?1"
                                        " ORDER BY id");
    db_bind(s, 1, id);
    while (n < AUDIENCE_MEMBERS_MAX && db_next(s)) {
        m[n++] = (struct audience_member){.person = db_int(s, 0), .unit = db_int(s, 1), .is_below = db_int(s, 2) != 0};
    }
    db_reset(s);
    *ret = m;
    *ret_n = n;
    return db_failed(db) ? -EIO : 0;
}
