/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/list - one compiled list version: immutable, mapped from its file.
 *
 * Built from parsed rows (list_read.h), kept by the registry (lists.h), matched live (match.h) and
 * at rest through list_addresses (watch/address_set.h).
 */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "watch/address_set.h"
#include "watch/indicator/name.h"

enum list_kind { LIST_UNKNOWN, LIST_WINDOWED, LIST_CUMULATIVE };
enum list_role { LIST_BOT = 1, LIST_C2 = 2 }; /* a listed victim; a control server */

struct list; /* opaque */

/* what a list version says about itself; texts borrowed from the list */
struct list_about {
    struct text name, letter, source, family, file_name;
    uint32_t version;
    enum list_kind kind;
    int64_t date_us;        /* date of the list or letter; 0 unknown */
    int64_t valid_until_us; /* INT64_MAX: no end */
    int64_t added_us;
    uint64_t n_entries, n_addresses_v4; /* addresses saturate at UINT64_MAX */
    uint64_t n_names;       /* of the entries: domains, URLs, hashes */
};

/* one entry as it stood in the list */
struct list_entry {
    enum name_kind kind;    /* NAME_NONE: an address */
    struct text name;       /* of the others, canonical (name.h); borrowed */
    struct ip_range range;  /* of addresses */
    enum list_role role;
    uint16_t port;  /* 0 none */
    int64_t first_us, last_us; /* 0 unknown */
    uint64_t row;   /* line number in the raw file */
    uint64_t count; /* how often seen, 0 unknown */
    uint32_t asn;   /* 0 unknown */
    struct text family, unit, note, isp, province; /* borrowed */
};

int list_open(const char *path, struct list **ret, struct fault *f); /* mapped, checksums verified */
void list_close(struct list *l);
const struct list_about *list_about(const struct list *l);
/* list_addresses - every address of the list, of both roles. */
const struct address_set *list_addresses(const struct list *l);
/*
 * list_find - the entries that cover @a, most specific first; duplicates of one address are several entries.
 * Return: how many exist; at most @n_out are written.
 */
size_t list_find(const struct list *l, const struct ip *a, struct list_entry *out, size_t n_out);
/* list_has - whether any entry covers @a. */
bool list_has(const struct list *l, const struct ip *a);
/*
 * list_family - family of the most specific entries that cover @a, ties joined by ';' in list order,
 * each name once. Return: length written (terminated, cut to @n_out); 0 when unknown.
 */
size_t list_family(const struct list *l, const struct ip *a, char *out, size_t n_out);
uint64_t list_n_entries(const struct list *l);
/*
 * list_find_name - the entries that are canonical name @t of kind @k or, of a domain, a name above it; the nearest first.
 * Return: how many exist; at most @n_out are written.
 */
size_t list_find_name(const struct list *l, enum name_kind k, struct text t, struct list_entry *out, size_t n_out);
/* list_name_family - as list_family, for exactly this name. */
size_t list_name_family(const struct list *l, enum name_kind k, struct text t, char *out, size_t n_out);
/* list_entry - entry @i: IPv4 singles, IPv4 ranges, IPv6, each by address, then names by key. Return: 0, or 1 (no such entry). */
int list_entry(const struct list *l, uint64_t i, struct list_entry *ret);
/* list_open_fd - as list_open, from a descriptor (borrowed); @what names it in faults. */
int list_open_fd(int fd, const char *what, struct list **ret, struct fault *f);
