/* SPDX-License-Identifier: Apache-2.0 */
#include "base/uuid.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

int uuid7_make(int64_t now_us, char out[UUID_TEXT_MAX])
{
    uint8_t b[16];
    ssize_t n = getrandom(b, sizeof(b), 0);
    if (n != (ssize_t)sizeof(b))
        return n < 0 ? -errno : -EIO;
    uint64_t ms = (uint64_t)(now_us < 0 ? 0 : now_us / 1000);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    for (int i = 0, at = 0; i < 16; i++)
        at += snprintf(out + at, UUID_TEXT_MAX - (size_t)at, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
    return 0;
}
