/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: a TLS session and a socket to the watch. What comes out of the one goes into the other, a record of TLS at a time;
 * while the watch's socket is full nothing is read.
 */
#include "gate/gate_own.h"

#include "base/clock.h"
#include "watch/intake/log_link.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RECORD_BYTES = 16384, RECORDS_A_TURN = 32, LINGER_US = 1000000 };

enum stream_state { STREAM_HANDSHAKE, STREAM_OPEN, STREAM_CLOSING, STREAM_DEAD };

struct stream {
    struct listener *listener;
    struct stream *next, **from; /* the list */
    struct endpoint tcp_end, pipe_end;
    enum stream_state state;
    int fd, pipe; /* -1: not there (any more) */
    gnutls_session_t session;
    struct ip ip;
    int64_t active_us;
    uint8_t *held; /* a record the watch has not wholly taken; NULL: none */
    size_t at, n;  /* of held: what is left */
};

static void bury(struct stream *s)
{
    struct listener *l = s->listener;
    if (s->state == STREAM_DEAD)
        return;
    s->state = STREAM_DEAD;
    close(s->fd);
    if (s->pipe >= 0)
        close(s->pipe);
    gnutls_deinit(s->session);
    free(s->held);
    *s->from = s->next;
    if (s->next)
        s->next->from = s->from;
    s->next = l->gate->dead;
    l->gate->dead = s;
    l->n_streams--;
    atomic_fetch_sub_explicit(&l->board->connections, 1, memory_order_relaxed);
}

void streams_free_dead(struct gate *g)
{
    while (g->dead) {
        struct stream *s = g->dead;
        g->dead = s->next;
        free(s);
    }
}

void streams_free(struct listener *l)
{
    while (l->streams)
        bury(l->streams);
}

/* --- a new one --------------------------------------------------------------------------------------------------- */

static uint64_t count_of(const struct listener *l, const struct ip *ip)
{
    uint64_t n = 0;
    for (const struct stream *s = l->streams; s; s = s->next)
        n += ip_equal(&s->ip, ip);
    return n;
}

static int open_session(struct stream *s)
{
    const struct listener *l = s->listener;
    if (gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS))
        return -ENOMEM;
    if (gnutls_priority_set(s->session, l->gate->priorities) ||
        gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, l->credentials)) {
        gnutls_deinit(s->session);
        return -ENOMEM;
    }
    gnutls_certificate_server_set_request(s->session, l->is_mutual ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (l->has_authority)
        gnutls_session_set_verify_cert(s->session, NULL, 0);
    gnutls_handshake_set_timeout(s->session, GNUTLS_INDEFINITE_TIMEOUT); /* ours counts */
    gnutls_transport_set_int(s->session, s->fd);
    return 0;
}

/* open_stream - Return: false: no memory, @fd is the caller's still. */
static bool open_stream(struct listener *l, int fd, const struct ip *ip)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return false;
    *s = (struct stream){.listener = l, .fd = fd, .pipe = -1, .ip = *ip, .active_us = clock_steady_us()};
    s->tcp_end = (struct endpoint){ENDPOINT_TCP, s};
    s->pipe_end = (struct endpoint){ENDPOINT_PIPE, s};
    if (open_session(s)) {
        free(s);
        return false;
    }
    if (gate_watch(l->gate, fd, EPOLLIN, &s->tcp_end)) {
        gnutls_deinit(s->session);
        free(s);
        return false;
    }
    s->next = l->streams;
    s->from = &l->streams;
    if (s->next)
        s->next->from = &s->next;
    l->streams = s;
    l->n_streams++;
    atomic_fetch_add_explicit(&l->board->connections, 1, memory_order_relaxed);
    return true;
}

void stream_accept(struct listener *l)
{
    struct sockaddr_storage from;
    socklen_t n = sizeof(from);
    int yes = 1, fd = accept4(l->o.tcp_fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return; /* it went away, or descriptors are out: the next may do */
    struct ip ip = gate_address((struct sockaddr *)&from);
    COUNT(l, accepted);
    bool is_allowed = gate_allows(l, &ip), is_full = l->n_streams >= l->o.connections;
    bool is_full_of_one = is_allowed && !is_full && count_of(l, &ip) >= l->o.connections_of_one;
    if (!is_allowed)
        COUNT(l, not_allowed);
    else if (is_full_of_one)
        COUNT(l, over_limit_of_one);
    else if (is_full)
        COUNT(l, over_limit);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (!is_allowed || is_full || is_full_of_one || !open_stream(l, fd, &ip))
        close(fd);
}

/* --- handshake ------------------------------------------------------------------------------------------------------ */

/* hand_over - the other end of a new pair of sockets goes to the watch. Return: false: it took it not. */
static bool hand_over(struct stream *s)
{
    struct log_link_hello hello = {.magic = LOG_LINK_MAGIC, .kind = LOG_LINK_STREAM, .ip = s->ip};
    int pair[2];
    if (s->listener->is_mutual)
        gate_peer_name(s->session, hello.name, sizeof(hello.name));
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return false;
    int r = log_link_send(s->listener->o.link_fd, &hello, pair[1]);
    close(pair[1]);
    s->pipe = pair[0];
    return !r && !gate_watch(s->listener->gate, s->pipe, EPOLLIN | EPOLLRDHUP, &s->pipe_end);
}

static void shake_hands(struct stream *s)
{
    struct listener *l = s->listener;
    int r = gnutls_handshake(s->session);
    if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED) {
        gate_watch_other(l->gate, s->fd, gnutls_record_get_direction(s->session) ? EPOLLOUT : EPOLLIN, &s->tcp_end);
        return;
    }
    if (r < 0 && !gnutls_error_is_fatal(r))
        return;
    if (r < 0) {
        bool is_certificate = r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR || r == GNUTLS_E_CERTIFICATE_ERROR ||
                              r == GNUTLS_E_NO_CERTIFICATE_FOUND || r == GNUTLS_E_CERTIFICATE_REQUIRED;
        if (is_certificate) {
            COUNT(l, certificates_refused);
            gate_peer_note(l->board->refused, s->session, &s->ip, GATE_UNTRUSTED);
        } else {
            COUNT(l, handshakes_failed);
        }
        (void)gnutls_alert_send_appropriate(s->session, r);
        bury(s);
        return;
    }
    COUNT(l, handshakes);
    if (l->o.n_peers && !gate_peer_may_pass(s->session, l->o.peers, l->o.n_peers)) {
        COUNT(l, peers_refused);
        gate_peer_note(l->board->refused, s->session, &s->ip, GATE_NOT_AMONG_PEERS);
        (void)gnutls_alert_send(s->session, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
        bury(s);
        return;
    }
    s->state = STREAM_OPEN;
    s->active_us = clock_steady_us();
    if (!hand_over(s)) {
        COUNT(l, watch_away);
        bury(s);
        return;
    }
    gate_watch_other(l->gate, s->fd, EPOLLIN, &s->tcp_end);
    stream_event(s, ENDPOINT_TCP, EPOLLIN); /* records may have come with the last flight */
}

/* --- bytes ------------------------------------------------------------------------------------------------------------ */

/* say_goodbye - the sender is told that nobody will read on, so that one who looks stops; what is on its way is still taken. */
static void say_goodbye(struct stream *s, int64_t now_us)
{
    if (s->state == STREAM_OPEN) {
        (void)gnutls_bye(s->session, GNUTLS_SHUT_WR);
        shutdown(s->fd, SHUT_WR);
    }
    s->state = STREAM_CLOSING;
    s->active_us = now_us;
}

/* give - to the watch, as much as it takes; the rest is held. Return: false: it has gone. */
static bool give(struct stream *s, const uint8_t *p, size_t n)
{
    ssize_t k = send(s->pipe, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    size_t given = k > 0 ? (size_t)k : 0;
    atomic_fetch_add_explicit(&s->listener->board->bytes, given, memory_order_relaxed);
    if (given == n)
        return true;
    s->held = malloc(n - given);
    if (!s->held)
        return false;
    memcpy(s->held, p + given, n - given);
    s->at = 0;
    s->n = n - given;
    gate_watch_other(s->listener->gate, s->fd, 0, &s->tcp_end);
    gate_watch_other(s->listener->gate, s->pipe, (s->state == STREAM_OPEN ? EPOLLIN | EPOLLRDHUP : 0) | EPOLLOUT, &s->pipe_end);
    return true;
}

/* give_held - what the watch did not take before. Return: false: it has gone. */
static bool give_held(struct stream *s)
{
    ssize_t k = send(s->pipe, s->held + s->at, s->n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k < 0)
        return errno == EAGAIN || errno == EINTR;
    atomic_fetch_add_explicit(&s->listener->board->bytes, (uint64_t)k, memory_order_relaxed);
    s->at += (size_t)k;
    s->n -= (size_t)k;
    if (s->state == STREAM_OPEN)
        s->active_us = clock_steady_us(); /* a slow watch is not the sender's fault */
    if (s->n)
        return true;
    free(s->held);
    s->held = NULL;
    gate_watch_other(s->listener->gate, s->pipe, s->state == STREAM_OPEN ? EPOLLIN | EPOLLRDHUP : 0, &s->pipe_end);
    gate_watch_other(s->listener->gate, s->fd, EPOLLIN, &s->tcp_end);
    return true;
}

static void take_records(struct stream *s)
{
    uint8_t record[RECORD_BYTES];
    for (int i = 0; i < RECORDS_A_TURN && !s->held; i++) {
        ssize_t n = gnutls_record_recv(s->session, record, sizeof(record));
        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            return;
        if (n <= 0) { /* the end, an attempt to renegotiate, or an error */
            if (n < 0)
                COUNT(s->listener, cut);
            bury(s);
            return;
        }
        if (s->state == STREAM_OPEN)
            s->active_us = clock_steady_us();
        if (!give(s, record, (size_t)n)) {
            COUNT(s->listener, watch_away);
            bury(s);
            return;
        }
    }
}

void stream_event(struct stream *s, enum endpoint_kind kind, uint32_t events)
{
    uint8_t unused;
    if (s->state == STREAM_DEAD)
        return;
    if (s->state == STREAM_HANDSHAKE) {
        shake_hands(s);
        return;
    }
    if (kind == ENDPOINT_TCP) {
        if (!s->held || (events & EPOLLERR))
            take_records(s);
        else if (events & EPOLLHUP) /* the sender has gone altogether, the watch has not taken all: a poll cannot be told not to say so */
            (void)epoll_ctl(s->listener->gate->epoll, EPOLL_CTL_DEL, s->fd, NULL);
        return;
    }
    if ((events & EPOLLERR) || (events & EPOLLHUP)) { /* the watch has gone */
        COUNT(s->listener, watch_away);
        bury(s);
        return;
    }
    if (s->held && (events & EPOLLOUT) && !give_held(s)) {
        COUNT(s->listener, watch_away);
        bury(s);
        return;
    }
    if (s->state == STREAM_OPEN && (events & (EPOLLIN | EPOLLRDHUP)) && recv(s->pipe, &unused, 1, MSG_DONTWAIT) == 0) {
        say_goodbye(s, clock_steady_us());
        gate_watch_other(s->listener->gate, s->pipe, s->held ? EPOLLOUT : 0, &s->pipe_end);
    }
}

/* --- time ----------------------------------------------------------------------------------------------------------- */

void streams_tick(struct listener *l, int64_t now_us)
{
    for (struct stream *s = l->streams, *next; s; s = next) {
        int64_t since_us = now_us - s->active_us;
        next = s->next;
        if (s->state == STREAM_HANDSHAKE && since_us >= l->o.handshake_us) {
            COUNT(l, handshakes_late);
            bury(s);
        } else if (s->state == STREAM_OPEN && !s->held && since_us >= l->o.idle_us) {
            COUNT(l, idle);
            say_goodbye(s, now_us);
        } else if (s->state == STREAM_CLOSING && since_us >= LINGER_US) {
            bury(s);
        }
    }
}

void streams_end(struct listener *l, int64_t now_us)
{
    for (struct stream *s = l->streams, *next; s; s = next) {
        next = s->next;
        if (s->state == STREAM_HANDSHAKE)
            bury(s);
        else
            say_goodbye(s, now_us);
    }
}
