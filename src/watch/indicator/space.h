/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/indicator/space - the own address space: prefixes, whose they are, and when.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "watch/address_set.h"

struct space; /* compiled, immutable, mapped */

struct space_entry {
    struct ip_range range;
    struct text unit;                    /* may be empty */
    int64_t valid_from_us, valid_to_us; /* INT64_MIN / INT64_MAX: always */
};

/* space_open, space_open_fd - mapped, checksums verified; the descriptor is borrowed, @what names it. Return: 0 or -errno. */
int space_open(const char *path, struct space **ret, struct fault *f);
int space_open_fd(int fd, const char *what, struct space **ret, struct fault *f);
void space_close(struct space *s);
uint32_t space_version(const struct space *s);
const struct address_set *space_addresses(const struct space *s);
/*
 * space_find - the most specific entry that covers @a at @at_us (longest prefix; then the later valid_from).
 * Return: true if @a is ours then.
 */
bool space_find(const struct space *s, const struct ip *a, int64_t at_us, struct space_entry *ret);
uint64_t space_n_entries(const struct space *s);
int space_entry(const struct space *s, uint64_t i, struct space_entry *ret);
