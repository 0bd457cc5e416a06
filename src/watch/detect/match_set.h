/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch/detect/match_set - what the node matches against at one moment: every current list, the
 * matcher over them, and the own space. Immutable once made; replaced whole by one pointer.
 */
#pragma once

#include "watch/indicator/list.h"
#include "watch/indicator/match.h"
#include "watch/indicator/names.h"
#include "watch/indicator/space.h"

struct match_list {
    struct list *list;
    /*
     * Rows received at or after this time are this set's business; earlier ones are the hunt's that is
     * started for the list: together every row is counted once. When the clock is set back, the owner makes every
     * list active anew: else nothing would be matched until the clock has passed this time again. Known limit: rows
     * received before that whose time of receipt then comes a second time are not the business of a later hunt of the
     * same process; a restart counts them again.
     */
    int64_t active_from_us;
};

struct match_set {
    struct match_list *lists;
    struct list **list_pointers; /* the same, as the matcher takes them */
    size_t n_lists;
    struct space *space; /* NULL: none */
    struct matcher *matcher; /* NULL when there is no list */
    struct names *names;     /* likewise */
    uint64_t generation;
};

/*
 * match_set_load - the published lists and own space of @data_dir.
 * @previous: lists of the same name and version keep their active_from_us; may be NULL.
 * @active_from_us: for lists that are new or changed.
 * Return: 0 or -errno; a list that cannot be opened fails the load: never a partial set.
 */
int match_set_load(const char *data_dir, const struct match_set *previous, int64_t active_from_us,
                   struct match_set **ret, struct fault *f);
void match_set_free(struct match_set *m);
