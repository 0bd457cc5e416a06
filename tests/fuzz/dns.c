/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DNS message. Invariant: a name is printable, lower case, terminated at its length, at most what 255 bytes can make.
 */
#include "format/dns.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct dns_question q;
    int e = dns_question_read(p, n, &q);
    assert(e == 0 || e == DNS_NO_QUESTION || e == DNS_MALFORMED);
    if (!e) {
        assert(q.n_name && q.n_name < DNS_NAME_TEXT_MAX && strlen(q.name) == q.n_name);
        for (size_t i = 0; i < q.n_name; i++)
            assert(q.name[i] > ' ' && q.name[i] < 127 && !(q.name[i] >= 'A' && q.name[i] <= 'Z'));
    }
    for (size_t at = 0; at < n && at < 64; at++) {
        char out[DNS_NAME_TEXT_MAX];
        size_t behind = at, length = dns_name_read(p, n, &behind, out);
        if (length)
            assert(strlen(out) == length && behind > at && behind <= n);
    }
    return 0;
}
