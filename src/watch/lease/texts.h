/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/texts - names of gateways, realms, sources, subscribers and hosts as numbers, while rows are gathered.
 *
 * Number 0 is the empty text. Not thread-safe. Limits: TEXTS_MAX texts of TEXT_BYTES_MAX bytes each, TEXTS_BYTES_MAX in all.
 */
#pragma once

#include "base/buf.h"
#include "base/text.h"

#include <stdint.h>

#define TEXTS_LAST 64u
#define TEXTS_MAX (1u << 26)
#define TEXT_BYTES_MAX 255u
#define TEXTS_BYTES_MAX ((size_t)1 << 30)

struct texts {
    struct buf bytes;  /* all texts, one after the other */
    uint64_t *end;     /* end[i]: where text i ends in bytes; end[0] = 0 */
    uint32_t *slots;   /* number, open addressing; 0: free */
    uint32_t n, room, n_slots;
    uint32_t last[TEXTS_LAST]; /* given last, by how long the text is: the same gateway stands in row after row */
};

/* texts_init - Return: 0 or -ENOMEM. texts_clear - forget all, keep the memory. */
int texts_init(struct texts *t);
void texts_fini(struct texts *t);
void texts_clear(struct texts *t);
/* texts_number - of @x, a new one if needed; longer texts are cut. Return: 0, -ENOMEM or -ENOBUFS (limits above). */
int texts_number(struct texts *t, struct text x, uint32_t *ret);
/* texts_get - borrowed until the next texts_number; empty for a number that was never given. */
struct text texts_get(const struct texts *t, uint32_t number);
