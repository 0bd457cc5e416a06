/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line is built in a buffer and written whole, so that a reader never sees half a row.
 */
#include "watch/query/output.h"

#include "base/message.h"
#include "format/csv.h"
#include "format/json.h"
#include "format/event.h"
#include "watch/query/output_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 16 << 20, CELL_BYTES = 1 << 20, TEXTS_MAX = 64 };

struct output {
    FILE *to;
    struct output_options options;
    struct query_column columns[QUERY_COLUMNS];
    size_t n_columns;
    bool is_shown[QUERY_COLUMNS]; /* table */
    int start_column;             /* of event.start, -1: none */
    struct buf line, cell;
    struct output_table table;
    uint64_t n_rows;
};

/* what a table shows of a whole row; the rest is for csv and json */
static const char *const shown_of_rows[] = {"event.start",       "source.ip",         "source.port",
                                            "destination.ip",    "destination.port",  "network.transport",
                                            "network.packets",   "network.bytes",     "event.label",
                                            "host.name",         "user.name",         "message"};

/* what a narrow terminal goes without: of whole rows, of hunts; the first goes first */
static const char *const less_of_rows[] = {"event.label",   "event.outcome", "log.level",         "network.packets", "network.bytes",
                                           "event.dataset", "source.port",   "network.transport", "destination.port"};
static const char *const less_of_hunts[] = {"packets", "first_seen", "bytes",  "direction", "list",
                                            "ports",   "family",     "listed", "unit",      "end"};

struct output *output_new(FILE *to, const struct output_options *o)
{
    struct output *out = calloc(1, sizeof(*out));
    if (!out)
        return NULL;
    out->to = to;
    out->options = *o;
    out->line.max = LINE_BYTES;
    out->cell.max = CELL_BYTES;
    out->start_column = -1;
    out->table.width = o->width;
    return out;
}

void output_free(struct output *o)
{
    if (!o)
        return;
    buf_fini(&o->line);
    buf_fini(&o->cell);
    output_table_fini(&o->table);
    free(o);
}

void output_hidden(const struct output *o, struct buf *titles)
{
    output_table_hidden(&o->table, titles);
}

uint64_t output_rows(const struct output *o)
{
    return o->n_rows;
}

/* --- values --------------------------------------------------------------------- */

static void put_u64(struct buf *b, uint64_t v)
{
    char digits[20];
    size_t n = sizeof(digits);
    do
        digits[--n] = (char)('0' + v % 10);
    while (v /= 10);
    buf_add(b, digits + n, sizeof(digits) - n);
}

static void put_real(struct buf *b, double v)
{
    char text[400];
    int n = snprintf(text, sizeof(text), "%.6f", v);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    buf_add(b, text, (size_t)n);
}

void output_value(struct buf *b, const struct query_value *v)
{
    char text[TIME_TEXT_MAX > IP_TEXT_MAX ? TIME_TEXT_MAX : IP_TEXT_MAX];
    switch (v->kind) {
    case QUERY_ABSENT:
        return;
    case QUERY_IP:
        buf_add(b, text, ip_format(&v->ip, text));
        return;
    case QUERY_NUMBER:
        put_u64(b, v->number);
        return;
    case QUERY_SIGNED:
        if (v->time_us < 0)
            buf_add_byte(b, '-');
        put_u64(b, v->time_us < 0 ? (uint64_t)0 - (uint64_t)v->time_us : (uint64_t)v->time_us);
        return;
    case QUERY_TIME:
        buf_add(b, text, clock_format_utc(v->time_us, text));
        return;
    case QUERY_REAL:
        put_real(b, v->real);
        return;
    case QUERY_TEXT:
        buf_add(b, v->text.p, v->text.n);
        return;
    }
}

static int write_line(struct output *o)
{
    if (o->line.is_bad)
        return -ENOMEM;
    errno = 0;
    if (fwrite(o->line.p, 1, o->line.n, o->to) == o->line.n)
        return 0;
    return errno ? -errno : -EIO;
}

/* --- csv --------------------------------------------------------------------------- */

static int csv_header(struct output *o)
{
    buf_clear(&o->line);
    for (size_t i = 0; i < o->n_columns; i++) {
        if (i)
            buf_add_byte(&o->line, ',');
        csv_put(&o->line, o->columns[i].name);
    }
    buf_add_byte(&o->line, '\n');
    return write_line(o);
}

static int csv_row(struct output *o, const struct query_value *values)
{
    buf_clear(&o->line);
    for (size_t i = 0; i < o->n_columns; i++) {
        if (i)
            buf_add_byte(&o->line, ',');
        if (values[i].kind == QUERY_TEXT)
            csv_put(&o->line, values[i].text);
        else
            output_value(&o->line, &values[i]);
    }
    buf_add_byte(&o->line, '\n');
    return write_line(o);
}

/* --- json ---------------------------------------------------------------------------- */

static void json_value(struct buf *b, const struct query_value *v)
{
    bool is_bare = v->kind == QUERY_NUMBER || v->kind == QUERY_SIGNED || v->kind == QUERY_REAL;
    if (v->kind == QUERY_TEXT) {
        json_put_string(b, v->text);
        return;
    }
    if (!is_bare)
        buf_add_byte(b, '"');
    output_value(b, v);
    if (!is_bare)
        buf_add_byte(b, '"');
}

static void json_member(struct buf *b, struct text name, const struct query_value *v)
{
    if (b->n > 1)
        buf_add_byte(b, ',');
    json_put_string(b, name);
    buf_add_byte(b, ':');
    json_value(b, v);
}

static bool is_column(const struct output *o, struct text name)
{
    for (size_t i = 0; i < o->n_columns; i++)
        if (text_equal(o->columns[i].name, name))
            return true;
    return text_is(name, "@timestamp");
}

/* texts that have no column; of one name the first */
static void json_texts(struct output *o, struct text texts)
{
    struct text seen[TEXTS_MAX], name, value;
    size_t n_seen = 0;
    while (flow_text_next(&texts, &name, &value) && n_seen < TEXTS_MAX) {
        bool is_known = is_column(o, name);
        for (size_t i = 0; i < n_seen && !is_known; i++)
            is_known = text_equal(seen[i], name);
        if (is_known)
            continue;
        seen[n_seen++] = name;
        json_member(&o->line, name, &(struct query_value){.kind = QUERY_TEXT, .text = value});
    }
}

static int json_row(struct output *o, const struct query_value *values, struct text texts)
{
    buf_clear(&o->line);
    buf_add_byte(&o->line, '{');
    if (o->options.is_rows && o->start_column >= 0 && values[o->start_column].kind != QUERY_ABSENT)
        json_member(&o->line, TEXT("@timestamp"), &values[o->start_column]);
    for (size_t i = 0; i < o->n_columns; i++)
        if (values[i].kind != QUERY_ABSENT)
            json_member(&o->line, o->columns[i].name, &values[i]);
    json_texts(o, texts);
    buf_add_text(&o->line, "}\n");
    return write_line(o);
}

/* --- table ------------------------------------------------------------------------------ */

/* title_of - what people read above a column: the catalogue's word (col_NAME), else the name itself. */
static struct text title_of(struct text name, char key[64])
{
    if (name.n >= 64)
        return name;
    memcpy(key, name.p, name.n);
    key[name.n] = '\0';
    const char *title = message_find("col_", key);
    return (struct text){title, strlen(title)};
}

static unsigned rank_of(const struct output *o, struct text name)
{
    const char *const *names = o->options.is_rows ? less_of_rows : less_of_hunts;
    size_t n = o->options.is_rows ? sizeof(less_of_rows) / sizeof(*less_of_rows) : sizeof(less_of_hunts) / sizeof(*less_of_hunts);
    for (size_t i = 0; i < n; i++)
        if (text_is(name, names[i]))
            return (unsigned)i + 1;
    return 0;
}

/* is_count - a number that says how many: ports, AS numbers and the like are names and never grouped */
static bool is_count(struct text name)
{
    static const char *const counts[] = {"bytes", "packets", "flows", "count", "duration"};
    const char *open = name.n && name.p[name.n - 1] == ')' ? memchr(name.p, '(', name.n) : NULL;
    if (open && open - name.p == 3 && !memcmp(name.p, "sum", 3))
        return true;
    name.n -= open != NULL;
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        size_t n = strlen(counts[i]);
        if (name.n >= n && !memcmp(name.p + name.n - n, counts[i], n))
            return true;
    }
    return false;
}

/* put_grouped - a number as the language writes it: 1,234.5 or 1.234,5 */
static void put_grouped(struct buf *b, struct text number)
{
    const char *point = number.n ? memchr(number.p, '.', number.n) : NULL;
    bool is_negative = number.n && *number.p == '-';
    struct text whole = {number.p + is_negative, (point ? (size_t)(point - number.p) : number.n) - is_negative};
    uint64_t v;
    if (text_u64(whole, UINT64_MAX, &v)) {
        buf_add(b, number.p, number.n);
        return;
    }
    if (is_negative)
        buf_add_byte(b, '-');
    buf_add_text(b, message_count(v));
    if (point) {
        buf_add_byte(b, message_language() == LANGUAGE_VI ? ',' : '.');
        buf_add(b, point + 1, number.n - (size_t)(point + 1 - number.p));
    }
}

static int table_header(struct output *o)
{
    char key[64];
    int r = 0;
    for (size_t i = 0; !r && i < o->n_columns; i++) {
        enum query_kind kind = o->columns[i].kind;
        o->is_shown[i] = !o->options.is_rows || o->start_column < 0; /* rows of log events alone: all */
        for (size_t s = 0; s < sizeof(shown_of_rows) / sizeof(*shown_of_rows); s++)
            o->is_shown[i] = o->is_shown[i] || text_is(o->columns[i].name, shown_of_rows[s]);
        if (o->is_shown[i])
            r = output_table_column(&o->table, title_of(o->columns[i].name, key),
                                    kind == QUERY_NUMBER || kind == QUERY_SIGNED || kind == QUERY_REAL,
                                    rank_of(o, o->columns[i].name));
    }
    return r;
}

/* table_cell - into o->cell, for people */
static void table_cell(struct output *o, const struct query_value *v, struct text name)
{
    char text[TIME_TEXT_MAX];
    buf_clear(&o->cell);
    if (v->kind == QUERY_TIME) {
        buf_add(&o->cell, text, clock_format_local(v->time_us, o->options.zone_s, text));
        return;
    }
    output_value(&o->cell, v);
    bool is_number = v->kind == QUERY_NUMBER || v->kind == QUERY_SIGNED || v->kind == QUERY_REAL;
    char plain[400];
    if (!is_number || !is_count(name) || o->cell.is_bad || o->cell.n > sizeof(plain))
        return;
    struct text number = {plain, o->cell.n};
    memcpy(plain, o->cell.p, o->cell.n);
    buf_clear(&o->cell);
    put_grouped(&o->cell, number);
}

static int table_row(struct output *o, const struct query_value *values)
{
    buf_clear(&o->line);
    for (size_t i = 0; i < o->n_columns; i++) {
        if (!o->is_shown[i])
            continue;
        table_cell(o, &values[i], o->columns[i].name);
        for (size_t c = 0; c < o->cell.n; c++) /* a zero would end the cell early */
            buf_add_byte(&o->line, o->cell.p[c] ? o->cell.p[c] : '.');
        buf_add_byte(&o->line, '\0');
        if (o->cell.is_bad)
            return -ENOMEM;
    }
    return o->line.is_bad ? -ENOMEM : output_table_row(&o->table, &o->line, o->to);
}

/* --- the sink ------------------------------------------------------------------------------ */

static int begin(void *context, const struct query_column *columns, size_t n)
{
    struct output *o = context;
    if (n > QUERY_COLUMNS)
        return -E2BIG;
    if (n)
        memcpy(o->columns, columns, n * sizeof(*columns));
    o->n_columns = n;
    for (size_t i = 0; i < n; i++)
        if (text_is(columns[i].name, "event.start"))
            o->start_column = (int)i;
    switch (o->options.form) {
    case OUTPUT_CSV:
        return csv_header(o);
    case OUTPUT_TABLE:
        return table_header(o);
    case OUTPUT_JSON:
        break;
    }
    return 0;
}

static int row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    struct output *o = context;
    if (n != o->n_columns)
        return -EINVAL;
    o->n_rows++;
    switch (o->options.form) {
    case OUTPUT_CSV:
        return csv_row(o, values);
    case OUTPUT_JSON:
        return json_row(o, values, texts);
    case OUTPUT_TABLE:
        break;
    }
    return table_row(o, values);
}

static int event(void *context, const struct events *e, uint32_t row)
{
    struct output *o = context;
    o->n_rows++;
    buf_clear(&o->line);
    event_json(e, row, &o->line);
    buf_add_byte(&o->line, '\n');
    return write_line(o);
}

struct query_sink output_sink(struct output *o)
{
    return (struct query_sink){.begin = begin, .row = row, .event = o->options.form == OUTPUT_JSON ? event : NULL, .context = o};
}

int output_flush(struct output *o)
{
    int r = o->options.form == OUTPUT_TABLE ? output_table_flush(&o->table, o->to) : 0;
    errno = 0;
    if (!r && fflush(o->to))
        r = errno ? -errno : -EIO;
    return r;
}
