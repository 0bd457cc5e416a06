/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One's own language, password and second factor. state/login makes the transactions and the entries in the trail: it
 * hashes outside of them.
 */
#include "web/web_own.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static const char *const languages[] = {"vi", "en", NULL};

static json_t *own_json(const struct person *p)
{
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "id", (json_int_t)p->id, "version", (json_int_t)p->version, "login",
        p->login,
                     "name", p->name, "email", p->email, "phone", p->phone, "language", p->language, "has_totp", (int)p->has_totp);
}

static int get_own(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    int e = person_get(q->db, q->who->user, q->arena, &p);
    if (e)
        return e < 0 ? e : web_not_found(q, r);
    r->version = p.version;
    return web_json(r, 200, own_json(&p));
}

static int patch_own(const struct web_request *q, struct web_reply *r)
{
    struct person p;
    int language = web_member_choice(q, "language", languages, -1, true);
    if (!web_check(q, r))
        return 0;
    int e = person_get(q->db, q->who->user, q->arena, &p);
    if (e)
        return e < 0 ? e : web_not_found(q, r);
    p.version = q->version >= 0 ? q->version : p.version;
    p.language = languages[language];
    e = person_change(q->db, &p, q->now_us);
    if (e)
        return e < 0 ? e : web_conflict(q, r);
    web_audit(q, "person.language", p.id, json_pack("{s:s}", "language", p.language), (struct text){"", 0});
    e = person_get(q->db, q->who->user, q->arena, &p);
    r->version = p.version;
    return e ? e : web_json(r, 200, own_json(&p));
}

/* refused - what stands against it, for all that asks for a password or a code again. Return: false: nothing. */
static bool refused(const struct web_request *q, struct web_reply *r, enum login_outcome outcome, const char *place, enum message_id why)
{
    if (outcome == LOGIN_DONE)
        return false;
    if (outcome == LOGIN_LOCKED)
        return web_problem(q, r, 429, "login_locked"), true;
    web_wrong(q, place, why);
    web_check(q, r);
    return true;
}

static enum message_id why_no_password(enum password_fault p)
{
    switch (p) {
    case PASSWORD_SHORT: return MSG_web_password_short;
    case PASSWORD_LONG: return MSG_web_too_long;
    case PASSWORD_NO_TEXT: return MSG_web_no_text;
    case PASSWORD_COMMON: return MSG_web_password_common;
    case PASSWORD_OWN: return MSG_web_password_own;
    case PASSWORD_SAME: return MSG_web_password_same;
    case PASSWORD_FINE: break;
    }
    return MSG_web_no_text;
}

/* only_session - a token or certificate changes no password. */
static bool only_session(const struct web_request *q, struct web_reply *r)
{
    if (call_of(q)->has_session)
        return true;
    web_problem(q, r, 403, "not_allowed");
    return false;
}

static int post_password(const struct web_request *q, struct web_reply *r)
{
    struct text before = web_member_text(q, "before", PASSWORD_MAX, true), after = web_member_text(q, "after", 4 * PASSWORD_MAX, true);
    struct login_from from = web_from(q);
    enum login_outcome outcome = LOGIN_DONE;
    enum password_fault why = PASSWORD_FINE;
    struct fault f = {0};
    if (!only_session(q, r) || !web_check(q, r))
        return 0;
    int e = login_change_password(q->web->pool, q->who->user, call_of(q)->session.id, before, after, &from, q->now_us, &outcome, &why, &f);
    if (e || refused(q, r, outcome, "/before", MSG_web_password_wrong))
        return e;
    if (why != PASSWORD_FINE) {
        web_wrong(q, "/after", why_no_password(why));
        web_check(q, r);
        return 0;
    }
    hub_recheck(q->web->hub);
    r->status = 204;
    return 0;
}

static int post_totp_offer(const struct web_request *q, struct web_reply *r)
{
    struct totp_offer offer;
    struct fault f = {0};
    struct text password = web_member_text(q, "password", PASSWORD_MAX, true);
    struct login_from from = web_from(q);
    enum login_outcome outcome = LOGIN_DONE;
    const char *issuer = q->web->o.node_name && *q->web->o.node_name ? q->web->o.node_name : "Vong Gac";
    if (!only_session(q, r) || !web_check(q, r))
        return 0;
    int e = login_confirm(q->web->pool, q->who->user, password, &from, q->now_us, &outcome, &f);
    if (e || refused(q, r, outcome, "/password", MSG_web_password_wrong))
        return e;
    e = login_totp_offer(q->web->pool, q->who->user, issuer, q->now_us, &offer, &f);
    e = e ? e : web_json(r, 200, json_pack("{s:s, s:s}", "secret", offer.secret, "uri", offer.uri));
    sodium_memzero(&offer, sizeof(offer));
    return e;
}

static int post_totp_confirm(const struct web_request *q, struct web_reply *r)
{
    char codes[RECOVERY_CODES][RECOVERY_CODE_MAX];
    struct fault f = {0};
    struct text code = web_member_text(q, "code", 16, true);
    struct login_from from = web_from(q);
    if (!only_session(q, r) || !web_check(q, r))
        return 0;
    int e = login_totp_confirm(q->web->pool, q->who->user, code, &from, q->now_us, codes, &f);
    if (e < 0 || (e && refused(q, r, LOGIN_REFUSED, "/code", MSG_web_code_wrong)))
        return e < 0 ? e : 0;
    json_t *all = json_array();
    for (unsigned i = 0; i < RECOVERY_CODES; i++)
        json_array_append_new(all, json_string(codes[i]));
    sodium_memzero(codes, sizeof(codes));
    return web_json(r, 200, json_pack("{s:o}", "recovery_codes", all));
}

static int post_totp_remove(const struct web_request *q, struct web_reply *r)
{
    struct fault f = {0};
    struct text code = web_member_text(q, "code", 16, true);
    struct login_from from = web_from(q);
    if (!only_session(q, r) || !web_check(q, r))
        return 0;
    int e = login_totp_remove(q->web->pool, q->who->user, code, &from, q->now_us, &f);
    if (e < 0 || (e && refused(q, r, LOGIN_REFUSED, "/code", MSG_web_code_wrong)))
        return e < 0 ? e : 0;
    r->status = 204;
    return 0;
}

#define ROUTE(METHOD, path, flags, kind, function, operation) \
    {WEB_##METHOD, "/api/v1/settings/" path, (enum permission)0, WEB_OWN | (flags), (kind), (function), (operation), 0}

static const struct web_route routes[] = {
    ROUTE(GET, "own", WEB_FIRST, "person", get_own, "settings_get"),
    ROUTE(PATCH, "own", WEB_FIRST | WEB_WRITES, "person", patch_own, "settings_change"),
    ROUTE(POST, "password", WEB_FIRST | WEB_NO_DB | WEB_COSTLY, NULL, post_password, "settings_password"),
    ROUTE(POST, "totp", WEB_NO_DB | WEB_COSTLY, NULL, post_totp_offer, "settings_totp_offer"),
    ROUTE(POST, "totp/confirm", WEB_NO_DB | WEB_COSTLY, NULL, post_totp_confirm, "settings_totp_confirm"),
    ROUTE(POST, "totp/remove", WEB_NO_DB | WEB_COSTLY, NULL, post_totp_remove, "settings_totp_remove"),
};
const struct web_desk web_settings_desk = {.name = "settings", .routes = routes, .n_routes = sizeof(routes) / sizeof(*routes)};
