/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigma_bench RULES LIMIT FILE... - Sigma over log files, in processor time of this one thread.
 *
 * Prints rules, events and events/s of: decoding alone (the files read, the batches thrown away); matching alone (batches
 * kept from one reading, about SECONDS_MATCHING (2) seconds); both end to end, as `vonggac detect` does it: every file
 * opened, decoded and matched batch by batch, by a matcher that is new in each of END_ROUNDS (5) rounds and so knows
 * nothing of the events beforehand; the median round. LIMIT: the first so many rules only, 0 for all.
 */
#include "base/file.h"
#include "watch/detect/sigma.h"
#include "watch/intake/decoders.h"
#include "watch/intake/log_read.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX 4096u

struct bench {
    struct event_names *names;
    struct line_decoders *decoders;
    struct sigma_matcher *matcher; /* of the end-to-end rounds */
    char **files;
    int n_files;
    struct events *batches[BATCHES_MAX];
    uint32_t n;
    uint64_t n_events, n_bytes, n_matches;
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* keep - a copy of the batch, laid out as it came. */
static int keep(void *context, struct events *e)
{
    struct bench *b = context;
    if (b->n == BATCHES_MAX || !e->n)
        return 0;
    struct events *copy = events_new(b->names);
    if (!copy)
        return -1;
    struct buf heap = copy->heap;
    *copy = *e;
    copy->heap = heap;
    buf_add(&copy->heap, e->heap.p, e->heap.n);
    copy->values = malloc((e->n_values + 1) * sizeof *copy->values);
    copy->values_capacity = e->n_values + 1;
    if (!copy->values || copy->heap.is_bad)
        return -1;
    memcpy(copy->values, e->values, e->n_values * sizeof *copy->values);
    b->batches[b->n++] = copy;
    b->n_events += e->n;
    return 0;
}

static int count(void *context, const struct events *e, uint32_t row, uint32_t rule)
{
    (void)e;
    (void)row;
    (void)rule;
    ((struct bench *)context)->n_matches++;
    return 0;
}

/* some_rules - copies the first @limit rule files into a folder of its own: the collection cut down. */
static struct sigma_rules *load(struct bench *b, char *path, unsigned long limit)
{
    char command[2048], folder[] = "/tmp/sigma-bench-XXXXXX";
    struct sigma_rules *rules = NULL;
    struct fault f;
    const char *paths[] = {path};
    if (limit && mkdtemp(folder)) {
        snprintf(command, sizeof command, "find '%s' -name '*.yml' | shuf --random-source=/usr/bin/env -n %lu | xargs -I{} cp {} '%s'", path, limit, folder);
        if (system(command))
            return NULL;
        paths[0] = folder;
    }
    struct sigma_load l = {.paths = paths, .n_paths = 1, .names = b->names};
    if (sigma_rules_load(&l, &rules, &f))
        fprintf(stderr, "%s\n", f.text);
    if (limit) {
        snprintf(command, sizeof command, "rm -r '%s'", folder);
        if (system(command))
            return NULL;
    }
    return rules;
}

static int discard(void *context, struct events *e)
{
    ((struct bench *)context)->n_events += e->n;
    return 0;
}

static int match(void *context, struct events *e)
{
    struct bench *b = context;
    b->n_events += e->n;
    return sigma_match(b->matcher, e, count, b);
}

/* read_files - all of them into @sink. Return: processor time. */
static double read_files(struct bench *b, log_sink sink)
{
    struct fault f;
    double begun = cpu_s();
    struct log_memory *memory = log_memory_new();
    b->n_events = b->n_bytes = 0;
    for (int i = 0; i < b->n_files; i++) {
        struct log_options o = {.zone_s = 7 * 3600, .arrived_us = 1700000000000000, .memory = memory};
        struct log_account account;
        _cleanup_close_ int fd = open(b->files[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || log_read(fd, &o, b->names, b->decoders, sink, NULL, b, &account, &f) < 0)
            exit(1);
        b->n_bytes += account.n_bytes;
    }
    log_memory_free(memory);
    return cpu_s() - begun;
}

static int ascending(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

/* median_of - of @n rounds over the files. */
static double median_of(struct bench *b, unsigned n, const struct sigma_rules *rules)
{
    double took[101];
    for (unsigned i = 0; i < n; i++) {
        b->matcher = rules ? sigma_matcher_new(rules) : NULL; /* made when rules are loaded, not per event */
        if (rules && !b->matcher)
            exit(1);
        took[i] = read_files(b, rules ? match : discard);
        sigma_matcher_free(b->matcher);
    }
    qsort(took, n, sizeof *took, ascending);
    return took[n / 2];
}

static unsigned rounds_wanted(void)
{
    const char *text = getenv("END_ROUNDS");
    unsigned long n = text ? strtoul(text, NULL, 10) : 5;
    return n < 1 ? 1 : n > 101 ? 101 : (unsigned)n;
}

int main(int n, char **v)
{
    static struct bench b;
    struct fault f;
    if (n < 4)
        return 1;
    b.names = event_names_new();
    b.files = v + 3;
    b.n_files = n - 3;
    struct sigma_rules *rules = load(&b, v[1], strtoul(v[2], NULL, 10));
    if (!rules || decoders_load(NULL, b.names, NULL, NULL, &b.decoders, &f))
        return 1;
    double decoding_s = median_of(&b, rounds_wanted(), NULL), both_s = median_of(&b, rounds_wanted(), rules), matching_s;
    b.n_matches = 0;
    const char *seconds = getenv("SECONDS_MATCHING");
    double least_s = seconds ? atof(seconds) : 2;
    if (least_s > 0)
        read_files(&b, keep);
    struct sigma_matcher *m = sigma_matcher_new(rules);
    for (uint32_t i = 0; i < b.n; i++) /* routes are made once */
        if (sigma_match(m, b.batches[i], count, &b))
            return 1;
    uint64_t n_matches = b.n_matches, rounds = 0;
    struct sigma_counters c = *sigma_matcher_counters(m);
    double begun = cpu_s();
    do {
        for (uint32_t i = 0; i < b.n; i++)
            if (sigma_match(m, b.batches[i], count, &b))
                return 1;
        rounds++;
    } while ((matching_s = cpu_s() - begun) < least_s);
    matching_s /= (double)rounds;
    struct sigma_shape shape = sigma_rules_shape(rules);
    double events = (double)b.n_events;
    printf("rules %u, literals %u, events %" PRIu64 ", matches %" PRIu64 ", routes %" PRIu64 "; per event: %.0f bytes scanned, %.2f candidates\n",
           shape.n_rules, shape.n_literals, b.n_events, n_matches, c.routes_made, (double)c.scanned_bytes / events, (double)c.candidates / events);
    printf("decoding %.0f events/s, matching %.0f events/s, end to end %.0f events/s of one core\n", events / decoding_s, events / matching_s,
           events / both_s);
    return 0;
}
