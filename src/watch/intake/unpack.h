/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/intake/unpack - a file's content, whatever it is packed with: gzip, xz, zstd, bzip2 or nothing, told by its magic.
 *
 * In:     a descriptor read from where it stands to its end; a pipe will do.
 * Out:    the unpacked bytes in pieces. Members, streams and frames behind each other are one content.
 * Limits: against bombs the output may be UNPACK_FREE_BYTES plus UNPACK_RATIO times what was read, and
 *         UNPACK_MAX_BYTES in all; an xz dictionary may take UNPACK_MEMORY_BYTES, a zstd window 2^UNPACK_WINDOW_LOG.
 * Source: RFC 1952, the .xz format, RFC 8878, bzip2 1.0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNPACK_FREE_BYTES ((uint64_t)256 << 20)
#define UNPACK_RATIO 1000u
#define UNPACK_MAX_BYTES ((uint64_t)1 << 40)
#define UNPACK_MEMORY_BYTES ((uint64_t)256 << 20)
#define UNPACK_WINDOW_LOG 28

enum unpack_kind { UNPACK_PLAIN, UNPACK_GZIP, UNPACK_XZ, UNPACK_ZSTD, UNPACK_BZIP2 };

struct unpack;

/* unpack_is_device - whether @fd is one, but for a terminal: /dev/zero never ends, a disk holds no file of ours. */
bool unpack_is_device(int fd);
/* unpack_new - @fd: borrowed. Return: 0 or -ENOMEM. */
int unpack_new(int fd, struct unpack **ret);
/* unpack_again - @u as unpack_new would make it for @fd; its memory is kept. Return: 0. */
int unpack_again(struct unpack *u, int fd);
void unpack_free(struct unpack *u);
/* unpack_limit - a limit of one's own, for what is packed with nothing, too: more is UNPACK_BOMB. */
void unpack_limit(struct unpack *u, uint64_t max_bytes);

/*
 * unpack_read - the next bytes of the content.
 * @ret_n: at least one, or 0 at the end; also written with a condition: bytes unpacked before it
 * Return: 0; UNPACK_TRUNCATED (the packed file ends too early), UNPACK_CORRUPT (its checks fail),
 *         UNPACK_BOMB (a limit above), UNPACK_MEMORY (wants a greater dictionary); -errno of reading, -ENOMEM.
 */
enum { UNPACK_TRUNCATED = 1, UNPACK_CORRUPT = 2, UNPACK_BOMB = 3, UNPACK_MEMORY = 4 };
int unpack_read(struct unpack *u, uint8_t *p, size_t n, size_t *ret_n);

/* unpack_kind - known after the first unpack_read. */
enum unpack_kind unpack_kind(const struct unpack *u);
/* unpack_bytes_in, unpack_bytes_out - read from the descriptor, and given out. */
uint64_t unpack_bytes_in(const struct unpack *u);
uint64_t unpack_bytes_out(const struct unpack *u);
