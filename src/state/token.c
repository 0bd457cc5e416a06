/* SPDX-License-Identifier: Apache-2.0 */
/* API tokens and the certificates of connectors. */
#include "base/sha256.h"
#include "state/person.h"
#include "state/secret.h"

#include <errno.h>
#include <string.h>

static const char *kept(struct arena *arena, struct text t)
{
    const char *p = arena_text(arena, t.p, t.n);
    return p ? p : "";
}

static bool is_there(struct db *db, int64_t person)
{
    struct db_statement *s = db_sql(db, "SELECT 1 FROM person WHERE id = ?1 AND is_disabled = 0");
    db_bind(s, 1, person);
    bool is = db_next(s);
    db_reset(s);
    return is;
}

/* bind_person - the id, or null for the command line. */
static void bind_person(struct db_statement *s, int i, int64_t person)
{
    if (person)
        db_bind(s, i, person);
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

int token_add(struct db *db, const struct token *t, int64_t now_us, int64_t *ret_id, char ret[TOKEN_TEXT_MAX])
{
    char scopes[PERMISSIONS_TEXT_MAX];
    size_t n_name = t->name ? strlen(t->name) : 0;
    if (!n_name || n_name > TOKEN_NAME_MAX || !text_is_utf8(t->name, n_name))
        return PERSON_BAD_NAME;
    if (t->expires_us <= now_us || t->expires_us - now_us > TOKEN_SPAN_MAX_US)
        return PERSON_BAD_PERIOD;
    if (!is_there(db, t->person))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    int r = secret_make("vg_", ret, TOKEN_TEXT_MAX);
    if (r)
        return r;
    struct sha256 hash = sha256_of(ret, strlen(ret));
    struct db_statement *s = db_sql(db, "INSERT INTO token(hash, person, name, scopes, tlp_max, is_wall, by_person, created_us, until_us)"
                                        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    db_bind_blob(s, 1, hash.b, sizeof(hash.b));
    db_bind(s, 2, t->person);
    db_bind_str(s, 3, t->name);
    db_bind_str(s, 4, permissions_format(t->scopes & PERMISSION_ALL, scopes));
    db_bind(s, 5, t->is_wall && t->tlp_max > TLP_GREEN ? TLP_GREEN : t->tlp_max);
    db_bind(s, 6, t->is_wall);
    bind_person(s, 7, t->by_person);
    db_bind(s, 8, now_us);
    db_bind(s, 9, t->expires_us);
    db_done(s);
    *ret_id = db_new_id(db);
    return db_failed(db);
}

#define TOKEN_COLUMNS                                                                                                      \
    "SELECT t.id, t.version, t.person, coalesce(t.by_person, 0), t.name, t.scopes, t.tlp_max, t.is_wall, t.created_us,"    \
    " t.until_us, coalesce(t.ended_us, 0), coalesce(t.used_us, 0), t.used_address FROM token t "

static int read_token(struct db_statement *s, struct arena *arena, struct token *ret)
{
    *ret = (struct token){.id = db_int(s, 0), .version = db_int(s, 1), .person = db_int(s, 2), .by_person = db_int(s, 3),
        .tlp_max = (enum tlp)db_int(s, 6), .is_wall = db_int(s, 7) != 0, .created_us = db_int(s, 8), .expires_us = db_int(s, 9),
        .ended_us = db_int(s, 10), .last_used_us = db_int(s, 11)};
    ret->name = kept(arena, db_text(s, 4));
    ret->last_address = kept(arena, db_text(s, 12));
    return permissions_parse(db_text(s, 5), &ret->scopes, NULL);
}

int token_find(struct db *db, struct text text, int64_t now_us, struct arena *arena, struct token *ret, struct subject *ret_subject,
               bool *ret_touch)
{
    struct sha256 hash = sha256_of(text.p, text.n);
    struct db_statement *s = db_sql(db, TOKEN_COLUMNS "JOIN person p ON p.id = t.person WHERE t.hash = ?1 AND t.ended_us IS NULL"
                                                      " AND t.until_us > ?2 AND p.is_disabled = 0");
    db_bind_blob(s, 1, hash.b, sizeof(hash.b));
    db_bind(s, 2, now_us);
    if (!db_next(s))
        return db_failed(db) ? -EIO : 1;
    int r = read_token(s, arena, ret);
    db_reset(s);
    *ret_subject = (struct subject){.user = ret->person, .token = ret->id, .scopes = ret->scopes, .tlp_max = ret->tlp_max};
    *ret_touch = now_us - ret->last_used_us >= SESSION_TOUCH_US;
    return r;
}

int token_touch(struct db_pool *p, int64_t id, struct text address, int64_t now_us, struct fault *f)
{
    struct db *db = db_write(p);
    struct db_statement *s = db_sql(db, "UPDATE token SET used_us = max(coalesce(used_us, 0), ?2), used_address = ?3 WHERE id = ?1");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    db_bind_text(s, 3, address);
    db_done(s);
    return db_end(db, true, f);
}

int token_end(struct db *db, int64_t id, int64_t person, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE token SET ended_us = ?3, version = version + 1 WHERE id = ?1 AND ended_us IS NULL"
                                        " AND until_us > ?3 AND (?2 = 0 OR person = ?2)");
    db_bind(s, 1, id);
    db_bind(s, 2, person);
    db_bind(s, 3, now_us);
    return db_done(s) ? 0 : 1;
}

int token_each(struct db *db, int64_t person, int64_t before, size_t n, struct arena *arena, struct token *ret)
{
    int at = 0;
    struct db_statement *s = db_sql(db, TOKEN_COLUMNS "WHERE (?1 = 0 OR t.person = ?1) AND (?2 = 0 OR t.id < ?2)"
                                                      " ORDER BY t.id DESC LIMIT ?3");
    db_bind(s, 1, person);
    db_bind(s, 2, before);
    db_bind(s, 3, (int64_t)n);
    while (db_next(s))
        (void)read_token(s, arena, &ret[at++]); /* scopes no program knows are none */
    return db_failed(db) ? -EIO : at;
}

/* --- certificates ------------------------------------------------------------------------------------------------ */

int certificate_add(struct db *db, const struct certificate *c, int64_t now_us, int64_t *ret_id)
{
    size_t n = c->subject ? strlen(c->subject) : 0;
    int64_t from_us = c->from_us ? c->from_us : now_us;
    if (!n || n > 255 || !text_is_utf8(c->subject, n))
        return PERSON_BAD_NAME;
    if (c->to_us <= from_us)
        return PERSON_BAD_PERIOD;
    if (!is_there(db, c->person))
        return db_failed(db) ? db_failed(db) : PERSON_NO_SUCH;
    struct db_statement *s = db_sql(db, "SELECT 1 FROM certificate WHERE subject = ?1 AND ended_us IS NULL");
    db_bind_str(s, 1, c->subject);
    bool is_taken = db_next(s);
    db_reset(s);
    if (is_taken)
        return PERSON_TAKEN;
    s = db_sql(db, "INSERT INTO certificate(subject, person, by_person, from_us, to_us) VALUES(?1, ?2, ?3, ?4, ?5)");
    db_bind_str(s, 1, c->subject);
    db_bind(s, 2, c->person);
    bind_person(s, 3, c->by_person);
    db_bind(s, 4, from_us);
    db_bind(s, 5, c->to_us);
    db_done(s);
    *ret_id = db_new_id(db);
    return db_failed(db);
}

int certificate_find(struct db *db, struct text subject, int64_t now_us, struct subject *ret)
{
    struct db_statement *s = db_sql(db, "SELECT c.person FROM certificate c JOIN person p ON p.id = c.person WHERE c.subject = ?1"
                                        " AND c.ended_us IS NULL AND c.from_us <= ?2 AND ?2 < c.to_us AND p.is_disabled = 0"
                                        " AND p.is_connector = 1");
    db_bind_text(s, 1, subject);
    db_bind(s, 2, now_us);
    bool is_one = db_next(s);
    *ret = (struct subject){.user = is_one ? db_int(s, 0) : 0, .scopes = is_one ? ~UINT64_C(0) : 0, .tlp_max = TLP_RED};
    db_reset(s);
    return db_failed(db) ? -EIO : !is_one;
}

int certificate_end(struct db *db, int64_t id, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE certificate SET ended_us = ?2, version = version + 1 WHERE id = ?1 AND ended_us IS NULL");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    return db_done(s) ? 0 : 1;
}

int certificate_each(struct db *db, int64_t before, size_t n, struct arena *arena, struct certificate *ret)
{
    int at = 0;
    struct db_statement *s = db_sql(db, "SELECT id, version, person, coalesce(by_person, 0), subject, from_us, to_us, coalesce(ended_us, 0)"
                                        " FROM certificate WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2");
    db_bind(s, 1, before);
    db_bind(s, 2, (int64_t)n);
    while (db_next(s)) {
        ret[at] = (struct certificate){.id = db_int(s, 0), .version = db_int(s, 1), .person = db_int(s, 2), .by_person = db_int(s, 3),
            .from_us = db_int(s, 5), .to_us = db_int(s, 6), .ended_us = db_int(s, 7)};
        ret[at++].subject = kept(arena, db_text(s, 4));
    }
    return db_failed(db) ? -EIO : at;
}
