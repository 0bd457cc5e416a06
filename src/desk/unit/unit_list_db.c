/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What routes of units show: lists and single objects, each statement asking sees(). Its last argument is an id of the kind of the route,
 * for grants on single objects; where a statement shows objects of another kind beside them it is 0: no such grant reaches them.
 */
#include "desk/unit/unit_list_db.h"

#include "desk/unit/row_json.h"

#include <string.h>

#define FOREVER "9223372036854775807"
#define BELOW(column, n) \
    "(?" #n " = 0 OR " column " IN (WITH RECURSIVE below(id) AS (SELECT ?" #n " UNION SELECT c.id FROM unit c JOIN below ON c.parent" \
                                                                              " = below.id)" \
    " SELECT id FROM below))"

/* fill - rows of @s into the list; the key of a row is its first column */
static void fill(struct db_statement *s, struct web_list *l, const char *shape)
{
    while (db_next(s))
        if (!web_list_add(l, row_json(s, shape), db_int(s, 0), 0))
            break;
    db_reset(s);
}

static json_t *all_rows(struct db_statement *s, const char *shape)
{
    json_t *rows = json_array();
    while (rows && db_next(s))
        json_array_append_new(rows, row_json(s, shape));
    db_reset(s);
    return rows;
}

static json_t *one_row(struct db_statement *s, const char *shape)
{
    json_t *o = db_next(s) ? row_json(s, shape) : NULL;
    db_reset(s);
    return o;
}

/* --- units ------------------------------------------------------------------------------------------------------- */

#define UNIT_SHAPE \
    "i id s uuid i version s code s name s short_name s kind n parent x parent_name t valid_from t valid_to b is_body b has_own_node s" \
    " note s source"
#define UNIT_SELECT \
    "SELECT u.id, u.uuid, u.version, u.code, u.name, u.short_name, u.kind, coalesce(u.parent, 0), (SELECT p.name FROM unit p WHERE" \
    " p.id = u.parent" \
    " AND sees(p.id, 0, 0, 0)), u.valid_from_us, coalesce(u.valid_to_us, " FOREVER "), u.is_body, u.has_own_node, u.note, u.source" \
    " FROM unit u "

void unit_list(struct db *db, const struct unit_filter *f, struct web_list *l)
{
    struct db_statement *s =
        db_sql(db, UNIT_SELECT "WHERE u.id > ?1 AND (?2 = '' OR u.kind = ?2) AND (?3 < 0 OR coalesce(u.parent, 0) = ?3) AND "
                   BELOW("u.id", 4) " AND (?5 = 0 OR (u.valid_from_us <= ?5 AND coalesce(u.valid_to_us, " FOREVER
                   ") > ?5)) AND (?6 = '' OR u.id IN"
                   " (SELECT value FROM json_each(?6))) AND sees(u.id, 0, 0, 0) ORDER BY u.id LIMIT ?7");
    db_bind(s, 1, l->has_after ? l->after[0] : 0);
    db_bind_str(s, 2, f->kind ? f->kind : "");
    db_bind(s, 3, f->parent);
    db_bind(s, 4, f->below);
    db_bind(s, 5, f->at_us);
    db_bind_text(s, 6, f->ids);
    db_bind(s, 7, l->limit + 1);
    fill(s, l, UNIT_SHAPE);
}

json_t *unit_show(struct db *db, int64_t id, bool is_new)
{
    struct db_statement *s = is_new ? db_sql(db, UNIT_SELECT "WHERE u.id = ?1 /* system: the caller has just made it below what is his */")
                                    : db_sql(db, UNIT_SELECT "WHERE u.id = ?1 AND sees(u.id, 0, 0, 0)");
    db_bind(s, 1, id);
    return one_row(s, UNIT_SHAPE);
}

static json_t *of_unit(struct db *db, const char *sql, int64_t id, const char *shape)
{
    struct db_statement *s = db_sql(db, sql);
    db_bind(s, 1, id);
    return all_rows(s, shape);
}

#define LINKED(mine, other) \
    "SELECT u.id, u.name, u.short_name, l.kind, l.at_us FROM unit_link l JOIN unit u ON u.id = l." other " WHERE l." mine " = ?1 AND" \
    " sees(u.id, 0, 0, 0) ORDER BY l.at_us, u.id"
#define PATH \
    "WITH RECURSIVE up(id, parent, depth) AS (SELECT id, parent, 0 FROM unit WHERE id = ?1 UNION ALL SELECT u.id, u.parent, up.depth" \
    " + 1 FROM" \
    " unit u JOIN up ON u.id = up.parent WHERE up.depth < 32) SELECT u.id, u.name FROM up JOIN unit u ON u.id = up.id WHERE" \
    " sees(u.id, 0, 0, 0)" \
    " ORDER BY up.depth DESC"

void unit_show_more(struct db *db, int64_t id, json_t *o)
{
    json_object_set_new(o, "path", of_unit(db, PATH, id, "i id s name"));
    json_object_set_new(o, "predecessors", of_unit(db, LINKED("later", "earlier"), id, "i id s name s short_name s kind t at"));
    json_object_set_new(o, "successors", of_unit(db, LINKED("earlier", "later"), id, "i id s name s short_name s kind t at"));
    json_object_set_new(o, "aliases", of_unit(db,
                                              "SELECT id, name, kind, coalesce(valid_from_us, 0),"
                                              " coalesce(valid_to_us, " FOREVER ") FROM unit_alias"
                                                  " WHERE unit = ?1 AND sees(unit, 0, 0, 0) ORDER BY id LIMIT 200", id,
                                              "i id s name s kind t valid_from t valid_to"));
    json_object_set_new(o, "history", of_unit(db, "SELECT v.name, v.short_name, v.kind, coalesce(v.parent, 0), v.from_us, v.to_us FROM"
                                                  " unit_then v"
                                                  " WHERE v.unit = ?1 AND v.to_us > v.from_us AND sees(v.unit, 0, 0, 0) ORDER BY v.from_us",
                                              id, "s name s short_name s kind n parent t valid_from t valid_to"));
    json_object_set_new(o, "contacts", of_unit(db, "SELECT c.id, c.name, c.purpose, c.channel, c.value, c.is_24_7, c.from_us, c.to_us,"
                                                   " coalesce(c.verified_us, 0) FROM contact c WHERE c.unit = ?1 AND sees(c.unit,"
                                                   " c.tlp, c.audience,"
                                                   " 0) ORDER BY c.place, c.id LIMIT 200", id,
                                               "i id s name s purpose s channel s value b is_24_7 t valid_from t valid_to t verified_on"));
    struct db_statement *s = db_sql(db, "SELECT (SELECT count(*) FROM unit b WHERE b.parent = ?1 AND b.valid_to_us IS NULL AND"
                                        " sees(b.id, 0, 0, 0)),"
                                        " (SELECT count(*) FROM unit_prefix p WHERE p.unit = ?1 AND sees(p.unit, p.tlp, p.audience, 0)),"
                                        " (SELECT count(*) FROM system y WHERE y.unit = ?1 AND y.ended_us IS NULL AND sees(y.unit,"
                                        " y.tlp, y.audience,"
                                        " 0))");
    db_bind(s, 1, id);
    json_object_set_new(o, "counts", one_row(s, "i units i prefixes i systems"));
}

json_t *unit_tree_rows(struct db *db, int64_t at_us, int64_t parent, int64_t max)
{
    struct db_statement *s = db_sql(db, "SELECT v.unit, coalesce(v.parent, 0), v.name, v.short_name, v.kind, v.from_us, v.to_us FROM"
                                        " unit_then v WHERE"
                                        " v.from_us <= ?1 AND v.to_us > ?1 AND (?2 < 0 OR coalesce(v.parent, 0) = ?2) AND sees(v.unit,"
                                        " 0, 0, 0)"
                                        " ORDER BY v.name, v.unit LIMIT ?3");
    db_bind(s, 1, at_us);
    db_bind(s, 2, parent);
    db_bind(s, 3, max);
    return all_rows(s, "i id n parent s name s short_name s kind t valid_from t valid_to");
}

/*
 * each version is a row, in the columns of the import; who has no code is named by uuid; successors and other names stand at the last
 * version
 */
void unit_export(struct db *db, struct web_list *l)
{
    struct db_statement *s =
        db_sql(db,
               "SELECT v.unit, v.from_us, coalesce(nullif(u.code, ''), u.uuid), v.kind, v.name, v.short_name, CASE WHEN v.to_us ="
                   " coalesce(u.valid_to_us, " FOREVER ") THEN"
                   " (SELECT group_concat(a.name, '|') FROM unit_alias a WHERE a.unit = u.id AND a.kind = 'alias') END,"
                   " (SELECT coalesce(nullif(p.code, ''), p.uuid) FROM unit p WHERE p.id = v.parent AND sees(p.id, 0, 0, 0)),"
                   " v.from_us, v.to_us,"
                   " CASE WHEN v.to_us = coalesce(u.valid_to_us, " FOREVER ") THEN (SELECT group_concat(coalesce(nullif(n.code, ''),"
                                                                           " n.name), '|')"
                   " FROM unit_link k JOIN unit n ON n.id = k.later WHERE k.earlier = u.id AND sees(n.id, 0, 0, 0)) END,"
                   " u.is_body, u.has_own_node, u.source, u.note FROM unit_then v JOIN unit u ON u.id = v.unit WHERE v.to_us >"
                   " v.from_us AND"
                   " (v.unit, v.from_us) > (?1, ?2) AND sees(u.id, 0, 0, 0) ORDER BY v.unit, v.from_us LIMIT ?3");
    db_bind(s, 1, l->has_after ? l->after[0] : 0);
    db_bind(s, 2, l->has_after ? l->after[1] : 0);
    db_bind(s, 3, l->limit + 1);
    while (db_next(s))
        if (!web_list_add(l, row_json(s, "- - s code s kind s name s short_name s aliases s parent t valid_from t valid_to s"
                                         " successors b is_body"
                                         " b has_own_node s mark s note"),
                          db_int(s, 0), db_int(s, 1)))
            break;
    db_reset(s);
}

/* --- what belongs to units --------------------------------------------------------------------------------------- */

#define PREFIX_SHAPE "i id i version i unit s unit_name s prefix s kind l tlp t valid_from t valid_to s note s source"
#define PREFIX_SELECT \
    "SELECT p.id, p.version, p.unit, u.name, p.range, p.kind, p.tlp, p.from_us, p.to_us, p.note, p.source FROM unit_prefix p JOIN" \
    " unit u ON" \
    " u.id = p.unit "
#define HANDLE_SHAPE "i id i version i unit s unit_name s kind s value t valid_from t valid_to s note"
#define SYSTEM_SHAPE \
    "i id s uuid i version i unit s unit_name s name s kind n operator s exposure l tlp n level x level_number t level_decided_at x" \
    " level_body t ended_at" \
    " s note"
#define LEVEL(column) \
    "(SELECT " column " FROM system_level l WHERE l.system = y.id AND l.state IN ('approved', 'ended') ORDER BY l.decided_us DESC," \
                      " l.id DESC LIMIT 1)"
#define SYSTEM_SELECT \
    "SELECT y.id, y.uuid, y.version, y.unit, u.name, y.name, y.kind, coalesce(y.operator, 0), y.exposure, y.tlp," \
    LEVEL("CASE state WHEN 'approved' THEN level ELSE 0 END") "," LEVEL("number") "," LEVEL("decided_us") "," LEVEL("body") \
    ", coalesce(y.ended_us, 0), y.note FROM system y JOIN unit u ON u.id = y.unit "
#define CONTACT_SHAPE \
    "i id i version i unit s unit_name s name s purpose s channel s value i place b is_24_7 l tlp t valid_from t valid_to t" \
    " verified_on s verified_by s note"
#define CONTACT_SELECT \
    "SELECT c.id, c.version, c.unit, u.name, c.name, c.purpose, c.channel, c.value, c.place, c.is_24_7, c.tlp, c.from_us, c.to_us," \
    " coalesce(c.verified_us, 0), c.verified_by, c.note FROM contact c JOIN unit u ON u.id = c.unit "
#define PAGE(alias) " WHERE " alias ".id > ?1 AND " BELOW(alias ".unit", \
                                                          2) " AND (?3 = 0 OR (" alias ".from_us <= ?3 AND " alias ".to_us > ?3))" \
    " AND sees(" alias ".unit, " alias ".tlp, " alias ".audience, " alias ".id) ORDER BY " alias ".id LIMIT ?4"
#define ONE(alias) " WHERE " alias ".id = ?1 AND sees(" alias ".unit, " alias ".tlp, " alias ".audience, " alias ".id)"

static const struct owned {
    const char *kind, *page, *one, *shape;
} owned[] = {
    {"prefix", PREFIX_SELECT PAGE("p"), PREFIX_SELECT ONE("p"), PREFIX_SHAPE},
    {"handle",
     "SELECT h.id, h.version, h.unit, u.name, h.kind, h.value, h.from_us, h.to_us, h.note FROM unit_handle h JOIN unit u ON u.id ="
     " h.unit" PAGE("h"),
     "SELECT h.id, h.version, h.unit, u.name, h.kind, h.value, h.from_us, h.to_us, h.note FROM unit_handle h JOIN unit u ON u.id ="
     " h.unit" ONE("h"),
     HANDLE_SHAPE},
    {"system",
     SYSTEM_SELECT " WHERE y.id > ?1 AND " BELOW("y.unit", 2) " AND (?3 = 0 OR y.ended_us IS NULL OR y.ended_us > ?3) AND sees(y.unit,"
                                                              " y.tlp,"
     " y.audience, y.id) ORDER BY y.id LIMIT ?4", SYSTEM_SELECT ONE("y"), SYSTEM_SHAPE},
    {"contact", CONTACT_SELECT PAGE("c"), CONTACT_SELECT ONE("c"), CONTACT_SHAPE},
};

static const struct owned *find_owned(const char *kind)
{
    for (size_t i = 0; i < sizeof(owned) / sizeof(*owned); i++)
        if (!strcmp(owned[i].kind, kind))
            return &owned[i];
    return &owned[0];
}

void owned_list(struct db *db, const char *kind, int64_t below, int64_t at_us, struct web_list *l)
{
    const struct owned *o = find_owned(kind);
    struct db_statement *s = db_sql(db, o->page);
    db_bind(s, 1, l->has_after ? l->after[0] : 0);
    db_bind(s, 2, below);
    db_bind(s, 3, at_us);
    db_bind(s, 4, l->limit + 1);
    fill(s, l, o->shape);
}

json_t *owned_show(struct db *db, const char *kind, int64_t id)
{
    const struct owned *o = find_owned(kind);
    struct db_statement *s = db_sql(db, o->one);
    db_bind(s, 1, id);
    return one_row(s, o->shape);
}

json_t *system_levels(struct db *db, int64_t system)
{
    return of_unit(db, "SELECT l.id, l.level, l.state, l.number, l.decided_us, l.body, l.law, l.note, l.entered_us FROM system_level l"
                       " JOIN system y ON"
                       " y.id = l.system WHERE l.system = ?1 AND sees(y.unit, y.tlp, y.audience, y.id) ORDER BY l.decided_us DESC,"
                       " l.id DESC",
                   system, "i id i level s state s number t decided_at s body s law s note t entered_at");
}

/* --- the queue of names ------------------------------------------------------------------------------------------ */

#define TEXT_SHAPE "i id i version n unit s text s source t at i n_seen t first_at t last_at s state n means x means_name t decided_at" \
                   " s decided_by"
#define TEXT_SELECT \
    "SELECT t.id, t.version, t.unit, t.text, t.source, t.at_us, t.n_seen, t.first_us, t.last_us, t.state, coalesce(t.means, 0)," \
    " (SELECT u.name FROM unit u WHERE u.id = t.means AND sees(u.id, 0, 0, 0)), coalesce(t.decided_us, 0), t.decided_by FROM unit_text t "

void unit_text_list(struct db *db, const char *state, struct web_list *l)
{
    struct db_statement *s = db_sql(db, TEXT_SELECT "WHERE t.id > ?1 AND (?2 = '' OR t.state = ?2) AND sees(t.unit, 0, 0, t.id) ORDER"
                                                    " BY t.id LIMIT ?3");
    db_bind(s, 1, l->has_after ? l->after[0] : 0);
    db_bind_str(s, 2, state ? state : "");
    db_bind(s, 3, l->limit + 1);
    fill(s, l, TEXT_SHAPE);
}

json_t *unit_text_show(struct db *db, int64_t id)
{
    struct db_statement *s = db_sql(db, TEXT_SELECT "WHERE t.id = ?1 AND sees(t.unit, 0, 0, t.id)");
    db_bind(s, 1, id);
    return one_row(s, TEXT_SHAPE);
}
