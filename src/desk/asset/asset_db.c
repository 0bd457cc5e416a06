/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/asset/asset_own.h"

#include "base/uuid.h"

#include <errno.h>
#include <string.h>

enum { KNOWN_OF_A_KEY = 24 };

#define X(ID, word) word,
const char *const machine_source_names[MACHINE_N_SOURCES] = {MACHINE_SOURCES(X)};
#undef X
#define X(ID, word, words) word,
const char *const machine_kind_names[MACHINE_N_KINDS] = {MACHINE_KINDS(X)};
const char *const machine_protection_names[PROTECTION_N] = {MACHINE_PROTECTIONS(X)};
const char *const machine_exposure_names[EXPOSURE_N] = {MACHINE_EXPOSURES(X)};
#undef X
#define X(ID, word, words) words,
const char *const machine_kind_choices[MACHINE_N_KINDS] = {MACHINE_KINDS(X)};
const char *const machine_protection_choices[PROTECTION_N] = {MACHINE_PROTECTIONS(X)};
const char *const machine_exposure_choices[EXPOSURE_N] = {MACHINE_EXPOSURES(X)};
#undef X

static void bind_id(struct db_statement *s, int i, int64_t id)
{
    if (id)
        db_bind(s, i, id);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

#define ROW \
    "SELECT id, version, coalesce(unit, 0), tlp, coalesce(system, 0), last_us, coalesce(protection_us, 0), kind, exposure, protection," \
    " is_managed, ended_us IS NOT NULL, os <> '', product <> '', last_source, coalesce(unit_text, 0) FROM machine WHERE id = ?1"

int machine_row_get(struct db *db, int64_t id, bool is_system, struct machine_row *ret)
{
    struct db_statement *s = is_system ? db_sql(db, ROW " /* system: who may was asked, or nothing is shown */")
                                       : db_sql(db, ROW " AND sees(unit, tlp, audience, id)");
    db_bind(s, 1, id);
    if (!db_next(s))
        return MACHINE_NO_SUCH;
    *ret = (struct machine_row){.id = db_int(s, 0), .version = db_int(s, 1), .unit = db_int(s, 2), .tlp = db_int(s, 3), .system =
                                db_int(s, 4),
                                .last_us = db_int(s, 5), .protection_us = db_int(s, 6), .kind = (enum machine_kind)db_int(s, 7),
                                .exposure = (enum machine_exposure)db_int(s, 8), .protection = (enum machine_protection)db_int(s, 9),
                                .is_managed = db_int(s, 10), .is_ended = db_int(s, 11), .has_os = db_int(s, 12),
                                .has_product = db_int(s, 13), .last_source = db_int(s, 14), .unit_text = db_int(s, 15)};
    db_reset(s);
    return 0;
}

static bool has_machine(const struct identity_known *all, int n, int64_t id)
{
    for (int i = 0; i < n; i++)
        if (all[i].machine == id)
            return true;
    return false;
}

static int read_keys(struct db *db, int64_t machine, struct arena *arena, struct identity_known *k)
{
    struct identity_key *keys = arena_alloc(arena, MACHINE_KEYS_READ * sizeof(*keys));
    struct db_statement *s = db_sql(db, "SELECT kind, value, first_us, last_us FROM machine_key WHERE machine = ?1 ORDER BY kind,"
                                        " last_us DESC"
                                        " LIMIT ?2 /* system: compared, never shown */");
    db_bind(s, 1, machine);
    db_bind(s, 2, MACHINE_KEYS_READ);
    while (keys && k->n < MACHINE_KEYS_READ && db_next(s)) {
        struct text t = db_text(s, 1);
        char *p = arena_text(arena, t.p, t.n);
        if (!p)
            return -ENOMEM;
        keys[k->n++] = (struct identity_key){(enum identity_kind)db_int(s, 0), {p, t.n}, db_int(s, 2), db_int(s, 3)};
    }
    db_reset(s);
    k->keys = keys;
    return keys ? 0 : -ENOMEM;
}

#define KNOWN \
    "SELECT m.id, coalesce(m.unit, 0), m.last_us FROM machine_key k JOIN machine m ON m.id = k.machine WHERE k.kind = ?1 AND k.value" \
    " = ?2 AND" \
    " m.ended_us IS NULL "
#define NEWEST "ORDER BY k.last_us DESC LIMIT ?3"

int machine_known(struct db *db, const struct identity_sighting *s, bool only_seen, struct arena *arena, struct identity_known *ret)
{
    int n = 0;
    for (int kind = 0; kind < IDENTITY_N_KEYS; kind++) {
        if (!s->keys[kind].n)
            continue;
        struct db_statement *q = only_seen ? db_sql(db, KNOWN "AND sees(m.unit, m.tlp, m.audience, m.id) " NEWEST)
                                           : db_sql(db, KNOWN NEWEST " /* system: compared, never shown */");
        db_bind(q, 1, kind);
        db_bind_text(q, 2, s->keys[kind]);
        db_bind(q, 3, KNOWN_OF_A_KEY);
        while (n < (int)IDENTITY_KNOWN_MAX && db_next(q))
            if (!has_machine(ret, n, db_int(q, 0)))
                ret[n++] = (struct identity_known){.machine = db_int(q, 0), .unit = db_int(q, 1), .last_us = db_int(q, 2)};
        db_reset(q);
    }
    for (int i = 0; i < n; i++)
        if (read_keys(db, ret[i].machine, arena, &ret[i]))
            return -ENOMEM;
    return n;
}

/* --- a sighting -------------------------------------------------------------------------------------------------- */

static bool is_managing(enum machine_source s)
{
    return s == MACHINE_BY_AGENT || s == MACHINE_BY_ANTIVIRUS || s == MACHINE_BY_INVENTORY || s == MACHINE_BY_PERSON;
}

int64_t machine_insert(struct db *db, const struct machine_sighting *m, struct text name, const struct unit_actor *by)
{
    char uuid[UUID_TEXT_MAX] = "";
    (void)uuid7_make(by->now_us, uuid);
    struct db_statement *s =
        db_sql(db, "INSERT INTO machine(uuid, unit, name, kind, os, system, exposure, protection, product, protection_us, is_managed,"
                   " first_us,"
                   " last_us, last_source, last_by, unit_text, note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12,"
                   " ?13, ?14, ?15, ?16)");
    db_bind_str(s, 1, uuid);
    bind_id(s, 2, m->unit);
    db_bind_text(s, 3, name);
    db_bind(s, 4, m->kind);
    db_bind_text(s, 5, m->os);
    bind_id(s, 6, m->system);
    db_bind(s, 7, m->exposure);
    db_bind(s, 8, m->protection);
    db_bind_text(s, 9, m->product);
    if (m->protection)
        db_bind(s, 10, m->protection_us ? m->protection_us : m->at_us);
    db_bind(s, 11, is_managing(m->source));
    db_bind(s, 12, m->at_us);
    db_bind(s, 13, m->source);
    db_bind_text(s, 14, m->seen_by);
    bind_id(s, 15, m->unit_text);
    db_bind_text(s, 16, m->note);
    db_done(s);
    return db_new_id(db);
}

/* takes - may this source replace a value that is there? People and inventories say what a machine is; others only fill gaps. */
static bool takes(const struct machine_sighting *m, bool is_set)
{
    return !is_set || m->source == MACHINE_BY_INVENTORY || m->source == MACHINE_BY_PERSON;
}

bool machine_touch(struct db *db, const struct machine_row *old, const struct machine_sighting *m)
{
    enum machine_kind kind = m->kind && takes(m, old->kind) ? m->kind : old->kind;
    enum machine_exposure exposure = m->exposure && takes(m, old->exposure) ? m->exposure : old->exposure;
    int64_t system = m->system && takes(m, old->system) ? m->system : old->system;
    int64_t unit = m->unit && takes(m, old->unit) && !m->unit_text ? m->unit : old->unit;
    int64_t at_us = m->protection_us ? m->protection_us : m->at_us;
    bool is_later = m->protection && at_us >= old->protection_us, is_last = m->at_us >= old->last_us;
    struct db_statement *s =
        db_sql(db, "UPDATE machine SET kind = ?2, exposure = ?3, system = ?4, unit = ?5, protection = ?6, protection_us = ?7, product ="
                   " CASE WHEN ?8 <> '' THEN ?8 ELSE product END, os = CASE WHEN ?9 <> '' THEN ?9 ELSE os END, is_managed = is_managed"
                   " OR ?10,"
                   " first_us = min(first_us, ?11), last_us = max(last_us, ?11), last_source = CASE WHEN ?12 THEN ?13 ELSE last_source END,"
                   " last_by = CASE WHEN ?12 THEN ?14 ELSE last_by END, unit_text = ?15 WHERE id = ?1 /* system: a sighting shows"
                   " nothing */");
    db_bind(s, 1, old->id);
    db_bind(s, 2, kind);
    db_bind(s, 3, exposure);
    bind_id(s, 4, system);
    bind_id(s, 5, unit);
    db_bind(s, 6, is_later ? m->protection : old->protection);
    bind_id(s, 7, is_later ? at_us : old->protection_us);
    db_bind_text(s, 8, is_later || !old->has_product ? m->product : TEXT(""));
    db_bind_text(s, 9, takes(m, old->has_os) || m->source == MACHINE_BY_AGENT ? m->os : TEXT(""));
    db_bind(s, 10, is_managing(m->source));
    db_bind(s, 11, m->at_us);
    db_bind(s, 12, is_last);
    db_bind(s, 13, m->source);
    db_bind_text(s, 14, m->seen_by);
    bind_id(s, 15, m->unit_text && !old->unit ? m->unit_text : unit != old->unit ? 0 : old->unit_text);
    db_done(s);
    return kind != old->kind || exposure != old->exposure || system != old->system || unit != old->unit;
}

void machine_rename(struct db *db, int64_t id, struct text name)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET name = ?2 WHERE id = ?1 /* system: part of a sighting or of a change */");
    db_bind(s, 1, id);
    db_bind_text(s, 2, name);
    db_done(s);
}

bool machine_key_put(struct db *db, int64_t machine, enum identity_kind kind, struct text value, const struct machine_sighting *m)
{
    struct db_statement *s = db_sql(db, "UPDATE machine_key SET first_us = min(first_us, ?4), source = CASE WHEN last_us <= ?4 THEN ?5"
                                        " ELSE source"
                                        " END, seen_by = CASE WHEN last_us <= ?4 THEN ?6 ELSE seen_by END, last_us = max(last_us, ?4)"
                                        " WHERE machine = ?1 AND kind = ?2 AND value = ?3 /* system: part of a sighting */");
    db_bind(s, 1, machine);
    db_bind(s, 2, kind);
    db_bind_text(s, 3, value);
    db_bind(s, 4, m->at_us);
    db_bind(s, 5, m->source);
    db_bind_text(s, 6, m->seen_by);
    if (db_done(s) || db_failed(db))
        return false;
    s = db_sql(db, "INSERT INTO machine_key(machine, kind, value, first_us, last_us, source, seen_by) VALUES(?1, ?2, ?3, ?4, ?4, ?5, ?6)");
    db_bind(s, 1, machine);
    db_bind(s, 2, kind);
    db_bind_text(s, 3, value);
    db_bind(s, 4, m->at_us);
    db_bind(s, 5, m->source);
    db_bind_text(s, 6, m->seen_by);
    db_done(s);
    return true;
}

void machine_event_add(struct db *db, int64_t machine, int64_t at_us, const char *event, int64_t source, struct text detail)
{
    struct db_statement *s = db_sql(db, "INSERT INTO machine_event(machine, at_us, event, source, detail) VALUES(?1, ?2, ?3, ?4, ?5)");
    db_bind(s, 1, machine);
    db_bind(s, 2, at_us);
    db_bind_str(s, 3, event);
    db_bind(s, 4, source);
    db_bind_text(s, 5, detail);
    db_done(s);
}

/* --- links, ends, moves ------------------------------------------------------------------------------------------ */

bool machine_link_add(struct db *db, int64_t machine, int64_t other, const char *kind, const char *state, int64_t at_us)
{
    struct db_statement *s = db_sql(db, "INSERT INTO machine_link(machine, other, kind, state, at_us) SELECT ?1, ?2, ?3, ?4, ?5 WHERE"
                                        " NOT EXISTS"
                                        "(SELECT 1 FROM machine_link WHERE machine = ?2 AND other = ?1 AND kind = ?3)"
                                        " ON CONFLICT(machine, other, kind) DO NOTHING");
    db_bind(s, 1, machine);
    db_bind(s, 2, other);
    db_bind_str(s, 3, kind);
    db_bind_str(s, 4, state);
    db_bind(s, 5, at_us);
    return db_done(s) > 0;
}

void machine_finish(struct db *db, int64_t id, int64_t at_us, const char *why, int64_t became)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET version = version + 1, ended_us = ?2, ended_why = ?3, became = ?4 WHERE id = ?1"
                                        " /* system: the rules of identity, or a change whose asker was asked */");
    db_bind(s, 1, id);
    db_bind(s, 2, at_us);
    db_bind_str(s, 3, why);
    bind_id(s, 4, became);
    db_done(s);
}

void machine_revive(struct db *db, int64_t id)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET version = version + 1, ended_us = NULL, ended_why = '', became = NULL"
                                        " WHERE id = ?1"
                                        " /* system: part of a split */");
    db_bind(s, 1, id);
    db_done(s);
}

void machine_bump(struct db *db, int64_t id)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET version = version + 1 WHERE id = ?1 /* system: part of a change */");
    db_bind(s, 1, id);
    db_done(s);
}

void machine_move(struct db *db, int64_t from, int64_t into)
{
    static const char *const steps[] = {
        "INSERT INTO machine_key(machine, kind, value, first_us, last_us, source, seen_by, came_from) SELECT ?2, kind, value,"
        " first_us, last_us,"
        " source, seen_by, ?1 FROM machine_key WHERE machine = ?1 ON CONFLICT(machine, kind, value) DO UPDATE SET first_us = min(first_us,"
        " excluded.first_us), last_us = max(last_us, excluded.last_us) /* system: part of a merge */",
        "DELETE FROM machine_key WHERE machine = ?1 AND ?2 > 0 /* system: part of a merge */",
        "UPDATE machine_link SET state = 'same' WHERE state = 'open' AND ((machine = ?1 AND other = ?2) OR (machine = ?2 AND other = ?1))"
        " /* system: part of a merge */",
        "UPDATE machine SET list_hits = list_hits + (SELECT list_hits FROM machine WHERE id = ?1), is_managed = is_managed OR (SELECT"
        " is_managed"
        " FROM machine WHERE id = ?1) WHERE id = ?2 /* system: part of a merge */",
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct db_statement *s = db_sql(db, steps[i]);
        db_bind(s, 1, from);
        db_bind(s, 2, into);
        db_done(s);
    }
}

bool machine_move_key(struct db *db, int64_t key, int64_t from, int64_t to)
{
    struct db_statement *s = db_sql(db, "UPDATE machine_key SET machine = ?3, came_from = NULL WHERE id = ?1 AND machine = ?2 /*"
                                        " system: part of a split */");
    db_bind(s, 1, key);
    db_bind(s, 2, from);
    db_bind(s, 3, to);
    return db_done(s) > 0;
}

int64_t machine_move_back(struct db *db, int64_t from, int64_t of)
{
    struct db_statement *s = db_sql(db, "UPDATE machine_key SET machine = ?2, came_from = NULL WHERE machine = ?1 AND came_from = ?2"
                                        " /* system: part of a split */");
    db_bind(s, 1, from);
    db_bind(s, 2, of);
    return db_done(s);
}

int64_t machine_copy(struct db *db, int64_t from, const struct unit_actor *by)
{
    char uuid[UUID_TEXT_MAX] = "";
    (void)uuid7_make(by->now_us, uuid);
    struct db_statement *s = db_sql(db, "INSERT INTO machine(uuid, unit, tlp, audience, name, kind, os, system, exposure, protection,"
                                        " product,"
                                        " protection_us, is_managed, first_us, last_us, last_source, last_by, note) SELECT ?2, unit,"
                                        " tlp, audience,"
                                        " name, kind, os, system, exposure, 0, '', NULL, is_managed, first_us, last_us, last_source,"
                                        " last_by, ''"
                                        " FROM machine WHERE id = ?1 AND sees(unit, tlp, audience, id)");
    db_bind(s, 1, from);
    db_bind_str(s, 2, uuid);
    db_done(s);
    return db_new_id(db);
}

void machine_renew(struct db *db, int64_t id)
{
    struct db_statement *s =
        db_sql(db, "UPDATE machine SET name = coalesce((SELECT value FROM machine_key WHERE machine = ?1 ORDER BY kind = 3 DESC, kind"
                   " = 4 DESC,"
                   " last_us DESC LIMIT 1), name), first_us = coalesce((SELECT min(first_us) FROM machine_key WHERE machine = ?1),"
                   " first_us),"
                   " last_us = coalesce((SELECT max(last_us) FROM machine_key WHERE machine = ?1), last_us) WHERE id = ?1"
                   " /* system: part of a merge or split */");
    db_bind(s, 1, id);
    db_done(s);
}

void machine_update(struct db *db, int64_t id, const struct machine_change *c)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET version = version + 1, unit = ?2, tlp = ?3, system = ?4, kind = ?5,"
                                        " exposure = ?6, name ="
                                        " ?7, note = ?8, unit_text = NULL WHERE id = ?1 AND sees(unit, tlp, audience, id)");
    db_bind(s, 1, id);
    bind_id(s, 2, c->unit);
    db_bind(s, 3, c->tlp);
    bind_id(s, 4, c->system);
    db_bind(s, 5, c->kind);
    db_bind(s, 6, c->exposure);
    db_bind_text(s, 7, c->name);
    db_bind_text(s, 8, c->note);
    db_done(s);
}

int machine_link_get(struct db *db, int64_t link, int64_t *ret_machine, int64_t *ret_other)
{
    struct db_statement *s = db_sql(db, "SELECT l.machine, l.other FROM machine_link l JOIN machine a ON a.id = l.machine JOIN machine"
                                        " b ON b.id ="
                                        " l.other WHERE l.id = ?1 AND l.state = 'open' AND sees(a.unit, a.tlp, a.audience, a.id) AND"
                                        " sees(b.unit, b.tlp, b.audience, b.id)");
    db_bind(s, 1, link);
    bool is = db_next(s);
    *ret_machine = db_int(s, 0);
    *ret_other = db_int(s, 1);
    db_reset(s);
    return is ? 0 : MACHINE_NO_SUCH;
}

void machine_link_decide(struct db *db, int64_t link, bool is_same, const struct unit_actor *by)
{
    struct db_statement *s = db_sql(db, "UPDATE machine_link SET state = ?2, decided_us = ?3, decided_by = ?4 WHERE id = ?1"
                                        " /* system: machine_link_get asked */");
    db_bind(s, 1, link);
    db_bind_str(s, 2, is_same ? "same" : "different");
    db_bind(s, 3, by->now_us);
    db_bind_text(s, 4, by->who);
    db_done(s);
}

bool machine_next_adopted(struct db *db, int64_t *ret_machine, int64_t *ret_unit)
{
    struct db_statement *s = db_sql(db, "SELECT m.id, coalesce(t.means, 0) FROM machine m JOIN unit_text t ON t.id = m.unit_text WHERE"
                                        " m.unit_text IS NOT"
                                        " NULL AND t.state <> 'open' ORDER BY m.id LIMIT 1 /* system: a decision is carried out */");
    bool is = db_next(s);
    *ret_machine = db_int(s, 0);
    *ret_unit = db_int(s, 1);
    db_reset(s);
    return is;
}

void machine_set_unit(struct db *db, int64_t id, int64_t unit)
{
    struct db_statement *s = db_sql(db, "UPDATE machine SET version = version + 1, unit = coalesce(?2, unit), unit_text = NULL WHERE"
                                        " id = ?1"
                                        " /* system: a decision is carried out */");
    db_bind(s, 1, id);
    bind_id(s, 2, unit);
    db_done(s);
}

int64_t machine_find_system(struct db *db, int64_t unit, struct text name)
{
    char folded[UNIT_FOLD_BYTES];
    size_t n = name.n < UNIT_NAME_BYTES ? unit_name_fold(NULL, name, folded) : 0;
    struct db_statement *s = db_sql(db, "SELECT id FROM system WHERE unit = ?1 AND folded = ?2 /* system: of the unit the caller may"
                                        " write */");
    db_bind(s, 1, unit);
    db_bind_text(s, 2, (struct text){folded, n});
    int64_t id = n && db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return id;
}

int64_t machine_named(struct db *db, struct text host, int64_t unit)
{
    char form[IDENTITY_KEY_BYTES];
    size_t n = identity_canonical(IDENTITY_NAME, host, form);
    struct db_statement *s = db_sql(db, "SELECT m.id FROM machine_key k JOIN machine m ON m.id = k.machine WHERE k.kind = 3 AND"
                                        " k.value = ?1 AND"
                                        " m.ended_us IS NULL AND (?2 = 0 OR m.unit = ?2) LIMIT 2 /* system: who is shown it is asked"
                                        " later */");
    db_bind_text(s, 1, (struct text){form, n});
    db_bind(s, 2, unit);
    int64_t id = n && db_next(s) ? db_int(s, 0) : 0;
    bool is_one = id && !db_next(s);
    db_reset(s);
    return is_one ? id : 0;
}

bool machine_sees_system(struct db *db, int64_t system)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM system WHERE id = ?1 AND sees(unit, tlp, audience, 0)");
    db_bind(s, 1, system);
    bool is = db_next(s);
    db_reset(s);
    return is;
}
