/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most first messages lie whole in one segment and are read where they are.
 * Only one that says of itself "more to come" takes a buffer from the pool, to
 * which segments are copied at their place in the sequence.
 */
#include "watch/intake/inspect.h"

#include "base/cursor.h"
#include "format/dns.h"
#include "format/flow.h"
#include "format/http.h"
#include "format/quic.h"
#include "format/tls.h"

#include <stdlib.h>

#define HOLES_MAX 8
/* each segment of an unfinished message has it read again: bounds that work */
#define ASSEMBLY_SEGMENTS 64
#define TEXTS_MAX 32768u /* of one flow */

struct range {
    uint32_t from, to;
};

struct assembly {
    struct inspection *owner; /* NULL: free */
    uint64_t born;
    uint32_t base_seq;
    unsigned side, n_ranges, n_segments;
    struct range have[HOLES_MAX + 1]; /* sorted, apart */
    uint8_t bytes[INSPECT_MESSAGE_MAX];
};

struct inspector {
    struct assembly **pool; /* made on first use, kept */
    uint32_t max_assemblies, n_made;
    uint64_t n_born;
    size_t max_text_bytes, n_text_bytes;
    uint64_t n_texts_dropped, n_assemblies_dropped;
};

/* what a look at the beginning of a message says */
enum look { LOOK_NOTHING, LOOK_MORE, LOOK_DONE };

struct inspector *inspector_new(uint32_t max_assemblies, size_t max_text_bytes)
{
    struct inspector *s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->max_assemblies = max_assemblies;
    s->max_text_bytes = max_text_bytes;
    s->pool = calloc(max_assemblies ? max_assemblies : 1, sizeof(*s->pool));
    if (!s->pool) {
        free(s);
        return NULL;
    }
    return s;
}

void inspector_free(struct inspector *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->n_made; i++)
        free(s->pool[i]);
    free(s->pool);
    free(s);
}

void inspector_count(const struct inspector *s, uint64_t *ret_texts_dropped, uint64_t *ret_assemblies_dropped)
{
    *ret_texts_dropped = s->n_texts_dropped;
    *ret_assemblies_dropped = s->n_assemblies_dropped;
}

/* -- texts */

static bool has_text(const struct inspection *f, const char *name, struct text value)
{
    struct text rest = {(const char *)f->texts, f->n_texts}, n, v;
    while (flow_text_next(&rest, &n, &v))
        if (text_is(n, name) && text_equal(v, value))
            return true;
    return false;
}

void inspect_text(struct inspector *s, struct inspection *f, const char *name, struct text value)
{
    if (has_text(f, name, value))
        return;
    size_t grown = f->n_texts + 3 + strlen(name) + value.n;
    if (grown > TEXTS_MAX || s->n_text_bytes + (grown - f->n_texts) > s->max_text_bytes) {
        s->n_texts_dropped++;
        return;
    }
    uint8_t *p = realloc(f->texts, grown);
    if (!p) {
        s->n_texts_dropped++;
        return;
    }
    f->texts = p;
    struct buf b = {.p = p, .n = f->n_texts, .capacity = grown, .max = grown};
    flow_text_add(&b, name, value);
    s->n_text_bytes += b.n - f->n_texts;
    f->n_texts = (uint32_t)b.n;
}

static void protocol_text(struct inspector *s, struct inspection *f, const char *protocol)
{
    if (f->has_protocol)
        return;
    f->has_protocol = true;
    inspect_text(s, f, "network.protocol", (struct text){protocol, strlen(protocol)});
}

static void hello_texts(struct inspector *s, struct inspection *f, const struct tls_hello *hello)
{
    if (hello->n_server_name)
        inspect_text(s, f, "tls.client.server_name", (struct text){hello->server_name, hello->n_server_name});
    inspect_text(s, f, "tls.client.ja3", (struct text){hello->ja3, strlen(hello->ja3)});
    inspect_text(s, f, "tls.client.ja4", (struct text){hello->ja4, strlen(hello->ja4)});
}

/* -- looks */

static int look_dns(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n)
{
    struct dns_question q;
    int e = dns_question_read(p, n, &q);
    if (e == DNS_MALFORMED)
        return 0;
    protocol_text(s, f, "dns");
    struct text name = {q.name, e ? 0 : q.n_name};
    if (e || has_text(f, "dns.question.name", name))
        return 0;
    if (f->n_questions == INSPECT_QUESTIONS)
        return INSPECT_FULL;
    f->n_questions++;
    inspect_text(s, f, "dns.question.name", name);
    return 0;
}

/* The answer tells the protocol where the question was not captured, or was an SSL 2 hello (RFC 5246 E.2). */
static bool is_server_hello(const uint8_t *p, size_t n)
{
    return n >= 6 && p[0] == 22 && p[1] == 3 && p[2] <= 4 && p[5] == 2;
}

static enum look look_tls(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n)
{
    struct tls_hello hello;
    int e = tls_hello_read(p, n, &hello);
    if (e == TLS_MORE)
        return LOOK_MORE;
    if (e == TLS_NOT_HELLO && !is_server_hello(p, n))
        return LOOK_NOTHING;
    protocol_text(s, f, "tls");
    if (!e)
        hello_texts(s, f, &hello);
    return LOOK_DONE;
}

static enum look look_http(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n, bool is_end)
{
    char host[HTTP_HOST_MAX];
    size_t n_host;
    int e = http_host_read(p, n, is_end, host, &n_host);
    if (e == HTTP_MORE)
        return LOOK_MORE;
    if (e == HTTP_NOT_HTTP)
        return LOOK_NOTHING;
    protocol_text(s, f, "http");
    if (!e)
        inspect_text(s, f, "url.domain", (struct text){host, n_host});
    return LOOK_NOTHING; /* behind a proxy the next request of the connection has another host */
}

/* what the first words of a protocol tell at once; where it may turn to TLS later, the next segments are looked at too */
struct opening {
    const char *bytes, *protocol;
    uint8_t at, n;
    bool is_last;
};
#define OPENING(at, bytes, protocol, is_last) {bytes, protocol, at, sizeof(bytes) - 1, is_last}

static const struct opening tcp_openings[] = {
    OPENING(0, "SSH-", "ssh", true),          OPENING(0, "HTTP/1.", "http", true),
    OPENING(0, "PRI * HTTP/2.0", "http", true), OPENING(0, "RFB 00", "rfb", true),
    OPENING(0, "\x13" "BitTorrent protocol", "bittorrent", true),
    OPENING(4, "\xffSMB", "smb", true),       OPENING(4, "\xfeSMB", "smb", true),
    OPENING(0, "NICK ", "irc", true),         OPENING(0, "CAP LS", "irc", true),
    OPENING(0, "EHLO ", "smtp", false),       OPENING(0, "HELO ", "smtp", false),
    OPENING(0, "* OK ", "imap", false),       OPENING(0, "+OK ", "pop3", false),
    OPENING(0, "INVITE sip:", "sip", true),   OPENING(0, "REGISTER sip:", "sip", true),
    OPENING(0, "OPTIONS sip:", "sip", true),  OPENING(0, "SIP/2.0 ", "sip", true),
};
static const struct opening udp_openings[] = {
    OPENING(0, "INVITE sip:", "sip", true),   OPENING(0, "REGISTER sip:", "sip", true),
    OPENING(0, "OPTIONS sip:", "sip", true),  OPENING(0, "SIP/2.0 ", "sip", true),
    OPENING(4, "\x21\x12\xa4\x42", "stun", true), /* RFC 8489 5 */
    OPENING(9, "Q02", "quic", true),          OPENING(9, "Q03", "quic", true), /* before the IETF: Q024 to Q046 */
    OPENING(9, "Q04", "quic", true),
    OPENING(0, "d1:ad2:id20:", "bittorrent", true), OPENING(0, "d1:rd2:id20:", "bittorrent", true),
};

static enum look look_openings(struct inspector *s, struct inspection *f, const struct opening *o, size_t n_openings,
                               const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n_openings; i++, o++) {
        if (n < (size_t)o->at + o->n || memcmp(p + o->at, o->bytes, o->n))
            continue;
        protocol_text(s, f, o->protocol);
        return o->is_last ? LOOK_DONE : LOOK_NOTHING;
    }
    return LOOK_NOTHING;
}

/* A greeting "220" is that of FTP or of SMTP: its line says which. */
static void look_greeting(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n)
{
    if (n < 4 || memcmp(p, "220", 3) || (p[3] != ' ' && p[3] != '-'))
        return;
    const uint8_t *end = memchr(p, '\n', n);
    n = end ? (size_t)(end - p) : n;
    if (memmem(p, n, "SMTP", 4))
        protocol_text(s, f, "smtp");
    else if (memmem(p, n, "FTP", 3))
        protocol_text(s, f, "ftp");
}

/* DNS over TCP announces its length, RFC 1035 4.2.2. */
static enum look look_dns_tcp(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n)
{
    if (n < 2 || n - 2 < load_be16(p))
        return LOOK_MORE;
    (void)look_dns(s, f, p + 2, load_be16(p));
    return LOOK_DONE;
}

static enum look look(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n, bool is_dns, bool is_end)
{
    if (is_dns)
        return look_dns_tcp(s, f, p, n);
    enum look l = look_openings(s, f, tcp_openings, sizeof(tcp_openings) / sizeof(*tcp_openings), p, n);
    look_greeting(s, f, p, n);
    if (l == LOOK_NOTHING)
        l = look_tls(s, f, p, n);
    return l == LOOK_NOTHING ? look_http(s, f, p, n, is_end) : l;
}

/* -- messages in several segments */

static void assembly_close(struct inspector *s, struct inspection *f, unsigned side)
{
    if (f->assembly[side])
        s->pool[f->assembly[side] - 1]->owner = NULL;
    f->assembly[side] = 0;
}

/* A free buffer, a new one, or that of the message waiting longest. 1 + index; 0 when memory is out. */
static uint32_t assembly_take(struct inspector *s)
{
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < s->n_made; i++) {
        if (!s->pool[i]->owner)
            return i + 1;
        if (s->pool[i]->born < s->pool[oldest]->born)
            oldest = i;
    }
    if (s->n_made < s->max_assemblies) {
        struct assembly *one = malloc(sizeof(*one));
        if (one) {
            one->owner = NULL;
            s->pool[s->n_made++] = one;
            return s->n_made;
        }
    }
    s->n_assemblies_dropped++;
    if (!s->n_made)
        return 0;
    struct assembly *a = s->pool[oldest];
    a->owner->is_done[a->side] = true;
    assembly_close(s, a->owner, a->side);
    return oldest + 1;
}

static bool assembly_open(struct inspector *s, struct inspection *f, unsigned side, uint32_t base_seq)
{
    uint32_t number = assembly_take(s);
    if (!number) {
        f->is_done[side] = true;
        return false;
    }
    struct assembly *a = s->pool[number - 1];
    a->owner = f;
    a->born = s->n_born++;
    a->base_seq = base_seq;
    a->side = side;
    a->n_ranges = a->n_segments = 0;
    f->assembly[side] = number;
    return true;
}

/* Notes that @from..@to is there; ranges that touch become one. One too many is forgotten: it will be sent again or not. */
static void range_add(struct assembly *a, uint32_t from, uint32_t to)
{
    unsigned i = 0;
    while (i < a->n_ranges && a->have[i].to < from)
        i++;
    unsigned last = i;
    while (last < a->n_ranges && a->have[last].from <= to) {
        from = a->have[last].from < from ? a->have[last].from : from;
        to = a->have[last].to > to ? a->have[last].to : to;
        last++;
    }
    if (last == i && a->n_ranges == HOLES_MAX + 1)
        return;
    memmove(&a->have[i + 1], &a->have[last], (a->n_ranges - last) * sizeof(*a->have));
    a->have[i] = (struct range){from, to};
    a->n_ranges = a->n_ranges - (last - i) + 1;
}

static void assembly_add(struct inspector *s, struct inspection *f, const struct packet *k, unsigned side, bool is_dns)
{
    struct assembly *a = s->pool[f->assembly[side] - 1];
    uint32_t at = k->tcp_seq - a->base_seq; /* modulo 2^32, as the sequence is */
    if (at < INSPECT_MESSAGE_MAX) {
        uint32_t n = k->n_payload_bytes;
        if (n > INSPECT_MESSAGE_MAX - at)
            n = INSPECT_MESSAGE_MAX - at;
        memcpy(a->bytes + at, k->payload, n);
        range_add(a, at, at + n);
    }
    uint32_t n_have = a->n_ranges && !a->have[0].from ? a->have[0].to : 0;
    bool is_end = ++a->n_segments == ASSEMBLY_SEGMENTS || n_have == INSPECT_MESSAGE_MAX;
    enum look l = n_have ? look(s, f, a->bytes, n_have, is_dns, is_end) : LOOK_MORE;
    if (l == LOOK_MORE && !is_end)
        return;
    assembly_close(s, f, side);
    f->n_segments[side]++;
    f->is_done[side] = l == LOOK_DONE || is_end || f->n_segments[side] >= INSPECT_SEGMENTS;
}

/* -- the door */

static void inspect_tcp(struct inspector *s, struct inspection *f, const struct packet *k, unsigned side)
{
    if (k->tcp_flags & PACKET_TCP_SYN) {
        assembly_close(s, f, side);
        f->first_seq[side] = k->tcp_seq + 1;
        f->has_first[side] = true;
        f->is_done[side] = false;
        f->n_segments[side] = 0;
        return;
    }
    if (f->is_done[side] || !k->n_payload_bytes)
        return;
    bool is_dns = k->source_port == 53 || k->destination_port == 53;
    if (!f->assembly[side]) {
        uint32_t gap = f->has_first[side] ? k->tcp_seq - f->first_seq[side] : 0;
        bool is_early = f->n_segments[side] == 0 && gap && gap < INSPECT_MESSAGE_MAX; /* its first segment is late */
        enum look l = is_early ? LOOK_MORE : look(s, f, k->payload, k->n_payload_bytes, is_dns, false);
        if (l != LOOK_MORE) {
            f->n_segments[side]++;
            f->is_done[side] = l == LOOK_DONE || f->n_segments[side] >= INSPECT_SEGMENTS;
            return;
        }
        if (!assembly_open(s, f, side, is_early ? f->first_seq[side] : k->tcp_seq))
            return;
    }
    assembly_add(s, f, k, side, is_dns);
}

static void piece_add(void *context, uint64_t offset, const uint8_t *p, size_t n)
{
    struct assembly *a = context;
    if (offset >= INSPECT_MESSAGE_MAX || n > INSPECT_MESSAGE_MAX - offset)
        return;
    memcpy(a->bytes + offset, p, n);
    range_add(a, (uint32_t)offset, (uint32_t)(offset + n));
}

/* A QUIC client hello stands in pieces, often shuffled, in the first datagrams of the client. */
static void inspect_quic(struct inspector *s, struct inspection *f, const uint8_t *p, size_t n, unsigned side)
{
    struct tls_hello hello;
    protocol_text(s, f, "quic");
    if (!f->assembly[side] && !assembly_open(s, f, side, 0))
        return;
    struct assembly *a = s->pool[f->assembly[side] - 1];
    int e = quic_initial_read(p, n, piece_add, a);
    uint32_t n_have = a->n_ranges && !a->have[0].from ? a->have[0].to : 0;
    f->n_segments[side]++;
    if (!e)
        e = quic_hello_read(a->bytes, n_have, &hello);
    if (!e)
        hello_texts(s, f, &hello);
    /* a server's Initial does not open with the client's keys: its frames are nonsense, and it holds no hello */
    if (e == TLS_MORE && f->n_segments[side] < INSPECT_SEGMENTS)
        return;
    f->is_done[side] = true;
    assembly_close(s, f, side);
}

static int inspect_udp(struct inspector *s, struct inspection *f, const struct packet *k, unsigned side)
{
    static const uint16_t dns_ports[] = {53, 5353, 5355}; /* DNS, multicast DNS, LLMNR */
    const uint8_t *p = k->payload;
    size_t n = k->n_payload_bytes;
    for (size_t i = 0; i < sizeof(dns_ports) / sizeof(*dns_ports); i++)
        if (k->source_port == dns_ports[i] || k->destination_port == dns_ports[i])
            return look_dns(s, f, p, n);
    if (f->is_done[side] || !n)
        return 0;
    if (quic_is_long(p, n)) {
        inspect_quic(s, f, p, n, side);
        return 0;
    }
    f->n_segments[side]++;
    f->is_done[side] = f->n_segments[side] >= INSPECT_SEGMENTS;
    struct tls_hello hello;
    if (!dtls_hello_read(p, n, &hello)) {
        protocol_text(s, f, "dtls");
        hello_texts(s, f, &hello);
        f->is_done[side] = true;
    }
    if (look_openings(s, f, udp_openings, sizeof(udp_openings) / sizeof(*udp_openings), p, n) == LOOK_DONE)
        f->is_done[side] = true;
    return 0;
}

int inspect(struct inspector *s, struct inspection *f, const struct packet *k, unsigned side)
{
    if (k->has_tcp) {
        inspect_tcp(s, f, k, side);
        return 0;
    }
    return k->protocol == 17 && k->has_ports ? inspect_udp(s, f, k, side) : 0;
}

void inspection_fini(struct inspector *s, struct inspection *f)
{
    for (unsigned side = 0; side < 2; side++)
        assembly_close(s, f, side);
    s->n_text_bytes -= f->n_texts;
    free(f->texts);
    *f = (struct inspection){0};
}
