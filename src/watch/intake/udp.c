/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recvmmsg in, batches out. Between two batches of datagrams the thread looks
 * at the clock: rows never wait longer than FLUSH_US in user space, which is
 * what a kill can lose (and the sequence numbers then show).
 *
 * A thread that is woken for every datagram spends more on waking than on
 * decoding: a drained socket is left alone for a few milliseconds, as far as
 * its buffer bears that, so that the next call finds many datagrams.
 */
#include "watch/intake/udp.h"

#include "base/clock.h"
#include "format/netflow5.h"
#include "format/netflow_columns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RING_SLOTS = 64, DATAGRAM_MAX = 65536, FLUSH_US = 200000, POLL_MS = 100, DRAIN_ROUNDS = 100000 };
/* what the thread wants to find when it wakes; how long it sleeps at most; what a datagram takes of the socket's buffer */
enum { GOAL_DATAGRAMS = 2 * RING_SLOTS, PAUSE_MOST_US = 5000, PAUSE_LEAST_US = 50, BUFFER_BYTES_EACH = 8192 };

struct ring {
    struct mmsghdr header[RING_SLOTS];
    struct iovec io[RING_SLOTS];
    struct sockaddr_in6 from[RING_SLOTS]; /* also room for sockaddr_in */
    _Alignas(struct cmsghdr) char control[RING_SLOTS][CMSG_SPACE(sizeof(int))];
    uint8_t *bytes;
    uint32_t n_used; /* slots the last call filled */
};

/* when the thread sleeps, and how long */
struct pace {
    uint64_t n_since;          /* datagrams since it slept last */
    int64_t pause_us, most_us; /* most_us 0: the socket's buffer is too small to sleep beside it */
};

int udp_open(const struct ip *ip, uint16_t port, uint32_t n_group, uint64_t receive_buffer_bytes, struct fault *f)
{
    struct sockaddr_storage address = {0};
    socklen_t length;
    char shown[IP_TEXT_MAX];
    ip_format(ip, shown);
    if (ip_is_v4(ip)) {
        struct sockaddr_in *a = (struct sockaddr_in *)&address;
        *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip_v4(ip))};
        length = sizeof(*a);
    } else {
        struct sockaddr_in6 *a = (struct sockaddr_in6 *)&address;
        *a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&a->sin6_addr, ip->b, 16);
        length = sizeof(*a);
    }
    int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return FAULT(f, -errno, udp_cannot_listen, shown, port, strerror(errno));
    int one = 1, bytes = receive_buffer_bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)receive_buffer_bytes;
    if (n_group > 1)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof(one)); /* a hint: many datagrams of one exporter as one */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes))) /* needs CAP_NET_ADMIN */
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    if (bind(fd, (struct sockaddr *)&address, length)) {
        int e = errno;
        close(fd);
        return FAULT(f, -e, udp_cannot_listen, shown, port, strerror(e));
    }
    return fd;
}

int udp_steer(int fd, uint32_t n_group)
{
    /* source address modulo group size; IPv6 by its last word. The packet may be seen by its network header. */
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 20),
        BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + 12),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n_group),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) ? -errno : 0;
}

static int take_v5(void *context, const uint8_t *records, const struct netflow5_header *h, int64_t received_us,
                   const struct flow_observer *o);
static int take_plain(void *context, const struct netflow_plain *run, const struct flow_observer *o);

static int note_one(void *context, const void *key, size_t n_key, uint64_t value)
{
    struct udp_receiver *r = context;
    return store_writer_note(r->o.writer, key, n_key, value);
}

/*
 * note_sequences - with the rows they speak of, in one journal frame, and never without rows: senders of rubbish cannot
 * pile up notes. One that is refused only lets a gap after a kill look greater. The lock of the exporters is held.
 */
static void note_sequences(struct udp_receiver *r)
{
    if (r->o.writer)
        (void)exporters_note(&r->exporters, note_one, r);
}

static bool is_empty(const struct flow_batch *b)
{
    return !b || !b->n;
}

static int store_batch(void *context, struct flow_batch *b)
{
    struct udp_receiver *r = context;
    atomic_fetch_add_explicit(&r->batches, 1, memory_order_relaxed);
    if (is_empty(b == r->sorter.v4 ? r->sorter.v6 : r->sorter.v4)) /* else rows counted already would be left behind */
        note_sequences(r);
    if (r->o.writer) {
        int e = store_writer_append(r->o.writer, b, &r->fault);
        if (e < 0) {
            atomic_fetch_add_explicit(&r->batch_errors, 1, memory_order_relaxed);
            return e;
        }
    }
    return r->o.hook ? r->o.hook(r->o.context, b) : 0;
}

int udp_receiver_init(struct udp_receiver *r, const struct udp_options *o)
{
    memset(r, 0, sizeof(*r));
    r->o = *o;
    r->sorter = (struct flow_sorter){.sink = store_batch, .context = r};
    r->last_flush_us = clock_steady_us();
    r->netflow = netflow_new(NULL);
    if (!r->netflow)
        return -ENOMEM;
    netflow_set_v5_sink(r->netflow, take_v5);
    netflow_set_plain_sink(r->netflow, take_plain);
    netflow_set_nat_sink(r->netflow, o->nat, o->context);
    int e = exporters_init(&r->exporters);
    r->exporters.is_sflow = o->protocol == UDP_SFLOW;
    r->exporters.is_closed = o->n_allow > 0;
    if (e) {
        netflow_free(r->netflow);
        r->netflow = NULL;
    }
    return e;
}

void udp_receiver_fini(struct udp_receiver *r)
{
    if (!r->netflow)
        return;
    netflow_free(r->netflow);
    r->netflow = NULL;
    flow_sorter_fini(&r->sorter);
    exporters_fini(&r->exporters);
}

static bool in_ranges(const struct ip_range *ranges, size_t n, const struct ip *ip)
{
    for (size_t i = 0; i < n; i++)
        if (ip_range_has(&ranges[i], ip))
            return true;
    return false;
}

static int take_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct udp_receiver *r = context;
    return flow_sorter_put(&r->sorter, flows, n, o);
}

#define AT(ID, type) ((type *)b->number[FLOW_##ID] + b->n)

/* v5_columns - where the next rows of @b go. */
static struct netflow5_columns v5_columns(const struct flow_batch *b)
{
    return (struct netflow5_columns){
        .source_ip = b->v4[FLOW_SOURCE_IP] + b->n,
        .destination_ip = b->v4[FLOW_DESTINATION_IP] + b->n,
        .next_hop = b->v4[FLOW_NEXT_HOP] + b->n,
        .input_if = AT(INPUT_IF, uint32_t),
        .output_if = AT(OUTPUT_IF, uint32_t),
        .source_as = AT(SOURCE_AS, uint32_t),
        .destination_as = AT(DESTINATION_AS, uint32_t),
        .sampling = AT(SAMPLING, uint32_t),
        .start_us = AT(START, int64_t),
        .end_us = AT(END, int64_t),
        .received_us = AT(RECEIVED, int64_t),
        .clock_offset_us = AT(CLOCK_OFFSET, int64_t),
        .source_packets = AT(SOURCE_PACKETS, uint64_t),
        .source_bytes = AT(SOURCE_BYTES, uint64_t),
        .source_port = AT(SOURCE_PORT, uint16_t),
        .destination_port = AT(DESTINATION_PORT, uint16_t),
        .tcp_flags = AT(TCP_FLAGS, uint16_t),
        .protocol = AT(PROTOCOL, uint8_t),
        .tos = AT(TOS, uint8_t),
        .source_mask = AT(SOURCE_MASK, uint8_t),
        .destination_mask = AT(DESTINATION_MASK, uint8_t),
    };
}

#undef AT

/* take_v5 - the hot path: records of version 5 go straight into the columns of the open batch. */
static int take_v5(void *context, const uint8_t *records, const struct netflow5_header *h, int64_t received_us,
                   const struct flow_observer *o)
{
    struct udp_receiver *r = context;
    int e = 0;
    for (uint32_t at = 0, n; at < h->n_present && e >= 0; at += n) {
        struct flow_batch *b;
        e = flow_sorter_open(&r->sorter, 4, netflow5_present(h), h->n_present - at, o, &b, &n);
        if (e < 0)
            return e;
        struct netflow5_columns to = v5_columns(b);
        netflow5_decode_columns(records + (size_t)at * NETFLOW5_RECORD_BYTES, n, h, received_us, &to);
        flow_batch_mark_icmp(b, n);
        e = flow_sorter_close(&r->sorter, b, n);
    }
    return e;
}

/* take_plain - the same for records of version 9 and IPFIX whose template allows it. */
static int take_plain(void *context, const struct netflow_plain *run, const struct flow_observer *o)
{
    struct udp_receiver *r = context;
    const uint64_t present = netflow_plain_present(run);
    int e = 0;
    for (uint32_t at = 0, n; at < run->n && e >= 0; at += n) {
        struct flow_batch *b;
        e = flow_sorter_open(&r->sorter, run->t->plain_family, present, run->n - at, o, &b, &n);
        if (e < 0)
            return e;
        struct netflow_columns to = {.column = b->column, .present = b->present, .row = b->n};
        flow_batch_extend(b, netflow_columns_decode(run, at, n, &to));
        e = flow_sorter_close(&r->sorter, b, n);
    }
    return e;
}

/* feed - the lock of the exporters is held. */
static int feed(struct udp_receiver *r, struct netflow_datagram *d)
{
    if (r->o.n_allow && !in_ranges(r->o.allow, r->o.n_allow, &d->peer)) {
        r->exporters.not_allowed++;
        r->exporters.foreign_bytes += d->n_bytes;
        return 0;
    }
    if (r->o.protocol == UDP_SFLOW) {
        struct sflow_result result;
        int e = sflow_decode(d->p, d->n_bytes, &d->peer, d->received_us, take_flows, r, &result);
        exporters_count_sflow(&r->exporters, d, &result);
        return e;
    }
    struct netflow_result result;
    d->by_port = r->o.n_by_port && in_ranges(r->o.by_port, r->o.n_by_port, &d->peer);
    int e = netflow_decode(r->netflow, d, take_flows, r, &result);
    exporters_count(&r->exporters, d, &result);
    return e;
}

int udp_receiver_feed(struct udp_receiver *r, const struct netflow_datagram *d)
{
    struct netflow_datagram copy = *d;
    pthread_mutex_lock(&r->exporters.lock);
    int e = feed(r, &copy);
    pthread_mutex_unlock(&r->exporters.lock);
    return e;
}

static void read_peer(const struct sockaddr_in6 *from, struct netflow_datagram *d)
{
    if (from->sin6_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)(const void *)from;
        d->peer = ip_from_v4(ntohl(a->sin_addr.s_addr));
        d->peer_port = ntohs(a->sin_port);
        return;
    }
    d->peer = ip_from_v6(from->sin6_addr.s6_addr);
    d->peer_port = ntohs(from->sin6_port);
}

/* piece_bytes - of a message that is several datagrams of one length, the last perhaps shorter; else its own length. */
static size_t piece_bytes(struct msghdr *h, size_t n_bytes)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
            continue;
        int each;
        memcpy(&each, CMSG_DATA(c), sizeof(each));
        if (each > 0 && (size_t)each < n_bytes)
            return (size_t)each;
    }
    return n_bytes;
}

/* ask_drops - the socket's count since it was opened, modulo 2^32; also of those after the last datagram that came. */
static void ask_drops(struct udp_receiver *r)
{
    uint32_t memory[SK_MEMINFO_VARS];
    socklen_t n = sizeof(memory);
    if (getsockopt(r->o.fd, SOL_SOCKET, SO_MEMINFO, memory, &n) || n <= SK_MEMINFO_DROPS * sizeof(*memory))
        return;
    uint32_t more = memory[SK_MEMINFO_DROPS] - r->drops_seen;
    atomic_fetch_add_explicit(&r->kernel_drops, more, memory_order_relaxed);
    r->drops_seen = memory[SK_MEMINFO_DROPS];
}

/* take_message - the datagrams of one slot. Return: how many, or <0. */
static int take_message(struct udp_receiver *r, struct ring *ring, int slot, int64_t now_us)
{
    struct msghdr *h = &ring->header[slot].msg_hdr;
    const size_t n_bytes = ring->header[slot].msg_len, each = piece_bytes(h, n_bytes);
    struct netflow_datagram d = {.p = ring->io[slot].iov_base, .received_us = now_us};
    size_t at = 0;
    int n = 0;
    read_peer(&ring->from[slot], &d);
    do { /* an empty datagram is one too */
        d.n_bytes = n_bytes - at < each ? n_bytes - at : each;
        int e = feed(r, &d);
        if (e < 0)
            return e;
        d.p += d.n_bytes;
        at += d.n_bytes;
        n++;
    } while (at < n_bytes);
    return n;
}

/*
 * receive - one recvmmsg.
 * @ret_full: every slot was filled: there may be more. Return: datagrams taken, 0 when there are none, <0 when storing failed.
 */
static int receive(struct udp_receiver *r, struct ring *ring, bool *ret_full)
{
    for (uint32_t i = 0; i < ring->n_used; i++) {
        ring->header[i].msg_hdr.msg_namelen = sizeof(ring->from[i]);
        ring->header[i].msg_hdr.msg_controllen = sizeof(ring->control[i]);
    }
    int n = recvmmsg(r->o.fd, ring->header, RING_SLOTS, MSG_DONTWAIT, NULL), n_taken = 0, e = 0;
    ring->n_used = n > 0 ? (uint32_t)n : 0;
    *ret_full = n == RING_SLOTS;
    if (n <= 0)
        return 0;
    int64_t now_us = clock_now_us();
    pthread_mutex_lock(&r->exporters.lock);
    for (int i = 0; i < n && e >= 0; i++) {
        e = take_message(r, ring, i, now_us);
        n_taken += e;
    }
    pthread_mutex_unlock(&r->exporters.lock);
    return e < 0 ? e : n_taken;
}

/* flush - what the open batches hold, and its notes; the account is ours while it is noted. */
static int flush(struct udp_receiver *r)
{
    pthread_mutex_lock(&r->exporters.lock);
    int e = flow_sorter_flush(&r->sorter);
    pthread_mutex_unlock(&r->exporters.lock);
    return e;
}

/* tick - rows do not wait longer than FLUSH_US; then the journal and the owner get their turn. */
static int tick(struct udp_receiver *r)
{
    int64_t now_us = clock_steady_us();
    if (now_us - r->last_flush_us < FLUSH_US)
        return 0;
    r->last_flush_us = now_us;
    ask_drops(r);
    int e = flush(r);
    if (e >= 0 && r->o.writer)
        e = store_writer_tick(r->o.writer, clock_now_us(), &r->fault);
    if (e >= 0 && r->o.tick)
        e = r->o.tick(r->o.context, NULL);
    return e < 0 ? e : 0;
}

/* pace_of - a socket may be left alone while a million datagrams a second would fill a quarter of its buffer. */
static struct pace pace_of(int fd)
{
    struct pace p = {.pause_us = PAUSE_LEAST_US};
    int bytes = 0;
    socklen_t n = sizeof(bytes);
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &n))
        return p;
    p.most_us = bytes / BUFFER_BYTES_EACH / 4;
    if (p.most_us > PAUSE_MOST_US)
        p.most_us = PAUSE_MOST_US;
    if (p.most_us < PAUSE_LEAST_US)
        p.most_us = 0;
    return p;
}

/* rest - the socket is drained: sleep a little while there is traffic; when nothing came meanwhile, until something comes. */
static void rest(struct udp_receiver *r, struct pace *p)
{
    struct pollfd poll_fd = {.fd = r->o.fd, .events = POLLIN};
    if (!p->n_since || !p->most_us) {
        (void)poll(&poll_fd, 1, POLL_MS);
        return;
    }
    if (p->n_since < GOAL_DATAGRAMS / 2)
        p->pause_us = p->pause_us * 2 < p->most_us ? p->pause_us * 2 : p->most_us;
    else if (p->n_since > 2 * GOAL_DATAGRAMS && p->pause_us > PAUSE_LEAST_US)
        p->pause_us /= 2;
    p->n_since = 0;
    struct timespec t = {.tv_nsec = p->pause_us * 1000};
    (void)nanosleep(&t, NULL);
}

static int run(struct udp_receiver *r, struct ring *ring)
{
    int e = 0, drained = 0;
    struct pace pace = pace_of(r->o.fd);
    while (e >= 0) {
        bool is_ending = atomic_load_explicit(&r->must_stop, memory_order_acquire), is_full;
        e = receive(r, ring, &is_full);
        if (e == 0 && is_ending)
            break;
        if (is_ending && ++drained > DRAIN_ROUNDS) /* a sender that never pauses does not keep us alive */
            break;
        pace.n_since += e > 0 ? (uint32_t)e : 0;
        if (e >= 0 && !is_full && !is_ending)
            rest(r, &pace);
        if (e >= 0)
            e = tick(r);
    }
    ask_drops(r);
    int last = e < 0 ? e : flush(r);
    if (last >= 0) { /* the seal writes them, with rows or without */
        pthread_mutex_lock(&r->exporters.lock);
        note_sequences(r);
        pthread_mutex_unlock(&r->exporters.lock);
    }
    return last < 0 ? last : 0;
}

int udp_receiver_run(struct udp_receiver *r)
{
    struct ring *ring = calloc(1, sizeof(*ring));
    uint8_t *bytes = malloc((size_t)RING_SLOTS * DATAGRAM_MAX);
    int e = ring && bytes ? 0 : -ENOMEM;
    if (!e) {
        ring->bytes = bytes;
        ring->n_used = RING_SLOTS;
        for (int i = 0; i < RING_SLOTS; i++) {
            ring->io[i] = (struct iovec){bytes + (size_t)i * DATAGRAM_MAX, DATAGRAM_MAX};
            ring->header[i].msg_hdr = (struct msghdr){.msg_name = &ring->from[i],
                                                      .msg_iov = &ring->io[i],
                                                      .msg_iovlen = 1,
                                                      .msg_control = ring->control[i]};
        }
        e = run(r, ring);
    }
    free(bytes);
    free(ring);
    return e;
}
