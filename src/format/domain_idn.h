/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/domain_idn - names beyond ASCII: the form in which the DNS carries them, and back.
 *
 * In:     a domain name in UTF-8, untrusted; either form, or some labels in each.
 * Out:    to_ascii: every label in ASCII ("đại-học.example" is "xn--i-hc-zua2256b5ia.example"), in lower case, composed and mapped
 *         as UTS 46 has it, nontransitional. to_unicode: labels that begin with "xn--" as they are read.
 * Limits: 253 bytes of ASCII; what is no such name is none. The library allocates; so only names that need it come here.
 * Source: RFC 5891, RFC 3492, UTS 46, by libidn2.
 */
#pragma once

#include "base/text.h"

#define DOMAIN_ASCII_BYTES 254u    /* with a zero */
#define DOMAIN_UNICODE_BYTES 1024u

/* domain_to_ascii - Return: bytes in @out, 0: none (no such name, or no memory). */
size_t domain_to_ascii(struct text name, char out[DOMAIN_ASCII_BYTES]);
/* domain_to_unicode - of a canonical name. Return: as above; 0 also where no label is written in ASCII for others. */
size_t domain_to_unicode(struct text name, char out[DOMAIN_UNICODE_BYTES]);
