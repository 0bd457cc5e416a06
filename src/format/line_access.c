/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access logs of web servers: the common and combined formats of Apache and nginx, with a virtual host in front or
 * further columns behind. Percent-encoding and backslash escapes stay as the server wrote them.
 * Source: Apache mod_log_config, nginx ngx_http_log_module (format "combined").
 */
#include "format/line_impl.h"

#include <string.h>

#define BEFORE_TIME_MAX 1024u
#define METHOD_MAX 32u

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* stamp - the '[' of "[dd/" within the first bytes; NULL when there is none. */
static const char *stamp(struct text t)
{
    const char *end = t.p + (t.n < BEFORE_TIME_MAX ? t.n : BEFORE_TIME_MAX);
    for (const char *p = t.p; (p = memchr(p, '[', (size_t)(end - p))); p++)
        if (end - p > 22 && p > t.p && p[-1] == ' ' && is_digit(p[1]) && is_digit(p[2]) && p[3] == '/' && p[7] == '/')
            return p;
    return NULL;
}

bool line_access_begins(struct text t)
{
    if (!t.n || *t.p == ' ' || *t.p == '[' || *t.p == '<')
        return false;
    const char *from = stamp(t);
    const char *close = from ? memchr(from, ']', (size_t)(t.p + t.n - from < 40 ? t.p + t.n - from : 40)) : NULL;
    const char *quote = close ? memchr(close, '"', (size_t)(t.p + t.n - close < 80 ? t.p + t.n - close : 80)) : NULL;
    if (!quote || close[1] != ' ' || quote[-1] != ' ')
        return false;
    if (quote > close + 2 && memchr(close + 2, ' ', (size_t)(quote - close - 2)) != quote - 1)
        return false; /* one word at most: some put the virtual host there */
    return memchr(t.p, ' ', (size_t)(from - t.p)) != from - 1; /* two words at least */
}

static struct text word(struct text *rest)
{
    const char *blank = rest->n ? memchr(rest->p, ' ', rest->n) : NULL;
    size_t n = blank ? (size_t)(blank - rest->p) : rest->n;
    struct text w = {rest->p, n};
    *rest = (struct text){rest->p + n + !!blank, rest->n - n - !!blank};
    return w;
}

static bool is_address(struct text t)
{
    struct ip ip;
    return !ip_parse(t.p, t.n, &ip);
}

static void put(struct line_scratch *s, struct events *e, uint16_t field, enum line_type type, struct text value)
{
    struct line_target target = {.field = field, .type = (uint8_t)type};
    line_put(s, e, &target, value);
}

/* clients - "[vhost ]client ident user". */
static void clients(struct line_scratch *s, struct events *e, struct text before)
{
    struct text rest = before, first = word(&rest), look = rest, second = word(&look);
    if (!is_address(first) && (is_address(second) || (look.n > 3 && memchr(look.p, ' ', look.n - 1)))) {
        const char *colon = memchr(first.p, ':', first.n);
        put(s, e, EV_URL_DOMAIN, LINE_WORD, (struct text){first.p, colon ? (size_t)(colon - first.p) : first.n});
        if (colon)
            put(s, e, EV_URL_PORT, LINE_INT, (struct text){colon + 1, first.n - (size_t)(colon + 1 - first.p)});
        first = second;
        rest = look;
    }
    if (first.n && first.p[first.n - 1] == ',') /* a list of forwarders: the first is the client */
        first.n--;
    put(s, e, EV_SOURCE_ADDRESS, LINE_HOST, first);
    struct text ident = word(&rest);
    (void)ident;
    rest = text_trim(rest);
    if ((rest.n == 2 && !memcmp(rest.p, "\"\"", 2)) || (rest.n == 3 && !memcmp(rest.p, "- -", 3)))
        return;
    put(s, e, EV_USER_NAME, LINE_WORD, rest);
}

/* quoted - "..." at the start of @rest; '\' protects a quote. Return: false when there is none. */
static bool quoted(struct text *rest, struct text *ret)
{
    while (rest->n && *rest->p == ' ')
        rest->p++, rest->n--;
    if (!rest->n || *rest->p != '"')
        return false;
    const char *p = rest->p + 1, *end = rest->p + rest->n;
    const char *quote = memchr(p, '"', (size_t)(end - p));
    while (quote && quote[-1] == '\\') { /* an even number of them protects nothing */
        const char *slash = quote;
        while (slash > p && slash[-1] == '\\')
            slash--;
        if ((quote - slash) % 2 == 0)
            break;
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
    }
    if (!quote)
        return false;
    *ret = (struct text){p, (size_t)(quote - p)};
    *rest = (struct text){quote + 1, (size_t)(end - quote - 1)};
    return true;
}

/* what is no request stays a text of its own */
void line_put_request(struct line_scratch *s, struct events *e, struct text t)
{
    size_t n = 0;
    while (n < t.n && n < METHOD_MAX && ((t.p[n] >= 'A' && t.p[n] <= 'Z') || t.p[n] == '-' || t.p[n] == '_'))
        n++;
    if (!n || n >= t.n || t.p[n] != ' ') {
        if (t.n && !(t.n == 1 && *t.p == '-'))
            event_put_name(e, TEXT("http.request.line"), t);
        return;
    }
    event_put_text(e, EV_HTTP_METHOD, (struct text){t.p, n});
    struct text url = {t.p + n + 1, t.n - n - 1};
    const char *blank = memrchr(url.p, ' ', url.n);
    if (blank && url.p + url.n - blank > 6 && !memcmp(blank, " HTTP/", 6)) {
        event_put_text(e, EV_HTTP_VERSION, (struct text){blank + 6, (size_t)(url.p + url.n - blank) - 6});
        url.n = (size_t)(blank - url.p);
    }
    if (url.n)
        line_put_url(s, e, url);
}

static void status(struct line_scratch *s, struct events *e, struct text t)
{
    uint64_t code;
    if (text_u64(t, 999, &code))
        return;
    event_put_long(e, EV_HTTP_STATUS, (int64_t)code);
    if (code >= 100)
        event_put_text(e, EV_EVENT_OUTCOME, code < 400 ? TEXT("success") : TEXT("failure"));
    (void)s;
}

/* further - columns that a log format adds: a quoted list of addresses is what a proxy forwarded. */
static void further(struct line_scratch *s, struct events *e, struct text rest)
{
    for (unsigned i = 0; rest.n && i < 32; i++) {
        struct text t;
        bool is_quoted = quoted(&rest, &t);
        if (!is_quoted)
            t = word(&rest);
        const char *comma = t.n ? memchr(t.p, ',', t.n) : NULL;
        struct text first = {t.p, comma ? (size_t)(comma - t.p) : t.n};
        if (is_quoted && first.n > 6 && is_address(first)) {
            struct ip ip;
            ip_parse(first.p, first.n, &ip);
            event_put_ip(e, event_names_add(e->names, TEXT("network.forwarded_ip")), &ip);
            return;
        }
        if (t.n > 3 && !memcmp(t.p, "rt=", 3))
            put(s, e, EV_EVENT_DURATION, LINE_SECONDS, (struct text){t.p + 3, t.n - 3});
    }
}

void line_access(struct line_scratch *s, struct events *e, struct text t)
{
    const char *from = stamp(t);
    if (!from)
        return;
    struct text inside = {from + 1, (size_t)(t.p + t.n - from - 1)}, value;
    clients(s, e, (struct text){t.p, (size_t)(from - t.p)});
    struct line_target time = {.special = LINE_STAMP, .type = LINE_TIME};
    line_put(s, e, &time, inside);
    const char *close = memchr(inside.p, ']', inside.n);
    struct text rest = {close + 1, (size_t)(t.p + t.n - close - 1)};
    rest = text_trim(rest);
    if (rest.n && *rest.p != '"' && memchr(rest.p, '"', rest.n))
        put(s, e, EV_URL_DOMAIN, LINE_WORD, word(&rest));
    if (!quoted(&rest, &value)) {
        event_put_name(e, TEXT("http.request.line"), text_trim(rest)); /* cut off within the request */
        return;
    }
    line_put_request(s, e, value);
    rest = text_trim(rest);
    status(s, e, word(&rest));
    put(s, e, EV_HTTP_RESPONSE_BODY_BYTES, LINE_INT, word(&rest));
    if (quoted(&rest, &value))
        put(s, e, EV_HTTP_REFERRER, LINE_WORD, value);
    if (quoted(&rest, &value))
        put(s, e, EV_USER_AGENT, LINE_WORD, value);
    further(s, e, text_trim(rest));
}
