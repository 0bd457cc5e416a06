/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two steps: index_text finds where something stands (json_scan_index.c), walk checks the grammar along these places;
 * a text that looks like one before needs no walk (json_scan_shape.c).
 * Quotes come in pairs in the index, and nothing inside a string is in it: a string's end is the next entry.
 */
#include "format/json_scan.h"

#include "format/json_scan_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BITS = 14, KEY_BYTES_MAX = 1 << 20, ROOM_LEAST = 1 << 14, ROOM_KEPT = 1 << 22, INDEX_SPARE = 4 };
#define BAD_KEY (UINT32_MAX - 1)
#define NO_NODE UINT32_MAX /* beyond a limit: nothing at or below it is given */

/* --- the tree of keys ------------------------------------------------------------------------------- */

static void empty_tree(struct json_scan *s)
{
    memset(s->heads, 0, sizeof(uint32_t) << HASH_BITS);
    s->nodes[0] = (struct json_node){0};
    s->n_nodes = 1;
    s->keys.n = 0;
    s->generation++;
}

struct json_scan *json_scan_new(json_mark mark, bool is_plain)
{
    struct json_scan *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->mark = mark;
    s->keys.max = KEY_BYTES_MAX;
    s->index_text = is_plain ? json_index_plain : json_index_best();
    s->nodes = malloc(JSON_NODES_MAX * sizeof *s->nodes);
    s->heads = malloc(sizeof(uint32_t) << HASH_BITS);
    s->shapes = json_shapes_new();
    if (!s->nodes || !s->heads || !s->shapes) {
        json_scan_free(s);
        return NULL;
    }
    empty_tree(s);
    return s;
}

void json_scan_free(struct json_scan *s)
{
    if (!s)
        return;
    buf_fini(&s->keys);
    free(s->nodes);
    free(s->heads);
    free(s->index);
    free(s->bytes);
    free(s->escapes);
    json_shapes_free(s->shapes);
    free(s);
}

static uint32_t hash_of(uint32_t parent, const char *p, size_t n)
{
    uint64_t h = (parent + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ n;
    for (size_t i = 0; i < n; i += 8)
        h = (h ^ load8(p + i, n - i)) * UINT64_C(0xff51afd7ed558ccd), h ^= h >> 32;
    return (uint32_t)(h >> 7) & ((1u << HASH_BITS) - 1);
}

static inline bool is_key(const struct json_scan *s, const struct json_node *k, const char *p, size_t n)
{
    uint64_t head, tail;
    memcpy(&head, p, sizeof head);
    if (k->key_n != n || ((head ^ k->first8) & k->mask8))
        return false;
    if (n <= 8)
        return true;
    memcpy(&tail, p + n - 8, sizeof tail);
    return tail == k->last8 && (n <= 16 || !memcmp(s->keys.p + k->key_at + 8, p + 8, n - 16));
}

static uint32_t find(const struct json_scan *s, uint32_t parent, const char *p, size_t n, uint32_t hash)
{
    for (uint32_t i = s->heads[hash]; i; i = s->nodes[i].chain)
        if (s->nodes[i].parent == parent && is_key(s, &s->nodes[i], p, n))
            return i;
    return 0;
}

/* add - a key met for the first time. Return: NO_NODE at a limit. */
static uint32_t add(struct json_scan *s, uint32_t parent, const char *p, size_t n, uint32_t hash)
{
    char path[JSON_MAX_PATH];
    size_t at = s->keys.n;
    if (s->n_nodes == JSON_NODES_MAX || s->nodes[parent].depth == UINT8_MAX)
        return NO_NODE;
    buf_add(&s->keys, p, n);
    if (s->keys.is_bad) {
        s->keys.is_bad = false;
        return NO_NODE;
    }
    uint32_t i = s->n_nodes++;
    s->nodes[i] = (struct json_node){.parent = parent, .key_at = (uint32_t)at, .key_n = (uint32_t)n, .first8 = load8(p, n),
                                     .last8 = n < 8 ? 0 : load8(p + n - 8, 8), .mask8 = load8("\xff\xff\xff\xff\xff\xff\xff\xff", n),
                                     .chain = s->heads[hash], .depth = s->nodes[parent].depth + 1};
    s->heads[hash] = i;
    size_t n_path = s->mark ? json_scan_path(s, i, path) : SIZE_MAX;
    if (n_path != SIZE_MAX)
        s->nodes[i].mark = s->mark((struct text){path, n_path});
    return i;
}

size_t json_scan_path(const struct json_scan *s, uint32_t node, char *out)
{
    size_t n = 0;
    for (uint32_t i = node; i; i = s->nodes[i].parent)
        n += (size_t)s->nodes[i].key_n + (s->nodes[i].parent != JSON_ROOT ? 1 : 0);
    if (n > JSON_MAX_PATH)
        return SIZE_MAX;
    size_t at = n;
    for (uint32_t i = node; i; i = s->nodes[i].parent) {
        at -= s->nodes[i].key_n;
        memcpy(out + at, s->keys.p + s->nodes[i].key_at, s->nodes[i].key_n);
        if (s->nodes[i].parent != JSON_ROOT)
            out[--at] = '.';
    }
    return n;
}

uint32_t json_scan_find(const struct json_scan *s, uint32_t parent, struct text key)
{
    char copy[JSON_KEY_MAX + JSON_SCAN_PADDING] = {0};
    if (key.n > JSON_KEY_MAX)
        return JSON_ROOT;
    memcpy(copy, key.p, key.n);
    return find(s, parent, copy, key.n, hash_of(parent, copy, key.n));
}

/* --- the walk --------------------------------------------------------------------------------------- */

/* key_node - of a key that is not the one expected; the guess is set right. Return: NO_NODE beyond a limit. */
static uint32_t key_node(struct json_scan *s, uint32_t parent, const char *p, size_t n, uint32_t *guess)
{
    if (n > JSON_KEY_MAX)
        return NO_NODE;
    uint32_t hash = hash_of(parent, p, n);
    uint32_t i = find(s, parent, p, n, hash);
    if (!i)
        i = add(s, parent, p, n, hash);
    if (i != NO_NODE)
        *guess = i;
    return i;
}

__attribute__((noinline)) static uint32_t escaped_key(struct json_scan *s, uint32_t parent, struct text raw, uint32_t *guess)
{
    char key[6 * JSON_KEY_MAX + JSON_SCAN_PADDING];
    if (raw.n > 6 * JSON_KEY_MAX)
        return NO_NODE;
    size_t n = json_unescape(raw, key);
    memset(key + n, 0, JSON_SCAN_PADDING);
    return key_node(s, parent, key, n, guess);
}

/* other_key - a key that is not the one expected, or stands where nothing is given. */
__attribute__((noinline)) static uint32_t other_key(struct json_scan *s, uint32_t parent, struct text raw, bool is_escaped, uint32_t *guess)
{
    if (parent == NO_NODE)
        return NO_NODE;
    return is_escaped ? escaped_key(s, parent, raw, guess) : key_node(s, parent, raw.p, raw.n, guess);
}

/*
 * take_key - a key and its colon at @i, in an object at @parent. Return: its node, NO_NODE beyond a limit, or BAD_KEY.
 */
__attribute__((always_inline)) static inline uint32_t take_key(struct json_scan *s, const char *p, const uint32_t *i,
                                                               uint32_t parent, uint32_t *guess)
{
    const char *k = p + i[0] + 1;
    uint32_t n = i[1] - i[0] - 1, g = *guess;
    bool is_escaped = s->has_escapes && has_escape(s, i[0] + 1, n);
    if (is_escaped && !json_escapes_are_right((struct text){k, n}))
        return BAD_KEY;
    if (g && !is_escaped && s->nodes[g].parent == parent && is_key(s, &s->nodes[g], k, n))
        return g;
    return other_key(s, parent, (struct text){k, n}, is_escaped, guess);
}

/* what a walk has in hand */
struct walk {
    struct json_item *item, *item_end;
    uint64_t marks;
    uint32_t node, *guess;
    unsigned depth;
    bool is_array;
};

/* give - one leaf at the node in hand; what is over the limits is left out. (Inlined by force: the walk lives in registers.) */
__attribute__((always_inline)) static inline void give(struct json_scan *s, struct walk *w, enum json_kind kind, uint32_t at,
                                                       uint32_t n, bool is_escaped)
{
    if (w->node == NO_NODE || w->item == w->item_end) {
        s->is_cut = true;
        return;
    }
    *w->item++ = (struct json_item){.at = at, .n = n, .node = (uint16_t)w->node, .kind = (uint8_t)kind, .is_escaped = is_escaped,
                                    .is_listed = w->is_array};
    w->marks |= s->nodes[w->node].mark;
}

/* take_scalar - give the string, number or word at @i. Return: how many places of the index it takes; 0 if it is none. */
__attribute__((always_inline)) static inline unsigned take_scalar(struct json_scan *s, struct walk *w, const char *p,
                                                                  const uint32_t *i)
{
    uint32_t at = *i, n;
    if (p[at] == '"') {
        n = i[1] - ++at;
        bool is_escaped = s->has_escapes && has_escape(s, at, n);
        if (is_escaped && !json_escapes_are_right((struct text){p + at, n}))
            return 0;
        give(s, w, JSON_KIND_STRING, at, n, is_escaped);
        return 2;
    }
    n = scalar_end(p, i[1]) - at;
    enum json_kind kind = scalar_kind(p + at, n);
    if (kind == JSON_KIND_STRING)
        return 0;
    give(s, w, kind, at, n, false);
    return 1;
}

__attribute__((always_inline)) static inline uint32_t *first_of(struct json_scan *s, uint32_t node)
{
    return node == NO_NODE ? &s->no_guess : &s->nodes[node].first;
}

__attribute__((always_inline)) static inline uint32_t *next_of(struct json_scan *s, uint32_t node)
{
    return node == NO_NODE ? &s->no_guess : &s->nodes[node].next;
}

/*
 * walk - the grammar along the index. Behind the last entry stand INDEX_SPARE ones that point to the end of the text, whose
 * byte may be anything: whoever takes one of them for real finds @i beyond @end before the array ends.
 */
static int walk(struct json_scan *s, const char *p, const uint32_t *i, const uint32_t *end)
{
    struct walk w = {.item = s->items, .item_end = s->items + JSON_ITEMS_MAX, .node = JSON_ROOT};
    w.guess = &s->no_guess;
    goto value;

key: /* of the object that is levels[depth] */
    if (end - i < 4 || p[i[0]] != '"' || p[i[2]] != ':')
        return JSON_MALFORMED;
    w.node = take_key(s, p, i, s->levels[w.depth].node, w.guess);
    if (w.node == BAD_KEY)
        return JSON_MALFORMED;
    i += 3;
    w.guess = next_of(s, w.node);

value:
    if (i >= end)
        return JSON_MALFORMED;
    char c = p[*i];
    if (c == '{' || c == '[') {
        if (w.depth == JSON_MAX_DEPTH)
            return JSON_TOO_DEEP;
        uint32_t at = *i++;
        if (i == end || p[*i] != (c == '{' ? '}' : ']')) {
            w.is_array = c == '[';
            s->levels[++w.depth] = (struct json_level){w.node, w.is_array};
            w.guess = first_of(s, w.node);
            if (w.is_array)
                goto value;
            goto key;
        }
        uint32_t n = *i++ + 1 - at;
        give(s, &w, c == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY, at, n, false);
    } else {
        unsigned n = take_scalar(s, &w, p, i);
        if (!n)
            return JSON_MALFORMED;
        i += n;
    }

    while (w.depth) { /* a comma, or the ends of the containers */
        uint32_t in = s->levels[w.depth].node;
        c = p[*i++];
        if (c == ',' && !w.is_array)
            goto key;
        if (c == ',') {
            w.node = in;
            w.guess = first_of(s, in);
            goto value;
        }
        if (c != (w.is_array ? ']' : '}') || i > end)
            return JSON_MALFORMED;
        w.is_array = --w.depth && s->levels[w.depth].is_array;
        w.guess = next_of(s, in);
    }
    s->n_items = (uint32_t)(w.item - s->items);
    s->marks = w.marks;
    return i == end ? 0 : JSON_MALFORMED;
}

/* --- the whole -------------------------------------------------------------------------------------- */

/* make_room - the index and the bits of backslashes for a text of @n bytes; what one giant text took is given back. */
static int make_room(struct json_scan *s, size_t n)
{
    size_t room = ROOM_LEAST;
    if (s->room && n <= s->room && (s->room <= ROOM_KEPT || n > ROOM_KEPT))
        return 0;
    while (room < n)
        room *= 2;
    free(s->index);
    free(s->bytes);
    free(s->escapes);
    s->index = malloc((room + 64 + INDEX_SPARE) * sizeof *s->index);
    s->bytes = malloc(room + 64 + INDEX_SPARE);
    s->escapes = malloc((room / 64 + 1) * sizeof *s->escapes);
    s->room = s->index && s->bytes && s->escapes ? room : 0;
    return s->room ? 0 : -ENOMEM;
}

/* scan_fault - where and what: told again by the exact but slow scanner. */
static int scan_fault(struct text t, int rc, size_t *ret_at)
{
    size_t at = t.n;
    int exact = json_walk(t, NULL, NULL, &at);
    if (ret_at)
        *ret_at = at;
    return exact > 0 ? exact : rc;
}

int json_scan(struct json_scan *s, struct text t, size_t *ret_at)
{
    s->n_items = 0;
    s->no_guess = 0;
    s->marks = 0;
    s->is_cut = false;
    if (t.n > JSON_SCAN_MAX)
        return JSON_MALFORMED;
    int rc = make_room(s, t.n);
    if (rc)
        return rc;
    if (s->n_nodes > JSON_NODES_MAX / 2 || s->keys.n > KEY_BYTES_MAX / 2)
        empty_tree(s);
    size_t n = s->index_text(s, t.p, t.n);
    if (n == SIZE_MAX || (s->has_high && !text_is_utf8(t.p, t.n)))
        return scan_fault(t, JSON_MALFORMED, ret_at);
    for (size_t k = 0; k < INDEX_SPARE; k++)
        s->index[n + k] = (uint32_t)t.n;
    if (json_shape_take(s, t.p, n))
        return 0;
    rc = walk(s, t.p, s->index, s->index + n);
    if (rc)
        return scan_fault(t, rc, ret_at);
    json_shape_learn(s, t.p, n);
    return 0;
}
