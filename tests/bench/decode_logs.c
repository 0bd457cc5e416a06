/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_logs - how fast log files become events, on one thread.
 *
 *   bench_decode_logs [--print] [--no-lines] [--rounds N] FILE...
 *
 * --print gives the events as `vonggac decode` does, --no-lines leaves the line decoders out. Figures are of CPU time, the
 * best of N rounds; files should be unpacked and in the page cache.
 */
#include "watch/intake/decoders.h"
#include "watch/intake/log_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sums {
    struct buf out;
    uint64_t n_values;
    bool prints;
};

static int take(void *context, struct events *e)
{
    struct sums *s = context;
    s->n_values += e->n_values;
    for (uint32_t i = 0; s->prints && i < e->n; i++) {
        buf_clear(&s->out);
        event_json(e, i, &s->out);
        buf_add_byte(&s->out, '\n');
        fwrite(s->out.p, 1, s->out.n, stdout);
    }
    return 0;
}

static void refused(void *context, const struct log_refused *r)
{
    struct sums *s = context;
    if (s->prints)
        fprintf(stderr, "refused: offset %llu, line %llu: %s\n", (unsigned long long)r->offset, (unsigned long long)r->line, r->reason);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int one_file(const char *path, struct event_names *names, const struct line_decoders *lines, unsigned rounds, bool prints)
{
    struct sums s = {.prints = prints, .out = {.max = (size_t)256 << 20}};
    struct log_account a;
    struct fault f = {0};
    double best = 0;
    for (unsigned k = 0; k < rounds; k++) {
        struct log_options o = {.path = path};
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        double begin = cpu_s();
        int rc = fd < 0 ? -1 : log_read(fd, &o, names, lines, take, refused, &s, &a, &f);
        double took = cpu_s() - begin;
        close(fd);
        if (rc) {
            fprintf(stderr, "%s: %s\n", path, fd < 0 ? "cannot be opened" : f.text);
            return 1;
        }
        best = !k || took < best ? took : best;
    }
    fprintf(prints ? stderr : stdout, "%-40s %-6s read %9llu kept %9llu refused %6llu plain %7llu  %7.3f s  %9.0f events/s  %6.0f MB/s\n",
            strrchr(path, '/') ? strrchr(path, '/') + 1 : path, a.kind, (unsigned long long)a.read, (unsigned long long)a.kept,
            (unsigned long long)log_account_refused(&a), (unsigned long long)a.n_plain, best, (double)a.kept / best, (double)a.n_bytes / best / 1e6);
    buf_fini(&s.out);
    return 0;
}

int main(int argc, char **argv)
{
    struct line_decoders *lines = NULL;
    struct fault f = {0};
    unsigned rounds = 1;
    bool prints = false, has_lines = true;
    int status = 0, i = 1;
    for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
        if (!strcmp(argv[i], "--print"))
            prints = true;
        else if (!strcmp(argv[i], "--no-lines"))
            has_lines = false;
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = (unsigned)strtoul(argv[++i], NULL, 10);
    }
    struct event_names *names = event_names_new();
    if (!names)
        return 1;
    if (has_lines && decoders_load(NULL, names, NULL, NULL, &lines, &f))
        fprintf(stderr, "no line decoders: %s\n", f.text);
    for (; i < argc; i++)
        status |= one_file(argv[i], names, lines, rounds ? rounds : 1, prints);
    line_decoders_free(lines);
    event_names_free(names);
    return status;
}
