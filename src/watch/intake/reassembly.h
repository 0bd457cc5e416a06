/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/reassembly - UDP datagrams that came as IP fragments, put together again.
 *
 * For captures of export traffic: exporters on links with a large MTU send datagrams that a smaller one cuts. (The
 * meter needs no bytes of later fragments and uses watch/intake/fragments.)
 *
 * In:     fragments, untrusted, in any order, some of them twice.
 * Out:    the whole datagram once its last missing part is there.
 * Limits: @max datagrams in parts at a time, 64 KiB each; the oldest gives way. REASSEMBLY_LIFE_US by the packets' own
 *         clock. A datagram whose parts overlap with other bytes, or that would be longer than IP allows, is given up whole
 *         (RFC 5722 asks for that). Not thread-safe.
 * Source: RFC 791 3.2, RFC 8200 4.5, RFC 5722.
 */
#pragma once

#include "format/packet.h"

#define REASSEMBLY_MAX 64u
#define REASSEMBLY_LIFE_US INT64_C(30000000) /* RFC 8200 4.5 says 60 s; an IPv4 id of 16 bits returns sooner */

struct reassembly;
/* reassembly_new - Return: NULL when memory is out. */
struct reassembly *reassembly_new(uint32_t max);
void reassembly_free(struct reassembly *r);

/*
 * reassembly_take - one fragment of UDP (is_fragment, not is_cut).
 * @ret:        @k (may be the same) with ports and payload of the whole datagram, borrowed until the next call
 * @ret_n_lost: datagrams given up now
 * Return: 0: whole; REASSEMBLY_HELD: more is to come, or it was given up; -ENOMEM.
 */
#define REASSEMBLY_HELD 1
int reassembly_take(struct reassembly *r, const struct packet *k, int64_t now_us, struct packet *ret, uint64_t *ret_n_lost);
/* reassembly_give_up - the end. Return: datagrams that never became whole. */
uint64_t reassembly_give_up(struct reassembly *r);
