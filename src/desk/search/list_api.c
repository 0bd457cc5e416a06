/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: what stands published, its versions, entries and differences; a file is looked at (preview) before it is published. Contents are
 * addresses of everybody: for who has list.read at the root. Below it one asks whether an address of one's own stands listed.
 */
#include "desk/search/search_own.h"

#include "base/clock.h"
#include "base/file.h"
#include "watch/indicator/lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_REPORTED = 1000, MAX_VERSIONS = 200, MAX_CHECKED = 64, MAX_DIFFERENCES = 10000, NAME_BYTES = 64 };

static const char *const KINDS[] = {"unknown", "windowed", "cumulative", NULL};

static json_t *text_json(struct text t)
{
    return json_stringn(t.n ? t.p : "", t.n);
}

static json_t *about_json(const struct list_about *a)
{
    return json_pack(
        "{s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "name", text_json(a->name), "version",
        (json_int_t)a->version, "kind", KINDS[a->kind <= LIST_CUMULATIVE ? a->kind : LIST_UNKNOWN], "letter",
        text_json(a->letter), "source", text_json(a->source), "family", text_json(a->family), "file", text_json(a->file_name),
        "date", web_time(a->date_us), "valid_until", web_time(a->valid_until_us == INT64_MAX ? 0 : a->valid_until_us), "added_at",
        web_time(a->added_us), "entries", (json_int_t)a->n_entries, "addresses",
        (json_int_t)(a->n_addresses_v4 > INT64_MAX ? INT64_MAX : a->n_addresses_v4), "names", (json_int_t)a->n_names);
}

/* --- what stands ------------------------------------------------------------------------------------------------- */

struct listing {
    const struct web_request *q;
    struct web_list *list;
    int64_t at;
};

static int add_list(void *context, const char *name, uint32_t current, uint32_t n_versions)
{
    struct listing *l = context;
    struct list *one;
    struct fault f = {0};
    if (l->at++ < (l->list->has_after ? l->list->after[0] : 0))
        return 0;
    int r = lists_open(web_data_dir(l->q->web), name, current, &one, &f);
    json_t *o = r ? json_pack("{s:s, s:s}", "name", name, "fault", f.text) : about_json(list_about(one));
    json_object_set_new(o, "versions", json_integer(n_versions));
    if (!r)
        list_close(one);
    return web_list_add(l->list, o, l->at, 0) ? 0 : 1;
}

int search_get_lists(const struct web_request *q, struct web_reply *r)
{
    struct web_list list;
    struct fault f = {0};
    if (!web_list_begin(q, r, TEXT("lists"), &list))
        return 0;
    struct listing l = {q, &list, 0};
    int e = lists_each(web_data_dir(q->web), add_list, &l, &f);
    return e < 0 && e != -ENOENT ? e : web_list_end(q, r, &list);
}

/* name_of - {list}, which is a list's name or none at all. Return: false: 404 was written. */
static bool name_of(const struct web_request *q, struct web_reply *r, const char **ret)
{
    struct text t = q->parameters[0];
    bool is_name = t.n && t.n <= NAME_BYTES && t.p[0] != '.';
    for (size_t i = 0; i < t.n && is_name; i++)
        is_name = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", t.p[i]) && t.p[i];
    *ret = is_name ? arena_text(q->arena, t.p, t.n) : NULL;
    if (!*ret)
        web_not_found(q, r);
    return *ret != NULL;
}

/* open_version - version @name of the query, or the current one. Return: false: 404 was written. */
static bool open_version(const struct web_request *q, struct web_reply *r, const char *name, const char *parameter,
                         struct list **ret)
{
    const char *value = web_query(q, parameter);
    uint64_t version = 0;
    struct fault f = {0};
    if ((value && text_u64((struct text){value, strlen(value)}, UINT32_MAX, &version)) ||
        lists_open(web_data_dir(q->web), name, (uint32_t)version, ret, &f)) {
        web_not_found(q, r);
        return false;
    }
    return true;
}

int search_get_versions(const struct web_request *q, struct web_reply *r)
{
    const char *name;
    struct list *one;
    struct web_list list;
    struct fault f = {0};
    if (!name_of(q, r, &name) || !open_version(q, r, name, "current", &one))
        return 0;
    uint32_t current = list_about(one)->version;
    list_close(one);
    if (!web_list_begin(q, r, q->parameters[0], &list))
        return 0;
    int64_t from = list.has_after ? list.after[0] - 1 : current;
    for (int64_t v = from; v > 0 && v > from - MAX_VERSIONS; v--) {
        if (lists_open(web_data_dir(q->web), name, (uint32_t)v, &one, &f))
            continue;
        bool goes_on = web_list_add(&list, about_json(list_about(one)), v, 0);
        list_close(one);
        if (!goes_on)
            break;
    }
    return web_list_end(q, r, &list);
}

static json_t *entry_json(const struct list_entry *e)
{
    char where[2 * IP_TEXT_MAX] = "";
    if (e->kind == NAME_NONE)
        ip_range_format(&e->range, where);
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "value",
                     e->kind == NAME_NONE ? json_string(where) : text_json(e->name), "kind",
                     e->kind == NAME_NONE ? "address" : name_kind_text(e->kind), "role", e->role == LIST_C2 ? "c2" : "bot",
                     "port", e->port ? json_integer(e->port) : json_null(), "first_at", web_time(e->first_us), "last_at",
                     web_time(e->last_us), "family", text_json(e->family), "unit", text_json(e->unit), "row", (json_int_t)e->row,
                     "count", (json_int_t)e->count, "asn", (json_int_t)e->asn);
}

int search_get_entries(const struct web_request *q, struct web_reply *r)
{
    const char *name, *version = web_query(q, "version");
    struct list *one;
    struct web_list list;
    struct list_entry e;
    if (!search_sees_all(q, PERMISSION_LIST_READ))
        return web_not_found(q, r);
    if (!name_of(q, r, &name) || !open_version(q, r, name, "version", &one))
        return 0;
    if (web_list_begin(q, r, version ? (struct text){version, strlen(version)} : q->parameters[0], &list)) {
        for (int64_t i = list.has_after ? list.after[0] : 0; !list_entry(one, (uint64_t)i, &e); i++)
            if (!web_list_add(&list, entry_json(&e), i + 1, 0))
                break;
        int r2 = web_list_end(q, r, &list);
        list_close(one);
        return r2;
    }
    list_close(one);
    return 0;
}

struct differing {
    json_t *items;
};

static int add_difference(void *context, char what, const struct list_entry *e)
{
    struct differing *d = context;
    if (what == '=' || json_array_size(d->items) >= MAX_DIFFERENCES)
        return 0;
    json_t *o = entry_json(e);
    json_object_set_new(o, "change", json_string(what == '+' ? "new" : "gone"));
    return json_array_append_new(d->items, o) ? -ENOMEM : 0;
}

int search_get_diff(const struct web_request *q, struct web_reply *r)
{
    const char *name;
    struct list *older, *newer;
    struct list_diff n;
    if (!search_sees_all(q, PERMISSION_LIST_READ))
        return web_not_found(q, r);
    if (!name_of(q, r, &name) || !open_version(q, r, name, "from", &older))
        return 0;
    if (!open_version(q, r, name, "to", &newer)) {
        list_close(older);
        return 0;
    }
    struct differing d = {json_array()};
    int e = lists_diff(older, newer, &n, add_difference, &d);
    json_t *o = json_pack("{s:o, s:o, s:I, s:I, s:I, s:b, s:o}", "from", about_json(list_about(older)), "to",
                          about_json(list_about(newer)), "new", (json_int_t)n.n_new, "persistent", (json_int_t)n.n_persistent,
                          "gone", (json_int_t)n.n_gone, "is_cut", n.n_new + n.n_gone > MAX_DIFFERENCES, "items", d.items);
    list_close(older);
    list_close(newer);
    if (e)
        json_decref(o);
    return e ? e : web_json(r, 200, o);
}

/* --- is this address listed? --------------------------------------------------------------------------------------- */

static bool may_ask(const struct web_request *q, const struct ip *a, int *ret_fault)
{
    struct ip_range *own;
    size_t n;
    *ret_fault = 0;
    if (search_sees_all(q, PERMISSION_LIST_READ))
        return true;
    *ret_fault = search_own_prefixes(q, PERMISSION_LIST_READ, &own, &n);
    for (size_t i = 0; !*ret_fault && i < n; i++)
        if (ip_range_has(&own[i], a))
            return true;
    return false;
}

int search_get_check(const struct web_request *q, struct web_reply *r)
{
    const char *value = web_query(q, "address");
    struct ip a;
    struct list **all;
    size_t n = 0;
    struct fault f = {0};
    int fault;
    if (!value || ip_parse(value, strlen(value), &a))
        return web_problem(q, r, 400, "bad_query");
    if (!may_ask(q, &a, &fault))
        return fault ? fault : web_problem(q, r, 403, "not_your_address");
    json_t *items = json_array();
    int e = lists_open_all(web_data_dir(q->web), &all, &n, &f);
    for (size_t i = 0; !e && i < n; i++) {
        struct list_entry found[MAX_CHECKED];
        size_t k = list_find(all[i], &a, found, MAX_CHECKED);
        for (size_t j = 0; j < k && j < MAX_CHECKED; j++) {
            json_t *o = entry_json(&found[j]);
            json_object_set_new(o, "list", text_json(list_about(all[i])->name));
            json_object_set_new(o, "version", json_integer(list_about(all[i])->version));
            json_array_append_new(items, o);
        }
        list_close(all[i]);
    }
    free(n ? all : NULL);
    return web_json(r, 200,
                    json_pack("{s:s, s:b, s:o, s:I}", "address", value, "is_listed", json_array_size(items) > 0, "items", items,
                              "lists_asked", (json_int_t)n));
}

/* --- a file ------------------------------------------------------------------------------------------------------ */

struct reading {
    json_t *refused, *warned;
};

static void note(json_t *all, uint64_t row, const char *why, const char *expected, struct text value)
{
    char shown[200];
    text_escape(value.p, value.n, shown, sizeof(shown));
    if (json_array_size(all) < MAX_REPORTED)
        json_array_append_new(
            all, json_pack("{s:I, s:s, s:s, s:s}", "row", (json_int_t)row, "reason", why, "expected", expected, "value", shown));
}

static void refused(void *context, uint64_t row, enum list_refusal why, struct text value)
{
    const struct reading *x = context;
    note(x->refused, row, list_refusal_name(why), list_refusal_expected(why), value);
}

static void warned(void *context, uint64_t row, enum list_warning why, struct text value)
{
    const struct reading *x = context;
    note(x->warned, row, list_warning_name(why), "", value);
}

static const char *query_or_null(const struct web_request *q, const char *name)
{
    const char *p = web_query(q, name);
    return p && *p ? p : NULL;
}

/* read_about - what the query says about the file. Return: false: 400 was written. */
static bool read_about(const struct web_request *q, struct web_reply *r, struct list_add *a)
{
    const char *kind = query_or_null(q, "kind"), *date = query_or_null(q, "date"), *until = query_or_null(q, "valid_until");
    int k = 0;
    while (kind && KINDS[k] && strcmp(KINDS[k], kind) != 0)
        k++;
    *a = (struct list_add){.name = a->name,
                           .file_name = query_or_null(q, "file"),
                           .kind = (enum list_kind)k,
                           .letter = query_or_null(q, "letter"),
                           .source = query_or_null(q, "source"),
                           .family = query_or_null(q, "family")};
    a->file_name = a->file_name ? a->file_name : "upload";
    if (!KINDS[k] || (date && clock_parse(date, strlen(date), ZONE_VIETNAM_S, &a->date_us)) ||
        (until && clock_parse(until, strlen(until), ZONE_VIETNAM_S, &a->valid_until_us))) {
        web_problem(q, r, 400, "bad_query");
        return false;
    }
    return true;
}

/* upload - the body as a file that can be read from its beginning. Return: >= 0 or -errno. */
static int upload(const struct web_request *q)
{
    int fd = memfd_create("list", MFD_CLOEXEC);
    int r = fd < 0 ? -errno : file_write_full(fd, q->bytes, q->n_bytes);
    if (!r && lseek(fd, 0, SEEK_SET) < 0)
        r = -errno;
    if (r)
        file_close(&fd);
    return r ? r : fd;
}

static json_t *report_json(const struct list_report *n, const struct reading *x)
{
    uint64_t refused_rows = 0;
    for (int i = 0; i < LIST_N_REFUSALS; i++)
        refused_rows += n->refused[i];
    return json_pack("{s:I, s:I, s:I, s:I, s:O, s:O}", "rows", (json_int_t)n->rows, "kept", (json_int_t)n->kept, "entries",
                     (json_int_t)n->entries, "refused", (json_int_t)refused_rows, "refused_rows", x->refused, "warned_rows",
                     x->warned);
}

/* not_published - a file that is no list, or mostly none: 422 with the reason and the rows */
static int not_published(const struct web_request *q, struct web_reply *r, int e, const struct fault *f)
{
    if (e == -ENOMEM || e == -ENOSPC || e == -EROFS || e == -EACCES)
        return e;
    web_problem(q, r, 422, "no_list");
    web_detail(r, f->text);
    return 0;
}

int search_post_preview(const struct web_request *q, struct web_reply *r)
{
    struct list_add add = {.name = "preview"};
    struct reading x = {json_array(), json_array()};
    struct list_report report = {.refused_row = refused, .warned_row = warned, .context = &x};
    struct list *one;
    struct fault f = {0};
    int e = 0;
    if (read_about(q, r, &add)) {
        int fd = upload(q);
        e = fd < 0 ? fd : lists_compile(fd, &add, &report, &one, &f);
        file_close(&fd);
        json_t *o = report_json(&report, &x);
        if (e) {
            json_decref(o);
            e = not_published(q, r, e, &f);
        } else {
            json_object_set_new(o, "list", about_json(list_about(one)));
            list_close(one);
            e = web_json(r, 200, o);
        }
    }
    json_decref(x.refused);
    json_decref(x.warned);
    return e;
}

/* publish - the version stands; the watch is woken (it looks by itself too) */
static int publish(const struct web_request *q, struct web_reply *r, const struct list_add *add, struct list_report *report,
                   struct reading *x)
{
    const struct search_desk *d = q->desk;
    uint32_t version;
    struct fault f = {0};
    json_t *answer = NULL;
    int fd = upload(q);
    int e = fd < 0 ? fd : lists_add(web_data_dir(q->web), fd, add, report, &version, &f);
    file_close(&fd);
    if (e)
        return not_published(q, r, e, &f);
    if (d->o.lookups.ask_watch && !d->o.lookups.ask_watch(d->o.lookups.context, json_pack("{s:s}", "op", "lists"), &answer))
        json_decref(answer);
    web_audit(q, "list.publish", version,
              json_pack("{s:s, s:s, s:I, s:I}", "list", add->name, "file", add->file_name, "rows", (json_int_t)report->rows,
                        "kept", (json_int_t)report->kept),
              (struct text){"", 0});
    json_t *o = report_json(report, x);
    json_object_set_new(o, "version", json_integer(version));
    return web_json(r, 201, o);
}

int search_post_list(const struct web_request *q, struct web_reply *r)
{
    struct list_add add = {0};
    struct reading x = {json_array(), json_array()};
    struct list_report report = {.refused_row = refused, .warned_row = warned, .context = &x};
    int e = 0;
    if (name_of(q, r, &add.name) && read_about(q, r, &add))
        e = search_sees_all(q, PERMISSION_LIST_WRITE) ? publish(q, r, &add, &report, &x) : web_problem(q, r, 403, "forbidden");
    json_decref(x.refused);
    json_decref(x.warned);
    return e;
}
