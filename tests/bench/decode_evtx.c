/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows event log records per CPU-second: to fields; with the text of every value; with the record as XML.
 *
 *   bench_decode_evtx [--rounds N] FILE.evtx...
 *
 * Without --rounds each part runs for two CPU-seconds. With it each part reads the files N times: then the count of
 * instructions per record is printed where the machine has a counter, and elsewhere
 * `valgrind --tool=callgrind` of N and 2 N rounds tells it.
 */
#include "base/file.h"
#include "format/evtx.h"

#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum part { FIELDS, TEXTS, XML, N_PARTS };

struct input {
    uint8_t *p;
    size_t n;
};

struct counts {
    uint64_t records, fields, bytes;
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* instructions_open - a counter of this process, or -1. */
static int instructions_open(void)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
                                .size = sizeof(a),
                                .config = PERF_COUNT_HW_INSTRUCTIONS,
                                .exclude_kernel = 1};
    return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static int read_all(struct evtx *e, enum part part, const struct input *in, int n_inputs, struct buf *out,
                    struct counts *c)
{
    const struct evtx_record *r;
    for (int i = 0; i < n_inputs; i++) {
        if (evtx_open(e, in[i].p, in[i].n))
            continue;
        for (int s; (s = evtx_next(e, &r)) != EVTX_END;) {
            if (s < 0)
                return s;
            if (s)
                continue;
            c->records++;
            c->fields += r->n_fields;
            for (uint32_t k = 0; part == TEXTS && k < r->n_fields; k++)
                c->bytes += evtx_text(e, &r->fields[k]).n;
            if (part != XML)
                continue;
            buf_clear(out);
            if (evtx_xml(e, out) < 0)
                return -1;
            c->bytes += out->n;
        }
    }
    return 0;
}

static int measure(enum part part, const struct input *in, int n_inputs, unsigned rounds)
{
    static const char *const names[N_PARTS] = {"fields", "fields and text", "fields and XML"};
    struct evtx *e;
    struct counts c = {0};
    struct buf out = {.max = (size_t)4 << 20};
    if (evtx_new(&e, &(struct evtx_options){.has_xml = part == XML}))
        return 1;
    int counter = instructions_open();
    uint64_t instructions = 0;
    double begin = cpu_s(), spent = 0;
    for (unsigned i = 0; rounds ? i < rounds : spent < 2.0; i++) {
        if (read_all(e, part, in, n_inputs, &out, &c))
            return 1;
        spent = cpu_s() - begin;
    }
    printf("%-16s %.2f M records/s, %.0f ns/record, %.1f fields/record (%llu records)", names[part],
           (double)c.records / spent / 1e6, spent / (double)c.records * 1e9, (double)c.fields / (double)c.records,
           (unsigned long long)c.records);
    if (counter >= 0 && read(counter, &instructions, sizeof(instructions)) == (ssize_t)sizeof(instructions))
        printf(", %.0f instructions/record", (double)instructions / (double)c.records);
    puts("");
    if (counter >= 0)
        close(counter);
    buf_fini(&out);
    evtx_free(e);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned rounds = 0;
    int first = 1, n = 0;
    const char *only = getenv("BENCH_PART");
    if (argc > 2 && !strcmp(argv[1], "--rounds")) {
        rounds = (unsigned)strtoul(argv[2], NULL, 10);
        first = 3;
    }
    struct input *in = calloc((size_t)argc, sizeof(*in));
    if (!in || first >= argc) {
        fprintf(stderr, "usage: bench_decode_evtx [--rounds N] FILE.evtx...\n");
        return 2;
    }
    for (int i = first; i < argc; i++)
        if (!file_read_path(argv[i], (size_t)1 << 30, &in[n].p, &in[n].n))
            n++;
    for (int part = 0; part < N_PARTS; part++)
        if ((!only || atoi(only) == part) && measure((enum part)part, in, n, rounds))
            return 1;
    for (int i = 0; i < n; i++)
        free(in[i].p);
    free(in);
    return 0;
}
