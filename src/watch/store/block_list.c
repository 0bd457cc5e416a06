/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/block_list.h"

#include "base/varint.h"

void block_list_put(struct buf *b, const uint16_t *blocks, uint32_t n, uint32_t n_blocks)
{
    uint32_t bitmap_bytes = (n_blocks + 7) / 8;
    if (n > bitmap_bytes) {
        varint_put(b, (uint64_t)n * 2 + 1);
        uint8_t *p = buf_room(b, bitmap_bytes);
        if (!p)
            return;
        for (uint32_t i = 0; i < bitmap_bytes; i++)
            p[i] = 0;
        for (uint32_t i = 0; i < n; i++)
            p[blocks[i] / 8] |= (uint8_t)(1u << blocks[i] % 8);
        b->n += bitmap_bytes;
        return;
    }
    varint_put(b, (uint64_t)n * 2);
    for (uint32_t i = 0; i < n; i++)
        varint_put(b, (uint32_t)blocks[i] - (i ? blocks[i - 1] : 0u));
}

void block_list_take(struct cursor *c, uint32_t n_blocks, uint64_t *bitmap)
{
    uint64_t coded = varint_take(c);
    if (coded & 1) {
        uint32_t n_bytes = (n_blocks + 7) / 8;
        const uint8_t *p = cursor_take(c, n_bytes);
        for (uint32_t i = 0; p && bitmap && i < n_bytes; i++) {
            unsigned valid = n_blocks - i * 8 >= 8 ? 0xff : (1u << n_blocks % 8) - 1;
            bitmap[i / 8] |= (uint64_t)(p[i] & valid) << i % 8 * 8;
        }
        return;
    }
    uint64_t block = 0;
    for (uint64_t i = 0; i < coded / 2 && !c->is_bad; i++) {
        uint64_t step = varint_take(c);
        block += step;
        if (c->is_bad || step >= n_blocks || block >= n_blocks)
            c->is_bad = true;
        else if (bitmap)
            bitmap[block / 64] |= UINT64_C(1) << block % 64;
    }
}
