/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_text.h"

#include <string.h>
#include <strings.h>

const char *http_headers_find(const struct http_headers *h, const char *name)
{
    for (unsigned i = 0; i < h->n; i++)
        if (!strcasecmp(h->h[i].name, name))
            return h->h[i].value;
    return NULL;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* decode - @out may be @p. Return: bytes written, or SIZE_MAX: a broken escape or a NUL. */
static size_t decode(const char *p, size_t n, bool is_form, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            int high = i + 2 < n ? hex(p[i + 1]) : -1, low = i + 2 < n ? hex(p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return SIZE_MAX;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && is_form) {
            c = ' ';
        }
        if (!c)
            return SIZE_MAX;
        out[k++] = c;
    }
    return k;
}

/* is_path - every segment names something, or the last is empty. */
static bool is_path(const char *p, size_t n)
{
    if (!n || p[0] != '/' || !text_is_utf8(p, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f || p[i] == '\\')
            return false;
    for (size_t i = 1; i < n;) {
        const char *slash = memchr(p + i, '/', n - i);
        size_t length = slash ? (size_t)(slash - p) - i : n - i;
        if (!length || (length == 1 && p[i] == '.') || (length == 2 && p[i] == '.' && p[i + 1] == '.'))
            return false;
        i += length + 1;
    }
    return true;
}

int http_target_split(char *target, const char **ret_query)
{
    char *question = strchr(target, '?');
    *ret_query = "";
    if (question) {
        *question = 0;
        *ret_query = question + 1;
    }
    size_t n = decode(target, strlen(target), false, target);
    if (n == SIZE_MAX || !is_path(target, n))
        return 1;
    target[n] = 0;
    return 0;
}

const char *http_decode(struct arena *arena, struct text t, bool is_form, size_t *ret_n)
{
    char *out = arena_alloc(arena, t.n + 1);
    size_t n = out ? decode(t.p, t.n, is_form, out) : SIZE_MAX;
    if (n == SIZE_MAX || !text_is_utf8(out, n))
        return NULL;
    out[n] = 0;
    *ret_n = n;
    return out;
}

bool http_query_next(struct text *rest, struct text *ret_name, struct text *ret_value)
{
    while (rest->n && rest->p[0] == '&')
        *rest = (struct text){rest->p + 1, rest->n - 1};
    if (!rest->n)
        return false;
    const char *end = memchr(rest->p, '&', rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    const char *equals = memchr(rest->p, '=', n);
    size_t n_name = equals ? (size_t)(equals - rest->p) : n;
    *ret_name = (struct text){rest->p, n_name};
    *ret_value = equals ? (struct text){equals + 1, n - n_name - 1} : (struct text){rest->p + n, 0};
    *rest = (struct text){rest->p + n, rest->n - n};
    return true;
}

bool http_cookie(const char *cookies, const char *name, struct text *ret)
{
    size_t n_name = strlen(name);
    bool is_found = false;
    for (const char *p = cookies; p && *p;) {
        p += strspn(p, " \t;");
        size_t n = strcspn(p, ";");
        if (n > n_name && !memcmp(p, name, n_name) && p[n_name] == '=') {
            if (is_found)
                return false;
            *ret = text_trim((struct text){p + n_name + 1, n - n_name - 1});
            is_found = true;
        }
        p += n;
    }
    return is_found;
}

bool http_bearer(const char *authorization, struct text *ret)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return false;
    *ret = text_trim((struct text){authorization + 7, strlen(authorization + 7)});
    return true;
}

int64_t http_entity_version(const char *if_match)
{
    uint64_t v;
    if (!if_match)
        return -1;
    struct text t = text_trim((struct text){if_match, strlen(if_match)});
    if (t.n < 3 || t.p[0] != '"' || t.p[t.n - 1] != '"' || text_u64((struct text){t.p + 1, t.n - 2}, INT64_MAX, &v))
        return -2;
    return (int64_t)v;
}

bool http_accepts_gzip(const char *accept_encoding)
{
    for (const char *p = accept_encoding; p && *p;) {
        p += strspn(p, " \t,");
        size_t n = strcspn(p, ",");
        struct text one = text_trim((struct text){p, strcspn(p, ",;")});
        if (text_is_nocase(one, "gzip")) {
            const char *q = memmem(p, n, "q=", 2);
            return !q || strspn(q + 2, "0.") != strcspn(q + 2, ",; \t");
        }
        p += n;
    }
    return false;
}
