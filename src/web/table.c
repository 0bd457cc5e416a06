/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a list as CSV (RFC 4180) or XLSX: members of objects become columns "rule.id", lists of words one cell.
 * In CSV a text that a spreadsheet would run as a formula gets an apostrophe before it; in XLSX it is a text by its type.
 */
#include "web/web_own.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xlsxwriter.h>

enum { COLUMNS_MAX = 256, DEPTH_MAX = 3, NAME_BYTES = 200, CELL_MAX_BYTES = 1 << 20, XLSX_TEXT_MAX = 32767 };

struct columns {
    json_t *by_name; /* name -> number, in their order */
    json_t *empty;   /* names that were null everywhere so far */
    const char *names[COLUMNS_MAX];
    size_t n;
};


typedef void (*on_value)(void *context, const char *name, const json_t *v);

/* walk - every member of a row that is no object, under its whole name. */
static void walk(const json_t *o, const char *prefix, int depth, on_value take, void *context)
{
    char name[NAME_BYTES];
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v) {
        if (snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key) >= (int)sizeof(name))
            continue;
        if (json_is_object(v) && depth < DEPTH_MAX)
            walk(v, name, depth + 1, take, context);
        else
            take(context, name, v);
    }
}

static void add_column(struct columns *c, const char *name)
{
    if (c->n == COLUMNS_MAX || json_object_get(c->by_name, name))
        return;
    if (!json_object_set_new(c->by_name, name, json_integer((json_int_t)c->n)))
        c->n++;
}

static void note_column(void *context, const char *name, const json_t *v)
{
    struct columns *c = context;
    if (json_is_null(v))
        json_object_set_new(c->empty, name, json_null());
    else
        add_column(c, name);
}

/* has_parts - "machine" is there as "machine.id". */
static bool has_parts(const struct columns *c, const char *name)
{
    size_t n = strlen(name);
    const char *key;
    json_t *v;
    json_object_foreach(c->by_name, key, v) if (!strncmp(key, name, n) && key[n] == '.') return true;
    return false;
}

static int find_columns(struct columns *c, const json_t *rows)
{
    size_t i;
    json_t *row, *v;
    const char *key;
    c->by_name = json_object();
    c->empty = json_object();
    if (!c->by_name || !c->empty)
        return -ENOMEM;
    json_array_foreach(rows, i, row) walk(row, "", 0, note_column, c);
    json_object_foreach(c->empty, key, v) if (!has_parts(c, key)) add_column(c, key);
    i = 0;
    json_object_foreach(c->by_name, key, v) c->names[i++] = key;
    return 0;
}

struct row_cells {
    const struct columns *columns;
    const json_t *v[COLUMNS_MAX];
};

static void take_cell(void *context, const char *name, const json_t *v)
{
    struct row_cells *r = context;
    const json_t *at = json_object_get(r->columns->by_name, name);
    if (at)
        r->v[json_integer_value(at)] = v;
}

/* text_of - a value as people read it in one cell. */
static void text_of(const json_t *v, struct buf *out)
{
    size_t i;
    json_t *part;
    buf_clear(out);
    switch (json_typeof(v)) {
    case JSON_STRING: buf_add(out, json_string_value(v), json_string_length(v)); break;
    case JSON_INTEGER: buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); break;
    case JSON_REAL: buf_printf(out, "%.15g", json_real_value(v)); break;
    case JSON_TRUE: buf_add_text(out, "true"); break;
    case JSON_FALSE: buf_add_text(out, "false"); break;
    case JSON_NULL: break;
    case JSON_OBJECT:
    case JSON_ARRAY: {
        bool is_words = json_is_array(v);
        json_array_foreach(v, i, part) is_words = is_words && json_is_string(part);
        if (is_words) {
            json_array_foreach(v, i, part) buf_printf(out, "%s%s", i ? "; " : "", json_string_value(part));
            break;
        }
        char *text = json_dumps(v, JSON_COMPACT);
        if (text)
            buf_add_text(out, text);
        free(text);
        break;
    }
    }
}

/* --- CSV ----------------------------------------------------------------------------------------------------------- */

static void put_field(struct buf *out, const char *p, size_t n, bool is_text)
{
    bool is_formula = is_text && n && (strchr("=+-@\t\r", p[0]) != NULL);
    bool is_quoted = is_formula || memchr(p, '"', n) || memchr(p, ',', n) || memchr(p, '\n', n) || memchr(p, '\r', n) ||
                     (n && (p[0] == ' ' || p[n - 1] == ' '));
    if (!is_quoted) {
        buf_add(out, p, n);
        return;
    }
    buf_add_text(out, is_formula ? "\"'" : "\"");
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"')
            buf_add_byte(out, '"');
        buf_add_byte(out, (uint8_t)p[i]);
    }
    buf_add_byte(out, '"');
}

static void write_csv(const struct columns *c, const json_t *rows, struct buf *out)
{
    struct buf text = {.max = CELL_MAX_BYTES};
    size_t k;
    json_t *row;
    buf_add_text(out, "\xef\xbb\xbf"); /* without it Excel takes Vietnamese for something else */
    for (size_t i = 0; i < c->n; i++) {
        buf_add_text(out, i ? "," : "");
        put_field(out, c->names[i], strlen(c->names[i]), true);
    }
    buf_add_text(out, "\r\n");
    json_array_foreach(rows, k, row) {
        struct row_cells cells = {.columns = c};
        walk(row, "", 0, take_cell, &cells);
        for (size_t i = 0; i < c->n; i++) {
            buf_add_text(out, i ? "," : "");
            if (!cells.v[i])
                continue;
            text_of(cells.v[i], &text);
            put_field(out, (const char *)text.p, text.n, !json_is_number(cells.v[i]));
        }
        buf_add_text(out, "\r\n");
    }
    buf_fini(&text);
}

/* --- XLSX ---------------------------------------------------------------------------------------------------------- */

static void write_cell(lxw_worksheet *sheet, lxw_row_t row, lxw_col_t column, const json_t *v, struct buf *text)
{
    json_int_t n = json_integer_value(v);
    if (json_is_integer(v) && n > -(INT64_C(1) << 53) && n < INT64_C(1) << 53) {
        worksheet_write_number(sheet, row, column, (double)n, NULL);
        return;
    }
    if (json_is_real(v)) {
        worksheet_write_number(sheet, row, column, json_real_value(v), NULL);
        return;
    }
    if (json_is_boolean(v)) {
        worksheet_write_boolean(sheet, row, column, json_is_true(v), NULL);
        return;
    }
    text_of(v, text);
    if (text->n > XLSX_TEXT_MAX)
        for (text->n = XLSX_TEXT_MAX; text->n && (text->p[text->n] & 0xc0) == 0x80;) /* cut between characters */
            text->n--;
    buf_add_byte(text, 0);
    if (!text->is_bad && text->n > 1)
        worksheet_write_string(sheet, row, column, (const char *)text->p, NULL);
}

static int fill_workbook(lxw_workbook *book, const struct columns *c, const json_t *rows)
{
    struct buf text = {.max = CELL_MAX_BYTES};
    size_t k;
    json_t *row;
    lxw_worksheet *sheet = workbook_add_worksheet(book, NULL);
    lxw_format *bold = workbook_add_format(book);
    if (sheet && bold) {
        format_set_bold(bold);
        worksheet_freeze_panes(sheet, 1, 0);
        for (size_t i = 0; i < c->n; i++)
            worksheet_write_string(sheet, 0, (lxw_col_t)i, c->names[i], bold);
        json_array_foreach(rows, k, row) {
            struct row_cells cells = {.columns = c};
            walk(row, "", 0, take_cell, &cells);
            for (size_t i = 0; i < c->n; i++)
                if (cells.v[i])
                    write_cell(sheet, (lxw_row_t)(k + 1), (lxw_col_t)i, cells.v[i], &text);
        }
    }
    buf_fini(&text);
    lxw_error e = workbook_close(book); /* frees it too */
    return sheet && bold && !e ? 0 : -EIO;
}

static int write_xlsx(const struct web *w, const struct columns *c, const json_t *rows, struct buf *out)
{
    char dir[3000], path[4000];
    snprintf(dir, sizeof(dir), "%s/office/tmp", w->o.data_dir);
    snprintf(path, sizeof(path), "%s/table-XXXXXX", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    close(fd);
    lxw_workbook_options o = {.constant_memory = LXW_TRUE, .tmpdir = dir};
    lxw_workbook *book = workbook_new_opt(path, &o);
    int r = book ? fill_workbook(book, c, rows) : -ENOMEM;
    uint8_t *bytes = NULL;
    size_t n = 0;
    if (!r)
        r = file_read_path(path, WEB_REPLY_MAX, &bytes, &n);
    unlink(path);
    if (!r)
        *out = (struct buf){.p = bytes, .n = n, .capacity = n, .max = WEB_REPLY_MAX};
    return r;
}

int web_table(const struct web_request *q, struct web_reply *r, const json_t *rows, enum web_form form)
{
    struct columns c = {0};
    struct buf out = {.max = WEB_REPLY_MAX};
    char *name = arena_alloc(q->arena, 100);
    int e = name ? find_columns(&c, rows) : -ENOMEM;
    if (!e && form == WEB_CSV)
        write_csv(&c, rows, &out);
    else if (!e)
        e = write_xlsx(q->web, &c, rows, &out);
    json_decref(c.by_name);
    json_decref(c.empty);
    if (e || out.is_bad) {
        buf_fini(&out);
        return e ? e : -ENOMEM;
    }
    snprintf(name, 100, "%s.%s", call_of(q)->entry.route->operation, form == WEB_CSV ? "csv" : "xlsx");
    r->status = 200;
    r->bytes = out;
    r->file_name = name;
    r->content_type = form == WEB_CSV ? "text/csv; charset=utf-8" : "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
    return 0;
}
