/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few datagrams are in parts at a time, so a walk over all of them finds the
 * one a fragment belongs to. Which bytes are there is kept in units of eight,
 * as fragments are cut.
 */
#include "watch/intake/reassembly.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DATAGRAM_MAX = 65535, UNIT = 8, UDP_HEADER = 8, N_UNITS = (DATAGRAM_MAX + UNIT) / UNIT };

/* a refused one stays for a while, so that what else comes of it begins no new datagram */
enum state { FREE, OPEN, REFUSED };

/* a datagram of which some parts are there, from its UDP header on */
struct parts {
    struct ip source, destination;
    int64_t born_us;
    uint32_t id;
    uint32_t n_total; /* 0: the last part has not come */
    uint32_t n_units; /* there */
    uint32_t n_end;   /* how far the parts that are there reach */
    enum state state;
    uint64_t units[(N_UNITS + 63) / 64];
    uint8_t *bytes; /* DATAGRAM_MAX, kept for the next one */
};

struct reassembly {
    uint32_t max;
    struct parts *all;
};

struct reassembly *reassembly_new(uint32_t max)
{
    struct reassembly *r = calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->max = max;
    r->all = calloc(max, sizeof(*r->all));
    if (r->all)
        return r;
    free(r);
    return NULL;
}

void reassembly_free(struct reassembly *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->max; i++)
        free(r->all[i].bytes);
    free(r->all);
    free(r);
}

uint64_t reassembly_give_up(struct reassembly *r)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->max; i++) {
        n += r->all[i].state == OPEN;
        r->all[i].state = FREE;
    }
    return n;
}

static uint64_t expire(struct reassembly *r, int64_t now_us)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->max; i++) {
        struct parts *p = &r->all[i];
        if (p->state == FREE || now_us - p->born_us < REASSEMBLY_LIFE_US)
            continue;
        n += p->state == OPEN;
        p->state = FREE;
    }
    return n;
}

static bool may_rather_go(const struct parts *a, const struct parts *b)
{
    if ((a->state == OPEN) != (b->state == OPEN))
        return b->state == OPEN;
    return a->state == FREE || a->born_us < b->born_us;
}

/* begin - in a free place, that of one not needed any more, or of the oldest. Return: NULL when memory is out. */
static struct parts *begin(struct reassembly *r, const struct packet *k, int64_t now_us, uint64_t *n_lost)
{
    struct parts *p = &r->all[0];
    for (uint32_t i = 1; i < r->max && p->state != FREE; i++)
        if (may_rather_go(&r->all[i], p))
            p = &r->all[i];
    *n_lost += p->state == OPEN;
    p->state = FREE;
    uint8_t *bytes = p->bytes ? p->bytes : malloc(DATAGRAM_MAX);
    if (!bytes)
        return NULL;
    *p = (struct parts){.source = k->source, .destination = k->destination, .born_us = now_us, .id = k->fragment_id,
                        .state = OPEN, .bytes = bytes};
    return p;
}

static struct parts *find(struct reassembly *r, const struct packet *k)
{
    for (uint32_t i = 0; i < r->max; i++) {
        struct parts *p = &r->all[i];
        if (p->state != FREE && p->id == k->fragment_id && ip_equal(&p->source, &k->source) &&
            ip_equal(&p->destination, &k->destination))
            return p;
    }
    return NULL;
}

static bool has_unit(const struct parts *p, size_t i)
{
    return p->units[i / 64] >> (i % 64) & 1;
}

/* is_sound - whether a fragment of these bytes can be part of it. */
static bool is_sound(const struct parts *p, size_t at, size_t n, bool has_more)
{
    const size_t end = at + n; /* of at most 2^13 units and one packet: no overflow */
    if (!n || end > DATAGRAM_MAX || (has_more && n % UNIT))
        return false;
    if (p->n_total)
        return has_more ? end <= p->n_total : end == p->n_total;
    return has_more || end >= p->n_end;
}

/* put - the bytes of one fragment. Return: false when they contradict what is there. */
static bool put(struct parts *p, size_t at, const uint8_t *bytes, size_t n, bool has_more)
{
    if (!is_sound(p, at, n, has_more))
        return false;
    for (size_t from = at, end = at + n; from < end; from += UNIT) {
        size_t n_unit = end - from < UNIT ? end - from : UNIT, unit = from / UNIT;
        if (has_unit(p, unit)) {
            if (memcmp(p->bytes + from, bytes + (from - at), n_unit) != 0)
                return false;
            continue;
        }
        memcpy(p->bytes + from, bytes + (from - at), n_unit);
        p->units[unit / 64] |= UINT64_C(1) << (unit % 64);
        p->n_units++;
    }
    if (at + n > p->n_end)
        p->n_end = (uint32_t)(at + n);
    if (!has_more)
        p->n_total = p->n_end;
    return true;
}

static bool is_whole(const struct parts *p)
{
    return p->n_total && p->n_units == (p->n_total + UNIT - 1) / UNIT;
}

/* give - the whole datagram. Return: false when it is shorter than its header. */
static bool give(const struct parts *p, const struct packet *k, struct packet *ret)
{
    if (p->n_total < UDP_HEADER)
        return false;
    size_t n = load_be16(p->bytes + 4);
    if (n < UDP_HEADER || n > p->n_total)
        n = p->n_total;
    *ret = *k;
    ret->source_port = load_be16(p->bytes);
    ret->destination_port = load_be16(p->bytes + 2);
    ret->has_ports = true;
    ret->is_fragment = ret->has_more = false;
    ret->payload = p->bytes + UDP_HEADER;
    ret->n_payload_bytes = (uint32_t)(n - UDP_HEADER);
    return true;
}

int reassembly_take(struct reassembly *r, const struct packet *k, int64_t now_us, struct packet *ret, uint64_t *ret_n_lost)
{
    /* the first fragment was read past its UDP header, which stands right before its payload */
    const size_t n_header = k->fragment_offset ? 0 : UDP_HEADER, n = k->n_payload_bytes + n_header;
    *ret_n_lost = expire(r, now_us);
    if (!k->fragment_offset && !k->has_ports) { /* too short for its header */
        ++*ret_n_lost;
        return REASSEMBLY_HELD;
    }
    struct parts *p = find(r, k);
    if (!p)
        p = begin(r, k, now_us, ret_n_lost);
    if (!p)
        return -ENOMEM;
    if (p->state != OPEN)
        return REASSEMBLY_HELD;
    bool is_good = put(p, (size_t)k->fragment_offset * UNIT, k->payload - n_header, n, k->has_more);
    if (is_good && !is_whole(p))
        return REASSEMBLY_HELD;
    is_good = is_good && give(p, k, ret);
    p->state = is_good ? FREE : REFUSED;
    *ret_n_lost += !is_good;
    return is_good ? 0 : REASSEMBLY_HELD;
}
