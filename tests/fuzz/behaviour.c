/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behaviour - flows with any values through all detectors: every account balances, every alarm is whole, the payload is one
 * JSON object. The detectors live on over inputs (making them costs much); every RUNS inputs they begin anew.
 *
 * Input: 34 bytes a flow: from, to (one byte each, spread over a few nets), ports, protocol, flags, present, times, counts.
 */
#include "base/buf.h"
#include "watch/detect/behaviour_alerts.h"

#include <assert.h>
#include <string.h>

enum { FLOW_BYTES = 34, RUNS = 500 };

static int hear(void *context, const struct behaviour_alarm *a)
{
    struct buf b = {.max = FINDING_MAX_PAYLOAD};
    (void)context;
    assert(a->kind < BEHAVIOUR_N_KINDS && a->severity <= 4 && a->confidence_pct >= 1 && a->confidence_pct <= 100);
    assert(a->n_numbers <= BEHAVIOUR_NUMBERS && a->n_series <= BEHAVIOUR_SERIES && a->n_peers <= BEHAVIOUR_PEERS);
    assert(a->first_us <= a->last_us && a->n_events);
    behaviour_put(&b, a, NULL);
    assert(!b.is_bad && b.n > 2 && b.p[0] == '{' && b.p[b.n - 1] == '}');
    buf_fini(&b);
    return 0;
}

static uint64_t get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static struct flow flow_of(const uint8_t *p, bool is_v6)
{
    static const uint32_t nets[] = {0x0a000000, 0xc0a80000, 0x55000000, 0xe0000000};
    const uint64_t always = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START);
    uint8_t six[16] = {0x20, 1, 0xd, 0xb8, [15] = p[0]};
    struct flow f = {.present = (get(p + 8, 8) & ~FLOW_HAS_TEXT & ~FLOW_HAS(FLOW_OBSERVER) & ((UINT64_C(1) << FLOW_N_COLUMNS) - 1)) | always};
    f.source_ip = is_v6 ? ip_from_v6(six) : ip_from_v4(nets[p[0] % 4] + p[0] / 4);
    f.destination_ip = ip_from_v4(nets[p[1] % 4] + p[1] / 4);
    f.source_port = (uint16_t)get(p + 2, 2);
    f.destination_port = (uint16_t)get(p + 4, 2);
    f.protocol = p[6] % 4 == 0 ? 6 : p[6] % 4 == 1 ? 17 : p[6] % 4 == 2 ? 1 : p[6];
    f.tcp_flags = p[7];
    f.reverse_tcp_flags = p[16];
    f.start_us = p[17] % 8 ? INT64_C(1700000000000000) + (int64_t)get(p + 18, 4) * 1000 : (int64_t)get(p + 18, 8);
    f.end_us = p[17] % 16 > 2 ? f.start_us + (int64_t)get(p + 22, 3) * 100 : (int64_t)get(p + 18, 8);
    f.source_packets = get(p + 26, p[17] & 64 ? 8 : 2);
    f.source_bytes = get(p + 26, p[17] & 128 ? 8 : 3);
    f.destination_packets = get(p + 28, 2);
    f.destination_bytes = get(p + 29, 3);
    f.sampling = p[32];
    f.icmp = (uint16_t)get(p + 32, 2);
    f.nat_event = f.firewall_event = p[33] % 6;
    return f;
}

static void feed(struct behaviour_engine *x, const uint8_t *data, size_t size, int family)
{
    struct flow_batch *b = flow_batch_new(family);
    uint32_t taken;
    assert(b);
    for (size_t i = 0; i + FLOW_BYTES <= size && b->n < FLOW_BATCH_ROWS; i += FLOW_BYTES) {
        struct flow f = flow_of(data + i, family == 6);
        for (unsigned again = 0; again < 1u + data[i + 33] % 40 && b->n < FLOW_BATCH_ROWS; again++) { /* rhythms and floods */
            (void)flow_batch_add(b, &f, 1, &taken);
            f.start_us += f.start_us < INT64_MAX / 2 ? (int64_t)data[i + 32] * 1000000 : 0;
            f.end_us = f.end_us < f.start_us ? f.start_us : f.end_us;
            f.destination_port = (uint16_t)(f.destination_port + (data[i + 16] & 1));
        }
    }
    assert(!behaviour_flows(x, b, NULL));
    flow_batch_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct behaviour_engine *x;
    static struct behaviour_settings settings;
    static unsigned n;
    if (!size)
        return 0;
    if (!x || ++n % RUNS == 0) {
        behaviour_engine_free(x);
        behaviour_settings_default(&settings);
        struct behaviour_base base = {.settings = &settings, .emit = hear, .window_us = INT64_C(86400000000), .seed = 1};
        assert(!behaviour_engine_new(&base, &x));
    }
    feed(x, data + 1, size - 1, data[0] & 1 ? 6 : 4);
    assert(!behaviour_flush(x, data[0] & 2 ? INT64_MAX : behaviour_now(x)));
    for (size_t i = 0; behaviour_detectors[i]; i++) {
        struct behaviour_counters c;
        behaviour_count(x, i, &c);
        assert(!behaviour_detectors[i]->flows || c.seen == c.used + c.skipped + c.late);
    }
    return 0;
}
