/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagram > samples > records, each with its length, each read through a
 * cursor over exactly that length: a record that lies spoils itself only.
 *
 * A sample is first gathered (`struct sample`), since the record with the
 * addresses and those with next hop or AS may come in any order; then it is
 * turned into its flow.
 */
#include "format/sflow.h"

#include "base/cursor.h"
#include "format/packet.h"
#include "format/pcap.h"

#include <stdio.h>

/* enterprise 0 formats of samples and of flow records */
enum { SAMPLE_FLOW = 1, SAMPLE_COUNTER = 2, SAMPLE_FLOW_EXPANDED = 3, SAMPLE_COUNTER_EXPANDED = 4, SAMPLE_DISCARD = 5 };
enum {
    RECORD_HEADER = 1,
    RECORD_IPV4 = 3,
    RECORD_IPV6 = 4,
    RECORD_SWITCH = 1001,
    RECORD_ROUTER = 1002,
    RECORD_GATEWAY = 1003,
    RECORD_NAT = 1007,
    RECORD_NAT_PORT = 1020,
};
#define COUNTER_GENERIC 1
/* header_protocol of a sampled header */
enum { HEADER_ETHERNET = 1, HEADER_FRELAY = 4, HEADER_PPP = 7, HEADER_IPV4 = 11, HEADER_IPV6 = 12 };

#define SEQUENCE_WINDOW (1u << 24) /* a longer step forward is a new count */
#define LATE_WINDOW 64u            /* a longer step back is an agent that has restarted */

const char *const sflow_reason_names[SFLOW_N_REASONS] = {
#define X(ID, name, unit) [SFLOW_##ID] = name,
    SFLOW_REASONS(X)
#undef X
};

/* one flow sample, gathered */
struct sample {
    struct flow flow; /* what the extended records say */
    struct packet layers[PACKET_LAYERS];
    unsigned n_layers;
    uint64_t n_frame_bytes;
    uint32_t rate;
    int reason; /* enum sflow_reason while n_layers is 0 */
};

struct decoder {
    struct sflow_result *ret;
    flow_sink sink;
    sflow_counter_sink counters;
    void *context;
    int64_t received_us;
};

/* type and address; Return: false for a family that is not known */
static bool address_read(struct cursor *c, struct ip *ret)
{
    uint32_t type = cursor_u32(c);
    if (type == 0) {
        *ret = (struct ip){0};
        return !c->is_bad;
    }
    if (type == 1) {
        *ret = ip_from_v4(cursor_u32(c));
        return !c->is_bad;
    }
    const uint8_t *p = type == 2 ? cursor_take(c, 16) : NULL;
    if (p)
        *ret = ip_from_v6(p);
    return p != NULL;
}

/* -- flow records */

static int reason_of(int packet_reason)
{
    switch (packet_reason) {
    case PACKET_NOT_IP:
        return SFLOW_NOT_IP;
    case PACKET_CUT:
        return SFLOW_HEADER_CUT;
    case PACKET_LINK_UNKNOWN:
        return SFLOW_HEADER_UNKNOWN;
    default:
        return SFLOW_HEADER_MALFORMED;
    }
}

static int link_of(uint32_t header_protocol)
{
    switch (header_protocol) {
    case HEADER_ETHERNET:
        return PCAP_LINK_ETHERNET;
    case HEADER_FRELAY:
        return PCAP_LINK_FRELAY;
    case HEADER_PPP:
        return PCAP_LINK_PPP;
    case HEADER_IPV4:
        return PCAP_LINK_IPV4;
    case HEADER_IPV6:
        return PCAP_LINK_IPV6;
    default:
        return -1;
    }
}

static void header_read(struct sample *s, struct cursor *c)
{
    int link = link_of(cursor_u32(c));
    uint32_t n_frame = cursor_u32(c);
    cursor_skip(c, 4); /* bytes stripped behind the header: n_frame counts them already */
    uint32_t n_header = cursor_u32(c);
    const uint8_t *p = cursor_take(c, n_header);
    if (!p)
        return;
    unsigned n = 0;
    int reason = link < 0 ? PACKET_LINK_UNKNOWN : packet_decode((uint16_t)link, p, n_header, n_frame, s->layers, &n);
    if (reason) {
        s->reason = s->n_layers ? s->reason : reason_of(reason);
        return;
    }
    s->n_layers = n;
    s->n_frame_bytes = n_frame;
}

/* sampled_ipv4 and sampled_ipv6: what an agent without the header gives; it never replaces a decoded header */
static void addresses_read(struct sample *s, struct cursor *c, bool is_v6)
{
    struct packet k = {0};
    uint32_t n_bytes = cursor_u32(c);
    k.protocol = (uint8_t)cursor_u32(c);
    const uint8_t *p = cursor_take(c, is_v6 ? 32 : 8);
    uint32_t source_port = cursor_u32(c), destination_port = cursor_u32(c), flags = cursor_u32(c);
    k.tos = (uint8_t)cursor_u32(c);
    if (c->is_bad || s->n_layers)
        return;
    k.source = is_v6 ? ip_from_v6(p) : ip_from_v4(load_be32(p));
    k.destination = is_v6 ? ip_from_v6(p + 16) : ip_from_v4(load_be32(p + 4));
    k.has_ports = k.protocol == 6 || k.protocol == 17 || k.protocol == 132;
    k.source_port = (uint16_t)source_port;
    k.destination_port = (uint16_t)destination_port;
    k.has_tcp = k.protocol == 6;
    k.tcp_flags = (uint16_t)(flags & 0x0fff);
    s->layers[0] = k;
    s->n_layers = 1;
    s->n_frame_bytes = n_bytes;
}

static void router_read(struct flow *f, struct cursor *c)
{
    struct ip next_hop;
    bool is_known = address_read(c, &next_hop);
    uint32_t source_mask = cursor_u32(c), destination_mask = cursor_u32(c);
    if (!is_known || c->is_bad)
        return;
    if (!ip_is_zero(&next_hop)) {
        f->next_hop = next_hop;
        f->present |= FLOW_HAS_ADDRESS(FLOW_NEXT_HOP);
    }
    if (source_mask > 128 || destination_mask > 128)
        return;
    f->source_mask = (uint8_t)source_mask;
    f->destination_mask = (uint8_t)destination_mask;
    f->present |= FLOW_HAS(FLOW_SOURCE_MASK) | FLOW_HAS(FLOW_DESTINATION_MASK);
}

/* The destination AS ends the path; an empty path means the agent's own AS. */
static void gateway_read(struct flow *f, struct cursor *c)
{
    struct ip next_hop;
    bool is_known = address_read(c, &next_hop);
    uint32_t own_as = cursor_u32(c), source_as = cursor_u32(c);
    cursor_skip(c, 4); /* the AS the packet came from at once */
    uint32_t n_segments = cursor_u32(c), destination_as = own_as;
    for (uint32_t i = 0; i < n_segments && !c->is_bad; i++) {
        cursor_skip(c, 4); /* a set or a sequence */
        uint32_t n = cursor_u32(c);
        const uint8_t *p = cursor_take(c, (size_t)n * 4);
        if (p && n)
            destination_as = load_be32(p + ((size_t)n - 1) * 4);
    }
    if (!is_known || c->is_bad)
        return;
    f->source_as = source_as;
    f->destination_as = destination_as;
    f->present |= FLOW_HAS(FLOW_SOURCE_AS) | FLOW_HAS(FLOW_DESTINATION_AS);
    if (!(f->present & FLOW_HAS_ADDRESS(FLOW_NEXT_HOP)) && !ip_is_zero(&next_hop)) {
        f->next_hop = next_hop;
        f->present |= FLOW_HAS_ADDRESS(FLOW_NEXT_HOP);
    }
}

static void nat_read(struct flow *f, struct cursor *c)
{
    struct ip source, destination;
    bool is_known = address_read(c, &source) && address_read(c, &destination);
    if (!is_known)
        return;
    f->source_nat_ip = source;
    f->destination_nat_ip = destination;
    f->present |= FLOW_HAS_ADDRESS(FLOW_SOURCE_NAT_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_NAT_IP);
}

static void record_read(struct sample *s, uint32_t format, struct cursor c)
{
    struct flow *f = &s->flow;
    uint32_t v;
    switch (format) {
    case RECORD_HEADER:
        header_read(s, &c);
        break;
    case RECORD_IPV4:
    case RECORD_IPV6:
        addresses_read(s, &c, format == RECORD_IPV6);
        break;
    case RECORD_SWITCH:
        v = cursor_u32(&c);
        if (c.is_bad || v > 4095)
            break;
        f->vlan = v;
        f->present |= FLOW_HAS(FLOW_VLAN);
        break;
    case RECORD_ROUTER:
        router_read(f, &c);
        break;
    case RECORD_GATEWAY:
        gateway_read(f, &c);
        break;
    case RECORD_NAT:
        nat_read(f, &c);
        break;
    case RECORD_NAT_PORT:
        f->source_nat_port = (uint16_t)cursor_u32(&c);
        f->destination_nat_port = (uint16_t)cursor_u32(&c);
        if (!c.is_bad)
            f->present |= FLOW_HAS(FLOW_SOURCE_NAT_PORT) | FLOW_HAS(FLOW_DESTINATION_NAT_PORT);
        break;
    default: /* host, HTTP and vendor records: nothing of the flow */
        break;
    }
}

/* -- a sample to its flow */

static void flow_fill(struct flow *f, const struct packet *k)
{
    f->source_ip = k->source;
    f->destination_ip = k->destination;
    f->protocol = k->protocol;
    f->tos = k->tos;
    f->present |= FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_PROTOCOL) |
                  FLOW_HAS(FLOW_TOS);
    if (k->has_ports) {
        f->source_port = k->source_port;
        f->destination_port = k->destination_port;
        f->present |= FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_DESTINATION_PORT);
    }
    if (k->has_tcp) {
        f->tcp_flags = k->tcp_flags;
        f->present |= FLOW_HAS(FLOW_TCP_FLAGS);
    }
    if (k->has_icmp) {
        f->icmp = k->icmp;
        f->present |= FLOW_HAS(FLOW_ICMP);
    }
    if (k->has_vlan && !(f->present & FLOW_HAS(FLOW_VLAN))) {
        f->vlan = k->vlan;
        f->present |= FLOW_HAS(FLOW_VLAN);
    }
}

static struct flow flow_begin(const struct decoder *d, const struct sample *s)
{
    struct flow f = {.start_us = d->received_us,
                     .end_us = d->received_us,
                     .received_us = d->received_us,
                     .time_source = FLOW_TIME_OF_RECEIPT,
                     .source_packets = 1,
                     .input_if = s->flow.input_if,
                     .output_if = s->flow.output_if,
                     .present = FLOW_HAS(FLOW_START) | FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED) |
                                FLOW_HAS(FLOW_TIME_SOURCE) | FLOW_HAS(FLOW_SOURCE_PACKETS) |
                                FLOW_HAS(FLOW_SOURCE_BYTES)};
    f.present |= s->flow.present & (FLOW_HAS(FLOW_INPUT_IF) | FLOW_HAS(FLOW_OUTPUT_IF));
    return f;
}

/* A layer inside a tunnel: its own row, with its own bytes; what the router knew belongs to the outer one. */
static int inner_out(const struct decoder *d, const struct sample *s, unsigned i)
{
    char source[IP_TEXT_MAX], destination[IP_TEXT_MAX], text[2 * IP_TEXT_MAX + 16];
    uint8_t room[160];
    struct buf texts = {.p = room, .capacity = sizeof(room), .max = sizeof(room)};
    const struct packet *outer = &s->layers[i - 1];
    ip_format(&outer->source, source);
    ip_format(&outer->destination, destination);
    int n = snprintf(text, sizeof(text), "%s %s %s", packet_tunnel_name(s->layers[i].tunnel), source, destination);
    flow_text_add(&texts, "network.tunnel", (struct text){text, n > 0 ? (size_t)n : 0});
    struct flow f = flow_begin(d, s);
    flow_fill(&f, &s->layers[i]);
    f.source_bytes = s->layers[i].n_ip_bytes;
    f.texts = (struct text){(const char *)room, texts.n};
    f.present |= FLOW_HAS_TEXT;
    flow_sampled(&f, s->rate);
    d->ret->n_inner++;
    return d->sink(d->context, &f, 1, &d->ret->observer);
}

static int sample_out(const struct decoder *d, const struct sample *s)
{
    if (!s->n_layers) {
        d->ret->n_refused[s->reason]++;
        return 0;
    }
    struct flow f = s->flow, head = flow_begin(d, s);
    head.present |= f.present;
    f.start_us = head.start_us;
    f.end_us = head.end_us;
    f.received_us = head.received_us;
    f.time_source = head.time_source;
    f.source_packets = 1;
    f.present = head.present;
    f.source_bytes = s->n_frame_bytes;
    flow_fill(&f, &s->layers[0]);
    flow_sampled(&f, s->rate);
    d->ret->n_flows++;
    int e = d->sink(d->context, &f, 1, &d->ret->observer);
    for (unsigned i = 1; i < s->n_layers && !e; i++)
        e = inner_out(d, s, i);
    return e;
}

/* An interface in the compact form: two bits of format; only format 0 is an index. 0x3fffffff: the agent itself. */
static void interface_set(struct flow *f, bool is_input, uint32_t format, uint32_t value)
{
    if (format || value == 0x3fffffff)
        return;
    *(is_input ? &f->input_if : &f->output_if) = value;
    f->present |= is_input ? FLOW_HAS(FLOW_INPUT_IF) : FLOW_HAS(FLOW_OUTPUT_IF);
}

static int records_read(const struct decoder *d, struct sample *s, struct cursor *c)
{
    uint32_t n_records = cursor_u32(c);
    if (c->is_bad) {
        d->ret->n_refused[SFLOW_SAMPLE_MALFORMED]++;
        return 0;
    }
    for (uint32_t i = 0; i < n_records; i++) {
        uint32_t format = cursor_u32(c);
        struct cursor record = cursor_sub(c, cursor_u32(c));
        if (c->is_bad) {
            s->reason = s->reason == SFLOW_NO_ADDRESSES ? SFLOW_SAMPLE_MALFORMED : s->reason;
            break;
        }
        record_read(s, format, record);
    }
    return sample_out(d, s);
}

/* sflow_drops.txt: a packet the device threw away; each is told, none is sampled */
static int discard_sample(const struct decoder *d, struct cursor c)
{
    struct sample s = {.reason = SFLOW_NO_ADDRESSES, .rate = 1};
    cursor_skip(&c, 16); /* sequence, source class and index, drops */
    interface_set(&s.flow, true, 0, cursor_u32(&c));
    interface_set(&s.flow, false, 0, cursor_u32(&c));
    cursor_skip(&c, 4); /* reason */
    return records_read(d, &s, &c);
}

static int flow_sample(const struct decoder *d, struct cursor c, bool is_expanded)
{
    struct sample s = {.reason = SFLOW_NO_ADDRESSES};
    struct sflow_source source = {.sequence = cursor_u32(&c)};
    source.class = is_expanded ? cursor_u32(&c) : 0;
    source.index = cursor_u32(&c);
    if (!is_expanded) {
        source.class = source.index >> 24;
        source.index &= 0xffffff;
    }
    source.rate = s.rate = cursor_u32(&c);
    source.pool = cursor_u32(&c);
    source.drops = cursor_u32(&c);
    for (int is_input = 1; is_input >= 0; is_input--) {
        uint32_t format = is_expanded ? cursor_u32(&c) : 0, value = cursor_u32(&c);
        if (!is_expanded) {
            format = value >> 30;
            value &= 0x3fffffff;
        }
        interface_set(&s.flow, is_input, format, value);
    }
    if (!c.is_bad && d->ret->n_sources < SFLOW_SOURCES)
        d->ret->sources[d->ret->n_sources++] = source;
    return records_read(d, &s, &c);
}

/* -- counters */

static int generic_counters(const struct decoder *d, struct sflow_counters *o, struct cursor c)
{
    o->interface = cursor_u32(&c);
    o->type = cursor_u32(&c);
    o->speed_bps = cursor_u64(&c);
    o->direction = cursor_u32(&c);
    o->status = cursor_u32(&c);
    o->in_bytes = cursor_u64(&c);
    o->in_unicast = cursor_u32(&c);
    o->in_multicast = cursor_u32(&c);
    o->in_broadcast = cursor_u32(&c);
    o->in_discards = cursor_u32(&c);
    o->in_errors = cursor_u32(&c);
    o->in_unknown = cursor_u32(&c);
    o->out_bytes = cursor_u64(&c);
    o->out_unicast = cursor_u32(&c);
    o->out_multicast = cursor_u32(&c);
    o->out_broadcast = cursor_u32(&c);
    o->out_discards = cursor_u32(&c);
    o->out_errors = cursor_u32(&c);
    return c.is_bad ? 0 : d->counters(d->context, o);
}

static int counter_sample(const struct decoder *d, struct cursor c, bool is_expanded)
{
    struct sflow_counters o = {.observer = d->ret->observer};
    cursor_skip(&c, 4); /* sequence */
    o.source_class = is_expanded ? cursor_u32(&c) : 0;
    o.source_index = cursor_u32(&c);
    if (!is_expanded) {
        o.source_class = o.source_index >> 24;
        o.source_index &= 0xffffff;
    }
    uint32_t n_records = cursor_u32(&c);
    for (uint32_t i = 0; i < n_records && d->counters; i++) {
        uint32_t format = cursor_u32(&c);
        struct cursor record = cursor_sub(&c, cursor_u32(&c));
        if (c.is_bad)
            return 0;
        int e = format == COUNTER_GENERIC ? generic_counters(d, &o, record) : 0;
        if (e)
            return e;
    }
    return 0;
}

/* -- datagram */

static int sample_read(const struct decoder *d, uint32_t format, struct cursor c)
{
    switch (format) {
    case SAMPLE_FLOW:
    case SAMPLE_FLOW_EXPANDED:
        d->ret->n_flow_samples++;
        return flow_sample(d, c, format == SAMPLE_FLOW_EXPANDED);
    case SAMPLE_DISCARD:
        d->ret->n_flow_samples++;
        return discard_sample(d, c);
    case SAMPLE_COUNTER:
    case SAMPLE_COUNTER_EXPANDED:
        d->ret->n_counter_samples++;
        return counter_sample(d, c, format == SAMPLE_COUNTER_EXPANDED);
    default: /* other enterprises */
        d->ret->n_other_samples++;
        return 0;
    }
}

int sflow_decode_all(const uint8_t *p, size_t n, const struct ip *peer, int64_t received_us, flow_sink sink,
                     sflow_counter_sink counters, void *context, struct sflow_result *ret)
{
    struct decoder d = {ret, sink, counters, context, received_us};
    struct cursor c = cursor_over(p, n);
    *ret = (struct sflow_result){.observer.ip = *peer};
    uint32_t version = cursor_u32(&c);
    if (!c.is_bad && version != 5) {
        ret->n_refused[SFLOW_VERSION]++;
        return 0;
    }
    struct ip agent;
    bool is_known = address_read(&c, &agent);
    uint32_t sub_agent = cursor_u32(&c), sequence = cursor_u32(&c), uptime_ms = cursor_u32(&c);
    uint32_t n_samples = cursor_u32(&c);
    if (!is_known || c.is_bad) {
        ret->n_refused[SFLOW_SHORT]++;
        return 0;
    }
    if (!ip_is_zero(&agent) && ip_compare(&agent, &(struct ip){{[10] = 0xff, [11] = 0xff}}))
        ret->observer.ip = agent;
    ret->observer.domain = sub_agent;
    ret->has_sequence = true;
    ret->sequence = sequence;
    ret->uptime_ms = uptime_ms;
    ret->n_samples = n_samples;
    for (uint32_t i = 0; i < n_samples; i++) {
        uint32_t format = cursor_u32(&c);
        struct cursor sample = cursor_sub(&c, cursor_u32(&c));
        if (c.is_bad) {
            ret->n_refused[SFLOW_SAMPLE_CUT] = n_samples - i;
            return 0;
        }
        int e = sample_read(&d, format, sample);
        if (e)
            return e;
    }
    return 0;
}

int sflow_decode(const uint8_t *p, size_t n, const struct ip *peer, int64_t received_us, flow_sink sink, void *context,
                 struct sflow_result *ret)
{
    return sflow_decode_all(p, n, peer, received_us, sink, NULL, context, ret);
}

/* -- loss */

struct netflow_result sflow_sequence_input(const struct sflow_result *r)
{
    /* as NetFlow v9, whose sequence counts datagrams too */
    return (struct netflow_result){.version = 9,
                                   .observer = r->observer,
                                   .has_sequence = r->has_sequence,
                                   .is_exact = true,
                                   .sequence = r->sequence,
                                   .n_units = 1,
                                   .uptime_ms = r->uptime_ms};
}

static struct sflow_source *loss_find(struct sflow_loss *l, const struct sflow_source *s)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->last[i].index == s->index && l->last[i].class == s->class)
            return &l->last[i];
    return NULL;
}

static void source_note(struct sflow_loss *l, const struct sflow_source *s)
{
    struct sflow_source *last = loss_find(l, s);
    if (!last) {
        if (l->n < SFLOW_LOSS_SOURCES)
            l->last[l->n++] = *s;
        else
            l->n_sources_over++;
        return;
    }
    uint32_t step = s->sequence - last->sequence, dropped = s->drops - last->drops;
    if (0u - step <= LATE_WINDOW) { /* the same again, or overtaken on the way */
        if (step && l->n_missing)
            l->n_missing--;
        return;
    }
    if (step <= SEQUENCE_WINDOW) {
        l->n_missing += step - 1;
        l->n_dropped += dropped <= SEQUENCE_WINDOW ? dropped : 0;
    }
    *last = *s;
}

void sflow_loss_note(struct sflow_loss *l, const struct sflow_result *r)
{
    for (uint32_t i = 0; i < r->n_sources; i++)
        source_note(l, &r->sources[i]);
}
