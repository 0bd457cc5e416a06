/* SPDX-License-Identifier: Apache-2.0 */
#include "state/person.h"

#include "base/uuid.h"

#include <errno.h>
#include <string.h>

const struct trail_kind state_kinds[] = {
    {.kind = "person", .table = "person", .child = "credential", .child_key = "person",
     .child_columns = "person, password, changed_us, must_change, first_until_us, totp, totp_since_us", .is_whole = true},
    {.kind = "binding", .table = "binding", .is_whole = true},
    {.kind = "grant", .table = "access_grant", .child = "access_grant_target", .child_key = "access_grant", .is_whole = true},
    {.kind = "audience", .table = "audience", .child = "audience_member", .child_key = "audience", .is_whole = false},
    {.kind = "token", .table = "token",
     .columns = "id, version, hash, person, name, scopes, tlp_max, is_wall, by_person, created_us, until_us, ended_us", .is_whole = true},
    {.kind = "certificate", .table = "certificate", .is_whole = true},
};
const size_t state_n_kinds = sizeof(state_kinds) / sizeof(*state_kinds);

static const char *kept(struct arena *arena, struct text t)
{
    const char *p = arena_text(arena, t.p, t.n);
    return p ? p : "";
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

#define PERSON_COLUMNS                                                                                                       \
    "SELECT p.id, p.version, p.login, p.name, p.email, p.phone, p.language, coalesce(p.unit, 0), p.is_disabled,"             \
    " p.is_connector, c.password IS NOT NULL, coalesce(c.must_change, 0), c.totp IS NOT NULL, p.created_us, p.changed_us,"   \
    " coalesce(l.last_login_us, 0) FROM person p LEFT JOIN credential c ON c.person = p.id"                                  \
    " LEFT JOIN login_state l ON l.person = p.id "

static void read_person(struct db_statement *s, struct arena *arena, struct person *ret)
{
    *ret = (struct person){.id = db_int(s, 0), .version = db_int(s, 1), .unit = db_int(s, 7), .is_disabled = db_int(s, 8) != 0,
        .is_connector = db_int(s, 9) != 0, .has_password = db_int(s, 10) != 0, .must_change_password = db_int(s, 11) != 0,
        .has_totp = db_int(s, 12) != 0, .created_us = db_int(s, 13), .changed_us = db_int(s, 14), .last_login_us = db_int(s, 15)};
    ret->login = kept(arena, db_text(s, 2));
    ret->name = kept(arena, db_text(s, 3));
    ret->email = kept(arena, db_text(s, 4));
    ret->phone = kept(arena, db_text(s, 5));
    ret->language = kept(arena, db_text(s, 6));
}

static int one_person(struct db *db, struct db_statement *s, struct arena *arena, struct person *ret)
{
    bool is_one = db_next(s);
    if (is_one)
        read_person(s, arena, ret);
    db_reset(s);
    return db_failed(db) ? -EIO : is_one ? 0 : PERSON_NO_SUCH;
}

int person_get(struct db *db, int64_t id, struct arena *arena, struct person *ret)
{
    struct db_statement *s = db_sql(db, PERSON_COLUMNS "WHERE p.id = ?1");
    db_bind(s, 1, id);
    return one_person(db, s, arena, ret);
}

/* login_fold - as it is kept. Return: false: no login at all. */
static bool login_fold(struct text t, char out[PERSON_LOGIN_MAX + 1])
{
    if (!t.n || t.n > PERSON_LOGIN_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        bool is_sign = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_sign && (!i || !strchr("._-@", c) || !c))
            return false;
        out[i] = c;
    }
    out[t.n] = '\0';
    return true;
}

int person_get_by_login(struct db *db, struct text login, struct arena *arena, struct person *ret)
{
    char folded[PERSON_LOGIN_MAX + 1];
    if (!login_fold(login, folded))
        return PERSON_NO_SUCH;
    struct db_statement *s = db_sql(db, PERSON_COLUMNS "WHERE p.login = ?1");
    db_bind_str(s, 1, folded);
    return one_person(db, s, arena, ret);
}

int person_each(struct db *db, bool is_system, const char *after, size_t n, struct arena *arena, struct person *ret)
{
    int at = 0;
    struct db_statement *s =
        is_system ? db_sql(db, PERSON_COLUMNS "WHERE p.login > ?1 ORDER BY p.login LIMIT ?2") /* system: the command line */
                  : db_sql(db, PERSON_COLUMNS "WHERE p.login > ?1 AND sees(p.unit, 0, 0, p.id) ORDER BY p.login LIMIT ?2");
    db_bind_str(s, 1, after ? after : "");
    db_bind(s, 2, (int64_t)n);
    while (db_next(s))
        read_person(s, arena, &ret[at++]);
    return db_failed(db) ? -EIO : at;
}

/* --- changing ---------------------------------------------------------------------------------------------------- */

static bool is_line(const char *p, size_t least, size_t max)
{
    size_t n = p ? strlen(p) : 0;
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)p[i] < 0x20 || p[i] == 0x7f)
            return false;
    return n >= least && n <= max && (!n || text_is_utf8(p, n));
}

static bool is_described(const struct person *p)
{
    return is_line(p->name, 1, PERSON_NAME_MAX) && is_line(p->email, 0, PERSON_CONTACT_MAX) && is_line(p->phone, 0, PERSON_CONTACT_MAX) &&
           (!p->language || !strcmp(p->language, "vi") || !strcmp(p->language, "en"));
}

static bool has_unit(struct db *db, int64_t unit)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM unit WHERE id = ?1");
    db_bind(s, 1, unit);
    bool is = !unit || db_next(s);
    db_reset(s);
    return is;
}

static bool has_person(struct db *db, int64_t id)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM person WHERE id = ?1");
    db_bind(s, 1, id);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

/* bind_id - null for none: 0 is the root, the office, the command line. */
static void bind_id(struct db_statement *s, int i, int64_t id)
{
    if (id)
        db_bind(s, i, id);
}

static void bind_described(struct db_statement *s, int i, const struct person *p)
{
    db_bind_str(s, i, p->name);
    db_bind_str(s, i + 1, p->email ? p->email : "");
    db_bind_str(s, i + 2, p->phone ? p->phone : "");
    db_bind_str(s, i + 3, p->language ? p->language : "vi");
    bind_id(s, i + 4, p->unit);
}

static void set_password(struct db *db, int64_t person, const struct password_first *first, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "INSERT INTO credential(person, password, changed_us, must_change, first_until_us)"
                                        " VALUES(?1, ?2, ?3, 1, ?4) ON CONFLICT(person) DO UPDATE SET password = excluded.password,"
                                        " changed_us = excluded.changed_us, must_change = 1, first_until_us = excluded.first_until_us");
    db_bind(s, 1, person);
    db_bind_str(s, 2, first->hash.text);
    db_bind(s, 3, now_us);
    db_bind(s, 4, now_us + INT64_C(86400) * 1000000 * PASSWORD_FIRST_DAYS);
    db_done(s);
}

int person_add(struct db *db, const struct person *p, const struct password_first *first, int64_t now_us, int64_t *ret_id)
{
    char login[PERSON_LOGIN_MAX + 1], uuid[UUID_TEXT_MAX];
    if (!p->login || !login_fold((struct text){p->login, strlen(p->login)}, login))
        return PERSON_BAD_LOGIN;
    if (!is_described(p) || p->is_connector == (first != NULL))
        return PERSON_BAD_NAME;
    struct db_statement *s = db_sql(db, "SELECT 1 FROM person WHERE login = ?1");
    db_bind_str(s, 1, login);
    bool is_taken = db_next(s);
    db_reset(s);
    if (is_taken)
        return PERSON_TAKEN;
    if (!has_unit(db, p->unit))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    int r = uuid7_make(now_us, uuid);
    if (r)
        return r;
    s = db_sql(db, "INSERT INTO person(name, email, phone, language, unit, uuid, login, is_connector, created_us, changed_us)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)");
    bind_described(s, 1, p);
    db_bind_str(s, 6, uuid);
    db_bind_str(s, 7, login);
    db_bind(s, 8, p->is_connector);
    db_bind(s, 9, now_us);
    db_done(s);
    *ret_id = db_new_id(db);
    s = db_sql(db, "INSERT INTO login_state(person) VALUES(?1)");
    db_bind(s, 1, *ret_id);
    db_done(s);
    if (first)
        set_password(db, *ret_id, first, now_us);
    return db_failed(db);
}

int person_change(struct db *db, const struct person *p, int64_t now_us)
{
    if (!is_described(p))
        return PERSON_BAD_NAME;
    if (!has_unit(db, p->unit) || !has_person(db, p->id))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    struct db_statement *s = db_sql(db, "UPDATE person SET name = ?1, email = ?2, phone = ?3, language = ?4, unit = ?5, changed_us = ?6,"
                                        " version = version + 1 WHERE id = ?7 AND version = ?8");
    bind_described(s, 1, p);
    db_bind(s, 6, now_us);
    db_bind(s, 7, p->id);
    db_bind(s, 8, p->version);
    int64_t n = db_done(s);
    return db_failed(db) ? db_failed(db) : n ? 0 : PERSON_CHANGED;
}

/* has_keeper - somebody may still write users for the whole office, without an end in sight. */
static bool has_keeper(struct db *db, const struct roles *roles, int64_t now_us)
{
    bool has = false;
    struct db_statement *s = db_sql(db, "SELECT b.role FROM binding b JOIN person p ON p.id = b.person WHERE b.unit IS NULL"
                                        " AND b.is_below = 1 AND b.ended_us IS NULL AND b.from_us <= ?1 AND b.to_us IS NULL"
                                        " AND p.is_disabled = 0"
                                        " AND p.is_connector = 0");
    db_bind(s, 1, now_us);
    while (!has && db_next(s)) {
        const struct role *role = roles_find(roles, db_text(s, 0));
        has = role && role->permissions & PERMISSION_BIT(USER_WRITE);
    }
    db_reset(s);
    return has;
}

/* kept_by - the answer of a change that may have locked everybody out; the caller rolls back on PERSON_LAST. */
static int kept_by(struct db *db, const struct roles *roles, bool had_keeper, int64_t now_us)
{
    bool is_lost = had_keeper && !has_keeper(db, roles, now_us);
    return db_failed(db) ? db_failed(db) : is_lost ? PERSON_LAST : 0;
}

int person_disable(struct db *db, const struct roles *roles, int64_t id, bool is_disabled, int64_t now_us)
{
    bool had_keeper = has_keeper(db, roles, now_us);
    struct db_statement *s = db_sql(db, "UPDATE person SET is_disabled = ?2, changed_us = ?3, version = version + 1 WHERE id = ?1");
    db_bind(s, 1, id);
    db_bind(s, 2, is_disabled);
    db_bind(s, 3, now_us);
    if (!db_done(s))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    if (is_disabled) {
        session_end_all(db, id, 0, "disabled", now_us);
        s = db_sql(db, "UPDATE token SET ended_us = ?2, version = version + 1 WHERE person = ?1 AND ended_us IS NULL");
        db_bind(s, 1, id);
        db_bind(s, 2, now_us);
        db_done(s);
    }
    return kept_by(db, roles, had_keeper, now_us);
}

int person_reset_password(struct db *db, int64_t id, const struct password_first *first, int64_t now_us)
{
    char login[PERSON_LOGIN_MAX + 1];
    struct db_statement *s = db_sql(db, "SELECT login FROM person WHERE id = ?1 AND is_connector = 0");
    db_bind(s, 1, id);
    bool is_one = db_next(s) && login_fold(db_text(s, 0), login);
    db_reset(s);
    if (!is_one)
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    set_password(db, id, first, now_us);
    session_end_all(db, id, 0, "password_changed", now_us);
    login_unlock(db, (struct text){login, strlen(login)});
    return db_failed(db);
}

int person_reset_totp(struct db *db, int64_t id, int64_t now_us)
{
    if (!has_person(db, id))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    struct db_statement *s = db_sql(db, "UPDATE credential SET totp = NULL, totp_since_us = NULL WHERE person = ?1");
    db_bind(s, 1, id);
    db_done(s);
    s = db_sql(db, "UPDATE login_state SET totp_offer = NULL, totp_offer_us = NULL WHERE person = ?1");
    db_bind(s, 1, id);
    db_done(s);
    s = db_sql(db, "DELETE FROM recovery_code WHERE person = ?1");
    db_bind(s, 1, id);
    db_done(s);
    session_end_all(db, id, 0, "totp_reset", now_us);
    return db_failed(db);
}

/* --- roles at units ---------------------------------------------------------------------------------------------- */

#define BINDING_COLUMNS                                                                                                         \
    "SELECT id, version, person, coalesce(unit, 0), role, is_below, from_us, coalesce(to_us, 0), coalesce(by_person, 0),"       \
    " coalesce(ended_us, 0) FROM binding "

static void read_binding(struct db_statement *s, struct arena *arena, struct binding *ret)
{
    *ret = (struct binding){.id = db_int(s, 0), .version = db_int(s, 1), .person = db_int(s, 2), .unit = db_int(s, 3),
        .is_below = db_int(s, 5) != 0, .from_us = db_int(s, 6), .to_us = db_int(s, 7), .by_person = db_int(s, 8), .ended_us = db_int(s, 9)};
    ret->role = kept(arena, db_text(s, 4));
}

int binding_get(struct db *db, int64_t id, struct arena *arena, struct binding *ret)
{
    struct db_statement *s = db_sql(db, BINDING_COLUMNS "WHERE id = ?1");
    db_bind(s, 1, id);
    bool is_one = db_next(s);
    if (is_one)
        read_binding(s, arena, ret);
    db_reset(s);
    return db_failed(db) ? -EIO : is_one ? 0 : PERSON_NO_SUCH;
}

int binding_each(struct db *db, int64_t person, int64_t after, size_t n, struct arena *arena, struct binding *ret)
{
    int at = 0;
    struct db_statement *s = db_sql(db, BINDING_COLUMNS "WHERE (?1 = 0 OR person = ?1) AND id > ?2 ORDER BY id LIMIT ?3");
    db_bind(s, 1, person);
    db_bind(s, 2, after);
    db_bind(s, 3, (int64_t)n);
    while (db_next(s))
        read_binding(s, arena, &ret[at++]);
    return db_failed(db) ? -EIO : at;
}

int binding_add(struct db *db, const struct roles *roles, const struct binding *b, int64_t now_us, int64_t *ret_id)
{
    int64_t from_us = b->from_us ? b->from_us : now_us;
    if (!b->role || !roles_find(roles, (struct text){b->role, strlen(b->role)}) || !has_person(db, b->person) || !has_unit(db, b->unit))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    if (b->to_us && b->to_us <= from_us)
        return PERSON_BAD_PERIOD;
    struct db_statement *s = db_sql(db, "INSERT INTO binding(person, role, unit, is_below, from_us, to_us, by_person, created_us)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    db_bind(s, 1, b->person);
    db_bind_str(s, 2, b->role);
    bind_id(s, 3, b->unit);
    db_bind(s, 4, b->is_below);
    db_bind(s, 5, from_us);
    bind_id(s, 6, b->to_us);
    bind_id(s, 7, b->by_person);
    db_bind(s, 8, now_us);
    db_done(s);
    *ret_id = db_new_id(db);
    session_end_all(db, b->person, 0, "role_changed", now_us);
    return db_failed(db);
}

int binding_end(struct db *db, const struct roles *roles, int64_t id, int64_t now_us)
{
    bool had_keeper = has_keeper(db, roles, now_us);
    struct db_statement *s = db_sql(db, "SELECT person FROM binding WHERE id = ?1 AND ended_us IS NULL");
    db_bind(s, 1, id);
    int64_t person = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    if (!person)
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    s = db_sql(db, "UPDATE binding SET ended_us = ?2, version = version + 1 WHERE id = ?1");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    db_done(s);
    session_end_all(db, person, 0, "role_changed", now_us);
    return kept_by(db, roles, had_keeper, now_us);
}
