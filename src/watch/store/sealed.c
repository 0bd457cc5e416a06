/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/sealed.h"

#include "watch/store/checksum.h"
#include "watch/store/resident.h"

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

static bool is_piece_checked(const struct sealed *s, size_t piece)
{
    return atomic_load_explicit(&s->is_checked[piece / 64], memory_order_acquire) >> piece % 64 & 1;
}

static bool check_piece(const struct sealed *s, size_t piece)
{
    uint64_t bit = UINT64_C(1) << piece % 64, expected;
    if (is_piece_checked(s, piece))
        return true;
    resident_want(s->p + piece * SEALED_PIECE, piece_bytes(s->n_bytes, piece));
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

bool sealed_place(const struct sealed *s, size_t offset, size_t n, const uint8_t **ret_p, size_t *ret_n)
{
    if (!n || offset > s->n_bytes || n > s->n_bytes - offset)
        return false;
    size_t first = offset / SEALED_PIECE, last = (offset + n - 1) / SEALED_PIECE;
    while (first < last && is_piece_checked(s, first))
        first++;
    *ret_p = s->p + first * SEALED_PIECE;
    *ret_n = (last - first) * SEALED_PIECE + piece_bytes(s->n_bytes, last);
    return !is_piece_checked(s, first);
}

struct stretch {
    const struct sealed *s;
    size_t first; /* piece */
};

static bool place_piece(void *context, size_t i, const uint8_t **ret_p, size_t *ret_n)
{
    const struct stretch *x = context;
    return sealed_place(x->s, (x->first + i) * SEALED_PIECE, 1, ret_p, ret_n);
}

void sealed_want(const struct sealed *s, size_t offset, size_t n)
{
    struct stretch x = {s, offset / SEALED_PIECE};
    if (n && offset <= s->n_bytes && n <= s->n_bytes - offset)
        resident_want_all((offset + n - 1) / SEALED_PIECE - x.first + 1, place_piece, &x);
}

void sealed_write_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out)
{
    for (size_t piece = 0; piece < sealed_pieces(n_bytes); piece++) {
        uint64_t h = checksum(p + piece * SEALED_PIECE, piece_bytes(n_bytes, piece));
        memcpy(out + piece * 8, &h, 8);
    }
}
