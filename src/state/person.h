/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/person - the people of the office: who they are, what they are bound to, what was granted to them, who needs to know.
 *
 * Everything here works inside the caller's transaction (db_read, db_write); failures are sticky there. It enters nothing in
 * the trail: who calls does (web_audit, trail_add) with kind "person", "binding", "grant" or "audience" (state_kinds).
 * Who may call is the caller's question too: access_may(USER_WRITE ...), access_covers() before a binding or grant is given.
 * Changes of a binding end the person's sessions; changes of anything here are seen by the next access_refresh.
 * Passwords, TOTP and logging in: state/login. Sessions, tokens, certificates: state/session.
 */
#pragma once

#include "base/arena.h"
#include "state/access.h"
#include "state/login.h"
#include "state/role.h"
#include "state/session.h"
#include "state/trail.h"

#define PERSON_LOGIN_MAX 64u /* bytes: a-z, 0-9, . _ - @; begins with a letter or digit; kept in lower case */
#define PERSON_NAME_MAX 200u
#define PERSON_CONTACT_MAX 200u

/* what persons, bindings, grants, tokens and audiences are to the trail; hand them to trail_watch */
extern const struct trail_kind state_kinds[];
extern const size_t state_n_kinds;

struct person {
    int64_t id, version;
    const char *login, *name, *email, *phone; /* "" where unknown; in the arena of the call */
    const char *language;                     /* "vi", "en" */
    int64_t unit;                             /* whose he is; 0: the office's own */
    bool is_disabled, is_connector;           /* a connector logs in by certificate or token only */
    bool has_password, must_change_password, has_totp;
    int64_t created_us, changed_us, last_login_us; /* 0: never */
};

/* conditions of the functions that change */
enum person_condition {
    PERSON_DONE,
    PERSON_BAD_LOGIN = 2, /* not a login (DB_CONFLICT is 1) */
    PERSON_BAD_NAME,
    PERSON_TAKEN,         /* somebody has this login */
    PERSON_NO_SUCH,       /* no such person, unit, role, binding, grant */
    PERSON_CHANGED,       /* another version stands: somebody changed it first */
    PERSON_BAD_PERIOD,    /* to is not after from, or longer than GRANT_SPAN_MAX_US */
    PERSON_BAD_TARGET,    /* neither unit nor object */
    PERSON_NO_REASON,
    PERSON_LAST,          /* nobody would be left who may write users for the whole office */
};

/*
 * person_add - @p: login, name, email, phone, language (NULL: vi), unit, is_connector. A connector gets no password.
 * @first: from password_first, made before the transaction began; NULL for a connector. Return: 0 with @ret_id, a condition, -errno.
 */
int person_add(struct db *db, const struct person *p, const struct password_first *first, int64_t now_us, int64_t *ret_id);
/* person_get - Return: 0, PERSON_NO_SUCH, -errno. */
int person_get(struct db *db, int64_t id, struct arena *arena, struct person *ret);
int person_get_by_login(struct db *db, struct text login, struct arena *arena, struct person *ret);
/*
 * person_each - by login, from after @after (NULL: the first), at most @n; those the caller may see: the connection must be
 * entered (access_enter), or @is_system. Return: rows, or -errno.
 */
int person_each(struct db *db, bool is_system, const char *after, size_t n, struct arena *arena, struct person *ret);
/* person_change - name, email, phone, language, unit of @p where p->version still stands. Return: 0, a condition, -errno. */
int person_change(struct db *db, const struct person *p, int64_t now_us);
/* person_disable - sessions and tokens end with it. Return: 0, PERSON_LAST, PERSON_NO_SUCH, -errno. */
int person_disable(struct db *db, const struct roles *roles, int64_t id, bool is_disabled, int64_t now_us);
/* person_reset_password - a new one-time password; sessions end; the lock of his login is lifted. */
int person_reset_password(struct db *db, int64_t id, const struct password_first *first, int64_t now_us);
/* person_reset_totp - the second factor and its recovery codes are gone; sessions end. */
int person_reset_totp(struct db *db, int64_t id, int64_t now_us);

/* --- roles at units --- */
struct binding {
    int64_t id, version, person, unit; /* unit 0: the root, above every unit */
    const char *role;
    bool is_below;                     /* for what lies below the unit too */
    int64_t from_us, to_us;            /* [from, to); to 0: open */
    int64_t by_person;                 /* 0: the command line */
    int64_t ended_us;                  /* 0: not ended before its time */
};
int binding_add(struct db *db, const struct roles *roles, const struct binding *b, int64_t now_us, int64_t *ret_id);
/* binding_end - now, before its time. */
int binding_end(struct db *db, const struct roles *roles, int64_t id, int64_t now_us);
int binding_get(struct db *db, int64_t id, struct arena *arena, struct binding *ret);
/* binding_each - of @person (0: of all), with those that ended; by id, after @after. Return: rows or -errno. */
int binding_each(struct db *db, int64_t person, int64_t after, size_t n, struct arena *arena, struct binding *ret);

/* --- dated grants --- */
#define GRANT_TARGETS_MAX 64u
#define GRANT_SPAN_MAX_US (INT64_C(5) * 366 * 86400 * 1000000) /* a grant always ends */
#define GRANT_REASON_MAX 2000u

struct grant_target {
    int64_t unit;      /* > 0: a unit ... */
    bool is_below;
    const char *kind;  /* ... or one object: "alert" */
    int64_t object;
};

struct grant {
    int64_t id, version, person, by_person;
    uint64_t permissions;
    const char *reason;
    int64_t from_us, to_us; /* [from, to) */
    int64_t ended_us, ended_by;
    struct grant_target *targets;
    size_t n_targets;
};
int grant_add(struct db *db, const struct grant *g, int64_t now_us, int64_t *ret_id);
int grant_end(struct db *db, int64_t id, int64_t by_person, int64_t now_us);
int grant_get(struct db *db, int64_t id, struct arena *arena, struct grant *ret);
/* grant_each - of @person (0: of all); newest first, before id @before (0: from the newest). Return: rows or -errno. */
int grant_each(struct db *db, int64_t person, int64_t before, size_t n, struct arena *arena, struct grant *ret);

/* --- need to know --- */
#define AUDIENCE_MEMBERS_MAX 256u
struct audience_member {
    int64_t person, unit; /* one of them; a unit names those bound at it ... */
    bool is_below;        /* ... and at what lies below it */
};
/*
 * audience_add - an audience never changes: another circle is another audience. None named: nobody. Its members are seen by
 * decisions after the next access_refresh; until then it names nobody.
 */
int audience_add(struct db *db, const struct audience_member *m, size_t n, int64_t now_us, int64_t *ret_id);
int audience_get(struct db *db, int64_t id, struct arena *arena, struct audience_member **ret, size_t *ret_n);
