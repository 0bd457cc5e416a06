/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/behaviour_logins_own - between reading tries and judging them.
 */
#pragma once

#include "watch/detect/behaviour_logins.h"
#include "watch/detect/behaviour_tell.h"

#define WHEEL_STEPS 10u             /* of a window */
#define WHEEL_SLOTS (WHEEL_STEPS + 1) /* so that no window is cut short; at most a tenth too much */

/* counts of the last steps */
struct wheel {
    int64_t step; /* of the newest slot: time / step length */
    uint32_t n[WHEEL_SLOTS];
};
void wheel_add(struct wheel *w, int64_t us, int64_t window_us, uint32_t n);
/* wheel_sum - of the window that ends with the newest step. */
uint64_t wheel_sum(const struct wheel *w);

struct login_text {
    char p[LOGINS_TEXT_BYTES];
    size_t n;
};
void login_text_set(struct login_text *t, struct text from);
static inline struct text login_text(const struct login_text *t)
{
    return (struct text){t->p, t->n};
}

/* one try, as read */
struct login {
    int64_t time_us;
    struct ip source, target;                  /* all zero: not known */
    struct login_text origin, host, user, service; /* origin: the source as a text where it is no address */
    bool has_succeeded;
    uint32_t tries;                            /* failures this event tells of, at least 1 */
    uint64_t source_key, target_key, user_key; /* 0: not known */
    uint64_t wording;                          /* of the line, without its variables */
};

struct logins {
    const struct behaviour_base *base;
    struct behaviour_counters counters;
    struct table pairs, sources, accounts, servers;
};

static inline double logins_limit(const struct logins *x, enum behaviour_setting s)
{
    return x->base->settings->v[s];
}

/* Return: 0 or <0 */
int logins_judge(struct logins *x, const struct login *l);
int logins_connection(struct logins *x, const struct behaviour_row *row);
int logins_flush(struct logins *x, int64_t at_us);
extern const size_t logins_pair_bytes, logins_source_bytes, logins_account_bytes, logins_server_bytes;
