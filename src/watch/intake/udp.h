/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/udp - one receiving thread: datagrams -> decoder -> batches -> store and live match.
 *
 * The socket was bound by the parent (SO_REUSEPORT, steered by source address so that an exporter
 * always meets the same decoder). Share-nothing: the thread owns its decoder, its batches, its store
 * writer and its live matcher's table.
 *
 * Account: datagrams = decoded + refused{reason} + not_allowed; the kernel's own drops (of the socket)
 * stand beside it. Repeated datagrams are counted, not dropped.
 */
#pragma once

#include "base/fault.h"
#include "watch/flow_batch.h"
#include "watch/intake/exporter.h"
#include "watch/store/store.h"

#include <stdatomic.h>

enum udp_protocol { UDP_NETFLOW, UDP_SFLOW };

/* udp_open - a bound socket of a SO_REUSEPORT group; @n_group sockets share the port. Return: descriptor or -errno. */
int udp_open(const struct ip *ip, uint16_t port, uint32_t n_group, uint64_t receive_buffer_bytes, struct fault *f);
/* udp_steer - attach the program that sends each source address to one socket of the group; after the last bind. */
int udp_steer(int fd, uint32_t n_group);

/* what happens with a full batch after it is stored, e.g. the live match; 0 or <0 */
typedef int (*udp_batch_hook)(void *context, const struct flow_batch *b);

struct udp_options {
    int fd; /* borrowed */
    enum udp_protocol protocol;
    const struct ip_range *allow; /* borrowed, sorted by nothing; none: everyone */
    size_t n_allow;
    const struct ip_range *by_port;
    size_t n_by_port;
    struct store_writer *writer; /* owned by the thread while it runs; NULL: nothing is stored (bench) */
    udp_batch_hook hook;         /* may be NULL */
    nat_sink nat;                /* NAT events that are no flows, as they come; may be NULL; the same context */
    udp_batch_hook tick;         /* called with NULL about every 200 ms; may be NULL */
    void *context;
};

struct udp_receiver {
    struct udp_options o;
    struct netflow *netflow;
    struct flow_sorter sorter;
    struct exporters exporters;
    struct fault fault;                /* of the error that ended the thread */
    _Atomic uint64_t kernel_drops;     /* what the socket had no room for */
    _Atomic uint64_t batches, batch_errors;
    _Atomic bool must_stop;
    int64_t last_flush_us;
    uint32_t drops_seen;
};

/* udp_receiver_init - Return: 0 or -ENOMEM. */
int udp_receiver_init(struct udp_receiver *r, const struct udp_options *o);
/* udp_receiver_run - until must_stop: then what the socket still holds is read, decoded and stored. Return: 0 or <0. */
int udp_receiver_run(struct udp_receiver *r);
void udp_receiver_fini(struct udp_receiver *r);
/* udp_receiver_feed - one datagram, as run() does it; for files and benches. Return: 0 or <0. */
int udp_receiver_feed(struct udp_receiver *r, const struct netflow_datagram *d);
