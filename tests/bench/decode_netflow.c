/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_netflow - CPU nanoseconds per record from a datagram in memory to struct flow: NetFlow v5, v9, IPFIX, IPFIX with a
 * variable-length field. Datagrams of MTU size, 512 different ones; best of seven rounds; one thread.
 */
#include "base/cursor.h"
#include "format/netflow.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_DATAGRAMS = 512, ROUND = 200, ROUNDS = 7 };

struct writer {
    uint8_t p[1500];
    size_t n;
};

static struct writer datagrams[N_DATAGRAMS], definition;
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void put(struct writer *w, uint64_t v, size_t n)
{
    assert(w->n + n <= sizeof(w->p));
    for (size_t i = 0; i < n; i++)
        w->p[w->n++] = (uint8_t)(n - 1 - i < 8 ? v >> 8 * (n - 1 - i) : 0);
}

/* what a router's usual IPv4 template has: 20 fields, 57 or 65 bytes */
static const uint16_t v9_fields[][2] = {{8, 4},  {12, 4}, {15, 4}, {10, 4}, {14, 4}, {2, 4}, {1, 4},  {22, 4}, {21, 4}, {7, 2},
                                        {11, 2}, {6, 1},  {4, 1},  {5, 1},  {16, 4}, {17, 4}, {9, 1}, {13, 1}, {61, 1}, {89, 1}};
static const uint16_t ipfix_fields[][2] = {{8, 4},  {12, 4}, {15, 4}, {10, 4}, {14, 4}, {2, 8}, {1, 8},  {152, 8}, {153, 8}, {7, 2},
                                           {11, 2}, {6, 2},  {4, 1},  {5, 1},  {16, 4}, {17, 4}, {9, 1}, {13, 1},  {61, 1},  {136, 1}};
static const uint16_t text_fields[][2] = {{8, 4}, {12, 4}, {2, 8}, {1, 8}, {152, 8}, {153, 8}, {7, 2}, {11, 2}, {4, 1}, {96, 65535}};

static void put_field(struct writer *w, uint16_t id, uint16_t length)
{
    if (length == 65535) {
        put(w, 4, 1);
        put(w, 0x68747470, 4);
    } else if (id == 152 || id == 153) {
        put(w, UINT64_C(1600000000000) + next_random() % 1000, 8);
    } else {
        put(w, next_random() >> (64 - 8 * (length > 4 ? 4 : length)), length);
    }
}

static void header(struct writer *w, int version)
{
    w->n = 0;
    put(w, (uint64_t)version, 2);
    put(w, 0, 2);
    if (version == 9)
        put(w, 100000, 4);
    put(w, 1600000000, 4);
    put(w, 1, 4);
    put(w, 1, 4);
}

static void close_set(struct writer *w, size_t set, int version)
{
    w->p[set + 2] = (uint8_t)((w->n - set) >> 8);
    w->p[set + 3] = (uint8_t)(w->n - set);
    if (version == 10) {
        w->p[2] = (uint8_t)(w->n >> 8);
        w->p[3] = (uint8_t)w->n;
    }
}

static uint32_t make(int version, const uint16_t (*fields)[2], size_t n_fields)
{
    size_t record = 0;
    header(&definition, version);
    size_t set = definition.n;
    put(&definition, version == 9 ? 0 : 2, 2);
    put(&definition, 0, 2);
    put(&definition, 256, 2);
    put(&definition, n_fields, 2);
    for (size_t i = 0; i < n_fields; i++) {
        put(&definition, fields[i][0], 2);
        put(&definition, fields[i][1], 2);
        record += fields[i][1] == 65535 ? 5 : fields[i][1];
    }
    close_set(&definition, set, version);
    uint32_t n = (uint32_t)((1400 - 24) / record);
    for (int d = 0; d < N_DATAGRAMS; d++) {
        struct writer *w = &datagrams[d];
        header(w, version);
        set = w->n;
        put(w, 256, 2);
        put(w, 0, 2);
        for (uint32_t r = 0; r < n; r++)
            for (size_t i = 0; i < n_fields; i++)
                put_field(w, fields[i][0], fields[i][1]);
        close_set(w, set, version);
    }
    return n;
}

static uint32_t make_v5(void)
{
    definition.n = 0;
    for (int d = 0; d < N_DATAGRAMS; d++) {
        struct writer *w = &datagrams[d];
        w->n = 0;
        put(w, 5, 2);
        put(w, 30, 2);
        put(w, 100000, 4);
        put(w, 1600000000, 4);
        put(w, 0, 12);
        for (int i = 0; i < 30 * 6; i++)
            put(w, next_random(), 8);
    }
    return 30;
}

/* cpu_ns - of this thread: what a busy machine takes away does not count. */
static double cpu_ns(void)
{
    struct timespec t;
    assert(!clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct sum {
    uint64_t n, bytes, addresses;
};

static int take(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct sum *s = context;
    (void)o;
    s->n += n;
    for (uint32_t i = 0; i < n; i++) {
        s->bytes += flows[i].source_bytes;
        s->addresses ^= load_le64(flows[i].source_ip.b + 8) ^ load_le64(flows[i].destination_ip.b + 8);
    }
    return 0;
}

static void run(const char *name, uint32_t n_records)
{
    struct netflow *n = netflow_new(NULL);
    assert(n);
    struct sum s = {0};
    struct netflow_result r;
    struct netflow_datagram d = {.p = definition.p, .n_bytes = definition.n, .peer = ip_from_v4(1)};
    if (definition.n)
        assert(!netflow_decode(n, &d, take, &s, &r));
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        s.n = 0;
        double begun = cpu_ns();
        for (int i = 0; i < ROUND; i++)
            for (int k = 0; k < N_DATAGRAMS; k++) {
                d.p = datagrams[k].p;
                d.n_bytes = datagrams[k].n;
                assert(!netflow_decode(n, &d, take, &s, &r));
            }
        double ns = (cpu_ns() - begun) / (double)s.n;
        assert(s.n == (uint64_t)n_records * N_DATAGRAMS * ROUND);
        best = ns < best ? ns : best;
    }
    printf("%-22s %3u records/datagram  %6.2f CPU ns/record  %6.1f M records/CPU-s   (%llx)\n", name, n_records, best, 1000 / best,
           (unsigned long long)(s.bytes ^ s.addresses));
    netflow_free(n);
}

int main(void)
{
    run("v5", make_v5());
    run("v9, 20 fields", make(9, v9_fields, sizeof(v9_fields) / sizeof(*v9_fields)));
    run("IPFIX, 20 fields", make(10, ipfix_fields, sizeof(ipfix_fields) / sizeof(*ipfix_fields)));
    run("IPFIX, variable length", make(10, text_fields, sizeof(text_fields) / sizeof(*text_fields)));
    return 0;
}
