/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file, metered with tables so small that everything overflows. Invariant: the account balances (frames =
 * metered + refused; packets of all flows = layers metered), names are well-formed, nothing stays open.
 */
#include "format/pcap.h"
#include "watch/intake/meter.h"

#include <assert.h>
#include <stdlib.h>

static int take(void *context, const struct flow *f, uint32_t n, const struct flow_observer *o)
{
    uint64_t *n_packets = context;
    struct text rest = f->texts, name, value;
    assert(n == 1 && !o);
    assert(f->start_us <= f->end_us);
    assert(f->source_packets + f->destination_packets);
    *n_packets += f->source_packets + f->destination_packets;
    while (flow_text_next(&rest, &name, &value))
        assert(name.n && value.n);
    assert(!rest.n);
    return 0;
}

static int meter_one(void *context, const struct pcap_packet *packet)
{
    return meter_frame(context, packet->link, packet->p, packet->n_captured, packet->n_original,
                       packet->has_time ? packet->timestamp_us : INT64_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct meter_options o = {.max_flows = 5, .max_fragments = 3, .max_assemblies = 2, .max_text_bytes = 600};
    uint64_t n_packets = 0, n_refused = 0;
    struct pcap r = {0};
    struct meter_counters c;
    struct meter *m = meter_new(&o, take, &n_packets);
    if (!m)
        abort();
    (void)pcap_feed(&r, p, n, meter_one, m);
    assert(!meter_flush(m));
    meter_count(m, &c);
    for (int i = 0; i < PACKET_N_REASONS; i++)
        n_refused += c.n_refused[i];
    assert(c.n_frames == r.n_packets && c.n_frames == c.n_metered + n_refused);
    assert(c.n_layers == n_packets && c.n_layers >= c.n_metered);
    assert(!c.n_open);
    meter_free(m);
    pcap_fini(&r);
    return 0;
}
