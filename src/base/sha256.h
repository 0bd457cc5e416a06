/* SPDX-License-Identifier: Apache-2.0 */
/* base/sha256 - SHA-256 (FIPS 180-4) through libsodium, and its hexadecimal form. */
#pragma once

#include <sodium/crypto_hash_sha256.h>
#include <stddef.h>
#include <stdint.h>

struct sha256 {
    uint8_t b[32];
};

#define SHA256_TEXT_MAX 65

struct sha256_state {
    crypto_hash_sha256_state inner;
};

/* sha256_init, _add, _end - in pieces; sha256_of - at once; sha256_format - 64 lower-case digits and a zero. */
void sha256_init(struct sha256_state *s);
void sha256_add(struct sha256_state *s, const void *p, size_t n);
struct sha256 sha256_end(struct sha256_state *s);
struct sha256 sha256_of(const void *p, size_t n);
void sha256_format(const struct sha256 *h, char out[SHA256_TEXT_MAX]);
/* sha256_parse - 64 hexadecimal digits. Return: 0 or 1. */
int sha256_parse(const char *p, size_t n, struct sha256 *ret);
/* sha256_of_fd - the content of a regular file from its beginning; the offset is left at the end. Return: 0 or -errno. */
int sha256_of_fd(int fd, struct sha256 *ret, uint64_t *ret_n_bytes);
