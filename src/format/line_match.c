/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matcher: most nodes take one extent only. Texts and words may end at several places: each is tried, found by the
 * literal that follows, as long as steps are left; a step is paid per trial and per 64 bytes looked through, so that no
 * line and no pattern costs more than its budget.
 */
#include "format/line_impl.h"

#include <string.h>

#define NONE SIZE_MAX

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static size_t extent_int(const char *p, const char *end)
{
    const char *from = p;
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    while (p < end && is_digit(*p))
        p++;
    return p == digits ? NONE : (size_t)(p - from);
}

static size_t extent_real(const char *p, const char *end)
{
    size_t n = extent_int(p, end);
    if (n == NONE || p + n + 1 >= end || p[n] != '.' || !is_digit(p[n + 1]))
        return n;
    for (n++; p + n < end && is_digit(p[n]); n++)
        ;
    return n;
}

static size_t extent_hex(const char *p, const char *end)
{
    size_t n = end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x' ? 2 : 0;
    size_t from = n;
    while (p + n < end && is_hex(p[n]))
        n++;
    return n == from ? NONE : n;
}

/* extent_ip - the address at @p. With @has_port a ':' and a port follow it: the last colon is no part of the address. */
static size_t extent_ip(const char *p, const char *end, bool has_port)
{
    struct ip ip;
    size_t n = 0;
    while (p + n < end && n < IP_TEXT_MAX + 6 && (is_hex(p[n]) || p[n] == ':' || p[n] == '.'))
        n++;
    if (p + n < end && is_alnum(p[n]))
        return NONE;
    for (int i = 0; i < 3 && n && (p[n - 1] == '.' || p[n - 1] == ':') && (has_port || ip_parse(p, n, &ip)); i++)
        n--;
    const char *colon = n ? memrchr(p, ':', n) : NULL;
    bool is_followed = p + n < end && p[n] == ':';
    if (colon && ((has_port && !is_followed) || ip_parse(p, n, &ip)))
        n = (size_t)(colon - p);
    return n && !ip_parse(p, n, &ip) ? n : NONE;
}

static size_t extent_host(const char *p, const char *end, bool has_port)
{
    size_t n = extent_ip(p, end, has_port);
    if (n != NONE && (p + n == end || (p[n] != '-' && p[n] != '_' && p[n] != '.')))
        return n;
    n = 0;
    while (p + n < end && (is_alnum(p[n]) || p[n] == '.' || p[n] == '-' || p[n] == '_' || (uint8_t)p[n] >= 0x80))
        n++;
    if (n > 1 && p[n - 1] == '.' && (p + n == end || p[n] == ' '))
        n--;
    return n ? n : NONE;
}

/* extent_mac - six pairs with ':' or '-' or none between, or three groups of four with '.'. */
static size_t extent_mac(const char *p, const char *end)
{
    size_t n = 0, n_digits = 0;
    while (p + n < end && n_digits < 12 && (is_hex(p[n]) || p[n] == ':' || p[n] == '-' || p[n] == '.'))
        n_digits += is_hex(p[n++]);
    return n_digits == 12 && (p + n == end || !is_alnum(p[n])) ? n : NONE;
}

static size_t extent_quoted(const char *p, const char *end)
{
    if (p == end || *p != '"')
        return NONE;
    for (size_t n = 1; p + n < end; n++) {
        if (p[n] == '\\')
            n++;
        else if (p[n] == '"')
            return n + 1;
    }
    return NONE;
}

static size_t extent_token(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && p[n] && !strchr(" \t,;\"'<>()[]{}", p[n]))
        n++;
    while (n > 1 && p[n - 1] == ':')
        n--;
    return n ? n : NONE;
}

static size_t extent_one_of(const struct line_node *n, const char *p, const char *end)
{
    size_t longest_one = NONE; /* of "http" and "https" the one that is there */
    for (uint32_t i = 0; i < n->n; i += 1u + (uint8_t)n->p[i]) {
        size_t length = (uint8_t)n->p[i];
        bool is_longer = longest_one == NONE || length > longest_one;
        if (is_longer && (size_t)(end - p) >= length && *p == n->p[i + 1] && !memcmp(p, n->p + i + 1, length))
            longest_one = length;
    }
    return longest_one;
}

static size_t extent_blanks(const char *p, const char *end)
{
    size_t n = 0;
    while (p + n < end && (p[n] == ' ' || p[n] == '\t'))
        n++;
    return n;
}

bool line_kv_begins(const struct line_kv_form *f, const char *start, const char *p, const char *end)
{
    if (p > start && (is_alnum(p[-1]) || p[-1] == '_' || p[-1] == '.'))
        return false;
    const char *from = p;
    while (p < end && (is_alnum(*p) || *p == '_' || *p == '-' || *p == '.') && p - from < 64)
        p++;
    if (f->assign == ' ')
        return p > from && end - p > 1 && p[0] == ' ' && p[1] == '"';
    return p > from && p < end && *p == (f->assign ? f->assign : '=');
}

/* is_port_next - ":" and a number follow in the pattern. */
static bool is_port_next(const struct line_node *n)
{
    return n[1].op == LINE_LITERAL && n[1].n == 1 && n[1].p[0] == ':' && n[2].op == LINE_CAPTURE && n[2].type == LINE_INT;
}

/* extent - of the node types that can end at one place only. */
static size_t extent(const struct line_pattern *pattern, struct line_scratch *s, const struct line_node *n, const char *start,
    const char *p, const char *end)
{
    int64_t us;
    unsigned flags;
    struct text t = {p, (size_t)(end - p)};
    size_t r;
    switch ((enum line_type)n->type) {
    case LINE_INT: return extent_int(p, end);
    case LINE_HEX: return extent_hex(p, end);
    case LINE_REAL:
    case LINE_SECONDS:
    case LINE_MILLISECONDS: return extent_real(p, end);
    case LINE_IP: return extent_ip(p, end, is_port_next(n));
    case LINE_HOST: return extent_host(p, end, is_port_next(n));
    case LINE_MAC: return extent_mac(p, end);
    case LINE_TIME:
    case LINE_TIME_US:
        s->clock.is_month_first = n->type == LINE_TIME_US;
        r = line_time_parse(t, &s->clock, &us, &flags);
        s->clock.is_month_first = false;
        return r ? r : NONE;
    case LINE_EPOCH: r = line_time_epoch(t, &us); return r ? r : NONE;
    case LINE_QUOTED:
    case LINE_REQUEST: return extent_quoted(p, end);
    case LINE_TOKEN: return extent_token(p, end);
    case LINE_ONE_OF: return extent_one_of(n, p, end);
    case LINE_BLANKS: return extent_blanks(p, end);
    case LINE_KV: return line_kv_begins(&pattern->decoder->kv, start, p, end) ? t.n : NONE;
    case LINE_JSON: return t.n && *p == '{' ? t.n : NONE;
    case LINE_ACCESS: return line_access_begins(t) ? t.n : NONE;
    case LINE_RECORDS: return t.n && *p == '[' ? t.n : NONE;
    case LINE_CSV:
    case LINE_CEF:
    case LINE_LEEF: return t.n;
    case LINE_WORD:
    case LINE_TEXT:
    case LINE_LONG:
    case LINE_URL:
    case LINE_ENDPOINT:
    case LINE_WEB_AGENT:
    case LINE_N_TYPES: break;
    }
    return NONE;
}

static bool pay(struct line_scratch *s, size_t n_bytes)
{
    uint32_t cost = 1 + (uint32_t)(n_bytes / 64);
    if (s->steps < cost) {
        s->steps = 0;
        return false;
    }
    s->steps -= cost;
    return true;
}

static const char *find(const char *p, const char *end, const char *what, size_t n)
{
    while ((size_t)(end - p) >= n) {
        p = memchr(p, *what, (size_t)(end - p) - n + 1);
        if (!p || !memcmp(p, what, n))
            return p;
        p++;
    }
    return NULL;
}

struct matching {
    const struct line_pattern *p;
    struct line_scratch *s;
    const char *start, *end;
};

static bool run(const struct matching *m, uint32_t at, const char *p);

static void keep(const struct matching *m, const struct line_node *n, const char *p, const char *to)
{
    if (n->slot < LINE_SLOTS_MAX)
        m->s->slots[n->slot] = (struct line_capture){p, (uint32_t)(to - p)};
}

/* may_begin - a quick look whether @n can take anything at @p; an address does not begin within a word. */
static bool may_begin(const struct matching *m, const struct line_node *n, const char *p)
{
    if (n->op != LINE_CAPTURE || p == m->end)
        return true;
    switch ((enum line_type)n->type) {
    case LINE_ONE_OF: return extent_one_of(n, p, m->end) != NONE;
    case LINE_IP: return (is_hex(*p) || *p == ':') && (p == m->start || !is_alnum(p[-1]));
    case LINE_INT:
    case LINE_REAL: return is_digit(*p) || *p == '-';
    case LINE_QUOTED:
    case LINE_REQUEST: return *p == '"';
    case LINE_JSON: return *p == '{';
    case LINE_RECORDS: return *p == '[';
    case LINE_KV: /* not within a word: see line_kv_begins */
        return (is_alnum(*p) || *p == '_' || *p == '-' || *p == '.') &&
               (p == m->start || !(is_alnum(p[-1]) || p[-1] == '_' || p[-1] == '.'));
    case LINE_WORD:
    case LINE_TEXT:
    case LINE_LONG:
    case LINE_HEX:
    case LINE_HOST:
    case LINE_MAC:
    case LINE_TIME:
    case LINE_TIME_US:
    case LINE_EPOCH:
    case LINE_SECONDS:
    case LINE_MILLISECONDS:
    case LINE_URL:
    case LINE_ENDPOINT:
    case LINE_WEB_AGENT:
    case LINE_TOKEN:
    case LINE_BLANKS:
    case LINE_CSV:
    case LINE_CEF:
    case LINE_LEEF:
    case LINE_ACCESS:
    case LINE_N_TYPES: break;
    }
    return true;
}

/* shortest - ends from @min to @max; where a literal follows only its places. */
static bool shortest(const struct matching *m, uint32_t at, const char *p, const char *min, const char *max)
{
    const struct line_node *n = &m->p->nodes[at], *next = n + 1;
    if (next->op == LINE_END) {
        if (max != m->end)
            return false;
        keep(m, n, p, max);
        return true;
    }
    for (const char *to = min; to <= max; to++) {
        if (next->op == LINE_LITERAL) {
            const char *limit = (size_t)(m->end - max) > next->n ? max + next->n : m->end;
            const char *found = to <= limit ? find(to, limit, next->p, next->n) : NULL;
            if (!pay(m->s, (size_t)((found ? found : limit) - to)) || !found)
                return false;
            to = found;
        } else {
            const char *from = to;
            while (to < max && !may_begin(m, next, to))
                to++;
            if (!pay(m->s, (size_t)(to - from) * 8))
                return false;
        }
        keep(m, n, p, to);
        if (run(m, at + 1, to))
            return true;
    }
    return false;
}

/* find_last - the last place from @min to @to where @what begins and ends before @end; NULL: none. */
static const char *find_last(const char *min, const char *to, const char *end, const char *what, size_t n)
{
    if ((size_t)(end - min) < n)
        return NULL;
    if ((size_t)(end - to) < n)
        to = end - n;
    while (to >= min) {
        const char *at = memrchr(min, *what, (size_t)(to - min) + 1);
        if (!at || !memcmp(at, what, n))
            return at;
        to = at - 1;
    }
    return NULL;
}

static bool longest(const struct matching *m, uint32_t at, const char *p, const char *min, const char *max)
{
    const struct line_node *n = &m->p->nodes[at], *next = n + 1;
    for (const char *to = max; to >= min; to--) {
        const char *last = next->op == LINE_LITERAL ? find_last(min, to, m->end, next->p, next->n) : to;
        if (!pay(m->s, (size_t)(to - (last ? last : min))) || !last)
            return false;
        to = last;
        keep(m, n, p, to);
        if (run(m, at + 1, to))
            return true;
    }
    return false;
}

static bool elastic(const struct matching *m, uint32_t at, const char *p)
{
    const struct line_node *n = &m->p->nodes[at], *next = n + 1;
    const char *max = m->end;
    if (n->type == LINE_TEXT)
        return shortest(m, at, p, p, max);
    if (n->type == LINE_LONG)
        return longest(m, at, p, p, max);
    for (max = p; max < m->end && *max != ' ' && *max != '\t'; max++)
        ;
    if (max == p || !pay(m->s, (size_t)(max - p)))
        return false;
    bool is_lazy = next->op == LINE_LITERAL || next->op == LINE_END;
    return is_lazy ? shortest(m, at, p, p + 1, max) : longest(m, at, p, p + 1, max);
}

static bool is_elastic(const struct line_node *n)
{
    return n->type <= LINE_LONG || n->type == LINE_URL || n->type == LINE_ENDPOINT || n->type == LINE_WEB_AGENT;
}

static bool run(const struct matching *m, uint32_t at, const char *p)
{
    for (;; at++) {
        const struct line_node *n = &m->p->nodes[at];
        switch ((enum line_op)n->op) {
        case LINE_LITERAL:
            if ((size_t)(m->end - p) < n->n || memcmp(p, n->p, n->n) != 0)
                return false;
            p += n->n;
            break;
        case LINE_CAPTURE: {
            if (is_elastic(n))
                return elastic(m, at, p);
            size_t taken = extent(m->p, m->s, n, m->start, p, m->end);
            bool is_quote = taken == NONE && (n->type == LINE_QUOTED || n->type == LINE_REQUEST) && p < m->end && *p == '"';
            if (!pay(m->s, is_quote ? (size_t)(m->end - p) : taken == NONE ? 0 : taken) || taken == NONE)
                return false; /* an open quote was looked for to the end */
            keep(m, n, p, p + taken);
            p += taken;
            break;
        }
        case LINE_SPLIT:
            if (!pay(m->s, 0))
                return false;
            if (run(m, at + 1, p))
                return true;
            for (uint32_t i = n->slot; i < n->slot_end; i++)
                m->s->slots[i].p = NULL;
            at = n->other - 1u;
            break;
        case LINE_END: return p == m->end;
        }
    }
}

bool line_match(const struct line_pattern *p, struct line_scratch *s, struct text t)
{
    struct matching m = {p, s, t.p, t.p + t.n};
    for (uint32_t i = 0; i < p->n_slots; i++)
        s->slots[i].p = NULL;
    return run(&m, 0, t.p);
}
