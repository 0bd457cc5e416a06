/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch role parses hostile bytes all day: it may touch its data directory,
 * its sockets and its threads, nothing else. What it asks beyond is answered
 * with EPERM, so that a bug shows as an error and not as a way out.
 */
#include "node/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_find(const char *user, const char *group, struct identity *ret, struct fault *f)
{
    *ret = (struct identity){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0) /* not ours to change: run as whoever started us */
        return 0;
    const struct passwd *u = getpwnam(user);
    if (!u)
        return FAULT(f, 1, node_no_user, user);
    ret->uid = u->pw_uid;
    const struct group *g = getgrnam(group);
    if (!g)
        return FAULT(f, 1, node_no_group, group);
    ret->gid = g->gr_gid;
    ret->is_known = true;
    return 0;
}

int privileges_drop(const struct identity *who, struct fault *f)
{
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) || setresgid(who->gid, who->gid, who->gid) || setresuid(who->uid, who->uid, who->uid))
        return FAULT(f, -errno, node_cannot_drop, strerror(errno));
    if (who->uid != 0 && (!setuid(0) || geteuid() == 0))
        return FAULT(f, -EPERM, node_cannot_drop, "setuid(0)");
    return 0;
}

/* set_capabilities - exactly @mask may be used, nothing handed on. */
static int set_capabilities(uint64_t mask)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{(uint32_t)mask, (uint32_t)mask, 0}, {(uint32_t)(mask >> 32), (uint32_t)(mask >> 32), 0}};
    return syscall(SYS_capset, &head, data) ? -errno : 0;
}

int privileges_drop_but_reading(const struct identity *who, struct fault *f)
{
    if (geteuid() != 0)
        return 0;
    (void)prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    int r = privileges_drop(who, f);
    if (!r && who->uid != 0 && set_capabilities(UINT64_C(1) << CAP_DAC_READ_SEARCH)) /* not ours: the user must be able to read keys */
        r = set_capabilities(0) ? FAULT(f, -errno, node_cannot_drop, strerror(errno)) : 0;
    (void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    return r;
}

void privileges_end_reading(void)
{
    if (geteuid() != 0)
        (void)set_capabilities(0);
}

int privileges_no_new(struct fault *f)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return FAULT(f, -errno, node_cannot_drop, strerror(errno));
    return 0;
}

const char *landlock_state_name(enum landlock_state s)
{
    static const char *const names[] = {"absent", "partial", "full"};
    return names[s];
}

/* allow_below - Return: 0 or -errno. */
static int allow_below(int rules, const char *dir, uint64_t rights)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = open(dir, O_PATH | O_CLOEXEC)};
    if (beneath.parent_fd < 0)
        return -errno;
    int r = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) ? -errno : 0;
    close(beneath.parent_fd);
    return r;
}

/* confine_files - landlock: what @allowed names, nothing else. */
static int confine_files(const struct file_rights *allowed, enum landlock_state *ret)
{
    /* rights of ABI 1; REFER came with 2, TRUNCATE with 3 (linux/landlock.h) */
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* LANDLOCK_CREATE_RULESET_VERSION */);
    *ret = LANDLOCK_ABSENT;
    if (abi < 1)
        return 0;
    *ret = abi >= 3 ? LANDLOCK_FULL : LANDLOCK_PARTIAL;
    if (abi >= 2)
        rights |= UINT64_C(1) << 13;
    if (abi >= 3)
        rights |= UINT64_C(1) << 14;
    struct landlock_ruleset_attr ruleset = {.handled_access_fs = rights};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
    if (rules < 0)
        return -errno;
    int r = 0;
    for (size_t i = 0; !r && i < allowed->n_write_dirs; i++) {
        r = allow_below(rules, allowed->write_dirs[i], rights & ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE);
        r = r == -ENOENT ? 0 : r;
    }
    for (size_t i = 0; !r && i < allowed->n_read_dirs; i++)
        if (allow_below(rules, allowed->read_dirs[i], LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
            (void)allow_below(rules, allowed->read_dirs[i], LANDLOCK_ACCESS_FS_READ_FILE); /* a single file */
    if (!r && syscall(SYS_landlock_restrict_self, rules, 0))
        r = -errno;
    close(rules);
    return r;
}

static const int watch_calls[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
    SCMP_SYS(openat), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
    SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(tgkill),
    SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_setscheduler), SCMP_SYS(setpriority),
    SCMP_SYS(getpriority), SCMP_SYS(ioprio_set), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2), SCMP_SYS(signalfd4),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
    SCMP_SYS(sync_file_range), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(rename), SCMP_SYS(renameat),
    SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir),
    SCMP_SYS(flock), SCMP_SYS(fcntl), SCMP_SYS(getdents64), SCMP_SYS(ioctl), SCMP_SYS(getrandom),
    SCMP_SYS(memfd_create), SCMP_SYS(prctl), SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(getrlimit),
    SCMP_SYS(prlimit64), SCMP_SYS(getrusage), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(fadvise64), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(dup), SCMP_SYS(pipe2),
    SCMP_SYS(restart_syscall), SCMP_SYS(getcwd), SCMP_SYS(bind), SCMP_SYS(listen), SCMP_SYS(chmod), SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat), SCMP_SYS(umask), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2),
    SCMP_SYS(pwritev2), SCMP_SYS(readahead), SCMP_SYS(syncfs), SCMP_SYS(utimensat), SCMP_SYS(sched_setaffinity),
    SCMP_SYS(membarrier), SCMP_SYS(mincore), SCMP_SYS(copy_file_range),
};

static const int gate_calls[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(fstat),
    SCMP_SYS(newfstatat), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(mprotect),
    SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(futex),
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getpid),
    SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(tgkill), SCMP_SYS(sched_yield), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(eventfd2), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
    SCMP_SYS(accept4), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    SCMP_SYS(shutdown), SCMP_SYS(fcntl), SCMP_SYS(getrandom), SCMP_SYS(getrusage), SCMP_SYS(sysinfo),
    SCMP_SYS(uname), SCMP_SYS(prlimit64), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
    SCMP_SYS(getegid), SCMP_SYS(restart_syscall), SCMP_SYS(membarrier), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(pipe2), SCMP_SYS(lseek), SCMP_SYS(prctl),
};

static const int connecting_calls[] = {SCMP_SYS(connect), SCMP_SYS(sendmmsg)};

/* confine_gate_calls - the filter of the gate: no thread, no file, no socket but pairs. */
static int confine_gate_calls(void)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!c)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; !r && i < sizeof(gate_calls) / sizeof(*gate_calls); i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, gate_calls[i], 0);
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    if (!r)
        r = seccomp_load(c);
    seccomp_release(c);
    return r;
}

int privileges_confine_gate(enum landlock_state *ret_landlock, struct fault *f)
{
    int r = privileges_no_new(f);
    if (r)
        return r;
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* keys are in its memory */
    r = confine_files(&(struct file_rights){0}, ret_landlock);
    if (r)
        return FAULT(f, r, node_cannot_confine, "landlock", strerror(-r));
    r = confine_gate_calls();
    return r ? FAULT(f, r, node_cannot_confine, "seccomp", strerror(-r)) : 0;
}

/* confine_calls - of watch and office. @may_connect: it writes mail and asks gateways. */
static int confine_calls(bool may_connect)
{
    enum { THREAD_FLAGS = 0x00010000 /* CLONE_THREAD: threads yes, processes no */ };
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!c)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; !r && i < sizeof(watch_calls) / sizeof(*watch_calls); i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, watch_calls[i], 0);
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD_FLAGS, THREAD_FLAGS));
    if (!r) /* its flags stand in memory, where a filter cannot look: the C library then falls back to clone */
        r = seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    for (size_t i = 0; !r && may_connect && i < sizeof(connecting_calls) / sizeof(*connecting_calls); i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, connecting_calls[i], 0);
    if (!r && may_connect)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    for (int family = AF_INET; !r && may_connect && family <= AF_INET6; family += AF_INET6 - AF_INET)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
    if (!r)
        r = seccomp_load(c);
    seccomp_release(c);
    return r;
}

static int confine(const struct file_rights *rights, bool may_connect, enum landlock_state *ret_landlock, struct fault *f)
{
    int r = privileges_no_new(f);
    if (r)
        return r;
    r = confine_files(rights, ret_landlock);
    if (r)
        return FAULT(f, r, node_cannot_confine, "landlock", strerror(-r));
    r = confine_calls(may_connect);
    return r ? FAULT(f, r, node_cannot_confine, "seccomp", strerror(-r)) : 0;
}

int privileges_confine_watch(const struct file_rights *rights, enum landlock_state *ret_landlock, struct fault *f)
{
    return confine(rights, false, ret_landlock, f);
}

int privileges_confine_office(const struct file_rights *rights, enum landlock_state *ret_landlock, struct fault *f)
{
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the key of its listener and people's passwords pass through its memory */
    return confine(rights, true, ret_landlock, f);
}
