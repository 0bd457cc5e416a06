/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSV: the header gives each column its field and its way of being put; a row is one pass over its separators.
 */
#include "format/event_zeek.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 512, MARK_MAX = 32, CELL_MAX = 1 << 20 };

enum type { TYPE_TEXT, TYPE_LONG, TYPE_REAL, TYPE_BOOL };

struct column {
    const struct zeek_map *map; /* NULL: only its own name */
    uint16_t own;
    uint8_t type; /* enum type */
    bool is_list;
    bool has_parts; /* glued: the next columns are parts of the same cell */
};

struct event_zeek {
    struct event_names *names;
    struct column columns[COLUMNS_MAX];
    uint32_t n_columns; /* parts of glued ones counted */
    uint32_t n_cells;   /* cells of a row */
    char separator, set_separator;
    char unset[MARK_MAX], empty[MARK_MAX], log[ZEEK_LOG_MAX];
    struct text unset_mark, empty_mark, log_name;
    struct buf scratch;
};

static void reset(struct event_zeek *z)
{
    z->separator = '\t';
    z->set_separator = ',';
    z->n_columns = z->n_cells = 0;
    z->unset_mark = TEXT("-");
    z->empty_mark = TEXT("(empty)");
    z->log_name = TEXT("other");
}

struct event_zeek *event_zeek_new(struct event_names *names)
{
    struct event_zeek *z = calloc(1, sizeof *z);
    if (!z)
        return NULL;
    z->names = names;
    z->scratch.max = CELL_MAX;
    reset(z);
    return z;
}

void event_zeek_free(struct event_zeek *z)
{
    if (z)
        buf_fini(&z->scratch);
    free(z);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* unescaped - \xHH undone, into the scratch if there is any. */
static struct text unescaped(struct event_zeek *z, struct text t)
{
    const char *escape = memmem(t.p, t.n, "\\x", 2);
    if (!escape || t.n > CELL_MAX)
        return t;
    buf_clear(&z->scratch);
    char *out = (char *)buf_room(&z->scratch, t.n), *to = out;
    if (!out)
        return t;
    for (size_t i = 0; i < t.n; i++) {
        int high = t.n - i > 3 && t.p[i] == '\\' && t.p[i + 1] == 'x' ? hex_digit(t.p[i + 2]) : -1;
        int low = high >= 0 ? hex_digit(t.p[i + 3]) : -1;
        if (high >= 0 && low >= 0) {
            *to++ = (char)(high << 4 | low);
            i += 3;
        } else {
            *to++ = t.p[i];
        }
    }
    return (struct text){out, (size_t)(to - out)};
}

/* --- header ----------------------------------------------------------------------------------------- */

/* next_word - up to @separator (or blanks when it is 0). Return: false at the end. */
static bool next_word(struct text *rest, char separator, struct text *ret)
{
    if (!separator)
        while (rest->n && rest->p[0] == ' ')
            rest->p++, rest->n--;
    if (!rest->p || (!rest->n && !separator))
        return false;
    size_t n = 0;
    while (n < rest->n && rest->p[n] != (separator ? separator : ' '))
        n++;
    *ret = (struct text){rest->p, n};
    if (n == rest->n)
        *rest = (struct text){NULL, 0};
    else
        *rest = (struct text){rest->p + n + 1, rest->n - n - 1};
    return true;
}

static void add_column(struct event_zeek *z, struct text name, bool has_parts)
{
    if (z->n_columns == COLUMNS_MAX)
        return;
    struct column *c = &z->columns[z->n_columns++];
    *c = (struct column){.map = zeek_map_find(z->log_name, name), .own = zeek_field(z->names, z->log_name, name), .has_parts = has_parts};
}

static void read_fields(struct event_zeek *z, struct text rest)
{
    struct text cell, part;
    z->n_columns = z->n_cells = 0;
    while (next_word(&rest, z->separator, &cell)) {
        bool is_glued = memchr(cell.p, ' ', cell.n) != NULL;
        struct text parts = cell;
        z->n_cells++;
        if (!is_glued)
            add_column(z, cell, false);
        while (is_glued && next_word(&parts, 0, &part))
            add_column(z, part, parts.p && text_trim(parts).n);
    }
}

static void read_types(struct event_zeek *z, struct text rest)
{
    struct text cell, part;
    uint32_t i = 0;
    while (next_word(&rest, z->separator, &cell)) {
        struct text parts = cell;
        while (next_word(&parts, 0, &part) && i < z->n_columns) {
            struct column *c = &z->columns[i++];
            const char *open = memchr(part.p, '[', part.n);
            struct text base = part;
            c->is_list = open && (size_t)(open - part.p) <= 6;
            if (c->is_list)
                base = (struct text){open + 1, part.n - (size_t)(open + 1 - part.p) - (part.p[part.n - 1] == ']' ? 1 : 0)};
            if (text_is(base, "count") || text_is(base, "int") || text_is(base, "port"))
                c->type = TYPE_LONG;
            else if (text_is(base, "double") || text_is(base, "interval") || text_is(base, "time"))
                c->type = TYPE_REAL;
            else if (text_is(base, "bool"))
                c->type = TYPE_BOOL;
        }
    }
}

static struct text keep(char *room, size_t size, struct text t)
{
    if (t.n > size)
        t.n = size;
    memcpy(room, t.p, t.n);
    return (struct text){room, t.n};
}

static void directive(struct event_zeek *z, struct text line)
{
    if (line.n > 11 && !memcmp(line.p, "#separator ", 11)) { /* always first, and always behind a blank */
        struct text t = unescaped(z, (struct text){line.p + 11, line.n - 11});
        reset(z);
        if (t.n)
            z->separator = t.p[0];
        return;
    }
    const char *p = memchr(line.p, z->separator, line.n);
    if (!p)
        return;
    struct text name = {line.p + 1, (size_t)(p - line.p) - 1}, value = {p + 1, line.n - (size_t)(p + 1 - line.p)};
    if (text_is(name, "set_separator") && value.n)
        z->set_separator = value.p[0];
    else if (text_is(name, "empty_field"))
        z->empty_mark = keep(z->empty, sizeof z->empty, value);
    else if (text_is(name, "unset_field"))
        z->unset_mark = keep(z->unset, sizeof z->unset, value);
    else if (text_is(name, "path"))
        z->log_name = keep(z->log, sizeof z->log, zeek_log_name(value));
    else if (text_is(name, "fields"))
        read_fields(z, value);
    else if (text_is(name, "types"))
        read_types(z, value);
}

/* --- rows ------------------------------------------------------------------------------------------- */

/* micros - seconds with decimals as microseconds. Return: 0 or 1. */
static int micros(struct text t, int64_t *ret)
{
    uint64_t s, fraction = 0, scale = 100000;
    bool is_negative = t.n && t.p[0] == '-';
    t = (struct text){t.p + is_negative, t.n - is_negative};
    const char *dot = t.n ? memchr(t.p, '.', t.n) : NULL;
    size_t n = dot ? (size_t)(dot - t.p) : t.n;
    if (text_u64((struct text){t.p, n}, UINT64_C(9000000000000), &s))
        return 1;
    for (size_t i = n + 1; i < t.n; i++, scale /= 10) {
        if (t.p[i] < '0' || t.p[i] > '9')
            return 1;
        fraction += (uint64_t)(t.p[i] - '0') * scale;
    }
    *ret = (int64_t)(s * 1000000 + fraction) * (is_negative ? -1 : 1);
    return 0;
}

static void put_typed(struct events *e, uint16_t field, enum type type, struct text t)
{
    char copy[64], *end;
    int64_t number = 0;
    uint64_t u;
    bool is_negative = t.n && t.p[0] == '-';
    switch (type) {
    case TYPE_LONG:
        if (text_u64((struct text){t.p + is_negative, t.n - is_negative}, INT64_MAX, &u))
            break;
        number = is_negative ? -(int64_t)u : (int64_t)u;
        event_put_long(e, field, number);
        return;
    case TYPE_REAL:
        if (!t.n || t.n >= sizeof copy)
            break;
        memcpy(copy, t.p, t.n);
        copy[t.n] = 0;
        double real = strtod(copy, &end);
        if (*end || !isfinite(real))
            break;
        event_put_real(e, field, real);
        return;
    case TYPE_BOOL:
        if (t.n != 1 || (t.p[0] != 'T' && t.p[0] != 'F'))
            break;
        event_put_bool(e, field, t.p[0] == 'T');
        return;
    case TYPE_TEXT: break;
    }
    event_put_text(e, field, t);
}

static void put_mapped(struct events *e, const struct column *c, struct text t)
{
    struct ip ip;
    int64_t us;
    if (c->map->is_weak && event_find(e, c->map->field))
        return;
    switch ((enum zeek_op)c->map->op) {
    case ZEEK_PUT: event_put(e, c->map->field, t); break;
    case ZEEK_TEXT: event_put_text(e, c->map->field, t); break;
    case ZEEK_TIME:
        if (!micros(t, &us))
            event_time(e, us);
        break;
    case ZEEK_SECONDS:
        if (!micros(t, &us))
            event_put_long(e, c->map->field, us * 1000);
        break;
    case ZEEK_IP:
        if (!ip_parse(t.p, t.n, &ip))
            event_put_ip(e, c->map->field, &ip);
        break;
    case ZEEK_OUTCOME: event_put_text(e, c->map->field, t.p[0] == 'T' ? TEXT("success") : TEXT("failure")); break;
    case ZEEK_SKIP: break;
    }
}

static void put_value(struct event_zeek *z, struct events *e, const struct column *c, struct text t)
{
    if (!t.n || text_equal(t, z->unset_mark) || text_equal(t, z->empty_mark))
        return;
    t = unescaped(z, t);
    if (c->map)
        put_mapped(e, c, t);
    if (!c->map || c->map->keeps_own)
        put_typed(e, c->own, (enum type)c->type, t);
}

static void put_cell(struct event_zeek *z, struct events *e, const struct column *c, struct text t)
{
    struct text item;
    if (!c->is_list) {
        put_value(z, e, c, t);
        return;
    }
    if (text_equal(t, z->unset_mark) || text_equal(t, z->empty_mark))
        return;
    while (next_word(&t, z->set_separator, &item))
        put_value(z, e, c, item);
}

static void put_row(struct event_zeek *z, struct text line, struct events *e)
{
    struct text cell, part, rest = line;
    uint32_t i = 0;
    while (i < z->n_columns && next_word(&rest, z->separator, &cell)) {
        if (!z->columns[i].has_parts) {
            put_cell(z, e, &z->columns[i++], cell);
            continue;
        }
        bool has_more = true;
        for (struct text parts = cell; has_more && i < z->n_columns; i++) {
            has_more = z->columns[i].has_parts;
            if (next_word(&parts, 0, &part))
                put_cell(z, e, &z->columns[i], part);
        }
    }
}

static uint32_t cells_of(const struct event_zeek *z, struct text line)
{
    uint32_t n = 1;
    for (const char *p = line.p, *end = p + line.n; (p = memchr(p, z->separator, (size_t)(end - p))); p++)
        n++;
    return n;
}

int event_zeek_line(struct event_zeek *z, struct text line, const struct event_source *source, struct events *e)
{
    if (!line.n || line.p[0] == '#') {
        if (line.n)
            directive(z, line);
        return EVENT_ZEEK_DIRECTIVE;
    }
    if (!z->n_cells)
        return EVENT_ZEEK_NO_HEADER;
    if (cells_of(z, line) != z->n_cells)
        return EVENT_ZEEK_COLUMNS;
    int rc = event_begin(e, line, source->arrived_us);
    if (rc)
        return rc;
    put_row(z, line, e);
    zeek_put_kind(e, z->log_name, "zeek-tsv");
    event_record_source(e, source);
    return event_end(e);
}
