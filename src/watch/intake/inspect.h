/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/inspect - what the first payload bytes of a flow name: DNS questions, TLS client hellos, HTTP hosts.
 *
 * In:     TCP segments and UDP datagrams of one flow, by direction; segments may overlap or come out of order.
 * Out:    packed (name, value) texts, owned by the flow's `struct inspection`.
 * Limits: a first message of at most INSPECT_MESSAGE_MAX bytes is put together from segments; the pool of such
 *         buffers and the bytes of all texts are bounded, the oldest unfinished message is given up first. TLS
 *         hellos are also looked for in the first INSPECT_SEGMENTS segments (STARTTLS, CONNECT, SOCKS).
 *         A DNS flow keeps up to INSPECT_QUESTIONS distinct names, each a text of its own.
 */
#pragma once

#include "base/text.h"
#include "format/packet.h"

#include <stdbool.h>
#include <stdint.h>

#define INSPECT_MESSAGE_MAX 16384u
#define INSPECT_SEGMENTS 8
#define INSPECT_QUESTIONS 8

struct inspector; /* the pool shared by all flows of a meter */

/* per flow; zero-initialised; end with inspection_fini */
struct inspection {
    uint8_t *texts; /* packed pairs, owned */
    uint32_t n_texts;
    uint32_t assembly[2];   /* 1 + index in the pool while a first message is put together; 0: none */
    uint32_t first_seq[2];  /* of the direction's first payload byte, when has_first */
    uint8_t n_segments[2];  /* with payload, up to INSPECT_SEGMENTS */
    uint8_t n_questions;
    bool has_first[2], is_done[2], has_protocol;
};

struct inspector *inspector_new(uint32_t max_assemblies, size_t max_text_bytes);
void inspector_free(struct inspector *s);

/*
 * inspect - one packet of direction @side (0 or 1), not a later fragment. @k->payload is read during the call only.
 * Return: 0, or INSPECT_FULL: a further DNS name finds no room in @f and was not taken.
 */
#define INSPECT_FULL 1
int inspect(struct inspector *s, struct inspection *f, const struct packet *k, unsigned side);
/* inspect_text - a text of another origin. */
void inspect_text(struct inspector *s, struct inspection *f, const char *name, struct text value);
void inspection_fini(struct inspector *s, struct inspection *f);

/* inspector_count - names not kept, and first messages given up. */
void inspector_count(const struct inspector *s, uint64_t *ret_texts_dropped, uint64_t *ret_assemblies_dropped);
