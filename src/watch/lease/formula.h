/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/lease/formula - deterministic translation: whom an outside address and port belong to follows from the gateway's
 * configuration, so that nothing need be logged.
 *
 * DIR/leases/FORMULAS is a CSV file with a header, one row a configuration:
 *   gateway          its name
 *   realm            of the inside addresses; may be empty
 *   inside           addresses of users in their order: prefixes or ranges a-b, separated by blanks
 *   outside          public addresses in their order, likewise
 *   port_first, port_last   that are given out (1024, 65535)
 *   ports_per_user   block size
 *   method           sequential    a user's block behind the one before, an address full before the next begins
 *                    interleaved   the same, but a user's ports are every n-th of the address, n users sharing it
 *                    round_robin   users take the outside addresses in turn, then the next block of each
 *   from, to         when this configuration held; empty: always
 * Source: RFC 7422 (sections 2 and 3: sequential and other algorithms); which method a maker's device follows is its manual's
 * matter: compare one of its own answers before relying on it (docs/leases.md).
 */
#pragma once

#include "base/arena.h"
#include "base/fault.h"
#include "base/ip.h"
#include "base/text.h"

#define FORMULAS_MAX 4096u
#define FORMULA_RANGES_MAX 256u
#define FORMULAS_FILE_MAX ((size_t)16 << 20)

enum formula_method { FORMULA_SEQUENTIAL, FORMULA_INTERLEAVED, FORMULA_ROUND_ROBIN };

struct formula_pool {
    struct ip_range *ranges; /* in the order given */
    uint64_t *before;        /* addresses in the ranges before */
    uint32_t n;
    uint64_t n_addresses;
};

struct formula {
    struct text gateway, realm; /* in the arena */
    struct formula_pool inside, outside;
    uint16_t port_first, port_last;
    uint32_t ports_per_user, users_per_address;
    enum formula_method method;
    int64_t from_us, to_us; /* INT64_MIN, INT64_MAX: always */
};

struct formulas {
    struct formula *all;
    uint32_t n;
    struct arena arena;
};

/* formulas_parse - all of @text or nothing: the fault names line and value. Return: 0, 1 (wrong), -ENOMEM. */
int formulas_parse(struct text text, int zone_s, struct formulas *ret, struct fault *f);
/* formulas_load - what DIR keeps; none: an empty set. Return: 0 or -errno. */
int formulas_load(const char *data_dir, struct formulas *ret, struct fault *f);
/* formulas_add - the rows of @text behind those kept, whole and durable. Return: 0, 1 (wrong: nothing is changed), -errno. */
int formulas_add(const char *data_dir, struct text text, int zone_s, uint32_t *ret_n, struct fault *f);
void formulas_fini(struct formulas *x);

/* formula_inside - who holds @outside and @port. Return: 0 (@ret, and the first and last of the user's ports), 1 (nobody). */
int formula_inside(const struct formula *x, const struct ip *outside, uint16_t port, struct ip *ret, uint16_t *ret_first,
                   uint16_t *ret_last);
/* formula_outside - the other way: address and first port of a user, for checks. Return: 0 or 1. */
int formula_outside(const struct formula *x, const struct ip *inside, struct ip *ret, uint16_t *ret_first, uint16_t *ret_last);
