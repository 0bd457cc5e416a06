/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV in pieces: the cut of the pieces changes nothing; rows count up by one; no record passes its bounds.
 * First byte: options and piece size; the rest is the file.
 */
#include "format/csv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RECORD = 512 };

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * 1099511628211u;
    return (h ^ n) * 1099511628211u;
}

struct walk {
    uint64_t hash, row, line;
    size_t n_bytes;
};

static void drain(struct csv_reader *r, struct walk *w)
{
    struct csv_record record;
    for (;;) {
        int rc = csv_next(r, &record);
        if (rc == CSV_MORE || rc == CSV_END)
            return;
        assert(rc == 0 || rc == CSV_REFUSED);
        assert(record.row == w->row + 1 && record.line > w->line);
        w->row = record.row;
        w->line = record.line;
        w->hash = mix(w->hash, &rc, sizeof(rc));
        if (rc == CSV_REFUSED) {
            assert(record.refusal < CSV_N_REFUSALS);
            continue;
        }
        assert(record.n >= 1 && record.n <= CSV_MAX_FIELDS);
        for (uint32_t i = 0; i < record.n; i++) {
            assert(record.fields[i].n <= MAX_RECORD);
            w->n_bytes += record.fields[i].n;
            w->hash = mix(w->hash, record.fields[i].p, record.fields[i].n);
        }
    }
}

static struct walk read_in(const uint8_t *p, size_t n, size_t piece, const struct csv_options *o)
{
    static struct csv_reader r;
    struct walk w = {0};
    csv_init(&r, o);
    for (size_t at = 0; at < n; at += piece) {
        assert(!csv_feed(&r, p + at, n - at < piece ? n - at : piece));
        drain(&r, &w);
    }
    assert(!csv_end(&r));
    drain(&r, &w);
    struct csv_record record;
    assert(csv_next(&r, &record) == CSV_END);
    assert(w.n_bytes <= 3 * n); /* UTF-16 to UTF-8 grows by half, U+FFFD for a half by three */
    csv_fini(&r);
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    struct csv_options o = {.max_record_bytes = MAX_RECORD,
                            .comment = p[0] & 1 ? '#' : 0,
                            .is_unquoted = p[0] & 2,
                            .keep_blank = p[0] & 4,
                            .separator = p[0] & 8 ? ',' : 0};
    /* the limit is looked at when pieces arrive, so only pieces below it compare; whole and in ones */
    struct walk one = read_in(p + 1, n - 1, 1 + (p[0] >> 4), &o), other = read_in(p + 1, n - 1, 64, &o);
    if (n <= MAX_RECORD)
        assert(one.hash == other.hash && one.row == other.row && one.line == other.line);
    return 0;
}
