/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address as people pass it on: disarmed so that nobody clicks it, wrapped
 * in a URL, with a port glued on, as prefix or range.
 */
#include "watch/indicator/list_parse.h"

#include <string.h>

#define ADDRESS_TEXT_MAX 512u

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

size_t list_rearm(struct text t, char *out, size_t n_out)
{
    static const struct {
        const char *from, *to;
    } forms[] = {{"[.]", "."}, {"(.)", "."}, {"{.}", "."}, {"[dot]", "."}, {"(dot)", "."}, {"[://]", "://"}, {"[:]", ":"},
                 {"\\.", "."}, {"\xe2\x80\x93", "-"}, {"[.", "."}, {".]", "."}};
    size_t n = 0;
    for (size_t i = 0; i < t.n && n + 4 < n_out;) {
        size_t used = 0;
        for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]) && !used; k++) {
            size_t m = strlen(forms[k].from);
            if (m <= t.n - i && text_is_nocase((struct text){t.p + i, m}, forms[k].from)) {
                n = (size_t)(stpcpy(out + n, forms[k].to) - out);
                used = m;
            }
        }
        if (!used) {
            out[n++] = t.p[i];
            used = 1;
        }
        i += used;
    }
    out[n] = '\0';
    return n;
}

static int parse_port(struct text t, uint16_t *ret)
{
    uint64_t v;
    if (text_u64(t, 65535, &v) || !v)
        return 1;
    *ret = (uint16_t)v;
    return 0;
}

#define BAD_PORT 2

/* with_port - [v6], [v6]:port, a.b.c.d:port. Return: 0, 1 (none of these), BAD_PORT (an address, but no port behind it). */
static int with_port(struct text t, struct ip_range *ret, uint16_t *port)
{
    struct ip a;
    const char *colon;
    if (t.n > 2 && t.p[0] == '[') {
        const char *close = memchr(t.p, ']', t.n);
        if (!close || ip_parse(t.p + 1, (size_t)(close - t.p - 1), &a))
            return 1;
        size_t rest = t.n - (size_t)(close + 1 - t.p);
        if (rest && close[1] != ':')
            return 1;
        if (rest && parse_port((struct text){close + 2, rest - 1}, port))
            return BAD_PORT;
    } else {
        colon = t.n ? memchr(t.p, ':', t.n) : NULL;
        if (!colon || ip_parse(t.p, (size_t)(colon - t.p), &a) || !ip_is_v4(&a))
            return 1;
        if (parse_port((struct text){colon + 1, t.n - (size_t)(colon + 1 - t.p)}, port))
            return BAD_PORT;
    }
    *ret = (struct ip_range){a, a};
    return 0;
}

/* short_range - 203.0.113.1-10: the last octet only */
static int short_range(struct text t, struct ip_range *ret)
{
    const char *dash = t.n ? memchr(t.p, '-', t.n) : NULL;
    uint64_t last;
    struct ip a;
    if (!dash)
        return 1;
    struct text left = text_trim((struct text){t.p, (size_t)(dash - t.p)});
    struct text right = text_trim((struct text){dash + 1, t.n - (size_t)(dash + 1 - t.p)});
    if (ip_parse(left.p, left.n, &a) || !ip_is_v4(&a) || text_u64(right, 255, &last) || last < a.b[15])
        return 1;
    *ret = (struct ip_range){a, a};
    ret->last.b[15] = (uint8_t)last;
    return 0;
}

static int bare(struct text t, struct ip_range *ret, uint16_t *port, bool *had_host_bits)
{
    *had_host_bits = false;
    *port = 0;
    if (!ip_range_parse(t.p, t.n, ret, had_host_bits))
        return 0;
    *had_host_bits = false;
    int r = with_port(t, ret, port);
    if (r != 1)
        return r;
    *port = 0;
    return short_range(t, ret);
}

/* is_other - a domain name, a URL, a path or a hash: an indicator, but not of an address */
static bool is_other(struct text t)
{
    if (t.n > 1 && t.p[0] == '/' && !memchr(t.p, ' ', t.n))
        return true;
    size_t n_hex = 0;
    while (n_hex < t.n && is_hex(t.p[n_hex]))
        n_hex++;
    if (n_hex == t.n && (n_hex == 32 || n_hex == 40 || n_hex == 64))
        return true;
    size_t label = 0, n_labels = 1, i = 0;
    bool is_last_alpha = true;
    for (; i < t.n && t.p[i] != '/' && t.p[i] != ':' && t.p[i] != '?'; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c == '.') {
            if (!label && i)
                return false;
            label = 0;
            n_labels += i > 0;
            is_last_alpha = true;
            continue;
        }
        if (!is_letter((char)c) && !is_digit((char)c) && c != '-' && c != '_' && c < 0x80)
            return false;
        is_last_alpha = is_last_alpha && (is_letter((char)c) || c >= 0x80 || label >= 4);
        label++;
    }
    return n_labels >= 2 && label >= 2 && is_last_alpha;
}

/* host_of - what stands between "scheme://" and the first '/', '?' or '#'; @ret_had_scheme */
static struct text host_of(struct text t, bool *ret_had_scheme)
{
    const char *at = t.n > 3 ? memmem(t.p, t.n, "://", 3) : NULL;
    *ret_had_scheme = at != NULL;
    if (!at)
        return t;
    for (const char *p = t.p; p < at; p++)
        if (!is_letter(*p) && !is_digit(*p) && *p != '+' && *p != '[' && *p != ']')
            return (struct text){t.p, 0};
    struct text h = {at + 3, t.n - (size_t)(at + 3 - t.p)};
    for (size_t i = 0; i < h.n; i++)
        if (h.p[i] == '/' || h.p[i] == '?' || h.p[i] == '#') {
            h.n = i;
            break;
        }
    const char *user = h.n ? memchr(h.p, '@', h.n) : NULL;
    return user ? (struct text){user + 1, h.n - (size_t)(user + 1 - h.p)} : h;
}

int list_address_parse(struct text t, struct ip_range *ret, uint16_t *ret_port, bool *ret_had_host_bits)
{
    char armed[ADDRESS_TEXT_MAX];
    t = text_trim(t);
    while (t.n && (t.p[t.n - 1] == ',' || t.p[t.n - 1] == ';'))
        t.n--;
    if (!t.n || t.n >= ADDRESS_TEXT_MAX)
        return LIST_REFUSED_bad_address + 1;
    if (!bare(t, ret, ret_port, ret_had_host_bits))
        return 0;
    bool had_scheme;
    struct text all = {armed, list_rearm(t, armed, sizeof(armed))};
    struct text host = host_of(all, &had_scheme);
    int r = bare(host, ret, ret_port, ret_had_host_bits);
    if (!r)
        return 0;
    if (!had_scheme) { /* address/path or address:port/path, but never a broken prefix */
        const char *slash = memchr(all.p, '/', all.n);
        size_t n = slash ? (size_t)(slash - all.p) : 0;
        if (slash && (n + 1 == all.n || !is_digit(slash[1])) && !bare((struct text){all.p, n}, ret, ret_port, ret_had_host_bits))
            return 0;
    }
    *ret_port = 0;
    *ret_had_host_bits = false;
    if (r == BAD_PORT && (had_scheme || !memchr(all.p, '/', all.n)))
        return LIST_REFUSED_bad_port + 1;
    return (had_scheme && host.n) || is_other(all) ? LIST_REFUSED_other_kind + 1 : LIST_REFUSED_bad_address + 1;
}
