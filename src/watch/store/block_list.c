/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/block_list.h"

static void put_varint(struct buf *b, uint32_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_add_byte(b, (uint8_t)(v | 0x80));
    buf_add_byte(b, (uint8_t)v);
}

static uint32_t get_varint(struct cursor *c)
{
    uint32_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        uint8_t byte = cursor_u8(c);
        v |= (uint32_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->is_bad = true;
    return 0;
}

void block_list_put(struct buf *b, const uint16_t *blocks, uint32_t n, uint32_t n_blocks)
{
    uint32_t bitmap_bytes = (n_blocks + 7) / 8;
    if (n > bitmap_bytes) {
        put_varint(b, n * 2 + 1);
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
    put_varint(b, n * 2);
    for (uint32_t i = 0; i < n; i++)
        put_varint(b, (uint32_t)blocks[i] - (i ? blocks[i - 1] : 0u));
}

void block_list_take(struct cursor *c, uint32_t n_blocks, uint64_t *bitmap)
{
    uint32_t coded = get_varint(c);
    if (coded & 1) {
        const uint8_t *p = cursor_take(c, (n_blocks + 7) / 8);
        for (uint32_t i = 0; p && bitmap && i < n_blocks; i++)
            bitmap[i / 64] |= (uint64_t)(p[i / 8] >> i % 8 & 1) << i % 64;
        return;
    }
    uint64_t block = 0;
    for (uint32_t i = 0; i < coded / 2 && !c->is_bad; i++) {
        block += get_varint(c);
        if (c->is_bad || block >= n_blocks)
            c->is_bad = true;
        else if (bitmap)
            bitmap[block / 64] |= UINT64_C(1) << block % 64;
    }
}
