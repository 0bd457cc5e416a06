/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/lease/texts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { FIRST_ROOM = 1024 };

int texts_init(struct texts *t)
{
    *t = (struct texts){.bytes.max = TEXTS_BYTES_MAX, .n = 1, .room = FIRST_ROOM, .n_slots = FIRST_ROOM * 2};
    t->end = calloc(t->room, sizeof(*t->end));
    t->slots = calloc(t->n_slots, sizeof(*t->slots));
    if (t->end && t->slots)
        return 0;
    texts_fini(t);
    return -ENOMEM;
}

void texts_fini(struct texts *t)
{
    buf_fini(&t->bytes);
    free(t->end);
    free(t->slots);
    *t = (struct texts){0};
}

void texts_clear(struct texts *t)
{
    buf_clear(&t->bytes);
    t->n = 1;
    memset(t->last, 0, sizeof(t->last));
    memset(t->slots, 0, t->n_slots * sizeof(*t->slots));
}

struct text texts_get(const struct texts *t, uint32_t number)
{
    if (!number || number >= t->n)
        return (struct text){"", 0};
    uint64_t from = t->end[number - 1];
    return (struct text){(const char *)t->bytes.p + from, (size_t)(t->end[number] - from)};
}

/* slot_of - where @x stands, or the free slot where it would. */
static uint32_t slot_of(const struct texts *t, struct text x)
{
    uint32_t mask = t->n_slots - 1, at = (uint32_t)XXH3_64bits(x.p, x.n) & mask;
    while (t->slots[at] && !text_equal(texts_get(t, t->slots[at]), x))
        at = (at + 1) & mask;
    return at;
}

static int grow(struct texts *t)
{
    uint32_t room = t->room * 2;
    uint64_t *end = realloc(t->end, room * sizeof(*end));
    if (!end)
        return -ENOMEM;
    t->end = end;
    uint32_t *slots = calloc((size_t)room * 2, sizeof(*slots)), *old = t->slots;
    if (!slots)
        return -ENOMEM;
    t->slots = slots;
    t->n_slots = room * 2;
    t->room = room;
    for (uint32_t i = 1; i < t->n; i++)
        t->slots[slot_of(t, texts_get(t, i))] = i;
    free(old);
    return 0;
}

int texts_number(struct texts *t, struct text x, uint32_t *ret)
{
    if (x.n > TEXT_BYTES_MAX)
        x.n = TEXT_BYTES_MAX;
    if (!x.n) {
        *ret = 0;
        return 0;
    }
    uint32_t *last = &t->last[x.n % TEXTS_LAST];
    if (*last && text_equal(texts_get(t, *last), x)) {
        *ret = *last;
        return 0;
    }
    uint32_t at = slot_of(t, x);
    if (t->slots[at]) {
        *ret = *last = t->slots[at];
        return 0;
    }
    if (t->n >= TEXTS_MAX || t->bytes.n + x.n > TEXTS_BYTES_MAX)
        return -ENOBUFS;
    if (t->n == t->room) {
        int r = grow(t);
        if (r)
            return r;
        at = slot_of(t, x);
    }
    buf_add(&t->bytes, x.p, x.n);
    if (t->bytes.is_bad)
        return -ENOMEM;
    t->end[t->n] = t->bytes.n;
    *ret = *last = t->slots[at] = t->n++;
    return 0;
}
