/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUEST_TIMEOUT_MS = 10000, MAX_GROUPS = 256 };

/*
 * socket_address - sun_path holds 108 bytes only: a longer path is reached through an open descriptor of its directory.
 * @ret_dir_fd: that descriptor, to be closed after bind or connect; -1 when the path fits.
 */
static int socket_address(const char *data_dir, struct sockaddr_un *ret, int *ret_dir_fd)
{
    char dir[PATH_MAX];
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    *ret_dir_fd = -1;
    int n = snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/run/control.sock", data_dir);
    if (n >= 0 && n < (int)sizeof(ret->sun_path))
        return 0;
    n = snprintf(dir, sizeof(dir), "%s/run", data_dir);
    if (n < 0 || n >= (int)sizeof(dir))
        return -ENAMETOOLONG;
    *ret_dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir_fd < 0)
        return -errno;
    snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/control.sock", *ret_dir_fd);
    return 0;
}

int control_listen(const char *data_dir, struct fault *f)
{
    struct sockaddr_un address;
    char dir[PATH_MAX];
    _cleanup_close_ int dir_fd = -1;
    int n = snprintf(dir, sizeof(dir), "%s/run", data_dir);
    int r = n < 0 || n >= (int)sizeof(dir) ? -ENAMETOOLONG : file_make_dirs(dir, 0750);
    if (!r)
        r = socket_address(data_dir, &address, &dir_fd);
    if (r)
        return FAULT(f, r, control_cannot_listen, dir, strerror(-r));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return FAULT(f, -errno, control_cannot_listen, dir, strerror(errno));
    unlink(address.sun_path); /* the store's lock says that no other node runs here */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(address.sun_path, 0660) || listen(fd, 16)) {
        r = -errno;
        close(fd);
        return FAULT(f, r, control_cannot_listen, dir, strerror(-r));
    }
    return fd;
}

bool control_may(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
        return false;
    if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid())
        return true;
    gid_t groups[MAX_GROUPS];
    n = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n))
        return false;
    for (size_t i = 0; i < n / sizeof(*groups); i++)
        if (groups[i] == getegid())
            return true;
    return false;
}

/* take_fds - Return: 0, or -E2BIG: there were more than may be; those that came are closed. */
static int take_fds(struct msghdr *m, struct control_request *r)
{
    int e = m->msg_flags & MSG_CTRUNC ? -E2BIG : 0; /* the kernel kept some to itself: files would be missing silently */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (r->n_fds < CONTROL_MAX_FDS)
                r->fds[r->n_fds++] = fd;
            else
                e = close(fd) ? -errno : -E2BIG;
        }
    }
    return e;
}

/* read_piece - Return: bytes read, 0 at the end, or -errno; descriptors are taken into @r. */
static ssize_t read_piece(int fd, struct buf *line, struct control_request *r)
{
    enum { PIECE = 4096 };
    _Alignas(8) char control[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
    uint8_t *to = buf_room(line, PIECE);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (!to)
        return -EMSGSIZE;
    if (poll(&p, 1, REQUEST_TIMEOUT_MS) != 1)
        return -ETIMEDOUT;
    struct iovec io = {to, PIECE};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    int e = take_fds(&m, r);
    line->n += (size_t)n;
    return e ? e : n;
}

int control_receive(int fd, struct control_request *ret)
{
    struct buf line = {.max = CONTROL_LINE_BYTES};
    *ret = (struct control_request){0};
    int r = 0;
    while (!r && !(line.n && memchr(line.p, '\n', line.n))) {
        ssize_t n = read_piece(fd, &line, ret);
        r = n > 0 ? 0 : n == 0 ? 1 : (int)n;
    }
    if (!r) {
        ret->body = json_loadb((const char *)line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
        r = json_is_object(ret->body) ? 0 : 1;
    }
    buf_fini(&line);
    if (r)
        control_request_fini(ret);
    return r;
}

void control_request_fini(struct control_request *r)
{
    json_decref(r->body);
    r->body = NULL;
    for (size_t i = 0; i < r->n_fds; i++)
        if (r->fds[i] >= 0)
            close(r->fds[i]);
    r->n_fds = 0;
}

/* send_line - the descriptors ride on the first byte. */
static int send_line(int fd, json_t *body, const int *fds, size_t n_fds)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return -ENOMEM;
    size_t n = strlen(text), at = 0;
    text[n++] = '\n'; /* over the closing zero */
    _Alignas(8) char control[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))] = {0};
    int r = 0;
    while (!r && at < n) {
        struct iovec io = {text + at, n - at};
        struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
        if (!at && n_fds) {
            m.msg_control = control;
            m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
            struct cmsghdr *c = CMSG_FIRSTHDR(&m);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
            memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
        }
        ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
        if (sent >= 0)
            at += (size_t)sent;
        else if (errno == EAGAIN && poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, REQUEST_TIMEOUT_MS) == 1)
            continue;
        else if (errno != EINTR)
            r = -errno;
    }
    free(text);
    return r;
}

int control_send(int fd, json_t *reply)
{
    return send_line(fd, reply, NULL, 0);
}

int control_connect(const char *data_dir)
{
    struct sockaddr_un address;
    _cleanup_close_ int dir_fd = -1;
    int r = socket_address(data_dir, &address, &dir_fd);
    if (r)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

int control_ask(int fd, json_t *request, const int *fds, size_t n_fds)
{
    if (n_fds > CONTROL_MAX_FDS) {
        json_decref(request);
        return -E2BIG;
    }
    return send_line(fd, request, fds, n_fds);
}

/* take_lines - hand on every whole line. Return: 0 (more to come), 1 (done), or what @each returned. */
static int take_lines(struct buf *b, int (*each)(void *, const json_t *), void *context)
{
    size_t at = 0;
    int r = 0;
    while (!r) {
        uint8_t *end = b->n > at ? memchr(b->p + at, '\n', b->n - at) : NULL;
        if (!end)
            break;
        json_t *reply = json_loadb((const char *)b->p + at, (size_t)(end - b->p) - at, 0, NULL);
        at = (size_t)(end - b->p) + 1;
        if (!reply)
            return -EBADMSG;
        r = each(context, reply);
        if (!r && json_is_true(json_object_get(reply, "done")))
            r = 1;
        json_decref(reply);
    }
    memmove(b->p, b->p + at, b->n - at);
    b->n -= at;
    return r;
}

int control_each(int fd, int (*each)(void *context, const json_t *reply), void *context)
{
    struct buf b = {.max = (size_t)64 << 20};
    int r = 0;
    while (!r) {
        uint8_t *to = buf_room(&b, 65536);
        ssize_t n = to ? read(fd, to, 65536) : -1;
        if (!to)
            r = -ENOMEM;
        else if (n < 0 && errno != EINTR)
            r = -errno;
        else if (n == 0)
            r = -EPIPE;
        if (n > 0) {
            b.n += (size_t)n;
            r = take_lines(&b, each, context);
        }
    }
    buf_fini(&b);
    return r == 1 ? 0 : r;
}
