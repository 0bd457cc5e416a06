/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state/access_own - the inside of a snapshot, shared by access.c (decides) and access_load.c (reads it).
 */
#pragma once

#include "state/access.h"

#include <stdatomic.h>

/*
 * Units stand in the order of their ids, the root (id 0) first; first and last are the places of the unit and of the end of what
 * lies below it in a walk through the tree, so that "is within" is two comparisons. A unit that hangs on no root has first 0
 * (the root's is 1): nothing covers it.
 */
struct access_unit {
    int64_t id;
    uint32_t parent, first, last;
    uint32_t body; /* the nearest body, itself included; 0: none */
    bool is_body;
};

/* a binding, or one target of a grant */
struct access_right {
    int64_t person;
    uint64_t permissions;
    int64_t from_us, to_us;
    uint32_t unit;
    bool is_below, is_grant;
    const char *kind; /* of a single object; NULL: the unit counts */
    int64_t object;
};

/* the rights of one person: right[first .. first + n) */
struct access_person {
    int64_t id;
    size_t first, n;
};

struct access_member {
    int64_t audience, person;
    uint32_t unit;
    bool is_below;
};

struct access_view {
    atomic_uint n_holders;
    int64_t change; /* of the counter when it was read; -1: never */
    struct access_unit *units;
    size_t n_units, units_room;
    struct access_right *rights;
    size_t n_rights, rights_room;
    struct access_person *persons;
    size_t n_persons, persons_room;
    struct access_member *members;
    size_t n_members, members_room;
    struct arena arena; /* texts */
};

#define ACCESS_NO_UNIT UINT32_MAX
/* access_unit_at - the place of unit @id, or ACCESS_NO_UNIT. */
uint32_t access_unit_at(const struct access_view *v, int64_t id);
/* access_view_new - empty: nobody sees anything. access_view_read - one moment of the tables into it. */
struct access_view *access_view_new(void);
int access_view_read(struct access_view *v, const struct roles *roles, struct db *db);
void access_view_free(struct access_view *v);
