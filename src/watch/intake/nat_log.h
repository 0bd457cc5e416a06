/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/nat_log - what NAT gateways export and no flow says (port blocks, bindings, releases) as log events.
 *
 * In:     events of the decoder (format/netflow.h); those whose record is kept as a flow are left to the flow.
 * Out:    batches of events to a sink: the fields of docs/logs.md, "Who held an address"; no original, for there was no text.
 * Limits: one batch of memory, made with the first event; one thread.
 */
#pragma once

#include "format/event.h"
#include "format/netflow.h"

struct nat_log {
    struct event_names *names; /* borrowed */
    struct events *events;     /* NULL: none yet */
    int (*sink)(void *context, struct events *e); /* 0 or <0, handed up; the batch is cleared behind it */
    void *context;
    uint64_t n_events;
    int64_t event_min_us, event_max_us;
};

/* nat_log_init - @names must be those of the store the sink writes to. */
void nat_log_init(struct nat_log *x, struct event_names *names, int (*sink)(void *context, struct events *e), void *context);
void nat_log_fini(struct nat_log *x);
/* nat_log_put - a nat_sink; @context is the struct nat_log. Return: 0, -ENOMEM, or what the sink answered. */
int nat_log_put(void *context, const struct nat_event *e);
/* nat_log_flush - hand on what is there. Return: 0 or what the sink answered. */
int nat_log_flush(struct nat_log *x);
