/* SPDX-License-Identifier: Apache-2.0 */
#include "format/domain_idn.h"

#include <idn2.h>
#include <string.h>

/* take - what the library made, into @out. Return: its bytes, 0: it is none or does not fit. */
static size_t take(int error, char *made, char *out, size_t n_out)
{
    size_t n = error == IDN2_OK && made ? strlen(made) : 0;
    if (n >= n_out)
        n = 0;
    if (n)
        memcpy(out, made, n);
    out[n] = 0;
    if (error == IDN2_OK)
        idn2_free(made);
    return n;
}

size_t domain_to_ascii(struct text name, char out[DOMAIN_ASCII_BYTES])
{
    char copy[DOMAIN_UNICODE_BYTES], *made = NULL;
    if (!name.n || name.n >= sizeof(copy) || memchr(name.p, 0, name.n))
        return 0;
    memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    int error = idn2_to_ascii_8z(copy, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    return take(error, made, out, DOMAIN_ASCII_BYTES);
}

size_t domain_to_unicode(struct text name, char out[DOMAIN_UNICODE_BYTES])
{
    char copy[DOMAIN_ASCII_BYTES], *made = NULL;
    if (name.n < 4 || name.n >= sizeof(copy) || !memmem(name.p, name.n, "xn--", 4) || memchr(name.p, 0, name.n))
        return 0;
    memcpy(copy, name.p, name.n);
    copy[name.n] = 0;
    int error = idn2_to_unicode_8z8z(copy, &made, 0);
    return take(error, made, out, DOMAIN_UNICODE_BYTES);
}
