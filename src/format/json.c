/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recursive descent over the grammar of RFC 8259, bounded by JSON_MAX_DEPTH.
 * The path of the leaf in hand grows and shrinks in one buffer on the stack.
 */
#include "format/json.h"

#include <stdio.h>
#include <string.h>

struct walk {
    const char *p, *end;
    json_leaf leaf;
    void *context;
    unsigned depth;
    size_t n_path;
    bool is_inside_array; /* nothing in here is given */
    char path[JSON_MAX_PATH];
};

static int walk_value(struct walk *w);

static void blanks(struct walk *w)
{
    while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\n' || *w->p == '\r'))
        w->p++;
}

static bool take(struct walk *w, char c)
{
    if (w->p == w->end || *w->p != c)
        return false;
    w->p++;
    return true;
}

static int hex4(const char *p, const char *end, unsigned *ret)
{
    unsigned v = 0;
    if (end - p < 4)
        return 1;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned digit;
        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (unsigned)(c - 'A') + 10;
        else
            return 1;
        v = v << 4 | digit;
    }
    *ret = v;
    return 0;
}

/* escape - RFC 8259 section 7: what follows a backslash; surrogates only as a pair. */
static int escape(struct walk *w)
{
    unsigned unit, low;
    if (w->p == w->end)
        return JSON_MALFORMED;
    char c = *w->p++;
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c) ? 0 : JSON_MALFORMED;
    if (hex4(w->p, w->end, &unit))
        return JSON_MALFORMED;
    w->p += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return 0;
    if (unit > 0xdbff || w->end - w->p < 6 || w->p[0] != '\\' || w->p[1] != 'u' || hex4(w->p + 2, w->end, &low) ||
        low < 0xdc00 || low > 0xdfff)
        return JSON_MALFORMED;
    w->p += 6;
    return 0;
}

/* string - the opening quote has been taken. */
static int string(struct walk *w, struct json_value *ret)
{
    const char *begin = w->p;
    bool is_ascii = true;
    *ret = (struct json_value){.kind = JSON_KIND_STRING};
    for (;;) {
        if (w->p == w->end)
            return JSON_MALFORMED;
        unsigned char c = (unsigned char)*w->p++;
        if (c == '"')
            break;
        if (c < 0x20)
            return JSON_MALFORMED;
        if (c >= 0x80)
            is_ascii = false;
        if (c != '\\')
            continue;
        ret->is_escaped = true;
        if (escape(w))
            return JSON_MALFORMED;
    }
    ret->raw = (struct text){begin, (size_t)(w->p - 1 - begin)};
    return is_ascii || text_is_utf8(begin, ret->raw.n) ? 0 : JSON_MALFORMED;
}

static bool digits(struct walk *w)
{
    const char *begin = w->p;
    while (w->p < w->end && *w->p >= '0' && *w->p <= '9')
        w->p++;
    return w->p > begin;
}

/* number - RFC 8259 section 6: [ minus ] int [ frac ] [ exp ] */
static int number(struct walk *w, struct json_value *ret)
{
    const char *begin = w->p;
    take(w, '-');
    if (!take(w, '0') && !digits(w))
        return JSON_MALFORMED;
    if (take(w, '.') && !digits(w))
        return JSON_MALFORMED;
    if (take(w, 'e') || take(w, 'E')) {
        if (!take(w, '+'))
            take(w, '-');
        if (!digits(w))
            return JSON_MALFORMED;
    }
    *ret = (struct json_value){.kind = JSON_KIND_NUMBER, .raw = {begin, (size_t)(w->p - begin)}};
    return 0;
}

static int word(struct walk *w, const char *name, enum json_kind kind, struct json_value *ret)
{
    size_t n = strlen(name);
    if ((size_t)(w->end - w->p) < n || memcmp(w->p, name, n))
        return JSON_MALFORMED;
    *ret = (struct json_value){.kind = kind, .raw = {w->p, n}};
    w->p += n;
    return 0;
}

static int give(struct walk *w, const struct json_value *v)
{
    if (!w->leaf || w->is_inside_array)
        return 0;
    return w->leaf(w->context, (struct text){w->path, w->n_path}, v);
}

static int array(struct walk *w)
{
    const char *begin = w->p;
    bool is_outermost = !w->is_inside_array;
    w->p++;
    w->is_inside_array = true;
    blanks(w);
    if (!take(w, ']')) {
        for (;;) {
            int rc = walk_value(w);
            if (rc)
                return rc;
            if (take(w, ']'))
                break;
            if (!take(w, ','))
                return JSON_MALFORMED;
        }
    }
    if (!is_outermost)
        return 0;
    w->is_inside_array = false;
    struct json_value v = {.kind = JSON_KIND_ARRAY, .raw = {begin, (size_t)(w->p - begin)}};
    return give(w, &v);
}

/* enter_key - append a key to the path; inside arrays paths are of no use. */
static int enter_key(struct walk *w, const struct json_value *key)
{
    if (w->is_inside_array || !w->leaf)
        return 0;
    bool has_dot = w->depth > 1;
    if (w->n_path + has_dot + key->raw.n > JSON_MAX_PATH)
        return JSON_LONG_PATH;
    if (has_dot)
        w->path[w->n_path++] = '.';
    if (key->is_escaped) {
        w->n_path += json_unescape(key->raw, w->path + w->n_path);
    } else {
        memcpy(w->path + w->n_path, key->raw.p, key->raw.n);
        w->n_path += key->raw.n;
    }
    return 0;
}

static int object(struct walk *w)
{
    const char *begin = w->p;
    size_t n_path = w->n_path;
    w->p++;
    blanks(w);
    if (take(w, '}')) {
        struct json_value v = {.kind = JSON_KIND_OBJECT, .raw = {begin, (size_t)(w->p - begin)}};
        return give(w, &v);
    }
    for (;;) {
        struct json_value key;
        blanks(w);
        if (!take(w, '"') || string(w, &key))
            return JSON_MALFORMED;
        blanks(w);
        if (!take(w, ':'))
            return JSON_MALFORMED;
        int rc = enter_key(w, &key);
        if (!rc)
            rc = walk_value(w);
        if (rc)
            return rc;
        w->n_path = n_path;
        if (take(w, '}'))
            return 0;
        if (!take(w, ','))
            return JSON_MALFORMED;
    }
}

static int scalar(struct walk *w, struct json_value *ret)
{
    switch (*w->p) {
    case '"':
        w->p++;
        return string(w, ret);
    case 't':
        return word(w, "true", JSON_KIND_TRUE, ret);
    case 'f':
        return word(w, "false", JSON_KIND_FALSE, ret);
    case 'n':
        return word(w, "null", JSON_KIND_NULL, ret);
    default:
        return number(w, ret);
    }
}

/* walk_value - a value with the blanks around it. */
static int walk_value(struct walk *w)
{
    int rc;
    blanks(w);
    if (w->p == w->end)
        return JSON_MALFORMED;
    if (*w->p == '{' || *w->p == '[') {
        if (w->depth == JSON_MAX_DEPTH)
            return JSON_TOO_DEEP;
        w->depth++;
        rc = *w->p == '{' ? object(w) : array(w);
        w->depth--;
    } else {
        struct json_value v;
        rc = scalar(w, &v);
        if (!rc)
            rc = give(w, &v);
    }
    blanks(w);
    return rc;
}

int json_walk(struct text t, json_leaf leaf, void *context, size_t *ret_at)
{
    struct walk w;
    w.p = t.p;
    w.end = t.p + t.n;
    w.leaf = leaf;
    w.context = context;
    w.depth = 0;
    w.n_path = 0;
    w.is_inside_array = false;
    int rc = walk_value(&w);
    if (!rc && w.p != w.end)
        rc = JSON_MALFORMED;
    if (ret_at)
        *ret_at = (size_t)(w.p - t.p);
    return rc;
}

bool json_element(struct text *rest, struct json_value *ret)
{
    struct walk w = {.p = rest->p, .end = rest->p + rest->n};
    if (w.p == w.end)
        return false;
    w.p++; /* the opening bracket or the comma */
    blanks(&w);
    if (w.p == w.end || *w.p == ']')
        return false;
    const char *begin = w.p;
    int rc;
    if (*begin == '{' || *begin == '[') {
        rc = *begin == '{' ? object(&w) : array(&w);
        *ret = (struct json_value){.kind = *begin == '{' ? JSON_KIND_OBJECT : JSON_KIND_ARRAY,
                                   .raw = {begin, (size_t)(w.p - begin)}};
    } else {
        rc = scalar(&w, ret);
    }
    blanks(&w);
    *rest = (struct text){w.p, (size_t)(w.end - w.p)};
    return !rc;
}

/* read_escape - the character whose escape stands at @p, behind the backslash; moves @p. */
static uint32_t read_escape(const char **p, const char *end)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    unsigned unit, low;
    char c = *(*p)++;
    const char *letter = c ? strchr(letters, c) : NULL;
    if (letter)
        return (uint32_t)meanings[letter - letters];
    if (c != 'u' || hex4(*p, end, &unit))
        return (unsigned char)c;
    *p += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || end - *p < 6 || hex4(*p + 2, end, &low) || low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *p += 6;
    return 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

size_t json_unescape(struct text raw, char *out)
{
    const char *p = raw.p, *end = raw.p + raw.n;
    char *o = out;
    while (p < end) {
        if (*p != '\\' || p + 1 == end) {
            *o++ = *p++;
            continue;
        }
        p++;
        char utf8[4];
        size_t n = text_put(read_escape(&p, end), utf8);
        memcpy(o, utf8, n); /* two bytes of escape at least for one, six for three, twelve for four */
        o += n;
    }
    return (size_t)(o - out);
}

static void put_escaped(struct buf *b, unsigned char c)
{
    static const char letters[] = "btn\0fr"; /* U+0008 .. U+000D, no short form for U+000B */
    if (c >= 8 && c <= 13 && c != 11) {
        char two[2] = {'\\', letters[c - 8]};
        buf_add(b, two, 2);
    } else if (c == '"' || c == '\\') {
        char two[2] = {'\\', (char)c};
        buf_add(b, two, 2);
    } else {
        buf_printf(b, "\\u%04x", c);
    }
}

void json_put_string(struct buf *b, struct text t)
{
    const char *p = t.p, *end = t.p + t.n, *run = p;
    buf_add_byte(b, '"');
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            p++;
            continue;
        }
        buf_add(b, run, (size_t)(p - run));
        if (c < 0x80) {
            put_escaped(b, c);
            p++;
        } else {
            char utf8[4];
            buf_add(b, utf8, text_put(text_next(&p, end), utf8));
        }
        run = p;
    }
    buf_add(b, run, (size_t)(p - run));
    buf_add_byte(b, '"');
}
