/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsodium's SHA-256 is plain C. Where the processor has instructions for it, whole blocks go to them; what is left, and
 * the padding, is libsodium's: its state is the published one.
 */
#include "base/sha256.h"

#include "base/sha256_blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sha256_init(struct sha256_state *s)
{
    crypto_hash_sha256_init(&s->inner);
}

void sha256_add(struct sha256_state *s, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    size_t begun = s->inner.count / 8 % 64, first = begun ? 64 - begun : 0;
    if (!sha256_blocks_are_fast() || n < first + 64) {
        crypto_hash_sha256_update(&s->inner, bytes, n);
        return;
    }
    if (first)
        crypto_hash_sha256_update(&s->inner, bytes, first);
    size_t blocks = (n - first) / 64, done = first + blocks * 64;
    sha256_blocks(s->inner.state, bytes + first, blocks);
    s->inner.count += (uint64_t)blocks * 512; /* bits */
    if (n > done)
        crypto_hash_sha256_update(&s->inner, bytes + done, n - done);
}

struct sha256 sha256_end(struct sha256_state *s)
{
    struct sha256 h;
    crypto_hash_sha256_final(&s->inner, h.b);
    return h;
}

struct sha256 sha256_of(const void *p, size_t n)
{
    struct sha256_state s;
    sha256_init(&s);
    sha256_add(&s, p, n);
    return sha256_end(&s);
}

void sha256_format(const struct sha256 *h, char out[SHA256_TEXT_MAX])
{
    static const char hex[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        out[2 * i] = hex[h->b[i] >> 4];
        out[2 * i + 1] = hex[h->b[i] & 15];
    }
    out[64] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int sha256_parse(const char *p, size_t n, struct sha256 *ret)
{
    if (n != 64)
        return 1;
    for (int i = 0; i < 32; i++) {
        int high = nibble(p[2 * i]), low = nibble(p[2 * i + 1]);
        if (high < 0 || low < 0)
            return 1;
        ret->b[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

int sha256_of_fd(int fd, struct sha256 *ret, uint64_t *ret_n_bytes)
{
    enum { CHUNK = 1 << 18 };
    uint8_t *chunk = malloc(CHUNK);
    if (!chunk)
        return -ENOMEM;
    struct sha256_state s;
    sha256_init(&s);
    uint64_t total = 0;
    ssize_t n = lseek(fd, 0, SEEK_SET) < 0 ? -1 : 1;
    while (n > 0) {
        n = read(fd, chunk, CHUNK);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        if (n > 0) {
            sha256_add(&s, chunk, (size_t)n);
            total += (uint64_t)n;
        }
    }
    int r = n < 0 ? -errno : 0;
    free(chunk);
    if (r)
        return r;
    *ret = sha256_end(&s);
    if (ret_n_bytes)
        *ret_n_bytes = total;
    return 0;
}
