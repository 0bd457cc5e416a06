/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease_bench DIR ROWS [ask] - port blocks of a provider: 65,536 public addresses with 63 blocks of 1,024 ports, 3 M subscribers, three
 * gateways, seconds as gateways log them. Prints one JSON object: what importing, merging, keeping and asking cost; with "ask"
 * only the last, of what an earlier run left in DIR.
 */
#include "base/clock.h"
#include "watch/lease/read.h"
#include "watch/lease/resolve.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ADDRESSES = 65536, BLOCKS = 63, SLOTS = ADDRESSES * BLOCKS, SUBSCRIBERS = 3000000, CSV_ROWS = 2000000, QUESTIONS = 500000 };
#define START (INT64_C(1767225600) * US_PER_SECOND) /* 2026-01-01 */

struct made {
    uint32_t *until_s; /* by slot: seconds since START when its last lease ended */
    uint64_t state;
    double step_s;     /* of the day between two rows */
    uint64_t n;
};

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static double cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec + ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) / 1e6;
}

static void die(const char *what, const struct fault *f)
{
    fprintf(stderr, "%s: %s\n", what, f ? f->text : "");
    exit(1);
}

/* make - the next row: rows come in order of their begin, a slot is never given twice at once. */
static struct lease make(struct made *m, uint32_t *ret_subscriber)
{
    uint64_t r = next_random(&m->state);
    uint32_t slot = (uint32_t)(r % SLOTS), now_s = (uint32_t)(m->step_s * (double)m->n++);
    uint32_t from_s = m->until_s[slot] > now_s ? m->until_s[slot] : now_s, span_s = 60 + (uint32_t)(r >> 32) % 7200;
    m->until_s[slot] = from_s + span_s;
    uint32_t address = slot / BLOCKS, block = slot % BLOCKS;
    *ret_subscriber = (uint32_t)(next_random(&m->state) % SUBSCRIBERS);
    return (struct lease){.outside = ip_from_v4(0x71a00000u + address), .inside = ip_from_v4(0x64400000u + *ret_subscriber),
                          .from_us = START + (int64_t)from_s * US_PER_SECOND, .to_us = START + (int64_t)(from_s + span_s) * US_PER_SECOND,
                          .port_first = (uint16_t)(1024 + block * 1024), .port_last = (uint16_t)(2047 + block * 1024), .prefix = 128,
                          .kind = LEASE_PORT_BLOCK};
}

static struct made begin(uint64_t rows)
{
    struct made m = {.until_s = calloc(SLOTS, sizeof(uint32_t)), .state = 1};
    if (!m.until_s)
        die("memory", NULL);
    m.step_s = 1800.0 / SLOTS * 2; /* half of all blocks in use */
    (void)rows;
    return m;
}

/* give - rows straight into the store. Return: CPU seconds of making alone. */
static double give(const char *dir, uint64_t rows)
{
    struct lease_store *s;
    struct lease_import *i;
    struct lease_import_result result;
    struct fault f = {0};
    struct sha256 content = {{1}};
    struct made m = begin(rows);
    if (lease_store_open(dir, NULL, &s, &f) || lease_import_begin(s, &content, "made", true, &i, &f))
        die("open", &f);
    uint32_t gateway[3] = {0};
    bool has_texts = false;
    for (uint64_t k = 0; k < rows; k++) {
        uint32_t subscriber;
        struct lease l = make(&m, &subscriber);
        for (int rc = LEASE_FULL; rc == LEASE_FULL;) {
            for (int g = 0; g < 3 && !has_texts; g++)
                if (lease_import_text(i, g == 0 ? TEXT("cgn-1") : g == 1 ? TEXT("cgn-2") : TEXT("cgn-3"), &gateway[g]))
                    die("text", NULL);
            has_texts = true;
            l.gateway = gateway[ip_v4(&l.outside) % 3];
            rc = lease_import_add(i, &l, &f);
            has_texts = rc != LEASE_FULL;
            if (rc < 0)
                die("add", &f);
        }
    }
    if (lease_import_commit(i, &result, &f))
        die("commit", &f);
    lease_store_close(s);
    free(m.until_s);
    double from = cpu_s();
    struct made again = begin(rows);
    volatile uint32_t sink = 0;
    for (uint64_t k = 0; k < rows; k++) {
        uint32_t subscriber;
        struct lease l = make(&again, &subscriber);
        sink += l.port_first + subscriber;
    }
    free(again.until_s);
    return cpu_s() - from;
}

/* --- a csv file, as gateways write one ------------------------------------------------------------------------- */

struct csv_sink {
    struct lease_import *import;
    struct fault fault;
};

static int take(void *context, const struct lease_row *r)
{
    struct csv_sink *x = context;
    return lease_import_row(x->import, r, &x->fault);
}

static double rate_of_csv(const char *dir)
{
    int fd = memfd_create("csv", 0);
    FILE *out = fd < 0 ? NULL : fdopen(dup(fd), "w");
    struct made m = begin(CSV_ROWS);
    if (!out)
        die("memfd", NULL);
    fputs("gateway,public_ip,port_start,port_end,private_ip,subscriber,start,end\n", out);
    for (int k = 0; k < CSV_ROWS; k++) {
        uint32_t subscriber;
        struct lease l = make(&m, &subscriber);
        char from[TIME_TEXT_MAX], to[TIME_TEXT_MAX], outside[IP_TEXT_MAX], inside[IP_TEXT_MAX];
        clock_format_utc(l.from_us, from);
        clock_format_utc(l.to_us, to);
        ip_format(&l.outside, outside);
        ip_format(&l.inside, inside);
        fprintf(out, "cgn-%u,%s,%u,%u,%s,849%08u,%.19sZ,%.19sZ\n", 1 + ip_v4(&l.outside) % 3, outside, l.port_first, l.port_last, inside,
                subscriber, from, to);
    }
    fclose(out);
    free(m.until_s);
    lseek(fd, 0, SEEK_SET);
    struct lease_store *s;
    struct csv_sink x = {.import = NULL};
    struct lease_import_result result;
    struct lease_account account;
    struct fault f = {0};
    struct sha256 content = {{2}};
    double from = cpu_s();
    if (lease_store_open(dir, NULL, &s, &f) || lease_import_begin(s, &content, "csv", true, &x.import, &f))
        die("open", &f);
    const struct lease_read_options o = {.at_us = LEASE_UNKNOWN, .kind = LEASE_N_KINDS, .name = "csv", .row = take, .context = &x};
    if (lease_read(fd, &o, &account, &f) || lease_import_commit(x.import, &result, &f))
        die("csv", &f);
    double spent = cpu_s() - from;
    lease_store_close(s);
    close(fd);
    return CSV_ROWS / spent;
}

/* --- questions ----------------------------------------------------------------------------------------------------- */

static double ask(const char *dir, uint64_t rows, uint64_t *ret_found)
{
    struct lease_view *v;
    struct lease_resolver *r;
    struct fault f = {0};
    struct arena arena = {.max_bytes = (size_t)64 << 20};
    uint64_t state = 7;
    double last_s = 1800.0 / SLOTS * 2 * (double)rows, from = 0;
    if (lease_view_open(dir, &v, &f) || lease_resolver_new(v, NULL, &r))
        die("view", &f);
    for (int k = -QUESTIONS / 10; k < QUESTIONS; k++) { /* the first ones warm up */
        uint64_t x = next_random(&state);
        const struct lease_question q = {.address = ip_from_v4(0x71a00000u + (uint32_t)(x % ADDRESSES)),
                                         .port = (int32_t)(1024 + (x >> 20) % 64512),
                                         .at_us = START + (int64_t)((double)(x >> 40) / (1 << 24) * last_s * 1e6), .skew_us = 30 * US_PER_SECOND};
        struct lease_answer a;
        if (k == 0) {
            from = cpu_s();
            *ret_found = 0;
        }
        arena_fini(&arena);
        if (lease_resolve(r, &q, &arena, &a))
            die("resolve", NULL);
        *ret_found += a.n != 0;
    }
    double spent = cpu_s() - from;
    arena_fini(&arena);
    lease_resolver_free(r);
    lease_view_close(v);
    return QUESTIONS / spent;
}

static uint64_t anonymous_mib(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof(line), f))
        (void)sscanf(line, "RssAnon: %" SCNu64, &kib);
    if (f)
        fclose(f);
    return kib / 1024;
}

int main(int n, char **argv)
{
    bool asks_only = n == 4 && !strcmp(argv[3], "ask");
    if (n != 3 && !asks_only) {
        fprintf(stderr, "lease_bench DIR ROWS [ask]\n");
        return 2;
    }
    uint64_t rows = strtoull(argv[2], NULL, 10), found = 0, bytes = 0;
    char csv_dir[4096];
    struct lease_store *s;
    struct lease_compaction c;
    struct lease_view *v;
    struct fault f = {0};
    if (asks_only) {
        double rate = ask(argv[1], rows, &found);
        printf("{\"rows\": %" PRIu64 ", \"questions_per_s\": %.0f, \"found\": %" PRIu64 ", \"anonymous_mib\": %" PRIu64 "}\n", rows, rate,
               found, anonymous_mib());
        return 0;
    }
    snprintf(csv_dir, sizeof(csv_dir), "%s/csv", argv[1]);
    double csv_rate = rate_of_csv(csv_dir);
    double from = cpu_s(), making = give(argv[1], rows), import_s = cpu_s() - from - 2 * making;
    from = cpu_s();
    if (lease_store_open(argv[1], NULL, &s, &f) || lease_store_compact(s, &c, &f))
        die("compact", &f);
    lease_store_close(s);
    double merge_s = cpu_s() - from;
    if (lease_view_open(argv[1], &v, &f))
        die("view", &f);
    size_t n_segments = lease_view_n_segments(v);
    for (size_t i = 0; i < n_segments; i++)
        bytes += lease_segment_info(lease_view_segment(v, i))->n_bytes;
    lease_view_close(v);
    double asked = ask(argv[1], rows, &found);
    printf("{\"rows\": %" PRIu64 ", \"csv_rows_per_s\": %.0f, \"import_rows_per_s\": %.0f, \"with_merging_rows_per_s\": %.0f, "
           "\"bytes_per_row\": %.2f, \"segments\": %zu, \"questions_per_s\": %.0f, \"found\": %" PRIu64 ", \"batch_s\": %.2f, "
           "\"anonymous_mib\": %" PRIu64 "}\n",
           rows, csv_rate, (double)rows / import_s, (double)rows / (import_s + merge_s), (double)bytes / (double)rows, n_segments, asked,
           found, QUESTIONS / asked, anonymous_mib());
    return 0;
}
