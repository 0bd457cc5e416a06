/* SPDX-License-Identifier: Apache-2.0 */
#include "state/login.h"

#include <gnutls/crypto.h>
#include <string.h>

uint32_t totp_code(const uint8_t *secret, size_t n, int64_t step)
{
    uint8_t counter[8], mac[20];
    for (unsigned i = 0; i < 8; i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    if (gnutls_hmac_fast(GNUTLS_MAC_SHA1, secret, n, counter, sizeof(counter), mac))
        return UINT32_MAX; /* no code is this */
    /* RFC 4226, 5.3: dynamic truncation */
    unsigned at = mac[19] & 0xf;
    uint32_t value = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    return value % 1000000;
}

int64_t totp_step(const uint8_t *secret, size_t n, struct text code, int64_t now_us, int64_t after)
{
    uint64_t given = 0;
    int64_t now = now_us / 1000000 / TOTP_STEP_S, found = -1;
    if (code.n != 6 || text_u64(code, 999999, &given))
        return -1;
    for (int64_t step = now - 1; step <= now + 1; step++) {
        uint32_t one = totp_code(secret, n, step);
        found = one == given && step > after && found < 0 ? step : found;
    }
    return found;
}

size_t base32_encode(const uint8_t *p, size_t n, char *out, size_t n_out)
{
    static const char SIGNS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648, 6 */
    size_t n_signs = (n * 8 + 4) / 5;
    if (n_signs >= n_out)
        return 0;
    for (size_t i = 0; i < n_signs; i++) {
        size_t bit = i * 5, byte = bit / 8;
        unsigned two = (unsigned)p[byte] << 8 | (byte + 1 < n ? p[byte + 1] : 0u);
        out[i] = SIGNS[two >> (11 - bit % 8) & 31];
    }
    out[n_signs] = '\0';
    return n_signs;
}
