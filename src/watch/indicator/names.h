/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/names - the domains, URLs and hashes of many lists, looked up by the million a second.
 *
 * A filter in memory over the keys of all lists (16 bits a name) answers nearly every "no"; what it lets pass is looked up
 * in the mapped images of the lists and compared byte for byte. Immutable; may be read by many threads; no allocation
 * but at the beginning.
 */
#pragma once

#include "format/event.h"
#include "watch/indicator/list.h"

struct names;

/* Everywhere NULL is a set without names. names_new - over @lists (borrowed, must outlive it). NULL: no memory. */
struct names *names_new(struct list *const *lists, size_t n_lists);
void names_free(struct names *x);
/* names_count - entries that are names, of all lists; 0: nothing can match. */
uint64_t names_count(const struct names *x);

struct name_match {
    uint32_t list;       /* index in the array given */
    enum name_kind kind; /* of what is listed */
    struct text name;    /* as listed, canonical; borrowed from the list */
};

/*
 * names_find - which lists hold the canonical name @t or, of a domain, one above it. Each (list, listed name) once.
 * Return: how many were written, at most @max.
 */
size_t names_find(const struct names *x, enum name_kind k, struct text t, struct name_match *out, size_t max);

/* --- in log events ------------------------------------------------------------------------------------------------- */

#define NAMES_OF_EVENT 64u /* matches of one event that count */

/*
 * names_of_event - matches of row @row: domains in dns.question.name, dns.answers.data, url.domain, tls.client.server_name,
 * source/destination/client/server.domain, related.hosts and senders of mail; URLs in url.full, url.original (with
 * url.domain before a bare path) and http.request.referrer, and their hosts; hashes in file/process.hash.*, imphash,
 * related.hash, JA3 and the fingerprint of certificates.
 * Return: how many, at most NAMES_OF_EVENT.
 */
size_t names_of_event(const struct names *x, const struct events *e, uint32_t row, struct name_match out[NAMES_OF_EVENT]);
/* names_in_event - whether there is any: the fast question. */
bool names_in_event(const struct names *x, const struct events *e, uint32_t row);
/*
 * names_may_hold - whether a value of the word index (folded, cut to less than @n_max bytes) may lead to a match: never false
 * where names_of_event would find one by it.
 */
bool names_may_hold(const struct names *x, struct text folded, size_t n_max);

/* --- in flows --------------------------------------------------------------------------------------------------------- */

/* names_of_texts - the same of a flow's packed texts (flow_text): DNS, TLS and HTTP host names, JA3. */
size_t names_of_texts(const struct names *x, struct text packed, struct name_match out[NAMES_OF_EVENT]);
