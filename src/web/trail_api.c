/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail read, its head, and whether it holds. It speaks of everything, so only who may audit the whole office reads it. */
#include "web/web_own.h"

#include "web/web_db.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* may_all - Return: false: 403 was written. */
static bool may_all(const struct web_request *q, struct web_reply *r)
{
    if (web_covers(q, PERMISSION_BIT(AUDIT_READ), 0, true))
        return true;
    web_problem(q, r, 403, "not_allowed");
    return false;
}

static json_t *hex(struct text bytes)
{
    struct sha256 h;
    char text[SHA256_TEXT_MAX];
    if (bytes.n != sizeof(h.b))
        return json_null();
    memcpy(h.b, bytes.p, sizeof(h.b));
    sha256_format(&h, text);
    return json_string(text);
}

static bool add_entry(void *context, const struct web_db_entry *e)
{
    json_t *detail = e->detail.n ? json_loadb(e->detail.p, e->detail.n, JSON_DECODE_ANY, NULL) : NULL;
    return web_list_add(context, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "n", (json_int_t)e->n, "at",
        web_time(e->at_us),
                                           "who", web_string(e->who), "action", web_string(e->action), "kind", web_string(e->kind),
                                           "object",
                                           e->object ? json_integer(e->object) : json_null(), "why", web_string(e->why), "detail",
                                           detail ? detail : json_null(), "address", web_string(e->address), "link", hex(e->link)),
                        e->n, 0);
}

static bool query_time(const struct web_request *q, struct web_reply *r, const char *name, int64_t *ret)
{
    const char *v = web_query(q, name);
    if (!v || !*v || (strlen(v) >= 10 && !clock_parse(v, strlen(v), ZONE_VIETNAM_S, ret)))
        return true;
    web_problem(q, r, 400, "bad_query");
    return false;
}

static int get_entries(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    char filter[512];
    uint64_t object = 0;
    const char *given = web_query(q, "object");
    struct web_db_entries x = {.who = web_query(q, "who"), .kind = web_query(q, "kind"), .action = web_query(q, "action")};
    if (!may_all(q, r) || !query_time(q, r, "since", &x.since_us) || !query_time(q, r, "until", &x.until_us))
        return 0;
    if (given && text_u64((struct text){given, strlen(given)}, INT64_MAX, &object))
        return web_problem(q, r, 400, "bad_query");
    int n = snprintf(filter, sizeof(filter), "%lld|%lld|%.100s|%.100s|%.100s|%llu", (long long)x.since_us, (long long)x.until_us,
                     x.who ? x.who : "", x.kind ? x.kind : "", x.action ? x.action : "", (unsigned long long)object);
    if (!web_list_begin(q, r, (struct text){filter, (size_t)n}, &l))
        return 0;
    x.object = (int64_t)object;
    x.before = l.has_after ? l.after[0] : 0;
    x.limit = l.limit + 1;
    web_db_entries(q->db, &x, add_entry, &l);
    return web_list_end(q, r, &l);
}

static int get_head(const struct web_request *q, struct web_reply *r)
{
    struct sha256 head;
    uint64_t n = 0;
    char text[SHA256_TEXT_MAX];
    if (!may_all(q, r))
        return 0;
    int e = trail_head(q->db, &head, &n);
    if (e < 0)
        return e;
    sha256_format(&head, text);
    return web_json(r, 200, json_pack("{s:I, s:o, s:o}", "n", (json_int_t)n, "head", e ? json_null() : json_string(text), "at",
        web_time(q->now_us)));
}

static int get_verified(const struct web_request *q, struct web_reply *r)
{
    const char *given = web_query(q, "head");
    struct sha256 head;
    struct trail_report x = {0};
    struct fault f = {0};
    char text[SHA256_TEXT_MAX];
    if (!may_all(q, r))
        return 0;
    if (given && sha256_parse(given, strlen(given), &head))
        return web_problem(q, r, 400, "bad_query");
    int e = trail_verify(q->db, given ? &head : NULL, &x, &f);
    if (e < 0)
        return e;
    sha256_format(&x.head, text);
    return web_json(r, 200, json_pack("{s:b, s:I, s:I, s:I, s:I, s:s, s:s, s:o}", "is_whole",
                                      (int)(!x.first_wrong && !x.n_objects_wrong && (!given || x.has_head)), "entries",
                                      (json_int_t)x.n_entries,
                                      "first_wrong", (json_int_t)x.first_wrong, "objects", (json_int_t)x.n_objects, "objects_wrong",
                                      (json_int_t)x.n_objects_wrong, "wrong_object", x.wrong_object, "head", text, "has_head",
                                      given ? json_boolean(x.has_head) : json_null()));
}

#define ROUTE(path, flags, function, operation) \
    {WEB_GET, "/api/v1/" path, PERMISSION_AUDIT_READ, WEB_SENSITIVE | (flags), NULL, (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE("audit", WEB_LIST, get_entries, "audit_list"),
    ROUTE("audit/head", 0, get_head, "audit_head"),
    ROUTE("audit/verify", WEB_COSTLY, get_verified, "audit_verify"),
};
const struct web_desk web_trail_desk = {.name = "trail", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
