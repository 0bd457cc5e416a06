/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packed batch with hostile bytes: refused, or unpacked into a batch whose rows stay within its own tables and that
 * packs and unpacks to the same rows again.
 *
 * Input: first byte bit 0: the rest is the packed batch itself; else pairs of changes (offset u16, value) to one made here.
 */
#include "watch/store/batch_pack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static struct flow_batch *batches[2][2];
static struct buf original[2] = {{.max = BATCH_PACK_MAX}, {.max = BATCH_PACK_MAX}};

static void make_original(int which)
{
    static const char text[] = "\005label\004\000text";
    int family = which ? 6 : 4;
    uint32_t taken, index;
    for (int i = 0; i < 2; i++) {
        batches[which][i] = flow_batch_new(family);
        assert(batches[which][i]);
    }
    struct flow_batch *b = batches[which][0];
    struct flow_observer o = {.ip = ip_from_v4(0xc0000201), .domain = 7};
    assert(!flow_batch_observer(b, &o, &index));
    for (uint32_t i = 0; i < 40; i++) {
        struct flow f = {.present = FLOW_HAS_ADDRESS(FLOW_SOURCE_IP) | FLOW_HAS_ADDRESS(FLOW_DESTINATION_IP) | FLOW_HAS(FLOW_START) |
                                    FLOW_HAS(FLOW_SOURCE_BYTES) | FLOW_HAS(FLOW_SOURCE_PORT) | FLOW_HAS(FLOW_PROTOCOL) |
                                    FLOW_HAS(FLOW_OBSERVER),
                         .source_ip = ip_from_v4(i * 2654435761u), .destination_ip = ip_from_v4(9),
                         .start_us = 1700000000000000 + i, .source_bytes = i, .source_port = (uint16_t)(i * 999), .protocol = 6,
                         .observer = index};
        if (family == 6)
            f.source_ip.b[0] = 0x20;
        if (i % 3 == 0) {
            f.texts = (struct text){text, sizeof(text) - 1};
            f.present |= FLOW_HAS_TEXT;
        }
        assert(!flow_batch_add(b, &f, 1, &taken));
    }
    assert(!batch_pack(b, &original[which]));
}

static void check_rows(const struct flow_batch *b)
{
    assert(b->n <= FLOW_BATCH_ROWS && b->n_observers <= FLOW_BATCH_OBSERVERS);
    for (uint32_t i = 0; i < b->n; i++) {
        struct flow f;
        flow_batch_get(b, i, &f);
        assert(!(f.present & ~b->columns));
        assert(!(f.present & FLOW_HAS(FLOW_OBSERVER)) || f.observer < b->n_observers);
        struct text rest = f.texts, name, value;
        while (flow_text_next(&rest, &name, &value))
            assert(name.n > 0);
    }
}

static void check_same(const struct flow_batch *a, const struct flow_batch *b)
{
    assert(a->n == b->n && a->columns == b->columns && a->n_observers == b->n_observers);
    for (uint32_t i = 0; i < a->n; i++) {
        struct flow x, y;
        flow_batch_get(a, i, &x);
        flow_batch_get(b, i, &y);
        assert(text_equal(x.texts, y.texts));
        x.texts = y.texts = (struct text){NULL, 0};
        assert(!memcmp(&x, &y, sizeof(x)));
    }
}

static void use(const uint8_t *p, size_t n)
{
    struct buf again = {.max = 2 * BATCH_PACK_MAX};
    int family;
    uint32_t n_rows;
    if (batch_pack_head(p, n, &family, &n_rows))
        return;
    struct flow_batch *one = batches[family == 6][0], *two = batches[family == 6][1];
    if (batch_unpack(p, n, one)) {
        assert(one->n == 0);
        return;
    }
    assert(one->n == n_rows);
    check_rows(one);
    assert(!batch_pack(one, &again));
    assert(!batch_unpack(again.p, again.n, two));
    check_same(one, two);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    for (int which = 0; which < 2; which++)
        if (!original[which].n)
            make_original(which);
    if (n < 1)
        return 0;
    if (p[0] & 1) {
        uint8_t *copy = malloc(n); /* exact, so that one byte past the end is seen */
        assert(copy);
        memcpy(copy, p + 1, n - 1);
        use(copy, n - 1);
        free(copy);
        return 0;
    }
    const struct buf *from = &original[p[0] >> 1 & 1];
    size_t n_bytes = from->n - (p[0] & 4 && n > 1 ? p[n - 1] % from->n : 0);
    uint8_t *copy = malloc(n_bytes);
    assert(copy);
    memcpy(copy, from->p, n_bytes);
    for (size_t i = 1; i + 2 < n && i < 100; i += 3)
        copy[(size_t)(p[i] | p[i + 1] << 8) % n_bytes] = p[i + 2];
    use(copy, n_bytes);
    free(copy);
    return 0;
}
