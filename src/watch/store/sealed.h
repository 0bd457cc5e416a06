/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/sealed - a part of a mapped file under checksums, checked piece by piece when first touched.
 *
 * Pieces of SEALED_PIECE bytes, one XXH3 of 64 bits each. What was checked once is remembered.
 * Thread-safe: two threads may check the same piece twice, never trust an unchecked one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEALED_PIECE ((size_t)64 << 10)

struct sealed {
    const uint8_t *p; /* borrowed */
    size_t n_bytes;
    const uint8_t *checksums; /* borrowed; sealed_pieces(n_bytes) times 8 bytes */
    _Atomic uint64_t *is_checked;
};

static inline size_t sealed_pieces(size_t n_bytes)
{
    return (n_bytes + SEALED_PIECE - 1) / SEALED_PIECE;
}

/* sealed_init - Return: 0 or -ENOMEM. */
int sealed_init(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums);
void sealed_fini(struct sealed *s);
/* sealed_get - @n bytes at @offset, checked; NULL if they lie outside or a checksum fails. */
const uint8_t *sealed_get(const struct sealed *s, size_t offset, size_t n);
/* sealed_place - the pieces that @n bytes at @offset lie in; false if they are checked, or outside. */
bool sealed_place(const struct sealed *s, size_t offset, size_t n, const uint8_t **ret_p, size_t *ret_n);
/* sealed_want - all of @n bytes at @offset are about to be read. */
void sealed_want(const struct sealed *s, size_t offset, size_t n);
/* sealed_write_checksums - for the writer: all checksums of @p into @out. */
void sealed_write_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out);
