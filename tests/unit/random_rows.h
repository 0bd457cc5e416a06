/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random rows and random sets of addresses for the tests of the store. Include after cmocka's own headers.
 * `state` drives everything; `seed` is printed on failure.
 */
#pragma once

#include "watch/address_set.h"
#include "watch/flow_batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 20261120, state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- rows -------------------------------------------------------------------------- */

enum { N_POOL = 700, MAX_ROWS = 30000 };

struct rows {
    int family;
    uint32_t n;
    struct flow *flows;
    uint32_t *observer; /* of every row, into `observers` */
    struct flow_observer observers[40];
    struct ip pool[N_POOL];
    struct buf texts;
    size_t *text_at; /* offsets: the buffer moves while it grows */
};

__attribute__((unused)) static struct ip random_address(int family)
{
    struct ip a;
    if (family == 4 || next_random() % 3 == 0)
        return ip_from_v4(next_random() % 8 ? (uint32_t)next_random() % 5000 + 0x0a000000
                                            : next_random() % 5 ? (uint32_t)next_random() : next_random() % 2 ? 0 : UINT32_MAX);
    for (int i = 0; i < 16; i++)
        a.b[i] = (uint8_t)(i < 4 ? 0x20 : next_random() % 4 ? 0 : next_random());
    if (next_random() % 50 == 0)
        memset(a.b, next_random() % 2 ? 0xff : 0, 16);
    return a;
}

static uint64_t random_number(unsigned column, uint32_t row)
{
    switch (column - FLOW_N_ADDRESSES) {
    case FLOW_START: return UINT64_C(1700000000000000) + row * 1000 + next_random() % 100000 * 1000;
    case FLOW_RECEIVED: return UINT64_C(1700000100000000) + row / 30 * 7777;
    case FLOW_SOURCE_BYTES: return next_random() % 100 ? next_random() % 5000 : next_random();
    case FLOW_CLOCK_OFFSET: return next_random() % 9 ? (uint64_t)-5000 : (uint64_t)INT64_MIN + next_random() % 3;
    case FLOW_DESTINATION_BYTES: return next_random() % 2 ? UINT64_MAX : next_random();
    case FLOW_INPUT_IF: return next_random() % 4;
    default: return next_random() >> next_random() % 64;
    }
}

static void set_numbers(struct flow *f, uint32_t row)
{
#define X(ID, member, type, ecs, alias)                                                    \
    if (f->present & FLOW_HAS(FLOW_##ID))                                                  \
        f->member = (type)random_number(FLOW_COLUMN_NUMBER(FLOW_##ID), row);
    FLOW_NUMBERS(X)
#undef X
    if (f->present & FLOW_HAS(FLOW_END))
        f->end_us = next_random() % 99 ? f->start_us + (int64_t)(next_random() % 60000000) : INT64_MIN;
    /* AS and prefix length follow the address, mostly */
    if (f->present & FLOW_HAS(FLOW_SOURCE_AS))
        f->source_as = next_random() % 200 ? f->source_ip.b[13] * 1000u + f->source_ip.b[14] : (uint32_t)next_random();
    if (f->present & FLOW_HAS(FLOW_DESTINATION_AS))
        f->destination_as = f->destination_ip.b[13] * 1000u + f->destination_ip.b[14];
    if (f->present & FLOW_HAS(FLOW_SOURCE_MASK))
        f->source_mask = next_random() % 100 ? (uint8_t)(16 + f->source_ip.b[15] % 9) : 0;
}

static uint64_t random_columns(void)
{
    uint64_t all = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START);
    uint64_t known = (UINT64_C(1) << FLOW_N_COLUMNS) - 1;
    return next_random() % 3 ? all | (next_random() & known) : known;
}

__attribute__((unused)) static void make_rows(struct rows *r, int family, uint32_t n)
{
    memset(r, 0, sizeof(*r));
    r->family = family;
    r->n = n;
    r->texts.max = (size_t)1 << 26;
    r->flows = calloc(n, sizeof(*r->flows));
    r->observer = calloc(n, sizeof(*r->observer));
    r->text_at = calloc(n, sizeof(*r->text_at));
    assert_true(r->flows && r->observer && r->text_at);
    for (unsigned i = 0; i < N_POOL; i++)
        r->pool[i] = random_address(family);
    for (uint32_t i = 0; i < 40; i++)
        r->observers[i] = (struct flow_observer){random_address(4), i};
    uint64_t often = random_columns(), rare = random_columns();
    for (uint32_t i = 0; i < n; i++) {
        struct flow *f = &r->flows[i];
        f->present = i / 5000 % 2 || next_random() % 20 ? often : rare;
#define X(ID, member, ecs, alias)                                                                       \
    if (f->present & FLOW_HAS_ADDRESS(FLOW_##ID))                                                        \
        f->member = next_random() % 4 ? r->pool[next_random() % N_POOL] : random_address(family);
        FLOW_ADDRESSES(X)
#undef X
        set_numbers(f, i);
        r->observer[i] = (uint32_t)(next_random() % 40);
        if (f->present & FLOW_HAS_TEXT) {
            size_t before = r->texts.n;
            r->text_at[i] = before;
            flow_text_add(&r->texts, "label", next_random() % 2 ? TEXT("flow=From-Botnet") : TEXT("x"));
            f->texts.n = r->texts.n - before;
        }
    }
    for (uint32_t i = 0; i < n; i++)
        if (r->flows[i].present & FLOW_HAS_TEXT)
            r->flows[i].texts.p = (const char *)r->texts.p + r->text_at[i];
}

__attribute__((unused)) static void free_rows(struct rows *r)
{
    free(r->flows);
    free(r->observer);
    free(r->text_at);
    buf_fini(&r->texts);
}

static int compare_v4(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int compare_ip(const void *a, const void *b)
{
    return ip_compare(a, b);
}

struct set {
    uint32_t v4[2000];
    struct v4_range ranges[40];
    struct ip_range v6[300];
    struct address_set view;
};

/* make_set - sorted, disjoint, singles outside ranges. */
__attribute__((unused)) static void make_set(struct set *x, const struct rows *r)
{
    uint32_t raw[2000], n = (uint32_t)(next_random() % 1000) * 2, edges[80], n_edges = (uint32_t)(next_random() % 20) * 2;
    struct ip ips[300];
    memset(x, 0, sizeof(*x));
    for (uint32_t i = 0; i < n_edges; i++)
        edges[i] = next_random() % 3 ? 0x0a000000 + (uint32_t)(next_random() % 6000) : (uint32_t)next_random();
    if (n_edges && next_random() % 4 == 0)
        edges[0] = UINT32_MAX;
    qsort(edges, n_edges, 4, compare_v4);
    for (uint32_t i = 0; i + 1 < n_edges; i += 2)
        if (!x->view.n_v4_ranges || edges[i] > x->ranges[x->view.n_v4_ranges - 1].last)
            x->ranges[x->view.n_v4_ranges++] = (struct v4_range){edges[i], edges[i + 1]};
    for (uint32_t i = 0; i < n; i++) {
        struct ip a = next_random() % 2 ? r->pool[next_random() % N_POOL] : random_address(4);
        raw[i] = ip_is_v4(&a) ? ip_v4(&a) : (uint32_t)next_random();
    }
    qsort(raw, n, 4, compare_v4);
    for (uint32_t i = 0; i < n; i++) {
        bool is_inside = x->view.n_v4 && x->v4[x->view.n_v4 - 1] == raw[i];
        for (size_t k = 0; k < x->view.n_v4_ranges; k++)
            is_inside |= raw[i] >= x->ranges[k].first && raw[i] <= x->ranges[k].last;
        if (!is_inside)
            x->v4[x->view.n_v4++] = raw[i];
    }
    uint32_t n_ips = (uint32_t)(next_random() % 150) * 2;
    for (uint32_t i = 0; i < n_ips; i++) {
        ips[i] = next_random() % 2 ? r->pool[next_random() % N_POOL] : random_address(6);
        if (ip_is_v4(&ips[i]))
            ips[i].b[0] = 0x20;
    }
    qsort(ips, n_ips, sizeof(*ips), compare_ip);
    static const struct ip low = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    for (uint32_t i = 0; i + 1 < n_ips; i += 2) {
        struct ip_range w = {ips[i], next_random() % 2 ? ips[i] : ips[i + 1]};
        bool crosses = ip_compare(&w.first, &low) < 0 && ip_compare(&w.last, &low) > 0;
        if (!crosses && (!x->view.n_v6 || ip_compare(&x->v6[x->view.n_v6 - 1].last, &w.first) < 0))
            x->v6[x->view.n_v6++] = w;
    }
    x->view.v4 = x->v4;
    x->view.v4_ranges = x->ranges;
    x->view.v6 = x->v6;
}

__attribute__((unused)) static bool set_has(const struct address_set *x, const struct ip *a)
{
    if (!ip_is_v4(a)) {
        for (size_t i = 0; i < x->n_v6; i++)
            if (ip_range_has(&x->v6[i], a))
                return true;
        return false;
    }
    for (size_t i = 0; i < x->n_v4; i++)
        if (x->v4[i] == ip_v4(a))
            return true;
    for (size_t i = 0; i < x->n_v4_ranges; i++)
        if (ip_v4(a) >= x->v4_ranges[i].first && ip_v4(a) <= x->v4_ranges[i].last)
            return true;
    return false;
}
