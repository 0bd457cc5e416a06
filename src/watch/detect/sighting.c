/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/detect/sighting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FIRST_SLOTS = 1024 };

int sightings_init(struct sightings *t, uint32_t max)
{
    *t = (struct sightings){.max = max, .n_slots = FIRST_SLOTS};
    t->slots = calloc(t->n_slots, sizeof(*t->slots));
    return t->slots ? 0 : -ENOMEM;
}

void sightings_fini(struct sightings *t)
{
    free(t->slots);
    *t = (struct sightings){0};
}

void sightings_clear(struct sightings *t)
{
    if (t->n)
        memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
    t->n = 0;
}

/* the list's version is not part of the identity: a finding goes on over versions */
static bool same_key(const struct sighting_key *a, const struct sighting_key *b)
{
    return a->window_us == b->window_us && a->kind == b->kind && a->n_list == b->n_list && a->is_log == b->is_log &&
           a->name_hash == b->name_hash &&
           ip_equal(&a->own, &b->own) && ip_equal(&a->remote, &b->remote) && !memcmp(a->list, b->list, a->n_list);
}

static uint64_t hash_key(const struct sighting_key *k)
{
    uint64_t h = XXH3_64bits_withSeed(&k->own, 32, (uint64_t)k->window_us ^ k->kind);
    return XXH3_64bits_withSeed(k->list, k->n_list, h ^ k->name_hash);
}

static struct sighting *slot_of(struct sighting *slots, uint32_t n_slots, const struct sighting_key *key)
{
    uint32_t i = (uint32_t)hash_key(key) & (n_slots - 1);
    while (slots[i].is_used && !same_key(&slots[i].key, key))
        i = (i + 1) & (n_slots - 1);
    return &slots[i];
}

/* rehash - into @n_slots, leaving out what @drop wants gone. Return: 0 or -ENOMEM. */
static int rehash(struct sightings *t, uint32_t n_slots, bool (*drop)(void *, const struct sighting *), void *context)
{
    struct sighting *grown = calloc(n_slots, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_slots; i++)
        if (t->slots[i].is_used && !(drop && drop(context, &t->slots[i]))) {
            *slot_of(grown, n_slots, &t->slots[i].key) = t->slots[i];
            n++;
        }
    free(t->slots);
    t->slots = grown;
    t->n_slots = n_slots;
    t->n = n;
    return 0;
}

struct sighting *sightings_get(struct sightings *t, const struct sighting_key *key)
{
    struct sighting *s = slot_of(t->slots, t->n_slots, key);
    if (s->is_used)
        return s;
    if (t->n >= t->max || (t->n >= t->n_slots / 2 && rehash(t, t->n_slots * 2, NULL, NULL))) {
        t->overflow++;
        return NULL;
    }
    s = slot_of(t->slots, t->n_slots, key);
    *s = (struct sighting){.key = *key, .is_used = 1, .first_us = INT64_MAX, .last_us = INT64_MIN};
    t->n++;
    return s;
}

void sightings_drop(struct sightings *t, bool (*drop)(void *context, const struct sighting *s), void *context)
{
    (void)rehash(t, t->n_slots, drop, context); /* without memory they stay until the next time */
}

void sighting_name(struct sighting *s, uint8_t kind, struct text name)
{
    s->key.name_kind = kind;
    s->key.name_hash = XXH3_64bits_withSeed(name.p, name.n, kind);
    s->key.name_hash += !s->key.name_hash;
    s->n_name = (uint16_t)(name.n < SIGHTING_INDICATOR_MAX ? name.n : SIGHTING_INDICATOR_MAX);
    while (s->n_name < name.n && s->n_name && ((unsigned char)name.p[s->n_name] & 0xc0) == 0x80)
        s->n_name--; /* whole characters */
    memcpy(s->name, name.p, s->n_name);
}

void sighting_count_port(struct sighting *s, uint16_t port, uint64_t n)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < s->n_ports; i++) {
        if (s->ports[i].port == port) {
            s->ports[i].n += n;
            return;
        }
        if (s->ports[i].n < s->ports[least].n)
            least = i;
    }
    if (s->n_ports < SIGHTING_PORTS)
        s->ports[s->n_ports++] = (struct sighting_port){port, n};
    else
        s->ports[least] = (struct sighting_port){port, s->ports[least].n + n};
}

void sighting_count_peer(struct sighting *s, const struct ip *peer, uint64_t n)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < s->n_peers; i++) {
        if (ip_equal(&s->peers[i].ip, peer)) {
            s->peers[i].n += n;
            return;
        }
        if (s->peers[i].n < s->peers[least].n)
            least = i;
    }
    if (s->n_peers < SIGHTING_PEERS)
        s->peers[s->n_peers++] = (struct sighting_peer){*peer, n};
    else
        s->peers[least] = (struct sighting_peer){*peer, s->peers[least].n + n};
}

void sighting_add(struct sighting *to, const struct sighting *from)
{
    if (!to->flows)
        to->direction = from->direction;
    if (from->first_us < to->first_us)
        to->first_us = from->first_us;
    if (from->last_us > to->last_us)
        to->last_us = from->last_us;
    if (!to->n_name && from->n_name) {
        to->n_name = from->n_name;
        memcpy(to->name, from->name, from->n_name);
    }
    to->listed |= from->listed;
    to->flows += from->flows;
    to->packets += from->packets;
    to->bytes += from->bytes;
    to->key.list_version = from->key.list_version;
    for (uint32_t i = 0; i < from->n_ports; i++)
        sighting_count_port(to, from->ports[i].port, from->ports[i].n);
    for (uint32_t i = 0; i < from->n_peers; i++)
        sighting_count_peer(to, &from->peers[i].ip, from->peers[i].n);
}

struct finding_id sighting_id(const struct sighting_key *k)
{
    struct finding_id id;
    uint8_t bytes[32 + 8 + 1 + SIGHTING_NAME_MAX + 8] = {0};
    unsigned n = 41u + k->n_list;
    memcpy(bytes, k->own.b, 16);
    memcpy(bytes + 16, k->remote.b, 16);
    memcpy(bytes + 32, &k->window_us, 8);
    bytes[40] = k->kind;
    memcpy(bytes + 41, k->list, k->n_list);
    if (k->name_hash) { /* findings of addresses keep the ids they had */
        memcpy(bytes + n, &k->name_hash, 8);
        n += 8;
    }
    XXH128_hash_t h = XXH3_128bits_withSeed(bytes, n, k->is_log);
    memcpy(id.b, &h.high64, 8);
    memcpy(id.b + 8, &h.low64, 8);
    return id;
}
