/* SPDX-License-Identifier: Apache-2.0 */
/* The tree: units, their versions, links and names. */
#include "desk/unit/unit.h"

#include "base/content.h"
#include "base/file.h"
#include "base/uuid.h"
#include "desk/unit/unit_own.h"

#include <errno.h>
#include <string.h>

#define X(ID, word, words) word,
static const char *const kind_names[] = {UNIT_KINDS(X)};
#undef X
#define X(ID, word, words) words,
static const char *const kind_choices[] = {UNIT_KINDS(X)};
#undef X

const char *unit_kind_name(enum unit_kind k)
{
    return kind_names[k];
}

const char *const *unit_kind_choices(void)
{
    return kind_choices;
}

void unit_note(struct db *db, const struct unit_actor *by, const char *action, const char *kind, int64_t object, struct text detail)
{
    trail_add(db, &(struct trail_entry){.at_us = by->now_us, .who = by->who, .action = {action, strlen(action)}, .kind = {kind,
            strlen(kind)},
                                        .object = object, .detail = detail, .address = by->address});
}

static void bind_unit(struct db_statement *s, int i, int64_t unit)
{
    if (unit)
        db_bind(s, i, unit);
}

static void bind_end(struct db_statement *s, int i, int64_t to_us)
{
    if (to_us != UNIT_FOREVER)
        db_bind(s, i, to_us);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static struct text keep(struct arena *arena, struct text t, bool *is_short)
{
    char *p = arena_text(arena, t.p, t.n);
    *is_short |= !p;
    return p ? (struct text){p, t.n} : TEXT("");
}

#define UNIT_COLUMNS \
    "SELECT u.id, u.version, u.name, u.short_name, u.code, u.kind, coalesce(u.parent, 0), u.is_body, u.has_own_node, u.valid_from_us," \
    " coalesce(u.valid_to_us, 9223372036854775807), u.note, u.source," \
    " coalesce((SELECT max(to_us) FROM unit_past p WHERE p.unit = u.id), u.valid_from_us), u.uuid FROM unit u WHERE "

static int read_unit(struct db_statement *s, struct arena *arena, struct unit *ret)
{
    bool is_short = false;
    if (!db_next(s))
        return UNIT_NO_SUCH;
    *ret = (struct unit){.id = db_int(s, 0), .version = db_int(s, 1), .since_us = db_int(s, 13)};
    ret->form = (struct unit_form){.name = keep(arena, db_text(s, 2), &is_short), .short_name = keep(arena, db_text(s, 3), &is_short),
                                   .code = keep(arena, db_text(s, 4), &is_short), .kind = keep(arena, db_text(s, 5), &is_short),
                                   .parent = db_int(s, 6), .is_body = db_int(s, 7), .has_own_node = db_int(s, 8), .from_us = db_int(s, 9),
                                   .to_us = db_int(s, 10), .note = keep(arena, db_text(s, 11), &is_short),
                                   .source = keep(arena, db_text(s, 12), &is_short)};
    ret->uuid = keep(arena, db_text(s, 14), &is_short).p;
    db_reset(s);
    return is_short ? -ENOMEM : 0;
}

int unit_get(struct db *db, int64_t id, bool is_system, struct arena *arena, struct unit *ret)
{
    struct db_statement *s = is_system ? db_sql(db, UNIT_COLUMNS "u.id = ?1 /* system: the caller asked who may */")
                                       : db_sql(db, UNIT_COLUMNS "u.id = ?1 AND sees(u.id, 0, 0, 0)");
    db_bind(s, 1, id);
    return read_unit(s, arena, ret);
}

int unit_get_by_code(struct db *db, struct text code, struct arena *arena, struct unit *ret)
{
    static const char *const ways[] = {
        UNIT_COLUMNS "u.code = ?1 AND u.code <> '' ORDER BY u.id LIMIT 1 /* system: imports; who may is asked by id */",
        UNIT_COLUMNS "u.uuid = ?1 /* system: imports; who may is asked by id */"};
    int r = UNIT_NO_SUCH;
    for (size_t i = 0; i < 2 && r == UNIT_NO_SUCH; i++) {
        struct db_statement *s = db_sql(db, ways[i]);
        db_bind_text(s, 1, code);
        r = read_unit(s, arena, ret);
    }
    return r;
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

int unit_add(struct db *db, const struct unit_form *form, const struct unit_actor *by, int64_t *ret_id)
{
    char uuid[UUID_TEXT_MAX];
    if (form->to_us <= form->from_us)
        return UNIT_BAD_PERIOD;
    int r = uuid7_make(by->now_us, uuid);
    if (r)
        return r;
    struct db_statement *s = db_sql(db, "INSERT INTO unit(uuid, parent, name, short_name, code, kind, is_body, has_own_node, valid_from_us,"
                                        " valid_to_us, note, source, created_us, changed_us) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
                                        " ?9, ?10, ?11,"
                                        " ?12, ?13, ?13)");
    db_bind_str(s, 1, uuid);
    bind_unit(s, 2, form->parent);
    db_bind_text(s, 3, form->name);
    db_bind_text(s, 4, form->short_name);
    db_bind_text(s, 5, form->code);
    db_bind_text(s, 6, form->kind);
    db_bind(s, 7, form->is_body);
    db_bind(s, 8, form->has_own_node);
    db_bind(s, 9, form->from_us);
    bind_end(s, 10, form->to_us);
    db_bind_text(s, 11, form->note);
    db_bind_text(s, 12, form->source);
    db_bind(s, 13, by->now_us);
    db_done(s);
    *ret_id = db_new_id(db);
    unit_note(db, by, "unit.add", "unit", *ret_id, TEXT(""));
    return db_failed(db);
}

static void put_past(struct db *db, int64_t id, const struct unit_form *f, int64_t from_us, int64_t to_us)
{
    struct db_statement *s = db_sql(db, "INSERT INTO unit_past(unit, name, short_name, kind, parent, from_us, to_us) VALUES(?1, ?2,"
                                        " ?3, ?4, ?5,"
                                        " ?6, ?7) ON CONFLICT(unit, from_us) DO UPDATE SET name = excluded.name, short_name ="
                                        " excluded.short_name, kind = excluded.kind, parent = excluded.parent, to_us = excluded.to_us"
                                        " /* system: part of a change of the unit */");
    db_bind(s, 1, id);
    db_bind_text(s, 2, f->name);
    db_bind_text(s, 3, f->short_name);
    db_bind_text(s, 4, f->kind);
    bind_unit(s, 5, f->parent);
    db_bind(s, 6, from_us);
    db_bind(s, 7, to_us);
    db_done(s);
}

static int put_present(struct db *db, const struct unit *old, const struct unit_form *f, int64_t from_us, const struct unit_actor *by)
{
    struct db_statement *s = db_sql(db, "UPDATE unit SET version = version + 1, parent = ?2, name = ?3, short_name = ?4, code = ?5,"
                                        " kind = ?6,"
                                        " is_body = ?7, has_own_node = ?8, valid_from_us = ?9, valid_to_us = ?10, note = ?11, source = ?12,"
                                        " changed_us = ?13 WHERE id = ?1 /* system: the caller asked who may */");
    db_bind(s, 1, old->id);
    bind_unit(s, 2, f->parent);
    db_bind_text(s, 3, f->name);
    db_bind_text(s, 4, f->short_name);
    db_bind_text(s, 5, f->code);
    db_bind_text(s, 6, f->kind);
    db_bind(s, 7, f->is_body);
    db_bind(s, 8, f->has_own_node);
    db_bind(s, 9, from_us);
    bind_end(s, 10, f->to_us);
    db_bind_text(s, 11, f->note);
    db_bind_text(s, 12, f->source);
    db_bind(s, 13, by->now_us);
    db_done(s);
    unit_note(db, by, "unit.change", "unit", old->id, TEXT(""));
    return db_failed(db);
}

static bool is_same(const struct unit *old, const struct unit_form *f)
{
    const struct unit_form *o = &old->form;
    return text_equal(o->name, f->name) && text_equal(o->short_name, f->short_name) && text_equal(o->code, f->code) &&
        text_equal(o->kind, f->kind) &&
           text_equal(o->note, f->note) && text_equal(o->source, f->source) && o->parent == f->parent && o->is_body == f->is_body &&
           o->has_own_node == f->has_own_node && o->to_us == f->to_us;
}

bool unit_is_below(struct db *db, int64_t id, int64_t above)
{
    struct db_statement *s = db_sql(db, "WITH RECURSIVE up(id) AS (SELECT ?1 UNION SELECT u.parent FROM unit u JOIN up ON u.id = up.id"
                                        " WHERE"
                                        " u.parent IS NOT NULL) SELECT 1 FROM up WHERE id = ?2 /* system: the shape of the tree */");
    db_bind(s, 1, id);
    db_bind(s, 2, above);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

/* put_past_version - a date before the present version: the past one of that date, or a new one before the first */
static int put_past_version(struct db *db, const struct unit *old, const struct unit_form *f, const struct unit_actor *by)
{
    struct db_statement *s = db_sql(db, "SELECT from_us, to_us, name = ?3 AND short_name = ?4 AND kind = ?5 AND coalesce(parent, 0) ="
                                        " ?6, to_us = ?7"
                                        " FROM unit_past WHERE unit = ?1 AND to_us > ?2 ORDER BY from_us LIMIT 1 /* system: part of a"
                                        " change */");
    db_bind(s, 1, old->id);
    db_bind(s, 2, f->from_us);
    db_bind_text(s, 3, f->name);
    db_bind_text(s, 4, f->short_name);
    db_bind_text(s, 5, f->kind);
    db_bind(s, 6, f->parent);
    db_bind(s, 7, f->to_us);
    bool has_later = db_next(s), is_equal = has_later && db_int(s, 2);
    int64_t next_from = has_later ? db_int(s, 0) : old->since_us, next_to = has_later ? db_int(s, 1) : 0;
    db_reset(s);
    if (has_later && next_from == f->from_us) {
        if (is_equal)
            return UNIT_SAME;
        put_past(db, old->id, f, next_from, next_to);
    } else if (has_later && next_from < f->from_us) {
        struct db_statement *cut = db_sql(db, "UPDATE unit_past SET to_us = ?3 WHERE unit = ?1 AND from_us = ?2 /* system: part of a"
                                              " change */");
        db_bind(cut, 1, old->id);
        db_bind(cut, 2, next_from);
        db_bind(cut, 3, f->from_us);
        db_done(cut);
        put_past(db, old->id, f, f->from_us, next_to);
    } else {
        put_past(db, old->id, f, f->from_us, next_from);
    }
    return put_present(db, old, &old->form, f->from_us < old->form.from_us ? f->from_us : old->form.from_us, by);
}

int unit_put(struct db *db, int64_t id, int64_t version, const struct unit_form *f, const struct unit_actor *by)
{
    struct arena arena = {0};
    struct unit old;
    int r = unit_get(db, id, true, &arena, &old);
    bool is_past = !r && f->from_us < old.since_us;
    if (!r && version >= 0 && version != old.version)
        r = UNIT_CHANGED;
    else if (!r && f->to_us <= f->from_us)
        r = UNIT_BAD_PERIOD;
    else if (!r && !is_past && f->parent && unit_is_below(db, f->parent, id))
        r = UNIT_CIRCLE;
    else if (!r && is_past)
        r = put_past_version(db, &old, f, by);
    else if (!r && f->from_us == old.since_us && is_same(&old, f))
        r = UNIT_SAME;
    else if (!r) {
        if (f->from_us > old.since_us)
            put_past(db, id, &old.form, old.since_us, f->from_us);
        r = put_present(db, &old, f, old.form.from_us, by);
    }
    arena_fini(&arena);
    return r;
}

int64_t unit_next_id(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT coalesce(max(id), 0) + 1 FROM unit /* system: a number only */");
    int64_t id = db_next(s) ? db_int(s, 0) : 1;
    db_reset(s);
    return id;
}

/* --- before and after -------------------------------------------------------------------------------------------- */

int unit_link(struct db *db, int64_t earlier, int64_t later, const char *kind, int64_t at_us, struct text source)
{
    struct db_statement *s = db_sql(db, "INSERT INTO unit_link(earlier, later, kind, at_us, source) VALUES(?1, ?2, ?3, ?4, ?5)"
                                        " ON CONFLICT(earlier, later) DO NOTHING");
    db_bind(s, 1, earlier);
    db_bind(s, 2, later);
    db_bind_str(s, 3, kind);
    db_bind(s, 4, at_us);
    db_bind_text(s, 5, source);
    return db_done(s) > 0;
}

static bool next_orphan(struct db *db, int64_t now_us, int64_t after, int64_t *ret_id, int64_t *ret_later)
{
    struct db_statement *s =
        db_sql(db, "SELECT u.id, (SELECT l.later FROM unit_link l WHERE l.earlier = u.id ORDER BY l.id LIMIT 1) FROM unit u WHERE u.id"
                   " > ?2 AND"
                   " u.valid_to_us <= ?1 AND EXISTS(SELECT 1 FROM unit_link l WHERE l.earlier = u.id) AND u.parent IS NOT (SELECT"
                   " l.later FROM"
                   " unit_link l WHERE l.earlier = u.id ORDER BY l.id LIMIT 1) ORDER BY u.id LIMIT 1 /* system: the law of the tree */");
    db_bind(s, 1, now_us);
    db_bind(s, 2, after);
    bool is = db_next(s);
    *ret_id = db_int(s, 0);
    *ret_later = db_int(s, 1);
    db_reset(s);
    return is;
}

int64_t unit_succeed(struct db *db, const struct unit_actor *by)
{
    int64_t id = 0, later, n = 0;
    while (next_orphan(db, by->now_us, id, &id, &later) && !db_failed(db)) {
        struct arena arena = {0};
        struct unit old;
        if (!unit_get(db, id, true, &arena, &old) && !unit_is_below(db, later, id)) {
            if (old.since_us < old.form.to_us)
                put_past(db, id, &old.form, old.since_us, old.form.to_us);
            old.form.parent = later;
            put_present(db, &old, &old.form, old.form.from_us, by);
            n++;
        }
        arena_fini(&arena);
    }
    return n;
}

size_t unit_today(struct db *db, int64_t id, int64_t at_us, int64_t *ret, size_t n)
{
    struct db_statement *s =
        db_sql(db, "WITH RECURSIVE after(id, depth) AS (SELECT ?1, 0 UNION SELECT l.later, after.depth + 1 FROM after JOIN unit u ON"
                   " u.id = after.id"
                   " JOIN unit_link l ON l.earlier = after.id WHERE u.valid_to_us <= ?2 AND after.depth < 16)"
                   " SELECT DISTINCT u.id FROM after JOIN unit u ON u.id = after.id WHERE u.valid_from_us <= ?2 AND coalesce(u.valid_to_us,"
                   " 9223372036854775807) > ?2 ORDER BY after.depth, u.id LIMIT ?3 /* system: ids only; what is shown is asked by id */");
    size_t n_found = 0;
    db_bind(s, 1, id);
    db_bind(s, 2, at_us);
    db_bind(s, 3, (int64_t)n);
    while (n_found < n && db_next(s))
        ret[n_found++] = db_int(s, 0);
    db_reset(s);
    return n_found;
}

#define LAST_VERSION "v.to_us = coalesce(u.valid_to_us, 9223372036854775807)"

void unit_each_version(struct db *db, void (*each)(void *context, const struct unit_version *v), void *context)
{
    struct db_statement *s =
        db_sql(db, "SELECT coalesce(nullif(u.code, ''), u.uuid), v.kind, v.name, v.short_name, (SELECT coalesce(nullif(p.code, ''), p.uuid)"
                   " FROM unit p WHERE p.id = v.parent), CASE WHEN " LAST_VERSION " THEN (SELECT group_concat(coalesce(nullif(n.code, ''),"
                   " n.uuid), '|') FROM unit_link k JOIN unit n ON n.id = k.later WHERE k.earlier = u.id) END, CASE WHEN " LAST_VERSION
                   " THEN (SELECT group_concat(a.name, '|') FROM unit_alias a WHERE a.unit = u.id AND a.kind = 'alias') END, u.source,"
                   " u.note,"
                   " v.from_us, v.to_us, u.is_body, u.has_own_node FROM unit_then v JOIN unit u ON u.id = v.unit WHERE v.to_us > v.from_us"
                   " ORDER BY v.unit, v.from_us /* system: the command line holds the state itself */");
    while (db_next(s)) {
        const struct unit_version v = {.code = db_text(s, 0), .kind = db_text(s, 1), .name = db_text(s, 2), .short_name = db_text(s, 3),
                                       .parent = db_text(s, 4), .successors = db_text(s, 5), .aliases = db_text(s, 6),
                                       .source = db_text(s, 7), .note = db_text(s, 8), .from_us = db_int(s, 9), .to_us = db_int(s, 10),
                                       .is_body = db_int(s, 11), .has_own_node = db_int(s, 12)};
        each(context, &v);
    }
}

/* --- names ------------------------------------------------------------------------------------------------------- */

int unit_alias_add(struct db *db, int64_t unit, struct text name, const char *kind, int64_t from_us, int64_t to_us)
{
    char folded[UNIT_FOLD_BYTES];
    size_t n = name.n < UNIT_NAME_BYTES ? unit_name_fold(NULL, name, folded) : 0;
    if (!n)
        return 0;
    struct db_statement *s = db_sql(db, "INSERT INTO unit_alias(unit, name, folded, kind, valid_from_us, valid_to_us) VALUES(?1, ?2,"
                                        " ?3, ?4, ?5, ?6)"
                                        " ON CONFLICT(unit, folded, kind) DO UPDATE SET name = excluded.name, valid_from_us ="
                                        " min(valid_from_us, excluded.valid_from_us), valid_to_us = CASE WHEN valid_to_us IS NULL OR"
                                        " excluded.valid_to_us IS NULL THEN NULL ELSE max(valid_to_us, excluded.valid_to_us) END"
                                        " WHERE name <> excluded.name OR valid_from_us > excluded.valid_from_us OR coalesce(valid_to_us,"
                                        " 9223372036854775807) < coalesce(excluded.valid_to_us, 9223372036854775807)"
                                        " /* system: part of a change of the unit */");
    db_bind(s, 1, unit);
    db_bind_text(s, 2, name);
    db_bind_text(s, 3, (struct text){folded, n});
    db_bind_str(s, 4, kind);
    db_bind(s, 5, from_us);
    bind_end(s, 6, to_us);
    return db_done(s) > 0;
}

int unit_words_load(struct unit_words **ret, struct fault *f)
{
    char path[4096];
    uint8_t *p = NULL;
    size_t n = 0;
    int r = content_path("units/abbreviations.csv", path, sizeof(path), f);
    if (r)
        return r;
    r = file_read_path(path, (size_t)1 << 20, &p, &n);
    if (r)
        return FAULT(f, r, cli_cannot_read, path, strerrordesc_np(-r));
    r = unit_words_read((const char *)p, n, path, ret, f);
    file_free(&p);
    return r;
}

/* add_names - rows of unit, name, from, to */
static int add_names(struct db_statement *s, struct unit_names *names, enum unit_how how)
{
    int r = 0;
    while (r >= 0 && db_next(s))
        r = unit_names_add(names, db_int(s, 0), db_text(s, 1), how, db_int(s, 2), db_int(s, 3));
    db_reset(s);
    return r < 0 ? r : 0;
}

#define NAMES "SELECT unit, name, from_us, to_us FROM unit_then WHERE to_us > from_us"
#define SHORT_NAMES "SELECT unit, short_name, from_us, to_us FROM unit_then WHERE to_us > from_us AND short_name <> ''"
#define ALIASES \
    "SELECT unit, name, coalesce(valid_from_us, 0), coalesce(valid_to_us, 9223372036854775807) FROM unit_alias WHERE kind <> 'matched'"
#define DECISIONS "SELECT means, text, -9223372036854775807, 9223372036854775807 FROM unit_text WHERE state = 'matched'"
#define ALL " /* system: for deciding; nothing of it is shown */"

int unit_names_load(struct db *db, const struct unit_words *w, bool is_system, struct unit_names **ret)
{
    struct unit_names *names = NULL;
    int r = unit_names_new(w, &names);
    if (r)
        return r;
    r = add_names(is_system ? db_sql(db, NAMES ALL) : db_sql(db, NAMES " AND sees(unit, 0, 0, 0)"), names, UNIT_BY_NAME);
    r = r ? r : add_names(is_system ? db_sql(db, SHORT_NAMES ALL) : db_sql(db, SHORT_NAMES " AND sees(unit, 0, 0, 0)"), names,
                          UNIT_BY_ALIAS);
    r = r ? r : add_names(is_system ? db_sql(db, ALIASES ALL) : db_sql(db, ALIASES " AND sees(unit, 0, 0, 0)"), names, UNIT_BY_ALIAS);
    r = r ? r : add_names(is_system ? db_sql(db, DECISIONS ALL) : db_sql(db, DECISIONS " AND sees(means, 0, 0, 0)"), names,
                          UNIT_BY_DECISION);
    r = r ? r : unit_names_done(names);
    r = r ? r : db_failed(db) < 0 ? db_failed(db) : 0;
    if (r) {
        unit_names_free(names);
        return r;
    }
    *ret = names;
    return 0;
}

int64_t unit_name_change(struct db *db)
{
    struct db_statement *s = db_sql(db, "SELECT n FROM unit_name_change");
    int64_t n = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return n;
}

int unit_resolve(struct db *db, const struct unit_words *w, struct text name, int64_t at_us, struct unit_found *ret)
{
    struct unit_names *names = NULL;
    int r = unit_names_load(db, w, true, &names);
    if (!r)
        unit_names_find(names, name, at_us, ret);
    unit_names_free(names);
    return r;
}

/* --- texts that name nobody for certain -------------------------------------------------------------------------- */

int64_t unit_text_ask(struct db *db, struct text text, const struct unit_words *w, int64_t scope, struct text source, int64_t at_us,
                      const struct unit_actor *by)
{
    char folded[UNIT_FOLD_BYTES];
    size_t n = text.n < UNIT_NAME_BYTES ? unit_name_fold(w, text, folded) : 0;
    if (!n)
        return 0;
    struct db_statement *s = db_sql(db, "INSERT INTO unit_text(unit, text, folded, source, at_us, n_seen, first_us, last_us, state,"
                                        " decided_by)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, 1, ?6, ?6, 'open', '') ON CONFLICT(unit, folded) DO UPDATE SET"
                                        " n_seen = n_seen + 1, last_us = excluded.last_us, source = excluded.source"
                                        " RETURNING id /* system: into the queue of the importer's own scope */");
    db_bind(s, 1, scope);
    db_bind_text(s, 2, text);
    db_bind_text(s, 3, (struct text){folded, n});
    db_bind_text(s, 4, source);
    db_bind(s, 5, at_us);
    db_bind(s, 6, by->now_us);
    int64_t id = db_next(s) ? db_int(s, 0) : 0;
    while (db_next(s)) /* to its end: only then it is done */
        ;
    return id;
}

int unit_text_decide(struct db *db, int64_t id, int64_t version, int64_t unit, const struct unit_actor *by)
{
    struct db_statement *s = db_sql(db, "SELECT version FROM unit_text WHERE id = ?1 AND sees(unit, 0, 0, id)");
    db_bind(s, 1, id);
    int64_t stands = db_next(s) ? db_int(s, 0) : -1;
    db_reset(s);
    if (stands < 0)
        return UNIT_NO_SUCH;
    if (version >= 0 && version != stands)
        return UNIT_CHANGED;
    s = db_sql(db, "UPDATE unit_text SET version = version + 1, state = ?2, means = ?3, decided_us = ?4, decided_by = ?5 WHERE id = ?1"
                   " AND sees(unit, 0, 0, id)");
    db_bind(s, 1, id);
    db_bind_str(s, 2, unit ? "matched" : "refused");
    bind_unit(s, 3, unit);
    db_bind(s, 4, by->now_us);
    db_bind_text(s, 5, by->who);
    return db_done(s) ? 0 : db_failed(db) ? db_failed(db) : UNIT_NO_SUCH;
}
