/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descent over the grammar of section 9, twice: once to check, once to give
 * the addresses, so that a pattern that breaks off at its end gives nothing.
 * The ports of an observation are looked for before its addresses are given.
 */
#include "format/stix.h"

#include <string.h>

enum pass { PASS_CHECK, PASS_PORTS, PASS_GIVE };

struct walk {
    const char *p, *end;
    enum pass pass;
    unsigned depth;
    bool is_bad;
    stix_each each;
    void *context;
    int rc;
    uint16_t port[3]; /* by enum stix_where */
    unsigned n_ports[3];
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* blanks and comments of the grammar: // to the end of the line and the C form */
static void skip(struct walk *w)
{
    for (;;) {
        size_t left = (size_t)(w->end - w->p);
        if (left && is_space(*w->p)) {
            w->p++;
        } else if (left >= 2 && !memcmp(w->p, "\xc2\xa0", 2)) {
            w->p += 2;
        } else if (left >= 2 && !memcmp(w->p, "//", 2)) {
            const char *stop = memchr(w->p, '\n', left);
            w->p = stop ? stop : w->end;
        } else if (left >= 4 && !memcmp(w->p, "/*", 2)) {
            const char *stop = memmem(w->p + 2, left - 2, "*/", 2);
            if (!stop)
                return;
            w->p = stop + 2;
        } else {
            return;
        }
    }
}

static bool take(struct walk *w, const char *sign)
{
    size_t n = strlen(sign);
    skip(w);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, sign, n))
        return false;
    w->p += n;
    return true;
}

static bool is_word_char(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-';
}

static bool take_word(struct walk *w, const char *word)
{
    size_t n = strlen(word);
    skip(w);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, word, n) || (w->p + n < w->end && is_word_char(w->p[n])))
        return false;
    w->p += n;
    return true;
}

static bool bad(struct walk *w)
{
    w->is_bad = true;
    return false;
}

/* a quoted text: a backslash escapes a quote or a backslash and nothing else */
static bool take_string(struct walk *w, struct text *ret)
{
    skip(w);
    if (w->p >= w->end || *w->p != '\'')
        return false;
    const char *start = ++w->p;
    for (; w->p < w->end && *w->p != '\''; w->p++)
        if (*w->p == '\\' && (++w->p >= w->end || (*w->p != '\'' && *w->p != '\\')))
            return bad(w);
    if (w->p >= w->end)
        return bad(w);
    *ret = (struct text){start, (size_t)(w->p - start)};
    w->p++;
    return true;
}

static size_t digits(struct walk *w)
{
    size_t n = 0;
    while (w->p < w->end && is_digit(*w->p))
        w->p++, n++;
    return n;
}

/* numbers: no leading zeros; a float may begin with its point */
static bool take_number(struct walk *w, struct text *ret, bool *is_float)
{
    skip(w);
    const char *start = w->p;
    if (w->p < w->end && (*w->p == '-' || *w->p == '+'))
        w->p++;
    const char *first = w->p;
    size_t n = digits(w);
    *is_float = w->p < w->end && *w->p == '.';
    size_t n_after = 0;
    if (*is_float) {
        w->p++;
        n_after = digits(w);
    }
    if ((!n && !n_after) || (*is_float && !n_after) || (!*is_float && n > 1 && *first == '0')) {
        w->p = start;
        return false;
    }
    if (w->p < w->end && is_alpha(*w->p))
        return bad(w);
    *ret = (struct text){start, (size_t)(w->p - start)};
    return true;
}

static bool all_digits(struct text t, size_t at, size_t n, unsigned *ret)
{
    *ret = 0;
    for (size_t i = at; i < at + n; i++) {
        if (i >= t.n || !is_digit(t.p[i]))
            return false;
        *ret = *ret * 10 + (unsigned)(t.p[i] - '0');
    }
    return true;
}

/* t'2016-05-12T08:17:27.000Z' */
static bool is_timestamp(struct text t)
{
    unsigned year, month, day, hour, minute, second;
    if (t.n < 20 || t.p[4] != '-' || t.p[7] != '-' || t.p[10] != 'T' || t.p[13] != ':' || t.p[16] != ':' || t.p[t.n - 1] != 'Z')
        return false;
    if (!all_digits(t, 0, 4, &year) || !all_digits(t, 5, 2, &month) || !all_digits(t, 8, 2, &day) || !all_digits(t, 11, 2, &hour) ||
        !all_digits(t, 14, 2, &minute) || !all_digits(t, 17, 2, &second))
        return false;
    if (!month || month > 12 || !day || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    if (t.n == 20)
        return true;
    if (t.p[19] != '.' || t.n == 21)
        return false;
    for (size_t i = 20; i < t.n - 1; i++)
        if (!is_digit(t.p[i]))
            return false;
    return true;
}

static bool is_hex_text(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!is_digit(t.p[i]) && !((t.p[i] | 32) >= 'a' && (t.p[i] | 32) <= 'f'))
            return false;
    return t.n % 2 == 0;
}

static bool is_base64_text(struct text t)
{
    size_t n = t.n;
    while (n && t.n - n < 2 && t.p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++)
        if (!(is_alpha(t.p[i]) && t.p[i] != '_') && !is_digit(t.p[i]) && t.p[i] != '+' && t.p[i] != '/')
            return false;
    return t.n % 4 == 0;
}

enum literal { LITERAL_NONE, LITERAL_STRING, LITERAL_INT, LITERAL_OTHER, LITERAL_BOOL };

static enum literal take_literal(struct walk *w, struct text *ret)
{
    bool is_float;
    skip(w);
    *ret = (struct text){"", 0};
    if (w->end - w->p >= 2 && w->p[1] == '\'' && (*w->p == 't' || *w->p == 'h' || *w->p == 'b')) {
        char kind = *w->p++;
        bool fits = take_string(w, ret) && (kind == 't' ? is_timestamp(*ret) : kind == 'h' ? is_hex_text(*ret) : is_base64_text(*ret));
        return fits ? LITERAL_OTHER : (bad(w), LITERAL_NONE);
    }
    if (take_string(w, ret))
        return LITERAL_STRING;
    if (w->is_bad)
        return LITERAL_NONE;
    if (take_word(w, "true") || take_word(w, "false"))
        return LITERAL_BOOL;
    if (take_number(w, ret, &is_float))
        return is_float ? LITERAL_OTHER : LITERAL_INT;
    return LITERAL_NONE;
}

static bool take_name(struct walk *w, bool may_hyphen)
{
    if (w->p >= w->end || !is_alpha(*w->p))
        return false;
    while (w->p < w->end && (is_alpha(*w->p) || is_digit(*w->p) || (may_hyphen && *w->p == '-')))
        w->p++;
    return true;
}

/* object path: type ':' component { '.' component | '[' index ']' } */
static bool take_path(struct walk *w, struct text *ret)
{
    struct text quoted;
    skip(w);
    const char *start = w->p;
    if (!take_name(w, true) || !take(w, ":"))
        return bad(w);
    skip(w);
    if (!take_name(w, false) && !take_string(w, &quoted))
        return bad(w);
    const char *end = w->p;
    for (;;) {
        bool is_float;
        struct text number;
        if (take(w, ".")) {
            skip(w);
            if (!take_name(w, false) && !take_string(w, &quoted))
                return bad(w);
        } else if (take(w, "[")) {
            if (!take(w, "*") && (!take_number(w, &number, &is_float) || is_float))
                return bad(w);
            if (!take(w, "]"))
                return bad(w);
        } else {
            break;
        }
        end = w->p;
    }
    *ret = (struct text){start, (size_t)(end - start)};
    return true;
}

/* path_is - blanks may stand around the signs, and a component may be quoted */
static bool path_is(struct text path, const char *name)
{
    for (size_t i = 0; i < path.n; i++) {
        if (is_space(path.p[i]) || path.p[i] == '\'')
            continue;
        if (path.p[i] != *name++)
            return false;
    }
    return !*name;
}

static bool where_of(struct text path, enum stix_where *ret)
{
    static const struct {
        const char *path;
        enum stix_where where;
    } paths[] = {{"ipv4-addr:value", STIX_ADDRESS}, {"ipv6-addr:value", STIX_ADDRESS},
                 {"network-traffic:dst_ref.value", STIX_DESTINATION}, {"network-traffic:src_ref.value", STIX_SOURCE},
                 {"domain-name:value", STIX_NAME}, {"url:value", STIX_NAME}, {"file:hashes.MD5", STIX_NAME},
                 {"file:hashes.SHA-1", STIX_NAME}, {"file:hashes.SHA-256", STIX_NAME}};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (path_is(path, paths[i].path)) {
            *ret = paths[i].where;
            return true;
        }
    return false;
}

static void give(struct walk *w, struct text path, struct text value)
{
    char plain[STIX_VALUE_MAX];
    size_t n = 0;
    struct stix_address a = {.where = STIX_ADDRESS};
    if (w->pass != PASS_GIVE || w->rc || !w->each || !where_of(path, &a.where))
        return;
    for (size_t i = 0; i < value.n && n < sizeof(plain); i++) {
        i += value.p[i] == '\\' && i + 1 < value.n;
        plain[n++] = value.p[i];
    }
    enum stix_where side = a.where == STIX_SOURCE ? STIX_SOURCE : STIX_DESTINATION;
    a.port = w->n_ports[side] == 1 && a.where != STIX_NAME ? w->port[side] : 0;
    a.value = (struct text){plain, n};
    w->rc = w->each(w->context, &a);
}

static void see_port(struct walk *w, struct text path, struct text number)
{
    uint64_t v;
    bool is_source = path_is(path, "network-traffic:src_port");
    if (w->pass != PASS_PORTS || (!is_source && !path_is(path, "network-traffic:dst_port")) || text_u64(number, 65535, &v))
        return;
    enum stix_where side = is_source ? STIX_SOURCE : STIX_DESTINATION;
    w->n_ports[side]++;
    w->port[side] = (uint16_t)v;
}

/* IN ( literal, ... ) */
static bool take_set(struct walk *w, struct text path, bool is_not)
{
    struct text value;
    if (!take(w, "("))
        return bad(w);
    if (take(w, ")"))
        return true;
    do {
        enum literal kind = take_literal(w, &value);
        if (kind == LITERAL_NONE)
            return bad(w);
        if (kind == LITERAL_STRING && !is_not)
            give(w, path, value);
    } while (take(w, ","));
    return take(w, ")") || bad(w);
}

static bool take_order(struct walk *w)
{
    return take(w, "<=") || take(w, ">=") || take(w, "<") || take(w, ">");
}

static bool take_comparison(struct walk *w)
{
    struct text path, value;
    enum stix_where where;
    bool is_not = take_word(w, "NOT");
    if (take_word(w, "EXISTS"))
        return take_path(w, &path);
    if (is_not)
        return bad(w);
    if (!take_path(w, &path))
        return false;
    is_not = take_word(w, "NOT");
    if (take_word(w, "IN"))
        return take_set(w, path, is_not);
    bool is_subset = take_word(w, "ISSUBSET");
    if (is_subset || take_word(w, "ISSUPERSET") || take_word(w, "LIKE") || take_word(w, "MATCHES")) {
        if (!take_string(w, &value))
            return bad(w);
        if (is_subset && !is_not && (!where_of(path, &where) || where != STIX_NAME))
            give(w, path, value);
        return true;
    }
    if (take(w, "!=") || take(w, "<>"))
        return take_literal(w, &value) != LITERAL_NONE || bad(w);
    if (take_order(w)) {
        enum literal kind = take_literal(w, &value);
        return (kind != LITERAL_NONE && kind != LITERAL_BOOL) || bad(w);
    }
    if (!take(w, "==") && !take(w, "="))
        return bad(w);
    enum literal kind = take_literal(w, &value);
    if (kind == LITERAL_NONE)
        return bad(w);
    if (kind == LITERAL_STRING && !is_not)
        give(w, path, value);
    if (kind == LITERAL_INT && !is_not)
        see_port(w, path, value);
    return true;
}

static bool comparisons(struct walk *w)
{
    if (++w->depth > STIX_MAX_DEPTH)
        return bad(w);
    do {
        if (take(w, "(")) {
            if (!comparisons(w) || !take(w, ")"))
                return bad(w);
        } else if (!take_comparison(w)) {
            return bad(w);
        }
    } while (take_word(w, "AND") || take_word(w, "OR"));
    w->depth--;
    return true;
}

/* observation - [ ... ]; when giving, first once for its ports */
static bool observation(struct walk *w)
{
    if (w->pass == PASS_GIVE) {
        struct walk ports = *w;
        ports.pass = PASS_PORTS;
        memset(ports.n_ports, 0, sizeof(ports.n_ports));
        if (!comparisons(&ports))
            return bad(w);
        memcpy(w->port, ports.port, sizeof(w->port));
        memcpy(w->n_ports, ports.n_ports, sizeof(w->n_ports));
    }
    return (comparisons(w) && take(w, "]")) || bad(w);
}

/* each kind of qualifier at most once after an observation; after a group in brackets they may repeat */
static bool take_qualifiers(struct walk *w, bool may_repeat)
{
    struct text value;
    bool is_float, had_start = false, had_within = false, had_repeats = false;
    for (;;) {
        if (!had_start && take_word(w, "START")) {
            had_start = !may_repeat;
            if (take_literal(w, &value) != LITERAL_OTHER || !take_word(w, "STOP") || take_literal(w, &value) != LITERAL_OTHER)
                return bad(w);
        } else if (!had_within && take_word(w, "WITHIN")) {
            had_within = !may_repeat;
            if (!take_number(w, &value, &is_float) || value.p[0] == '-' || !take_word(w, "SECONDS"))
                return bad(w);
        } else if (!had_repeats && take_word(w, "REPEATS")) {
            had_repeats = !may_repeat;
            if (!take_number(w, &value, &is_float) || is_float || value.p[0] == '-' || !take_word(w, "TIMES"))
                return bad(w);
        } else {
            return true;
        }
    }
}

static bool observations(struct walk *w)
{
    if (++w->depth > STIX_MAX_DEPTH)
        return bad(w);
    do {
        bool is_group = take(w, "(");
        if (is_group) {
            if (!observations(w) || !take(w, ")"))
                return bad(w);
        } else if (!take(w, "[") || !observation(w)) {
            return bad(w);
        }
        if (!take_qualifiers(w, is_group))
            return false;
    } while (take_word(w, "AND") || take_word(w, "OR") || take_word(w, "FOLLOWEDBY"));
    w->depth--;
    return true;
}

int stix_pattern(struct text pattern, stix_each each, void *context)
{
    struct walk w = {.p = pattern.p, .end = pattern.p + pattern.n, .pass = PASS_CHECK};
    if (!observations(&w) || w.is_bad)
        return STIX_MALFORMED;
    skip(&w);
    if (w.p != w.end)
        return STIX_MALFORMED;
    if (!each)
        return 0;
    w = (struct walk){.p = pattern.p, .end = pattern.p + pattern.n, .pass = PASS_GIVE, .each = each, .context = context};
    observations(&w);
    return w.rc;
}
