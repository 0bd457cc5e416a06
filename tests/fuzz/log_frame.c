/* SPDX-License-Identifier: Apache-2.0 */
/* Messages out of a stream of anything: portions do not matter, nothing is invented, each message lies within its limit. */
#include "watch/intake/log_frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* all messages one after the other, each behind its length */
static size_t frames(const uint8_t *p, size_t n, size_t step, enum log_frame_format format, uint8_t *out)
{
    struct log_framer f = {.format = format};
    size_t used = 0;
    struct text t;
    for (size_t from = 0; from < n; from += step) {
        const uint8_t *at = p + from;
        size_t left = n - from < step ? n - from : step;
        while (!log_frame(&f, &at, &left, &t)) {
            assert(t.n && t.n <= LOG_FRAME_MAX && t.n <= n);
            assert(memmem(p, n, t.p, t.n));
            memcpy(out + used, &t.n, sizeof(t.n));
            memcpy(out + used + sizeof(t.n), t.p, t.n);
            used += sizeof(t.n) + t.n;
        }
        assert(!left);
    }
    if (!log_frame_end(&f, &t)) {
        assert(t.n && memmem(p, n, t.p, t.n));
        memcpy(out + used, t.p, t.n);
        used += t.n;
    }
    assert(log_frame_end(&f, &t)); /* nothing is given twice */
    log_framer_fini(&f);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2 || n > 4096)
        return 0;
    enum log_frame_format format = (enum log_frame_format)(data[0] % 4);
    uint8_t *exact = malloc(n - 1), *one = malloc(10 * n + 64), *other = malloc(10 * n + 64);
    if (exact && one && other) {
        memcpy(exact, data + 1, n - 1);
        size_t a = frames(exact, n - 1, n - 1, format, one), b = frames(exact, n - 1, 1 + n % 5, format, other);
        assert(a == b && !memcmp(one, other, a));
    }
    free(exact);
    free(one);
    free(other);
    return 0;
}
