/* SPDX-License-Identifier: Apache-2.0 */
/* The way in and out, one's own sessions, tokens and settings. */
#include "web/web_own.h"

#include "base/clock.h"
#include "web/web_db.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { BINDINGS_MAX = 200, LIST_MAX = 200 };

json_t *web_permissions_json(uint64_t set)
{
    json_t *all = json_array();
    for (unsigned i = 0; i < PERMISSION_COUNT; i++)
        if (set >> i & 1)
            json_array_append_new(all, json_string(permission_name((enum permission)i)));
    return all;
}

uint64_t web_permissions_read(const struct web_request *q, const char *name)
{
    uint64_t set = 0;
    size_t i;
    json_t *all = json_object_get(q->body, name), *one;
    enum permission p;
    char place[80];
    snprintf(place, sizeof(place), "/%s", name);
    if (!json_is_array(all) || !json_array_size(all) || json_array_size(all) > PERMISSION_COUNT) {
        web_wrong(q, place, MSG_web_no_permissions);
        return 0;
    }
    json_array_foreach(all, i, one) {
        struct text t = {json_string_value(one), json_string_length(one)};
        if (!json_is_string(one) || permission_find(t, &p)) {
            snprintf(place, sizeof(place), "/%s/%zu", name, i);
            web_wrong(q, place, MSG_web_no_permissions);
            return 0;
        }
        set |= UINT64_C(1) << p;
    }
    return set;
}

/* --- the session as JSON ---------------------------------------------------------------------------------------------- */

static json_t *roles_json(const struct web_request *q, struct db *db, int64_t person)
{
    struct binding all[BINDINGS_MAX];
    json_t *out = json_array();
    int n = binding_each(db, person, 0, BINDINGS_MAX, q->arena, all);
    for (int i = 0; i < n; i++) {
        const struct binding *b = &all[i];
        if (b->ended_us || b->from_us > q->now_us || (b->to_us && b->to_us <= q->now_us))
            continue;
        json_array_append_new(out, json_pack("{s:s, s:o, s:s, s:b, s:o}", "role", b->role, "unit",
                                             b->unit ? json_integer(b->unit) : json_null(), "unit_name",
                                             web_db_unit_name(db, b->unit, q->arena), "is_below", (int)b->is_below, "to",
                                             web_time(b->to_us)));
    }
    return out;
}

static json_t *session_json(const struct web_request *q, struct db *db, const struct session *s)
{
    const struct web_options *o = &q->web->o;
    uint64_t set = access_permissions(q->view, &s->subject, q->now_us);
    json_t *person = json_pack("{s:I, s:s, s:s, s:s, s:b, s:b}", "id", (json_int_t)s->person, "name", s->name, "login", s->login,
        "language",
                               s->language, "must_change_password", (int)s->must_change_password, "has_totp", (int)s->has_totp);
    json_t *server = json_pack("{s:s, s:s, s:o}", "version", VONGGAC_VERSION, "node_name", o->node_name ? o->node_name : "", "time",
                               web_time(q->now_us));
    return json_pack("{s:o, s:I, s:o, s:o, s:s, s:o, s:o}", "person", person, "id", (json_int_t)s->id, "roles", roles_json(q, db,
        s->person),
                     "permissions", web_permissions_json(set), "csrf", s->csrf, "expires_at", web_time(s->expires_us), "server", server);
}

static int get_session(const struct web_request *q, struct web_reply *r)
{
    const struct web_call *c = call_of(q);
    if (c->has_session)
        return web_json(r, 200, session_json(q, q->db, &c->session));
    /* a token's or connector's: the same shape, no csrf */
    struct session s = {.person = q->who->user, .subject = *q->who, .login = "", .name = "", .language = "vi",
                        .expires_us = c->has_token ? c->token.expires_us : 0};
    struct person p;
    if (!person_get(q->db, q->who->user, q->arena, &p)) {
        s.login = p.login;
        s.name = p.name;
        s.language = p.language;
        s.has_totp = p.has_totp;
    }
    return web_json(r, 200, session_json(q, q->db, &s));
}

/* --- in ------------------------------------------------------------------------------------------------------------------- */

static int set_cookie(const struct web_request *q, const char *value, bool is_end)
{
    char *text = arena_alloc(q->arena, 200);
    if (!text)
        return -ENOMEM;
    snprintf(text, 200, "__Host-vonggac=%s; Path=/; Secure; HttpOnly; SameSite=Strict%s", value, is_end ? "; Max-Age=0" : "");
    call_of(q)->cookie = text;
    return 0;
}

/* let_in - the session that was just made, as GET /session shows it. */
static int let_in(const struct web_request *q, struct web_reply *r, const struct login_result *l)
{
    struct web_call *c = call_of(q);
    struct session s;
    struct fault f = {0};
    bool must_touch;
    struct db *db = db_read(q->web->pool);
    int e = session_find(db, (struct text){l->session, strlen(l->session)}, q->now_us, q->arena, &s, &must_touch);
    if (!e) {
        if (c->q.language != LANGUAGE_EN && !strcmp(s.language, "en") && !http_header(c->http, "Accept-Language"))
            c->q.language = LANGUAGE_EN;
        e = web_json(r, 200, session_json(q, db, &s));
    }
    int e2 = db_end(db, false, &f);
    if (e || e2)
        return e < 0 ? e : e2 ? e2 : web_problem(q, r, 401, "login_refused");
    return set_cookie(q, l->session, false);
}

static int answer_login(const struct web_request *q, struct web_reply *r, const struct login_result *l)
{
    struct web_call *c = call_of(q);
    switch (l->outcome) {
    case LOGIN_DONE: return let_in(q, r, l);
    case LOGIN_NEEDS_TOTP:
        web_problem(q, r, 428, "second_factor_needed");
        if (r->json) {
            json_object_set_new(r->json, "needs", json_string("totp"));
            json_object_set_new(r->json, "challenge", json_string(l->challenge));
        }
        return 0;
    case LOGIN_LOCKED:
        c->retry_after_s = l->locked_until_us > q->now_us ? (unsigned)((l->locked_until_us - q->now_us) / US_PER_SECOND) + 1 : 1;
        return web_problem(q, r, 429, "login_locked");
    case LOGIN_EXPIRED: return web_problem(q, r, 401, "login_expired");
    case LOGIN_REFUSED: break;
    }
    return web_problem(q, r, 401, "login_refused");
}

static int post_session(const struct web_request *q, struct web_reply *r)
{
    struct text login = web_member_text(q, "login", PERSON_LOGIN_MAX, true);
    struct text password = web_member_text(q, "password", PASSWORD_MAX, true);
    struct login_from from = web_from(q);
    struct login_result l = {0};
    struct fault f = {0};
    if (!web_check(q, r))
        return 0;
    int e = login_password(q->web->pool, login, password, &from, &q->web->o.sessions, q->now_us, &l, &f);
    e = e ? e : answer_login(q, r, &l);
    sodium_memzero(&l, sizeof(l));
    return e;
}

static int post_totp(const struct web_request *q, struct web_reply *r)
{
    bool is_recovery = web_has_member(q, "recovery_code");
    struct text challenge = web_member_text(q, "challenge", SESSION_TEXT_MAX, true);
    struct text code = web_member_text(q, is_recovery ? "recovery_code" : "code", 32, true);
    struct login_from from = web_from(q);
    struct login_result l = {0};
    struct fault f = {0};
    if (!web_check(q, r))
        return 0;
    int e = login_totp(q->web->pool, challenge, code, is_recovery, &from, &q->web->o.sessions, q->now_us, &l, &f);
    e = e ? e : answer_login(q, r, &l);
    sodium_memzero(&l, sizeof(l));
    return e;
}

static int delete_session(const struct web_request *q, struct web_reply *r)
{
    const struct web_call *c = call_of(q);
    if (!c->has_session)
        return web_not_found(q, r);
    (void)session_end(q->db, c->session.id, c->session.person, "logout", q->now_us);
    web_audit(q, "session.closed", c->session.id, NULL, (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return set_cookie(q, "", true);
}

/* --- sessions ------------------------------------------------------------------------------------------------------------------ */

static int whose(const struct web_request *q, struct web_reply *r, struct person *ret)
{
    const char *given = web_query(q, "user");
    uint64_t id = (uint64_t)q->who->user;
    if (given && text_u64((struct text){given, strlen(given)}, INT64_MAX, &id))
        return web_problem(q, r, 400, "bad_query"), 1;
    if (person_get(q->db, (int64_t)id, q->arena, ret))
        return web_not_found(q, r), 1;
    return ret->id == q->who->user || web_controls(q, r, ret) ? 0 : 1;
}

static int get_sessions(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    struct person p;
    char filter[32];
    struct session all[LIST_MAX + 1];
    if (whose(q, r, &p))
        return 0;
    int k = snprintf(filter, sizeof(filter), "%lld", (long long)p.id);
    if (!web_list_begin(q, r, (struct text){filter, (size_t)k}, &l))
        return 0;
    l.limit = l.limit < LIST_MAX ? l.limit : LIST_MAX;
    int n = session_each(q->db, p.id, l.has_after ? l.after[0] : INT64_MAX, (size_t)l.limit + 1, q->now_us, q->arena, all);
    for (int i = 0; i < n; i++) {
        const struct session *s = &all[i];
        json_t *o = json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "id", (json_int_t)s->id, "address", s->address, "agent",
            s->agent,
                              "created_at", web_time(s->created_us), "seen_at", web_time(s->seen_us), "expires_at", web_time(s->expires_us),
                              "ended_at", web_time(s->ended_us), "end_reason", s->ended_us &&
                              s->end_reason ? json_string(s->end_reason) : json_null(),
                              "is_this", (int)(call_of(q)->has_session && call_of(q)->session.id == s->id));
        if (!web_list_add(&l, o, s->id, 0))
            break;
    }
    return n < 0 ? n : web_list_end(q, r, &l);
}

static int delete_one_session(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct person p;
    if (!web_parameter_id(q, r, 0, &id) || whose(q, r, &p))
        return 0;
    if (session_end(q->db, id, p.id, p.id == q->who->user ? "logout" : "revoked", q->now_us))
        return web_not_found(q, r);
    web_audit(q, "session.revoked", id, json_pack("{s:I}", "person", (json_int_t)p.id), (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

/* --- tokens ------------------------------------------------------------------------------------------------------------------------ */

static const char *const tlp_words[] = {"clear", "green", "amber", "amber_strict", "red", NULL};

static json_t *token_json(const struct web_request *q, const struct token *t)
{
    return json_pack("{s:I, s:I, s:s, s:o, s:s, s:b, s:o, s:o, s:o, s:o, s:s, s:b}", "id", (json_int_t)t->id, "version",
        (json_int_t)t->version,
                     "name", t->name, "scopes", web_permissions_json(t->scopes), "tlp_max", tlp_words[t->tlp_max], "is_wall",
                     (int)t->is_wall,
                     "created_at", web_time(t->created_us), "expires_at", web_time(t->expires_us), "ended_at", web_time(t->ended_us),
                     "last_used_at", web_time(t->last_used_us), "last_address", t->last_address ? t->last_address : "", "is_valid",
                     (int)(!t->ended_us && t->expires_us > q->now_us));
}

static int get_tokens(const struct web_request *q, struct web_reply *r)
{
    struct web_list l;
    struct person p;
    char filter[32];
    struct token all[LIST_MAX + 1];
    if (whose(q, r, &p))
        return 0;
    int k = snprintf(filter, sizeof(filter), "%lld", (long long)p.id);
    if (!web_list_begin(q, r, (struct text){filter, (size_t)k}, &l))
        return 0;
    l.limit = l.limit < LIST_MAX ? l.limit : LIST_MAX;
    int n = token_each(q->db, p.id, l.has_after ? l.after[0] : INT64_MAX, (size_t)l.limit + 1, q->arena, all);
    for (int i = 0; i < n && web_list_add(&l, token_json(q, &all[i]), all[i].id, 0); i++)
        ;
    return n < 0 ? n : web_list_end(q, r, &l);
}

static int post_token(const struct web_request *q, struct web_reply *r)
{
    char secret[TOKEN_TEXT_MAX], *name;
    int64_t id;
    struct text given = web_member_text(q, "name", TOKEN_NAME_MAX, true);
    struct token t = {.person = q->who->user, .by_person = q->who->user, .scopes = web_permissions_read(q, "scopes"),
                      .tlp_max = (enum tlp)web_member_choice(q, "tlp_max", tlp_words, TLP_RED, false),
                      .is_wall = web_member_bool(q, "is_wall", false), .expires_us = web_member_time(q, "expires_at", true)};
    if (!web_check(q, r))
        return 0;
    if (!call_of(q)->has_session || (t.scopes & ~access_permissions(q->view, q->who, q->now_us))) /* a token makes no tokens */
        return web_problem(q, r, 403, "not_allowed");
    if (t.expires_us <= q->now_us || t.expires_us > q->now_us + TOKEN_SPAN_MAX_US) {
        web_wrong(q, "/expires_at", MSG_web_out_of_range);
        web_check(q, r);
        return 0;
    }
    if (t.is_wall && t.tlp_max > TLP_GREEN)
        t.tlp_max = TLP_GREEN; /* a wall is seen by whoever passes */
    name = arena_text(q->arena, given.p, given.n);
    if (!name)
        return -ENOMEM;
    t.name = name;
    int e = token_add(q->db, &t, q->now_us, &id, secret);
    if (e < 0)
        return e;
    if (e)
        return web_problem(q, r, 422, "wrong_members");
    web_audit(q, "token.add", id, json_pack("{s:s, s:o}", "name", name, "scopes", web_permissions_json(t.scopes)), (struct text){"", 0});
    e = web_json(r, 201, json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "name", name, "token", secret));
    sodium_memzero(secret, sizeof(secret));
    return e;
}

static int delete_token(const struct web_request *q, struct web_reply *r)
{
    int64_t id;
    struct person p;
    if (!web_parameter_id(q, r, 0, &id) || whose(q, r, &p))
        return 0;
    if (token_end(q->db, id, p.id, q->now_us))
        return web_not_found(q, r);
    web_audit(q, "token.end", id, json_pack("{s:I}", "person", (json_int_t)p.id), (struct text){"", 0});
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

#define ROUTE(METHOD, path, flags, kind, function, operation) \
    {WEB_##METHOD, "/api/v1/" path, (enum permission)0, (flags), (kind), (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE(POST, "session", WEB_ANYONE | WEB_NO_DB | WEB_COSTLY, NULL, post_session, "session_open"),
    ROUTE(POST, "session/totp", WEB_ANYONE | WEB_NO_DB | WEB_COSTLY, NULL, post_totp, "session_second_factor"),
    ROUTE(GET, "session", WEB_OWN | WEB_FIRST, NULL, get_session, "session_get"),
    ROUTE(DELETE, "session", WEB_OWN | WEB_FIRST | WEB_WRITES, NULL, delete_session, "session_close"),
    ROUTE(GET, "sessions", WEB_OWN | WEB_LIST, NULL, get_sessions, "session_list"),
    ROUTE(DELETE, "sessions/{session}", WEB_OWN | WEB_WRITES, NULL, delete_one_session, "session_end"),
    ROUTE(GET, "tokens", WEB_OWN | WEB_LIST, NULL, get_tokens, "token_list"),
    ROUTE(POST, "tokens", WEB_OWN | WEB_WRITES, "token", post_token, "token_add"),
    ROUTE(DELETE, "tokens/{token}", WEB_OWN | WEB_WRITES, "token", delete_token, "token_end"),
};
const struct web_desk web_session_desk = {.name = "session", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
