/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of _bulk: what is left are whole lines of the body, in order, and no more than there were. */
#include "watch/intake/log_bulk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char *body = malloc(n + 1);
    if (!body || n > 65536) {
        free(body);
        return 0;
    }
    if (n)
        memcpy(body, data, n);
    size_t left = log_bulk_lines(body, n), at = 0;
    assert(left <= n);
    const uint8_t *from = data;
    while (at < left) { /* each line stands in the body behind the one before */
        const char *end = memchr(body + at, '\n', left - at);
        size_t used = end ? (size_t)(end + 1 - (body + at)) : left - at;
        const uint8_t *found = memmem(from, (size_t)(data + n - from), body + at, used);
        assert(found);
        from = found + used;
        at += used;
    }
    free(body);
    return 0;
}
