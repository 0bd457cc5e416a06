/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The captures of Arkime's own tests against the sessions it expects of them: ends, protocol, packets, who began,
 * bytes, DNS names, JA3 and JA4. Where the two programs mean different things, the table below says what.
 */
#include "base/file.h"
#include "cmocka_house.h"
#include "format/pcap.h"
#include "help_dir.h"
#include "watch/intake/meter.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>

#define FLOWS_MAX 4096

/* sessions: how many are not compared alike; names: fingerprints we do not read */
static const struct {
    const char *name;
    unsigned n_sessions, n_names;
    const char *why;
} known[] = {
    {"80211http", 1, 0, "802.11 frames are refused by reason"},
    {"dns-punycode", 0, 1, "Arkime shows the name decoded from punycode"},
    {"openvpn_synthetic", 0, 8, "TLS wrapped in OpenVPN packets is not unwrapped"},
    {"ospf", 2, 0, "Arkime joins multicasts of one group into one session"},
    {"pim", 1, 0, "the same"},
    {"wireshark-dhcpv6", 1, 0, "Arkime joins multicast and its answers"},
    {"socks5-http-302-frag", 1, 0, "Arkime counts a packet put together from fragments as one"},
    {"vxlan", 1, 0, "ARP inside VXLAN: a session without ports there, the outer UDP flow here"},
};

struct tally {
    unsigned n_sessions, n_equal, n_names, n_names_equal;
    unsigned n_unlike; /* captures that differ otherwise than the table says */
};

struct seen {
    struct flow *flows;
    struct buf texts; /* of all flows, one behind the other */
    size_t *text_at;
    unsigned n;
};

static int see(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct seen *s = context;
    (void)o;
    assert_true(s->n + n <= FLOWS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        s->flows[s->n] = flows[i];
        s->text_at[s->n] = s->texts.n;
        buf_add(&s->texts, flows[i].texts.p, flows[i].texts.n);
        s->n++;
    }
    return 0;
}

static int give(void *context, const struct pcap_packet *k)
{
    return meter_frame(context, k->link, k->p, k->n_captured, k->n_original, k->has_time ? k->timestamp_us : INT64_MIN);
}

/* one flow per five-tuple, as a session of Arkime: no time-outs, VLANs together, innermost layer only */
static void meter_capture(const char *path, struct seen *s)
{
    const int64_t never = INT64_C(1000000000000000);
    struct meter_options o = {.idle_us = never, .tcp_idle_us = never, .active_us = never, .linger_us = never,
                              .without_vlan = true, .without_outer = true};
    struct meter *m = meter_new(&o, see, s);
    struct pcap r = {0};
    uint8_t *p;
    size_t n;
    assert_non_null(m);
    assert_int_equal(file_read_path(path, 16 << 20, &p, &n), 0);
    assert_int_equal(pcap_feed(&r, p, n, give, m), 0);
    assert_int_equal(pcap_end(&r), 0);
    assert_int_equal(meter_flush(m), 0);
    struct meter_counters c;
    meter_count(m, &c);
    uint64_t n_refused = 0, n_packets = 0;
    for (int i = 0; i < PACKET_N_REASONS; i++)
        n_refused += c.n_refused[i];
    for (unsigned i = 0; i < s->n; i++) {
        n_packets += s->flows[i].source_packets + s->flows[i].destination_packets;
        s->flows[i].texts.p = (const char *)s->texts.p + s->text_at[i];
    }
    assert_int_equal(r.n_packets, c.n_metered + n_refused);
    assert_int_equal(n_packets, c.n_layers);
    free(p);
    pcap_fini(&r);
    meter_free(m);
}

struct end {
    struct ip ip;
    uint16_t port;
};

static bool is_end(const struct ip *ip, uint16_t port, const struct end *e)
{
    return ip_equal(ip, &e->ip) && port == e->port;
}

static bool end_read(json_t *session, const char *name, bool has_ports, struct end *ret)
{
    json_t *o = json_object_get(session, name);
    const char *ip = json_string_value(json_object_get(o, "ip"));
    ret->port = has_ports ? (uint16_t)json_integer_value(json_object_get(o, "port")) : 0;
    return ip && !ip_parse(ip, strlen(ip), &ret->ip);
}

static uint64_t count(json_t *session, const char *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(json_object_get(session, object), name));
}

static bool has_text(const struct flow *f, const char *name, const char *want)
{
    struct text rest = f->texts, n, v;
    while (flow_text_next(&rest, &n, &v))
        if (text_is(n, name) && text_is(v, want))
            return true;
    return false;
}

/* a name that Arkime read off this session: do we? */
static void name_check(const struct flow *f, const char *name, json_t *want, struct tally *t)
{
    const char *text = json_string_value(want);
    if (!text)
        return;
    t->n_names++;
    t->n_names_equal += has_text(f, name, strcmp(text, "<root>") ? text : ".") ||
                        (!strcmp(text, "<root>") && has_text(f, "network.protocol", "dns"));
}

static void names_check(const struct flow *f, json_t *session, struct tally *t)
{
    size_t i;
    json_t *one, *tls = json_object_get(session, "tls");
    json_array_foreach(json_object_get(session, "dns"), i, one)
        name_check(f, "dns.question.name", json_object_get(one, "queryHost"), t);
    json_array_foreach(json_object_get(tls, "ja3"), i, one)
        name_check(f, "tls.client.ja3", one, t);
    json_array_foreach(json_object_get(tls, "ja4"), i, one)
        name_check(f, "tls.client.ja4", one, t);
}

/* what both programs say of one pair of ends; either may have cut it into several records */
struct sum {
    uint64_t n_forth, n_back, n_bytes;
    bool is_begun, is_forth_first;
};

static void sum_add(struct sum *s, bool is_forth, uint64_t n_source, uint64_t n_destination, uint64_t n_bytes)
{
    s->n_forth += is_forth ? n_source : n_destination;
    s->n_back += is_forth ? n_destination : n_source;
    s->n_bytes += n_bytes;
    if (!s->is_begun)
        s->is_forth_first = is_forth;
    s->is_begun = true;
}

struct ends {
    struct end source, destination;
    uint8_t protocol;
};

static bool ends_read(json_t *session, struct ends *ret)
{
    ret->protocol = (uint8_t)json_integer_value(json_object_get(session, "ipProtocol"));
    bool has_ports = ret->protocol != 1 && ret->protocol != 58; /* there they stand for type and code */
    return end_read(session, "source", has_ports, &ret->source) &&
           end_read(session, "destination", has_ports, &ret->destination);
}

/* 1 the same way round, -1 the other, 0 other ends */
static int ends_compare(const struct ends *e, const struct ip *a, uint16_t a_port, const struct ip *b, uint16_t b_port)
{
    if (is_end(a, a_port, &e->source) && is_end(b, b_port, &e->destination))
        return 1;
    return is_end(a, a_port, &e->destination) && is_end(b, b_port, &e->source) ? -1 : 0;
}

/* Arkime counts bytes of frames: at most the link and tunnel headers more than ours. */
static bool is_equal(const struct sum *got, const struct sum *want)
{
    uint64_t n = want->n_forth + want->n_back;
    return got->is_begun && got->is_forth_first == want->is_forth_first && got->n_forth == want->n_forth &&
           got->n_back == want->n_back && want->n_bytes >= got->n_bytes && want->n_bytes - got->n_bytes <= n * 100;
}

static void session_check(const struct seen *s, json_t *sessions, size_t at, struct tally *t)
{
    struct ends e, other;
    struct sum want = {0}, got = {0};
    json_t *session = json_object_get(json_array_get(sessions, at), "body"), *one;
    size_t i;
    if (!ends_read(session, &e))
        return;
    json_array_foreach(sessions, i, one) {
        json_t *body = json_object_get(one, "body");
        int order = !ends_read(body, &other) || other.protocol != e.protocol
                        ? 0
                        : ends_compare(&e, &other.source.ip, other.source.port, &other.destination.ip, other.destination.port);
        if (order && i < at)
            return; /* was counted with that one */
        if (order)
            sum_add(&want, order > 0, count(body, "source", "packets"), count(body, "destination", "packets"),
                    count(body, "network", "bytes"));
    }
    t->n_sessions++;
    for (unsigned k = 0; k < s->n; k++) {
        const struct flow *f = &s->flows[k];
        int order = ends_compare(&e, &f->source_ip, f->source_port, &f->destination_ip, f->destination_port);
        if (f->protocol != e.protocol || !order)
            continue;
        if (!got.is_begun)
            names_check(f, session, t);
        sum_add(&got, order > 0, f->source_packets, f->destination_packets, f->source_bytes + f->destination_bytes);
    }
    t->n_equal += is_equal(&got, &want);
}

static void capture_check(const char *directory, const char *name, struct tally *all)
{
    char path[512];
    struct tally t = {0};
    struct seen s = {.texts.max = 1 << 20};
    unsigned n_sessions = 0, n_names = 0;
    size_t i;
    json_t *sessions, *expected;
    snprintf(path, sizeof(path), "%s/%s.pcap", directory, name);
    if (access(path, R_OK))
        return;
    s.flows = calloc(FLOWS_MAX, sizeof(*s.flows));
    s.text_at = calloc(FLOWS_MAX, sizeof(*s.text_at));
    assert_true(s.flows && s.text_at);
    meter_capture(path, &s);
    snprintf(path, sizeof(path), "%s/%s.test", directory, name);
    expected = json_load_file(path, 0, NULL);
    assert_non_null(expected);
    sessions = json_object_get(expected, "sessions3");
    for (i = 0; i < json_array_size(sessions); i++)
        session_check(&s, sessions, i, &t);
    for (i = 0; i < COUNT_OF(known); i++)
        if (!strcmp(known[i].name, name)) {
            n_sessions = known[i].n_sessions;
            n_names = known[i].n_names;
        }
    if (t.n_sessions - t.n_equal != n_sessions || t.n_names - t.n_names_equal != n_names) {
        all->n_unlike++;
        print_message("%s: %u of %u sessions, %u of %u names\n", name, t.n_equal, t.n_sessions, t.n_names_equal, t.n_names);
    }
    all->n_sessions += t.n_sessions;
    all->n_equal += t.n_equal;
    all->n_names += t.n_names;
    all->n_names_equal += t.n_names_equal;
    json_decref(expected);
    buf_fini(&s.texts);
    free(s.text_at);
    free(s.flows);
}

static void the_sessions_of_arkime_are_found(void **state)
{
    (void)state;
    char command[1024];
    const char *shared = getenv("VONGGAC_SHARED");
    struct help_dir d = help_dir_new();
    snprintf(command, sizeof(command), "tar -xJf '%s/data/pcap/arkime-sessions.tar.xz' -C '%s' 2>/dev/null",
             shared ? shared : "../shared", d.path);
    if (system(command)) {
        print_message("skipped: no arkime-sessions.tar.xz under VONGGAC_SHARED/data/pcap\n");
        help_dir_free(&d);
        skip();
    }
    struct tally all = {0};
    DIR *directory = opendir(d.path);
    assert_non_null(directory);
    for (struct dirent *e; (e = readdir(directory)) != NULL;) {
        size_t n = strlen(e->d_name);
        char name[256];
        if (n < 6 || n > 200 || strcmp(e->d_name + n - 5, ".test"))
            continue;
        memcpy(name, e->d_name, n - 5);
        name[n - 5] = '\0';
        capture_check(d.path, name, &all);
    }
    closedir(directory);
    help_dir_free(&d);
    print_message("%u of %u sessions alike, %u of %u names\n", all.n_equal, all.n_sessions, all.n_names_equal, all.n_names);
    assert_int_equal(all.n_unlike, 0);
    assert_true(all.n_sessions > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_sessions_of_arkime_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
