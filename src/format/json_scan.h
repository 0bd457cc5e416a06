/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/json_scan - one JSON text to its leaves, for the hot path: strict, and several times a gigabyte a second.
 *
 * In:     one untrusted JSON text of at most JSON_SCAN_MAX bytes, with JSON_SCAN_PADDING readable bytes behind it.
 * Out:    its leaves in the order of the text; where each stands is a node: the number of its dotted path, which stays
 *         the same from text to text, so that what a path means is looked up once and not per record.
 * How:    64 bytes at a time become bit masks of quotes, brackets and blanks (AVX-512, AVX2 or plain C, chosen at run
 *         time; all give the same answers); a walk over the set bits checks the grammar. The key that followed last time is
 *         tried first. A text whose brackets, commas, quotes and keys are those of an earlier one takes no walk: only its
 *         numbers and words are looked at.
 * Arrays: elements stand at the node of their array, those that are objects below it: {"a":[{"b":1},{"b":2}]} gives
 *         a.b twice.
 * Limits: JSON_MAX_DEPTH levels, else JSON_TOO_DEEP. What is beyond JSON_ITEMS_MAX leaves, JSON_NODES_MAX paths or
 *         keys of JSON_KEY_MAX bytes is checked but not given: is_cut. Memory: about 1 MiB, at most 2 more of
 *         shapes, and 5 bytes per byte of the largest text. No I/O, no logging, no global state.
 * Source: RFC 8259; as strict as format/json.
 * Fuzz:   tests/fuzz/json_scan.c (against format/json and jansson)
 */
#pragma once

#include "format/json.h"

#include <string.h>

enum { JSON_SCAN_PADDING = 64, JSON_ITEMS_MAX = 4096, JSON_NODES_MAX = 16384, JSON_KEY_MAX = 255 };
#define JSON_SCAN_MAX ((size_t)1 << 30)
#define JSON_ROOT 0u /* the node of a text that is a lone value */

struct json_item {
    uint32_t at, n;   /* span in the text; of a string what is between the quotes */
    uint16_t node;
    uint8_t kind;     /* enum json_kind; ARRAY and OBJECT are empty ones only */
    uint8_t is_escaped : 1; /* a string that holds escapes: json_unescape it */
    uint8_t is_listed : 1;  /* an element of an array */
    uint8_t reserved : 6;
};
_Static_assert(sizeof(struct json_item) == 12 && JSON_NODES_MAX <= UINT16_MAX, "two stores");

struct json_node {
    uint64_t first8, last8; /* of the key; first8 zero-padded, last8 only of keys of 8 bytes and more */
    uint64_t mask8;   /* the bytes of first8 that count */
    uint32_t parent;
    uint32_t key_at;  /* in json_scan.keys */
    uint32_t first, next; /* guesses: the key that comes first below, the key that comes behind */
    uint32_t chain;   /* next node of the same hash */
    uint64_t mark;
    uint32_t key_n, depth;
};
_Static_assert(sizeof(struct json_node) == 64, "one line of the cache");

/* what @path (dotted) tells about the text it stands in: bits that json_scan gathers in .marks; at a path's first sight */
typedef uint64_t (*json_mark)(struct text path);

struct json_level {
    uint32_t node;
    bool is_array;
};

struct json_scan {
    struct json_item items[JSON_ITEMS_MAX];
    uint32_t n_items;
    uint64_t marks;      /* of all leaves */
    bool is_cut;
    uint32_t generation; /* changes when all node numbers are given anew */
    uint32_t shape;      /* not 0: texts of the same number have the same leaves (node, order, listed or not) in this generation */
    /* --- of json_scan.c */
    json_mark mark;
    size_t (*index_text)(struct json_scan *s, const char *p, size_t n);
    struct json_node *nodes;
    uint32_t n_nodes;
    uint32_t no_guess; /* where nothing is given: a guess that is never right */
    uint32_t *heads; /* hash table of nodes */
    struct buf keys;
    uint32_t *index; /* offsets of brackets, commas, colons, quotes and first bytes of numbers and words */
    uint8_t *bytes;  /* what stands at the places of the index; '0' for a number or word */
    uint64_t *escapes; /* a bit per byte: backslashes */
    struct json_shapes *shapes;
    struct json_level levels[JSON_MAX_DEPTH + 1]; /* what the value in hand stands in */
    size_t room;     /* bytes of text they are made for */
    bool has_escapes, has_high;
};

/* json_scan_new - @mark may be NULL; @is_plain: without vector instructions. Return: NULL when memory is out. */
struct json_scan *json_scan_new(json_mark mark, bool is_plain);
void json_scan_free(struct json_scan *s);

/*
 * json_scan - check the whole of @t and gather its leaves; s->items only counts when 0 is returned.
 * Return: 0, JSON_MALFORMED, JSON_TOO_DEEP, -ENOMEM.
 * @ret_at: with a condition: offset of the fault; may be NULL.
 */
int json_scan(struct json_scan *s, struct text t, size_t *ret_at);

/* json_scan_path - the dotted path of @node into @out (JSON_MAX_PATH bytes). Return: its length, or SIZE_MAX if longer. */
size_t json_scan_path(const struct json_scan *s, uint32_t node, char *out);
/* json_scan_find - the node of key @key below @parent, or JSON_ROOT if none was met. */
uint32_t json_scan_find(const struct json_scan *s, uint32_t parent, struct text key);

/* json_eight - eight digits, the first one lowest, to their number: pairs, fours, eight. */
static inline uint64_t json_eight(uint64_t v)
{
    v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
    v = (v & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
    return (v & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001) >> 32;
}

/*
 * json_u64 - of a NUMBER that json_scan gave, its text and JSON_SCAN_PADDING readable bytes at @p.
 * Return: false when it has a sign, a fraction, an exponent or more than 16 digits: text_u64 or strtod it.
 */
static inline bool json_u64(const char *p, uint32_t n, uint64_t *ret)
{
    const uint64_t halves = UINT64_C(0xf0f0f0f0f0f0f0f0), zeros = UINT64_C(0x3030303030303030);
    uint64_t low, high = 0;
    if (!n || n > 16)
        return false;
    memcpy(&low, p + (n > 8 ? n - 8 : 0), 8);
    if (n > 8)
        memcpy(&high, p, 8);
    else
        high = low;
    uint32_t first = n > 8 ? n - 8 : n; /* digits that count in `high`: they move up, zeros come before them */
    high = first < 8 ? high << 8 * (8 - first) | zeros >> 8 * first : high;
    low = n > 8 ? low : zeros;
    /* not above '9' either: nothing that is a number but a digit has 3 for its high half, see json_scan's grammar */
    if ((high & halves) != zeros || (low & halves) != zeros)
        return false;
    *ret = n > 8 ? json_eight(high) * 100000000 + json_eight(low) : json_eight(high);
    return true;
}
