/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring in the order of arrival over a hash table: the oldest packet in parts
 * stands at `oldest`, so ageing and making room look at nothing else.
 */
#include "watch/intake/fragments.h"

#include <stdlib.h>
#include <xxhash.h>

/* hashed and compared as bytes: no padding */
struct key {
    struct ip source, destination;
    uint32_t id;
    uint16_t vlan;
    uint8_t protocol, tunnel;
};
_Static_assert(sizeof(struct key) == 40, "no padding");

struct entry {
    struct key key;
    struct fragment_parts parts;
    int64_t born_us;
    uint32_t chain; /* 1 + index; 0: last */
    uint16_t source_port, destination_port, icmp;
    uint8_t protocol;
    bool has_first, has_ports, has_icmp;
};

struct fragments {
    struct entry *entries;
    uint32_t *buckets; /* 1 + index; 0: empty */
    uint32_t max, mask, oldest, n;
    uint64_t seed;
};

struct fragments *fragments_new(uint32_t max, uint64_t seed)
{
    if (!max || max > 1u << 24)
        return NULL;
    struct fragments *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    uint32_t n_buckets = 16;
    while (n_buckets < max)
        n_buckets *= 2;
    s->max = max;
    s->mask = n_buckets - 1;
    s->seed = seed;
    s->entries = calloc(max, sizeof(*s->entries));
    s->buckets = calloc(n_buckets, sizeof(*s->buckets));
    if (!s->entries || !s->buckets) {
        fragments_free(s);
        return NULL;
    }
    return s;
}

void fragments_free(struct fragments *s)
{
    if (!s)
        return;
    free(s->entries);
    free(s->buckets);
    free(s);
}

static uint32_t *bucket(struct fragments *s, const struct key *key)
{
    return &s->buckets[(uint32_t)XXH3_64bits_withSeed(key, sizeof(*key), s->seed) & s->mask];
}

static int drop_oldest(struct fragments *s, fragments_lost lost, void *context)
{
    struct entry *e = &s->entries[s->oldest];
    uint32_t *link = bucket(s, &e->key);
    while (*link != s->oldest + 1)
        link = &s->entries[*link - 1].chain;
    *link = e->chain;
    s->oldest = (s->oldest + 1) % s->max;
    s->n--;
    if (!e->parts.n_packets)
        return 0;
    struct fragment_parts parts = e->parts; /* the callee may come back here */
    e->parts.n_packets = 0;
    return lost(context, &parts);
}

static struct entry *find(struct fragments *s, const struct key *key)
{
    for (uint32_t i = *bucket(s, key); i; i = s->entries[i - 1].chain)
        if (!memcmp(&s->entries[i - 1].key, key, sizeof(*key)))
            return &s->entries[i - 1];
    return NULL;
}

static struct entry *add(struct fragments *s, const struct key *key, int64_t now_us)
{
    uint32_t i = (s->oldest + s->n) % s->max, *head = bucket(s, key);
    struct entry *e = &s->entries[i];
    *e = (struct entry){.key = *key, .born_us = now_us, .chain = *head};
    *head = i + 1;
    s->n++;
    return e;
}

static void first_seen(struct entry *e, const struct packet *k, struct fragment_parts *ret_earlier)
{
    e->has_first = true;
    e->source_port = k->source_port;
    e->destination_port = k->destination_port;
    e->has_ports = k->has_ports;
    e->icmp = k->icmp;
    e->has_icmp = k->has_icmp;
    e->protocol = k->protocol;
    *ret_earlier = e->parts;
    e->parts.n_packets = 0;
}

static void hold(struct entry *e, const struct packet *k, int64_t time_us)
{
    struct fragment_parts *parts = &e->parts;
    if (!parts->n_packets) {
        *parts = (struct fragment_parts){.like = *k, .first_us = time_us, .last_us = time_us};
        parts->like.payload = NULL;
        parts->like.n_payload_bytes = 0;
    }
    parts->n_packets++;
    parts->n_bytes += k->n_ip_bytes;
    if (time_us < parts->first_us)
        parts->first_us = time_us;
    if (time_us > parts->last_us)
        parts->last_us = time_us;
}

int fragments_take(struct fragments *s, const struct packet *k, int64_t time_us, int64_t now_us,
                   struct packet *ret_packet, struct fragment_parts *ret_earlier, fragments_lost lost, void *context)
{
    /* behind IPv6 extension headers a later fragment need not know the transport: the id alone is unique, RFC 8200 4.5 */
    struct key key = {.source = k->source,
                      .destination = k->destination,
                      .id = k->fragment_id,
                      .vlan = k->has_vlan ? k->vlan : 0xffff,
                      .protocol = ip_is_v4(&k->source) ? k->protocol : 0,
                      .tunnel = k->tunnel};
    struct entry *e = find(s, &key);
    if (!e) {
        int answer = s->n == s->max ? drop_oldest(s, lost, context) : 0;
        if (answer)
            return answer;
        e = add(s, &key, now_us);
    }
    *ret_earlier = (struct fragment_parts){0};
    if (!k->fragment_offset)
        first_seen(e, k, ret_earlier);
    if (!e->has_first) {
        hold(e, k, time_us);
        return FRAGMENT_HELD;
    }
    *ret_packet = *k;
    ret_packet->protocol = e->protocol;
    ret_packet->source_port = e->source_port;
    ret_packet->destination_port = e->destination_port;
    ret_packet->has_ports = e->has_ports;
    ret_packet->icmp = e->icmp;
    ret_packet->has_icmp = e->has_icmp;
    return 0;
}

int fragments_expire(struct fragments *s, int64_t now_us, fragments_lost lost, void *context)
{
    while (s->n && now_us - s->entries[s->oldest].born_us >= FRAGMENT_LIFE_US) {
        int answer = drop_oldest(s, lost, context);
        if (answer)
            return answer;
    }
    return 0;
}

int fragments_flush(struct fragments *s, fragments_lost lost, void *context)
{
    while (s->n) {
        int answer = drop_oldest(s, lost, context);
        if (answer)
            return answer;
    }
    return 0;
}
