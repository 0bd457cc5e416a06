/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow_bench - the flow watch measured as a whole; one line of JSON per run. tests/bench/run compares it with peers.
 *
 *   flow_bench ingest DIR VERSION FLOWS LISTED THREADS
 *       datagrams from memory -> decoded, matched against a list of LISTED addresses, journaled, indexed, on disk,
 *       compacted. CPU of the whole process but for making the datagrams. net_s: of the slowest thread, wall time but for
 *       making and for the time others had its processor.
 *   flow_bench send PORT VERSION FLOWS RATE          the same datagrams over loopback, RATE flows/s (0: as fast as it goes)
 *   flow_bench list LISTED FILE                      the list as text; lists nest
 *   flow_bench csv FLOWS FILE                        the same flows as CSV, for peers
 *   flow_bench hunt DIR FILE [rows]                  count, sum and max over the flows that touch the list
 *   flow_bench query DIR 'QUERY'                     run it, throw the rows away
 *
 * Questions are asked five times (env BENCH_ROUNDS), the best counts; by one thread (env BENCH_THREADS).
 * Env BENCH_DAY: which day of the same network the flows are of, 0 being the first: the same clients and servers, other
 * flows, other scanners.
 * Every 5,000th flow (env BENCH_HIT_EVERY) has a listed remote end, spread evenly: the worst case for skipping.
 */
#include "generator.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/detect/live.h"
#include "watch/hunt/hunt.h"
#include "watch/indicator/lists.h"
#include "watch/intake/udp.h"
#include "watch/query/query.h"
#include "watch/store/segment.h"
#include "watch/store/store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_DATAGRAMS = 2000, LIST_SEED = 7 }; /* a chunk stays in the cache, as what a network card brings does */

static double cpu_s(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int r, const struct fault *f, const char *what)
{
    if (r == 0)
        return;
    fprintf(stderr, "%s: %d %s\n", what, r, f ? f->text : "");
    exit(1);
}

static void *must_memory(void *p)
{
    if (!p)
        abort();
    return p;
}

static uint32_t hit_every(void)
{
    const char *text = getenv("BENCH_HIT_EVERY");
    return text ? (uint32_t)strtoul(text, NULL, 10) : 5000;
}

static uint32_t day(void)
{
    const char *text = getenv("BENCH_DAY");
    return text ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

/* make_list - addresses of the list; the first of them are the ones that occur in the flows. */
static uint32_t *make_list(size_t n)
{
    uint32_t *all = must_memory(malloc((n + 1) * sizeof(*all)));
    generator_list(LIST_SEED, all, n);
    return all;
}

enum { N_HIT_ADDRESSES = 1000 };

/* flow_options - the same flows for every command. Hits come from the smallest list, which all lists contain. */
static struct generator_options flow_options(uint64_t n_flows)
{
    static uint32_t *hits;
    if (!hits)
        hits = make_list(N_HIT_ADDRESSES);
    return (struct generator_options){.n_flows = n_flows,
                                      .start_us = INT64_C(1735689600000000) + (int64_t)day() * US_PER_DAY,
                                      .n_exporters = 4,
                                      .hit_every = hit_every(),
                                      .hits = hits,
                                      .n_hits = N_HIT_ADDRESSES};
}

static void write_list(size_t n, const char *path)
{
    uint32_t *all = make_list(n);
    FILE *f = must_memory(fopen(path, "w"));
    for (size_t i = 0; i < n; i++) {
        char text[IP_TEXT_MAX];
        struct ip ip = ip_from_v4(all[i]);
        ip_format(&ip, text);
        fprintf(f, "%s\n", text);
    }
    fclose(f);
    free(all);
}

static struct list *compile_list(const char *path)
{
    struct list_add add = {.name = "bench", .file_name = path};
    struct list_report report = {0};
    struct list *l;
    struct fault f = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd < 0 ? -errno : lists_compile(fd, &add, &report, &l, &f), &f, path);
    close(fd);
    return l;
}

/* --- ingest ------------------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    const char *dir;
    struct store *store;
    const struct match_set *set;
    int version;
    unsigned index, n_workers;
    uint64_t n_flows, n_datagrams;
    double making_s;
    double net_s; /* wall time but for making and for waiting while others had the processor */
    uint64_t hits;
};

/* queued_s - how long this thread has been ready to run and was not let: what else the machine does stays out by it. */
static double queued_s(void)
{
    uint64_t ran_ns, queued_ns = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "r");
    if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &ran_ns, &queued_ns) != 2)
        queued_ns = 0;
    if (f)
        fclose(f);
    return (double)queued_ns / 1e9;
}

static int forget(void *context, struct sightings *t)
{
    (void)context;
    sightings_clear(t);
    return 0;
}

static int match(void *context, const struct flow_batch *b)
{
    return live_match(context, b);
}

struct chunk {
    uint8_t *bytes;
    uint32_t *end;
    struct ip *peer;
    size_t n;
};

static void make_chunk(struct generator *g, int version, struct chunk *c)
{
    size_t at = 0;
    for (c->n = 0; c->n < CHUNK_DATAGRAMS; c->n++) {
        uint32_t n, exporter;
        size_t length = generator_datagram(g, version, c->bytes + at, NULL, &n, &exporter);
        if (!length)
            return;
        at += length;
        c->end[c->n] = (uint32_t)at;
        c->peer[c->n] = generator_observer(exporter).ip;
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    const double begun = cpu_s(CLOCK_MONOTONIC) - queued_s();
    struct generator g;
    struct udp_receiver r;
    struct live live;
    struct store_writer *writer = NULL;
    struct fault f = {0};
    struct generator_options o = flow_options(w->n_flows);
    o.seed = 1000 + w->index + day() * 16;
    generator_init(&g, &o);
    must(live_init(&live, US_PER_DAY, 0, forget, NULL), NULL, "live");
    atomic_store(&live.next, w->set);
    must(store_writer_new(w->store, &writer, &f), &f, "writer");
    struct udp_options options = {.fd = -1, .writer = writer, .hook = match, .context = &live};
    must(udp_receiver_init(&r, &options), NULL, "receiver");
    struct chunk c = {must_memory(malloc((size_t)CHUNK_DATAGRAMS * 2200)), must_memory(malloc(CHUNK_DATAGRAMS * 4)),
                      must_memory(malloc(CHUNK_DATAGRAMS * sizeof(struct ip))), 0};
    int64_t received_us = g.o.start_us;
    do {
        double before = cpu_s(CLOCK_THREAD_CPUTIME_ID);
        make_chunk(&g, w->version, &c);
        w->making_s += cpu_s(CLOCK_THREAD_CPUTIME_ID) - before;
        for (size_t i = 0, at = 0; i < c.n; at = c.end[i], i++) {
            /* as they come from the wire: bursts of a few datagrams with one time of receipt */
            received_us += i % 8 ? 0 : 240;
            struct netflow_datagram d = {.p = c.bytes + at, .n_bytes = c.end[i] - at, .peer = c.peer[i],
                                         .peer_port = 9000, .received_us = received_us};
            must(udp_receiver_feed(&r, &d), &r.fault, "feed");
        }
        w->n_datagrams += c.n;
    } while (c.n == CHUNK_DATAGRAMS);
    must(flow_sorter_flush(&r.sorter), &r.fault, "flush");
    must(store_writer_seal(writer, &f), &f, "seal");
    w->hits = atomic_load(&live.hits);
    w->net_s = cpu_s(CLOCK_MONOTONIC) - queued_s() - begun - w->making_s;
    udp_receiver_fini(&r);
    live_fini(&live);
    store_writer_free(writer);
    free(c.bytes);
    free(c.end);
    free(c.peer);
    return NULL;
}

static uint64_t anonymous_kib(void)
{
    char line[256];
    uint64_t anonymous = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "RssAnon:", 8))
            anonymous = strtoull(line + 8, NULL, 10);
    if (f)
        fclose(f);
    return anonymous;
}

/* sample_memory - greatest anonymous memory while the workers run. */
static void *sample_memory(void *argument)
{
    _Atomic uint64_t *state = argument; /* [0] greatest, [1] stop */
    while (!atomic_load(&state[1])) {
        uint64_t now = anonymous_kib();
        if (now > atomic_load(&state[0]))
            atomic_store(&state[0], now);
        usleep(20000);
    }
    return NULL;
}

static int ingest(char **a)
{
    const char *dir = a[0];
    int version = atoi(a[1]);
    uint64_t n_flows = strtoull(a[2], NULL, 10);
    size_t n_listed = strtoull(a[3], NULL, 10);
    unsigned n_workers = (unsigned)atoi(a[4]);
    const char *builders = getenv("BENCH_BUILDERS"); /* 0: each worker builds its own segments */
    struct store_options o = {.n_build_threads = builders ? (unsigned)atoi(builders) : 1};
    struct store *store;
    struct fault f = {0};
    struct store_compaction done;
    char list_path[4096];
    must(store_open(dir, &o, &store, &f), &f, "store");
    struct match_set set = {.generation = 1};
    struct list *list = NULL;
    struct match_list one = {NULL, INT64_MIN};
    if (n_listed) {
        snprintf(list_path, sizeof(list_path), "%s/bench-list.txt", dir);
        write_list(n_listed, list_path);
        list = compile_list(list_path);
        one.list = list;
        set = (struct match_set){.lists = &one, .list_pointers = &list, .n_lists = 1, .generation = 1};
        set.matcher = must_memory(matcher_new(&list, 1, NULL));
    }
    struct worker workers[16] = {0};
    _Atomic uint64_t memory[2] = {0, 0};
    pthread_t sampler;
    pthread_create(&sampler, NULL, sample_memory, memory);
    double cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID), wall = cpu_s(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < n_workers; i++) {
        workers[i] = (struct worker){.dir = dir, .store = store, .set = &set, .version = version, .index = i,
                                     .n_workers = n_workers, .n_flows = n_flows / n_workers};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    double making = 0, net = 0;
    uint64_t datagrams = 0, hits = 0;
    for (unsigned i = 0; i < n_workers; i++) {
        pthread_join(workers[i].thread, NULL);
        making += workers[i].making_s;
        net = workers[i].net_s > net ? workers[i].net_s : net;
        datagrams += workers[i].n_datagrams;
        hits += workers[i].hits;
    }
    double ingest_cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu - making;
    double ingest_wall = cpu_s(CLOCK_MONOTONIC) - wall;
    must(store_compact(store, &done, NULL, NULL, &f), &f, "compact");
    double all_cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu - making;
    atomic_store(&memory[1], 1);
    pthread_join(sampler, NULL);
    store_close(store);
    struct store_view *v;
    must(store_view_open(dir, &v, &f), &f, "view");
    uint64_t rows = 0;
    for (size_t i = 0; i < store_view_n_segments(v); i++)
        rows += segment_info(store_view_segment(v, i))->n_rows;
    printf("{\"flows\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"datagrams\":%" PRIu64 ",\"hits\":%" PRIu64
           ",\"cpu_s\":%.3f,\"cpu_with_compaction_s\":%.3f,\"making_s\":%.3f,\"wall_s\":%.3f,\"net_s\":%.3f,\"bytes\":%" PRIu64
           ",\"bytes_per_flow\":%.2f,\"anonymous_mib\":%" PRIu64 "}\n",
           n_flows, rows, datagrams, hits, ingest_cpu, all_cpu, making, ingest_wall, net, store_view_bytes(v),
           (double)store_view_bytes(v) / (double)(rows ? rows : 1), atomic_load(&memory[0]) >> 10);
    store_view_close(v);
    return 0;
}

/* --- the same flows for peers ------------------------------------------------------------------ */

static int send_all(char **a)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(a[0])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t n_flows = strtoull(a[2], NULL, 10);
    double rate = strtod(a[3], NULL);
    struct generator g;
    struct generator_options o = flow_options(n_flows);
    uint8_t datagram[GENERATOR_DATAGRAM_MAX];
    uint64_t sent = 0, datagrams = 0, n_exporters = 4;
    int fds[4];
    o.seed = 1000 + day() * 16;
    generator_init(&g, &o);
    for (uint32_t i = 0; i < n_exporters; i++) { /* several exporters: sources 127.0.0.10 and on */
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f00000a + i)};
        fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (bind(fds[i], (struct sockaddr *)&from, sizeof(from)) || connect(fds[i], (struct sockaddr *)&to, sizeof(to)))
            return 1;
    }
    double begin = cpu_s(CLOCK_MONOTONIC);
    for (;;) {
        uint32_t n, exporter;
        size_t length = generator_datagram(&g, atoi(a[1]), datagram, NULL, &n, &exporter);
        if (!length)
            break;
        while (send(fds[exporter % n_exporters], datagram, length, 0) < 0 && errno == ECONNREFUSED)
            ;
        sent += n;
        datagrams++;
        while (rate > 0 && (double)sent / rate > cpu_s(CLOCK_MONOTONIC) - begin)
            if ((double)sent / rate - (cpu_s(CLOCK_MONOTONIC) - begin) > 0.002)
                usleep(500);
    }
    printf("{\"flows\":%" PRIu64 ",\"datagrams\":%" PRIu64 ",\"wall_s\":%.3f}\n", sent, datagrams,
           cpu_s(CLOCK_MONOTONIC) - begin);
    return 0;
}

static int csv(char **a)
{
    uint64_t n_flows = strtoull(a[0], NULL, 10);
    struct generator g;
    struct generator_options o = flow_options(n_flows);
    FILE *out = must_memory(fopen(a[1], "w"));
    struct flow flows[64];
    o.seed = 1000 + day() * 16;
    generator_init(&g, &o);
    fputs("start_us,end_us,src,dst,sport,dport,proto,flags,tos,packets,bytes,in_if,out_if,src_as,dst_as,src_mask,dst_mask\n",
          out);
    for (uint64_t left = n_flows; left;) {
        uint32_t n = left < 64 ? (uint32_t)left : 64;
        generator_flows(&g, flows, n);
        for (uint32_t i = 0; i < n; i++) {
            const struct flow *w = &flows[i];
            fprintf(out, "%" PRId64 ",%" PRId64 ",%u,%u,%u,%u,%u,%u,%u,%" PRIu64 ",%" PRIu64 ",%u,%u,%u,%u,%u,%u\n",
                    w->start_us, w->end_us, ip_v4(&w->source_ip), ip_v4(&w->destination_ip), w->source_port,
                    w->destination_port, w->protocol, w->tcp_flags, w->tos, w->source_packets, w->source_bytes,
                    w->input_if, w->output_if, w->source_as, w->destination_as, w->source_mask, w->destination_mask);
        }
        left -= n;
    }
    return fclose(out) ? 1 : 0;
}

/* --- questions ------------------------------------------------------------------------------------- */

static int rounds_wanted(void)
{
    const char *text = getenv("BENCH_ROUNDS");
    return text ? atoi(text) : 5;
}

/* read_mib - what this process had brought from the disk so far. */
static double read_mib(void)
{
    char line[128];
    uint64_t bytes = 0;
    FILE *f = fopen("/proc/self/io", "r");
    while (f && fgets(line, sizeof(line), f))
        if (!strncmp(line, "read_bytes:", 11))
            bytes = strtoull(line + 11, NULL, 10);
    if (f)
        fclose(f);
    return (double)bytes / (1 << 20);
}

static int count_row(void *context, const struct hunt_row *r)
{
    uint64_t *n = context;
    (void)r;
    ++*n;
    return 0;
}

static int hunt(char **a, int argc)
{
    struct list *l = compile_list(a[1]);
    struct store_view *v;
    struct hunt_totals t = {0};
    struct hunt_coverage coverage;
    struct hunt_options o = {.since_us = INT64_MIN, .until_us = INT64_MAX, .n_threads = 1};
    struct fault f = {0};
    bool rows = argc > 2 && !strcmp(a[2], "rows");
    double best = 1e9, first_wall = 0, first_cpu = 0, first_mib = read_mib();
    uint64_t n_rows = 0;
    const char *threads = getenv("BENCH_THREADS");
    o.n_threads = threads ? (unsigned)atoi(threads) : 1;
    for (int i = 0, n_rounds = rounds_wanted(); i < n_rounds; i++) {
        double wall = cpu_s(CLOCK_MONOTONIC), cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
        must(store_view_open(a[0], &v, &f), &f, "view");
        n_rows = 0;
        must(rows ? hunt_rows(v, &l, 1, &o, count_row, &n_rows, &coverage, &f) : hunt_total(v, &l, 1, &o, &t, &coverage, &f),
             &f, "hunt");
        store_view_close(v);
        double took = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        if (!i) {
            first_wall = cpu_s(CLOCK_MONOTONIC) - wall;
            first_cpu = took;
            first_mib = read_mib() - first_mib;
        }
        best = took < best ? took : best;
    }
    printf("{\"rows\":%" PRIu64 ",\"sum\":%" PRIu64 ",\"max\":%" PRIu64
           ",\"first_wall_s\":%.4f,\"first_cpu_s\":%.4f,\"first_read_mib\":%.1f,\"cpu_s\":%.4f,\"segments\":%" PRIu64 ",\"searched\":%" PRIu64 "}\n",
           rows ? n_rows : t.rows, t.bytes, t.bytes_max, first_wall, first_cpu, first_mib, best, coverage.n_segments, coverage.n_rows);
    list_close(l);
    return 0;
}

static int take_columns(void *context, const struct query_column *columns, size_t n)
{
    (void)context, (void)columns, (void)n;
    return 0;
}

static int take_row(void *context, const struct query_value *values, size_t n, struct text texts)
{
    uint64_t *count = context;
    (void)values, (void)n, (void)texts;
    ++*count;
    return 0;
}

static int query(char **a)
{
    struct query *q;
    struct store_view *v;
    struct fault f = {0};
    struct query_language language = {.zone_s = ZONE_VIETNAM_S};
    struct query_options o = {.since_us = INT64_MIN, .until_us = INT64_MAX, .n_threads = 1};
    struct query_report report;
    uint64_t n = 0;
    double best = 1e9, best_wall = 1e9;
    const char *threads = getenv("BENCH_THREADS");
    o.n_threads = threads ? (unsigned)atoi(threads) : 1;
    must(query_parse(a[1], strlen(a[1]), &language, &q, &f), &f, a[1]);
    for (int i = 0, n_rounds = rounds_wanted(); i < n_rounds; i++) {
        double cpu = cpu_s(CLOCK_PROCESS_CPUTIME_ID), wall = cpu_s(CLOCK_MONOTONIC);
        struct query_sink sink = {take_columns, take_row, &n};
        n = 0;
        must(store_view_open(a[0], &v, &f), &f, "view");
        must(query_run(v, q, &o, &sink, &report, &f), &f, "query");
        store_view_close(v);
        double took = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, took_wall = cpu_s(CLOCK_MONOTONIC) - wall;
        best = took < best ? took : best;
        best_wall = took_wall < best_wall ? took_wall : best_wall;
    }
    printf("{\"rows\":%" PRIu64 ",\"matched\":%" PRIu64 ",\"cpu_s\":%.4f,\"wall_s\":%.4f}\n", n, report.n_rows_matched, best,
           best_wall);
    query_free(q);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 7 && !strcmp(argv[1], "ingest"))
        return ingest(argv + 2);
    if (argc == 6 && !strcmp(argv[1], "send"))
        return send_all(argv + 2);
    if (argc == 4 && !strcmp(argv[1], "list")) {
        write_list(strtoull(argv[2], NULL, 10), argv[3]);
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "csv"))
        return csv(argv + 2);
    if (argc >= 4 && !strcmp(argv[1], "hunt"))
        return hunt(argv + 2, argc - 2);
    if (argc == 4 && !strcmp(argv[1], "query"))
        return query(argv + 2);
    fprintf(stderr, "see the head of tests/bench/flow_bench.c\n");
    return 1;
}
