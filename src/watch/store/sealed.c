/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/sealed.h"

#include "watch/store/checksum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sealed_init(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums)
{
    s->p = p;
    s->n_bytes = n_bytes;
    s->checksums = checksums;
    s->is_checked = calloc(sealed_pieces(n_bytes) / 64 + 1, sizeof(*s->is_checked));
    return s->is_checked ? 0 : -ENOMEM;
}

void sealed_fini(struct sealed *s)
{
    free((void *)(uintptr_t)s->is_checked);
    s->is_checked = NULL;
}

static size_t piece_bytes(size_t n_bytes, size_t piece)
{
    size_t left = n_bytes - piece * SEALED_PIECE;
    return left < SEALED_PIECE ? left : SEALED_PIECE;
}

static bool check_piece(const struct sealed *s, size_t piece)
{
    uint64_t bit = UINT64_C(1) << piece % 64, expected;
    if (atomic_load_explicit(&s->is_checked[piece / 64], memory_order_acquire) & bit)
        return true;
    memcpy(&expected, s->checksums + piece * 8, 8);
    if (checksum(s->p + piece * SEALED_PIECE, piece_bytes(s->n_bytes, piece)) != expected)
        return false;
    atomic_fetch_or_explicit(&s->is_checked[piece / 64], bit, memory_order_release);
    return true;
}

const uint8_t *sealed_get(const struct sealed *s, size_t offset, size_t n)
{
    if (offset > s->n_bytes || n > s->n_bytes - offset)
        return NULL;
    for (size_t piece = offset / SEALED_PIECE; n && piece <= (offset + n - 1) / SEALED_PIECE; piece++)
        if (!check_piece(s, piece))
            return NULL;
    return s->p + offset;
}

void sealed_write_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out)
{
    for (size_t piece = 0; piece < sealed_pieces(n_bytes); piece++) {
        uint64_t h = checksum(p + piece * SEALED_PIECE, piece_bytes(n_bytes, piece));
        memcpy(out + piece * 8, &h, 8);
    }
}
