/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web/web - what every desk hangs its routes on: a request that is known, allowed and read; a reply that is written once.
 *
 * A route is a line of a table. Before its handler runs, web has: found the session or token (or answered 401), checked the
 * CSRF header of a cookie's write, the rate limit, the permission anywhere (403), If-Match where the route needs it (428), parsed
 * the JSON body within its limits against the shape of the route (400/422 as RFC 9457 with the place of every wrong member), and
 * taken a connection: reading with sees() set for the route's permission, or writing inside a transaction.
 * After it: a write with status < 400 is committed together with its entry in the trail (web_audit; a write without one is a
 * defect and fails), anything else is rolled back; sensitive reads are entered too; events told to web_tell go out after commit.
 * Handlers run on worker threads, block nobody's loop, keep nothing of the request.
 * An object another unit owns and one that does not exist get the same answer (404, the same bytes).
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/message.h"
#include "state/access.h"
#include "state/db.h"
#include "state/trail.h"

#include <jansson.h>

#define WEB_PARAMETERS 4
#define WEB_PAGE_MAX 500
#define WEB_PAGE_DEFAULT 50

struct web;      /* the office's web: pool, access, hub of events, limits */

enum web_method { WEB_GET, WEB_POST, WEB_PUT, WEB_PATCH, WEB_DELETE };

struct web_request {
    struct web *web;
    void *desk;                    /* what the desk gave at registration */
    enum web_method method;
    const char *path;
    struct text parameters[WEB_PARAMETERS]; /* of {…} in the pattern, in order, percent-decoded */
    json_t *body;                  /* NULL: none, or the route takes bytes */
    const uint8_t *bytes;          /* of an upload; in memory up to the route's limit */
    size_t n_bytes;
    const char *content_type;
    const struct subject *who;
    const char *who_name;          /* "user:7" for the trail */
    struct text client;            /* address as text */
    enum language language;        /* of what people read in the reply */
    const struct access_view *view;
    struct db *db;
    struct arena *arena;           /* dies with the request */
    int64_t now_us;
    int64_t version;               /* of If-Match; -1: none */
};

struct web_reply {
    int status;                    /* 0: 200 */
    json_t *json;                  /* owned by the reply once set */
    struct buf bytes;              /* else these, with content_type */
    const char *content_type, *file_name; /* file_name: Content-Disposition attachment */
    int64_t version;               /* > 0: ETag "n" */
    const char *location;          /* in the request's arena */
};

enum web_flag {
    WEB_WRITES = 1,       /* writing connection, trail entry demanded */
    WEB_ANYONE = 2,       /* no session needed (health, login) */
    WEB_SENSITIVE = 4,    /* the read itself is entered in the trail */
    WEB_NEEDS_VERSION = 8,/* If-Match demanded */
    WEB_BYTES = 16,       /* body is not JSON: an upload */
    WEB_LIST = 32,        /* takes limit, cursor, format=json|csv|xlsx; web_list_* */
    WEB_NO_DB = 64,       /* takes no connection (hunts, long jobs; or it makes its own transactions) */
    WEB_OWN = 128,        /* a session or token is needed, but no permission: it is about the caller himself */
    WEB_FIRST = 256,      /* also for who must change his password first */
    WEB_COSTLY = 512,     /* of the strict class of rate limits (log-in, jobs, exports of much) */
};

struct web_route {
    enum web_method method;
    const char *pattern;           /* "/api/v1/alerts/{alert}" */
    enum permission permission;    /* ignored with WEB_ANYONE */
    unsigned flags;
    const char *kind;              /* of the object, for sees() and the trail; may be NULL */
    /* Return: 0 (also for problems, by web_problem), or -errno: 500, logged with the route, never told to the client */
    int (*handle)(const struct web_request *q, struct web_reply *r);
    const char *operation;         /* operationId; its description stands in content/openapi/ */
    size_t bytes_max;              /* of the body; 0: 64 KiB */
};

/* a desk: its tables, its routes, its clockwork */
struct web_desk {
    const char *name;              /* "alert" */
    const struct db_migrations *migrations;
    const struct web_route *routes;
    size_t n_routes;
    const struct trail_kind *kinds;
    size_t n_kinds;
    void *desk;
    /*
     * tick - called about once a second by one thread, at the office's clock; may be NULL. Return: when it wants to be called
     * again (us), 0: as usual
     */
    int64_t (*tick)(struct web *w, void *desk, int64_t now_us);
};

/* --- reading a request --- */
/* web_parameter_id - {…} number @i as a positive id. Return: false: 404 was written. */
bool web_parameter_id(const struct web_request *q, struct web_reply *r, unsigned i, int64_t *ret);
/* web_query - the value of ?name=, percent-decoded, in the arena; NULL: absent. */
const char *web_query(const struct web_request *q, const char *name);
/*
 * web_member_* - a member of the JSON body. What is wrong is collected; web_check answers 422 with all of it at once.
 * @is_needed: absent is wrong. Text is valid UTF-8 without control characters but line ends, at most @max bytes.
 */
struct text web_member_text(const struct web_request *q, const char *name, size_t max, bool is_needed);
int64_t web_member_int(const struct web_request *q, const char *name, int64_t min, int64_t max, int64_t otherwise, bool is_needed);
bool web_member_bool(const struct web_request *q, const char *name, bool otherwise);
int64_t web_member_time(const struct web_request *q, const char *name, bool is_needed); /* RFC 3339; 0: absent */
int web_member_choice(const struct web_request *q, const char *name, const char *const *choices, int otherwise, bool is_needed);
bool web_has_member(const struct web_request *q, const char *name);
/* web_wrong - add one of the handler's own. @place: JSON pointer. */
void web_wrong(const struct web_request *q, const char *place, enum message_id id);
/* web_check - Return: true: nothing was wrong; false: 422 is written. */
bool web_check(const struct web_request *q, struct web_reply *r);

/*
 * web_write - for routes with WEB_NO_DB that first have slow work to do: @work inside a writing transaction, committed with its entry in
 * the
 * trail as any write is. Return: 0, for return.
 */
int web_write(const struct web_request *q, int (*work)(const struct web_request *q, struct web_reply *r, void *context), void *context);

/* --- answering --- */
/* web_problem - RFC 9457; the title in the reader's language from content/i18n ("problem_" + @type, a literal). Return: 0, for return. */
int web_problem(const struct web_request *q, struct web_reply *r, int status, const char *type);
int web_not_found(const struct web_request *q, struct web_reply *r);
int web_conflict(const struct web_request *q, struct web_reply *r); /* 412: somebody changed it first */
/* web_detail - one more sentence for the problem that was written; in the reader's language. */
void web_detail(struct web_reply *r, const char *text);
/* web_text - a message in the language of the reply; static. */
const char *web_text(const struct web_request *q, enum message_id id);
/* web_json - hand @j over. Return: 0, or -ENOMEM when @j is NULL. */
int web_json(struct web_reply *r, int status, json_t *j);
json_t *web_time(int64_t us); /* RFC 3339 UTC, or null when 0 */
json_t *web_string(struct text t);

/* --- lists: one query, one cursor --- */
/*
 * A handler asks for limit + 1 rows after `after` and adds them until web_list_add says stop. The cursor holds the sort key of the last
 * row (at most two whole numbers), signed with a key of the office so that it cannot be made up, and bound to who asks, the operation
 * and the filter. As CSV and XLSX the limit may be WEB_EXPORT_MAX; there a header Link names the next part.
 */
#define WEB_EXPORT_MAX 50000
#define WEB_EXPORT_DEFAULT 10000
struct web_list {
    int64_t limit;
    bool has_after;
    int64_t after[2];
    uint8_t filter[16]; /* digest of the filter of this list */
    json_t *rows;       /* the request's; it goes with it */
    int64_t last[2];
    int64_t n;
    bool has_more;
};
/* web_list_begin - reads limit and cursor. Return: false: 400 was written. */
bool web_list_begin(const struct web_request *q, struct web_reply *r, const struct text filter, struct web_list *l);
/* web_list_add - a row and its key. Return: false: the page is full, stop. */
bool web_list_add(struct web_list *l, json_t *row, int64_t key_a, int64_t key_b);
/* web_list_end - {"items": …, "next": cursor or null}, or CSV / XLSX of the same rows with the columns of the first. */
int web_list_end(const struct web_request *q, struct web_reply *r, struct web_list *l);

/* --- the trail and events --- */
void web_audit(const struct web_request *q, const char *action, int64_t object, json_t *detail, struct text why); /* steals @detail */
/* web_tell - to open consoles that see the object, after commit: SSE event @event with @data (stolen). */
void web_tell(const struct web_request *q, const char *event, const struct access_object *o, enum permission permission, json_t *data);

/* --- for desks' ticks and jobs --- */
struct db_pool *web_pool(struct web *w);
struct access *web_access(struct web *w);
int64_t web_now(struct web *w);
const char *web_data_dir(struct web *w);
/* web_tell_all - as web_tell, from a tick, after its own commit. */
void web_tell_all(struct web *w, const char *event, const struct access_object *o, enum permission permission, json_t *data);
