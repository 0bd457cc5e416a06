/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/alert/alert_desk - findings become work: the door of this desk for the node.
 *
 * In:     the finding journal of the watch, from the desk's own durable cursor; what other desks know of an address (lookups).
 * Out:    alerts, their story, suppressions, saved views; routes below /api/v1/alerts.
 * Exactly once: finding, alert and cursor change in one transaction; the journal's cursor file follows after it.
 * Limits: ALERT_BATCH records a transaction, so that nobody waits long for the writing connection.
 */
#pragma once

#include "desk/alert/alert.h"
#include "web/web.h"

#define ALERT_BATCH 2000

/* what other desks tell of an address or host at a time; called in the writing transaction */
struct alert_lookups {
    void *context;
    /* @s: what the finding says. Fills what is known; leaves the rest. May be NULL: nothing is known. */
    void (*place)(void *context, struct db *db, const struct alert_sign *s, struct alert_place *ret);
};

struct alert_desk;
/* alert_desk_new - @policy_path as alert_policy_read. Return: 0, 1 (the policy was refused), or -errno. */
int alert_desk_new(const char *policy_path, const struct alert_lookups *lookups, struct alert_desk **ret, struct fault *f);
void alert_desk_free(struct alert_desk *d);
/* alert_desk_entry - the line of the node's table of desks. */
struct web_desk alert_desk_entry(struct alert_desk *d);

/* what one pass took */
struct alert_taken {
    uint64_t n_records, n_refused, n_new, n_grown, n_skipped;
    bool has_more;
    int64_t changed[256]; /* alerts to be told of; n_changed above 256: too many to name */
    size_t n_changed;
};
/* alert_desk_take - one batch from the journal below @data_dir into the state. Return: 0 or -errno. */
int alert_desk_take(struct alert_desk *d, struct db_pool *pool, const char *data_dir, int64_t now_us,
                    struct alert_taken *ret, struct fault *f);
/* alert_desk_upkeep - suppressions that ended give their alerts back. */
int alert_desk_upkeep(struct alert_desk *d, struct db_pool *pool, int64_t now_us, struct fault *f);
