/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/login_own - what the ways in (login.c) and the care of one's own factors (login_care.c) share.
 */
#pragma once

#include "base/sha256.h"
#include "state/login.h"

/* what a person logs in with; all zero: nobody */
struct account {
    int64_t person, first_until_us, totp_step;
    char hash[PASSWORD_HASH_MAX], login[65], name[801];
    uint8_t totp[TOTP_SECRET_BYTES];
    bool has_totp, may_login;
};
void login_account(struct db *db, int64_t person, struct account *ret);

/* by what a try is counted */
struct login_try {
    char login[80], address[80];
};
void login_try_keys(struct login_try *t, struct text login, const struct login_from *from);
/* login_try - count it. Return: 0: it may be judged; else until when it is locked. */
int64_t login_try(struct db *db, const struct login_try *t, int64_t now_us);
/* login_try_undo - it was no failure. */
void login_try_undo(struct db *db, const char *key);
/* login_begin - count and read the account (@login, or @person where it is NULL) in one transaction. */
int login_begin(struct db_pool *p, const struct login_try *t, const char *login, int64_t person, int64_t now_us, struct account *ret,
                int64_t *ret_until_us, struct fault *f);

/* login_tell - an entry of kind login; login_tell_refused - with what stands in the counters. */
void login_tell(struct db *db, const char *action, int64_t person, const char *detail, const struct login_from *from, int64_t now_us);
void login_tell_refused(struct db *db, const struct login_try *t, int64_t person, const char *why, const struct login_from *from,
                        int64_t now_us);

/* login_take_code - is it a right one, and not used before? It is now. */
bool login_take_code(struct db *db, const struct account *a, struct text code, bool is_recovery, int64_t now_us);
/* login_recovery_hash - of a code as people type it: letters of any case, with or without the lines between. */
struct sha256 login_recovery_hash(int64_t person, struct text code);
