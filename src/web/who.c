/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: a session by its cookie, a token, the certificate of a connector. Not more than one of them: two would be a way to confuse. */
#include "web/web_own.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

bool web_secret_is(const char *a, const char *b)
{
    size_t n = strlen(a);
    return n == strlen(b) && !sodium_memcmp(a, b, n);
}

struct login_from web_from(const struct web_request *q)
{
    const struct web_call *c = call_of(q);
    const char *agent = http_header(c->http, "User-Agent");
    size_t n = agent ? strnlen(agent, 200) : 0;
    bool is_text = agent && text_is_utf8(agent, n);
    return (struct login_from){q->client, is_text ? (struct text){agent, n} : (struct text){"", 0}};
}

static int unauthorised(struct web_call *c)
{
    atomic_fetch_add_explicit(&c->q.web->n_unauthorised, 1, memory_order_relaxed);
    web_problem(&c->q, &c->r, 401, "no_session");
    return 401;
}

static int by_cookie(struct web_call *c, struct db *db, struct text cookie)
{
    int r = session_find(db, cookie, c->q.now_us, &c->arena, &c->session, &c->must_touch);
    if (r)
        return r < 0 ? r : unauthorised(c);
    c->has_session = c->is_cookie = true;
    c->subject = c->session.subject;
    snprintf(c->who_name, sizeof(c->who_name), "user:%lld", (long long)c->session.person);
    return 0;
}

static int by_token(struct web_call *c, struct db *db, struct text text)
{
    int r = token_find(db, text, c->q.now_us, &c->arena, &c->token, &c->subject, &c->must_touch);
    if (r)
        return r < 0 ? r : unauthorised(c);
    c->has_token = true;
    snprintf(c->who_name, sizeof(c->who_name), "token:%lld", (long long)c->token.id);
    return 0;
}

static int by_certificate(struct web_call *c, struct db *db)
{
    const char *name = c->http->certificate_name;
    int r = certificate_find(db, (struct text){name, strlen(name)}, c->q.now_us, &c->subject);
    if (r)
        return r < 0 ? r : unauthorised(c);
    snprintf(c->who_name, sizeof(c->who_name), "user:%lld", (long long)c->subject.user);
    return 0;
}

/* is_foreign - a browser says that another site's page asks (Fetch Metadata). */
static bool is_foreign(const struct web_call *c)
{
    const char *site = http_header(c->http, "Sec-Fetch-Site");
    return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

static int check_cross_site(struct web_call *c)
{
    const char *given = http_header(c->http, "X-CSRF-Token");
    if (!c->is_cookie || c->q.method == WEB_GET || (given && web_secret_is(given, c->session.csrf) && !is_foreign(c)))
        return 0;
    atomic_fetch_add_explicit(&c->q.web->n_csrf, 1, memory_order_relaxed);
    web_problem(&c->q, &c->r, 403, "csrf");
    return 403;
}

static int check_rights(struct web_call *c)
{
    const struct web_route *route = c->entry.route;
    bool must_change = c->has_session && c->session.must_change_password;
    if (must_change && !(route->flags & WEB_FIRST)) {
        web_problem(&c->q, &c->r, 403, "password_must_change");
        return 403;
    }
    bool is_wall_write = c->has_token && c->token.is_wall && c->q.method != WEB_GET;
    bool may = (route->flags & WEB_OWN) || access_may(c->q.view, &c->subject, route->permission, 0, c->q.now_us);
    if (may && !is_wall_write)
        return 0;
    atomic_fetch_add_explicit(&c->q.web->n_forbidden, 1, memory_order_relaxed);
    web_problem(&c->q, &c->r, 403, "not_allowed");
    return 403;
}

int web_who(struct web_call *c, struct db *db)
{
    struct text cookie, token;
    const char *authorization = http_header(c->http, "Authorization");
    bool has_cookie = http_cookie(http_header(c->http, "Cookie"), "__Host-vonggac", &cookie);
    bool has_token = http_bearer(authorization, &token);
    int r = authorization && !has_token ? unauthorised(c)
            : has_token                 ? by_token(c, db, token)
            : has_cookie                ? by_cookie(c, db, cookie)
            : c->http->has_certificate  ? by_certificate(c, db)
                                        : unauthorised(c);
    if (!r)
        r = check_cross_site(c);
    return r ? r : check_rights(c);
}
