/* SPDX-License-Identifier: Apache-2.0 */
/*
 * desk/unit/desk_api - what the routes of units and of machines share: parameters, who acts, answers to conditions, reports of imports.
 */
#pragma once

#include "desk/unit/unit.h"
#include "web/web.h"

#define DESK_IMPORT_BYTES TABLE_FILE_BYTES

/* desk_actor - the caller, for the trail. */
struct unit_actor desk_actor(const struct web_request *q);

/* desk_query_* - a parameter of the address; absent: *@ret stays. Return: false: 400 is written. */
bool desk_query_number(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret);
bool desk_query_time(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret);
bool desk_query_choice(const struct web_request *q, struct web_reply *r, const char *name, const char *const *words, size_t n,
                       int64_t *ret);
/* desk_filter - the whole query but cursor, limit and format, for web_list_begin; in the arena. */
struct text desk_filter(const struct web_request *q, const char *const *names, size_t n);

/* desk_may - has the caller @permission at @unit itself (0: the root). */
bool desk_may(const struct web_request *q, enum permission permission, int64_t unit);
/* desk_may_import - for the `may` of imports; @context: the request; permission of the route. */
bool desk_may_import_unit(void *context, int64_t unit);
bool desk_may_import_machine(void *context, int64_t unit);

/* desk_answer - a condition of unit.h as its problem. Return: 0 for return, or -errno. */
int desk_answer(const struct web_request *q, struct web_reply *r, int condition);

/* desk_member_text - the member if the body has it, else @otherwise. */
struct text desk_member_text(const struct web_request *q, const char *name, size_t max, struct text otherwise);
/* desk_member_end - a time; null: UNIT_FOREVER; absent: @otherwise. */
int64_t desk_member_end(const struct web_request *q, const char *name, int64_t otherwise);
int64_t desk_member_from(const struct web_request *q, const char *name, int64_t otherwise);

/* desk_report - the account of an import. NULL without memory. */
json_t *desk_report(const struct web_request *q, const struct table_report *report);
/*
 * desk_import - of a route with WEB_BYTES and WEB_NO_DB: @run in a transaction of its own. 200 with the report; 422 with it where the file
 * was refused; with ?dry_run=1 the report of what would be, and nothing stays.
 */
typedef int desk_import_run(const struct web_request *q, struct db *db, struct table_report *report, struct fault *f);
struct desk_importing {
    const char *action, *kind; /* of the trail; of sees() */
    enum permission permission;
    desk_import_run *run;
};
int desk_import(const struct web_request *q, struct web_reply *r, const struct desk_importing *m);
/* desk_is_whole, desk_source - ?mode=whole; ?file_name= of an upload, or "-". */
bool desk_is_whole(const struct web_request *q);
struct text desk_source(const struct web_request *q);
/* desk_ids - ids as a JSON array in the arena, to be bound for json_each. */
struct text desk_ids(const struct web_request *q, const int64_t *ids, size_t n);
/*
 * desk_units - units where the caller has @permission, as desk_ids; *@ret_wide: so many that a list is better walked by its own order.
 */
struct text desk_units(const struct web_request *q, enum permission permission, bool *ret_wide);
