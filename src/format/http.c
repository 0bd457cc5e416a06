/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line by line until Host or the empty line. Lenient where clients are (LF
 * alone, any case), strict in what may become a name: letters that a host or
 * an address literal can hold, nothing else.
 */
#include "format/http.h"

#include "base/text.h"

#include <string.h>

#define METHOD_MAX 24

/* A token of capital letters (extensions use '-' and '_'), a blank: long enough to tell it from other protocols. */
static int method_read(struct text *rest, struct text *ret_method)
{
    size_t n = 0;
    while (n < rest->n && n <= METHOD_MAX &&
           ((rest->p[n] >= 'A' && rest->p[n] <= 'Z') || rest->p[n] == '-' || rest->p[n] == '_'))
        n++;
    if (n == rest->n)
        return n > METHOD_MAX || !n ? HTTP_NOT_HTTP : HTTP_MORE;
    if (n < 3 || n > METHOD_MAX || rest->p[n] != ' ')
        return HTTP_NOT_HTTP;
    *ret_method = (struct text){rest->p, n};
    rest->p += n + 1;
    rest->n -= n + 1;
    return 0;
}

/* The next line without its end; at the end of the bytes what is there, if @is_end. */
static int line_next(struct text *rest, int is_end, struct text *ret)
{
    const char *end = memchr(rest->p, '\n', rest->n);
    if (!end && !is_end)
        return HTTP_MORE;
    size_t n = end ? (size_t)(end - rest->p) : rest->n, used = end ? n + 1 : n;
    *ret = (struct text){rest->p, n};
    if (ret->n && ret->p[ret->n - 1] == '\r')
        ret->n--;
    rest->p += used;
    rest->n -= used;
    return 0;
}

static int is_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* host, host:port, [v6], [v6]:port to a bare lower-case host. */
static int host_clean(struct text t, char ret[HTTP_HOST_MAX], size_t *ret_n)
{
    t = text_trim(t);
    const char *at = t.n ? memchr(t.p, '@', t.n) : NULL; /* user information of a target is no host */
    if (at) {
        t.n -= (size_t)(at + 1 - t.p);
        t.p = at + 1;
    }
    int is_literal = t.n && t.p[0] == '[';
    const char *end = t.n ? memchr(t.p, is_literal ? ']' : ':', t.n) : NULL;
    if (is_literal && !end)
        return HTTP_NO_HOST;
    if (is_literal)
        t = (struct text){t.p + 1, (size_t)(end - t.p) - 1};
    else if (end)
        t.n = (size_t)(end - t.p);
    if (t.n && t.p[t.n - 1] == '.')
        t.n--;
    if (!t.n || t.n >= HTTP_HOST_MAX)
        return HTTP_NO_HOST;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i] >= 'A' && t.p[i] <= 'Z' ? (char)(t.p[i] + 32) : t.p[i];
        if (!is_host_byte(c) && !(is_literal && c == ':'))
            return HTTP_NO_HOST;
        ret[i] = c;
    }
    ret[t.n] = '\0';
    *ret_n = t.n;
    return 0;
}

/* The authority of "CONNECT host:port" or "GET scheme://host/path"; empty for other forms. */
static struct text target_authority(struct text method, struct text line)
{
    const char *blank = line.n ? memchr(line.p, ' ', line.n) : NULL;
    struct text target = {line.p, blank ? (size_t)(blank - line.p) : line.n};
    if (text_is(method, "CONNECT"))
        return target;
    if (target.n && target.p[0] == '/')
        return (struct text){NULL, 0};
    const char *scheme = memmem(target.p, target.n, "://", 3);
    if (!scheme)
        return (struct text){NULL, 0};
    struct text rest = {scheme + 3, target.n - (size_t)(scheme + 3 - target.p)};
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    return (struct text){rest.p, n};
}

int http_host_read(const uint8_t *p, size_t n, int is_end, char ret[HTTP_HOST_MAX], size_t *ret_n)
{
    struct text rest = {(const char *)p, n}, method, line;
    if (!n)
        return HTTP_NOT_HTTP;
    int e = method_read(&rest, &method);
    if (e)
        return e;
    e = line_next(&rest, is_end, &line);
    if (e)
        return e;
    if (!memmem(line.p, line.n, " HTTP/1.", 8) && !memmem(line.p, line.n, " http/1.", 8))
        return HTTP_NOT_HTTP;
    struct text authority = target_authority(method, line);
    if (authority.n && !host_clean(authority, ret, ret_n))
        return 0;
    while (rest.n) {
        e = line_next(&rest, is_end, &line);
        if (e)
            return e;
        if (!line.n)
            return HTTP_NO_HOST;
        if (line.n > 5 && text_is_nocase((struct text){line.p, 5}, "host:"))
            return host_clean((struct text){line.p + 5, line.n - 5}, ret, ret_n);
    }
    return is_end ? HTTP_NO_HOST : HTTP_MORE;
}
