/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_server - HTTPS for the office: one loop reads and writes, worker threads answer; no knowledge of the domain.
 *
 * libmicrohttpd with GnuTLS over a listening socket that was bound before privileges were dropped. A request is read whole (headers
 * 16 KiB, body up to what `begin` allowed), suspended, answered by one of n_workers, resumed. Streams (server-sent events) stay open and
 * are fed by anybody.
 * Threads: one loop, which alone touches the library; n_workers.
 * Limits: connections, connections of one address, bytes of a request, seconds of reading one or of sitting idle (slow clients), a slow
 * reader of an answer (16 KiB/s over the same seconds), open streams; each refusal is counted.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "base/ip.h"
#include "net/http_text.h"

#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct http_stream;

struct http_request {
    const char *method, *path;     /* path percent-decoded once, without the query; terminated, valid UTF-8, no NUL, no .. */
    const char *query;             /* raw, "" if none */
    const uint8_t *body;
    size_t n_body;
    struct ip client;
    bool has_certificate;          /* a client certificate that the configured authority signed */
    char certificate_name[256];    /* its distinguished name (RFC 4514), for connectors */
    const struct http_headers *headers;
};
/* http_header - value of a request header or NULL; borrowed. */
const char *http_header(const struct http_request *q, const char *name);

struct http_reply {
    int status;
    struct buf body;               /* taken over */
    struct { const char *name; char value[512]; } headers[16];
    unsigned n_headers;
    bool is_stream;                /* keep it open: stream_opened is called with it; the body is its beginning */
    void *stream_context;
};
/* http_reply_header - a value that is too long or has control characters is left out. */
void http_reply_header(struct http_reply *r, const char *name, const char *value);

struct http_handlers {
    void *context;
    /*
     * before the body is read, on the loop's thread: quick. Return: bytes the body may have; < 0: none, and the request is answered as
     * -status (it is shown to `refuse` without its body).
     */
    int64_t (*begin)(void *context, const struct http_request *q);
    /* on a worker thread */
    void (*answer)(void *context, const struct http_request *q, struct http_reply *r);
    /*
     * on the loop's thread: the body of a refusal of the server itself: 400 (no good request), 413, 414, 431 or what `begin` said. @q has
     * no path where the path is what is wrong.
     */
    void (*refuse)(void *context, const struct http_request *q, int status, struct http_reply *r);
    /* on the loop's thread. After stream_closed the stream is gone: who sends holds a lock that stream_closed takes too. */
    void (*stream_opened)(void *context, struct http_stream *s, void *stream_context);
    void (*stream_closed)(void *context, struct http_stream *s, void *stream_context);
};

struct http_options {
    int listen_fd;                 /* taken over */
    const char *certificate_pem, *key_pem, *client_ca_pem; /* client_ca NULL: none asked for; certificate NULL: plain HTTP, tests only */
    size_t bodies_max_bytes;       /* of all requests that are being read or answered; 0: 256 MiB */
    unsigned n_workers, connections_max, connections_of_one_max, streams_max, read_timeout_s;
};

struct http_counters {
    uint64_t accepted, requests, answered, bytes_in, bytes_out;
    uint64_t refused_size, refused_request, refused_connections, refused_connections_of_one, refused_slow, refused_streams, refused_bodies;
    uint64_t connections, streams, streams_behind; /* open now, open now, closed for being behind */
};

/* http_server_start - the texts of @o are borrowed for the call. Return: 0 or <0 with the fault; the socket is closed with it. */
int http_server_start(const struct http_options *o, const struct http_handlers *h, struct http_server **ret, struct fault *f);
/* http_server_stop - finishes what is being answered, closes streams, ends threads. */
void http_server_stop(struct http_server *s);
void http_server_counters(struct http_server *s, struct http_counters *ret);
/* http_stream_send - queue bytes for a stream; any thread. Return: 0, or 1: it is closed or more than 1 MiB behind (then it is closed). */
int http_stream_send(struct http_stream *s, const void *p, size_t n);
/* http_stream_end - what is queued is still sent, then it is closed; any thread. */
void http_stream_end(struct http_stream *s);
