/* SPDX-License-Identifier: Apache-2.0 */
/* One's own password and second factor: changed by who is in, with the old one or a code asked for again. */
#include "state/login_own.h"
#include "state/session.h"
#include "state/trail.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const int64_t OFFER_US = INT64_C(900) * 1000000;

static int ended(struct db *db, int r, struct fault *f)
{
    int e = db_end(db, r >= 0, r < 0 ? NULL : f);
    return e ? (e == DB_CONFLICT ? -EIO : e) : r;
}

static void tell_person(struct db *db, const char *action, int64_t person, const struct login_from *from, int64_t now_us)
{
    char who[32];
    snprintf(who, sizeof(who), "user:%lld", (long long)person);
    const struct trail_entry e = {.at_us = now_us, .who = {who, strlen(who)}, .action = {action, strlen(action)}, .kind = TEXT("person"),
        .object = person, .address = from->address};
    trail_add(db, &e);
}

/* --- password ---------------------------------------------------------------------------------------------------- */

static int check_new(struct db_pool *p, int64_t person, struct text before, struct text after, enum password_fault *ret, struct fault *f)
{
    struct account a;
    struct db *db = db_read(p);
    login_account(db, person, &a);
    int r = ended(db, 0, f);
    *ret = text_equal(before, after) ? PASSWORD_SAME
         : password_check(after, (struct text){a.login, strlen(a.login)}, (struct text){a.name, strlen(a.name)});
    sodium_memzero(&a, sizeof(a));
    return r;
}

int login_change_password(struct db_pool *p, int64_t person, int64_t session_id, struct text before, struct text after,
                          const struct login_from *from, int64_t now_us, enum login_outcome *ret_outcome,
                          enum password_fault *ret_fault, struct fault *f)
{
    struct password_hash hash;
    *ret_fault = PASSWORD_FINE;
    int r = login_confirm(p, person, before, from, now_us, ret_outcome, f);
    if (r || *ret_outcome != LOGIN_DONE)
        return r;
    r = check_new(p, person, before, after, ret_fault, f);
    if (r || *ret_fault)
        return r;
    r = password_make(after, &hash);
    if (r)
        return FAULT(f, r, no_memory, "argon2id");
    struct db *db = db_write(p);
    struct db_statement *s = db_sql(db, "UPDATE credential SET password = ?2, changed_us = ?3, must_change = 0, first_until_us = NULL"
                                        " WHERE person = ?1");
    db_bind(s, 1, person);
    db_bind_str(s, 2, hash.text);
    db_bind(s, 3, now_us);
    db_done(s);
    session_end_all(db, person, session_id, "password_changed", now_us);
    tell_person(db, "person.password", person, from, now_us);
    return ended(db, 0, f);
}

/* --- second factor ----------------------------------------------------------------------------------------------- */

/* add_escaped - for a URI: RFC 3986 unreserved signs, the rest as %XX. */
static size_t add_escaped(char *out, size_t at, size_t n_out, const char *s)
{
    static const char HEX[] = "0123456789ABCDEF";
    for (; *s && at + 4 < n_out; s++) {
        uint8_t c = (uint8_t)*s;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c);
        if (is_plain) {
            out[at++] = *s;
            continue;
        }
        out[at++] = '%';
        out[at++] = HEX[c >> 4];
        out[at++] = HEX[c & 15];
    }
    out[at] = '\0';
    return at;
}

int login_totp_offer(struct db_pool *p, int64_t person, const char *issuer, int64_t now_us, struct totp_offer *ret, struct fault *f)
{
    uint8_t secret[TOTP_SECRET_BYTES];
    struct account a;
    if (sodium_init() < 0)
        return FAULT(f, -EIO, no_memory, "libsodium");
    randombytes_buf(secret, sizeof(secret));
    base32_encode(secret, sizeof(secret), ret->secret, sizeof(ret->secret));
    struct db *db = db_write(p);
    login_account(db, person, &a);
    struct db_statement *s = db_sql(db, "UPDATE login_state SET totp_offer = ?2, totp_offer_us = ?3 WHERE person = ?1");
    db_bind(s, 1, person);
    db_bind_blob(s, 2, secret, sizeof(secret));
    db_bind(s, 3, now_us);
    db_done(s);
    int r = ended(db, 0, f);
    size_t room = sizeof(ret->uri) - 128, n = (size_t)snprintf(ret->uri, sizeof(ret->uri), "otpauth://totp/");
    n = add_escaped(ret->uri, n, room / 2, issuer);
    n = add_escaped(ret->uri, n, room / 2 + 8, ":");
    n = add_escaped(ret->uri, n, room, a.login);
    snprintf(ret->uri + n, sizeof(ret->uri) - n, "?secret=%s&algorithm=SHA1&digits=6&period=%d", ret->secret, TOTP_STEP_S);
    sodium_memzero(secret, sizeof(secret));
    return r;
}

struct sha256 login_recovery_hash(int64_t person, struct text code)
{
    struct sha256_state h;
    char head[48];
    sha256_init(&h);
    int n = snprintf(head, sizeof(head), "recovery;%lld;", (long long)person);
    sha256_add(&h, head, (size_t)n);
    for (size_t i = 0; i < code.n; i++) {
        char c = code.p[i] >= 'A' && code.p[i] <= 'Z' ? (char)(code.p[i] + 32) : code.p[i];
        if (c != '-' && c != ' ')
            sha256_add(&h, &c, 1);
    }
    return sha256_end(&h);
}

static void make_codes(struct db *db, int64_t person, char ret[RECOVERY_CODES][RECOVERY_CODE_MAX])
{
    static const char SIGNS[] = "abcdefghjkmnpqrstuvwxyz23456789";
    struct db_statement *s = db_sql(db, "DELETE FROM recovery_code WHERE person = ?1");
    db_bind(s, 1, person);
    db_done(s);
    for (unsigned i = 0; i < RECOVERY_CODES; i++) {
        unsigned n = 0;
        for (unsigned k = 0; k < 15; k++) {
            if (k && k % 5 == 0)
                ret[i][n++] = '-';
            ret[i][n++] = SIGNS[randombytes_uniform(sizeof(SIGNS) - 1)];
        }
        ret[i][n] = '\0';
        struct sha256 hash = login_recovery_hash(person, (struct text){ret[i], n});
        s = db_sql(db, "INSERT INTO recovery_code(person, hash) VALUES(?1, ?2)");
        db_bind(s, 1, person);
        db_bind_blob(s, 2, hash.b, sizeof(hash.b));
        db_done(s);
    }
}

/* offered - the secret that waits for its first code. Return: false: none, or too old. */
static bool offered(struct db *db, int64_t person, int64_t now_us, uint8_t secret[TOTP_SECRET_BYTES])
{
    struct db_statement *s = db_sql(db, "SELECT totp_offer FROM login_state WHERE person = ?1 AND totp_offer_us > ?2");
    db_bind(s, 1, person);
    db_bind(s, 2, now_us - OFFER_US);
    struct text blob = db_next(s) ? db_blob(s, 0) : (struct text){"", 0};
    bool is = blob.n == TOTP_SECRET_BYTES;
    if (is)
        memcpy(secret, blob.p, blob.n);
    db_reset(s);
    return is;
}

static void put_in_force(struct db *db, int64_t person, const uint8_t secret[TOTP_SECRET_BYTES], int64_t step, int64_t now_us)
{
    struct db_statement *s = db_sql(db, "UPDATE credential SET totp = ?2, totp_since_us = ?3 WHERE person = ?1");
    db_bind(s, 1, person);
    db_bind_blob(s, 2, secret, TOTP_SECRET_BYTES);
    db_bind(s, 3, now_us);
    db_done(s);
    s = db_sql(db, "UPDATE login_state SET totp_offer = NULL, totp_offer_us = NULL, totp_step = ?2 WHERE person = ?1");
    db_bind(s, 1, person);
    db_bind(s, 2, step);
    db_done(s);
}

int login_totp_confirm(struct db_pool *p, int64_t person, struct text code, const struct login_from *from, int64_t now_us,
                       char ret_codes[RECOVERY_CODES][RECOVERY_CODE_MAX], struct fault *f)
{
    uint8_t secret[TOTP_SECRET_BYTES];
    struct account a;
    struct login_try t;
    int64_t step = -1;
    struct db *db = db_write(p);
    login_account(db, person, &a);
    login_try_keys(&t, (struct text){a.login, strlen(a.login)}, from);
    bool is_let = !login_try(db, &t, now_us);
    if (is_let && offered(db, person, now_us, secret))
        step = totp_step(secret, sizeof(secret), code, now_us, -1);
    if (step >= 0) {
        login_try_undo(db, t.login);
        login_try_undo(db, t.address);
        put_in_force(db, person, secret, step, now_us);
        make_codes(db, person, ret_codes);
        tell_person(db, "person.totp", person, from, now_us);
    } else if (is_let) {
        login_tell_refused(db, &t, person, "totp", from, now_us);
    }
    sodium_memzero(secret, sizeof(secret));
    return ended(db, step < 0, f);
}

int login_totp_remove(struct db_pool *p, int64_t person, struct text code, const struct login_from *from, int64_t now_us, struct fault *f)
{
    struct account a;
    struct login_try t;
    struct db *db = db_write(p);
    login_account(db, person, &a);
    login_try_keys(&t, (struct text){a.login, strlen(a.login)}, from);
    bool is_let = !login_try(db, &t, now_us);
    bool is_right = is_let && login_take_code(db, &a, code, code.n != 6, now_us);
    if (is_right) {
        login_try_undo(db, t.login);
        login_try_undo(db, t.address);
        struct db_statement *s = db_sql(db, "UPDATE credential SET totp = NULL, totp_since_us = NULL WHERE person = ?1");
        db_bind(s, 1, person);
        db_done(s);
        s = db_sql(db, "DELETE FROM recovery_code WHERE person = ?1");
        db_bind(s, 1, person);
        db_done(s);
        tell_person(db, "person.totp_off", person, from, now_us);
    } else if (is_let) {
        login_tell_refused(db, &t, person, "totp", from, now_us);
    }
    return ended(db, !is_right, f);
}
