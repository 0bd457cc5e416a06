/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/zip - the members of a ZIP archive held in memory, unpacked in pieces.
 *
 * In:     the whole archive, untrusted bytes.
 * Out:    members by name through the central directory; their bytes to a callback.
 * Limits: ZIP_MAX_MEMBERS members; stored and deflated only; no encryption, no ZIP64, no spanning; names are compared,
 *         never used as paths. A member that unpacks to more than ZIP_MAX_RATIO times its size (past ZIP_FREE_BYTES)
 *         or beyond the caller's bound ends the reading. No I/O, no logging, no global state; memory: zlib's own.
 * Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16; RFC 1951.
 * Fuzz:   tests/fuzz/xlsx.c
 */
#pragma once

#include "base/text.h"

enum { ZIP_MAX_MEMBERS = 20000, ZIP_MAX_RATIO = 400 };
#define ZIP_FREE_BYTES ((uint64_t)16 << 20)

/* conditions; negative values are -errno */
enum zip_result { ZIP_NOT_ZIP = 1, ZIP_DAMAGED, ZIP_TOO_LARGE, ZIP_ENCRYPTED };

struct zip {
    const uint8_t *p;
    size_t n;
    size_t directory; /* offset of the central directory */
    uint32_t n_members;
};

struct zip_member {
    struct text name;
    const uint8_t *packed;
    uint64_t n_packed, n_unpacked;
    uint32_t crc;
    uint16_t method;
    bool is_encrypted;
};

int zip_open(const void *p, size_t n, struct zip *ret);
/* zip_each - every member in the order of the directory; @each returning non-zero ends it and is handed up. */
int zip_each(const struct zip *z, int (*each)(void *context, const struct zip_member *m), void *context);
/*
 * zip_unpack - the member's bytes in pieces.
 * @max_bytes: of unpacked data; @each: 0, or a value that ends the unpacking and is handed up
 * @ignore_crc: for fuzzing
 */
int zip_unpack(const struct zip_member *m, uint64_t max_bytes, bool ignore_crc, int (*each)(void *context, const uint8_t *p, size_t n),
               void *context);
