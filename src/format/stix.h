/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/stix - STIX patterns: whether they are well-formed, and the addresses they name.
 *
 * In:     one pattern, untrusted text.
 * Out:    each comparison with an IP address that makes the pattern match: =, IN and ISSUBSET on
 *         ipv4-addr:value, ipv6-addr:value, network-traffic:src_ref.value and dst_ref.value, never under NOT;
 *         and each = and IN with a name (STIX_NAME): domain-name:value, url:value, file:hashes.MD5, .'SHA-1', .'SHA-256'.
 * Limits: brackets nested to STIX_MAX_DEPTH. No I/O, no allocation, no logging, no global state; reentrant.
 * Source: OASIS STIX 2.1, section 9 (patterning); the 2.0 grammar is contained.
 * Fuzz:   tests/fuzz/stix.c
 */
#pragma once

#include "base/text.h"

enum { STIX_MAX_DEPTH = 64, STIX_VALUE_MAX = 2048 };

enum stix_where { STIX_ADDRESS, STIX_SOURCE, STIX_DESTINATION, STIX_NAME };

struct stix_address {
    enum stix_where where;
    struct text value; /* escapes removed; borrowed for the call; cut to STIX_VALUE_MAX */
    uint16_t port;     /* of the same observation, when it names just one for this side; else 0 */
};

typedef int (*stix_each)(void *context, const struct stix_address *a);

/*
 * stix_pattern - check the whole pattern, then give each address (NULL: only check).
 * Return: 0, STIX_MALFORMED, or what @each returned below zero.
 */
enum { STIX_MALFORMED = 1 };
int stix_pattern(struct text pattern, stix_each each, void *context);
