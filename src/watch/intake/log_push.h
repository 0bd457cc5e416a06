/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_push - pushes the gate has taken off HTTPS, into the store: one thread a listener.
 *
 * In:     bodies (log_link.h): JSON lines, an array, documents, packed with gzip or not; on listeners that take it anything
 *         log_read knows; bodies of Elasticsearch's _bulk. All untrusted.
 * Out:    events, given to a hook, then journaled and synced: only then is the sender answered. What is malformed is refused record by
 *         record and told with its line and reason.
 * Twice:  a push with an idempotency key that was kept before is answered as it was then. What has been kept of a push, by
 *         its key or else by a hash of its body, stands as notes in the journal's frame of its rows, for the last PUSH_SLOTS pushes of
 *         the listener: one that was broken off (kill -9, a full disk) goes on behind what is kept.
 * Account: received = kept + refused + repeated + dropped{store, quota}, per sender; a push put off was not received.
 * Limits: PUSHES_MAX at a time, @body_max_bytes each, packed and unpacked; PUSH_MEMORY_BYTES of bodies in all. No logging.
 */
#pragma once

#include "base/fault.h"
#include "format/event.h"
#include "watch/intake/log_source.h"
#include "watch/store/store.h"

#include <stdatomic.h>

#define PUSHES_MAX 128u
#define PUSH_SLOTS 2048u
#define PUSH_MEMORY_BYTES ((size_t)256 << 20)

#define LOG_PUSH_COUNTERS(X)                                        \
    X(pushes, "pushes that came whole")                             \
    X(kept, "of them, answered as kept")                            \
    X(again, "of them, kept before: their key was known")           \
    X(malformed, "of them, refused: nothing could be read, or their key was another body's") \
    X(put_off, "of them, told to come again: the store or a quota was full") \
    X(too_large, "of them, refused for their size")                 \
    X(broken_off, "pushes the sender did not end")                  \
    X(over_limit, "pushes refused: too many at a time, or too much memory")

struct log_push_options {
    int link_fd;
    uint16_t id; /* what the notes of this listener are filed under */
    uint64_t body_max_bytes;
    struct log_quota quota;
    int zone_s;
    struct event_names *names;
    const struct line_decoders *decoders; /* NULL: headers only */
    struct store *store;
    struct store_log_writer *writer;
    int (*hook)(void *context, struct events *e); /* before the store; may be NULL; <0 ends the thread */
    int (*tick)(void *context);                   /* about every 200 ms; may be NULL */
    void *context;
};

struct log_pusher {
    struct log_push_options o;
    struct fault fault; /* of what ended it, or makes it put pushes off */
    _Atomic bool is_ending, is_waiting; /* waiting: the store took nothing the last time */
#define X(name, help) atomic_ullong name;
    LOG_PUSH_COUNTERS(X)
#undef X
    struct log_sources sources;
    struct push_inside *inside;
};

/* log_pusher_init - takes what is known of pushes from the store's notes. Return: 0 or -errno. */
int log_pusher_init(struct log_pusher *p, const struct log_push_options *o);
/* log_pusher_run - until log_pusher_end; what came whole is answered first. Return: 0, or <0 with p->fault. */
int log_pusher_run(struct log_pusher *p);
void log_pusher_end(struct log_pusher *p);
void log_pusher_fini(struct log_pusher *p);
