/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/asset/asset_list_db.h"

#include "desk/unit/desk_api.h"
#include "desk/unit/row_json.h"

#include <string.h>

enum { FOUND_MAX = 2000, PREVIEW_ADDRESSES = 4 };

/* --- a row ------------------------------------------------------------------------------------------------------- */

#define SHAPE \
    "i id - s uuid i version n unit x unit_name x unit_waiting s name i kind s os n system x system_name i exposure n level i" \
    " protection s product" \
    " t protection_at i list_hits i open_vulnerabilities b is_managed t first_seen_at t last_seen_at i last_source s last_by l tlp s" \
    " note t ended_at" \
    " s ended_why n became"
#define COLUMNS \
    "SELECT m.id, m.last_us, m.uuid, m.version, coalesce(m.unit, 0), u.name, t.text, m.name, m.kind, m.os, coalesce(m.system, 0)," \
    " y.name, m.exposure," \
    " coalesce((SELECT CASE l.state WHEN 'approved' THEN l.level ELSE 0 END FROM system_level l WHERE l.system = m.system AND l.state IN" \
    " ('approved', 'ended') ORDER BY l.decided_us DESC, l.id DESC LIMIT 1), 0), m.protection, m.product, coalesce(m.protection_us, 0)," \
    " m.list_hits, m.open_vulnerabilities, m.is_managed, m.first_us, m.last_us, m.last_source, m.last_by, m.tlp, m.note," \
    " coalesce(m.ended_us, 0)," \
    " m.ended_why, coalesce(m.became, 0) FROM "
#define JOINS \
    " LEFT JOIN unit u ON u.id = m.unit LEFT JOIN unit_text t ON t.id = m.unit_text LEFT JOIN system y ON y.id = m.system AND" \
    " sees(y.unit, y.tlp, y.audience, 0) "
#define SEEN " sees(m.unit, m.tlp, m.audience, m.id) "

static void take_number(json_t *o, const char *name, int64_t *ret)
{
    *ret = json_integer_value(json_object_get(o, name));
}

/* words for numbers, and the protection as one object */
static json_t *dress(json_t *o)
{
    int64_t kind, exposure, protection, source;
    if (!o)
        return NULL;
    take_number(o, "kind", &kind);
    take_number(o, "exposure", &exposure);
    take_number(o, "protection", &protection);
    take_number(o, "last_source", &source);
    json_object_set_new(o, "kind", json_string(machine_kind_names[kind]));
    json_object_set_new(o, "exposure", json_string(machine_exposure_names[exposure]));
    json_object_set_new(o, "last_seen_by", json_string(machine_source_names[source]));
    json_object_del(o, "last_source");
    json_object_set_new(o, "protection", protection ? json_pack("{s:s, s:O, s:O}", "state", machine_protection_names[protection], "product",
                                                                json_object_get(o, "product"), "last_contact_at", json_object_get(o,
                                                                        "protection_at"))
                                                    : json_null());
    json_object_del(o, "product");
    json_object_del(o, "protection_at");
    return o;
}

/* add_keys - names and addresses of one machine, the newest @max of each */
static void add_keys(struct db *db, json_t *o, int64_t id, int64_t max)
{
    json_t *names = json_array(), *addresses = json_array();
    struct db_statement *s = db_sql(db, "SELECT value FROM machine_key WHERE machine = ?1 AND kind = 3 ORDER BY last_us DESC, id DESC"
                                        " LIMIT ?2"
                                        " /* system: of a machine that sees() has shown */");
    db_bind(s, 1, id);
    db_bind(s, 2, max);
    while (names && db_next(s))
        json_array_append_new(names, web_string(db_text(s, 0)));
    s = db_sql(db, "SELECT value, first_us, last_us, source FROM machine_key WHERE machine = ?1 AND kind = 4 ORDER BY last_us DESC, id"
                   " DESC LIMIT ?2"
                   " /* system: of a machine that sees() has shown */");
    db_bind(s, 1, id);
    db_bind(s, 2, max);
    while (addresses && db_next(s))
        json_array_append_new(addresses, json_pack("{s:o, s:o, s:o, s:s}", "ip", web_string(db_text(s, 0)), "first_at",
                                                   web_time(db_int(s, 1)), "last_at",
                                                   web_time(db_int(s, 2)), "seen_by", machine_source_names[db_int(s, 3)]));
    json_object_set_new(o, "names", names);
    json_object_set_new(o, "addresses", addresses);
}

static void fill(struct db *db, struct db_statement *s, struct web_list *l)
{
    while (db_next(s)) {
        int64_t id = db_int(s, 0), last_us = db_int(s, 1);
        json_t *o = dress(row_json(s, SHAPE));
        if (o && l->n < l->limit)
            add_keys(db, o, id, PREVIEW_ADDRESSES);
        if (!web_list_add(l, o, last_us, id))
            break;
    }
    db_reset(s);
}

/* --- the list ---------------------------------------------------------------------------------------------------- */

#define BELOW \
    "(?3 = 0 OR m.unit IN (WITH RECURSIVE below(id) AS (SELECT ?3 UNION SELECT c.id FROM unit c JOIN below ON c.parent = below.id)" \
    " SELECT id FROM" \
    " below))"
/* every filter is asked whatever the index is; those the index answers cost nothing more */
#define FILTERS \
    " AND (m.last_us, m.id) < (?1, ?2) AND " BELOW " AND (?4 < 0 OR m.kind = ?4) AND (?5 < 0 OR m.protection = ?5) AND (?6 < 0 OR" \
                                                   " m.exposure = ?6)" \
    " AND (?7 < 0 OR m.is_managed = ?7) AND (?8 = 0 OR m.system = ?8) AND" SEEN "ORDER BY m.last_us DESC, m.id DESC LIMIT ?9"
#define OF(index) COLUMNS "machine m INDEXED BY " index JOINS "WHERE m.ended_us IS NULL"

static const char BY_TIME[] = OF("machine_by_time") FILTERS;
static const char BY_KIND[] = OF("machine_by_kind") " AND m.kind = ?4" FILTERS;
static const char BY_PROTECTION[] = OF("machine_by_protection") " AND m.protection = ?5" FILTERS;
static const char BY_EXPOSURE[] = OF("machine_by_exposure") " AND m.exposure = ?6" FILTERS;
static const char BY_MANAGED[] = OF("machine_by_managed") " AND m.is_managed = ?7" FILTERS;
static const char BY_SYSTEM[] = OF("machine_by_system") " AND m.system = ?8 AND m.system IS NOT NULL" FILTERS;
static const char BY_UNITS[] = OF("machine_by_unit") " AND m.unit IN (SELECT value FROM json_each(?10))" FILTERS;
static const char BY_BELOW[] = OF("machine_by_unit") " AND m.unit IN (WITH RECURSIVE few(id) AS (SELECT ?3 UNION SELECT c.id FROM unit c"
                                                     " JOIN few ON c.parent = few.id) SELECT id FROM few)" FILTERS;
static const char BY_IDS[] = COLUMNS "machine m" JOINS "WHERE m.ended_us IS NULL AND m.id IN (SELECT value FROM json_each(?10))" FILTERS;
static const char ENDED[] = COLUMNS "machine m" JOINS "WHERE m.ended_us IS NOT NULL" FILTERS;

/* has_few_below - then their machines are few too, and are sorted faster than all others are passed over. */
static bool has_few_below(struct db *db, int64_t unit)
{
    enum { FEW_UNITS = 64 };
    struct db_statement *s = db_sql(db, "WITH RECURSIVE below(id) AS (SELECT ?1 UNION SELECT c.id FROM unit c JOIN below ON c.parent ="
                                        " below.id)"
                                        " SELECT count(*) FROM (SELECT 1 FROM below LIMIT ?2) /* system: chooses an index, shows"
                                        " nothing */");
    db_bind(s, 1, unit);
    db_bind(s, 2, FEW_UNITS + 1);
    bool is = db_next(s) && db_int(s, 0) <= FEW_UNITS;
    db_reset(s);
    return is;
}

/* way_of - the statement whose index leaves the fewest rows to look at; *@ret_ids is what ?10 holds. Rare values stand first. */
static const char *way_of(struct db *db, const struct machine_filter *f, struct text *ret_ids)
{
    *ret_ids = f->ids.n ? f->ids : f->units;
    if (f->has_ended)
        return ENDED;
    if (f->ids.n)
        return BY_IDS;
    if (!f->is_wide)
        return BY_UNITS;
    if (f->below && has_few_below(db, f->below))
        return BY_BELOW;
    if (f->system)
        return BY_SYSTEM;
    if (f->protection >= 0)
        return BY_PROTECTION;
    if (f->kind >= 0)
        return BY_KIND;
    if (f->exposure >= 0)
        return BY_EXPOSURE;
    return f->is_managed >= 0 ? BY_MANAGED : BY_TIME;
}

void machine_list(struct db *db, const struct machine_filter *f, struct web_list *l)
{
    struct text ids;
    const char *way = way_of(db, f, &ids);
    struct db_statement *s = db_sql(db, way);
    db_bind(s, 1, l->has_after ? l->after[0] : INT64_MAX);
    db_bind(s, 2, l->has_after ? l->after[1] : INT64_MAX);
    db_bind(s, 3, f->below);
    db_bind(s, 4, f->kind);
    db_bind(s, 5, f->protection);
    db_bind(s, 6, f->exposure);
    db_bind(s, 7, f->is_managed);
    db_bind(s, 8, f->system);
    db_bind(s, 9, l->limit + 1);
    if (way == BY_UNITS || way == BY_IDS)
        db_bind_text(s, 10, ids);
    fill(db, s, l);
}

struct text machine_search(const struct web_request *q, struct text text)
{
    char low[IDENTITY_KEY_BYTES], high[IDENTITY_KEY_BYTES + 4];
    int64_t *ids = arena_alloc(q->arena, FOUND_MAX * sizeof(*ids));
    size_t n = 0;
    if (!ids || !text.n || text.n >= sizeof(low))
        return TEXT("[]");
    for (size_t i = 0; i < text.n; i++)
        low[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? (char)(text.p[i] + 32) : text.p[i];
    memcpy(high, low, text.n);
    memcpy(high + text.n, "\xf4\x8f\xbf\xbf", 4); /* U+10FFFF: behind everything that begins so */
    for (int kind = 0; kind < IDENTITY_N_KEYS && n < FOUND_MAX; kind++) {
        struct db_statement *s = db_sql(q->db, "SELECT DISTINCT k.machine FROM machine_key k JOIN machine m ON m.id = k.machine WHERE"
                                               " k.kind = ?1 AND"
                                               " k.value >= ?2 AND k.value < ?3 AND" SEEN "LIMIT ?4");
        db_bind(s, 1, kind);
        db_bind_text(s, 2, (struct text){low, text.n});
        db_bind_text(s, 3, (struct text){high, text.n + 4});
        db_bind(s, 4, (int64_t)(FOUND_MAX - n));
        while (n < FOUND_MAX && db_next(s))
            ids[n++] = db_int(s, 0);
        db_reset(s);
    }
    return desk_ids(q, ids, n);
}

/* --- one --------------------------------------------------------------------------------------------------------- */

json_t *machine_show(struct db *db, int64_t id)
{
    struct db_statement *s = db_sql(db, COLUMNS "machine m" JOINS "WHERE m.id = ?1 AND" SEEN);
    db_bind(s, 1, id);
    json_t *o = db_next(s) ? dress(row_json(s, SHAPE)) : NULL;
    db_reset(s);
    if (o)
        add_keys(db, o, id, 200);
    return o;
}

void machine_show_more(struct db *db, int64_t id, json_t *o)
{
    json_t *keys = json_array(), *links = json_array();
    struct db_statement *s = db_sql(db, "SELECT id, kind, value, first_us, last_us, source, seen_by, coalesce(came_from, 0) FROM"
                                        " machine_key WHERE"
                                        " machine = ?1 ORDER BY kind, last_us DESC LIMIT 500 /* system: of a machine that sees() has"
                                        " shown */");
    db_bind(s, 1, id);
    while (keys && db_next(s)) {
        json_t *one = row_json(s, "i id i kind s value t first_at t last_at i source s seen_by n came_from");
        json_object_set_new(one, "kind", json_string(identity_key_name((enum identity_kind)db_int(s, 1))));
        json_object_set_new(one, "source", json_string(machine_source_names[db_int(s, 5)]));
        json_array_append_new(keys, one);
    }
    s = db_sql(db, "SELECT l.id, m.id, m.name, l.kind, l.state, l.at_us FROM machine_link l JOIN machine m ON m.id = CASE WHEN"
                   " l.machine = ?1 THEN"
                   " l.other ELSE l.machine END WHERE (l.machine = ?1 OR l.other = ?1) AND" SEEN "ORDER BY l.id LIMIT 200");
    db_bind(s, 1, id);
    while (links && db_next(s))
        json_array_append_new(links, row_json(s, "i id i machine s name s kind s state t at"));
    json_object_set_new(o, "keys", keys);
    json_object_set_new(o, "links", links);
}

json_t *machine_story(struct db *db, int64_t id)
{
    json_t *rows = json_array();
    struct db_statement *s = db_sql(db, "SELECT e.id, e.at_us, e.event, e.source, e.detail, e.machine FROM machine_event e JOIN"
                                        " machine m ON m.id ="
                                        " e.machine WHERE (m.id = ?1 OR m.became = ?1) AND" SEEN "ORDER BY e.at_us DESC, e.id DESC"
                                                                                                 " LIMIT 500");
    db_bind(s, 1, id);
    while (rows && db_next(s)) {
        json_t *one = row_json(s, "i id t at s event i source s detail i machine");
        json_object_set_new(one, "source", json_string(machine_source_names[db_int(s, 3)]));
        json_array_append_new(rows, one);
    }
    db_reset(s);
    return rows;
}

/* --- denominators ------------------------------------------------------------------------------------------------ */

/* groups are asked, not machines: all of one group are seen or none; machines granted singly are not counted */
#define GROUPS \
    "SELECT kind, protection, is_managed, exposure, n, unit FROM (SELECT m.unit, m.tlp, m.audience, m.kind, m.protection," \
    " m.is_managed, m.exposure," \
    " count(*) AS n FROM machine m WHERE m.ended_us IS NULL AND " BELOW " GROUP BY m.unit, m.tlp, m.audience, m.kind, m.protection," \
                                                                        " m.is_managed," \
    " m.exposure) WHERE sees(unit, tlp, audience, 0)"

static void put_counts(json_t *o, const char *name, const char *const *words, const int64_t *n, int n_words)
{
    json_t *all = json_object();
    for (int i = 0; i < n_words; i++)
        json_object_set_new(all, words[i], json_integer(n[i]));
    json_object_set_new(o, name, all);
}

json_t *machine_counts(struct db *db, int64_t below)
{
    int64_t kinds[MACHINE_N_KINDS] = {0}, protections[PROTECTION_N] = {0}, exposures[EXPOSURE_N] = {0}, managed[2] = {0}, total = 0;
    static const char *const managed_words[] = {"unmanaged", "managed"};
    struct db_statement *s = db_sql(db, GROUPS);
    db_bind(s, 3, below);
    while (db_next(s)) {
        int64_t n = db_int(s, 4);
        kinds[db_int(s, 0)] += n;
        protections[db_int(s, 1)] += n;
        managed[db_int(s, 2) != 0] += n;
        exposures[db_int(s, 3)] += n;
        total += n;
    }
    json_t *o = json_pack("{s:I, s:s}", "total", (json_int_t)total, "counting_unit", "machine");
    put_counts(o, "kind", machine_kind_names, kinds, MACHINE_N_KINDS);
    put_counts(o, "protection", machine_protection_names, protections, PROTECTION_N);
    put_counts(o, "exposure", machine_exposure_names, exposures, EXPOSURE_N);
    put_counts(o, "management", managed_words, managed, 2);
    return o;
}

json_t *machine_counts_by_unit(struct db *db, int64_t below)
{
    json_t *rows = json_array();
    struct db_statement *s =
        db_sql(db, "SELECT g.unit, u.name, sum(n), sum(n * (g.kind = 1)), sum(n * (g.kind = 2)), sum(n * (protection = 1)), sum(n *"
                   " (is_managed = 0)) FROM ("
                   GROUPS ") g LEFT JOIN unit u ON u.id = g.unit GROUP BY g.unit ORDER BY sum(n) DESC LIMIT 1000");
    db_bind(s, 3, below);
    while (rows && db_next(s))
        json_array_append_new(rows, row_json(s, "n unit x unit_name i total i servers i workstations i protected i unmanaged"));
    db_reset(s);
    return rows;
}

void machine_links(struct db *db, struct web_list *l)
{
    struct db_statement *s =
        db_sql(db, "SELECT l.id, l.kind, l.at_us, m.id, m.name, o.id, o.name FROM machine_link l INDEXED BY machine_link_open JOIN"
                   " machine m ON m.id ="
                   " l.machine JOIN machine o ON o.id = l.other WHERE l.state = 'open' AND l.id > ?1 AND" SEEN
                   "AND sees(o.unit, o.tlp, o.audience, o.id) ORDER BY l.id LIMIT ?2");
    db_bind(s, 1, l->has_after ? l->after[0] : 0);
    db_bind(s, 2, l->limit + 1);
    while (db_next(s))
        if (!web_list_add(l, row_json(s, "i id s kind t at i machine s machine_name i other s other_name"), db_int(s, 0), 0))
            break;
    db_reset(s);
}
