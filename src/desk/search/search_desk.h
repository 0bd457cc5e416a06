/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/search/search_desk - the event store for people: queries and hunts as jobs, hunt records, lists, sources, what is not seen.
 *
 * What a person may see of events: with event.search at the root everything; else rows with an end in the prefixes of the units
 * where he has it, and no more. Lists hold addresses of everybody: their contents need list.read at the root; who has it below asks
 * whether an address of his own space is listed.
 * The office writes lists by the same call as the command line (indicator/lists) and wakes the watch.
 */
#pragma once

#include "desk/search/job.h"
#include "web/web.h"

struct search_lookups {
    void *context;
    /* ask the watch: @request is consumed. Return: 0 with the answer (owned), -ENOENT: it does not run, or -errno. May be NULL. */
    int (*ask_watch)(void *context, json_t *request, json_t **ret);
    /* prefixes of units at a time, in @arena. Return: 0 or -errno. May be NULL: nobody has any. */
    int (*prefixes)(void *context, struct db *db, const int64_t *units, size_t n, int64_t at_us, struct arena *arena,
                    struct ip_range **ret, size_t *ret_n);
};

struct search_options {
    struct job_options jobs;
    struct search_lookups lookups;
};

struct search_desk;
int search_desk_new(const struct search_options *o, struct search_desk **ret, struct fault *f);
void search_desk_free(struct search_desk *d);
struct web_desk search_desk_entry(struct search_desk *d);
/* search_desk_blind_spots - for the overview; owned by the caller; NULL without memory. */
json_t *search_desk_blind_spots(struct search_desk *d, int64_t now_us);
