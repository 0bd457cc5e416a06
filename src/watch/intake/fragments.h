/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/fragments - which ports a fragment belongs to.
 *
 * Only the first fragment of a packet carries ports. This remembers them by (source, destination, identification,
 * VLAN; for IPv4 also the protocol, RFC 791) for FRAGMENT_LIFE_US, and holds the counts of fragments that come
 * before their first one. Nothing is reassembled.
 *
 * Limits: a fixed number of packets in parts; the oldest is given up for a new one. Not thread-safe.
 */
#pragma once

#include "format/packet.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAGMENT_LIFE_US INT64_C(30000000) /* RFC 1122 3.3.2 lets hosts wait 60 to 120 s; an id of 16 bits returns sooner */

/* fragments held back, summed up */
struct fragment_parts {
    struct packet like; /* the first of them; its payload is gone */
    uint64_t n_packets, n_bytes;
    int64_t first_us, last_us;
};

/* fragments_lost - parts given up without their first fragment. Return: 0 or <0, handed up. */
typedef int (*fragments_lost)(void *context, const struct fragment_parts *parts);

struct fragments;
struct fragments *fragments_new(uint32_t max, uint64_t seed);
void fragments_free(struct fragments *s);

/*
 * fragments_take - one fragment.
 * @time_us, @now_us: of the packet, and the clock for ageing
 * @ret_packet:  @k with the ports (protocol, ICMP) of its first fragment
 * @ret_earlier: held-back parts that @k, a first fragment, sets free; n_packets 0: none
 * Return: 0, FRAGMENT_HELD (nothing returned: counted until the first fragment comes), or <0 from @lost.
 */
#define FRAGMENT_HELD 1
int fragments_take(struct fragments *s, const struct packet *k, int64_t time_us, int64_t now_us,
                   struct packet *ret_packet, struct fragment_parts *ret_earlier, fragments_lost lost, void *context);
/* fragments_expire - gives up what is older than FRAGMENT_LIFE_US. fragments_flush - everything. Return: 0 or <0. */
int fragments_expire(struct fragments *s, int64_t now_us, fragments_lost lost, void *context);
int fragments_flush(struct fragments *s, fragments_lost lost, void *context);
