/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries and hunts as jobs, their rows, and the routes of the desk. That somebody searched, and for what, is entered in the trail: events
 * are about people.
 */
#include "desk/search/search_own.h"
#include "desk/search/source.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_ROWS = 10000, MAX_LISTS_NAMED = 64, LIST_NAME_BYTES = 64 };

json_t *search_status(const struct search_desk *d)
{
    json_t *answer = NULL, *status;
    const struct search_lookups *l = &d->o.lookups;
    if (!l->ask_watch || l->ask_watch(l->context, json_pack("{s:s}", "op", "status"), &answer))
        return NULL;
    status = json_object_get(answer, "status");
    json_incref(status);
    json_decref(answer);
    return status;
}

bool search_sees_all(const struct web_request *q, enum permission p)
{
    return access_covers(q->view, q->who, UINT64_C(1) << p, 0, true, q->now_us);
}

int search_own_prefixes(const struct web_request *q, enum permission p, struct ip_range **ret, size_t *ret_n)
{
    const struct search_desk *d = q->desk;
    int64_t *units;
    size_t n;
    bool is_all;
    *ret = arena_alloc(q->arena, sizeof(**ret));
    *ret_n = 0;
    int r = *ret ? access_units(q->view, q->who, p, q->now_us, q->arena, &units, &n, &is_all) : -ENOMEM;
    if (r || !d->o.lookups.prefixes || !q->db)
        return r;
    return d->o.lookups.prefixes(d->o.lookups.context, q->db, units, n, q->now_us, q->arena, ret, ret_n);
}

const char *search_text(const struct web_request *q, const char *name, size_t max, bool is_needed)
{
    struct text t = web_member_text(q, name, max, is_needed);
    const char *p = arena_text(q->arena, t.n ? t.p : "", t.n);
    return p ? p : "";
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* read_window - since, until: RFC 3339, dates, or a span back from now, as the command line takes them */
static void read_window(const struct web_request *q, struct job_request *a)
{
    const char *since = search_text(q, "since", 64, false), *until = search_text(q, "until", 64, false);
    a->since_us = INT64_MIN;
    a->until_us = INT64_MAX;
    if (*since && clock_parse_when(since, ZONE_VIETNAM_S, q->now_us, &a->since_us))
        web_wrong(q, "/since", MSG_search_bad_time);
    if (*until && clock_parse_when(until, ZONE_VIETNAM_S, q->now_us, &a->until_us))
        web_wrong(q, "/until", MSG_search_bad_time);
    if (a->since_us > a->until_us)
        web_wrong(q, "/until", MSG_search_bad_time);
}

static int ask(const struct web_request *q, struct web_reply *r, struct job_request *a)
{
    const struct search_desk *d = q->desk;
    struct ip_range *only;
    int64_t id;
    a->person = q->who->user;
    a->rows_max = web_member_int(q, "limit", 1, JOB_ROWS_MAX, DEFAULT_ROWS, false);
    a->sees_all = search_sees_all(q, PERMISSION_EVENT_SEARCH);
    read_window(q, a);
    if (!web_check(q, r))
        return 0;
    int e = search_own_prefixes(q, PERMISSION_EVENT_SEARCH, &only, &a->n_only);
    a->only = only;
    e = e ? e : jobs_add(d->jobs, a, q->now_us, &id);
    if (e == JOBS_FULL)
        return web_problem(q, r, 429, "too_many_jobs");
    if (e)
        return e;
    web_audit(q, a->kind == JOB_QUERY ? "search.query" : "search.hunt", id,
              json_pack("{s:s, s:I}", "text", a->text ? a->text : "lists", "limit", (json_int_t)a->rows_max),
              web_member_text(q, "purpose", 1000, false));
    return web_json(r, 202, jobs_json(d->jobs, id, q->who->user));
}

static int post_query(const struct web_request *q, struct web_reply *r)
{
    struct job_request a = {.kind = JOB_QUERY, .text = search_text(q, "query", JOB_TEXT_MAX - 1, true)};
    return ask(q, r, &a);
}

static int post_hunt(const struct web_request *q, struct web_reply *r)
{
    const char *names[MAX_LISTS_NAMED], *typed = search_text(q, "addresses", JOB_TEXT_MAX - 1, false);
    struct job_request a = {
        .kind = JOB_HUNT, .text = *typed ? typed : NULL, .lists = names, .is_rows = web_member_bool(q, "rows", false)};
    json_t *lists = json_object_get(q->body, "lists"), *name;
    size_t i;
    if ((lists && !json_is_array(lists)) || json_array_size(lists) > MAX_LISTS_NAMED || (lists && *typed))
        web_wrong(q, "/lists", MSG_search_bad_lists);
    else
        json_array_foreach (lists, i, name) {
            if (!json_is_string(name) || json_string_length(name) > LIST_NAME_BYTES ||
                strlen(json_string_value(name)) != json_string_length(name))
                web_wrong(q, "/lists", MSG_search_bad_lists);
            else
                names[a.n_lists++] = json_string_value(name);
        }
    return ask(q, r, &a);
}

/* --- jobs -------------------------------------------------------------------------------------------------------- */

struct listing {
    struct web_list *list;
};

static bool add_job(void *context, json_t *job, int64_t id)
{
    const struct listing *l = context;
    if (l->list->has_after && id >= l->list->after[0]) {
        json_decref(job);
        return true;
    }
    return web_list_add(l->list, job, id, 0);
}

static int get_jobs(const struct web_request *q, struct web_reply *r)
{
    const struct search_desk *d = q->desk;
    struct web_list list;
    if (!web_list_begin(q, r, TEXT("jobs"), &list))
        return 0;
    struct listing l = {&list};
    jobs_each(d->jobs, q->who->user, add_job, &l);
    return web_list_end(q, r, &list);
}

static int get_job(const struct web_request *q, struct web_reply *r)
{
    const struct search_desk *d = q->desk;
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    json_t *o = jobs_json(d->jobs, id, q->who->user);
    return o ? web_json(r, 200, o) : web_not_found(q, r);
}

static int delete_job(const struct web_request *q, struct web_reply *r)
{
    const struct search_desk *d = q->desk;
    int64_t id;
    if (!web_parameter_id(q, r, 0, &id))
        return 0;
    if (!jobs_cancel(d->jobs, id, q->who->user))
        return web_not_found(q, r);
    web_audit(q, "search.cancel", id, NULL, (struct text){"", 0});
    r->status = 204;
    return 0;
}

/* whole_file - all rows at once, as a file to take away */
static int whole_file(const struct web_request *q, struct web_reply *r, int64_t id, bool is_csv)
{
    const struct search_desk *d = q->desk;
    struct stat st;
    int fd = jobs_file(d->jobs, id, q->who->user, is_csv);
    if (fd < 0)
        return fd == -ENOENT ? web_not_found(q, r) : fd;
    int e = fstat(fd, &st) ? -errno : 0;
    r->bytes.max = e ? 0 : (size_t)st.st_size + 1;
    uint8_t *p = e ? NULL : buf_room(&r->bytes, (size_t)st.st_size + 1);
    e = e ? e : p ? file_pread_full(fd, p, (size_t)st.st_size, 0) : -ENOMEM;
    file_close(&fd);
    if (e)
        return e;
    r->bytes.n = (size_t)st.st_size;
    r->content_type = is_csv ? "text/csv; charset=utf-8" : "application/x-ndjson";
    r->file_name = is_csv ? "rows.csv" : "rows.jsonl";
    return 0;
}

static bool number(const struct web_request *q, struct web_reply *r, const char *name, uint64_t max, uint64_t otherwise,
                   uint64_t *ret)
{
    const char *value = web_query(q, name);
    *ret = otherwise;
    if (!value || !text_u64((struct text){value, strlen(value)}, max, ret))
        return true;
    web_problem(q, r, 400, "bad_query");
    return false;
}

static int get_rows(const struct web_request *q, struct web_reply *r)
{
    const struct search_desk *d = q->desk;
    const char *format = web_query(q, "format");
    uint64_t from, limit;
    int64_t id, next;
    json_t *rows;
    if (!web_parameter_id(q, r, 0, &id) || !number(q, r, "from", INT64_MAX / 2, 0, &from) ||
        !number(q, r, "limit", WEB_PAGE_MAX, 100, &limit))
        return 0;
    if (format && (!strcmp(format, "csv") || !strcmp(format, "jsonl")))
        return whole_file(q, r, id, format[0] == 'c');
    int e = jobs_rows(d->jobs, id, q->who->user, (int64_t)from, limit, &rows, &next);
    if (e)
        return e > 0 ? web_not_found(q, r) : e;
    return web_json(r, 200, json_pack("{s:o, s:o}", "items", rows, "next", next < 0 ? json_null() : json_integer(next)));
}

/* --- sources ----------------------------------------------------------------------------------------------------- */

/* own_sources - of @all those that stand in the units' own prefixes: what others send is theirs */
static int own_sources(const struct web_request *q, const json_t *all, json_t **ret)
{
    struct ip_range *own;
    size_t n, i;
    json_t *o;
    *ret = json_array();
    int e = *ret ? search_own_prefixes(q, PERMISSION_SOURCE_READ, &own, &n) : -ENOMEM;
    json_array_foreach (all, i, o) {
        const char *address = json_string_value(json_object_get(o, "address"));
        struct ip ip;
        bool is_own = false;
        if (e || !address || ip_parse(address, strlen(address), &ip))
            continue;
        for (size_t k = 0; k < n && !is_own; k++)
            is_own = ip_range_has(&own[k], &ip);
        if (is_own && json_array_append(*ret, o))
            e = -ENOMEM;
    }
    return e;
}

static int get_sources(const struct web_request *q, struct web_reply *r)
{
    json_t *status = search_status(q->desk), *all = source_list(status, q->now_us), *seen = NULL;
    bool is_up = status != NULL;
    int e = search_sees_all(q, PERMISSION_SOURCE_READ) ? 0 : own_sources(q, all, &seen);
    json_decref(status);
    if (seen) {
        json_decref(all);
        all = seen;
    }
    if (e) {
        json_decref(all);
        return e;
    }
    return web_json(r, 200, json_pack("{s:o, s:b, s:o}", "items", all, "is_watch_up", is_up, "next", json_null()));
}

json_t *search_desk_blind_spots(struct search_desk *d, int64_t now_us)
{
    json_t *status = search_status(d), *all = source_blind_spots(status, now_us);
    json_decref(status);
    return all;
}

/* what the whole watch does not see, and its account of itself, are for who reads sources at the root */
static int get_blind_spots(const struct web_request *q, struct web_reply *r)
{
    bool may = search_sees_all(q, PERMISSION_SOURCE_READ);
    json_t *all = may ? search_desk_blind_spots(q->desk, q->now_us) : json_array();
    return web_json(r, 200, json_pack("{s:o, s:o}", "items", all, "next", json_null()));
}

static int get_status(const struct web_request *q, struct web_reply *r)
{
    if (!search_sees_all(q, PERMISSION_SOURCE_READ))
        return web_not_found(q, r);
    json_t *status = search_status(q->desk);
    return web_json(r, 200, status ? status : json_object());
}

/* --- the desk ---------------------------------------------------------------------------------------------------- */

#define V1 "/api/v1/"
#define SEARCH PERMISSION_EVENT_SEARCH
static const struct web_route ROUTES[] = {
    {WEB_POST, V1 "queries", SEARCH, WEB_WRITES | WEB_COSTLY, NULL, post_query, "startQuery", 128 << 10},
    {WEB_POST, V1 "hunts", SEARCH, WEB_WRITES | WEB_COSTLY, NULL, post_hunt, "startHunt", 128 << 10},
    {WEB_GET, V1 "jobs", SEARCH, WEB_LIST | WEB_NO_DB, NULL, get_jobs, "listJobs", 0},
    {WEB_GET, V1 "jobs/{job}", SEARCH, WEB_NO_DB, NULL, get_job, "getJob", 0},
    {WEB_DELETE, V1 "jobs/{job}", SEARCH, WEB_WRITES, NULL, delete_job, "cancelJob", 0},
    {WEB_GET, V1 "jobs/{job}/rows", SEARCH, WEB_NO_DB, NULL, get_rows, "getRowsOfJob", 0},
    {WEB_GET, V1 "hunt-records", SEARCH, WEB_LIST, "hunt_record", search_get_records, "listHuntRecords", 0},
    {WEB_POST, V1 "hunt-records", SEARCH, WEB_WRITES, "hunt_record", search_post_record, "addHuntRecord", 0},
    {WEB_GET, V1 "hunt-records/{record}", SEARCH, 0, "hunt_record", search_get_record, "getHuntRecord", 0},
    {WEB_PATCH, V1 "hunt-records/{record}", SEARCH, WEB_WRITES | WEB_NEEDS_VERSION, "hunt_record", search_patch_record,
     "changeHuntRecord", 0},
    {WEB_POST, V1 "hunt-records/{record}/sign", PERMISSION_REPORT_SIGN, WEB_WRITES | WEB_NEEDS_VERSION, "hunt_record",
     search_sign_record, "signHuntRecord", 0},
    {WEB_GET, V1 "lists", PERMISSION_LIST_READ, WEB_LIST, NULL, search_get_lists, "listLists", 0},
    {WEB_GET, V1 "lists/{list}/versions", PERMISSION_LIST_READ, WEB_LIST, NULL, search_get_versions, "listVersionsOfList", 0},
    {WEB_GET, V1 "lists/{list}/entries", PERMISSION_LIST_READ, WEB_LIST, NULL, search_get_entries, "listEntriesOfList", 0},
    {WEB_GET, V1 "lists/{list}/diff", PERMISSION_LIST_READ, 0, NULL, search_get_diff, "compareVersionsOfList", 0},
    {WEB_GET, V1 "list-check", PERMISSION_LIST_READ, 0, NULL, search_get_check, "checkAddress", 0},
    {WEB_POST, V1 "list-preview", PERMISSION_LIST_WRITE, WEB_BYTES | WEB_NO_DB | WEB_COSTLY, NULL, search_post_preview,
     "previewList", (size_t)64 << 20},
    {WEB_POST, V1 "lists/{list}/versions", PERMISSION_LIST_WRITE, WEB_BYTES | WEB_WRITES | WEB_COSTLY, NULL, search_post_list,
     "addVersionOfList", (size_t)64 << 20},
    {WEB_GET, V1 "sources", PERMISSION_SOURCE_READ, 0, NULL, get_sources, "listSources", 0},
    {WEB_GET, V1 "blind-spots", PERMISSION_SOURCE_READ, WEB_NO_DB, NULL, get_blind_spots, "listBlindSpots", 0},
    {WEB_GET, V1 "node-status", PERMISSION_SOURCE_READ, WEB_NO_DB, NULL, get_status, "getNodeStatus", 0},
};

static int64_t tick(struct web *w, void *desk, int64_t now_us)
{
    const struct search_desk *d = desk;
    (void)w;
    jobs_upkeep(d->jobs, now_us);
    return now_us + 30 * US_PER_SECOND;
}

int search_desk_new(const struct search_options *o, struct search_desk **ret, struct fault *f)
{
    struct search_desk *d = calloc(1, sizeof(*d));
    if (!d)
        return FAULT(f, -ENOMEM, no_memory, "search");
    d->o = *o;
    int r = jobs_new(&o->jobs, &d->jobs, f);
    if (r) {
        free(d);
        return r;
    }
    *ret = d;
    return 0;
}

void search_desk_free(struct search_desk *d)
{
    if (d)
        jobs_free(d->jobs);
    free(d);
}

struct web_desk search_desk_entry(struct search_desk *d)
{
    static const struct trail_kind KINDS[] = {{"hunt_record", "hunt_record"}};
    return (struct web_desk){.name = "search",
                             .migrations = &search_migrations,
                             .routes = ROUTES,
                             .n_routes = sizeof(ROUTES) / sizeof(ROUTES[0]),
                             .kinds = KINDS,
                             .n_kinds = 1,
                             .desk = d,
                             .tick = tick};
}
