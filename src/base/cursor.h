/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/cursor - a bounds-checked reader over borrowed bytes with a sticky error.
 *
 * Once a read would pass the end, `bad` is set, every later read answers zero
 * and moves nothing: a decoder reads like the packet diagram and asks once at
 * the end. Network byte order unless the name says le.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const uint8_t *p;   /* next byte */
    const uint8_t *end; /* one past the last byte */
    bool is_bad;
};

static inline struct cursor cursor_over(const void *p, size_t n_bytes)
{
    return (struct cursor){.p = p, .end = (const uint8_t *)p + n_bytes};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return c->is_bad ? 0 : (size_t)(c->end - c->p);
}

/* cursor_take - @n bytes, borrowed, or NULL (and bad) if fewer are left. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
    if (c->is_bad || (size_t)(c->end - c->p) < n) {
        c->is_bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
    (void)cursor_take(c, n);
}

/* cursor_sub - a cursor over the next @n bytes; this one moves past them. Bad if fewer are left. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
    const uint8_t *p = cursor_take(c, n);
    struct cursor s = {.p = p, .end = p ? p + n : NULL, .is_bad = !p};
    return s;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 1);
    return p ? *p : 0;
}

static inline uint16_t load_be16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return __builtin_bswap16(v);
}

static inline uint32_t load_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t load_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

static inline uint16_t load_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}

static inline uint32_t load_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static inline uint64_t load_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 2);
    return p ? load_be16(p) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 4);
    return p ? load_be32(p) : 0;
}

static inline uint64_t cursor_u64(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 8);
    return p ? load_be64(p) : 0;
}

/* cursor_uint - an unsigned integer of 1..8 bytes, as NetFlow v9 and IPFIX encode it (RFC 7011 6.2). */
static inline uint64_t cursor_uint(struct cursor *c, size_t n)
{
    if (n == 0 || n > 8) {
        c->is_bad = true;
        return 0;
    }
    const uint8_t *p = cursor_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static inline uint16_t cursor_le16(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 2);
    return p ? load_le16(p) : 0;
}

static inline uint32_t cursor_le32(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 4);
    return p ? load_le32(p) : 0;
}

static inline uint64_t cursor_le64(struct cursor *c)
{
    const uint8_t *p = cursor_take(c, 8);
    return p ? load_le64(p) : 0;
}
