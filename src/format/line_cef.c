/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CEF:Version|Vendor|Product|Version|EventClassID|Name|Severity|Extension and LEEF:Version|Vendor|Product|Version|ID|[delimiter|]...
 * Source: ArcSight Common Event Format v26; IBM QRadar LEEF 1.0 and 2.0. The text behind "CEF:" or "LEEF:" comes here.
 */
#include "format/line_impl.h"

#include <string.h>

#define HEADER_MAX 7u
#define PAIRS_MAX 512u

/* header - fields ended by '|' ('\' before it is part of the field). Return: how many, with @rest behind them. */
static unsigned header(struct text *rest, struct text *fields, unsigned n_wanted)
{
    unsigned n = 0;
    const char *p = rest->p, *end = rest->p + rest->n, *from = p;
    for (; p < end && n < n_wanted; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '|') {
            fields[n++] = (struct text){from, (size_t)(p - from)};
            from = p + 1;
        }
    }
    if (p > end)
        p = end;
    if (n < n_wanted && from < end) { /* no extension at all: the last header field ends with the line */
        fields[n++] = (struct text){from, (size_t)(end - from)};
        from = end;
    }
    *rest = (struct text){from, (size_t)(end - from)};
    return n;
}

static bool is_key(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '-' || c == '.' || c == '[' || c == ']';
}

/* next_key - of " key=": where the key begins, or @end. */
static const char *next_key(const char *p, const char *end)
{
    for (const char *blank = p; (blank = memchr(blank, ' ', (size_t)(end - blank)));) {
        const char *key = ++blank;
        while (blank < end && is_key(*blank))
            blank++;
        if (blank > key && blank < end && *blank == '=')
            return key;
    }
    return end;
}

static void put_pair(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text key, struct text value)
{
    const struct line_target *target = line_key_find(&d->keys, key);
    value = line_unescaped(s, text_trim(value), true);
    if (target)
        line_put(s, e, target, value);
    else
        line_put_unknown(s, e, d, key, value);
}

static void cef_extension(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text t)
{
    const char *p = t.p, *end = t.p + t.n;
    while (p < end && *p == ' ')
        p++;
    for (unsigned n = 0; p < end && n < PAIRS_MAX; n++) {
        const char *equals = memchr(p, '=', (size_t)(end - p));
        if (!equals)
            return;
        const char *next = next_key(equals + 1, end);
        put_pair(s, e, d, (struct text){p, (size_t)(equals - p)}, (struct text){equals + 1, (size_t)(next - equals - 1)});
        p = next;
    }
}

static void put_header(struct line_scratch *s, struct events *e, uint16_t field, struct text value)
{
    value = line_unescaped(s, value, true);
    if (value.n)
        event_put(e, field, value);
}

/* ArcSight: Low, Medium, High, Very-High, or 0..10 */
static void put_severity(struct events *e, struct text t)
{
    static const struct {
        const char *name;
        int64_t value;
    } names[] = {{"Unknown", 0}, {"Low", 3}, {"Medium", 6}, {"High", 8}, {"Very-High", 10}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_is_nocase(t, names[i].name)) {
            event_put_long(e, EV_EVENT_SEVERITY, names[i].value);
            return;
        }
    event_put(e, EV_EVENT_SEVERITY, t);
}

void line_cef(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest)
{
    struct text h[HEADER_MAX];
    unsigned n = header(&rest, h, HEADER_MAX);
    static const uint16_t fields[] = {EVENT_NO_FIELD, EV_OBSERVER_VENDOR, EV_OBSERVER_PRODUCT, EV_OBSERVER_VERSION, EV_EVENT_CODE,
        EV_RULE_NAME};
    for (unsigned i = 1; i < n && i < sizeof fields / sizeof *fields; i++)
        put_header(s, e, fields[i], h[i]);
    if (n == HEADER_MAX)
        put_severity(e, text_trim(h[6]));
    cef_extension(s, e, d, rest);
}

/* delimiter - LEEF 2.0's own field: a character, or its code as x5E or 0x5E; a tab when empty. */
static char delimiter(struct text t)
{
    unsigned v = 0;
    if (!t.n)
        return '\t';
    if (t.n == 1)
        return t.p[0];
    size_t i = t.p[0] == '0' ? 1 : 0;
    if (i >= t.n || (t.p[i] | 32) != 'x')
        return t.p[0];
    for (i++; i < t.n; i++) {
        char c = (char)(t.p[i] | 32);
        if (c >= '0' && c <= '9')
            v = v << 4 | (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (unsigned)(c - 'a' + 10);
        else
            return '\t';
        if (v > 0xff)
            return '\t';
    }
    return (char)v;
}

void line_leef(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest)
{
    struct text h[6];
    bool is_second = rest.n && rest.p[0] == '2';
    unsigned n = header(&rest, h, is_second ? 6 : 5);
    static const uint16_t fields[] = {EVENT_NO_FIELD, EV_OBSERVER_VENDOR, EV_OBSERVER_PRODUCT, EV_OBSERVER_VERSION, EV_EVENT_CODE};
    for (unsigned i = 1; i < n && i < 5; i++)
        put_header(s, e, fields[i], h[i]);
    char separator = is_second && n == 6 ? delimiter(h[5]) : '\t';
    const char *p = rest.p, *end = rest.p + rest.n;
    if (separator == '\t' && rest.n && !memchr(p, '\t', rest.n)) { /* tabs that a relay turned into blanks */
        cef_extension(s, e, d, rest);
        return;
    }
    for (unsigned i = 0; p < end && i < PAIRS_MAX; i++) {
        const char *next = memchr(p, separator, (size_t)(end - p));
        const char *pair_end = next ? next : end;
        const char *equals = memchr(p, '=', (size_t)(pair_end - p));
        if (equals)
            put_pair(s, e, d, text_trim((struct text){p, (size_t)(equals - p)}),
                (struct text){equals + 1, (size_t)(pair_end - equals - 1)});
        p = next ? next + 1 : end;
    }
}
