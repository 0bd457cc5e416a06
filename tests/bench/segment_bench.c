/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_bench [FLOWS_IN_MILLIONS] [v4|v6] [build] - what a segment costs: CPU nanoseconds per row to add and to close, bytes per
 * flow by column and section, decoding speed, and the merge of lists with one segment and with the merged dictionary.
 * `build` stops after building and writes every segment over the one before, as a disk's cache gives pages back. One thread; files in memory (memfd), so that writing is counted and the disk is not.
 */
#include "generator.h"
#include "watch/store/batch_pack.h"
#include "watch/store/merged.h"
#include "watch/store/segment_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

static struct {
    double generate, journal, add, close;
    uint64_t rows, journal_bytes;
} total;

static struct segment *segments[64];
static size_t n_segments;
static bool is_build_only;
static int only_fd = -1;

static void seal(struct segment_builder *b)
{
    struct fault f = {0};
    uint64_t n_bytes;
    int fd = only_fd >= 0 ? only_fd : memfd_create("segment", 0);
    double t = cpu_s();
    if (segment_builder_write(b, n_segments + 1, fd, &n_bytes, &f)) {
        fprintf(stderr, "%s\n", f.text);
        exit(1);
    }
    total.close += cpu_s() - t;
    total.rows += segment_builder_rows(b);
    if (is_build_only && ftruncate(fd, (off_t)n_bytes))
        exit(1);
    if (segment_open(fd, n_segments + 1, false, &segments[n_segments], &f)) {
        fprintf(stderr, "%s\n", f.text);
        exit(1);
    }
    n_segments++;
    if (is_build_only) {
        only_fd = fd;
        return;
    }
    close(fd);
}

/* fill - a batch as a decoder fills it: a datagram's flows at a time. */
static void fill(struct generator *g, struct flow_batch *batch)
{
    struct flow flows[GENERATOR_RECORDS];
    uint32_t taken, number;
    flow_batch_clear(batch);
    while (g->n_made < g->o.n_flows && batch->n < FLOW_BATCH_ROWS) {
        uint64_t left = g->o.n_flows - g->n_made;
        uint32_t n = left < GENERATOR_RECORDS ? (uint32_t)left : GENERATOR_RECORDS;
        n = n < FLOW_BATCH_ROWS - batch->n ? n : FLOW_BATCH_ROWS - batch->n;
        generator_flows(g, flows, n);
        struct flow_observer o = generator_observer(flows[0].observer);
        (void)flow_batch_observer(batch, &o, &number);
        for (uint32_t i = 0; i < n; i++)
            flows[i].observer = number;
        (void)flow_batch_add(batch, flows, n, &taken);
    }
}

static void make_segments(const struct generator_options *o)
{
    struct generator g;
    struct flow_batch *batch = must(flow_batch_new(o->is_v6 ? 6 : 4));
    struct buf journal = {.max = BATCH_PACK_MAX * 2};
    struct segment_builder *b = NULL;
    generator_init(&g, o);
    while (g.n_made < o->n_flows) {
        double t = cpu_s();
        fill(&g, batch);
        double t1 = cpu_s();
        total.generate += t1 - t;
        journal.n = 0;
        if (batch_pack(batch, &journal))
            exit(1);
        double t2 = cpu_s();
        total.journal += t2 - t1;
        total.journal_bytes += journal.n;
        for (uint32_t from = 0, taken; from < batch->n; from += taken) {
            if (!b)
                b = must(segment_builder_new(batch->family, SEGMENT_ROWS));
            t2 = cpu_s();
            int r = segment_builder_add(b, batch, from, &taken);
            total.add += cpu_s() - t2;
            if (r == SEGMENT_FULL) {
                seal(b);
                segment_builder_free(b);
                b = NULL;
            }
        }
    }
    if (b)
        seal(b);
    segment_builder_free(b);
    flow_batch_free(batch);
    buf_fini(&journal);
}

static void report_sizes(void)
{
    static const char *const names[N_SECTIONS] = {"directory", "observers", "dictionary heads", "dictionary groups",
                                                  "dictionary body", "posting groups", "postings", "AS of entries",
                                                  "prefix lengths of entries"};
    double columns[FLOW_N_COLUMNS + 1] = {0}, sections[N_SECTIONS] = {0}, rows = (double)total.rows, all = 0;
    uint64_t entries = 0;
    for (size_t i = 0; i < n_segments; i++) {
        entries += segments[i]->info.n_entries;
        all += (double)segments[i]->info.n_bytes;
        for (unsigned s = 0; s < N_SECTIONS; s++)
            sections[s] += (double)segments[i]->header.sections[s].n_bytes;
        for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
            for (uint32_t b = 0; b < segments[i]->info.n_blocks; b++) {
                struct segment_column x = {0};
                if (!segment_column(segments[i], b, c, &x))
                    columns[c] += x.kind == KIND_CONSTANT || x.kind == KIND_ABSENT ? 0 : x.n_bytes;
            }
    }
    printf("bytes/flow %.2f in all; %.3f entries/flow in segments\n", all / rows, (double)entries / rows);
    for (unsigned c = 0; c <= FLOW_N_COLUMNS; c++)
        if (columns[c] > 0)
            printf("  %-30s %6.3f\n", c < FLOW_N_COLUMNS ? flow_columns[c].name : "presence", columns[c] / rows);
    for (unsigned s = 0; s < N_SECTIONS; s++)
        printf("  %-30s %6.3f\n", names[s], sections[s] / rows);
}

static void report_decoding(void)
{
    static uint64_t out[SEGMENT_BLOCK_ROWS];
    const struct segment *s = segments[0];
    printf("decoding, ns/value (second pass; the first also checks):\n");
    for (unsigned c = 0; c < FLOW_COLUMN_TEXT; c++) {
        double first = 0, second = 0;
        if (!(s->info.columns >> c & 1))
            continue;
        bool is_narrow = c < FLOW_N_ADDRESSES || flow_columns[c].width <= 4;
        for (int round = 0; round < 2; round++) {
            double t = cpu_s();
            for (uint32_t b = 0; b < s->info.n_blocks; b++)
                if (is_narrow ? segment_read32(s, b, c, (uint32_t *)(void *)out) : segment_read64(s, b, c, out))
                    exit(1);
            *(round ? &second : &first) = (cpu_s() - t) / s->info.n_rows * 1e9;
        }
        printf("  %-30s %6.2f %6.2f\n", flow_columns[c].name, second, first);
    }
    struct flow f;
    double t = cpu_s();
    uint32_t n = 0;
    for (uint64_t row = 0; row < s->info.n_rows; row += 997, n++)
        if (segment_flow(s, (uint32_t)(row / SEGMENT_BLOCK_ROWS), (uint32_t)(row % SEGMENT_BLOCK_ROWS), NULL, &f))
            exit(1);
    printf("  a whole row by random access   %6.0f\n", (cpu_s() - t) / n * 1e9);
}

static int count_found(void *context, const struct ip *a, const uint64_t *members)
{
    (void)a;
    (void)members;
    (*(uint64_t *)context)++;
    return 0;
}

static void report_merging(const uint32_t *list, size_t n_list, const struct merged *m)
{
    struct address_set set = {.v4 = list, .n_v4 = n_list};
    uint64_t found = 0, in_segments = 0;
    double best = 1e9, best_segments = 1e9;
    for (int round = 0; round < 5; round++) {
        found = in_segments = 0;
        double t = cpu_s();
        if (merged_find(m, &set, count_found, &found))
            exit(1);
        double used = cpu_s() - t;
        best = used < best ? used : best;
        t = cpu_s();
        for (size_t i = 0; i < n_segments; i++) {
            size_t n;
            uint32_t *codes = must(malloc(segments[i]->info.n_entries * sizeof(*codes)));
            if (segment_merge(segments[i], &set, codes, &n))
                exit(1);
            in_segments += n;
            free(codes);
        }
        used = cpu_s() - t;
        best_segments = used < best_segments ? used : best_segments;
    }
    printf("list of %8zu: merged dictionary %7.2f ms (%llu found), segments %7.2f ms (%llu)\n", n_list, best * 1e3,
           (unsigned long long)found, best_segments * 1e3, (unsigned long long)in_segments);
}

static void report_lists(void)
{
    static const size_t sizes[] = {3000, 100000, 1000000, 10000000};
    uint32_t *list = must(malloc(sizes[3] * sizeof(*list)));
    struct fault f = {0};
    struct merged *m;
    uint64_t n_bytes;
    int fd = memfd_create("merged", 0);
    double t = cpu_s();
    if (merged_write(segments, n_segments, 1, fd, &n_bytes, &f) || merged_open(fd, 1, &m, &f)) {
        fprintf(stderr, "%s\n", f.text);
        exit(1);
    }
    double rows = (double)total.rows;
    printf("merged dictionary: %.1f ns/row to write, %llu entries, %.3f bytes/flow\n", (cpu_s() - t) / rows * 1e9,
           (unsigned long long)merged_n_entries(m), (double)n_bytes / rows);
    for (unsigned i = 0; segments[0]->info.family == 4 && i < sizeof(sizes) / sizeof(*sizes); i++) {
        generator_list(1, list, sizes[i]);
        report_merging(list, sizes[i], m);
    }
    merged_close(m);
    close(fd);
    free(list);
}

int main(int argc, char **argv)
{
    struct generator_options o = {.n_flows = (uint64_t)(argc > 1 ? atof(argv[1]) * 1e6 : 8e6),
                                  .is_v6 = argc > 2 && !strcmp(argv[2], "v6")};
    /* a segment of a day of 50 M flows spans two hours */
    is_build_only = argc > 3;
    o.span_us = (int64_t)(86400e6 * (double)o.n_flows / 50e6);
    if (o.n_flows < 1 || o.n_flows / SEGMENT_ROWS >= 63)
        return 1;
    make_segments(&o);
    double rows = (double)total.rows;
    printf("%.0f rows in %zu segments; ns/row: add %.1f, close and write %.1f, together %.1f (batch_pack %.1f, %.2f bytes; generator %.1f)\n",
           rows, n_segments, total.add / rows * 1e9, total.close / rows * 1e9, (total.add + total.close) / rows * 1e9,
           total.journal / rows * 1e9, (double)total.journal_bytes / rows, total.generate / rows * 1e9);
    if (!is_build_only) {
        report_sizes();
        report_decoding();
        report_lists();
    }
    for (size_t i = 0; i < n_segments; i++)
        segment_close(segments[i]);
    segment_builder_trim();
    return 0;
}
