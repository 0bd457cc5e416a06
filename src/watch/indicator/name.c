/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/indicator/name.h"

#include "format/domain_idn.h"
#include "watch/indicator/list_parse.h"

#include <string.h>
#include <xxhash.h>

const char *name_kind_text(enum name_kind k)
{
    static const char *const texts[] = {"", "domain", "url", "hash"};
    return texts[k];
}

/* 0: no part of a name; else the byte in lower case */
static const uint8_t host_bytes[256] = {
    ['-'] = '-', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7',
    ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
    ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r',
    ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b',
    ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k', ['L'] = 'l',
    ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v',
    ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z',
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* put_domain - @is_ascii: as it stands; else what is beyond ASCII is written as the DNS has it, if it can be. */
static size_t put_domain(struct text t, bool is_ascii, char out[LIST_DOMAIN_BYTES])
{
    while (t.n && t.p[t.n - 1] == '.')
        t.n--;
    if (t.n < 3 || t.n >= LIST_DOMAIN_BYTES)
        return 0;
    size_t label = 0, n_labels = 1;
    bool has_letter = false;
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.p[i];
        if (c == '.') {
            if (!label)
                return 0;
            label = 0;
            n_labels++;
            has_letter = false;
            out[i] = '.';
            continue;
        }
        if (c >= 0x80 && !is_ascii) {
            char ascii[DOMAIN_ASCII_BYTES];
            size_t n = domain_to_ascii(t, ascii);
            return put_domain(n ? (struct text){ascii, n} : t, true, out);
        }
        uint8_t folded = c >= 0x80 ? c : host_bytes[c];
        if (!folded || ++label > 63)
            return 0;
        has_letter |= !is_digit((char)folded);
        out[i] = (char)folded;
    }
    return n_labels >= 2 && label && has_letter ? t.n : 0;
}

size_t name_domain(struct text t, char out[LIST_DOMAIN_BYTES])
{
    return put_domain(t, false, out);
}

size_t name_unicode(struct text canonical, char out[LIST_NAME_BYTES])
{
    struct text host = name_host(canonical);
    char unicode[DOMAIN_UNICODE_BYTES];
    size_t n = domain_to_unicode(host, unicode), n_rest = canonical.n - host.n;
    if (!n || n + n_rest > LIST_NAME_BYTES)
        return 0;
    memcpy(out, unicode, n);
    memcpy(out + n, host.p + host.n, n_rest);
    return n + n_rest;
}

size_t name_hash(struct text t, char out[64])
{
    if (t.n != 32 && t.n != 40 && t.n != 64)
        return 0;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        char lower = c >= 'A' && c <= 'F' ? (char)(c + 32) : c;
        if (!is_digit(lower) && !(lower >= 'a' && lower <= 'f'))
            return 0;
        out[i] = lower;
    }
    return t.n;
}

/* --- URLs ------------------------------------------------------------------------------------------------------ */

/* without_scheme - behind "scheme://"; @t where there is none. */
static struct text without_scheme(struct text t)
{
    size_t i = 0;
    while (i < t.n && i < 16 && (host_bytes[(unsigned char)t.p[i]] || t.p[i] == '+'))
        i++;
    bool has = i > 0 && t.n >= i + 3 && !memcmp(t.p + i, "://", 3);
    return has ? (struct text){t.p + i + 3, t.n - i - 3} : t;
}

/* put_host - of "user@HOST:port": its canonical form. Return: bytes, 0: none. */
static size_t put_host(struct text t, char *out)
{
    const char *user = t.n ? memrchr(t.p, '@', t.n) : NULL;
    if (user)
        t = (struct text){user + 1, (size_t)(t.p + t.n - user - 1)};
    const char *colon = t.n ? memrchr(t.p, ':', t.n) : NULL;
    struct text port = {"", 0};
    if (colon && (*t.p != '[' || colon[-1] == ']')) {
        port = (struct text){colon + 1, (size_t)(t.p + t.n - colon - 1)};
        t.n = (size_t)(colon - t.p);
    }
    uint64_t number = 0;
    struct ip ip;
    if (port.n && text_u64(port, 65535, &number))
        return 0;
    bool has_brackets = t.n > 2 && *t.p == '[' && t.p[t.n - 1] == ']';
    struct text bare = has_brackets ? (struct text){t.p + 1, t.n - 2} : t;
    size_t n;
    if (bare.n < IP_TEXT_MAX && !ip_parse(bare.p, bare.n, &ip))
        n = ip_format(&ip, out);
    else
        n = name_domain(t, out);
    if (n && number && number != 80 && number != 443) {
        char digits[8];
        size_t k = 0;
        for (; number; number /= 10)
            digits[k++] = (char)('0' + number % 10);
        out[n++] = ':';
        while (k)
            out[n++] = digits[--k];
    }
    return n;
}

size_t name_url(struct text t, char out[LIST_NAME_BYTES])
{
    t = without_scheme(t);
    size_t end = 0;
    while (end < t.n && t.p[end] != '/' && t.p[end] != '?' && t.p[end] != '#')
        end++;
    size_t n = end < LIST_DOMAIN_BYTES + 64 ? put_host((struct text){t.p, end}, out) : 0;
    if (!n)
        return 0;
    const char *fragment = t.n > end ? memchr(t.p + end, '#', t.n - end) : NULL;
    struct text path = {t.p + end, (fragment ? (size_t)(fragment - t.p) : t.n) - end};
    bool has_slash = path.n && *path.p == '/';
    if (n + path.n + 1 > LIST_NAME_BYTES)
        return 0;
    if (!has_slash)
        out[n++] = '/';
    if (path.n)
        memcpy(out + n, path.p, path.n);
    return n + path.n;
}

struct text name_host(struct text url)
{
    size_t n = 0, colons = 0, last = 0;
    for (; n < url.n && url.p[n] != '/'; n++)
        if (url.p[n] == ':') {
            colons++;
            last = n;
        }
    return (struct text){url.p, colons == 1 ? last : n}; /* more: an IPv6 address */
}

/* --- as people write it --------------------------------------------------------------------------------------------- */

static bool is_plain(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if ((unsigned char)t.p[i] <= ' ' || t.p[i] == 0x7f || t.p[i] == '"' || t.p[i] == '<' || t.p[i] == '>')
            return false;
    return t.n > 0;
}

enum name_kind name_parse(struct text t, char out[LIST_NAME_BYTES], size_t *ret_n)
{
    char armed[LIST_NAME_BYTES];
    struct ip ip;
    t = text_trim(t);
    while (t.n && (t.p[t.n - 1] == ',' || t.p[t.n - 1] == ';'))
        t.n--;
    if ((*ret_n = name_hash(t, out)))
        return NAME_HASH;
    if (!t.n || t.n >= LIST_NAME_BYTES - 8)
        return NAME_NONE;
    t = (struct text){armed, list_rearm(t, armed, sizeof(armed))};
    if (t.n > 2 && t.p[0] == '*' && t.p[1] == '.')
        t = (struct text){t.p + 2, t.n - 2};
    else if (t.n > 1 && t.p[0] == '.')
        t = (struct text){t.p + 1, t.n - 1};
    if (!is_plain(t) || !text_is_utf8(t.p, t.n))
        return NAME_NONE;
    if ((*ret_n = name_domain(t, out)))
        return NAME_DOMAIN;
    size_t n = name_url(t, out);
    if (!n)
        return NAME_NONE;
    struct text host = name_host((struct text){out, n});
    bool is_address = host.n < IP_TEXT_MAX && !ip_parse(host.p, host.n, &ip);
    bool is_whole = out[n - 1] == '/' && memchr(out, '/', n) == out + n - 1;
    *ret_n = is_whole ? host.n : n;
    if (is_address && (is_whole || !memmem(t.p, t.n, "://", 3))) /* an address, or a broken prefix of one */
        return NAME_NONE;
    return is_whole ? NAME_DOMAIN : NAME_URL;
}

uint64_t name_key(enum name_kind k, struct text canonical)
{
    char folded[LIST_KEY_BYTES + 4];
    size_t n = 0;
    for (const char *p = canonical.p, *end = p + canonical.n; p < end && n < LIST_KEY_BYTES;) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x80) {
            folded[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
            p++;
            continue;
        }
        uint32_t u = text_fold_char(text_next(&p, end));
        n += u ? text_put(u, folded + n) : 0;
    }
    return XXH3_64bits_withSeed(folded, n < LIST_KEY_BYTES ? n : LIST_KEY_BYTES, (uint64_t)k);
}
