/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pairs (address, block) of all blocks are sorted by address; blocks stay in order because the sort
 * is stable. One walk then gives entries, codes, postings and the attributes most pairs agree on.
 */
#include "watch/store/segment_builder.h"

#include "watch/store/postings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- sorting ------------------------------------------------------------------------- */

static int sort_pairs(struct segment_builder *b)
{
    size_t n4 = b->pairs.n, n6 = b->wides.n;
    size_t bytes = n4 * sizeof(uint64_t) + n6 * sizeof(struct wide_pair);
    void *spare = malloc(bytes ? bytes : 1);
    if (!spare)
        return -ENOMEM;
    pages_large(spare, bytes);
    if (b->family == 4)
        pairs_sort4((uint64_t **)&b->pairs.p, (uint64_t **)&spare, n4);
    else
        pairs_sort6((struct wide_pair **)&b->wides.p, (struct wide_pair **)&spare, n6);
    free(spare);
    return 0;
}

/* --- walking ------------------------------------------------------------------------- */

/* the sorted pairs, whichever family */
struct pairs {
    int family;
    uint32_t n;
    const uint64_t *v4;
    const struct wide_pair *v6;
};

static bool is_same(const struct pairs *p, uint32_t i, uint32_t k)
{
    if (p->family == 4)
        return p->v4[i] >> 32 == p->v4[k] >> 32;
    return p->v6[i].a.high == p->v6[k].a.high && p->v6[i].a.low == p->v6[k].a.low;
}

static uint32_t where(const struct pairs *p, uint32_t i)
{
    return p->family == 4 ? (uint32_t)p->v4[i] : p->v6[i].where;
}

/* the entry under construction */
struct entry {
    uint16_t blocks[SEGMENT_BLOCKS_MAX];
    uint32_t n_blocks;
    uint64_t attributes; /* the first that were said; an AS number of 0 says "not known" and gives way */
};

static void learn(struct entry *e, uint64_t said)
{
    if ((said & HAS_AS) && (!(e->attributes & HAS_AS) || !(e->attributes & ATTRIBUTE_AS(-1))))
        e->attributes |= (said & ATTRIBUTE_AS(-1)) | HAS_AS;
    if ((said & HAS_MASK) && !(e->attributes & HAS_MASK))
        e->attributes |= (said & ATTRIBUTE_MASK(-1)) | HAS_MASK;
}

static bool knows_all(const struct entry *e)
{
    return (e->attributes & HAS_AS) && (e->attributes & HAS_MASK) && (e->attributes & ATTRIBUTE_AS(-1));
}

/* group of the dictionary under construction */
struct open_group {
    uint32_t n;
    uint32_t v4[DICTIONARY_GROUP4];
    struct wide v6[DICTIONARY_GROUP6];
};

static void close_group(struct segment_index *x, int family, struct open_group *g)
{
    if (family == 4)
        dictionary_add4(g->v4, g->n, &x->heads, &x->groups, &x->body);
    else
        dictionary_add6(g->v6, g->n, &x->heads, &x->groups, &x->body);
    g->n = 0;
}

static void add_entry(struct segment_index *x, const struct pairs *p, uint32_t i, struct open_group *g)
{
    if (p->family == 4)
        g->v4[g->n++] = (uint32_t)(p->v4[i] >> 32);
    else
        g->v6[g->n++] = p->v6[i].a;
    if (g->n == dictionary_group(p->family))
        close_group(x, p->family, g);
}

struct walk {
    struct segment_builder *b;
    struct segment_index *x;
    struct pairs pairs;
    uint32_t first_pair[SEGMENT_BLOCKS_MAX];
    const uint64_t *said; /* attributes by pair, the first n_said of them */
    size_t n_said;
    struct open_group group;
    struct entry entry;
    struct postings_writer postings;
};

enum { AHEAD = 24, LEARN_MAX = 4 };

/* fetch - pairs of one address are far apart in memory: what will be touched soon is asked for now. */
static inline void fetch(const struct walk *w, uint32_t i)
{
    uint32_t at = where(&w->pairs, i), pair = w->first_pair[at >> 16] + (at & 0xffff);
    __builtin_prefetch(&w->x->code_of[pair], 1);
    if (w->said && !is_same(&w->pairs, i, i - 1))
        __builtin_prefetch(&w->said[pair]);
}

/* walk_entry - all pairs of one address from @i on. Return: the first of the next. */
static uint32_t walk_entry(struct walk *w, uint32_t i)
{
    struct segment_index *x = w->x;
    struct entry *e = &w->entry;
    uint32_t first = i, code = x->n_entries++, n = w->pairs.n;
    e->n_blocks = 0;
    e->attributes = 0;
    add_entry(x, &w->pairs, i, &w->group);
    do {
        if (i + AHEAD < n)
            fetch(w, i + AHEAD);
        uint32_t at = where(&w->pairs, i), pair = w->first_pair[at >> 16] + (at & 0xffff);
        x->code_of[pair] = code;
        e->blocks[e->n_blocks++] = (uint16_t)(at >> 16);
        if (w->said && pair < w->n_said && i - first < LEARN_MAX && !knows_all(e))
            learn(e, w->said[pair]);
        i++;
    } while (i < n && is_same(&w->pairs, i, first));
    if (x->attributes)
        x->attributes[code] = e->attributes;
    postings_add(&w->postings, e->blocks, e->n_blocks);
    return i;
}

static int walk_all(struct walk *w)
{
    for (uint32_t i = 0; i < w->pairs.n;)
        i = walk_entry(w, i);
    if (w->group.n)
        close_group(w->x, w->pairs.family, &w->group);
    int r = postings_end(&w->postings);
    return r || w->x->heads.is_bad || w->x->groups.is_bad || w->x->body.is_bad ? -ENOMEM : 0;
}

int segment_index_build(struct segment_builder *b, struct segment_index *ret)
{
    size_t n = b->family == 4 ? b->pairs.n : b->wides.n;
    struct walk *w = malloc(sizeof(*w));
    memset(ret, 0, sizeof(*ret));
    ret->heads.max = ret->groups.max = ret->body.max = ret->posting_groups.max = ret->postings.max = (size_t)1 << 32;
    ret->code_of = malloc((n ? n : 1) * sizeof(*ret->code_of));
    ret->attributes = b->attributes.n ? malloc(n * sizeof(*ret->attributes)) : NULL;
    int r = -ENOMEM;
    if (w && ret->code_of && (ret->attributes || !b->attributes.n))
        r = sort_pairs(b);
    if (!r)
        pages_large(ret->code_of, n * sizeof(*ret->code_of));
    if (!r) {
        w->b = b;
        w->x = ret;
        w->pairs = (struct pairs){b->family, (uint32_t)n, b->pairs.p, b->wides.p};
        w->group.n = 0;
        w->said = b->attributes.n ? b->attributes.p : NULL;
        w->n_said = b->attributes.n;
        for (uint32_t k = 0; k < b->n_blocks; k++)
            w->first_pair[k] = b->blocks[k].first_pair;
        postings_writer_init(&w->postings, b->n_blocks, &ret->posting_groups, &ret->postings);
        r = walk_all(w);
    }
    free(w);
    if (r)
        segment_index_fini(ret);
    return r;
}

void segment_index_fini(struct segment_index *x)
{
    free(x->code_of);
    free(x->attributes);
    buf_fini(&x->heads);
    buf_fini(&x->groups);
    buf_fini(&x->body);
    buf_fini(&x->posting_groups);
    buf_fini(&x->postings);
    memset(x, 0, sizeof(*x));
}
