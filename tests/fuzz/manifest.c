/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's log of transactions. Each line of the input becomes a line with a right number and
 * checksum, so that the records are reached; the raw input is parsed too. What was understood must
 * survive a rewrite: the state read back is the same.
 */
#include "base/file.h"
#include "watch/store/manifest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void add_line(struct buf *b, uint64_t number, const uint8_t *p, size_t n)
{
    struct buf line = {.max = 1 << 20};
    buf_printf(&line, "%llu ", (unsigned long long)number);
    buf_add(&line, p, n);
    buf_printf(b, "%016llx ", (unsigned long long)XXH3_64bits(line.p, line.n));
    buf_add(b, line.p, line.n);
    buf_add_byte(b, '\n');
    buf_fini(&line);
}

static void check_state(const struct manifest *m)
{
    struct manifest_segment *live;
    size_t n;
    assert(m->n_gone <= m->n_segments && m->n_bytes <= m->n_bytes_file);
    for (size_t i = 1; i < m->n_segments; i++)
        assert(m->segments[i - 1].id < m->segments[i].id);
    assert(!manifest_live(m, &live, &n) && n == m->n_segments - m->n_gone);
    for (size_t i = 0; i < n; i++) {
        assert(live[i].family == 4 || live[i].family == 6 || live[i].family == MANIFEST_LOGS || live[i].family == MANIFEST_LEASES);
        assert(manifest_find_segment(m, live[i].id) && (i == 0 || live[i - 1].order <= live[i].order));
    }
    free(live);
    for (size_t i = 0; i < m->n_imports; i++)
        assert(manifest_find_import(m, &m->imports[i].content));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct manifest m;
    struct buf text = {.max = 1 << 22};
    (void)manifest_parse(&m, (const char *)p, n, NULL);
    check_state(&m);
    manifest_fini(&m);
    if (n > 1 << 16)
        return 0;
    buf_add_text(&text, "vonggac-manifest 1.0 utf-8\n");
    uint64_t number = 0;
    for (const uint8_t *end = p + n; p < end;) {
        const uint8_t *stop = memchr(p, '\n', (size_t)(end - p));
        size_t length = stop ? (size_t)(stop - p) : (size_t)(end - p);
        add_line(&text, number++, p, length);
        p += length + (stop != NULL);
    }
    assert(!text.is_bad);
    assert(!manifest_parse(&m, (const char *)text.p, text.n, NULL));
    check_state(&m);
    manifest_fini(&m);
    buf_fini(&text);
    return 0;
}
