/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/md5 - the MD5 digest (RFC 1321), for fingerprints that are defined by it (JA3). Never for security.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MD5_TEXT_MAX 33

struct md5_state {
    uint64_t n_bytes;
    uint32_t abcd[4];
    uint8_t block[64];
};

void md5_init(struct md5_state *s);
void md5_add(struct md5_state *s, const void *p, size_t n);
/* md5_end - the digest as 32 lower-case hexadecimal digits, terminated. */
void md5_end(struct md5_state *s, char out[MD5_TEXT_MAX]);
