/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web/serve - the office's web as a whole: opened once by the office role (or a test), fed with requests by net/http_server.
 *
 * Owns the pool of DIR/office/state.db, the snapshot of access, the hub of events, the console's files (read into memory), the
 * description of the API.
 * Threads: web_answer from any worker; web_begin, web_refuse and the stream calls from the server's loop; web_tick from one thread.
 */
#pragma once

#include "net/http_server.h"
#include "state/login.h"
#include "web/web.h"

struct web_options {
    const char *data_dir;         /* office/ lies below it */
    const char *console_dir;      /* NULL: no console */
    const char *openapi_dir;      /* NULL: content/openapi */
    const char *roles_path;       /* NULL: content/roles.yaml */
    const char *public_url, *node_name;
    const struct web_desk *const *desks;
    size_t n_desks;
    struct login_limits sessions;
    unsigned n_readers;           /* reading connections: as many as workers */
    unsigned reads_per_second;    /* of one person; 0: 200. Of one address four times that */
    int64_t (*clock)(void);       /* NULL: the wall's */
    /* more lines of /metrics, from the node; may be NULL */
    void (*metrics)(void *context, struct buf *out);
    void *context;
};

/* web_new - opens or makes the state, brings it to the last step, loads what is served. Return: 0, -EPROTO (newer state), -errno. */
int web_new(const struct web_options *o, struct web **ret, struct fault *f);
void web_free(struct web *w);
/* web_serve_with - the server whose counters are shown. */
void web_serve_with(struct web *w, struct http_server *s);

/* the handlers of net/http_server; context is the struct web */
int64_t web_begin(void *context, const struct http_request *q);
void web_answer(void *context, const struct http_request *q, struct http_reply *r);
void web_refuse(void *context, const struct http_request *q, int status, struct http_reply *r);
void web_stream_opened(void *context, struct http_stream *s, void *stream_context);
void web_stream_closed(void *context, struct http_stream *s, void *stream_context);

/* web_tick - about once a second: snapshot of access, streams, the desks' clockwork. Return: when it wants to be called again, us. */
int64_t web_tick(struct web *w);
/* web_end - from now on nobody is let in anew (readiness says no); what is open goes on. */
void web_end(struct web *w);

/* web_first_person - whether anybody is in the state at all; if not, an administrator is made. Return: 0 made (@ret to be shown once and
 * wiped), 1: somebody is there, -errno. */
int web_first_person(struct web *w, const char *login, struct password_first *ret, struct fault *f);
/* web_first_is_used - has he set a password of his own? */
bool web_first_is_used(struct web *w, const char *login);
