/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: route, rates, who, rights, version, body, connection, handler, commit, events, headers. Each step either goes on
 * or leaves a problem in the reply.
 */
#include "web/web_own.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum language language_of(const struct web_call *c)
{
    const char *given = http_header(c->http, "Accept-Language");
    for (const char *p = given; p && *p;) {
        p += strspn(p, " \t,");
        bool is_end = p[0] && p[1] && (!p[2] || strchr("-,; ", p[2]));
        if (is_end && !strncasecmp(p, "vi", 2))
            return LANGUAGE_VI;
        if (is_end && !strncasecmp(p, "en", 2))
            return LANGUAGE_EN;
        p += strcspn(p, ",");
    }
    return c->has_session && c->session.language && !strcmp(c->session.language, "en") ? LANGUAGE_EN : LANGUAGE_VI;
}

/* --- before the handler -------------------------------------------------------------------------------------------- */

static int limited(struct web_call *c, unsigned wait_s)
{
    c->retry_after_s = wait_s;
    atomic_fetch_add_explicit(&c->q.web->n_limited, 1, memory_order_relaxed);
    web_problem(&c->q, &c->r, 429, "too_many_requests");
    return 429;
}

static enum rate_class class_of(const struct web_call *c)
{
    unsigned flags = c->entry.route->flags;
    if (flags & WEB_COSTLY)
        return flags & WEB_ANYONE ? RATE_LOGIN : RATE_COSTLY;
    if (c->form != WEB_JSON)
        return RATE_COSTLY;
    return c->q.method == WEB_GET ? RATE_READ : RATE_WRITE;
}

static int check_rate_of_address(struct web_call *c)
{
    enum rate_class class = class_of(c);
    if (class == RATE_COSTLY)
        class = RATE_WRITE; /* what is costly counts by person */
    unsigned wait_s = rates_take(c->q.web->rates, class, 'a', c->http->client.b, sizeof(c->http->client.b), c->q.now_us);
    return wait_s ? limited(c, wait_s) : 0;
}

static int check_rate_of_person(struct web_call *c)
{
    int64_t id = c->subject.token ? c->subject.token : c->subject.user;
    unsigned wait_s = rates_take(c->q.web->rates, class_of(c), c->subject.token ? 't' : 'p', &id, sizeof(id), c->q.now_us);
    return wait_s ? limited(c, wait_s) : 0;
}

static int check_form(struct web_call *c)
{
    const char *format = c->entry.route->flags & WEB_LIST ? web_query(&c->q, "format") : NULL;
    if (!format || !strcmp(format, "json"))
        return 0;
    c->form = !strcmp(format, "csv") ? WEB_CSV : WEB_XLSX;
    if (c->form == WEB_CSV || !strcmp(format, "xlsx"))
        return 0;
    web_problem(&c->q, &c->r, 400, "bad_format");
    return 400;
}

static int check_version(struct web_call *c)
{
    int64_t v = http_entity_version(http_header(c->http, "If-Match"));
    c->q.version = v < 0 ? -1 : v;
    if (v == -2 || (v == -1 && (c->entry.route->flags & WEB_NEEDS_VERSION))) {
        web_problem(&c->q, &c->r, v == -2 ? 412 : 428, v == -2 ? "changed_by_another" : "version_needed");
        return c->r.status;
    }
    return 0;
}

static bool is_json_type(const char *type)
{
    struct text t = {type ? type : "", type ? strcspn(type, ";") : 0};
    return text_is_nocase(text_trim(t), "application/json") || text_is_nocase(text_trim(t), "application/merge-patch+json");
}

static int check_body(struct web_call *c)
{
    json_error_t e;
    const struct http_request *h = c->http;
    c->q.content_type = http_header(h, "Content-Type");
    if (c->entry.route->flags & WEB_BYTES) {
        c->q.bytes = h->body;
        c->q.n_bytes = h->n_body;
        return 0;
    }
    if (!h->n_body)
        return 0;
    if (!is_json_type(c->q.content_type)) {
        web_problem(&c->q, &c->r, 415, "not_json");
        return 415;
    }
    c->q.body = json_loadb((const char *)h->body, h->n_body, JSON_REJECT_DUPLICATES, &e);
    if (c->q.body && json_is_object(c->q.body))
        return 0;
    web_problem(&c->q, &c->r, 400, c->q.body ? "not_an_object" : "bad_json");
    if (!c->q.body) {
        char where[220];
        snprintf(where, sizeof(where), "%d:%d: %s", e.line, e.column, e.text);
        if (text_is_utf8(where, strlen(where)))
            web_detail(&c->r, where);
    }
    return 400;
}

/* --- the handler and its transaction ------------------------------------------------------------------------------------ */

static void failed(struct web_call *c, int code, const char *reason)
{
    log_line(LOG_ERROR, "request_failed", "operation", c->entry.route ? c->entry.route->operation : "-", "error", strerrordesc_np(-code),
             "reason", reason, NULL);
    atomic_fetch_add_explicit(&c->q.web->n_failed, 1, memory_order_relaxed);
    if (code == -ENOSPC || code == -EBUSY) {
        c->retry_after_s = 10;
        web_problem(&c->q, &c->r, 503, code == -ENOSPC ? "no_space" : "busy");
    } else {
        web_problem(&c->q, &c->r, 500, "failed");
    }
}

static bool is_done(const struct web_call *c)
{
    return c->r.status < 400;
}

static void handle(struct web_call *c)
{
    int r = c->entry.route->handle(&c->q, &c->r);
    if (r)
        failed(c, r, "handler");
}

/* commit - what the handler wrote, if all went well. */
static void commit(struct web_call *c)
{
    struct fault f = {0};
    if (is_done(c) && !c->has_entry)
        failed(c, -EPROTO, "a write without an entry in the trail");
    int r = db_end(c->q.db, is_done(c), &f);
    c->q.db = NULL;
    if (r == DB_CONFLICT)
        web_problem(&c->q, &c->r, 409, "conflict");
    else if (r && c->r.status < 500)
        failed(c, r, f.text);
}

int web_write(const struct web_request *q, int (*work)(const struct web_request *q, struct web_reply *r, void *context), void *context)
{
    struct web_call *c = call_of(q);
    struct access_scope scope = {q->view, &c->subject, c->entry.route->permission, c->entry.route->kind, q->now_us};
    c->q.db = db_write(q->web->pool);
    c->is_writing = true;
    c->has_entry = false;
    access_enter(c->q.db, &scope);
    int r = work(q, &c->r, context);
    if (r)
        failed(c, r, "handler");
    commit(c);
    c->is_writing = false;
    return 0;
}

static int by_route(const struct web_request *q, struct web_reply *r, void *context)
{
    const struct web_entry *e = context;
    return e->route->handle(q, r);
}

static void enter_reads(struct web_call *c)
{
    struct fault f = {0};
    int64_t id = 0;
    uint64_t given;
    if (!c->noted && c->q.parameters[0].p && !text_u64(c->q.parameters[0], INT64_MAX, &given))
        id = (int64_t)given;
    struct db *db = db_write(c->q.web->pool);
    if (!c->noted) {
        struct trail_entry e = {c->q.now_us, {c->who_name, strlen(c->who_name)},
                                {c->entry.route->operation, strlen(c->entry.route->operation)}, {"", 0}, id, {"", 0}, {"", 0}, c->q.client};
        trail_add(db, &e);
    }
    for (const struct web_noted *n = c->noted; n; n = n->next) {
        struct trail_entry e = {c->q.now_us, {c->who_name, strlen(c->who_name)}, {n->action, strlen(n->action)}, {"", 0}, n->object,
                                {n->why, strlen(n->why)}, {n->detail, strlen(n->detail)}, c->q.client};
        trail_add(db, &e);
    }
    int r = db_end(db, true, &f);
    if (r) /* what cannot be entered is not shown */
        failed(c, r < 0 ? r : -EIO, f.text);
}

static void read_with(struct web_call *c, struct db *db)
{
    struct fault f = {0};
    struct access_scope scope = {c->q.view, &c->subject, c->entry.route->permission, c->entry.route->kind, c->q.now_us};
    c->q.db = db;
    access_enter(db, &scope);
    handle(c);
    int r = db_failed(db) ? db_end(db, true, &f) : db_end(db, false, &f);
    c->q.db = NULL;
    if (r && c->r.status < 500)
        failed(c, r, f.text);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static int check_request(struct web_call *c)
{
    int r = check_version(c);
    if (!r)
        r = check_body(c);
    return r;
}

/* run_for - a caller who must be known. @db: reading, begun; given back here. */
static void run_for(struct web_call *c, struct db *db)
{
    struct fault f = {0};
    unsigned flags = c->entry.route->flags;
    int r = access_refresh(c->q.web->access, db, &f);
    c->q.view = access_take(c->q.web->access);
    r = r < 0 ? r : web_who(c, db);
    c->q.language = language_of(c);
    if (r < 0)
        failed(c, r, f.text);
    if (!r)
        r = check_rate_of_person(c);
    if (!r)
        r = check_request(c);
    bool is_read = !(flags & (WEB_WRITES | WEB_NO_DB));
    if (r || !is_read) {
        int e = db_end(db, false, &f);
        if (e && !r)
            failed(c, e, f.text);
        r = r ? r : e;
    }
    if (r)
        return;
    if (is_read)
        read_with(c, db);
    else if (flags & WEB_WRITES)
        (void)web_write(&c->q, by_route, &c->entry);
    else
        handle(c);
    if (is_done(c) && !(flags & WEB_WRITES) && ((flags & WEB_SENSITIVE) || c->noted))
        enter_reads(c);
}

static void run(struct web_call *c)
{
    unsigned flags = c->entry.route->flags;
    if (!web_query_is_text(c)) {
        web_problem(&c->q, &c->r, 400, "bad_query");
        return;
    }
    if (check_form(c) || check_rate_of_address(c))
        return;
    if (!(flags & WEB_ANYONE)) {
        run_for(c, db_read(c->q.web->pool));
        return;
    }
    c->q.view = access_take(c->q.web->access);
    if (check_request(c))
        return;
    if (flags & WEB_NO_DB)
        handle(c);
    else
        read_with(c, db_read(c->q.web->pool));
}

static void touch(struct web_call *c)
{
    struct fault f = {0};
    int r = c->has_session ? session_touch(c->q.web->pool, c->session.id, c->q.now_us, &f)
                           : token_touch(c->q.web->pool, c->token.id, c->q.client, c->q.now_us, &f);
    if (r < 0)
        log_line(LOG_WARN, "not_touched", "reason", f.text, NULL);
}

static void finish(struct web_call *c)
{
    for (struct web_told *t = c->told; t; t = t->next) {
        if (is_done(c))
            hub_tell(c->q.web->hub, t->event, &t->object, t->permission, t->data);
        json_decref(t->data);
    }
    if (c->must_touch && (c->has_session || c->has_token))
        touch(c);
}

static void count(struct web *w, const struct http_reply *out, int64_t began_us)
{
    int class = out->status / 100;
    atomic_fetch_add_explicit(&w->n_by_status[class > 0 && class < 6 ? class : 0], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->answer_us, (uint64_t)(clock_steady_us() - began_us), memory_order_relaxed);
}

static void begin_call(struct web_call *c, struct web *w, const struct http_request *q)
{
    c->http = q;
    c->last_told = &c->told;
    c->last_noted = &c->noted;
    c->q.web = w;
    c->q.path = q->path;
    c->q.who = &c->subject;
    c->q.who_name = c->who_name;
    c->q.arena = &c->arena;
    c->q.now_us = web_now(w);
    c->q.version = -1;
    c->q.client = (struct text){c->address, ip_format(&q->client, c->address)};
    c->q.language = language_of(c);
    snprintf(c->who_name, sizeof(c->who_name), "nobody");
}

void web_answer(void *context, const struct http_request *q, struct http_reply *out)
{
    struct web *w = context;
    int64_t began_us = clock_steady_us();
    if (strncmp(q->path, "/api/", 5) != 0) {
        web_files_answer(&w->files, q, out);
        count(w, out, began_us);
        return;
    }
    struct web_call *c = calloc(1, sizeof(*c));
    if (!c) {
        out->status = 503;
        return;
    }
    begin_call(c, w, q);
    int r = web_route_find(w, q->method, q->path, &c->entry, c->q.parameters, &c->allowed);
    if (!r) {
        c->q.method = c->entry.route->method;
        c->q.desk = c->entry.desk->desk;
        run(c);
    } else {
        web_problem(&c->q, &c->r, r, r == 405 ? "no_such_method" : "not_found");
    }
    finish(c);
    web_reply_out(c, out);
    out->is_stream = c->listener != NULL;
    out->stream_context = c->listener;
    count(w, out, began_us);
    if (c->q.view)
        access_give((struct access_view *)(uintptr_t)c->q.view);
    json_decref(c->r.json);
    buf_fini(&c->r.bytes);
    json_decref(c->q.body);
    json_decref(c->wrong);
    json_decref(c->rows);
    arena_fini(&c->arena);
    free(c);
}

/* --- on the server's loop ---------------------------------------------------------------------------------------------------- */

int64_t web_begin(void *context, const struct http_request *q)
{
    const struct web *w = context;
    struct web_entry entry;
    struct text parameters[WEB_PARAMETERS];
    unsigned allowed;
    if (strncmp(q->path, "/api/", 5) != 0)
        return 0;
    int r = web_route_find(w, q->method, q->path, &entry, parameters, &allowed);
    if (r)
        return (int64_t)WEB_BODY_MAX; /* read, then answered as what is not there or not so: 404, 405 */
    if (entry.route->bytes_max > WEB_BODY_MAX && !http_header(q, "Cookie") && !http_header(q, "Authorization") && !q->has_certificate)
        return -401; /* nobody's megabytes are not even read */
    bool takes_body = entry.route->method != WEB_GET && entry.route->method != WEB_DELETE;
    return !takes_body ? 0 : entry.route->bytes_max ? (int64_t)entry.route->bytes_max : (int64_t)WEB_BODY_MAX;
}

void web_refuse(void *context, const struct http_request *q, int status, struct http_reply *out)
{
    struct web *w = context;
    struct web_call *c = calloc(1, sizeof(*c));
    static const char *const types[] = {"bad_request", "too_large", "too_many_streams", "no_session"};
    if (!c)
        return;
    begin_call(c, w, q);
    c->q.path = q->path ? q->path : "";
    web_problem(&c->q, &c->r, status, types[status == 413 || status == 431 ? 1 : status == 503 ? 2 : status == 401 ? 3 : 0]);
    web_reply_out(c, out);
    json_decref(c->r.json);
    arena_fini(&c->arena);
    free(c);
}
