/* SPDX-License-Identifier: Apache-2.0 */
#include "node/gate_role.h"

#include "base/file.h"
#include "node/privileges.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define GATE_MEMORY_BYTES ((rlim_t)1 << 30)

bool gate_is_wanted(const struct config *c)
{
    for (size_t i = 0; i < c->n_logs; i++)
        if (c->logs[i].has_tls)
            return true;
    return false;
}

/* set_listener - what the gate is told of the i-th listener. Return: 0, or 1 with the fault (tokens). */
static int set_listener(const struct config *c, size_t i, const struct gate_keys *k, const struct watch_sockets *s, struct gate_listener *l,
                        struct gate_names *names, struct fault *f)
{
    const struct config_log_listener *x = &c->logs[i];
    *l = (struct gate_listener){.tcp_fd = -1, .link_fd = -1};
    if (!x->has_tls)
        return 0;
    *names = (struct gate_names){x->certificate, x->key, x->client_ca ? x->client_ca : ""};
    l->tcp_fd = s ? s->logs[i].tcp : -1;
    l->link_fd = s ? s->logs[i].gate_link : -1;
    l->has_push = x->has_push;
    l->may_be_text = x->format == LOG_FRAME_AUTO;
    l->certificate = k->listeners[i].certificate;
    l->key = k->listeners[i].key;
    l->client_ca = k->listeners[i].client_ca;
    l->peers = x->peers;
    l->n_peers = x->n_peers;
    l->allow = x->allow;
    l->n_allow = x->n_allow;
    l->connections = x->connections;
    l->connections_of_one = x->connections_of_one;
    l->body_max_bytes = x->body_max_bytes;
    l->handshake_us = x->handshake_us;
    l->idle_us = x->idle_us;
    const struct gate_bytes *t = &k->listeners[i].tokens;
    return x->has_push ? gate_tokens_parse(&l->tokens, x->tokens, (struct text){(const char *)t->p, t->n}, f) : 0;
}

/* make - the gate of this configuration; without @sockets only to see whether it can be. */
static int make(const struct config *c, const struct gate_keys *k, const struct watch_sockets *s, int stop_fd, struct gate **ret,
                struct fault *f)
{
    struct gate_names names[GATE_LISTENERS_MAX] = {0};
    struct gate_options *o = calloc(1, sizeof(*o));
    int r = o ? 0 : FAULT(f, -ENOMEM, no_memory, "the gate");
    for (size_t i = 0; !r && i < c->n_logs; i++)
        r = set_listener(c, i, k, s, &o->listeners[i], &names[i], f);
    if (!r) {
        o->n_listeners = c->n_logs;
        o->stop_fd = stop_fd;
        o->board = s ? s->board : NULL;
        r = s ? gate_new(o, names, ret, f) : gate_try(o, names, f);
    }
    free(o);
    return r;
}

int gate_check(const struct config *c, const struct gate_keys *k, struct fault *f)
{
    return gate_is_wanted(c) ? make(c, k, NULL, -1, NULL, f) : 0;
}

static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit memory = {GATE_MEMORY_BYTES, GATE_MEMORY_BYTES};
    (void)setrlimit(RLIMIT_DATA, &memory);
#endif
}

/* leave_others - sockets that are not the gate's. */
static void leave_others(const struct config *c, const struct watch_sockets *s)
{
    for (size_t i = 0; i < s->n; i++)
        close(s->fds[i]);
    for (size_t i = 0; i < s->n_rings; i++)
        close(s->rings[i]);
    for (size_t i = 0; i < s->n_logs; i++) {
        int udp = s->logs[i].udp, tcp = c->logs[i].has_tls ? -1 : s->logs[i].tcp, link = s->logs[i].watch_link;
        file_close(&udp);
        file_close(&tcp);
        file_close(&link);
    }
}

int gate_role_run(const struct config *c, struct gate_keys *keys, const struct watch_sockets *sockets, int ready_fd)
{
    struct gate *g = NULL;
    struct fault f = {0};
    sigset_t signals;
    enum landlock_state landlock = LANDLOCK_ABSENT;
    log_set("gate", c->log_level);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    leave_others(c, sockets);
    limit_memory();
    sigdelset(&signals, SIGHUP);
    int stop_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    int r = stop_fd < 0 ? FAULT(&f, -errno, no_memory, "signals") : privileges_confine_gate(&landlock, &f);
    if (!r)
        r = make(c, keys, sockets, stop_fd, &g, &f);
    gate_keys_wipe(keys);
    if (!r) {
        if (write(ready_fd, "1", 1) < 0)
            log_line(LOG_WARN, "parent_gone", NULL);
        close(ready_fd);
        log_line(LOG_INFO, "gate_ready", "landlock", landlock_state_name(landlock), NULL);
        r = gate_run(g);
        if (r)
            (void)FAULT(&f, r, no_memory, strerrordesc_np(-r));
    }
    gate_free(g);
    if (r)
        log_line(LOG_ERROR, "gate_failed", "reason", f.text, NULL);
    log_line(LOG_INFO, "gate_ended", NULL);
    return r ? 1 : 0;
}
