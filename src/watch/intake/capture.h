/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/capture - one capturing thread: packets of an interface -> meter -> batches -> store and live match.
 *
 * The ring was opened by the parent (ring_open); this thread maps it and needs no privilege. Share-nothing, as
 * watch/intake/udp: the thread owns its meter, its batches and its store writer.
 *
 * Account: what the ring delivers = metered + refused{reason}; what the kernel dropped stands beside it.
 */
#pragma once

#include "base/fault.h"
#include "watch/flow_batch.h"
#include "watch/intake/meter.h"
#include "watch/intake/ring.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

/* what happens with a full batch after it is stored, e.g. the live match; 0 or <0 */
typedef int (*capture_batch_hook)(void *context, const struct flow_batch *b);

struct capture_options {
    int fd;                     /* of ring_open; the receiver closes it */
    struct ring_options ring;   /* as given to ring_open */
    struct meter_options meter; /* seed: give a random one */
    struct store_writer *writer; /* owned by the thread while it runs; NULL: nothing is stored */
    capture_batch_hook hook;    /* may be NULL */
    capture_batch_hook tick;    /* called with NULL about every 200 ms; may be NULL */
    void *context;
};

struct capture_receiver {
    struct capture_options o;
    struct ring *ring;
    struct meter *meter;
    struct flow_sorter sorter;
    struct fault fault; /* of the error that ended the thread */
    _Atomic bool must_stop;
    int64_t now_us, last_flush_us;
    pthread_mutex_t lock; /* of the two copies below, renewed about every 200 ms */
    struct ring_counters ring_seen;
    struct meter_counters meter_seen;
};

/* capture_init - takes o->fd, also when it fails. Return: 0 or -errno. */
int capture_init(struct capture_receiver *r, const struct capture_options *o);
/* capture_run - until must_stop: then what the ring holds is read, every flow ended and stored. Return: 0 or <0. */
int capture_run(struct capture_receiver *r);
void capture_fini(struct capture_receiver *r);
/* capture_count - from any thread: as of the last 200 ms. */
void capture_count(struct capture_receiver *r, struct ring_counters *ret_ring, struct meter_counters *ret_meter);
