/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/session - sessions, API tokens and the certificates of connectors: secrets of 256 random bits of which only the SHA-256 is
 * kept, so that a stolen database opens no door.
 *
 * A session ends by rest, by its absolute end, by its owner, by an administrator, and with a change of password, second factor or
 * role. Its CSRF token is derived from the cookie's value and stands nowhere. Ended ones stay SESSION_KEEP_US for the list.
 * A token acts as its owner, cut to its scopes (and, of a wall screen, to a TLP); it ends on its day.
 */
#pragma once

#include "base/arena.h"
#include "state/access.h"
#include "state/login.h"

#define SESSION_KEEP_US (INT64_C(30) * 86400 * 1000000)
#define SESSION_TOUCH_US (INT64_C(60) * 1000000) /* "last seen" is at most this old */
#define SESSIONS_OF_ONE_MAX 20                   /* beyond it the oldest ends */
#define TOKEN_TEXT_MAX 48u                       /* vg_ and base64url */
#define TOKEN_NAME_MAX 100u
#define TOKEN_SPAN_MAX_US (INT64_C(2) * 366 * 86400 * 1000000)

struct session {
    int64_t id, person;
    const char *login, *name, *language, *address, *agent; /* in the arena */
    bool must_change_password, has_totp;
    int64_t created_us, seen_us, expires_us; /* expires: the earlier of rest and absolute end, as of seen_us */
    int64_t ended_us;                        /* 0: open */
    const char *end_reason;                  /* "logout", "idle", "expired", "password_changed", "role_changed", "disabled", "revoked" */
    char csrf[SESSION_TEXT_MAX];             /* session_find only */
    struct subject subject;                  /* session_find only; scopes are empty while the password must be changed */
};

/*
 * session_find - the open session of a cookie. @ret_touch: it should be touched (session_touch).
 * Return: 0; 1: there is none (any more); -errno.
 */
int session_find(struct db *db, struct text cookie, int64_t now_us, struct arena *arena, struct session *ret, bool *ret_touch);
/* session_touch - it was used; in its own short transaction. */
int session_touch(struct db_pool *p, int64_t id, int64_t now_us, struct fault *f);
/* session_is_open - for event streams: is it still? Return: 1 yes, 0 no, -errno. */
int session_is_open(struct db *db, int64_t id, int64_t now_us);
/* session_end - @person: only if it is his (0: whoever's). Return: 0, 1: no open one. */
int session_end(struct db *db, int64_t id, int64_t person, const char *reason, int64_t now_us);
/* session_end_all - of @person but @except (0: none). Return: how many. */
int64_t session_end_all(struct db *db, int64_t person, int64_t except, const char *reason, int64_t now_us);
/* session_each - of @person (0: all), open ones and those ended lately, newest first, before id @before. Return: rows or -errno. */
int session_each(struct db *db, int64_t person, int64_t before, size_t n, int64_t now_us, struct arena *arena, struct session *ret);
/* session_tidy - what ended long ago is forgotten: sessions, challenges, failures. From a tick, every hour or so. */
void session_tidy(struct db *db, int64_t now_us);

/* --- tokens --- */
struct token {
    int64_t id, version, person, by_person;
    const char *name;
    uint64_t scopes;
    enum tlp tlp_max;
    bool is_wall;                     /* a wall screen's: reads only, no person behind it */
    int64_t created_us, expires_us, ended_us, last_used_us;
    const char *last_address;
};
/* token_add - @ret: shown once. Return: 0, or a condition of enum person_condition. */
int token_add(struct db *db, const struct token *t, int64_t now_us, int64_t *ret_id, char ret[TOKEN_TEXT_MAX]);
/* token_find - @ret_touch: its last use should be noted (token_touch). Return: 0; 1: none that holds; -errno. */
int token_find(struct db *db, struct text text, int64_t now_us, struct arena *arena, struct token *ret, struct subject *ret_subject,
               bool *ret_touch);
int token_touch(struct db_pool *p, int64_t id, struct text address, int64_t now_us, struct fault *f);
/* token_end - @person: only if it is his (0: whoever's). Return: 0, 1: no such token that holds. */
int token_end(struct db *db, int64_t id, int64_t person, int64_t now_us);
int token_each(struct db *db, int64_t person, int64_t before, size_t n, struct arena *arena, struct token *ret);

/* --- certificates of connectors: the TLS layer has checked the chain; here is whose it is --- */
struct certificate {
    int64_t id, version, person, by_person;
    const char *subject; /* the distinguished name as GnuTLS prints it (RFC 4514) */
    int64_t from_us, to_us, ended_us;
};
int certificate_add(struct db *db, const struct certificate *c, int64_t now_us, int64_t *ret_id);
/* certificate_find - Return: 0; 1: nobody's, or not now; -errno. */
int certificate_find(struct db *db, struct text subject, int64_t now_us, struct subject *ret);
int certificate_end(struct db *db, int64_t id, int64_t now_us);
int certificate_each(struct db *db, int64_t before, size_t n, struct arena *arena, struct certificate *ret);
