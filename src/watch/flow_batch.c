/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows become columns here. A column that no row of the batch has is neither
 * written nor read: the first row that brings it zero-fills what came before.
 */
#include "watch/flow_batch.h"

#include "base/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STAGGER_BYTES = 320 };

static size_t column_width(const struct flow_batch *b, unsigned column)
{
    if (column < FLOW_N_ADDRESSES)
        return b->family == 4 ? 4 : 16;
    return flow_columns[column].width;
}

static void *column_base(const struct flow_batch *b, unsigned column)
{
    if (column < FLOW_N_ADDRESSES)
        return b->family == 4 ? (void *)b->v4[column] : (void *)b->v6[column];
    return b->number[column - FLOW_N_ADDRESSES];
}

struct flow_batch *flow_batch_new(int family)
{
    struct flow_batch *b = calloc(1, sizeof(*b));
    if (!b)
        return NULL;
    b->family = family;
    b->text.max = FLOW_BATCH_TEXT_MAX;
    size_t total = FLOW_BATCH_ROWS * (sizeof(uint64_t) + sizeof(uint32_t)) + 64 * STAGGER_BYTES * 4;
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++)
        total += FLOW_BATCH_ROWS * column_width(b, c);
    b->memory = malloc(total);
    if (!b->memory) {
        free(b);
        return NULL;
    }
    uint8_t *p = b->memory;
    p += 64 - (uintptr_t)p % 64;
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        if (c >= FLOW_N_ADDRESSES)
            b->number[c - FLOW_N_ADDRESSES] = p;
        else if (family == 4)
            b->v4[c] = (uint32_t *)(void *)p;
        else
            b->v6[c] = (struct ip *)(void *)p;
        b->column[c] = p;
        p += FLOW_BATCH_ROWS * column_width(b, c) + STAGGER_BYTES;
    }
    b->present = (uint64_t *)(void *)p;
    p += FLOW_BATCH_ROWS * sizeof(uint64_t) + STAGGER_BYTES;
    b->text_end = (uint32_t *)(void *)p;
    return b;
}

void flow_batch_free(struct flow_batch *b)
{
    if (!b)
        return;
    buf_fini(&b->text);
    free(b->memory);
    free(b);
}

void flow_batch_clear(struct flow_batch *b)
{
    b->n = 0;
    b->columns = 0;
    b->n_observers = 0;
    buf_clear(&b->text);
}

int flow_batch_observer(struct flow_batch *b, const struct flow_observer *o, uint32_t *ret_index)
{
    for (uint32_t i = b->n_observers; i-- > 0;) /* the last one is the likely one */
        if (b->observers[i].domain == o->domain && ip_equal(&b->observers[i].ip, &o->ip)) {
            *ret_index = i;
            return 0;
        }
    if (b->n_observers == FLOW_BATCH_OBSERVERS)
        return FLOW_BATCH_FULL;
    b->observers[b->n_observers] = *o;
    *ret_index = b->n_observers++;
    return 0;
}

/* is_v6 - ip_is_v4 without a call to memcmp: this is asked of every address of every row. */
static bool is_v6(const struct ip *a)
{
    uint64_t first;
    uint32_t mapped;
    memcpy(&first, a->b, sizeof(first));
    memcpy(&mapped, a->b + 8, sizeof(mapped));
    return first != 0 || mapped != 0xffff0000; /* 00 00 ff ff, little-endian */
}

bool flow_needs_v6(const struct flow *f)
{
#define X(ID, member, ecs, alias) \
    if ((f->present & FLOW_HAS_ADDRESS(FLOW_##ID)) && is_v6(&f->member)) \
        return true;
    FLOW_ADDRESSES(X)
#undef X
    return false;
}

/* begin_columns - columns new to the batch get zeros for the rows before. */
static void begin_columns(struct flow_batch *b, uint64_t added)
{
    while (added) {
        unsigned c = (unsigned)__builtin_ctzll(added);
        added &= added - 1;
        if (c == FLOW_COLUMN_TEXT)
            memset(b->text_end, 0, b->n * sizeof(*b->text_end));
        else
            memset(column_base(b, c), 0, b->n * column_width(b, c));
    }
}

/* put_addresses, put_numbers - @common: columns that every one of the rows has: no question per row. */
static void put_addresses(struct flow_batch *b, const struct flow *f, uint32_t n, uint64_t common)
{
#define X(ID, member, ecs, alias)                                                      \
    if (b->columns & FLOW_HAS_ADDRESS(FLOW_##ID)) {                                    \
        const uint64_t bit = FLOW_HAS_ADDRESS(FLOW_##ID);                              \
        if (b->family == 4) {                                                          \
            uint32_t *to = b->v4[FLOW_##ID] + b->n;                                    \
            if (common & bit)                                                          \
                for (uint32_t i = 0; i < n; i++)                                       \
                    to[i] = load_be32(f[i].member.b + 12);                             \
            else                                                                       \
                for (uint32_t i = 0; i < n; i++)                                       \
                    to[i] = f[i].present & bit ? load_be32(f[i].member.b + 12) : 0;    \
        } else {                                                                       \
            for (uint32_t i = 0; i < n; i++)                                           \
                b->v6[FLOW_##ID][b->n + i] = f[i].present & bit ? f[i].member : (struct ip){{0}}; \
        }                                                                              \
    }
    FLOW_ADDRESSES(X)
#undef X
}

static void put_numbers(struct flow_batch *b, const struct flow *f, uint32_t n, uint64_t common)
{
#define X(ID, member, type, ecs, alias)                                       \
    if (b->columns & FLOW_HAS(FLOW_##ID)) {                                   \
        type *to = (type *)b->number[FLOW_##ID] + b->n;                       \
        if (common & FLOW_HAS(FLOW_##ID))                                     \
            for (uint32_t i = 0; i < n; i++)                                  \
                to[i] = f[i].member;                                          \
        else                                                                  \
            for (uint32_t i = 0; i < n; i++)                                  \
                to[i] = f[i].present & FLOW_HAS(FLOW_##ID) ? f[i].member : 0; \
    }
    FLOW_NUMBERS(X)
#undef X
}

static int put_texts(struct flow_batch *b, const struct flow *f, uint32_t n, uint32_t *ret_n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t before = b->text.n;
        if (f[i].present & FLOW_HAS_TEXT)
            buf_add(&b->text, f[i].texts.p, f[i].texts.n);
        if (b->text.is_bad) {
            bool is_full = before + f[i].texts.n > b->text.max;
            b->text.is_bad = false;
            b->text.n = before;
            *ret_n = i;
            return is_full && b->n + i > 0 ? FLOW_BATCH_FULL : -ENOMEM;
        }
        b->text_end[b->n + i] = (uint32_t)b->text.n;
    }
    *ret_n = n;
    return 0;
}

int flow_batch_add(struct flow_batch *b, const struct flow *flows, uint32_t n, uint32_t *ret_taken)
{
    int r = 0;
    if (n > FLOW_BATCH_ROWS - b->n) {
        n = FLOW_BATCH_ROWS - b->n;
        r = FLOW_BATCH_FULL;
    }
    uint64_t all = 0, common = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        all |= flows[i].present;
        common &= flows[i].present;
    }
    begin_columns(b, all & ~b->columns);
    b->columns |= all;
    if (b->columns & FLOW_HAS_TEXT) {
        uint32_t kept;
        int t = put_texts(b, flows, n, &kept);
        if (t)
            r = t;
        n = kept;
    }
    put_addresses(b, flows, n, common);
    put_numbers(b, flows, n, common);
    for (uint32_t i = 0; i < n; i++)
        b->present[b->n + i] = flows[i].present;
    b->n += n;
    *ret_taken = n;
    return r;
}

/* zero_columns - @columns of the rows [from, from + n). */
static void zero_columns(struct flow_batch *b, uint64_t columns, uint32_t from, uint32_t n)
{
    for (; columns; columns &= columns - 1) {
        unsigned c = (unsigned)__builtin_ctzll(columns);
        if (c == FLOW_COLUMN_TEXT) {
            for (uint32_t i = from; i < from + n; i++)
                b->text_end[i] = (uint32_t)b->text.n;
            continue;
        }
        size_t width = column_width(b, c);
        memset((uint8_t *)column_base(b, c) + from * width, 0, n * width);
    }
}

int flow_batch_open(struct flow_batch *b, uint64_t present, uint32_t n)
{
    if (n > FLOW_BATCH_ROWS - b->n)
        return FLOW_BATCH_FULL;
    begin_columns(b, present & ~b->columns);
    zero_columns(b, b->columns & ~present, b->n, n);
    b->columns |= present;
    for (uint32_t i = b->n; i < b->n + n; i++)
        b->present[i] = present;
    return 0;
}

void flow_batch_extend(struct flow_batch *b, uint64_t more)
{
    begin_columns(b, more & ~b->columns); /* of the rows before; those opened are written */
    b->columns |= more;
}

void flow_batch_close(struct flow_batch *b, uint32_t n)
{
    b->n += n;
}

/* ones_of - bit 7 of every byte of @v that is 1. */
static uint64_t ones_of(uint64_t v)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    v ^= UINT64_C(0x0101010101010101);
    return ~(((v & low) + low) | v | low);
}

/* mark_rows - the rows of @ones (a bit in the top of a row's byte), counted from @row. */
static void mark_rows(struct flow_batch *b, uint64_t ones, uint32_t row, uint32_t end)
{
    const uint16_t *port = (const uint16_t *)b->number[FLOW_DESTINATION_PORT];
    uint16_t *icmp = (uint16_t *)b->number[FLOW_ICMP];
    if (!(b->columns & FLOW_HAS(FLOW_ICMP))) /* the first of the batch: zeros for every row before and beside it */
        memset(icmp, 0, end * sizeof(*icmp));
    b->columns |= FLOW_HAS(FLOW_ICMP);
    for (; ones; ones &= ones - 1) {
        uint32_t i = row + (uint32_t)__builtin_ctzll(ones) / 8;
        icmp[i] = port[i];
        b->present[i] |= FLOW_HAS(FLOW_ICMP);
    }
}

void flow_batch_mark_icmp(struct flow_batch *b, uint32_t n)
{
    const uint8_t *protocol = (const uint8_t *)b->number[FLOW_PROTOCOL];
    uint32_t i = b->n, end = b->n + n;
    uint64_t eight, ones;
    for (; i + 8 <= end; i += 8) {
        memcpy(&eight, protocol + i, 8);
        ones = ones_of(eight);
        if (__builtin_expect(ones != 0, false))
            mark_rows(b, ones, i, end);
    }
    if (i == end)
        return;
    eight = 0;
    for (uint32_t k = 0; i + k < end; k++)
        eight |= (uint64_t)protocol[i + k] << 8 * k;
    ones = ones_of(eight);
    if (ones)
        mark_rows(b, ones, i, end);
}

uint64_t flow_batch_number(const struct flow_batch *b, enum flow_number n, uint32_t i)
{
    switch (flow_columns[FLOW_COLUMN_NUMBER(n)].width) {
    case 1: return ((const uint8_t *)b->number[n])[i];
    case 2: return ((const uint16_t *)b->number[n])[i];
    case 4: return ((const uint32_t *)b->number[n])[i];
    default: return ((const uint64_t *)b->number[n])[i];
    }
}

struct text flow_batch_texts(const struct flow_batch *b, uint32_t i)
{
    if (!(b->present[i] & FLOW_HAS_TEXT))
        return (struct text){NULL, 0};
    uint32_t from = i ? b->text_end[i - 1] : 0;
    return (struct text){(const char *)b->text.p + from, b->text_end[i] - from};
}

void flow_batch_get(const struct flow_batch *b, uint32_t i, struct flow *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->present = b->present[i];
#define X(ID, member, ecs, alias)                    \
    if (ret->present & FLOW_HAS_ADDRESS(FLOW_##ID))  \
        ret->member = b->family == 4 ? ip_from_v4(b->v4[FLOW_##ID][i]) : b->v6[FLOW_##ID][i];
    FLOW_ADDRESSES(X)
#undef X
#define X(ID, member, type, ecs, alias)      \
    if (ret->present & FLOW_HAS(FLOW_##ID))  \
        ret->member = ((const type *)b->number[FLOW_##ID])[i];
    FLOW_NUMBERS(X)
#undef X
    ret->texts = flow_batch_texts(b, i);
}

static int hand_on(struct flow_sorter *s, struct flow_batch *b)
{
    if (!b || !b->n)
        return 0;
    int r = s->sink(s->context, b);
    flow_batch_clear(b);
    return r;
}

/* open_batch - the batch for @is_v6 rows with @o known to it. */
static int open_batch(struct flow_sorter *s, bool is_v6, const struct flow_observer *o, struct flow_batch **ret,
                      uint32_t *ret_observer)
{
    struct flow_batch **slot = is_v6 ? &s->v6 : &s->v4;
    if (!*slot)
        *slot = flow_batch_new(is_v6 ? 6 : 4);
    if (!*slot)
        return -ENOMEM;
    *ret = *slot;
    if (o && flow_batch_observer(*slot, o, ret_observer)) {
        int r = hand_on(s, *slot);
        if (r < 0)
            return r;
        (void)flow_batch_observer(*slot, o, ret_observer);
    }
    return 0;
}

/* set_observer - of the last @n rows. */
static void set_observer(struct flow_batch *b, uint32_t n, uint32_t observer)
{
    uint32_t *to = b->number[FLOW_OBSERVER];
    uint32_t from = b->n - n;
    if (!(b->columns & FLOW_HAS(FLOW_OBSERVER)))
        memset(to, 0, from * sizeof(*to));
    b->columns |= FLOW_HAS(FLOW_OBSERVER);
    for (uint32_t i = from; i < b->n; i++) {
        to[i] = observer;
        b->present[i] |= FLOW_HAS(FLOW_OBSERVER);
    }
}

/* put_run - rows that all belong to one family, in pieces that fit. */
static int put_run(struct flow_sorter *s, bool is_v6, const struct flow *flows, uint32_t n,
                   const struct flow_observer *o)
{
    while (n) {
        struct flow_batch *b;
        uint32_t observer = 0, taken;
        int r = open_batch(s, is_v6, o, &b, &observer);
        if (r < 0)
            return r;
        r = flow_batch_add(b, flows, n, &taken);
        if (r < 0)
            return r;
        if (o && taken)
            set_observer(b, taken, observer);
        if (r == FLOW_BATCH_FULL || b->n == FLOW_BATCH_ROWS) {
            r = hand_on(s, b);
            if (r < 0)
                return r;
        }
        flows += taken;
        n -= taken;
    }
    return 0;
}

int flow_sorter_open(struct flow_sorter *s, int family, uint64_t present, uint32_t n, const struct flow_observer *o,
                     struct flow_batch **ret, uint32_t *ret_n)
{
    uint32_t observer = 0;
    int r = open_batch(s, family == 6, o, ret, &observer); /* never full: full ones were handed on */
    if (r < 0)
        return r;
    struct flow_batch *b = *ret;
    *ret_n = n < FLOW_BATCH_ROWS - b->n ? n : FLOW_BATCH_ROWS - b->n;
    (void)flow_batch_open(b, o ? present | FLOW_HAS(FLOW_OBSERVER) : present, *ret_n);
    uint32_t *to = (uint32_t *)b->number[FLOW_OBSERVER] + b->n;
    for (uint32_t i = 0; o && i < *ret_n; i++)
        to[i] = observer;
    return 0;
}

int flow_sorter_close(struct flow_sorter *s, struct flow_batch *b, uint32_t n)
{
    flow_batch_close(b, n);
    return b->n == FLOW_BATCH_ROWS ? hand_on(s, b) : 0;
}

int flow_sorter_put(struct flow_sorter *s, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    uint32_t from = 0;
    while (from < n) {
        bool is_v6 = flow_needs_v6(&flows[from]);
        uint32_t to = from + 1;
        while (to < n && flow_needs_v6(&flows[to]) == is_v6)
            to++;
        int r = put_run(s, is_v6, flows + from, to - from, o);
        if (r < 0)
            return r;
        from = to;
    }
    return 0;
}

int flow_sorter_flush(struct flow_sorter *s)
{
    int r4 = hand_on(s, s->v4);
    int r6 = hand_on(s, s->v6);
    return r4 < 0 ? r4 : r6;
}

void flow_sorter_fini(struct flow_sorter *s)
{
    flow_batch_free(s->v4);
    flow_batch_free(s->v6);
    s->v4 = s->v6 = NULL;
}
