/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sigma_bench RULES LIMIT FILE... - Sigma over log files, in processor time of this one thread.
 *
 * Reads every file once into batches (decoding), then matches the batches for about two seconds; prints rules, events,
 * events/s of decoding, of matching, and of both one after the other. LIMIT: the first so many rules only, 0 for all.
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

int main(int n, char **v)
{
    static struct bench b;
    struct fault f;
    struct line_decoders *decoders = NULL;
    if (n < 4)
        return 1;
    b.names = event_names_new();
    struct sigma_rules *rules = load(&b, v[1], strtoul(v[2], NULL, 10));
    if (!rules || decoders_load(NULL, b.names, NULL, NULL, &decoders, &f))
        return 1;
    double begun = cpu_s();
    for (int i = 3; i < n; i++) {
        struct log_options o = {.zone_s = 7 * 3600, .arrived_us = 1700000000000000};
        struct log_account account;
        _cleanup_close_ int fd = open(v[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0 || log_read(fd, &o, b.names, decoders, keep, NULL, &b, &account, &f) < 0)
            return 1;
        b.n_bytes += account.n_bytes;
    }
    double decoding_s = cpu_s() - begun, matching_s;
    struct sigma_matcher *m = sigma_matcher_new(rules);
    for (uint32_t i = 0; i < b.n; i++) /* routes are made once */
        if (sigma_match(m, b.batches[i], count, &b))
            return 1;
    uint64_t n_matches = b.n_matches, rounds = 0;
    struct sigma_counters c = *sigma_matcher_counters(m);
    const char *seconds = getenv("SECONDS_MATCHING");
    double least_s = seconds ? atof(seconds) : 2;
    begun = cpu_s();
    do {
        for (uint32_t i = 0; i < b.n; i++)
            if (sigma_match(m, b.batches[i], count, &b))
                return 1;
        rounds++;
    } while ((matching_s = cpu_s() - begun) < least_s);
    matching_s /= (double)rounds;
    struct sigma_shape shape = sigma_rules_shape(rules);
    double events = (double)b.n_events;
    printf("rules %u, literals %u, events %" PRIu64 ", matches %" PRIu64 "; per event: %.0f bytes scanned, %.2f candidates\n", shape.n_rules,
           shape.n_literals, b.n_events, n_matches, (double)c.scanned_bytes / events, (double)c.candidates / events);
    printf("decoding %.0f events/s, matching %.0f events/s, both %.0f events/s of one core\n", events / decoding_s, events / matching_s,
           events / (decoding_s + matching_s));
    return 0;
}
