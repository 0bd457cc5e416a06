/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eve_bench - Suricata EVE lines to matched events, side by side with jansson and (if built with it) simdjson.
 *
 *   eve_bench [FILE]   without FILE: 200,000 lines made up after Suricata's format (flow, dns, http, tls, alert)
 *
 * All readers take the same nine fields, parse both addresses and look them up; their sums must be equal. Rounds alternate;
 * the best of each counts. CPU time, one thread.
 */
#include "eve_bench.h"

#include "format/event_record.h"
#include "format/json_scan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES = 200000, ROUNDS = 7, PADDING = 64 };

void eve_address(struct eve_sums *s, const char *p, size_t n)
{
    struct ip ip;
    if (ip_parse(p, n, &ip))
        return;
    uint32_t v4 = ip_v4(&ip) * 2654435761u;
    s->n_matched += v4 >> 22 == 5;
    eve_number(s, v4);
}

/* --- ours ------------------------------------------------------------------------------------------------- */

enum want { NO_FIELD, TIMESTAMP, FLOW_ID, TYPE, SRC_IP, SRC_PORT, DEST_IP, DEST_PORT, PROTO, DETAIL, N_WANTED };

static const char *const wanted[N_WANTED] = {NULL, "timestamp", "flow_id", "event_type", "src_ip", "src_port", "dest_ip", "dest_port", "proto"};
static const struct {
    const char *type, *path;
} details[] = {{"dns", "dns.rrname"}, {"http", "http.hostname"}, {"tls", "tls.sni"}, {"alert", "alert.signature_id"}, {"flow", "flow.bytes_toserver"}};

static uint64_t number_of(const char *p, size_t n)
{
    uint64_t v = 0;
    if (!json_u64(p, (uint32_t)n, &v))
        text_u64((struct text){p, n}, UINT64_MAX, &v);
    return v;
}

static uint64_t mark_of(struct text path)
{
    for (uint64_t i = 1; i < DETAIL; i++)
        if (text_is(path, wanted[i]))
            return i;
    for (uint64_t i = 0; i < sizeof details / sizeof *details; i++)
        if (text_is(path, details[i].path))
            return DETAIL + i;
    return 0;
}

static void add(struct eve_sums *s, uint64_t what, const char *p, size_t n, bool is_number)
{
    if (what == SRC_IP || what == DEST_IP)
        eve_address(s, p, n);
    else if (is_number)
        eve_number(s, number_of(p, n));
    else
        eve_text(s, p, n);
}

enum { MARKS = DETAIL + sizeof details / sizeof *details, PLANS = 64, NOWHERE = UINT16_MAX };

/* where the fields stand among the leaves; texts of one shape have them at the same */
struct plan {
    uint32_t shape;
    uint16_t at[MARKS];
};

static void make_plan(const struct json_scan *scan, struct plan *plan)
{
    plan->shape = scan->shape;
    memset(plan->at, 0xff, sizeof plan->at);
    for (uint32_t i = scan->n_items; i-- > 0;) /* the first of each counts */
        plan->at[scan->nodes[scan->items[i].node].mark] = (uint16_t)i;
}

static void add_item(struct eve_sums *s, uint64_t what, const char *line, const struct json_item *it)
{
    add(s, what, line + it->at, it->n, it->kind == JSON_KIND_NUMBER);
}

void eve_by_scan(const char *p, size_t n, struct eve_sums *s)
{
    struct json_scan *scan = json_scan_new(mark_of, false);
    struct plan plans[PLANS] = {0};
    const char *end = p + n;
    while (scan && p < end) {
        const char *line = p, *newline = memchr(p, '\n', (size_t)(end - p));
        size_t length = newline ? (size_t)(newline - p) : (size_t)(end - p);
        p += length + 1;
        if (json_scan(scan, (struct text){line, length}, NULL)) {
            s->n_refused++;
            continue;
        }
        struct plan *plan = &plans[scan->shape % PLANS];
        if (!scan->shape || plan->shape != scan->shape)
            make_plan(scan, plan);
        for (uint64_t i = 1; i < DETAIL; i++)
            if (plan->at[i] != NOWHERE)
                add_item(s, i, line, &scan->items[plan->at[i]]);
        const struct json_item *type = plan->at[TYPE] != NOWHERE ? &scan->items[plan->at[TYPE]] : NULL;
        for (uint64_t k = 0; type && k < MARKS - DETAIL; k++)
            if (plan->at[DETAIL + k] != NOWHERE && text_is((struct text){line + type->at, type->n}, details[k].type))
                add_item(s, 0, line, &scan->items[plan->at[DETAIL + k]]);
        s->n++;
    }
    json_scan_free(scan);
}

/* rows_of - both addresses of every row are looked up, as detection does. */
static void rows_of(const struct events *e, struct eve_sums *s)
{
    for (uint32_t i = 0; i < e->n; i++)
        for (uint32_t k = event_from(e, i); k < e->value_end[i]; k++) {
            const struct event_value *v = &e->values[k];
            if (v->field != EV_SOURCE_IP && v->field != EV_DESTINATION_IP)
                continue;
            struct ip ip = event_ip(e, v);
            uint32_t v4 = ip_v4(&ip) * 2654435761u;
            s->n_matched += v4 >> 22 == 5;
        }
    s->n += e->n;
}

void eve_by_events(const char *p, size_t n, struct eve_sums *s)
{
    struct event_names *names = event_names_new();
    struct event_decoder *d = event_decoder_new(names, NULL);
    struct events *e = events_new(names);
    struct event_source source = {.arrived_us = 1};
    const char *end = p + n;
    while (p < end) {
        enum event_refusal reason;
        size_t at;
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t length = newline ? (size_t)(newline - p) : (size_t)(end - p);
        s->n_refused += event_record(d, EVENT_RECORD_JSON, (struct text){p, length}, &source, e, &reason, &at) != 0;
        p += length + 1;
        if (events_full(e) || p >= end) {
            rows_of(e, s);
            events_clear(e);
        }
    }
    events_free(e);
    event_decoder_free(d);
    event_names_free(names);
}

/* --- jansson ---------------------------------------------------------------------------------------------- */

static void jansson_value(struct eve_sums *s, const json_t *o, const char *key, bool is_address)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_string(v) && is_address)
        eve_address(s, json_string_value(v), json_string_length(v));
    else if (json_is_string(v))
        eve_text(s, json_string_value(v), json_string_length(v));
    else if (json_is_integer(v))
        eve_number(s, (uint64_t)json_integer_value(v));
}

void eve_by_jansson(const char *p, size_t n, struct eve_sums *s)
{
    const char *end = p + n;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t length = newline ? (size_t)(newline - p) : (size_t)(end - p);
        json_t *o = json_loadb(p, length, 0, NULL);
        p += length + 1;
        if (!o) {
            s->n_refused++;
            continue;
        }
        for (int i = 1; i < DETAIL; i++)
            jansson_value(s, o, wanted[i], i == SRC_IP || i == DEST_IP);
        const char *type = json_string_value(json_object_get(o, "event_type"));
        for (size_t k = 0; type && k < sizeof details / sizeof *details; k++)
            if (!strcmp(type, details[k].type))
                jansson_value(s, json_object_get(o, type), details[k].path + strlen(type) + 1, false);
        s->n++;
        json_decref(o);
    }
}

/* --- lines ------------------------------------------------------------------------------------------------ */

static uint64_t dice = 7;
static unsigned roll(unsigned below)
{
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(dice >> 33) % below;
}

static size_t make_line(char *p, size_t room)
{
    static const char *const hosts[] = {"www.example.vn", "cdn.example.com", "mail.example.org", "update.vendor.example", "c2.bad.example"};
    char time[40], from[20], to[20];
    const char *host = hosts[roll(5)];
    unsigned kind = roll(10);
    snprintf(time, sizeof time, "2026-11-%02uT%02u:%02u:%02u.%06u+0700", 1 + roll(27), roll(24), roll(60), roll(60), roll(1000000));
    snprintf(from, sizeof from, "10.%u.%u.%u", roll(256), roll(256), 1 + roll(254));
    snprintf(to, sizeof to, "203.%u.%u.%u", roll(256), roll(256), 1 + roll(254));
    const char *type = kind < 3 ? "flow" : kind < 6 ? "dns" : kind < 8 ? "http" : kind < 9 ? "tls" : "alert";
    size_t n = (size_t)snprintf(p, room, "{\"timestamp\":\"%s\",\"flow_id\":%u%06u,\"in_iface\":\"eth0\",\"event_type\":\"%s\",\"src_ip\":\"%s\",\"src_port\":%u,"
        "\"dest_ip\":\"%s\",\"dest_port\":%u,\"proto\":\"%s\",\"community_id\":\"1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0=\",", time, roll(1000000000), roll(1000000), type,
        from, 1024 + roll(60000), to, roll(2) ? 443 : 53, roll(2) ? "TCP" : "UDP");
    if (kind < 3)
        n += (size_t)snprintf(p + n, room - n, "\"app_proto\":\"tls\",\"flow\":{\"pkts_toserver\":%u,\"pkts_toclient\":%u,\"bytes_toserver\":%u,\"bytes_toclient\":%u,"
            "\"start\":\"%s\",\"end\":\"%s\",\"age\":%u,\"state\":\"closed\",\"reason\":\"timeout\",\"alerted\":false},\"tcp\":{\"tcp_flags\":\"1b\",\"tcp_flags_ts\":\"1b\","
            "\"tcp_flags_tc\":\"1b\",\"syn\":true,\"fin\":true,\"psh\":true,\"ack\":true,\"state\":\"closed\"}}\n", roll(1000), roll(1000), roll(1000000), roll(10000000), time, time, roll(600));
    else if (kind < 6)
        n += (size_t)snprintf(p + n, room - n, "\"dns\":{\"version\":2,\"type\":\"answer\",\"id\":%u,\"flags\":\"8180\",\"qr\":true,\"rd\":true,\"ra\":true,\"opcode\":0,\"rrname\":\"%s\","
            "\"rrtype\":\"A\",\"rcode\":\"NOERROR\",\"answers\":[{\"rrname\":\"%s\",\"rrtype\":\"A\",\"ttl\":300,\"rdata\":\"%s\"},{\"rrname\":\"%s\",\"rrtype\":\"A\",\"ttl\":300,\"rdata\":\"%s\"}],"
            "\"grouped\":{\"A\":[\"%s\",\"%s\"]}}}\n", roll(65536), host, host, to, host, from, to, from);
    else if (kind < 8)
        n += (size_t)snprintf(p + n, room - n, "\"tx_id\":0,\"http\":{\"hostname\":\"%s\",\"url\":\"/path/%u/index.html?id=%u&name=abc\",\"http_user_agent\":\"Mozilla/5.0 (Windows NT 10.0; "
            "Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36\",\"http_content_type\":\"text/html\",\"http_method\":\"GET\",\"protocol\":\"HTTP/1.1\","
            "\"status\":200,\"length\":%u}}\n", host, roll(1000), roll(1000000), roll(100000));
    else if (kind < 9)
        n += (size_t)snprintf(p + n, room - n, "\"tls\":{\"subject\":\"C=VN, O=Example, CN=www.example.vn\",\"issuerdn\":\"C=US, O=Example CA, CN=R3\",\"serial\":"
            "\"04:A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90:A1\",\"fingerprint\":\"5e:4f:2c:53:1c:54:9b:b7:2a:65:8e:d9:dd:16:d4:91:ed:db:b2:86\",\"sni\":\"%s\",\"version\":\"TLS 1.2\","
            "\"notbefore\":\"2026-01-01T00:00:00\",\"notafter\":\"2026-12-31T00:00:00\",\"ja3\":{\"hash\":\"e7d705a3286e19ea42f587b344ee6865\",\"string\":\"771,49195-49199,0-10-11,23-24,0\"},"
            "\"ja3s\":{\"hash\":\"ec74a5c51106f0419184d0dd08fb05bc\",\"string\":\"771,49199,65281\"}}}\n", host);
    else
        n += (size_t)snprintf(p + n, room - n, "\"app_proto\":\"http\",\"alert\":{\"action\":\"allowed\",\"gid\":1,\"signature_id\":%u,\"rev\":3,\"signature\":\"ET TROJAN Possible Botnet Checkin\","
            "\"category\":\"A Network Trojan was detected\",\"severity\":%u,\"metadata\":{\"affected_product\":[\"Windows_XP\"],\"attack_target\":[\"Client_Endpoint\"],"
            "\"created_at\":[\"2019_01_01\"]}},\"flow\":{\"pkts_toserver\":4,\"pkts_toclient\":3,\"bytes_toserver\":500,\"bytes_toclient\":600,"
            "\"start\":\"%s\"}}\n", 2000000 + roll(40000), 1 + roll(3), time);
    return n;
}

static char *lines_of(const char *path, size_t *ret_n)
{
    FILE *f = path ? fopen(path, "r") : NULL;
    size_t room = path ? 0 : (size_t)LINES * 1200, n = 0;
    if (path && (!f || fseek(f, 0, SEEK_END)))
        return NULL;
    if (f) {
        room = (size_t)ftell(f);
        rewind(f);
    }
    char *p = calloc(1, room + PADDING);
    if (p && f)
        n = fread(p, 1, room, f);
    for (int i = 0; p && !f && i < LINES; i++)
        n += make_line(p + n, room - n);
    if (f)
        fclose(f);
    *ret_n = n;
    return p;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*read)(const char *p, size_t n, struct eve_sums *s);
    } readers[] = {
        {"json_scan, same fields", eve_by_scan}, {"event_record, all fields", eve_by_events},
#ifdef HAS_SIMDJSON
        {"simdjson on-demand", eve_by_simdjson},
#endif
        {"jansson", eve_by_jansson},
    };
    enum { N = sizeof readers / sizeof *readers };
    size_t n;
    char *p = lines_of(argc > 1 ? argv[1] : NULL, &n);
    double best[N] = {0};
    const char *only = getenv("EVE_READER"); /* a number from 0: for profiles */
    struct eve_sums sums[N];
    if (!p)
        return 1;
    for (int round = 0; round < ROUNDS; round++)
        for (int k = 0; k < (int)N; k++) {
            if (only && atoi(only) != k)
                continue;
            struct eve_sums s = {0};
            double begin = cpu_s();
            readers[k].read(p, n, &s);
            double took = cpu_s() - begin;
            best[k] = !round || took < best[k] ? took : best[k];
            sums[k] = s;
        }
    for (int k = 0; k < (int)N; k++)
        if (!only || atoi(only) == k)
            printf("%-26s %8llu lines %6.2f M/s %6.0f MB/s  %5.2f x  refused %llu matched %llu sum %016llx\n", readers[k].name, (unsigned long long)sums[k].n,
               (double)sums[k].n / best[k] / 1e6, (double)n / best[k] / 1e6, best[N - 1] / best[k], (unsigned long long)sums[k].n_refused,
               (unsigned long long)sums[k].n_matched, (unsigned long long)sums[k].sum);
    free(p);
    return 0;
}
