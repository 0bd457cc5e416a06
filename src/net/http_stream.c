/* SPDX-License-Identifier: Apache-2.0 */
/* A stream sleeps in the library (suspended) while it has nothing to send; whoever feeds it asks the loop to wake it. */
#include "net/http_own.h"

#include <stdlib.h>
#include <string.h>

static ssize_t give(void *context, uint64_t position, char *out, size_t n_out)
{
    struct http_stream *s = context;
    (void)position;
    pthread_mutex_lock(&s->server->stream_lock);
    size_t n = s->out.n - s->sent < n_out ? s->out.n - s->sent : n_out;
    if (n) {
        memcpy(out, s->out.p + s->sent, n);
        s->sent += n;
        if (s->sent == s->out.n) {
            buf_clear(&s->out);
            s->sent = 0;
        }
    }
    bool is_over = !n && s->is_ended;
    if (!n && !is_over) {
        s->is_asleep = true;
        MHD_suspend_connection(s->connection);
    }
    pthread_mutex_unlock(&s->server->stream_lock);
    http_count(s->server, COUNT_BYTES_OUT, n);
    return is_over ? MHD_CONTENT_READER_END_OF_STREAM : (ssize_t)n;
}

struct MHD_Response *http_stream_response(struct http_exchange *x)
{
    struct http_server *server = x->server;
    struct http_stream *s = server->n_streams < server->o.streams_max ? calloc(1, sizeof(*s)) : NULL;
    struct MHD_Response *r = NULL;
    if (s) {
        *s = (struct http_stream){.server = server, .connection = x->connection, .context = x->reply.stream_context, .out = x->reply.body};
        s->out.max = HTTP_STREAM_MAX;
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 << 10, give, s, NULL);
    }
    if (!r) {
        http_count(server, COUNT_REFUSED_STREAMS, 1);
        free(s);
        if (server->h.stream_closed)
            server->h.stream_closed(server->h.context, NULL, x->reply.stream_context);
        return NULL;
    }
    x->reply.body = (struct buf){0};
    x->stream = s;
    s->next = server->streams;
    s->from = &server->streams;
    if (s->next)
        s->next->from = &s->next;
    server->streams = s;
    server->n_streams++;
    atomic_store_explicit(&server->counters[COUNT_STREAMS], server->n_streams, memory_order_relaxed);
    if (server->h.stream_opened)
        server->h.stream_opened(server->h.context, s, s->context);
    return r;
}

void http_stream_gone(struct http_stream *s)
{
    struct http_server *server = s->server;
    if (server->h.stream_closed)
        server->h.stream_closed(server->h.context, s, s->context); /* from here on nobody feeds it */
    pthread_mutex_lock(&server->stream_lock);
    for (struct http_stream **p = &server->to_wake; s->is_to_wake && *p; p = &(*p)->next_to_wake)
        if (*p == s) {
            *p = s->next_to_wake;
            break;
        }
    pthread_mutex_unlock(&server->stream_lock);
    *s->from = s->next;
    if (s->next)
        s->next->from = s->from;
    server->n_streams--;
    atomic_store_explicit(&server->counters[COUNT_STREAMS], server->n_streams, memory_order_relaxed);
    buf_fini(&s->out);
    free(s);
}

/* ask_to_wake - under stream_lock. Return: whether the loop must be told. */
static bool ask_to_wake(struct http_stream *s)
{
    struct http_server *server = s->server;
    bool was_empty = !server->to_wake;
    if (s->is_to_wake)
        return false;
    s->is_to_wake = true;
    s->next_to_wake = server->to_wake;
    server->to_wake = s;
    return was_empty;
}

int http_stream_send(struct http_stream *s, const void *p, size_t n)
{
    struct http_server *server = s->server;
    bool must_tell = false;
    pthread_mutex_lock(&server->stream_lock);
    if (!s->is_ended && s->sent > HTTP_STREAM_MAX / 2) { /* what was sent makes room */
        memmove(s->out.p, s->out.p + s->sent, s->out.n - s->sent);
        s->out.n -= s->sent;
        s->sent = 0;
    }
    if (!s->is_ended) {
        buf_add(&s->out, p, n);
        if (s->out.is_bad) { /* too far behind: the rest of what it has makes no whole any more */
            buf_clear(&s->out);
            s->sent = 0;
            s->is_ended = s->is_behind = true;
            http_count(server, COUNT_STREAMS_BEHIND, 1);
        }
        must_tell = ask_to_wake(s);
    }
    int r = s->is_ended ? 1 : 0;
    pthread_mutex_unlock(&server->stream_lock);
    if (must_tell)
        http_wake_loop(server);
    return r;
}

void http_stream_end(struct http_stream *s)
{
    struct http_server *server = s->server;
    pthread_mutex_lock(&server->stream_lock);
    s->is_ended = true;
    bool must_tell = ask_to_wake(s);
    pthread_mutex_unlock(&server->stream_lock);
    if (must_tell)
        http_wake_loop(server);
}

void http_streams_wake(struct http_server *server)
{
    pthread_mutex_lock(&server->stream_lock);
    struct http_stream *s = server->to_wake;
    server->to_wake = NULL;
    for (; s; s = s->next_to_wake) {
        s->is_to_wake = false;
        if (s->is_asleep) {
            s->is_asleep = false;
            MHD_resume_connection(s->connection);
        }
    }
    pthread_mutex_unlock(&server->stream_lock);
}

void http_streams_end(struct http_server *server)
{
    for (struct http_stream *s = server->streams; s; s = s->next)
        http_stream_end(s);
}
