/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way into a session. A try is counted before it is judged, in its own transaction, so that a hundred tries at once are a
 * hundred tries; what turns out right is taken back.
 */
#include "state/login.h"

#include "base/ip.h"
#include "base/sha256.h"
#include "state/login_own.h"
#include "state/secret.h"
#include "state/trail.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* --- counting tries ---------------------------------------------------------------------------------------------- */

void login_try_keys(struct login_try *t, struct text login, const struct login_from *from)
{
    struct ip ip;
    size_t n = login.n < 64 ? login.n : 64;
    memcpy(t->login, "l:", 2);
    for (size_t i = 0; i < n; i++)
        t->login[2 + i] = (char)(login.p[i] >= 'A' && login.p[i] <= 'Z' ? login.p[i] + 32 : login.p[i]);
    t->login[2 + n] = '\0';
    struct text address = from->address.p ? from->address : TEXT("");
    snprintf(t->address, sizeof(t->address), "a:%.*s", (int)(address.n < 60 ? address.n : 60), address.p);
    if (!ip_parse(address.p, address.n, &ip) && !ip_is_v4(&ip)) {
        char text[IP_TEXT_MAX];
        memset(ip.b + 8, 0, 8); /* a customer of IPv6 has a /64 at least */
        ip_format(&ip, text);
        snprintf(t->address, sizeof(t->address), "a:%s/64", text);
    }
}

static int64_t lock_span(int64_t failures, int64_t free)
{
    int64_t span = LOCK_FIRST_US;
    for (int64_t i = free + 1; i < failures && span < LOCK_MAX_US; i++)
        span *= 2;
    return span < LOCK_MAX_US ? span : LOCK_MAX_US;
}

/* count_one - Return: until when @key is locked (this try was not let in), or 0: let in and counted. */
static int64_t count_one(struct db *db, const char *key, int64_t free, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "SELECT failures, last_us, until_us FROM login_lock WHERE key = ?1");
    db_bind_str(s, 1, key);
    bool is_known = db_next(s);
    int64_t failures = is_known ? db_int(s, 0) : 0, last_us = is_known ? db_int(s, 1) : 0, until_us = is_known ? db_int(s, 2) : 0;
    db_reset(s);
    if (until_us > now_us) {
        s = db_sql(db, "UPDATE login_lock SET refused = refused + 1 WHERE key = ?1");
        db_bind_str(s, 1, key);
        db_done(s);
        return until_us;
    }
    failures = last_us + LOCK_FORGET_US < now_us ? 1 : failures + 1;
    s = db_sql(db, "INSERT INTO login_lock(key, failures, last_us, until_us) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(key) DO UPDATE SET"
                   " failures = ?2, last_us = ?3, until_us = ?4");
    db_bind_str(s, 1, key);
    db_bind(s, 2, failures);
    db_bind(s, 3, now_us);
    db_bind(s, 4, failures > free ? now_us + lock_span(failures, free) : 0);
    db_done(s);
    return 0;
}

static void bound_rows(struct db *db)
{
    struct db_statement *s = db_sql(db, "DELETE FROM login_lock WHERE key IN (SELECT key FROM login_lock ORDER BY last_us LIMIT"
                                        " max(0, (SELECT count(*) FROM login_lock) - ?1))");
    db_bind(s, 1, LOCK_ROWS_MAX);
    db_done(s);
}

int64_t login_try(struct db *db, const struct login_try *t, int64_t now_us)
{
    int64_t address = count_one(db, t->address, LOCK_ADDRESS_FREE, now_us);
    int64_t login = address ? 0 : count_one(db, t->login, LOCK_LOGIN_FREE, now_us);
    if (login) /* not let in after all */
        login_try_undo(db, t->address);
    if (now_us % 64 == 0) /* counting them each time would cost more than a few too many */
        bound_rows(db);
    return address ? address : login;
}

void login_try_undo(struct db *db, const char *key)
{
    struct db_statement *s = db_sql(db, "UPDATE login_lock SET failures = max(0, failures - 1), until_us = 0 WHERE key = ?1");
    db_bind_str(s, 1, key);
    db_done(s);
}

/* take_back - the try was right: @is_whole: in; else one factor of two. */
static void take_back(struct db *db, const struct login_try *t, bool is_whole)
{
    login_try_undo(db, t->address);
    if (!is_whole) {
        login_try_undo(db, t->login);
        return;
    }
    struct db_statement *s = db_sql(db, "DELETE FROM login_lock WHERE key = ?1");
    db_bind_str(s, 1, t->login);
    db_done(s);
}

int64_t login_unlock(struct db *db, struct text login_or_address)
{
    struct login_try t;
    const struct login_from from = {.address = login_or_address};
    login_try_keys(&t, login_or_address, &from);
    struct db_statement *s = db_sql(db, "DELETE FROM login_lock WHERE key IN (?1, ?2)");
    db_bind_str(s, 1, t.login);
    db_bind_str(s, 2, t.address);
    return db_done(s);
}

/* --- what the trail is told -------------------------------------------------------------------------------------- */

/* The kind is "login", which is not watched: a failed try must not vouch for the row of the person. */
void login_tell(struct db *db, const char *action, int64_t person, const char *detail, const struct login_from *from, int64_t now_us)
{
    char who[32];
    snprintf(who, sizeof(who), person ? "user:%lld" : "nobody", (long long)person);
    const struct trail_entry e = {.at_us = now_us, .who = {who, strlen(who)}, .action = {action, strlen(action)}, .kind = TEXT("login"),
        .object = person, .detail = {detail, strlen(detail)}, .address = from->address};
    trail_add(db, &e);
}

void login_tell_refused(struct db *db, const struct login_try *t, int64_t person, const char *why, const struct login_from *from,
                        int64_t now_us)
{
    char detail[256];
    struct db_statement *s = db_sql(db, "SELECT failures, refused, until_us FROM login_lock WHERE key = ?1");
    db_bind_str(s, 1, t->login);
    bool is_known = db_next(s);
    int64_t failures = is_known ? db_int(s, 0) : 0, refused = is_known ? db_int(s, 1) : 0, until_us = is_known ? db_int(s, 2) : 0;
    db_reset(s);
    /* a login nobody has is not written down: people type their password into the wrong field */
    snprintf(detail, sizeof(detail), "{\"why\":\"%s\",\"failures\":%lld,\"refused_while_locked\":%lld,\"locked_until_us\":%lld}", why,
             (long long)failures, (long long)refused, (long long)until_us);
    login_tell(db, until_us > now_us ? "login.locked" : "login.refused", person, detail, from, now_us);
    s = db_sql(db, "UPDATE login_lock SET refused = 0 WHERE key IN (?1, ?2)");
    db_bind_str(s, 1, t->login);
    db_bind_str(s, 2, t->address);
    db_done(s);
}

/* --- the first factor -------------------------------------------------------------------------------------------- */

static void read_account(struct db_statement *s, struct account *a)
{
    *a = (struct account){.person = db_int(s, 0), .first_until_us = db_int(s, 2), .may_login = db_int(s, 3) != 0};
    struct text hash = db_text(s, 1), totp = db_blob(s, 4), login = db_text(s, 5), name = db_text(s, 6);
    a->has_totp = totp.n == TOTP_SECRET_BYTES;
    if (a->has_totp)
        memcpy(a->totp, totp.p, totp.n);
    snprintf(a->hash, sizeof(a->hash), "%.*s", (int)hash.n, hash.p);
    snprintf(a->login, sizeof(a->login), "%.*s", (int)login.n, login.p);
    snprintf(a->name, sizeof(a->name), "%.*s", (int)name.n, name.p);
    a->totp_step = db_int(s, 7);
}

#define ACCOUNT_COLUMNS                                                                                                        \
    "SELECT p.id, c.password, coalesce(c.first_until_us, 0), p.is_disabled = 0 AND p.is_connector = 0, c.totp, p.login,"       \
    " p.name, coalesce(l.totp_step, -1) FROM person p JOIN credential c ON c.person = p.id"                                    \
    " LEFT JOIN login_state l ON l.person = p.id "

static void find_account(struct db *db, const char *login, struct account *ret)
{
    struct db_statement *s = db_sql(db, ACCOUNT_COLUMNS "WHERE p.login = ?1");
    *ret = (struct account){0};
    db_bind_str(s, 1, login);
    if (db_next(s))
        read_account(s, ret);
    db_reset(s);
}

void login_account(struct db *db, int64_t person, struct account *ret)
{
    struct db_statement *s = db_sql(db, ACCOUNT_COLUMNS "WHERE p.id = ?1");
    *ret = (struct account){0};
    db_bind(s, 1, person);
    if (db_next(s))
        read_account(s, ret);
    db_reset(s);
}

static int open_challenge(struct db *db, const struct account *a, const struct login_from *from, int64_t now_us, struct login_result *ret)
{
    int r = secret_make("", ret->challenge, sizeof(ret->challenge));
    if (r)
        return r;
    struct sha256 hash = sha256_of(ret->challenge, strlen(ret->challenge));
    struct db_statement *s = db_sql(db, "DELETE FROM login_challenge WHERE person = ?1");
    db_bind(s, 1, a->person);
    db_done(s);
    s = db_sql(db, "INSERT INTO login_challenge(hash, person, address, until_us) VALUES(?1, ?2, ?3, ?4)");
    db_bind_blob(s, 1, hash.b, sizeof(hash.b));
    db_bind(s, 2, a->person);
    db_bind_text(s, 3, from->address);
    db_bind(s, 4, now_us + CHALLENGE_US);
    db_done(s);
    ret->outcome = LOGIN_NEEDS_TOTP;
    return 0;
}

static int let_in(struct db *db, const struct account *a, const struct login_try *t, const struct login_from *from,
                  const struct login_limits *limits, const char *how, int64_t now_us, struct login_result *ret)
{
    char detail[128];
    int r = session_open(db, a->person, from, limits, now_us, ret->session, &ret->session_id);
    if (r)
        return r;
    take_back(db, t, true);
    struct db_statement *s = db_sql(db, "UPDATE login_state SET last_login_us = ?2, last_address = ?3 WHERE person = ?1");
    db_bind(s, 1, a->person);
    db_bind(s, 2, now_us);
    db_bind_text(s, 3, from->address);
    db_done(s);
    snprintf(detail, sizeof(detail), "{\"session\":%lld,\"by\":\"%s\"}", (long long)ret->session_id, how);
    login_tell(db, "session.opened", a->person, detail, from, now_us);
    ret->outcome = LOGIN_DONE;
    ret->person = a->person;
    return 0;
}

/* judged - after the hash: what the right or wrong password of @a means. In a writing transaction. */
static int judged(struct db *db, const struct account *a, bool is_right, const struct login_try *t, const struct login_from *from,
                  const struct login_limits *limits, int64_t now_us, struct login_result *ret)
{
    struct account now;
    login_account(db, a->person, &now);
    if (!is_right || !now.may_login || strcmp(now.hash, a->hash) != 0) { /* it may have been changed while we were hashing */
        login_tell_refused(db, t, a->person, is_right ? "disabled" : "password", from, now_us);
        return 0;
    }
    if (now.first_until_us && now.first_until_us <= now_us) {
        login_tell_refused(db, t, a->person, "expired", from, now_us);
        ret->outcome = LOGIN_EXPIRED;
        return 0;
    }
    if (!now.has_totp)
        return let_in(db, &now, t, from, limits, "password", now_us, ret);
    take_back(db, t, false);
    return open_challenge(db, &now, from, now_us, ret);
}

static int ended(struct db *db, int r, struct fault *f)
{
    int e = db_end(db, !r, r ? NULL : f);
    e = r ? r : e;
    return e == DB_CONFLICT ? -EIO : e;
}

int login_begin(struct db_pool *p, const struct login_try *t, const char *login, int64_t person, int64_t now_us, struct account *ret,
                int64_t *ret_until_us, struct fault *f)
{
    struct db *db = db_write(p);
    *ret_until_us = login_try(db, t, now_us);
    if (login)
        find_account(db, login, ret);
    else
        login_account(db, person, ret);
    return ended(db, 0, f);
}

int login_password(struct db_pool *p, struct text login, struct text password, const struct login_from *from,
                   const struct login_limits *limits, int64_t now_us, struct login_result *ret, struct fault *f)
{
    struct login_try t;
    struct account a;
    login_try_keys(&t, login, from);
    *ret = (struct login_result){.outcome = LOGIN_REFUSED};
    int r = login_begin(p, &t, login.n > 64 ? "" : t.login + 2, 0, now_us, &a, &ret->locked_until_us, f);
    if (r)
        return r;
    if (ret->locked_until_us) {
        ret->outcome = LOGIN_LOCKED;
        return 0;
    }
    bool is_right = password_is(a.hash, password);
    struct db *db = db_write(p);
    r = judged(db, &a, is_right, &t, from, limits, now_us, ret);
    r = ended(db, r, f);
    sodium_memzero(&a, sizeof(a));
    return r;
}

int login_confirm(struct db_pool *p, int64_t person, struct text password, const struct login_from *from, int64_t now_us,
                  enum login_outcome *ret_outcome, struct fault *f)
{
    struct login_try t;
    struct account a;
    int64_t until_us;
    *ret_outcome = LOGIN_REFUSED;
    struct db *db = db_read(p);
    login_account(db, person, &a);
    int r = ended(db, 0, f);
    if (r)
        return r;
    login_try_keys(&t, (struct text){a.login, strlen(a.login)}, from);
    r = login_begin(p, &t, NULL, person, now_us, &a, &until_us, f);
    if (r || until_us) {
        *ret_outcome = LOGIN_LOCKED;
        return r;
    }
    bool is_right = password_is(a.hash, password) && a.may_login;
    db = db_write(p);
    if (is_right)
        take_back(db, &t, false);
    else
        login_tell_refused(db, &t, person, "password", from, now_us);
    r = ended(db, 0, f);
    if (!r && is_right)
        *ret_outcome = LOGIN_DONE;
    sodium_memzero(&a, sizeof(a));
    return r;
}

/* --- the second factor ------------------------------------------------------------------------------------------- */

/* find_challenge - counts the try. Return: the person, or 0: none that holds. */
static int64_t find_challenge(struct db *db, const struct sha256 *hash, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE login_challenge SET tries = tries + 1 WHERE hash = ?1 AND until_us > ?2 AND tries < ?3");
    db_bind_blob(s, 1, hash->b, sizeof(hash->b));
    db_bind(s, 2, now_us);
    db_bind(s, 3, CHALLENGE_TRIES);
    if (!db_done(s))
        return 0;
    s = db_sql(db, "SELECT person FROM login_challenge WHERE hash = ?1");
    db_bind_blob(s, 1, hash->b, sizeof(hash->b));
    int64_t person = db_next(s) ? db_int(s, 0) : 0;
    db_reset(s);
    return person;
}

static bool take_totp(struct db *db, const struct account *a, struct text code, int64_t now_us)
{
    int64_t step = a->has_totp ? totp_step(a->totp, sizeof(a->totp), code, now_us, a->totp_step) : -1;
    struct db_statement *s = step < 0 ? NULL : db_sql(db, "UPDATE login_state SET totp_step = ?2 WHERE person = ?1 AND totp_step < ?2");
    if (!s)
        return false;
    db_bind(s, 1, a->person);
    db_bind(s, 2, step);
    return db_done(s) == 1;
}

static bool take_recovery(struct db *db, const struct account *a, struct text code, int64_t now_us)
{
    struct sha256 hash = login_recovery_hash(a->person, code);
    struct db_statement *s = db_sql(db, "UPDATE recovery_code SET used_us = ?3 WHERE person = ?1 AND hash = ?2 AND used_us IS NULL");
    db_bind(s, 1, a->person);
    db_bind_blob(s, 2, hash.b, sizeof(hash.b));
    db_bind(s, 3, now_us);
    return a->has_totp && db_done(s) == 1;
}

bool login_take_code(struct db *db, const struct account *a, struct text code, bool is_recovery, int64_t now_us)
{
    return is_recovery ? take_recovery(db, a, code, now_us) : take_totp(db, a, code, now_us);
}

static void close_challenge(struct db *db, int64_t person)
{
    struct db_statement *s = db_sql(db, "DELETE FROM login_challenge WHERE person = ?1");
    db_bind(s, 1, person);
    db_done(s);
}

int login_totp(struct db_pool *p, struct text challenge, struct text code, bool is_recovery, const struct login_from *from,
               const struct login_limits *limits, int64_t now_us, struct login_result *ret, struct fault *f)
{
    struct sha256 hash = sha256_of(challenge.p, challenge.n);
    struct login_try t;
    struct account a = {0};
    int r = 0;
    *ret = (struct login_result){.outcome = LOGIN_EXPIRED};
    struct db *db = db_write(p);
    int64_t person = find_challenge(db, &hash, now_us);
    if (person)
        login_account(db, person, &a);
    if (a.person && a.may_login) {
        login_try_keys(&t, (struct text){a.login, strlen(a.login)}, from);
        ret->locked_until_us = login_try(db, &t, now_us);
        ret->outcome = ret->locked_until_us ? LOGIN_LOCKED : LOGIN_REFUSED;
        bool is_right = !ret->locked_until_us && login_take_code(db, &a, code, is_recovery, now_us);
        if (is_right) {
            close_challenge(db, person);
            r = let_in(db, &a, &t, from, limits, is_recovery ? "recovery_code" : "totp", now_us, ret);
        } else if (!ret->locked_until_us) {
            login_tell_refused(db, &t, person, is_recovery ? "recovery_code" : "totp", from, now_us);
        }
    }
    r = ended(db, r, f);
    sodium_memzero(&a, sizeof(a));
    return r;
}
