/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_own - what the server's files share: http_server.c (loop, requests, workers), http_connection.c (who is
 * connected), http_stream.c.
 */
#pragma once

#include "net/http_server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_BUCKETS 1024u
#define HTTP_STREAM_MAX ((size_t)1 << 20)

/* one TCP connection; the loop's alone */
struct http_connection {
    struct http_server *server;
    struct http_connection *next, **from;           /* all */
    struct http_connection *next_alike, **from_alike; /* of one bucket of addresses */
    struct ip ip;
    int fd;
    int64_t deadline_us; /* 0: none: an answer is being made, or it is a stream */
    bool is_certificate_checked, has_certificate;
    char certificate_name[256];
};

struct http_stream {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_stream *next, **from;  /* all open ones; the loop's */
    struct http_stream *next_to_wake;
    void *context;
    struct buf out;                    /* below under stream_lock */
    size_t sent;
    bool is_asleep, is_ended, is_to_wake, is_behind;
};

enum http_state { HTTP_HEADERS, HTTP_BODY, HTTP_AT_WORK, HTTP_ANSWERED, HTTP_QUEUED };

struct http_exchange {
    struct http_request q;
    struct http_headers headers;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct http_connection *of;
    struct http_exchange *next; /* in the queue of work or of what is done */
    struct http_stream *stream;
    char *target;
    struct buf body;
    size_t body_max;
    uint64_t drained;
    enum http_state state;
    int refused; /* status; 0: not */
    struct http_reply reply;
};

struct http_server {
    struct http_options o;
    struct http_handlers h;
    struct MHD_Daemon *daemon;
    pthread_t loop, *workers;
    unsigned n_workers;
    int epoll, event;
    atomic_bool is_stopping;
    /* the loop's */
    struct http_connection *connections, *buckets[HTTP_BUCKETS];
    struct http_stream *streams;
    unsigned n_connections, n_streams, n_exchanges;
    size_t n_body_bytes; /* of all exchanges */
    uint64_t key; /* of the hash of addresses */
    /* work and what came of it, under lock */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct http_exchange *first, **last, *done;
    unsigned n_working;
    bool are_workers_to_end;
    /* streams, under stream_lock */
    pthread_mutex_t stream_lock;
    struct http_stream *to_wake;
    _Atomic uint64_t counters[16];
};

enum http_count {
    COUNT_ACCEPTED, COUNT_REQUESTS, COUNT_ANSWERED, COUNT_BYTES_IN, COUNT_BYTES_OUT, COUNT_REFUSED_SIZE, COUNT_REFUSED_REQUEST,
    COUNT_REFUSED_CONNECTIONS, COUNT_REFUSED_OF_ONE, COUNT_REFUSED_SLOW, COUNT_REFUSED_STREAMS, COUNT_CONNECTIONS, COUNT_STREAMS,
    COUNT_STREAMS_BEHIND, COUNT_REFUSED_BODIES,
};
static inline void http_count(struct http_server *s, enum http_count c, uint64_t n)
{
    atomic_fetch_add_explicit(&s->counters[c], n, memory_order_relaxed);
}

/* http_wake_loop - it has something to do; any thread. */
void http_wake_loop(struct http_server *s);

/* the library's callbacks, and what they keep */
enum MHD_Result http_may_connect(void *context, const struct sockaddr *a, socklen_t n);
void http_note_connection(void *context, struct MHD_Connection *c, void **socket_context, enum MHD_ConnectionNotificationCode code);
struct http_connection *http_connection_of(struct MHD_Connection *c);
/* http_connection_allow - until when the next step of the client must be done; 0 s: for ever. */
void http_connection_allow(struct http_connection *x, int64_t seconds);
/* http_connection_certificate - verifies the client's once per connection. */
void http_connection_certificate(struct http_connection *x, struct MHD_Connection *c);
/* http_connections_tick - ends those that are too slow. */
void http_connections_tick(struct http_server *s, int64_t now_us);

/* http_stream_response - the response that a stream is; the reply's body begins it. NULL: no memory, or too many (context told). */
struct MHD_Response *http_stream_response(struct http_exchange *x);
/* http_stream_gone - its connection is over. */
void http_stream_gone(struct http_stream *s);
/* http_streams_wake - resumes those with something to send. */
void http_streams_wake(struct http_server *s);
/* http_streams_end - all of them. */
void http_streams_end(struct http_server *s);
