/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/log_receive - log messages over UDP and TCP into the store: one thread per listener.
 *
 * In:     datagrams, one message each; streams (from a socket, or off TLS from the gate) whose messages are octet-counted, end
 *         with LF, or are XML events, told apart for each (log_frame.h); of either what format/event_record knows. All untrusted.
 * Out:    batches: given to a hook (rules, lists), then journaled. A record that is malformed in the format it claims is
 *         kept as plain text and counted: what reached us is never thrown away for its form.
 * Account: received = kept + empty + dropped (over the sender's quota, spool full, no room in the store), per sender and in all.
 * Pressure: while the store takes nothing the thread holds its batch and reads no more: TCP senders wait; datagrams are read by
 *         a thread of their own into the spool, in memory and on disk (log_spool.h); without one they pile up in the kernel,
 *         whose drops are counted.
 * Limits: LOG_SOURCES_MAX senders are told apart (those beyond share one entry), LOG_CONNECTIONS_MAX connections a listener,
 *         LOG_CONNECTIONS_OF_ONE a sender; messages of SYSLOG_MESSAGE_MAX bytes, longer ones in pieces. No logging.
 */
#pragma once

#include "base/fault.h"
#include "base/ip.h"
#include "format/event.h"
#include "watch/intake/log_frame.h"
#include "watch/intake/log_source.h"
#include "watch/intake/log_spool.h"
#include "watch/store/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOG_CONNECTIONS_MAX 1024u
#define LOG_CONNECTIONS_OF_ONE 64u

/* tcp_listen - a bound, listening socket. Return: descriptor or -errno with the fault. */
int tcp_listen(const struct ip *ip, uint16_t port, struct fault *f);

struct log_receiver_options {
    int udp_fd, tcp_fd; /* -1: none; owned by the caller */
    int link_fd;        /* -1: none; where the gate hands over streams it has taken off TLS (log_link.h) */
    enum log_frame_format format; /* of streams; JSON and XML also of datagrams */
    struct log_quota quota;       /* of each sender */
    const char *spool_dir;        /* where datagrams wait that come faster than they are kept; NULL: in the kernel only */
    uint64_t spool_bytes;
    uint16_t id;                  /* what the place in the spool is noted under */
    struct store *store;          /* whose notes hold it; may be NULL without a spool */
    const struct ip_range *allow; /* none: everyone */
    size_t n_allow;
    int zone_s;
    struct event_names *names;           /* of the store */
    const struct line_decoders *decoders; /* NULL: headers only */
    struct store_log_writer *writer;
    int (*hook)(void *context, struct events *e); /* before the store; may be NULL; <0 ends the thread */
    int (*tick)(void *context);                   /* about every 200 ms; may be NULL */
    void *context;
};

struct log_receiver {
    struct log_receiver_options o;
    struct fault fault; /* of what ended it */
    _Atomic bool is_ending, is_waiting; /* waiting: the store takes nothing */
    atomic_ullong not_allowed, connections, connections_refused, kernel_drops, batches;
    struct log_sources sources;
    struct log_spool *spool; /* NULL: none */
    struct log_receiver_inside *inside;
};

/* log_receiver_init - Return: 0 or -ENOMEM / -errno. */
int log_receiver_init(struct log_receiver *r, const struct log_receiver_options *o);
/*
 * log_receiver_run - until log_receiver_end, then drain what is there. Return: 0, or <0 with r->fault.
 */
int log_receiver_run(struct log_receiver *r);
/* log_receiver_end - from any thread or none. */
void log_receiver_end(struct log_receiver *r);
void log_receiver_fini(struct log_receiver *r);
/* log_receiver_sources - a copy, caller frees. Return: 0 or -ENOMEM. */
int log_receiver_sources(struct log_receiver *r, struct log_source **ret, uint32_t *ret_n);
