/* SPDX-License-Identifier: Apache-2.0 */
/* What programs ask of the office itself: is it alive, is it ready, its figures, its description, its events. */
#include "web/web_own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int get_health(const struct web_request *q, struct web_reply *r)
{
    (void)q;
    return web_json(r, 200, json_pack("{s:s}", "status", "ok"));
}

static int get_ready(const struct web_request *q, struct web_reply *r)
{
    struct fault f = {0};
    struct sha256 head;
    uint64_t n;
    struct db *db = db_read(q->web->pool);
    int e = trail_head(db, &head, &n), e2 = db_end(db, false, &f);
    if (e < 0 || e2 || atomic_load(&q->web->is_ending))
        return web_problem(q, r, 503, "not_ready");
    return web_json(r, 200, json_pack("{s:s}", "status", "ready"));
}

static int get_openapi(const struct web_request *q, struct web_reply *r)
{
    return web_json(r, 200, json_incref(q->web->openapi));
}

static int get_events(const struct web_request *q, struct web_reply *r)
{
    struct web_call *c = call_of(q);
    c->listener = hub_listener(c);
    if (!c->listener)
        return -ENOMEM;
    r->bytes.max = 256;
    buf_add_text(&r->bytes, "retry: 3000\n\n");
    return 0;
}

/* --- figures ------------------------------------------------------------------------------------------------------------- */

static void put(struct buf *b, const char *name, const char *labels, const char *kind, uint64_t v)
{
    if (kind)
        buf_printf(b, "# TYPE vonggac_office_%s %s\n", name, kind);
    buf_printf(b, "vonggac_office_%s%s %llu\n", name, labels, (unsigned long long)v);
}

static void put_server(struct buf *b, struct http_server *s)
{
    struct http_counters n;
    http_server_counters(s, &n);
    put(b, "connections", "", "gauge", n.connections);
    put(b, "connections_accepted_total", "", "counter", n.accepted);
    put(b, "requests_total", "", "counter", n.requests);
    put(b, "received_bytes_total", "", "counter", n.bytes_in);
    put(b, "sent_bytes_total", "", "counter", n.bytes_out);
    put(b, "refused_total", "{reason=\"size\"}", "counter", n.refused_size);
    put(b, "refused_total", "{reason=\"request\"}", NULL, n.refused_request);
    put(b, "refused_total", "{reason=\"connections\"}", NULL, n.refused_connections);
    put(b, "refused_total", "{reason=\"connections_of_one\"}", NULL, n.refused_connections_of_one);
    put(b, "refused_total", "{reason=\"slow\"}", NULL, n.refused_slow);
    put(b, "refused_total", "{reason=\"streams\"}", NULL, n.refused_streams);
    put(b, "refused_total", "{reason=\"bodies\"}", NULL, n.refused_bodies);
    put(b, "streams", "", "gauge", n.streams);
    put(b, "streams_behind_total", "", "counter", n.streams_behind);
}

static void put_web(struct buf *b, struct web *w)
{
    uint64_t listeners, told, sent;
    hub_numbers(w->hub, &listeners, &told, &sent);
    for (unsigned i = 1; i < 6; i++) {
        char labels[32];
        snprintf(labels, sizeof(labels), "{class=\"%uxx\"}", i);
        put(b, "answers_total", labels, i == 1 ? "counter" : NULL, atomic_load(&w->n_by_status[i]));
    }
    buf_printf(b, "# TYPE vonggac_office_answer_seconds_total counter\nvonggac_office_answer_seconds_total %.6f\n",
               (double)atomic_load(&w->answer_us) / 1e6);
    put(b, "denied_total", "{reason=\"no_session\"}", "counter", atomic_load(&w->n_unauthorised));
    put(b, "denied_total", "{reason=\"permission\"}", NULL, atomic_load(&w->n_forbidden));
    put(b, "denied_total", "{reason=\"csrf\"}", NULL, atomic_load(&w->n_csrf));
    put(b, "denied_total", "{reason=\"rate\"}", NULL, atomic_load(&w->n_limited));
    put(b, "failed_total", "", "counter", atomic_load(&w->n_failed));
    put(b, "listeners", "", "gauge", listeners);
    put(b, "events_total", "", "counter", told);
    put(b, "events_sent_total", "", "counter", sent);
    put(b, "console_bytes", "", "gauge", w->files.n_bytes);
}

static int get_metrics(const struct web_request *q, struct web_reply *r)
{
    struct web *w = q->web;
    r->bytes.max = (size_t)1 << 20;
    r->content_type = "text/plain; version=0.0.4; charset=utf-8";
    if (w->server)
        put_server(&r->bytes, w->server);
    put_web(&r->bytes, w);
    if (w->o.metrics)
        w->o.metrics(w->o.context, &r->bytes);
    return r->bytes.is_bad ? -ENOMEM : 0;
}

#define ROUTE(path, permission, flags, function, operation) \
    {WEB_GET, "/api/v1/" path, (permission), (flags), NULL, (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE("health", (enum permission)0, WEB_ANYONE | WEB_NO_DB, get_health, "health"),
    ROUTE("ready", (enum permission)0, WEB_ANYONE | WEB_NO_DB, get_ready, "ready"),
    ROUTE("openapi.json", (enum permission)0, WEB_ANYONE | WEB_NO_DB, get_openapi, "openapi"),
    ROUTE("events", (enum permission)0, WEB_OWN | WEB_NO_DB, get_events, "events"),
    ROUTE("metrics", PERMISSION_SETTING_READ, WEB_NO_DB, get_metrics, "metrics"),
};
const struct web_desk web_system_desk = {.name = "system", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
