/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_source - who sends us logs: an entry a sender with its account, and what it may send.
 *
 * In:     an address, and the name a certificate or a token gave it, if any; both may be forged where nothing proves them.
 * Out:    the number of an entry; counters; whether a message is within the sender's quota.
 * Quota:  messages a second on the average of QUOTA_BURST_S, bytes from midnight to midnight in the node's zone.
 * Limits: LOG_SOURCES_MAX entries; those beyond share entry 0. One lock for all; no I/O, no logging, no clock.
 */
#pragma once

#include "base/ip.h"
#include "base/text.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_SOURCES_MAX 4096u
#define LOG_SOURCE_NAME_MAX 64u /* a zero included */
#define QUOTA_BURST_S 10

#define LOG_SOURCE_COUNTERS(X)                                           \
    X(messages, "messages received")                                     \
    X(bytes, "bytes of them")                                            \
    X(malformed, "kept as text: malformed in the format they claim")     \
    X(plain, "kept, understood by nobody")                               \
    X(empty, "blank messages, no record")                                \
    X(refused, "of pushes: records that are malformed, told to the sender") \
    X(repeated, "of pushes: records that were kept before")              \
    X(dropped, "lost: the store took nothing until the end")             \
    X(over_quota, "lost: over the quota of the sender")                  \
    X(spool_full, "lost: datagrams that found the spool full")           \
    X(names, "names of fields added that nobody had used before")        \
    X(names_refused, "values left out: the sender has added too many names of fields")

struct log_source {
    struct ip ip; /* all zero: senders beyond LOG_SOURCES_MAX */
    char name[LOG_SOURCE_NAME_MAX]; /* proved by a certificate or a token; "": none */
    int64_t first_us, last_us;
#define X(name, help) uint64_t name;
    LOG_SOURCE_COUNTERS(X)
#undef X
    uint32_t n_connections;
    int64_t credit_ns, credited_us; /* of the quota by messages */
    int64_t day;                    /* days since 1970 in the zone */
    uint64_t bytes_of_day;
};

/* log_source_kept - of its account: received = kept + empty + refused + repeated + dropped{store, quota, spool}. */
static inline uint64_t log_source_kept(const struct log_source *s)
{
    return s->messages - s->empty - s->refused - s->repeated - s->dropped - s->over_quota - s->spool_full;
}

struct log_quota {
    uint64_t messages_per_s, bytes_per_day; /* 0: no limit */
    int zone_s;
};

struct log_sources {
    pthread_mutex_t lock; /* guards all below */
    struct log_source *all;
    uint32_t *slots; /* entry + 1 by hash */
    uint32_t n;
};

/* log_sources_init - Return: 0 or -ENOMEM; call log_sources_fini either way. */
int log_sources_init(struct log_sources *s);
void log_sources_fini(struct log_sources *s);
/* log_sources_find - the sender's number, added if new; @name: cut to what fits. Under the lock. */
uint32_t log_sources_find(struct log_sources *s, const struct ip *ip, struct text name, int64_t now_us);
/* log_sources_copy - caller frees. Return: 0 or -ENOMEM. */
int log_sources_copy(struct log_sources *s, struct log_source **ret, uint32_t *ret_n);
/* log_source_admits - take a message of @n_bytes from the sender's quota. Under the lock. Return: false: it is over. */
bool log_source_admits(struct log_source *s, const struct log_quota *q, size_t n_bytes, int64_t now_us);
/*
 * The same for many messages at once, whose number is known only when they have been taken: may they come (0), or how long is to be
 * waited; and what they were in the end, which may leave the sender in debt. Under the lock.
 */
int64_t log_source_wait_us(struct log_source *s, const struct log_quota *q, uint64_t n_bytes, int64_t now_us);
void log_source_charge(struct log_source *s, const struct log_quota *q, uint64_t n_messages, uint64_t n_bytes, int64_t now_us);
