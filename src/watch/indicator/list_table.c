/* SPDX-License-Identifier: Apache-2.0 */
/* Separated text with or without a header: each column's meaning is settled first, then rows flow through. */
#include "base/clock.h"
#include "format/csv.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES ((size_t)256 << 10)
#define SAME_MEANING 4u /* columns that may speak for one meaning */

struct table {
    struct csv_reader csv;
    uint64_t header_line; /* 0: none */
    uint32_t n_columns;   /* of the header; 0: none */
    bool is_guessed;      /* no column is called an address */
    struct {
        uint32_t at[SAME_MEANING];
        int rank[SAME_MEANING];
        uint32_t n;
    } of[LIST_N_COLUMNS];
    int zone_s[LIST_N_COLUMNS];
};

/* learn - the header record; better ranks speak first, equal ranks in the order of the columns */
static void learn(struct table *t, const struct csv_record *r, bool is_space)
{
    memset(t->of, 0, sizeof(t->of));
    t->n_columns = r->n;
    while (t->n_columns > 1 && !text_trim(r->fields[t->n_columns - 1]).n)
        t->n_columns--;
    for (uint32_t i = 0; i < r->n; i++) {
        int zone_s = INT32_MAX;
        struct text name = list_column_name(r->fields, i);
        enum list_column c = list_column_of(name, is_space, &zone_s);
        if (c == LIST_COLUMN_NONE || t->of[c].n == SAME_MEANING)
            continue;
        int rank = list_column_rank(name);
        uint32_t k = t->of[c].n++;
        for (; k > 0 && t->of[c].rank[k - 1] > rank; k--) {
            t->of[c].rank[k] = t->of[c].rank[k - 1];
            t->of[c].at[k] = t->of[c].at[k - 1];
        }
        t->of[c].rank[k] = rank;
        t->of[c].at[k] = i;
        if (zone_s != INT32_MAX)
            t->zone_s[c] = zone_s;
    }
    t->is_guessed = !t->of[LIST_COLUMN_IP].n && !t->of[LIST_COLUMN_C2_IP].n && !t->of[LIST_COLUMN_FIRST_IP].n;
    for (int c = 1; c < LIST_N_COLUMNS; c++)
        t->is_guessed &= !list_column_holds_names((enum list_column)c) || !t->of[c].n;
}

/* bare - some writers put a blank between the comma and the quote, which leaves the quotes in the cell */
static struct text bare(struct text cell)
{
    cell = text_trim(cell);
    if (cell.n >= 2 && cell.p[0] == '"' && cell.p[cell.n - 1] == '"')
        return text_trim((struct text){cell.p + 1, cell.n - 2});
    return cell;
}

/* name_rank - how surely a field is the name a row lists: a hash, a URL with its scheme, a domain (or a file's name). */
static int name_rank(struct text t)
{
    char name[LIST_NAME_BYTES];
    size_t n;
    switch (name_parse(t, name, &n)) {
    case NAME_HASH: return 3;
    case NAME_URL: return memmem(t.p, t.n, "://", 3) ? 2 : 1;
    case NAME_DOMAIN: return memmem(t.p, t.n, "://", 3) ? 2 : 1;
    case NAME_NONE: break;
    }
    return 0;
}

/* guess_name - of a row without an address. */
static void guess_name(const struct csv_record *r, struct list_cells *c)
{
    int best = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        struct text t = bare(r->fields[i]);
        int rank = name_rank(t);
        if (rank > best) {
            best = rank;
            c->of[LIST_COLUMN_IP] = t;
        }
    }
}

/* without a header: the first field that is an address, else the surest name, and the first that is a time */
static void guess(const struct csv_record *r, struct list_cells *c, bool is_space)
{
    bool has_address = false;
    for (uint32_t i = 0; i < r->n; i++) {
        struct ip_range range;
        uint16_t port;
        bool bits;
        int64_t at;
        struct text t = bare(r->fields[i]);
        if (!has_address && !list_address_parse(t, &range, &port, &bits)) {
            c->of[LIST_COLUMN_IP] = t;
            has_address = true;
        } else if (!c->of[LIST_COLUMN_TIME].n && t.n >= 10 && t.n < TIME_TEXT_MAX &&
                   !clock_parse(t.p, t.n, c->zone_s[LIST_COLUMN_TIME], &at)) {
            c->of[LIST_COLUMN_TIME] = t;
        }
    }
    if (!has_address)
        c->of[LIST_COLUMN_IP] = text_trim(r->fields[0]);
    if (!has_address && !is_space)
        guess_name(r, c);
}

static bool is_comment(const struct csv_record *r, char separator)
{
    struct text first = text_trim(r->fields[0]);
    return separator != ';' && first.n && *first.p == ';';
}

static bool is_empty(const struct csv_record *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (text_trim(r->fields[i]).n)
            return false;
    return true;
}

static bool is_as_wide(const struct table *t, const struct csv_record *r, bool may_be_short)
{
    if (r->n < t->n_columns && !may_be_short)
        return false;
    for (uint32_t i = t->n_columns; i < r->n; i++)
        if (text_trim(r->fields[i]).n)
            return false;
    return true;
}

/* is_header_again - tables are joined end to end with their headers; only asked of rows whose address is none */
static bool is_header_again(const struct table *t, const struct csv_record *r, bool is_space)
{
    bool names_address;
    if (!t->n_columns || t->is_guessed)
        return false;
    for (uint32_t k = 0; k < t->of[LIST_COLUMN_IP].n; k++) {
        uint32_t at = t->of[LIST_COLUMN_IP].at[k];
        struct text cell = at < r->n ? text_trim(r->fields[at]) : (struct text){"", 0};
        if (cell.n && ((*cell.p >= '0' && *cell.p <= '9') || memchr(cell.p, '.', cell.n) || memchr(cell.p, ':', cell.n)))
            return false;
    }
    return list_columns_known(r->fields, r->n, is_space, &names_address) >= 2 && names_address;
}

static void take_record(struct list_parse *p, struct table *t, const struct csv_record *r)
{
    struct list_cells cells;
    if (r->line < t->header_line || is_empty(r) || is_comment(r, t->csv.separator))
        return;
    if (r->line == t->header_line || is_header_again(t, r, p->o->is_space)) {
        learn(t, r, p->o->is_space);
        return;
    }
    memset(&cells, 0, sizeof(cells));
    memcpy(cells.zone_s, t->zone_s, sizeof(cells.zone_s));
    struct text first = text_trim(r->fields[0]);
    if (first.n && *first.p == '#')
        return;
    if (t->n_columns && !is_as_wide(t, r, p->is_sheet)) {
        list_row_refuse(p, r->line, LIST_REFUSED_bad_columns, r->raw);
        return;
    }
    if (t->is_guessed)
        guess(r, &cells, p->o->is_space);
    for (int c = 1; c < LIST_N_COLUMNS; c++)
        for (uint32_t k = 0; k < t->of[c].n && !cells.of[c].n; k++)
            if (t->of[c].at[k] < r->n)
                cells.of[c] = bare(r->fields[t->of[c].at[k]]);
    list_row_cells(p, r->line, &cells, t->is_guessed ? cells.of[LIST_COLUMN_IP] : r->raw);
}

/* a quote that is never closed swallowed rows up to the limit or the end: columns, not length */
static void refuse_record(struct list_parse *p, const struct csv_record *r)
{
    list_row_refuse(p, r->line, r->refusal == CSV_TOO_LONG ? LIST_REFUSED_too_long : LIST_REFUSED_bad_columns, r->raw);
}

static void drain(struct list_parse *p, struct table *t)
{
    struct csv_record r;
    int c;
    while (!p->rc && ((c = csv_next(&t->csv, &r)) == 0 || c == CSV_REFUSED)) {
        if (c == CSV_REFUSED)
            refuse_record(p, &r);
        else
            take_record(p, t, &r);
    }
}

int list_read_table(struct list_parse *p, uint64_t header_line, char separator, bool is_commented_header)
{
    struct table *t = calloc(1, sizeof(*t));
    uint8_t *piece = malloc(TABLE_BYTES);
    ssize_t got = 0;
    int r = t && piece ? 0 : -ENOMEM;
    if (!r) {
        csv_init(&t->csv, &(struct csv_options){.separator = separator, .comment = is_commented_header ? 0 : '#',
                                                .max_record_bytes = LIST_MAX_ROW_BYTES});
        t->header_line = header_line;
        t->is_guessed = true;
        for (int i = 0; i < LIST_N_COLUMNS; i++)
            t->zone_s[i] = p->o->zone_s;
    }
    while (!r && !p->rc && (got = list_source_read(&p->source, piece, TABLE_BYTES)) > 0) {
        r = csv_feed(&t->csv, piece, (size_t)got);
        if (!r)
            drain(p, t);
    }
    if (!r && !p->rc && !got) {
        r = csv_end(&t->csv);
        if (!r)
            drain(p, t);
    }
    if (t)
        csv_fini(&t->csv);
    free(t);
    free(piece);
    if (r)
        return FAULT(p->fault, r, no_memory, "list_read");
    if (got < 0)
        return FAULT(p->fault, (int)got, list_read_failed, strerror((int)-got));
    return p->rc;
}
