/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of confinement matters: descriptors first, then limits, then the
 * things that need a system call the filter forbids, the filter last.
 */
#include "lab/lab.h"

#include "base/file.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALL_S 120u
#define CPU_S 60u
#define MEMORY_BYTES ((size_t)2 << 30)
#define CONFINE_FAILED 120

/* a sanitizer's shadow memory is terabytes of address space */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_ADDRESS_SPACE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define LIMIT_ADDRESS_SPACE 0
#endif
#endif
#ifndef LIMIT_ADDRESS_SPACE
#define LIMIT_ADDRESS_SPACE 1
#endif

struct lab {
    pid_t pid;
};

int lab_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

/* no rule at all: every right the kernel can handle is denied for every file */
static int close_files(void)
{
    static const uint64_t rights_by_abi[] = {0, (1u << 13) - 1, (1u << 14) - 1, (1u << 15) - 1, (1u << 15) - 1, (1u << 16) - 1};
    int abi = lab_landlock_abi();
    if (!abi)
        return 0; /* older kernel: seccomp alone */
    const int newest = sizeof(rights_by_abi) / sizeof(rights_by_abi[0]) - 1;
    /* the first field of struct landlock_ruleset_attr of every version */
    uint64_t handled = rights_by_abi[abi < newest ? abi : newest];
    int fd = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
    if (fd < 0)
        return -errno;
    int r = syscall(SYS_landlock_restrict_self, fd, 0) ? -errno : 0;
    close(fd);
    return r;
}

static int set_limit(int what, uint64_t v)
{
    /* processor time: at the hard limit the kernel kills without a word, so the signal that names it must come before */
    struct rlimit l = {.rlim_cur = v, .rlim_max = v + (what == RLIMIT_CPU)};
    return setrlimit((__rlimit_resource_t)what, &l) ? -errno : 0;
}

static int set_limits(const struct lab_limits *limits)
{
    unsigned wall_s = limits && limits->wall_s ? limits->wall_s : WALL_S;
    struct itimerval wall = {.it_value = {.tv_sec = (time_t)wall_s}};
    int r = set_limit(RLIMIT_CPU, limits && limits->cpu_s ? limits->cpu_s : CPU_S);
    if (!r && LIMIT_ADDRESS_SPACE)
        r = set_limit(RLIMIT_AS, limits && limits->memory_bytes ? limits->memory_bytes : MEMORY_BYTES);
    if (!r)
        r = set_limit(RLIMIT_FSIZE, 0);
    if (!r)
        r = set_limit(RLIMIT_CORE, 0);
    if (!r)
        r = set_limit(RLIMIT_NOFILE, 8);
    if (!r && setitimer(ITIMER_REAL, &wall, NULL))
        r = -errno;
    return r;
}

/* keep only standard error and the two */
static int keep_descriptors(int fd_in, int fd_out)
{
    unsigned low = (unsigned)(fd_in < fd_out ? fd_in : fd_out), high = (unsigned)(fd_in < fd_out ? fd_out : fd_in);
    if (low > 3 && close_range(3, low - 1, 0))
        return -errno;
    if (high > low + 1 && close_range(low + 1, high - 1, 0))
        return -errno;
    if (close_range(high + 1, ~0u, 0))
        return -errno;
    close(0);
    close(1);
    return 0;
}

static int filter_calls(void)
{
    static const int allowed[] = {
        SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(fstat),
        SCMP_SYS(newfstatat), SCMP_SYS(close), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
        SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(futex),
        SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(sched_yield),
        SCMP_SYS(exit), SCMP_SYS(exit_group)};
    /* what a C library may try on its own and live without */
    static const int refused[] = {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                                  SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(ioctl), SCMP_SYS(sysinfo)};
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!c)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !r; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && !r; i++)
        r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    /* memory may be had, but nothing that can be executed */
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
    if (!r)
        r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    if (!r)
        r = seccomp_load(c);
    seccomp_release(c);
    return r;
}

int lab_confine(int fd_in, int fd_out, const struct lab_limits *limits)
{
    int r = keep_descriptors(fd_in, fd_out);
    if (!r && (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))
        r = -errno;
    if (!r)
        r = close_files();
    if (!r) {
        capng_clear(CAPNG_SELECT_BOTH);
        r = capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
    }
    if (!r)
        r = set_limits(limits);
    return r ? r : filter_calls();
}

static _Noreturn void child(lab_job job, void *context, int fd_in, int fd_out, const struct lab_limits *limits)
{
    static const int reset[] = {SIGPIPE, SIGALRM, SIGXCPU, SIGTERM, SIGINT, SIGHUP, SIGSYS, SIGSEGV, SIGBUS};
    sigset_t none;
    for (size_t i = 0; i < sizeof(reset) / sizeof(reset[0]); i++)
        signal(reset[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int r = lab_confine(fd_in, fd_out, limits);
    r = r ? CONFINE_FAILED : job(fd_in, fd_out, context);
    _exit(r >= 0 && r <= CONFINE_FAILED ? r : CONFINE_FAILED - 1);
}

int lab_open(lab_job job, void *context, int fd_in, const struct lab_limits *limits, struct lab **ret, int *ret_out, struct fault *f)
{
    int ends[2];
    struct lab *l = calloc(1, sizeof(*l));
    if (!l)
        return FAULT(f, -ENOMEM, no_memory, "lab");
    if (pipe2(ends, O_CLOEXEC)) {
        free(l);
        return FAULT(f, -errno, lab_not_started, strerror(errno));
    }
    l->pid = fork();
    if (!l->pid)
        child(job, context, fd_in, ends[1], limits);
    int e = errno;
    close(ends[1]);
    if (l->pid < 0) {
        close(ends[0]);
        free(l);
        return FAULT(f, -e, lab_not_started, strerror(e));
    }
    *ret = l;
    *ret_out = ends[0];
    return 0;
}

int lab_close(struct lab *l, struct fault *f)
{
    int status = 0;
    pid_t pid;
    do
        pid = waitpid(l->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    free(l);
    if (pid < 0)
        return FAULT(f, -errno, lab_not_started, strerror(errno));
    if (WIFSIGNALED(status)) {
        int signal_number = WTERMSIG(status);
        if (signal_number == SIGALRM || signal_number == SIGXCPU)
            return FAULT(f, -ETIMEDOUT, lab_overran);
        return FAULT(f, -ECHILD, lab_died, strsignal(signal_number));
    }
    int code = WEXITSTATUS(status);
    if (code == CONFINE_FAILED)
        return FAULT(f, -EPERM, lab_not_confined);
    if (code > 100)
        return FAULT(f, -ECHILD, lab_died, "exit");
    return code;
}
