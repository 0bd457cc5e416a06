/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells come from the network: whatever could move the cursor or turn the direction of writing is replaced.
 */
#include "watch/query/output_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* texts may be cut to READABLE before a column goes, to NARROWEST when none may go any more; titles to TITLE */
enum { GAP = 2, NARROWEST = 6, TITLE = 8, READABLE = 12, WIDEST = 120, HELD_BYTES = 8 << 20, LINE_BYTES = 1 << 20 };

static bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static bool is_combining(uint32_t c)
{
    return c >= 0x300 && c < 0x370;
}

static unsigned width_of(const char *s)
{
    const char *end = s + strlen(s);
    unsigned n = 0;
    while (s < end)
        n += !is_combining(text_next(&s, end));
    return n;
}

/* @n characters of @s at most, then blanks up to @n */
static void put_cell(struct buf *b, const char *s, unsigned n, bool is_right, bool is_last)
{
    unsigned have = width_of(s), keep = have > n ? n - 1 : have;
    for (unsigned i = have; is_right && i < n; i++)
        buf_add_byte(b, ' ');
    const char *end = s + strlen(s);
    unsigned put = 0;
    while (s < end) {
        char bytes[4];
        uint32_t c = text_next(&s, end);
        if (put == keep && !is_combining(c))
            break;
        put += !is_combining(c);
        buf_add(b, bytes, text_put(is_unsafe(c) ? 0xfffd : c, bytes));
    }
    if (have > n)
        buf_add_text(b, "…");
    for (unsigned i = have; !is_right && !is_last && i < n; i++)
        buf_add_byte(b, ' ');
}

int output_table_column(struct output_table *t, struct text name, bool is_right, unsigned rank)
{
    char *copy = t->n_columns < QUERY_COLUMNS ? malloc(name.n + 1) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    t->columns[t->n_columns].name = copy;
    t->columns[t->n_columns].is_right = is_right;
    t->columns[t->n_columns].rank = rank;
    t->columns[t->n_columns].width = width_of(copy);
    t->n_columns++;
    t->held.max = HELD_BYTES;
    t->line.max = LINE_BYTES;
    return 0;
}

/* put_title - cut in the middle: what dotted names end with tells most */
static void put_title(struct buf *b, const char *title, unsigned n, bool is_right)
{
    enum { TITLE_BYTES = 4 * WIDEST + 4 };
    char cut[TITLE_BYTES];
    unsigned have = width_of(title), head = (n - 1) / 2, at = 0;
    size_t n_cut = 0;
    const char *end = title + strlen(title);
    if (have <= n) {
        put_cell(b, title, n, is_right, false);
        return;
    }
    for (const char *p = title; p < end && n_cut + 8 < sizeof(cut);) {
        uint32_t c = text_next(&p, end);
        if (at == head)
            n_cut = (size_t)(stpcpy(cut + n_cut, "…") - cut);
        if (at < head || at >= have - (n - 1 - head))
            n_cut += text_put(c, cut + n_cut);
        at += !is_combining(c);
    }
    cut[n_cut] = '\0';
    put_cell(b, cut, n, is_right, false);
}

static int put_line(struct output_table *t, const char *cells, FILE *to)
{
    bool is_first = true;
    buf_clear(&t->line);
    for (size_t i = 0; i < t->n_columns; i++) {
        const char *cell = cells;
        if (cells)
            cells += strlen(cells) + 1;
        if (t->columns[i].is_hidden)
            continue;
        for (int gap = 0; gap < GAP && !is_first; gap++)
            buf_add_byte(&t->line, ' ');
        is_first = false;
        if (cell)
            put_cell(&t->line, cell, t->columns[i].width, t->columns[i].is_right, false);
        else
            put_title(&t->line, t->columns[i].name, t->columns[i].width, t->columns[i].is_right);
    }
    while (t->line.n && t->line.p[t->line.n - 1] == ' ')
        t->line.n--;
    buf_add_byte(&t->line, '\n');
    if (t->line.is_bad)
        return -ENOMEM;
    return fwrite(t->line.p, 1, t->line.n, to) == t->line.n ? 0 : errno ? -errno : -EIO;
}

static bool is_figure(const char *cell)
{
    return cell[strspn(cell, "0123456789abcdefABCDEF:.,/- ")] == '\0';
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* measure - what the columns want, and what they cannot do without */
static void measure(struct output_table *t)
{
    const char *cell = (const char *)t->held.p;
    for (size_t i = 0; i < t->n_columns; i++)
        t->columns[i].is_firm = true;
    for (size_t i = 0; i < t->n_held * t->n_columns; i++) {
        unsigned w = smaller(width_of(cell), WIDEST), *column = &t->columns[i % t->n_columns].least;
        *column = w > *column ? w : *column;
        t->columns[i % t->n_columns].is_firm &= is_figure(cell);
        cell += strlen(cell) + 1;
    }
    for (size_t i = 0; i < t->n_columns; i++) {
        unsigned title = smaller(t->columns[i].width, WIDEST), cells = t->columns[i].least;
        t->columns[i].width = title > cells ? title : cells;
        t->columns[i].is_empty = !cells;
        t->columns[i].least = t->columns[i].is_firm ? cells : smaller(cells, READABLE);
        if (t->columns[i].least < smaller(title, TITLE))
            t->columns[i].least = smaller(title, TITLE);
    }
}

/* total - of the columns shown, as they are or at their least */
static size_t total(const struct output_table *t, bool is_least)
{
    size_t n = 0, all = 0;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].is_hidden) {
            all += is_least ? t->columns[i].least : t->columns[i].width;
            n++;
        }
    return all + (n ? GAP * (n - 1) : 0);
}

/* goes_before - whether column @a is given up before @b */
static bool goes_before(const struct output_table *t, size_t a, size_t b)
{
    if (t->columns[a].is_empty != t->columns[b].is_empty)
        return t->columns[a].is_empty;
    return t->columns[a].rank < t->columns[b].rank;
}

static bool hide_one(struct output_table *t)
{
    size_t first = SIZE_MAX;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].is_hidden && t->columns[i].rank && (first == SIZE_MAX || goes_before(t, i, first)))
            first = i;
    if (first == SIZE_MAX)
        return false;
    t->columns[first].is_hidden = true;
    return true;
}

static bool narrow_widest(struct output_table *t)
{
    size_t widest = SIZE_MAX;
    for (size_t i = 0; i < t->n_columns; i++)
        if (!t->columns[i].is_hidden && t->columns[i].width > t->columns[i].least &&
            (widest == SIZE_MAX || t->columns[i].width > t->columns[widest].width))
            widest = i;
    if (widest == SIZE_MAX)
        return false;
    t->columns[widest].width--;
    return true;
}

/* what does not fit even so is wrapped by the terminal */
static void lay_out(struct output_table *t)
{
    measure(t);
    if (!t->width)
        return;
    while (total(t, true) > t->width && hide_one(t))
        ;
    for (size_t i = 0; i < t->n_columns && total(t, true) > t->width; i++)
        if (!t->columns[i].is_firm)
            t->columns[i].least = smaller(t->columns[i].least, NARROWEST);
    while (total(t, false) > t->width && narrow_widest(t))
        ;
}

void output_table_hidden(const struct output_table *t, struct buf *titles)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].is_hidden && !t->columns[i].is_empty) {
            buf_add_text(titles, titles->n ? ", " : "");
            buf_add_text(titles, t->columns[i].name);
        }
}

int output_table_flush(struct output_table *t, FILE *to)
{
    if (t->is_laid_out || !t->n_columns)
        return 0;
    lay_out(t);
    t->is_laid_out = true;
    int r = put_line(t, NULL, to);
    const char *cell = (const char *)t->held.p;
    for (size_t row = 0; !r && row < t->n_held; row++) {
        r = put_line(t, cell, to);
        for (size_t i = 0; i < t->n_columns; i++)
            cell += strlen(cell) + 1;
    }
    buf_fini(&t->held);
    return r;
}

int output_table_row(struct output_table *t, const struct buf *cells, FILE *to)
{
    if (!t->is_laid_out && (t->n_held == OUTPUT_TABLE_ROWS || t->held.n + cells->n > HELD_BYTES)) {
        int r = output_table_flush(t, to);
        if (r)
            return r;
    }
    if (t->is_laid_out)
        return put_line(t, (const char *)cells->p, to);
    buf_add(&t->held, cells->p, cells->n);
    t->n_held++;
    return t->held.is_bad ? -ENOMEM : 0;
}

void output_table_fini(struct output_table *t)
{
    for (size_t i = 0; i < t->n_columns; i++)
        free(t->columns[i].name);
    buf_fini(&t->held);
    buf_fini(&t->line);
}
