/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/pcap - capture files (pcap, pcapng) to packets, fed in pieces of any size.
 *
 * In:     the bytes of one file in order, untrusted.
 * Out:    one call per packet, in the order of the file; bytes borrowed for the call.
 * Limits: no I/O, no logging, no global state. Memory: what a packet split between two feeds needs, at most
 *         PCAP_RECORD_MAX bytes, and 16 bytes per interface (PCAP_INTERFACES per section).
 * Source: draft-ietf-opsawg-pcap (all magics: micro- and nanoseconds, both byte orders, Kuznetzov's "modified"),
 *         draft-ietf-opsawg-pcapng (SHB, IDB, EPB, SPB, obsolete PB; other blocks are passed over).
 * Fuzz:   tests/fuzz/pcap.c
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAP_PACKET_MAX 262144u             /* libpcap's MAXIMUM_SNAPLEN */
#define PCAP_RECORD_MAX (PCAP_PACKET_MAX + 65536u) /* a packet block with its options */
#define PCAP_INTERFACES 1024u

/* conditions, see pcap_feed and pcap_end */
#define PCAP_NOT_CAPTURE 1 /* no magic of a capture file */
#define PCAP_MALFORMED 2   /* a length or version that cannot be; nothing behind it can be found */
#define PCAP_TRUNCATED 3   /* the file ends inside a record; the packets before it were delivered */

/* link types (LINKTYPE_ registry) that packet_decode understands; others are refused there, by reason */
enum pcap_link {
    PCAP_LINK_NULL = 0,
    PCAP_LINK_ETHERNET = 1,
    PCAP_LINK_PPP = 9,
    PCAP_LINK_RAW_BSD = 12, /* DLT_RAW as some systems write it into files */
    PCAP_LINK_RAW_OPENBSD = 14,
    PCAP_LINK_PPP_HDLC = 50,
    PCAP_LINK_PPP_ETHER = 51,
    PCAP_LINK_RAW = 101,
    PCAP_LINK_IEEE802_11 = 105,
    PCAP_LINK_FRELAY = 107,
    PCAP_LINK_LOOP = 108,
    PCAP_LINK_LINUX_SLL = 113,
    PCAP_LINK_IPV4 = 228,
    PCAP_LINK_IPV6 = 229,
    PCAP_LINK_NFLOG = 239,
    PCAP_LINK_LINUX_SLL2 = 276,
};

struct pcap_packet {
    int64_t timestamp_us; /* UTC; finer digits are cut; 0 when !has_time */
    const uint8_t *p;     /* borrowed for the call */
    uint32_t n_captured;  /* bytes at p, 0..PCAP_PACKET_MAX */
    uint32_t n_original;  /* bytes on the wire; at least n_captured */
    uint32_t interface;   /* number within the section; 0 in pcap */
    uint16_t link;        /* enum pcap_link, or any other value of the registry */
    bool has_time;        /* false for pcapng Simple Packet Blocks */
};

/* pcap_sink - takes one packet; a value other than 0 ends the reading and is handed up by pcap_feed. */
typedef int (*pcap_sink)(void *context, const struct pcap_packet *packet);

/* X(member, "meaning") - what the reader counts */
#define PCAP_COUNTERS(X)                                                      \
    X(n_packets, "packets delivered")                                         \
    X(n_other_blocks, "pcapng blocks without a packet, passed over")          \
    X(n_too_long, "packets above PCAP_PACKET_MAX, passed over")               \
    X(n_no_interface, "packets of an interface that was not described")       \
    X(n_bad_blocks, "packet blocks whose lengths contradict each other")

/* one capture file being read; zero-initialise, end with pcap_fini */
struct pcap {
#define X(member, meaning) uint64_t member;
    PCAP_COUNTERS(X)
#undef X
    /* own to pcap.c from here */
    struct buf pending;
    struct pcap_interface *interfaces;
    uint64_t skip_bytes;
    size_t need_bytes;
    uint32_t n_interfaces;
    uint32_t section_link;
    uint8_t state;
    bool is_swapped, is_nano, is_modified;
    int failed;
};

void pcap_fini(struct pcap *r);

/* pcap_is_magic - whether the first @n bytes of a file (4 are enough) open a capture. */
bool pcap_is_magic(const uint8_t *p, size_t n);

/*
 * pcap_feed - the next @n bytes of the file.
 * Return: 0; PCAP_NOT_CAPTURE or PCAP_MALFORMED (sticky; packets before were delivered); -ENOMEM;
 *         what @sink answered other than 0.
 */
int pcap_feed(struct pcap *r, const uint8_t *p, size_t n, pcap_sink sink, void *context);

/* pcap_end - the file has ended. Return: 0, PCAP_TRUNCATED, PCAP_NOT_CAPTURE (also for an empty file) or the sticky condition. */
int pcap_end(const struct pcap *r);
