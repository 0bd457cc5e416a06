/* SPDX-License-Identifier: Apache-2.0 */
/* The office's web without a network: a request is a few texts, the reply a status, headers and JSON. One clock that stands still. */
#pragma once

#include "base/clock.h"
#include "help_dir.h"
#include "web/web_own.h"

#include <string.h>
#include <strings.h>

static int64_t web_help_now = INT64_C(1770000000) * 1000000; /* 2026-02-02 02:40:00 UTC */
static int64_t web_help_clock(void)
{
    return web_help_now;
}

struct asked {
    int status;
    json_t *json; /* NULL: no JSON */
    struct http_reply reply;
};

struct asking {
    struct web *web;
    char cookie[200], csrf[100], bearer[100], match[40];
    const char *address; /* NULL: 192.0.2.1 */
    const char *type;    /* of the body; NULL: application/json */
    const char *accept_language, *more_name, *more_value;
};

static const char *reply_header(const struct asked *a, const char *name)
{
    for (unsigned i = 0; i < a->reply.n_headers; i++)
        if (!strcasecmp(a->reply.headers[i].name, name))
            return a->reply.headers[i].value;
    return NULL;
}

static void asked_fini(struct asked *a)
{
    json_decref(a->json);
    buf_fini(&a->reply.body);
    if (a->reply.is_stream)
        free(a->reply.stream_context);
    *a = (struct asked){0};
}

static void put_header(struct http_headers *h, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    h->h[h->n].name = name;
    h->h[h->n++].value = value;
}

/* ask - @target with its query, as it stands in a request line. */
static struct asked ask(const struct asking *k, const char *method, const char *target, const char *body)
{
    static char path[4096];
    struct http_headers headers = {0};
    struct asked a = {0};
    struct http_request q = {.method = method, .path = path, .headers = &headers, .body = (const uint8_t *)body, .n_body = body ? strlen(body) : 0};
    const char *address = k->address ? k->address : "192.0.2.1";
    char bearer[120];
    snprintf(path, sizeof(path), "%s", target);
    if (http_target_split(path, &q.query) || ip_parse(address, strlen(address), &q.client))
        abort();
    put_header(&headers, "Cookie", k->cookie);
    put_header(&headers, "X-CSRF-Token", k->csrf);
    put_header(&headers, "If-Match", k->match);
    put_header(&headers, "Accept-Language", k->accept_language);
    snprintf(bearer, sizeof(bearer), "Bearer %s", k->bearer);
    put_header(&headers, "Authorization", k->bearer[0] ? bearer : NULL);
    put_header(&headers, "Content-Type", body ? (k->type ? k->type : "application/json") : NULL);
    put_header(&headers, k->more_name, k->more_value);
    web_answer(k->web, &q, &a.reply);
    a.status = a.reply.status;
    if (a.reply.body.n)
        a.json = json_loadb((const char *)a.reply.body.p, a.reply.body.n, 0, NULL);
    return a;
}

/* status_of - ask and forget. */
static int status_of(const struct asking *k, const char *method, const char *target, const char *body)
{
    struct asked a = ask(k, method, target, body);
    int status = a.status;
    asked_fini(&a);
    return status;
}

static const char *text_at(const struct asked *a, const char *name)
{
    const char *s = json_string_value(json_object_get(a->json, name));
    return s ? s : "";
}

/* log_in - Return: the status; the cookie and CSRF token are kept in @k. */
static int log_in(struct asking *k, const char *login, const char *password)
{
    char body[400];
    snprintf(body, sizeof(body), "{\"login\":\"%s\",\"password\":\"%s\"}", login, password);
    k->cookie[0] = k->csrf[0] = 0;
    struct asked a = ask(k, "POST", "/api/v1/session", body);
    const char *cookie = reply_header(&a, "Set-Cookie");
    if (cookie && a.status == 200) {
        snprintf(k->cookie, sizeof(k->cookie), "%.*s", (int)strcspn(cookie, ";"), cookie);
        snprintf(k->csrf, sizeof(k->csrf), "%s", text_at(&a, "csrf"));
    }
    int status = a.status;
    asked_fini(&a);
    return status;
}
