/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/ring - packets live from an interface: the AF_PACKET ring of the kernel (TPACKET_V3).
 *
 * The parent opens (CAP_NET_RAW), the watch maps and reads (no privilege): ring_open gives a bound descriptor with its
 * ring already laid out, which passes a fork or a socket; ring_map takes it over there.
 *
 * Out:    packets as format/pcap gives them from a file, so that a meter cannot tell the two apart. VLAN tags that the
 *         kernel or the card took off are put back. Times are the kernel's. What a loopback interface shows a second
 *         time (on its way out) is left out and counted.
 * Limits: n_blocks * block_bytes of locked kernel memory; a packet above a block is cut by the kernel. When the reader
 *         is too slow the kernel drops and counts: ring_count.
 * Source: Documentation/networking/packet_mmap.rst; packet(7).
 */
#pragma once

#include "format/pcap.h"

struct ring_options {
    uint32_t block_bytes;  /* [1 MiB], a power of two of pages */
    uint32_t n_blocks;     /* [64] */
    uint32_t timeout_ms;   /* [100] a block not yet full is handed over after this */
    uint16_t fanout_group; /* 0: none; several rings of one group share the traffic, both directions of a flow together */
    bool is_promiscuous;   /* also frames that are not for this machine: a mirror port */
};

/* X(member, "meaning") - packets of the kernel = delivered + skipped + dropped, once the ring is read empty */
#define RING_COUNTERS(X)                                                 \
    X(n_delivered, "packets handed on")                                  \
    X(n_skipped, "second sights of loopback packets")                    \
    X(n_dropped, "packets the kernel dropped: no free block")            \
    X(n_frozen, "times the ring was full")

struct ring_counters {
#define X(member, meaning) uint64_t member;
    RING_COUNTERS(X)
#undef X
};

/*
 * ring_open - bind to @interface ("any" for all) and lay out the ring.
 * @o: may be NULL (all defaults)
 * Return: 0 and *ret_fd (close it, or hand it to ring_map), or -errno: -ENODEV no such interface, -EPERM no
 *         CAP_NET_RAW, -ENOMEM ring too large.
 */
int ring_open(const char *interface, const struct ring_options *o, int *ret_fd);

struct ring;
/*
 * ring_map - @fd from ring_open with the same @o; on success the ring owns it. A ring that somebody read before goes on
 * where that one stopped. Return: 0 or -errno.
 */
int ring_map(int fd, const struct ring_options *o, struct ring **ret);
void ring_free(struct ring *r);
/* ring_fd - for poll and epoll: readable when a block is there. */
int ring_fd(const struct ring *r);

/*
 * ring_read - hand on every packet of the blocks that are ready, at most one turn of the ring; never waits.
 * Return: 0, or what @sink answered other than 0 (the block it stood in is given back, its rest is lost).
 */
int ring_read(struct ring *r, pcap_sink sink, void *context);
/* ring_count - totals so far; asks the kernel for its drops. Return: 0 or -errno (@ret is written anyhow). */
int ring_count(struct ring *r, struct ring_counters *ret);
