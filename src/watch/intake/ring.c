/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks go round between the kernel and us by one word each, block_status.
 * A block that is ours is read from its first to its last packet and handed
 * back whole; nothing is copied.
 */
#include "watch/intake/ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define VLAN_TAG_BYTES 4
/* the address behind the packet header: TPACKET_ALIGN in unsigned arithmetic */
#define ADDRESS_AT ((sizeof(struct tpacket3_hdr) + TPACKET_ALIGNMENT - 1) & ~((size_t)TPACKET_ALIGNMENT - 1))
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519 /* since Linux 4.14; older C libraries do not name it */
#endif
#define FRAME_BYTES 2048 /* of no meaning to version 3 but that it divides a block */

struct ring {
    uint8_t *map;
    size_t map_bytes;
    uint32_t block_bytes, n_blocks, next;
    int fd;
    struct ring_counters counters;
};

static struct ring_options complete(const struct ring_options *o)
{
    struct ring_options c = o ? *o : (struct ring_options){0};
    c.block_bytes = c.block_bytes ? c.block_bytes : 1u << 20;
    c.n_blocks = c.n_blocks ? c.n_blocks : 64;
    c.timeout_ms = c.timeout_ms ? c.timeout_ms : 100;
    return c;
}

static int set(int fd, int name, const void *value, size_t n)
{
    return setsockopt(fd, SOL_PACKET, name, value, (socklen_t)n) ? -errno : 0;
}

static int lay_out(int fd, const struct ring_options *o)
{
    int version = TPACKET_V3;
    unsigned reserve = VLAN_TAG_BYTES; /* room in front of each frame to put a tag back */
    struct tpacket_req3 request = {
        .tp_block_size = o->block_bytes,
        .tp_block_nr = o->n_blocks,
        .tp_frame_size = FRAME_BYTES,
        .tp_frame_nr = o->block_bytes / FRAME_BYTES * o->n_blocks,
        .tp_retire_blk_tov = o->timeout_ms,
    };
    int e = set(fd, PACKET_VERSION, &version, sizeof(version));
    if (!e)
        e = set(fd, PACKET_RESERVE, &reserve, sizeof(reserve));
    return e ? e : set(fd, PACKET_RX_RING, &request, sizeof(request));
}

static int join(int fd, unsigned index, const struct ring_options *o)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
        return -errno;
    struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    int e = o->is_promiscuous && index ? set(fd, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) : 0;
    if (e || !o->fanout_group)
        return e;
    /* the hash is symmetric (since Linux 4.2); defragmented first, so that fragments follow their flow */
    unsigned fanout = o->fanout_group | (unsigned)(PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG) << 16;
    return set(fd, PACKET_FANOUT, &fanout, sizeof(fanout));
}

int ring_open(const char *interface, const struct ring_options *o, int *ret_fd)
{
    struct ring_options c = complete(o);
    unsigned index = 0;
    if ((uint64_t)c.block_bytes * c.n_blocks > UINT64_C(1) << 32 || c.block_bytes < 65536)
        return -EINVAL;
    if (strcmp(interface, "any") && !(index = if_nametoindex(interface)))
        return -ENODEV;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* protocol 0: nothing comes before bind */
    if (fd < 0)
        return -errno;
    int e = lay_out(fd, &c);
    if (!e)
        e = join(fd, index, &c);
    if (e) {
        close(fd);
        return e;
    }
    *ret_fd = fd;
    return 0;
}

static struct tpacket_hdr_v1 *block_head(const struct ring *r, uint32_t i)
{
    struct tpacket_block_desc *d = (struct tpacket_block_desc *)(void *)(r->map + (size_t)i * r->block_bytes);
    return &d->hdr.bh1;
}

/*
 * A ring may have been read before, by a role that is gone. Its blocks are numbered as the kernel opened them: the
 * first of those waiting for us comes next; if none is, the one the kernel fills now.
 */
static uint32_t first_block(const struct ring *r)
{
    uint32_t waiting = r->n_blocks, newest = 0;
    for (uint32_t i = 0; i < r->n_blocks; i++) {
        const struct tpacket_hdr_v1 *h = block_head(r, i);
        if (h->seq_num > block_head(r, newest)->seq_num)
            newest = i;
        if (!(__atomic_load_n(&h->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
            continue;
        if (waiting == r->n_blocks || h->seq_num < block_head(r, waiting)->seq_num)
            waiting = i;
    }
    return waiting < r->n_blocks ? waiting : newest;
}

int ring_map(int fd, const struct ring_options *o, struct ring **ret)
{
    struct ring_options c = complete(o);
    struct ring *r = calloc(1, sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->block_bytes = c.block_bytes;
    r->n_blocks = c.n_blocks;
    r->map_bytes = (size_t)c.block_bytes * c.n_blocks;
    r->map = mmap(NULL, r->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (r->map == MAP_FAILED) {
        int e = -errno;
        free(r);
        return e;
    }
    r->fd = fd;
    r->next = first_block(r);
    *ret = r;
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    munmap(r->map, r->map_bytes);
    close(r->fd);
    free(r);
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

/* What the frame begins with, by the hardware type of its interface. */
static uint16_t link_of(unsigned short hardware)
{
    switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
        return PCAP_LINK_ETHERNET;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case ARPHRD_RAWIP:
        return PCAP_LINK_RAW;
    default:
        return UINT16_MAX;
    }
}

/* The tag goes back behind the two addresses, which move into the reserve. Return: the new beginning. */
static uint8_t *tag_restore(uint8_t *frame, const struct tpacket3_hdr *h)
{
    uint8_t *p = frame - VLAN_TAG_BYTES;
    uint16_t tpid = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
    uint16_t tci = (uint16_t)h->hv1.tp_vlan_tci;
    memmove(p, frame, 2 * ETH_ALEN);
    p[12] = (uint8_t)(tpid >> 8);
    p[13] = (uint8_t)tpid;
    p[14] = (uint8_t)(tci >> 8);
    p[15] = (uint8_t)tci;
    return p;
}

static int hand_on(struct ring *r, struct tpacket3_hdr *h, pcap_sink sink, void *context)
{
    const struct sockaddr_ll *address =
        (const struct sockaddr_ll *)(const void *)((const uint8_t *)h + ADDRESS_AT);
    if (address->sll_hatype == ARPHRD_LOOPBACK && address->sll_pkttype == PACKET_OUTGOING) {
        r->counters.n_skipped++;
        return 0;
    }
    struct pcap_packet packet = {
        .timestamp_us = (int64_t)h->tp_sec * 1000000 + h->tp_nsec / 1000,
        .has_time = true,
        .n_captured = h->tp_snaplen,
        .n_original = h->tp_len,
        .interface = (uint32_t)address->sll_ifindex,
        .link = link_of(address->sll_hatype),
    };
    uint8_t *frame = (uint8_t *)h + h->tp_mac;
    if (h->tp_status & TP_STATUS_VLAN_VALID && packet.link == PCAP_LINK_ETHERNET && packet.n_captured >= 2 * ETH_ALEN) {
        frame = tag_restore(frame, h);
        packet.n_captured += VLAN_TAG_BYTES;
        packet.n_original += VLAN_TAG_BYTES;
    }
    packet.p = frame;
    r->counters.n_delivered++;
    return sink(context, &packet);
}

static int block_read(struct ring *r, uint8_t *block, pcap_sink sink, void *context)
{
    const struct tpacket_hdr_v1 *head = block_head(r, r->next);
    uint32_t n = head->num_pkts, at = head->offset_to_first_pkt;
    int e = 0;
    for (uint32_t i = 0; i < n && !e && at + sizeof(struct tpacket3_hdr) <= r->block_bytes; i++) {
        struct tpacket3_hdr *h = (struct tpacket3_hdr *)(void *)(block + at);
        __builtin_prefetch(block + at + h->tp_next_offset);
        e = hand_on(r, h, sink, context);
        at += h->tp_next_offset;
    }
    return e;
}

int ring_read(struct ring *r, pcap_sink sink, void *context)
{
    for (uint32_t turn = 0; turn < r->n_blocks; turn++) {
        uint8_t *block = r->map + (size_t)r->next * r->block_bytes;
        uint32_t *status = &block_head(r, r->next)->block_status;
        if (!(__atomic_load_n(status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
            return 0;
        int e = block_read(r, block, sink, context);
        __atomic_store_n(status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        r->next = (r->next + 1) % r->n_blocks;
        if (e)
            return e;
    }
    return 0;
}

int ring_count(struct ring *r, struct ring_counters *ret)
{
    struct tpacket_stats_v3 s; /* since the last question */
    socklen_t n = sizeof(s);
    int e = getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &n) ? -errno : 0;
    if (!e) {
        r->counters.n_dropped += s.tp_drops;
        r->counters.n_frozen += s.tp_freeze_q_cnt;
    }
    *ret = r->counters;
    return e;
}
