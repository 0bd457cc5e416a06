/* SPDX-License-Identifier: Apache-2.0 */
/* desk/search/search_own - what the files of this desk share. */
#pragma once

#include "desk/search/search_desk.h"

struct search_desk {
    struct search_options o;
    struct jobs *jobs;
    int64_t next_upkeep_us;
};

/* search_status - the watch's account of itself; NULL: it did not answer. Owned by the caller. */
json_t *search_status(const struct search_desk *d);
/* search_sees_all - whether the person has @p at the root, for all below. */
bool search_sees_all(const struct web_request *q, enum permission p);
/* search_own_prefixes - of the units where the person has @p now. Return: 0 or -errno. */
int search_own_prefixes(const struct web_request *q, enum permission p, struct ip_range **ret, size_t *ret_n);
/* search_text - a member as a terminated text of the request; "" when absent. */
const char *search_text(const struct web_request *q, const char *name, size_t max, bool is_needed);

/* routes; see struct web_route */
int search_get_lists(const struct web_request *q, struct web_reply *r);
int search_get_versions(const struct web_request *q, struct web_reply *r);
int search_get_entries(const struct web_request *q, struct web_reply *r);
int search_get_diff(const struct web_request *q, struct web_reply *r);
int search_get_check(const struct web_request *q, struct web_reply *r);
int search_post_preview(const struct web_request *q, struct web_reply *r);
int search_post_list(const struct web_request *q, struct web_reply *r);
int search_get_records(const struct web_request *q, struct web_reply *r);
int search_get_record(const struct web_request *q, struct web_reply *r);
int search_post_record(const struct web_request *q, struct web_reply *r);
int search_patch_record(const struct web_request *q, struct web_reply *r);
int search_sign_record(const struct web_request *q, struct web_reply *r);

extern const struct db_migrations search_migrations;
