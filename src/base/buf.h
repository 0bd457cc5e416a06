/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/buf - a growable byte buffer that states its maximum and remembers a failure.
 *
 * Once growing fails (no memory, or past @max), `is_bad` is set and later
 * writes do nothing: ask once, at the end. Zero-initialise with .max set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *p; /* owned */
    size_t n;   /* bytes used */
    size_t capacity;
    size_t max; /* never grows past this many bytes */
    bool is_bad;
};

/* buf_fini - free the memory; .max stays. */
void buf_fini(struct buf *b);
/* buf_clear - keep the memory, forget content and failure. */
void buf_clear(struct buf *b);
/* buf_room - make room for @n more bytes and return where they go (b->n is not moved), or NULL and bad. */
uint8_t *buf_room(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_text(struct buf *b, const char *text);
void buf_add_byte(struct buf *b, uint8_t byte);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *format, ...);
