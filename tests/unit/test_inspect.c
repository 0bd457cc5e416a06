/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client hellos, requests and questions cut into segments in every way; and what happens where memory ends.
 */
#include "failing_alloc.h"
#include "format/flow.h"
#include "tls_hello_build.h"
#include "watch/intake/inspect.h"
#include "watch/intake/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define JA4 "t13d1516h2_8daaf6152771_e5627efa2ab1"

static struct hello_build h;

/* the published example of JA4, see test_tls.c */
static void chrome(void)
{
    static const uint16_t ciphers[] = {0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                       0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
    static const uint16_t signatures[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};
    static const unsigned others[] = {0x1b, 0x33, 0x4469, 0x17, 0x2d, 5, 0x23, 0x12, 0xff01, 0xb, 0xa};
    static const uint8_t padding[1000];
    hello_begin(&h, 0x0303, ciphers, 16);
    hello_name(&h, "example.com");
    hello_alpn(&h, "h2", 2);
    for (size_t i = 0; i < 11; i++)
        hello_extension(&h, others[i], "", 0);
    hello_list(&h, 13, signatures, 8);
    hello_extension(&h, 43, "\2\3\4", 3);
    hello_extension(&h, 0x15, padding, sizeof(padding));
    hello_end(&h);
}

static struct packet segment(uint32_t seq, const void *p, size_t n, uint16_t flags)
{
    struct packet k = {.source = ip_from_v4(0x0a000001),
                       .destination = ip_from_v4(0x0a000002),
                       .source_port = 40000,
                       .destination_port = 443,
                       .protocol = 6,
                       .has_ports = true,
                       .has_tcp = true,
                       .tcp_flags = flags,
                       .tcp_seq = seq,
                       .payload = p,
                       .n_payload_bytes = (uint32_t)n,
                       .n_ip_bytes = (uint32_t)n + 40};
    return k;
}

static void give(struct inspector *s, struct inspection *f, uint32_t seq, const void *p, size_t n, uint16_t flags)
{
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    struct packet k = segment(seq, exact, n, flags);
    assert_int_equal(inspect(s, f, &k, 0), 0);
    free(exact);
}

static bool has(const struct inspection *f, const char *name, const char *want)
{
    struct text rest = {(const char *)f->texts, f->n_texts}, n, v;
    while (flow_text_next(&rest, &n, &v))
        if (text_is(n, name) && text_is(v, want))
            return true;
    return false;
}

/* the sequence wraps in the middle of the hello */
#define ISN (UINT32_MAX - 300)

static void a_hello_in_segments_of_any_size_and_order_is_read(void **state)
{
    (void)state;
    chrome();
    const char *seed_text = getenv("VONGGAC_SEED"), *rounds_text = getenv("VONGGAC_ROUNDS");
    uint64_t x = seed_text ? strtoull(seed_text, NULL, 10) : 11;
    int rounds = rounds_text ? atoi(rounds_text) : 200;
    for (int round = 0; round < rounds; round++) {
        struct inspector *s = inspector_new(4, 1 << 20);
        struct inspection f = {0};
        uint64_t seed = x;
        size_t cuts[8] = {0}, n_cuts = 1 + x % 6;
        for (size_t i = 1; i < n_cuts; i++) { /* rising places to cut at */
            x = x * 6364136223846793005u + 1442695040888963407u;
            cuts[i] = cuts[i - 1] + 1 + (x >> 33) % (h.n / n_cuts);
        }
        cuts[n_cuts] = h.n;
        size_t order[8];
        for (size_t i = 0; i < n_cuts; i++)
            order[i] = i;
        for (size_t i = n_cuts; i-- > 1;) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            size_t k = (x >> 33) % (i + 1), one = order[i];
            order[i] = order[k];
            order[k] = one;
        }
        give(s, &f, ISN, "", 0, 2);
        for (size_t i = 0; i < n_cuts; i++) {
            size_t from = cuts[order[i]], to = cuts[order[i] + 1];
            if (from && x & 1) /* overlaps the segment before by a byte */
                from--;
            give(s, &f, ISN + 1 + (uint32_t)from, h.p + from, to - from, 0x18);
        }
        if (!has(&f, "tls.client.ja4", JA4) || !has(&f, "tls.client.server_name", "example.com") ||
            !has(&f, "network.protocol", "tls"))
            fail_msg("seed %llu, round %d: %zu segments", (unsigned long long)seed, round, n_cuts);
        assert_true(f.is_done[0] && !f.assembly[0]);
        inspection_fini(s, &f);
        inspector_free(s);
    }
}

static void a_hello_later_in_the_stream_is_found(void **state)
{
    (void)state;
    struct inspector *s = inspector_new(4, 1 << 20);
    struct inspection f = {0};
    chrome();
    static const char connect[] = "CONNECT proxied.example:443 HTTP/1.1\r\nHost: proxied.example:443\r\n\r\n";
    give(s, &f, 100, "", 0, 2);
    give(s, &f, 101, connect, sizeof(connect) - 1, 0x18);
    give(s, &f, 101 + sizeof(connect) - 1, h.p, 500, 0x18);
    give(s, &f, 101 + sizeof(connect) - 1 + 500, h.p + 500, h.n - 500, 0x18);
    assert_true(has(&f, "network.protocol", "http"));
    assert_true(has(&f, "url.domain", "proxied.example"));
    assert_true(has(&f, "tls.client.ja4", JA4));
    inspection_fini(s, &f);
    inspector_free(s);
}

static void a_request_whose_host_comes_late_is_read(void **state)
{
    (void)state;
    struct inspector *s = inspector_new(4, 1 << 20);
    struct inspection f = {0};
    static const char head[] = "GET /a HTTP/1.1\r\nCookie: 12345678\r\n", host[] = "Host: late.exa", rest[] = "mple\r\n\r\n";
    give(s, &f, 1, head, sizeof(head) - 1, 0x18);
    give(s, &f, 1 + sizeof(head) - 1, host, sizeof(host) - 1, 0x18);
    assert_int_equal(f.n_texts, 0);
    give(s, &f, 1 + sizeof(head) + sizeof(host) - 2, rest, sizeof(rest) - 1, 0x18);
    assert_true(has(&f, "url.domain", "late.example"));
    /* a further request of the connection, to another host of a proxy */
    static const char second[] = "GET http://second.example/ HTTP/1.1\r\n\r\n";
    give(s, &f, 500, second, sizeof(second) - 1, 0x18);
    assert_true(has(&f, "url.domain", "second.example"));
    inspection_fini(s, &f);
    inspector_free(s);
}

static void dns_over_tcp_waits_for_its_length(void **state)
{
    (void)state;
    static const uint8_t message[] = "\0\x1d\x12\x34\x01\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
    struct inspector *s = inspector_new(4, 1 << 20);
    struct inspection f = {0};
    for (uint32_t i = 0; i < sizeof(message) - 1; i++) {
        struct packet k = segment(7 + i, message + i, 1, 0x18);
        k.destination_port = 53;
        assert_int_equal(inspect(s, &f, &k, 0), 0);
    }
    assert_true(has(&f, "dns.question.name", "www.example"));
    inspection_fini(s, &f);
    inspector_free(s);
}

static void first_words_tell_the_protocol(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        const char *bytes;
        size_t n;
        const char *want; /* NULL: none */
    } rows[] = {
        {6, "SSH-2.0-OpenSSH_9.2\r\n", 21, "ssh"},
        {6, "HTTP/1.0 404 Not Found\r\n", 24, "http"},
        {6, "\0\0\0\x85\xfeSMB@\0", 10, "smb"},
        {6, "NICK bot1234\r\n", 14, "irc"},
        {6, "220 mail.example ESMTP ready\r\n", 30, "smtp"},
        {6, "220-Welcome to the FTP service\r\n", 32, "ftp"},
        {6, "220 hello\r\nSMTP", 15, NULL},
        {6, "EHLO client.example\r\n", 21, "smtp"},
        {6, "\x16\3\3\0\x40\2\0\0\x3c", 9, "tls"},
        {6, "\x13" "BitTorrent protocol", 20, "bittorrent"},
        {6, "\x13" "BitTorrent protoco", 19, NULL},
        {17, "\0\1\0\0\x21\x12\xa4\x42", 8, "stun"},
        {17, "d1:ad2:id20:abcdefghij", 22, "bittorrent"},
        {17, "REGISTER sip:example.com SIP/2.0", 32, "sip"},
        {17, "SSH-2.0", 7, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct inspector *s = inspector_new(4, 1 << 20);
        struct inspection f = {0};
        struct text v;
        struct packet k = segment(1, rows[i].bytes, rows[i].n, 0x18);
        k.protocol = rows[i].protocol;
        k.has_tcp = rows[i].protocol == 6;
        assert_int_equal(inspect(s, &f, &k, 0), 0);
        bool is_there = flow_text_get((struct text){(const char *)f.texts, f.n_texts}, "network.protocol", &v);
        if (is_there != (rows[i].want != NULL) || (is_there && !text_is(v, rows[i].want)))
            fail_msg("row %zu", i);
        inspection_fini(s, &f);
        inspector_free(s);
    }
}

static void a_tls_hello_behind_starttls_is_found(void **state)
{
    (void)state;
    struct inspector *s = inspector_new(4, 1 << 20);
    struct inspection f = {0};
    chrome();
    give(s, &f, 1, "EHLO a\r\n", 8, 0x18);
    give(s, &f, 9, "STARTTLS\r\n", 10, 0x18);
    give(s, &f, 19, h.p, h.n, 0x18);
    assert_true(has(&f, "network.protocol", "smtp"));
    assert_true(has(&f, "tls.client.ja4", JA4));
    inspection_fini(s, &f);
    inspector_free(s);
}

static void unfinished_messages_are_bounded(void **state)
{
    (void)state;
    struct inspector *s = inspector_new(2, 1 << 20);
    struct inspection f[3] = {{0}};
    uint64_t texts, assemblies;
    chrome();
    for (int i = 0; i < 3; i++) /* the third takes the buffer of the first */
        give(s, &f[i], 1, h.p, 100, 0x18);
    inspector_count(s, &texts, &assemblies);
    assert_int_equal(assemblies, 1);
    assert_true(f[0].is_done[0] && !f[0].assembly[0]);
    for (int i = 0; i < 3; i++)
        give(s, &f[i], 101, h.p + 100, h.n - 100, 0x18);
    assert_false(has(&f[0], "tls.client.ja4", JA4));
    assert_true(has(&f[1], "tls.client.ja4", JA4));
    assert_true(has(&f[2], "tls.client.ja4", JA4));
    for (int i = 0; i < 3; i++)
        inspection_fini(s, &f[i]);
    /* a message of one-byte segments is given up, not read again and again */
    for (uint32_t i = 0; i < 200; i++)
        give(s, &f[0], 1 + i, h.p + i, 1, 0x18);
    assert_true(f[0].is_done[0] && !f[0].assembly[0]);
    inspection_fini(s, &f[0]);
    inspector_free(s);
    /* names have a limit for all flows together */
    s = inspector_new(2, 40);
    give(s, &f[0], 1, h.p, h.n, 0x18);
    inspector_count(s, &texts, &assemblies);
    assert_true(has(&f[0], "network.protocol", "tls"));
    assert_int_equal(texts, 3);
    inspection_fini(s, &f[0]);
    inspector_free(s);
}

static int nothing(void *context, const struct flow *f, uint32_t n, const struct flow_observer *o)
{
    uint64_t *n_packets = context;
    (void)o;
    for (uint32_t i = 0; i < n; i++)
        *n_packets += f[i].source_packets + f[i].destination_packets;
    return 0;
}

static int metering(void *context)
{
    (void)context;
    uint64_t n_packets = 0;
    struct meter *m = meter_new(&(struct meter_options){.max_flows = 16}, nothing, &n_packets);
    if (!m)
        return -1;
    struct packet layers[2] = {segment(0, NULL, 0, 2), segment(ISN, NULL, 0, 2)};
    layers[0].protocol = 47;
    layers[1].tunnel = PACKET_TUNNEL_GRE;
    assert_int_equal(meter_packet(m, layers, 2, 1000000), 0);
    layers[1] = segment(ISN + 1, h.p, 600, 0x18);
    layers[1].tunnel = PACKET_TUNNEL_GRE;
    assert_int_equal(meter_packet(m, layers, 2, 1000001), 0);
    layers[1] = segment(ISN + 601, h.p + 600, h.n - 600, 0x18);
    layers[1].tunnel = PACKET_TUNNEL_GRE;
    assert_int_equal(meter_packet(m, layers, 2, 1000002), 0);
    assert_int_equal(meter_flush(m), 0);
    assert_int_equal(n_packets, 6); /* counts never depend on memory for names */
    struct meter_counters c;
    meter_count(m, &c);
    bool has_failed = failing_alloc_has_failed();
    assert_true(!has_failed || c.n_texts_dropped || c.n_assemblies_dropped);
    meter_free(m);
    return 0;
}

static void every_allocation_may_fail_once(void **state)
{
    (void)state;
    chrome();
    unsigned n = failing_alloc_each("metering", metering, NULL, true);
    assert_true(n >= 8); /* the meter's tables, the pool, a buffer and the texts */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_in_segments_of_any_size_and_order_is_read),
        cmocka_unit_test(a_hello_later_in_the_stream_is_found),
        cmocka_unit_test(a_request_whose_host_comes_late_is_read),
        cmocka_unit_test(dns_over_tcp_waits_for_its_length),
        cmocka_unit_test(first_words_tell_the_protocol),
        cmocka_unit_test(a_tls_hello_behind_starttls_is_found),
        cmocka_unit_test(unfinished_messages_are_bounded),
        cmocka_unit_test(every_allocation_may_fail_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
