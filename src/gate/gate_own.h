/* SPDX-License-Identifier: Apache-2.0 */
/* gate/gate_own - what the parts of the gate share: the loop (gate.c), streams (stream.c), pushes (push.c). */
#pragma once

#include "gate/gate.h"
#include "gate/peers.h"

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define GATE_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

/* what epoll tells of */
enum endpoint_kind { ENDPOINT_STOP, ENDPOINT_ACCEPT, ENDPOINT_TCP, ENDPOINT_PIPE, ENDPOINT_HTTP, ENDPOINT_PUSH };
struct endpoint {
    enum endpoint_kind kind;
    void *owner;
};

#define COUNT(listener, name) atomic_fetch_add_explicit(&(listener)->board->name, 1, memory_order_relaxed)

struct stream;
struct push;
struct push_connection;
struct MHD_Daemon;

struct listener {
    struct gate *gate;
    struct gate_listener o; /* its PEM bytes are gone */
    __typeof__(((struct gate_board *)0)->listeners[0]) *board;
    gnutls_certificate_credentials_t credentials;
    bool is_mutual, has_authority; /* a sender must show a certificate; of an authority we trust */
    struct endpoint accept, http;
    struct stream *streams; /* list */
    uint64_t n_streams;
    struct MHD_Daemon *daemon; /* of pushes */
    struct push *pushes;       /* list */
    struct push_connection *push_connections;
    uint32_t n_pushes;
    bool is_http_due; /* MHD has something to do without epoll saying so */
};

struct gate {
    int epoll, stop_fd;
    struct endpoint stop;
    gnutls_priority_t priorities;
    struct listener listeners[GATE_LISTENERS_MAX];
    size_t n_listeners;
    struct stream *dead; /* freed when no event can name them any more */
    struct push *dead_pushes;
    bool is_ending;
    int64_t ending_us;
};

/* gate_address - of a peer; all zero: neither IPv4 nor IPv6. gate_allows - whether it may send here. */
struct ip gate_address(const struct sockaddr *a);
bool gate_allows(const struct listener *l, const struct ip *ip);
/* gate_watch - add @fd to epoll. Return: 0 or -errno. */
int gate_watch(struct gate *g, int fd, uint32_t events, struct endpoint *e);
void gate_watch_other(struct gate *g, int fd, uint32_t events, struct endpoint *e);

/* --- streams --- */
void stream_accept(struct listener *l);
void stream_event(struct stream *s, enum endpoint_kind kind, uint32_t events);
/* streams_tick - time limits. streams_end - say goodbye to all. */
void streams_tick(struct listener *l, int64_t now_us);
void streams_end(struct listener *l, int64_t now_us);
void streams_free_dead(struct gate *g);
void streams_free(struct listener *l);

/* --- pushes --- */
int pushes_start(struct listener *l, const struct gate_listener *o, struct fault *f);
void pushes_run(struct listener *l);
/* pushes_timeout_ms - until pushes_run is due though nothing happens, @most at most. */
int pushes_timeout_ms(struct listener *l, int most);
void push_event(struct push *p, uint32_t events);
void pushes_tick(struct listener *l, int64_t now_us);
void pushes_end(struct listener *l);
void pushes_free_dead(struct gate *g);
void pushes_free(struct listener *l);
