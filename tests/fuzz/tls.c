/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client hello. Invariant: the fingerprints have their form; what is read from n bytes is read alike from more;
 * a cut hello asks for more and is never read otherwise.
 */
#include "format/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void form(const struct tls_hello *h)
{
    assert(strlen(h->ja3) == 32 && strspn(h->ja3, "0123456789abcdef") == 32);
    assert(strlen(h->ja4) == 36 && h->ja4[10] == '_' && h->ja4[23] == '_');
    assert(strlen(h->server_name) == h->n_server_name && h->n_server_name < TLS_NAME_TEXT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct tls_hello whole, again;
    int e = tls_hello_read(p, n, &whole);
    assert(e == 0 || e == TLS_NOT_HELLO || e == TLS_MORE || e == TLS_MALFORMED);
    if (!e) {
        form(&whole);
        uint8_t *longer = malloc(n + 7);
        if (!longer)
            return 0;
        memcpy(longer, p, n);
        memset(longer + n, 0xee, 7);
        assert(!tls_hello_read(longer, n + 7, &again) && !strcmp(again.ja4, whole.ja4));
        free(longer);
        /* shorter: more is wanted, until the bytes that belong to the hello are there */
        int cut = tls_hello_read(p, n / 2, &again);
        assert(cut == TLS_MORE || (!cut && !strcmp(again.ja4, whole.ja4)));
    }
    if (!dtls_hello_read(p, n, &whole))
        form(&whole);
    return 0;
}
