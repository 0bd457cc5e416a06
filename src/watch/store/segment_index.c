/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All blocks' sorted addresses are merged: the address space is cut into windows of a few thousand
 * addresses, each window is gathered from all blocks and sorted in the cache, blocks staying in order.
 * One walk then gives entries, codes, postings and attributes; a block's own arrays are touched in order.
 */
#include "watch/store/segment_builder.h"

#include "watch/store/postings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* every SAMPLE-th address of a block helps to cut; WINDOW_SAMPLES samples to a window */
enum { SAMPLE = 32, WINDOW_SAMPLES = 96, LEARN_MAX = 4 };

/* the entry under construction */
struct entry {
    uint16_t blocks[SEGMENT_BLOCKS_MAX];
    uint32_t n_blocks;
    uint64_t attributes; /* the first that were said; an AS number of 0 says "not known" and gives way */
};

/* group of the dictionary under construction */
struct open_group {
    uint32_t n;
    union {
        uint32_t v4[DICTIONARY_GROUP4];
        struct wide v6[DICTIONARY_GROUP6];
    };
};

struct walk {
    const struct segment_builder *b;
    struct segment_index *x;
    bool is_v4;
    uint32_t next[SEGMENT_BLOCKS_MAX]; /* first address of the block not yet walked */
    uint32_t gathered[SEGMENT_BLOCKS_MAX], end[SEGMENT_BLOCKS_MAX];
    const uint64_t *said; /* attributes by address, the first n_said of them */
    size_t n_said;
    void *cuts, *spare_cuts; /* uint64_t (address << 32) or struct wide_pair */
    size_t n_cuts;
    void *pairs, *spare; /* of the window: with the block */
    size_t n_pairs, capacity;
    struct open_group group;
    struct entry entry;
    struct postings_writer postings;
};

static size_t pair_bytes(const struct walk *w)
{
    return w->is_v4 ? sizeof(uint64_t) : sizeof(struct wide_pair);
}

/* --- windows ------------------------------------------------------------------------- */

static int make_cuts(struct walk *w)
{
    const struct segment_builder *b = w->b;
    size_t most = b->addresses.n / SAMPLE + b->n_blocks + 1;
    w->cuts = malloc(most * pair_bytes(w));
    w->spare_cuts = malloc(most * pair_bytes(w));
    if (!w->cuts || !w->spare_cuts)
        return -ENOMEM;
    for (uint32_t k = 0; k < b->n_blocks; k++)
        for (uint32_t i = SAMPLE - 1; i < b->blocks[k].n_addresses; i += SAMPLE) {
            size_t at = b->blocks[k].first_address + i;
            if (w->is_v4)
                ((uint64_t *)w->cuts)[w->n_cuts++] = (uint64_t)((const uint32_t *)b->addresses.p)[at] << 32;
            else
                ((struct wide_pair *)w->cuts)[w->n_cuts++].a = ((const struct wide *)b->addresses.p)[at];
        }
    if (w->is_v4)
        pairs_sort4((uint64_t **)&w->cuts, (uint64_t **)&w->spare_cuts, w->n_cuts);
    else
        pairs_sort6((struct wide_pair **)&w->cuts, (struct wide_pair **)&w->spare_cuts, w->n_cuts);
    /* between two samples of a block stand fewer than SAMPLE of its addresses */
    w->capacity = ((size_t)WINDOW_SAMPLES + 2 * b->n_blocks) * SAMPLE;
    w->pairs = malloc(w->capacity * pair_bytes(w));
    w->spare = malloc(w->capacity * pair_bytes(w));
    return w->pairs && w->spare ? 0 : -ENOMEM;
}

/* gather4, 6 - addresses below @cut (NULL: all) of all blocks, sorted. */
static void gather4(struct walk *w, uint64_t cut)
{
    const uint32_t *all = w->b->addresses.p;
    uint64_t *out = w->pairs;
    size_t n = 0;
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        uint32_t i = w->gathered[k], end = w->end[k];
        for (; i < end && all[i] < cut; i++)
            out[n++] = (uint64_t)all[i] << 32 | k;
        __builtin_prefetch(&all[i + 16]);
        w->gathered[k] = i;
    }
    w->n_pairs = n;
    pairs_sort4((uint64_t **)&w->pairs, (uint64_t **)&w->spare, n);
}

static void gather6(struct walk *w, const struct wide *cut)
{
    const struct wide *all = w->b->addresses.p;
    struct wide_pair *out = w->pairs;
    size_t n = 0;
    for (uint32_t k = 0; k < w->b->n_blocks; k++) {
        uint32_t i = w->gathered[k], end = w->end[k];
        for (; i < end && (!cut || wide_less(all[i], *cut)); i++)
            out[n++] = (struct wide_pair){all[i], k};
        w->gathered[k] = i;
    }
    w->n_pairs = n;
    pairs_sort6((struct wide_pair **)&w->pairs, (struct wide_pair **)&w->spare, n);
}

/* --- walking ------------------------------------------------------------------------- */

static void close_group(struct walk *w)
{
    struct segment_index *x = w->x;
    if (w->is_v4)
        dictionary_add4(w->group.v4, w->group.n, &x->heads, &x->groups, &x->body);
    else
        dictionary_add6(w->group.v6, w->group.n, &x->heads, &x->groups, &x->body);
    w->group.n = 0;
}

static void learn(struct entry *e, uint64_t said)
{
    if ((said & HAS_AS) && !(e->attributes & ATTRIBUTE_AS(-1)))
        e->attributes |= (said & ATTRIBUTE_AS(-1)) | HAS_AS;
    if ((said & HAS_MASK) && !(e->attributes & HAS_MASK))
        e->attributes |= (said & ATTRIBUTE_MASK(-1)) | HAS_MASK;
}

/* add_pair - @block has the open entry. */
static inline void add_pair(struct walk *w, uint32_t block, uint32_t code)
{
    struct entry *e = &w->entry;
    uint32_t at = w->next[block]++;
    /* more streams than the processor follows by itself: each asks for its next line */
    __builtin_prefetch(&w->x->code_of[at + 16], 1);
    w->x->code_of[at] = code;
    if (at < w->n_said) {
        __builtin_prefetch(&w->said[at + 8]);
        if (e->n_blocks < LEARN_MAX)
            learn(e, w->said[at]);
    }
    e->blocks[e->n_blocks++] = (uint16_t)block;
}

static void end_entry(struct walk *w)
{
    if (w->x->has_attributes)
        w->x->attributes[w->x->n_entries] = w->entry.attributes;
    w->x->n_entries++;
    postings_add(&w->postings, w->entry.blocks, w->entry.n_blocks);
    w->entry.n_blocks = 0;
    w->entry.attributes = 0;
    if (w->group.n == (w->is_v4 ? DICTIONARY_GROUP4 : DICTIONARY_GROUP6))
        close_group(w);
}

static void walk_window4(struct walk *w)
{
    const uint64_t *v = w->pairs;
    for (size_t i = 0; i < w->n_pairs;) {
        uint64_t a = v[i] >> 32;
        w->group.v4[w->group.n++] = (uint32_t)a;
        do
            add_pair(w, (uint32_t)v[i++], w->x->n_entries);
        while (i < w->n_pairs && v[i] >> 32 == a);
        end_entry(w);
    }
}

static void walk_window6(struct walk *w)
{
    const struct wide_pair *v = w->pairs;
    for (size_t i = 0; i < w->n_pairs;) {
        struct wide a = v[i].a;
        w->group.v6[w->group.n++] = a;
        do
            add_pair(w, (uint32_t)v[i++].what, w->x->n_entries);
        while (i < w->n_pairs && v[i].a.high == a.high && v[i].a.low == a.low);
        end_entry(w);
    }
}

static void walk_window(struct walk *w, size_t cut)
{
    bool is_last = cut >= w->n_cuts;
    if (w->is_v4) {
        gather4(w, is_last ? UINT64_MAX : ((const uint64_t *)w->cuts)[cut] >> 32);
        walk_window4(w);
    } else {
        gather6(w, is_last ? NULL : &((const struct wide_pair *)w->cuts)[cut].a);
        walk_window6(w);
    }
}

static int walk_all(struct walk *w)
{
    int r = make_cuts(w);
    if (r)
        return r;
    for (size_t cut = WINDOW_SAMPLES; cut < w->n_cuts; cut += WINDOW_SAMPLES)
        walk_window(w, cut);
    walk_window(w, w->n_cuts);
    if (w->group.n)
        close_group(w);
    return w->x->heads.is_bad || w->x->groups.is_bad || w->x->body.is_bad ? -ENOMEM : 0;
}

static void init_walk(struct walk *w, const struct segment_builder *b, struct segment_index *x)
{
    memset(w, 0, offsetof(struct walk, postings));
    w->b = b;
    w->x = x;
    w->is_v4 = b->family == 4;
    w->said = b->attributes.p;
    w->n_said = b->attributes.n;
    for (uint32_t k = 0; k < b->n_blocks; k++) {
        w->next[k] = w->gathered[k] = b->blocks[k].first_address;
        w->end[k] = w->next[k] + b->blocks[k].n_addresses;
    }
    postings_writer_init(&w->postings, b->n_blocks, &x->posting_groups, &x->postings);
}

static void free_walk(struct walk *w)
{
    free(w->cuts);
    free(w->spare_cuts);
    free(w->pairs);
    free(w->spare);
    free(w);
}

static int make_room(struct segment_index *x, size_t n)
{
    if (n <= x->capacity)
        return 0;
    free(x->code_of);
    free(x->attributes);
    x->capacity = n + n / 8;
    x->code_of = malloc(x->capacity * sizeof(*x->code_of));
    x->attributes = malloc(x->capacity * sizeof(*x->attributes));
    if (!x->code_of || !x->attributes) {
        x->capacity = 0;
        return -ENOMEM;
    }
    pages_large(x->code_of, x->capacity * sizeof(*x->code_of));
    pages_large(x->attributes, x->capacity * sizeof(*x->attributes));
    return 0;
}

int segment_index_build(struct segment_builder *b)
{
    struct segment_index *x = &b->index;
    segment_index_clear(x);
    x->heads.max = x->groups.max = x->body.max = x->posting_groups.max = x->postings.max = (size_t)1 << 32;
    x->has_attributes = b->attributes.n > 0;
    struct walk *w = malloc(sizeof(*w));
    int r = w ? make_room(x, b->addresses.n + 1) : -ENOMEM;
    if (!r) {
        init_walk(w, b, x);
        r = walk_all(w);
        int e = postings_end(&w->postings);
        r = r ? r : e;
        free_walk(w);
    } else {
        free(w);
    }
    return r;
}

void segment_index_clear(struct segment_index *x)
{
    x->n_entries = 0;
    buf_clear(&x->heads);
    buf_clear(&x->groups);
    buf_clear(&x->body);
    buf_clear(&x->posting_groups);
    buf_clear(&x->postings);
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
