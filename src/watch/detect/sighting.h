/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/sighting - what was seen of one (kind, own, remote, list, window), and a table of them.
 *
 * The live match fills a small table per thread; the finder merges them into the totals
 * that become findings. Ports and peers are counted in a few slots each (space-saving counts:
 * the most frequent stay, a count may be too high by what its slot held before).
 */
#pragma once

#include "watch/detect/finding.h"
#include "watch/indicator/hit.h"

#include <stdint.h>

#define SIGHTING_PORTS 10u
#define SIGHTING_PEERS 10u
#define SIGHTING_NAME_MAX 64u
#define SIGHTING_INDICATOR_MAX 256u

struct sighting_key {
    struct ip own, remote; /* remote all zero for own_listed */
    int64_t window_us;     /* start of the window, UTC */
    uint32_t list_version;
    uint8_t kind; /* enum hit_kind */
    uint8_t n_list;
    char list[SIGHTING_NAME_MAX]; /* rest zero: keys are compared as bytes */
    uint8_t is_log; /* 1: of log events, whose findings are apart from those of flows: hunts count flows anew */
    uint8_t name_kind;  /* enum name_kind: a domain, URL or hash is what is listed; remote is then zero */
    uint64_t name_hash; /* of the listed name; 0: an address */
};

struct sighting_port {
    uint16_t port;
    uint64_t n;
};
struct sighting_peer {
    struct ip ip;
    uint64_t n;
};

struct sighting {
    struct sighting_key key;
    int64_t first_us, last_us;
    uint64_t flows, packets, bytes;
    uint8_t direction, listed; /* of the first flow; enum hit_direction, hit_listed (or-ed) */
    uint8_t n_ports, n_peers;
    struct sighting_port ports[SIGHTING_PORTS];
    struct sighting_peer peers[SIGHTING_PEERS]; /* own_listed: the remotes */
    uint64_t hunted_flows, hunted_packets, hunted_bytes; /* finder: the part of the totals counted at rest */
    uint32_t revision;  /* finder: of the last record written; 0 none */
    uint8_t is_dirty;   /* finder: changed since, and what is still to be read back */
    uint8_t is_used;
    uint16_t n_name;
    char name[SIGHTING_INDICATOR_MAX]; /* the listed name, cut */
};

struct sightings {
    struct sighting *slots; /* open addressing, power of two */
    uint32_t n, n_slots, max;
    uint64_t overflow; /* new sightings that found the table full: counted by flow */
};

/* sightings_init - at most @max entries. Return: 0 or -ENOMEM. */
int sightings_init(struct sightings *t, uint32_t max);
void sightings_fini(struct sightings *t);
void sightings_clear(struct sightings *t);
/* sightings_get - the entry of @key, made when missing. NULL when the table is full (the caller flushes) or memory is out. */
struct sighting *sightings_get(struct sightings *t, const struct sighting_key *key);
/* sightings_drop - remove entries for which @drop says so. */
void sightings_drop(struct sightings *t, bool (*drop)(void *context, const struct sighting *s), void *context);

/* sighting_name - @name, of @kind (enum name_kind), is what @s says is listed. */
void sighting_name(struct sighting *s, uint8_t kind, struct text name);
/* sighting_count_port, sighting_count_peer - @n more flows with it; in a full table the rarest gives way (space saving). */
void sighting_count_port(struct sighting *s, uint16_t port, uint64_t n);
void sighting_count_peer(struct sighting *s, const struct ip *peer, uint64_t n);
/* sighting_add - add what @from saw to @to (same key). */
void sighting_add(struct sighting *to, const struct sighting *from);
/* sighting_id - hash(kind, own, remote, list, window); the list's version does not change it. */
struct finding_id sighting_id(const struct sighting_key *k);
