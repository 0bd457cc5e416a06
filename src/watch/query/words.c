/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of a query, and the error that shows the line and a caret below the place.
 */
#include "watch/query/parse.h"

#include <errno.h>
#include <stdio.h>

/* the part of the query around the place that is shown, in bytes */
enum { SHOWN_BEFORE = 50, SHOWN_AFTER = 24 };

static size_t column_of(struct text t, size_t at)
{
    size_t column = 1;
    const char *p = t.p, *end = t.p + at;
    while (p < end) {
        text_next(&p, end);
        column++;
    }
    return column;
}

/* what stands at the place, for people */
static const char *found_at(struct text t, size_t at, char *out, size_t n)
{
    if (at >= t.n)
        return message_text(MSG_query_end);
    size_t end = at;
    while (end < t.n && end - at < 40 && t.p[end] != ' ' && t.p[end] != '\t' && t.p[end] != '\n')
        end++;
    if (end == at)
        end++;
    char inner[96];
    snprintf(out, n, "\"%s\"", text_escape(t.p + at, end - at, inner, sizeof(inner)));
    return out;
}

#undef query_expected /* what analyzers are told */
#undef query_expected_text
#undef query_no_memory
int query_expected_text(struct query_parser *p, size_t at, const char *want)
{
    struct text t = p->text;
    if (at > t.n)
        at = t.n;
    size_t from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0, to = at + SHOWN_AFTER < t.n ? at + SHOWN_AFTER : t.n;
    while (from > 0 && from < at && ((unsigned char)t.p[from] & 0xc0) == 0x80) /* whole characters */
        from++;
    while (to < t.n && to > at && ((unsigned char)t.p[to] & 0xc0) == 0x80)
        to--;
    char found[128], before[4 * SHOWN_BEFORE + 8], after[4 * SHOWN_AFTER + 8], pad[4 * SHOWN_BEFORE + 8];
    text_escape(t.p + from, at - from, before, sizeof(before));
    text_escape(t.p + at, to - at, after, sizeof(after));
    size_t n_pad = 0;
    const char *b = before, *end = before + strlen(before);
    while (b < end && n_pad + 1 < sizeof(pad)) {
        text_next(&b, end);
        pad[n_pad++] = ' ';
    }
    pad[n_pad] = '\0';
    return FAULT(p->fault, QUERY_INVALID, query_invalid, column_of(t, at), want, found_at(t, at, found, sizeof(found)), before,
                 after, pad);
}

int query_expected(struct query_parser *p, size_t at, enum message_id want)
{
    return query_expected_text(p, at, message_text(want));
}

int query_no_memory(struct query_parser *p)
{
    return FAULT(p->fault, -ENOMEM, no_memory, "query");
}

void query_skip(struct query_parser *p)
{
    while (p->at < p->text.n && (p->text.p[p->at] == ' ' || (p->text.p[p->at] >= '\t' && p->text.p[p->at] <= '\r')))
        p->at++;
}

bool query_next_is(struct query_parser *p, char c)
{
    query_skip(p);
    return p->at < p->text.n && p->text.p[p->at] == c;
}

bool query_take(struct query_parser *p, char c)
{
    if (!query_next_is(p, c))
        return false;
    p->at++;
    return true;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '@';
}

bool query_keyword(struct query_parser *p, const char *word)
{
    query_skip(p);
    size_t n = strlen(word);
    if (p->text.n - p->at < n || !text_is_nocase((struct text){p->text.p + p->at, n}, word))
        return false;
    if (p->at + n < p->text.n && is_name_byte(p->text.p[p->at + n]))
        return false;
    p->at += n;
    return true;
}

struct text query_name(struct query_parser *p)
{
    query_skip(p);
    size_t from = p->at;
    while (p->at < p->text.n && is_name_byte(p->text.p[p->at]))
        p->at++;
    return (struct text){p->text.p + from, p->at - from};
}

static int quoted(struct query_parser *p, struct query_word *ret)
{
    size_t from = ++p->at;
    while (p->at < p->text.n && p->text.p[p->at] != '"')
        p->at += p->text.p[p->at] == '\\' && p->at + 1 < p->text.n ? 2 : 1;
    if (p->at >= p->text.n)
        return query_expected(p, from - 1, MSG_query_want_quote);
    *ret = (struct query_word){{p->text.p + from, p->at - from}, from - 1, true};
    p->at++;
    return 0;
}

int query_word_next(struct query_parser *p, struct query_word *ret)
{
    query_skip(p);
    if (query_next_is(p, '"'))
        return quoted(p, ret);
    size_t from = p->at;
    while (p->at < p->text.n && !strchr(" \t\n\v\f\r()|,\"", p->text.p[p->at]))
        p->at++;
    *ret = (struct query_word){{p->text.p + from, p->at - from}, from, false};
    return 0;
}

static int unknown_field(struct query_parser *p, size_t at, struct text name)
{
    char want[256];
    const char *near = query_field_near(name);
    if (near)
        SAY_TO(want, sizeof(want), query_want_field_near, near);
    else
        SAY_TO(want, sizeof(want), query_want_field);
    return query_expected_text(p, at, want);
}

int query_field_next(struct query_parser *p, struct query_field *ret)
{
    query_skip(p);
    size_t at = p->at;
    if (query_next_is(p, '"')) {
        struct query_word w = {0};
        int r = quoted(p, &w);
        if (r)
            return r;
        if (w.text.n < 1 || w.text.n > 255)
            return unknown_field(p, at, w.text);
        *ret = query_field_text(w.text);
        return 0;
    }
    struct text name = query_name(p);
    if (name.n && query_field_find(name, ret))
        return 0;
    if (name.n && name.n < 256 && p->language->has_field && p->language->has_field(p->language->context, name)) {
        *ret = query_field_text(name);
        return 0;
    }
    return unknown_field(p, at, name);
}
