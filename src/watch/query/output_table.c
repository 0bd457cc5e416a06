/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells come from the network: whatever could move the cursor or turn the direction of writing is replaced.
 */
#include "watch/query/output_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NARROWEST = 6, WIDEST = 120, HELD_BYTES = 8 << 20, LINE_BYTES = 1 << 20 };

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

int output_table_column(struct output_table *t, struct text name, bool is_right)
{
    char *copy = t->n_columns < QUERY_COLUMNS ? malloc(name.n + 1) : NULL;
    if (!copy)
        return -ENOMEM;
    memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    t->columns[t->n_columns].name = copy;
    t->columns[t->n_columns].is_right = is_right;
    t->columns[t->n_columns].width = width_of(copy);
    t->n_columns++;
    t->held.max = HELD_BYTES;
    t->line.max = LINE_BYTES;
    return 0;
}

static int put_line(struct output_table *t, const char *cells, FILE *to)
{
    buf_clear(&t->line);
    for (size_t i = 0; i < t->n_columns; i++) {
        const char *cell = cells ? cells : t->columns[i].name;
        put_cell(&t->line, cell, t->columns[i].width, t->columns[i].is_right, i + 1 == t->n_columns);
        for (int gap = 0; gap < GAP && i + 1 < t->n_columns; gap++)
            buf_add_byte(&t->line, ' ');
        if (cells)
            cells += strlen(cells) + 1;
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
    return cell[strspn(cell, "0123456789abcdefABCDEF:./- ")] == '\0';
}

/* the widest that may be cut gives way until all fit; what still does not fit is wrapped by the terminal */
static void lay_out(struct output_table *t)
{
    const char *cell = (const char *)t->held.p;
    for (size_t i = 0; i < t->n_columns; i++)
        t->columns[i].is_firm = true;
    for (size_t i = 0; i < t->n_held * t->n_columns; i++) {
        unsigned w = width_of(cell), *column = &t->columns[i % t->n_columns].width;
        *column = w > *column ? w : *column;
        *column = *column > WIDEST ? WIDEST : *column;
        t->columns[i % t->n_columns].is_firm &= is_figure(cell);
        cell += strlen(cell) + 1;
    }
    for (;;) {
        size_t total = t->n_columns ? GAP * (t->n_columns - 1) : 0, widest = SIZE_MAX;
        for (size_t i = 0; i < t->n_columns; i++) {
            total += t->columns[i].width;
            if (!t->columns[i].is_firm && (widest == SIZE_MAX || t->columns[i].width > t->columns[widest].width))
                widest = i;
        }
        if (!t->width || total <= t->width || widest == SIZE_MAX || t->columns[widest].width <= NARROWEST)
            return;
        t->columns[widest].width--;
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
