/* SPDX-License-Identifier: Apache-2.0 */
/*
 * behaviour_bench - what the behaviour detectors find in files of flows, as JSON lines, for a comparison with labels.
 *
 *   behaviour_bench [--own PREFIX]... [--set kind.name=number]... FILE...
 *
 * One line per finding (the payload of watch/detect/behaviour_alerts.h), at last one with "flows", "late", "evicted",
 * "first_us", "last_us", "read_s" and "detect_s" (CPU seconds of reading and of detecting).
 */
#include "base/clock.h"
#include "watch/detect/behaviour_alerts.h"
#include "watch/intake/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OWN = 64, MAX_FINDINGS = 1 << 20 };

struct bench {
    struct behaviour_engine *engine;
    struct behaviour_alerts *alerts;
    struct behaviour_own own;
    struct ip_range ranges[MAX_OWN];
    struct behaviour_settings settings;
    struct flow_sorter sorter;
    uint64_t n_flows;
    int64_t first_us, last_us;
    double detect_s;
};

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int detect(void *context, struct flow_batch *b)
{
    struct bench *x = context;
    const int64_t *start = b->number[FLOW_START];
    for (uint32_t i = 0; i < b->n; i++) {
        if (!(b->present[i] & FLOW_HAS(FLOW_START)) || start[i] <= 0)
            continue;
        x->first_us = start[i] < x->first_us ? start[i] : x->first_us;
        x->last_us = start[i] > x->last_us ? start[i] : x->last_us;
    }
    x->n_flows += b->n;
    double before = cpu_s();
    int r = behaviour_flows(x->engine, b, &x->own);
    x->detect_s += cpu_s() - before;
    return r;
}

static int sort(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    struct bench *x = context;
    return flow_sorter_put(&x->sorter, flows, n, o);
}

static int print(void *context, const struct behaviour_alarm *a)
{
    struct buf b = {.max = 1 << 20};
    (void)context;
    behaviour_put(&b, a, NULL);
    printf("%.*s\n", (int)b.n, (const char *)b.p);
    buf_fini(&b);
    return 0;
}

static int read_file(struct bench *x, const char *path)
{
    struct import_options o = {.sink = sort, .context = x};
    struct import_summary s;
    struct import *i = NULL;
    struct fault f = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 || import_new(&o, &i) ? -1 : import_file(i, fd, path, &s, &f);
    if (r)
        fprintf(stderr, "%s: %s\n", path, fd < 0 ? "cannot be opened" : f.text);
    import_free(i);
    if (fd >= 0)
        close(fd);
    return r ? r : flow_sorter_flush(&x->sorter);
}

/* option - Return: 0, or 1: not understood. */
static int option(struct bench *x, const char *name, const char *value)
{
    const char *is = strchr(value, '=');
    if (!strcmp(name, "--own"))
        return x->own.n_ranges >= MAX_OWN || ip_range_parse(value, strlen(value), &x->ranges[x->own.n_ranges++], NULL);
    return strcmp(name, "--set") || !is ||
           behaviour_settings_set(&x->settings, (struct text){value, (size_t)(is - value)}, (struct text){is + 1, strlen(is + 1)});
}

int main(int argc, char **argv)
{
    struct bench x = {.first_us = INT64_MAX, .last_us = INT64_MIN, .own.ranges = x.ranges};
    struct behaviour_alerts_options o = {.max_alerts = MAX_FINDINGS};
    uint64_t late = 0, evicted = 0;
    int i = 1, r = 0;
    behaviour_settings_default(&x.settings);
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2)
        if (option(&x, argv[i], argv[i + 1])) {
            fprintf(stderr, "%s %s: not understood\n", argv[i], argv[i + 1]);
            return 1;
        }
    if (behaviour_alerts_new(&o, &x.alerts))
        return 1;
    struct behaviour_base base = {.settings = &x.settings, .emit = behaviour_alerts_take, .context = x.alerts, .window_us = US_PER_DAY};
    x.sorter = (struct flow_sorter){.v4 = flow_batch_new(4), .sink = detect, .context = &x};
    if (!x.sorter.v4 || behaviour_engine_new(&base, &x.engine))
        return 1;
    double before = cpu_s();
    for (; i < argc; i++)
        r |= read_file(&x, argv[i]);
    double all_s = cpu_s() - before;
    r |= behaviour_flush(x.engine, INT64_MAX) | behaviour_alerts_each(x.alerts, print, NULL);
    for (size_t d = 0; behaviour_detectors[d]; d++) {
        struct behaviour_counters c;
        behaviour_count(x.engine, d, &c);
        late = c.late > late ? c.late : late;
        evicted += c.evicted;
    }
    printf("{\"flows\":%llu,\"late\":%llu,\"evicted\":%llu,\"first_us\":%lld,\"last_us\":%lld,\"read_s\":%.3f,\"detect_s\":%.3f}\n",
           (unsigned long long)x.n_flows, (unsigned long long)late, (unsigned long long)evicted, (long long)x.first_us,
           (long long)x.last_us, all_s - x.detect_s, x.detect_s);
    behaviour_engine_free(x.engine);
    behaviour_alerts_free(x.alerts);
    flow_sorter_fini(&x.sorter);
    return r != 0;
}
