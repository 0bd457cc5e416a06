/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/phrase.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int phrase_compile(struct text pattern, bool is_exact, struct phrase *ret)
{
    *ret = (struct phrase){.is_exact = is_exact};
    size_t n = 0, piece = 0;
    bool is_last_open = false;
    if (!text_is_utf8(pattern.p, pattern.n))
        return 1;
    for (const char *p = pattern.p, *end = pattern.p + pattern.n; p < end;) {
        bool is_literal = *p == '\\' && p + 1 < end;
        p += is_literal;
        if (!is_literal && *p == '*') {
            p++;
            is_last_open = true;
            ret->is_open_left |= n == 0;
            if (n == piece)
                continue;
            if (ret->n_pieces == PHRASE_PIECES_MAX)
                return 1;
            ret->piece_at[ret->n_pieces] = (uint16_t)piece;
            ret->piece_n[ret->n_pieces++] = (uint16_t)(n - piece);
            piece = n;
            continue;
        }
        is_last_open = false;
        const char *from = p;
        uint32_t c = text_next(&p, end);
        if (n + 4 > PHRASE_BYTES_MAX)
            return 1;
        if (is_exact) {
            memcpy(ret->bytes + n, from, (size_t)(p - from));
            n += (size_t)(p - from);
        } else if ((c = text_fold_char(c)))
            n += text_put(c, ret->bytes + n);
    }
    if (n > piece) {
        if (ret->n_pieces == PHRASE_PIECES_MAX)
            return 1;
        ret->piece_at[ret->n_pieces] = (uint16_t)piece;
        ret->piece_n[ret->n_pieces++] = (uint16_t)(n - piece);
    }
    ret->is_open_right = is_last_open;
    ret->is_address = ret->n_pieces == 1 && !ret->is_open_left && !ret->is_open_right &&
                      term_address((struct text){ret->bytes, n}) == n;
    return ret->n_pieces ? 0 : 1;
}

/* --- deciding -------------------------------------------------------------------------------------------------- */

/* folded - @t as phrases compare it. Plain ASCII, the common case, needs no decoding. */
static struct text folded(struct text t, struct buf *scratch)
{
    buf_clear(scratch);
    char *out = (char *)buf_room(scratch, t.n * 2 + 4); /* no character folds to more than twice its bytes */
    if (!out)
        return (struct text){"", 0};
    size_t n = 0;
    const char *p = t.p, *end = t.p + t.n;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x80) {
            out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            p++;
            continue;
        }
        uint32_t u = text_fold_char(text_next(&p, end));
        if (!u)
            continue;
        char *room = n + 4 > scratch->capacity ? NULL : out + n;
        if (!room) { /* malformed bytes grow to three each */
            scratch->n = n;
            room = (char *)buf_room(scratch, 3 * (size_t)(end - p) + 8);
            if (!room)
                return (struct text){"", 0};
            out = (char *)scratch->p;
        }
        n += text_put(u, room);
    }
    return (struct text){out, n};
}

/* is_edge - whether no word goes on over place @at of @t. */
static bool is_edge(struct text t, size_t at)
{
    if (at == 0 || at >= t.n)
        return true;
    size_t from = at - 1;
    while (from && ((unsigned char)t.p[from] & 0xc0) == 0x80 && at - from < 4)
        from--;
    return !term_letter(t.p + from, t.p + at) || !term_letter(t.p + at, t.p + t.n);
}

static const char *find(struct text t, size_t from, const char *piece, size_t n)
{
    return from <= t.n ? memmem(t.p + from, t.n - from, piece, n) : NULL;
}

static bool is_whole_address(struct text t, size_t at, size_t n)
{
    bool goes_before = at >= 2 && t.p[at - 1] == '.' && t.p[at - 2] >= '0' && t.p[at - 2] <= '9';
    return !goes_before && term_address((struct text){t.p + at, t.n - at}) == n;
}

static bool match_folded(const struct phrase *p, struct text t)
{
    size_t from = 0;
    for (unsigned i = 0; i < p->n_pieces; i++) {
        const char *piece = p->bytes + p->piece_at[i];
        size_t n = p->piece_n[i];
        bool wants_left = i == 0 && !p->is_open_left, wants_right = i + 1 == p->n_pieces && !p->is_open_right;
        for (const char *hit;; from++) {
            hit = find(t, from, piece, n);
            if (!hit)
                return false;
            from = (size_t)(hit - t.p);
            bool fits = (!wants_left || is_edge(t, from)) && (!wants_right || is_edge(t, from + n)) &&
                        (!p->is_address || is_whole_address(t, from, n));
            if (fits)
                break;
        }
        from += n;
    }
    return true;
}

bool phrase_match(const struct phrase *p, struct text t, struct buf *scratch)
{
    if (p->is_exact)
        return match_folded(p, t);
    if (match_folded(p, folded(t, scratch)))
        return true;
    bool is = false;
    for (int k = 0; !is && k < TEXT_N_LEGACY && !text_is_utf8(t.p, t.n); k++) { /* Vietnamese of before Unicode */
        buf_clear(scratch);
        char *out = (char *)buf_room(scratch, t.n);
        is = out && match_folded(p, (struct text){out, text_fold_legacy((enum text_legacy)k, t, out)});
    }
    return is;
}

/* --- where to look ------------------------------------------------------------------------------------------------ */

struct part {
    const char *p;
    unsigned n;
    bool is_suffix; /* words end so; else contain it */
};

static bool has_part(const void *context, struct text word)
{
    const struct part *x = context;
    if (x->is_suffix)
        return word.n >= x->n && !memcmp(word.p + word.n - x->n, x->p, x->n);
    return memmem(word.p, word.n, x->p, x->n) != NULL;
}

struct question {
    const struct terms *terms;
    uint64_t *bitmap, *found;
    size_t n_words; /* of the bitmaps */
};

/* ask - keep the blocks that have a word @w; open ends: it may go on there. */
static int ask(const struct question *q, const struct term *w, bool is_open_left, bool is_open_right)
{
    memset(q->found, 0, q->n_words * sizeof(*q->found));
    struct text word = {w->p, w->n};
    int r;
    if (!is_open_left)
        r = terms_find(q->terms, word, is_open_right, q->found);
    else { /* what was cut off a long word may hold it */
        struct part part = {w->p, w->n, !is_open_right && !w->is_cut};
        r = terms_scan(q->terms, has_part, &part, q->found);
        if (!r)
            r = terms_find(q->terms, TEXT(TERM_LONG), false, q->found);
    }
    for (size_t i = 0; !r && i < q->n_words; i++)
        q->bitmap[i] &= q->found[i];
    return r;
}

/* ask_piece - every word of it; the first and the last may be ends of longer words where the piece is open. */
static int ask_piece(const struct question *q, struct text piece, bool is_open_left, bool is_open_right)
{
    bool is_first = term_letter(piece.p, piece.p + piece.n) != 0; /* it begins with a word */
    struct text rest = piece;
    struct term w;
    int r = 0;
    while (!r && term_next(&rest, &w)) {
        r = ask(q, &w, is_first && is_open_left, rest.n == 0 && is_open_right);
        is_first = false;
    }
    return r;
}

int phrase_blocks(const struct phrase *p, const struct terms *t, uint64_t *bitmap)
{
    struct question q = {.terms = t, .bitmap = bitmap, .n_words = (t->n_blocks + 63) / 64};
    q.found = calloc(q.n_words + 1, sizeof(*q.found));
    if (!q.found)
        return -ENOMEM;
    int r = 0;
    for (unsigned i = 0; !r && i < p->n_pieces; i++) {
        struct text piece = {p->bytes + p->piece_at[i], p->piece_n[i]};
        r = ask_piece(&q, piece, i > 0 || p->is_open_left, i + 1 < p->n_pieces || p->is_open_right);
    }
    if (!r && p->is_address) {
        struct term w = {.n = p->piece_n[0]};
        memcpy(w.p, p->bytes, w.n);
        r = ask(&q, &w, false, false);
    }
    free(q.found);
    return r;
}
