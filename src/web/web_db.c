/* SPDX-License-Identifier: Apache-2.0 */
#include "web/web_db.h"

bool web_db_token_holds(struct db *db, int64_t token, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM token t JOIN person p ON p.id = t.person WHERE t.id = ?1 AND t.ended_us IS NULL"
                                        " AND t.until_us > ?2 AND p.is_disabled = 0");
    db_bind(s, 1, token);
    db_bind(s, 2, now_us);
    bool is_there = db_next(s);
    db_reset(s);
    return is_there || db_failed(db);
}

bool web_db_has_person(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM person LIMIT 1");
    bool is_there = db_next(s);
    db_reset(s);
    return is_there;
}

static const char *one_text(struct db_statement *s, int64_t id, struct arena *arena)
{
    const char *text = NULL;
    db_bind(s, 1, id);
    if (db_next(s)) {
        struct text t = db_text(s, 0);
        text = arena_text(arena, t.p, t.n);
    }
    db_reset(s);
    return text ? text : "";
}

const char *web_db_unit_name(struct db *db, int64_t unit, struct arena *arena)
{
    return one_text(db_sql(db, "SELECT name FROM unit WHERE id = ?1 /* system: the name of a body is no secret of it */"), unit, arena);
}

const char *web_db_person_name(struct db *db, int64_t person, struct arena *arena)
{
    return one_text(db_sql(db, "SELECT name FROM person WHERE id = ?1 /* system: who did something is told with it */"), person, arena);
}

void web_db_entries(struct db *db, const struct web_db_entries *x, bool (*take)(void *context, const struct web_db_entry *e), void *context)
{
    struct db_statement *s = db_sql(
        db, "SELECT n, at_us, object, who, action, kind, why, detail, address, link FROM trail WHERE (?1 = 0 OR n < ?1)"
            " AND at_us >= ?2 AND at_us < ?3 AND (?4 IS NULL OR who = ?4) AND (?5 IS NULL OR kind = ?5) AND (?6 IS NULL OR action = ?6)"
            " AND (?7 = 0 OR object = ?7) ORDER BY n DESC LIMIT ?8");
    db_bind(s, 1, x->before);
    db_bind(s, 2, x->since_us);
    db_bind(s, 3, x->until_us ? x->until_us : INT64_MAX);
    db_bind_str(s, 4, x->who);
    db_bind_str(s, 5, x->kind);
    db_bind_str(s, 6, x->action);
    db_bind(s, 7, x->object);
    db_bind(s, 8, x->limit);
    while (db_next(s)) {
        struct web_db_entry e = {.n = db_int(s, 0), .at_us = db_int(s, 1), .object = db_int(s, 2), .who = db_text(s, 3),
            .action = db_text(s, 4),
                                 .kind = db_text(s, 5), .why = db_text(s, 6), .detail = db_text(s, 7), .address = db_text(s, 8),
                                 .link = db_blob(s, 9)};
        if (!take(context, &e)) {
            db_reset(s);
            break;
        }
    }
}
