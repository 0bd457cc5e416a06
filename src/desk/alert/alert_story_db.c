/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQL of what hangs on alerts: findings, story, suppressions, saved views. Rows of an alert are asked for only after the
 * alert itself was found with sees().
 */
#include "desk/alert/alert_db.h"

#include <stdio.h>
#include <string.h>

enum { MAX_VIEWS = 100, MAX_APPLIED = 100000 };

/* cstr - a column as a terminated text in @out, cut */
static const char *cstr(struct db_statement *s, int column, char *out, size_t n_out)
{
    struct text t = db_text(s, column);
    size_t n = t.n < n_out ? t.n : n_out - 1;
    memcpy(out, t.p, n);
    out[n] = '\0';
    return out;
}

void alert_db_findings(struct db *db, int64_t alert, int limit, bool (*each)(void *context, const struct alert_finding_row *f),
                       void *context)
{
    struct db_statement *s = db_sql(db, "SELECT first_us, last_us, revision, is_withdrawn, payload FROM alert_finding WHERE "
                                        "alert = ?1 ORDER BY last_us DESC LIMIT ?2");
    db_bind(s, 1, alert);
    db_bind(s, 2, limit);
    while (db_next(s)) {
        struct alert_finding_row f = {db_int(s, 0), db_int(s, 1), db_int(s, 2), db_int(s, 3) != 0, db_text(s, 4)};
        if (!each(context, &f))
            break;
    }
    db_reset(s);
}

void alert_db_story(struct db *db, int64_t alert, int limit, bool (*each)(void *context, const struct alert_entry *e),
                    void *context)
{
    struct db_statement *s = db_sql(db, "SELECT e.kind, e.at_us, e.person, e.assignee, e.n, e.state, e.verdict, (SELECT name "
                                        "FROM person WHERE id = e.person), (SELECT name FROM person WHERE id = e.assignee), "
                                        "e.text FROM (SELECT 'finding' AS kind, first_us AS at_us, 0 AS person, 0 AS assignee, "
                                        "n, 0 AS state, 0 AS verdict, '' AS text, 0 AS id FROM alert_finding"
                                        " WHERE alert = ?1 UNION ALL SELECT 'decision', at_us, person, assignee, 0, state, "
                                        "verdict, reason, id FROM alert_decision WHERE alert = ?1 UNION ALL SELECT 'note', "
                                        "at_us, person, 0, 0, 0, 0, text, id FROM alert_note WHERE alert = ?1) e"
                                        " ORDER BY e.at_us DESC, e.id DESC LIMIT ?2");
    db_bind(s, 1, alert);
    db_bind(s, 2, limit);
    while (db_next(s)) {
        char kind[16], person[256], assignee[256], text[16384];
        struct alert_entry e = {.kind = cstr(s, 0, kind, sizeof(kind)),
                                .at_us = db_int(s, 1),
                                .person = db_int(s, 2),
                                .assignee = db_int(s, 3),
                                .n = db_int(s, 4),
                                .state = (int)db_int(s, 5),
                                .verdict = (int)db_int(s, 6),
                                .person_name = cstr(s, 7, person, sizeof(person)),
                                .assignee_name = cstr(s, 8, assignee, sizeof(assignee)),
                                .text = cstr(s, 9, text, sizeof(text))};
        if (!each(context, &e))
            break;
    }
    db_reset(s);
}

/* --- suppressions ------------------------------------------------------------------------------------------------ */

#define MUTE_COLUMNS                                                                                                             \
    "m.id, m.unit, m.from_us, m.to_us, m.version, m.author, m.made_us, m.ended_us,"                                              \
    " (SELECT count(*) FROM alert a WHERE a.muted_by = m.id AND sees(a.unit, a.tlp, a.audience, a.id)), m.cause, m.entity, "     \
    "m.reason,"                                                                                                                  \
    " (SELECT name FROM person WHERE id = m.author), (SELECT name FROM unit WHERE id = m.unit)"

struct mute_texts {
    char cause[ALERT_CAUSE_MAX], entity[ALERT_ENTITY_MAX], reason[4096], author[256], unit[512];
};

static void take_mute(struct db_statement *s, struct mute_texts *t, struct alert_mute_row *m)
{
    *m = (struct alert_mute_row){.mute = {db_int(s, 0), db_int(s, 1), cstr(s, 9, t->cause, sizeof(t->cause)),
                                          cstr(s, 10, t->entity, sizeof(t->entity)), db_int(s, 2), db_int(s, 3)},
                                 .version = db_int(s, 4),
                                 .author = db_int(s, 5),
                                 .made_us = db_int(s, 6),
                                 .ended_us = db_int(s, 7),
                                 .n_alerts = db_int(s, 8),
                                 .reason = cstr(s, 11, t->reason, sizeof(t->reason)),
                                 .author_name = cstr(s, 12, t->author, sizeof(t->author)),
                                 .unit_name = cstr(s, 13, t->unit, sizeof(t->unit))};
}

void alert_db_mute_list(struct db *db, int64_t after, int64_t now_us, bool is_active_only,
                        bool (*each)(void *context, const struct alert_mute_row *m), void *context)
{
    struct db_statement *s = db_sql(db, "SELECT " MUTE_COLUMNS " FROM alert_mute m WHERE (?1 = 0 OR m.id < ?1)"
                                        " AND (?2 = 0 OR (m.ended_us = 0 AND m.to_us > ?3)) AND sees(m.unit, m.tlp, "
                                        "m.audience, m.id) ORDER BY m.id DESC");
    db_bind(s, 1, after);
    db_bind(s, 2, is_active_only);
    db_bind(s, 3, now_us);
    while (db_next(s)) {
        struct mute_texts t;
        struct alert_mute_row m;
        take_mute(s, &t, &m);
        if (!each(context, &m))
            break;
    }
    db_reset(s);
}

bool alert_db_mute_find(struct db *db, int64_t id, struct alert_mute_row *ret, struct arena *arena)
{
    struct db_statement *s = db_sql(db, "SELECT " MUTE_COLUMNS " FROM alert_mute m WHERE m.id = ?1 AND sees(m.unit, m.tlp, "
                                                               "m.audience, m.id)");
    struct mute_texts *t = arena_alloc(arena, sizeof(*t));
    db_bind(s, 1, id);
    bool is_there = t && db_next(s);
    if (is_there)
        take_mute(s, t, ret);
    db_reset(s);
    return is_there;
}

int64_t alert_db_mute_new(struct db *db, const struct alert_mute *m, int64_t author, int64_t now_us, struct text reason)
{
    struct db_statement *s = db_sql(db, "INSERT INTO alert_mute(unit, cause, entity, reason, author, made_us, from_us, to_us)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    db_bind(s, 1, m->unit);
    db_bind_str(s, 2, m->cause);
    db_bind_str(s, 3, m->entity);
    db_bind_text(s, 4, reason);
    db_bind(s, 5, author);
    db_bind(s, 6, now_us);
    db_bind(s, 7, m->from_us);
    db_bind(s, 8, m->to_us);
    db_done(s);
    return db_new_id(db);
}

int64_t alert_db_mute_apply(struct db *db, const struct alert_mute *m, int64_t now_us)
{
    /* the pattern of a cause and of an entity is C's to judge: candidates are read, those that match are marked */
    struct db_statement *s = db_sql(db, "SELECT id, cause, entity_kind, entity FROM alert WHERE state < 3 AND muted_by IS NULL "
                                        "AND (?1 = 0 OR unit = ?1) AND sees(unit, tlp, audience, id) LIMIT ?2");
    int64_t n = 0;
    db_bind(s, 1, m->unit);
    db_bind(s, 2, MAX_APPLIED);
    while (db_next(s)) {
        char cause[ALERT_CAUSE_MAX], entity[ALERT_ENTITY_MAX];
        if (!alert_is_muted(m, cstr(s, 1, cause, sizeof(cause)), (enum alert_entity)db_int(s, 2),
                            cstr(s, 3, entity, sizeof(entity)), now_us))
            continue;
        struct db_statement *u =
            db_sql(db, "UPDATE alert SET muted_by = ?2 WHERE id = ?1"); /* system: seen by the statement above */
        db_bind(u, 1, db_int(s, 0));
        db_bind(u, 2, m->id);
        n += db_done(u);
    }
    db_reset(s);
    return n;
}

bool alert_db_mute_end(struct db *db, int64_t id, int64_t version, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE alert_mute SET ended_us = ?3, version = version + 1 WHERE id = ?1 AND version = "
                                        "?2 AND ended_us = 0");
    db_bind(s, 1, id); /* system: found with sees() in this transaction */
    db_bind(s, 2, version);
    db_bind(s, 3, now_us);
    return db_done(s) == 1;
}

/* --- saved views ------------------------------------------------------------------------------------------------- */

void alert_db_views(struct db *db, int64_t person, bool (*each)(void *context, const struct alert_view *v), void *context)
{
    struct db_statement *s = db_sql(db, "SELECT v.id, v.person, v.is_shared, v.name, v.filter, p.name FROM alert_view v JOIN "
                                        "person p ON p.id = v.person WHERE v.person = ?1 OR v.is_shared = 1"
                                        " ORDER BY v.person <> ?1, v.name, v.id LIMIT 500");
    db_bind(s, 1, person);
    while (db_next(s)) {
        char name[256], filter[4096], owner[256];
        struct alert_view v = {db_int(s, 0),
                               db_int(s, 1),
                               db_int(s, 2) != 0,
                               cstr(s, 3, name, sizeof(name)),
                               cstr(s, 4, filter, sizeof(filter)),
                               cstr(s, 5, owner, sizeof(owner))};
        if (!each(context, &v))
            break;
    }
    db_reset(s);
}

int64_t alert_db_view_put(struct db *db, int64_t person, struct text name, struct text filter, bool is_shared)
{
    struct db_statement *s = db_sql(db, "SELECT count(*), coalesce(max(name = ?2), 0) FROM alert_view WHERE person = ?1");
    db_bind(s, 1, person);
    db_bind_text(s, 2, name);
    bool is_full = db_next(s) && db_int(s, 0) >= MAX_VIEWS && !db_int(s, 1);
    db_reset(s);
    if (is_full)
        return 0;
    s = db_sql(db, "INSERT INTO alert_view(person, name, filter, is_shared) VALUES(?1, ?2, ?3, ?4)"
                   " ON CONFLICT(person, name) DO UPDATE SET filter = ?3, is_shared = ?4, version = version + 1 RETURNING id");
    db_bind(s, 1, person);
    db_bind_text(s, 2, name);
    db_bind_text(s, 3, filter);
    db_bind(s, 4, is_shared);
    int64_t id = db_next(s) ? db_int(s, 0) : 0;
    db_done(s);
    return id;
}

bool alert_db_view_delete(struct db *db, int64_t person, struct text name)
{
    struct db_statement *s = db_sql(db, "DELETE FROM alert_view WHERE person = ?1 AND name = ?2");
    db_bind(s, 1, person);
    db_bind_text(s, 2, name);
    return db_done(s) == 1;
}
