/* SPDX-License-Identifier: Apache-2.0 */
/* netns_help - a network namespace of the test's own, that dies with it. */
#pragma once

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static inline int netns_up(const char *name)
{
    struct ifreq q = {.ifr_flags = IFF_UP | IFF_RUNNING};
    snprintf(q.ifr_name, sizeof(q.ifr_name), "%s", name);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int e = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &q) ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return e;
}

/* netns_enter - with the loopback up. Return: NULL, or why not. */
static inline const char *netns_enter(void)
{
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return "no network namespace of our own may be made";
    return netns_up("lo") ? "the loopback of the namespace cannot be brought up" : NULL;
}
