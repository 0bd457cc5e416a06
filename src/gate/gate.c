/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread, one epoll: listening sockets, TLS streams with the sockets to the watch behind them, and the HTTP library,
 * whose own epoll descriptor lies in ours.
 */
#include "gate/gate_own.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { N_EVENTS = 64, TICK_US = 250000, TICK_MS = 250 };

struct ip gate_address(const struct sockaddr *a)
{
    struct ip ip = {{0}};
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof(v4));
        return ip_from_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof(v6));
        memcpy(ip.b, &v6.sin6_addr, sizeof(ip.b));
    }
    return ip;
}

bool gate_allows(const struct listener *l, const struct ip *ip)
{
    for (size_t i = 0; i < l->o.n_allow; i++)
        if (ip_range_has(&l->o.allow[i], ip))
            return true;
    return !l->o.n_allow;
}

int gate_watch(struct gate *g, int fd, uint32_t events, struct endpoint *e)
{
    struct epoll_event event = {.events = events, .data.ptr = e};
    return epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void gate_watch_other(struct gate *g, int fd, uint32_t events, struct endpoint *e)
{
    struct epoll_event event = {.events = events, .data.ptr = e};
    if (epoll_ctl(g->epoll, EPOLL_CTL_MOD, fd, &event) && errno == ENOENT)
        (void)epoll_ctl(g->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* --- beginning and end ------------------------------------------------------------------------------------------- */

static gnutls_datum_t datum(const struct gate_bytes *b)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)b->p, (unsigned)b->n};
}

static int read_credentials(struct listener *l, const struct gate_listener *o, const struct gate_names *names, struct fault *f)
{
    gnutls_datum_t certificate = datum(&o->certificate), key = datum(&o->key), ca = datum(&o->client_ca);
    if (gnutls_certificate_allocate_credentials(&l->credentials))
        return FAULT(f, -ENOMEM, no_memory, "the gate");
    int r = gnutls_certificate_set_x509_key_mem(l->credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return FAULT(f, 1, gate_bad_certificate, names->certificate, names->key, gnutls_strerror(r));
    for (size_t i = 0; i < o->n_peers; i++)
        if (!gate_peer_is_valid(o->peers[i]))
            return FAULT(f, 1, gate_bad_peer, o->peers[i]);
        else if (!o->client_ca.n && (o->has_push || !gate_peer_is_fingerprint(o->peers[i])))
            return FAULT(f, 1, gate_peer_needs_ca, o->peers[i]);
    l->has_authority = o->client_ca.n > 0;
    l->is_mutual = l->has_authority || o->n_peers;
    r = o->client_ca.n ? gnutls_certificate_set_x509_trust_mem(l->credentials, &ca, GNUTLS_X509_FMT_PEM) : 1;
    return r > 0 ? 0 : FAULT(f, 1, gate_bad_ca, names->client_ca, r < 0 ? gnutls_strerror(r) : "no certificate in it");
}

static int open_listener(struct gate *g, const struct gate_options *o, size_t i, const struct gate_names *names, struct fault *f)
{
    struct listener *l = &g->listeners[i];
    l->gate = g;
    l->o = o->listeners[i];
    l->o.certificate = l->o.key = l->o.client_ca = (struct gate_bytes){0};
    l->board = &o->board->listeners[i];
    atomic_store(&l->board->connections, 0); /* what another gate left */
    l->accept = (struct endpoint){ENDPOINT_ACCEPT, l};
    l->http = (struct endpoint){ENDPOINT_HTTP, l};
    if (l->o.tcp_fd < 0)
        return 0;
    int r = read_credentials(l, &o->listeners[i], names, f);
    if (r)
        return r;
    if (l->o.has_push)
        return pushes_start(l, &o->listeners[i], f);
    r = gate_watch(g, l->o.tcp_fd, EPOLLIN, &l->accept);
    return r ? FAULT(f, r, no_memory, "the gate") : 0;
}

int gate_try(const struct gate_options *o, const struct gate_names *names, struct fault *f)
{
    int r = 0;
    for (size_t i = 0; !r && i < o->n_listeners; i++) {
        struct listener l = {0};
        if (!o->listeners[i].certificate.n)
            continue;
        r = read_credentials(&l, &o->listeners[i], &names[i], f);
        if (l.credentials)
            gnutls_certificate_free_credentials(l.credentials);
    }
    return r;
}

int gate_new(const struct gate_options *o, const struct gate_names *names, struct gate **ret, struct fault *f)
{
    struct gate *g = calloc(1, sizeof(*g));
    if (!g)
        return FAULT(f, -ENOMEM, no_memory, "the gate");
    g->stop_fd = o->stop_fd;
    g->stop = (struct endpoint){ENDPOINT_STOP, g};
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = g->epoll < 0 || gate_watch(g, o->stop_fd, EPOLLIN, &g->stop) || gnutls_priority_init(&g->priorities, GATE_PRIORITIES, NULL)
                ? FAULT(f, -ENOMEM, no_memory, "the gate")
                : 0;
    for (size_t i = 0; !r && i < o->n_listeners; i++) {
        g->n_listeners = i + 1;
        r = open_listener(g, o, i, &names[i], f);
    }
    if (r) {
        gate_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

void gate_free(struct gate *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->n_listeners; i++) {
        struct listener *l = &g->listeners[i];
        streams_free(l);
        pushes_free(l);
        if (l->credentials)
            gnutls_certificate_free_credentials(l->credentials);
    }
    streams_free_dead(g);
    pushes_free_dead(g);
    if (g->priorities)
        gnutls_priority_deinit(g->priorities);
    if (g->epoll >= 0)
        close(g->epoll);
    free(g);
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

static void begin_end(struct gate *g)
{
    g->is_ending = true;
    g->ending_us = clock_steady_us();
    (void)epoll_ctl(g->epoll, EPOLL_CTL_DEL, g->stop_fd, NULL);
    for (size_t i = 0; i < g->n_listeners; i++) {
        struct listener *l = &g->listeners[i];
        if (l->o.tcp_fd >= 0 && !l->o.has_push)
            (void)epoll_ctl(g->epoll, EPOLL_CTL_DEL, l->o.tcp_fd, NULL); /* the socket stays open: the next gate accepts */
        streams_end(l, g->ending_us);
        pushes_end(l);
    }
}

static void serve(struct gate *g, const struct epoll_event *event)
{
    const struct endpoint *e = event->data.ptr;
    switch (e->kind) {
    case ENDPOINT_STOP: begin_end(g); break;
    case ENDPOINT_ACCEPT: stream_accept(e->owner); break;
    case ENDPOINT_TCP:
    case ENDPOINT_PIPE: stream_event(e->owner, e->kind, event->events); break;
    case ENDPOINT_HTTP: ((struct listener *)e->owner)->is_http_due = true; break;
    case ENDPOINT_PUSH: push_event(e->owner, event->events); break;
    }
}

static bool is_idle(const struct gate *g)
{
    for (size_t i = 0; i < g->n_listeners; i++)
        if (g->listeners[i].streams || g->listeners[i].pushes)
            return false;
    return true;
}

int gate_run(struct gate *g)
{
    struct epoll_event events[N_EVENTS];
    int64_t ticked_us = 0;
    while (!g->is_ending || (!is_idle(g) && clock_steady_us() - g->ending_us < GATE_LINGER_US)) {
        int wait_ms = TICK_MS;
        for (size_t i = 0; i < g->n_listeners; i++)
            wait_ms = pushes_timeout_ms(&g->listeners[i], wait_ms);
        int n = epoll_wait(g->epoll, events, N_EVENTS, wait_ms);
        if (n < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; i < n; i++)
            serve(g, &events[i]);
        int64_t now_us = clock_steady_us();
        bool is_tick = now_us - ticked_us >= TICK_US;
        ticked_us = is_tick ? now_us : ticked_us;
        for (size_t i = 0; i < g->n_listeners; i++) {
            if (is_tick) {
                streams_tick(&g->listeners[i], now_us);
                pushes_tick(&g->listeners[i], now_us);
            }
            pushes_run(&g->listeners[i]);
        }
        streams_free_dead(g);
        pushes_free_dead(g);
    }
    return 0;
}
