/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/meter - packets to bidirectional flows; one code path for a capture file and a live ring.
 *
 * In:     frames or decoded packets, with their time. The clock of the meter is the packets' time (meter_tick moves
 *         it where no packets come), so a file gives the same flows however fast it is read.
 * Out:    one struct flow per bidirectional flow, to a flow_sink, when it ends:
 *           end_reason 3  TCP closed (RST, or FIN of both sides), after `linger_us` for the last packets
 *           end_reason 1  idle: nothing for idle_us (TCP: tcp_idle_us)
 *           end_reason 2  active_us have passed: the record is written, the flow goes on in the next one
 *           end_reason 4  meter_flush     end_reason 5  the table was full and this was the one longest untouched
 *         (numbers of IPFIX flowEndReason, element 136)
 * Key:    addresses, ports, protocol, the outermost VLAN id, and the kind of tunnel. Bytes are those of the IP layer.
 *         Source is the initiator: who sent a SYN without ACK, else who did not send the SYN with ACK, else who was
 *         seen first.
 * Tunnel: every IP layer of a packet is metered, so that an address is found wherever it stood; a flow seen inside a
 *         tunnel says so (text "network.tunnel": kind, and outer source and destination).
 * Parts:  fragments belong to the flow of their first fragment, also when they come before it. Those whose first
 *         fragment never comes make a flow without ports.
 * Names:  the first payload of each direction gives dns.question.name, tls.client.server_name, ja3, ja4, url.domain
 *         and network.protocol (watch/intake/inspect.h).
 * Limits: options below; reaching one is counted. Nothing is allocated per packet; a flow whose payload names
 *         something takes one block. Not thread-safe.
 * Fuzz:   tests/fuzz/meter.c
 */
#pragma once

#include "format/flow.h"
#include "format/packet.h"

struct meter;

/* 0 in a field means the default in brackets */
struct meter_options {
    int64_t idle_us;         /* [60 s] */
    int64_t tcp_idle_us;     /* [300 s] once a TCP flow is not closed: its peers may keep silent for long */
    int64_t active_us;       /* [300 s] */
    int64_t linger_us;       /* [5 s] */
    uint32_t max_flows;      /* [262144], about 55 MB when all are used */
    uint32_t max_fragments;  /* [4096] packets in parts at a time */
    uint32_t max_assemblies; /* [256] first messages that span segments, 16 KiB each */
    size_t max_text_bytes;   /* [64 MiB] names of all open flows */
    uint64_t seed;           /* of the flow table: random where senders are hostile */
    bool without_vlan;       /* one flow also where only one direction is tagged */
    bool without_outer;      /* only the innermost layer of a tunnel */
    bool without_names;      /* no look at payloads */
    const struct flow_observer *observer; /* copied; NULL: none */
};

/* X(member, "meaning") - frames = metered + the refused ones */
#define METER_COUNTERS(X)                                                            \
    X(n_frames, "frames given to meter_frame")                                       \
    X(n_metered, "packets metered")                                                  \
    X(n_bytes, "IP bytes of their outermost layer")                                  \
    X(n_layers, "IP layers metered: more than packets where tunnels are")            \
    X(n_flows, "flow records handed on")                                             \
    X(n_expelled, "flows ended early because the table was full")                    \
    X(n_fragments, "fragments given to the flow of their first fragment")            \
    X(n_fragments_lost, "fragments without ports: their first fragment never came")  \
    X(n_texts_dropped, "names not kept: limit or memory")                            \
    X(n_assemblies_dropped, "first messages given up because too many were open")    \
    X(n_clock_back, "times the packets' time fell back by more than active_us")

struct meter_counters {
#define X(member, meaning) uint64_t member;
    METER_COUNTERS(X)
#undef X
    uint64_t n_refused[PACKET_N_REASONS]; /* by enum packet_reason */
    uint32_t n_open;                      /* flows open now */
};

/* meter_new - @sink is called with one flow at a time; texts borrowed for the call. Return: NULL when memory is out. */
struct meter *meter_new(const struct meter_options *o, flow_sink sink, void *context);
/* meter_free - does not flush. */
void meter_free(struct meter *m);

/*
 * meter_frame - one frame as captured; see packet_decode.
 * @time_us: of the packet; INT64_MIN: unknown, the meter's clock is taken
 * Return: 0 (also for a refused frame: counted), or what the sink answered below 0.
 */
int meter_frame(struct meter *m, uint16_t link, const uint8_t *p, size_t n_bytes, size_t n_wire_bytes, int64_t time_us);
/* meter_packet - the same for a decoded packet of @n layers. */
int meter_packet(struct meter *m, const struct packet *layers, unsigned n, int64_t time_us);
/* meter_tick - it is @now_us (by the packets' clock): ends what is due. Return: as above. */
int meter_tick(struct meter *m, int64_t now_us);
/* meter_flush - hands on everything. Return: as above. */
int meter_flush(struct meter *m);
void meter_count(const struct meter *m, struct meter_counters *ret);
