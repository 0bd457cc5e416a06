/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain lists: one address per line, comments, and whatever else follows on
 * the line. The line that is nothing but a dotted quad is read by hand, since
 * a national list has millions of them.
 */
#include "watch/indicator/list_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINES_BYTES ((size_t)256 << 10)

/* dotted_quad - the address at @p if the line is only that; bytes used up to the line end, else 0. @p has 16 readable bytes. */
static size_t dotted_quad(const uint8_t *p, uint32_t *ret)
{
    uint32_t a = 0;
    size_t i = 0;
    for (int octet = 0; octet < 4; octet++) {
        if (octet && p[i++] != '.')
            return 0;
        unsigned v = (unsigned)p[i] - '0', d;
        if (v > 9)
            return 0;
        i++;
        if (v && (d = (unsigned)p[i] - '0') <= 9) {
            v = v * 10 + d;
            i++;
            if ((d = (unsigned)p[i] - '0') <= 9) {
                v = v * 10 + d;
                i++;
            }
        }
        if (v > 255)
            return 0;
        a = a << 8 | v;
    }
    *ret = a;
    if (p[i] == '\r')
        i++;
    return p[i] == '\n' ? i : 0;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t';
}

/* take_range - "a - b" and "a / n" hold blanks and are still one address: take them whole if they parse */
static int parse_head(struct text line, struct list_row *row, bool *had_host_bits, size_t *ret_used, struct text *ret_value)
{
    size_t n = 0;
    while (n < line.n && !is_gap(line.p[n]) && line.p[n] != '#' && line.p[n] != ',' && line.p[n] != ';')
        n++;
    struct text head = {line.p, n};
    *ret_value = head;
    *ret_used = n;
    int r = list_address_parse(head, &row->range, &row->port, had_host_bits);
    size_t next = n;
    while (next < line.n && is_gap(line.p[next]))
        next++;
    if (next == n || next >= line.n || (line.p[next] != '-' && line.p[next] != '/' && line.p[next] != '\xe2'))
        return r;
    size_t end = next;
    while (end < line.n && !is_gap(line.p[end]))
        end++;
    if (end - next <= 3) { /* only the sign: the second half follows */
        while (end < line.n && is_gap(line.p[end]))
            end++;
        while (end < line.n && !is_gap(line.p[end]) && line.p[end] != '#')
            end++;
    }
    struct text wide = {line.p, end};
    struct list_row other = *row;
    bool bits;
    if (list_address_parse(wide, &other.range, &other.port, &bits))
        return r;
    *row = other;
    *had_host_bits = bits;
    *ret_used = end;
    *ret_value = wide;
    return 0;
}

/* parse_name - a URL may hold what else ends a value. Return: 0, or 1 (none). */
static int parse_name(struct text line, char out[LIST_NAME_BYTES], struct list_row *row, size_t *used, struct text *value)
{
    size_t n = 0;
    while (n < line.n && !is_gap(line.p[n]))
        n++;
    bool is_url = memmem(line.p, n, "://", 3) || memmem(line.p, n, "[://]", 5);
    struct text t = {line.p, is_url ? n : *used};
    row->kind = name_parse(t, out, &row->name.n);
    row->name.p = out;
    if (row->kind == NAME_NONE)
        return 1;
    *used = t.n;
    *value = t;
    return 0;
}

static void read_line(struct list_parse *p, uint64_t number, struct text line)
{
    char name[LIST_NAME_BYTES];
    struct list_row row = {.row = number, .role = LIST_BOT, .first_us = p->o->is_space ? INT64_MIN : 0,
                           .last_us = p->o->is_space ? INT64_MAX : 0};
    struct text value;
    bool had_host_bits;
    size_t used;
    line = text_trim(line);
    if (!line.n || line.p[0] == '#' || line.p[0] == ';' || (line.n > 1 && !memcmp(line.p, "//", 2)))
        return;
    int r = parse_head(line, &row, &had_host_bits, &used, &value);
    if (r && r != LIST_REFUSED_bad_port + 1 && !p->o->is_space && !parse_name(line, name, &row, &used, &value)) {
        had_host_bits = false;
        r = 0;
    }
    if (r) {
        bool is_text = text_is_utf8(line.p, line.n);
        list_row_refuse(p, number, is_text ? (enum list_refusal)(r - 1) : LIST_REFUSED_bad_encoding, line);
        return;
    }
    struct text rest = {line.p + used, line.n - used};
    while (rest.n && (is_gap(*rest.p) || *rest.p == '#' || *rest.p == ';' || *rest.p == ',' || *rest.p == '/'))
        rest.p++, rest.n--;
    rest = text_trim(rest);
    if (text_u64(rest, UINT64_MAX, &row.count) && rest.n <= 1024) {
        row.note = rest;
        list_row_mend(p, number, (struct text *[]){&row.note}, 1);
    }
    if (p->rc)
        return;
    p->report->rows++;
    p->report->kept++;
    list_row_put(p, &row, had_host_bits, value);
}

struct lines {
    uint8_t *p;
    size_t n;        /* bytes held */
    uint64_t number; /* of the line that begins at p[0] */
    bool is_skipping; /* inside a line that is too long */
    bool is_header;   /* the next content line is a header */
};

static bool take_header(struct lines *l, struct text line)
{
    line = text_trim(line);
    if (!l->is_header || !line.n || line.p[0] == '#' || line.p[0] == ';')
        return false;
    l->is_header = false;
    return true;
}

/* take_lines - all complete lines of the buffer; with @is_end also the last without a line end */
static void take_lines(struct list_parse *p, struct lines *l, bool is_end)
{
    size_t at = 0;
    while (at < l->n && !p->rc) {
        uint32_t v4;
        size_t length = l->n - at >= 24 && !l->is_skipping && !l->is_header ? dotted_quad(l->p + at, &v4) : 0;
        if (length) {
            struct list_row row = {.range = {ip_from_v4(v4), ip_from_v4(v4)}, .row = l->number, .role = LIST_BOT,
                                   .first_us = p->o->is_space ? INT64_MIN : 0, .last_us = p->o->is_space ? INT64_MAX : 0};
            p->report->rows++;
            p->report->kept++;
            list_row_put(p, &row, false, (struct text){(const char *)l->p + at, length});
            at += length + 1;
            l->number++;
            continue;
        }
        const uint8_t *start = l->p + at, *end = memchr(start, '\n', l->n - at);
        if (!end && !is_end)
            break;
        size_t n = end ? (size_t)(end - start) : l->n - at;
        struct text line = {(const char *)start, n};
        if (n > LIST_MAX_ROW_BYTES && !l->is_skipping)
            list_row_refuse(p, l->number, LIST_REFUSED_too_long, (struct text){line.p, 200});
        else if (!l->is_skipping && !take_header(l, line))
            read_line(p, l->number, line);
        l->is_skipping = false;
        l->number++;
        at += n + (end != NULL);
    }
    memmove(l->p, l->p + at, l->n - at);
    l->n -= at;
    if (l->n > LIST_MAX_ROW_BYTES) { /* no line end in sight: refuse it now, drop the rest as it comes */
        if (!l->is_skipping)
            list_row_refuse(p, l->number, LIST_REFUSED_too_long, (struct text){(const char *)l->p, 200});
        l->is_skipping = true;
        l->n = 0;
    }
}

int list_read_lines(struct list_parse *p, bool has_header)
{
    struct lines l = {.p = malloc(LINES_BYTES), .number = 1, .is_header = has_header};
    ssize_t got = 0;
    if (!l.p)
        return FAULT(p->fault, -ENOMEM, no_memory, "list_read");
    while (!p->rc && (got = list_source_read(&p->source, l.p + l.n, LINES_BYTES - l.n)) > 0) {
        if (l.number == 1 && !l.n && got >= 3 && !memcmp(l.p, "\xef\xbb\xbf", 3)) {
            got -= 3;
            memmove(l.p, l.p + 3, (size_t)got);
        }
        l.n += (size_t)got;
        take_lines(p, &l, false);
    }
    if (!p->rc && !got)
        take_lines(p, &l, true);
    free(l.p);
    if (got < 0)
        return FAULT(p->fault, (int)got, list_read_failed, strerror((int)-got));
    return p->rc;
}
