/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/log_lines.h"

#include "watch/store/byte_masks.h"
#include "watch/store/log_block_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

enum { SLOTS = 2 * EVENTS_ROWS, ENOUGH_ROWS = 1024 };

void log_lines_fini(struct log_lines *l)
{
    buf_fini(&l->texts);
    free(l->templates);
    free(l->parts);
    free(l->slots);
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */

/* is_value - whether the piece at @p stands behind '=', ="  or ": */
static bool is_value(const uint8_t *begin, const uint8_t *p)
{
    if (p == begin)
        return false;
    if (p[-1] == '=')
        return true;
    if (p[-1] != '"' || p - begin < 2)
        return false;
    return p[-2] == '=' || p[-2] == ':' || (p[-2] == ' ' && p - begin > 2 && p[-3] == ':');
}

/* a line being cut */
struct cutting {
    struct log_lines *l;
    const uint8_t *heap, *limit; /* limit: bytes before it can be read */
    const uint8_t *begin, *end, *kept; /* the line; from where it is not in the template yet */
    uint8_t *to;                       /* its template */
    unsigned n_parts;
    bool has_mark, has_high;
};

/* masks_at - of the bytes at @p, those behind the line's end being between pieces. */
static struct piece_masks masks_at(struct cutting *x, const uint8_t *p)
{
    size_t n = (size_t)(x->end - p);
    struct piece_masks m;
    if (n >= BYTES_AT_ONCE || (size_t)(x->limit - p) >= BYTES_AT_ONCE)
        m = piece_masks_of(p);
    else {
        uint8_t copy[BYTES_AT_ONCE] = {0};
        memcpy(copy, p, n);
        m = piece_masks_of(copy);
    }
    if (n < BYTES_AT_ONCE) {
        uint64_t inside = (UINT64_C(1) << n) - 1;
        m.cut |= ~inside;
        m.high &= inside;
        m.mark &= inside;
    }
    x->has_high |= m.high != 0;
    x->has_mark |= m.mark != 0;
    return m;
}

/* piece - the bytes [@p, @p + n) are one. */
static void piece(struct cutting *x, const uint8_t *p, size_t n, bool has_variable, bool has_dot)
{
    if (!has_variable && !(has_dot && p[n - 1] != '.') && !is_value(x->begin, p))
        return;
    if (x->n_parts == LINE_PARTS_MAX) {
        x->has_mark = true; /* kept as it is */
        return;
    }
    memcpy(x->to, x->kept, (size_t)(p - x->kept));
    x->to += p - x->kept;
    *x->to++ = LINE_MARK;
    x->l->parts[x->l->n_parts + x->n_parts++] = (struct line_part){(uint64_t)(p - x->heap), (uint32_t)n};
    x->kept = p + n;
}

/* long_piece - one that does not end within the bytes looked at. Return: where it ends. */
static const uint8_t *long_piece(struct cutting *x, const uint8_t *p)
{
    const uint8_t *begin = p;
    unsigned seen = 0;
    for (unsigned kind; p < x->end && !((kind = piece_kind_plain(*p)) & PIECE_CUT); p++)
        seen |= kind;
    x->has_high |= (seen & PIECE_HIGH) != 0;
    piece(x, begin, (size_t)(p - begin), seen & PIECE_VARIABLE, seen & PIECE_DOT);
    return p;
}

/* cut - the line's template goes to x->to, its variables to the parts; there is room for both. */
static void cut(struct cutting *x)
{
    for (const uint8_t *p = x->begin; p < x->end;) {
        struct piece_masks m = masks_at(x, p);
        uint64_t pieces = ~m.cut;
        const uint8_t *next = p + BYTES_AT_ONCE;
        while (pieces) {
            unsigned from = (unsigned)__builtin_ctzll(pieces);
            uint64_t rest = ~(pieces >> from); /* the piece ends at its lowest bit */
            unsigned n = rest ? (unsigned)__builtin_ctzll(rest) : BYTES_AT_ONCE;
            if (from + n >= BYTES_AT_ONCE && x->end - p > BYTES_AT_ONCE) {
                next = from ? p + from : long_piece(x, p); /* looked at again from its begin */
                break;
            }
            uint64_t own = (n < BYTES_AT_ONCE ? (UINT64_C(1) << n) - 1 : UINT64_MAX) << from;
            piece(x, p + from, n, m.variable & own, m.dot & own);
            pieces &= ~own;
        }
        p = next;
    }
    memcpy(x->to, x->kept, (size_t)(x->end - x->kept));
    x->to += x->end - x->kept;
}

/* find_template - of the @n bytes behind the texts; a new one if needed. Return: its number, or UINT32_MAX (no memory). */
static uint32_t find_template(struct log_lines *l, uint32_t n, uint32_t n_parts, bool is_literal)
{
    const uint8_t *p = l->texts.p + l->texts.n;
    uint32_t hash = (uint32_t)XXH3_64bits_withSeed(p, n, l->seed), slot = hash % SLOTS;
    for (; l->slots[slot]; slot = (slot + 1) % SLOTS) {
        const struct line_template *t = &l->templates[l->slots[slot] - 1];
        if (t->hash == hash && t->n == n && t->is_literal == is_literal && !memcmp(l->texts.p + t->at, p, n))
            return l->slots[slot] - 1;
    }
    if (log_grow(&l->templates, &l->templates_capacity, l->n_templates + 1, sizeof(*l->templates)))
        return UINT32_MAX;
    l->templates[l->n_templates++] = (struct line_template){.at = (uint32_t)l->texts.n, .n = n, .n_parts = n_parts, .hash = hash,
                                                            .is_literal = is_literal};
    l->texts.p[l->texts.n + n] = '\n';
    l->texts.n += n + 1;
    l->slots[slot] = (uint32_t)l->n_templates;
    return (uint32_t)l->n_templates - 1;
}

static int split_row(struct log_lines *l, const struct events *e, uint32_t row, uint32_t i)
{
    const uint8_t *p = e->heap.p ? e->heap.p + e->original[row] : (const uint8_t *)"";
    uint32_t n = e->original_n[row];
    uint8_t *to = buf_room(&l->texts, (size_t)n + 1);
    struct cutting x = {.l = l, .heap = e->heap.p, .limit = e->heap.p + e->heap.capacity, .begin = p, .end = p + n, .kept = p, .to = to};
    if (!to || log_grow(&l->parts, &l->parts_capacity, l->n_parts + LINE_PARTS_MAX, sizeof(*l->parts)))
        return -ENOMEM;
    if (n)
        cut(&x);
    uint32_t n_template = x.has_mark ? n : (uint32_t)(x.to - to);
    if (x.has_mark) {
        memcpy(to, p, n);
        x.n_parts = 0;
    }
    l->is_odd[i] = x.has_high && !text_is_utf8((const char *)p, n);
    l->row_part[i] = (uint32_t)l->n_parts;
    l->n_parts += x.n_parts;
    uint32_t t = find_template(l, n_template, x.n_parts, x.has_mark);
    if (t == UINT32_MAX)
        return -ENOMEM;
    l->row_template[i] = t;
    l->templates[t].n_rows++;
    return 0;
}

/* order_rows - by template, in their order. */
static void order_rows(struct log_lines *l, uint32_t n)
{
    uint32_t first = 0;
    for (size_t t = 0; t < l->n_templates; t++) {
        l->templates[t].first = first;
        first += l->templates[t].n_rows;
        l->templates[t].n_rows = 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct line_template *t = &l->templates[l->row_template[i]];
        l->rows[t->first + t->n_rows++] = i;
    }
}

int log_lines_split(struct log_lines *l, const struct events *e, uint32_t from, uint32_t n)
{
    if (!l->slots) {
        l->slots = malloc(SLOTS * sizeof(*l->slots));
        if (!l->slots)
            return -ENOMEM;
        if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) != sizeof(l->seed))
            l->seed = (uint64_t)(uintptr_t)l; /* only right after the machine's start */
    }
    memset(l->slots, 0, SLOTS * sizeof(*l->slots));
    buf_clear(&l->texts);
    l->texts.max = LOG_BLOCK_BYTES_MAX;
    l->n_templates = l->n_parts = 0;
    int r = 0;
    for (uint32_t i = 0; !r && i < n; i++) {
        r = split_row(l, e, from + i, i);
        if (!r && (i + 1) % ENOUGH_ROWS == 0 && l->n_templates > (i + 1) / 4 * 3)
            return LOG_LINES_PLAIN;
    }
    if (r || l->n_templates > n / 4 * 3 + 16)
        return r ? r : LOG_LINES_PLAIN;
    l->row_part[n] = (uint32_t)l->n_parts;
    order_rows(l, n);
    return 0;
}

void log_lines_put_variables(struct log_lines *l, const struct events *e, struct buf *out)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->n_parts; i++)
        bytes += l->parts[i].n + 1;
    varint_put(out, bytes);
    uint8_t *to = buf_room(out, bytes + PAD);
    if (!to)
        return;
    l->variables_at = out->n;
    l->variables_n = bytes;
    for (size_t k = 0; k < l->n_templates; k++) {
        const struct line_template *t = &l->templates[k];
        for (uint32_t part = 0; part < t->n_parts; part++)
            for (uint32_t i = t->first; i < t->first + t->n_rows; i++) {
                const struct line_part *x = &l->parts[l->row_part[l->rows[i]] + part];
                memcpy(to, e->heap.p + x->at, x->n);
                to += x->n;
                *to++ = '\n';
            }
    }
    out->n += bytes;
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

/* put - @n bytes where row @row goes on. Return: false: it has no room for them. */
static bool put(struct log_lines *l, uint32_t row, const uint8_t *p, size_t n, uint8_t *heap)
{
    if (n > l->end[row] - l->at[row])
        return false;
    if (n)
        memcpy(heap + l->at[row], p, n);
    l->at[row] += n;
    return true;
}

static int join_template(struct log_lines *l, const struct line_template *t, const uint8_t *texts, struct cursor *c, uint8_t *heap)
{
    const uint8_t *p = texts + t->at, *end = p + t->n;
    for (;;) {
        const uint8_t *mark = t->is_literal || p == end ? NULL : memchr(p, LINE_MARK, (size_t)(end - p));
        size_t n = (size_t)((mark ? mark : end) - p);
        for (uint32_t i = t->first; i < t->first + t->n_rows; i++) {
            uint32_t row = l->rows[i];
            if (!put(l, row, p, n, heap))
                return -EBADMSG;
            if (!mark)
                continue;
            const uint8_t *lf = cursor_left(c) ? memchr(c->p, '\n', cursor_left(c)) : NULL;
            if (!lf || !put(l, row, c->p, (size_t)(lf - c->p), heap))
                return -EBADMSG;
            c->p = lf + 1;
        }
        if (!mark)
            return 0;
        p = mark + 1;
    }
}

int log_lines_join(struct log_lines *l, uint32_t n, const uint8_t *texts, struct cursor *variables, uint8_t *heap)
{
    order_rows(l, n);
    for (size_t k = 0; k < l->n_templates; k++)
        if (join_template(l, &l->templates[k], texts, variables, heap))
            return -EBADMSG;
    for (uint32_t i = 0; i < n; i++)
        if (l->at[i] != l->end[i])
            return -EBADMSG;
    return cursor_left(variables) || variables->is_bad ? -EBADMSG : 0;
}
