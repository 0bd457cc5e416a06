/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key=value: FortiGate, netfilter, auditd, Check Point and their kin. Values end at a blank or the separator, or at the
 * quote they began with; greedy ones (CEF) go on over blanks until the next key.
 */
#include "format/line_impl.h"

#include <string.h>

#define PAIRS_MAX 512u

struct pairs {
    struct line_scratch *s;
    struct events *e;
    const struct line_decoder *d;
    const char *p, *end;
    char assign, separator;
    bool is_nested;
    bool has_open_quote; /* no quote closes any more: not looked for again */
    unsigned n;
};

/* letters, digits, '_', '-', '.' */
static const bool of_keys[256] = {
    ['-'] = true, ['.'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['_'] = true, ['a' ... 'z'] = true,
};

static bool is_key(char c)
{
    return of_keys[(uint8_t)c];
}

static bool is_separator(const struct pairs *k, char c)
{
    return c == ' ' || c == '\t' || c == ',' || (k->separator && c == k->separator);
}

/* value_end - where an unquoted value ends. */
static const char *value_end(const struct pairs *k, const char *p)
{
    if (k->separator) {
        const char *found = memchr(p, k->separator, (size_t)(k->end - p));
        return found ? found : k->end;
    }
    const char *blank = memchr(p, ' ', (size_t)(k->end - p));
    return blank ? blank : k->end;
}

static const char *quoted_end(const struct pairs *k, const char *p)
{
    char quote = *p;
    for (p++; p < k->end; p++) {
        if (*p == '\\' && quote == '"')
            p++;
        else if (*p == quote)
            return p;
    }
    return NULL;
}

static void pairs(struct pairs *k);

static void put_pair(struct pairs *k, struct text key, struct text value, bool is_quoted)
{
    const struct line_target *target = line_key_find(&k->d->keys, key);
    if (is_quoted && !k->is_nested && text_equal(key, k->d->kv.nested)) {
        struct pairs inner = *k;
        inner.p = value.p, inner.end = value.p + value.n, inner.is_nested = true;
        pairs(&inner);
        k->n = inner.n;
        return;
    }
    if (is_quoted && !(target && target->is_hex))
        value = line_unescaped(k->s, value, false);
    if (!target) {
        line_put_unknown(k->s, k->e, k->d, key, value);
        return;
    }
    if (!is_quoted || !target->is_hex) {
        line_put(k->s, k->e, target, value);
        return;
    }
    for (const struct line_target *t = target; t; t = t->next) { /* quoted: not hexadecimal */
        struct line_target plain = *t;
        plain.is_hex = false;
        plain.next = NULL;
        line_put(k->s, k->e, &plain, value);
    }
}

static void pairs(struct pairs *k)
{
    while (k->p < k->end && k->n < PAIRS_MAX) {
        const char *from = k->p;
        while (k->p < k->end && is_key(*k->p))
            k->p++;
        if (k->p == from || k->p == k->end || *k->p != k->assign) {
            if (k->p == from)
                k->p++;
            continue; /* a word, not a pair */
        }
        if (k->assign == ' ' && (k->end - k->p < 2 || k->p[1] != '"'))
            continue; /* name "value": only a quote tells */
        struct text key = {from, (size_t)(k->p - from)};
        const char *value = ++k->p;
        while (k->assign == ':' && value < k->end && *value == ' ')
            value++;
        bool is_quoted = value < k->end && (*value == '"' || *value == '\'');
        const char *end = is_quoted && !k->has_open_quote ? quoted_end(k, value) : NULL;
        k->has_open_quote |= is_quoted && !end;
        is_quoted = is_quoted && end;
        if (is_quoted)
            value++;
        else
            end = value_end(k, value);
        struct text t = {value, (size_t)(end - value)};
        if (!is_quoted && !k->separator && t.n && value[t.n - 1] == ',')
            t.n--;
        k->n++;
        bool is_bare = is_quoted || (t.n && *t.p > ' ' && t.p[t.n - 1] > ' '); /* nothing to trim */
        put_pair(k, key, is_bare ? t : text_trim(t), is_quoted);
        k->p = end + is_quoted;
        while (k->p < k->end && is_separator(k, *k->p))
            k->p++;
    }
}

void line_kv(struct line_scratch *s, struct events *e, const struct line_decoder *d, struct text rest)
{
    struct pairs k = {.s = s, .e = e, .d = d, .p = rest.p, .end = rest.p + rest.n,
        .assign = d->kv.assign ? d->kv.assign : '=', .separator = d->kv.separator};
    pairs(&k);
}
