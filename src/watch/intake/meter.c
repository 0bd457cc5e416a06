/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of open flows and three queues in the order of last touch: open TCP,
 * everything else open, and closed TCP waiting for its last packets. All flows
 * of a queue share one time-out, so what is due stands at its head and ending
 * flows costs nothing per packet. The order of a queue is true to
 * QUEUE_GRANULE_US; a flow may be handed on that much late, but a packet that
 * finds its flow timed out always begins a new one.
 *
 * The clock is the greatest packet time seen. Where it falls back by more than
 * `active_us` (files joined, clocks set), everything open is handed on and the
 * clock starts again; smaller steps back are the ordinary disorder of captures.
 */
#include "watch/intake/meter.h"

#include "base/clock.h"
#include "watch/intake/fragments.h"
#include "watch/intake/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#define NONE UINT32_MAX
#define PROTO_TCP 6
/* A flow moves to the end of its queue at most this often: each move touches two more flows. */
#define QUEUE_GRANULE_US US_PER_SECOND

enum queue { QUEUE_TCP, QUEUE_OTHER, QUEUE_CLOSED, N_QUEUES };

/* IPFIX element 136 */
enum end_reason { END_IDLE = 1, END_ACTIVE = 2, END_DETECTED = 3, END_FORCED = 4, END_RESOURCES = 5 };

/* both directions of a flow have the same key: `low` is the lesser end; no padding, it is hashed as bytes */
struct flow_key {
    struct ip low, high;
    uint16_t low_port, high_port;
    uint16_t vlan; /* 0xffff: untagged */
    uint8_t protocol, tunnel;
};
_Static_assert(sizeof(struct flow_key) == 40, "no padding");

/*
 * Side 0 is the low end sending, 1 the high end. Three cache lines: what a look-up and the queues touch, what every
 * packet adds to, what is known of the ends.
 */
struct open_flow {
    struct flow_key key;
    uint32_t chain;          /* next of the same bucket, or of the free ones */
    uint32_t before, behind; /* in the queue */
    uint16_t tcp_flags[2];
    uint8_t queue;
    uint8_t initiator; /* side */
    uint8_t closing;   /* bit per side: FIN seen */
    bool is_syn_seen;
    uint64_t bytes[2], packets[2];
    int64_t start_us, end_us;
    int64_t touched_us, queued_us; /* by the meter's clock: last packet, last move to the end of its queue */
    struct inspection inspection;
    uint16_t icmp;
    uint8_t tos;
    bool has_ports, has_icmp;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct open_flow) == 192, "three cache lines");

struct meter {
    struct meter_options o;
    struct flow_observer observer;
    flow_sink sink;
    void *context;
    struct inspector *inspector; /* NULL: without names */
    struct fragments *fragments;
    struct open_flow *flows;
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t n_used;           /* of `flows`, from the beginning; behind it nothing was ever touched */
    uint32_t free;             /* head of the chain of returned ones */
    uint32_t head[N_QUEUES], tail[N_QUEUES];
    int64_t timeout_us[N_QUEUES];
    int64_t now_us;
    bool has_now;
    struct meter_counters counters;
};

static int64_t or_default(int64_t v, int64_t standard)
{
    return v > 0 ? v : standard;
}

static void options_complete(struct meter_options *o)
{
    o->idle_us = or_default(o->idle_us, 60 * US_PER_SECOND);
    o->tcp_idle_us = or_default(o->tcp_idle_us, 300 * US_PER_SECOND);
    o->active_us = or_default(o->active_us, 300 * US_PER_SECOND);
    o->linger_us = or_default(o->linger_us, 5 * US_PER_SECOND);
    o->max_flows = o->max_flows ? o->max_flows : 262144;
    if (o->max_flows > 1u << 26)
        o->max_flows = 1u << 26;
    o->max_fragments = o->max_fragments ? o->max_fragments : 4096;
    o->max_assemblies = o->max_assemblies ? o->max_assemblies : 256;
    o->max_text_bytes = o->max_text_bytes ? o->max_text_bytes : (size_t)64 << 20;
}

struct meter *meter_new(const struct meter_options *o, flow_sink sink, void *context)
{
    struct meter *m = calloc(1, sizeof(*m));
    if (!m)
        return NULL;
    if (o)
        m->o = *o;
    options_complete(&m->o);
    if (m->o.observer)
        m->observer = *m->o.observer;
    m->sink = sink;
    m->context = context;
    uint32_t n_buckets = 64;
    while (n_buckets < m->o.max_flows)
        n_buckets *= 2;
    m->bucket_mask = n_buckets - 1;
    m->free = NONE;
    m->timeout_us[QUEUE_TCP] = m->o.tcp_idle_us;
    m->timeout_us[QUEUE_OTHER] = m->o.idle_us;
    m->timeout_us[QUEUE_CLOSED] = m->o.linger_us;
    for (int q = 0; q < N_QUEUES; q++)
        m->head[q] = m->tail[q] = NONE;
    /* pages that are never touched cost nothing; a flow is written whole before it is used */
    m->flows = aligned_alloc(64, m->o.max_flows * sizeof(*m->flows));
    m->buckets = calloc(n_buckets, sizeof(*m->buckets)); /* 1 + index; 0: empty */
    m->fragments = fragments_new(m->o.max_fragments, m->o.seed);
    if (!m->o.without_names)
        m->inspector = inspector_new(m->o.max_assemblies, m->o.max_text_bytes);
    if (!m->flows || !m->buckets || !m->fragments || (!m->o.without_names && !m->inspector)) {
        meter_free(m);
        return NULL;
    }
    return m;
}

void meter_free(struct meter *m)
{
    if (!m)
        return;
    for (uint32_t i = 0; m->flows && m->inspector && i < m->n_used; i++)
        inspection_fini(m->inspector, &m->flows[i].inspection);
    inspector_free(m->inspector);
    fragments_free(m->fragments);
    free(m->flows);
    free(m->buckets);
    free(m);
}

void meter_count(const struct meter *m, struct meter_counters *ret)
{
    *ret = m->counters;
    if (m->inspector)
        inspector_count(m->inspector, &ret->n_texts_dropped, &ret->n_assemblies_dropped);
}

/* -- queues and table */

static void queue_add(struct meter *m, uint32_t i, enum queue q)
{
    struct open_flow *f = &m->flows[i];
    f->queue = (uint8_t)q;
    f->queued_us = m->now_us;
    f->before = m->tail[q];
    f->behind = NONE;
    if (m->tail[q] != NONE)
        m->flows[m->tail[q]].behind = i;
    else
        m->head[q] = i;
    m->tail[q] = i;
}

static void queue_del(struct meter *m, uint32_t i)
{
    struct open_flow *f = &m->flows[i];
    if (f->before != NONE)
        m->flows[f->before].behind = f->behind;
    else
        m->head[f->queue] = f->behind;
    if (f->behind != NONE)
        m->flows[f->behind].before = f->before;
    else
        m->tail[f->queue] = f->before;
}

static uint32_t bucket_of(const struct meter *m, const struct flow_key *key)
{
    return (uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), m->o.seed) & m->bucket_mask;
}

static uint32_t flow_find(const struct meter *m, const struct flow_key *key)
{
    for (uint32_t i = m->buckets[bucket_of(m, key)]; i; i = m->flows[i - 1].chain)
        if (!memcmp(&m->flows[i - 1].key, key, sizeof(*key)))
            return i - 1;
    return NONE;
}

static void flow_del(struct meter *m, uint32_t i)
{
    struct open_flow *f = &m->flows[i];
    uint32_t *link = &m->buckets[bucket_of(m, &f->key)];
    while (*link != i + 1)
        link = &m->flows[*link - 1].chain;
    *link = f->chain;
    queue_del(m, i);
    if (m->inspector)
        inspection_fini(m->inspector, &f->inspection);
    f->chain = m->free;
    m->free = i;
    m->counters.n_open--;
}

/* -- out */

static int flow_emit(struct meter *m, const struct open_flow *f, enum end_reason reason)
{
    unsigned s = f->initiator, d = !s;
    struct flow out = {
        .source_ip = s ? f->key.high : f->key.low,
        .destination_ip = s ? f->key.low : f->key.high,
        .start_us = f->start_us,
        .end_us = f->end_us,
        .source_bytes = f->bytes[s],
        .destination_bytes = f->bytes[d],
        .source_packets = f->packets[s],
        .destination_packets = f->packets[d],
        .protocol = f->key.protocol,
        .tos = f->tos,
        .end_reason = (uint8_t)reason,
        .present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                   FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_DESTINATION_BYTES) |
                   FLOW_HAS(FLOW_SOURCE_PACKETS) | FLOW_HAS(FLOW_DESTINATION_PACKETS) | FLOW_HAS(FLOW_PROTOCOL) |
                   FLOW_HAS(FLOW_TOS) | FLOW_HAS(FLOW_END_REASON),
    };
    if (f->has_ports) {
        out.source_port = s ? f->key.high_port : f->key.low_port;
        out.destination_port = s ? f->key.low_port : f->key.high_port;
        out.present |= FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT);
    }
    if (f->key.protocol == PROTO_TCP) {
        out.tcp_flags = f->tcp_flags[s];
        out.reverse_tcp_flags = f->tcp_flags[d];
        out.present |= FLOW_HAS(FLOW_TCP_FLAGS) | FLOW_HAS(FLOW_REVERSE_TCP_FLAGS);
    }
    if (f->has_icmp) {
        out.icmp = f->icmp;
        out.present |= FLOW_HAS(FLOW_ICMP);
    }
    if (f->key.vlan != 0xffff) {
        out.vlan = f->key.vlan;
        out.present |= FLOW_HAS(FLOW_VLAN);
    }
    if (f->inspection.n_texts) {
        out.texts = (struct text){(const char *)f->inspection.texts, f->inspection.n_texts};
        out.present |= FLOW_HAS_TEXT;
    }
    m->counters.n_flows++;
    return m->sink(m->context, &out, 1, m->o.observer ? &m->observer : NULL);
}

static int flow_end(struct meter *m, uint32_t i, enum end_reason reason)
{
    int e = flow_emit(m, &m->flows[i], reason);
    flow_del(m, i);
    return e;
}

static int end_due(struct meter *m)
{
    for (int q = 0; q < N_QUEUES; q++)
        while (m->head[q] != NONE && m->now_us - m->flows[m->head[q]].touched_us >= m->timeout_us[q]) {
            int e = flow_end(m, m->head[q], q == QUEUE_CLOSED ? END_DETECTED : END_IDLE);
            if (e)
                return e;
        }
    return 0;
}

/* The flow longest untouched of all queues makes room; a closed one first. */
static int expel(struct meter *m)
{
    uint32_t oldest = m->head[QUEUE_CLOSED];
    if (oldest != NONE)
        return flow_end(m, oldest, END_DETECTED);
    oldest = m->head[QUEUE_OTHER];
    uint32_t tcp = m->head[QUEUE_TCP];
    if (oldest == NONE || (tcp != NONE && m->flows[tcp].touched_us < m->flows[oldest].touched_us))
        oldest = tcp;
    m->counters.n_expelled++;
    return flow_end(m, oldest, END_RESOURCES);
}

/* -- in */

/* what one packet, or several held-back fragments, add to a flow */
struct addition {
    const struct packet *k;
    uint64_t n_packets, n_bytes;
    int64_t first_us, last_us;
};

static unsigned key_of(const struct meter *m, const struct packet *k, struct flow_key *key)
{
    int order = ip_compare(&k->source, &k->destination);
    unsigned side = order > 0 || (order == 0 && k->source_port > k->destination_port);
    *key = (struct flow_key){.low = side ? k->destination : k->source,
                             .high = side ? k->source : k->destination,
                             .low_port = side ? k->destination_port : k->source_port,
                             .high_port = side ? k->source_port : k->destination_port,
                             .vlan = k->has_vlan && !m->o.without_vlan ? k->vlan : 0xffff,
                             .protocol = k->protocol,
                             .tunnel = k->tunnel};
    return side;
}

static int flow_add(struct meter *m, const struct flow_key *key, const struct packet *k, unsigned side, uint32_t *ret)
{
    if (m->free == NONE && m->n_used == m->o.max_flows) {
        int e = expel(m);
        if (e)
            return e;
    }
    uint32_t i = m->free;
    if (i != NONE)
        m->free = m->flows[i].chain;
    else
        i = m->n_used++;
    uint32_t *bucket = &m->buckets[bucket_of(m, key)];
    struct open_flow *f = &m->flows[i];
    *f = (struct open_flow){.key = *key,
                            .chain = *bucket,
                            .initiator = (uint8_t)side,
                            .tos = k->tos,
                            .icmp = k->icmp,
                            .has_icmp = k->has_icmp,
                            .start_us = INT64_MAX,
                            .end_us = INT64_MIN,
                            .touched_us = m->now_us,
                            .has_ports = k->has_ports};
    *bucket = i + 1;
    queue_add(m, i, key->protocol == PROTO_TCP ? QUEUE_TCP : QUEUE_OTHER);
    m->counters.n_open++;
    *ret = i;
    return 0;
}

/* Who began: a SYN without ACK decides for its sender, one with ACK against; once, by the first of them seen. */
static void tcp_seen(struct open_flow *f, const struct packet *k, unsigned side)
{
    f->tcp_flags[side] |= k->tcp_flags;
    if (k->tcp_flags & PACKET_TCP_SYN && !f->is_syn_seen) {
        f->initiator = (uint8_t)(k->tcp_flags & PACKET_TCP_ACK ? !side : side);
        f->is_syn_seen = true;
    }
    if (k->tcp_flags & PACKET_TCP_FIN)
        f->closing |= (uint8_t)(1u << side);
    if (k->tcp_flags & PACKET_TCP_RST)
        f->closing = 3;
}

/* A record is written, the flow goes on: counters and flags begin again, what is known of its ends stays. */
static int flow_continue(struct meter *m, struct open_flow *f)
{
    int e = flow_emit(m, f, END_ACTIVE);
    for (unsigned side = 0; side < 2; side++) {
        f->bytes[side] = f->packets[side] = 0;
        f->tcp_flags[side] = 0;
    }
    f->start_us = INT64_MAX;
    f->end_us = INT64_MIN;
    return e;
}

static void tunnel_text(struct meter *m, struct open_flow *f, const struct packet *k, const struct packet *outer)
{
    char source[IP_TEXT_MAX], destination[IP_TEXT_MAX], text[2 * IP_TEXT_MAX + 16];
    ip_format(&outer->source, source);
    ip_format(&outer->destination, destination);
    int n = snprintf(text, sizeof(text), "%s %s %s", packet_tunnel_name(k->tunnel), source, destination);
    if (n > 0 && (size_t)n < sizeof(text))
        inspect_text(m->inspector, &f->inspection, "network.tunnel", (struct text){text, (size_t)n});
}

/* A flow with more DNS names than a record holds goes on in a further record: no name is lost. */
static int names_take(struct meter *m, struct open_flow *f, const struct packet *k, unsigned side,
                      const struct packet *outer)
{
    if (!m->inspector || (k->is_fragment && k->fragment_offset))
        return 0;
    if (inspect(m->inspector, &f->inspection, k, side) != INSPECT_FULL)
        return 0;
    int e = flow_continue(m, f);
    inspection_fini(m->inspector, &f->inspection);
    if (outer)
        tunnel_text(m, f, k, outer);
    (void)inspect(m->inspector, &f->inspection, k, side);
    return e;
}

static int flow_take(struct meter *m, const struct addition *a, const struct packet *outer)
{
    struct flow_key key;
    unsigned side = key_of(m, a->k, &key);
    uint32_t i = flow_find(m, &key);
    int e = 0;
    if (i != NONE && m->now_us - m->flows[i].touched_us >= m->timeout_us[m->flows[i].queue]) {
        e = flow_end(m, i, m->flows[i].queue == QUEUE_CLOSED ? END_DETECTED : END_IDLE);
        i = NONE;
    }
    bool is_opening = a->k->has_tcp && (a->k->tcp_flags & (PACKET_TCP_SYN | PACKET_TCP_ACK)) == PACKET_TCP_SYN;
    if (i != NONE && !e && is_opening && m->flows[i].queue == QUEUE_CLOSED) { /* the same ports again: another flow */
        e = flow_end(m, i, END_DETECTED);
        i = NONE;
    }
    if (i != NONE && !e && a->last_us > m->flows[i].start_us && a->last_us - m->flows[i].start_us >= m->o.active_us)
        e = flow_continue(m, &m->flows[i]);
    if (e)
        return e;
    if (i == NONE) {
        e = flow_add(m, &key, a->k, side, &i);
        if (e)
            return e;
        if (outer && m->inspector)
            tunnel_text(m, &m->flows[i], a->k, outer);
    }
    struct open_flow *f = &m->flows[i];
    e = names_take(m, f, a->k, side, outer);
    if (e)
        return e;
    f->bytes[side] += a->n_bytes;
    f->packets[side] += a->n_packets;
    if (a->first_us < f->start_us)
        f->start_us = a->first_us;
    if (a->last_us > f->end_us)
        f->end_us = a->last_us;
    if (a->k->has_tcp)
        tcp_seen(f, a->k, side);
    f->touched_us = m->now_us;
    enum queue q = f->closing == 3 ? QUEUE_CLOSED : key.protocol == PROTO_TCP ? QUEUE_TCP : QUEUE_OTHER;
    if (q == f->queue && m->now_us - f->queued_us < QUEUE_GRANULE_US)
        return 0;
    queue_del(m, i);
    queue_add(m, i, q);
    return 0;
}

/* Parts whose first fragment did not come in time become a flow without ports. */
static int parts_lost(void *context, const struct fragment_parts *parts)
{
    struct meter *m = context;
    struct addition a = {&parts->like, parts->n_packets, parts->n_bytes, parts->first_us, parts->last_us};
    m->counters.n_fragments_lost += parts->n_packets;
    return flow_take(m, &a, NULL);
}

static int layer_take(struct meter *m, const struct packet *k, const struct packet *outer, int64_t time_us)
{
    struct addition a = {k, 1, k->n_ip_bytes, time_us, time_us};
    struct packet with_ports;
    m->counters.n_layers++;
    if (!k->is_fragment)
        return flow_take(m, &a, outer);
    struct fragment_parts earlier;
    int e = fragments_take(m->fragments, k, time_us, m->now_us, &with_ports, &earlier, parts_lost, m);
    if (e < 0)
        return e;
    if (e == FRAGMENT_HELD)
        return 0;
    a.k = &with_ports;
    if (k->fragment_offset)
        m->counters.n_fragments++;
    if (earlier.n_packets) {
        m->counters.n_fragments += earlier.n_packets;
        a.n_packets += earlier.n_packets;
        a.n_bytes += earlier.n_bytes;
        a.first_us = earlier.first_us < a.first_us ? earlier.first_us : a.first_us;
        a.last_us = earlier.last_us > a.last_us ? earlier.last_us : a.last_us;
    }
    return flow_take(m, &a, outer);
}

int meter_tick(struct meter *m, int64_t now_us)
{
    if (!m->has_now) {
        m->now_us = now_us;
        m->has_now = true;
        return 0;
    }
    if (now_us > m->now_us) {
        m->now_us = now_us;
        int e = fragments_expire(m->fragments, now_us, parts_lost, m);
        return e ? e : end_due(m);
    }
    if (m->now_us - now_us <= m->o.active_us)
        return 0;
    m->counters.n_clock_back++;
    int e = meter_flush(m);
    m->now_us = now_us;
    return e;
}

/* Times beyond what a calendar of 9999 years holds are a file's nonsense; held so that differences cannot overflow. */
static int64_t sane_time(int64_t time_us)
{
    const int64_t limit = INT64_C(253402300800) * US_PER_SECOND;
    if (time_us > limit)
        return limit;
    return time_us < -limit ? -limit : time_us;
}

int meter_packet(struct meter *m, const struct packet *layers, unsigned n, int64_t time_us)
{
    time_us = time_us == INT64_MIN ? m->now_us : sane_time(time_us);
    int e = meter_tick(m, time_us);
    m->counters.n_metered++;
    m->counters.n_bytes += n ? layers[0].n_ip_bytes : 0;
    for (unsigned i = m->o.without_outer && n ? n - 1 : 0; !e && i < n; i++)
        e = layer_take(m, &layers[i], i ? &layers[i - 1] : NULL, time_us);
    return e;
}

int meter_frame(struct meter *m, uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes, int64_t time_us)
{
    struct packet layers[PACKET_LAYERS];
    unsigned n;
    m->counters.n_frames++;
    int reason = packet_decode(link, p, n_bytes, n_wire_bytes, layers, &n);
    if (reason) {
        m->counters.n_refused[reason]++;
        return 0;
    }
    return meter_packet(m, layers, n, time_us);
}

int meter_flush(struct meter *m)
{
    int e = fragments_flush(m->fragments, parts_lost, m);
    for (int q = N_QUEUES - 1; q >= 0 && !e; q--)
        while (m->head[q] != NONE && !e)
            e = flow_end(m, m->head[q], q == QUEUE_CLOSED ? END_DETECTED : END_FORCED);
    return e;
}
