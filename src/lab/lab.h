/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab/lab - one job over hostile bytes in a process that can do nothing else.
 *
 * The child holds one descriptor to read and one pipe to write; every other descriptor is closed. It has no
 * capabilities, no new privileges, no access to any file (landlock, where the kernel has it, and seccomp everywhere),
 * no network, no other process, bounded memory and processor time, and a wall clock that ends it. The system calls
 * left are those of reading, writing, memory and exit; opening a file answers EPERM, anything else kills it.
 *
 * Fork it before secrets are loaded: the child is a copy of the caller's memory.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lab_limits {
    unsigned wall_s, cpu_s; /* 0: 120 and 60 */
    size_t memory_bytes;    /* of address space; 0: 2 GiB */
};

/* lab_job - runs in the child. Return: 0 or a condition 1..100, handed to lab_close. */
typedef int (*lab_job)(int fd_in, int fd_out, void *context);

struct lab; /* a running child */

/*
 * lab_open - start @job over @fd_in (borrowed).
 * @ret_out: read what the job writes from here; the caller closes it, best after reading to its end
 * Return: 0 or -errno with the fault.
 */
int lab_open(lab_job job, void *context, int fd_in, const struct lab_limits *limits, struct lab **ret, int *ret_out, struct fault *f);
/*
 * lab_close - wait for the child (the wall clock bounds it) and free.
 * Return: what the job returned (0 or a condition), or -ECHILD / -ETIMEDOUT with the fault when it died or overran.
 */
int lab_close(struct lab *l, struct fault *f);

/* lab_landlock_abi - what the kernel offers: 0 none (the jail is then seccomp alone, and status says so). */
int lab_landlock_abi(void);
/*
 * lab_confine - what the child does to itself; also for tests. @fd_in, @fd_out stay open.
 * Return: 0 or -errno (then it must not go on).
 */
int lab_confine(int fd_in, int fd_out, const struct lab_limits *limits);
