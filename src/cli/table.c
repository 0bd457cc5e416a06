/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Widths are counted in characters (combining marks count nothing): every
 * Vietnamese letter is one cell wide.
 */
#include "cli/table.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t width_of(const char *p, size_t n)
{
    size_t w = 0;
    const char *end = p + n;
    while (p < end) {
        uint32_t c = text_next(&p, end);
        w += !(c >= 0x300 && c <= 0x36f);
    }
    return w;
}

void table_begin(struct table *t, enum cli_format format, const struct table_column *columns, unsigned n_columns)
{
    memset(t, 0, sizeof(*t));
    t->format = format;
    t->columns = columns;
    t->n_columns = n_columns;
    t->cells.max = (size_t)64 << 20;
    t->row.max = (size_t)1 << 20;
    if (format != CLI_CSV)
        return;
    for (unsigned i = 0; i < n_columns; i++)
        printf("%s%s", i ? "," : "", columns[i].name);
    putchar('\n');
}

void table_put_csv(struct text value)
{
    bool is_plain = true;
    for (size_t i = 0; i < value.n && is_plain; i++)
        is_plain = !strchr(",\"\r\n", value.p[i]) || !value.p[i];
    if (is_plain) {
        if (value.n)
            fwrite(value.p, 1, value.n, stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"')
            putchar('"');
        putchar(value.p[i]);
    }
    putchar('"');
}

void table_put_json_text(struct text value)
{
    const char *p = value.p, *end = value.p + value.n;
    putchar('"');
    while (p < end) {
        const char *from = p;
        uint32_t c = text_next(&p, end);
        char bytes[4];
        if (c == '"' || c == '\\')
            printf("\\%c", (int)c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else if (c == 0xfffd)
            fwrite(bytes, 1, text_put(c, bytes), stdout);
        else
            fwrite(from, 1, (size_t)(p - from), stdout);
    }
    putchar('"');
}

static void end_row(struct table *t)
{
    t->n_rows++;
    t->n_cells = 0;
    if (t->format != CLI_TABLE) {
        fputs(t->format == CLI_JSON ? "}\n" : "\n", stdout);
        return;
    }
    if (t->n_rows <= TABLE_MAX_ROWS)
        buf_add(&t->cells, t->row.p, t->row.n);
    buf_clear(&t->row);
}

/* put - @text: the cell for people or programs; @is_quoted: json text, else a bare number. */
static void put(struct table *t, struct text cell, bool is_quoted)
{
    if (t->format == CLI_CSV) {
        if (t->n_cells)
            putchar(',');
        table_put_csv(cell);
    } else if (t->format == CLI_JSON) {
        printf("%s\"%s\":", t->n_cells ? "," : "{", t->columns[t->n_cells].name);
        if (is_quoted)
            table_put_json_text(cell);
        else
            fwrite(cell.p, 1, cell.n, stdout);
    } else {
        char shown[512];
        text_escape(cell.p, cell.n, shown, sizeof(shown));
        buf_add(&t->row, shown, strlen(shown) + 1);
    }
    if (++t->n_cells == t->n_columns)
        end_row(t);
}

void table_text(struct table *t, struct text value)
{
    put(t, value, true);
}

void table_number(struct table *t, uint64_t value)
{
    char digits[24];
    const char *shown = digits;
    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    if (t->format == CLI_TABLE)
        shown = message_count(value);
    put(t, (struct text){shown, strlen(shown)}, false);
}

void table_port(struct table *t, uint16_t port)
{
    char digits[8];
    int n = port || t->format == CLI_JSON ? snprintf(digits, sizeof(digits), "%u", port) : 0;
    put(t, (struct text){digits, (size_t)n}, false);
}

void table_time(struct table *t, int64_t us, bool is_known)
{
    char text[TIME_TEXT_MAX];
    size_t n = 0;
    if (is_known)
        n = t->format == CLI_TABLE ? clock_format_local(us, ZONE_VIETNAM_S, text) : clock_format_utc(us, text);
    put(t, (struct text){text, n}, true);
}

static size_t terminal_width(void)
{
    struct winsize w;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || w.ws_col < 20)
        return SIZE_MAX;
    return w.ws_col;
}

static void print_cell(const char *p, size_t width, bool is_number, bool is_last)
{
    size_t n = strlen(p), shown = width_of(p, n);
    const char *end = p + n, *q = p;
    if (shown > width) { /* cut on a character, say so */
        size_t w = 0;
        while (q < end && w + 1 < width) {
            uint32_t c = text_next(&q, end);
            w += !(c >= 0x300 && c <= 0x36f);
        }
        printf("%.*s\xe2\x80\xa6", (int)(q - p), p);
        shown = width;
    } else if (is_number) {
        printf("%*s%s", (int)(width - shown), "", p);
        shown = width;
    } else {
        fputs(p, stdout);
    }
    if (!is_last)
        printf("%*s", (int)(width - shown + 2), "");
}

/* fit - shrink the columns that may shrink, widest first, until the row fits. */
static void fit(const struct table *t, size_t *widths)
{
    size_t limit = terminal_width();
    for (;;) {
        size_t total = 0, widest = TABLE_MAX_COLUMNS;
        for (unsigned i = 0; i < t->n_columns; i++) {
            total += widths[i] + (i ? 2 : 0);
            if (t->columns[i].may_shrink && widths[i] > 8 && (widest == TABLE_MAX_COLUMNS || widths[i] > widths[widest]))
                widest = i;
        }
        if (total <= limit || widest == TABLE_MAX_COLUMNS)
            return;
        widths[widest]--;
    }
}

int table_end(struct table *t)
{
    bool is_short = t->cells.is_bad || t->row.is_bad;
    uint64_t n_shown = t->n_rows < TABLE_MAX_ROWS ? t->n_rows : TABLE_MAX_ROWS;
    if (t->format == CLI_TABLE && !is_short) {
        size_t widths[TABLE_MAX_COLUMNS];
        for (unsigned i = 0; i < t->n_columns; i++)
            widths[i] = width_of(message_text(t->columns[i].title), strlen(message_text(t->columns[i].title)));
        const char *p = (const char *)t->cells.p;
        for (uint64_t c = 0; c < n_shown * t->n_columns; c++, p += strlen(p) + 1)
            if (width_of(p, strlen(p)) > widths[c % t->n_columns])
                widths[c % t->n_columns] = width_of(p, strlen(p));
        fit(t, widths);
        for (unsigned i = 0; i < t->n_columns; i++)
            print_cell(message_text(t->columns[i].title), widths[i], t->columns[i].is_number, i + 1 == t->n_columns);
        putchar('\n');
        p = (const char *)t->cells.p;
        for (uint64_t c = 0; c < n_shown * t->n_columns; c++, p += strlen(p) + 1) {
            unsigned i = (unsigned)(c % t->n_columns);
            print_cell(p, widths[i], t->columns[i].is_number, i + 1 == t->n_columns);
            if (i + 1 == t->n_columns)
                putchar('\n');
        }
        if (t->n_rows > n_shown)
            SAY(stdout, table_more_rows, message_count(t->n_rows - n_shown));
    }
    buf_fini(&t->cells);
    buf_fini(&t->row);
    if (is_short)
        SAY(stderr, no_memory, "table");
    return is_short;
}
