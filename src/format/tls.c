/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two walks over the hello: the first checks every length and notes where the
 * lists stand, the second writes the fingerprints from those lists, straight
 * into the digests, so that no text of them is ever held.
 */
#include "format/tls.h"

#include "base/cursor.h"
#include "base/md5.h"
#include "base/sha256.h"
#include "base/text.h"

#include <stdio.h>

#define CONTENT_HANDSHAKE 22
#define CLIENT_HELLO 1
#define RECORDS_MAX 64
#define EXTENSIONS_MAX 1024
#define NUMBERS_MAX (TLS_HELLO_MAX / 2)

enum extension {
    EXT_SERVER_NAME = 0,
    EXT_GROUPS = 10,
    EXT_POINT_FORMATS = 11,
    EXT_SIGNATURES = 13,
    EXT_ALPN = 16,
    EXT_VERSIONS = 43,
};

/* lists inside the hello, borrowed; n_bytes 0 also where the extension is missing */
struct span {
    const uint8_t *p;
    size_t n_bytes;
};

struct parts {
    struct span ciphers, groups, formats, signatures, versions, alpn, name;
    uint16_t extensions[EXTENSIONS_MAX];
    unsigned n_extensions;
    uint16_t version; /* of the hello itself */
    bool has_name, is_datagram;
    char transport; /* of JA4: t, q or d */
};

/* RFC 8701: both bytes alike, and ending in A */
static bool is_grease(uint16_t v)
{
    return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static struct span span_of(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    return (struct span){p, p ? n : 0};
}

static void extension_read(struct parts *h, uint16_t type, struct cursor c)
{
    struct span list;
    switch (type) {
    case EXT_SERVER_NAME:
        h->has_name = true;
        cursor_skip(&c, 2);
        if (cursor_u8(&c) == 0) /* host_name */
            h->name = span_of(&c, cursor_u16(&c));
        break;
    case EXT_GROUPS:
        list = span_of(&c, cursor_u16(&c));
        h->groups = list;
        break;
    case EXT_POINT_FORMATS:
        list = span_of(&c, cursor_u8(&c));
        h->formats = list;
        break;
    case EXT_SIGNATURES:
        list = span_of(&c, cursor_u16(&c));
        h->signatures = list;
        break;
    case EXT_VERSIONS:
        list = span_of(&c, cursor_u8(&c));
        h->versions = list;
        break;
    case EXT_ALPN:
        cursor_skip(&c, 2);
        list = span_of(&c, cursor_u8(&c)); /* the first protocol */
        h->alpn = list;
        break;
    default:
        break;
    }
}

static int body_read(struct parts *h, struct cursor c)
{
    h->version = cursor_u16(&c);
    cursor_skip(&c, 32);
    cursor_skip(&c, cursor_u8(&c)); /* session */
    if (h->is_datagram)
        cursor_skip(&c, cursor_u8(&c)); /* cookie, RFC 6347 4.2.1 */
    h->ciphers = span_of(&c, cursor_u16(&c));
    cursor_skip(&c, cursor_u8(&c)); /* compression */
    if (c.is_bad || h->ciphers.n_bytes % 2)
        return TLS_MALFORMED;
    if (!cursor_left(&c))
        return 0;
    struct cursor all = cursor_sub(&c, cursor_u16(&c));
    if (c.is_bad)
        return TLS_MALFORMED;
    while (cursor_left(&all)) {
        uint16_t type = cursor_u16(&all);
        struct cursor one = cursor_sub(&all, cursor_u16(&all));
        if (all.is_bad || h->n_extensions == EXTENSIONS_MAX)
            return TLS_MALFORMED;
        h->extensions[h->n_extensions++] = type;
        extension_read(h, type, one);
    }
    return 0;
}

/* -- fingerprints */

/* the numbers of a list of 16-bit values without GREASE; returns how many */
static size_t numbers_of(struct span list, uint16_t out[NUMBERS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i + 2 <= list.n_bytes && n < NUMBERS_MAX; i += 2) {
        uint16_t v = load_be16(list.p + i);
        if (!is_grease(v))
            out[n++] = v;
    }
    return n;
}

static void md5_numbers(struct md5_state *s, const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[8];
        int length = snprintf(text, sizeof(text), i ? "-%u" : "%u", v[i]);
        md5_add(s, text, (size_t)length);
    }
}

static size_t extensions_of(const struct parts *h, uint16_t out[NUMBERS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < h->n_extensions; i++)
        if (!is_grease(h->extensions[i]))
            out[n++] = h->extensions[i];
    return n;
}

static void ja3_write(const struct parts *h, uint16_t *numbers, char out[TLS_JA3_MAX])
{
    struct md5_state s;
    md5_init(&s);
    md5_numbers(&s, &h->version, 1);
    md5_add(&s, ",", 1);
    md5_numbers(&s, numbers, numbers_of(h->ciphers, numbers));
    md5_add(&s, ",", 1);
    md5_numbers(&s, numbers, extensions_of(h, numbers));
    md5_add(&s, ",", 1);
    md5_numbers(&s, numbers, numbers_of(h->groups, numbers));
    md5_add(&s, ",", 1);
    for (size_t i = 0; i < h->formats.n_bytes; i++)
        numbers[i] = h->formats.p[i];
    md5_numbers(&s, numbers, h->formats.n_bytes);
    md5_end(&s, out);
}

/* Shell's sort: no recursion, no allocation, fair on hostile input (Ciura's gaps, continued by 2.25). */
static void sort(uint16_t *v, size_t n)
{
    static const size_t gaps[] = {3548, 1577, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof(gaps) / sizeof(*gaps); g++)
        for (size_t i = gaps[g]; i < n; i++) {
            uint16_t one = v[i];
            size_t k = i;
            for (; k >= gaps[g] && v[k - gaps[g]] > one; k -= gaps[g])
                v[k] = v[k - gaps[g]];
            v[k] = one;
        }
}

static void sha_numbers(struct sha256_state *s, const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[8];
        int length = snprintf(text, sizeof(text), i ? ",%04x" : "%04x", v[i]);
        sha256_add(s, text, (size_t)length);
    }
}

/* the first twelve digits */
static void sha_short(struct sha256_state *s, char *out)
{
    struct sha256 digest = sha256_end(s);
    char text[SHA256_TEXT_MAX];
    sha256_format(&digest, text);
    memcpy(out, text, 12);
}

static uint16_t version_of(const struct parts *h)
{
    uint16_t best = 0;
    for (size_t i = 0; i + 2 <= h->versions.n_bytes; i += 2) {
        uint16_t v = load_be16(h->versions.p + i);
        if (is_grease(v))
            continue;
        /* DTLS counts downwards */
        if (!best || (h->is_datagram ? v < best : v > best))
            best = v;
    }
    return best ? best : h->version;
}

static const char *version_code(uint16_t v)
{
    switch (v) {
    case 0x0304:
        return "13";
    case 0x0303:
        return "12";
    case 0x0302:
        return "11";
    case 0x0301:
        return "10";
    case 0x0300:
        return "s3";
    case 0x0002:
        return "s2";
    case 0xfeff:
        return "d1";
    case 0xfefd:
        return "d2";
    case 0xfefc:
        return "d3";
    default:
        return "00";
    }
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first protocol; of its hexadecimal form where they are no letters or digits. */
static void alpn_code(struct span alpn, char out[2])
{
    static const char digits[] = "0123456789abcdef";
    out[0] = out[1] = '0';
    if (!alpn.n_bytes)
        return;
    uint8_t first = alpn.p[0], last = alpn.p[alpn.n_bytes - 1];
    bool is_plain = is_alphanumeric(first) && is_alphanumeric(last);
    out[0] = is_plain ? (char)first : digits[first >> 4];
    out[1] = is_plain ? (char)last : digits[last & 15];
}

static unsigned at_most_99(size_t n)
{
    return n > 99 ? 99 : (unsigned)n;
}

static void ja4_write(const struct parts *h, uint16_t *numbers, char out[TLS_JA4_MAX])
{
    struct sha256_state s;
    char alpn[2], ciphers[13] = "000000000000", extensions[13] = "000000000000";
    alpn_code(h->alpn, alpn);
    size_t n_ciphers = numbers_of(h->ciphers, numbers);
    if (n_ciphers) {
        sort(numbers, n_ciphers);
        sha256_init(&s);
        sha_numbers(&s, numbers, n_ciphers);
        sha_short(&s, ciphers);
    }
    size_t n_extensions = extensions_of(h, numbers), n_sorted = 0;
    for (size_t i = 0; i < n_extensions; i++)
        if (numbers[i] != EXT_SERVER_NAME && numbers[i] != EXT_ALPN)
            numbers[n_sorted++] = numbers[i];
    if (n_sorted) {
        sort(numbers, n_sorted);
        sha256_init(&s);
        sha_numbers(&s, numbers, n_sorted);
        size_t n_signatures = numbers_of(h->signatures, numbers);
        if (n_signatures) {
            sha256_add(&s, "_", 1);
            sha_numbers(&s, numbers, n_signatures);
        }
        sha_short(&s, extensions);
    }
    snprintf(out, TLS_JA4_MAX, "%c%s%c%02u%02u%.2s_%s_%s", h->transport, version_code(version_of(h)),
             h->has_name ? 'd' : 'i', at_most_99(n_ciphers), at_most_99(n_extensions), alpn, ciphers, extensions);
}

static int hello_finish(const uint8_t *p, size_t n, char transport, struct tls_hello *ret)
{
    struct parts h = {.transport = transport, .is_datagram = transport == 'd'};
    uint16_t numbers[NUMBERS_MAX];
    int e = body_read(&h, cursor_over(p, n));
    if (e)
        return e;
    ja3_write(&h, numbers, ret->ja3);
    ja4_write(&h, numbers, ret->ja4);
    ret->version = version_of(&h);
    size_t n_name = h.name.n_bytes > 255 ? 255 : h.name.n_bytes;
    ret->server_name[0] = '\0';
    if (n_name)
        text_escape((const char *)h.name.p, n_name, ret->server_name, sizeof(ret->server_name));
    ret->n_server_name = strlen(ret->server_name);
    for (size_t i = 0; i < ret->n_server_name; i++)
        if (ret->server_name[i] >= 'A' && ret->server_name[i] <= 'Z')
            ret->server_name[i] = (char)(ret->server_name[i] + 32);
    return 0;
}

/* -- records */

/* Begins with a handshake record that begins with a client hello, as far as the bytes go. */
static int looks_like_hello(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t mask, want;
    } head[] = {{0xff, CONTENT_HANDSHAKE}, {0xff, 3}, {0xf8, 0}, {0x80, 0}, {0, 0}, {0xff, CLIENT_HELLO}, {0xff, 0}};
    for (size_t i = 0; i < sizeof(head) / sizeof(*head) && i < n; i++)
        if ((p[i] & head[i].mask) != head[i].want)
            return TLS_NOT_HELLO;
    return n < 9 ? TLS_MORE : 0;
}

/* Gathers the message from its records into @message. */
static int records_join(const uint8_t *p, size_t n, size_t n_message, uint8_t *message)
{
    struct cursor c = cursor_over(p, n);
    size_t have = 0;
    for (int i = 0; i < RECORDS_MAX; i++) {
        if (cursor_left(&c) && *c.p != CONTENT_HANDSHAKE)
            return TLS_MALFORMED;
        cursor_skip(&c, 3);
        size_t n_record = cursor_u16(&c);
        if (c.is_bad)
            return TLS_MORE;
        size_t take = n_record < n_message - have ? n_record : n_message - have;
        const uint8_t *part = cursor_take(&c, take);
        if (!part)
            return TLS_MORE;
        memcpy(message + have, part, take);
        have += take;
        if (have == n_message)
            return 0;
    }
    return TLS_MALFORMED;
}

int tls_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret)
{
    if (!n)
        return TLS_MORE;
    int e = looks_like_hello(p, n);
    if (e)
        return e;
    size_t n_record = load_be16(p + 3);
    size_t n_message = 4 + (load_be32(p + 5) & 0xffffff);
    if (n_record < 4 || n_message > TLS_HELLO_MAX)
        return TLS_MALFORMED;
    if (n_message <= n_record)
        return n - 5 < n_message ? TLS_MORE : hello_finish(p + 9, n_message - 4, 't', ret);
    uint8_t message[TLS_HELLO_MAX];
    e = records_join(p, n, n_message, message);
    return e ? e : hello_finish(message + 4, n_message - 4, 't', ret);
}

int dtls_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret)
{
    struct cursor c = cursor_over(p, n);
    uint8_t content = cursor_u8(&c);
    uint16_t version = cursor_u16(&c);
    bool is_dtls = version >> 8 == 0xfe || version == 0x0100; /* the latter: before DTLS had a number, still met */
    cursor_skip(&c, 8); /* epoch and sequence */
    struct cursor record = cursor_sub(&c, cursor_u16(&c));
    uint8_t type = cursor_u8(&record);
    uint64_t n_message = cursor_uint(&record, 3);
    cursor_skip(&record, 2);
    uint64_t offset = cursor_uint(&record, 3), n_part = cursor_uint(&record, 3);
    if (record.is_bad || content != CONTENT_HANDSHAKE || !is_dtls || type != CLIENT_HELLO || offset ||
        n_part != n_message || n_message > TLS_HELLO_MAX)
        return TLS_NOT_HELLO;
    const uint8_t *body = cursor_take(&record, (size_t)n_message);
    return body ? hello_finish(body, (size_t)n_message, 'd', ret) : TLS_MALFORMED;
}

int quic_hello_read(const uint8_t *p, size_t n, struct tls_hello *ret)
{
    if (n < 4)
        return TLS_MORE;
    size_t n_body = load_be32(p) & 0xffffff;
    if (p[0] != CLIENT_HELLO)
        return TLS_NOT_HELLO;
    if (n_body > TLS_HELLO_MAX - 4)
        return TLS_MALFORMED;
    return n - 4 < n_body ? TLS_MORE : hello_finish(p + 4, n_body, 'q', ret);
}
