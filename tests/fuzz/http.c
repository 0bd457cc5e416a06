/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of a request. Invariant: a host holds only what a host can hold; one that was found stays found when more
 * bytes come.
 */
#include "format/http.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char host[HTTP_HOST_MAX], half[HTTP_HOST_MAX];
    size_t n_host = 0, n_half = 0;
    int e = http_host_read(p, n, 0, host, &n_host);
    assert(e >= 0 && e <= HTTP_NO_HOST);
    if (!e) {
        assert(n_host && n_host < HTTP_HOST_MAX && strlen(host) == n_host);
        assert(strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == n_host);
    }
    int f = http_host_read(p, n / 2, 0, half, &n_half);
    if (!f)
        assert(!e && !strcmp(host, half));
    assert(http_host_read(p, n, 1, half, &n_half) != HTTP_MORE || n < 25);
    return 0;
}
