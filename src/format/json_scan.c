/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two steps: index_text finds where something stands (json_scan_index.c), walk checks the grammar along these places.
 * Quotes come in pairs in the index, and nothing inside a string is in it: a string's end is the next entry.
 */
#include "format/json_scan.h"

#include "format/json_scan_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BITS = 14, KEY_BYTES_MAX = 1 << 20, ROOM_LEAST = 1 << 14, ROOM_KEPT = 1 << 22 };
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
    if (!s->nodes || !s->heads) {
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
    free(s->escapes);
    free(s);
}

/* load8 - at most eight bytes, zeros above; the text has JSON_SCAN_PADDING behind it */
static inline uint64_t load8(const char *p, size_t n)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return n >= 8 ? v : v & ((UINT64_C(1) << 8 * n) - 1);
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
    return k->key_n == n && k->first8 == load8(p, n) && (n <= 8 || !memcmp(s->keys.p + k->key_at + 8, p + 8, n - 8));
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
    s->nodes[i] = (struct json_node){.parent = parent, .key_at = (uint32_t)at, .key_n = (uint8_t)n, .first8 = load8(p, n),
                                     .chain = s->heads[hash], .depth = (uint8_t)(s->nodes[parent].depth + 1)};
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

struct level {
    uint32_t node;
    bool is_array;
};

struct walk {
    struct json_scan *s;
    const char *p;
    const uint32_t *i, *end; /* of the index */
    size_t n;
    uint32_t node;  /* where the value in hand stands */
    uint32_t *guess; /* where the guess about the next key is kept; never NULL */
    uint32_t no_guess;
    unsigned depth;
    struct level levels[JSON_MAX_DEPTH];
};

static bool has_escape(const struct json_scan *s, size_t at, size_t n)
{
    if (!n)
        return false;
    size_t a = at >> 6, b = (at + n - 1) >> 6;
    uint64_t from = ~UINT64_C(0) << (at & 63), to = ~UINT64_C(0) >> (63 - ((at + n - 1) & 63));
    if (a == b)
        return s->escapes[a] & from & to;
    if ((s->escapes[a] & from) || (s->escapes[b] & to))
        return true;
    while (++a < b)
        if (s->escapes[a])
            return true;
    return false;
}

/* string - the index stands at its opening quote. Return: 0 or JSON_MALFORMED. */
static inline int string(struct walk *w, uint32_t *ret_at, uint32_t *ret_n, bool *ret_is_escaped)
{
    uint32_t at = w->i[0] + 1, n = w->i[1] - at;
    w->i += 2;
    *ret_at = at;
    *ret_n = n;
    *ret_is_escaped = w->s->has_escapes && has_escape(w->s, at, n);
    return *ret_is_escaped && !json_escapes_are_right((struct text){w->p + at, n}) ? JSON_MALFORMED : 0;
}

/* key_node - of a key that is not the one expected. */
static uint32_t key_node(struct walk *w, uint32_t parent, const char *p, size_t n)
{
    if (n > JSON_KEY_MAX)
        return NO_NODE;
    uint32_t hash = hash_of(parent, p, n);
    uint32_t i = find(w->s, parent, p, n, hash);
    if (!i)
        i = add(w->s, parent, p, n, hash);
    if (i != NO_NODE)
        *w->guess = i;
    return i;
}

static uint32_t escaped_key(struct walk *w, uint32_t parent, struct text raw)
{
    char key[6 * JSON_KEY_MAX + JSON_SCAN_PADDING];
    if (raw.n > 6 * JSON_KEY_MAX)
        return NO_NODE;
    size_t n = json_unescape(raw, key);
    memset(key + n, 0, JSON_SCAN_PADDING);
    return key_node(w, parent, key, n);
}

/* key - a key and its colon; w->node becomes its node. */
static inline int key(struct walk *w)
{
    uint32_t at, n, parent = w->levels[w->depth - 1].node;
    bool is_escaped;
    if (w->i == w->end || w->p[*w->i] != '"' || string(w, &at, &n, &is_escaped) || w->i == w->end || w->p[*w->i] != ':')
        return JSON_MALFORMED;
    w->i++;
    const char *p = w->p + at;
    uint32_t guess = *w->guess;
    if (parent == NO_NODE)
        w->node = NO_NODE;
    else if (is_escaped)
        w->node = escaped_key(w, parent, (struct text){p, n});
    else if (guess && w->s->nodes[guess].parent == parent && is_key(w->s, &w->s->nodes[guess], p, n))
        w->node = guess;
    else
        w->node = key_node(w, parent, p, n);
    w->guess = w->node == NO_NODE ? &w->no_guess : &w->s->nodes[w->node].next;
    return 0;
}

static inline void give(struct walk *w, enum json_kind kind, uint32_t at, uint32_t n, bool is_escaped)
{
    struct json_scan *s = w->s;
    if (w->node == NO_NODE || s->n_items == JSON_ITEMS_MAX) {
        s->is_cut = true;
        return;
    }
    s->items[s->n_items++] = (struct json_item){.node = w->node, .at = at, .n = n, .kind = (uint8_t)kind,
        .is_escaped = is_escaped, .is_listed = w->depth && w->levels[w->depth - 1].is_array};
    s->marks |= s->nodes[w->node].mark;
}

/* tail - how far the number or word reaches that begins at @at: to a blank or the next place of the index. */
static inline uint32_t tail(const struct walk *w, uint32_t at)
{
    uint32_t to = w->i < w->end ? *w->i : (uint32_t)w->n;
    while (to > at && (w->p[to - 1] == ' ' || w->p[to - 1] == '\n' || w->p[to - 1] == '\r' || w->p[to - 1] == '\t'))
        to--;
    return to - at;
}

static bool is_number(const char *p, const char *end)
{
    p += p < end && *p == '-';
    if (p == end)
        return false;
    if (*p == '0')
        p++;
    else if (*p >= '1' && *p <= '9')
        while (p < end && *p >= '0' && *p <= '9')
            p++;
    else
        return false;
    if (p < end && *p == '.') {
        const char *digits = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *digits = p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == digits)
            return false;
    }
    return p == end;
}

static inline int number_or_word(struct walk *w)
{
    uint32_t at = *w->i++, n = tail(w, at);
    const char *p = w->p + at;
    enum json_kind kind;
    if (*p == 't' && n == 4 && !memcmp(p, "true", 4))
        kind = JSON_KIND_TRUE;
    else if (*p == 'f' && n == 5 && !memcmp(p, "false", 5))
        kind = JSON_KIND_FALSE;
    else if (*p == 'n' && n == 4 && !memcmp(p, "null", 4))
        kind = JSON_KIND_NULL;
    else if (is_number(p, p + n))
        kind = JSON_KIND_NUMBER;
    else
        return JSON_MALFORMED;
    give(w, kind, at, n, false);
    return 0;
}

/* enter - an object or array that is not empty; what stands inside comes next. */
static inline int enter(struct walk *w, bool is_array)
{
    if (w->depth == JSON_MAX_DEPTH)
        return JSON_TOO_DEEP;
    w->levels[w->depth++] = (struct level){w->node, is_array};
    w->guess = w->node == NO_NODE ? &w->no_guess : &w->s->nodes[w->node].first;
    return is_array ? 0 : key(w);
}

enum { GO_ON = -1, DONE = -2 };

/* value - one scalar, one empty container or the beginning of one. Return: GO_ON (a value comes next), DONE, or a condition. */
static inline int value(struct walk *w)
{
    uint32_t at, n;
    bool is_escaped;
    int rc;
    if (w->i == w->end)
        return JSON_MALFORMED;
    at = *w->i;
    char c = w->p[at];
    if (c == '"') {
        if (string(w, &at, &n, &is_escaped))
            return JSON_MALFORMED;
        give(w, JSON_KIND_STRING, at, n, is_escaped);
        return DONE;
    }
    if (c == '{' || c == '[') {
        w->i++;
        if (w->i < w->end && w->p[*w->i] == (c == '{' ? '}' : ']')) {
            if (w->depth == JSON_MAX_DEPTH)
                return JSON_TOO_DEEP;
            give(w, c == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY, at, *w->i + 1 - at, false);
            w->i++;
            return DONE;
        }
        rc = enter(w, c == '[');
        return rc ? rc : GO_ON;
    }
    rc = number_or_word(w);
    return rc ? rc : DONE;
}

/* after - what follows a value: the end of its containers, or a comma and the place of the next one. */
static inline int after(struct walk *w)
{
    while (w->depth) {
        const struct level *in = &w->levels[w->depth - 1];
        if (w->i == w->end)
            return JSON_MALFORMED;
        char c = w->p[*w->i];
        if (c == ',') {
            w->i++;
            w->node = in->node;
            if (!in->is_array)
                return key(w) ? JSON_MALFORMED : GO_ON;
            w->guess = in->node == NO_NODE ? &w->no_guess : &w->s->nodes[in->node].first;
            return GO_ON;
        }
        if (c != (in->is_array ? ']' : '}'))
            return JSON_MALFORMED;
        w->i++;
        w->depth--;
        w->guess = in->node == NO_NODE ? &w->no_guess : &w->s->nodes[in->node].next;
    }
    return w->i == w->end ? DONE : JSON_MALFORMED;
}

static int walk(struct walk *w)
{
    for (;;) {
        int rc = value(w);
        if (rc == GO_ON)
            continue;
        if (rc == DONE)
            rc = after(w);
        if (rc != GO_ON)
            return rc == DONE ? 0 : rc;
    }
}

/* --- the whole -------------------------------------------------------------------------------------- */

/* make_room - the index and the bits of backslashes for a text of @n bytes; what one giant text took is given back. */
static int make_room(struct json_scan *s, size_t n)
{
    size_t room = ROOM_LEAST;
    if (n <= s->room && (s->room <= ROOM_KEPT || n > ROOM_KEPT))
        return 0;
    while (room < n)
        room *= 2;
    free(s->index);
    free(s->escapes);
    s->index = malloc((room + 64) * sizeof *s->index);
    s->escapes = malloc((room / 64 + 1) * sizeof *s->escapes);
    s->room = s->index && s->escapes ? room : 0;
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
    struct walk w;
    w.s = s;
    w.p = t.p;
    w.n = t.n;
    w.i = s->index;
    w.end = s->index + n;
    w.node = JSON_ROOT;
    w.no_guess = 0;
    w.guess = &w.no_guess;
    w.depth = 0;
    rc = walk(&w);
    return rc ? scan_fault(t, rc, ret_at) : 0;
}
