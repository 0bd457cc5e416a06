/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An sFlow datagram. Invariant: the account balances, and every flow has two addresses and counters times its rate.
 */
#include "format/sflow.h"

#include <assert.h>

static int take(void *context, const struct flow *f, uint32_t n, const struct flow_observer *o)
{
    uint32_t *count = context;
    assert(n == 1 && o);
    assert(f->present & FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) && f->present & FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP));
    assert(f->source_packets == (f->present & FLOW_HAS(FLOW_SAMPLING) ? f->sampling : 1));
    assert(f->present & FLOW_HAS(FLOW_SAMPLING) || f->sampling <= 1);
    ++*count;
    return 0;
}

static int take_counters(void *context, const struct sflow_counters *c)
{
    (void)context;
    (void)c;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct ip peer = ip_from_v4(0x7f000001);
    struct sflow_result r;
    struct sflow_loss loss = {0};
    uint32_t n_rows = 0;
    assert(!sflow_decode_all(p, n, &peer, 1, take, take_counters, &n_rows, &r));
    uint64_t refused = 0;
    for (int i = SFLOW_SAMPLE_MALFORMED; i < SFLOW_N_REASONS; i++)
        refused += r.n_refused[i];
    assert((uint64_t)r.n_flow_samples + r.n_counter_samples + r.n_other_samples + r.n_refused[SFLOW_SAMPLE_CUT] ==
           r.n_samples);
    assert(r.n_flow_samples == r.n_flows + refused);
    assert(n_rows == r.n_flows + r.n_inner);
    assert(r.n_sources <= SFLOW_SOURCES);
    assert(r.has_sequence || r.n_refused[SFLOW_VERSION] + r.n_refused[SFLOW_SHORT] == 1);
    sflow_loss_note(&loss, &r);
    return 0;
}
