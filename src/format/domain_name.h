/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format/domain_name - what of a domain name was registered by whom: public suffixes, and lists of names to leave out.
 *
 * In:     lists as text (untrusted): rules in the form of publicsuffix.org, or names of exceptions, a line each; then names
 *         in any case, with or without the last dot.
 * Out:    a name split into what stands below the registered name, its label, and the public suffix.
 * Rules:  the longest rule wins, "*." stands for any one label, "!" excepts from such a rule; without a rule the last
 *         label is the suffix. Rules beyond ASCII are passed over and counted (logs write names in ASCII, RFC 5891).
 * Limits: DOMAIN_RULES_MAX rules, told apart by 64 bits; names of DOMAIN_NAME_BYTES. No I/O, no global state.
 * Source: publicsuffix.org/list (algorithm and format).
 * Fuzz:   tests/fuzz/names.c
 */
#pragma once

#include "base/text.h"

#define DOMAIN_RULES_MAX 262144u
#define DOMAIN_NAME_BYTES 1024u /* as format/dns.h writes them: 253 bytes, each up to four characters */

struct domain_rules;

/* what was read of one list */
struct domain_rules_read {
    uint32_t rules, passed_over; /* passed over: no name, or beyond ASCII */
};

struct domain_rules *domain_rules_new(void);
void domain_rules_free(struct domain_rules *r);
/*
 * domain_suffixes_read - add the rules of a list in the form of publicsuffix.org.
 * domain_exceptions_read - add exceptions: "name" holds for itself and all below it, "label.*" for every name with this label.
 * Return: 0; 1 (more than DOMAIN_RULES_MAX: the rest is not read); -ENOMEM.
 */
int domain_suffixes_read(struct domain_rules *r, struct text list, struct domain_rules_read *ret);
int domain_exceptions_read(struct domain_rules *r, struct text list, struct domain_rules_read *ret);

/* a.b.example.com.vn: below "a.b", label "example", registered "example.com.vn", suffix "com.vn"; spans of `name` */
struct domain_name {
    char name[DOMAIN_NAME_BYTES]; /* lower case, without the last dot */
    size_t n;
    unsigned n_labels;
    struct text below, label, registered, suffix; /* registered and label empty: the name is itself a suffix */
};

/* domain_name_read - Return: 0, or 1 (empty, too long, an empty label, or bytes no name holds: blanks, controls). */
int domain_name_read(const struct domain_rules *suffixes, struct text name, struct domain_name *ret);
/* domain_is_excepted - @rules of domain_exceptions_read. */
bool domain_is_excepted(const struct domain_rules *rules, const struct domain_name *name);
