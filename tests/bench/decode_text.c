/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode_text FILE... - how fast a textual flow file becomes flows, from memory, on one core.
 * Reads each file whole, then decodes it again and again for about two seconds of CPU time.
 */
#include "base/file.h"
#include "format/flow_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PIECE_BYTES = 1 << 18 };

static int take(void *context, const struct flow *flows, uint32_t n, const struct flow_observer *o)
{
    uint64_t *sum = context;
    (void)o;
    for (uint32_t i = 0; i < n; i++)
        *sum += flows[i].source_bytes;
    return 0;
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int decode(const uint8_t *p, size_t n, struct flow_text_counts *ret)
{
    uint64_t sum = 0;
    struct flow_text_options o = {0};
    struct flow_text_reader *r = flow_text_reader_new(&o, take, NULL, &sum);
    if (!r)
        return 1;
    int rc = 0;
    for (size_t at = 0; !rc && at < n; at += PIECE_BYTES)
        rc = flow_text_reader_feed(r, p + at, n - at < PIECE_BYTES ? n - at : PIECE_BYTES);
    if (!rc)
        rc = flow_text_reader_end(r, false);
    *ret = *flow_text_reader_counts(r);
    flow_text_reader_free(r);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        uint8_t *p;
        size_t n;
        struct flow_text_counts counts;
        if (file_read_path(argv[i], (size_t)1 << 32, &p, &n) || decode(p, n, &counts)) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 1;
        }
        double begin = cpu_s(), spent;
        unsigned rounds = 0;
        do {
            if (decode(p, n, &counts))
                return 1;
            rounds++;
            spent = cpu_s() - begin;
        } while (spent < 2.0);
        double rows = (double)counts.read * rounds;
        printf("%s: %.2f M rows/s, %.0f MB/s, %.0f ns/row (%llu rows, %llu kept)\n", argv[i], rows / spent / 1e6,
               (double)n * rounds / spent / 1e6, spent / rows * 1e9, (unsigned long long)counts.read,
               (unsigned long long)counts.kept);
        file_free(&p);
    }
    return 0;
}
