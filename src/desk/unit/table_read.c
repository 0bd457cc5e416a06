/* SPDX-License-Identifier: Apache-2.0 */
#include "desk/unit/table_read.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "desk/unit/unit_name.h"
#include "format/csv.h"
#include "lab/sheet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define X(id, word) word,
static const char *const refusal_names[] = {TABLE_REFUSALS(X)};
#undef X

const char *table_refusal_name(enum table_refusal r)
{
    return refusal_names[r];
}

struct table_report *table_report_new(void)
{
    struct table_report *r = calloc(1, sizeof(*r));
    if (r)
        r->arena.max_bytes = (size_t)1 << 30;
    return r;
}

void table_report_free(struct table_report *r)
{
    if (!r)
        return;
    arena_fini(&r->arena);
    free(r);
}

static void show(struct table_report *r, uint64_t line, const char *column, enum table_refusal why, struct text value, bool is_warning)
{
    enum { SHOWN_BYTES = 200 };
    if (r->n_shown == TABLE_SHOWN)
        return;
    size_t n = value.n < SHOWN_BYTES ? value.n : SHOWN_BYTES;
    while (n && n < value.n && ((unsigned char)value.p[n] & 0xc0) == 0x80)
        n--;
    bool is_text = n && text_is_utf8(value.p, n);
    const char *copy = is_text ? arena_text(&r->arena, value.p, n) : NULL;
    r->shown[r->n_shown++] = (struct table_refused){line, column, why, is_warning, copy ? (struct text){copy, n} : TEXT("")};
}

void table_refuse(struct table_report *r, uint64_t line, const char *column, enum table_refusal why, struct text value)
{
    r->n_refused++;
    r->refused[why]++;
    show(r, line, column, why, value, false);
}

void table_warn(struct table_report *r, uint64_t line, const char *column, enum table_refusal why, struct text value)
{
    r->n_warned++;
    show(r, line, column, why, value, true);
}

bool table_is_mostly_bad(const struct table_report *r)
{
    return r->n_refused > r->n_rows / 2;
}

/* --- bytes to records -------------------------------------------------------------------------------------------- */

static int read_to_end(int fd, struct buf *b)
{
    for (;;) {
        uint8_t *p = buf_room(b, 65536);
        if (!p)
            return b->n + 65536 > b->max ? -EFBIG : -ENOMEM;
        ssize_t got = read(fd, p, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : 0;
        b->n += (size_t)got;
    }
}

/* sheet_to_csv - through the lab; @b gets the CSV text */
static int sheet_to_csv(const uint8_t *p, size_t n, struct buf *b, struct fault *f)
{
    _cleanup_close_ int fd = memfd_create("sheet", MFD_CLOEXEC);
    int out = -1;
    void *job = NULL;
    int r = fd < 0 ? -errno : file_pwrite_full(fd, p, n, 0);
    if (r)
        return FAULT(f, r, cli_cannot_read, "xlsx", strerrordesc_np(-r));
    r = lab_sheet_open(fd, &out, &job, f);
    if (r)
        return r;
    int read_r = read_to_end(out, b);
    close(out);
    r = lab_sheet_close(job, f);
    if (r || !read_r)
        return r;
    return FAULT(f, read_r, cli_cannot_read, "xlsx", strerrordesc_np(-read_r));
}

struct reading {
    const struct sheet_column *columns;
    size_t n_columns;
    struct table_report *report;
    int of_field[CSV_MAX_FIELDS]; /* column, or -1 */
    uint32_t n_fields;
    bool has_header, is_sheet;
    uint64_t n_looked, line_before; /* of the sheet's first line */
    struct table_row *rows;
    size_t n, capacity;
};

static size_t fold_header(struct text t, char out[UNIT_FOLD_BYTES])
{
    return unit_name_fold(NULL, t, out);
}

static bool is_among(struct text t, const char *all)
{
    while (all && *all) {
        const char *end = strchrnul(all, '|');
        if (text_equal(t, (struct text){all, (size_t)(end - all)}))
            return true;
        all = *end ? end + 1 : end;
    }
    return false;
}

static int column_of(const struct reading *g, struct text header)
{
    char folded[UNIT_FOLD_BYTES], id[UNIT_FOLD_BYTES];
    struct text t = {folded, header.n < UNIT_NAME_BYTES ? fold_header(header, folded) : 0};
    for (size_t i = 0; i < g->n_columns && t.n; i++) {
        size_t n = fold_header((struct text){g->columns[i].id, strlen(g->columns[i].id)}, id);
        if (text_equal(t, (struct text){id, n}) || is_among(t, g->columns[i].headers))
            return (int)i;
    }
    return -1;
}

/* take_header - Return: true if the record names every needed column, and two columns at least if it has more than one. */
static bool take_header(struct reading *g, const struct csv_record *c)
{
    bool seen[TABLE_COLUMNS] = {false};
    unsigned n_known = 0, n_filled = 0;
    g->n_fields = c->n;
    for (uint32_t i = 0; i < c->n; i++) {
        int column = column_of(g, text_trim(c->fields[i]));
        g->of_field[i] = column >= 0 && !seen[column] ? column : -1;
        n_filled += text_trim(c->fields[i]).n > 0;
        n_known += g->of_field[i] >= 0;
        if (column >= 0)
            seen[column] = true;
    }
    if (!n_known || (n_known == 1 && n_filled > 1))
        return false;
    for (size_t i = 0; i < g->n_columns; i++)
        if (g->columns[i].is_needed && !seen[i])
            return false;
    for (uint32_t i = 0; i < c->n && g->report->n_unknown < TABLE_COLUMNS; i++) {
        struct text t = text_trim(c->fields[i]);
        const char *copy = g->of_field[i] < 0 && t.n && t.n < 200 && text_is_utf8(t.p, t.n) ? arena_text(&g->report->arena, t.p, t.n)
            : NULL;
        if (copy)
            g->report->unknown_headers[g->report->n_unknown++] = (struct text){copy, t.n};
    }
    return true;
}

static bool has_control(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] < 0x20 || t.p[i] == 0x7f)
            return true;
    return false;
}

/* clean - a cell without line ends: they stand where people press Alt+Enter */
static int clean(struct reading *g, struct text t, struct text *ret)
{
    char *p = arena_text(&g->report->arena, t.p, t.n);
    if (!p)
        return -ENOMEM;
    for (size_t i = 0; i < t.n; i++)
        if (p[i] == '\n' || p[i] == '\r' || p[i] == '\t')
            p[i] = ' ';
    *ret = text_trim((struct text){p, t.n});
    if (ret->n > 1 && ret->p[0] == '\'' && strchr("=+-@", ret->p[1])) /* as exports keep a spreadsheet from running it */
        *ret = (struct text){ret->p + 1, ret->n - 1};
    return 0;
}

static int new_row(struct reading *g, struct table_row **ret)
{
    if (g->n == g->capacity) {
        size_t more = g->capacity ? g->capacity * 2 : 256;
        struct table_row *p = reallocarray(g->rows, more, sizeof(*p));
        if (!p)
            return -ENOMEM;
        g->rows = p;
        g->capacity = more;
    }
    *ret = &g->rows[g->n];
    memset(*ret, 0, sizeof(**ret));
    return 0;
}

static bool is_blank(const struct csv_record *c)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (text_trim(c->fields[i]).n)
            return false;
    return true;
}

static int take_row(struct reading *g, const struct csv_record *c)
{
    struct table_row *row;
    if (is_blank(c))
        return 0;
    g->report->n_rows++;
    if (g->n == TABLE_ROWS) {
        table_refuse(g->report, c->line, "", TABLE_REFUSED_TOO_MANY, TEXT(""));
        return 0;
    }
    int r = new_row(g, &row);
    if (r)
        return r;
    row->line = c->line;
    for (uint32_t i = 0; i < c->n && i < g->n_fields; i++) {
        if (g->of_field[i] < 0)
            continue;
        size_t column = (size_t)g->of_field[i];
        struct text t = c->fields[i];
        bool is_long = t.n > TABLE_CELL_BYTES;
        if (is_long || !text_is_utf8(t.p, t.n)) {
            table_refuse(g->report, c->line, g->columns[column].id, is_long ? TABLE_REFUSED_TOO_LONG : TABLE_REFUSED_BAD_TEXT, t);
            return 0;
        }
        r = clean(g, t, &row->cells[column]);
        if (r)
            return r;
        if (has_control(row->cells[column])) {
            table_refuse(g->report, c->line, g->columns[column].id, TABLE_REFUSED_BAD_TEXT, TEXT(""));
            return 0;
        }
    }
    for (size_t i = 0; i < g->n_columns; i++)
        if (g->columns[i].is_needed && !row->cells[i].n) {
            table_refuse(g->report, c->line, g->columns[i].id, TABLE_REFUSED_MISSING, TEXT(""));
            return 0;
        }
    g->n++;
    return 0;
}

static int take(struct reading *g, int result, struct csv_record *c)
{
    uint64_t line = c->line;
    c->line -= g->line_before;
    if (g->is_sheet && !result && c->n == 1 && text_is(c->fields[0], "\f")) {
        g->line_before = line;
        g->has_header = false; /* the next sheet has its own */
        g->n_looked = 0;
        return 0;
    }
    if (!g->has_header) {
        if (g->n_looked++ < TABLE_HEADER_LINES && !result)
            g->has_header = take_header(g, c);
        return 0;
    }
    if (!result)
        return take_row(g, c);
    g->report->n_rows++;
    table_refuse(g->report, c->line, "", TABLE_REFUSED_BAD_ROW, c->raw);
    return 0;
}

static int read_records(struct reading *g, char separator, const uint8_t *p, size_t n, bool *ret_any)
{
    struct csv_reader *csv = malloc(sizeof(*csv));
    if (!csv)
        return -ENOMEM;
    csv_init(csv, &(struct csv_options){.separator = separator, .keep_blank = g->is_sheet});
    int r = csv_feed(csv, p, n), got;
    struct csv_record c;
    r = r ? r : csv_end(csv);
    while (!r && (got = csv_next(csv, &c)) != CSV_END && got != CSV_MORE) {
        r = take(g, got, &c);
        *ret_any |= g->has_header;
    }
    csv_fini(csv);
    free(csv);
    return r;
}

/* read_all - titles above the header, and commas in cells, can hide the separator: then the others are tried. */
static int read_all(struct reading *g, const uint8_t *p, size_t n, bool *ret_any)
{
    static const char separators[] = {0, ';', '\t', ','};
    int r = 0;
    if (g->is_sheet)
        return read_records(g, ',', p, n, ret_any);
    for (size_t i = 0; i < sizeof(separators) && !r && !*ret_any; i++) {
        g->n_looked = 0;
        r = read_records(g, separators[i], p, n, ret_any);
    }
    return r;
}

static int no_header(const struct reading *g, struct fault *f)
{
    char names[300];
    size_t n = 0;
    bool needs_any = false;
    for (size_t i = 0; i < g->n_columns; i++)
        needs_any |= g->columns[i].is_needed;
    for (size_t i = 0; i < g->n_columns; i++)
        if ((g->columns[i].is_needed || !needs_any) && n < sizeof(names) - 64)
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%.40s", n ? ", " : "", g->columns[i].id);
    names[n] = '\0';
    return FAULT(f, TABLE_NO_HEADER, table_no_header, names);
}

int table_read(const uint8_t *p, size_t n, const struct sheet_column *columns, size_t n_columns, struct table_report *report,
               struct table_row **ret, size_t *ret_n, struct fault *f)
{
    struct buf sheet = {.max = TABLE_TEXT_BYTES};
    if (n > TABLE_FILE_BYTES || n_columns > TABLE_COLUMNS)
        return FAULT(f, -EFBIG, table_too_large, (unsigned long long)(TABLE_FILE_BYTES >> 20));
    struct reading *g = calloc(1, sizeof(*g));
    if (!g)
        return FAULT(f, -ENOMEM, no_memory, "table_read");
    g->columns = columns;
    g->n_columns = n_columns;
    g->report = report;
    g->is_sheet = n > 4 && !memcmp(p, "PK\3\4", 4);
    bool has_any = false;
    int r = g->is_sheet ? sheet_to_csv(p, n, &sheet, f) : 0;
    if (!r) {
        r = read_all(g, g->is_sheet ? sheet.p : p, g->is_sheet ? sheet.n : n, &has_any);
        r = r ? FAULT(f, r, no_memory, "table_read") : has_any ? 0 : no_header(g, f);
    }
    buf_fini(&sheet);
    *ret = r ? NULL : g->rows;
    *ret_n = r ? 0 : g->n;
    if (r)
        free(g->rows);
    free(g);
    return r;
}

/* --- cells to values --------------------------------------------------------------------------------------------- */

static bool refuse(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, enum table_refusal why)
{
    table_refuse(r, row->line, c[column].id, why, row->cells[column]);
    return false;
}

bool table_read_time(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, int64_t otherwise,
                int64_t *ret)
{
    struct text t = row->cells[column];
    *ret = otherwise;
    return !t.n || !clock_parse(t.p, t.n, ZONE_VIETNAM_S, ret) || refuse(r, row, c, column, TABLE_REFUSED_BAD_TIME);
}

bool table_read_number(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, uint64_t max,
                  int64_t otherwise,
                  int64_t *ret)
{
    uint64_t value;
    *ret = otherwise;
    if (!row->cells[column].n)
        return true;
    if (max > INT64_MAX || text_u64(row->cells[column], max, &value))
        return refuse(r, row, c, column, TABLE_REFUSED_BAD_NUMBER);
    *ret = (int64_t)value;
    return true;
}

bool table_choice(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column,
                  const char *const *choices,
                  size_t n_choices, int otherwise, int *ret)
{
    char folded[UNIT_FOLD_BYTES];
    *ret = otherwise;
    if (!row->cells[column].n)
        return true;
    size_t n = row->cells[column].n < UNIT_NAME_BYTES ? fold_header(row->cells[column], folded) : 0;
    for (size_t i = 0; i < n_choices && n; i++)
        if (is_among((struct text){folded, n}, choices[i])) {
            *ret = (int)i;
            return true;
        }
    return refuse(r, row, c, column, TABLE_REFUSED_BAD_CHOICE);
}

bool table_yes(struct table_report *r, const struct table_row *row, const struct sheet_column *c, size_t column, bool otherwise, bool *ret)
{
    static const char *const answers[] = {"0|no|false|khong|n", "1|yes|true|co|x|y"};
    int at;
    if (!table_choice(r, row, c, column, answers, 2, otherwise, &at))
        return false;
    *ret = at == 1;
    return true;
}
