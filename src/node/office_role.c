/* SPDX-License-Identifier: Apache-2.0 */
#include "node/office_role.h"

#include "base/clock.h"
#include "base/content.h"
#include "base/file.h"
#include "node/control.h"
#include "node/office_desks.h"
#include "node/privileges.h"
#include "node/status_flat.h"
#include "web/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OFFICE_MEMORY_BYTES ((rlim_t)2 << 30)
#define FIRST_LOGIN "admin"

enum { READ_TIMEOUT_S = 30 };

struct office {
    const struct config *config;
    const char *data_dir;
    const struct office_keys *keys;
    struct office_desks desks;
    struct web *web;
    struct http_server *server;
    enum landlock_state landlock;
};

static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit memory = {OFFICE_MEMORY_BYTES, OFFICE_MEMORY_BYTES};
    (void)setrlimit(RLIMIT_DATA, &memory);
#endif
}

/* --- what it may touch ------------------------------------------------------------------------------------------------ */

static int confine(struct office *o, struct fault *f)
{
    static const char *const below[] = {"office", "findings/cursors", "lists", "space", "hunts"};
    /* what looking up a mail server's name and checking its certificate reads */
    static const char *const system[] = {"/etc/ssl", "/usr/share/ca-certificates", "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
                                         "/etc/gai.conf", "/etc/host.conf", "/run/systemd/resolve"};
    enum { N_BELOW = sizeof(below) / sizeof(*below), N_SYSTEM = sizeof(system) / sizeof(*system) };
    const struct config_office *c = &o->config->office;
    const char *const outside[] = {c->console, c->alert_policy, c->duty.policy}, *const spools[] = {c->duty.sms_spool, c->duty.sms_inbox};
    enum { N_OUTSIDE = sizeof(outside) / sizeof(*outside), N_SPOOLS = sizeof(spools) / sizeof(*spools) };
    char paths[N_BELOW][PATH_MAX], content[PATH_MAX];
    const char *write_dirs[N_BELOW + N_SPOOLS], *read_dirs[N_SYSTEM + 2 + N_OUTSIDE];
    size_t n_write = N_BELOW, n_read = N_SYSTEM + 2;
    for (size_t i = 0; i < N_BELOW; i++) {
        int r = snprintf(paths[i], PATH_MAX, "%s/%s", o->data_dir, below[i]) < PATH_MAX ? file_make_dirs(paths[i], 0750) : -ENAMETOOLONG;
        if (r)
            return FAULT(f, r, node_cannot_enter, paths[i], strerrordesc_np(-r));
        write_dirs[i] = paths[i];
    }
    memcpy(read_dirs, system, sizeof(system));
    read_dirs[N_SYSTEM] = o->data_dir;
    read_dirs[N_SYSTEM + 1] = content;
    for (size_t i = 0; i < N_OUTSIDE; i++)
        if (outside[i])
            read_dirs[n_read++] = outside[i];
    for (size_t i = 0; i < N_SPOOLS; i++)
        if (spools[i])
            write_dirs[n_write++] = spools[i];
    int r = content_path("roles.yaml", content, sizeof(content), f); /* not ".": a build has a folder of that name too */
    char *end = r ? NULL : strrchr(content, '/');
    if (end)
        *end = '\0';
    const struct file_rights rights = {write_dirs, read_dirs, n_write, n_read};
    return r ? r : privileges_confine_office(&rights, &o->landlock, f);
}

/* --- the first person --------------------------------------------------------------------------------------------------- */

/* keep_first - where no terminal shows it: a file that only the operator reads, gone when it is used. Return: 0 or -errno. */
static int keep_first(const struct office *o, const char *password)
{
    char path[PATH_MAX], text[128];
    snprintf(path, sizeof(path), "%s/office/first-password", o->data_dir);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int n = snprintf(text, sizeof(text), "%s\n", password);
    int r = fd < 0 ? -errno : file_write_full(fd, text, (size_t)n);
    explicit_bzero(text, sizeof(text));
    return r;
}

static int make_first(struct office *o, struct fault *f)
{
    struct password_first first;
    int r = web_first_person(o->web, FIRST_LOGIN, &first, f);
    if (r)
        return r < 0 ? r : 0;
    if (isatty(STDERR_FILENO)) {
        SAY(stderr, office_first_password, FIRST_LOGIN, first.text);
    } else {
        r = keep_first(o, first.text);
        log_line(r ? LOG_ERROR : LOG_WARN, "office_first_password", "login", FIRST_LOGIN, "file", "office/first-password", NULL);
    }
    password_wipe(&first);
    return r ? FAULT(f, r, office_cannot_read, "office/first-password", strerrordesc_np(-r)) : 0;
}

/* forget_first - the file goes when the password was changed. */
static void forget_first(struct office *o)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/office/first-password", o->data_dir);
    if (access(path, F_OK) == 0 && web_first_is_used(o->web, FIRST_LOGIN))
        (void)unlink(path);
}

/* --- the role ------------------------------------------------------------------------------------------------------------ */

static int keep_status(void *context, const json_t *reply)
{
    json_t **kept = context, *status = json_object_get(reply, "status");
    if (status && !*kept)
        *kept = json_incref(status);
    return 0;
}

/* node_metrics - what the watch says of itself, beside the office's own figures; nothing while it does not run. */
static void node_metrics(void *context, struct buf *out)
{
    const struct office *o = context;
    json_t *status = NULL;
    const struct timeval most = {.tv_sec = 5};
    int fd = control_connect(o->data_dir);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
    int r = fd < 0 ? fd : control_ask(fd, json_pack("{s:s}", "op", "status"), NULL, 0);
    if (!r)
        r = control_each(fd, keep_status, &status);
    file_close(&fd);
    buf_printf(out, "vonggac_is_running %d\n", !r && status != NULL);
    if (!r && status)
        status_metrics(status, out);
    json_decref(status);
}

static int open_web(struct office *o, struct fault *f)
{
    const struct config_office *c = &o->config->office;
    int r = office_desks_new(o->config, o->data_dir, o->keys, &o->desks, f);
    if (r)
        return r;
    const struct web_options options = {
        .data_dir = o->data_dir, .console_dir = c->console, .public_url = c->public_url, .node_name = c->node_name,
            .desks = o->desks.pointers,
        .n_desks = o->desks.n, .sessions = {c->session_idle_us, c->session_absolute_us}, .n_readers = (unsigned)c->workers + 3,
        .reads_per_second = (unsigned)c->requests_per_second, .metrics = node_metrics, .context = o};
    r = web_new(&options, &o->web, f);
    return r ? r : make_first(o, f);
}

static int open_server(struct office *o, const struct office_keys *k, int listen_fd, struct fault *f)
{
    const struct config_office *c = &o->config->office;
    const struct http_options options = {
        .listen_fd = listen_fd, .certificate_pem = (const char *)k->certificate.p, .key_pem = (const char *)k->key.p,
        .client_ca_pem = (const char *)k->client_ca.p, .n_workers = (unsigned)c->workers, .connections_max = (unsigned)c->connections,
        .connections_of_one_max = (unsigned)c->connections_of_one, .streams_max = (unsigned)c->streams, .read_timeout_s = READ_TIMEOUT_S};
    const struct http_handlers handlers = {.context = o->web, .begin = web_begin, .answer = web_answer, .refuse = web_refuse,
                                           .stream_opened = web_stream_opened, .stream_closed = web_stream_closed};
    int r = http_server_start(&options, &handlers, &o->server, f);
    if (!r)
        web_serve_with(o->web, o->server);
    return r;
}

static void tell_ready(const struct office *o, const struct office_keys *k, int ready_fd)
{
    char fingerprint[SHA256_TEXT_MAX], ip[IP_TEXT_MAX], url[128];
    const struct config_office *c = &o->config->office;
    sha256_format(&k->fingerprint, fingerprint);
    ip_format(&c->ip, ip);
    snprintf(url, sizeof(url), ip_is_v4(&c->ip) ? "https://%s:%u/" : "https://[%s]:%u/", ip, c->port);
    const char *shown = c->public_url ? c->public_url : url;
    if (isatty(STDERR_FILENO))
        SAY(stderr, office_address, shown, fingerprint);
    if (write(ready_fd, "1", 1) < 0)
        log_line(LOG_WARN, "parent_gone", NULL);
    close(ready_fd);
    log_line(LOG_INFO, "office_ready", "address", shown, "certificate", k->is_own ? "own" : "configured", "sha256", fingerprint, "landlock",
             landlock_state_name(o->landlock), NULL);
}

/* loop - the desks' clock, until told to end. */
static void loop(struct office *o, int signal_fd)
{
    int64_t forgot_us = 0;
    for (;;) {
        int64_t next_us = web_tick(o->web), now_us = clock_now_us();
        if (now_us - forgot_us > 10 * US_PER_SECOND) {
            forgot_us = now_us;
            forget_first(o);
        }
        int wait_ms = next_us > now_us ? (int)((next_us - now_us) / 1000) + 1 : 1;
        struct pollfd p = {.fd = signal_fd, .events = POLLIN};
        if (poll(&p, 1, wait_ms < 1000 ? wait_ms : 1000) > 0)
            return;
    }
}

int office_role_run(const struct config *c, const char *data_dir, struct office_keys *keys, int listen_fd, int ready_fd)
{
    struct office o = {.config = c, .data_dir = data_dir, .keys = keys};
    struct fault f = {0};
    sigset_t signals;
    log_set("office", c->log_level);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    sigdelset(&signals, SIGHUP);
    limit_memory();
    _cleanup_close_ int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    int r = signal_fd < 0 ? FAULT(&f, -errno, no_memory, "signals") : confine(&o, &f);
    if (!r)
        r = open_web(&o, &f);
    if (!r)
        r = open_server(&o, keys, listen_fd, &f);
    if (!r)
        tell_ready(&o, keys, ready_fd);
    office_keys_wipe_tls(keys);
    if (!r) {
        loop(&o, signal_fd);
        web_end(o.web);
    } else {
        log_line(LOG_ERROR, "office_failed", "reason", f.text, NULL);
    }
    http_server_stop(o.server);
    office_desks_free(&o.desks); /* their threads use the web's state to the last */
    web_free(o.web);
    office_keys_wipe(keys);
    log_line(LOG_INFO, "office_ended", NULL);
    return r ? 1 : 0;
}
