/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures: packets are metered into flows, or, with --format exports, their
 * UDP payloads are what exporters sent.
 */
#include "base/clock.h"
#include "format/packet.h"
#include "format/pcap.h"
#include "watch/intake/import_impl.h"
#include "watch/intake/meter.h"
#include "watch/intake/reassembly.h"

#include <errno.h>
#include <stdlib.h>

struct import_capture {
    struct pcap pcap;
    struct meter *meter;
    struct reassembly *parts; /* made for the first fragment */
    struct import *owner;
};

static int open_capture(struct import *i)
{
    i->capture = calloc(1, sizeof(*i->capture));
    if (!i->capture)
        return FAULT(i->fault, -ENOMEM, no_memory, i->name);
    i->capture->owner = i;
    i->summary->kind = "pcap";
    return 0;
}

static void close_capture(struct import *i)
{
    pcap_fini(&i->capture->pcap);
    meter_free(i->capture->meter);
    reassembly_free(i->capture->parts);
    free(i->capture);
    i->capture = NULL;
}

/* broken - a capture that cannot be read on: the packets before are kept. */
static int broken(struct import *i, int rc)
{
    if (rc == PCAP_NOT_CAPTURE)
        return FAULT(i->fault, IMPORT_REFUSED, import_not_capture, i->name);
    if (rc == PCAP_MALFORMED || rc == PCAP_TRUNCATED) {
        i->summary->is_truncated = true;
        return 0;
    }
    return rc;
}

/* count_capture - packets that never became one. */
static void count_capture(struct import *i)
{
    const struct pcap *r = &i->capture->pcap;
    i->summary->read += r->n_too_long + r->n_no_interface + r->n_bad_blocks;
    import_count(i, "packet_too_long", r->n_too_long, 0, 0, (struct text){0});
    import_count(i, "no_interface", r->n_no_interface, 0, 0, (struct text){0});
    import_count(i, "bad_block", r->n_bad_blocks, 0, 0, (struct text){0});
}

/* ---- packets to flows */

static int take_packet(void *context, const struct pcap_packet *k)
{
    struct import_capture *c = context;
    return meter_frame(c->meter, k->link, k->p, k->n_captured, k->n_original, k->has_time ? k->timestamp_us : INT64_MIN);
}

static int packets_open(struct import *i)
{
    int rc = open_capture(i);
    if (rc)
        return rc;
    struct meter_options o = {.max_flows = i->options.max_flows,
                              .seed = (uint64_t)i->started_us * 0x9e3779b97f4a7c15u};
    i->capture->meter = meter_new(&o, import_sink, i);
    if (i->capture->meter)
        return 0;
    close_capture(i);
    return FAULT(i->fault, -ENOMEM, no_memory, i->name);
}

static int packets_feed(struct import *i, const uint8_t *p, size_t n)
{
    if (i->summary->is_truncated)
        return 0; /* broken before: what follows cannot be found */
    int rc = broken(i, pcap_feed(&i->capture->pcap, p, n, take_packet, i->capture));
    i->summary->read = i->capture->pcap.n_packets;
    return rc;
}

static int packets_end(struct import *i, bool is_cut)
{
    (void)is_cut; /* pcap_end finds out by itself */
    int rc = broken(i, pcap_end(&i->capture->pcap));
    if (!rc)
        rc = meter_flush(i->capture->meter);
    if (rc)
        return rc;
    struct meter_counters n;
    meter_count(i->capture->meter, &n);
    i->summary->read = n.n_frames;
    i->summary->kept = n.n_metered;
    i->summary->other = n.n_refused[PACKET_NOT_IP];
    import_count(i, "link_unknown", n.n_refused[PACKET_LINK_UNKNOWN], 0, 0, (struct text){0});
    import_count(i, "packet_cut", n.n_refused[PACKET_CUT], 0, 0, (struct text){0});
    import_count(i, "packet_malformed", n.n_refused[PACKET_MALFORMED], 0, 0, (struct text){0});
    count_capture(i);
    return 0;
}

const struct import_kind import_kind_packets = {"packets", packets_open, packets_feed, packets_end, close_capture};

/* ---- packets that carry export datagrams */

static int give_datagram(struct import_capture *c, const struct packet *u, const struct pcap_packet *k)
{
    struct netflow_datagram d = {.p = u->payload,
                                 .n_bytes = u->n_payload_bytes,
                                 .peer = u->source,
                                 .peer_port = u->source_port,
                                 .received_us = k->has_time ? k->timestamp_us : c->owner->started_us};
    return import_datagram(c->owner, &d, c->pcap.n_packets);
}

static void refuse_packets(struct import_capture *c, const char *reason, uint64_t n)
{
    c->owner->summary->read += n;
    import_count(c->owner, reason, n, c->pcap.n_packets, 0, (struct text){0});
}

/* take_part - a fragment of a datagram: given when it is the one that was missing. */
static int take_part(struct import_capture *c, struct packet *u, const struct pcap_packet *k)
{
    if (!c->parts)
        c->parts = reassembly_new(REASSEMBLY_MAX);
    if (!c->parts)
        return FAULT(c->owner->fault, -ENOMEM, no_memory, c->owner->name);
    uint64_t n_lost;
    int rc = reassembly_take(c->parts, u, k->has_time ? k->timestamp_us : 0, u, &n_lost);
    refuse_packets(c, "datagram_in_parts", n_lost);
    if (rc < 0)
        return FAULT(c->owner->fault, rc, no_memory, c->owner->name);
    return rc == REASSEMBLY_HELD ? 0 : give_datagram(c, u, k);
}

static int take_datagram(void *context, const struct pcap_packet *k)
{
    struct import_capture *c = context;
    struct packet u;
    int rc = packet_udp_payload(k->link, k->p, k->n_captured, k->n_original, &u);
    if (!rc)
        return give_datagram(c, &u, k);
    if (rc == PACKET_IN_PARTS && u.is_fragment && !u.is_cut)
        return take_part(c, &u, k);
    if (rc == PACKET_NOT_UDP || rc == PACKET_NOT_IP) {
        c->owner->summary->other++;
        c->owner->summary->read++;
        return 0;
    }
    refuse_packets(c, rc == PACKET_IN_PARTS ? "datagram_in_parts" : rc == PACKET_LINK_UNKNOWN ? "link_unknown" : "packet_cut", 1);
    return 0;
}

static int exports_feed(struct import *i, const uint8_t *p, size_t n)
{
    if (i->summary->is_truncated)
        return 0;
    return broken(i, pcap_feed(&i->capture->pcap, p, n, take_datagram, i->capture));
}

static int exports_end(struct import *i, bool is_cut)
{
    (void)is_cut;
    int rc = broken(i, pcap_end(&i->capture->pcap));
    count_capture(i);
    if (i->capture->parts)
        refuse_packets(i->capture, "datagram_in_parts", reassembly_give_up(i->capture->parts));
    return rc;
}

const struct import_kind import_kind_capture_of_exports = {"records", open_capture, exports_feed, exports_end,
                                                           close_capture};
