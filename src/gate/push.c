/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes: libmicrohttpd takes HTTP off TLS; the body goes to the watch piece by piece and the connection sleeps until the watch
 * has answered. Nothing of the body is looked at here.
 */
#include "gate/push_own.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { PUSHES_MAX = 64, DRAIN_BYTES = 4 << 20, LATE_US = 120000000, HEADER_US = 60000000, MEMORY_BYTES = 48 << 10 };

/* a connection of the HTTP library: watched for headers that never end */
struct push_connection {
    struct listener *listener;
    struct push_connection *next, **from;
    int fd;
    bool is_busy; /* a request is in our hands: it has limits of its own */
    int64_t since_us;
};

/* --- the library's callbacks about connections -------------------------------------------------------------------- */

static enum MHD_Result may_connect(void *context, const struct sockaddr *a, socklen_t n)
{
    struct listener *l = context;
    struct ip ip = gate_address(a);
    (void)n;
    COUNT(l, accepted);
    if (gate_allows(l, &ip))
        return MHD_YES;
    COUNT(l, not_allowed);
    return MHD_NO;
}

static void note_connection(void *context, struct MHD_Connection *c, void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct listener *l = context;
    struct push_connection *x = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        atomic_fetch_add_explicit(&l->board->connections, 1, memory_order_relaxed);
        x = calloc(1, sizeof(*x));
        if (!x)
            return;
        *x = (struct push_connection){.listener = l, .fd = fd ? fd->connect_fd : -1, .since_us = clock_steady_us()};
        x->next = l->push_connections;
        x->from = &l->push_connections;
        if (x->next)
            x->next->from = &x->next;
        l->push_connections = x;
        *socket_context = x;
        return;
    }
    atomic_fetch_sub_explicit(&l->board->connections, 1, memory_order_relaxed);
    if (!x)
        return;
    *x->from = x->next;
    if (x->next)
        x->next->from = x->from;
    free(x);
    *socket_context = NULL;
}

static struct push_connection *connection_of(struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *i = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

/* --- a push and its end ---------------------------------------------------------------------------------------------- */

static void close_pipe(struct push *p)
{
    if (p->pipe >= 0)
        close(p->pipe);
    p->pipe = -1;
}

static void wake(struct push *p)
{
    if (!p->is_asleep)
        return;
    p->is_asleep = false;
    MHD_resume_connection(p->connection);
    p->listener->is_http_due = true;
}

static void request_done(void *context, struct MHD_Connection *c, void **con_cls, enum MHD_RequestTerminationCode code)
{
    struct push *p = *con_cls;
    struct push_connection *x = connection_of(c);
    (void)context;
    (void)code;
    if (x) {
        x->is_busy = false;
        x->since_us = clock_steady_us();
    }
    if (!p)
        return;
    close_pipe(p);
    *p->from = p->next;
    if (p->next)
        p->next->from = p->from;
    p->listener->n_pushes--;
    p->connection = NULL;
    p->next = p->listener->gate->dead_pushes;
    p->listener->gate->dead_pushes = p;
    *con_cls = NULL;
}

void pushes_free_dead(struct gate *g)
{
    while (g->dead_pushes) {
        struct push *p = g->dead_pushes;
        g->dead_pushes = p->next;
        free(p);
    }
}

/* --- to the watch and back --------------------------------------------------------------------------------------------- */

/* open_pipe - Return: false: the watch takes nothing. */
static bool open_pipe(struct push *p)
{
    struct listener *l = p->listener;
    int pair[2];
    p->hello.magic = LOG_LINK_MAGIC;
    p->hello.kind = LOG_LINK_PUSH;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
        return false;
    int r = log_link_send(l->o.link_fd, &p->hello, pair[1]);
    close(pair[1]);
    p->pipe = pair[0];
    return !r && !gate_watch(l->gate, p->pipe, EPOLLIN, &p->pipe_end);
}

static void fall_asleep(struct push *p, uint32_t events)
{
    gate_watch_other(p->listener->gate, p->pipe, events, &p->pipe_end);
    p->is_asleep = true;
    MHD_suspend_connection(p->connection);
}

/* answered_early - the watch has said something, or has gone, before it had all. */
static void lose_watch(struct push *p)
{
    close_pipe(p);
    if (!p->status) {
        COUNT(p->listener, watch_away);
        p->status = 503;
        p->retry_after_s = 5;
        p->detail = "the node takes nothing at the moment";
    }
}

static void take_reply(struct push *p)
{
    ssize_t n = recv(p->pipe, &p->reply, sizeof(p->reply), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != (ssize_t)sizeof(p->reply) || p->reply.magic != LOG_LINK_MAGIC || p->reply.n_faults > LOG_PUSH_FAULTS_MAX ||
        p->reply.n_reasons > LOG_PUSH_REASONS_MAX) {
        lose_watch(p);
    } else {
        p->has_reply = true;
        push_status_of_reply(p);
        close_pipe(p);
    }
    wake(p);
}

void push_event(struct push *p, uint32_t events)
{
    if (!p->connection || p->pipe < 0)
        return;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        take_reply(p);
    else if (events & EPOLLOUT)
        wake(p);
}

/* give - a piece of the body. Return: bytes taken (0: the watch is full, we sleep). */
static size_t give(struct push *p, const char *bytes, size_t n)
{
    size_t piece = n < LOG_PUSH_PIECE ? n : LOG_PUSH_PIECE;
    char kind = LOG_PUSH_BODY;
    struct iovec parts[2] = {{&kind, 1}, {(char *)(uintptr_t)bytes, piece}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
    if (sendmsg(p->pipe, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        atomic_fetch_add_explicit(&p->listener->board->bytes, piece, memory_order_relaxed);
        return piece;
    }
    if (errno == EAGAIN || errno == EINTR) {
        fall_asleep(p, EPOLLIN | EPOLLOUT);
        return 0;
    }
    take_reply(p); /* it may have said why */
    if (p->pipe >= 0)
        lose_watch(p);
    return n;
}

/* end_body - Return: whether we sleep until the answer. */
static bool end_body(struct push *p)
{
    char kind = LOG_PUSH_END;
    if (!p->is_ended && send(p->pipe, &kind, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EAGAIN || errno == EINTR) {
            fall_asleep(p, EPOLLIN | EPOLLOUT);
            return true;
        }
        take_reply(p);
        if (p->pipe >= 0)
            lose_watch(p);
        return false;
    }
    p->is_ended = true;
    fall_asleep(p, EPOLLIN);
    return true;
}

/* --- the library's callback for requests -------------------------------------------------------------------------------- */

static struct push *new_push(struct listener *l, struct MHD_Connection *c)
{
    struct push *p = calloc(1, sizeof(*p));
    const union MHD_ConnectionInfo *a = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct push_connection *x = connection_of(c);
    if (!p)
        return NULL;
    *p = (struct push){.listener = l, .connection = c, .pipe = -1, .began_us = clock_steady_us(), .next = l->pushes, .from = &l->pushes};
    p->pipe_end = (struct endpoint){ENDPOINT_PUSH, p};
    if (a && a->client_addr)
        p->hello.ip = gate_address(a->client_addr);
    if (x) {
        x->is_busy = true;
        p->fd = x->fd;
    }
    if (p->next)
        p->next->from = &p->next;
    l->pushes = p;
    l->n_pushes++;
    return p;
}

/* begin - the headers are there. What is wrong with them is told when the body has been read away, if it is small. */
static enum MHD_Result begin(struct push *p, const char *url, const char *method)
{
    struct listener *l = p->listener;
    push_check(p, url, method);
    if (!p->status && p->is_push && l->n_pushes > PUSHES_MAX) {
        p->status = 503;
        p->retry_after_s = 1;
        p->detail = "too many pushes at a time";
    }
    if (!p->status && p->is_push && (l->gate->is_ending || !open_pipe(p)))
        lose_watch(p);
    bool is_waiting = MHD_lookup_connection_value(p->connection, MHD_HEADER_KIND, "Expect") != NULL;
    if (p->status && (is_waiting || p->n_announced > DRAIN_BYTES))
        return push_answer(p);
    return MHD_YES;
}

static enum MHD_Result take_body(struct push *p, const char *bytes, size_t *n)
{
    p->n_body += p->n_counted < *n ? *n - p->n_counted : 0;
    if (!p->status && p->n_body > p->listener->o.body_max_bytes) {
        COUNT(p->listener, pushes_too_large);
        p->status = 413;
        p->detail = "the body is larger than this listener takes";
        close_pipe(p);
    }
    if (p->status) {
        bool is_endless = p->n_body > p->listener->o.body_max_bytes + DRAIN_BYTES;
        *n = 0;
        p->n_counted = 0;
        return is_endless ? MHD_NO : MHD_YES;
    }
    for (size_t taken = 1; *n && taken && p->pipe >= 0;) {
        taken = give(p, bytes, *n);
        bytes += taken;
        *n -= taken;
    }
    if (p->pipe < 0) /* the watch has answered, or gone: what still comes is read away */
        *n = 0;
    p->n_counted = *n; /* what comes again is not counted again */
    return MHD_YES;
}

static enum MHD_Result take_request(void *context, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                    const char *bytes, size_t *n, void **con_cls)
{
    struct push *p = *con_cls;
    (void)version;
    if (!p) {
        *con_cls = p = new_push(context, c);
        return p ? begin(p, url, method) : MHD_NO;
    }
    if (p->is_late)
        return MHD_NO;
    if (*n)
        return take_body(p, bytes, n);
    if (!p->status && !p->has_reply && p->is_push && end_body(p))
        return MHD_YES;
    return push_answer(p);
}

/* --- beginning, turns, time, end ------------------------------------------------------------------------------------------ */

int pushes_start(struct listener *l, const struct gate_listener *o, struct fault *f)
{
    enum MHD_OPTION trust = o->client_ca.n ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END;
    const struct MHD_OptionItem more[] = {{trust, 0, (void *)(uintptr_t)o->client_ca.p}, {MHD_OPTION_END, 0, NULL}};
    l->daemon = MHD_start_daemon(MHD_USE_TLS | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, may_connect, l, take_request, l,
                                 MHD_OPTION_LISTEN_SOCKET, l->o.tcp_fd, MHD_OPTION_HTTPS_MEM_CERT, (const char *)o->certificate.p,
                                 MHD_OPTION_HTTPS_MEM_KEY, (const char *)o->key.p, MHD_OPTION_HTTPS_PRIORITIES, GATE_PRIORITIES,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connections, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                 (unsigned)o->connections_of_one, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)(HEADER_US / US_PER_SECOND), MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
                                 MHD_OPTION_NOTIFY_COMPLETED, request_done, l, MHD_OPTION_NOTIFY_CONNECTION, note_connection, l,
                                 MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!l->daemon)
        return FAULT(f, -EINVAL, gate_no_https, strerrordesc_np(errno));
    const union MHD_DaemonInfo *i = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int r = i ? gate_watch(l->gate, i->epoll_fd, EPOLLIN, &l->http) : -EINVAL;
    l->is_http_due = true;
    return r ? FAULT(f, r, gate_no_https, strerrordesc_np(-r)) : 0;
}

int pushes_timeout_ms(struct listener *l, int most)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (!l->daemon)
        return most;
    if (l->is_http_due)
        return 0;
    return MHD_get_timeout(l->daemon, &ms) == MHD_YES && ms < (unsigned)most ? (int)ms : most;
}

void pushes_run(struct listener *l)
{
    if (!l->daemon)
        return;
    l->is_http_due = false;
    (void)MHD_run(l->daemon);
}

void pushes_tick(struct listener *l, int64_t now_us)
{
    for (struct push_connection *x = l->push_connections; x; x = x->next)
        if (!x->is_busy && now_us - x->since_us > HEADER_US && x->fd >= 0) {
            COUNT(l, idle);
            x->since_us = now_us;
            shutdown(x->fd, SHUT_RDWR); /* the library sees it and closes */
        }
    for (struct push *p = l->pushes; p; p = p->next)
        if (!p->is_late && now_us - p->began_us > LATE_US) {
            COUNT(l, pushes_late);
            p->is_late = true;
            wake(p);
            shutdown(p->fd, SHUT_RDWR);
        }
}

void pushes_end(struct listener *l)
{
    if (l->daemon)
        (void)MHD_quiesce_daemon(l->daemon); /* the socket stays open: the next gate accepts */
}

void pushes_free(struct listener *l)
{
    if (!l->daemon)
        return;
    for (struct push *p = l->pushes; p; p = p->next) {
        p->is_late = true;
        wake(p);
    }
    (void)MHD_run(l->daemon);
    if (l->gate->is_ending || MHD_quiesce_daemon(l->daemon) != MHD_INVALID_SOCKET)
        MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
}
