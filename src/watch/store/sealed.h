/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/store/sealed - a part of a mapped file under checksums, checked piece by piece when first touched.
 *
 * One XXH3 of 64 bits a piece. What was checked once is remembered. Pieces are of SEALED_PAGE bytes, so that looking up
 * one entry reads no more than its page of the disk; of SEALED_PIECE bytes in files of the first version and of log events.
 * Thread-safe: two threads may check the same piece twice, never trust an unchecked one.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEALED_PIECE ((size_t)64 << 10)
#define SEALED_PAGE ((size_t)4 << 10)

struct sealed {
    const uint8_t *p; /* borrowed */
    size_t n_bytes;
    size_t piece_bytes;       /* SEALED_PIECE or SEALED_PAGE */
    const uint8_t *checksums; /* borrowed; as many times 8 bytes as there are pieces */
    _Atomic uint64_t *is_checked;
};

/* sealed_pieces_of - how many of @piece_bytes; sealed_pieces - of SEALED_PIECE. */
static inline size_t sealed_pieces_of(size_t n_bytes, size_t piece_bytes)
{
    return n_bytes / piece_bytes + (n_bytes % piece_bytes != 0);
}

static inline size_t sealed_pieces(size_t n_bytes)
{
    return sealed_pieces_of(n_bytes, SEALED_PIECE);
}

/* sealed_init - in pieces of SEALED_PIECE; sealed_init_pages - of SEALED_PAGE. Return: 0 or -ENOMEM. */
int sealed_init(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums);
int sealed_init_pages(struct sealed *s, const uint8_t *p, size_t n_bytes, const uint8_t *checksums);
void sealed_fini(struct sealed *s);
/* sealed_get - @n bytes at @offset, checked; NULL if they lie outside or a checksum fails. */
const uint8_t *sealed_get(const struct sealed *s, size_t offset, size_t n);
/* sealed_place - the pieces that @n bytes at @offset lie in; false if they are checked, or outside. */
bool sealed_place(const struct sealed *s, size_t offset, size_t n, const uint8_t **ret_p, size_t *ret_n);
/* sealed_want - all of @n bytes at @offset are about to be read. */
void sealed_want(const struct sealed *s, size_t offset, size_t n);
/* sealed_is_resident - as far as a few samples of them tell, these bytes are in memory. */
bool sealed_is_resident(const struct sealed *s, size_t offset, size_t n);
/* sealed_write_checksums - for the writer: all checksums of @p into @out, of pieces of SEALED_PIECE. */
void sealed_write_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out);
/* sealed_write_page_checksums - the same of SEALED_PAGE. */
void sealed_write_page_checksums(const uint8_t *p, size_t n_bytes, uint8_t *out);
