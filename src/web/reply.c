/* SPDX-License-Identifier: Apache-2.0 */
/* What goes back: JSON or bytes, problems as RFC 9457 has them, and the headers that keep a browser from doing more than it should. */
#include "web/web_own.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what handlers call --------------------------------------------------------------------------------------------- */

static const char *status_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } all[] = {{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
               {406, "Not Acceptable"}, {409, "Conflict"}, {410, "Gone"}, {412, "Precondition Failed"}, {413, "Content Too Large"},
               {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {422, "Unprocessable Content"}, {423, "Locked"},
               {428, "Precondition Required"}, {429, "Too Many Requests"}, {431, "Request Header Fields Too Large"},
               {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i].status == status)
            return all[i].title;
    return status < 500 ? "Bad Request" : "Internal Server Error";
}

static void drop(struct web_reply *r)
{
    json_decref(r->json);
    buf_fini(&r->bytes);
    *r = (struct web_reply){0};
}

int web_problem(const struct web_request *q, struct web_reply *r, int status, const char *type)
{
    char urn[96];
    const char *title = message_find_in(q->language, "problem_", type);
    drop(r);
    snprintf(urn, sizeof(urn), "urn:vonggac:problem:%s", type);
    r->status = status;
    r->json = json_pack("{s:s, s:s, s:i, s:s}", "type", title ? urn : "about:blank", "title", title ? title : status_title(status),
        "status",
                        status, "instance", q->path);
    r->content_type = "application/problem+json";
    return 0;
}

void web_detail(struct web_reply *r, const char *text)
{
    if (r->json)
        json_object_set_new(r->json, "detail", json_string(text));
}

int web_not_found(const struct web_request *q, struct web_reply *r)
{
    return web_problem(q, r, 404, "not_found");
}

int web_conflict(const struct web_request *q, struct web_reply *r)
{
    return web_problem(q, r, 412, "changed_by_another");
}

int web_json(struct web_reply *r, int status, json_t *j)
{
    if (!j)
        return -ENOMEM;
    json_decref(r->json);
    r->json = j;
    r->status = status;
    return 0;
}

json_t *web_time(int64_t us)
{
    char text[TIME_TEXT_MAX];
    if (!us)
        return json_null();
    size_t n = clock_format_utc(us, text);
    return json_stringn(text, n);
}

json_t *web_string(struct text t)
{
    json_t *s = json_stringn(t.p, t.n);
    return s ? s : json_string(""); /* no UTF-8 */
}

/* --- out ----------------------------------------------------------------------------------------------------------------- */

void web_headers_for_all(struct http_reply *out, bool is_api)
{
    http_reply_header(out, "Strict-Transport-Security", "max-age=31536000");
    http_reply_header(out, "X-Content-Type-Options", "nosniff");
    http_reply_header(out, "X-Frame-Options", "DENY");
    http_reply_header(out, "Referrer-Policy", "no-referrer");
    http_reply_header(out, "Cross-Origin-Opener-Policy", "same-origin");
    http_reply_header(out, "Cross-Origin-Resource-Policy", "same-origin");
    http_reply_header(out, "Content-Security-Policy",
                      is_api ? "default-src 'none'; frame-ancestors 'none'"
                             : "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
                               "frame-ancestors 'none'");
    if (is_api)
        http_reply_header(out, "Cache-Control", "no-store");
}

static void put_allowed(const struct web_call *c, struct http_reply *out)
{
    char text[64];
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; web_method_names[i]; i++)
        if (c->allowed >> i & 1)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "", web_method_names[i]);
    http_reply_header(out, "Allow", text);
}

/* file_name_header - RFC 6266; the names are ours, but a quote in one would end it. */
static void put_file_name(const char *name, struct http_reply *out)
{
    char text[300];
    if (strpbrk(name, "\"\\") || snprintf(text, sizeof(text), "attachment; filename=\"%s\"", name) >= (int)sizeof(text))
        return;
    http_reply_header(out, "Content-Disposition", text);
}

static void put_headers(const struct web_call *c, struct http_reply *out)
{
    char text[64];
    const struct web_reply *r = &c->r;
    web_headers_for_all(out, true);
    if (r->version > 0) {
        snprintf(text, sizeof(text), "\"%lld\"", (long long)r->version);
        http_reply_header(out, "ETag", text);
    }
    if (r->location)
        http_reply_header(out, "Location", r->location);
    if (r->file_name)
        put_file_name(r->file_name, out);
    if (c->cookie)
        http_reply_header(out, "Set-Cookie", c->cookie);
    if (c->link && out->status == 200)
        http_reply_header(out, "Link", c->link);
    if (c->allowed && out->status == 405)
        put_allowed(c, out);
    if (out->status == 401)
        http_reply_header(out, "WWW-Authenticate", "Bearer");
    if (c->retry_after_s && (out->status == 429 || out->status == 423 || out->status == 503)) {
        snprintf(text, sizeof(text), "%u", c->retry_after_s);
        http_reply_header(out, "Retry-After", text);
    }
}

void web_reply_out(struct web_call *c, struct http_reply *out)
{
    struct web_reply *r = &c->r;
    const char *tag = http_header(c->http, "If-None-Match");
    out->status = r->status ? r->status : 200;
    out->body.max = WEB_REPLY_MAX;
    bool is_same = out->status == 200 && r->version > 0 && c->q.method == WEB_GET && http_entity_version(tag) == r->version;
    const char *type = r->content_type ? r->content_type : "application/json";
    if (is_same) {
        out->status = 304;
    } else if (r->json) {
        char *text = json_dumps(r->json, JSON_COMPACT);
        size_t n = text ? strlen(text) : 0;
        out->body = (struct buf){.p = (uint8_t *)text, .n = n, .capacity = n + 1, .max = WEB_REPLY_MAX, .is_bad = !text};
    } else if (r->bytes.p) {
        out->body = r->bytes;
        r->bytes = (struct buf){0};
    } else if (out->status == 200 && !c->listener) {
        out->status = 204;
    }
    put_headers(c, out);
    if (out->body.n || c->listener)
        http_reply_header(out, "Content-Type", c->listener ? "text/event-stream" : type);
}
