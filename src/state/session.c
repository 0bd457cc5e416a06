/* SPDX-License-Identifier: Apache-2.0 */
#include "state/session.h"

#include "base/sha256.h"
#include "state/person.h"
#include "state/secret.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* --- secrets ----------------------------------------------------------------------------------------------------- */

int secret_make(const char *prefix, char *out, size_t n_out)
{
    uint8_t chance[32];
    size_t n = strlen(prefix);
    if (sodium_init() < 0 || n_out < n + sodium_base64_ENCODED_LEN(sizeof(chance), sodium_base64_VARIANT_URLSAFE_NO_PADDING))
        return -EIO;
    randombytes_buf(chance, sizeof(chance));
    memcpy(out, prefix, n);
    sodium_bin2base64(out + n, n_out - n, chance, sizeof(chance), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(chance, sizeof(chance));
    return 0;
}

static void csrf_of(struct text cookie, char out[SESSION_TEXT_MAX])
{
    struct sha256_state h;
    sha256_init(&h);
    sha256_add(&h, "vonggac csrf;", 13);
    sha256_add(&h, cookie.p, cookie.n);
    struct sha256 d = sha256_end(&h);
    sodium_bin2base64(out, SESSION_TEXT_MAX, d.b, sizeof(d.b), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static const char *kept(struct arena *arena, struct text t)
{
    const char *p = arena_text(arena, t.p, t.n);
    return p ? p : "";
}

/* --- sessions ---------------------------------------------------------------------------------------------------- */

#define SESSION_COLUMNS                                                                                                        \
    "SELECT s.id, s.person, p.login, p.name, p.language, s.address, s.agent, coalesce(c.must_change, 0), c.totp IS NOT NULL,"  \
    " s.created_us, s.seen_us, min(s.until_us, s.seen_us + s.idle_us), coalesce(s.ended_us, 0), coalesce(s.end_reason, '')"    \
    " FROM session s JOIN person p ON p.id = s.person LEFT JOIN credential c ON c.person = p.id "

static void read_session(struct db_statement *s, struct arena *arena, struct session *ret)
{
    *ret = (struct session){.id = db_int(s, 0), .person = db_int(s, 1), .must_change_password = db_int(s, 7) != 0,
        .has_totp = db_int(s, 8) != 0, .created_us = db_int(s, 9), .seen_us = db_int(s, 10), .expires_us = db_int(s, 11),
        .ended_us = db_int(s, 12)};
    ret->login = kept(arena, db_text(s, 2));
    ret->name = kept(arena, db_text(s, 3));
    ret->language = kept(arena, db_text(s, 4));
    ret->address = kept(arena, db_text(s, 5));
    ret->agent = kept(arena, db_text(s, 6));
    ret->end_reason = kept(arena, db_text(s, 13));
}

int session_find(struct db *db, struct text cookie, int64_t now_us, struct arena *arena, struct session *ret, bool *ret_touch)
{
    struct sha256 hash = sha256_of(cookie.p, cookie.n);
    struct db_statement *s = db_sql(db, SESSION_COLUMNS "WHERE s.hash = ?1 AND s.ended_us IS NULL AND p.is_disabled = 0");
    db_bind_blob(s, 1, hash.b, sizeof(hash.b));
    if (!db_next(s))
        return db_failed(db) ? -EIO : 1;
    read_session(s, arena, ret);
    db_reset(s);
    if (now_us >= ret->expires_us)
        return 1;
    csrf_of(cookie, ret->csrf);
    ret->subject = (struct subject){.user = ret->person, .scopes = ret->must_change_password ? 0 : ~UINT64_C(0), .tlp_max = TLP_RED};
    *ret_touch = now_us - ret->seen_us >= SESSION_TOUCH_US;
    return 0;
}

int session_open(struct db *db, int64_t person, const struct login_from *from, const struct login_limits *limits, int64_t now_us,
                 char ret[SESSION_TEXT_MAX], int64_t *ret_id)
{
    int64_t idle_us = limits && limits->idle_us ? limits->idle_us : INT64_C(1800) * 1000000;
    int64_t absolute_us = limits && limits->absolute_us ? limits->absolute_us : INT64_C(43200) * 1000000;
    struct text agent = from->agent;
    int r = secret_make("", ret, SESSION_TEXT_MAX);
    if (r)
        return r;
    while (agent.n > 200 || (agent.n && (agent.p[agent.n - 1] & 0x80) && !text_is_utf8(agent.p, agent.n)))
        agent.n--;
    struct db_statement *s = db_sql(db, "UPDATE session SET ended_us = ?2, end_reason = 'too_many' WHERE person = ?1 AND ended_us IS NULL"
                                        " AND id NOT IN (SELECT id FROM session WHERE person = ?1 AND ended_us IS NULL"
                                        " ORDER BY id DESC LIMIT ?3)");
    db_bind(s, 1, person);
    db_bind(s, 2, now_us);
    db_bind(s, 3, SESSIONS_OF_ONE_MAX - 1);
    db_done(s);
    struct sha256 hash = sha256_of(ret, strlen(ret));
    s = db_sql(db, "INSERT INTO session(hash, person, address, agent, created_us, seen_us, idle_us, until_us)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7)");
    db_bind_blob(s, 1, hash.b, sizeof(hash.b));
    db_bind(s, 2, person);
    db_bind_text(s, 3, from->address);
    db_bind_text(s, 4, agent);
    db_bind(s, 5, now_us);
    db_bind(s, 6, idle_us);
    db_bind(s, 7, now_us + absolute_us);
    db_done(s);
    *ret_id = db_new_id(db);
    return db_failed(db);
}

int session_touch(struct db_pool *p, int64_t id, int64_t now_us, struct fault *f)
{
    struct db *db = db_write(p);
    struct db_statement *s = db_sql(db, "UPDATE session SET seen_us = max(seen_us, ?2) WHERE id = ?1 AND ended_us IS NULL");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    db_done(s);
    return db_end(db, true, f);
}

int session_is_open(struct db *db, int64_t id, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "SELECT min(s.until_us, s.seen_us + s.idle_us) > ?2 FROM session s JOIN person p ON p.id = s.person"
                                        " WHERE s.id = ?1 AND s.ended_us IS NULL AND p.is_disabled = 0");
    db_bind(s, 1, id);
    db_bind(s, 2, now_us);
    int is_open = db_next(s) ? db_int(s, 0) != 0 : 0;
    db_reset(s);
    return db_failed(db) ? -EIO : is_open;
}

int session_end(struct db *db, int64_t id, int64_t person, const char *reason, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE session SET ended_us = ?3, end_reason = ?4 WHERE id = ?1 AND ended_us IS NULL"
                                        " AND (?2 = 0 OR person = ?2)");
    db_bind(s, 1, id);
    db_bind(s, 2, person);
    db_bind(s, 3, now_us);
    db_bind_str(s, 4, reason);
    return db_done(s) ? 0 : 1;
}

int64_t session_end_all(struct db *db, int64_t person, int64_t except, const char *reason, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE session SET ended_us = ?3, end_reason = ?4 WHERE person = ?1 AND ended_us IS NULL"
                                        " AND id <> ?2");
    db_bind(s, 1, person);
    db_bind(s, 2, except);
    db_bind(s, 3, now_us);
    db_bind_str(s, 4, reason);
    int64_t n = db_done(s);
    s = db_sql(db, "DELETE FROM login_challenge WHERE person = ?1");
    db_bind(s, 1, person);
    db_done(s);
    return n;
}

int session_each(struct db *db, int64_t person, int64_t before, size_t n, int64_t now_us, struct arena *arena, struct session *ret)
{
    int at = 0;
    struct db_statement *s = db_sql(db, SESSION_COLUMNS "WHERE (?1 = 0 OR s.person = ?1) AND (?2 = 0 OR s.id < ?2)"
                                                        " AND coalesce(s.ended_us, ?4) > ?4 - ?5 ORDER BY s.id DESC LIMIT ?3");
    db_bind(s, 1, person);
    db_bind(s, 2, before);
    db_bind(s, 3, (int64_t)n);
    db_bind(s, 4, now_us);
    db_bind(s, 5, SESSION_KEEP_US);
    while (db_next(s)) {
        struct session *one = &ret[at++];
        read_session(s, arena, one);
        if (!one->ended_us && one->expires_us <= now_us) { /* not tidied yet */
            one->ended_us = one->expires_us;
            one->end_reason = "idle";
        }
    }
    return db_failed(db) ? -EIO : at;
}

void session_tidy(struct db *db, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE session SET ended_us = min(until_us, seen_us + idle_us), end_reason ="
                                        " CASE WHEN until_us <= seen_us + idle_us THEN 'expired' ELSE 'idle' END"
                                        " WHERE ended_us IS NULL AND min(until_us, seen_us + idle_us) <= ?1");
    db_bind(s, 1, now_us);
    db_done(s);
    s = db_sql(db, "DELETE FROM session WHERE ended_us < ?1");
    db_bind(s, 1, now_us - SESSION_KEEP_US);
    db_done(s);
    s = db_sql(db, "DELETE FROM login_challenge WHERE until_us <= ?1");
    db_bind(s, 1, now_us);
    db_done(s);
    s = db_sql(db, "DELETE FROM login_lock WHERE last_us < ?1 AND until_us <= ?2");
    db_bind(s, 1, now_us - LOCK_FORGET_US);
    db_bind(s, 2, now_us);
    db_done(s);
}
