/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/http_server - HTTPS for the office: one loop reads and writes, worker threads answer; no knowledge of the domain.
 *
 * libmicrohttpd with GnuTLS over a listening socket that was bound before privileges were dropped. A request is read whole (headers
 * 16 KiB, body up to what `begin` allowed), suspended, answered by one of n_workers, resumed. Streams (server-sent events) stay open and
 * are fed by anybody.
 * Limits: connections, connections of one address, bytes of a request, seconds of reading one (slow clients), open streams; each
 * refusal is counted.
 */
#pragma once

#include "base/buf.h"
#include "base/fault.h"
#include "base/ip.h"
#include "base/text.h"

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
    char certificate_name[256];    /* its subject, for connectors */
    const void *connection;        /* for http_header */
};
/* http_header - value of a request header or NULL; borrowed. */
const char *http_header(const struct http_request *q, const char *name);

struct http_reply {
    int status;
    struct buf body;               /* taken over */
    struct { const char *name; char value[512]; } headers[16];
    unsigned n_headers;
    bool is_stream;                /* keep it open: stream_open is called with it */
    void *stream_context;
};
void http_reply_header(struct http_reply *r, const char *name, const char *value);

struct http_handlers {
    void *context;
    /* before the body is read. Return: bytes it may have, or < 0: refuse with that status (-413, -404 …) */
    int64_t (*begin)(void *context, const struct http_request *q);
    /* on a worker thread */
    void (*answer)(void *context, const struct http_request *q, struct http_reply *r);
    void (*stream_opened)(void *context, struct http_stream *s, void *stream_context);
    void (*stream_closed)(void *context, struct http_stream *s, void *stream_context);
};

struct http_options {
    int listen_fd;                 /* taken over */
    const char *certificate_pem, *key_pem, *client_ca_pem; /* client_ca NULL: none asked for; certificate NULL: plain HTTP, tests only */
    unsigned n_workers, connections_max, connections_of_one_max, streams_max, read_timeout_s;
};

struct http_counters {
    uint64_t requests, answered, refused_size, refused_connections, refused_slow, streams, bytes_in, bytes_out;
};

int http_server_start(const struct http_options *o, const struct http_handlers *h, struct http_server **ret, struct fault *f);
/* http_server_stop - finishes what is being answered, closes streams, ends threads. */
void http_server_stop(struct http_server *s);
void http_server_counters(struct http_server *s, struct http_counters *ret);
/* http_stream_send - queue bytes for a stream; any thread. Return: 0, or 1: it is closed or more than 1 MiB behind (then it is closed). */
int http_stream_send(struct http_stream *s, const void *p, size_t n);
