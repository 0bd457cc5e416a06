/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log writes the same keys in the same order again and again. The bytes at the places of the index, in one row, are the
 * grammar of a text; when they are those of a text that was walked before, the grammar is right, and what was a key
 * or a leaf there is one here. What remains to check are the keys' bytes, and that numbers and words are such.
 *
 * Memory of shapes: WAYS of each hash; a new one takes the place of the one that has been there longest. A shape is kept
 * when it is met for the second time, so that texts which are all different cost no more than their walk.
 */
#include "format/json_scan_own.h"

#include <stdlib.h>

enum { SETS = 16, WAYS = 4, PLACES_MAX = 2048, LEAVES_MAX = 512, KEYS_MAX = 512, SIGHTS = 1024 };

struct key {
    uint64_t first8, last8, mask8; /* as in struct json_node; last8 of a short key is first8 again */
    uint16_t place, n, tail;       /* tail: where last8 stands in the key */
    uint32_t text;                 /* a key of more than 16 bytes: its bytes in .texts */
};

struct leaf {
    uint16_t place, item;
    uint32_t what; /* the last four bytes of its json_item */
};

struct shape {
    uint64_t hash;
    uint32_t n, generation, number;
    uint16_t n_items, n_keys, n_strings, n_scalars, n_empty;
    uint64_t marks;
    struct key *keys;
    struct leaf *strings, *scalars, *empty; /* of one allocation with what follows */
    uint8_t *bytes;
    char *texts;
};

struct json_shapes {
    struct shape *all[SETS][WAYS];
    uint8_t oldest[SETS];
    uint32_t n_made;
    uint32_t sights[SIGHTS]; /* hashes met once */
};

struct json_shapes *json_shapes_new(void)
{
    return calloc(1, sizeof(struct json_shapes));
}

void json_shapes_free(struct json_shapes *x)
{
    for (unsigned i = 0; x && i < SETS; i++)
        for (unsigned k = 0; k < WAYS; k++)
            free(x->all[i][k]);
    free(x);
}

/* hash_of - a sum of products, so that they need not wait for each other; behind the last byte stand as many as are read. */
static uint64_t hash_of(const uint8_t *p, size_t n)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15), factor = UINT64_C(0xff51afd7ed558ccd);
    uint64_t sum = n, turn = step, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, sizeof word);
        word ^= turn;
        sum += (word ^ word >> 32) * factor;
        turn += step;
    }
    word = load8((const char *)p + i, n - i) ^ turn;
    sum += (word ^ word >> 32) * factor;
    return sum ^ sum >> 29;
}

/* --- taking --------------------------------------------------------------------------------------------- */

#define INLINE __attribute__((always_inline)) static inline

INLINE bool keys_are(const struct json_scan *s, const struct shape *a, const char *p)
{
    uint64_t differs = 0;
    for (uint32_t i = 0; i < a->n_keys; i++) {
        const struct key *k = &a->keys[i];
        uint32_t at = s->index[k->place] + 1, n = s->index[k->place + 1u] - at;
        uint64_t head, tail;
        if (n != k->n)
            return false;
        memcpy(&head, p + at, sizeof head);
        memcpy(&tail, p + at + k->tail, sizeof tail);
        differs |= ((head ^ k->first8) | (tail ^ k->last8)) & k->mask8;
        if (n > 16)
            differs |= memcmp(p + at, a->texts + k->text, n) != 0;
    }
    return !differs;
}

INLINE void put(struct json_scan *s, const struct leaf *l, uint32_t at, uint32_t n, uint32_t what)
{
    uint32_t *to = (uint32_t *)(void *)&s->items[l->item]; /* three words: see the assertion in json_scan.h */
    to[0] = at;
    to[1] = n;
    to[2] = what;
}

/* what_of - the last four bytes of an item. */
INLINE uint32_t what_of(struct json_item item)
{
    uint32_t words[3];
    memcpy(words, &item, sizeof words);
    return words[2];
}

/* strings_with_escapes - Return: whether the escapes are right. */
__attribute__((noinline)) static bool strings_with_escapes(struct json_scan *s, const struct shape *a, const char *p)
{
    for (uint32_t i = 0; i < a->n_strings; i++) {
        struct json_item *item = &s->items[a->strings[i].item];
        item->is_escaped = has_escape(s, item->at, item->n);
        if (item->is_escaped && !json_escapes_are_right((struct text){p + item->at, item->n}))
            return false;
    }
    return true;
}

INLINE bool leaves_of(struct json_scan *s, const struct shape *a, const char *p)
{
    for (uint32_t i = 0; i < a->n_strings; i++) {
        const struct leaf *l = &a->strings[i];
        uint32_t at = s->index[l->place] + 1;
        put(s, l, at, s->index[l->place + 1u] - at, l->what);
    }
    for (uint32_t i = 0; i < a->n_empty; i++) {
        const struct leaf *l = &a->empty[i];
        uint32_t at = s->index[l->place];
        put(s, l, at, s->index[l->place + 1u] + 1 - at, l->what);
    }
    for (uint32_t i = 0; i < a->n_scalars; i++) {
        const struct leaf *l = &a->scalars[i];
        uint32_t at = s->index[l->place], n = scalar_end(p, s->index[l->place + 1u]) - at;
        enum json_kind kind = scalar_kind(p + at, n);
        if (kind == JSON_KIND_STRING)
            return false;
        put(s, l, at, n, l->what);
        s->items[l->item].kind = (uint8_t)kind;
    }
    return !s->has_escapes || strings_with_escapes(s, a, p);
}

bool json_shape_take(struct json_scan *s, const char *p, size_t n)
{
    s->shape = 0;
    if (n > PLACES_MAX || n < 2)
        return false;
    uint64_t hash = hash_of(s->bytes, n);
    struct shape **ways = s->shapes->all[hash % SETS];
    for (unsigned k = 0; k < WAYS && ways[k]; k++) {
        const struct shape *a = ways[k];
        if (a->hash != hash || a->n != n || a->generation != s->generation || memcmp(a->bytes, s->bytes, n) || !keys_are(s, a, p) ||
            !leaves_of(s, a, p))
            continue;
        s->n_items = a->n_items;
        s->marks = a->marks;
        s->shape = a->number;
        return true;
    }
    return false;
}

/* --- learning ------------------------------------------------------------------------------------------- */

/* what a shape will hold */
struct count {
    uint32_t n_keys, n_leaves, n_text;
};

/* count_of - Return: false when it is not to be kept: too large, or a key is written with escapes. */
static bool count_of(const struct json_scan *s, size_t n, struct count *ret)
{
    struct count c = {0};
    for (size_t i = 0; i < n; i++) {
        uint8_t b = s->bytes[i], next = i + 1 < n ? s->bytes[i + 1] : 0;
        if (b == '"' && i + 2 < n && s->bytes[i + 2] == ':') {
            uint32_t at = s->index[i] + 1, n_key = s->index[i + 1] - at;
            if (n_key > JSON_KEY_MAX || (s->has_escapes && has_escape(s, at, n_key)))
                return false;
            c.n_text += n_key > 16 ? n_key : 0;
            c.n_keys++;
            i += 2;
            continue;
        }
        bool is_empty = (b == '{' && next == '}') || (b == '[' && next == ']');
        c.n_leaves += b == '"' || b == '0' || is_empty;
        i += b == '"' || is_empty;
    }
    *ret = c;
    return c.n_keys <= KEYS_MAX && c.n_leaves <= LEAVES_MAX && c.n_leaves == s->n_items;
}

static struct shape *make(size_t n, const struct count *c)
{
    size_t bytes = sizeof(struct shape) + c->n_keys * sizeof(struct key) + 3 * c->n_leaves * sizeof(struct leaf) + n + c->n_text;
    struct shape *a = malloc(bytes); /* under 64 KiB by the limits above */
    if (!a)
        return NULL;
    *a = (struct shape){.n = (uint32_t)n, .keys = (struct key *)(a + 1)};
    a->strings = (struct leaf *)(a->keys + c->n_keys);
    a->scalars = a->strings + c->n_leaves;
    a->empty = a->scalars + c->n_leaves;
    a->bytes = (uint8_t *)(a->empty + c->n_leaves);
    a->texts = (char *)a->bytes + n;
    return a;
}

static void add_key(const struct json_scan *s, struct shape *a, const char *p, size_t place, uint32_t *n_text)
{
    uint32_t at = s->index[place] + 1, n = s->index[place + 1] - at;
    struct key *k = &a->keys[a->n_keys++];
    *k = (struct key){.first8 = load8(p + at, n), .mask8 = load8("\xff\xff\xff\xff\xff\xff\xff\xff", n), .place = (uint16_t)place,
                      .n = (uint16_t)n, .tail = (uint16_t)(n > 8 ? n - 8 : 0), .text = *n_text};
    k->last8 = n > 8 ? load8(p + at + n - 8, 8) : k->first8;
    if (n <= 16)
        return;
    memcpy(a->texts + *n_text, p + at, n);
    *n_text += n;
}

static void fill(const struct json_scan *s, struct shape *a, const char *p)
{
    uint32_t n_text = 0;
    memcpy(a->bytes, s->bytes, a->n);
    for (size_t i = 0; i < a->n; i++) {
        uint8_t b = a->bytes[i], next = i + 1 < a->n ? a->bytes[i + 1] : 0;
        if (b == '"' && i + 2 < a->n && a->bytes[i + 2] == ':') {
            add_key(s, a, p, i, &n_text);
            i += 2;
            continue;
        }
        bool is_empty = (b == '{' && next == '}') || (b == '[' && next == ']');
        if (b != '"' && b != '0' && !is_empty)
            continue;
        struct json_item item = s->items[a->n_items];
        item.is_escaped = false;
        struct leaf l = {.place = (uint16_t)i, .item = a->n_items++, .what = what_of(item)};
        if (b == '"')
            a->strings[a->n_strings++] = l;
        else if (is_empty)
            a->empty[a->n_empty++] = l;
        else
            a->scalars[a->n_scalars++] = l;
        i += b == '"' || is_empty;
    }
}

void json_shape_learn(struct json_scan *s, const char *p, size_t n)
{
    struct json_shapes *x = s->shapes;
    struct count c;
    if (n > PLACES_MAX || n < 2 || s->is_cut)
        return;
    uint64_t hash = hash_of(s->bytes, n);
    uint32_t mark = (uint32_t)(hash >> 32);
    for (uint32_t i = 0; i < s->n_items; i++) /* the same brackets around other keys are another shape */
        mark = mark * 31 + s->items[i].node;
    uint32_t *sight = &x->sights[(hash >> 8) % SIGHTS];
    if (*sight != mark) {
        *sight = mark;
        return;
    }
    if (!count_of(s, n, &c))
        return;
    struct shape *a = make(n, &c);
    if (!a)
        return; /* the next text of its kind is walked, too */
    a->hash = hash;
    a->generation = s->generation;
    a->marks = s->marks;
    a->number = ++x->n_made ? x->n_made : ++x->n_made;
    fill(s, a, p);
    struct shape **ways = x->all[hash % SETS];
    unsigned way = 0;
    while (way < WAYS && ways[way])
        way++;
    if (way == WAYS)
        way = x->oldest[hash % SETS]++ % WAYS;
    free(ways[way]);
    ways[way] = a;
}
