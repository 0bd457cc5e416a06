/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/login - passwords, the second factor, the way into a session, and what stands against guessing.
 *
 * Passwords: argon2id (libsodium, INTERACTIVE: 64 MiB, 2 passes); at most LOGIN_HASHES_AT_ONCE are computed at a time, others wait.
 * A first password is made by the program, shown once, works PASSWORD_FIRST_DAYS, and must be changed before anything else.
 * Second factor: TOTP (RFC 6238: SHA-1, 6 digits, 30 s, one step early or late), each code once; ten recovery codes, each once.
 * Guessing: failures are counted per login (also one that nobody has) and per address (IPv6: its /64); after
 * LOCK_LOGIN_FREE, LOCK_ADDRESS_FREE failures each further one locks twice as long, from LOCK_FIRST_US to LOCK_MAX_US; a success
 * forgets the login's failures, LOCK_FORGET_US of quiet forgets any. While it is locked even the right password is refused, alike.
 * An unknown login, a wrong password and a disabled person cost the same time and get the same answer.
 * The trail is told: session.opened, login.refused, login.locked; while a lock holds only counts grow, told by the next entry.
 * Functions that take a pool make their own short transactions and hash outside of them: call them with none open.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "state/db.h"

#define PASSWORD_MIN 12u          /* characters */
#define PASSWORD_MAX 256u         /* bytes */
#define PASSWORD_HASH_MAX 128u    /* crypto_pwhash_STRBYTES */
#define PASSWORD_FIRST_MAX 32u
#define PASSWORD_FIRST_DAYS 7
#define LOGIN_HASHES_AT_ONCE 2u
#define LOCK_LOGIN_FREE 5
#define LOCK_ADDRESS_FREE 20
#define LOCK_FIRST_US (INT64_C(30) * 1000000)
#define LOCK_MAX_US (INT64_C(3600) * 1000000)
#define LOCK_FORGET_US (INT64_C(86400) * 1000000)
#define LOCK_ROWS_MAX 100000      /* logins and addresses remembered; beyond it the oldest are forgotten */
#define TOTP_SECRET_BYTES 20u
#define TOTP_STEP_S 30
#define RECOVERY_CODES 10u
#define RECOVERY_CODE_MAX 18u     /* "xxxxx-xxxxx-xxxxx", 74 bits, and the zero */
#define CHALLENGE_US (INT64_C(300) * 1000000)
#define CHALLENGE_TRIES 5

/* --- passwords --- */
enum password_fault {
    PASSWORD_FINE,
    PASSWORD_SHORT,   /* fewer than PASSWORD_MIN characters */
    PASSWORD_LONG,
    PASSWORD_NO_TEXT, /* not UTF-8, or control characters */
    PASSWORD_COMMON,  /* a common word or row of keys, with digits and signs around */
    PASSWORD_OWN,     /* holds the login or is made of the own name */
    PASSWORD_SAME,    /* the one before */
};
/* password_check - @login, @name: of the person; may be empty. Without state. */
enum password_fault password_check(struct text password, struct text login, struct text name);
struct password_hash {
    char text[PASSWORD_HASH_MAX];
};
/* password_make - takes about a tenth of a second: outside of transactions. Return: 0 or -ENOMEM. */
int password_make(struct text password, struct password_hash *ret);
/* password_is - the same cost for a hash that is "" (nobody's). */
bool password_is(const char *hash, struct text password);
/* what a new person gets: shown once, kept only as hash */
struct password_first {
    char text[PASSWORD_FIRST_MAX]; /* four groups of five letters and digits that nobody confuses, 98 bits */
    struct password_hash hash;
};
int password_first(struct password_first *ret);
/* password_wipe - the text is no longer needed. */
void password_wipe(struct password_first *p);

/* --- TOTP, without state --- */
/* totp_code - RFC 6238 for the step of @now_us: 0..999999. */
uint32_t totp_code(const uint8_t *secret, size_t n, int64_t step);
/* totp_step - the step @code belongs to among now's and its neighbours, later than @after. Return: it, or -1: none. */
int64_t totp_step(const uint8_t *secret, size_t n, struct text code, int64_t now_us, int64_t after);
/* base32 as authenticators read it, without '='. Return: characters written, or 0: no room. */
size_t base32_encode(const uint8_t *p, size_t n, char *out, size_t n_out);

/* --- into a session --- */
struct login_from {
    struct text address; /* as text; counted by it */
    struct text agent;   /* User-Agent, cut at 200 bytes */
};

#define SESSION_TEXT_MAX 44u /* 256 bits in base64url and the zero */

struct login_limits {
    int64_t idle_us, absolute_us; /* of a session; 0: half an hour, twelve hours */
};

enum login_outcome { LOGIN_DONE, LOGIN_REFUSED, LOGIN_NEEDS_TOTP, LOGIN_LOCKED, LOGIN_EXPIRED /* first password too old, or challenge */ };

struct login_result {
    enum login_outcome outcome;
    char session[SESSION_TEXT_MAX];   /* LOGIN_DONE: for the cookie; kept nowhere else */
    char challenge[SESSION_TEXT_MAX]; /* LOGIN_NEEDS_TOTP */
    int64_t person, session_id;       /* LOGIN_DONE */
    int64_t locked_until_us;          /* LOGIN_LOCKED */
};

/* login_password - Return: 0 with @ret, or -errno. */
int login_password(struct db_pool *p, struct text login, struct text password, const struct login_from *from,
                   const struct login_limits *limits, int64_t now_us, struct login_result *ret, struct fault *f);
/* login_totp - @code: six digits, or a recovery code where @is_recovery. */
int login_totp(struct db_pool *p, struct text challenge, struct text code, bool is_recovery, const struct login_from *from,
               const struct login_limits *limits, int64_t now_us, struct login_result *ret, struct fault *f);

/* --- one's own password and second factor; trail entries are made here --- */
/*
 * login_change_password - the old one is asked for again. Every session and token-less way in ends but @session_id, which loses
 * its duty to change. Return: 0 with *ret_outcome LOGIN_DONE, LOGIN_REFUSED (old one wrong), LOGIN_LOCKED, or with *ret_fault set; -errno.
 */
int login_change_password(struct db_pool *p, int64_t person, int64_t session_id, struct text before, struct text after,
                          const struct login_from *from, int64_t now_us, enum login_outcome *ret_outcome,
                          enum password_fault *ret_fault, struct fault *f);
struct totp_offer {
    char secret[40]; /* base32 */
    char uri[512];   /* otpauth://totp/... for a QR code */
};
/* login_totp_offer - a new secret, not in force until its first code comes. @issuer: the node's name. */
int login_totp_offer(struct db_pool *p, int64_t person, const char *issuer, int64_t now_us, struct totp_offer *ret, struct fault *f);
/* login_totp_confirm - Return: 0 with codes to print once, 1: the code is not right (counted as a failure), -errno. */
int login_totp_confirm(struct db_pool *p, int64_t person, struct text code, const struct login_from *from, int64_t now_us,
                       char ret_codes[RECOVERY_CODES][RECOVERY_CODE_MAX], struct fault *f);
/* login_totp_remove - one's own, with a code. Return: 0, 1: not right, -errno. */
int login_totp_remove(struct db_pool *p, int64_t person, struct text code, const struct login_from *from, int64_t now_us, struct fault *f);
/* login_confirm - the password again, before something grave; counted like a login. *ret_outcome as login_password without a session. */
int login_confirm(struct db_pool *p, int64_t person, struct text password, const struct login_from *from, int64_t now_us,
                  enum login_outcome *ret_outcome, struct fault *f);

/* login_unlock - forget the failures of @login or an address as it was written; in the caller's transaction. Return: rows. */
int64_t login_unlock(struct db *db, struct text login_or_address);
