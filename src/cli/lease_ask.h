/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/lease_ask - questions that stayed open are asked of the owner's own log system, as the configuration says (leases: remote).
 *
 * The process of the command line opens the connection; no role of the node does. Every question is written into the audit
 * trail before it goes out. An answer that is refused, or none, leaves the question as it was: it is said and counted.
 * Limits: asks_at_most of the configuration; after ASK_FAILURES in a row nothing is asked any more.
 */
#pragma once

#include "cli/cli.h"
#include "net/http_client.h"
#include "node/config.h"
#include "watch/lease/overlay.h"
#include "watch/lease/remote.h"

#define ASK_FAILURES 5u

struct lease_ask {
    const struct cli_args *args;
    struct config *config; /* NULL: nothing is asked */
    const struct remote_system *system;
    struct http_client *client;
    struct buf body, csv;
    uint64_t n_asked, n_failed, n_rows, n_refused_rows, n_left; /* rows of answers; questions not asked any more */
    unsigned n_failures; /* in a row */
};

/* lease_ask_begin - without --ask: nothing is asked. Return: 0, or 1 after saying what is wrong. */
int lease_ask_begin(struct lease_ask *x, const struct cli_args *a);
void lease_ask_end(struct lease_ask *x);
/* lease_ask_wants - whether an answer is open enough to ask. */
bool lease_ask_wants(const struct lease_ask *x, const struct lease_answer *answer);
/* lease_ask_one - its answer's rows go into @to. Return: 0 (also when it was refused), or -errno with the fault. */
int lease_ask_one(struct lease_ask *x, const struct lease_question *q, struct lease_overlay *to, struct fault *f);
/* lease_ask_say - the account. */
void lease_ask_say(const struct lease_ask *x);
