/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netflow_case - datagrams built field by field as the RFC draws them, and a sink that keeps what came out.
 * For the tests, seeds and benches of format/netflow*.
 */
#pragma once

#include "base/cursor.h"
#include "format/netflow.h"

#include <assert.h>
#include <string.h>

struct built {
    uint8_t p[65536];
    size_t n;
    size_t set; /* where the open set begins */
};

static inline void put_n(struct built *b, uint64_t v, size_t n)
{
    assert(b->n + n <= sizeof(b->p));
    for (size_t i = 0; i < n; i++)
        b->p[b->n++] = (uint8_t)(n - 1 - i < 8 ? v >> 8 * (n - 1 - i) : 0);
}

static inline void put_bytes(struct built *b, const void *p, size_t n)
{
    assert(b->n + n <= sizeof(b->p));
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static inline void put_at16(struct built *b, size_t at, size_t v)
{
    b->p[at] = (uint8_t)(v >> 8);
    b->p[at + 1] = (uint8_t)v;
}

/* v9_header - RFC 3954 5.1 */
static inline void v9_header(struct built *b, uint32_t uptime_ms, uint32_t seconds, uint32_t sequence, uint32_t source)
{
    b->n = 0;
    put_n(b, 9, 2);
    put_n(b, 1, 2);
    put_n(b, uptime_ms, 4);
    put_n(b, seconds, 4);
    put_n(b, sequence, 4);
    put_n(b, source, 4);
}

/* ipfix_header - RFC 7011 3.1; ipfix_close writes the length. */
static inline void ipfix_header(struct built *b, uint32_t seconds, uint32_t sequence, uint32_t domain)
{
    b->n = 0;
    put_n(b, 10, 2);
    put_n(b, 0, 2);
    put_n(b, seconds, 4);
    put_n(b, sequence, 4);
    put_n(b, domain, 4);
}

static inline void ipfix_close(struct built *b)
{
    put_at16(b, 2, b->n);
}

static inline void set_open(struct built *b, uint16_t id)
{
    b->set = b->n;
    put_n(b, id, 2);
    put_n(b, 0, 2);
}

static inline void set_close(struct built *b)
{
    put_at16(b, b->set + 2, b->n - b->set);
}

/* a field specifier; pen other than 0 sets the enterprise bit */
struct specifier {
    uint16_t id, length;
    uint32_t pen;
};

static inline void put_specifiers(struct built *b, const struct specifier *f, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_n(b, f[i].pen ? f[i].id | 0x8000u : f[i].id, 2);
        put_n(b, f[i].length, 2);
        if (f[i].pen)
            put_n(b, f[i].pen, 4);
    }
}

/* put_template - one template set with one template. @set_id: 0 (v9) or 2 (IPFIX) */
static inline void put_template(struct built *b, uint16_t set_id, uint16_t id, const struct specifier *f, size_t n)
{
    set_open(b, set_id);
    put_n(b, id, 2);
    put_n(b, n, 2);
    put_specifiers(b, f, n);
    set_close(b);
}

/* put_v9_options - RFC 3954 6.1 */
static inline void put_v9_options(struct built *b, uint16_t id, const struct specifier *f, size_t n_scope, size_t n)
{
    set_open(b, 1);
    put_n(b, id, 2);
    put_n(b, 4 * n_scope, 2);
    put_n(b, 4 * (n - n_scope), 2);
    put_specifiers(b, f, n);
    set_close(b);
}

/* put_ipfix_options - RFC 7011 3.4.2.2 */
static inline void put_ipfix_options(struct built *b, uint16_t id, const struct specifier *f, size_t n_scope, size_t n)
{
    set_open(b, 3);
    put_n(b, id, 2);
    put_n(b, n, 2);
    put_n(b, n_scope, 2);
    put_specifiers(b, f, n);
    set_close(b);
}

#define KEPT_MAX 4096u

struct kept {
    struct flow flows[KEPT_MAX]; /* texts are not kept, see text */
    uint32_t n;
    char text[1024]; /* "name=value;" of the last flow with texts */
    struct flow_observer observer;
    struct nat_event nat[64];
    uint32_t n_nat;
    uint64_t bytes, packets; /* of all, in both directions, divided by the sampling */
};

static inline int keep_flows(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct kept *k = context;
    k->observer = *o;
    for (uint32_t i = 0; i < n; i++) {
        assert(k->n < KEPT_MAX);
        struct flow *f = &k->flows[k->n++];
        *f = flows[i];
        uint32_t rate = f->present & FLOW_HAS(FLOW_SAMPLING) ? f->sampling : 1;
        k->bytes += (f->source_bytes + f->destination_bytes) / rate;
        k->packets += (f->source_packets + f->destination_packets) / rate;
        if (!(f->present & FLOW_HAS_TEXT))
            continue;
        size_t at = 0;
        struct text rest = f->texts, name, value;
        while (flow_text_next(&rest, &name, &value) && at + name.n + value.n + 3 < sizeof(k->text)) {
            memcpy(k->text + at, name.p, name.n);
            k->text[at + name.n] = '=';
            memcpy(k->text + at + name.n + 1, value.p, value.n);
            at += name.n + value.n + 1;
            k->text[at++] = ';';
        }
        k->text[at] = 0;
        f->texts = (struct text){0};
    }
    return 0;
}

static inline int keep_nat(void *context, const struct nat_event *e)
{
    struct kept *k = context;
    if (k->n_nat < 64)
        k->nat[k->n_nat] = *e;
    k->n_nat++;
    return 0;
}

/* give - decode @n_bytes as one datagram of 192.0.2.1, from a copy of exact size so that a sanitizer sees every step too far. */
static inline int give_from(struct netflow *n, const uint8_t *p, size_t n_bytes, uint32_t peer, uint16_t port,
                            struct kept *k, struct netflow_result *r)
{
    uint8_t *copy = malloc(n_bytes ? n_bytes : 1);
    assert(copy);
    memcpy(copy, p, n_bytes);
    struct netflow_datagram d = {.p = copy, .n_bytes = n_bytes, .peer = ip_from_v4(peer), .peer_port = port,
                                 .received_us = INT64_C(1700000000000000)};
    int e = netflow_decode(n, &d, keep_flows, k, r);
    free(copy);
    return e;
}

static inline int give(struct netflow *n, const struct built *b, struct kept *k, struct netflow_result *r)
{
    return give_from(n, b->p, b->n, 0xc0000201, 2055, k, r);
}

static inline uint64_t all_refused(const struct netflow_result *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < NETFLOW_N_REASONS; i++)
        sum += r->n_refused[i];
    return sum;
}
