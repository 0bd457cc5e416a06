/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door of rows: every form of file ends here, so that the account
 * (rows = kept + refused) and the warnings are the same for all.
 */
#include "base/clock.h"
#include "format/domain_name.h"
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *list_refusal_name(enum list_refusal r)
{
    static const char *const names[] = {
#define X(id, expected) #id,
        LIST_REFUSALS(X)
#undef X
    };
    return r < LIST_N_REFUSALS ? names[r] : "";
}

const char *list_refusal_expected(enum list_refusal r)
{
    static const char *const texts[] = {
#define X(id, expected) expected,
        LIST_REFUSALS(X)
#undef X
    };
    return r < LIST_N_REFUSALS ? texts[r] : "";
}

const char *list_warning_name(enum list_warning w)
{
    static const char *const names[] = {
#define X(id) #id,
        LIST_WARNINGS(X)
#undef X
    };
    return w < LIST_N_WARNINGS ? names[w] : "";
}

uint64_t list_report_malformed(const struct list_report *r)
{
    uint64_t n = 0;
    for (size_t i = 0; i < LIST_N_REFUSALS; i++)
        if (i != LIST_REFUSED_other_kind)
            n += r->refused[i];
    return n;
}

void list_row_refuse(struct list_parse *p, uint64_t row, enum list_refusal why, struct text value)
{
    p->report->rows++;
    p->report->refused[why]++;
    if (p->report->refused_row)
        p->report->refused_row(p->report->context, row, why, value);
}

static void warn(struct list_parse *p, uint64_t row, enum list_warning why, struct text value)
{
    p->report->warned[why]++;
    if (p->report->warned_row)
        p->report->warned_row(p->report->context, row, why, value);
}

/* is_public_suffix - whether others register their names below it: listing it lists them all. */
static bool is_public_suffix(const struct domain_rules *suffixes, struct text domain)
{
    struct domain_name n;
    return suffixes && !domain_name_read(suffixes, domain, &n) && !n.registered.n;
}

void list_row_put(struct list_parse *p, struct list_row *row, bool had_host_bits, struct text value)
{
    if (p->rc)
        return;
    if (had_host_bits)
        warn(p, row->row, LIST_WARNED_host_bits, value);
    if (!p->o->is_space && row->kind == NAME_NONE) {
        if (ip_is_private(&row->range.first) || ip_is_private(&row->range.last))
            warn(p, row->row, LIST_WARNED_private_address, value);
        else if (ip_is_bogon(&row->range.first) || ip_is_bogon(&row->range.last))
            warn(p, row->row, LIST_WARNED_bogon, value);
        if (p->o->is_own && p->o->is_own(p->o->context, &row->range))
            warn(p, row->row, LIST_WARNED_own_address, value);
    }
    if (row->kind == NAME_DOMAIN && is_public_suffix(p->o->suffixes, row->name))
        warn(p, row->row, LIST_WARNED_public_suffix, value);
    p->report->entries++;
    p->rc = p->o->put(p->o->context, row);
}

/* is_nothing - what people write into a cell that holds nothing */
static bool is_nothing(struct text t)
{
    return !t.n || text_is(t, "-") || text_is(t, "--") || text_is_nocase(t, "n/a") || text_is_nocase(t, "null") ||
           text_is_nocase(t, "none") || text_is_nocase(t, "na") || text_is(t, "\xe2\x80\x94");
}

static struct text cell(const struct list_cells *c, enum list_column i)
{
    struct text t = text_trim(c->of[i]);
    return is_nothing(t) ? (struct text){"", 0} : t;
}

/* serial_of - a day number, as spreadsheets give a date whose cell has no date style: 1954 to 2119, days since 1899-12-30 */
static int serial_of(struct text t, int zone_s, int64_t *ret)
{
    char copy[32], *end;
    if (t.n < 5 || t.n >= sizeof(copy) || t.p[0] < '2' || t.p[0] > '7' || (t.n > 5 && t.p[5] != '.'))
        return 1;
    for (size_t i = 0; i < t.n; i++)
        if (i != 5 && (t.p[i] < '0' || t.p[i] > '9'))
            return 1;
    memcpy(copy, t.p, t.n);
    copy[t.n] = '\0';
    double days = strtod(copy, &end) - 25569; /* 1970-01-01 */
    if (*end)
        return 1;
    *ret = (int64_t)(days * 86400 + (days < 0 ? -0.5 : 0.5)) * US_PER_SECOND - zone_s * US_PER_SECOND;
    return 0;
}

static int time_of(const struct list_cells *c, enum list_column i, int64_t *ret, struct text *bad)
{
    struct text t = cell(c, i);
    if (!t.n)
        return 0;
    if (!clock_parse(t.p, t.n, c->zone_s[i], ret))
        return 0;
    static const char *const zones[] = {" UTC", " GMT"}; /* "2024-03-01 00:00:00 UTC" */
    for (size_t k = 0; k < sizeof(zones) / sizeof(zones[0]); k++)
        if (t.n > 4 && text_is_nocase((struct text){t.p + t.n - 4, 4}, zones[k]) && !clock_parse(t.p, t.n - 4, 0, ret))
            return 0;
    *bad = t;
    return serial_of(t, c->zone_s[i], ret);
}

static int times_of(const struct list_cells *c, bool is_space, struct list_row *row, struct text *bad)
{
    int64_t at = 0, from = 0, to = 0;
    if (time_of(c, LIST_COLUMN_TIME, &at, bad) || time_of(c, LIST_COLUMN_FIRST, &row->first_us, bad) ||
        time_of(c, LIST_COLUMN_LAST, &row->last_us, bad) || time_of(c, LIST_COLUMN_FROM, &from, bad) ||
        time_of(c, LIST_COLUMN_TO, &to, bad))
        return 1;
    if (is_space) {
        struct text until = cell(c, LIST_COLUMN_TO);
        row->first_us = cell(c, LIST_COLUMN_FROM).n ? from : INT64_MIN;
        row->last_us = until.n ? to : INT64_MAX;
        if (until.n && !memchr(until.p, ':', until.n) && to <= INT64_MAX - US_PER_DAY)
            row->last_us = to + US_PER_DAY - 1; /* a day includes itself */
        *bad = until;
        return row->first_us > row->last_us; /* it would never be ours, and nobody would know */
    }
    if (!row->first_us)
        row->first_us = at ? at : from;
    if (!row->last_us)
        row->last_us = at ? at : to;
    return 0;
}

static int port_of(const struct list_cells *c, enum list_column i, uint16_t *ret, struct text *bad)
{
    struct text t = cell(c, i);
    uint64_t v;
    if (!t.n)
        return 0;
    *bad = t;
    if (text_u64(t, 65535, &v))
        return 1;
    if (v)
        *ret = (uint16_t)v;
    return 0;
}

static uint32_t asn_of(struct text t)
{
    uint64_t v;
    if (t.n > 2 && (t.p[0] | 32) == 'a' && (t.p[1] | 32) == 's')
        t = text_trim((struct text){t.p + 2, t.n - 2});
    return text_u64(t, UINT32_MAX, &v) ? 0 : (uint32_t)v;
}

static int role_of(struct text t)
{
    static const char *const c2[] = {"c2", "c&c", "cc", "cnc", "c and c", "c2 server", "botnet cc", "control", "controller",
                                     "command and control", "ip dst", "may chu dieu khien", "may chu c&c", "may chu c2", "dieu khien"};
    char name[64];
    text_fold(t, name, sizeof(name));
    for (size_t i = 0; i < sizeof(c2) / sizeof(c2[0]); i++)
        if (!strcmp(name, c2[i]))
            return LIST_C2;
    return LIST_BOT;
}

static struct text mend(struct buf *b, struct text t)
{
    char *start = (char *)b->p + b->n, *to = start;
    for (const char *p = t.p, *end = t.p + t.n; p < end;)
        to += text_put(text_next(&p, end), to);
    b->n += (size_t)(to - start);
    return (struct text){start, (size_t)(to - start)};
}

void list_row_mend(struct list_parse *p, uint64_t row, struct text *texts[], size_t n)
{
    size_t n_bytes = 0;
    struct text first = {"", 0};
    for (size_t i = 0; i < n; i++)
        if (!text_is_utf8(texts[i]->p, texts[i]->n)) {
            first = n_bytes ? first : *texts[i];
            n_bytes += 3 * texts[i]->n; /* U+FFFD takes three bytes */
        }
    if (!n_bytes)
        return;
    warn(p, row, LIST_WARNED_bad_encoding, first);
    p->mended.max = 3 * LIST_MAX_ROW_BYTES * LIST_N_COLUMNS;
    buf_clear(&p->mended);
    if (!buf_room(&p->mended, n_bytes)) {
        p->rc = FAULT(p->fault, -ENOMEM, no_memory, "list_read");
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (!text_is_utf8(texts[i]->p, texts[i]->n))
            *texts[i] = mend(&p->mended, *texts[i]);
}

static void texts_of(struct list_parse *p, const struct list_cells *c, struct list_row *row)
{
    struct text *texts[] = {&row->family, &row->unit, &row->note, &row->isp, &row->province};
    static const enum list_column columns[] = {LIST_COLUMN_FAMILY, LIST_COLUMN_UNIT, LIST_COLUMN_NOTE, LIST_COLUMN_ISP,
                                               LIST_COLUMN_PROVINCE};
    enum { N = sizeof(columns) / sizeof(columns[0]) };
    for (size_t i = 0; i < N; i++)
        *texts[i] = cell(c, columns[i]);
    list_row_mend(p, row->row, texts, N);
}

static uint64_t count_of(struct text t)
{
    uint64_t v;
    return text_u64(t, UINT64_MAX, &v) ? 0 : v;
}

/* an address of a row, or a name in its place */
struct address {
    struct ip_range range;
    uint16_t port;
    bool is_given, had_host_bits;
    struct text value;
    enum name_kind kind;
    struct text name;
    char bytes[LIST_NAME_BYTES];
};

bool list_is_indicator(struct text t, bool is_space)
{
    struct ip_range range;
    uint16_t port;
    bool bits;
    char name[LIST_NAME_BYTES];
    size_t n;
    int r = list_address_parse(t, &range, &port, &bits);
    return !r || (!is_space && r != LIST_REFUSED_bad_port + 1 && name_parse(t, name, &n) != NAME_NONE);
}

/* parse_value - Return: a refusal plus 1, or 0 */
static int parse_value(struct address *a, bool is_space)
{
    int r = list_address_parse(a->value, &a->range, &a->port, &a->had_host_bits);
    if (r && r != LIST_REFUSED_bad_port + 1 && !is_space) {
        a->kind = name_parse(a->value, a->bytes, &a->name.n);
        a->name.p = a->bytes;
        r = a->kind == NAME_NONE ? r : 0;
    }
    a->is_given = !r;
    return r;
}

/* c2_of - the control server; what is neither address nor name there, but of another kind, is no fault of the row */
static int c2_of(const struct list_cells *c, struct address *a)
{
    a->value = cell(c, LIST_COLUMN_C2_IP);
    if (!a->value.n)
        return 0;
    int r = parse_value(a, false);
    return r != LIST_REFUSED_other_kind + 1 ? r : 0;
}

/* address_of - the address column, or a range given by its two ends in columns of their own. Return: a refusal plus 1, or 0 */
static int address_of(const struct list_cells *c, struct address *a, bool is_space)
{
    struct text first = cell(c, LIST_COLUMN_FIRST_IP), last = cell(c, LIST_COLUMN_LAST_IP);
    char both[256];
    a->value = cell(c, LIST_COLUMN_IP);
    if (a->value.n || !first.n)
        return a->value.n ? parse_value(a, is_space) : 0;
    a->value = first;
    if (first.n + last.n + 2 > sizeof(both))
        return LIST_REFUSED_bad_address + 1;
    memcpy(both, first.p, first.n);
    both[first.n] = '-';
    memcpy(both + first.n + 1, last.p, last.n);
    struct text range = {both, first.n + (last.n ? 1 + last.n : 0)};
    int r = list_address_parse(range, &a->range, &a->port, &a->had_host_bits);
    a->is_given = !r;
    return r;
}

/* names_of - a row without address: what its columns of names hold. Return: how many; @ret_bad: a value that is none. */
enum { NAME_COLUMNS = LIST_COLUMN_SHA256 - LIST_COLUMN_DOMAIN + 1 };

static size_t names_of(const struct list_cells *c, struct address out[NAME_COLUMNS], struct text *ret_bad)
{
    size_t n = 0;
    for (int i = LIST_COLUMN_DOMAIN; i <= LIST_COLUMN_SHA256; i++) {
        struct address *a = &out[n];
        a->value = cell(c, (enum list_column)i);
        if (!a->value.n)
            continue;
        a->kind = NAME_NONE;
        a->port = 0;
        a->had_host_bits = false;
        if (parse_value(a, false))
            *ret_bad = a->value;
        else
            n++;
    }
    return n;
}

static void put(struct list_parse *p, struct list_row *row, const struct address *a, int role)
{
    row->range = a->range;
    row->port = a->port;
    row->kind = a->kind;
    row->name = a->name;
    row->role = role;
    list_row_put(p, row, a->had_host_bits, a->value);
}

/* put_names - a row of names. Return: whether it was one; if it should have been, it is refused. */
static bool put_names(struct list_parse *p, struct list_row *row, const struct list_cells *c)
{
    struct address *names = calloc(NAME_COLUMNS, sizeof(*names));
    struct text bad = {"", 0};
    if (!names) {
        p->rc = FAULT(p->fault, -ENOMEM, no_memory, "list_read");
        return true;
    }
    size_t n = names_of(c, names, &bad);
    if (!n && bad.n)
        list_row_refuse(p, row->row, LIST_REFUSED_other_kind, bad);
    else if (n && times_of(c, false, row, &bad))
        list_row_refuse(p, row->row, LIST_REFUSED_bad_time, bad);
    else if (n) {
        texts_of(p, c, row);
        row->asn = asn_of(cell(c, LIST_COLUMN_ASN));
        row->count = count_of(cell(c, LIST_COLUMN_COUNT));
        p->report->rows++;
        p->report->kept++;
        for (size_t i = 0; i < n; i++)
            put(p, row, &names[i], role_of(cell(c, LIST_COLUMN_ROLE)));
    }
    free(names);
    return n || bad.n;
}

void list_row_cells(struct list_parse *p, uint64_t at, const struct list_cells *c, struct text whole)
{
    struct list_row row = {.row = at};
    struct address a, c2;
    struct text bad = whole;
    c2.value = (struct text){"", 0};
    a.is_given = c2.is_given = a.had_host_bits = c2.had_host_bits = false;
    a.kind = c2.kind = NAME_NONE;
    a.port = c2.port = 0;
    int r = address_of(c, &a, p->o->is_space);
    if (r) {
        list_row_refuse(p, at, (enum list_refusal)(r - 1), a.value);
        return;
    }
    if (!p->o->is_space && (r = c2_of(c, &c2))) {
        list_row_refuse(p, at, (enum list_refusal)(r - 1), c2.value);
        return;
    }
    if (!a.is_given && !c2.is_given && !p->o->is_space && !c2.value.n && put_names(p, &row, c))
        return;
    if (!a.is_given && !c2.is_given) {
        bool is_domain = c2.value.n > 0;
        list_row_refuse(p, at, is_domain ? LIST_REFUSED_other_kind : LIST_REFUSED_bad_address, is_domain ? c2.value : whole);
        return;
    }
    if (port_of(c, LIST_COLUMN_PORT, &a.port, &bad) || port_of(c, LIST_COLUMN_C2_PORT, &c2.port, &bad)) {
        list_row_refuse(p, at, LIST_REFUSED_bad_port, bad);
        return;
    }
    if (times_of(c, p->o->is_space, &row, &bad)) {
        list_row_refuse(p, at, LIST_REFUSED_bad_time, bad);
        return;
    }
    texts_of(p, c, &row);
    if (p->rc)
        return;
    row.asn = asn_of(cell(c, LIST_COLUMN_ASN));
    row.count = count_of(cell(c, LIST_COLUMN_COUNT));
    p->report->rows++;
    p->report->kept++;
    if (a.is_given)
        put(p, &row, &a, role_of(cell(c, LIST_COLUMN_ROLE)));
    if (c2.is_given)
        put(p, &row, &c2, LIST_C2);
}
