/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A group: 128 bytes of nibbles, the slots as one bit string, then the long lists.
 * A nibble of 1..14 is that many slots of `block_bits`; 15 is one slot of 32 bits, the place of the
 * entry's list behind the slots: count u16, then the numbers side by side, or a bitmap when that is smaller.
 */
#include "watch/store/postings.h"

#include "watch/store/pack.h"

#include <errno.h>
#include <string.h>

enum { SHORT_MAX = 14, LONG = 15, LONG_BITS = 32, NIBBLES = POSTINGS_GROUP / 2 };
#define IS_LONG (UINT64_C(1) << 63)

static unsigned block_bits(uint32_t n_blocks)
{
    return pack_width(n_blocks - 1);
}

static size_t bitmap_bytes(uint32_t n_blocks)
{
    return (n_blocks + 7) / 8;
}

/* --- writing --------------------------------------------------------------------- */

void postings_writer_init(struct postings_writer *w, uint32_t n_blocks, struct buf *groups, struct buf *body)
{
    memset(w, 0, offsetof(struct postings_writer, slots));
    w->groups = groups;
    w->body = body;
    w->n_blocks = n_blocks;
    w->longs = (struct buf){.max = (size_t)1 << 32};
}

/* bits as one string, written word by word; eight bytes of slack behind it */
struct bits {
    uint8_t *p;
    uint64_t word;
    unsigned filled;
};

static inline void put_bits(struct bits *b, uint64_t v, unsigned width)
{
    b->word |= v << b->filled;
    b->filled += width;
    if (b->filled < 64)
        return;
    memcpy(b->p, &b->word, 8);
    b->p += 8;
    b->filled -= 64;
    b->word = b->filled ? v >> (width - b->filled) : 0;
}

static void end_bits(struct bits *b)
{
    memcpy(b->p, &b->word, (b->filled + 7) / 8);
}

static void close_group(struct postings_writer *w)
{
    uint64_t offset = w->body->n;
    unsigned width = block_bits(w->n_blocks);
    size_t bits = (size_t)w->n_slots * width + (size_t)w->n_long * (LONG_BITS - width), bytes = NIBBLES + (bits + 7) / 8;
    buf_add(w->groups, &offset, 8);
    uint8_t *p = buf_room(w->body, bytes);
    if (p) {
        struct bits to = {.p = p + NIBBLES};
        memset(p, 0, NIBBLES);
        for (uint32_t i = 0; i < w->n; i++)
            p[i / 2] |= (uint8_t)(w->counts[i] << i % 2 * 4);
        for (uint32_t i = 0; i < w->n_slots; i++)
            put_bits(&to, w->slots[i] & ~IS_LONG, w->slots[i] & IS_LONG ? LONG_BITS : width);
        end_bits(&to);
        w->body->n += bytes;
    }
    if (w->longs.n)
        buf_add(w->body, w->longs.p, w->longs.n);
    w->longs.n = 0;
    w->n = w->n_slots = w->n_long = 0;
}

/* put_long - one long list, as numbers side by side or as a bitmap. */
static void put_long(struct postings_writer *w, const uint16_t *blocks, uint32_t n)
{
    unsigned width = block_bits(w->n_blocks);
    size_t list = pack_plain_bytes(n, width), map = bitmap_bytes(w->n_blocks);
    uint16_t count = (uint16_t)n;
    buf_add(&w->longs, &count, 2);
    uint8_t *p = buf_room(&w->longs, list < map ? list : map);
    if (!p)
        return;
    memset(p, 0, list < map ? list : map);
    struct bits to = {.p = p};
    for (uint32_t i = 0; i < n; i++)
        if (list < map)
            put_bits(&to, blocks[i], width);
        else
            p[blocks[i] / 8] |= (uint8_t)(1u << blocks[i] % 8);
    if (list < map)
        end_bits(&to);
    w->longs.n += list < map ? list : map;
}

static void add_long(struct postings_writer *w, const uint16_t *blocks, uint32_t n)
{
    w->slots[w->n_slots++] = IS_LONG | w->longs.n;
    w->n_long++;
    put_long(w, blocks, n);
}

void postings_add(struct postings_writer *w, const uint16_t *blocks, uint32_t n)
{
    if (w->n == POSTINGS_GROUP)
        close_group(w);
    w->counts[w->n++] = (uint8_t)(n <= SHORT_MAX ? n : LONG);
    if (n > SHORT_MAX)
        add_long(w, blocks, n);
    else
        for (uint32_t i = 0; i < n; i++)
            w->slots[w->n_slots++] = blocks[i];
}

/* put_shorts - @n numbers side by side: as many at a time as fit a word. */
static void put_shorts(struct bits *to, const uint16_t *v, size_t n, unsigned width)
{
    for (; width && width <= 16 && n >= 3; n -= 3, v += 3)
        put_bits(to, v[0] | (uint64_t)v[1] << width | (uint64_t)v[2] << 2 * width, 3 * width);
    for (; n; n--)
        put_bits(to, *v++, width);
}

/* put_counts - nibbles. Return: how many blocks all entries have; *ret_longs, *ret_in_longs: long entries and theirs. */
static size_t put_counts(const uint16_t *counts, uint32_t n, uint8_t *out, uint32_t *ret_longs, size_t *ret_in_longs)
{
    uint16_t padded[POSTINGS_GROUP] = {0};
    uint32_t all = 0, longs = 0, in_longs = 0;
    memcpy(padded, counts, n * sizeof(*counts));
    for (uint32_t i = 0; i < POSTINGS_GROUP; i++) {
        uint32_t is_long = padded[i] > SHORT_MAX;
        all += padded[i];
        longs += is_long;
        in_longs += is_long ? padded[i] : 0u;
    }
    for (uint32_t i = 0; i < NIBBLES; i++) {
        unsigned low = padded[2 * i] < LONG ? padded[2 * i] : LONG, high = padded[2 * i + 1] < LONG ? padded[2 * i + 1] : LONG;
        out[i] = (uint8_t)(low | high << 4);
    }
    *ret_longs = longs;
    *ret_in_longs = in_longs;
    return all;
}

size_t postings_add_group(struct postings_writer *w, const uint16_t *counts, uint32_t n, const uint16_t *blocks)
{
    uint64_t offset = w->body->n;
    unsigned width = block_bits(w->n_blocks);
    uint8_t nibbles[NIBBLES];
    uint32_t n_long;
    size_t in_longs, all = put_counts(counts, n, nibbles, &n_long, &in_longs);
    size_t bits = (all - in_longs) * width + (size_t)n_long * LONG_BITS, bytes = NIBBLES + (bits + 7) / 8;
    buf_add(w->groups, &offset, 8);
    uint8_t *p = buf_room(w->body, bytes);
    if (!p)
        return all;
    memcpy(p, nibbles, NIBBLES);
    struct bits to = {.p = p + NIBBLES};
    size_t at = 0, done = 0; /* blocks passed; of them, put or long */
    for (uint32_t i = 0; n_long; at += counts[i++]) {
        if (counts[i] <= SHORT_MAX)
            continue;
        put_shorts(&to, blocks + done, at - done, width);
        put_bits(&to, w->longs.n, LONG_BITS);
        put_long(w, blocks + at, counts[i]);
        done = at + counts[i];
        n_long--;
    }
    put_shorts(&to, blocks + done, all - done, width);
    end_bits(&to);
    w->body->n += bytes;
    if (w->longs.n)
        buf_add(w->body, w->longs.p, w->longs.n);
    w->longs.n = 0;
    return all;
}

int postings_end(struct postings_writer *w)
{
    if (w->n)
        close_group(w);
    bool is_bad = w->longs.is_bad || w->groups->is_bad || w->body->is_bad;
    buf_fini(&w->longs);
    return is_bad ? -ENOMEM : 0;
}

/* --- reading --------------------------------------------------------------------- */

int postings_check(const struct postings *p)
{
    size_t size = p->area->n_bytes;
    uint64_t groups = (p->n + POSTINGS_GROUP - 1) / POSTINGS_GROUP;
    if (!p->n_blocks || p->n_blocks > POSTINGS_BLOCKS_MAX || groups > size / 8 || p->groups > size ||
        groups * 8 > size - p->groups || p->body > size || p->n_body > size - p->body)
        return -EBADMSG;
    return 0;
}

struct group {
    const uint8_t *p, *slots, *longs;
    size_t n_slots_bytes, n_longs;
    unsigned width;
};

static unsigned nibble(const uint8_t *p, uint32_t i)
{
    return p[i / 2] >> i % 2 * 4 & 15;
}

static unsigned slot_bits(unsigned count, unsigned width)
{
    return count == LONG ? LONG_BITS : count * width;
}

/* bits_before - of the slots of the first @n entries of a group: sixteen nibbles at a time. */
static uint64_t bits_before(const uint8_t *nibbles, uint32_t n, unsigned width)
{
    const uint64_t ones = UINT64_C(0x1111111111111111), low = UINT64_C(0x0f0f0f0f0f0f0f0f), bytes = UINT64_C(0x0101010101010101);
    uint64_t sum = 0, n_long = 0;
    for (uint32_t i = 0; i < n; i += 16) {
        uint64_t x;
        memcpy(&x, nibbles + i / 2, 8);
        x &= n - i < 16 ? (UINT64_C(1) << (n - i) * 4) - 1 : UINT64_MAX;
        uint64_t is_long = x & x >> 1 & x >> 2 & x >> 3 & ones;
        sum += ((x & low) + (x >> 4 & low)) * bytes >> 56; /* at most 240 */
        n_long += ((is_long & low) + (is_long >> 4 & low)) * bytes >> 56;
    }
    return (sum - n_long * LONG) * width + n_long * LONG_BITS;
}

/* open_group - the group's bytes end where the next begins. */
static int open_group(const struct postings *p, uint64_t g, struct group *ret)
{
    uint64_t n_groups = (p->n + POSTINGS_GROUP - 1) / POSTINGS_GROUP, from, to = p->n_body;
    bool is_last = g + 1 >= n_groups;
    const uint8_t *table = sealed_get(p->area, p->groups + g * 8, is_last ? 8 : 16);
    if (!table)
        return -EBADMSG;
    memcpy(&from, table, 8);
    if (!is_last)
        memcpy(&to, table + 8, 8);
    if (from > to || to > p->n_body || to - from < NIBBLES)
        return -EBADMSG;
    ret->p = sealed_get(p->area, p->body + from, to - from);
    if (!ret->p)
        return -EBADMSG;
    ret->width = block_bits(p->n_blocks);
    ret->slots = ret->p + NIBBLES;
    ret->n_slots_bytes = (size_t)(bits_before(ret->p, POSTINGS_GROUP, ret->width) + 7) / 8;
    if (ret->n_slots_bytes > to - from - NIBBLES)
        return -EBADMSG;
    ret->longs = ret->slots + ret->n_slots_bytes;
    ret->n_longs = to - from - NIBBLES - ret->n_slots_bytes;
    return 0;
}

/* get_bits - 0..32 bits at any place. */
static uint32_t get_bits(const uint8_t *p, size_t n_bytes, uint64_t bit, unsigned width)
{
    uint64_t v = 0;
    size_t at = (size_t)(bit / 8);
    if (at >= n_bytes || !width)
        return 0;
    size_t left = n_bytes - at;
    memcpy(&v, p + at, left < 8 ? left : 8);
    return (uint32_t)(v >> bit % 8 & ((UINT64_C(1) << width) - 1));
}

static int mark_one(const struct postings *p, uint64_t block, uint64_t *bitmap)
{
    if (block >= p->n_blocks)
        return -EBADMSG;
    bitmap[block / 64] |= UINT64_C(1) << block % 64;
    return 0;
}

static int mark_long(const struct postings *p, const struct group *g, uint32_t offset, uint64_t *bitmap)
{
    if (offset > g->n_longs || g->n_longs - offset < 2)
        return -EBADMSG;
    uint16_t count;
    memcpy(&count, g->longs + offset, 2);
    const uint8_t *body = g->longs + offset + 2;
    size_t left = g->n_longs - offset - 2, list = pack_plain_bytes(count, g->width), map = bitmap_bytes(p->n_blocks);
    if ((list < map ? list : map) > left)
        return -EBADMSG;
    if (list < map) {
        for (uint32_t i = 0; i < count; i++)
            if (mark_one(p, get_bits(body, list, (uint64_t)i * g->width, g->width), bitmap))
                return -EBADMSG;
        return 0;
    }
    for (uint32_t b = 0; b < p->n_blocks; b++)
        if (body[b / 8] >> b % 8 & 1)
            bitmap[b / 64] |= UINT64_C(1) << b % 64;
    return 0;
}

static int mark_entry(const struct postings *p, const struct group *g, uint32_t i, uint64_t bit, uint64_t *bitmap)
{
    unsigned count = nibble(g->p, i);
    if (count == LONG)
        return mark_long(p, g, get_bits(g->slots, g->n_slots_bytes, bit, LONG_BITS), bitmap);
    for (unsigned k = 0; k < count; k++)
        if (mark_one(p, get_bits(g->slots, g->n_slots_bytes, bit + k * g->width, g->width), bitmap))
            return -EBADMSG;
    return 0;
}

int postings_mark(const struct postings *p, uint64_t i, uint64_t *bitmap)
{
    return i < p->n ? postings_mark_all(p, i, i + 1, bitmap) : -EBADMSG;
}

int postings_mark_all(const struct postings *p, uint64_t from, uint64_t to, uint64_t *bitmap)
{
    if (to > p->n)
        return -EBADMSG;
    while (from < to) {
        struct group g;
        if (open_group(p, from / POSTINGS_GROUP, &g))
            return -EBADMSG;
        uint64_t last = from - from % POSTINGS_GROUP + POSTINGS_GROUP;
        uint64_t bit = bits_before(g.p, (uint32_t)(from % POSTINGS_GROUP), g.width);
        for (; from < to && from < last; from++) {
            uint32_t i = (uint32_t)(from % POSTINGS_GROUP);
            if (mark_entry(p, &g, i, bit, bitmap))
                return -EBADMSG;
            bit += slot_bits(nibble(g.p, i), g.width);
        }
    }
    return 0;
}

bool postings_place(const struct postings *p, uint64_t i, const uint8_t **ret_p, size_t *ret_n)
{
    uint64_t from;
    const uint8_t *table = i < p->n ? sealed_get(p->area, p->groups + i / POSTINGS_GROUP * 8, 8) : NULL;
    if (!table)
        return false;
    memcpy(&from, table, 8);
    return from < p->n_body && sealed_place(p->area, p->body + from, 1, ret_p, ret_n);
}

void postings_want_table(const struct postings *p, uint64_t first, uint64_t last)
{
    if (first <= last && last < p->n)
        sealed_want(p->area, p->groups + first / POSTINGS_GROUP * 8, (last / POSTINGS_GROUP - first / POSTINGS_GROUP + 1) * 8);
}
