/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/secret - what login and session share: random texts, and a session that is opened.
 */
#pragma once

#include "state/session.h"

/* secret_make - @prefix and 256 random bits in base64url. Return: 0, or -EIO: no room, or no chance to be had. */
int secret_make(const char *prefix, char *out, size_t n_out);
/* session_open - in the caller's transaction. Return: 0 or what db_failed says. */
int session_open(struct db *db, int64_t person, const struct login_from *from, const struct login_limits *limits, int64_t now_us,
                 char ret[SESSION_TEXT_MAX], int64_t *ret_id);
