/* SPDX-License-Identifier: Apache-2.0 */
#include "format/ipfix_file.h"

#include "base/cursor.h"

enum { VERSION = 10, HEADER_BYTES = 16 };

int ipfix_frame(const uint8_t *p, size_t n_bytes, size_t *ret_n_bytes)
{
    *ret_n_bytes = HEADER_BYTES;
    if (n_bytes >= 2 && load_be16(p) != VERSION)
        return IPFIX_FRAME_BAD;
    if (n_bytes < 4)
        return IPFIX_FRAME_MORE;
    size_t length = load_be16(p + 2);
    if (length < HEADER_BYTES)
        return IPFIX_FRAME_BAD;
    *ret_n_bytes = length;
    return length > n_bytes ? IPFIX_FRAME_MORE : 0;
}

size_t ipfix_resync(const uint8_t *p, size_t n_bytes)
{
    for (size_t i = 1; i < n_bytes; i++) {
        size_t length;
        if (p[i] || ipfix_frame(p + i, n_bytes - i, &length))
            continue;
        size_t end = i + length;
        if (end == n_bytes || (n_bytes - end >= 2 && load_be16(p + end) == VERSION))
            return i;
    }
    return n_bytes;
}
