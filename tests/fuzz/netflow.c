/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation with one decoder: the first byte picks its limits, then datagrams, each behind a length of two bytes
 * whose top bits pick one of four exporters. Checked: what the sink got is what the result says, every flow has its two
 * addresses and readable texts, no more flows than bytes allow, no more memory than the options allow.
 */
#include "base/cursor.h"
#include "format/netflow.h"
#include "format/netflow_sequence.h"

#include <assert.h>
#include <stdlib.h>

struct seen {
    uint64_t n_flows, n_nat;
};

static int take_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    const uint64_t both = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                          FLOW_HAS(FLOW_END) | FLOW_HAS(FLOW_RECEIVED);
    struct seen *s = context;
    assert(o && n && n <= NETFLOW_RUN);
    s->n_flows += n;
    for (uint32_t i = 0; i < n; i++) {
        assert((flows[i].present & both) == both);
        assert(!(flows[i].present >> FLOW_N_COLUMNS));
        assert(!(flows[i].present & FLOW_HAS(FLOW_OBSERVER)));
        if (!(flows[i].present & FLOW_HAS(FLOW_TIME_SOURCE)))
            assert(flows[i].time_source == FLOW_TIME_EXPORTED);
        if (!(flows[i].present & FLOW_HAS_TEXT))
            continue;
        struct text rest = flows[i].texts, name, value;
        assert(rest.n);
        while (flow_text_next(&rest, &name, &value))
            assert(name.n && text_is_utf8(value.p, value.n));
        assert(!rest.n);
    }
    return 0;
}

static int take_nat(void *context, const struct nat_event *e)
{
    struct seen *s = context;
    s->n_nat++;
    assert(e->time_us != 0);
    return 0;
}

static void one_datagram(struct netflow *n, const uint8_t *p, size_t n_bytes, uint32_t who, struct netflow_sequence *sequence)
{
    struct seen s = {0};
    struct netflow_result r;
    struct netflow_datagram d = {.p = p, .n_bytes = n_bytes, .peer = ip_from_v4(who & 1), .peer_port = (uint16_t)(who >> 1),
                                 .received_us = INT64_C(1700000000000000)};
    netflow_set_nat_sink(n, take_nat, &s);
    assert(netflow_decode(n, &d, take_flows, &s, &r) == 0);
    assert(s.n_flows == r.n_flows && s.n_nat == r.n_nat_events && r.n_nat_only <= r.n_nat_events);
    if (!r.n_resolved) /* two addresses take at least eight bytes; Nokia's source may be a text */
        assert(r.n_flows <= n_bytes / 8);
    if (r.n_refused[NETFLOW_VERSION])
        assert(!r.n_flows && !r.n_added);
    uint32_t missing = 0;
    enum netflow_sequence_finding f = netflow_sequence_note(sequence, &r, netflow_fingerprint(p, n_bytes), &missing);
    assert((f == NETFLOW_SEQUENCE_NONE) == !r.has_sequence);
    assert((f == NETFLOW_SEQUENCE_GAP) == (missing != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n_bytes)
{
    if (n_bytes < 1)
        return 0;
    struct netflow_options o = {.max_bytes = (size_t)1 << (12 + p[0] % 12), .max_peers = 1 + p[0] / 64,
                                .max_templates_per_peer = 1 + p[0] % 32, .by_port = p[0] & 16};
    struct netflow *n = netflow_new(&o);
    struct netflow_sequence sequence = {0};
    assert(n);
    struct cursor c = cursor_over(p + 1, n_bytes - 1);
    while (cursor_left(&c) >= 2) {
        uint16_t head = cursor_u16(&c);
        size_t length = head & 0x3fff;
        if (length > cursor_left(&c))
            length = cursor_left(&c);
        const uint8_t *at = cursor_take(&c, length);
        uint8_t *exact = malloc(length ? length : 1); /* so that the sanitizer sees one byte too far */
        assert(exact && at);
        memcpy(exact, at, length);
        one_datagram(n, exact, length, head >> 14, &sequence);
        free(exact);
        assert(netflow_bytes(n) <= o.max_bytes);
    }
    struct netflow_result last;
    netflow_finish(n, &last);
    netflow_free(n);
    return 0;
}
