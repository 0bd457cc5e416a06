/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/narrow - of several who may have held an address, those that were seen talking to the remote one.
 *
 * In:     an answer with candidates, the store of flows seen behind the translation, the remote address (and port) of the list's row.
 * Out:    flows of each candidate's inside address with it in the window; verdict and confidence anew (lease_settle).
 * Honest: flows that are a sample cannot clear anybody: the rate and the chance to have missed a contact stand in the answer, and
 *         it stays with as many candidates as before. Flows that do not cover the window at all narrow nothing.
 */
#pragma once

#include "watch/lease/resolve.h"
#include "watch/store/store.h"

struct lease_remote {
    struct ip ip;
    int32_t port; /* -1: any */
};

/* lease_narrow - Return: 0, or -errno with the fault: the answer is as it was. */
int lease_narrow(struct lease_answer *a, const struct lease_question *q, const struct lease_remote *remote, struct store_view *v,
                 struct fault *f);
