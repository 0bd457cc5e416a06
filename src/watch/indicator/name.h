/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/name - indicators that are no addresses: domains, URLs and hashes of files, in the one form in which
 * lists, events and the store's word index are compared.
 *
 *   domain  lower case, no dot at either end, two labels or more, the last not all digits; labels beyond ASCII as the DNS
 *           carries them (xn--, format/domain_idn)
 *   URL     host[:port]/path[?query]: without scheme, user and fragment; the host as a domain or an address, the ports 80
 *           and 443 dropped; path and query byte for byte
 *   hash    MD5, SHA-1 or SHA-256 in lower-case hexadecimal
 *
 * A listed domain matches itself and every name below it; a URL and a hash only themselves.
 *
 * In:     text, untrusted. No I/O; no allocation but by what is beyond ASCII.
 */
#pragma once

#include "base/text.h"

#include <stdint.h>

enum name_kind { NAME_NONE, NAME_DOMAIN, NAME_URL, NAME_HASH };
#define LIST_NAME_BYTES 2048u        /* room for any; longer URLs are no indicators */
#define LIST_DOMAIN_BYTES 254u
#define LIST_KEY_BYTES 160u     /* of a folded name that its key depends on */

/* name_kind_text - "domain", "url", "hash"; static. */
const char *name_kind_text(enum name_kind k);

/* name_domain, name_url, name_hash - the canonical form in @out. Return: its bytes, 0: @t is none. */
size_t name_domain(struct text t, char out[LIST_DOMAIN_BYTES]);
size_t name_url(struct text t, char out[LIST_NAME_BYTES]);
size_t name_hash(struct text t, char out[64]);
/*
 * name_parse - as people write it in lists: disarmed (evil[.]example, hxxp://), "*.evil.example", with a port; a URL
 * without a path is its host. A bare address or a URL of one without a path is none.
 */
enum name_kind name_parse(struct text t, char out[LIST_NAME_BYTES], size_t *ret_n);
/* name_unicode - a canonical domain or URL with its xn-- labels as they are read. Return: bytes, 0: it has none. */
size_t name_unicode(struct text canonical, char out[LIST_NAME_BYTES]);
/* name_host - of a canonical URL, without its port. */
struct text name_host(struct text url);
/*
 * name_key - what canonical names are looked up by: a hash of kind and folded text, of which only the first LIST_KEY_BYTES
 * count. Equal names have equal keys; so have names that differ in case or diacritics only, or late.
 */
uint64_t name_key(enum name_kind k, struct text canonical);
