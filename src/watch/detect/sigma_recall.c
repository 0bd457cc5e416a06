/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of two places by the hash of the value; the one of them that was not asked for since the last change gives way.
 */
#include "watch/detect/sigma_recall.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum state { EMPTY, OPEN, SPOILT /* open, and more literals than it holds */, KNOWN };

struct sigma_recall {
    struct sigma_recalled all[SIGMA_RECALL_ENTRIES];
};

struct sigma_recall *sigma_recall_new(void)
{
    return calloc(1, sizeof(struct sigma_recall));
}

void sigma_recall_free(struct sigma_recall *r)
{
    free(r);
}

static bool is_open(const struct sigma_recalled *e)
{
    return e->state == OPEN || e->state == SPOILT;
}

const struct sigma_recalled *sigma_recall_find(struct sigma_recall *r, uint64_t passes, struct text t, struct sigma_recalled **ret_open)
{
    *ret_open = NULL;
    if (t.n > SIGMA_RECALL_TEXT)
        return NULL;
    uint64_t hash = XXH3_64bits_withSeed(t.p, t.n, passes);
    struct sigma_recalled *set = &r->all[hash % (SIGMA_RECALL_ENTRIES / 2) * 2];
    for (unsigned i = 0; i < 2; i++) {
        struct sigma_recalled *e = &set[i];
        if (e->hash != hash || e->n != t.n || e->state != KNOWN || e->passes != passes || memcmp(e->text, t.p, t.n))
            continue;
        e->is_recent = true;
        return e;
    }
    struct sigma_recalled *e = set[0].is_recent || is_open(&set[0]) ? &set[1] : &set[0];
    set[0].is_recent = false; /* a second chance, no more */
    if (is_open(e))
        return NULL;
    e->hash = hash;
    e->passes = passes;
    e->n = (uint16_t)t.n;
    e->n_literals = 0;
    e->state = OPEN;
    e->is_recent = false;
    memcpy(e->text, t.p, t.n);
    *ret_open = e;
    return NULL;
}

void sigma_recall_add(struct sigma_recalled *e, uint32_t pass, uint32_t literal)
{
    uint32_t both = pass << SIGMA_RECALL_PASS_SHIFT | literal;
    for (uint32_t i = 0; i < e->n_literals; i++)
        if (e->literals[i] == both)
            return; /* it stands there twice */
    if (e->n_literals == SIGMA_RECALL_LITERALS || literal >> SIGMA_RECALL_PASS_SHIFT)
        e->state = SPOILT;
    else
        e->literals[e->n_literals++] = both;
}

void sigma_recall_close(struct sigma_recalled *e, bool is_whole)
{
    e->state = e->state == OPEN && is_whole ? KNOWN : EMPTY;
}
