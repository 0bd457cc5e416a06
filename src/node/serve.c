/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent does what needs the rights of root first (sockets, buffers, the data directory, keys), then gives them up (where
 * there are keys, all but that of reading files: they are renewed); afterwards it only waits for signals and children.
 */
#include "node/serve.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/config.h"
#include "node/gate_role.h"
#include "node/notify.h"
#include "node/office_role.h"
#include "node/privileges.h"
#include "node/watch_role.h"
#include "watch/intake/log_receive.h"
#include "watch/intake/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_SOCKETS = CONFIG_MAX_LISTENERS * CONFIG_MAX_RECEIVERS, END_S = 10, GATE_END_S = 3, MAX_PAUSE_S = 30 };

/* a child and its life */
struct role {
    const char *name;
    pid_t child;         /* 0: none */
    int ready_fd;        /* a byte comes when the child listens */
    int64_t started_us, pause_s, restart_at_us;
    int64_t told_us;     /* since when it is to end; 0: it is not */
    bool was_ready;
};

struct parent {
    struct config *config;
    const char *config_path;
    struct identity identity;
    struct watch_sockets sockets;
    int fds[MAX_SOCKETS];
    int signal_fd;
    int office_fd;       /* where the office listens; -1: there is none */
    struct gate_keys keys;
    struct office_keys office_keys;
    struct role gate, watch, office;
    int64_t ending_us;   /* since when we end; 0: we do not */
    bool is_reloading, is_ready;
};

static int open_listener(struct parent *p, const struct config_listener *l, struct fault *f)
{
    size_t first = p->sockets.n;
    for (uint32_t k = 0; k < l->n_receivers; k++) {
        int fd = udp_open(&l->ip, l->port, l->n_receivers, l->receive_buffer_bytes, f);
        if (fd < 0)
            return fd;
        p->fds[p->sockets.n++] = fd;
    }
    if (l->n_receivers > 1 && udp_steer(p->fds[first], l->n_receivers))
        log_line(LOG_WARN, "not_steered", "line", log_number(l->line), NULL); /* the kernel spreads by its own hash */
    return 0;
}

static int open_rings(struct parent *p, struct fault *f)
{
    for (size_t i = 0; i < p->config->n_captures; i++) {
        const struct config_capture *c = &p->config->captures[i];
        struct ring_options o = watch_ring_options(c);
        int r = ring_open(c->interface, &o, &p->sockets.rings[i]);
        if (r)
            return FAULT(f, r, node_cannot_capture, c->interface, strerror(-r));
        p->sockets.n_rings = i + 1;
    }
    return 0;
}

static int open_logs(struct parent *p, struct fault *f)
{
    for (size_t i = 0; i < p->config->n_logs; i++) {
        const struct config_log_listener *l = &p->config->logs[i];
        int udp = -1, tcp = -1, links[2] = {-1, -1};
        if (l->has_tls && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, links))
            return FAULT(f, -errno, no_memory, "sockets");
        if (l->has_udp)
            udp = udp_open(&l->ip, l->port, 1, l->receive_buffer_bytes, f);
        if (l->has_tcp && (udp >= 0 || !l->has_udp))
            tcp = tcp_listen(&l->ip, l->port, f);
        p->sockets.logs[i].udp = udp;
        p->sockets.logs[i].tcp = tcp;
        p->sockets.logs[i].gate_link = links[0];
        p->sockets.logs[i].watch_link = links[1];
        p->sockets.n_logs = i + 1;
        if ((l->has_udp && udp < 0) || (l->has_tcp && tcp < 0))
            return l->has_udp && udp < 0 ? udp : tcp;
    }
    return 0;
}

static int open_sockets(struct parent *p, struct fault *f)
{
    p->sockets = (struct watch_sockets){.fds = p->fds, .board = p->sockets.board};
    for (size_t i = 0; i < p->config->n_listeners; i++) {
        int r = open_listener(p, &p->config->listeners[i], f);
        if (r)
            return r;
    }
    const struct config_office *o = &p->config->office;
    if (o->is_wanted) {
        p->office_fd = tcp_listen(&o->ip, o->port, f);
        if (p->office_fd < 0)
            return p->office_fd;
    }
    int r = open_logs(p, f);
    return r ? r : open_rings(p, f);
}

static void close_sockets(struct parent *p)
{
    for (size_t i = 0; i < p->sockets.n; i++)
        close(p->fds[i]);
    for (size_t i = 0; i < p->sockets.n_rings; i++)
        close(p->sockets.rings[i]);
    for (size_t i = 0; i < p->sockets.n_logs; i++) {
        file_close(&p->sockets.logs[i].udp);
        file_close(&p->sockets.logs[i].tcp);
        file_close(&p->sockets.logs[i].gate_link);
        file_close(&p->sockets.logs[i].watch_link);
    }
    p->sockets.n = p->sockets.n_rings = p->sockets.n_logs = 0;
    file_close(&p->office_fd);
}

/* same_sockets - whether a new configuration listens at the same places: then the open sockets serve on. */
static bool same_sockets(const struct config *a, const struct config *b)
{
    const struct config_office *x_office = &a->office, *y_office = &b->office;
    if (x_office->is_wanted != y_office->is_wanted || x_office->port != y_office->port || !ip_equal(&x_office->ip, &y_office->ip))
        return false;
    if (a->n_listeners != b->n_listeners || a->n_captures != b->n_captures || a->n_logs != b->n_logs)
        return false;
    for (size_t i = 0; i < a->n_logs; i++) {
        const struct config_log_listener *x = &a->logs[i], *y = &b->logs[i];
        if (x->port != y->port || !ip_equal(&x->ip, &y->ip) || x->has_udp != y->has_udp || x->has_tcp != y->has_tcp ||
            x->has_tls != y->has_tls ||
            x->receive_buffer_bytes != y->receive_buffer_bytes)
            return false;
    }
    for (size_t i = 0; i < a->n_captures; i++)
        if (strcmp(a->captures[i].interface, b->captures[i].interface) != 0 ||
            a->captures[i].ring_bytes != b->captures[i].ring_bytes)
            return false;
    for (size_t i = 0; i < a->n_listeners; i++) {
        const struct config_listener *x = &a->listeners[i], *y = &b->listeners[i];
        if (x->port != y->port || !ip_equal(&x->ip, &y->ip) || x->n_receivers != y->n_receivers ||
            x->receive_buffer_bytes != y->receive_buffer_bytes)
            return false;
    }
    return true;
}

/* enter_data_dir - make it if needed, give it to the role's user, and work inside it: its parents need not be readable. */
static int enter_data_dir(const char *dir, const struct identity *who, struct fault *f)
{
    struct stat st;
    bool is_new = stat(dir, &st) != 0;
    int r = file_make_dirs(dir, 0750);
    if (r)
        return FAULT(f, r, node_cannot_enter, dir, strerror(-r));
    if (is_new && who->is_known && chown(dir, who->uid, who->gid))
        return FAULT(f, -errno, node_cannot_enter, dir, strerror(errno));
    if (chdir(dir) || stat(".", &st))
        return FAULT(f, -errno, node_cannot_enter, dir, strerror(errno));
    if (geteuid() == 0 && who->is_known && st.st_uid != who->uid)
        return FAULT(f, -EACCES, node_wrong_owner, dir);
    return 0;
}

/* --- the child ------------------------------------------------------------------------------ */

/* leave_gate - what belongs to the gate is out of the others' reach: keys, and the sockets TLS comes in by. */
static void leave_gate(struct parent *p)
{
    gate_keys_leave(&p->keys);
    for (size_t i = 0; i < p->sockets.n_logs; i++)
        if (p->config->logs[i].has_tls) {
            file_close(&p->sockets.logs[i].tcp);
            file_close(&p->sockets.logs[i].gate_link);
        }
}

/* leave_office - its key and its listener. */
static void leave_office(struct parent *p)
{
    office_keys_wipe(&p->office_keys);
    file_close(&p->office_fd);
}

static int run_role(struct parent *p, const struct role *role, int ready_fd)
{
    if (role == &p->gate)
        return gate_role_run(p->config, &p->keys, &p->sockets, ready_fd);
    if (role == &p->watch)
        return watch_role_run(p->config, ".", &p->sockets, ready_fd);
    int fd = p->office_fd;
    p->office_fd = -1;
    close_sockets(p); /* the network's are not the office's */
    return office_role_run(p->config, ".", &p->office_keys, fd, ready_fd);
}

static int run_child(struct parent *p, const struct role *role, int ready_fd)
{
    struct fault f = {0};
    const char *name = role == &p->gate ? "vonggac-gate" : role == &p->watch ? "vonggac-watch" : "vonggac-office";
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (role != &p->gate)
        leave_gate(p);
    if (role != &p->office)
        leave_office(p);
    int r = privileges_drop(&p->identity, &f);
    privileges_end_reading();
    if (r) {
        log_line(LOG_ERROR, role->name, "reason", f.text, NULL);
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* changing user forgets it */
    return run_role(p, role, ready_fd);
}

static int start_child(struct parent *p, struct role *role)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK))
        return -errno;
    role->started_us = clock_steady_us();
    role->restart_at_us = role->told_us = 0;
    role->child = fork();
    if (role->child < 0) {
        role->child = 0;
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        return -errno;
    }
    if (!role->child) {
        close(pipe_fds[0]);
        close(p->signal_fd);
        _exit(run_child(p, role, pipe_fds[1]));
    }
    close(pipe_fds[1]);
    file_close(&role->ready_fd);
    role->ready_fd = pipe_fds[0];
    return 0;
}

static void tell(struct role *role)
{
    if (role->child > 0 && !role->told_us) {
        role->told_us = clock_steady_us();
        kill(role->child, SIGTERM);
    }
}

/* tell_to_end - the gate first: what it hands on while it ends the watch still takes. The office hangs on neither. */
static void tell_to_end(struct parent *p)
{
    tell(&p->office);
    tell(p->gate.child > 0 ? &p->gate : &p->watch);
}

/* --- signals --------------------------------------------------------------------------------- */

/* read_next - the new configuration and what it names, whole; or nothing and the log says why. */
static bool read_next(struct parent *p, struct parent *next)
{
    struct fault f = {0};
    if (config_read(p->config_path, &next->config, &f)) {
        log_line(LOG_ERROR, "reload_refused", "reason", f.text, NULL);
        return false;
    }
    int r = gate_keys_read(next->config, &next->keys, &f);
    if (!r)
        r = gate_check(next->config, &next->keys, &f);
    if (!r)
        r = office_keys_read(next->config, &next->office_keys, &f);
    if (!r)
        r = office_keys_own(next->config, &next->office_keys, &f);
    if (!r && !same_sockets(p->config, next->config)) {
        r = open_sockets(next, &f);
        if (r)
            close_sockets(next);
    }
    if (!r)
        return true;
    log_line(LOG_ERROR, "reload_refused", "reason", f.text, NULL);
    gate_keys_wipe(&next->keys);
    office_keys_wipe(&next->office_keys);
    config_free(next->config);
    return false;
}

static void reload(struct parent *p)
{
    struct parent next = {.office_fd = -1, .sockets.board = p->sockets.board};
    if (!read_next(p, &next))
        return;
    if (!same_sockets(p->config, next.config)) {
        close_sockets(p);
        memcpy(p->fds, next.fds, sizeof(p->fds));
        p->sockets = next.sockets;
        p->sockets.fds = p->fds;
        p->office_fd = next.office_fd;
    }
    config_free(p->config);
    p->config = next.config;
    gate_keys_wipe(&p->keys);
    p->keys = next.keys;
    office_keys_wipe(&p->office_keys);
    p->office_keys = next.office_keys;
    p->is_reloading = true;
    p->is_ready = false;
    notify_send("RELOADING=1");
    log_line(LOG_INFO, "reloading", NULL);
    tell_to_end(p);
}

static void end(struct parent *p)
{
    if (p->ending_us) { /* asked twice */
        if (p->gate.child > 0)
            kill(p->gate.child, SIGKILL);
        if (p->watch.child > 0)
            kill(p->watch.child, SIGKILL);
        if (p->office.child > 0)
            kill(p->office.child, SIGKILL);
        return;
    }
    p->ending_us = clock_steady_us();
    notify_send("STOPPING=1");
    tell_to_end(p);
}

static void child_ended(struct parent *p, struct role *role, int status)
{
    bool was_clean = WIFEXITED(status) && !WEXITSTATUS(status), was_told = role->told_us != 0;
    bool lived_long = clock_steady_us() - role->started_us > 60 * US_PER_SECOND;
    role->child = 0;
    if (role == &p->gate && (p->ending_us || p->is_reloading))
        tell_to_end(p); /* now the watch */
    if (p->ending_us)
        return;
    role->pause_s = was_told || lived_long ? 0 : role->pause_s ? role->pause_s * 2 : 1;
    if (role->pause_s > MAX_PAUSE_S)
        role->pause_s = MAX_PAUSE_S;
    if (!was_told)
        log_line(LOG_ERROR, role->name, "clean", was_clean ? "yes" : "no", "status", log_number(status), "restart_in_s",
                 log_number((long long)role->pause_s), NULL);
    if (role == &p->watch)
        p->is_reloading = false;
    role->restart_at_us = clock_steady_us() + role->pause_s * US_PER_SECOND;
}

static void reap(struct parent *p)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == p->watch.child)
            child_ended(p, &p->watch, status);
        else if (pid == p->gate.child)
            child_ended(p, &p->gate, status);
        else if (pid == p->office.child)
            child_ended(p, &p->office, status);
}

static void take_signal(struct parent *p)
{
    struct signalfd_siginfo s;
    if (read(p->signal_fd, &s, sizeof(s)) != (ssize_t)sizeof(s))
        return;
    if (s.ssi_signo == SIGCHLD)
        reap(p);
    else if (s.ssi_signo == SIGHUP)
        reload(p);
    else
        end(p);
}

static void take_ready(struct parent *p, struct role *role)
{
    char byte;
    ssize_t n = read(role->ready_fd, &byte, 1);
    if (n == 1)
        role->was_ready = true;
    if (n >= 0)
        file_close(&role->ready_fd);
    bool is_gate_ready = !gate_is_wanted(p->config) || (p->gate.was_ready && p->gate.ready_fd < 0);
    bool is_office_ready = !p->config->office.is_wanted || (p->office.was_ready && p->office.ready_fd < 0);
    if (!p->is_ready && p->watch.was_ready && p->watch.ready_fd < 0 && is_gate_ready && is_office_ready) {
        p->is_ready = true;
        notify_send("READY=1");
    }
}

/* keep_alive - start what is not there, end for good what does not end by itself. Return: false: it never started (its configuration). */
static bool keep_alive(struct parent *p, struct role *role, int64_t end_s)
{
    int64_t now_us = clock_steady_us();
    if (role->child && role->told_us && now_us - role->told_us > end_s * US_PER_SECOND)
        kill(role->child, SIGKILL);
    if (role->child || p->ending_us)
        return true;
    if (role->started_us && !role->was_ready)
        return false;
    if (now_us >= role->restart_at_us && start_child(p, role))
        role->restart_at_us = now_us + US_PER_SECOND;
    return true;
}

/* loop - Return: 0 when told to end, 1 when a role could not even start once (an error of the configuration). */
static int loop(struct parent *p)
{
    bool has_failed = false;
    for (;;) {
        if (!p->gate.child && !p->watch.child && !p->office.child && p->ending_us)
            return has_failed;
        bool is_fine = keep_alive(p, &p->watch, END_S) &&
                       ((!p->gate.child && !gate_is_wanted(p->config)) || keep_alive(p, &p->gate, GATE_END_S)) &&
                       ((!p->office.child && !p->config->office.is_wanted) || keep_alive(p, &p->office, OFFICE_END_S));
        if (!is_fine && !p->ending_us) {
            has_failed = true;
            end(p);
            continue;
        }
        struct pollfd fds[4] = {{.fd = p->signal_fd, .events = POLLIN}, {.fd = p->watch.ready_fd, .events = POLLIN},
                                {.fd = p->gate.ready_fd, .events = POLLIN}, {.fd = p->office.ready_fd, .events = POLLIN}};
        if (poll(fds, 4, 200) <= 0)
            continue;
        if (fds[1].revents)
            take_ready(p, &p->watch);
        if (fds[2].revents)
            take_ready(p, &p->gate);
        if (fds[3].revents)
            take_ready(p, &p->office);
        if (fds[0].revents & POLLIN)
            take_signal(p);
    }
}

static int block_signals(struct parent *p)
{
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGTERM);
    sigaddset(&s, SIGINT);
    sigaddset(&s, SIGHUP);
    sigaddset(&s, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &s, NULL))
        return -errno;
    p->signal_fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK);
    return p->signal_fd < 0 ? -errno : 0;
}

int serve_check(const char *config_path, struct fault *f)
{
    struct config *c;
    struct gate_keys keys = {0};
    int r = config_read(config_path, &c, f);
    if (r)
        return r;
    r = gate_keys_read(c, &keys, f);
    if (!r)
        r = gate_check(c, &keys, f);
    gate_keys_wipe(&keys);
    struct office_keys office = {0};
    if (!r)
        r = office_keys_read(c, &office, f);
    office_keys_wipe(&office);
    config_free(c);
    return r;
}

/* prepare - what needs root's rights; then they are given up. */
static int prepare(struct parent *p, const char *data_dir, struct fault *f)
{
    int r = privileges_find(p->config->user, p->config->group, &p->identity, f);
    umask(0027);
    if (!r)
        r = gate_keys_read(p->config, &p->keys, f);
    if (!r)
        r = gate_check(p->config, &p->keys, f);
    if (!r)
        r = office_keys_read(p->config, &p->office_keys, f);
    if (!r)
        r = enter_data_dir(data_dir, &p->identity, f);
    if (!r) {
        void *board = mmap(NULL, sizeof(*p->sockets.board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        p->sockets.board = board == MAP_FAILED ? NULL : board;
        r = p->sockets.board ? 0 : FAULT(f, -ENOMEM, no_memory, "the gate");
    }
    if (!r)
        r = open_sockets(p, f);
    if (!r)
        r = gate_is_wanted(p->config) || p->config->office.certificate ? privileges_drop_but_reading(&p->identity, f)
                                                                       : privileges_drop(&p->identity, f);
    if (!r)
        r = privileges_no_new(f);
    if (!r)
        r = office_keys_own(p->config, &p->office_keys, f);
    if (!r && block_signals(p))
        r = FAULT(f, -errno, no_memory, "signals");
    return r;
}

int serve_run(const char *config_path, const char *data_dir, int is_default_dir, struct fault *f)
{
    struct parent p = {.signal_fd = -1, .gate = {.name = "gate_died", .ready_fd = -1}, .watch = {.name = "watch_died", .ready_fd = -1},
                       .office = {.name = "office_died", .ready_fd = -1}, .office_fd = -1};
    _cleanup_free_ char *path = config_path ? realpath(config_path, NULL) : NULL;
    p.config_path = path ? path : config_path; /* a relative name must survive the change of directory */
    int r = config_read(p.config_path, &p.config, f);
    if (r)
        return 1;
    log_set("parent", p.config->log_level);
    if (is_default_dir && p.config->data_dir)
        data_dir = p.config->data_dir;
    r = prepare(&p, data_dir, f);
    int status = r ? 1 : loop(&p);
    if (status && !r)
        FAULT(f, 1, node_did_not_start, data_dir);
    close_sockets(&p);
    if (p.sockets.board)
        munmap(p.sockets.board, sizeof(*p.sockets.board));
    gate_keys_wipe(&p.keys);
    office_keys_wipe(&p.office_keys);
    file_close(&p.signal_fd);
    file_close(&p.watch.ready_fd);
    file_close(&p.gate.ready_fd);
    file_close(&p.office.ready_fd);
    config_free(p.config);
    return status;
}
