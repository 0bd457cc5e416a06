/* SPDX-License-Identifier: Apache-2.0 */
#include "watch/intake/log_link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

int log_link_send(int link, const struct log_link_hello *hello, int fd)
{
    union control c = {0};
    struct log_link_hello copy = *hello;
    struct iovec part = {&copy, sizeof(copy)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.room)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    ssize_t n = sendmsg(link, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : 0;
}

/* take_fd - the one descriptor that came along. Return: -1: none, or too many for the room (the kernel closed those). */
static int take_fd(struct msghdr *m)
{
    int fd = -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h))
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(fd)))
            memcpy(&fd, CMSG_DATA(h), sizeof(fd));
    return fd;
}

int log_link_receive(int link, struct log_link_hello *ret, int *ret_fd)
{
    union control c = {0};
    struct iovec part = {ret, sizeof(*ret)};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.room)};
    ssize_t n = recvmsg(link, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : -errno;
    int fd = take_fd(&m);
    bool is_ours = n == (ssize_t)sizeof(*ret) && !(m.msg_flags & MSG_TRUNC) && ret->magic == LOG_LINK_MAGIC && fd >= 0 &&
                   (ret->kind == LOG_LINK_STREAM || ret->kind == LOG_LINK_PUSH) && ret->form <= LOG_PUSH_ELASTIC &&
                   memchr(ret->name, 0, sizeof(ret->name));
    if (!is_ours) {
        if (fd >= 0)
            close(fd);
        return 1;
    }
    *ret_fd = fd;
    return 0;
}
