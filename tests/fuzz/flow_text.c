/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any textual flow file in pieces: the account balances, flows have both ends and times, texts are well packed,
 * and the cut of the pieces changes nothing. First byte: wanted kind and zone; the rest is the file.
 */
#include "format/flow_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    uint64_t n, hash, refused;
};

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u;
    return (h ^ n) * 1099511628211u;
}

static int take(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct walk *w = context;
    uint64_t must = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                    FLOW_HAS(FLOW_END);
    assert(n > 0);
    for (uint32_t i = 0; i < n; i++) {
        const struct flow *f = &flows[i];
        assert((f->present & must) == must);
        assert(!(f->present & FLOW_HAS(FLOW_OBSERVER)) || o);
        struct text rest = f->texts, name, value;
        while (flow_text_next(&rest, &name, &value))
            assert(name.n > 0);
        assert(!rest.n && !f->texts.n == !(f->present & FLOW_HAS_TEXT));
        w->hash = mix(w->hash, &f->present, sizeof(f->present));
        w->hash = mix(w->hash, &f->start_us, sizeof(f->start_us));
        w->hash = mix(w->hash, &f->source_ip, sizeof(f->source_ip));
        w->hash = mix(w->hash, f->texts.p, f->texts.n);
    }
    w->n += n;
    return 0;
}

static void refused(void *context, const struct flow_text_refused *r)
{
    struct walk *w = context;
    assert(r->row > 0 && r->line > 0 && r->reason < FLOW_TEXT_N_REFUSALS);
    w->refused++;
}

static int read_in(const uint8_t *p, size_t n, size_t piece, const struct flow_text_options *o, bool is_cut, struct walk *w)
{
    *w = (struct walk){0};
    struct flow_text_reader *r = flow_text_reader_new(o, take, refused, w);
    assert(r);
    int rc = 0;
    for (size_t at = 0; !rc && at < n; at += piece)
        rc = flow_text_reader_feed(r, p + at, n - at < piece ? n - at : piece);
    if (!rc)
        rc = flow_text_reader_end(r, is_cut);
    const struct flow_text_counts *counts = flow_text_reader_counts(r);
    uint64_t sum = 0;
    for (int i = 0; i < FLOW_TEXT_N_REFUSALS; i++)
        sum += counts->refused[i];
    assert(counts->read == counts->kept + sum && sum == w->refused && (rc || counts->kept == w->n));
    assert(rc == 0 || rc == FLOW_TEXT_NOT_TEXT || rc == FLOW_TEXT_UNKNOWN);
    assert(!rc || !w->n);
    flow_text_reader_free(r);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    struct flow_text_options o = {.want = (enum flow_text_kind)((p[0] & 15) % FLOW_TEXT_N_KINDS),
                                  .zone_s = p[0] & 16 ? 7 * 3600 : 0};
    struct walk one, other;
    int a = read_in(p + 1, n - 1, 1 + (p[0] & 63), &o, p[0] & 32, &one);
    int b = read_in(p + 1, n - 1, 1 << 20, &o, p[0] & 32, &other);
    if (!a && !b)
        assert(one.n == other.n && one.hash == other.hash && one.refused == other.refused);
    return 0;
}
