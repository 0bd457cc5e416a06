/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/store/sealed.h"

#include "watch/store/checksum.h"
#include "watch/store/resident.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int init(struct sealed *s, const uint8_t *p, size_t n_bytes, size_t piece_bytes, const uint8_t *checksums)
{
    *s = (struct sealed){.p = p, .n_bytes = n_bytes, .piece_bytes = piece_bytes, .checksums = checksums};
    s->is_checked = calloc(sealed_pieces_of(n_bytes, piece_bytes) / 64 + 1, sizeof(*s->is_checked));
    return s->is_checked ? 0 : -ENOMEM;
}

int sealed_init(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums)
{
    return init(s, p, n_bytes, SEALED_PIECE, checksums);
}

int sealed_init_pages(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums)
{
    return init(s, p, n_bytes, SEALED_PAGE, checksums);
}

void sealed_fini(struct sealed *s)
{
    free((void *)(uintptr_t)s->is_checked);
    s->is_checked = NULL;
}

/* bytes_of - of one piece: the last one may be shorter. */
static size_t bytes_of(const struct sealed *s, size_t piece)
{
    size_t left = s->n_bytes - piece * s->piece_bytes;
    return left < s->piece_bytes ? left : s->piece_bytes;
}

static bool is_piece_checked(const struct sealed *s, size_t piece)
{
    return atomic_load_explicit(&s->is_checked[piece / 64], memory_order_acquire) >> piece % 64 & 1;
}

static bool check_piece(const struct sealed *s, size_t piece)
{
    uint64_t expected;
    memcpy(&expected, s->checksums + piece * 8, 8);
    if (checksum(s->p + piece * s->piece_bytes, bytes_of(s, piece)) != expected)
        return false;
    atomic_fetch_or_explicit(&s->is_checked[piece / 64], UINT64_C(1) << piece % 64, memory_order_release);
    return true;
}

static bool check_pieces(const struct sealed *s, size_t first, size_t last)
{
    /* a page is brought by touching it; more than one are better asked for together */
    if (last > first || s->piece_bytes > SEALED_PAGE)
        resident_want(s->p + first * s->piece_bytes, (last - first) * s->piece_bytes + bytes_of(s, last));
    for (size_t piece = first; piece <= last; piece++)
        if (!is_piece_checked(s, piece) && !check_piece(s, piece))
            return false;
    return true;
}

const uint8_t *sealed_get(const struct sealed *s, size_t offset, size_t n)
{
    if (offset > s->n_bytes || n > s->n_bytes - offset)
        return NULL;
    if (!n)
        return s->p + offset;
    size_t first = offset / s->piece_bytes, last = (offset + n - 1) / s->piece_bytes;
    while (first <= last && is_piece_checked(s, first))
        first++;
    return first > last || check_pieces(s, first, last) ? s->p + offset : NULL;
}

bool sealed_place(const struct sealed *s, size_t offset, size_t n, const uint8_t **ret_p, size_t *ret_n)
{
    if (!n || offset > s->n_bytes || n > s->n_bytes - offset)
        return false;
    size_t first = offset / s->piece_bytes, last = (offset + n - 1) / s->piece_bytes;
    while (first < last && is_piece_checked(s, first))
        first++;
    *ret_p = s->p + first * s->piece_bytes;
    *ret_n = (last - first) * s->piece_bytes + bytes_of(s, last);
    return !is_piece_checked(s, first);
}

void sealed_want(const struct sealed *s, size_t offset, size_t n)
{
    if (n && offset <= s->n_bytes && n <= s->n_bytes - offset && !resident_is(s->p + offset, n))
        resident_ask(s->p + offset, n);
}

bool sealed_is_resident(const struct sealed *s, size_t offset, size_t n)
{
    return !n || offset > s->n_bytes || n > s->n_bytes - offset || resident_is(s->p + offset, n);
}

static void write_checksums(const uint8_t *p, size_t n_bytes, size_t piece_bytes, uint8_t *out)
{
    const struct sealed s = {.p = p, .n_bytes = n_bytes, .piece_bytes = piece_bytes};
    for (size_t piece = 0; piece < sealed_pieces_of(n_bytes, piece_bytes); piece++) {
        uint64_t h = checksum(p + piece * piece_bytes, bytes_of(&s, piece));
        memcpy(out + piece * 8, &h, 8);
    }
}

void sealed_write_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out)
{
    write_checksums(p, n_bytes, SEALED_PIECE, out);
}

void sealed_write_page_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out)
{
    write_checksums(p, n_bytes, SEALED_PAGE, out);
}
