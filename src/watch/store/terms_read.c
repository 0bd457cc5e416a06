/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the word index: a binary search over the groups, then term by term. The bytes may be hostile.
 */
#include "watch/store/terms.h"

#include "base/cursor.h"
#include "watch/store/block_list.h"

#include <errno.h>
#include <string.h>

struct walk {
    const struct terms *t;
    struct cursor c;
    uint8_t word[255];
    unsigned n;
    const uint8_t *blocks; /* of the term the walk stands on */
};

static struct cursor group_cursor(const struct terms *t, size_t group)
{
    struct cursor c = {.is_bad = true};
    bool is_last = group + 1 == t->n_groups;
    const uint8_t *heads = sealed_get(t->area, t->heads + 4 * group, is_last ? 4 : 8);
    if (!heads)
        return c;
    uint32_t from = load_le32(heads), to = is_last ? (uint32_t)t->body_bytes : load_le32(heads + 4);
    const uint8_t *p = from <= to && to <= t->body_bytes ? sealed_get(t->area, t->body + from, to - from) : NULL;
    return p ? cursor_over(p, to - from) : c;
}

/* next_term - Return: false at the end of the group or when it is malformed (then c.is_bad). */
static bool next_term(struct walk *w)
{
    if (!cursor_left(&w->c))
        return false;
    unsigned shared = cursor_u8(&w->c), own = cursor_u8(&w->c);
    const uint8_t *p = cursor_take(&w->c, own);
    if (!p || shared > w->n || shared + own > sizeof(w->word)) {
        w->c.is_bad = true;
        return false;
    }
    memcpy(w->word + shared, p, own);
    w->n = shared + own;
    w->blocks = w->c.p;
    block_list_take(&w->c, w->t->n_blocks, NULL);
    return !w->c.is_bad;
}

/* mark - the blocks of the term @w stands on, which next_term has checked. */
static void mark(const struct walk *w, uint64_t *bitmap)
{
    struct cursor c = {.p = w->blocks, .end = w->c.p};
    block_list_take(&c, w->t->n_blocks, bitmap);
}

static int compare_bytes(const uint8_t *a, size_t n_a, const char *b, size_t n_b)
{
    int c = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return c ? c : (n_a > n_b) - (n_a < n_b);
}

/* group_before - the last group whose first term is <= @word; 0 if none. Return: 0 or -EBADMSG. */
static int group_before(const struct terms *t, struct text word, size_t *ret)
{
    size_t from = 0, to = t->n_groups;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        struct walk w = {.t = t, .c = group_cursor(t, middle)};
        if (!next_term(&w))
            return -EBADMSG;
        if (compare_bytes(w.word, w.n, word.p, word.n) <= 0)
            from = middle;
        else
            to = middle;
    }
    *ret = from;
    return 0;
}

int terms_find(const struct terms *t, struct text word, bool is_prefix, uint64_t *bitmap)
{
    size_t group;
    if (!t->n_groups)
        return 0;
    int r = group_before(t, word, &group);
    for (; !r && group < t->n_groups; group++) {
        struct walk w = {.t = t, .c = group_cursor(t, group)};
        while (!r && next_term(&w)) {
            bool begins = w.n >= word.n && !memcmp(w.word, word.p, word.n);
            if (begins && (is_prefix || w.n == word.n))
                mark(&w, bitmap);
            if (!begins && compare_bytes(w.word, w.n, word.p, word.n) > 0)
                return 0;
            if (begins && !is_prefix)
                return r;
        }
        if (w.c.is_bad)
            r = -EBADMSG;
    }
    return r;
}

int terms_scan(const struct terms *t, bool (*test)(const void *context, struct text word), const void *context,
               uint64_t *bitmap)
{
    int r = 0;
    for (size_t group = 0; !r && group < t->n_groups; group++) {
        struct walk w = {.t = t, .c = group_cursor(t, group)};
        while (!r && next_term(&w))
            if (w.n && w.word[0] > 2 && test(context, (struct text){(const char *)w.word, w.n}))
                mark(&w, bitmap);
        if (w.c.is_bad)
            r = -EBADMSG;
    }
    return r;
}

int terms_each_value(const struct terms *t, int (*each)(void *context, struct text value, const uint64_t *bitmap),
                     void *context)
{
    static const char first[] = {TERM_VALUE};
    uint64_t bitmap[TERMS_BLOCKS_MAX / 64];
    size_t group = 0;
    int r = t->n_groups && t->n_blocks <= TERMS_BLOCKS_MAX ? group_before(t, (struct text){first, 1}, &group) : 0;
    for (; !r && group < t->n_groups; group++) {
        struct walk w = {.t = t, .c = group_cursor(t, group)};
        while (!r && next_term(&w)) {
            if (w.n && w.word[0] > TERM_VALUE)
                return 0;
            if (!w.n || w.word[0] != TERM_VALUE)
                continue;
            memset(bitmap, 0, sizeof(bitmap));
            mark(&w, bitmap);
            r = each(context, (struct text){(const char *)w.word + 1, w.n - 1}, bitmap);
        }
        if (w.c.is_bad)
            r = -EBADMSG;
    }
    return r;
}

int terms_check(const struct terms *t, uint64_t *ret_n)
{
    uint64_t n = 0;
    uint8_t last[255];
    unsigned n_last = 0;
    if (t->n_blocks > TERMS_BLOCKS_MAX)
        return -EBADMSG;
    for (size_t group = 0; group < t->n_groups; group++) {
        struct walk w = {.t = t, .c = group_cursor(t, group)};
        unsigned in_group = 0;
        while (next_term(&w)) {
            if ((n && compare_bytes(w.word, w.n, (const char *)last, n_last) <= 0))
                return -EBADMSG;
            memcpy(last, w.word, w.n);
            n_last = w.n;
            n++;
            in_group++;
        }
        if (w.c.is_bad || !in_group || (in_group < TERM_GROUP && group + 1 < t->n_groups))
            return -EBADMSG;
    }
    *ret_n = n;
    return 0;
}
