/* SPDX-License-Identifier: Apache-2.0 */
/* web/web_own - what the files of this room share: the office's web, a request on its way, the hub of events. */
#pragma once

#include "net/http_server.h"
#include "state/person.h"
#include "web/serve.h"
#include "web/web.h"

#include <pthread.h>
#include <stdatomic.h>

#define WEB_KEY_BYTES 32u
#define WEB_WRONG_MAX 50
#define WEB_ROUTES_MAX 512u
#define WEB_BODY_MAX ((size_t)64 << 10)
#define WEB_REPLY_MAX ((size_t)64 << 20)

/* --- routes --------------------------------------------------------------------------------------------------------- */

struct web_entry {
    const struct web_route *route;
    const struct web_desk *desk;
};

/* web_route_find - the entry of method and path, its parameters. Return: 0, 404, or 405 with *@ret_allowed bits 1 << enum web_method. */
int web_route_find(const struct web *w, const char *method, const char *path, struct web_entry *ret,
                   struct text parameters[WEB_PARAMETERS], unsigned *ret_allowed);
/* web_route_matches - @path against one pattern. */
bool web_route_matches(const char *pattern, const char *path, struct text parameters[WEB_PARAMETERS]);
extern const char *const web_method_names[];

/* --- rates ------------------------------------------------------------------------------------------------------------ */

enum rate_class { RATE_READ, RATE_WRITE, RATE_COSTLY, RATE_LOGIN, RATE_N };
struct rates;
int rates_new(unsigned reads_per_second, struct rates **ret);
void rates_free(struct rates *r);
/* rates_take - one of @kind ('a' address, 'p' person, 't' token) @key. Return: 0, or seconds to wait. */
unsigned rates_take(struct rates *r, enum rate_class class, char kind, const void *key, size_t n_key, int64_t now_us);

/* --- static files, the description ------------------------------------------------------------------------------------ */

struct web_file {
    char *path;           /* "/assets/app-3f2a9c1d.js" */
    uint8_t *bytes, *gzip;
    size_t n, n_gzip;
    const char *type;
    bool is_forever;      /* its name holds a hash of its content */
    char tag[SHA256_TEXT_MAX + 2];
};
struct web_files {
    struct web_file *all; /* by path */
    size_t n;
    size_t n_bytes;
};
int web_files_load(const char *dir, struct web_files *ret, struct fault *f);
void web_files_free(struct web_files *f);
const struct web_file *web_files_find(const struct web_files *f, const char *path);
/* web_files_answer - GET or HEAD of a path outside of the API. */
void web_files_answer(const struct web_files *f, const struct http_request *q, struct http_reply *r);

/* web_openapi_load - every *.yaml below content/openapi in one document. Return: 0 or <0 with the fault. */
int web_openapi_load(const char *dir, json_t **ret, struct fault *f);

/* --- who listens --------------------------------------------------------------------------------------------------------- */

struct listener;
struct hub;
int hub_new(struct web *w, struct hub **ret);
void hub_free(struct hub *h);
struct web_call;
/* hub_listener - what a stream of this request will be. NULL: no memory. */
struct listener *hub_listener(const struct web_call *c);
void hub_opened(struct hub *h, struct http_stream *s, struct listener *l);
void hub_closed(struct hub *h, struct http_stream *s, struct listener *l);
void hub_tell(struct hub *h, const char *event, const struct access_object *o, enum permission permission, const json_t *data);
/* hub_tick - a comment every 15 s; who may no longer listen is told and closed. */
void hub_tick(struct hub *h, int64_t now_us);
/* hub_recheck - sessions or tokens ended: look at all at the next tick. */
void hub_recheck(struct hub *h);
/* hub_numbers - for metrics. */
void hub_numbers(struct hub *h, uint64_t *ret_listeners, uint64_t *ret_told, uint64_t *ret_sent);

/* --- the office's web ------------------------------------------------------------------------------------------------------ */

struct web {
    struct web_options o;
    struct db_pool *pool;
    struct roles *roles;
    struct access *access;
    struct rates *rates;
    struct hub *hub;
    struct web_files files;
    json_t *openapi;
    struct http_server *server; /* for its counters; may be NULL */
    uint8_t key[WEB_KEY_BYTES]; /* of cursors */
    struct web_entry routes[WEB_ROUTES_MAX];
    size_t n_routes;
    atomic_bool is_ending;
    int64_t tidied_us;
    _Atomic uint64_t n_by_status[6], n_unauthorised, n_forbidden, n_limited, n_csrf, n_failed, answer_us;
};

/* --- a request on its way ----------------------------------------------------------------------------------------------------- */

struct web_told {
    struct web_told *next;
    const char *event;
    struct access_object object;
    enum permission permission;
    json_t *data;
};
struct web_noted { /* an entry of a read, written after it */
    struct web_noted *next;
    const char *action;
    int64_t object;
    const char *detail, *why;
};
enum web_form { WEB_JSON, WEB_CSV, WEB_XLSX };

struct web_call {
    struct web_request q; /* first: a handler's const struct web_request * is this */
    struct web_reply r;
    const struct http_request *http;
    struct web_entry entry;
    struct arena arena;
    struct subject subject;
    struct session session;
    struct token token;
    bool has_session, has_token, is_cookie, must_touch, is_writing;
    char who_name[32], address[IP_TEXT_MAX];
    json_t *wrong;       /* [{pointer, detail}] */
    json_t *rows;        /* of a list */
    enum web_form form;
    bool has_entry;      /* the trail was told */
    struct web_told *told, **last_told;
    struct web_noted *noted, **last_noted;
    struct listener *listener; /* the reply is a stream */
    const char *cookie;  /* Set-Cookie */
    const char *link;    /* next part of an export */
    unsigned retry_after_s;
    unsigned allowed;    /* of a 405 */
};
static inline struct web_call *call_of(const struct web_request *q)
{
    return (struct web_call *)(uintptr_t)q;
}

/* web_who - session or token of the request. Return: 0; else the status, the problem is written. */
int web_who(struct web_call *c, struct db *db);
/* web_permissions_json - names of a set, in an array. */
json_t *web_permissions_json(uint64_t set);
/* web_permissions_read - the member @name, an array of names. Said to be wrong if it is not. */
uint64_t web_permissions_read(const struct web_request *q, const char *name);
/* web_covers - has the caller @permissions at @unit (0: the root), and below. */
bool web_covers(const struct web_request *q, uint64_t permissions, int64_t unit, bool is_below);
/*
 * web_controls - may the caller act for @person: he has all that the other has, wherever the other has it; else a reset password would
 * be a way
 * up. Return: false: 403 or 404 was written.
 */
bool web_controls(const struct web_request *q, struct web_reply *r, const struct person *p);
/* web_condition - enum person_condition as a problem; <0 is handed up. Return: 0 or <0, for return. */
int web_condition(const struct web_request *q, struct web_reply *r, int condition);
/* web_person - {user} of the path that the caller may see. Return: false: 404 was written. */
bool web_person(const struct web_request *q, struct web_reply *r, unsigned i, struct person *ret);
/* web_tables - rows as CSV or XLSX into the reply. Return: 0 or -errno. */
int web_table(const struct web_request *q, struct web_reply *r, const json_t *rows, enum web_form form);
/* web_reply_out - what the handler left, with every header, into HTTP. */
void web_reply_out(struct web_call *c, struct http_reply *out);
/* web_headers_for_all - that no page frames us, and the like. @is_api: no-store, no script at all. */
void web_headers_for_all(struct http_reply *out, bool is_api);
/* web_is_time_kept - compares secrets without telling where they differ. */
bool web_secret_is(const char *a, const char *b);
/* web_from - address and agent for state/login. */
struct login_from web_from(const struct web_request *q);
/* web_trim_query - every parameter of the query decodes to text. */
bool web_query_is_text(struct web_call *c);

extern const struct web_desk web_session_desk, web_settings_desk, web_people_desk, web_grant_desk, web_trail_desk, web_system_desk;
